//! The rows of steps, attempts and handlers of a change.

use super::refusal::{NotWritten, refused};
use super::rows::{self, Text, Times, integer, time, unless_empty};
use crate::repository::sql::{CachedStatement, Connection, OptionalExtension, ToSql, params};
use crate::workflow::record::{Attempt, HandlerState, SkipReason, StepState, StepStatus};

/// Changes a step that has not ended.
pub(super) const UPDATE_STEP: &str =
    "UPDATE workflow_execution_steps SET status = ?3, started_at = ?4, completed_at = ?5,
       duration_ms = ?6, attempt = ?7, exit_code = ?8, error = ?9, outputs = ?10,
       skip_reason = ?11
     WHERE seq = ?1 AND position = ?2 AND status IN ('pending', 'running')";

pub(super) fn insert_step(
    insert: &mut CachedStatement<'_>,
    seq: i64,
    position: u32,
    name: &str,
    depends_on: &[String],
    state: &StepState,
    times: &mut Times,
) -> Result<(), NotWritten> {
    let insert = |values: &[&dyn ToSql]| insert.execute(values);
    created_step_values(seq, position, name, depends_on, state, times, insert)??;
    Ok(())
}

/// What [`insert_step`] gives.
pub(crate) fn created_step_values<T>(
    seq: i64,
    position: u32,
    name: &str,
    depends_on: &[String],
    state: &StepState,
    times: &mut Times,
    take: impl FnOnce(&[&dyn ToSql]) -> T,
) -> Result<T, NotWritten> {
    let reused = state.reused.as_deref();
    Ok(take(params![
        seq,
        position,
        name,
        state.status.as_str(),
        state.started_at.map(|at| times.text(at)),
        state.completed_at.map(|at| times.text(at)),
        state.duration_ms.map(integer),
        state.attempt,
        state.exit_code,
        rows::names(depends_on),
        state.error,
        outputs(state)?,
        skip_reason(state),
        reused.map(|reused| reused.execution_id.as_str()),
        reused.and_then(|reused| reused.seq),
        reused.and_then(|reused| reused.position),
    ]))
}

pub(super) fn update_step(
    connection: Connection<'_>,
    seq: i64,
    position: u32,
    state: &StepState,
) -> Result<(), NotWritten> {
    let mut update = connection.prepare_cached(UPDATE_STEP)?;
    let changed = changed_step_values(seq, position, state, |values| update.execute(values))??;
    if changed > 0 {
        return Ok(());
    }
    let stored = connection
        .prepare_cached(
            "SELECT status FROM workflow_execution_steps WHERE seq = ?1 AND position = ?2",
        )?
        .query_row([seq, i64::from(position)], |row| Ok(row.get::<_, Text<StepStatus>>(0)?.0))
        .optional()?;
    match stored {
        Some(status) if status == state.status => Ok(()),
        Some(status) => Err(refused(format!(
            "step {position} of the execution has ended as {status} and cannot be {}",
            state.status
        ))),
        None => {
            Err(refused(format!("step {position} of the execution was deleted from the database")))
        }
    }
}

/// What [`update_step`] gives.
pub(crate) fn changed_step_values<T>(
    seq: i64,
    position: u32,
    state: &StepState,
    take: impl FnOnce(&[&dyn ToSql]) -> T,
) -> Result<T, NotWritten> {
    Ok(take(params![
        seq,
        position,
        state.status.as_str(),
        time(state.started_at),
        time(state.completed_at),
        state.duration_ms.map(integer),
        state.attempt,
        state.exit_code,
        state.error,
        outputs(state)?,
        skip_reason(state),
    ]))
}

pub(super) fn insert_attempt(
    connection: Connection<'_>,
    seq: i64,
    attempt: &Attempt,
    may_be_stored: bool,
) -> Result<(), NotWritten> {
    const INSERT: &str =
        "INSERT INTO workflow_execution_attempts (seq, position, attempt, status, started_at,
           completed_at, duration_ms, exit_code, stdout_bytes, stderr_bytes, error, stdout,
           stderr)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13)";
    let mut insert = match may_be_stored {
        false => connection.prepare_cached(INSERT)?,
        true => connection.prepare_cached(&format!("{INSERT} ON CONFLICT DO NOTHING"))?,
    };
    attempt_values(seq, attempt, |values| insert.execute(values))?;
    Ok(())
}

/// What [`insert_attempt`] gives.
pub(crate) fn attempt_values<T>(
    seq: i64,
    attempt: &Attempt,
    take: impl FnOnce(&[&dyn ToSql]) -> T,
) -> T {
    take(params![
        seq,
        attempt.position,
        attempt.attempt,
        attempt.status.as_str(),
        attempt.started_at.to_string(),
        attempt.completed_at.to_string(),
        integer(attempt.duration_ms),
        attempt.exit_code,
        integer(attempt.stdout.total_bytes),
        integer(attempt.stderr.total_bytes),
        attempt.error,
        unless_empty(&attempt.stdout.text),
        unless_empty(&attempt.stderr.text),
    ])
}

/// Makes the row of a handler, or updates it. One that has ended never changes.
pub(super) fn write_handler(
    connection: Connection<'_>,
    seq: i64,
    position: u32,
    handler: &HandlerState,
) -> Result<(), NotWritten> {
    let mut upsert = connection.prepare_cached(
        "INSERT INTO workflow_execution_handlers (seq, position, handler_name, kind, status,
           started_at, completed_at, duration_ms, attempt, exit_code, skip_reason, error,
           outputs)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13)
         ON CONFLICT (seq, position) DO UPDATE SET status = ?5, started_at = ?6, completed_at = ?7,
           duration_ms = ?8, attempt = ?9, exit_code = ?10, skip_reason = ?11, error = ?12,
           outputs = ?13
         WHERE workflow_execution_handlers.status IN ('pending', 'running', ?5)",
    )?;
    let changed = handler_values(seq, position, handler, |values| upsert.execute(values))??;
    if changed == 0 {
        return Err(refused(format!(
            "handler `{}` of the execution has ended otherwise",
            handler.name
        )));
    }
    Ok(())
}

/// What [`write_handler`] gives.
pub(crate) fn handler_values<T>(
    seq: i64,
    position: u32,
    handler: &HandlerState,
    take: impl FnOnce(&[&dyn ToSql]) -> T,
) -> Result<T, NotWritten> {
    let HandlerState { on, name, state } = handler;
    Ok(take(params![
        seq,
        position,
        name,
        on.as_str(),
        state.status.as_str(),
        time(state.started_at),
        time(state.completed_at),
        state.duration_ms.map(integer),
        state.attempt,
        state.exit_code,
        skip_reason(state),
        state.error,
        outputs(state)?,
    ]))
}

fn skip_reason(state: &StepState) -> Option<&'static str> {
    state.skip_reason.map(SkipReason::as_str)
}

/// The outputs as JSON, in the order they were written.
fn outputs(state: &StepState) -> Result<Option<String>, NotWritten> {
    if state.outputs.is_empty() {
        return Ok(None);
    }
    serde_json::to_string(&state.outputs)
        .map(Some)
        .map_err(|error| refused(format!("the outputs are no JSON: {error}")))
}
