//! Steps that an execution does not run, since they ended in an earlier one.

use std::sync::Arc;

use super::Execution;

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

    /// How many of its steps it does not run.
    #[must_use]
    pub fn reused_steps(&self) -> usize {
        self.steps.iter().filter(|step| step.reused.is_some()).count()
    }
}

#[cfg(test)]
mod tests;
