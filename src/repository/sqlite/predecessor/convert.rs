//! What the predecessor's columns hold, whatever their types are, as values of wfx.
//! What cannot be read is `None`; nothing here fails.

use rusqlite::types::{Value, ValueRef};

use crate::base::timestamp::Timestamp;
use crate::workflow::record::{ExecutionStatus, StepStatus};

/// A value that outlives its row. A text that is no UTF-8 becomes a blob of the same
/// bytes.
pub(crate) fn owned(value: ValueRef<'_>) -> Value {
    match value {
        ValueRef::Null => Value::Null,
        ValueRef::Integer(number) => Value::Integer(number),
        ValueRef::Real(number) => Value::Real(number),
        ValueRef::Text(bytes) => match std::str::from_utf8(bytes) {
            Ok(text) => Value::Text(text.to_owned()),
            Err(_) => Value::Blob(bytes.to_owned()),
        },
        ValueRef::Blob(bytes) => Value::Blob(bytes.to_owned()),
    }
}

/// Anything as text; nothing for NULL.
pub(crate) fn text(value: ValueRef<'_>) -> Option<String> {
    match value {
        ValueRef::Null => None,
        ValueRef::Integer(number) => Some(number.to_string()),
        ValueRef::Real(number) => Some(number.to_string()),
        ValueRef::Text(bytes) | ValueRef::Blob(bytes) => {
            Some(String::from_utf8_lossy(bytes).into_owned())
        }
    }
}

/// Anything as text that is not blank.
pub(crate) fn word(value: ValueRef<'_>) -> Option<String> {
    text(value).map(|text| text.trim().to_owned()).filter(|text| !text.is_empty())
}

/// A point in time: ISO 8601, without a zone in UTC, or a number since the epoch.
pub(crate) fn time(value: ValueRef<'_>) -> Option<Timestamp> {
    let time = match value {
        ValueRef::Integer(number) => from_epoch(number as f64),
        ValueRef::Real(number) => from_epoch(number),
        _ => {
            let text = word(value)?;
            let bare = text.strip_suffix(" UTC").unwrap_or(&text);
            match Timestamp::parse_lenient(bare) {
                Ok(time) => Some(time),
                Err(_) => bare.parse().ok().and_then(from_epoch),
            }
        }
    }?;
    // Years that are not written with four digits would sort wrongly as text.
    (0..=253_402_300_799_999_999).contains(&time.as_micros()).then_some(time)
}

/// Seconds, milliseconds or microseconds since the epoch: which, the size tells.
fn from_epoch(number: f64) -> Option<Timestamp> {
    let micros = match number {
        number if !(0.0..1e17).contains(&number) => return None,
        number if number < 1e11 => number * 1e6,
        number if number < 1e14 => number * 1e3,
        number => number,
    };
    format!("{micros:.0}").parse().ok().map(Timestamp::from_micros)
}

/// A count, also as text.
pub(crate) fn count(value: ValueRef<'_>) -> Option<u32> {
    let number: f64 = word(value)?.parse().ok()?;
    format!("{:.0}", number.trunc()).parse().ok()
}

/// JSON, also as a blob.
pub(crate) fn json(value: ValueRef<'_>) -> Option<serde_json::Value> {
    match value {
        ValueRef::Text(bytes) | ValueRef::Blob(bytes) => serde_json::from_slice(bytes).ok(),
        _ => None,
    }
}

/// A list of names in JSON; one name alone is a list of one.
pub(crate) fn names(value: &serde_json::Value) -> Option<Vec<String>> {
    match value {
        serde_json::Value::String(name) => Some(vec![name.clone()]),
        serde_json::Value::Array(items) => Some(
            items
                .iter()
                .filter_map(|item| match item {
                    serde_json::Value::String(name) => Some(name.clone()),
                    serde_json::Value::Number(number) => Some(number.to_string()),
                    serde_json::Value::Object(map) => {
                        map.get("name").and_then(|name| name.as_str()).map(str::to_owned)
                    }
                    _ => None,
                })
                .collect(),
        ),
        _ => None,
    }
}

/// What a status of the predecessor says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Said {
    Waiting,
    Running,
    Ended(StepStatus),
    /// A word that wfx does not know, or none.
    Unknown,
}

/// Reads a status word, in the spellings that are usual.
pub(crate) fn said(status: Option<&str>) -> Said {
    let Some(status) = status else { return Said::Unknown };
    // Python writes an enumeration with its name before a dot.
    let word = status.rsplit('.').next().unwrap_or(status).to_ascii_lowercase();
    match word.replace(['-', ' '], "_").as_str() {
        "pending" | "queued" | "created" | "scheduled" | "waiting" | "ready" => Said::Waiting,
        "running" | "started" | "in_progress" | "active" | "retrying" => Said::Running,
        "success" | "succeeded" | "successful" | "completed" | "complete" | "done" | "finished"
        | "ok" => Said::Ended(StepStatus::Success),
        "failed" | "failure" | "error" | "errored" | "timeout" | "timed_out" => {
            Said::Ended(StepStatus::Failed)
        }
        "skipped" => Said::Ended(StepStatus::Skipped),
        "cancelled" | "canceled" | "aborted" | "stopped" => Said::Ended(StepStatus::Cancelled),
        "interrupted" | "crashed" => Said::Ended(StepStatus::Interrupted),
        _ => Said::Unknown,
    }
}

/// How an execution of the predecessor ended. One that did not will never go on.
pub(crate) fn execution_status(said: Said, has_error: bool) -> ExecutionStatus {
    match said {
        Said::Ended(StepStatus::Success) => ExecutionStatus::Success,
        Said::Ended(StepStatus::Failed) => ExecutionStatus::Failed,
        Said::Ended(StepStatus::Cancelled | StepStatus::Skipped) => ExecutionStatus::Cancelled,
        Said::Unknown if has_error => ExecutionStatus::Failed,
        Said::Ended(_) | Said::Unknown | Said::Waiting | Said::Running => {
            ExecutionStatus::Interrupted
        }
    }
}

/// How a step of the predecessor ended.
pub(crate) fn step_status(said: Said, has_error: bool, has_started: bool) -> StepStatus {
    match said {
        Said::Ended(status) => status,
        Said::Running => StepStatus::Interrupted,
        Said::Waiting => StepStatus::Skipped,
        Said::Unknown if has_error => StepStatus::Failed,
        Said::Unknown if has_started => StepStatus::Interrupted,
        Said::Unknown => StepStatus::Skipped,
    }
}
