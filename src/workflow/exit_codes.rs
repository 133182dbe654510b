//! Sets of exit codes, as a step lists them.

use std::fmt;

use serde::{Serialize, Serializer};

/// The largest exit code of a process.
pub(crate) const EXIT_CODE_MAX: u8 = 255;

/// Exit codes and ranges of them, in the order of the document. Empty: the key is not set.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ExitCodes(Vec<ExitRange>);

/// The exit codes from `first` to `last`, both included.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ExitRange {
    pub first: u8,
    /// At least `first`.
    pub last: u8,
}

impl ExitCodes {
    /// Of these ranges.
    #[must_use]
    pub fn new(ranges: Vec<ExitRange>) -> Self {
        Self(ranges)
    }

    /// Whether the key is not set.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The smallest exit code that both list.
    #[must_use]
    pub fn shared(&self, other: &Self) -> Option<u8> {
        (0..=EXIT_CODE_MAX).find(|&code| self.contains(code.into()) && other.contains(code.into()))
    }

    /// Whether it lists this exit code.
    #[must_use]
    pub fn contains(&self, code: i32) -> bool {
        self.0.iter().any(|range| (i32::from(range.first)..=i32::from(range.last)).contains(&code))
    }
}

impl fmt::Display for ExitRange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self { first, last } if first == last => write!(f, "{first}"),
            Self { first, last } => write!(f, "{first}-{last}"),
        }
    }
}

impl Serialize for ExitCodes {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(&self.0)
    }
}

impl Serialize for ExitRange {
    /// A number, or a range as text.
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        if self.first == self.last {
            serializer.serialize_u8(self.first)
        } else {
            serializer.collect_str(self)
        }
    }
}
