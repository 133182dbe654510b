//! What was decided of one scheduled time.

use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::base::timestamp::Timestamp;

/// A decision. A later one about the same scheduled time replaces it: what is `queued` or `deferred`
/// becomes `started` or `skipped`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Decision {
    /// The index of the schedule in its workflow.
    pub schedule: usize,
    /// The scheduled time.
    pub scheduled_at: Timestamp,
    /// Its number among the times of the schedule since the planner began.
    pub ordinal: u64,
    /// What is done.
    pub action: Action,
    /// Why.
    pub reason: Reason,
    /// Whether it makes up for a time at which nothing could be started.
    pub catch_up: bool,
}

/// What becomes of a scheduled time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Action {
    /// An execution is started, now.
    Started,
    /// Rules of the workflow do not allow a start.
    Skipped,
    /// Nothing could be started at that time, and it is not made up for.
    Missed,
    /// It waits for other executions.
    Queued,
    /// It waits for the end of a blackout.
    Deferred,
}

impl Action {
    /// All of them.
    pub(crate) const ALL: [Self; 5] =
        [Self::Started, Self::Skipped, Self::Missed, Self::Queued, Self::Deferred];

    /// The word in tables and JSON.
    #[must_use]
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Started => "started",
            Self::Skipped => "skipped",
            Self::Missed => "missed",
            Self::Queued => "queued",
            Self::Deferred => "deferred",
        }
    }

    /// Whether it is the last word about a scheduled time.
    #[must_use]
    pub(crate) fn is_final(self) -> bool {
        matches!(self, Self::Started | Self::Skipped | Self::Missed)
    }
}

/// The text is none of the words.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is unknown here")]
pub(crate) struct UnknownWord(pub(crate) String);

impl FromStr for Action {
    type Err = UnknownWord;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let found = Self::ALL.into_iter().find(|action| action.as_str() == text);
        found.ok_or_else(|| UnknownWord(text.to_owned()))
    }
}

/// Why.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Reason {
    /// It is time.
    OnTime,
    /// It was noticed late, within the start deadline.
    Late,
    /// It makes up for a missed time.
    CatchUp,
    /// What it waited for has ended.
    AfterQueue,
    /// The blackout has ended.
    AfterBlackout,
    /// Other executions are cancelled for it.
    Replaces,
    /// The workflow is paused.
    Paused,
    /// There is a blackout.
    Blackout,
    /// This execution has not ended.
    Overlap(ExecutionNumber),
    /// A newer time waits in its place.
    Superseded,
    /// Nothing ran the schedules then, and there is no catch-up.
    NoCatchUp,
    /// Only the newest missed time is made up for.
    NotLast,
    /// It is older than the catch-up window.
    OutsideWindow,
    /// More times are made up for than can wait, and it is none of the newest.
    TooMany,
    /// Earlier executions come first.
    BehindOthers,
    /// Its concurrency group takes no further execution.
    GroupFull,
    /// The workflow cannot be started as its file is now.
    Unfit,
    /// The schedule is not there any more, or its times are others.
    Removed,
    /// Somebody started it by hand, after it was missed or skipped.
    ByHand,
}

/// What the caller calls an execution.
pub(crate) type ExecutionNumber = u32;

impl Reason {
    /// All of them, with no execution in particular in the way.
    pub(crate) const ALL: [Self; 19] = [
        Self::OnTime,
        Self::Late,
        Self::CatchUp,
        Self::AfterQueue,
        Self::AfterBlackout,
        Self::Replaces,
        Self::Paused,
        Self::Blackout,
        Self::Overlap(0),
        Self::Superseded,
        Self::NoCatchUp,
        Self::NotLast,
        Self::OutsideWindow,
        Self::TooMany,
        Self::BehindOthers,
        Self::GroupFull,
        Self::Unfit,
        Self::Removed,
        Self::ByHand,
    ];

    /// The word in JSON.
    #[must_use]
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::OnTime => "on_time",
            Self::Late => "late",
            Self::CatchUp => "catch_up",
            Self::AfterQueue => "after_queue",
            Self::AfterBlackout => "after_blackout",
            Self::Replaces => "replaces",
            Self::Paused => "paused",
            Self::Blackout => "blackout",
            Self::Overlap(_) => "overlap",
            Self::Superseded => "superseded",
            Self::NoCatchUp => "no_catch_up",
            Self::NotLast => "not_last",
            Self::OutsideWindow => "outside_window",
            Self::TooMany => "too_many",
            Self::BehindOthers => "behind_others",
            Self::GroupFull => "group_full",
            Self::Unfit => "unfit",
            Self::Removed => "removed",
            Self::ByHand => "by_hand",
        }
    }
}
