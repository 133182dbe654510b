//! Tree → [`Definition`]: checks every rule of a workflow document, and reports all problems at
//! once, each with its span and a remedy.

mod concurrency;
mod condition;
mod declared;
mod defaults;
mod field;
mod handlers;
mod keys;
mod lint;
mod name;
pub(crate) mod nearest;
mod notify;
pub(crate) mod parameters;
mod replay_body;
mod retention;
mod schedule_lint;
mod scheduling;
mod step;

use std::collections::HashMap;
use std::sync::Arc;

use indexmap::IndexMap;

pub(crate) use super::document::{DOCUMENT_BYTES_MAX, Format, sniff};
pub(crate) use super::problem::Problems;
pub(crate) use defaults::folder_defaults;
pub(crate) use lint::LIST_IS_ONE_COMMAND;
pub(in crate::workflow) use name::free_id;
pub(crate) use notify::{CHANNEL_NAME, is_channel_name, notify_of_json};
pub(crate) use parameters::{GivenBy, parameters, parameters_over};
pub(crate) use replay_body::{ReplayBody, WhichDefinition, replay_body};

use self::field::{Field, Fields};
use super::compiled::{CompiledWorkflow, DefinitionSource, Snapshot};
use super::defaults::AppliedDefaults;
use super::definition::{Definition, PARALLEL_MAX, Parameters, STEPS_MAX, Scalar, Step};
use super::document::{self, Node, Value};
use super::graph::{Cycle, Graph};
use super::problem::{Findings, Pointer};
use crate::base::visible::quote;

/// A document and what it is called.
#[derive(Debug, Clone, Copy)]
pub struct Source<'a> {
    /// The name of the document in messages: a path, or `-`.
    pub name: &'a str,
    /// The document.
    pub text: &'a str,
    /// Its language.
    pub format: Format,
    /// The workflow id when the document has none: the stem of the file name.
    pub default_id: Option<&'a str>,
}

/// The keys of a workflow.
const WORKFLOW_KEYS: [&str; 13] = [
    "id",
    "name",
    "description",
    "params",
    "env",
    "shell",
    "max_parallel",
    "timeout",
    "retention",
    "output_limit",
    "notify",
    "concurrency",
    "steps",
];

/// The origin of a tree, which decides which rules apply.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Origin {
    /// A document as written.
    Document,
    /// It was stored. The predecessor took any name; its history can be replayed.
    Snapshot,
}

/// Reads and checks a document.
///
/// # Errors
/// Everything that is wrong with it.
pub fn read(source: &Source<'_>) -> Result<Definition, Problems> {
    read_and(source, |_| ()).map(|(definition, ())| definition)
}

/// The same, with probable mistakes that are allowed, if there are any.
///
/// # Errors
/// As [`read`].
pub(crate) fn read_with_lints(
    source: &Source<'_>,
) -> Result<(Definition, Option<Problems>), Problems> {
    read_and(source, |root| {
        let mut lints = Findings::default();
        lint::find(root, &mut lints);
        (!lints.is_empty()).then(|| Problems::new(source.name, source.text, lints))
    })
}

/// Reads and checks a document, and inspects its tree once more.
fn read_and<T>(
    source: &Source<'_>,
    look: impl FnOnce(&Node) -> T,
) -> Result<(Definition, T), Problems> {
    let mut findings = Findings::default();
    let read = document::read(source.text, source.format, &mut findings).and_then(|root| {
        let definition =
            workflow(&root, Pointer::ROOT, source.default_id, Origin::Document, &mut findings)?;
        findings.is_empty().then(|| (definition, look(&root)))
    });
    read.ok_or_else(|| Problems::new(source.name, source.text, findings))
}

/// Reads a document that is no workflow, as JSON or YAML are read everywhere.
///
/// # Errors
/// Problems that do not depend on the kind of document: its syntax, repeated keys.
pub(crate) fn tree(source: &Source<'_>) -> Result<serde_json::Value, Problems> {
    let mut findings = Findings::default();
    let root = document::read(source.text, source.format, &mut findings);
    match root {
        Some(root) if findings.is_empty() => Ok(root.to_json()),
        _ => Err(Problems::new(source.name, source.text, findings)),
    }
}

