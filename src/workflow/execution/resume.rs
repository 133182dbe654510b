//! Resumes an execution whose process died: what is stored → an execution that continues.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use super::{Begun, Ending, Execution, IllegalTransition, millis};
use crate::base::backoff;
use crate::base::timestamp::Timestamp;
use crate::workflow::definition::Work;
use crate::workflow::event::{AttemptEnd, Effect, Moment, Outcome};
use crate::workflow::record::{
    Change, ExecutionState, ExecutionStatus, HandlerState, StepState, StepStatus,
};
use crate::workflow::spec::ExecutionSpec;

/// The stored state of an unfinished execution.
#[derive(Debug, Clone)]
pub struct Recorded {
    /// Its head.
    pub head: ExecutionState,
    /// Its steps, by position.
    pub steps: Vec<RecordedStep>,
    /// The handlers that began.
    pub handlers: Vec<RecordedHandler>,
}

/// The stored state of a handler.
#[derive(Debug, Clone)]
pub struct RecordedHandler {
    /// Its position, after those of the steps.
    pub position: u32,
    /// Where it stands.
    pub handler: HandlerState,
    /// When the last of its stored attempts ended.
    pub attempt_ended_at: Option<Timestamp>,
}

/// The stored state of one of its steps.
#[derive(Debug, Clone)]
pub struct RecordedStep {
    /// Where it stands.
    pub state: StepState,
    /// When the last of its stored attempts ended.
    pub attempt_ended_at: Option<Timestamp>,
}

impl Recorded {
    /// The change to store if it cannot continue: running steps are interrupted, the rest are
    /// skipped.
    #[must_use]
    pub fn abandon(self, error: &str, now: Timestamp) -> Change {
        let mut head = ExecutionState {
            // An outcome that was decided stays.
            status: self.head.outcome.unwrap_or(ExecutionStatus::Interrupted),
            completed_at: Some(now),
            updated_at: now,
            error: match self.head.outcome {
                Some(_) => self.head.error,
                None => Some(error.to_owned()),
            },
            ..self.head
        };
        head.uncount();
        let mut steps = BTreeMap::new();
        for (position, RecordedStep { mut state, .. }) in (0_u32..).zip(self.steps) {
            if state.status.is_terminal() {
                head.count(state.status);
                continue;
            }
            let ran = state.status == StepStatus::Running;
            state.status = if ran { StepStatus::Interrupted } else { StepStatus::Skipped };
            head.count(state.status);
            state.completed_at = Some(now);
            state.duration_ms = state.started_at.map(|at| millis(now.since(at)));
            state.error = Some(error.to_owned());
            steps.insert(position, state);
        }
        let mut handlers = BTreeMap::new();
        for RecordedHandler { position, mut handler, .. } in self.handlers {
            if !handler.state.status.is_terminal() {
                handler.state.status = StepStatus::Interrupted;
                handler.state.completed_at = Some(now);
                handler.state.duration_ms =
                    handler.state.started_at.map(|at| millis(now.since(at)));
                handler.state.error = Some(error.to_owned());
                handlers.insert(position, handler);
            }
        }
        Change { head, created: None, steps, handlers, attempts: Vec::new(), events: None }
    }
}

impl Execution {
    /// An execution as it was when its process died; [`Event::Resume`] continues it. `owner` is the
    /// process that runs it now.
    ///
    /// [`Event::Resume`]: crate::workflow::event::Event::Resume
    #[must_use]
    pub fn resumed(
        spec: Arc<ExecutionSpec>,
        parallelism: usize,
        owner: String,
        recorded: Recorded,
    ) -> Self {
        let mut execution = Self::new(spec, parallelism, None);
        execution.head = ExecutionState { owner: Some(owner), ..recorded.head };
        execution.stored_once = true;
        execution.changed = BTreeSet::new();
        let spec = Arc::clone(&execution.spec);
        for (&step, recorded) in spec.graph().order.iter().zip(recorded.steps) {
            execution.attempt_ended_at[step] = recorded.attempt_ended_at;
            execution.steps[step] = recorded.state;
        }
        for RecordedHandler { position, handler, attempt_ended_at } in recorded.handlers {
            let index = position as usize;
            if index < execution.count || index >= execution.steps.len() {
                continue;
            }
            if handler.state.status == StepStatus::Running {
                execution.running.insert(index);
            }
            execution.steps[index] = handler.state;
            execution.attempt_ended_at[index] = attempt_ended_at;
        }
        execution.count_ended();
        execution
    }

    /// Forgets everything that it did since it was made. It is stored as one that has not begun.
    pub fn begin_anew(&mut self) {
        let (spec, owner) = (Arc::clone(&self.spec), self.head.owner.take());
        *self = Self::new(spec, self.parallelism, owner);
        self.stored_once = true;
        self.changed.clear();
    }

