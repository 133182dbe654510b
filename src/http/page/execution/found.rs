//! What is read of an execution, once for the whole page.

use std::collections::HashMap;

use serde::Deserialize;
use serde_json::{Map, Value};

use super::is_bad;
use crate::http::exchange::problem::Problem;
use crate::http::page::view::View;
use crate::http::page::words;
use crate::repository::{Reader, StoreError};
use crate::workflow::record::{Attempt, ExecutionRecord, HandlerRecord, StepRecord};

/// An execution as its page shows it.
pub(super) struct Found {
    pub record: ExecutionRecord,
    /// Without the text of their output, unless nothing is stored yet.
    pub steps: Vec<StepRecord>,
    pub handlers: Vec<HandlerRecord>,
    /// By the position of their step, without text.
    pub attempts: HashMap<u32, Vec<Attempt>>,
    /// The index of each step by its name.
    pub index: HashMap<String, usize>,
    /// What the definition says of each step, by its name.
    pub defined: HashMap<String, DefinedStep>,
    pub params: Map<String, Value>,
    /// The step that made it fail.
    pub failed: Option<usize>,
    /// How long the workflow usually takes, milliseconds.
    pub usual: Option<u64>,
    /// The id of the newest success before it.
    pub last_success: Option<String>,
    pub handlers_to_come: usize,
}

/// How long the workflow usually takes, and the id of its last success.
type Before = (Option<u64>, Option<String>);

#[derive(Deserialize, Default)]
#[serde(default)]
struct Snapshot {
    definition: DefinedWorkflow,
    params: Map<String, Value>,
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct DefinedWorkflow {
    steps: Vec<DefinedStep>,
    on_success: Vec<DefinedStep>,
    on_failure: Vec<DefinedStep>,
    on_cancel: Vec<DefinedStep>,
    on_exit: Vec<DefinedStep>,
}

/// What a page shows of a step's definition.
#[derive(Deserialize, Default, Debug)]
#[serde(default)]
pub(super) struct DefinedStep {
    name: String,
    pub title: Option<String>,
    run: Option<Value>,
    sleep: Option<Value>,
    retry: Option<Value>,
}

impl DefinedStep {
    /// What it runs.
    pub(super) fn runs(&self) -> String {
        match (&self.run, &self.sleep) {
            (Some(Value::String(line)), _) => line.trim_end().to_owned(),
            (Some(Value::Array(argv)), _) => {
                let words: Vec<String> =
                    argv.iter().map(|word| words::shell_word(&words::value_text(word))).collect();
                words.join(" ")
            }
            (_, Some(period)) => format!("sleep {}", words::value_text(period)),
            _ => String::new(),
        }
    }

    /// How often it is tried at most.
    pub(super) fn attempts_max(&self) -> u64 {
        let retry = self.retry.as_ref();
        retry.and_then(|retry| retry["max_attempts"].as_u64()).unwrap_or(1)
    }
}

impl Found {
    pub(super) fn read(view: &View<'_>, reference: &str) -> Result<Self, Problem> {
        let resources = &view.pages.resources;
        let record = resources.record(reference)?;
        let id = record.execution_id.clone();
        let unstored = resources.memory.get_within(&id, usize::MAX);
        let (record, steps, handlers, attempts) = match unstored {
            Some((detail, _)) => (detail.execution, detail.steps, detail.handlers, Vec::new()),
            None => view.read(|reader| {
                // Once more: it may have gone on since.
                let (detail, _) = match reader.detail_within(&id, 0)? {
                    Some(found) => found,
                    None => return Ok((record, Vec::new(), Vec::new(), Vec::new())),
                };
                let steps = reader.steps_without_text(&id)?;
                let attempts = reader.attempts_without_text(&id)?;
                Ok((detail.execution, steps, detail.handlers, attempts))
            })?,
        };
        let snapshot: Snapshot =
            serde_json::from_str(record.input_snapshot.as_str()).unwrap_or_default();
        let DefinedWorkflow { steps: defined, on_success, on_failure, on_cancel, on_exit } =
            snapshot.definition;
        let handlers_to_come = on_cancel.len() + on_exit.len();
        let all = [defined, on_success, on_failure, on_cancel, on_exit].into_iter().flatten();
        let defined = all.map(|step| (step.name.clone(), step)).collect();
        let mut by_position: HashMap<u32, Vec<Attempt>> = HashMap::new();
        for attempt in attempts {
            by_position.entry(attempt.position).or_default().push(attempt);
        }
        let index = steps.iter().enumerate().map(|(at, step)| (step.name.clone(), at)).collect();
        let failed = failed(&record, &steps);
        // What no database has is shown also while there is none.
        let read = |work: &dyn Fn(&Reader) -> Result<Before, StoreError>| match record.persisted {
            true => view.read(work),
            false => Ok((None, None)),
        };
        let (usual, last_success) = read(&|reader| {
            let usual = view.usual(reader, &record.workflow_id)?;
            let before = match (failed, record.seq) {
                (Some(_), Some(seq)) => reader.success_before(&record.workflow_id, seq)?,
                _ => None,
            };
            Ok((usual, before))
        })?;
        Ok(Self {
            steps,
            handlers,
            attempts: by_position,
            index,
            defined,
            params: snapshot.params,
            failed,
            usual,
            last_success,
            handlers_to_come,
            record,
        })
    }

    /// As it is named in commands.
    pub(super) fn reference(&self) -> String {
        match self.record.number() {
            number if number.is_empty() => self.record.execution_id.clone(),
            number => number,
        }
    }

    /// What a step runs.
    pub(super) fn runs(&self, step: &StepRecord) -> String {
        self.defined.get(&step.name).map(DefinedStep::runs).unwrap_or_default()
    }

    /// A step or a handler by its name.
    pub(super) fn step(&self, name: &str) -> Option<&StepRecord> {
        let handler = || self.handlers.iter().find(|handler| handler.step.name == name);
        match self.index.get(name) {
            Some(&index) => self.steps.get(index),
            None => handler().map(|handler| &handler.step),
        }
    }

    /// Its attempts that are kept.
    pub(super) fn attempts_of(&self, step: &StepRecord) -> &[Attempt] {
        self.attempts.get(&step.position).map_or(&[][..], Vec::as_slice)
    }
}

/// The step that the error names, or the first that failed.
fn failed(record: &ExecutionRecord, steps: &[StepRecord]) -> Option<usize> {
    if !matches!(
        record.outcome.unwrap_or(record.status),
        crate::workflow::record::ExecutionStatus::Failed
            | crate::workflow::record::ExecutionStatus::Interrupted
    ) {
        return None;
    }
    let bad = || steps.iter().enumerate().filter(|(_, step)| is_bad(step.status));
    let error = record.error.as_deref().unwrap_or_default();
    let named = bad().find(|(_, step)| error.contains(&format!("`{}`", step.name)));
    named.or_else(|| bad().next()).map(|(index, _)| index)
}