/// The parameters of a document that holds nothing but `params`, which are given to a workflow
/// that is known; `None` for one that holds anything else, which is a workflow itself.
///
/// # Errors
/// Everything that is wrong with it.
pub fn given_parameters(source: &Source<'_>) -> Result<Option<Vec<(String, Scalar)>>, Problems> {
    let mut findings = Findings::default();
    let given = document::read(source.text, source.format, &mut findings)
        .and_then(|root| given_of(&root, &mut findings));
    match given {
        Some(given) if findings.is_empty() => Ok(given),
        _ => Err(Problems::new(source.name, source.text, findings)),
    }
}

/// `None` for what is wrong, `Some(None)` for a workflow.
fn given_of(root: &Node, findings: &mut Findings) -> Option<Option<Vec<(String, Scalar)>>> {
    let fields = Fields::of(root, Pointer::ROOT, "an object", findings)?;
    if !fields.has_only("params") {
        return Some(None);
    }
    let Some(params) = fields.get("params") else { return Some(Some(Vec::new())) };
    given_values(&params, findings).map(Some)
}

/// Parameters with their values.
fn given_values(params: &Field<'_>, findings: &mut Findings) -> Option<Vec<(String, Scalar)>> {
    let entries = params.entries("a map of parameters", findings)?;
    let mut given = Vec::new();
    for entry in entries {
        match entry.field().scalar(findings) {
            // The problem was reported.
            None => {}
            Some(Scalar::Null) => {
                let message = format!("the parameter {} has no value", quote(entry.name));
                let help = "give text, a number, `true` or `false`".to_owned();
                findings.add(entry.span, entry.field().at.to_string(), message, help);
            }
            Some(value) => given.push((entry.name.to_owned(), value)),
        }
    }
    Some(given)
}

/// Reads a stored snapshot back: `{"definition": …, "params": …, "workdir": …}`.
///
/// # Errors
/// Everything by which it is not one that can be run.
pub fn snapshot(value: &serde_json::Value) -> Result<Snapshot, Problems> {
    let mut findings = Findings::default();
    let root = Node::from_json(value);
    let snapshot = snapshot_of(&root, &mut findings);
    match snapshot {
        Some(snapshot) if findings.is_empty() => Ok(snapshot),
        _ => Err(Problems::new("snapshot", "", findings)),
    }
}

fn snapshot_of(root: &Node, findings: &mut Findings) -> Option<Snapshot> {
    let fields = Fields::of(root, Pointer::ROOT, "a snapshot", findings)?;
    let definition = fields.required("definition", findings)?;
    let definition = workflow(definition.node, definition.at, None, Origin::Snapshot, findings)?;
    let params = match fields.get("params") {
        Some(field) => field
            .entries("a map of parameters", findings)?
            .iter()
            .filter_map(|entry| Some((entry.name.to_owned(), entry.field().scalar(findings)?)))
            .collect(),
        None => Parameters::new(),
    };
    let workdir = fields.required("workdir", findings)?.text(findings)?;
    // Up to version 3 of the schema only requests were marked.
    let was_requested =
        fields.get("ad_hoc").is_some_and(|field| field.bool(findings) == Some(true));
    let source = match fields.get("source").and_then(|field| field.text(findings)) {
        Some(word) => DefinitionSource::ALL.into_iter().find(|source| source.as_str() == word),
        None => was_requested.then_some(DefinitionSource::Request),
    };
    let from_folder = fields.get("defaults").and_then(|field| applied_defaults(&field, findings));
    // A cycle is among the findings.
    let compiled = CompiledWorkflow::of(Definition { from_folder, ..definition }).ok()?;
    Some(Snapshot { compiled: Arc::new(compiled), params, workdir, source })
}

/// What a snapshot says of the defaults that are in its definition.
fn applied_defaults(field: &Field<'_>, findings: &mut Findings) -> Option<AppliedDefaults> {
    let fields = Fields::of(field.node, field.at, "`defaults`", findings)?;
    let file = fields.required("file", findings)?.text(findings)?;
    let set = fields.required("set", findings)?;
    let items = set.list("a list of pointers", findings)?.iter().enumerate();
    let text = |(index, node)| Field::item(node, set.at.index(index)).text(findings);
    Some(AppliedDefaults { file, set: items.filter_map(text).collect() })
}