    /// Derives from the state of each step what it means for the others.
    pub(super) fn count_ended(&mut self) {
        let spec = Arc::clone(&self.spec);
        self.head.uncount();
        for &step in &spec.graph().order {
            let status = self.steps[step].status;
            let tolerated = spec.step(step).continue_on_error;
            match status {
                StepStatus::Running => {
                    self.running.insert(step);
                }
                StepStatus::Failed if !tolerated => {
                    self.failed_by = self.earlier(self.failed_by, step);
                }
                StepStatus::Interrupted => {
                    self.interrupted_by = self.earlier(self.interrupted_by, step);
                }
                _ => {}
            }
            let passes = self.passes(step);
            for &dependent in &spec.graph().dependents[step] {
                let decides = status.is_terminal() && self.condition(dependent).is_some();
                if passes || decides {
                    self.unmet[dependent] -= 1;
                }
            }
            if status.is_terminal() {
                self.head.count(status);
            }
        }
    }

    /// Which of the two ended first.
    fn earlier(&self, known: Option<usize>, step: usize) -> Option<usize> {
        let ended = |step: usize| self.steps[step].completed_at;
        known.filter(|&known| ended(known) <= ended(step)).or(Some(step))
    }

    pub(super) fn take_over(
        &mut self,
        ending: Option<Ending>,
        moment: Moment,
        effects: &mut Vec<Effect>,
    ) -> Result<(), IllegalTransition> {
        self.head.status = ExecutionStatus::Running;
        if self.head.started_at.is_none() && ending.is_some() {
            self.drop_handlers();
        }
        let was_begun = self.head.started_at.is_some();
        let started_at = self.head.started_at.unwrap_or(moment.now);
        // One that is ended before it began has no start.
        self.head.started_at = Some(started_at).filter(|_| was_begun || ending.is_none());
        for step in 0..self.steps.len() {
            if let Some(started_at) = self.steps[step].started_at {
                let before = moment.now.since(started_at);
                self.begun[step] = Some(Begun { monotonic: moment.monotonic, before });
            }
        }
        let timeout = self.spec.snapshot.definition().timeout;
        let time_up = timeout.is_some_and(|limit| moment.now.since(started_at) >= limit.duration());
        if !was_begun {
            self.skip_after_reused(moment, effects)?;
        }
        self.find_ready(moment, effects);
        if let Some(outcome) = self.head.outcome {
            let cancelled = match ending {
                Some(Ending::Cancelled(reason)) => Some(reason),
                _ => None,
            };
            self.resume_handlers(outcome, cancelled, moment, effects)?;
        } else if let Some(ending) = ending {
            // Before the lost attempts are evaluated: they are not retried.
            self.end_pending(&ending, moment, effects)?;
            self.ending = Some(ending);
        } else if time_up {
            self.end_pending(&Ending::TimedOut, moment, effects)?;
            self.ending = Some(Ending::TimedOut);
        }
        for step in self.running.clone() {
            let attempt = self.steps[step].attempt;
            let attempt_started_at = self.attempt_started_at(step);
            let elapsed = attempt_started_at.map_or(Duration::ZERO, |at| moment.now.since(at));
            let sleeps = matches!(self.spec.step(step).work, Work::Sleep(_));
            if sleeps && self.ending_of(step).is_none() {
                self.resumed.insert(step);
                effects.push(Effect::Start { step, attempt, elapsed });
                continue;
            }
            let outcome = if sleeps { Outcome::Stopped } else { Outcome::Lost };
            let started_at = attempt_started_at.unwrap_or(moment.now);
            let end = AttemptEnd { duration: elapsed, ..AttemptEnd::instant(outcome, started_at) };
            self.attempt_ended(step, end, moment, effects)?;
        }
        Ok(())
    }

    fn find_ready(&mut self, moment: Moment, effects: &mut Vec<Effect>) {
        for step in 0..self.count {
            let state = &self.steps[step];
            if state.status != StepStatus::Pending || self.unmet[step] > 0 {
                continue;
            }
            if state.attempt == 0 {
                self.enable(step);
                continue;
            }
            // It waited for its next attempt; the rest of the wait.
            let retry = self.spec.step(step).retry;
            let waited =
                self.attempt_ended_at[step].map_or(Duration::MAX, |at| moment.now.since(at));
            let wait = backoff::wait(&retry, state.attempt, moment.jitter).saturating_sub(waited);
            self.waiting.insert(step);
            effects.push(Effect::Retry { step, wait });
        }
    }

    /// When the running attempt of a step began: not stored by itself, but the first one
    /// began with its step, and another after the one before it had ended.
    fn attempt_started_at(&self, step: usize) -> Option<Timestamp> {
        let state = &self.steps[step];
        let later = self.attempt_ended_at[step].filter(|_| state.attempt > 1);
        later.or(state.started_at)
    }
}

#[cfg(test)]
pub(super) mod tests;
