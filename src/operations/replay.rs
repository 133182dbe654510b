//! Runs a stored execution again: as it was given then, or only what is left of it to run.

use std::collections::HashMap;
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use serde_json::json;

use super::catalogue::Catalogue;
use super::start::Definitions;
use crate::base::visible::quote_list;
use crate::workflow::check::{self, GivenBy, Problems};
use crate::workflow::comparison;
use crate::workflow::compiled::{CompiledWorkflow, DefinitionSource, Snapshot};
use crate::workflow::definition::{Definition, Parameters, Scalar, Step, Work};
use crate::workflow::graph::Cycle;
use crate::workflow::record::{ExecutionRecord, ExecutionStatus, Reuse, StepRecord, StepState};
use crate::workflow::selection::{self, Action, Recorded, UnknownStep, Wanted, Why};
use crate::workflow::spec::ReusedStep;

/// Why an execution cannot be replayed.
#[derive(Debug)]
pub(crate) enum NotReplayable {
    /// It has not ended.
    Unfinished(ExecutionStatus),
    /// What is stored of it cannot be run any more.
    Snapshot(Problems),
    /// The definition that is to be run instead defines another workflow.
    OtherWorkflow { original: String, given: String },
    /// No step has these names.
    UnknownSteps(Vec<UnknownStep>),
    /// The parameters do not fit the workflow.
    Parameters(Problems),
    /// Every step succeeded and may be reused; the execution, as it is named in commands.
    NothingLeft(String),
    /// It was deleted meanwhile.
    Deleted,
}

/// What is asked for. By default everything runs again as it was given then.
#[derive(Debug)]
pub(crate) struct Request<'a> {
    /// Names of steps that run, with everything downstream and what `failed` says.
    pub from: &'a [String],
    /// Every step runs that did not succeed, with everything downstream; others are reused.
    pub failed: bool,
    /// Parameters that replace the stored ones.
    pub params: &'a [(String, Scalar)],
    /// Where these come from.
    pub by: GivenBy,
    /// The definition that is run instead of the snapshot, and where that comes from.
    pub with: Option<(Arc<CompiledWorkflow>, DefinitionSource)>,
}

/// A request that fits the execution; only its steps were not looked at.
#[derive(Debug)]
pub(crate) struct Prepared {
    /// What was run.
    original: Arc<CompiledWorkflow>,
    execution: Original,
    /// What is run now.
    snapshot: Snapshot,
    /// By index in the list of what is run now.
    from: Vec<usize>,
    failed: bool,
    /// The parameters of the original execution.
    old_params: Parameters,
}

/// The execution that is replayed.
#[derive(Debug)]
struct Original {
    execution_id: String,
    seq: Option<i64>,
    error: Option<String>,
}

impl Original {
    /// As it is named in commands.
    fn number(&self) -> String {
        self.seq.map_or_else(|| self.execution_id.clone(), |seq| format!("@{seq}"))
    }
}

/// What a replay does.
#[derive(Debug)]
pub(crate) struct Plan {
    /// What is run.
    pub snapshot: Snapshot,
    /// The steps that are not.
    pub reused: Vec<ReusedStep>,
    /// What becomes of each step and why, by index in the list.
    choices: Vec<Why>,
    original: Original,
    /// The parameters of the original execution.
    old_params: Parameters,
}

/// What becomes of a step, in words.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct PlannedStep {
    /// Which.
    pub name: String,
    /// Whether it runs.
    pub action: Action,
    /// Why.
    pub reason: String,
}

impl Prepared {
    /// Whether what is stored of the steps decides.
    #[must_use]
    pub(crate) fn is_partial(&self) -> bool {
        self.wanted().is_partial()
    }

    fn wanted(&self) -> Wanted<'_> {
        Wanted { from: &self.from, failed: self.failed }
    }

    /// A unified diff of the stored definition and the one that is run instead; empty if they are
    /// the same.
    #[must_use]
    pub(crate) fn definition_diff(&self) -> String {
        let value = |compiled: &CompiledWorkflow| json!({ "definition": compiled.definition() });
        comparison::definition_diff(&value(&self.original), &value(&self.snapshot.compiled))
    }

    /// What becomes of each step. `steps` are those of the execution; none are needed unless the
    /// replay [is partial](Self::is_partial).
    ///
    /// # Errors
    /// [`NotReplayable::NothingLeft`], and [`NotReplayable::Deleted`] without the steps.
    pub(crate) fn plan(self, steps: Vec<StepRecord>) -> Result<Plan, NotReplayable> {
        if self.is_partial() && steps.is_empty() {
            return Err(NotReplayable::Deleted);
        }
        let error = self.execution.error.as_deref();
        let recorded = Recorded { compiled: &self.original, steps: &steps, error };
        let choices = selection::select(recorded, &self.snapshot.compiled, self.wanted());
        let runs = |why: &Why| why.action() == Action::Run;
        if !choices.iter().any(runs) {
            return Err(NotReplayable::NothingLeft(self.execution.number()));
        }
        let mut by_name: HashMap<String, StepRecord> =
            steps.into_iter().map(|step| (step.name.clone(), step)).collect();
        let definitions = self.snapshot.definition().steps.iter().enumerate();
        let reused = definitions
            .zip(&choices)
            .filter(|(_, why)| !runs(why))
            .filter_map(|((step, definition), _)| {
                let record = by_name.remove(&definition.name)?;
                Some(ReusedStep { step, state: reused_state(record, &self.execution) })
            })
            .collect();
        let Self { snapshot, execution: original, old_params, .. } = self;
        Ok(Plan { snapshot, reused, choices, original, old_params })
    }
}

