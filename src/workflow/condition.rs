//! The `when` of a step: a condition over parameters, and over outputs and statuses of the steps
//! before it.
//!
//! Values are compared as the text that a step finds in `WFX_…`. An evaluation depends on nothing
//! but the parameters and steps that have ended, so that it is the same after a crash.

use std::fmt;

use serde::ser::SerializeMap;
use serde::{Serialize, Serializer};

use super::record::{StepState, StepStatus};
use super::scalar::{Parameters, Scalar};
use crate::base::visible::quote;

/// The longest text of a clause in a message, in characters.
const CLAUSE_SHOWN_MAX: usize = 200;

/// What must hold for a step to run.
#[derive(Debug, Clone, PartialEq)]
pub enum Condition {
    /// Every one of these; never empty.
    All(Vec<Condition>),
    /// At least one of these; never empty.
    Any(Vec<Condition>),
    /// The opposite.
    Not(Box<Condition>),
    /// The value of a parameter.
    Param {
        /// The parameter; declared.
        name: String,
        /// What its text is compared with.
        test: Test,
    },
    /// An output of a step.
    Output {
        /// The step; a dependency, direct or not.
        step: StepRef,
        /// The key of the output. A missing one satisfies [`Test::IsNot`] alone.
        key: String,
        /// What its text is compared with.
        test: Test,
    },
    /// How a step ended.
    Status {
        /// The step; a dependency, direct or not.
        step: StepRef,
        /// One of these; never empty, each terminal.
        statuses: Vec<StepStatus>,
    },
}

/// A step that a condition looks at.
#[derive(Debug, Clone)]
pub struct StepRef {
    name: String,
    /// Its index in the list; [`usize::MAX`] until its workflow is compiled.
    index: usize,
}

impl StepRef {
    /// What the step is called.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }
}

impl From<String> for StepRef {
    fn from(name: String) -> Self {
        Self { name, index: usize::MAX }
    }
}

impl PartialEq for StepRef {
    /// The index is derived from the name.
    fn eq(&self, other: &Self) -> bool {
        self.name == other.name
    }
}

/// A comparison of a text.
#[derive(Debug, Clone, PartialEq)]
pub enum Test {
    /// It is this text.
    Is(Scalar),
    /// It is another text, or there is none.
    IsNot(Scalar),
    /// It is one of these.
    In(Vec<Scalar>),
    /// A part of it matches; the whole of it with `^` and `$`.
    Matches(Pattern),
}

/// A regular expression, compiled when its document is checked. It is matched in time linear to
/// the text.
#[derive(Debug, Clone)]
pub struct Pattern {
    text: String,
    regex: regex::Regex,
    /// About how much memory it takes.
    bytes: usize,
}

impl Pattern {
    /// The most bytes of one pattern.
    pub(crate) const BYTES_MAX: usize = 1_024;
    /// The most bytes that one takes when it is compiled: they bound the time of a match as well,
    /// at about half a second for 64 KiB of text.
    const COMPILED_BYTES_MAX: usize = 128 * 1024;
    /// What most of those that people write take at most.
    const COMPILED_BYTES_USUAL: usize = 16 * 1024;
    const NESTING_MAX: u32 = 32;

    /// Compiles a pattern.
    ///
    /// # Errors
    /// Why it is none, in one line.
    pub(crate) fn new(text: &str) -> Result<Self, String> {
        if text.len() > Self::BYTES_MAX {
            return Err(format!("it has {} bytes of at most {}", text.len(), Self::BYTES_MAX));
        }
        let compile = |bytes| {
            let regex = regex::RegexBuilder::new(text)
                .size_limit(bytes)
                .dfa_size_limit(Self::COMPILED_BYTES_MAX)
                .nest_limit(Self::NESTING_MAX)
                .build();
            regex.map(|regex| Self { text: text.to_owned(), regex, bytes })
        };
        let pattern = match compile(Self::COMPILED_BYTES_USUAL) {
            Err(regex::Error::CompiledTooBig(_)) => compile(Self::COMPILED_BYTES_MAX),
            pattern => pattern,
        };
        match pattern {
            Ok(pattern) => Ok(pattern),
            Err(regex::Error::CompiledTooBig(most)) => Err(format!(
                "compiled, it takes more than {most} bytes; `[0-9A-Za-z_]` takes less than `\\w`, \
                 and `[0-9]` less than `\\d`"
            )),
            // The last line says why; those before it show the pattern.
            Err(error) => {
                let error = error.to_string();
                let why = error.lines().last().unwrap_or_default();
                Err(why.strip_prefix("error: ").unwrap_or(why).to_owned())
            }
        }
    }

    /// About how much memory it takes.
    #[must_use]
    pub(crate) fn bytes(&self) -> usize {
        self.bytes
    }
}

impl PartialEq for Pattern {
    fn eq(&self, other: &Self) -> bool {
        self.text == other.text
    }
}

