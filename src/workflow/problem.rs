//! The problems of a document, each with its span and a remedy.
//!
//! Reading collects [`Findings`] with byte ranges; [`Problems`] are the same with lines, columns
//! and snippets. Quotations of the document have their control characters escaped and their length
//! cut, so that no document can drive the terminal that shows its problems.

use std::fmt::{self, Write};

use serde::Serialize;

use crate::base::visible::{quote, visible, write_visible};

/// How many problems are written out; the others are only counted in the message.
const SHOWN_MAX: usize = 50;
/// How many problems are stored; the others are only counted.
const KEPT_MAX: usize = 1_000;
/// After this many problems, similar names are no longer looked up, since that takes time.
const SUGGESTIONS_MAX: usize = 50;
/// How many characters of a source line are shown before the problem, and from it on.
const SNIPPET_BEFORE: usize = 60;
const SNIPPET_AFTER: usize = 60;

/// A range of bytes of a document.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Span {
    /// The first byte.
    pub start: usize,
    /// After the last byte.
    pub end: usize,
}

/// One problem of a document.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Problem {
    /// The line, from 1; none when what was read was no text.
    pub line: Option<usize>,
    /// The column in characters, from 1; none when what was read was no text.
    pub column: Option<usize>,
    /// Where in the document, as a JSON pointer (RFC 6901).
    pub pointer: String,
    /// What is wrong.
    pub message: String,
    /// What can be done.
    pub help: Option<String>,
    #[serde(skip)]
    snippet: Option<Snippet>,
}

/// Every problem of one document, in the order of their spans.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problems {
    name: String,
    list: Vec<Problem>,
    uncounted: usize,
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct Snippet {
    line: String,
    indent: usize,
    carets: usize,
}

impl Problems {
    /// The findings in `text`, a document that messages call `name`.
    pub(super) fn new(name: &str, text: &str, findings: Findings) -> Self {
        let Findings { mut list, uncounted, .. } = findings;
        list.sort_by(|a, b| (a.span, &a.pointer).cmp(&(b.span, &b.pointer)));
        // Problems within an anchor are found again at each of its aliases.
        list.dedup_by(|a, b| a.span.is_some() && a.span == b.span && a.message == b.message);
        let mut position = Position::default();
        let list = list
            .into_iter()
            .enumerate()
            .map(|(index, finding)| {
                let mut problem = Problem {
                    line: None,
                    column: None,
                    pointer: finding.pointer,
                    message: finding.message,
                    help: finding.help,
                    snippet: None,
                };
                if let Some(span) = finding.span {
                    position.advance(text, span.start);
                    problem.line = Some(position.line);
                    problem.column = Some(position.column);
                    if index < SHOWN_MAX {
                        problem.snippet = Some(Snippet::new(text, position.line_start, span));
                    }
                }
                problem
            })
            .collect();
        Self { name: visible(name), list, uncounted }
    }

    /// How many there are; never 0.
    #[must_use]
    pub fn len(&self) -> usize {
        self.list.len() + self.uncounted
    }

    /// The problems in the order of their spans; if there are very many, the first that were found.
    pub fn iter(&self) -> impl Iterator<Item = &Problem> {
        self.list.iter()
    }
}

impl fmt::Display for Problems {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, problem) in self.list.iter().take(SHOWN_MAX).enumerate() {
            if index > 0 {
                f.write_char('\n')?;
            }
            problem.write(f, &self.name)?;
        }
        match self.len().saturating_sub(SHOWN_MAX) {
            0 => Ok(()),
            more => write!(f, "\nand {more} more"),
        }
    }
}

impl std::error::Error for Problems {}

impl Problem {
    fn write(&self, f: &mut fmt::Formatter<'_>, name: &str) -> fmt::Result {
        f.write_str(name)?;
        if let (Some(line), Some(column)) = (self.line, self.column) {
            write!(f, ":{line}:{column}")?;
        }
        write!(f, ": {}", self.message)?;
        let mut gutter = 1;
        if let (Some(snippet), Some(line)) = (&self.snippet, self.line) {
            gutter = line.to_string().len();
            write!(f, "\n {line} | {}", snippet.line)?;
            write!(f, "\n {:gutter$} | {:indent$}", "", "", indent = snippet.indent)?;
            write!(f, "{:^<carets$}", "", carets = snippet.carets)?;
        }
        match &self.help {
            Some(help) => write!(f, "\n {:gutter$} = help: {help}", ""),
            None => Ok(()),
        }
    }
}

