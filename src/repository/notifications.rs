//! Notifications as the store hands them out and takes them back.

use serde::{Deserialize, Serialize};

use crate::base::timestamp::Timestamp;
use crate::workflow::notification::Content;

/// How long a claim holds: longer than any attempt takes. A claim of a process that is proven dead
/// is free at once.
pub(crate) const LEASE: std::time::Duration = std::time::Duration::from_secs(30);

/// A notification that this process is to send now.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Claimed {
    /// Its row.
    pub(crate) seq: i64,
    /// Its id, the same on every attempt.
    pub(crate) id: String,
    /// What it says.
    pub(crate) content: Content,
    /// How many attempts failed.
    pub(crate) attempts: u32,
    /// When it was queued.
    pub(crate) created_at: Timestamp,
}

/// What one look at the outbox of a channel found.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct Claim {
    /// What is to be sent now.
    pub(crate) claimed: Vec<Claimed>,
    /// Those that became too old to be sent: they are given up.
    pub(crate) expired: Vec<Ended>,
    /// When the next one is due that is not claimed; `None`: nothing waits.
    pub(crate) next_at: Option<Timestamp>,
}

/// What upkeep of the outbox did.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct KeptUp {
    /// Reminders were queued.
    pub(crate) is_queued: bool,
    /// Ids and channels of what no daemon delivered for too long, and is given up.
    pub(crate) unserved: Vec<(String, String)>,
}

/// A notification that has ended without being accepted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Ended {
    pub(crate) id: String,
    pub(crate) error: Option<String>,
}

/// Which notifications of a channel are claimed, and for how long.
#[derive(Debug, Clone)]
pub(crate) struct ClaimRequest {
    pub(crate) channel: String,
    /// The process that sends them.
    pub(crate) owner: String,
    /// At most so many.
    pub(crate) limit: usize,
    pub(crate) now: Timestamp,
    /// When the lease ends.
    pub(crate) until: Timestamp,
    /// Those that were queued before are given up where an attempt was made or the channel fails.
    pub(crate) expired_before: Timestamp,
    /// Only these, by row; `None`: all.
    pub(crate) only: Option<Vec<i64>>,
}

/// The result of an attempt.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Settlement {
    pub(crate) seq: i64,
    /// The process that made it.
    pub(crate) owner: String,
    pub(crate) at: Timestamp,
    pub(crate) result: Attempted,
}

/// How an attempt ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Attempted {
    /// The receiver accepted it.
    Accepted,
    /// It is tried again at that time.
    Failed { error: String, again_at: Timestamp },
    /// It is not tried again.
    GivenUp { error: String },
    /// It was not tried: somebody else may do so now.
    Returned,
}

/// A notification that is queued beside any execution: a test, an alert of a service level.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct NewNotification {
    /// Its id; also what it is about, so that it is queued once.
    pub(crate) id: String,
    pub(crate) channel: String,
    /// Those of one thread and channel are sent one after another.
    pub(crate) thread: String,
    pub(crate) content: Content,
    /// How it ended, where it was sent before it could be stored.
    pub(crate) ended: Option<(NotificationState, Option<String>)>,
    /// Claimed at once by this process.
    pub(crate) claimed_by: Option<String>,
    /// Of an alert of a service level, or its end: the daemon that resolves it.
    pub(crate) raised_by: Option<String>,
}

/// An alert that a channel was sent and whose breach is not over.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct OpenAlert {
    pub(crate) channel: String,
    /// When the breach began.
    pub(crate) since: Timestamp,
    /// What was sent last.
    pub(crate) content: Content,
}

/// Where a notification stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum NotificationState {
    /// It waits, or is being sent.
    Pending,
    /// The receiver accepted it.
    Accepted,
    /// The receiver refused it, or did not accept it for a day.
    GivenUp,
    /// The end of an incident of which no notification was accepted: it is not sent.
    Dropped,
}

impl NotificationState {
    /// Every state.
    pub(crate) const ALL: [Self; 4] = [Self::Pending, Self::Accepted, Self::GivenUp, Self::Dropped];

    /// The word in tables and JSON.
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Accepted => "accepted",
            Self::GivenUp => "given_up",
            Self::Dropped => "dropped",
        }
    }
}

/// A notification as the history shows it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct NotificationRecord {
    /// Its number in the history.
    #[serde(rename = "number")]
    pub(crate) seq: i64,
    /// Its id, which its receiver knows.
    pub(crate) id: String,
    /// Where it goes.
    pub(crate) channel: String,
    /// What it is about: a kind of event, or the type of an alert.
    pub(crate) event: String,
    /// The workflow that it is about.
    pub(crate) workflow_id: Option<String>,
    /// The execution that it is about.
    pub(crate) execution_id: Option<String>,
    /// Where it stands.
    pub(crate) state: NotificationState,
    /// When it was queued.
    pub(crate) created_at: Timestamp,
    /// When it is tried next.
    pub(crate) next_at: Option<Timestamp>,
    /// When it was accepted, given up or dropped.
    pub(crate) ended_at: Option<Timestamp>,
    /// How many attempts were made.
    pub(crate) attempts: u32,
    /// Why the last attempt failed.
    pub(crate) error: Option<String>,
}

/// Which part of the history is read.
#[derive(Debug, Clone, Default)]
pub(crate) struct NotificationFilter {
    pub(crate) channel: Option<String>,
    pub(crate) workflow_id: Option<String>,
    pub(crate) state: Option<NotificationState>,
    /// Only those with a smaller number.
    pub(crate) before: Option<i64>,
    pub(crate) limit: u32,
}
