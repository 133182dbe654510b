//! The snapshot of an execution of the predecessor: what it stored itself, or else its
//! step rows, as a snapshot that wfx replays. Its steps did no work, and do none here.

use std::collections::{HashMap, HashSet};

use serde_json::{Map, Value, json};

use super::Step;
use super::convert::names;
use crate::workflow::check;
use crate::workflow::compiled::DefinitionSource;
use crate::workflow::graph::Graph;

/// The keys under which parameters may stand.
const PARAMETER_KEYS: [&str; 4] = ["params", "parameters", "inputs", "input"];
/// Steps without work need no folder but one that is there.
const WORKDIR: &str = "/";

/// The snapshot as JSON text.
pub(crate) fn text(workflow_id: &str, steps: &[Step], stored: Option<Value>) -> String {
    stored
        .and_then(|stored| from_stored(workflow_id, steps, stored))
        .unwrap_or_else(|| snapshot(&from_rows(workflow_id, steps), &Map::new()))
        .to_string()
}

fn snapshot(definition: &Map<String, Value>, params: &Map<String, Value>) -> Value {
    let source = DefinitionSource::Predecessor.as_str();
    json!({ "definition": definition, "params": params, "workdir": WORKDIR, "source": source })
}

/// A definition made of the step rows, in their order.
fn from_rows(workflow_id: &str, rows: &[Step]) -> Map<String, Value> {
    let mut steps: Vec<Map<String, Value>> = rows
        .iter()
        .map(|row| {
            let mut step = Map::new();
            step.insert("name".to_owned(), Value::from(row.name.as_str()));
            step.insert("depends_on".to_owned(), Value::from(row.depends_on.as_slice()));
            insert_agent(&mut step, row);
            step
        })
        .collect();
    make_runnable(&mut steps);
    definition(workflow_id, steps)
}

fn definition(workflow_id: &str, steps: Vec<Map<String, Value>>) -> Map<String, Value> {
    let mut definition = Map::new();
    definition.insert("id".to_owned(), Value::from(workflow_id));
    definition.insert("steps".to_owned(), steps.into_iter().map(Value::Object).collect::<Value>());
    definition
}

fn insert_agent(step: &mut Map<String, Value>, row: &Step) {
    if let Some(agent_id) = &row.agent_id {
        step.entry("agent_id").or_insert_with(|| Value::from(agent_id.as_str()));
    }
}

/// Reads what the predecessor stored. `None` when it is nothing that can be run.
fn from_stored(workflow_id: &str, rows: &[Step], stored: Value) -> Option<Value> {
    if is_ours(&stored) {
        return Some(stored);
    }
    let mut around = unwrapped(stored)?;
    let Some(Value::Array(listed)) = around.remove("steps") else { return None };
    let steps = steps_from(listed, rows)?;
    let params = parameters(&mut around);
    let mut definition = definition(workflow_id, steps);
    for key in ["name", "description"] {
        if let Some(Value::String(text)) = around.get(key) {
            definition.insert(key.to_owned(), Value::from(text.as_str()));
        }
    }
    keep_unknown(&mut definition, around, &["id", "workflow_id", "name", "description"]);
    if !params.is_empty() {
        definition.insert("params".to_owned(), Value::Object(params.clone()));
    }
    let made = snapshot(&definition, &params);
    if check::snapshot(&made).is_ok() {
        return Some(made);
    }
    // Most likely parameters that no process can be given; no step would read them.
    if let Some(params) = definition.remove("params") {
        definition.insert("x-params".to_owned(), params);
    }
    let made = snapshot(&definition, &Map::new());
    check::snapshot(&made).is_ok().then_some(made)
}

/// A list of steps, or a map that has one, itself or under `definition` or `workflow`, as the
/// map that has it; `None` when it is nothing of that kind.
fn unwrapped(stored: Value) -> Option<Map<String, Value>> {
    let mut around = match stored {
        Value::Object(map) => map,
        Value::Array(steps) => Map::from_iter([("steps".to_owned(), Value::Array(steps))]),
        // JSON in JSON.
        Value::String(text) => match serde_json::from_str(&text).ok()? {
            Value::Object(map) => map,
            _ => return None,
        },
        _ => return None,
    };
    for key in ["definition", "workflow"] {
        if let Some(Value::Object(inner)) = around.get_mut(key) {
            let inner = std::mem::take(inner);
            around.remove(key);
            // What the inner one says counts.
            around.extend(inner);
            break;
        }
    }
    Some(around)
}

