//! The state machine driven by hand: no process, no database, no clock.

use std::collections::VecDeque;

use proptest::prelude::*;

use super::*;
use crate::base::backoff::Retry;
use crate::base::period::Period;
use crate::base::timestamp::Timestamp;
use crate::workflow::compiled::{CompiledWorkflow, Snapshot};
use crate::workflow::condition::Condition;
use crate::workflow::definition::{Definition, Flow, Handler, Parameters, Step};
use crate::workflow::exit_codes::ExitCodes;

pub(super) fn step(name: &str, depends_on: &[&str]) -> Step {
    Step {
        name: name.to_owned(),
        depends_on: depends_on.iter().map(|&d| d.to_owned()).collect(),
        work: Work::Shell("true".to_owned()),
        fail: false,
        env: Default::default(),
        cwd: None,
        timeout: None,
        retry: Retry::default(),
        retry_on: Default::default(),
        process: Default::default(),
        title: None,
        description: None,
        continue_on_error: false,
        flow: Default::default(),
        agent_id: None,
        extra: Default::default(),
    }
}

pub(super) fn execution(steps: Vec<Step>, parallelism: usize) -> Execution {
    with_handlers(steps, Vec::new(), parallelism)
}

pub(super) fn with_handlers(
    steps: Vec<Step>,
    handlers: Vec<Handler>,
    parallelism: usize,
) -> Execution {
    let definition = Definition {
        concurrency: None,
        id: "w".to_owned(),
        name: None,
        description: None,
        params: Default::default(),
        env: Default::default(),
        shell: None,
        max_parallel: None,
        timeout: Some(Period::new(Duration::from_secs(5))),
        retention: None,
        output_limit: None,
        notify: None,
        scheduling: None,
        steps,
        handlers,
        extra: Default::default(),
        from_folder: None,
    };
    let workdir = "/".to_owned();
    let compiled = Arc::new(CompiledWorkflow::of(definition).unwrap());
    let snapshot = Snapshot { compiled, params: Parameters::new(), workdir, source: None };
    let spec = ExecutionSpec::new("id".to_owned(), snapshot, None, Timestamp::from_micros(0));
    Execution::new(Arc::new(spec), parallelism, Some("me".to_owned()))
}

pub(super) fn at(seconds: u64) -> Moment {
    Moment {
        now: Timestamp::from_micros(0).plus(Duration::from_secs(seconds)),
        monotonic: Duration::from_secs(seconds),
        jitter: 1.0,
    }
}

/// Takes an event where as many processes may run as want to.
pub(super) fn apply(
    e: &mut Execution,
    event: Event,
    moment: Moment,
) -> Result<Vec<Effect>, IllegalTransition> {
    let mut all = Vec::new();
    for effect in e.apply(event, moment)? {
        match effect {
            Effect::Admit { step } => all.extend(e.apply(Event::Admitted(step), moment)?),
            effect => all.push(effect),
        }
    }
    Ok(all)
}

pub(super) fn ended(step: usize, outcome: Outcome) -> Event {
    Event::AttemptEnded(step, AttemptEnd::instant(outcome, at(0).now))
}

pub(super) fn failed() -> Outcome {
    Outcome::Failed("exit status 1".to_owned())
}

pub(super) fn starts(effects: &[Effect]) -> Vec<usize> {
    effects
        .iter()
        .filter_map(|effect| match effect {
            Effect::Start { step, .. } => Some(*step),
            _ => None,
        })
        .collect()
}

pub(super) fn statuses(execution: &Execution) -> Vec<StepStatus> {
    execution.steps().iter().map(|s| s.status).collect()
}

#[test]
fn ready_steps_start_in_list_order_up_to_the_parallelism() {
    let mut e =
        execution(vec![step("c", &["a"]), step("a", &[]), step("b", &[]), step("d", &[])], 2);
    assert_eq!(starts(&apply(&mut e, Event::Begin, at(0)).unwrap()), [1, 2]);
    assert_eq!(starts(&apply(&mut e, ended(1, Outcome::Success), at(1)).unwrap()), [0]);
    assert_eq!(starts(&apply(&mut e, ended(2, Outcome::Success), at(2)).unwrap()), [3]);
    apply(&mut e, ended(0, Outcome::Success), at(3)).unwrap();
    let effects = apply(&mut e, ended(3, Outcome::Success), at(4)).unwrap();
    assert_eq!(effects.last(), Some(&Effect::Ended));
    assert_eq!(e.head().status, ExecutionStatus::Success);
    assert_eq!(e.steps()[0].duration_ms, Some(2_000));
}

