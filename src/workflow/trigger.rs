//! Who or what started an execution.                                                       (pure)

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::base::timestamp::Timestamp;

/// Who or what started an execution.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Trigger {
    /// In which way.
    pub kind: TriggerKind,
    /// Who: the name of a token, the user at the other end of a unix socket, or the user of the
    /// command line. `None` where nobody is named.
    pub by: Option<String>,
    /// From which address, if it was started on the web page.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub address: Option<String>,
    /// The schedule that it belongs to.
    pub schedule: Option<String>,
    /// The time that the schedule gave.
    pub scheduled_at: Option<Timestamp>,
}

/// In which way an execution was started.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum TriggerKind {
    /// A request.
    Api,
    /// `wfx exec`.
    Cli,
    /// A replay, by a request or the command line.
    Replay,
    /// A schedule.
    Schedule,
}

/// Who asks for something, as far as known.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Requester {
    /// The name of a token, or a user.
    pub by: Option<String>,
    /// From which address, on the web page.
    pub address: Option<String>,
}

impl Requester {
    /// A user of this machine.
    #[must_use]
    pub fn user(name: String) -> Self {
        Self { by: Some(name), address: None }
    }
}

impl Trigger {
    /// By a person, now.
    #[must_use]
    pub fn by(kind: TriggerKind, requester: Requester) -> Self {
        let Requester { by, address } = requester;
        Self { kind, by, address, schedule: None, scheduled_at: None }
    }
}

impl Trigger {
    /// The same, for an execution that repeats one which this started: its steps see the same
    /// scheduled time.
    #[must_use]
    pub fn repeating(self, original: Option<&Self>) -> Self {
        let schedule = original.and_then(|original| original.schedule.clone());
        let scheduled_at = original.and_then(|original| original.scheduled_at);
        Self { schedule, scheduled_at, ..self }
    }
}

impl TriggerKind {
    /// Every kind.
    pub const ALL: [Self; 4] = [Self::Api, Self::Cli, Self::Replay, Self::Schedule];

    /// The word in tables and JSON.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Api => "api",
            Self::Cli => "cli",
            Self::Replay => "replay",
            Self::Schedule => "schedule",
        }
    }
}

impl fmt::Display for TriggerKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// The text is no kind of trigger.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is no kind of trigger")]
pub struct ParseTriggerKindError(String);

impl FromStr for TriggerKind {
    type Err = ParseTriggerKindError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let found = Self::ALL.into_iter().find(|kind| kind.as_str() == text);
        found.ok_or_else(|| ParseTriggerKindError(text.to_owned()))
    }
}
