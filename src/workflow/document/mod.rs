//! Text → tree: a JSON or YAML document as nodes with spans.
//!
//! JSON is strict JSON. YAML is YAML 1.2 with its core schema (so `yes` and `on` are text),
//! anchors, aliases and merge keys, one document, no tags but those of the core schema. In both, a
//! number retains the text it was written with, and a key repeated in one map is a problem. Size,
//! depth and what aliases expand to are bounded.

mod json;
mod scalar;
pub(crate) mod write;
mod yaml;

use std::collections::HashSet;
use std::path::Path;

use super::problem::{Findings, Pointer, Span};
use crate::base::visible::quote;

/// The longest text that is read, in bytes.
pub(crate) const DOCUMENT_BYTES_MAX: usize = 16 * 1024 * 1024;
/// The deepest nesting of lists and maps.
pub(crate) const DEPTH_MAX: usize = 64;
/// The largest tree, after aliases: its text in bytes and [`NODE_BYTES`] for each node.
const TREE_BYTES_MAX: usize = 64 * 1024 * 1024;
const NODE_BYTES: usize = 64;
/// Keys by which `serde_json` marks numbers and raw text: a map with one would be
/// read back as something else.
const RESERVED_PREFIX: &str = "$serde_json::private::";

/// The remedy for commands with characters that have a meaning in YAML.
pub(super) const COMMAND_AS_TEXT: &str = "YAML reads some of its characters as its own: write the \
     command on the line below `run: |`, indented, or put it in quotes";

/// The language of a document.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// JSON, strictly.
    Json,
    /// YAML 1.2.
    Yaml,
}

impl Format {
    /// The format of a file, by its extension.
    #[must_use]
    pub fn of(file: &Path) -> Option<Self> {
        match file.extension()?.to_str()?.to_ascii_lowercase().as_str() {
            "json" => Some(Self::Json),
            "yaml" | "yml" => Some(Self::Yaml),
            _ => None,
        }
    }
}

/// A value and its span.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Node {
    /// None when it was not read from text. For lists and maps the first character.
    pub(super) span: Option<Span>,
    pub(super) value: Value,
    /// A YAML scalar's text where it is another than that of its value, such as
    /// `True` or `0x1f`.
    pub(super) written: Option<String>,
}

#[derive(Debug, Clone, PartialEq)]
pub(super) enum Value {
    Null,
    Bool(bool),
    Number(serde_json::Number),
    String(String),
    List(Vec<Node>),
    Map(Vec<Entry>),
}

/// A key of a map and its value.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Entry {
    pub(super) key: String,
    /// The span of the key.
    pub(super) span: Option<Span>,
    pub(super) value: Node,
}

/// Reads a document. Without a syntax error it returns a tree, and adds other problems to
/// `findings`: repeated keys, of which the tree has the first.
pub(super) fn read(text: &str, format: Format, findings: &mut Findings) -> Option<Node> {
    let start = Some(Span { start: 0, end: 0 });
    if text.len() > DOCUMENT_BYTES_MAX {
        let message = format!(
            "the document is too large: {} bytes of at most {DOCUMENT_BYTES_MAX}",
            text.len()
        );
        findings.add(start, String::new(), message, None);
        return None;
    }
    let root = match format {
        Format::Json => json::read(text, findings),
        Format::Yaml => yaml::read(text, findings),
    };
    if let Some(mut root) = root {
        check_keys(&mut root, &Pointer::ROOT, findings);
        return Some(root);
    }
    if findings.is_empty() {
        let help = "a workflow has at least `steps`, a list".to_owned();
        findings.add(start, String::new(), "the document is empty", help);
    }
    None
}

/// The format of a text without a file name: JSON if it starts like a JSON object.
#[must_use]
pub fn sniff(text: &str) -> Format {
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    match text.trim_start().strip_prefix('{').map(str::trim_start) {
        Some(rest) if rest.is_empty() || rest.starts_with(['"', '}']) => Format::Json,
        _ => Format::Yaml,
    }
}

impl Node {
    /// The tree of a value that was not read from a document.
    pub(super) fn from_json(value: &serde_json::Value) -> Self {
        let value = match value {
            serde_json::Value::Null => Value::Null,
            serde_json::Value::Bool(value) => Value::Bool(*value),
            serde_json::Value::Number(value) => Value::Number(value.clone()),
            serde_json::Value::String(value) => Value::String(value.clone()),
            serde_json::Value::Array(items) => {
                Value::List(items.iter().map(Self::from_json).collect())
            }
            serde_json::Value::Object(entries) => Value::Map(
                entries
                    .iter()
                    .map(|(key, value)| Entry {
                        key: key.clone(),
                        span: None,
                        value: Self::from_json(value),
                    })
                    .collect(),
            ),
        };
        Self { span: None, value, written: None }
    }

