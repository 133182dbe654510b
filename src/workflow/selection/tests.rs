//! Rules of the selection by example, and on random graphs.

use proptest::prelude::*;

use super::*;
use crate::workflow::check::{self, Format, Source};

fn compiled(text: &str) -> CompiledWorkflow {
    let source = Source { name: "test", text, format: Format::Yaml, default_id: Some("w") };
    CompiledWorkflow::of(check::read(&source).unwrap()).unwrap()
}

pub(crate) fn record(name: &str, position: usize, status: StepStatus) -> StepRecord {
    StepRecord {
        name: name.to_owned(),
        status,
        depends_on: Vec::new(),
        started_at: None,
        completed_at: None,
        error: None,
        position: u32::try_from(position).unwrap(),
        duration_ms: None,
        attempt: 1,
        exit_code: None,
        stdout: String::new(),
        stdout_bytes: 0,
        stderr: String::new(),
        stderr_bytes: 0,
        skip_reason: None,
        outputs: Default::default(),
        reused_from: None,
        reused_from_seq: None,
        output_note: None,
        reused_position: None,
    }
}

/// All steps succeeded but those that are named.
fn records(compiled: &CompiledWorkflow, others: &[(&str, StepStatus)]) -> Vec<StepRecord> {
    let names = compiled.step_order().iter().enumerate();
    names
        .map(|(position, name)| {
            let other = others.iter().find(|(other, _)| other == name);
            record(name, position, other.map_or(StepStatus::Success, |(_, status)| *status))
        })
        .collect()
}

/// `name action: reason` of each step, with `from` by name.
fn plan(
    before: &CompiledWorkflow,
    records: &[StepRecord],
    target: &CompiledWorkflow,
    from: &[&str],
) -> Vec<String> {
    let from: Vec<String> = from.iter().map(|&name| name.to_owned()).collect();
    let from = find_steps(&from, target.definition()).unwrap();
    let wanted = Wanted { from: &from, failed: true };
    let recorded = Recorded { compiled: before, steps: records, error: None };
    let selected = select(recorded, target, wanted);
    let steps = target.definition().steps.iter().zip(selected);
    steps
        .map(|(step, why)| {
            let words = why.words(target, "@1", "@1");
            format!("{} {}: {words}", step.name, why.action().as_str())
        })
        .collect()
}

const ETL: &str = "\
steps:
- {name: extract, run: echo 1}
- {name: clean, run: echo 2, continue_on_error: true}
- {name: load, run: echo 3}
- {name: report, run: echo 4}
- {name: other, depends_on: [], run: echo 5}
";

#[test]
fn what_failed_runs_with_all_that_depends_on_it() {
    let etl = compiled(ETL);
    let records = records(
        &etl,
        &[
            ("clean", StepStatus::Failed),
            ("load", StepStatus::Failed),
            ("report", StepStatus::Skipped),
        ],
    );
    assert_eq!(
        plan(&etl, &records, &etl, &[]),
        [
            "extract reuse: it succeeded in @1",
            "clean reuse: it failed in @1, which its `continue_on_error` tolerates",
            "load run: it failed in @1",
            "report run: it was skipped in @1",
            "other reuse: it succeeded in @1",
        ]
    );
}

#[test]
fn from_runs_a_step_with_all_downstream_and_what_did_not_succeed() {
    let etl = compiled(ETL);
    let records = records(&etl, &[("other", StepStatus::Cancelled)]);
    assert_eq!(
        plan(&etl, &records, &etl, &["load"]),
        [
            "extract reuse: it succeeded in @1",
            "clean reuse: it succeeded in @1",
            "load run: it is named by `from`",
            "report run: it depends on `load`, which runs",
            "other run: it was cancelled in @1",
        ]
    );
}

#[test]
fn without_either_everything_runs() {
    let etl = compiled(ETL);
    let records = records(&etl, &[]);
    let wanted = Wanted { from: &[], failed: false };
    let selected = select(Recorded { compiled: &etl, steps: &records, error: None }, &etl, wanted);
    assert_eq!(selected, vec![Why::Everything; 5]);
}