/// The end of a step as a new execution takes it over from `original`.
fn reused_state(step: StepRecord, original: &Original) -> StepState {
    let reuse = step.reuse().unwrap_or_else(|| {
        // Otherwise none of its attempts is stored.
        let has_attempts = step.attempt > 1 || step.stdout_bytes + step.stderr_bytes > 0;
        Reuse {
            execution_id: original.execution_id.clone(),
            seq: original.seq,
            position: has_attempts.then_some(step.position),
        }
    });
    StepState { reused: Some(Arc::new(reuse)), ..step.into() }
}

impl Plan {
    /// What becomes of each step, in the order in which they are shown. `read` finds an execution by
    /// its id.
    ///
    /// # Errors
    /// That of `read`.
    pub(crate) fn steps<E>(
        &self,
        mut read: impl FnMut(&str) -> Result<Option<ExecutionRecord>, E>,
    ) -> Result<Vec<PlannedStep>, E> {
        let compiled = &self.snapshot.compiled;
        let number = self.original.number();
        // With which parameters the steps ran that the execution itself had reused.
        let mut old_params =
            HashMap::from([(self.original.execution_id.clone(), Some(self.old_params.clone()))]);
        for reuse in self.reused.iter().filter_map(|reused| reused.state.reused.as_ref()) {
            if !old_params.contains_key(&reuse.execution_id) {
                let params = read(&reuse.execution_id)?.and_then(|earlier| {
                    Some(check::snapshot(&earlier.input_snapshot.value()).ok()?.params)
                });
                old_params.insert(reuse.execution_id.clone(), params);
            }
        }
        let reused: HashMap<usize, &StepState> =
            self.reused.iter().map(|reused| (reused.step, &reused.state)).collect();
        let planned = |&step: &usize| {
            let why = &self.choices[step];
            let reuse = reused.get(&step).and_then(|state| state.reused.as_ref());
            let ran_in = reuse.map_or_else(|| number.clone(), |reuse| reuse.number());
            let mut reason = why.words(compiled, &number, &ran_in);
            if let Some(Some(params)) = reuse.and_then(|reuse| old_params.get(&reuse.execution_id))
            {
                reason += &self.old_values(params);
            }
            PlannedStep { name: compiled.step(step).name.clone(), action: why.action(), reason }
        };
        Ok(compiled.graph().order.iter().map(planned).collect())
    }

    /// Which of the parameters that a reused step ran with have another value now.
    fn old_values(&self, params: &Parameters) -> String {
        let now = &self.snapshot.params;
        let changed: Vec<&str> = params
            .iter()
            .filter(|(name, value)| now.get(*name).is_some_and(|now| now != *value))
            .map(|(name, _)| name.as_str())
            .collect();
        old_values(&changed)
    }

    /// What is reused, in a sentence; nothing if that is nothing.
    #[must_use]
    pub(crate) fn note(&self) -> Option<String> {
        let now = &self.snapshot.params;
        let is_changed =
            |(name, value): &(&String, &Scalar)| now.get(*name).is_some_and(|now| now != *value);
        let changed: Vec<&str> =
            self.old_params.iter().filter(is_changed).map(|(name, _)| name.as_str()).collect();
        reuse_note(self.reused.len(), self.choices.len(), &self.original.number(), &changed)
    }
}

/// How many steps of a replay are reused from execution `number`, in a sentence; nothing if none
/// are. `changed` are the parameters that had another value then.
#[must_use]
pub(crate) fn reuse_note(
    reused: usize,
    all: usize,
    number: &str,
    changed: &[&str],
) -> Option<String> {
    if reused == 0 {
        return None;
    }
    let are = if reused == 1 { "is" } else { "are" };
    let old_values = old_values(changed);
    Some(format!("{reused} of {all} steps {are} reused from {number}{old_values}"))
}

