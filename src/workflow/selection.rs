//! Which steps of a replay run, and which are reused: a pure function of the recorded execution,
//! the definition that is run now, and what was asked for.
//!
//! A step is reused only if everything that it depends on is reused, so that it saw then what it
//! would see now.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use indexmap::IndexMap;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use serde_json::value::RawValue;

use super::check::nearest;
use super::compiled::CompiledWorkflow;
use super::definition::{Definition, Step, Work};
use super::handler::HandlerKind;
use super::record::{SkipReason, StepRecord, StepStatus};
use super::retry_on::EndCause;
use crate::base::visible::{quote, quote_list};

/// Keys of a workflow that do not change what a step does. `env` and `shell` are compared with those
/// of each step.
const HARMLESS_WORKFLOW_KEYS: [&str; 17] = [
    "id",
    "name",
    "title",
    "description",
    "params",
    "env",
    "shell",
    "max_parallel",
    "timeout",
    "retention",
    "notify",
    "schedule",
    "overlap",
    "blackout",
    "expect",
    "concurrency",
    "steps",
];
/// Keys of a step that do not change what it does, and those that are compared on their own.
const HARMLESS_STEP_KEYS: [&str; 6] =
    ["name", "title", "description", "depends_on", "env", "shell"];
/// How many unknown names are reported.
const UNKNOWN_MAX: usize = 1_000;
/// After this many unknown names, similar ones are no longer looked up, since that takes time.
const SUGGESTIONS_MAX: usize = 20;
/// How many names are compared at a time.
const NAMES_AT_A_TIME: usize = 256;

/// What a replay does with a step.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Action {
    /// It runs.
    Run,
    /// Its recorded end holds for the new execution.
    Reuse,
}

impl Action {
    /// The word in tables and JSON.
    #[must_use]
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Run => "run",
            Self::Reuse => "reuse",
        }
    }
}

/// An execution that is replayed.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Recorded<'a> {
    /// The definition that it ran.
    pub compiled: &'a CompiledWorkflow,
    /// Its steps as they are stored; their output is not needed.
    pub steps: &'a [StepRecord],
    /// Its error.
    pub error: Option<&'a str>,
}

/// What is asked for. Neither: everything runs.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Wanted<'a> {
    /// These steps of the list run, with everything downstream, and what `failed` says.
    pub from: &'a [usize],
    /// Every step runs that did not succeed, with everything downstream.
    pub failed: bool,
}

impl Wanted<'_> {
    /// Whether any step may be reused.
    #[must_use]
    pub(crate) fn is_partial(&self) -> bool {
        self.failed || !self.from.is_empty()
    }
}

/// Why a step runs or is reused.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Why {
    /// Runs: nothing is to be reused.
    Everything,
    /// Runs: it is named.
    Named,
    /// Runs: the execution has no step of this name.
    New,
    /// Runs: these keys are not what they were.
    Changed(Vec<String>),
    /// Runs: these keys of the workflow are not what they were.
    WorkflowChanged(Vec<String>),
    /// Runs: it did not succeed.
    Unsuccessful(StepStatus),
    /// Runs: the timeout of the workflow left it no time to succeed.
    OutOfTime,
    /// Runs: it depends on this step, which runs.
    After(usize),
    /// Is reused: it succeeded.
    Succeeded,
    /// Is reused: it failed, which is tolerated.
    Tolerated,
    /// Is reused: its own condition or exit code said that there was nothing to do.
    NothingToDo(SkipReason),
    /// Is reused: it was skipped with a step that it depends on, which is reused.
    SkippedToo,
}

impl Why {
    /// What it leads to.
    #[must_use]
    pub(crate) fn action(&self) -> Action {
        match self {
            Self::Succeeded | Self::Tolerated | Self::NothingToDo(_) | Self::SkippedToo => {
                Action::Reuse
            }
            _ => Action::Run,
        }
    }

