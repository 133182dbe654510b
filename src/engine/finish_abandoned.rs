//! Ends an execution that cannot be run any more.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use tokio::time;

use super::context::EngineContext;
use super::driver::{QUEUE_RETRY, RunError};
use crate::repository::{Health, PendingWrite};
use crate::workflow::notification::{Event, Events, Occurrence};
use crate::workflow::record::{Change, ExecutionRecord, ExecutionStatus};

/// Stores the last change of an execution that does not run.
///
/// # Errors
/// [`RunError`] when the store refuses it.
pub(crate) async fn finish_abandoned(
    execution_id: &str,
    change: Change,
    context: &EngineContext,
) -> Result<ExecutionStatus, RunError> {
    let status = change.head.status;
    let pending = PendingWrite::new(execution_id.to_owned());
    let mut stored = pending.stored();
    let mut health = context.writer.health();
    pending.record(change);
    let since = context.clock.elapsed();
    loop {
        let queued = context.writer.enqueue(&pending);
        tokio::select! {
            _ = stored.changed() => {
                if let Some(error) = &stored.borrow().refused {
                    return Err(RunError::Refused(Arc::clone(error)));
                }
                if stored.borrow().version > 0 {
                    return Ok(status);
                }
            }
            Ok(()) = health.changed() => {}
            () = time::sleep(QUEUE_RETRY), if !queued => {}
        }
        if let Health::Failing { error } = &*health.borrow()
            && context.clock.elapsed().saturating_sub(since) >= context.store_timeout
        {
            return Err(RunError::StoreLost(Arc::clone(error)));
        }
    }
}

/// Has it notified that an execution is given up, as the settings say: what its own workflow says
/// cannot be read.
pub(crate) fn add_event(execution: &ExecutionRecord, change: &mut Change, context: &EngineContext) {
    let Some(notify) = &context.notify else { return };
    let head = &change.head;
    let Some(occurrence) = Occurrence::of_outcome(head.status) else { return };
    let event = Event {
        occurrence,
        at: head.updated_at,
        step: None,
        error: head.error.clone(),
        status: Some(head.status),
    };
    context.has_events.store(true, Ordering::Relaxed);
    change.events = Some(Box::new(Events {
        notify: Arc::clone(notify),
        workflow_id: execution.workflow_id.clone(),
        is_ad_hoc: false,
        trigger: execution.trigger.clone(),
        events: vec![event],
    }));
}