/// What a condition looks at.
pub(crate) struct Facts<'f> {
    /// The parameters of the execution.
    pub(crate) params: &'f Parameters,
    /// The state of each step, by its index in the list.
    pub(crate) steps: &'f [StepState],
}

impl Facts<'_> {
    fn step(&self, step: &StepRef) -> Option<&StepState> {
        self.steps.get(step.index)
    }
}

/// The result of an evaluation.
struct Decision<'c> {
    holds: bool,
    /// The innermost clause that decided.
    clause: &'c Condition,
}

impl Condition {
    /// Why the condition does not hold; `None` if it does.
    pub(crate) fn refusal(&self, facts: &Facts<'_>) -> Option<String> {
        let Decision { holds, clause } = self.decide(facts);
        (!holds).then(|| {
            let mut text = clause.to_string();
            if let Some((cut, _)) = text.char_indices().nth(CLAUSE_SHOWN_MAX) {
                text.truncate(cut);
                text.push('…');
            }
            format!("its `when` is false: {text}: {}", clause.finding(facts))
        })
    }

    fn decide(&self, facts: &Facts<'_>) -> Decision<'_> {
        match self {
            Self::All(list) => {
                let mut decisions = list.iter().map(|clause| clause.decide(facts));
                let failed = decisions.find(|decision| !decision.holds);
                failed.unwrap_or(Decision { holds: true, clause: self })
            }
            Self::Any(list) => {
                let mut decisions = list.iter().map(|clause| clause.decide(facts));
                match decisions.find(|decision| decision.holds) {
                    Some(decision) => decision,
                    None if list.len() == 1 => list[0].decide(facts),
                    None => Decision { holds: false, clause: self },
                }
            }
            Self::Not(inner) => {
                let Decision { holds, clause } = inner.decide(facts);
                let is_whole = std::ptr::eq(clause, &raw const **inner);
                Decision { holds: !holds, clause: if is_whole { self } else { clause } }
            }
            Self::Param { .. } | Self::Output { .. } | Self::Status { .. } => {
                Decision { holds: self.holds(facts), clause: self }
            }
        }
    }

    /// Whether a clause that combines no others holds.
    fn holds(&self, facts: &Facts<'_>) -> bool {
        match self {
            Self::Param { name, test } => match facts.params.get(name) {
                Some(Scalar::String(text)) => test.holds(Some(text)),
                Some(value) => test.holds(Some(&value.to_string())),
                None => test.holds(None),
            },
            Self::Output { step, key, test } => {
                let state = facts.step(step);
                test.holds(state.and_then(|state| state.outputs.get(key)).map(String::as_str))
            }
            Self::Status { step, statuses } => {
                facts.step(step).is_some_and(|state| statuses.contains(&state.status))
            }
            Self::All(_) | Self::Any(_) | Self::Not(_) => false,
        }
    }

    /// What the clause that decided has found.
    fn finding(&self, facts: &Facts<'_>) -> String {
        match self {
            Self::All(_) => "all of them are true".to_owned(),
            Self::Any(_) => "none of them is true".to_owned(),
            Self::Not(inner) => inner.finding(facts),
            Self::Param { name, .. } => match facts.params.get(name) {
                Some(value) => format!("the parameter is {}", quote(&value.to_string())),
                None => "there is no such parameter".to_owned(),
            },
            Self::Output { step, key, .. } => {
                match facts.step(step).and_then(|state| state.outputs.get(key)) {
                    Some(value) => format!("the output is {}", quote(value)),
                    None => "the step has no such output".to_owned(),
                }
            }
            Self::Status { step, .. } => match facts.step(step) {
                Some(state) => format!("the step is {}", state.status),
                None => "there is no such step".to_owned(),
            },
        }
    }

    /// About how much memory its regular expressions take.
    pub(crate) fn pattern_bytes(&self) -> usize {
        let mut bytes = 0;
        self.for_each_leaf(&mut |leaf| match leaf {
            Self::Param { test: Test::Matches(pattern), .. }
            | Self::Output { test: Test::Matches(pattern), .. } => bytes += pattern.bytes(),
            _ => {}
        });
        bytes
    }

    /// Looks up the index of each step that it names.
    pub(crate) fn resolve(&mut self, index_of: &impl Fn(&str) -> Option<usize>) {
        match self {
            Self::All(list) | Self::Any(list) => {
                list.iter_mut().for_each(|clause| clause.resolve(index_of));
            }
            Self::Not(inner) => inner.resolve(index_of),
            Self::Output { step, .. } | Self::Status { step, .. } => {
                step.index = index_of(&step.name).unwrap_or(usize::MAX);
            }
            Self::Param { .. } => {}
        }
    }

    /// Adds the indices of the steps whose status it tests.
    pub(crate) fn add_tested(&self, tested: &mut Vec<usize>) {
        self.for_each_leaf(&mut |leaf| {
            if let Self::Status { step, .. } = leaf {
                tested.push(step.index);
            }
        });
    }

    /// Calls `look` for each clause that combines no others.
    fn for_each_leaf<'c>(&'c self, look: &mut impl FnMut(&'c Self)) {
        match self {
            Self::All(list) | Self::Any(list) => {
                list.iter().for_each(|clause| clause.for_each_leaf(look));
            }
            Self::Not(inner) => inner.for_each_leaf(look),
            Self::Param { .. } | Self::Output { .. } | Self::Status { .. } => look(self),
        }
    }
}

impl Test {
    /// Whether it holds for a text; `None`: there is none.
    fn holds(&self, text: Option<&str>) -> bool {
        let Some(text) = text else { return matches!(self, Self::IsNot(_)) };
        match self {
            Self::Is(value) => is_text_of(value, text),
            Self::IsNot(value) => !is_text_of(value, text),
            Self::In(values) => values.iter().any(|value| is_text_of(value, text)),
            Self::Matches(pattern) => pattern.regex.is_match(text),
        }
    }
}

fn is_text_of(value: &Scalar, text: &str) -> bool {
    match value {
        Scalar::String(value) => value == text,
        value => value.to_string() == text,
    }
}

impl fmt::Display for Condition {
    /// As it is written in a document, without the line breaks of its values.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::All(list) => write_list(f, "all", list),
            Self::Any(list) => write_list(f, "any", list),
            Self::Not(inner) => write!(f, "{{not: {inner}}}"),
            Self::Param { name, test } => write!(f, "{{param: {}, {test}}}", Plain(name)),
            Self::Output { step, key, test } => {
                write!(f, "{{step: {}, output: {}, {test}}}", Plain(&step.name), Plain(key))
            }
            Self::Status { step, statuses } => {
                write!(f, "{{step: {}, status: ", Plain(&step.name))?;
                match &statuses[..] {
                    [only] => write!(f, "{only}}}"),
                    several => {
                        let words: Vec<&str> = several.iter().map(|s| s.as_str()).collect();
                        write!(f, "[{}]}}", words.join(", "))
                    }
                }
            }
        }
    }
}

