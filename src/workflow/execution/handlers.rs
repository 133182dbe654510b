//! Handlers: what runs once the steps have ended, one after the other.
//!
//! The outcome is decided before the first of them starts, and none of them changes it. Each that
//! begins is run to its end, whatever became of the one before it.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use super::{Ending, Execution, IllegalTransition, SIMULATED_FAILURE, millis};
use crate::base::backoff;
use crate::workflow::definition::{Handler, Work};
use crate::workflow::event::{AttemptEnd, Effect, Moment, Outcome};
use crate::workflow::handler::HandlerKind;
use crate::workflow::record::{ExecutionStatus, HandlerState, SkipReason, StepStatus};

/// Why a handler was cancelled by a second signal.
const KILLED: &str = "killed by a second signal";

/// Handlers of one execution.
#[derive(Debug, Default)]
pub(super) struct Handlers {
    /// Those that have not ended, by index; the first is the one that runs.
    queue: VecDeque<usize>,
    /// The first waits for its admission or its next attempt, or runs.
    is_busy: bool,
    /// The first is being cancelled.
    stopping: Option<Ending>,
    /// None starts any more.
    are_off: bool,
}

impl Execution {
    pub(super) fn is_handler(&self, index: usize) -> bool {
        index >= self.count
    }

    /// What is stored of a handler.
    pub(super) fn handler_state(&self, index: usize) -> (u32, HandlerState) {
        let Handler { on, step } = self.handler(index);
        let state = self.steps[index].clone();
        (self.spec.position(index), HandlerState { on: *on, name: step.name.clone(), state })
    }

    fn handler(&self, index: usize) -> &Handler {
        &self.spec.snapshot.definition().handlers[index - self.count]
    }

    /// Why the attempt of a step or handler is being ended.
    pub(super) fn ending_of(&self, index: usize) -> Option<&Ending> {
        if self.is_handler(index) { self.handlers.stopping.as_ref() } else { self.ending.as_ref() }
    }

    /// The step that made the execution fail, once its outcome is known.
    #[must_use]
    pub fn failed_step(&self) -> Option<&str> {
        let status = self.head.status;
        let step = match self.head.outcome.or(status.is_terminal().then_some(status))? {
            ExecutionStatus::Interrupted => self.interrupted_by,
            _ => self.failed_by,
        };
        step.map(|step| self.spec.step(step).name.as_str())
    }

    /// Queues what runs after this outcome.
    pub(super) fn queue_handlers(&mut self, outcome: ExecutionStatus) {
        let handlers = &self.spec.snapshot.definition().handlers;
        if self.handlers.are_off || handlers.is_empty() {
            return;
        }
        for kind in HandlerKind::ALL.into_iter().filter(|kind| runs_after(*kind, outcome)) {
            let of_kind = handlers.iter().enumerate().filter(|(_, handler)| handler.on == kind);
            self.handlers.queue.extend(of_kind.map(|(index, _)| self.count + index));
        }
    }

    /// Whether one is left.
    pub(super) fn has_handlers_left(&self) -> bool {
        !self.handlers.queue.is_empty()
    }

    /// Starts the next one, unless one is under way.
    pub(super) fn run_handlers(
        &mut self,
        moment: Moment,
        effects: &mut Vec<Effect>,
    ) -> Result<(), IllegalTransition> {
        let spec = Arc::clone(&self.spec);
        while !self.handlers.is_busy {
            let Some(&index) = self.handlers.queue.front() else { break };
            self.handlers.is_busy = true;
            let step = spec.step(index);
            if step.work.has_process() && !step.fail {
                self.admitting.insert(index);
                effects.push(Effect::Admit { step: index });
                break;
            }
            let attempt = self.start(index, moment)?;
            let outcome = match step.work {
                _ if step.fail => Outcome::Failed(SIMULATED_FAILURE.to_owned()),
                Work::Nothing => Outcome::Success,
                _ => {
                    effects.push(Effect::Start { step: index, attempt, elapsed: Duration::ZERO });
                    break;
                }
            };
            self.attempt_ended(index, AttemptEnd::instant(outcome, moment.now), moment, effects)?;
        }
        Ok(())
    }

    /// The first one may begin its next attempt.
    pub(super) fn handler_is_due(&mut self) {
        self.handlers.is_busy = false;
    }

    pub(super) fn end_handler(
        &mut self,
        index: usize,
        status: StepStatus,
        error: Option<String>,
        moment: Moment,
        effects: &mut Vec<Effect>,
    ) -> Result<(), IllegalTransition> {
        self.go(index, status)?;
        let begun = self.begun[index];
        let state = &mut self.steps[index];
        state.completed_at = Some(moment.now);
        state.duration_ms = begun
            .map(|begun| millis(begun.before + moment.monotonic.saturating_sub(begun.monotonic)));
        state.error = error;
        state.skip_reason = (status == StepStatus::Skipped).then_some(SkipReason::ExitCode);
        effects.push(Effect::StepEnded { step: index });
        self.leave(index);
        Ok(())
    }

