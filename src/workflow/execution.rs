//! The state machine of one execution: state + event → state + effects.
//!
//! It decides and performs nothing: time and randomness come in with each event, [`Effect`]s go
//! out, and changes to store are collected until [`Execution::take_change`].
//! [`crate::engine::driver`] is the driver.
//!
//! Steps are known by their index in the definition's list; rows are keyed by position, the index
//! in `step_order`.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use self::handlers::Handlers;
use super::definition::Work;
use super::event::{AttemptEnd, Effect, Event, Moment, Outcome};
use super::record::{
    Attempt, Change, ExecutionState, ExecutionStatus, SkipReason, StepState, StepStatus,
};
use super::spec::ExecutionSpec;
use crate::base::backoff;
use crate::base::timestamp::Timestamp;

/// What `fail: true` reports; the predecessor's words.
pub(crate) const SIMULATED_FAILURE: &str = "Simulated step failure";

/// Why an attempt ended whose process died.
const LOST: &str = "wfx ended while it ran";

/// An event that cannot happen in this state: a fault of wfx, never of a document.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("step `{step}` cannot go from {from} to {to}")]
pub struct IllegalTransition {
    step: String,
    from: StepStatus,
    to: StepStatus,
}

/// Why running steps are being ended before their time.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Ending {
    Cancelled(String),
    /// Its process died, and nobody goes on with it.
    Interrupted(String),
    TimedOut,
}

/// One execution while it runs.
#[derive(Debug)]
pub struct Execution {
    spec: Arc<ExecutionSpec>,
    /// How many steps there are; handlers come after these.
    count: usize,
    parallelism: usize,
    head: ExecutionState,
    /// Of the steps and, after them, of the handlers.
    steps: Vec<StepState>,
    handlers: Handlers,
    /// Dependencies of each step that have not ended well; of a step with a condition, those that
    /// have not ended.
    unmet: Vec<usize>,
    /// Steps that could start, first in the list first.
    ready: BTreeSet<usize>,
    /// Steps that are ready and wait for [`Event::Admitted`]; they count towards the
    /// parallelism.
    admitting: BTreeSet<usize>,
    /// Steps that wait for their next attempt.
    waiting: BTreeSet<usize>,
    /// Steps that are to be skipped since their condition is false, or a step before them did not
    /// succeed that it does not test.
    refused: BTreeMap<usize, (SkipReason, String)>,
    /// Steps with a condition whose dependencies have ended, by a step further up that has not.
    held: BTreeMap<usize, Vec<usize>>,
    running: BTreeSet<usize>,
    /// Running steps whose attempt another process began and stored.
    resumed: BTreeSet<usize>,
    /// When the last stored attempt of each step ended, if another process stored it.
    attempt_ended_at: Vec<Option<Timestamp>>,
    /// When each step's first attempt started.
    begun: Vec<Option<Begun>>,
    ending: Option<Ending>,
    /// The early end prevented a step from ending. Otherwise the last steps had ended, and the
    /// execution did not know it yet.
    cut_short: bool,
    /// The first step that failed the execution.
    failed_by: Option<usize>,
    /// The first step that a crash left without attempts.
    interrupted_by: Option<usize>,
    stored_once: bool,
    changed: BTreeSet<usize>,
    /// Ended attempts that are to be stored.
    ended_attempts: Vec<Attempt>,
    /// The attempts that the last event ended.
    just_ended: Vec<Attempt>,
}

/// When a step's first attempt started.
#[derive(Debug, Clone, Copy)]
struct Begun {
    /// The time in this process, by the monotonic clock, at which it started or was taken over.
    monotonic: Duration,
    /// The time before it was taken over, by the wall clock.
    before: Duration,
}