fn write_list(f: &mut fmt::Formatter<'_>, name: &str, list: &[Condition]) -> fmt::Result {
    write!(f, "{{{name}: [")?;
    for (index, clause) in list.iter().enumerate() {
        write!(f, "{}{clause}", if index > 0 { ", " } else { "" })?;
    }
    f.write_str("]}")
}

impl fmt::Display for Test {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Is(value) => write!(f, "is: {}", Plain(&value.to_string())),
            Self::IsNot(value) => write!(f, "is_not: {}", Plain(&value.to_string())),
            Self::In(values) => {
                f.write_str("in: [")?;
                for (index, value) in values.iter().enumerate() {
                    let comma = if index > 0 { ", " } else { "" };
                    write!(f, "{comma}{}", Plain(&value.to_string()))?;
                }
                f.write_str("]")
            }
            Self::Matches(pattern) => write!(f, "matches: {}", Plain(&pattern.text)),
        }
    }
}

/// A text as it is, if it can be none but one word; otherwise in quotes, as JSON has it.
struct Plain<'t>(&'t str);

impl fmt::Display for Plain<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let is_word = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '.' | '/');
        if !self.0.is_empty() && self.0.chars().all(is_word) {
            return f.write_str(self.0);
        }
        write!(f, "{}", serde_json::Value::from(self.0))
    }
}

impl Serialize for Condition {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        match self {
            Self::All(list) => map.serialize_entry("all", list)?,
            Self::Any(list) => map.serialize_entry("any", list)?,
            Self::Not(inner) => map.serialize_entry("not", inner)?,
            Self::Param { name, test } => {
                map.serialize_entry("param", name)?;
                test.serialize_into(&mut map)?;
            }
            Self::Output { step, key, test } => {
                map.serialize_entry("step", &step.name)?;
                map.serialize_entry("output", key)?;
                test.serialize_into(&mut map)?;
            }
            Self::Status { step, statuses } => {
                map.serialize_entry("step", &step.name)?;
                match &statuses[..] {
                    [only] => map.serialize_entry("status", only)?,
                    several => map.serialize_entry("status", several)?,
                }
            }
        }
        map.end()
    }
}

impl Test {
    fn serialize_into<M: SerializeMap>(&self, map: &mut M) -> Result<(), M::Error> {
        match self {
            Self::Is(value) => map.serialize_entry("is", value),
            Self::IsNot(value) => map.serialize_entry("is_not", value),
            Self::In(values) => map.serialize_entry("in", values),
            Self::Matches(pattern) => map.serialize_entry("matches", &pattern.text),
        }
    }
}

#[cfg(test)]
mod tests;