#[test]
fn a_failure_skips_what_depends_on_it_and_nothing_else() {
    let steps = vec![step("a", &[]), step("b", &["a"]), step("c", &["b"]), step("d", &[])];
    let mut e = execution(steps, 1);
    apply(&mut e, Event::Begin, at(0)).unwrap();
    assert_eq!(starts(&apply(&mut e, ended(0, failed()), at(1)).unwrap()), [3]);
    apply(&mut e, ended(3, Outcome::Success), at(2)).unwrap();
    use StepStatus::{Failed, Skipped, Success};
    assert_eq!(statuses(&e), [Failed, Skipped, Skipped, Success]);
    assert_eq!(e.head().status, ExecutionStatus::Failed);
    assert_eq!(e.head().error.as_deref(), Some("step `a` failed: exit status 1"));
}

#[test]
fn a_tolerated_failure_lets_its_dependents_run() {
    let mut a = step("a", &[]);
    a.continue_on_error = true;
    let mut e = execution(vec![a, step("b", &["a"])], 1);
    apply(&mut e, Event::Begin, at(0)).unwrap();
    assert_eq!(starts(&apply(&mut e, ended(0, failed()), at(1)).unwrap()), [1]);
    apply(&mut e, ended(1, Outcome::Success), at(2)).unwrap();
    assert_eq!(e.head().status, ExecutionStatus::Success);
}

#[test]
fn a_waiting_retry_holds_no_permit() {
    let mut a = step("a", &[]);
    a.retry = Retry { max_attempts: 2, ..Retry::default() };
    let mut e = execution(vec![a, step("b", &[])], 1);
    apply(&mut e, Event::Begin, at(0)).unwrap();
    let effects = apply(&mut e, ended(0, failed()), at(1)).unwrap();
    assert!(effects.contains(&Effect::Retry { step: 0, wait: Duration::from_secs(1) }));
    assert_eq!(starts(&effects), [1]);
    assert_eq!(e.take_change().attempts.len(), 1);
    apply(&mut e, Event::RetryDue(0), at(2)).unwrap();
    let effects = apply(&mut e, ended(1, Outcome::Success), at(3)).unwrap();
    assert_eq!(
        effects.last(),
        Some(&Effect::Start { step: 0, attempt: 2, elapsed: Duration::ZERO })
    );
    apply(&mut e, ended(0, failed()), at(4)).unwrap();
    assert_eq!(e.head().status, ExecutionStatus::Failed);
    assert_eq!(e.steps()[0].attempt, 2);
    assert_eq!(e.take_change().attempts.len(), 1);
}

#[test]
fn a_cancel_ends_what_waits_at_once_and_what_runs_when_it_stopped() {
    let mut e = execution(vec![step("a", &[]), step("b", &["a"])], 1);
    apply(&mut e, Event::Begin, at(0)).unwrap();
    let effects = apply(&mut e, Event::Cancel("SIGINT".to_owned()), at(1)).unwrap();
    assert!(effects.contains(&Effect::Stop { step: 0 }));
    assert!(!e.head().status.is_terminal());
    apply(&mut e, ended(0, Outcome::Stopped), at(2)).unwrap();
    assert_eq!(statuses(&e), [StepStatus::Cancelled, StepStatus::Cancelled]);
    assert_eq!(e.head().status, ExecutionStatus::Cancelled);
    assert!(apply(&mut e, ended(0, Outcome::Success), at(3)).unwrap().is_empty());
}

#[test]
fn when_time_is_up_running_steps_fail_and_the_rest_is_skipped() {
    let mut e = execution(vec![step("a", &[]), step("b", &["a"])], 1);
    apply(&mut e, Event::Begin, at(0)).unwrap();
    apply(&mut e, Event::TimeUp, at(5)).unwrap();
    apply(&mut e, ended(0, Outcome::Stopped), at(6)).unwrap();
    assert_eq!(statuses(&e), [StepStatus::Failed, StepStatus::Skipped]);
    assert_eq!(e.head().status, ExecutionStatus::Failed);
    assert_eq!(e.head().error.as_deref(), Some("the workflow timed out after 5s"));
}

#[test]
fn empty_steps_and_drills_end_at_once() {
    let (mut a, mut b) = (step("a", &[]), step("b", &["a"]));
    a.work = Work::Nothing;
    b.fail = true;
    let mut e = execution(vec![a, b], 1);
    let effects = apply(&mut e, Event::Begin, at(0)).unwrap();
    assert_eq!(effects.last(), Some(&Effect::Ended));
    assert_eq!(statuses(&e), [StepStatus::Success, StepStatus::Failed]);
    assert_eq!(e.steps()[1].error.as_deref(), Some(SIMULATED_FAILURE));
    let change = e.take_change();
    assert!(change.created.is_some());
    assert_eq!(change.steps.len(), 2);
    assert!(change.attempts.is_empty());
}

