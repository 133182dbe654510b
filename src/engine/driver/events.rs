//! What is to be notified of an execution, stored with the change that makes it true: the outcome
//! when it is decided, which is before handlers run, and what became of the handlers.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use crate::engine::context::EngineContext;
use crate::workflow::compiled::DefinitionSource;
use crate::workflow::execution::Execution;
use crate::workflow::notification::{Event, EventKind, Events, Notify, Occurrence};
use crate::workflow::record::{Change, ExecutionState, ExecutionStatus, StepStatus};

/// Finds the events of one execution. Where nobody is notified, it does nothing.
pub(super) struct EventFinder {
    notify: Option<Arc<Notify>>,
    has_events: Arc<AtomicBool>,
    /// The outcome was known before.
    is_decided: bool,
    has_handler_failed: bool,
}

impl EventFinder {
    /// For an execution as it is before its first event here.
    pub(super) fn new(execution: &Execution, context: &EngineContext) -> Self {
        let definition = execution.spec().snapshot.definition();
        let handlers = execution.handlers().iter();
        Self {
            notify: context.notify_of(definition),
            has_events: Arc::clone(&context.has_events),
            is_decided: outcome(execution.head()).is_some(),
            has_handler_failed: handlers.into_iter().any(|state| has_failed(state.status)),
        }
    }

    /// Adds what `change` brings about.
    pub(super) fn add(&mut self, execution: &Execution, change: &mut Change) {
        let Some(notify) = &self.notify else { return };
        let head = execution.head();
        let mut events = Vec::new();
        if !self.is_decided
            && let Some(status) = outcome(head)
        {
            self.is_decided = true;
            events.extend(Occurrence::of_outcome(status).map(|occurrence| Event {
                occurrence,
                at: head.updated_at,
                step: failing_step(execution, status).map(str::to_owned),
                error: head.error.clone(),
                status: Some(status),
            }));
        }
        for handler in change.handlers.values().filter(|it| has_failed(it.state.status)) {
            self.has_handler_failed = true;
            events.push(Event {
                occurrence: Occurrence::Opened(EventKind::HandlerFailed),
                at: head.updated_at,
                step: Some(handler.name.clone()),
                error: handler.state.error.clone(),
                status: outcome(head),
            });
        }
        let ran = execution.handlers().iter().any(|state| state.status == StepStatus::Success);
        if head.status.is_terminal() && ran && !self.has_handler_failed {
            events.push(Event {
                occurrence: Occurrence::Closed(EventKind::HandlerFailed),
                at: head.updated_at,
                step: None,
                error: None,
                status: Some(head.status),
            });
        }
        if !events.is_empty() {
            self.has_events.store(true, Ordering::Relaxed);
            let spec = execution.spec();
            change.events = Some(Box::new(Events {
                notify: Arc::clone(notify),
                workflow_id: spec.workflow_id().to_owned(),
                is_ad_hoc: spec.snapshot.source == Some(DefinitionSource::Request),
                trigger: spec.trigger.clone(),
                events,
            }));
        }
    }
}

/// The step that a notification of this outcome names: of an execution whose time was over, the first
/// one that ran then.
fn failing_step(execution: &Execution, status: ExecutionStatus) -> Option<&str> {
    let ran_out = || {
        let mut steps = execution.steps().iter();
        steps.position(|state| state.status == StepStatus::Cancelled && state.attempt > 0)
    };
    execution.failed_step().or_else(|| match status {
        ExecutionStatus::Failed => {
            ran_out().map(|index| execution.spec().step(index).name.as_str())
        }
        _ => None,
    })
}

fn outcome(head: &ExecutionState) -> Option<ExecutionStatus> {
    head.outcome.or(Some(head.status).filter(|status| status.is_terminal()))
}

fn has_failed(status: StepStatus) -> bool {
    matches!(status, StepStatus::Failed | StepStatus::Interrupted)
}
