//! Reads the `concurrency` of a workflow.

use indexmap::IndexMap;

use super::super::concurrency::{BY_MAX, Concurrency, LIMIT_MAX, MAX_QUEUED_MAX, OnConflict};
use super::super::document::Value;
use super::super::parameter::Parameter;
use super::super::problem::Findings;
use super::field::{Field, Fields};
use super::{name, nearest};
use crate::base::visible::{quote, quote_list};

/// The keys of the map.
const KEYS: [&str; 5] = ["group", "by", "limit", "on_conflict", "max_queued"];

/// The `concurrency` of a workflow with these parameters. A number is its `limit`, a text its
/// `group`.
pub(super) fn read(
    fields: &Fields<'_>,
    params: &IndexMap<String, Parameter>,
    findings: &mut Findings,
) -> Option<Concurrency> {
    let field = fields.get("concurrency")?;
    match &field.node.value {
        Value::Number(_) => {
            return Some(Concurrency { limit: limit(&field, findings)?, ..Concurrency::default() });
        }
        Value::String(_) => {
            let group = Some(group(&field, findings)?);
            return Some(Concurrency { group, ..Concurrency::default() });
        }
        _ => {}
    }
    let map = Fields::of(field.node, field.at, "`concurrency`", findings)?;
    map.refuse_unknown(&KEYS, findings);
    let default = Concurrency::default();
    let max_queued = map
        .get("max_queued")
        .and_then(|field| field.integer(0..=u64::from(MAX_QUEUED_MAX), findings))
        .and_then(|number| u32::try_from(number).ok());
    Some(Concurrency {
        group: map.get("group").and_then(|field| group(&field, findings)),
        by: map.get("by").map(|field| by(&field, params, findings)).unwrap_or_default(),
        limit: map.get("limit").and_then(|it| limit(&it, findings)).unwrap_or(default.limit),
        on_conflict: map
            .get("on_conflict")
            .and_then(|field| on_conflict(&field, findings))
            .unwrap_or_default(),
        max_queued: max_queued.unwrap_or(default.max_queued),
    })
}

fn limit(field: &Field<'_>, findings: &mut Findings) -> Option<u32> {
    field.integer(1..=u64::from(LIMIT_MAX), findings).and_then(|number| u32::try_from(number).ok())
}

fn group(field: &Field<'_>, findings: &mut Findings) -> Option<String> {
    let text = field.text(findings)?;
    if name::is_valid(&text) {
        return Some(text);
    }
    let message = format!("{} cannot be the name of a group", quote(&text));
    let help = format!(
        "write {}; executions with other parameters are kept apart with `by`",
        name::ALPHABET
    );
    field.add(findings, message, help);
    None
}

/// A list of parameters, or one.
fn by(
    field: &Field<'_>,
    params: &IndexMap<String, Parameter>,
    findings: &mut Findings,
) -> Vec<String> {
    let items: Vec<Field<'_>> = match &field.node.value {
        Value::List(items) => items
            .iter()
            .enumerate()
            .map(|(index, node)| Field::item(node, field.at.index(index)))
            .collect(),
        _ => vec![*field],
    };
    if items.len() > BY_MAX {
        let message = format!("`by` lists {} parameters of at most {BY_MAX}", items.len());
        field.add(findings, message, "leave some out".to_owned());
        return Vec::new();
    }
    let mut names: Vec<String> = Vec::new();
    for item in items {
        let Some(text) = item.text(findings) else { continue };
        if !params.contains_key(&text) {
            let help = match nearest::nearest(&text, params.keys().map(String::as_str)) {
                Some(near) => format!("did you mean `{near}`?"),
                None if params.is_empty() => "declare it in `params`".to_owned(),
                None => format!(
                    "declare it in `params`; declared are {}",
                    quote_list(params.keys().map(String::as_str))
                ),
            };
            item.add(findings, format!("there is no parameter {}", quote(&text)), help);
        } else if names.contains(&text) {
            let message = format!("`by` lists {} twice", quote(&text));
            item.add(findings, message, "remove one of them".to_owned());
        } else {
            names.push(text);
        }
    }
    names
}

fn on_conflict(field: &Field<'_>, findings: &mut Findings) -> Option<OnConflict> {
    let text = field.text(findings)?;
    let known = OnConflict::ALL.into_iter().find(|way| way.as_str() == text);
    if known.is_none() {
        let message = format!("`on_conflict` is not {}", quote(&text));
        let help = "it is `queue` (wait for a slot), `reject` (refuse the start) or `replace` \
                    (cancel those that run and wait)";
        field.add(findings, message, help.to_owned());
    }
    known
}