/// How each step of `now` is planned when all steps of `before` succeeded.
fn replaced(before: &str, now: &str) -> Vec<String> {
    let (before, now) = (compiled(before), compiled(now));
    plan(&before, &records(&before, &[]), &now, &[])
}

#[test]
fn steps_are_compared_by_name_and_by_what_they_do() {
    let before = "steps: [{name: a, run: x}, {name: b, run: y, depends_on: []}, {name: c, run: z}]";
    // Reordered, with keys that do nothing.
    assert_eq!(
        replaced(
            before,
            "description: more\nmax_parallel: 2\ntimeout: 5m\nx-team: ops\nsteps: [\
             {name: b, run: y, x-owner: me}, {name: c, run: z}, {name: a, depends_on: [], run: x}]"
        ),
        [
            "b reuse: it succeeded in @1",
            "c reuse: it succeeded in @1",
            "a reuse: it succeeded in @1",
        ]
    );
    // Renamed: what depends on it has another dependency.
    assert_eq!(
        replaced(
            before,
            "steps: [{name: a, run: x}, {name: d, run: y, depends_on: []}, {name: c, run: z}]"
        ),
        [
            "a reuse: it succeeded in @1",
            "d run: @1 has no step of this name",
            "c run: its `depends_on` changed",
        ]
    );
    // Removed.
    assert_eq!(
        replaced(before, "steps: [{name: b, run: y}, {name: c, run: z, cwd: x, timeout: 5s}]"),
        ["b reuse: it succeeded in @1", "c run: its `cwd`, `timeout` changed"]
    );
    assert_eq!(
        replaced(
            before,
            "steps: [{name: a, run: [x]}, {name: b, run: y, depends_on: []}, {name: c, run: z}]"
        ),
        ["a run: its `run` changed", "b reuse: it succeeded in @1", "c reuse: it succeeded in @1",]
    );
}

#[test]
fn dependencies_are_a_set() {
    let steps = |c: &str| {
        format!("steps: [{{name: a}}, {{name: b, depends_on: []}}, {{name: c, depends_on: {c}}}]")
    };
    let reused = ["a", "b", "c"].map(|name| format!("{name} reuse: it succeeded in @1"));
    assert_eq!(replaced(&steps("[a, b]"), &steps("[b, a]")), reused);
    let changed = replaced(&steps("[a, b]"), &steps("[b]"));
    assert_eq!(changed[2], "c run: its `depends_on` changed");
}

#[test]
fn a_variable_counts_wherever_it_is_set() {
    let reused = "a reuse: it succeeded in @1";
    let changed = "a run: its `env` changed";
    let with = |workflow: &str, step: &str| {
        format!("env: {{{workflow}}}\nsteps: [{{name: a, run: x, env: {{{step}}}}}]")
    };
    let before = with("A: '1'", "B: '2'");
    for (now, planned) in [
        (with("A: '1'", "B: '2'"), reused),
        (with("", "B: '2', A: '1'"), reused),
        (with("A: '1', B: '2'", ""), reused),
        (with("A: '1', B: '3'", "B: '2'"), reused),
        (with("A: '2'", "B: '2', A: '1'"), reused),
        (with("A: '2'", "B: '2'"), changed),
        (with("A: '1'", "B: '3'"), changed),
        (with("A: '1', C: '1'", "B: '2'"), changed),
        (with("", "B: '2'"), changed),
    ] {
        assert_eq!(replaced(&before, &now), [planned], "{now}");
    }
}

#[test]
fn a_shell_counts_for_the_steps_that_it_runs() {
    let with = |workflow: &str, step: &str| {
        format!(
            "{workflow}\nsteps: [{{name: a, run: x{step}}}, {{name: b, depends_on: [], run: [x]}}, \
             {{name: c, depends_on: [], sleep: 1s}}]"
        )
    };
    let bash = "shell: [bash, -c]";
    let before = with(bash, "");
    let [a, b, c] = [
        "a reuse: it succeeded in @1",
        "b reuse: it succeeded in @1",
        "c reuse: it succeeded in @1",
    ];
    assert_eq!(replaced(&before, &with("", ", shell: [bash, -c]")), [a, b, c]);
    assert_eq!(replaced(&before, &with("shell: [ksh, -c]", ", shell: [bash, -c]")), [a, b, c]);
    let changed = "a run: its `shell` changed";
    for now in [with("", ""), with("shell: [ksh, -c]", ""), with(bash, ", shell: [ksh, -c]")] {
        assert_eq!(replaced(&before, &now), [changed, b, c], "{now}");
    }
}

