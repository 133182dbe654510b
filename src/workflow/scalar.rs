//! Values of parameters.

use std::collections::BTreeMap;
use std::fmt;

use serde::Serialize;

/// A parameter's value. Numbers retain the text they were written with, so that `1.10` reaches a
/// step as `1.10`.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(untagged)]
pub enum Scalar {
    /// No value: as a default, it makes the parameter required.
    Null,
    /// `true` or `false`.
    Bool(bool),
    /// A JSON number with its text.
    Number(serde_json::Number),
    /// Any text.
    String(String),
}

impl Scalar {
    /// How long its text is.
    #[must_use]
    pub fn text_bytes(&self) -> usize {
        match self {
            Self::Null => 0,
            Self::Bool(_) => 5,
            Self::Number(number) => number.as_str().len(),
            Self::String(text) => text.len(),
        }
    }
}

impl fmt::Display for Scalar {
    /// The text in the environment of a step; nothing for null.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Null => Ok(()),
            Self::Bool(value) => value.fmt(f),
            Self::Number(value) => value.fmt(f),
            Self::String(value) => f.write_str(value),
        }
    }
}

/// The parameters of one execution: every declared one, with its value.
pub type Parameters = BTreeMap<String, Scalar>;