/// The parameters that had another value in the execution that is replayed, by the snapshots of both.
#[must_use]
pub(crate) fn changed_parameters(
    original: &ExecutionRecord,
    replay: &ExecutionRecord,
) -> Vec<String> {
    let [old, new] = [original, replay].map(|execution| execution.input_snapshot.value());
    let Some(old) = old["params"].as_object() else { return Vec::new() };
    let is_changed = |name: &str, value: &serde_json::Value| {
        new["params"].get(name).is_some_and(|now| now != value)
    };
    old.iter()
        .filter(|(name, value)| is_changed(name, value))
        .map(|(name, _)| name.clone())
        .collect()
}

fn old_values(changed: &[&str]) -> String {
    let names = quote_list(changed.iter().copied());
    match changed.len() {
        0 => String::new(),
        1 => format!(", with the old value of {names}"),
        _ => format!(", with the old values of {names}"),
    }
}

/// A definition as it is run instead of that of an execution.
///
/// # Errors
/// Its steps wait for each other.
pub(crate) fn replacement(definition: Definition) -> Result<Arc<CompiledWorkflow>, Cycle> {
    CompiledWorkflow::of(definition).map(Arc::new)
}

/// What `request` means for `original`, which ran `snapshot`.
///
/// # Errors
/// Every [`NotReplayable`] that does not depend on the steps of the execution.
pub(crate) fn prepare(
    original: &ExecutionRecord,
    snapshot: Snapshot,
    request: Request<'_>,
) -> Result<Prepared, NotReplayable> {
    let before = Arc::clone(&snapshot.compiled);
    let old_params = snapshot.params.clone();
    let snapshot = match request.with {
        Some((compiled, source)) => {
            let given = &compiled.definition().id;
            if *given != original.workflow_id {
                let (original, given) = (original.workflow_id.clone(), given.clone());
                return Err(NotReplayable::OtherWorkflow { original, given });
            }
            Snapshot { compiled, source: Some(source), ..snapshot }
        }
        None => snapshot,
    };
    let from = selection::find_steps(request.from, snapshot.definition())
        .map_err(NotReplayable::UnknownSteps)?;
    let is_same = Arc::ptr_eq(&before, &snapshot.compiled);
    let params = if is_same && request.params.is_empty() {
        old_params.clone()
    } else {
        parameters(&before, &old_params, &snapshot.compiled, request.params, request.by)
            .map_err(NotReplayable::Parameters)?
    };
    Ok(Prepared {
        original: before,
        execution: Original {
            execution_id: original.execution_id.clone(),
            seq: original.seq,
            error: original.error.clone(),
        },
        snapshot: Snapshot { params, ..snapshot },
        from,
        failed: request.failed,
        old_params,
    })
}

/// The parameters of a replay: those that are given, over those of the execution, over the defaults
/// of what is run now. An old value that was only the old default gives way to the new one, if
/// there is one.
fn parameters(
    before: &CompiledWorkflow,
    old: &Parameters,
    now: &CompiledWorkflow,
    given: &[(String, Scalar)],
    by: GivenBy,
) -> Result<Parameters, Problems> {
    let (then, declared) = (&before.definition().params, &now.definition().params);
    let is_same = std::ptr::eq(before, now);
    let stays = |(name, value): &(&String, &Scalar)| {
        declared.get(*name).is_some_and(|now| {
            let default = then.get(*name).map(|then| &then.default);
            is_same || now.default == Scalar::Null || default != Some(*value)
        }) && !given.iter().any(|(given, _)| given == *name)
    };
    let kept = old.iter().filter(stays).map(|(name, value)| (name.clone(), value.clone()));
    let checked = check::parameters_over(now.definition(), &kept.collect(), given, by)?;
    if !is_same {
        return Ok(checked);
    }
    // The predecessor did not declare them.
    let mut params = old.clone();
    params.extend(checked);
    Ok(params)
}

/// What to run to replay `original`.
///
/// # Errors
/// Every [`NotReplayable`].
pub(crate) fn of_execution(original: &ExecutionRecord) -> Result<Snapshot, NotReplayable> {
    if !original.status.is_terminal() {
        return Err(NotReplayable::Unfinished(original.status));
    }
    check::snapshot(&original.input_snapshot.value()).map_err(NotReplayable::Snapshot)
}

/// Whether a request may replay it. Without the right to define work: what came from the
/// catalogue, whatever that holds today, and what was migrated from the predecessor.
#[must_use]
pub(crate) fn may_request(
    snapshot: &Snapshot,
    definitions: Definitions,
    catalogue: &Catalogue,
) -> bool {
    if definitions == Definitions::Api {
        return true;
    }
    match snapshot.source {
        Some(DefinitionSource::Catalogue | DefinitionSource::Predecessor) => true,
        Some(DefinitionSource::File | DefinitionSource::Request) => false,
        // Stored by an earlier wfx, which did not say where it came from.
        None => {
            let definition = snapshot.definition();
            let is_idle = |step: &Step| step.work == Work::Nothing;
            definition.steps.iter().all(is_idle)
                || catalogue.get(&definition.id).is_some_and(|known| known == snapshot.compiled)
        }
    }
}