fn workflow(
    root: &Node,
    at: Pointer<'_>,
    default_id: Option<&str>,
    origin: Origin,
    findings: &mut Findings,
) -> Option<Definition> {
    let fields = Fields::of(root, at, "a workflow", findings)?;
    let known: Vec<&str> =
        WORKFLOW_KEYS.into_iter().chain(scheduling::KEYS).chain(handlers::KEYS).collect();
    fields.refuse_unknown(&known, findings);
    let id = workflow_id(&fields, default_id, origin, findings);
    let name = fields.get("name").and_then(|field| field.text(findings));
    let description = fields.get("description").and_then(|field| field.text(findings));
    let params = parameters::declared(&fields, findings);
    let env = field::env(&fields, findings);
    let shell = keys::shell(&fields, findings);
    let max_parallel = fields
        .get("max_parallel")
        .and_then(|field| field.integer(1..=u64::from(PARALLEL_MAX), findings))
        .and_then(|number| u16::try_from(number).ok());
    let timeout = fields.get("timeout").and_then(|field| field.timeout(findings));
    let retention = retention::read(&fields, findings);
    let output_limit = keys::output_limit(&fields, findings);
    let notify = notify::read(&fields, findings);
    let scheduling = match origin {
        Origin::Document => scheduling::read(&fields, &params, findings),
        // A stored definition can be replayed whatever became of its zones since.
        Origin::Snapshot => {
            let mut ignored = Findings::default();
            let read = scheduling::read(&fields, &params, &mut ignored);
            read.filter(|_| ignored.is_empty())
        }
    };
    let concurrency = concurrency::read(&fields, &params, findings);
    let steps = steps(&fields, &params, origin, findings);
    let handlers = handlers::read(&fields, origin, findings);
    handlers::refuse_variables(&fields, findings);
    Some(Definition {
        id: id?,
        name,
        description,
        params,
        env,
        shell,
        max_parallel,
        timeout,
        retention,
        output_limit,
        notify,
        scheduling,
        concurrency,
        steps: steps?,
        handlers,
        extra: fields.extra(),
        from_folder: None,
    })
}

fn workflow_id(
    fields: &Fields<'_>,
    default: Option<&str>,
    origin: Origin,
    findings: &mut Findings,
) -> Option<String> {
    let Some(field) = fields.get("id") else {
        let id = default.filter(|id| name::is_valid(id) && *id != name::RESERVED_ID);
        if id.is_none() {
            let message = match default {
                Some(stem) => {
                    format!("there is no `id`, and the file name {} cannot be one", quote(stem))
                }
                None => "there is no `id`, and no file name to take it from".to_owned(),
            };
            let help = format!("add an `id`: {}", name::ALPHABET);
            findings.add(fields.span, fields.at.to_string(), message, help);
        }
        return id.map(str::to_owned);
    };
    let id = field.text(findings)?;
    if origin == Origin::Document {
        if id == name::RESERVED_ID {
            let message = format!("the id {} is reserved", quote(&id));
            field.add(findings, message, "choose another one".to_owned());
            return None;
        }
        name::check(&field, &id, findings)?;
    }
    Some(id)
}

fn steps(
    fields: &Fields<'_>,
    params: &Named<super::parameter::Parameter>,
    origin: Origin,
    findings: &mut Findings,
) -> Option<Vec<Step>> {
    let Some(field) = fields.get("steps") else {
        let help = "add a list of steps, such as `steps: [{name: hello, run: \"echo hello\"}]`";
        let message = "there are no `steps`";
        findings.add(fields.span, fields.at.to_string(), message, help.to_owned());
        return None;
    };
    let items = field.list("a list of steps", findings)?;
    if items.is_empty() {
        field.add(findings, "`steps` is empty", "a workflow has at least one step".to_owned());
        return None;
    }
    if items.len() > STEPS_MAX {
        let message = format!("there are {} steps of at most {STEPS_MAX}", items.len());
        field.add(findings, message, "make several workflows of it".to_owned());
        return None;
    }
    let mut read: Vec<step::Read> = items
        .iter()
        .enumerate()
        .map(|(index, node)| step::read(node, field.at.index(index), origin, findings))
        .collect();
    name::refuse_clashes(
        read.iter()
            .filter_map(|step| Some((step.name.as_deref()?, step.name_place, step.at.as_str()))),
        "steps",
        "WFX_STATUS_",
        origin == Origin::Document,
        findings,
    );
    let graph = resolve_dependencies(&mut read, findings);
    let params: Vec<&str> = params.keys().map(String::as_str).collect();
    let named: Vec<_> =
        read.iter().map(|step| (step.name.as_deref(), step.named.as_slice())).collect();
    condition::check_names(&named, &params, graph.as_ref(), findings);
    read.into_iter().map(step::Read::finish).collect()
}