#[test]
fn an_end_that_was_not_started_is_a_fault() {
    let mut e = execution(vec![step("a", &[]), step("b", &["a"])], 1);
    apply(&mut e, Event::Begin, at(0)).unwrap();
    let fault = apply(&mut e, ended(1, Outcome::Success), at(1)).unwrap_err();
    assert_eq!(fault.to_string(), "step `b` cannot go from pending to success");
}

#[test]
fn what_waits_to_be_admitted_has_not_begun() {
    let mut e = execution(vec![step("a", &[]), step("b", &["a"]), step("c", &[])], 1);
    assert_eq!(e.apply(Event::Begin, at(0)).unwrap(), [Effect::Admit { step: 0 }]);
    assert_eq!((e.steps()[0].status, e.steps()[0].attempt), (StepStatus::Pending, 0));
    let start = Effect::Start { step: 0, attempt: 1, elapsed: Duration::ZERO };
    assert_eq!(e.apply(Event::Admitted(0), at(3)).unwrap(), [start]);
    assert_eq!(e.steps()[0].started_at, Some(at(3).now));
    // It could not begin: that was no attempt, and it is still the next.
    assert_eq!(e.apply(Event::Postponed(0), at(4)).unwrap(), [Effect::Admit { step: 0 }]);
    let a = &e.steps()[0];
    assert_eq!((a.status, a.attempt, a.started_at), (StepStatus::Pending, 0, None));
    assert_eq!(e.apply(Event::Admitted(0), at(5)).unwrap(), [start]);
    e.apply(ended(0, Outcome::Success), at(7)).unwrap();
    assert_eq!(e.steps()[0].duration_ms, Some(2_000));
}

#[test]
fn what_waits_to_be_admitted_is_cancelled_at_once() {
    let mut e = execution(vec![step("a", &[])], 1);
    e.apply(Event::Begin, at(0)).unwrap();
    let effects = e.apply(Event::Cancel("enough".to_owned()), at(1)).unwrap();
    assert_eq!(effects.last(), Some(&Effect::Ended));
    assert_eq!(e.head().status, ExecutionStatus::Cancelled);
    assert_eq!(e.apply(Event::Admitted(0), at(2)).unwrap(), []);
    // One that could not begin while it was cancelled ends as it would have.
    let mut e = execution(vec![step("a", &[])], 1);
    apply(&mut e, Event::Begin, at(0)).unwrap();
    e.apply(Event::Cancel("enough".to_owned()), at(1)).unwrap();
    e.apply(Event::Postponed(0), at(2)).unwrap();
    assert_eq!(e.head().status, ExecutionStatus::Cancelled);
}

#[test]
fn it_rests_while_all_of_it_sleeps_or_waits_for_a_retry() {
    let (mut a, mut nap) = (step("a", &[]), step("nap", &[]));
    a.retry.max_attempts = 2;
    nap.work = Work::Sleep(Period::new(Duration::from_secs(60)));
    let mut e = execution(vec![a, nap], 2);
    e.apply(Event::Begin, at(0)).unwrap();
    assert!(!e.is_resting());
    e.apply(Event::Admitted(0), at(0)).unwrap();
    assert!(!e.is_resting());
    e.apply(ended(0, failed()), at(1)).unwrap();
    assert!(e.is_resting());
    e.apply(Event::RetryDue(0), at(2)).unwrap();
    assert!(!e.is_resting());
}

/// A condition over the dependencies for one step of four, and what a skip means.
fn flow(bits: u64, depends_on: &[String]) -> Flow {
    let statuses: Vec<StepStatus> = StepStatus::ALL
        .into_iter()
        .filter(|status| status.is_terminal() && bits >> (30 + *status as u64) & 1 == 1)
        .collect();
    let mut tests = depends_on
        .iter()
        .filter(|_| !statuses.is_empty())
        .map(|step| Condition::Status { step: step.clone().into(), statuses: statuses.clone() });
    let condition = match bits >> 40 & 7 {
        0 => tests.next(),
        1 => tests.next_back().map(|test| Condition::Not(Box::new(test))),
        2 => Some(Condition::Any(tests.collect())),
        _ => None,
    };
    Flow {
        when: condition,
        continue_on_skip: bits >> 44 & 1 == 1,
        skip_exit_codes: ExitCodes::default(),
    }
}

/// How many steps have ended, how many of them did not succeed, and how many were skipped: as the
/// head has it, and as the steps are.
pub(super) fn counts(e: &Execution) -> [u32; 3] {
    let ExecutionState { steps_completed, steps_failed, steps_skipped, .. } = *e.head();
    [steps_completed, steps_failed, steps_skipped]
}

