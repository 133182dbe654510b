//! Executions that reuse steps of an earlier one.

use std::collections::VecDeque;
use std::sync::Arc;

use proptest::prelude::*;

use crate::workflow::definition::Step;
use crate::workflow::event::{Effect, Event, Outcome};
use crate::workflow::execution::tests::{at, ended, execution, failed, graphs, step};
use crate::workflow::execution::{Execution, Recorded, RecordedStep};
use crate::workflow::record::{
    ExecutionStatus, Reuse, SkipReason, StepRecord, StepState, StepStatus,
};
use crate::workflow::selection::{self, Action, Wanted};
use crate::workflow::spec::{ExecutionSpec, ReusedStep};

fn reused_state(step: usize, status: StepStatus) -> StepState {
    let execution_id = "original".to_owned();
    let reuse = Reuse { execution_id, seq: Some(1), position: Some(7) };
    StepState {
        status,
        started_at: Some(at(0).now),
        completed_at: Some(at(1).now),
        duration_ms: Some(1_000),
        attempt: 2,
        exit_code: Some(0),
        error: None,
        skip_reason: None,
        outputs: [("step".to_owned(), step.to_string())].into_iter().collect(),
        reused: Some(Arc::new(reuse)),
    }
}

/// An execution of `steps` that reuses some of them.
fn reusing(steps: Vec<Step>, reused: &[(usize, StepStatus)], parallelism: usize) -> Execution {
    let reused =
        reused.iter().map(|&(step, status)| ReusedStep { step, state: reused_state(step, status) });
    reusing_states(steps, reused.collect(), parallelism)
}

fn reusing_states(steps: Vec<Step>, reused: Vec<ReusedStep>, parallelism: usize) -> Execution {
    let plain = execution(steps, parallelism);
    let ExecutionSpec { execution_id, snapshot, created_at, .. } = &**plain.spec();
    let spec = ExecutionSpec::new(execution_id.clone(), snapshot.clone(), None, *created_at);
    Execution::new(Arc::new(spec.reusing(reused)), parallelism, Some("me".to_owned()))
}

#[test]
fn the_first_change_holds_what_is_reused() {
    let mut b = step("b", &["a"]);
    b.continue_on_error = true;
    let steps = vec![step("a", &[]), b, step("c", &["b"]), step("d", &[])];
    let reused = [(0, StepStatus::Success), (1, StepStatus::Failed)];
    let mut e = reusing(steps, &reused, 4);
    assert_eq!((e.reused_steps(), e.head().steps_completed), (2, 2));
    let effects = e.apply(Event::Begin, at(5)).unwrap();
    assert_eq!(effects, [Effect::Admit { step: 2 }, Effect::Admit { step: 3 }]);
    let change = e.take_change();
    assert!(change.created.is_some() && change.attempts.is_empty());
    for (step, status) in reused {
        assert_eq!(change.steps[&u32::try_from(step).unwrap()], reused_state(step, status));
    }
    assert_eq!(change.head.steps_completed, 2);
    // A tolerated failure of the original fails nothing now.
    for step in [2, 3] {
        e.apply(Event::Admitted(step), at(6)).unwrap();
        e.apply(ended(step, Outcome::Success), at(7)).unwrap();
    }
    assert_eq!(e.head().status, ExecutionStatus::Success);
    assert_eq!(e.take_change().steps.keys().copied().collect::<Vec<_>>(), [2, 3]);
}

