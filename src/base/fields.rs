//! Reads the fields of a document that became a tree, and gathers everything that is wrong
//! with it, each with its JSON pointer (RFC 6901).

use std::fmt;
use std::time::Duration;

use serde_json::{Map, Value};

use super::period::Period;

/// What is wrong so far.
#[derive(Debug, Default)]
pub(crate) struct Fields {
    problems: Vec<String>,
    /// What the whole is called.
    whole: &'static str,
}

/// Everything that is wrong with a document, a line each.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) struct FieldsError(Vec<String>);

impl fmt::Display for FieldsError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.join("\n"))
    }
}

impl Fields {
    /// For a document that messages call `whole`.
    #[must_use]
    pub(crate) fn of(whole: &'static str) -> Self {
        Self { problems: Vec::new(), whole }
    }

    /// The value, if there are no problems.
    ///
    /// # Errors
    /// All problems.
    pub(crate) fn finish<T>(self, read: T) -> Result<T, FieldsError> {
        if self.problems.is_empty() { Ok(read) } else { Err(FieldsError(self.problems)) }
    }

    /// Records a problem at a pointer; an empty pointer means the whole document.
    pub(crate) fn add(&mut self, at: &str, problem: impl fmt::Display) {
        let at = if at.is_empty() { self.whole } else { at };
        self.problems.push(format!("{at}: {problem}"));
    }

    /// A map of known keys.
    pub(crate) fn map<'v>(
        &mut self,
        at: &str,
        value: &'v Value,
        keys: &[&str],
    ) -> Option<&'v Map<String, Value>> {
        let Value::Object(fields) = value else {
            self.add(at, "it has to be a map");
            return None;
        };
        for key in fields.keys().filter(|key| !keys.contains(&key.as_str())) {
            let nearest = keys.iter().min_by_key(|known| strsim::damerau_levenshtein(key, known));
            let known = nearest
                .filter(|known| strsim::damerau_levenshtein(key, known) <= known.len() / 3)
                .map_or_else(|| keys.join(", "), |known| (*known).to_owned());
            self.add(at, format!("`{key}` is no key here; did you mean one of: {known}?"));
        }
        Some(fields)
    }

    /// A text that is not empty.
    pub(crate) fn text(&mut self, at: &str, value: Option<&Value>) -> Option<String> {
        match value? {
            Value::String(text) if !text.trim().is_empty() => Some(text.clone()),
            other => {
                self.add(at, format!("{other} is no text"));
                None
            }
        }
    }

    /// A number within bounds, both of them included.
    pub(crate) fn number(
        &mut self,
        at: &str,
        value: Option<&Value>,
        (least, most): (f64, f64),
    ) -> Option<f64> {
        let value = value?;
        let number = value.as_f64().filter(|number| (least..=most).contains(number));
        if number.is_none() {
            self.add(at, format!("{value} is no number from {least} to {most}"));
        }
        number
    }

    /// A length of time: text such as `1m30s`, or a number of seconds.
    pub(crate) fn period(&mut self, at: &str, value: Option<&Value>) -> Option<Duration> {
        let text = match value? {
            Value::String(text) => text.clone(),
            other => other.to_string(),
        };
        match text.parse::<Period>() {
            Ok(period) => Some(period.duration()),
            Err(error) => {
                self.add(at, error);
                None
            }
        }
    }
}