pub(super) fn counted(e: &Execution) -> [u32; 3] {
    let count = |of: fn(StepStatus) -> bool| {
        let states = e.steps().iter().filter(|state| of(state.status));
        u32::try_from(states.count()).unwrap()
    };
    use StepStatus::{Cancelled, Failed, Interrupted, Skipped};
    [
        count(StepStatus::is_terminal),
        count(|status| matches!(status, Failed | Cancelled | Interrupted)),
        count(|status| status == Skipped),
    ]
}

/// Steps that depend on earlier ones only, with random kinds.
pub(super) fn graphs() -> impl Strategy<Value = Vec<Step>> {
    let one = (any::<u64>(), 0..4_u8, any::<bool>(), 1..4_u32);
    proptest::collection::vec(one, 1..24).prop_map(|drawn| {
        let mut steps: Vec<Step> = Vec::new();
        for (index, (bits, kind, tolerated, max_attempts)) in drawn.into_iter().enumerate() {
            let names: Vec<String> = (0..index)
                .filter(|dependency| dependency + 4 >= index && bits >> dependency & 1 == 1)
                .map(|dependency| format!("s{dependency}"))
                .collect();
            let mut step = step(&format!("s{index}"), &[]);
            step.depends_on = names;
            step.fail = kind == 0;
            step.work = if kind == 1 { Work::Nothing } else { Work::Shell("true".to_owned()) };
            step.continue_on_error = tolerated;
            step.retry.max_attempts = max_attempts;
            step.flow = flow(bits, &step.depends_on);
            steps.push(step);
        }
        steps
    })
}

proptest! {
    /// For any graph, outcomes, order and interruptions: the execution ends, never runs more steps
    /// than its parallelism, never changes a terminal status, and the merged changes equal the
    /// state.
    #[test]
    fn every_execution_ends(
        steps in graphs(),
        parallelism in 1..5_usize,
        dice in proptest::collection::vec(any::<u8>(), 400),
    ) {
        let mut e = execution(steps, parallelism);
        let mut dice = dice.into_iter().cycle();
        let mut todo: VecDeque<Event> = VecDeque::from([Event::Begin]);
        let (mut running, mut postponed) = (BTreeSet::new(), BTreeSet::new());
        let mut merged: Option<Change> = None;
        let mut seconds = 0;
        while !todo.is_empty() {
            let pick = usize::from(dice.next().unwrap()) % todo.len();
            let event = todo.remove(pick).unwrap();
            let before = statuses(&e);
            seconds += 1;
            if let Event::AttemptEnded(step, _) = &event {
                running.remove(step);
            }
            if let Event::Postponed(step) = &event {
                postponed.remove(step);
            }
            let effects = e.apply(event, at(seconds)).unwrap();
            for (step, (before, after)) in before.iter().zip(statuses(&e)).enumerate() {
                prop_assert!(!before.is_terminal() || *before == after, "step {step}");
            }
            for effect in effects {
                match effect {
                    Effect::Admit { step } => todo.push_back(Event::Admitted(step)),
                    Effect::Start { step, .. } if dice.next().unwrap() < 40 => {
                        postponed.insert(step);
                        todo.push_back(Event::Postponed(step));
                    }
                    Effect::Start { step, .. } => {
                        running.insert(step);
                        let outcome = match dice.next().unwrap() {
                            0..150 => Outcome::Success,
                            150..180 => Outcome::Skipped("exit status 99".to_owned()),
                            _ => failed(),
                        };
                        todo.push_back(ended(step, outcome));
                    }
                    Effect::Retry { step, .. } => todo.push_back(Event::RetryDue(step)),
                    Effect::Stop { step } => {
                        prop_assert!(running.contains(&step) || postponed.contains(&step));
                    }
                    Effect::StepEnded { .. } | Effect::Ended => {}
                }
            }
            match dice.next().unwrap() {
                0..4 => todo.push_back(Event::Cancel("test".to_owned())),
                4..8 => todo.push_back(Event::TimeUp),
                _ => {}
            }
            prop_assert!(running.len() + postponed.len() <= parallelism);
            prop_assert_eq!(counts(&e), counted(&e));
            if dice.next().unwrap() < 128 {
                let change = e.take_change();
                match &mut merged {
                    Some(merged) => merged.merge(change),
                    None => merged = Some(change),
                }
            }
        }
        prop_assert!(e.head().status.is_terminal());
        prop_assert!(statuses(&e).iter().all(|s| s.is_terminal()));
        let last = e.take_change();
        let merged = match merged {
            Some(mut merged) => { merged.merge(last); merged }
            None => last,
        };
        prop_assert_eq!(&merged.head, e.head());
        for (index, state) in e.steps().iter().enumerate() {
            prop_assert_eq!(&merged.steps[&e.spec().position(index)], state);
        }
    }
}
