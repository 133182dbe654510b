//! How an execution ends: before its time, or when its last step has ended.

use std::sync::Arc;

use super::{Ending, Execution, IllegalTransition};
use crate::workflow::event::{Effect, Moment};
use crate::workflow::record::{ExecutionStatus, StepStatus};

impl Execution {
    pub(super) fn end_early(
        &mut self,
        ending: Ending,
        moment: Moment,
        effects: &mut Vec<Effect>,
    ) -> Result<(), IllegalTransition> {
        if self.ending.is_some() {
            return Ok(());
        }
        self.end_pending(&ending, moment, effects)?;
        self.ending = Some(ending);
        effects.extend(self.running.iter().map(|&step| Effect::Stop { step }));
        Ok(())
    }

    /// Ends the steps that do not run, with no further attempt.
    pub(super) fn end_pending(
        &mut self,
        ending: &Ending,
        moment: Moment,
        effects: &mut Vec<Effect>,
    ) -> Result<(), IllegalTransition> {
        let spec = Arc::clone(&self.spec);
        self.ready.clear();
        self.refused.clear();
        self.admitting.clear();
        for &step in &spec.graph().order {
            if self.steps[step].status != StepStatus::Pending {
                continue;
            }
            self.cut_short = true;
            let (status, error) = match ending {
                Ending::Cancelled(reason) => (StepStatus::Cancelled, reason.clone()),
                Ending::Interrupted(reason) => (StepStatus::Skipped, reason.clone()),
                // Its attempts were made and failed; only the next one was not.
                Ending::TimedOut if self.waiting.contains(&step) => {
                    (StepStatus::Failed, self.steps[step].error.clone().unwrap_or_default())
                }
                Ending::TimedOut => (StepStatus::Skipped, self.timeout_text()),
            };
            self.end_step(step, status, Some(error), moment, effects)?;
        }
        self.waiting.clear();
        Ok(())
    }

    /// Ends the execution once its last step has ended and, after the outcome is decided, its last
    /// handler.
    pub(super) fn end_if_done(
        &mut self,
        moment: Moment,
        effects: &mut Vec<Effect>,
    ) -> Result<(), IllegalTransition> {
        if (self.head.steps_completed as usize) < self.count {
            return Ok(());
        }
        let status = match self.head.outcome {
            Some(outcome) => outcome,
            None => {
                let (status, error) = self.outcome();
                self.head.error = error;
                self.queue_handlers(status);
                if self.has_handlers_left() {
                    self.head.outcome = Some(status);
                }
                status
            }
        };
        self.run_handlers(moment, effects)?;
        if self.has_handlers_left() {
            return Ok(());
        }
        self.head.status = status;
        self.head.completed_at = Some(moment.now);
        effects.push(Effect::Ended);
        Ok(())
    }

    /// How its steps ended, and why.
    fn outcome(&self) -> (ExecutionStatus, Option<String>) {
        match (&self.ending, self.interrupted_by, self.failed_by) {
            (Some(Ending::Cancelled(reason)), ..) => {
                (ExecutionStatus::Cancelled, Some(reason.clone()))
            }
            (Some(Ending::Interrupted(reason)), ..) if self.cut_short => {
                (ExecutionStatus::Interrupted, Some(reason.clone()))
            }
            (_, Some(step), _) => {
                (ExecutionStatus::Interrupted, Some(self.step_text(step, "was interrupted")))
            }
            (Some(Ending::TimedOut), ..) if self.cut_short => {
                (ExecutionStatus::Failed, Some(self.timeout_text()))
            }
            (_, None, Some(step)) => {
                (ExecutionStatus::Failed, Some(self.step_text(step, "failed")))
            }
            (_, None, None) => (ExecutionStatus::Success, None),
        }
    }

    pub(super) fn timeout_text(&self) -> String {
        self.spec.snapshot.definition().timeout_text()
    }

    fn step_text(&self, step: usize, what: &str) -> String {
        let name = &self.spec.step(step).name;
        match &self.steps[step].error {
            Some(error) => format!("step `{name}` {what}: {error}"),
            None => format!("step `{name}` {what}"),
        }
    }

    pub(super) fn dependency_text(&self, because: usize) -> String {
        format!(
            "`{}`, which it depends on, {}",
            self.spec.step(because).name,
            match self.steps[because].status {
                StepStatus::Skipped => "was skipped",
                StepStatus::Interrupted => "was interrupted",
                _ => "failed",
            }
        )
    }
}
