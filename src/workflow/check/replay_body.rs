//! The body of a request for a replay.

use super::field::{Field, Fields};
use super::{Source, given_values, nearest};
use crate::base::visible::{quote, quote_list};
use crate::workflow::definition::Scalar;
use crate::workflow::document;
use crate::workflow::problem::{Findings, Pointer, Problems};

const KEYS: [&str; 4] = ["from", "failed", "params", "definition"];

/// Which definition a replay runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) enum WhichDefinition {
    /// That of the execution.
    #[default]
    Snapshot,
    /// That of the catalogue.
    Current,
}

/// What a request asks for; by default everything runs again.
#[derive(Debug, Clone, PartialEq, Default)]
pub(crate) struct ReplayBody {
    /// Steps that run, with everything downstream.
    pub from: Vec<String>,
    /// Whether what did not succeed runs, with everything downstream.
    pub failed: bool,
    /// Parameters that replace the stored ones.
    pub params: Vec<(String, Scalar)>,
    /// Which definition is run.
    pub definition: WhichDefinition,
}

/// Reads a body; every key is optional.
///
/// # Errors
/// Everything that is wrong with it.
pub(crate) fn replay_body(source: &Source<'_>) -> Result<ReplayBody, Problems> {
    let mut findings = Findings::default();
    let body = document::read(source.text, source.format, &mut findings).and_then(|root| {
        let fields = Fields::of(&root, Pointer::ROOT, "a replay", &mut findings)?;
        read(&fields, &mut findings)
    });
    match body {
        Some(body) if findings.is_empty() => Ok(body),
        _ => Err(Problems::new(source.name, source.text, findings)),
    }
}

fn read(fields: &Fields<'_>, findings: &mut Findings) -> Option<ReplayBody> {
    for (key, span) in fields.keys().filter(|(key, _)| !KEYS.contains(key)) {
        let near = findings.may_suggest().then(|| nearest::nearest(key, KEYS)).flatten();
        let help = match near {
            Some(near) => format!("did you mean `{near}`?"),
            None => format!("known are {}", quote_list(KEYS)),
        };
        let message = format!("the key {} is not known", quote(key));
        findings.add(span, fields.at.key(key).to_string(), message, help);
    }
    let mut body = ReplayBody::default();
    if let Some(field) = fields.get("from") {
        body.from = names(&field, findings).unwrap_or_default();
    }
    if let Some(field) = fields.get("failed") {
        body.failed = field.bool(findings).unwrap_or_default();
    }
    if let Some(field) = fields.get("params") {
        body.params = given_values(&field, findings).unwrap_or_default();
    }
    if let Some(field) = fields.get("definition") {
        body.definition = definition(&field, findings).unwrap_or_default();
    }
    // What is wrong was reported.
    Some(body)
}

fn names(field: &Field<'_>, findings: &mut Findings) -> Option<Vec<String>> {
    let items = field.list("a list of step names", findings)?;
    let name = |(index, node)| Field::item(node, field.at.index(index)).text(findings);
    items.iter().enumerate().map(name).collect()
}

fn definition(field: &Field<'_>, findings: &mut Findings) -> Option<WhichDefinition> {
    match field.text(findings)?.as_str() {
        "snapshot" => Some(WhichDefinition::Snapshot),
        "current" => Some(WhichDefinition::Current),
        other => {
            let message = format!("`definition` cannot be {}", quote(other));
            let help = "write `snapshot`, what the execution ran, or `current`, what the folder of \
                        --workflows holds now";
            field.add(findings, message, help.to_owned());
            None
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::Format;
    use super::*;

    fn read(text: &str) -> Result<ReplayBody, Problems> {
        replay_body(&Source { name: "body", text, format: Format::Json, default_id: None })
    }

    #[test]
    fn every_key_is_optional() {
        assert_eq!(read("{}").unwrap(), ReplayBody::default());
        let body = read(
            r#"{"from": ["a", "b"], "failed": true, "params": {"n": 1.10}, "definition": "current"}"#,
        );
        let body = body.unwrap();
        assert_eq!(body.from, ["a", "b"]);
        assert!(body.failed);
        assert_eq!(body.params[0].1.to_string(), "1.10");
        assert_eq!(body.definition, WhichDefinition::Current);
    }

    #[test]
    fn all_that_is_wrong_is_reported_with_its_place() {
        let problems = read(
            r#"{"form": [], "from": "a", "failed": 1, "params": {"n": null}, "definition": "new",
                "x-note": 1}"#,
        );
        let mut found: Vec<(String, String)> = problems
            .unwrap_err()
            .iter()
            .map(|problem| (problem.pointer.clone(), problem.help.clone().unwrap_or_default()))
            .collect();
        found.sort();
        let pointers: Vec<&str> = found.iter().map(|(pointer, _)| pointer.as_str()).collect();
        assert_eq!(pointers, ["/definition", "/failed", "/form", "/from", "/params/n", "/x-note"]);
        assert!(found[0].1.contains("`snapshot`"), "{found:?}");
        assert_eq!(found[2].1, "did you mean `from`?");
        let item = read(r#"{"from": ["a", 2]}"#).unwrap_err();
        assert_eq!(item.iter().next().unwrap().pointer, "/from/1");
    }
}
