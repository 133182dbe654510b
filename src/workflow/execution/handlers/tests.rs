use proptest::prelude::*;

use super::super::resume::tests::Stored;
use super::super::tests::{
    apply, at, ended, failed, graphs, starts, statuses, step, with_handlers,
};
use super::*;
use crate::base::period::Period;
use crate::workflow::event::Event;
use crate::workflow::record::Change;
use StepStatus::{Cancelled, Failed, Interrupted, Pending, Success};

fn handler(on: HandlerKind, name: &str) -> Handler {
    Handler { on, step: step(name, &[]) }
}

/// One step, at index 0, and a handler of each kind, at 1 to 4, and a second one on exit.
fn one_of_each() -> Execution {
    let mut handlers: Vec<Handler> =
        HandlerKind::ALL.into_iter().map(|on| handler(on, on.as_str())).collect();
    handlers.push(handler(HandlerKind::Exit, "last"));
    with_handlers(vec![step("a", &[])], handlers, 1)
}

fn begun(mut e: Execution) -> Execution {
    apply(&mut e, Event::Begin, at(0)).unwrap();
    e
}

/// How the handlers stand.
fn stand(e: &Execution) -> Vec<StepStatus> {
    e.handlers().iter().map(|handler| handler.status).collect()
}

/// The process dies and another takes over.
fn crashed(mut e: Execution) -> Execution {
    let mut stored = Stored::default();
    stored.commit(&mut e);
    stored.resume(&e, 1)
}

const RESUME: Event = Event::Resume { cancelled: None };

#[test]
fn they_run_one_after_the_other_and_on_exit_is_last() {
    for (outcome, first, status) in [
        (Outcome::Success, 1, ExecutionStatus::Success),
        (failed(), 2, ExecutionStatus::Failed),
        (Outcome::Lost, 2, ExecutionStatus::Interrupted),
    ] {
        let mut e = begun(one_of_each());
        let effects = apply(&mut e, ended(0, outcome), at(1)).unwrap();
        // The outcome is decided, and stored with the start of the first.
        assert_eq!(starts(&effects), [first]);
        assert_eq!((e.head().status, e.head().outcome), (ExecutionStatus::Running, Some(status)));
        let change = e.take_change();
        assert_eq!((change.head.outcome, change.handlers.len()), (Some(status), 1));
        assert_eq!(
            change.handlers.keys().copied().collect::<Vec<_>>(),
            [u32::try_from(first).unwrap()]
        );
        // One that fails stops no other, and changes nothing.
        let error = e.head().error.clone();
        assert_eq!(starts(&apply(&mut e, ended(first, failed()), at(2)).unwrap()), [4]);
        assert_eq!(starts(&apply(&mut e, ended(4, failed()), at(3)).unwrap()), [5]);
        let effects = apply(&mut e, ended(5, Outcome::Success), at(4)).unwrap();
        assert_eq!(effects.last(), Some(&Effect::Ended));
        assert_eq!((e.head().status, e.head().outcome), (status, Some(status)));
        assert_eq!((e.head().error.clone(), e.head().steps_completed), (error, 1));
        assert_eq!(e.head().completed_at, Some(at(4).now));
        assert_eq!(stand(&e).iter().filter(|status| **status == Pending).count(), 2);
    }
}

#[test]
fn they_know_which_step_failed() {
    let mut e = begun(one_of_each());
    assert_eq!(e.failed_step(), None);
    apply(&mut e, ended(0, failed()), at(1)).unwrap();
    assert_eq!(e.failed_step(), Some("a"));
    assert_eq!(e.head().error.as_deref(), Some("step `a` failed: exit status 1"));
}

#[test]
fn they_run_after_a_cancel_and_after_the_time() {
    let mut e = begun(one_of_each());
    apply(&mut e, Event::Cancel("enough".to_owned()), at(1)).unwrap();
    assert_eq!(starts(&apply(&mut e, ended(0, Outcome::Stopped), at(2)).unwrap()), [3]);
    assert_eq!(e.head().outcome, Some(ExecutionStatus::Cancelled));
    // The time of the workflow does not concern them.
    assert_eq!(apply(&mut e, Event::TimeUp, at(9)).unwrap(), []);
    let mut e = begun(one_of_each());
    apply(&mut e, Event::TimeUp, at(5)).unwrap();
    assert_eq!(starts(&apply(&mut e, ended(0, Outcome::Stopped), at(6)).unwrap()), [2]);
    assert_eq!(e.head().error.as_deref(), Some("the workflow timed out after 5s"));
}

