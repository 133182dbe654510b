//! What is known of all executions of a workflow.

use super::rows;
use crate::repository::read::summary::{DURATIONS_MAX, SummaryExecution, WorkflowSummary};
use crate::repository::sql;
use crate::repository::sql::{Connection, OptionalExtension, Row, params};

const COLUMNS: &str = "seq, execution_id, status, created_at, started_at, completed_at";

/// Of every workflow that has executions, or of one, in the order of their ids.
pub(crate) fn of_workflows(
    connection: Connection<'_>,
    workflow_id: Option<&str>,
) -> sql::Result<Vec<WorkflowSummary>> {
    let mut counts = connection.prepare_cached(
        "SELECT workflow_id, CAST(sum(executions) AS BIGINT),
                CAST(sum(CASE WHEN status IN ('pending', 'running') THEN executions ELSE 0 END)
                  AS BIGINT),
                CAST(sum(CASE WHEN status = 'success' THEN executions ELSE 0 END) AS BIGINT)
         FROM workflow_execution_counts WHERE CAST(?1 AS TEXT) IS NULL OR workflow_id = ?1
         GROUP BY workflow_id HAVING sum(executions) > 0 ORDER BY workflow_id",
    )?;
    let mut newest = connection.prepare_cached(&format!(
        "SELECT {COLUMNS} FROM workflow_executions INDEXED BY workflow_executions_by_workflow
         WHERE workflow_id = ?1 ORDER BY seq DESC LIMIT 1"
    ))?;
    let mut newest_success = connection.prepare_cached(&format!(
        "SELECT {COLUMNS} FROM workflow_executions INDEXED BY workflow_executions_by_workflow
         WHERE workflow_id = ?1 AND status = 'success' ORDER BY seq DESC LIMIT 1"
    ))?;
    let mut successes = connection.prepare_cached(&format!(
        "SELECT {COLUMNS} FROM workflow_executions INDEXED BY workflow_executions_by_workflow
         WHERE workflow_id = ?1 AND status = 'success' AND replay_of IS NULL
         ORDER BY seq DESC LIMIT ?2"
    ))?;
    let mut found = Vec::new();
    let mut rows = counts.query([workflow_id])?;
    while let Some(row) = rows.next()? {
        let workflow_id: String = row.get(0)?;
        // Without one, all that failed would be gone through for it.
        let has_succeeded = row.get::<_, i64>(3)? > 0;
        let mut last_success = None;
        let mut durations_ms = Vec::new();
        if has_succeeded {
            last_success = newest_success.query_row([&workflow_id], execution).optional()?;
            let mut successes = successes.query(params![workflow_id, DURATIONS_MAX])?;
            while let Some(success) = successes.next()? {
                durations_ms.extend(execution(&success)?.millis());
            }
        }
        found.push(WorkflowSummary {
            last: newest.query_row([&workflow_id], execution).optional()?,
            workflow_id,
            unfinished: row.get(2).map(rows::count)?,
            total: row.get(1).map(rows::count)?,
            last_success,
            durations_ms,
        });
    }
    Ok(found)
}

fn execution(row: &Row<'_>) -> sql::Result<SummaryExecution> {
    Ok(SummaryExecution {
        seq: row.get(0)?,
        execution_id: row.get(1)?,
        status: row.get::<_, rows::Text<_>>(2)?.0,
        created_at: rows::optional(row, 3)?,
        started_at: rows::optional(row, 4)?,
        completed_at: rows::optional(row, 5)?,
    })
}
