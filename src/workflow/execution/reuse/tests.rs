//! Executions that reuse steps of an earlier one.

use std::collections::VecDeque;
use std::sync::Arc;

use proptest::prelude::*;

use crate::workflow::definition::Step;
use crate::workflow::event::{Effect, Event, Outcome};
use crate::workflow::execution::tests::{at, ended, execution, failed, graphs, step};
use crate::workflow::execution::{Execution, Recorded, RecordedStep};
use crate::workflow::record::{ExecutionStatus, Reuse, StepState, StepStatus};
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
    let plain = execution(steps, parallelism);
    let ExecutionSpec { execution_id, snapshot, created_at, .. } = &**plain.spec();
    let spec = ExecutionSpec::new(execution_id.clone(), snapshot.clone(), None, *created_at);
    let reused =
        reused.iter().map(|&(step, status)| ReusedStep { step, state: reused_state(step, status) });
    let spec = spec.reusing(reused.collect());
    Execution::new(Arc::new(spec), parallelism, Some("me".to_owned()))
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
    // A tolerated failure of then fails nothing now.
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