#[test]
fn a_cancel_ends_the_one_that_runs_and_its_list_and_changes_no_outcome() {
    let mut e = begun(one_of_each());
    apply(&mut e, ended(0, Outcome::Success), at(1)).unwrap();
    let effects = apply(&mut e, Event::Cancel("enough".to_owned()), at(2)).unwrap();
    assert_eq!(effects, [Effect::Stop { step: 1 }]);
    // On exit runs all the same.
    assert_eq!(starts(&apply(&mut e, ended(1, Outcome::Stopped), at(3)).unwrap()), [4]);
    assert_eq!(e.handlers()[0].error.as_deref(), Some("enough"));
    let effects = apply(&mut e, Event::Cancel("again".to_owned()), at(4)).unwrap();
    assert_eq!(effects, [Effect::Stop { step: 4 }]);
    let effects = apply(&mut e, ended(4, Outcome::Stopped), at(5)).unwrap();
    assert_eq!(effects.last(), Some(&Effect::Ended));
    assert_eq!(stand(&e), [Cancelled, Pending, Pending, Cancelled, Pending]);
    assert_eq!(e.head().status, ExecutionStatus::Success);
}

#[test]
fn a_second_signal_ends_all_of_it() {
    // While a handler runs.
    let mut e = begun(one_of_each());
    apply(&mut e, Event::Cancel("SIGINT".to_owned()), at(1)).unwrap();
    apply(&mut e, ended(0, Outcome::Stopped), at(2)).unwrap();
    assert_eq!(apply(&mut e, Event::Kill, at(3)).unwrap(), [Effect::Stop { step: 3 }]);
    let effects = apply(&mut e, ended(3, Outcome::Stopped), at(4)).unwrap();
    assert_eq!(effects.last(), Some(&Effect::Ended));
    assert_eq!(stand(&e), [Pending, Pending, Cancelled, Pending, Pending]);
    assert_eq!(e.handlers()[2].error.as_deref(), Some(KILLED));
    // Before any does.
    let mut e = begun(one_of_each());
    apply(&mut e, Event::Cancel("SIGINT".to_owned()), at(1)).unwrap();
    apply(&mut e, Event::Kill, at(2)).unwrap();
    let effects = apply(&mut e, ended(0, Outcome::Stopped), at(3)).unwrap();
    assert_eq!(effects.last(), Some(&Effect::Ended));
    assert_eq!(e.head().status, ExecutionStatus::Cancelled);
}

#[test]
fn one_that_was_interrupted_runs_again_only_with_attempts() {
    for (max_attempts, next, status) in [(1, 4, Interrupted), (2, 2, Failed)] {
        let mut failure = handler(HandlerKind::Failure, "failure");
        failure.step.retry.max_attempts = max_attempts;
        let handlers = vec![
            handler(HandlerKind::Success, "success"),
            failure,
            handler(HandlerKind::Cancel, "cancel"),
            handler(HandlerKind::Exit, "exit"),
        ];
        let mut e = begun(with_handlers(vec![step("a", &[])], handlers, 1));
        apply(&mut e, ended(0, failed()), at(1)).unwrap();
        let mut e = crashed(e);
        assert_eq!(e.head().outcome, Some(ExecutionStatus::Failed));
        assert_eq!(starts(&apply(&mut e, RESUME, at(9)).unwrap()), [next]);
        assert_eq!(e.failed_step(), Some("a"));
        if next == 2 {
            assert_eq!(starts(&apply(&mut e, ended(2, failed()), at(10)).unwrap()), [4]);
        }
        assert_eq!(e.handlers()[1].status, status);
        let effects = apply(&mut e, ended(4, Outcome::Success), at(11)).unwrap();
        assert_eq!(effects.last(), Some(&Effect::Ended));
        assert_eq!(e.head().status, ExecutionStatus::Failed);
        assert_eq!(e.head().error.as_deref(), Some("step `a` failed: exit status 1"));
    }
}

#[test]
fn a_request_that_led_to_the_outcome_ends_no_handler() {
    let mut e = begun(one_of_each());
    apply(&mut e, Event::Cancel("enough".to_owned()), at(1)).unwrap();
    apply(&mut e, ended(0, Outcome::Stopped), at(2)).unwrap();
    let mut e = crashed(e);
    let again = Event::Resume { cancelled: Some("enough".to_owned()) };
    assert_eq!(starts(&apply(&mut e, again, at(3)).unwrap()), [4]);
    assert_eq!(e.handlers()[2].status, Interrupted);
    // One that came while handlers ran ends the one that runs.
    let mut e = begun(one_of_each());
    apply(&mut e, ended(0, Outcome::Success), at(1)).unwrap();
    let mut e = crashed(e);
    let cancelled = Event::Resume { cancelled: Some("enough".to_owned()) };
    assert_eq!(starts(&apply(&mut e, cancelled, at(3)).unwrap()), [4]);
    assert_eq!(
        (e.handlers()[0].status, e.head().outcome),
        (Cancelled, Some(ExecutionStatus::Success))
    );
}