impl Execution {
    /// An execution that has not begun. `parallelism` is how many steps may run at a time if the
    /// definition does not set it; `owner` is the process that runs it.
    #[must_use]
    pub fn new(spec: Arc<ExecutionSpec>, parallelism: usize, owner: Option<String>) -> Self {
        let count = spec.snapshot.definition().steps.len();
        let total = count + spec.snapshot.definition().handlers.len();
        let parallelism = spec.snapshot.definition().max_parallel.map_or(parallelism, usize::from);
        let head = ExecutionState {
            status: ExecutionStatus::Pending,
            started_at: None,
            completed_at: None,
            updated_at: spec.created_at,
            steps_completed: 0,
            steps_failed: 0,
            steps_skipped: 0,
            error: None,
            outcome: None,
            owner,
        };
        let mut execution = Self {
            count,
            parallelism: parallelism.max(1),
            head,
            steps: vec![StepState::default(); total],
            handlers: Handlers::default(),
            unmet: spec.graph().dependencies.iter().map(Vec::len).collect(),
            ready: BTreeSet::new(),
            admitting: BTreeSet::new(),
            waiting: BTreeSet::new(),
            refused: BTreeMap::new(),
            held: BTreeMap::new(),
            running: BTreeSet::new(),
            resumed: BTreeSet::new(),
            attempt_ended_at: vec![None; total],
            begun: vec![None; total],
            ending: None,
            cut_short: false,
            failed_by: None,
            interrupted_by: None,
            stored_once: false,
            changed: (0..count).collect(),
            ended_attempts: Vec::new(),
            just_ended: Vec::new(),
            spec,
        };
        execution.reuse();
        execution
    }

    /// What it runs.
    #[must_use]
    pub fn spec(&self) -> &Arc<ExecutionSpec> {
        &self.spec
    }

    /// The part of it that changes.
    #[must_use]
    pub fn head(&self) -> &ExecutionState {
        &self.head
    }

    /// Its steps, by index in the list.
    #[must_use]
    pub fn steps(&self) -> &[StepState] {
        &self.steps[..self.count]
    }

    /// Its handlers, in the order of the definition.
    #[must_use]
    pub fn handlers(&self) -> &[StepState] {
        &self.steps[self.count..]
    }

    /// The attempt of this step that the last event ended.
    #[must_use]
    pub fn just_ended(&self, step: usize) -> Option<&Attempt> {
        let position = self.spec.position(step);
        self.just_ended.iter().find(|attempt| attempt.position == position)
    }

    /// The changes since the last call.
    pub fn take_change(&mut self) -> Change {
        let created = (!std::mem::replace(&mut self.stored_once, true))
            .then(|| Arc::new(self.spec.created()));
        let mut changed = std::mem::take(&mut self.changed);
        let handlers = match changed.last() {
            Some(&last) if self.is_handler(last) => changed.split_off(&self.count),
            _ => BTreeSet::new(),
        };
        let steps: BTreeMap<u32, StepState> = changed
            .into_iter()
            .map(|index| (self.spec.position(index), self.steps[index].clone()))
            .collect();
        let handlers = handlers.into_iter().map(|index| self.handler_state(index));
        Change {
            head: self.head.clone(),
            created,
            steps,
            handlers: handlers.collect(),
            attempts: std::mem::take(&mut self.ended_attempts),
            events: None,
        }
    }

    /// Applies an event and returns the effects. An execution that has ended ignores events.
    ///
    /// # Errors
    /// [`IllegalTransition`] when the event does not fit the state.
    pub fn apply(
        &mut self,
        event: Event,
        moment: Moment,
    ) -> Result<Vec<Effect>, IllegalTransition> {
        if let Event::Admitted(step) = event {
            // It belongs to the previous attempt, and ends nothing.
            return self.admit(step, moment);
        }
        self.just_ended.clear();
        if self.head.status.is_terminal() {
            return Ok(Vec::new());
        }
        self.head.updated_at = moment.now;
        let mut effects = Vec::new();
        match event {
            Event::Admitted(_) => {}
            Event::Begin => self.begin(moment, &mut effects)?,
            Event::Resume { cancelled } => {
                self.take_over(cancelled.map(Ending::Cancelled), moment, &mut effects)?;
            }
            Event::Settle(reason) => {
                self.take_over(Some(Ending::Interrupted(reason)), moment, &mut effects)?;
            }
            Event::AttemptEnded(step, end) => {
                self.attempt_ended(step, end, moment, &mut effects)?;
            }
            Event::Postponed(step) => self.postpone(step, moment, &mut effects)?,
            Event::RetryDue(step) => {
                if self.waiting.remove(&step) {
                    self.try_again(step);
                }
            }
            Event::Cancel(reason) if self.head.outcome.is_some() => {
                self.cancel_handlers(reason, moment, &mut effects)?;
            }
            Event::Cancel(reason) => {
                self.end_early(Ending::Cancelled(reason), moment, &mut effects)?;
            }
            Event::Kill => self.kill_handlers(moment, &mut effects)?,
            // It is for the steps; handlers have timeouts of their own.
            Event::TimeUp if self.head.outcome.is_some() => {}
            Event::TimeUp => self.end_early(Ending::TimedOut, moment, &mut effects)?,
            Event::Withdrawn(step) => {
                self.withdraw(step)?;
                return Ok(effects);
            }
        }
        self.schedule(moment, &mut effects)?;
        self.end_if_done(moment, &mut effects)?;
        Ok(effects)
    }

