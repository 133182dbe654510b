//! Reads the values of a map as the expected types, and reports those of another type.

use std::ops::RangeInclusive;

use super::super::definition::{PROCESS_STRING_BYTES_MAX, Scalar};
use super::super::document::{Entry, Node, Value};
use super::super::environment;
use super::super::problem::{Findings, Pointer, Span};
use super::{Named, is_extra, nearest, scalar_of};
use crate::base::period::Period;
use crate::base::visible::{quote, quote_list};

/// A map with its span.
pub(super) struct Fields<'n> {
    entries: &'n [Entry],
    pub(super) at: Pointer<'n>,
    pub(super) span: Option<Span>,
}

/// The value of a key, or an item of a list.
#[derive(Clone, Copy)]
pub(super) struct Field<'n> {
    pub(super) node: &'n Node,
    pub(super) at: Pointer<'n>,
    key_place: Option<Span>,
}

/// A key of a map whose keys are names.
pub(super) struct NamedEntry<'n> {
    pub(super) name: &'n str,
    pub(super) span: Option<Span>,
    map: Pointer<'n>,
    node: &'n Node,
}

impl NamedEntry<'_> {
    pub(super) fn field(&self) -> Field<'_> {
        Field { node: self.node, at: self.map.key(self.name), key_place: self.span }
    }
}

impl<'n> Fields<'n> {
    /// Takes a node that should be a map; `what` it should describe.
    pub(super) fn of(
        node: &'n Node,
        at: Pointer<'n>,
        what: &str,
        findings: &mut Findings,
    ) -> Option<Self> {
        if let Value::Map(entries) = &node.value {
            return Some(Self { entries, at, span: node.span });
        }
        let message = format!("{what} is a map of keys and values, not {}", node.kind());
        findings.add(node.span, at.to_string(), message, None);
        None
    }

    /// Whether there is no other key.
    pub(super) fn has_only(&self, key: &str) -> bool {
        self.entries.iter().all(|entry| entry.key == key)
    }

    /// Every key with its span.
    pub(super) fn keys(&self) -> impl Iterator<Item = (&'n str, Option<Span>)> {
        self.entries.iter().map(|entry| (entry.key.as_str(), entry.span))
    }

    pub(super) fn get<'s>(&'s self, key: &'s str) -> Option<Field<'s>> {
        let entry = self.entries.iter().find(|entry| entry.key == key)?;
        Some(Field { node: &entry.value, at: self.at.key(key), key_place: entry.span })
    }

    pub(super) fn required<'s>(
        &'s self,
        key: &'s str,
        findings: &mut Findings,
    ) -> Option<Field<'s>> {
        let field = self.get(key);
        if field.is_none() {
            findings.add(self.span, self.at.to_string(), format!("`{key}` is missing"), None);
        }
        field
    }

    /// Refuses every key that is neither known nor an `x-…` key.
    pub(super) fn refuse_unknown(&self, known: &[&str], findings: &mut Findings) {
        for entry in self.entries {
            let key = entry.key.as_str();
            if known.contains(&key) || is_extra(key) {
                continue;
            }
            let near = findings.may_suggest().then(|| nearest::nearest(key, known.iter().copied()));
            let help = match near.flatten() {
                Some(near) => format!("did you mean `{near}`?"),
                None => format!(
                    "known are {}; a key that starts with `x-` is kept as it is",
                    quote_list(known.iter().copied())
                ),
            };
            let message = format!("the key {} is not known", quote(key));
            findings.add(entry.span, self.at.key(key).to_string(), message, help);
        }
    }

    /// The `x-…` keys, which are stored unchanged.
    pub(super) fn extra(&self) -> Named<serde_json::Value> {
        self.entries
            .iter()
            .filter(|entry| is_extra(&entry.key))
            .map(|entry| (entry.key.clone(), entry.value.to_json()))
            .collect()
    }
}

impl<'n> Field<'n> {
    pub(super) fn item(node: &'n Node, at: Pointer<'n>) -> Self {
        Self { node, at, key_place: None }
    }

    /// Where a problem with the value is shown.
    pub(super) fn span(&self) -> Option<Span> {
        match self.node.value {
            // An absent value has no extent of its own.
            Value::Null => self.key_place.or(self.node.span),
            _ => self.node.span.or(self.key_place),
        }
    }

    pub(super) fn add(
        &self,
        findings: &mut Findings,
        message: impl Into<String>,
        help: impl Into<Option<String>>,
    ) {
        findings.add(self.span(), self.at.to_string(), message, help);
    }

    /// Reports that the value is of the wrong kind.
    pub(super) fn refuse(&self, expected: &str, findings: &mut Findings) {
        let message = format!("{} takes {expected}, not {}", self.at.subject(), self.node.kind());
        let help = match &self.node.value {
            Value::Null => Some("give it a value, or leave the key out".to_owned()),
            Value::Bool(_) | Value::Number(_) if expected.starts_with("text") => {
                Some("put it in quotes".to_owned())
            }
            Value::Map(_) if expected.starts_with("text") => {
                Some("text with `: ` in it or that begins with `{` is put in quotes".to_owned())
            }
            _ => None,
        };
        self.add(findings, message, help);
    }

    pub(super) fn text(&self, findings: &mut Findings) -> Option<String> {
        match &self.node.value {
            Value::String(text) => Some(text.clone()),
            _ => {
                self.refuse("text", findings);
                None
            }
        }
    }

