//! Rules for names, and the nearest known one for a mistyped one.

use std::collections::{HashMap, HashSet};

use super::super::definition::environment_name;
use super::super::problem::{Findings, Span};
use super::field::Field;
use crate::base::visible::quote;

/// The reserved id: the API uses it where an id would be.
pub(super) const RESERVED_ID: &str = "executions";
/// The alphabet of ids and step names, in words.
pub(super) const ALPHABET: &str =
    "a letter or digit, then up to 127 letters, digits, `.`, `_` or `-`";
const LENGTH_MAX: usize = 128;

/// Whether `name` can be an id or the name of a step.
pub(super) fn is_valid(name: &str) -> bool {
    name.len() <= LENGTH_MAX
        && name.starts_with(|c: char| c.is_ascii_alphanumeric())
        && name.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'_' | b'-'))
}

/// The id, or the same with a number that nobody has taken yet.
pub(in crate::workflow) fn free_id(id: &str, taken: &mut HashSet<String>) -> String {
    taken.insert(RESERVED_ID.to_owned());
    let numbered = (2_u64..).map(|number| format!("{id}-{number}"));
    let mut ids = std::iter::once(id.to_owned()).chain(numbered);
    ids.find(|id| taken.insert(id.clone())).unwrap_or_default()
}

/// Refuses what is no id and no name of a step.
pub(super) fn check(field: &Field<'_>, name: &str, findings: &mut Findings) -> Option<()> {
    if is_valid(name) {
        return Some(());
    }
    let message = format!(
        "{} cannot be {}",
        quote(name),
        match field.at.subject().as_str() {
            "`id`" => "a workflow id",
            _ => "the name of a step",
        }
    );
    field.add(findings, message, format!("write {ALPHABET}"));
    None
}

/// Refuses repeated names, and with `environment` names that would become one variable name.
pub(super) fn refuse_clashes<'n>(
    names: impl Iterator<Item = (&'n str, Option<Span>, &'n str)>,
    what: &str,
    prefix: &str,
    environment: bool,
    findings: &mut Findings,
) {
    let mut seen: HashMap<&str, ()> = HashMap::new();
    let mut upper: HashMap<String, &str> = HashMap::new();
    for (name, span, at) in names {
        if seen.insert(name, ()).is_some() {
            let message = format!("two {what} are called {}", quote(name));
            findings.add(span, at.to_owned(), message, "rename one of them".to_owned());
            continue;
        }
        let variable = environment_name(name);
        if let Some(earlier) = upper.insert(variable.clone(), name)
            && environment
        {
            let message = format!(
                "the {what} {} and {} would both be {} in the environment",
                quote(earlier),
                quote(name),
                quote(&format!("{prefix}{variable}"))
            );
            findings.add(span, at.to_owned(), message, "rename one of them".to_owned());
        }
    }
}
