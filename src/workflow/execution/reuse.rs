//! Steps that an execution does not run, since they ended in an earlier one.

use std::sync::Arc;

use super::{Execution, IllegalTransition};
use crate::workflow::event::{Effect, Moment};
use crate::workflow::record::{SkipReason, StepStatus};

impl Execution {
    /// Takes over the ends of the steps that are not run.
    pub(super) fn reuse(&mut self) {
        let spec = Arc::clone(&self.spec);
        if spec.reused.is_empty() {
            return;
        }
        for reused in &spec.reused {
            self.steps[reused.step] = reused.state.clone();
        }
        self.count_ended();
    }

    /// Skips what depends on a step that was skipped then, as if that happened now.
    pub(super) fn skip_after_reused(
        &mut self,
        moment: Moment,
        effects: &mut Vec<Effect>,
    ) -> Result<(), IllegalTransition> {
        let spec = Arc::clone(&self.spec);
        for &step in &spec.graph().order {
            if self.steps[step].reused.is_none() || self.passes(step) {
                continue;
            }
            for &dependent in &spec.graph().dependents[step] {
                // A condition decides by itself.
                let waits = self.steps[dependent].status == StepStatus::Pending;
                if waits && self.condition(dependent).is_none() {
                    let error = Some(self.dependency_text(step));
                    self.skip(dependent, SkipReason::Dependency, error, moment, effects)?;
                }
            }
        }
        Ok(())
    }

    /// How many of its steps it does not run.
    #[must_use]
    pub fn reused_steps(&self) -> usize {
        self.steps.iter().filter(|step| step.reused.is_some()).count()
    }
}

#[cfg(test)]
mod tests;