    fn begin(
        &mut self,
        moment: Moment,
        effects: &mut Vec<Effect>,
    ) -> Result<(), IllegalTransition> {
        self.head.status = ExecutionStatus::Running;
        self.head.started_at = Some(moment.now);
        if !self.spec.reused.is_empty() {
            self.skip_after_reused(moment, effects)?;
        }
        for step in 0..self.count {
            if self.unmet[step] == 0 && self.steps[step].status == StepStatus::Pending {
                self.enable(step);
            }
        }
        Ok(())
    }

    fn schedule(
        &mut self,
        moment: Moment,
        effects: &mut Vec<Effect>,
    ) -> Result<(), IllegalTransition> {
        loop {
            self.skip_refused(moment, effects)?;
            let is_full = self.running.len() + self.admitting.len() >= self.parallelism;
            if self.ending.is_some() || is_full {
                break;
            }
            let Some(step) = self.ready.pop_first() else { break };
            let spec = Arc::clone(&self.spec);
            let definition = spec.step(step);
            if definition.work.has_process() && !definition.fail {
                self.admitting.insert(step);
                effects.push(Effect::Admit { step });
                continue;
            }
            let attempt = self.start(step, moment)?;
            if definition.fail {
                let end =
                    AttemptEnd::instant(Outcome::Failed(SIMULATED_FAILURE.to_owned()), moment.now);
                self.attempt_ended(step, end, moment, effects)?;
            } else if definition.work == Work::Nothing {
                let end = AttemptEnd::instant(Outcome::Success, moment.now);
                self.attempt_ended(step, end, moment, effects)?;
            } else {
                effects.push(Effect::Start { step, attempt, elapsed: Duration::ZERO });
            }
        }
        Ok(())
    }

    /// Starts a step that waited for that, unless its execution is being ended.
    fn admit(&mut self, step: usize, moment: Moment) -> Result<Vec<Effect>, IllegalTransition> {
        if !self.admitting.remove(&step) {
            return Ok(Vec::new());
        }
        self.head.updated_at = moment.now;
        let attempt = self.start(step, moment)?;
        Ok(vec![Effect::Start { step, attempt, elapsed: Duration::ZERO }])
    }

    /// Takes back the start of an attempt that could not begin.
    fn postpone(
        &mut self,
        step: usize,
        moment: Moment,
        effects: &mut Vec<Effect>,
    ) -> Result<(), IllegalTransition> {
        if self.ending_of(step).is_some() {
            let end = AttemptEnd::instant(Outcome::Stopped, moment.now);
            return self.attempt_ended(step, end, moment, effects);
        }
        self.withdraw(step)?;
        self.admitting.insert(step);
        effects.push(Effect::Admit { step });
        Ok(())
    }

    /// Whether nothing of it works: all that runs of it sleeps, or it waits for a retry.
    #[must_use]
    pub fn is_resting(&self) -> bool {
        let sleeps = |step: &usize| matches!(self.spec.step(*step).work, Work::Sleep(_));
        !self.head.status.is_terminal()
            && self.admitting.is_empty()
            && self.running.iter().all(sleeps)
    }