    /// The value alone.
    pub(super) fn to_json(&self) -> serde_json::Value {
        match &self.value {
            Value::Null => serde_json::Value::Null,
            Value::Bool(value) => serde_json::Value::Bool(*value),
            Value::Number(value) => serde_json::Value::Number(value.clone()),
            Value::String(value) => serde_json::Value::String(value.clone()),
            Value::List(items) => items.iter().map(Self::to_json).collect(),
            Value::Map(entries) => {
                entries.iter().map(|entry| (entry.key.clone(), entry.value.to_json())).collect()
            }
        }
    }

    /// Its kind, for messages.
    pub(super) fn kind(&self) -> String {
        match &self.value {
            Value::Null => "nothing".to_owned(),
            Value::Bool(value) => value.to_string(),
            Value::Number(value) => format!("the number {}", quote(&value.to_string())),
            Value::String(_) => "text".to_owned(),
            Value::List(_) => "a list".to_owned(),
            Value::Map(_) => "a map".to_owned(),
        }
    }

    /// The share of [`TREE_BYTES_MAX`] that it and all nodes below it take.
    fn bytes(&self) -> usize {
        NODE_BYTES
            + match &self.value {
                Value::Null | Value::Bool(_) | Value::Number(_) => 0,
                Value::String(text) => text.len(),
                Value::List(items) => items.iter().map(Self::bytes).sum(),
                Value::Map(entries) => {
                    entries.iter().map(|entry| entry.key.len() + entry.value.bytes()).sum()
                }
            }
    }

    /// How deep lists and maps are nested.
    fn depth(&self) -> usize {
        match &self.value {
            Value::List(items) => 1 + items.iter().map(Self::depth).max().unwrap_or(0),
            Value::Map(entries) => {
                1 + entries.iter().map(|entry| entry.value.depth()).max().unwrap_or(0)
            }
            _ => 0,
        }
    }
}

/// How much of [`TREE_BYTES_MAX`] is left.
struct Budget(usize);

impl Budget {
    fn new() -> Self {
        Self(TREE_BYTES_MAX)
    }

    /// Takes `bytes`; false when they are not left.
    fn take(&mut self, bytes: usize) -> bool {
        let left = self.0.checked_sub(bytes);
        self.0 = left.unwrap_or(0);
        left.is_some()
    }
}

fn too_large(span: Option<Span>, findings: &mut Findings) {
    let message = "the document holds too much from here on";
    let help = format!(
        "with its aliases expanded it may have {} MiB, where each value counts {NODE_BYTES} bytes and its text",
        TREE_BYTES_MAX / 1024 / 1024
    );
    findings.add(span, String::new(), message, help);
}

fn too_deep(span: Option<Span>, findings: &mut Findings) {
    let message = format!("lists and maps are nested more than {DEPTH_MAX} deep here");
    findings.add(span, String::new(), message, None);
}

fn check_keys(node: &mut Node, at: &Pointer<'_>, findings: &mut Findings) {
    match &mut node.value {
        Value::List(items) => {
            for (index, item) in items.iter_mut().enumerate() {
                check_keys(item, &at.index(index), findings);
            }
        }
        Value::Map(entries) => {
            let mut seen = HashSet::new();
            let repeated: Vec<bool> =
                entries.iter().map(|entry| !seen.insert(entry.key.as_str())).collect();
            for (entry, repeated) in entries.iter_mut().zip(&repeated) {
                let at = at.key(&entry.key);
                if entry.key.starts_with(RESERVED_PREFIX) {
                    let message = format!("the key {} cannot be kept", quote(&entry.key));
                    let help = format!("choose a key that does not start with `{RESERVED_PREFIX}`");
                    findings.add(entry.span, at.to_string(), message, help);
                }
                if *repeated {
                    let message = format!("the key {} stands twice in one map", quote(&entry.key));
                    let help = "keep one of the two".to_owned();
                    findings.add(entry.span, at.to_string(), message, help);
                }
                check_keys(&mut entry.value, &at, findings);
            }
            let mut repeated = repeated.into_iter();
            entries.retain(|_| !repeated.next().unwrap_or(false));
        }
        _ => {}
    }
}

#[cfg(test)]
mod tests;
