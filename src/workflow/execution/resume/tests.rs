//! Crashes by hand: what was stored is all that is known afterwards.

use proptest::prelude::*;

use super::super::tests::{
    apply, at, counted, counts, ended, execution, failed, graphs, starts, statuses, step,
};
use super::*;
use crate::base::period::Period;
use crate::workflow::compiled::CompiledWorkflow;
use crate::workflow::event::Event;
use crate::workflow::record::Change;

/// What a database holds.
#[derive(Default)]
pub(in crate::workflow::execution) struct Stored {
    merged: Option<Change>,
}

impl Stored {
    pub(in crate::workflow::execution) fn commit(&mut self, execution: &mut Execution) {
        let change = execution.take_change();
        match &mut self.merged {
            Some(merged) => merged.merge(change),
            None => self.merged = Some(change),
        }
    }

    /// What is read back of an execution.
    pub(in crate::workflow::execution) fn recorded_of(execution: &mut Execution) -> Recorded {
        let mut stored = Self::default();
        stored.commit(execution);
        stored.recorded()
    }

    /// The process dies, another takes over.
    pub(in crate::workflow::execution) fn resume(
        &self,
        died: &Execution,
        parallelism: usize,
    ) -> Execution {
        let (spec, owner) = (Arc::clone(died.spec()), "other".to_owned());
        Execution::resumed(spec, parallelism, owner, self.recorded())
    }

    fn recorded(&self) -> Recorded {
        let merged = self.merged.as_ref().unwrap();
        let attempt_ended_at = |position: u32| {
            let attempts = merged.attempts.iter().filter(|attempt| attempt.position == position);
            attempts.map(|attempt| attempt.completed_at).max()
        };
        let steps = merged.steps.iter().map(|(&position, state)| RecordedStep {
            state: state.clone(),
            attempt_ended_at: attempt_ended_at(position),
        });
        let began = merged.handlers.iter().filter(|(_, handler)| handler.state.attempt > 0);
        let handlers = began.map(|(&position, handler)| RecordedHandler {
            position,
            handler: handler.clone(),
            attempt_ended_at: attempt_ended_at(position),
        });
        let handlers = handlers.collect();
        Recorded { head: merged.head.clone(), steps: steps.collect(), handlers }
    }
}

fn crashed(mut execution: Execution, events: Vec<(u64, Event)>) -> Execution {
    for (second, event) in events {
        apply(&mut execution, event, at(second)).unwrap();
    }
    let mut stored = Stored::default();
    stored.commit(&mut execution);
    stored.resume(&execution, 4)
}

const RESUME: Event = Event::Resume { cancelled: None };

#[test]
fn a_step_without_attempts_left_is_interrupted_and_the_others_go_on() {
    let steps = vec![step("a", &[]), step("b", &["a"]), step("c", &[]), step("d", &["c"])];
    let mut e = crashed(execution(steps, 1), vec![(0, Event::Begin)]);
    let effects = apply(&mut e, RESUME, at(2)).unwrap();
    assert_eq!(starts(&effects), [2]);
    assert_eq!(e.steps()[0].error.as_deref(), Some(super::super::LOST));
    assert_eq!(e.steps()[0].duration_ms, Some(2_000));
    apply(&mut e, ended(2, failed()), at(3)).unwrap();
    use StepStatus::{Failed, Interrupted, Skipped};
    assert_eq!(statuses(&e), [Interrupted, Skipped, Failed, Skipped]);
    assert_eq!(e.steps()[1].error.as_deref(), Some("`a`, which it depends on, was interrupted"));
    assert_eq!(e.head().status, ExecutionStatus::Interrupted);
    let error = e.head().error.as_deref();
    assert_eq!(error, Some("step `a` was interrupted: wfx ended while it ran"));
}

