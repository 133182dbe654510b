//! Which handlers a workflow may have: steps that run once all others have ended.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// After which outcome a handler runs. In the order in which they run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum HandlerKind {
    /// After a success.
    Success,
    /// After a failure, a timeout, or a crash that left a step without attempts.
    Failure,
    /// After a cancel.
    Cancel,
    /// After any outcome, and after the other handlers.
    Exit,
}

impl HandlerKind {
    /// Every kind, in the order in which they run.
    pub const ALL: [Self; 4] = [Self::Success, Self::Failure, Self::Cancel, Self::Exit];

    /// The key in documents and the word in tables and JSON.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Success => "on_success",
            Self::Failure => "on_failure",
            Self::Cancel => "on_cancel",
            Self::Exit => "on_exit",
        }
    }
}

impl fmt::Display for HandlerKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

impl Serialize for HandlerKind {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.as_str())
    }
}

impl<'de> Deserialize<'de> for HandlerKind {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
    }
}

/// The text is no kind of handler.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is no kind of handler")]
pub struct ParseHandlerKindError(String);

impl FromStr for HandlerKind {
    type Err = ParseHandlerKindError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let found = Self::ALL.into_iter().find(|kind| kind.as_str() == text);
        found.ok_or_else(|| ParseHandlerKindError(text.to_owned()))
    }
}