proptest! {
    /// Whatever is reused with all that it depends on: each other step runs once everything before
    /// it has ended, what is reused stays as it is and is reported to nobody, and a process that
    /// takes over after any event goes on in the same way.
    #[test]
    fn what_is_reused_never_runs(
        steps in graphs(),
        draws in proptest::collection::vec((any::<bool>(), any::<bool>()), 24),
        parallelism in 1..5_usize,
        crash_after in 0..30_usize,
    ) {
        let mut reused: Vec<(usize, StepStatus)> = Vec::new();
        let names: Vec<String> = steps.iter().map(|step| step.name.clone()).collect();
        for (index, step) in steps.iter().enumerate() {
            let is_reused = |name: &String| reused.iter().any(|(at, _)| names[*at] == *name);
            if draws[index].0 && step.depends_on.iter().all(is_reused) {
                let has_failed = draws[index].1 && step.continue_on_error;
                let status = if has_failed { StepStatus::Failed } else { StepStatus::Success };
                reused.push((index, status));
            }
        }
        let is_reused = |step: usize| reused.iter().any(|(at, _)| *at == step);
        let mut e = reusing(steps, &reused, parallelism);
        let spec = Arc::clone(e.spec());
        let mut stored = e.take_change().steps;
        let mut events = VecDeque::from([Event::Begin]);
        let mut moments = 10;
        let mut applied = 0;
        while let Some(event) = events.pop_front() {
            moments += 1;
            applied += 1;
            for effect in e.apply(event, at(moments)).unwrap() {
                match effect {
                    Effect::Admit { step } | Effect::Start { step, .. }
                    | Effect::Retry { step, .. } | Effect::StepEnded { step } => {
                        prop_assert!(!is_reused(step), "{effect:?}");
                    }
                    Effect::Stop { .. } | Effect::Ended => {}
                }
                match effect {
                    Effect::Admit { step } => {
                        let before = &spec.graph().dependencies[step];
                        prop_assert!(before.iter().all(|&step| e.steps()[step].status.is_terminal()));
                        events.push_back(Event::Admitted(step));
                    }
                    Effect::Start { step, .. } => {
                        let outcome = if draws[step].1 { failed() } else { Outcome::Success };
                        events.push_back(ended(step, outcome));
                    }
                    Effect::Retry { step, .. } => events.push_back(Event::RetryDue(step)),
                    _ => {}
                }
            }
            stored.extend(e.take_change().steps);
            if applied == crash_after && !e.head().status.is_terminal() {
                let steps = stored.values().map(|state| RecordedStep {
                    state: state.clone(),
                    attempt_ended_at: None,
                });
                let (head, handlers) = (e.head().clone(), Vec::new());
                let recorded = Recorded { head, steps: steps.collect(), handlers };
                // As it is planned again: what is reused is in the record alone.
                let again = ExecutionSpec::new(
                    spec.execution_id.clone(), spec.snapshot.clone(), None, spec.created_at,
                );
                e = Execution::resumed(Arc::new(again), parallelism, "other".to_owned(), recorded);
                events = VecDeque::from([Event::Resume { cancelled: None }]);
            }
        }
        prop_assert!(e.head().status.is_terminal());
        prop_assert_eq!(e.reused_steps(), reused.len());
        for &(step, status) in &reused {
            prop_assert_eq!(&e.steps()[step], &reused_state(step, status));
        }
        for (step, state) in e.steps().iter().enumerate().filter(|(step, _)| !is_reused(*step)) {
            prop_assert!(state.reused.is_none() && state.status.is_terminal(), "{}", step);
        }
    }
}

/// How a step ends whenever it runs.
fn any_outcome() -> impl Strategy<Value = Outcome> {
    prop_oneof![
        4 => Just(Outcome::Success),
        2 => Just(failed()),
        2 => Just(Outcome::Skipped("exit status 99".to_owned())),
        1 => Just(Outcome::Lost),
    ]
}

/// Where a process dies before the first attempt begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Crash {
    /// The launch is stored.
    AfterLaunch,
    /// The begin is stored as well.
    AfterBegin,
}

/// The execution as another process takes it over, which reads what was stored.
fn taken_over(e: &mut Execution, parallelism: usize) -> Execution {
    let change = e.take_change();
    let steps =
        change.steps.into_values().map(|state| RecordedStep { state, attempt_ended_at: None });
    let recorded = Recorded { head: change.head, steps: steps.collect(), handlers: Vec::new() };
    let ExecutionSpec { execution_id, snapshot, created_at, .. } = &**e.spec();
    let spec = ExecutionSpec::new(execution_id.clone(), snapshot.clone(), None, *created_at);
    Execution::resumed(Arc::new(spec), parallelism, "other".to_owned(), recorded)
}

/// Runs an execution from its first event to its end, and returns the steps of which an attempt
/// began. After `cut` events it is cancelled or its time is up.
fn run_to_the_end(
    e: &mut Execution,
    first: Event,
    outcomes: impl Fn(usize) -> Outcome,
    cut: Option<(usize, Event)>,
) -> Vec<usize> {
    let mut events = VecDeque::from([first]);
    let (mut cut, mut moments, mut began) = (cut, 0, Vec::new());
    while !e.head().status.is_terminal() {
        moments += 1;
        if cut.as_ref().is_some_and(|(after, _)| moments > *after) {
            events.extend(cut.take().map(|(_, event)| event));
            events.rotate_right(1);
        }
        // Otherwise it waits for something that does not happen.
        let event = events.pop_front().expect("it goes on until it has ended");
        for effect in e.apply(event, at(moments as u64)).unwrap() {
            match effect {
                Effect::Admit { step } => events.push_back(Event::Admitted(step)),
                Effect::Start { step, .. } => {
                    began.push(step);
                    events.push_back(ended(step, outcomes(step)));
                }
                Effect::Retry { step, .. } => events.push_back(Event::RetryDue(step)),
                Effect::Stop { step } => {
                    events.retain(
                        |event| !matches!(event, Event::AttemptEnded(of, _) if *of == step),
                    );
                    events.push_back(ended(step, Outcome::Stopped));
                }
                Effect::StepEnded { .. } | Effect::Ended => {}
            }
        }
    }
    began
}