#[test]
fn what_a_cancel_left_stays_left_after_a_crash() {
    let mut nap = handler(HandlerKind::Exit, "nap");
    nap.step.work = Work::Sleep(Period::new(Duration::from_secs(60)));
    let handlers = vec![
        handler(HandlerKind::Failure, "ends-by-itself"),
        handler(HandlerKind::Failure, "left"),
        nap,
        handler(HandlerKind::Exit, "last"),
    ];
    // By a signal, of which nothing is stored, and by a request.
    for request in [None, Some("asked".to_owned())] {
        let mut e = begun(with_handlers(vec![step("a", &[])], handlers.clone(), 1));
        apply(&mut e, ended(0, failed()), at(1)).unwrap();
        apply(&mut e, Event::Cancel("asked".to_owned()), at(2)).unwrap();
        // It took its signal for a reason to finish.
        assert_eq!(starts(&apply(&mut e, ended(1, Outcome::Success), at(3)).unwrap()), [3]);
        let mut e = crashed(e);
        let effects = apply(&mut e, Event::Resume { cancelled: request }, at(4)).unwrap();
        assert_eq!(starts(&effects), [3]);
        assert_eq!(starts(&apply(&mut e, ended(3, Outcome::Success), at(5)).unwrap()), [4]);
        apply(&mut e, ended(4, Outcome::Success), at(6)).unwrap();
        assert_eq!(stand(&e), [Success, Pending, Success, Success]);
        assert_eq!(e.head().status, ExecutionStatus::Failed);
    }
}

#[test]
fn an_execution_that_is_cancelled_before_it_began_runs_none() {
    let mut e = one_of_each();
    let mut e = {
        let mut stored = Stored::default();
        stored.commit(&mut e);
        stored.resume(&e, 1)
    };
    let effects =
        apply(&mut e, Event::Resume { cancelled: Some("enough".to_owned()) }, at(1)).unwrap();
    assert_eq!(effects.last(), Some(&Effect::Ended));
    assert_eq!((e.head().status, e.head().outcome), (ExecutionStatus::Cancelled, None));
    assert_eq!(stand(&e), [Pending; 5]);
}

#[test]
fn a_handler_without_a_process_ends_at_once() {
    let mut success = handler(HandlerKind::Success, "success");
    success.step.work = Work::Nothing;
    let mut exit = handler(HandlerKind::Exit, "exit");
    exit.step.fail = true;
    let mut e = begun(with_handlers(vec![step("a", &[])], vec![success, exit], 1));
    let effects = apply(&mut e, ended(0, Outcome::Success), at(1)).unwrap();
    assert_eq!(effects.last(), Some(&Effect::Ended));
    assert_eq!(stand(&e), [Success, Failed]);
    assert_eq!(e.head().status, ExecutionStatus::Success);
}

#[test]
fn what_cannot_go_on_retains_its_outcome() {
    let mut e = begun(one_of_each());
    apply(&mut e, ended(0, failed()), at(1)).unwrap();
    let change: Change = Stored::recorded_of(&mut e).abandon("no snapshot", at(2).now);
    assert_eq!(change.head.status, ExecutionStatus::Failed);
    assert_eq!(change.head.error.as_deref(), Some("step `a` failed: exit status 1"));
    assert_eq!(change.handlers[&2].state.status, Interrupted);
}

fn any_handlers() -> impl Strategy<Value = Vec<Handler>> {
    let one = (0..4_usize, 1..3_u32, 0..4_u8);
    proptest::collection::vec(one, 0..6).prop_map(|mut drawn| {
        drawn.sort_by_key(|(kind, ..)| *kind);
        let handlers = drawn.into_iter().enumerate();
        let handlers = handlers.map(|(index, (kind, max_attempts, work))| {
            let mut handler = handler(HandlerKind::ALL[kind], &format!("h{index}"));
            handler.step.retry.max_attempts = max_attempts;
            handler.step.fail = work == 0;
            handler.step.work = match work {
                1 => Work::Nothing,
                2 => Work::Sleep(Period::new(Duration::from_secs(60))),
                _ => Work::Shell("true".to_owned()),
            };
            handler
        });
        handlers.collect()
    })
}