    pub(super) fn bool(&self, findings: &mut Findings) -> Option<bool> {
        match self.node.value {
            Value::Bool(value) => Some(value),
            _ => {
                self.refuse("`true` or `false`", findings);
                None
            }
        }
    }

    pub(super) fn integer(
        &self,
        range: RangeInclusive<u64>,
        findings: &mut Findings,
    ) -> Option<u64> {
        let expected = format!("a whole number from {} to {}", range.start(), range.end());
        let number = match &self.node.value {
            Value::Number(number) => number.as_u64().filter(|number| range.contains(number)),
            _ => None,
        };
        if number.is_none() {
            self.refuse(&expected, findings);
        }
        number
    }

    pub(super) fn period(&self, findings: &mut Findings) -> Option<Period> {
        let text = match &self.node.value {
            Value::String(text) => text.clone(),
            Value::Number(number) => number.to_string(),
            _ => {
                self.refuse("a duration such as `90`, `500ms` or `1m30s`", findings);
                return None;
            }
        };
        let period = text.parse().ok();
        if period.is_none() {
            let message = format!("{} is not a duration", quote(&text));
            let help =
                "write `500ms`, `2s`, `1m30s`, `2h`, or a number of seconds, at most 100 years"
                    .to_owned();
            self.add(findings, message, help);
        }
        period
    }

    /// A duration in which something can happen.
    pub(super) fn timeout(&self, findings: &mut Findings) -> Option<Period> {
        let period = self.period(findings)?;
        if period.duration().is_zero() {
            let message = format!("{} is longer than nothing", self.at.subject());
            self.add(findings, message, "leave it out for no limit".to_owned());
            return None;
        }
        Some(period)
    }

    pub(super) fn list(&self, expected: &str, findings: &mut Findings) -> Option<&'n [Node]> {
        match &self.node.value {
            Value::List(items) => Some(items),
            _ => {
                self.refuse(expected, findings);
                None
            }
        }
    }

    /// The entries of a map whose keys are names.
    pub(super) fn entries<'s>(
        &'s self,
        expected: &str,
        findings: &mut Findings,
    ) -> Option<Vec<NamedEntry<'s>>> {
        let Value::Map(entries) = &self.node.value else {
            self.refuse(expected, findings);
            return None;
        };
        let named = |entry: &'n Entry| NamedEntry {
            name: entry.key.as_str(),
            span: entry.span,
            map: self.at,
            node: &entry.value,
        };
        Some(entries.iter().map(named).collect())
    }

    pub(super) fn scalar(&self, findings: &mut Findings) -> Option<Scalar> {
        let scalar = scalar_of(self.node);
        if scalar.is_none() {
            self.refuse("text, a number, `true`, `false` or nothing", findings);
        }
        scalar
    }

    /// A value that is passed to a process: text, or a number or boolean as written.
    pub(super) fn process_text(&self, findings: &mut Findings) -> Option<String> {
        let text = match (&self.node.written, scalar_of(self.node)) {
            (_, None | Some(Scalar::Null)) => {
                self.refuse("text (`\"\"` for an empty one)", findings);
                return None;
            }
            (Some(written), Some(Scalar::Bool(_) | Scalar::Number(_))) => written.clone(),
            (_, Some(scalar)) => scalar.to_string(),
        };
        self.check_process_text(&text, 0, findings)?;
        Some(text)
    }

    /// Refuses values that cannot be passed to a process; `more` bytes come with it.
    pub(super) fn check_process_text(
        &self,
        text: &str,
        more: usize,
        findings: &mut Findings,
    ) -> Option<()> {
        let subject = self.at.subject();
        if text.contains('\0') {
            let help = "no process can be given one; hand the data on in a file".to_owned();
            self.add(findings, format!("{subject} has a NUL character"), help);
            return None;
        }
        let bytes = text.len() + more;
        if bytes > PROCESS_STRING_BYTES_MAX {
            let message =
                format!("{subject} has {bytes} bytes of at most {PROCESS_STRING_BYTES_MAX}");
            let help = "put it into a file and name the file".to_owned();
            self.add(findings, message, help);
            return None;
        }
        Some(())
    }
}

/// The `env` of a workflow or a step.
pub(super) fn env(fields: &Fields<'_>, findings: &mut Findings) -> Named<String> {
    let mut env = Named::new();
    let Some(map) = fields.get("env") else { return env };
    for entry in map.entries("a map of names and values", findings).unwrap_or_default() {
        let name = entry.name;
        let refusal = if name.is_empty() || name.contains(['=', '\0']) {
            Some((
                format!("{} cannot be the name of a variable", quote(name)),
                "a name is not empty and has no `=` and no NUL",
            ))
        } else if environment::is_reserved(name) {
            Some((
                format!("{} is set by wfx itself", quote(name)),
                "choose a name that does not start with `WFX_PARAM_`, `WFX_STEP_` or `WFX_STATUS_`",
            ))
        } else {
            None
        };
        if let Some((message, help)) = refusal {
            findings.add(entry.span, entry.field().at.to_string(), message, help.to_owned());
            continue;
        }
        let field = entry.field();
        if let Some(value) = field.process_text(findings)
            && field.check_process_text(&value, name.len() + 1, findings).is_some()
        {
            env.insert(name.to_owned(), value);
        }
    }
    env
}
