//! Records as JSON where that is more than their fields: attempts, and handlers as they are read.
//! (pure)

use serde::de::Error;
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::Value;

use super::record::{Attempt, Captured, HandlerRecord, StepStatus};
use crate::base::timestamp::Timestamp;

/// An attempt as the API shows it: the names are those of steps.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct AttemptRow {
    position: u32,
    attempt: u32,
    status: StepStatus,
    started_at: Timestamp,
    completed_at: Timestamp,
    duration_ms: u64,
    exit_code: Option<i32>,
    error: Option<String>,
    stdout: String,
    stdout_bytes: u64,
    stderr: String,
    stderr_bytes: u64,
}

impl From<Attempt> for AttemptRow {
    fn from(attempt: Attempt) -> Self {
        Self {
            position: attempt.position,
            attempt: attempt.attempt,
            status: attempt.status,
            started_at: attempt.started_at,
            completed_at: attempt.completed_at,
            duration_ms: attempt.duration_ms,
            exit_code: attempt.exit_code,
            error: attempt.error,
            stdout: attempt.stdout.text,
            stdout_bytes: attempt.stdout.total_bytes,
            stderr: attempt.stderr.text,
            stderr_bytes: attempt.stderr.total_bytes,
        }
    }
}

impl From<AttemptRow> for Attempt {
    fn from(row: AttemptRow) -> Self {
        Self {
            position: row.position,
            attempt: row.attempt,
            status: row.status,
            started_at: row.started_at,
            completed_at: row.completed_at,
            duration_ms: row.duration_ms,
            exit_code: row.exit_code,
            error: row.error,
            stdout: Captured { text: row.stdout, total_bytes: row.stdout_bytes },
            stderr: Captured { text: row.stderr, total_bytes: row.stderr_bytes },
        }
    }
}

/// By way of a value: serde cannot read numbers of arbitrary precision in flattened fields.
impl<'de> Deserialize<'de> for HandlerRecord {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let mut value = Value::deserialize(deserializer)?;
        let handler = value.as_object_mut().and_then(|fields| fields.remove("handler"));
        let handler = handler.ok_or_else(|| D::Error::missing_field("handler"))?;
        Ok(Self {
            handler: serde_json::from_value(handler).map_err(D::Error::custom)?,
            step: serde_json::from_value(value).map_err(D::Error::custom)?,
        })
    }
}

#[cfg(test)]
mod tests {
    use crate::workflow::record::ExecutionDetail;

    #[test]
    fn what_is_written_is_read_back() {
        let text = r#"{"execution":{"seq":7,"execution_id":"e","workflow_id":"w",
            "status":"running","created_at":"2026-01-31T08:15:00.000250Z","started_at":null,
            "completed_at":null,"updated_at":null,"steps_completed":0,"total_steps":1,
            "step_order":["a"],"replay_of":null,
            "input_snapshot":{"definition": {"n": 1.10}, "params":{}},"error":null,
            "outcome":"failed","owner":"o","owner_state":"alive","persisted":true},
            "handlers":[{"handler":"on_failure","name":"h","status":"success","depends_on":[],
            "started_at":null,"completed_at":null,"error":null,"position":1,"duration_ms":12,
            "attempt":2,"exit_code":0,"stdout":"x","stdout_bytes":1,"stderr":"","stderr_bytes":0,
            "outputs":{"b":"1","a":"2"},"reused_from":null,"reused_from_seq":null,
            "output_note":null}],"steps":[]}"#;
        let detail: ExecutionDetail = serde_json::from_str(text).unwrap();
        assert_eq!(detail.handlers[0].step.duration_ms, Some(12));
        assert!(detail.execution.input_snapshot.as_str().contains("1.10"));
        let again = crate::base::json::to_string(&detail).unwrap();
        let read: ExecutionDetail = serde_json::from_str(&again).unwrap();
        assert_eq!(read, detail);
    }
}