    fn start(&mut self, step: usize, moment: Moment) -> Result<u32, IllegalTransition> {
        self.go(step, StepStatus::Running)?;
        self.running.insert(step);
        self.begun[step]
            .get_or_insert(Begun { monotonic: moment.monotonic, before: Duration::ZERO });
        let state = &mut self.steps[step];
        state.started_at.get_or_insert(moment.now);
        state.attempt += 1;
        self.resumed.remove(&step);
        Ok(state.attempt)
    }

    fn withdraw(&mut self, step: usize) -> Result<(), IllegalTransition> {
        if self.resumed.contains(&step) || !self.running.remove(&step) {
            return Ok(());
        }
        self.go(step, StepStatus::Pending)?;
        let state = &mut self.steps[step];
        state.attempt -= 1;
        if state.attempt == 0 {
            state.started_at = None;
            self.begun[step] = None;
        }
        Ok(())
    }

    fn attempt_ended(
        &mut self,
        step: usize,
        end: AttemptEnd,
        moment: Moment,
        effects: &mut Vec<Effect>,
    ) -> Result<(), IllegalTransition> {
        let lost = end.outcome == Outcome::Lost;
        let may_repeat = !matches!(end.outcome, Outcome::Unended(_));
        let (status, error) = self.judge(&end.outcome, self.ending_of(step));
        let outputs = end.outputs.clone();
        let retry = self.spec.step(step).retry;
        let attempt = self.steps[step].attempt;
        let again = matches!(status, StepStatus::Failed | StepStatus::Interrupted)
            && self.ending_of(step).is_none()
            && may_repeat
            && (lost || self.spec.step(step).retry_on.covers(end.cause, end.exit_code))
            && attempt < retry.max_attempts;
        self.cut_short |= !self.is_handler(step)
            && self.ending.is_some()
            && !matches!(status, StepStatus::Success | StepStatus::Skipped);
        self.running.remove(&step);
        self.steps[step].exit_code = end.exit_code;
        self.keep_attempt(step, status, error.clone(), end, again, moment);
        if again {
            self.go(step, StepStatus::Pending)?;
            self.steps[step].error = error;
            if lost {
                // It would not necessarily fail again at once.
                self.try_again(step);
                return Ok(());
            }
            self.waiting.insert(step);
            effects
                .push(Effect::Retry { step, wait: backoff::wait(&retry, attempt, moment.jitter) });
            return Ok(());
        }
        self.steps[step].outputs = outputs;
        if self.is_handler(step) {
            return self.end_handler(step, status, error, moment, effects);
        }
        if status == StepStatus::Skipped {
            return self.skip(step, SkipReason::ExitCode, error, moment, effects);
        }
        self.end_step(step, status, error, moment, effects)
    }

    fn judge(&self, outcome: &Outcome, ending: Option<&Ending>) -> (StepStatus, Option<String>) {
        match (outcome, ending) {
            (Outcome::Success, _) => (StepStatus::Success, None),
            (Outcome::Skipped(error), _) => {
                (StepStatus::Skipped, Some(format!("{error} is one of its `skip_exit_codes`")))
            }
            (Outcome::Failed(error) | Outcome::Unended(error), _) => {
                (StepStatus::Failed, Some(error.clone()))
            }
            (Outcome::Stopped, Some(Ending::Cancelled(reason))) => {
                (StepStatus::Cancelled, Some(reason.clone()))
            }
            (Outcome::Lost, Some(Ending::Cancelled(reason))) => {
                (StepStatus::Cancelled, Some(reason.clone()))
            }
            (Outcome::Lost, _) => (StepStatus::Interrupted, Some(LOST.to_owned())),
            (Outcome::Stopped, Some(Ending::Interrupted(reason))) => {
                (StepStatus::Interrupted, Some(reason.clone()))
            }
            (Outcome::Stopped, _) => (StepStatus::Failed, Some(self.timeout_text())),
        }
    }

    /// The next attempt may begin.
    fn try_again(&mut self, step: usize) {
        if self.is_handler(step) {
            self.handler_is_due();
        } else {
            self.ready.insert(step);
        }
    }

