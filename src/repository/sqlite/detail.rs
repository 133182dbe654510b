//! Queries for one execution and its steps.

use rusqlite::{Connection, OptionalExtension};

use super::rows::{self, EXECUTION_COLUMNS, HANDLER_COLUMNS, STEP_COLUMNS};
use crate::workflow::record::{ExecutionDetail, ExecutionRecord, HandlerRecord, StepRecord};

/// An execution with its steps and their last output, by queries on one connection.
pub(crate) fn detail(
    connection: &Connection,
    execution_id: &str,
) -> rusqlite::Result<Option<ExecutionDetail>> {
    let Some(execution) = execution(connection, execution_id)? else { return Ok(None) };
    let (steps, _) = steps(connection, execution_id, 0, usize::MAX)?;
    let handlers = handlers(connection, &execution)?;
    Ok(Some(ExecutionDetail { execution, handlers, steps }))
}

pub(crate) fn execution(
    connection: &Connection,
    execution_id: &str,
) -> rusqlite::Result<Option<ExecutionRecord>> {
    connection
        .prepare_cached(&format!(
            "SELECT {EXECUTION_COLUMNS} FROM workflow_executions WHERE execution_id = ?1"
        ))?
        .query_row([execution_id], rows::execution)
        .optional()
}

/// The handlers of an execution that began.
pub(crate) fn handlers(
    connection: &Connection,
    execution: &ExecutionRecord,
) -> rusqlite::Result<Vec<HandlerRecord>> {
    // The snapshot of the others is not searched for any.
    if execution.outcome.is_none() {
        return Ok(Vec::new());
    }
    connection
        .prepare_cached(&format!(
            "SELECT {HANDLER_COLUMNS} FROM workflow_execution_handlers AS handlers
             LEFT JOIN workflow_execution_attempts AS last
               ON last.seq = handlers.seq AND last.position = handlers.position
               AND last.attempt = handlers.attempt
             WHERE handlers.seq = ?1 AND handlers.attempt > 0 ORDER BY handlers.position"
        ))?
        .query_map([execution.seq], rows::handler)?
        .collect()
}

/// The steps from `position` on, up to the one that makes their text longer than `bytes`; and
/// whether there are further ones.
pub(crate) fn steps(
    connection: &Connection,
    execution_id: &str,
    position: u32,
    bytes: usize,
) -> rusqlite::Result<(Vec<StepRecord>, bool)> {
    let mut statement = connection.prepare_cached(&format!(
        "SELECT {STEP_COLUMNS} FROM workflow_execution_steps AS steps
         LEFT JOIN workflow_execution_attempts AS last
           ON last.seq = steps.seq AND last.position = steps.position
           AND last.attempt = steps.attempt
         WHERE steps.seq = (SELECT seq FROM workflow_executions WHERE execution_id = ?1)
           AND steps.position >= ?2 ORDER BY steps.position"
    ))?;
    let mut rows = statement.query((execution_id, position))?;
    let (mut steps, mut length) = (Vec::new(), 0);
    while let Some(row) = rows.next()? {
        let step = rows::step(row)?;
        length += step.text_bytes();
        steps.push(step);
        if length > bytes {
            return Ok((steps, rows.next()?.is_some()));
        }
    }
    Ok((steps, false))
}
