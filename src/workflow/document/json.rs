//! JSON text → tree. `serde_json` parses the whole grammar: it returns each value as a slice of the
//! text, and the position of that slice is the value's span.

use std::fmt;

use serde::de::{Deserialize, Deserializer, MapAccess, Visitor};
use serde_json::value::RawValue;

use super::super::problem::{Findings, Span};
use super::{Budget, DEPTH_MAX, Entry, NODE_BYTES, Node, Value, too_deep, too_large};

/// Reads a JSON document; none when it is empty or a finding says why not.
pub(super) fn read(text: &str, findings: &mut Findings) -> Option<Node> {
    // A byte order mark is no JSON, but editors write it; RFC 8259 lets it be ignored.
    let json = text.strip_prefix('\u{feff}').unwrap_or(text);
    if json.trim_ascii().is_empty() {
        return None;
    }
    let mut reader = Reader { text, findings, budget: Budget::new() };
    match serde_json::from_str::<&RawValue>(json) {
        Ok(raw) => reader.node(raw.get(), 0),
        Err(error) => {
            let start = text.len() - json.len() + offset_of(json, &error);
            reader.refuse(Span { start, end: start }, &error);
            None
        }
    }
}

struct Reader<'t, 'f> {
    text: &'t str,
    findings: &'f mut Findings,
    budget: Budget,
}

impl<'t> Reader<'t, '_> {
    fn node(&mut self, raw: &'t str, depth: usize) -> Option<Node> {
        let whole = self.span(raw);
        let start_span = Span { start: whole.start, end: whole.start + 1 };
        if !self.budget.take(NODE_BYTES) {
            too_large(Some(whole), self.findings);
            return None;
        }
        let (span, value) = match raw.as_bytes().first() {
            Some(b'[' | b'{') if depth == DEPTH_MAX => {
                too_deep(Some(start_span), self.findings);
                return None;
            }
            Some(b'[') => (start_span, Value::List(self.list(raw, depth)?)),
            Some(b'{') => (start_span, Value::Map(self.map(raw, depth)?)),
            Some(b'"') => (whole, Value::String(self.parse(raw)?)),
            Some(b'n') => (whole, Value::Null),
            Some(b't' | b'f') => (whole, Value::Bool(raw == "true")),
            _ => (whole, Value::Number(self.parse(raw)?)),
        };
        if let Value::String(text) = &value
            && !self.budget.take(text.len())
        {
            too_large(Some(whole), self.findings);
            return None;
        }
        Some(Node { span: Some(span), value, written: None })
    }

    fn list(&mut self, raw: &'t str, depth: usize) -> Option<Vec<Node>> {
        let items: Vec<&'t RawValue> = self.parse(raw)?;
        items.into_iter().map(|item| self.node(item.get(), depth + 1)).collect()
    }

    fn map(&mut self, raw: &'t str, depth: usize) -> Option<Vec<Entry>> {
        let entries: Entries<'t> = self.parse(raw)?;
        let mut map = Vec::with_capacity(entries.0.len());
        for (key, value) in entries.0 {
            let span = self.span(key.get());
            let key: String = self.parse(key.get())?;
            if !self.budget.take(key.len()) {
                too_large(Some(span), self.findings);
                return None;
            }
            map.push(Entry { key, span: Some(span), value: self.node(value.get(), depth + 1)? });
        }
        Some(map)
    }

    /// Reads a piece of the text. The grammar was checked before; what is left is an
    /// escape that is half a surrogate pair.
    fn parse<T: Deserialize<'t>>(&mut self, raw: &'t str) -> Option<T> {
        serde_json::from_str(raw).map_err(|error| self.refuse(self.span(raw), &error)).ok()
    }

    fn span(&self, piece: &str) -> Span {
        let start = piece.as_ptr().addr().saturating_sub(self.text.as_ptr().addr());
        Span { start, end: start + piece.len() }
    }

    fn refuse(&mut self, span: Span, error: &serde_json::Error) {
        let full = error.to_string();
        let what = full.rfind(" at line ").map_or(full.as_str(), |at| &full[..at]);
        let help = match self.text[span.start.min(self.text.len())..].chars().next() {
            Some('/' | '#') => Some("JSON has no comments: remove it, or write YAML"),
            Some('\'') => Some("JSON text stands between double quotes"),
            _ if what.starts_with("trailing comma") => Some("remove the comma before it"),
            _ => None,
        };
        let message = format!("this is not JSON: {what}");
        self.findings.add(Some(span), String::new(), message, help.map(str::to_owned));
    }
}

/// The offset of an error. Its column counts bytes, from 1, and is that of the last byte read.
fn offset_of(json: &str, error: &serde_json::Error) -> usize {
    let lines_before = error.line().saturating_sub(1);
    let line_start: usize = json.split_inclusive('\n').take(lines_before).map(str::len).sum();
    let mut offset = (line_start + error.column().saturating_sub(1)).min(json.len());
    while !json.is_char_boundary(offset) {
        offset -= 1;
    }
    offset
}

/// A JSON object as it is written: in its order, repeated keys and all.
struct Entries<'t>(Vec<(&'t RawValue, &'t RawValue)>);

impl<'de: 't, 't> Deserialize<'de> for Entries<'t> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct EntriesVisitor;

        impl<'de> Visitor<'de> for EntriesVisitor {
            type Value = Vec<(&'de RawValue, &'de RawValue)>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
                let mut entries = Vec::new();
                while let Some(entry) = map.next_entry()? {
                    entries.push(entry);
                }
                Ok(entries)
            }
        }

        deserializer.deserialize_map(EntriesVisitor).map(Entries)
    }
}
