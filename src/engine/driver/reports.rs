//! What an execution reports to its observer.

use std::time::Duration;

use super::Driver;
use crate::workflow::event::Effect;
use crate::workflow::record::StepStatus;
use crate::workflow::report::Report;

impl Driver {
    pub(crate) fn report_start(&self) {
        let spec = self.execution.spec();
        self.observer.report(&Report::ExecutionStarted {
            execution_id: &spec.execution_id,
            workflow_id: spec.workflow_id(),
            total_steps: u32::try_from(self.execution.steps().len()).unwrap_or(u32::MAX),
            reused_steps: u32::try_from(self.execution.reused_steps()).unwrap_or(u32::MAX),
            at: self.context.clock.now(),
        });
    }

    pub(crate) fn report_effects(&self, effects: &[Effect]) {
        let spec = self.execution.spec();
        let head = self.execution.head();
        for effect in effects {
            match *effect {
                Effect::Retry { step, wait } => {
                    if let Some(failed) = self.execution.just_ended(step) {
                        self.observer.report(&Report::RetryScheduled {
                            step: &spec.step(step).name,
                            failed,
                            max_attempts: spec.step(step).retry.max_attempts,
                            wait,
                            at: head.updated_at,
                        });
                    }
                }
                Effect::StepEnded { step } if step >= self.execution.steps().len() => {
                    self.report_handler(step);
                }
                Effect::StepEnded { step } => {
                    let state = &self.execution.steps()[step];
                    self.observer.report(&Report::StepEnded {
                        step: &spec.step(step).name,
                        status: state.status,
                        error: state.error.as_deref(),
                        attempt: self.execution.just_ended(step),
                        duration: state.duration_ms.map(Duration::from_millis),
                        steps_completed: head.steps_completed,
                        at: head.updated_at,
                    });
                }
                Effect::Admit { .. }
                | Effect::Start { .. }
                | Effect::Stop { .. }
                | Effect::Ended => {}
            }
        }
    }

    fn report_handler(&self, index: usize) {
        let (spec, head) = (self.execution.spec(), self.execution.head());
        let of_handlers = index - self.execution.steps().len();
        let state = &self.execution.handlers()[of_handlers];
        let handler = &spec.snapshot.definition().handlers[of_handlers];
        let (name, error) = (handler.step.name.as_str(), state.error.as_deref());
        if !matches!(state.status, StepStatus::Success | StepStatus::Skipped) {
            let (execution_id, workflow_id) = (spec.execution_id.as_str(), spec.workflow_id());
            let (status, error) = (state.status.as_str(), error.unwrap_or_default());
            let message = "a handler did not succeed; the outcome stays";
            tracing::warn!(execution_id, workflow_id, handler = name, status, error, "{message}");
        }
        self.observer.report(&Report::HandlerEnded {
            handler: name,
            on: handler.on,
            status: state.status,
            error,
            attempt: self.execution.just_ended(index),
            duration: state.duration_ms.map(Duration::from_millis),
            steps_completed: head.steps_completed,
            at: head.updated_at,
        });
    }

    pub(crate) fn report_end(&self) {
        let head = self.execution.head();
        let duration = match (head.started_at, head.completed_at) {
            (Some(started), Some(completed)) => completed.since(started),
            _ => Duration::ZERO,
        };
        self.observer.report(&Report::ExecutionEnded {
            status: head.status,
            error: head.error.as_deref(),
            duration,
            at: head.updated_at,
        });
    }
}