    fn keep_attempt(
        &mut self,
        step: usize,
        status: StepStatus,
        error: Option<String>,
        end: AttemptEnd,
        again: bool,
        moment: Moment,
    ) {
        let attempt = Attempt {
            position: self.spec.position(step),
            attempt: self.steps[step].attempt,
            status,
            started_at: end.started_at,
            completed_at: moment.now,
            duration_ms: millis(end.duration),
            exit_code: end.exit_code,
            error,
            stdout: end.stdout,
            stderr: end.stderr,
        };
        let wrote = attempt.stdout.total_bytes + attempt.stderr.total_bytes > 0;
        if again || attempt.attempt > 1 || wrote {
            self.ended_attempts.push(attempt.clone());
        }
        self.just_ended.push(attempt);
    }

    fn end_step(
        &mut self,
        step: usize,
        status: StepStatus,
        error: Option<String>,
        moment: Moment,
        effects: &mut Vec<Effect>,
    ) -> Result<(), IllegalTransition> {
        self.go(step, status)?;
        let begun = self.begun[step];
        let state = &mut self.steps[step];
        state.completed_at = Some(moment.now);
        state.duration_ms = begun
            .map(|begun| millis(begun.before + moment.monotonic.saturating_sub(begun.monotonic)));
        state.error = error;
        self.head.count(status);
        effects.push(Effect::StepEnded { step });
        self.release_held(step);
        let tolerated = self.spec.step(step).continue_on_error;
        match status {
            StepStatus::Success => self.release_dependents(step),
            StepStatus::Failed if tolerated => self.release_dependents(step),
            StepStatus::Failed => {
                self.failed_by.get_or_insert(step);
                self.skip_dependents(step, moment, effects)?;
            }
            StepStatus::Interrupted => {
                self.interrupted_by.get_or_insert(step);
                self.skip_dependents(step, moment, effects)?;
            }
            _ => {}
        }
        Ok(())
    }

    fn release_dependents(&mut self, step: usize) {
        let spec = Arc::clone(&self.spec);
        for &dependent in &spec.graph().dependents[step] {
            self.unmet[dependent] -= 1;
            if self.unmet[dependent] == 0 && self.steps[dependent].status == StepStatus::Pending {
                self.enable(dependent);
            }
        }
    }

    fn skip_dependents(
        &mut self,
        failed: usize,
        moment: Moment,
        effects: &mut Vec<Effect>,
    ) -> Result<(), IllegalTransition> {
        let spec = Arc::clone(&self.spec);
        // In list order, so that the same failure always gives the same message.
        let mut doomed: BTreeSet<(usize, usize)> =
            spec.graph().dependents[failed].iter().map(|&step| (step, failed)).collect();
        while let Some((step, because)) = doomed.pop_first() {
            if self.steps[step].status != StepStatus::Pending {
                continue;
            }
            if self.condition(step).is_some() {
                // It decides once all that it depends on has ended.
                self.unmet[step] -= 1;
                if self.unmet[step] == 0 {
                    self.enable(step);
                }
                continue;
            }
            let error = self.dependency_text(because);
            self.steps[step].skip_reason = Some(SkipReason::Dependency);
            self.end_step(step, StepStatus::Skipped, Some(error), moment, effects)?;
            doomed.extend(spec.graph().dependents[step].iter().map(|&next| (next, step)));
        }
        Ok(())
    }

    fn go(&mut self, step: usize, to: StepStatus) -> Result<(), IllegalTransition> {
        let from = self.steps[step].status;
        if !may_become(from, to) {
            return Err(IllegalTransition { step: self.spec.step(step).name.clone(), from, to });
        }
        self.steps[step].status = to;
        self.changed.insert(step);
        Ok(())
    }
}

/// The legal transitions of a step.
fn may_become(from: StepStatus, to: StepStatus) -> bool {
    use StepStatus::{Cancelled, Failed, Interrupted, Pending, Running, Skipped, Success};
    match from {
        Pending => matches!(to, Running | Skipped | Cancelled | Failed),
        Running => matches!(to, Pending | Success | Failed | Skipped | Cancelled | Interrupted),
        Success | Failed | Skipped | Cancelled | Interrupted => false,
    }
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

mod conditions;
mod ending;
mod handlers;
mod resume;
mod reuse;
pub(crate) use resume::{Recorded, RecordedHandler, RecordedStep};

#[cfg(test)]
mod tests;