/// Takes the parameters out of what is around the steps, each as a scalar.
fn parameters(around: &mut Map<String, Value>) -> Map<String, Value> {
    let params = PARAMETER_KEYS
        .iter()
        .find(|key| around.get(**key).is_some_and(Value::is_object))
        .and_then(|key| match around.remove(*key) {
            Some(Value::Object(params)) => Some(params),
            _ => None,
        })
        .unwrap_or_default();
    let scalar = |(name, value)| match value {
        Value::Array(_) | Value::Object(_) => (name, Value::from(value.to_string())),
        scalar => (name, scalar),
    };
    params.into_iter().map(scalar).collect()
}

fn is_ours(stored: &Value) -> bool {
    stored.get("workdir").is_some_and(Value::is_string) && check::snapshot(stored).is_ok()
}

/// The listed steps; `None` when one of them is none.
fn steps_from(listed: Vec<Value>, rows: &[Step]) -> Option<Vec<Map<String, Value>>> {
    let rows: HashMap<&str, &Step> = rows.iter().map(|row| (row.name.as_str(), row)).collect();
    let mut steps: Vec<Map<String, Value>> = Vec::with_capacity(listed.len());
    for item in listed {
        let mut old = match item {
            Value::Object(map) => map,
            Value::String(name) => Map::from_iter([("name".to_owned(), Value::from(name))]),
            _ => return None,
        };
        let name = ["name", "step_name", "id"].iter().find_map(|key| match old.get(*key) {
            Some(Value::String(name)) => Some(name.clone()),
            _ => None,
        })?;
        let row = rows.get(name.as_str());
        let depends_on = match old.remove("depends_on").as_ref().and_then(names) {
            Some(depends_on) => depends_on,
            None => match row.filter(|row| row.has_depends_on) {
                Some(row) => row.depends_on.clone(),
                // Left out in a document: the step listed before.
                None => steps
                    .last()
                    .and_then(|before| before.get("name")?.as_str())
                    .map(|before| vec![before.to_owned()])
                    .unwrap_or_default(),
            },
        };
        let mut step = Map::new();
        step.insert("name".to_owned(), Value::from(name));
        step.insert("depends_on".to_owned(), Value::from(depends_on));
        if old.get("fail") == Some(&Value::Bool(true)) {
            step.insert("fail".to_owned(), Value::Bool(true));
        }
        if let Some(agent_id) = old.remove("agent_id").filter(|agent_id| !agent_id.is_null()) {
            step.insert("agent_id".to_owned(), agent_id);
        }
        if let Some(row) = row {
            insert_agent(&mut step, row);
        }
        keep_unknown(&mut step, old, &["name", "fail"]);
        steps.push(step);
    }
    make_runnable(&mut steps);
    Some(steps)
}

/// Keeps what means nothing to wfx, or meant nothing to the predecessor, under a name
/// that is ignored.
fn keep_unknown(into: &mut Map<String, Value>, old: Map<String, Value>, known: &[&str]) {
    for (key, value) in old {
        if known.contains(&key.as_str()) || value.is_null() {
            continue;
        }
        let key = if key.starts_with("x-") { key } else { format!("x-{key}") };
        into.insert(key, value);
    }
}

/// Leaves out second steps of a name, dependencies on steps that are not there and, if
/// steps wait for each other, those on steps further down the list.
fn make_runnable(steps: &mut Vec<Map<String, Value>>) {
    let mut seen = HashSet::new();
    steps.retain(|step| seen.insert(name_of(step).to_owned()));
    let index: HashMap<String, usize> =
        steps.iter().enumerate().map(|(at, step)| (name_of(step).to_owned(), at)).collect();
    let mut edges: Vec<Vec<usize>> = steps
        .iter()
        .map(|step| {
            let named = step.get("depends_on").and_then(names).unwrap_or_default();
            let mut seen = HashSet::new();
            named
                .iter()
                .filter_map(|name| index.get(name).copied())
                .filter(|before| seen.insert(*before))
                .collect()
        })
        .collect();
    if Graph::new(edges.clone()).is_err() {
        for (at, needed) in edges.iter_mut().enumerate() {
            needed.retain(|before| *before < at);
        }
    }
    let names: Vec<String> = steps.iter().map(|step| name_of(step).to_owned()).collect();
    for (step, needed) in steps.iter_mut().zip(edges) {
        let needed: Value = needed.into_iter().map(|at| names[at].as_str()).collect();
        step.insert("depends_on".to_owned(), needed);
    }
}

fn name_of(step: &Map<String, Value>) -> &str {
    step.get("name").and_then(Value::as_str).unwrap_or_default()
}