    /// The reason in words; `original` is what the replayed execution is called, `ran_in` the one in
    /// which the step really ran.
    #[must_use]
    pub(crate) fn words(&self, target: &CompiledWorkflow, original: &str, ran_in: &str) -> String {
        match self {
            Self::Everything => "everything runs again".to_owned(),
            Self::Named => "it is named by `from`".to_owned(),
            Self::New => format!("{original} has no step of this name"),
            Self::Changed(keys) => format!("its {} changed", quote_list(names(keys))),
            Self::WorkflowChanged(keys) => {
                format!("{} of the workflow changed", quote_list(names(keys)))
            }
            Self::Unsuccessful(status) => match status {
                StepStatus::Pending | StepStatus::Running => {
                    format!("it did not end in {original}")
                }
                StepStatus::Failed => format!("it failed in {original}"),
                other => format!("it was {other} in {original}"),
            },
            Self::OutOfTime => format!("{original} timed out before it ended"),
            Self::After(step) => {
                format!("it depends on {}, which runs", quote(&target.step(*step).name))
            }
            Self::Succeeded => format!("it succeeded in {ran_in}"),
            Self::Tolerated => {
                format!("it failed in {ran_in}, which its `continue_on_error` tolerates")
            }
            Self::NothingToDo(SkipReason::ExitCode) => {
                format!("its exit code in {ran_in} said that there was nothing to do")
            }
            Self::NothingToDo(_) => format!("its `when` was false in {ran_in}"),
            Self::SkippedToo => {
                format!("it was skipped in {ran_in} with a step that it depends on")
            }
        }
    }
}

fn names(keys: &[String]) -> impl Iterator<Item = &str> + Clone {
    keys.iter().map(String::as_str)
}

/// Decides for each step of `target`, by index in its list.
#[must_use]
pub(crate) fn select(
    recorded: Recorded<'_>,
    target: &CompiledWorkflow,
    wanted: Wanted<'_>,
) -> Vec<Why> {
    let steps = &target.definition().steps;
    if !wanted.is_partial() {
        return vec![Why::Everything; steps.len()];
    }
    let comparison = Comparison::new(recorded, target);
    let named: BTreeSet<usize> = wanted.from.iter().copied().collect();
    // What each step depends on is decided before it.
    let mut decided: Vec<Why> = vec![Why::Everything; steps.len()];
    for &step in &target.graph().order {
        let runs = |before: &&usize| decided[**before].action() == Action::Run;
        decided[step] = if named.contains(&step) {
            Why::Named
        } else {
            let why = comparison.judge(&steps[step]);
            match target.graph().dependencies[step].iter().find(runs) {
                Some(&before) if why.action() == Action::Reuse => Why::After(before),
                _ => why,
            }
        };
    }
    decided
}

/// Why the recorded end of a step holds for a replay, or why it does not. `timeout` is the error of
/// an execution that timed out.
fn ended(definition: &Step, step: &StepRecord, timeout: Option<&str>) -> Why {
    match (step.status, step.skip_reason) {
        (StepStatus::Success, _) => Why::Succeeded,
        (StepStatus::Failed, _) if definition.continue_on_error => match timeout {
            Some(timeout) if is_out_of_time(definition, step, timeout) => Why::OutOfTime,
            _ => Why::Tolerated,
        },
        // It runs after all if the step runs that it was skipped with.
        (StepStatus::Skipped, Some(SkipReason::Dependency)) => Why::SkippedToo,
        (StepStatus::Skipped, Some(own)) => Why::NothingToDo(own),
        (status, _) => Why::Unsuccessful(status),
    }
}

/// Whether a step of an execution that timed out was still to succeed then: it ran, or had another
/// attempt left.
fn is_out_of_time(definition: &Step, step: &StepRecord, timeout: &str) -> bool {
    let may_repeat = || definition.retry_on.covers(EndCause::Exit, step.exit_code);
    step.error.as_deref() == Some(timeout)
        || step.reused_from.is_none()
            && step.attempt < definition.retry.max_attempts
            && may_repeat()
}