#[test]
fn a_default_of_a_parameter_is_no_key_of_a_step() {
    assert_eq!(
        replaced("params: {p: 1}\nsteps: [{name: a}]", "params: {p: 2, q: 3}\nsteps: [{name: a}]"),
        ["a reuse: it succeeded in @1"]
    );
}

#[test]
fn an_unknown_name_is_found_with_the_nearest_of_a_thousand() {
    let steps: String = (0..1000).map(|n| format!("- {{name: stage-{n}}}\n")).collect();
    let many = compiled(&format!("steps:\n{steps}"));
    let names = ["stage-3", "Stage_999", "nothing like it"].map(str::to_owned);
    let unknown = find_steps(&names, many.definition()).unwrap_err();
    let shown: Vec<_> =
        unknown.iter().map(|unknown| (unknown.index, unknown.near.as_deref())).collect();
    assert_eq!(shown, [(1, Some("stage-999")), (2, None)]);
}

/// How `retry` plans the one step of a workflow whose failure is tolerated, in an execution that
/// ended with `error`.
fn tolerated(keys: &str, error: &str, step: StepRecord) -> String {
    let one = compiled(&format!("timeout: 5s\nsteps: [{{name: a, run: x, {keys}}}]"));
    let records = [StepRecord { status: StepStatus::Failed, ..step }];
    let recorded = Recorded { compiled: &one, steps: &records, error: Some(error) };
    let selected = select(recorded, &one, Wanted { from: &[], failed: true });
    selected[0].words(&one, "@1", "@1")
}

#[test]
fn what_the_timeout_of_the_workflow_ended_is_no_tolerated_failure() {
    let (timeout, tolerate) = ("the workflow timed out after 5s", "continue_on_error: true");
    let failed = |error: &str| StepRecord {
        error: Some(error.to_owned()),
        exit_code: Some(1),
        ..record("a", 0, StepStatus::Failed)
    };
    let reuse = "it failed in @1, which its `continue_on_error` tolerates";
    let run = "@1 timed out before it ended";
    assert_eq!(tolerated(tolerate, timeout, failed(timeout)), run);
    assert_eq!(tolerated(tolerate, "step `b` was interrupted", failed(timeout)), run);
    assert_eq!(tolerated(tolerate, timeout, failed("exit status 1")), reuse);
    assert_eq!(tolerated(tolerate, "step `b` failed", failed("exit status 1")), reuse);
    // It waited for its next attempt.
    let retry = format!("{tolerate}, retry: {{max_attempts: 2}}");
    assert_eq!(tolerated(&retry, timeout, failed("exit status 1")), run);
    let last = StepRecord { attempt: 2, ..failed("exit status 1") };
    assert_eq!(tolerated(&retry, timeout, last), reuse);
    let none = format!("{tolerate}, retry: {{max_attempts: 2, on_exit_codes: [75]}}");
    assert_eq!(tolerated(&none, timeout, failed("exit status 1")), reuse);
    // It failed in an execution that did not time out.
    let earlier = StepRecord { reused_from: Some("e".to_owned()), ..failed("exit status 1") };
    assert_eq!(tolerated(&retry, timeout, earlier), reuse);
}

#[test]
fn a_handler_is_no_step() {
    let with = compiled("steps: [{name: tidy-up}]\non_exit: [{name: tidy, run: x}]");
    let unknown = find_steps(&["tidy", "tidyup"].map(str::to_owned), with.definition());
    let messages: Vec<String> = unknown.unwrap_err().iter().map(UnknownStep::message).collect();
    assert_eq!(
        messages,
        [
            "`tidy` is a handler; handlers always run",
            "no step is called `tidyup`; did you mean `tidy-up`?"
        ]
    );
}

/// How a step ended, and why it was skipped: earlier versions did not store that.
type End = (StepStatus, Option<SkipReason>);