    fn leave(&mut self, index: usize) {
        self.handlers.queue.retain(|&queued| queued != index);
        self.handlers.is_busy = false;
        self.handlers.stopping = None;
    }

    /// Cancels the one that runs, and those after it in its list.
    pub(super) fn cancel_handlers(
        &mut self,
        reason: String,
        moment: Moment,
        effects: &mut Vec<Effect>,
    ) -> Result<(), IllegalTransition> {
        let Some(&front) = self.handlers.queue.front() else { return Ok(()) };
        let on = self.handler(front).on;
        let stays: VecDeque<usize> = self
            .handlers
            .queue
            .iter()
            .copied()
            .filter(|&index| index == front || self.handler(index).on != on)
            .collect();
        self.handlers.queue = stays;
        self.stop_front(front, reason, moment, effects)
    }

    /// Ends the one that runs and starts no other.
    pub(super) fn kill_handlers(
        &mut self,
        moment: Moment,
        effects: &mut Vec<Effect>,
    ) -> Result<(), IllegalTransition> {
        self.handlers.are_off = true;
        let Some(&front) = self.handlers.queue.front() else { return Ok(()) };
        self.handlers.queue.truncate(1);
        self.stop_front(front, KILLED.to_owned(), moment, effects)
    }

    fn stop_front(
        &mut self,
        front: usize,
        reason: String,
        moment: Moment,
        effects: &mut Vec<Effect>,
    ) -> Result<(), IllegalTransition> {
        if self.running.contains(&front) {
            if self.handlers.stopping.is_none() {
                self.handlers.stopping = Some(Ending::Cancelled(reason));
                effects.push(Effect::Stop { step: front });
            }
            return Ok(());
        }
        self.admitting.remove(&front);
        self.waiting.remove(&front);
        if self.steps[front].attempt > 0 {
            return self.end_handler(front, StepStatus::Cancelled, Some(reason), moment, effects);
        }
        // It has not begun, and is not shown.
        self.leave(front);
        Ok(())
    }

    /// No handler runs: the execution was cancelled before it began.
    pub(super) fn drop_handlers(&mut self) {
        self.handlers.are_off = true;
    }

    /// Finds where the handlers of another process stood.
    pub(super) fn resume_handlers(
        &mut self,
        outcome: ExecutionStatus,
        cancelled: Option<String>,
        moment: Moment,
        effects: &mut Vec<Effect>,
    ) -> Result<(), IllegalTransition> {
        self.queue_handlers(outcome);
        let queue = std::mem::take(&mut self.handlers.queue);
        let status = |index: usize| self.steps[index].status;
        // A cancel left the rest of a list: of the one that it ended, and of one that ended by
        // itself meanwhile. They begin in order, so what begins after the rest shows the latter.
        let cancelled_kind = queue
            .iter()
            .find(|&&index| status(index) == StepStatus::Cancelled)
            .map(|&index| self.handler(index).on);
        let begun = queue.iter().rposition(|&index| self.steps[index].attempt > 0).unwrap_or(0);
        let was_left = |at: usize, index: usize| at < begun && self.steps[index].attempt == 0;
        let was_cancelled = cancelled_kind.is_some()
            || queue.iter().enumerate().any(|(at, &index)| was_left(at, index));
        let open = queue
            .iter()
            .enumerate()
            .filter(|&(at, &index)| {
                !status(index).is_terminal()
                    && !was_left(at, index)
                    && cancelled_kind != Some(self.handler(index).on)
            })
            .map(|(_, &index)| index)
            .collect();
        self.handlers.queue = open;
        if let Some(&front) = self.handlers.queue.front() {
            let state = &self.steps[front];
            self.handlers.is_busy = state.attempt > 0;
            if state.status == StepStatus::Pending && state.attempt > 0 {
                // It waited for its next attempt; the rest of the wait.
                let retry = self.spec.step(front).retry;
                let waited = self.attempt_ended_at[front];
                let waited = waited.map_or(Duration::MAX, |at| moment.now.since(at));
                let wait = backoff::wait(&retry, state.attempt, moment.jitter);
                self.waiting.insert(front);
                effects.push(Effect::Retry { step: front, wait: wait.saturating_sub(waited) });
            }
        }
        // A request that led to the outcome, or ended a handler, has been followed.
        match cancelled {
            Some(reason) if outcome != ExecutionStatus::Cancelled && !was_cancelled => {
                self.cancel_handlers(reason, moment, effects)
            }
            _ => Ok(()),
        }
    }
}

fn runs_after(kind: HandlerKind, outcome: ExecutionStatus) -> bool {
    match kind {
        HandlerKind::Success => outcome == ExecutionStatus::Success,
        HandlerKind::Failure => {
            matches!(outcome, ExecutionStatus::Failed | ExecutionStatus::Interrupted)
        }
        HandlerKind::Cancel => outcome == ExecutionStatus::Cancelled,
        HandlerKind::Exit => true,
    }
}

#[cfg(test)]
mod tests;