/// The steps that were recorded, by name, beside the definition that is run now.
struct Comparison<'a> {
    recorded: HashMap<&'a str, (&'a Step, &'a StepRecord)>,
    before: &'a Definition,
    now: &'a Definition,
    is_same: bool,
    /// The error of an execution that timed out, if the recorded one did.
    timeout: Option<&'a str>,
    /// Changed keys of the workflow that concern each step.
    changed: Vec<String>,
    /// Variables that the workflow does not set as it did.
    changed_env: Vec<&'a str>,
}

impl<'a> Comparison<'a> {
    fn new(recorded: Recorded<'a>, target: &'a CompiledWorkflow) -> Self {
        let (before, now) = (recorded.compiled.definition(), target.definition());
        let is_same = before == now;
        let stored: HashMap<&str, &StepRecord> =
            recorded.steps.iter().map(|step| (step.name.as_str(), step)).collect();
        let pair = |step: &'a Step| {
            let name = step.name.as_str();
            stored.get(name).map(|record| (name, (step, *record)))
        };
        let (mut changed, mut changed_env) = (Vec::new(), Vec::new());
        if !is_same {
            changed = changed_workflow_keys(before, now);
            let names = before.env.keys().chain(now.env.keys()).map(String::as_str);
            changed_env =
                names.filter(|name| before.env.get(*name) != now.env.get(*name)).collect();
        }
        let by_name = before.steps.iter().filter_map(pair).collect();
        // It may have ended for another reason all the same.
        let text = before.timeout_text();
        let errors = recorded.steps.iter().filter_map(|step| step.error.as_deref());
        let timeout = recorded.error.into_iter().chain(errors).find(|error| *error == text);
        Self { recorded: by_name, before, now, is_same, timeout, changed, changed_env }
    }

    /// Whether the step itself could be reused, whatever it depends on.
    fn judge(&self, step: &Step) -> Why {
        let Some((before, record)) = self.recorded.get(step.name.as_str()) else {
            return Why::New;
        };
        if !self.is_same {
            let changed = self.changed_keys(before, step);
            if !changed.is_empty() {
                return Why::Changed(changed);
            }
            if !self.changed.is_empty() {
                return Why::WorkflowChanged(self.changed.clone());
            }
        }
        ended(before, record, self.timeout)
    }

    fn changed_keys(&self, before: &Step, now: &Step) -> Vec<String> {
        let mut changed = differing(&step_keys(before), &step_keys(now));
        if names_of(before) != names_of(now) {
            changed.push("depends_on".to_owned());
        }
        if self.is_env_changed(before, now) {
            changed.push("env".to_owned());
        }
        if shell_of(before, self.before) != shell_of(now, self.now) {
            changed.push("shell".to_owned());
        }
        changed
    }

    /// Whether a variable of the step has another value: its own, or one of the workflow that it
    /// does not set itself.
    fn is_env_changed(&self, before: &Step, now: &Step) -> bool {
        let own = before.env.keys().chain(now.env.keys()).map(String::as_str);
        let mut names = own.chain(self.changed_env.iter().copied());
        names.any(|name| {
            let then = before.env.get(name).or_else(|| self.before.env.get(name));
            then != now.env.get(name).or_else(|| self.now.env.get(name))
        })
    }
}

/// The `shell` that a step of a workflow is run with.
fn shell_of<'a>(step: &'a Step, workflow: &'a Definition) -> Option<&'a [String]> {
    let own = step.process.shell.as_deref();
    let has_line = matches!(step.work, Work::Shell(_));
    own.or_else(|| workflow.shell.as_deref().filter(|_| has_line))
}

fn names_of(step: &Step) -> BTreeSet<&str> {
    step.depends_on.iter().map(String::as_str).collect()
}

