//! Evaluates the `when` of steps, and decides what a skip means for dependents.
//!
//! A step with a condition waits until everything before it has ended, directly or not. So its
//! evaluation depends on nothing that can still change, and is the same after a crash.

use super::{Execution, IllegalTransition};
use crate::workflow::condition::{Condition, Facts};
use crate::workflow::event::{Effect, Moment};
use crate::workflow::record::{SkipReason, StepStatus};

impl Execution {
    pub(super) fn condition(&self, step: usize) -> Option<&Condition> {
        self.spec.step(step).flow.when.as_ref()
    }

    /// Whether dependents run as if the step had succeeded.
    pub(super) fn passes(&self, step: usize) -> bool {
        let state = &self.steps[step];
        match state.status {
            StepStatus::Success => true,
            StepStatus::Failed => self.spec.step(step).continue_on_error,
            StepStatus::Skipped => {
                state.skip_reason.is_some_and(SkipReason::is_own)
                    && self.spec.step(step).flow.continue_on_skip
            }
            _ => false,
        }
    }

    /// A step has no dependency left to wait for.
    pub(super) fn enable(&mut self, step: usize) {
        if self.condition(step).is_none() {
            self.ready.insert(step);
            return;
        }
        let open = self.unfinished_before(step);
        self.unmet[step] = open.len();
        if open.is_empty() {
            self.decide(step);
        }
        for before in open {
            self.held.entry(before).or_default().push(step);
        }
    }

    /// Steps further up that have not ended, although all dependencies have: a step that was
    /// skipped since one of its dependencies failed did not wait for the others.
    fn unfinished_before(&self, step: usize) -> Vec<usize> {
        let dependencies = &self.spec.graph().dependencies;
        let was_skipped_early =
            |step: &usize| self.steps[*step].skip_reason == Some(SkipReason::Dependency);
        let mut open: Vec<usize> =
            dependencies[step].iter().copied().filter(was_skipped_early).collect();
        if open.is_empty() {
            return Vec::new();
        }
        let mut seen = Seen::new(self.count);
        open.retain(|&step| seen.insert(step));
        let mut unfinished = Vec::new();
        while let Some(skipped) = open.pop() {
            for &before in &dependencies[skipped] {
                if !seen.insert(before) {
                    continue;
                }
                if !self.steps[before].status.is_terminal() {
                    unfinished.push(before);
                } else if was_skipped_early(&before) {
                    open.push(before);
                }
            }
        }
        unfinished
    }

    /// A step has ended that others were held for.
    pub(super) fn release_held(&mut self, ended: usize) {
        if self.held.is_empty() {
            return;
        }
        for step in self.held.remove(&ended).unwrap_or_default() {
            self.unmet[step] -= 1;
            if self.unmet[step] == 0 && self.steps[step].status == StepStatus::Pending {
                self.enable(step);
            }
        }
    }

    /// Evaluates the condition of a step that waits for nothing else: it is ready, or refused.
    fn decide(&mut self, step: usize) {
        let refusal = match self.blocker(step) {
            Some(because) => Some((SkipReason::Dependency, self.dependency_text(because))),
            None => self.refusal(step).map(|error| (SkipReason::Condition, error)),
        };
        match refusal {
            Some(refusal) => {
                self.refused.insert(step, refusal);
            }
            None => {
                self.ready.insert(step);
            }
        }
    }

    /// Ends the steps that their conditions refused, and those that are refused because of these.
    pub(super) fn skip_refused(
        &mut self,
        moment: Moment,
        effects: &mut Vec<Effect>,
    ) -> Result<(), IllegalTransition> {
        while let Some((step, (reason, error))) = self.refused.pop_first() {
            if self.steps[step].status == StepStatus::Pending {
                self.skip(step, reason, Some(error), moment, effects)?;
            }
        }
        Ok(())
    }

    /// Ends a step as skipped; its dependents run or are skipped with it.
    pub(super) fn skip(
        &mut self,
        step: usize,
        reason: SkipReason,
        error: Option<String>,
        moment: Moment,
        effects: &mut Vec<Effect>,
    ) -> Result<(), IllegalTransition> {
        self.steps[step].skip_reason = Some(reason);
        self.end_step(step, StepStatus::Skipped, error, moment, effects)?;
        if self.passes(step) {
            self.release_dependents(step);
            return Ok(());
        }
        self.skip_dependents(step, moment, effects)
    }

    fn refusal(&self, step: usize) -> Option<String> {
        let facts = Facts { params: &self.spec.snapshot.params, steps: self.steps() };
        self.condition(step)?.refusal(&facts)
    }

    /// The first dependency that did not succeed and that the condition does not decide about.
    fn blocker(&self, step: usize) -> Option<usize> {
        let mut dependencies = self.spec.graph().dependencies[step].iter().copied();
        let first = dependencies.find(|&dependency| !self.passes(dependency))?;
        let tested = self.spec.snapshot.compiled.tested_by(step);
        // What was seen for one dependency is not to be looked at for the next: it is tested.
        let mut seen = Seen::new(self.count);
        std::iter::once(first).chain(dependencies).find(|&dependency| {
            !self.passes(dependency) && !self.is_tested(dependency, tested, &mut seen)
        })
    }

    /// Whether a condition that tests the status of `tested` decides about a dependency that did
    /// not succeed: it tests that one, or the dependency was skipped because of such steps alone.
    fn is_tested(&self, dependency: usize, tested: &[usize], seen: &mut Seen) -> bool {
        let mut open = vec![dependency];
        while let Some(step) = open.pop() {
            if !seen.insert(step) || tested.binary_search(&step).is_ok() {
                continue;
            }
            if self.steps[step].skip_reason != Some(SkipReason::Dependency) {
                return false;
            }
            let before = &self.spec.graph().dependencies[step];
            open.extend(before.iter().copied().filter(|&b| !self.passes(b) && !seen.has(b)));
        }
        true
    }
}

/// The steps that a walk through the graph has seen.
struct Seen(Vec<bool>);

impl Seen {
    fn new(steps: usize) -> Self {
        Self(vec![false; steps])
    }

    fn has(&self, step: usize) -> bool {
        self.0[step]
    }

    /// Whether it was not seen before.
    fn insert(&mut self, step: usize) -> bool {
        !std::mem::replace(&mut self.0[step], true)
    }
}

#[cfg(test)]
mod tests;
