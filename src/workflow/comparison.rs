//! What differs between two executions: definition, parameters, steps.                   (pure)

use std::collections::{BTreeSet, HashMap, HashSet};
use std::time::Duration;

use serde::Serialize;
use serde_json::Value;
use similar::{Algorithm, TextDiff};

use super::check;
use super::document::write::yaml;
use super::handler::HandlerKind;
use super::record::{ExecutionRecord, ExecutionStatus, HandlerRecord, StepRecord, StepStatus};

/// Unchanged lines around each change.
const CONTEXT_LINES: usize = 3;

/// Two executions side by side.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub(crate) struct Comparison {
    /// What both are.
    pub executions: Sides<ComparedExecution>,
    /// A unified diff of the definitions as YAML; empty if they are the same.
    pub definition: String,
    /// Each parameter that either has, by name.
    pub params: Vec<Compared<Value>>,
    /// Each step that either has: those of the second in its order, then those that only the
    /// first has.
    pub steps: Vec<Compared<ComparedStep>>,
    /// In the same way each handler that began in either.
    pub handlers: Vec<Compared<ComparedHandler>>,
}

/// What the first and the second have.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub(crate) struct Sides<T> {
    pub from: T,
    pub to: T,
}

/// One of the executions.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub(crate) struct ComparedExecution {
    pub seq: Option<i64>,
    pub execution_id: String,
    pub workflow_id: String,
    pub status: ExecutionStatus,
    /// From its start to its end, milliseconds.
    pub duration_ms: Option<u64>,
    /// The folder that relative paths start from.
    pub workdir: Option<String>,
}

/// What has a name in either.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub(crate) struct Compared<T> {
    pub name: String,
    pub change: ChangeKind,
    pub from: Option<T>,
    pub to: Option<T>,
}

/// How the two differ in it. How long a step took does not count.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum ChangeKind {
    Same,
    Changed,
    /// Only the second has it.
    Added,
    /// Only the first has it.
    Removed,
}

/// A step of one of the executions.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub(crate) struct ComparedStep {
    pub status: StepStatus,
    /// From its first attempt's start to its end, milliseconds.
    pub duration_ms: Option<u64>,
    /// The execution in which it really ran, if that is another one.
    pub reused_from: Option<String>,
    /// The number of that.
    pub reused_from_seq: Option<i64>,
}

/// A handler of one of the executions.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub(crate) struct ComparedHandler {
    /// After which outcome it ran.
    pub handler: HandlerKind,
    pub status: StepStatus,
    /// From its first attempt's start to its end, milliseconds.
    pub duration_ms: Option<u64>,
}

/// What is compared of an execution; no output is needed.
#[derive(Debug, Clone, Copy)]
pub(crate) struct ComparedWith<'a> {
    pub execution: &'a ExecutionRecord,
    /// In their order.
    pub steps: &'a [StepRecord],
    /// Those that began, in their order.
    pub handlers: &'a [HandlerRecord],
}

impl Comparison {
    /// Compares two executions.
    #[must_use]
    pub(crate) fn of(from: ComparedWith<'_>, to: ComparedWith<'_>) -> Self {
        let snapshots = [from, to].map(|side| side.execution.input_snapshot.value());
        let [before, after] = &snapshots;
        let params = |snapshot: &Value| snapshot["params"].as_object().cloned().unwrap_or_default();
        let (before_params, after_params) = (params(before), params(after));
        let names: BTreeSet<&String> = before_params.keys().chain(after_params.keys()).collect();
        let params = names.into_iter().map(|name| {
            let values = (before_params.get(name).cloned(), after_params.get(name).cloned());
            compared(name, values, |from, to| from == to)
        });
        Self {
            executions: Sides {
                from: ComparedExecution::of(from.execution, before),
                to: ComparedExecution::of(to.execution, after),
            },
            definition: definition_diff(before, after),
            params: params.collect(),
            steps: steps(from.steps, to.steps),
            handlers: handlers(from.handlers, to.handlers),
        }
    }
}