impl Snippet {
    fn new(text: &str, line_start: usize, span: Span) -> Self {
        let start = boundary(text, span.start);
        let before = &text[boundary(text, line_start)..start];
        let cut_before =
            before.char_indices().rev().nth(SNIPPET_BEFORE - 1).map_or(0, |(at, _)| at);
        let after = text[start..].split(['\n', '\r']).next().unwrap_or_default();
        let cut_after = after.char_indices().nth(SNIPPET_AFTER).map_or(after.len(), |(at, _)| at);

        let mut line = String::new();
        let mut width = 0;
        if cut_before > 0 {
            width += write_visible(&mut line, '…', ' ');
        }
        for c in before[cut_before..].chars() {
            width += write_visible(&mut line, c, ' ');
        }
        let indent = width;
        let mut carets = 0;
        for (at, c) in after[..cut_after].char_indices() {
            let columns = write_visible(&mut line, c, ' ');
            if start + at < span.end {
                carets += columns;
            }
        }
        if cut_after < after.len() {
            line.push('…');
        }
        line.truncate(line.trim_end().len());
        Self { line, indent, carets: carets.max(1) }
    }
}

/// Walks forward through a text, counting lines and characters.
struct Position {
    offset: usize,
    line: usize,
    line_start: usize,
    column: usize,
}

impl Default for Position {
    fn default() -> Self {
        Self { offset: 0, line: 1, line_start: 0, column: 1 }
    }
}

impl Position {
    fn advance(&mut self, text: &str, to: usize) {
        let bytes = text.as_bytes();
        let to = boundary(text, to);
        while self.offset < to {
            let ends_line = match bytes[self.offset] {
                b'\n' => true,
                b'\r' => bytes.get(self.offset + 1) != Some(&b'\n'),
                _ => false,
            };
            let starts_character = bytes[self.offset] & 0xC0 != 0x80;
            self.offset += 1;
            if ends_line {
                self.line += 1;
                self.line_start = self.offset;
                self.column = 1;
            } else if starts_character {
                self.column += 1;
            }
        }
    }
}

/// The last index up to `at` at which `text` can be cut.
fn boundary(text: &str, at: usize) -> usize {
    let mut at = at.min(text.len());
    while !text.is_char_boundary(at) {
        at -= 1;
    }
    at
}

/// The most bytes that all regular expressions of one document take, compiled.
const PATTERN_BYTES_MAX: usize = 16 * 1024 * 1024;

/// Collects what is wrong while a document is read.
#[derive(Debug, Default)]
pub(super) struct Findings {
    list: Vec<Finding>,
    uncounted: usize,
    /// What the regular expressions of the document take so far.
    pattern_bytes: usize,
}

#[derive(Debug)]
struct Finding {
    span: Option<Span>,
    pointer: String,
    message: String,
    help: Option<String>,
}

impl Findings {
    pub(super) fn add(
        &mut self,
        span: Option<Span>,
        pointer: String,
        message: impl Into<String>,
        help: impl Into<Option<String>>,
    ) {
        if self.list.len() < KEPT_MAX {
            let (message, help) = (message.into(), help.into());
            self.list.push(Finding { span, pointer, message, help });
        } else {
            self.uncounted += 1;
        }
    }

    /// Whether to look for a remedy still: a document with very many problems has not just a
    /// mistyped name.
    pub(super) fn may_suggest(&self) -> bool {
        self.list.len() < SUGGESTIONS_MAX
    }

    /// Counts a regular expression that takes so many bytes; false when they are too many.
    pub(super) fn take_patterns(&mut self, bytes: usize) -> bool {
        self.pattern_bytes += bytes;
        self.pattern_bytes <= PATTERN_BYTES_MAX
    }

    /// Whether nothing is wrong so far.
    pub(super) fn is_empty(&self) -> bool {
        self.list.is_empty()
    }
}

/// A pointer into a document, built on the way down and written when it is needed.
#[derive(Clone, Copy)]
pub(super) struct Pointer<'a> {
    parent: Option<&'a Pointer<'a>>,
    segment: Segment<'a>,
}

#[derive(Clone, Copy)]
enum Segment<'a> {
    Root,
    Key(&'a str),
    Index(usize),
}

impl<'a> Pointer<'a> {
    pub(super) const ROOT: Pointer<'static> = Pointer { parent: None, segment: Segment::Root };

