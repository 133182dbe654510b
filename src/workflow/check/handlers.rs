//! The handlers of a workflow: `on_success`, `on_failure`, `on_cancel`, `on_exit`.

use std::collections::HashSet;
use std::time::Duration;

use super::super::definition::Handler;
use super::super::document::{Node, Value};
use super::super::environment;
use super::super::handler::HandlerKind;
use super::super::problem::Findings;
use super::field::{Field, Fields};
use super::{Origin, step};
use crate::base::period::Period;
use crate::base::visible::quote;

/// The keys of a workflow that are read here.
pub(super) const KEYS: [&str; 4] = ["on_success", "on_failure", "on_cancel", "on_exit"];
/// The most handlers of one workflow: what is stored of all of them is read at once.
const HANDLERS_MAX: usize = 20;
/// The timeout of one that gives none.
const TIMEOUT: Duration = Duration::from_secs(300);

/// Keys of steps that say nothing of a handler, and why.
const REFUSED: [(&str, &str); 3] = [
    ("when", "a handler runs after each execution that ends so; decide in `run`, by `$WFX_STATUS`"),
    ("continue_on_error", "what a handler does changes no outcome; leave it out"),
    ("continue_on_skip", "nothing depends on a handler; leave it out"),
];

/// Reads all of them.
pub(super) fn read(fields: &Fields<'_>, origin: Origin, findings: &mut Findings) -> Vec<Handler> {
    let mut handlers: Vec<Handler> = Vec::new();
    let given = HandlerKind::ALL.into_iter().filter_map(|on| Some((on, fields.get(on.as_str())?)));
    let given: Vec<(HandlerKind, Field<'_>)> = given.collect();
    if given.is_empty() {
        return handlers;
    }
    let steps = fields.get("steps");
    let mut names: HashSet<String> = match steps.as_ref().map(|steps| &steps.node.value) {
        Some(Value::List(steps)) => steps.iter().filter_map(name_of).collect(),
        _ => HashSet::new(),
    };
    let mut count = 0;
    for (on, field) in given {
        let Some(items) = field.list("a list of steps", findings) else { continue };
        if items.is_empty() {
            let help = "list at least one step, or leave it out".to_owned();
            field.add(findings, format!("`{on}` is empty"), help);
        }
        count += items.len();
        if count > HANDLERS_MAX {
            let message = format!("a workflow has at most {HANDLERS_MAX} handlers in all");
            field.add(findings, message, "do more in one `run`".to_owned());
            return handlers;
        }
        for (index, node) in items.iter().enumerate() {
            let item = Field::item(node, field.at.index(index));
            let read = step::read(node, item.at, origin, findings);
            refuse_keys(&item, findings);
            if let Some(name) = &read.name
                && !names.insert(name.clone())
            {
                let message = format!("{} is the name of another step or handler", quote(name));
                let at = format!("{}/name", read.at);
                findings.add(read.name_place, at, message, "rename one of them".to_owned());
            }
            if let Some(mut step) = read.finish() {
                step.timeout.get_or_insert(Period::new(TIMEOUT));
                step.depends_on = Vec::new();
                handlers.push(Handler { on, step });
            }
        }
    }
    handlers
}

fn name_of(step: &Node) -> Option<String> {
    let Value::Map(entries) = &step.value else { return None };
    let name = entries.iter().find(|entry| entry.key == "name")?;
    match &name.value.value {
        Value::String(name) => Some(name.clone()),
        _ => None,
    }
}

fn refuse_keys(item: &Field<'_>, findings: &mut Findings) {
    // What is no map is reported already.
    let Value::Map(entries) = &item.node.value else { return };
    for entry in entries {
        let at = item.at.key(&entry.key).to_string();
        if let Some((key, help)) = REFUSED.iter().find(|(key, _)| *key == entry.key) {
            let message = format!("a handler has no `{key}`");
            findings.add(entry.span, at, message, (*help).to_owned());
        } else if entry.key == "depends_on" && entry.value.value != Value::List(Vec::new()) {
            let help = "handlers of a list run one after the other; leave it out".to_owned();
            findings.add(entry.span, at, "a handler depends on nothing", help);
        }
    }
}

/// Refuses variables in the `env` of a workflow that has handlers, or of one of these, which wfx
/// sets for handlers.
pub(super) fn refuse_variables(fields: &Fields<'_>, findings: &mut Findings) {
    let mut places = Vec::new();
    for on in HandlerKind::ALL {
        let Some(field) = fields.get(on.as_str()) else { continue };
        places.extend(fields.get("env").map(|field| (field.node, field.at.to_string())));
        let Value::List(items) = &field.node.value else { continue };
        for (index, node) in items.iter().enumerate() {
            let Value::Map(entries) = &node.value else { continue };
            if let Some(env) = entries.iter().find(|entry| entry.key == "env") {
                places.push((&env.value, format!("{}/env", field.at.index(index))));
            }
        }
    }
    places.dedup_by(|a, b| a.1 == b.1);
    for (env, at) in places {
        refuse_in(env, &at, findings);
    }
}

/// Refuses them in the `env` of a document for many workflows, of which some have handlers.
pub(super) fn refuse_variables_of(fields: &Fields<'_>, findings: &mut Findings) {
    if let Some(env) = fields.get("env") {
        refuse_in(env.node, &env.at.to_string(), findings);
    }
}

fn refuse_in(env: &Node, at: &str, findings: &mut Findings) {
    let Value::Map(entries) = &env.value else { return };
    for entry in entries.iter().filter(|e| environment::is_set_for_handlers(&e.key)) {
        let message = format!("{} is set by wfx itself for handlers", quote(&entry.key));
        let at = format!("{at}/{}", entry.key);
        findings.add(entry.span, at, message, "choose another name".to_owned());
    }
}