/// The keys of a step that decide what it does, so that a key which is added to workflows is
/// compared as well.
fn step_keys(step: &Step) -> BTreeMap<String, Value> {
    let keys = match serde_json::to_value(step) {
        Ok(Value::Object(keys)) => keys,
        _ => serde_json::Map::new(),
    };
    keys.into_iter().filter(|(key, _)| counts(key, &HARMLESS_STEP_KEYS)).collect()
}

fn changed_workflow_keys(before: &Definition, now: &Definition) -> Vec<String> {
    let keys = |definition: &Definition| -> BTreeMap<String, String> {
        let text = serde_json::to_string(definition).unwrap_or_default();
        let keys: IndexMap<String, &RawValue> = serde_json::from_str(&text).unwrap_or_default();
        // Handlers always run again.
        let is_handler = |key: &str| HandlerKind::ALL.iter().any(|kind| kind.as_str() == key);
        let count = keys
            .into_iter()
            .filter(|(key, _)| counts(key, &HARMLESS_WORKFLOW_KEYS) && !is_handler(key));
        count.map(|(key, value)| (key, value.get().to_owned())).collect()
    };
    differing(&keys(before), &keys(now))
}

fn counts(key: &str, harmless: &[&str]) -> bool {
    !harmless.contains(&key) && !key.starts_with("x-")
}

/// The keys that only one of the two has, or with another value.
fn differing<V: PartialEq>(before: &BTreeMap<String, V>, now: &BTreeMap<String, V>) -> Vec<String> {
    let keys: BTreeSet<&String> = before.keys().chain(now.keys()).collect();
    keys.into_iter().filter(|key| before.get(*key) != now.get(*key)).cloned().collect()
}

/// A name that no step has.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct UnknownStep {
    /// Its index in the list of names.
    pub index: usize,
    /// What was given.
    pub name: String,
    /// The step that was probably meant.
    pub near: Option<String>,
    /// A handler has this name.
    pub is_handler: bool,
}

impl UnknownStep {
    /// What is wrong with it.
    #[must_use]
    pub(crate) fn message(&self) -> String {
        let name = quote(&self.name);
        match &self.near {
            _ if self.is_handler => format!("{name} is a handler; handlers always run"),
            Some(near) => format!("no step is called {name}; did you mean {}?", quote(near)),
            None => format!("no step is called {name}"),
        }
    }
}

/// The steps of these names, by index in the list.
///
/// # Errors
/// Every name that no step has; if there are very many, the first.
pub(crate) fn find_steps(
    names: &[String],
    definition: &Definition,
) -> Result<Vec<usize>, Vec<UnknownStep>> {
    if names.is_empty() {
        return Ok(Vec::new());
    }
    let by_name: HashMap<&str, usize> =
        definition.steps.iter().enumerate().map(|(at, step)| (step.name.as_str(), at)).collect();
    let mut unknown: Vec<UnknownStep> = Vec::new();
    let mut found = Vec::with_capacity(names.len());
    for (index, name) in names.iter().enumerate() {
        match by_name.get(name.as_str()) {
            Some(&step) => found.push(step),
            None if unknown.len() == UNKNOWN_MAX => break,
            None => {
                let is_handler =
                    definition.handlers.iter().any(|handler| handler.step.name == *name);
                let may_suggest = !is_handler && unknown.len() < SUGGESTIONS_MAX;
                let near = may_suggest.then(|| nearest_step(name, definition)).flatten();
                unknown.push(UnknownStep { index, name: name.clone(), near, is_handler });
            }
        }
    }
    if unknown.is_empty() { Ok(found) } else { Err(unknown) }
}

fn nearest_step(name: &str, definition: &Definition) -> Option<String> {
    let best = definition
        .steps
        .chunks(NAMES_AT_A_TIME)
        .filter_map(|steps| nearest::nearest(name, steps.iter().map(|step| step.name.as_str())));
    nearest::nearest(name, best).map(str::to_owned)
}

#[cfg(test)]
pub(crate) mod tests;
