use super::super::tests::{apply, at, ended, execution, failed, starts, statuses, step};
use super::*;
use crate::workflow::condition::Test;
use crate::workflow::definition::{Scalar, Step, Work};
use crate::workflow::event::{Event, Outcome};
use crate::workflow::exit_codes::{ExitCodes, ExitRange};
use crate::workflow::record::ExecutionStatus;
use StepStatus::{Failed, Interrupted, Skipped, Success};

fn status(step: &str, statuses: &[StepStatus]) -> Condition {
    Condition::Status { step: step.to_owned().into(), statuses: statuses.to_vec() }
}

fn never() -> Condition {
    let test = Test::Is(Scalar::String("1".to_owned()));
    Condition::Param { name: "none".to_owned(), test }
}

fn when(name: &str, depends_on: &[&str], when: Condition) -> Step {
    let mut step = step(name, depends_on);
    step.flow.when = Some(when);
    step
}

fn skipped() -> Outcome {
    Outcome::Skipped("exit status 99".to_owned())
}

/// Runs steps, each of which ends with its outcome, or at once.
fn run(steps: Vec<Step>, outcomes: &[(usize, Outcome)]) -> Execution {
    let mut e = execution(steps, 8);
    let mut open: Vec<usize> = starts(&apply(&mut e, Event::Begin, at(0)).unwrap());
    while let Some(step) = open.pop() {
        let outcome = outcomes.iter().find(|(of, _)| *of == step);
        let outcome = outcome.map_or(Outcome::Success, |(_, outcome)| outcome.clone());
        open.extend(starts(&apply(&mut e, ended(step, outcome), at(1)).unwrap()));
    }
    assert!(e.head().status.is_terminal());
    e
}

fn reasons(e: &Execution) -> Vec<Option<SkipReason>> {
    e.steps().iter().map(|step| step.skip_reason).collect()
}

/// Paths through these graphs, and walks that begin anew for each dependency, have no end.
#[test]
fn a_dense_graph_below_a_tested_failure_is_walked_once_for_each_condition() {
    let names: Vec<String> = (0..300).map(|n| format!("b{n}")).collect();
    let mut steps = vec![step("a", &[])];
    for (at, name) in names.iter().enumerate() {
        let before: Vec<&str> =
            std::iter::once("a").chain(names[..at].iter().map(String::as_str)).collect();
        steps.push(step(name, &before));
    }
    let all: Vec<&str> = names.iter().map(String::as_str).collect();
    for n in 0..300 {
        steps.push(when(&format!("c{n}"), &all, status("a", &[Failed])));
    }
    let e = run(steps, &[(0, failed())]);
    assert!(statuses(&e)[1..301].iter().all(|status| *status == Skipped));
    assert!(statuses(&e)[301..].iter().all(|status| *status == Success));
}

#[test]
fn a_failed_dependency_does_not_skip_what_tests_its_status() {
    let steps = || {
        vec![
            step("a", &[]),
            when("undo", &["a"], status("a", &[Failed])),
            when("next", &["a"], status("a", &[Success])),
            step("after", &["undo"]),
        ]
    };
    let e = run(steps(), &[(0, failed())]);
    assert_eq!(statuses(&e), [Failed, Success, Skipped, Success]);
    // What was tested has failed all the same.
    assert_eq!(e.head().status, ExecutionStatus::Failed);
    assert_eq!(reasons(&e)[2], Some(SkipReason::Condition));
    let error = e.steps()[2].error.as_deref();
    assert_eq!(error, Some("its `when` is false: {step: a, status: success}: the step is failed"));
    let e = run(steps(), &[]);
    assert_eq!(statuses(&e), [Success, Skipped, Success, Skipped]);
    assert_eq!(e.head().status, ExecutionStatus::Success);
    assert_eq!(reasons(&e)[3], Some(SkipReason::Dependency));
    assert_eq!(e.steps()[3].error.as_deref(), Some("`undo`, which it depends on, was skipped"));
}

#[test]
fn a_tolerated_failure_is_tested_like_another() {
    let mut a = step("a", &[]);
    a.continue_on_error = true;
    let e = run(vec![a, when("b", &["a"], status("a", &[Failed]))], &[(0, failed())]);
    assert_eq!((statuses(&e), e.head().status), (vec![Failed, Success], ExecutionStatus::Success));
}

#[test]
fn a_failed_dependency_that_is_not_tested_skips() {
    // `b` failed by itself; only `a`, further up, is tested.
    let steps = vec![step("a", &[]), step("b", &["a"]), when("c", &["b"], status("a", &[Success]))];
    let e = run(steps, &[(1, failed())]);
    assert_eq!(statuses(&e), [Success, Failed, Skipped]);
    assert_eq!(reasons(&e)[2], Some(SkipReason::Dependency));
    assert_eq!(e.steps()[2].error.as_deref(), Some("`b`, which it depends on, failed"));
    // One of two is tested.
    let steps =
        || vec![step("a", &[]), step("b", &[]), when("c", &["a", "b"], status("a", &[Failed]))];
    assert_eq!(statuses(&run(steps(), &[(0, failed())])), [Failed, Success, Success]);
    assert_eq!(statuses(&run(steps(), &[(0, failed()), (1, failed())])), [Failed, Failed, Skipped]);
}