fn any_end() -> impl Strategy<Value = End> {
    let reason = prop::option::of(prop::sample::select(SkipReason::ALL.to_vec()));
    prop_oneof![
        6 => Just((StepStatus::Success, None)),
        1 => prop::sample::select(StepStatus::ALL.to_vec()).prop_map(|status| (status, None)),
        1 => reason.prop_map(|reason| (StepStatus::Skipped, reason)),
    ]
}

/// A step of a random workflow: lower ones that it depends on, whether its failure is tolerated,
/// its recorded end, how the new definition differs (0: not recorded, 1: another command, 2:
/// other dependencies, else equal), and whether it is named.
type Drawn = (Vec<prop::sample::Index>, bool, End, u8, bool);

fn any_steps() -> impl Strategy<Value = Vec<Drawn>> {
    let step = (
        prop::collection::vec(any::<prop::sample::Index>(), 0..4),
        prop::bool::weighted(0.2),
        any_end(),
        0_u8..30,
        prop::bool::weighted(0.05),
    );
    prop::collection::vec(step, 1..40)
}

/// The document of the steps; `is_new` for that which is run now.
fn document(steps: &[Drawn], is_new: bool) -> String {
    let mut text = "steps:\n".to_owned();
    for (at, (edges, tolerated, _, change, _)) in steps.iter().enumerate() {
        if !is_new && *change == 0 && at > 0 {
            continue;
        }
        let exists = |step: &usize| is_new || steps[*step].3 != 0 || *step == 0;
        let mut needed: BTreeSet<usize> =
            edges.iter().filter(|_| at > 0).map(|edge| edge.index(at)).filter(exists).collect();
        if is_new && *change == 2 {
            needed.clear();
        }
        let run = if is_new && *change == 1 { "other" } else { "this" };
        let needed: Vec<String> = needed.into_iter().map(|step| format!("s{step}")).collect();
        text += &format!(
            "- {{name: s{at}, run: {run}, continue_on_error: {tolerated}, depends_on: [{}]}}\n",
            needed.join(", ")
        );
    }
    text
}

proptest! {
    #[test]
    fn nothing_is_reused_that_did_not_succeed_or_depends_on_what_runs(
        steps in any_steps(),
        failed in any::<bool>(),
    ) {
        let (before, now) = (compiled(&document(&steps, false)), compiled(&document(&steps, true)));
        let ends: HashMap<String, End> =
            steps.iter().enumerate().map(|(at, step)| (format!("s{at}"), step.2)).collect();
        let stored = |(position, name): (usize, &String)| {
            let (status, skip_reason) = ends[name];
            StepRecord { skip_reason, ..record(name, position, status) }
        };
        let records: Vec<StepRecord> = before.step_order().iter().enumerate().map(stored).collect();
        let from: Vec<usize> = steps.iter().enumerate()
            .filter(|(_, step)| step.4).map(|(at, _)| at).collect();
        let wanted = Wanted { from: &from, failed };
        let recorded = Recorded { compiled: &before, steps: &records, error: None };
        let selected = select(recorded, &now, wanted);
        prop_assert_eq!(selected.len(), steps.len());
        for (at, why) in selected.iter().enumerate() {
            let step = now.step(at);
            let old = before.definition().steps.iter().find(|old| old.name == step.name);
            let record = records.iter().find(|record| record.name == step.name);
            let is_equal = old.is_some_and(|old| {
                old.work == step.work && names_of(old) == names_of(step)
            });
            let is_success = record.is_some_and(|record| {
                record.status == StepStatus::Success
                    || record.status == StepStatus::Failed && step.continue_on_error
                    || record.status == StepStatus::Skipped && record.skip_reason.is_some()
            });
            let mut upstream = now.graph().ancestors(at).into_iter();
            let after = upstream.any(|before| selected[before].action() == Action::Run);
            let may_be_reused =
                wanted.is_partial() && is_equal && is_success && !after && !from.contains(&at);
            // Each step is one or the other, and runs only for a reason.
            prop_assert_eq!(why.action() == Action::Reuse, may_be_reused, "{} {:?}", at, why);
        }
    }
}