    /// The value of a key.
    pub(super) fn key(&'a self, key: &'a str) -> Self {
        Self { parent: Some(self), segment: Segment::Key(key) }
    }

    /// An item of a list.
    pub(super) fn index(&'a self, index: usize) -> Self {
        Self { parent: Some(self), segment: Segment::Index(index) }
    }

    /// What is pointed to, in words: the last key.
    pub(super) fn subject(&self) -> String {
        match (self.segment, self.parent) {
            (Segment::Key(key), _) => quote(key),
            (Segment::Index(_), Some(list)) => format!("an item of {}", list.subject()),
            (Segment::Root | Segment::Index(_), _) => "the document".to_owned(),
        }
    }
}

impl fmt::Display for Pointer<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(parent) = self.parent {
            parent.fmt(f)?;
        }
        match self.segment {
            Segment::Root => Ok(()),
            Segment::Key(key) => write!(f, "/{}", key.replace('~', "~0").replace('/', "~1")),
            Segment::Index(index) => write!(f, "/{index}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn one(text: &str, start: usize, end: usize) -> Problems {
        let mut findings = Findings::default();
        findings.add(Some(Span { start, end }), "/a".into(), "wrong", Some("right it".into()));
        Problems::new("w.yaml", text, findings)
    }

    #[test]
    fn a_problem_shows_its_line_and_a_caret_under_its_span() {
        assert_eq!(
            one("first\nkey: value\n", 11, 16).to_string(),
            "w.yaml:2:6: wrong\n 2 | key: value\n   |      ^^^^^\n   = help: right it"
        );
    }

    #[test]
    fn columns_count_characters_and_carets_count_cells() {
        let problems = one("日本: é", "日本: ".len(), "日本: é".len());
        assert_eq!(problems.list[0].column, Some(5));
        assert!(problems.to_string().contains("\n   |       ^\n"), "{problems}");
    }

    #[test]
    fn every_kind_of_line_end_counts_once() {
        for (text, start) in [("a\nb\nc", 4), ("a\r\nb\r\nc", 6), ("a\rb\rc", 4)] {
            let problem = &one(text, start, start + 1).list[0];
            assert_eq!((problem.line, problem.column), (Some(3), Some(1)), "{text:?}");
        }
    }

    #[test]
    fn a_long_line_is_cut_around_the_span() {
        let text = format!("{}X{}", "a".repeat(10_000), "b".repeat(10_000));
        let shown = one(&text, 10_000, 10_001).to_string();
        assert!(shown.len() < 400, "{}", shown.len());
        let lines: Vec<&str> = shown.lines().collect();
        let caret = lines[2].chars().position(|c| c == '^').unwrap();
        assert_eq!(lines[1].chars().nth(caret), Some('X'), "{shown}");
    }

    #[test]
    fn nothing_of_a_document_reaches_the_terminal_unescaped() {
        let text = "a\u{1b}[2J\u{202e}\u{9b}\tb";
        let shown = one(text, 1, 2).to_string();
        assert!(shown.chars().all(|c| c == '\n' || !c.is_control()), "{shown:?}");
        assert!(!shown.contains('\u{202e}'));
        assert_eq!(quote("a\nb"), "`a\\nb`");
        assert!(quote(&"x".repeat(500)).len() < 80);
    }

    #[test]
    fn a_span_outside_of_the_text_is_clamped_to_its_end() {
        for (text, start) in [("", 9), ("é", 1), ("a\n", 2), ("a\r\n", 2)] {
            assert!(one(text, start, start).to_string().contains('^'), "{text:?}");
        }
    }

    #[test]
    fn many_problems_are_cut_and_counted() {
        let mut findings = Findings::default();
        for start in 0..3_000 {
            findings.add(Some(Span { start, end: start }), String::new(), "wrong", None);
        }
        let problems = Problems::new("-", &"a".repeat(3_000), findings);
        assert_eq!(problems.len(), 3_000);
        assert_eq!(problems.to_string().matches("wrong").count(), SHOWN_MAX);
        assert!(problems.to_string().ends_with("and 2950 more"));
    }

    #[test]
    fn a_pointer_escapes_what_rfc_6901_says() {
        let env = Pointer::ROOT.key("env");
        let list = env.key("a/b~c");
        assert_eq!(list.index(3).to_string(), "/env/a~1b~0c/3");
        assert_eq!(list.index(3).subject(), "an item of `a/b~c`");
    }
}