/// The steps of an execution as they are stored.
fn stored(e: &Execution) -> Vec<StepRecord> {
    let order = e.spec().graph().order.iter();
    order
        .enumerate()
        .map(|(position, &step)| {
            let state = &e.steps()[step];
            let name = &e.spec().step(step).name;
            let record = selection::tests::record(name, position, state.status);
            let (attempt, error) = (state.attempt, state.error.clone());
            StepRecord { attempt, error, skip_reason: state.skip_reason, ..record }
        })
        .collect()
}

fn ends(e: &Execution) -> Vec<(StepStatus, Option<SkipReason>)> {
    e.steps().iter().map(|state| (state.status, state.skip_reason)).collect()
}

proptest! {
    /// Whatever steps an execution skipped, and whyever: a replay of a part ends, also if its process
    /// dies at its start, and as a replay of everything would in which each reused step ends as it
    /// did then.
    #[test]
    fn a_part_ends_as_everything_would(
        steps in graphs(),
        outcomes in proptest::collection::vec((any_outcome(), any_outcome(), 0..8_u8), 24),
        cut in proptest::option::weighted(0.3, (0..40_usize, any::<bool>())),
        failed in any::<bool>(),
        parallelism in 1..5_usize,
        crash in proptest::option::of(prop_oneof![Just(Crash::AfterLaunch), Just(Crash::AfterBegin)]),
    ) {
        let mut original = execution(steps.clone(), parallelism);
        let cut = cut.map(|(after, cancel)| {
            (after, if cancel { Event::Cancel("enough".to_owned()) } else { Event::TimeUp })
        });
        run_to_the_end(&mut original, Event::Begin, |step| outcomes[step].0.clone(), cut);
        let records = stored(&original);
        let compiled = Arc::clone(&original.spec().snapshot.compiled);
        let from: Vec<usize> = (0..steps.len()).filter(|&step| outcomes[step].2 == 0).collect();
        let error = original.head().error.as_deref();
        let recorded = selection::Recorded { compiled: &compiled, steps: &records, error };
        let wanted = Wanted { from: &from, failed };
        let chosen = selection::select(recorded, &compiled, wanted);
        let is_reused = |step: usize| chosen[step].action() == Action::Reuse;
        let reused: Vec<ReusedStep> = (0..steps.len())
            .filter(|&step| is_reused(step))
            .map(|step| {
                let reuse = Reuse { execution_id: "original".to_owned(), seq: None, position: None };
                let state = original.steps()[step].clone();
                ReusedStep { step, state: StepState { reused: Some(Arc::new(reuse)), ..state } }
            })
            .collect();
        let now = |step: usize| {
            let (then, now, _) = &outcomes[step];
            if is_reused(step) { then.clone() } else { now.clone() }
        };
        let mut part = reusing_states(steps.clone(), reused.clone(), parallelism);
        if crash == Some(Crash::AfterBegin) {
            part.apply(Event::Begin, at(0)).unwrap();
        }
        let first = match crash {
            Some(_) => {
                part = taken_over(&mut part, parallelism);
                Event::Resume { cancelled: None }
            }
            None => Event::Begin,
        };
        let began = run_to_the_end(&mut part, first, now, None);
        for ReusedStep { step, state } in &reused {
            prop_assert_eq!(&part.steps()[*step], state);
            prop_assert!(!began.contains(step));
        }
        // What failed then and is tolerated is the only end that no success is.
        if failed {
            for (step, state) in original.steps().iter().enumerate().filter(|(step, _)| is_reused(*step)) {
                let own = state.skip_reason.is_some_and(SkipReason::is_own);
                let tolerated = state.status == StepStatus::Failed && steps[step].continue_on_error;
                let dependency = state.skip_reason == Some(SkipReason::Dependency);
                prop_assert!(state.status == StepStatus::Success || own || tolerated || dependency);
            }
        }
        let mut everything = execution(steps, parallelism);
        run_to_the_end(&mut everything, Event::Begin, now, None);
        prop_assert_eq!(ends(&part), ends(&everything));
        prop_assert_eq!(part.head().status, everything.head().status);
    }
}