proptest! {
    /// Whatever the graph, the handlers, crashes, cancels and kills: it ends as the outcome says,
    /// which never changes; handlers start in their order, after all steps have ended, one at a
    /// time, and none more often than it may.
    #[test]
    fn every_execution_ends_with_its_handlers(
        steps in graphs(),
        handlers in any_handlers(),
        parallelism in 1..4_usize,
        dice in proptest::collection::vec(any::<u8>(), 400),
    ) {
        let mut e = with_handlers(steps, handlers, parallelism);
        let count = e.steps().len();
        let mut dice = dice.into_iter().cycle();
        let mut stored = Stored::default();
        let mut started = vec![0_u32; count + e.handlers().len()];
        let mut order: Vec<usize> = Vec::new();
        let mut todo = vec![Event::Begin];
        let (mut seconds, mut crashes, mut requests) = (0, 0, 0);
        let mut outcome = None;
        let mut is_killed = false;
        let mut is_cancelled_late = false;
        while !todo.is_empty() {
            let pick = usize::from(dice.next().unwrap()) % todo.len();
            let event = todo.swap_remove(pick);
            seconds += 1;
            is_killed |= matches!(event, Event::Kill);
            is_cancelled_late |= matches!(event, Event::Cancel(_)) && outcome.is_some();
            let before: Vec<StepStatus> = [statuses(&e), stand(&e)].concat();
            let effects = e.apply(event, at(seconds)).unwrap();
            for (before, after) in before.iter().zip([statuses(&e), stand(&e)].concat()) {
                prop_assert!(!before.is_terminal() || *before == after);
            }
            prop_assert!(outcome.is_none() || e.head().outcome == outcome);
            outcome = e.head().outcome;
            if outcome.is_some() {
                prop_assert!(statuses(&e).iter().all(|status| status.is_terminal()));
            } else {
                prop_assert!(stand(&e).iter().all(|status| *status == Pending));
            }
            let running = stand(&e).iter().filter(|s| **s == StepStatus::Running).count();
            prop_assert!(running <= 1);
            stored.commit(&mut e);
            for effect in effects {
                match effect {
                    Effect::Admit { step } => todo.push(Event::Admitted(step)),
                    Effect::Start { step, .. } => {
                        // A sleep that was resumed is not a further attempt.
                        if step < count || order.last() != Some(&step) {
                            order.push(step);
                        }
                        started[step] += 1;
                        let outcome = match dice.next().unwrap() {
                            0..150 => Outcome::Success,
                            _ => failed(),
                        };
                        todo.push(ended(step, outcome));
                    }
                    Effect::Retry { step, .. } => todo.push(Event::RetryDue(step)),
                    Effect::Stop { step } => {
                        todo.retain(|event| {
                            !matches!(event, Event::AttemptEnded(ended, _) if *ended == step)
                        });
                        todo.push(ended(step, Outcome::Stopped));
                    }
                    Effect::StepEnded { .. } | Effect::Ended => {}
                }
            }
            let die = dice.next().unwrap();
            if e.head().status.is_terminal() {
                break;
            }
            if die < 30 && crashes < 6 {
                crashes += 1;
                e = stored.resume(&e, parallelism);
                todo = vec![RESUME];
            } else if die < 40 && requests < 2 {
                requests += 1;
                todo.push(match dice.next().unwrap() {
                    0..100 => Event::Cancel("enough".to_owned()),
                    100..150 => Event::Kill,
                    _ => Event::TimeUp,
                });
            }
        }
        let head = e.head();
        prop_assert!(head.status.is_terminal());
        prop_assert!(head.outcome.is_none_or(|outcome| outcome == head.status));
        prop_assert_eq!(head.steps_completed as usize, count);
        let of_handlers: Vec<usize> = order.into_iter().filter(|index| *index >= count).collect();
        prop_assert!(of_handlers.is_sorted(), "{of_handlers:?}");
        for (index, state) in e.handlers().iter().enumerate() {
            let handler = e.handler(count + index);
            let runs = runs_after(handler.on, head.status);
            prop_assert!(state.status.is_terminal() || state.attempt == 0);
            prop_assert!(runs || state.attempt == 0);
            prop_assert!(state.attempt <= handler.step.retry.max_attempts);
            if runs && !is_killed && !is_cancelled_late {
                prop_assert!(state.attempt > 0, "{} did not run", handler.step.name);
            }
        }
    }
}