#[test]
fn tolerance_of_errors_does_not_cover_a_crash() {
    let mut a = step("a", &[]);
    a.continue_on_error = true;
    let mut e = crashed(execution(vec![a, step("b", &["a"])], 1), vec![(0, Event::Begin)]);
    apply(&mut e, RESUME, at(1)).unwrap();
    assert_eq!(statuses(&e), [StepStatus::Interrupted, StepStatus::Skipped]);
    assert_eq!(e.head().status, ExecutionStatus::Interrupted);
}

#[test]
fn a_crash_is_a_failed_attempt_and_the_next_comes_at_once() {
    let mut a = step("a", &[]);
    a.retry.max_attempts = 2;
    let mut e = crashed(execution(vec![a], 1), vec![(0, Event::Begin)]);
    let effects = apply(&mut e, RESUME, at(3)).unwrap();
    assert_eq!(effects, [Effect::Start { step: 0, attempt: 2, elapsed: Duration::ZERO }]);
    let attempts = e.take_change().attempts;
    assert_eq!((attempts.len(), attempts[0].status), (1, StepStatus::Interrupted));
    apply(&mut e, ended(0, Outcome::Success), at(4)).unwrap();
    assert_eq!(e.head().status, ExecutionStatus::Success);
    assert_eq!(e.steps()[0].duration_ms, Some(4_000));
}

#[test]
fn a_resumed_sleep_ends_at_its_original_time() {
    let mut nap = step("nap", &[]);
    nap.work = Work::Sleep(Period::new(Duration::from_secs(60)));
    let mut e = crashed(execution(vec![nap], 1), vec![(0, Event::Begin)]);
    let effects = apply(&mut e, RESUME, at(4)).unwrap();
    let elapsed = Duration::from_secs(4);
    assert_eq!(effects, [Effect::Start { step: 0, attempt: 1, elapsed }]);
}

#[test]
fn a_sleep_that_is_interrupted_twice_ends_at_its_original_time() {
    let mut nap = step("nap", &[]);
    nap.work = Work::Sleep(Period::new(Duration::from_secs(60)));
    let mut e = crashed(execution(vec![nap], 1), vec![(0, Event::Begin)]);
    apply(&mut e, RESUME, at(4)).unwrap();
    apply(&mut e, Event::Withdrawn(0), at(5)).unwrap();
    let nap = &e.steps()[0];
    assert_eq!((nap.status, nap.attempt), (StepStatus::Running, 1));
    assert_eq!(nap.started_at, Some(at(0).now));
}

#[test]
fn what_is_left_of_a_wait_is_waited() {
    let mut a = step("a", &[]);
    a.retry.max_attempts = 2;
    a.retry.backoff = Period::new(Duration::from_secs(4));
    a.retry.max_backoff = Period::new(Duration::from_secs(4));
    let events = vec![(0, Event::Begin), (1, ended(0, failed()))];
    let mut e = crashed(execution(vec![a], 1), events);
    let effects = apply(&mut e, RESUME, at(2)).unwrap();
    assert_eq!(effects, [Effect::Retry { step: 0, wait: Duration::from_secs(3) }]);
    assert_eq!(starts(&apply(&mut e, Event::RetryDue(0), at(5)).unwrap()), [0]);
}

#[test]
fn a_cancel_that_came_meanwhile_ends_it_all() {
    let steps = vec![step("a", &[]), step("b", &["a"]), step("c", &[])];
    let events = vec![(0, Event::Begin), (1, ended(2, Outcome::Success))];
    let mut e = crashed(execution(steps, 2), events);
    let effects =
        apply(&mut e, Event::Resume { cancelled: Some("enough".to_owned()) }, at(2)).unwrap();
    assert_eq!(starts(&effects), [] as [usize; 0]);
    use StepStatus::{Cancelled, Success};
    assert_eq!(statuses(&e), [Cancelled, Cancelled, Success]);
    assert_eq!(e.head().status, ExecutionStatus::Cancelled);
    assert_eq!(e.head().error.as_deref(), Some("enough"));
}