/// Resolves dependencies to indices, finds unknown names and cycles, and fills in a missing
/// `depends_on`. The graph is missing where steps wait for each other.
fn resolve_dependencies(steps: &mut [step::Read], findings: &mut Findings) -> Option<Graph> {
    let mut index: HashMap<String, usize> = HashMap::new();
    for (at, step) in steps.iter().enumerate() {
        if let Some(name) = &step.name {
            index.entry(name.clone()).or_insert(at);
        }
    }
    let mut edges: Vec<Vec<usize>> = Vec::with_capacity(steps.len());
    for (at, step) in steps.iter().enumerate() {
        let Some(named) = &step.depends_on else {
            edges.push(at.checked_sub(1).into_iter().collect());
            continue;
        };
        let mut needed = Vec::with_capacity(named.len());
        for dependency in named {
            if let Some(&before) = index.get(&dependency.name) {
                needed.push(before);
                continue;
            }
            let message = format!("no step is called {}", quote(&dependency.name));
            let near = findings
                .may_suggest()
                .then(|| nearest::nearest(&dependency.name, index.keys().map(String::as_str)));
            let help = near.flatten().map(|near| format!("did you mean {}?", quote(near)));
            findings.add(dependency.span, dependency.at.clone(), message, help);
        }
        edges.push(needed);
    }
    let names: Vec<Option<String>> = steps.iter().map(|step| step.name.clone()).collect();
    for (step, needed) in steps.iter_mut().zip(&edges) {
        step.definition.depends_on = needed.iter().filter_map(|&at| names[at].clone()).collect();
    }
    let cycles = match Graph::new(edges) {
        Ok(graph) => return Some(graph),
        Err(cycles) => cycles,
    };
    for cycle in cycles {
        let Some(first) = cycle.first().map(|&at| &steps[at]) else { continue };
        let named = |&at: &usize| names[at].clone().unwrap_or_else(|| format!("#{}", at + 1));
        let message = if let [only] = cycle[..] {
            format!("the step {} waits for itself", quote(&named(&only)))
        } else {
            let cycle = Cycle { steps: cycle.iter().map(named).collect() };
            format!("these steps wait for each other: {cycle}")
        };
        let help = match cycle.iter().find(|&&at| steps[at].depends_on.is_none()) {
            Some(at) if *at > 0 => format!(
                "{} has no `depends_on`, so that it waits for the step listed before it, {}; give \
                 it `depends_on: []` to start at once, or list the steps in the order in which \
                 they run",
                quote(&named(at)),
                quote(&named(&(at - 1)))
            ),
            _ => "take one of these names out of a `depends_on`".to_owned(),
        };
        findings.add(first.depends_on_place, format!("{}/depends_on", first.at), message, help);
    }
    None
}

/// The `x-…` keys of a map, which are stored unchanged.
fn is_extra(key: &str) -> bool {
    key.starts_with("x-")
}

/// A name with its value, in the order of the document.
type Named<T> = IndexMap<String, T>;

fn scalar_of(node: &Node) -> Option<Scalar> {
    Some(match &node.value {
        Value::Null => Scalar::Null,
        Value::Bool(value) => Scalar::Bool(*value),
        Value::Number(value) => Scalar::Number(value.clone()),
        Value::String(text) => Scalar::String(text.clone()),
        Value::List(_) | Value::Map(_) => return None,
    })
}

#[cfg(test)]
mod condition_tests;
#[cfg(test)]
mod language_tests;
#[cfg(test)]
mod scheduling_tests;
#[cfg(test)]
mod tests;
