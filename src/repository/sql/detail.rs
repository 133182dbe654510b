//! Queries for one execution and its steps.

use std::sync::LazyLock;

use super::rows::{
    self, ATTEMPT_COLUMNS, EXECUTION_COLUMNS, HANDLER_COLUMNS, REUSED_ATTEMPT_COLUMNS,
    STEP_COLUMNS, STEP_COLUMNS_WITHOUT_TEXT,
};
use super::{groups, output};
use crate::repository::sql;
use crate::repository::sql::{Connection, OptionalExtension};
use crate::workflow::output::Source;
use crate::workflow::record::{
    Attempt, ExecutionDetail, ExecutionRecord, HandlerRecord, StepRecord, StepStatus,
};

/// The steps of an execution from a position on, each with the last attempt that it made: for a
/// reused one, in the execution in which it really ran, while that exists.
const FROM_STEPS: &str = "FROM workflow_execution_steps AS steps
     LEFT JOIN workflow_execution_attempts AS last
       ON last.seq = CASE WHEN steps.reused_from IS NULL THEN steps.seq ELSE
           (SELECT seq FROM workflow_executions WHERE execution_id = steps.reused_from) END
       AND last.position = CASE WHEN steps.reused_from IS NULL THEN steps.position
           ELSE steps.reused_position END
       AND last.attempt = steps.attempt
     WHERE steps.seq = (SELECT seq FROM workflow_executions WHERE execution_id = ?1)
       AND steps.position >= ?2 ORDER BY steps.position";

/// An execution with its steps and their last output, by queries on one connection.
pub(crate) fn detail(
    connection: Connection<'_>,
    execution_id: &str,
) -> sql::Result<Option<ExecutionDetail>> {
    let Some(execution) = execution(connection, execution_id)? else { return Ok(None) };
    let (steps, _) = steps(connection, execution_id, 0, usize::MAX)?;
    let handlers = handlers(connection, &execution)?;
    Ok(Some(ExecutionDetail { execution, handlers, steps }))
}

/// An execution by its id.
pub(super) static BY_ID: LazyLock<String> = LazyLock::new(|| {
    format!("SELECT {EXECUTION_COLUMNS} FROM workflow_executions WHERE execution_id = ?1")
});

pub(crate) fn execution(
    connection: Connection<'_>,
    execution_id: &str,
) -> sql::Result<Option<ExecutionRecord>> {
    let mut found =
        connection.prepare_cached(&BY_ID)?.query_row([execution_id], rows::execution).optional()?;
    if let Some(execution) = &mut found {
        groups::add_waiting_for(connection, execution)?;
    }
    Ok(found)
}

/// The handlers of an execution that began.
pub(crate) fn handlers(
    connection: Connection<'_>,
    execution: &ExecutionRecord,
) -> sql::Result<Vec<HandlerRecord>> {
    // The snapshot of the others is not searched for any.
    if execution.outcome.is_none() {
        return Ok(Vec::new());
    }
    let mut handlers = connection
        .prepare_cached(&format!(
            "SELECT {HANDLER_COLUMNS} FROM workflow_execution_handlers AS handlers
             LEFT JOIN workflow_execution_attempts AS last
               ON last.seq = handlers.seq AND last.position = handlers.position
               AND last.attempt = handlers.attempt
             WHERE handlers.seq = ?1 AND handlers.attempt > 0 ORDER BY handlers.position"
        ))?
        .query_map([execution.seq], rows::handler)?
        .collect::<sql::Result<Vec<HandlerRecord>>>()?;
    for handler in &mut handlers {
        add_live_output(connection, &execution.execution_id, &mut handler.step)?;
    }
    Ok(handlers)
}