#[test]
fn time_passes_while_no_process_runs_it() {
    let steps = vec![step("a", &[]), step("b", &[])];
    let mut e = crashed(execution(steps, 1), vec![(0, Event::Begin)]);
    let effects = apply(&mut e, RESUME, at(6)).unwrap();
    assert_eq!(starts(&effects), [] as [usize; 0]);
    assert_eq!(statuses(&e), [StepStatus::Interrupted, StepStatus::Skipped]);
    assert_eq!(e.head().status, ExecutionStatus::Interrupted);
}

#[test]
fn a_start_that_was_withdrawn_never_was() {
    let mut e = execution(vec![step("a", &[]), step("b", &["a"])], 1);
    apply(&mut e, Event::Begin, at(0)).unwrap();
    assert_eq!(apply(&mut e, Event::Withdrawn(0), at(1)).unwrap(), []);
    let mut stored = Stored::default();
    stored.commit(&mut e);
    let mut e = stored.resume(&e, 1);
    assert_eq!((e.steps()[0].attempt, e.steps()[0].started_at), (0, None));
    assert_eq!(starts(&apply(&mut e, RESUME, at(2)).unwrap()), [0]);
}

proptest! {
    /// Whatever the graph and wherever it crashes, again and again: it ends, no step
    /// starts more often than it may, none of those that ended starts again, and the
    /// end is that of the worst step.
    #[test]
    fn every_execution_ends_after_any_crashes(
        steps in graphs(),
        parallelism in 1..5_usize,
        dice in proptest::collection::vec(any::<u8>(), 400),
    ) {
        // So that time is not up while it is dead.
        let mut snapshot = execution(steps, parallelism).spec().snapshot.clone();
        let mut definition = snapshot.definition().clone();
        definition.timeout = None;
        snapshot.compiled = Arc::new(CompiledWorkflow::of(definition).unwrap());
        let spec = ExecutionSpec::new("id".to_owned(), snapshot, None, at(0).now);
        let mut e = Execution::new(Arc::new(spec), parallelism, Some("me".to_owned()));
        let mut dice = dice.into_iter().cycle();
        let mut stored = Stored::default();
        let mut started = vec![0_u32; e.steps().len()];
        let mut todo = vec![Event::Begin];
        let mut seconds = 0;
        let mut crashes = 0;
        while !todo.is_empty() {
            let pick = usize::from(dice.next().unwrap()) % todo.len();
            let event = todo.swap_remove(pick);
            seconds += 1;
            let before = statuses(&e);
            let effects = e.apply(event, at(seconds)).unwrap();
            for (before, after) in before.iter().zip(statuses(&e)) {
                prop_assert!(!before.is_terminal() || *before == after);
            }
            prop_assert_eq!(counts(&e), counted(&e));
            stored.commit(&mut e);
            for effect in effects {
                match effect {
                    Effect::Admit { step } => todo.push(Event::Admitted(step)),
                    Effect::Start { step, .. } => {
                        started[step] += 1;
                        let outcome = match dice.next().unwrap() {
                            0..130 => Outcome::Success,
                            130..160 => Outcome::Skipped("exit status 99".to_owned()),
                            _ => failed(),
                        };
                        todo.push(ended(step, outcome));
                    }
                    Effect::Retry { step, .. } => todo.push(Event::RetryDue(step)),
                    Effect::Stop { .. } | Effect::StepEnded { .. } | Effect::Ended => {}
                }
            }
            if dice.next().unwrap() < 60 && crashes < 8 && !e.head().status.is_terminal() {
                crashes += 1;
                e = stored.resume(&e, parallelism);
                todo = vec![RESUME];
            }
        }
        prop_assert!(e.head().status.is_terminal());
        prop_assert_eq!(e.head().steps_completed as usize, e.steps().len());
        for (step, state) in e.steps().iter().enumerate() {
            prop_assert!(state.status.is_terminal());
            prop_assert!(started[step] <= e.spec().step(step).retry.max_attempts);
        }
        let interrupted = statuses(&e).contains(&StepStatus::Interrupted);
        prop_assert_eq!(e.head().status == ExecutionStatus::Interrupted, interrupted);
    }
}
