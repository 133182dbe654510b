//! Where an execution or a step stands.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// The status of an execution. A terminal one never changes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ExecutionStatus {
    /// Accepted, not started.
    Pending,
    /// Some step runs or can run.
    Running,
    /// Every step that matters succeeded.
    Success,
    /// A step without `continue_on_error` failed, or the time was up.
    Failed,
    /// Ended by a person or a signal.
    Cancelled,
    /// A crash left a step without attempts.
    Interrupted,
}

/// The status of a step. A terminal one never changes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum StepStatus {
    /// Waits for its dependencies, for a permit, or for its next attempt.
    Pending,
    /// An attempt is under way.
    Running,
    Success,
    /// Its last attempt failed.
    Failed,
    /// Not tried, or its exit code says that there was nothing to do; see [`SkipReason`].
    Skipped,
    /// Ended by a person or a signal.
    Cancelled,
    /// A crash hit its last attempt.
    Interrupted,
}

/// Why a step was skipped.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SkipReason {
    /// Its own `when` was false.
    Condition,
    /// It ended with one of its `skip_exit_codes`.
    ExitCode,
    /// A step that it depends on did not succeed.
    Dependency,
}

impl SkipReason {
    /// Every reason.
    pub const ALL: [Self; 3] = [Self::Condition, Self::ExitCode, Self::Dependency];

    /// The word in tables and JSON.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Condition => "condition",
            Self::ExitCode => "exit_code",
            Self::Dependency => "dependency",
        }
    }

    /// Whether the step itself decided that there was nothing to do.
    #[must_use]
    pub fn is_own(self) -> bool {
        self != Self::Dependency
    }
}

impl FromStr for SkipReason {
    type Err = ParseStatusError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Self::ALL.into_iter().find(|s| s.as_str() == text).ok_or_else(|| ParseStatusError {
            text: text.to_owned(),
            expected: "condition, exit_code, dependency",
        })
    }
}

/// The text is no state.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{text}` is not a status: it is one of {expected}")]
pub struct ParseStatusError {
    text: String,
    expected: &'static str,
}

impl ExecutionStatus {
    /// Every state, in the order of a life.
    pub const ALL: [Self; 6] = [
        Self::Pending,
        Self::Running,
        Self::Success,
        Self::Failed,
        Self::Cancelled,
        Self::Interrupted,
    ];

    /// The word in tables, JSON and on the screen.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Running => "running",
            Self::Success => "success",
            Self::Failed => "failed",
            Self::Cancelled => "cancelled",
            Self::Interrupted => "interrupted",
        }
    }

    /// Whether it is an end.
    #[must_use]
    pub fn is_terminal(self) -> bool {
        !matches!(self, Self::Pending | Self::Running)
    }
}

impl StepStatus {
    /// Every state, in the order of a life.
    pub const ALL: [Self; 7] = [
        Self::Pending,
        Self::Running,
        Self::Success,
        Self::Failed,
        Self::Skipped,
        Self::Cancelled,
        Self::Interrupted,
    ];

    /// The word in tables, JSON and on the screen.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Running => "running",
            Self::Success => "success",
            Self::Failed => "failed",
            Self::Skipped => "skipped",
            Self::Cancelled => "cancelled",
            Self::Interrupted => "interrupted",
        }
    }

    /// Whether it is an end.
    #[must_use]
    pub fn is_terminal(self) -> bool {
        !matches!(self, Self::Pending | Self::Running)
    }
}

impl fmt::Display for ExecutionStatus {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

impl fmt::Display for StepStatus {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

impl FromStr for ExecutionStatus {
    type Err = ParseStatusError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Self::ALL.into_iter().find(|s| s.as_str() == text).ok_or_else(|| ParseStatusError {
            text: text.to_owned(),
            expected: "pending, running, success, failed, cancelled, interrupted",
        })
    }
}

impl FromStr for StepStatus {
    type Err = ParseStatusError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Self::ALL.into_iter().find(|s| s.as_str() == text).ok_or_else(|| ParseStatusError {
            text: text.to_owned(),
            expected: "pending, running, success, failed, skipped, cancelled, interrupted",
        })
    }
}
