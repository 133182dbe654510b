//! YAML text → tree: events → nodes, with aliases and merge keys expanded.

use std::collections::{HashMap, HashSet};

use granit_parser::{Event, Parser, ScalarStyle, ScanError, Span as ParserSpan, Tag};

use super::super::problem::{Findings, Span};
use super::scalar;
use super::{
    Budget, COMMAND_AS_TEXT, DEPTH_MAX, Entry, NODE_BYTES, Node, Value, too_deep, too_large,
};
use crate::base::visible::quote;

/// Reads a YAML document; none when it is empty or a finding says why not.
pub(super) fn read<'f>(text: &'f str, findings: &'f mut Findings) -> Option<Node> {
    let yaml = text.strip_prefix('\u{feff}').unwrap_or(text);
    let mut reader = Reader {
        text,
        base: text.len() - yaml.len(),
        findings,
        budget: Budget::new(),
        open: Vec::new(),
        anchors: HashMap::new(),
        root: None,
        documents: 0,
    };
    for next in Parser::new_from_str(yaml) {
        let taken = match next {
            Ok((event, span)) => reader.take(event, span),
            Err(error) => {
                reader.refuse_syntax(yaml, &error);
                Err(Stop)
            }
        };
        if taken.is_err() {
            return None;
        }
    }
    // A document with only comments is a single null.
    reader.root.filter(|root| root.value != Value::Null || root.written.is_some())
}

/// The command after the key `run` in a line.
fn command(line: &str) -> Option<&str> {
    line.match_indices("run:").find_map(|(at, key)| {
        let starts_key = line[..at].trim_end_matches(' ').is_empty()
            || line[..at].ends_with([' ', '{', ','])
                && line[..at].trim_end().ends_with(['-', '{', ',']);
        starts_key.then(|| line[at + key.len()..].trim())
    })
}

/// Whether a command begins a block scalar, in which everything is text.
fn is_block(command: &str) -> bool {
    let rest = command.strip_prefix(['|', '>']);
    rest.is_some_and(|rest| rest.chars().all(|c| matches!(c, '-' | '+' | '1'..='9')))
}

/// Whether a line continues the command of a `run` above it, or is an item of its list.
fn command_above(before: &str, line: &str) -> bool {
    let indent = |line: &str| line.len() - line.trim_start_matches(' ').len();
    let is_item = |line: &str| line.trim_start().starts_with("- ");
    let lines = before.lines().rev().filter(|line| !line.trim().is_empty());
    let parent = lines.into_iter().find(|above| {
        indent(above) < indent(line)
            || is_item(line) && !is_item(above) && indent(above) == indent(line)
    });
    // A key after `- ` begins further right; the next key begins in the same column.
    let key_column = |line: &str| line.len() - line.trim_start_matches([' ', '-']).len();
    let parent = parent.filter(|above| {
        key_column(above) < indent(line) || is_item(line) && key_column(above) == indent(line)
    });
    parent.and_then(command).is_some_and(|command| !is_block(command))
}

/// A finding says why reading ends here.
struct Stop;

struct Reader<'f> {
    text: &'f str,
    /// Bytes of the document before what is parsed.
    base: usize,
    findings: &'f mut Findings,
    budget: Budget,
    open: Vec<Open>,
    anchors: HashMap<usize, Anchored>,
    root: Option<Node>,
    documents: usize,
}

struct Anchored {
    node: Node,
    bytes: usize,
    depth: usize,
}

/// A list or map whose end is not read yet.
struct Open {
    span: Option<Span>,
    anchor: usize,
    children: Children,
}

enum Children {
    List(Vec<Node>),
    Map { entries: Vec<Entry>, merges: Vec<Merge>, key: Option<Key> },
}

/// The key whose value comes next.
enum Key {
    Text(String, Option<Span>),
    Merge(Option<Span>),
    /// A finding says why not.
    Refused,
}

struct Merge {
    span: Option<Span>,
    value: Node,
}

