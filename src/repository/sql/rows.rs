//! What a column holds and what it means: rows to values and back.

use crate::repository::sql;
use crate::repository::sql::{FromSql, FromSqlError, FromSqlResult, Row, ValueRef};
use std::error::Error;
use std::rc::Rc;
use std::str::FromStr;

use serde::de::DeserializeOwned;

use crate::base::timestamp::Timestamp;
use crate::workflow::pin::Pin;
use crate::workflow::record::{
    Attempt, Captured, ExecutionRecord, ExecutionStatus, HandlerRecord, Outputs, StepRecord,
};
use crate::workflow::trigger::Trigger;

/// A text column that holds the text form of `T`.
pub(crate) struct Text<T>(pub(crate) T);

impl<T> FromSql for Text<T>
where
    T: FromStr,
    T::Err: Error + Send + Sync + 'static,
{
    fn column_result(value: ValueRef<'_>) -> FromSqlResult<Self> {
        value.as_str()?.parse().map(Self).map_err(FromSqlError::other)
    }
}

/// A text column that holds JSON.
pub(crate) struct Json<T>(pub(crate) T);

impl<T: DeserializeOwned> FromSql for Json<T> {
    fn column_result(value: ValueRef<'_>) -> FromSqlResult<Self> {
        serde_json::from_str(value.as_str()?).map(Self).map_err(FromSqlError::other)
    }
}

/// The text of a point in time, for a column.
pub(crate) fn time(timestamp: Option<Timestamp>) -> Option<String> {
    timestamp.map(|timestamp| timestamp.to_string())
}

/// The texts of points in time. Most of one change are the same one.
#[derive(Debug, Default)]
pub(crate) struct Times(Option<(Timestamp, Rc<str>)>);

impl Times {
    /// The text of `at`, for a column.
    pub(crate) fn text(&mut self, at: Timestamp) -> Rc<str> {
        match &self.0 {
            Some((last, text)) if *last == at => Rc::clone(text),
            _ => {
                let text: Rc<str> = at.to_string().into();
                self.0 = Some((at, Rc::clone(&text)));
                text
            }
        }
    }
}

/// A count as SQLite holds it; what is larger than its largest number is held there.
pub(crate) fn integer(count: u64) -> i64 {
    i64::try_from(count).unwrap_or(i64::MAX)
}

/// A list of names as JSON.
pub(crate) fn names(names: &[String]) -> String {
    // A list of texts is JSON, whatever they are.
    serde_json::to_string(names).unwrap_or_default()
}

/// `None` for an empty text, which the column then does not hold.
pub(crate) fn unless_empty(text: &str) -> Option<&str> {
    (!text.is_empty()).then_some(text)
}

/// The columns that [`execution`] reads, in its order.
pub(crate) const EXECUTION_COLUMNS: &str = "seq, execution_id, workflow_id, status, created_at, \
     started_at, completed_at, updated_at, steps_completed, total_steps, step_order, replay_of, \
     input_snapshot, error, owner, outcome, pinned_at, pinned_by, pin_reason, trigger_kind, \
     trigger_by, schedule, scheduled_at, cancel_requested_by, steps_failed, steps_skipped, \
     concurrency_group, trigger_address, cancel_requested_address";

/// Reads a row of [`EXECUTION_COLUMNS`].
pub(crate) fn execution(row: &Row<'_>) -> sql::Result<ExecutionRecord> {
    let status: ExecutionStatus = row.get::<_, Text<_>>(3)?.0;
    // It is stored only where handlers follow it.
    let outcome = optional(row, 15)?.or(Some(status).filter(|status| status.is_terminal()));
    Ok(ExecutionRecord {
        seq: row.get(0)?,
        execution_id: row.get(1)?,
        workflow_id: row.get(2)?,
        status,
        created_at: optional(row, 4)?,
        started_at: optional(row, 5)?,
        completed_at: optional(row, 6)?,
        updated_at: optional(row, 7)?,
        steps_completed: row.get(8)?,
        steps_failed: row.get(24)?,
        steps_skipped: row.get(25)?,
        total_steps: row.get(9)?,
        step_order: row.get::<_, Json<_>>(10)?.0,
        replay_of: row.get(11)?,
        trigger: trigger(row)?,
        cancel_requested_by: row.get(23)?,
        cancel_requested_address: row.get(28)?,
        input_snapshot: row.get::<_, Json<_>>(12)?.0,
        error: row.get(13)?,
        outcome,
        owner: row.get(14)?,
        owner_state: None,
        persisted: true,
        pinned: pin(row, 16)?,
        concurrency_group: row.get(26)?,
        waiting_for: None,
    })
}

/// Reads three columns: since when an execution is pinned, who wanted that, and why.
pub(crate) fn pin(row: &Row<'_>, column: usize) -> sql::Result<Option<Pin>> {
    let Some(at) = optional(row, column)? else { return Ok(None) };
    let by: Option<String> = row.get(column + 1)?;
    Ok(Some(Pin { at, by: by.unwrap_or_default(), reason: row.get(column + 2)? }))
}

/// What started an execution, of a row of [`EXECUTION_COLUMNS`].
fn trigger(row: &Row<'_>) -> sql::Result<Option<Trigger>> {
    let Some(kind) = optional(row, 19)? else { return Ok(None) };
    let (by, schedule, scheduled_at) = (row.get(20)?, row.get(21)?, optional(row, 22)?);
    Ok(Some(Trigger { kind, by, address: row.get(27)?, schedule, scheduled_at }))
}