/// Adds what an attempt has printed so far that has not ended, or whose end nobody has recorded.
fn add_live_output(
    connection: Connection<'_>,
    execution_id: &str,
    step: &mut StepRecord,
) -> sql::Result<()> {
    let is_open = matches!(step.status, StepStatus::Running | StepStatus::Interrupted);
    let has_output = step.stdout_bytes + step.stderr_bytes > 0;
    if !is_open || has_output || step.attempt == 0 || step.reused_from.is_some() {
        return Ok(());
    }
    let source = Source { position: step.position, attempt: step.attempt };
    if let Some((stdout, stderr)) = output::pages::tails(connection, execution_id, source)? {
        (step.stdout, step.stdout_bytes) = (stdout.text, stdout.total_bytes);
        (step.stderr, step.stderr_bytes) = (stderr.text, stderr.total_bytes);
    }
    Ok(())
}

/// The steps from `position` on, up to the one that makes their text longer than `bytes`; and
/// whether there are further ones.
pub(crate) fn steps(
    connection: Connection<'_>,
    execution_id: &str,
    position: u32,
    bytes: usize,
) -> sql::Result<(Vec<StepRecord>, bool)> {
    let mut statement = connection.prepare_long(&format!("SELECT {STEP_COLUMNS} {FROM_STEPS}"))?;
    let mut rows = statement.query((execution_id, position))?;
    let (mut steps, mut length) = (Vec::new(), 0);
    while let Some(row) = rows.next()? {
        let mut step = rows::step(&row)?;
        add_live_output(connection, execution_id, &mut step)?;
        length += step.text_bytes();
        steps.push(step);
        if length > bytes {
            return Ok((steps, rows.next()?.is_some()));
        }
    }
    Ok((steps, false))
}

/// All steps, without the text of their output.
pub(crate) fn steps_without_text(
    connection: Connection<'_>,
    execution_id: &str,
) -> sql::Result<Vec<StepRecord>> {
    connection
        .prepare_long(&format!("SELECT {STEP_COLUMNS_WITHOUT_TEXT} {FROM_STEPS}"))?
        .query_map((execution_id, 0), rows::step)?
        .collect()
}

/// The stored attempts by position and number, after the one with this position and number and up to
/// the one that makes their text longer than `bytes`; and whether there are further ones. Those of a
/// reused step are what it made where it really ran.
pub(crate) fn attempts(
    connection: Connection<'_>,
    execution_id: &str,
    after: (u32, u32),
    bytes: usize,
) -> sql::Result<(Vec<Attempt>, bool)> {
    let mut statement = connection.prepare_long(&format!(
        "SELECT * FROM (SELECT {ATTEMPT_COLUMNS} FROM workflow_execution_attempts
             WHERE seq = (SELECT seq FROM workflow_executions WHERE execution_id = ?1)
             UNION ALL
             SELECT {REUSED_ATTEMPT_COLUMNS} FROM workflow_execution_steps AS steps
             CROSS JOIN workflow_executions AS original
             CROSS JOIN workflow_execution_attempts AS made
             WHERE steps.seq = (SELECT seq FROM workflow_executions WHERE execution_id = ?1)
               AND original.execution_id = steps.reused_from
               AND made.seq = original.seq AND made.position = steps.reused_position)
               AS attempts WHERE (position, attempt) > (?2, ?3) ORDER BY 1, 2"
    ))?;
    let mut rows = statement.query((execution_id, after.0, after.1))?;
    let (mut attempts, mut length) = (Vec::new(), 0);
    while let Some(row) = rows.next()? {
        let mut attempt = rows::attempt(&row)?;
        let has_output = attempt.stdout.total_bytes + attempt.stderr.total_bytes > 0;
        if attempt.status == StepStatus::Interrupted && !has_output {
            let source = Source { position: attempt.position, attempt: attempt.attempt };
            if let Some(tails) = output::pages::tails(connection, execution_id, source)? {
                (attempt.stdout, attempt.stderr) = tails;
            }
        }
        length += attempt.text_bytes();
        attempts.push(attempt);
        if length > bytes {
            return Ok((attempts, rows.next()?.is_some()));
        }
    }
    Ok((attempts, false))
}