impl Reader<'_> {
    fn take(&mut self, event: Event<'_>, span: ParserSpan) -> Result<(), Stop> {
        let whole = self.span(&span);
        let start_span = whole.map(|span| Span { start: span.start, end: span.start + 1 });
        match event {
            Event::DocumentStart(..) => {
                self.documents += 1;
                if self.documents > 1 {
                    let message = "a second document starts here";
                    let help = "one file is one workflow: put each into a file of its own";
                    self.findings.add(start_span, String::new(), message, help.to_owned());
                    return Err(Stop);
                }
                Ok(())
            }
            Event::Scalar(text, style, anchor, tag) => {
                self.scalar(&text, style, anchor, tag.as_deref(), whole)
            }
            Event::SequenceStart(_, anchor, tag) => {
                self.open(Children::List(Vec::new()), anchor, tag.as_deref(), "seq", start_span)
            }
            Event::MappingStart(_, anchor, tag) => {
                let map = Children::Map { entries: Vec::new(), merges: Vec::new(), key: None };
                self.open(map, anchor, tag.as_deref(), "map", start_span)
            }
            Event::SequenceEnd | Event::MappingEnd => self.close(),
            Event::Alias(anchor) => self.alias(anchor, whole),
            _ => Ok(()),
        }
    }

    fn scalar(
        &mut self,
        text: &str,
        style: ScalarStyle,
        anchor: usize,
        tag: Option<&Tag>,
        span: Option<Span>,
    ) -> Result<(), Stop> {
        self.spend(NODE_BYTES + text.len(), span)?;
        let plain = style == ScalarStyle::Plain;
        // The parser returns `~` for an absent value.
        let absent = plain && span.is_some_and(|span| span.start == span.end);
        let text = if absent { "" } else { text };
        if plain && tag.is_none() && text == "<<" && self.expects_key() {
            self.set_key(Key::Merge(span));
            return Ok(());
        }
        let scalar = match tag {
            None if plain => scalar::resolve(text),
            None => Ok(Value::String(text.to_string())),
            Some(tag) if tag.to_string() == "!" => Ok(Value::String(text.to_string())),
            Some(tag) => match tag.core_suffix() {
                Some(core @ ("str" | "int" | "float" | "bool" | "null")) => {
                    scalar::resolve_as(core, text)
                }
                _ => {
                    self.refuse_tag(tag, span);
                    Ok(Value::String(text.to_string()))
                }
            },
        };
        let value = scalar.unwrap_or_else(|refusal| {
            let help = refusal.help.to_owned();
            self.findings.add(span, String::new(), refusal.message, help);
            Value::Null
        });
        let written = match &value {
            Value::String(_) => None,
            Value::Null => plain.then(|| text.to_string()).filter(|text| !text.is_empty()),
            value => Some(text.to_string()).filter(|text| *text != scalar::canonical(value)),
        };
        self.push(Node { span, value, written }, anchor)
    }

    fn open(
        &mut self,
        children: Children,
        anchor: usize,
        tag: Option<&Tag>,
        core: &str,
        span: Option<Span>,
    ) -> Result<(), Stop> {
        self.spend(NODE_BYTES, span)?;
        if self.open.len() == DEPTH_MAX {
            too_deep(span, self.findings);
            return Err(Stop);
        }
        if let Some(tag) =
            tag.filter(|tag| tag.core_suffix() != Some(core) && tag.to_string() != "!")
        {
            self.refuse_tag(tag, span);
        }
        self.open.push(Open { span, anchor, children });
        Ok(())
    }

    fn close(&mut self) -> Result<(), Stop> {
        let Some(Open { span, anchor, children }) = self.open.pop() else { return Ok(()) };
        let value = match children {
            Children::List(items) => Value::List(items),
            Children::Map { mut entries, merges, .. } => {
                self.merge(&mut entries, merges);
                Value::Map(entries)
            }
        };
        self.push(Node { span, value, written: None }, anchor)
    }

    /// Puts a finished node where it belongs, and away for its aliases.
    fn push(&mut self, node: Node, anchor: usize) -> Result<(), Stop> {
        if anchor != 0 {
            let (bytes, depth) = (node.bytes(), node.depth());
            self.spend(bytes, node.span)?;
            self.anchors.insert(anchor, Anchored { node: node.clone(), bytes, depth });
        }
        if self.expects_key() {
            let key = self.key(node);
            self.set_key(key);
            return Ok(());
        }
        match self.open.last_mut().map(|open| &mut open.children) {
            Some(Children::List(items)) => items.push(node),
            Some(Children::Map { entries, merges, key }) => match key.take() {
                Some(Key::Text(key, span)) => entries.push(Entry { key, span, value: node }),
                Some(Key::Merge(span)) => merges.push(Merge { span, value: node }),
                Some(Key::Refused) | None => {}
            },
            None => self.root = Some(node),
        }
        Ok(())
    }

    /// A key's text as written: `1` and `true` are the keys "1" and "true".
    fn key(&mut self, node: Node) -> Key {
        let Node { span, value, written } = node;
        match value {
            Value::String(text) => Key::Text(text, span),
            value @ (Value::Bool(_) | Value::Number(_)) => {
                Key::Text(written.unwrap_or_else(|| scalar::canonical(&value)), span)
            }
            Value::Null => match written {
                Some(written) => Key::Text(written, span),
                None => self.refuse_key(span, "a key is missing here", "write `key: value`"),
            },
            Value::List(_) | Value::Map(_) => self.refuse_key(
                span,
                "a list or a map cannot be a key",
                "a key is text; put quotes around it if it holds brackets or braces",
            ),
        }
    }

    fn refuse_key(&mut self, span: Option<Span>, message: &str, help: &str) -> Key {
        self.findings.add(span, String::new(), message, help.to_owned());
        Key::Refused
    }

    fn alias(&mut self, anchor: usize, span: Option<Span>) -> Result<(), Stop> {
        let Some(Anchored { node, bytes, depth }) = self.anchors.get(&anchor) else {
            let message = "this alias stands within what it stands for";
            self.findings.add(span, String::new(), message, None);
            return Err(Stop);
        };
        let (bytes, depth) = (*bytes, *depth);
        if !self.budget.take(bytes) {
            too_large(span, self.findings);
            return Err(Stop);
        }
        if self.open.len() + depth > DEPTH_MAX {
            too_deep(span, self.findings);
            return Err(Stop);
        }
        let node = node.clone();
        self.push(node, 0)
    }

    /// Adds the keys from the merge keys of a map that the map does not have itself; if several
    /// have a key, the first counts.
    fn merge(&mut self, entries: &mut Vec<Entry>, merges: Vec<Merge>) {
        if merges.is_empty() {
            return;
        }
        if let [_, again, ..] = merges.as_slice() {
            let message = "the key `<<` stands twice in one map";
            let help = "merge several maps at once: `<<: [*one, *two]`".to_owned();
            self.findings.add(again.span, String::new(), message, help);
        }
        let mut known: HashSet<String> = entries.iter().map(|entry| entry.key.clone()).collect();
        for Merge { span, value } in merges {
            let sources = match value.value {
                Value::List(items) => items,
                _ => vec![value],
            };
            for source in sources {
                let Value::Map(merged) = source.value else {
                    let message = format!("`<<` merges maps, not {}", source.kind());
                    let help = "name a map: `<<: *anchor`".to_owned();
                    self.findings.add(source.span.or(span), String::new(), message, help);
                    continue;
                };
                entries.extend(merged.into_iter().filter(|entry| known.insert(entry.key.clone())));
            }
        }
    }

    fn expects_key(&self) -> bool {
        matches!(self.open.last(), Some(Open { children: Children::Map { key: None, .. }, .. }))
    }

    fn set_key(&mut self, next: Key) {
        if let Some(Open { children: Children::Map { key, .. }, .. }) = self.open.last_mut() {
            *key = Some(next);
        }
    }

    fn spend(&mut self, bytes: usize, span: Option<Span>) -> Result<(), Stop> {
        if self.budget.take(bytes) {
            return Ok(());
        }
        too_large(span, self.findings);
        Err(Stop)
    }

    fn refuse_tag(&mut self, tag: &Tag, span: Option<Span>) {
        let message = format!("the tag {} means nothing here", quote(&tag.original()));
        let help = match span.and_then(|span| self.command_help(span.start)) {
            Some(help) => help,
            None => "remove it".to_owned(),
        };
        self.findings.add(span, String::new(), message, help);
    }

    /// The remedy if the position is within a command without quotes.
    fn command_help(&self, at: usize) -> Option<String> {
        let before = self.text.get(..at)?;
        let line_start = before.rfind('\n').map_or(0, |end| end + 1);
        let line = self.text[line_start..].split('\n').next().unwrap_or_default();
        let is_within = match command(&before[line_start..]).or_else(|| command(line)) {
            Some(command) => !is_block(command),
            None => command_above(&before[..line_start], line),
        };
        is_within.then(|| COMMAND_AS_TEXT.to_owned())
    }

    fn refuse_syntax(&mut self, yaml: &str, error: &ScanError) {
        let start = error.marker().byte_offset().unwrap_or(yaml.len()).min(yaml.len());
        let line_start =
            yaml.as_bytes()[..start].iter().rposition(|b| *b == b'\n').map_or(0, |at| at + 1);
        let indent =
            yaml.as_bytes()[line_start..].iter().take_while(|b| matches!(**b, b' ' | b'\t'));
        let help = if indent.clone().any(|b| *b == b'\t') {
            Some(
                "YAML is indented with spaces: replace the tab at the start of the line".to_owned(),
            )
        } else {
            self.command_help(self.base + start)
        };
        let span = Span { start: self.base + start, end: self.base + start };
        self.findings.add(
            Some(span),
            String::new(),
            format!("this is not YAML: {}", error.info()),
            help,
        );
    }

    fn span(&self, span: &ParserSpan) -> Option<Span> {
        let start = self.base + span.start.byte_offset()?;
        let end = span.end.byte_offset().map_or(start, |end| self.base + end);
        Some(Span { start, end: end.max(start) })
    }
}
