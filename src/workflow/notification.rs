//! What of a workflow is notified to whom: the key `notify`, the events, and what an execution
//! says about itself when it ends.

use std::sync::Arc;

use serde::ser::SerializeMap;
use serde::{Deserialize, Serialize, Serializer};

use super::status::ExecutionStatus;
use super::trigger::Trigger;
use crate::base::period::Period;
use crate::base::timestamp::Timestamp;

/// What a notification is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum EventKind {
    /// An execution failed or was interrupted.
    Failed,
    /// What was notified before is over.
    Recovered,
    /// An execution was cancelled.
    Cancelled,
    /// A handler of an execution failed.
    HandlerFailed,
    /// A scheduled time passed without a start.
    Missed,
    /// A scheduled execution did not start in time.
    Late,
    /// An execution runs longer than it should.
    Slow,
    /// No execution has succeeded for too long.
    Stale,
}

impl EventKind {
    /// Every kind.
    pub const ALL: [Self; 8] = [
        Self::Failed,
        Self::Recovered,
        Self::Cancelled,
        Self::HandlerFailed,
        Self::Missed,
        Self::Late,
        Self::Slow,
        Self::Stale,
    ];

    /// The word in documents, tables and JSON.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Failed => "failed",
            Self::Recovered => "recovered",
            Self::Cancelled => "cancelled",
            Self::HandlerFailed => "handler_failed",
            Self::Missed => "missed",
            Self::Late => "late",
            Self::Slow => "slow",
            Self::Stale => "stale",
        }
    }

    /// The kind of this name.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.as_str() == text)
    }
}

/// The value of `notify`: what is notified to which channels. Without rules: nothing.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Notify {
    /// The rules in the order of the document.
    pub rules: Vec<NotifyRule>,
}

/// What is notified to some channels.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NotifyRule {
    /// The names of channels.
    pub to: Vec<String>,
    /// The events.
    pub on: Vec<EventKind>,
    /// After how many failures in a row `failed` is notified.
    pub after_failures: u32,
    /// How often an incident that stays open is notified again; `None`: never.
    pub remind: Option<Period>,
}

impl NotifyRule {
    /// The events of a rule that names none: all but `cancelled`, since somebody wanted that.
    pub const DEFAULT_EVENTS: [EventKind; 7] = [
        EventKind::Failed,
        EventKind::Recovered,
        EventKind::HandlerFailed,
        EventKind::Missed,
        EventKind::Late,
        EventKind::Slow,
        EventKind::Stale,
    ];

    /// A rule with the default events, notified at once and not again.
    #[must_use]
    pub fn to(channels: Vec<String>) -> Self {
        Self { to: channels, on: Self::DEFAULT_EVENTS.to_vec(), after_failures: 1, remind: None }
    }
}

impl Notify {
    /// The channels that it names, each once.
    pub fn channels(&self) -> impl Iterator<Item = &str> {
        let names: std::collections::BTreeSet<&str> =
            self.rules.iter().flat_map(|rule| rule.to.iter().map(String::as_str)).collect();
        names.into_iter()
    }
}

impl Serialize for Notify {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        if self.rules.is_empty() {
            serializer.serialize_str("none")
        } else {
            self.rules.serialize(serializer)
        }
    }
}

impl Serialize for NotifyRule {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        map.serialize_entry("to", &self.to)?;
        map.serialize_entry("on", &self.on)?;
        map.serialize_entry("after_failures", &self.after_failures)?;
        if let Some(remind) = &self.remind {
            map.serialize_entry("remind", remind)?;
        }
        map.end()
    }
}

/// Something that may be notified, as far as incidents are concerned.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Occurrence {
    /// It is so now: opens an incident, or adds to the open one.
    Opened(EventKind),
    /// It is over: closes the incident, if one is open.
    Closed(EventKind),
    /// It has happened, and no incident follows.
    Once(EventKind),
}

