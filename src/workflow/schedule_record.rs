//! What is stored and shown of schedules: decisions, pauses, expectations that are not met.  (pure)

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::notification::{EventKind, Notify};
use crate::base::timestamp::Timestamp;
use crate::schedule::decision::{Action, UnknownWord};

/// What makes an execution the start of a scheduled time. It is decided for good by the transaction
/// that stores the execution.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ScheduledStart {
    /// The schedule's name.
    pub schedule: String,
    /// The scheduled time.
    pub scheduled_at: Timestamp,
    /// When it was decided.
    pub decided_at: Timestamp,
    /// Why, as a word.
    pub reason: &'static str,
    /// Whether it makes up for a missed time.
    pub catch_up: bool,
    /// What must not be there.
    pub beside: Beside,
    /// The row that it belongs to with other times, if it is started by hand.
    pub split: Option<Split>,
    /// Who is notified that expectations are met again.
    pub notify: Option<Arc<Notify>>,
}

/// A row of several scheduled times, of which one is taken out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Split {
    /// The first scheduled time of the row.
    pub row: Timestamp,
    /// The last one.
    pub row_until: Timestamp,
    /// The last time before it, and how many are before it.
    pub before: Option<(Timestamp, u64)>,
    /// The first time after it, and how many are after it.
    pub after: Option<(Timestamp, u64)>,
}

/// Which other executions of the workflow a scheduled start allows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Beside {
    /// None that has not ended.
    Nothing,
    /// Any that makes up for no missed time.
    NoCatchUp,
    /// Any.
    Anything,
    /// Any, which is then cancelled.
    Replaced,
    /// Any: somebody starts it by hand, even if it was missed or skipped.
    ByHand,
}

/// What became of one scheduled time, or of several in a row.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct DecisionRecord {
    /// Which workflow.
    pub workflow_id: String,
    /// The schedule's name.
    pub schedule: String,
    /// The first scheduled time.
    pub scheduled_at: Timestamp,
    /// The last one.
    pub scheduled_until: Timestamp,
    /// How many.
    pub count: u64,
    /// When it was decided.
    pub decided_at: Timestamp,
    /// What.
    pub action: Action,
    /// Why, as a word.
    pub reason: String,
    /// The execution that was started, or the one in the way.
    pub execution_id: Option<String>,
    /// Whether it makes up for a missed time.
    pub catch_up: bool,
}

/// A span in which scheduled times of a workflow start nothing.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct PauseRecord {
    /// Which workflow; `None`: all of them.
    pub workflow_id: Option<String>,
    /// Since when.
    pub paused_at: Timestamp,
    /// Until when; `None`: until somebody resumes it.
    pub paused_until: Option<Timestamp>,
    /// Why.
    pub reason: Option<String>,
    /// Who wanted that.
    pub paused_by: Option<String>,
    /// From which address, if it was paused on the web page.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub paused_address: Option<String>,
}

/// What is not as expected.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum OverdueKind {
    /// Scheduled times passed without a start, and without a rule that says so.
    Missed,
    /// A scheduled execution has not started in time.
    Late,
    /// An execution runs for too long.
    Slow,
    /// The last success is too long ago.
    Stale,
}

impl OverdueKind {
    /// All of them.
    pub(crate) const ALL: [Self; 4] = [Self::Missed, Self::Late, Self::Slow, Self::Stale];

    /// What notifications call it.
    #[must_use]
    pub(crate) fn event(self) -> EventKind {
        match self {
            Self::Missed => EventKind::Missed,
            Self::Late => EventKind::Late,
            Self::Slow => EventKind::Slow,
            Self::Stale => EventKind::Stale,
        }
    }

    /// The word in tables and JSON.
    #[must_use]
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Missed => "missed",
            Self::Late => "late",
            Self::Slow => "slow",
            Self::Stale => "stale",
        }
    }
}

impl fmt::Display for OverdueKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

impl FromStr for OverdueKind {
    type Err = UnknownWord;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let found = Self::ALL.into_iter().find(|kind| kind.as_str() == text);
        found.ok_or_else(|| UnknownWord(text.to_owned()))
    }
}

/// An expectation that is not met.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct OverdueRecord {
    /// Which workflow.
    pub workflow_id: String,
    /// What.
    pub kind: OverdueKind,
    /// How often since it is open.
    pub count: u64,
    /// Since when.
    pub raised_at: Timestamp,
    /// The schedule that it concerns last.
    pub schedule: Option<String>,
    /// Its scheduled time.
    pub scheduled_at: Option<Timestamp>,
    /// The execution that it concerns last.
    pub execution_id: Option<String>,
}