/// The columns of `steps` and of `last`, with these for the text of the output.
macro_rules! step_columns {
    ($stdout:literal, $stderr:literal) => {
        concat!(
            "steps.step_name, steps.status, steps.depends_on, steps.started_at, ",
            "steps.completed_at, steps.error, steps.position, steps.duration_ms, steps.attempt, ",
            "steps.exit_code, ",
            $stdout,
            ", last.stdout_bytes, ",
            $stderr,
            ", last.stderr_bytes, steps.outputs, steps.reused_from, steps.reused_from_seq, ",
            "steps.reused_position, last.seq IS NULL, steps.skip_reason"
        )
    };
}

/// The columns that [`step`] reads, in its order, of `steps` and its last attempt,
/// `last`.
pub(crate) const STEP_COLUMNS: &str = step_columns!("last.stdout", "last.stderr");
/// The same without the text of the output.
pub(crate) const STEP_COLUMNS_WITHOUT_TEXT: &str = step_columns!("NULL", "NULL");

/// Reads a row of [`STEP_COLUMNS`].
pub(crate) fn step(row: &Row<'_>) -> sql::Result<StepRecord> {
    let stdout = captured(row, 10)?;
    let stderr = captured(row, 12)?;
    let reused_from: Option<String> = row.get(15)?;
    let reused_from_seq: Option<i64> = row.get(16)?;
    let reused_position: Option<u32> = row.get(17)?;
    let has_no_output: bool = row.get(18)?;
    let mut step = StepRecord {
        name: row.get(0)?,
        status: row.get::<_, Text<_>>(1)?.0,
        depends_on: row.get::<_, Json<_>>(2)?.0,
        started_at: optional(row, 3)?,
        completed_at: optional(row, 4)?,
        error: row.get(5)?,
        position: row.get(6)?,
        duration_ms: row.get::<_, Option<i64>>(7)?.map(count),
        attempt: row.get(8)?,
        exit_code: row.get(9)?,
        stdout: stdout.text,
        stdout_bytes: stdout.total_bytes,
        stderr: stderr.text,
        stderr_bytes: stderr.total_bytes,
        outputs: row.get::<_, Option<Json<Outputs>>>(14)?.map_or_else(Outputs::new, |json| json.0),
        skip_reason: optional(row, 19)?,
        reused_from,
        reused_from_seq,
        output_note: None,
        reused_position,
    };
    // What it wrote is stored with the execution in which it ran.
    if has_no_output && step.reused_position.is_some() {
        step.output_note =
            step.reuse().map(|reuse| format!("output was deleted with {}", reuse.number()));
    }
    Ok(step)
}

/// The columns that [`handler`] reads: those of [`step`] for `handlers`, which depend on nothing and
/// are never reused, and the kind.
pub(crate) const HANDLER_COLUMNS: &str = "handlers.handler_name, handlers.status, '[]', \
     handlers.started_at, handlers.completed_at, handlers.error, handlers.position, \
     handlers.duration_ms, handlers.attempt, handlers.exit_code, last.stdout, last.stdout_bytes, \
     last.stderr, last.stderr_bytes, handlers.outputs, NULL, NULL, NULL, last.seq IS NULL, \
     handlers.skip_reason, handlers.kind";

/// Reads a row of [`HANDLER_COLUMNS`].
pub(crate) fn handler(row: &Row<'_>) -> sql::Result<HandlerRecord> {
    Ok(HandlerRecord { handler: row.get::<_, Text<_>>(20)?.0, step: step(row)? })
}

/// The columns that [`attempt`] reads, in its order.
pub(crate) const ATTEMPT_COLUMNS: &str = "position, attempt, status, started_at, completed_at, \
     duration_ms, exit_code, error, stdout, stdout_bytes, stderr, stderr_bytes";

/// The same of `made`, an attempt that a reused step of `steps` made where it really ran.
pub(crate) const REUSED_ATTEMPT_COLUMNS: &str = "steps.position, made.attempt, made.status, \
     made.started_at, made.completed_at, made.duration_ms, made.exit_code, made.error, \
     made.stdout, made.stdout_bytes, made.stderr, made.stderr_bytes";

/// Reads a row of [`ATTEMPT_COLUMNS`].
pub(crate) fn attempt(row: &Row<'_>) -> sql::Result<Attempt> {
    Ok(Attempt {
        position: row.get(0)?,
        attempt: row.get(1)?,
        status: row.get::<_, Text<_>>(2)?.0,
        started_at: row.get::<_, Text<_>>(3)?.0,
        completed_at: row.get::<_, Text<_>>(4)?.0,
        duration_ms: count(row.get(5)?),
        exit_code: row.get(6)?,
        error: row.get(7)?,
        stdout: captured(row, 8)?,
        stderr: captured(row, 10)?,
    })
}

pub(crate) fn optional<T>(row: &Row<'_>, column: usize) -> sql::Result<Option<T>>
where
    T: FromStr,
    T::Err: Error + Send + Sync + 'static,
{
    Ok(row.get::<_, Option<Text<T>>>(column)?.map(|text| text.0))
}

/// A stream's kept end and, in the next column, its length in all; NULL: nothing.
fn captured(row: &Row<'_>, column: usize) -> sql::Result<Captured> {
    Ok(Captured {
        text: row.get::<_, Option<String>>(column)?.unwrap_or_default(),
        total_bytes: row.get::<_, Option<i64>>(column + 1)?.map_or(0, count),
    })
}

/// A count as it was before [`integer`].
pub(crate) fn count(integer: i64) -> u64 {
    u64::try_from(integer).unwrap_or(0)
}