#[test]
fn a_step_that_was_skipped_because_of_the_tested_one_does_not_skip() {
    let steps = || {
        vec![
            step("a", &[]),
            step("b", &["a"]),
            step("x", &[]),
            step("c", &["b", "x"]),
            when("undo", &["c"], status("a", &[Failed])),
        ]
    };
    let e = run(steps(), &[(0, failed())]);
    assert_eq!(statuses(&e), [Failed, Skipped, Success, Skipped, Success]);
    // But another failure on the way does.
    let e = run(steps(), &[(0, failed()), (2, failed())]);
    assert_eq!(statuses(&e), [Failed, Skipped, Failed, Skipped, Skipped]);
}

#[test]
fn it_is_decided_once_everything_before_has_ended() {
    // `c` is skipped at once when `a` fails, while `x` still runs.
    let steps = vec![
        step("a", &[]),
        step("x", &[]),
        step("c", &["a", "x"]),
        when("undo", &["c"], status("a", &[Failed])),
    ];
    for (outcome, expected) in [(Outcome::Success, StepStatus::Running), (failed(), Skipped)] {
        let mut e = execution(steps.clone(), 4);
        apply(&mut e, Event::Begin, at(0)).unwrap();
        apply(&mut e, ended(0, failed()), at(1)).unwrap();
        assert_eq!(statuses(&e)[2..], [Skipped, StepStatus::Pending]);
        apply(&mut e, ended(1, outcome), at(2)).unwrap();
        assert_eq!(statuses(&e)[3], expected);
    }
}

#[test]
fn three_ways_to_be_skipped_can_be_tested() {
    let steps = |own: bool| {
        let mut a = if own { when("a", &[], never()) } else { step("a", &[]) };
        a.flow.skip_exit_codes = ExitCodes::new(vec![ExitRange { first: 99, last: 99 }]);
        vec![
            a,
            step("b", &["a"]),
            when("c", &["a"], status("a", &[Skipped])),
            when("d", &["b"], status("b", &[Skipped])),
        ]
    };
    let e = run(steps(true), &[]);
    assert_eq!(statuses(&e), [Skipped, Skipped, Success, Success]);
    assert_eq!(reasons(&e)[..2], [Some(SkipReason::Condition), Some(SkipReason::Dependency)]);
    assert_eq!(e.head().status, ExecutionStatus::Success);
    let e = run(steps(false), &[(0, skipped())]);
    assert_eq!(statuses(&e), [Skipped, Skipped, Success, Success]);
    assert_eq!(reasons(&e)[0], Some(SkipReason::ExitCode));
    let error = e.steps()[0].error.as_deref();
    assert_eq!(error, Some("exit status 99 is one of its `skip_exit_codes`"));
}

#[test]
fn dependents_of_a_step_that_skips_itself_run_if_it_says_so() {
    for own in [true, false] {
        let mut a = if own { when("a", &[], never()) } else { step("a", &[]) };
        a.flow.continue_on_skip = true;
        let mut b = step("b", &["a"]);
        b.flow.continue_on_skip = true;
        let e = run(vec![a.clone(), b.clone()], &[(0, skipped())]);
        assert_eq!(statuses(&e), [Skipped, Success]);
        // Not if a dependency skipped it.
        let e = run(
            vec![
                step("z", &[]),
                {
                    a.depends_on = vec!["z".to_owned()];
                    a
                },
                b,
            ],
            &[(0, failed())],
        );
        assert_eq!(statuses(&e), [Failed, Skipped, Skipped]);
    }
}

#[test]
fn an_exit_code_that_skips_is_not_retried() {
    let mut a = step("a", &[]);
    a.retry.max_attempts = 3;
    let e = run(vec![a], &[(0, skipped())]);
    assert_eq!((statuses(&e), e.steps()[0].attempt), (vec![Skipped], 1));
}

#[test]
fn a_cancel_evaluates_nothing() {
    let steps = vec![step("a", &[]), when("b", &["a"], status("a", &[StepStatus::Cancelled]))];
    let mut e = execution(steps, 1);
    apply(&mut e, Event::Begin, at(0)).unwrap();
    apply(&mut e, Event::Cancel("enough".to_owned()), at(1)).unwrap();
    apply(&mut e, ended(0, Outcome::Stopped), at(2)).unwrap();
    assert_eq!(statuses(&e), [StepStatus::Cancelled; 2]);
}

#[test]
fn an_interrupted_dependency_can_be_tested() {
    let steps = vec![
        step("a", &[]),
        when("b", &["a"], status("a", &[Interrupted])),
        when("c", &["a"], status("a", &[Failed])),
    ];
    let e = run(steps, &[(0, Outcome::Lost)]);
    assert_eq!(statuses(&e), [Interrupted, Success, Skipped]);
    assert_eq!(e.head().status, ExecutionStatus::Interrupted);
}

#[test]
fn a_long_chain_of_skips_needs_no_deep_stack() {
    let mut steps = vec![when("s0", &[], never())];
    for n in 1..1_000 {
        let mut step = when(&format!("s{n}"), &[&format!("s{}", n - 1)], never());
        step.work = Work::Nothing;
        step.flow.continue_on_skip = true;
        steps.push(step);
    }
    steps[0].flow.continue_on_skip = true;
    let e = run(steps, &[]);
    assert!(reasons(&e).iter().all(|reason| *reason == Some(SkipReason::Condition)));
}