impl Occurrence {
    /// What the outcome of an execution means.
    #[must_use]
    pub fn of_outcome(status: ExecutionStatus) -> Option<Self> {
        match status {
            ExecutionStatus::Success => Some(Self::Closed(EventKind::Failed)),
            ExecutionStatus::Failed | ExecutionStatus::Interrupted => {
                Some(Self::Opened(EventKind::Failed))
            }
            ExecutionStatus::Cancelled => Some(Self::Once(EventKind::Cancelled)),
            ExecutionStatus::Pending | ExecutionStatus::Running => None,
        }
    }

    /// The kind of the event, and of the incident.
    #[must_use]
    pub fn kind(self) -> EventKind {
        match self {
            Self::Opened(kind) | Self::Closed(kind) | Self::Once(kind) => kind,
        }
    }
}

/// An event with everything that its notifications say.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Event {
    /// What happened.
    pub occurrence: Occurrence,
    /// When.
    pub at: Timestamp,
    /// The step or handler that failed first.
    pub step: Option<String>,
    /// Why.
    pub error: Option<String>,
    /// How the execution ended.
    pub status: Option<ExecutionStatus>,
}

/// The events of one workflow that are to be stored with a change, and who is notified of them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Events {
    /// Who is notified of what.
    pub notify: Arc<Notify>,
    /// The workflow.
    pub workflow_id: String,
    /// It came with a request: its incidents are not those of the catalogue's workflow.
    pub is_ad_hoc: bool,
    /// Who or what started the execution.
    pub trigger: Option<Trigger>,
    /// Oldest first.
    pub events: Vec<Event>,
}

/// What opens, closes and groups incidents: the workflow, or that of an ad-hoc definition, which
/// never counts for the catalogue's workflow of the same id.
#[must_use]
pub(crate) fn subject(workflow_id: &str, is_ad_hoc: bool) -> String {
    if is_ad_hoc { format!("adhoc/{workflow_id}") } else { workflow_id.to_owned() }
}

/// The workflow of a [`subject`].
#[must_use]
pub(crate) fn workflow_of(subject: &str) -> &str {
    subject.strip_prefix("adhoc/").unwrap_or(subject)
}

/// What a notification says, in the words of the event: each channel makes its own form of it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Content {
    /// The kind of event, or the type of an alert.
    pub event: String,
    /// When it happened.
    pub at: Timestamp,
    /// What it is about, the same for the notification that ends it.
    pub incident: String,
    /// When the incident began.
    pub since: Timestamp,
    /// It is the end of what began with this event.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub resolves: Option<String>,
    /// It was notified before.
    #[serde(default, skip_serializing_if = "is_false")]
    pub is_reminder: bool,
    /// It is a test, and nothing happened.
    #[serde(default, skip_serializing_if = "is_false")]
    pub is_test: bool,
    /// How often in a row.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub count: Option<u32>,
    /// The workflow.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub workflow_id: Option<String>,
    /// The execution.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub execution_id: Option<String>,
    /// The number that it is shown by.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub number: Option<i64>,
    /// How it ended.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub status: Option<String>,
    /// The step or handler that failed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub step: Option<String>,
    /// Why.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
    /// Who or what started the execution.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub trigger: Option<Trigger>,
    /// The alert of a service level, as a webhook receives it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub alert: Option<serde_json::Value>,
}

fn is_false(value: &bool) -> bool {
    !value
}

/// The longest error in a notification, bytes: receivers refuse long ones.
const ERROR_BYTES_MAX: usize = 2_048;

/// The beginning of an error, cut at a character.
#[must_use]
pub(crate) fn brief_error(error: &str) -> String {
    if error.len() <= ERROR_BYTES_MAX {
        return error.to_owned();
    }
    let end = (0..=ERROR_BYTES_MAX).rev().find(|end| error.is_char_boundary(*end)).unwrap_or(0);
    format!("{}…", &error[..end])
}