impl ComparedExecution {
    fn of(execution: &ExecutionRecord, snapshot: &Value) -> Self {
        let took = execution.completed_at.zip(execution.started_at);
        Self {
            seq: execution.seq,
            execution_id: execution.execution_id.clone(),
            workflow_id: execution.workflow_id.clone(),
            status: execution.status,
            duration_ms: took.map(|(end, start)| millis(end.since(start))),
            workdir: snapshot["workdir"].as_str().map(str::to_owned),
        }
    }
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

fn steps(from: &[StepRecord], to: &[StepRecord]) -> Vec<Compared<ComparedStep>> {
    let of = |step: &StepRecord| ComparedStep {
        status: step.status,
        duration_ms: step.duration_ms,
        reused_from: step.reused_from.clone(),
        reused_from_seq: step.reused_from_seq,
    };
    let is_same = |from: &ComparedStep, to: &ComparedStep| from.status == to.status;
    by_name(from, to, |step| &step.name, of, is_same)
}

fn handlers(from: &[HandlerRecord], to: &[HandlerRecord]) -> Vec<Compared<ComparedHandler>> {
    let of = |handler: &HandlerRecord| ComparedHandler {
        handler: handler.handler,
        status: handler.step.status,
        duration_ms: handler.step.duration_ms,
    };
    let is_same = |from: &ComparedHandler, to: &ComparedHandler| {
        (from.handler, from.status) == (to.handler, to.status)
    };
    by_name(from, to, |handler| &handler.step.name, of, is_same)
}

/// Matches records by name: those of the second in its order, then those that only the first has.
fn by_name<R, T>(
    from: &[R],
    to: &[R],
    name: impl Fn(&R) -> &str,
    of: impl Fn(&R) -> T,
    is_same: impl Fn(&T, &T) -> bool,
) -> Vec<Compared<T>> {
    let before: HashMap<&str, &R> = from.iter().map(|record| (name(record), record)).collect();
    let after: HashSet<&str> = to.iter().map(&name).collect();
    let removed = from.iter().filter(|record| !after.contains(name(record)));
    to.iter()
        .map(|record| (name(record), before.get(name(record)).map(|&it| of(it)), Some(of(record))))
        .chain(removed.map(|record| (name(record), Some(of(record)), None)))
        .map(|(name, from, to)| compared(name, (from, to), &is_same))
        .collect()
}

fn compared<T>(
    name: &str,
    (from, to): (Option<T>, Option<T>),
    is_same: impl Fn(&T, &T) -> bool,
) -> Compared<T> {
    let change = match (&from, &to) {
        (Some(from), Some(to)) if is_same(from, to) => ChangeKind::Same,
        (None, _) => ChangeKind::Added,
        (_, None) => ChangeKind::Removed,
        _ => ChangeKind::Changed,
    };
    Compared { name: name.to_owned(), change, from, to }
}

/// A unified diff of the definitions of two snapshots, without a head; empty if they are the same.
#[must_use]
pub(crate) fn definition_diff(from: &Value, to: &Value) -> String {
    let (from, to) = (definition_text(from), definition_text(to));
    if from == to {
        return String::new();
    }
    // Lines that occur once on both sides are matched first: what is moved or replaced as a whole
    // costs no search for the fewest lines.
    let diff = TextDiff::configure().algorithm(Algorithm::Patience).diff_lines(&from, &to);
    diff.unified_diff().context_radius(CONTEXT_LINES).missing_newline_hint(false).to_string()
}

/// The definition of a snapshot for people.
fn definition_text(snapshot: &Value) -> String {
    // As this version writes it, whichever stored it; and as it is if it cannot be run any more.
    let written = check::snapshot(snapshot)
        .ok()
        .and_then(|read| serde_json::to_value(read.definition()).ok());
    yaml(written.as_ref().or_else(|| snapshot.get("definition")).unwrap_or(snapshot))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn snapshot(steps: &Value) -> Value {
        json!({"definition": {"id": "w", "steps": steps}, "params": {}, "workdir": "/"})
    }

    #[test]
    fn a_definition_is_compared_line_by_line_also_within_a_script() {
        let script = |second: &str| {
            snapshot(
                &json!([{"name": "a", "depends_on": [], "run": format!("set -e\n{second}\ndone\n")}]),
            )
        };
        assert_eq!(definition_diff(&script("x"), &script("x")), "");
        let diff = definition_diff(&script("make old"), &script("make new"));
        let changed: Vec<&str> =
            diff.lines().filter(|line| line.starts_with(['-', '+'])).map(str::trim_end).collect();
        assert_eq!(changed, ["-      make old", "+      make new"], "{diff}");
        assert!(diff.starts_with("@@ -"), "{diff}");
    }

    #[test]
    fn what_is_written_differently_but_means_the_same_is_the_same() {
        let old = snapshot(&json!([{"name": "a"}, {"name": "b"}]));
        let new =
            snapshot(&json!([{"name": "a", "depends_on": []}, {"name": "b", "depends_on": ["a"]}]));
        assert_eq!(definition_diff(&old, &new), "");
        // What cannot be run any more is compared as it is stored.
        let broken = json!({"definition": {"id": "w", "steps": 7}});
        assert!(definition_diff(&broken, &new).contains("-steps: 7"));
    }

    #[test]
    fn steps_are_matched_by_name() {
        let step = |name: &str, status, duration_ms| StepRecord {
            name: name.to_owned(),
            status,
            depends_on: Vec::new(),
            started_at: None,
            completed_at: None,
            error: None,
            position: 0,
            duration_ms,
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
        };
        let before = [
            step("gone", StepStatus::Success, Some(1)),
            step("same", StepStatus::Success, Some(2)),
            step("fixed", StepStatus::Failed, Some(3)),
        ];
        let after = [
            step("fixed", StepStatus::Success, Some(4)),
            step("new", StepStatus::Success, None),
            step("same", StepStatus::Success, Some(9)),
        ];
        let shown: Vec<(String, ChangeKind)> =
            steps(&before, &after).into_iter().map(|step| (step.name, step.change)).collect();
        let expected = [
            ("fixed", ChangeKind::Changed),
            ("new", ChangeKind::Added),
            ("same", ChangeKind::Same),
            ("gone", ChangeKind::Removed),
        ];
        assert_eq!(shown, expected.map(|(name, change)| (name.to_owned(), change)));
    }
}
