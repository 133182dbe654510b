//! Queries for pages: each reads a bounded number of rows.

use super::rows::{self, ATTEMPT_COLUMNS, REUSED_ATTEMPT_COLUMNS, Text};
use crate::base::timestamp::Timestamp;
use crate::repository::read::glance::{FailingWorkflow, NotableStep, StatusCounts};
use crate::repository::sql;
use crate::repository::sql::{Connection, OptionalExtension, params};
use crate::workflow::record::{Attempt, ExecutionStatus};

/// How far back a success is looked for.
const LOOK_BACK: u32 = 1_000;

/// How many executions are stored in each state, of one workflow or of all.
pub(crate) fn status_counts(
    connection: Connection<'_>,
    workflow_id: Option<&str>,
) -> sql::Result<StatusCounts> {
    connection
        .prepare_cached(
            "SELECT status, CAST(sum(executions) AS BIGINT) FROM workflow_execution_counts
             WHERE CAST(?1 AS TEXT) IS NULL OR workflow_id = ?1 GROUP BY status",
        )?
        .query_map([workflow_id], |row| {
            Ok((row.get::<_, Text<ExecutionStatus>>(0)?.0, row.get(1).map(rows::count)?))
        })?
        .collect()
}

/// At most `limit` steps of an execution that run, or that ended it if `has_ended`.
pub(crate) fn notable_steps(
    connection: Connection<'_>,
    seq: i64,
    has_ended: bool,
    limit: u32,
) -> sql::Result<Vec<NotableStep>> {
    let states = if has_ended { "'failed', 'interrupted'" } else { "'running', 'running'" };
    connection
        .prepare_cached(&format!(
            "SELECT step_name, status, attempt, exit_code, error FROM workflow_execution_steps
             WHERE seq = ?1 AND status IN ({states}) ORDER BY position LIMIT ?2"
        ))?
        .query_map(params![seq, limit], |row| {
            Ok(NotableStep {
                name: row.get(0)?,
                status: row.get::<_, Text<_>>(1)?.0,
                attempt: row.get(2)?,
                exit_code: row.get(3)?,
                error: row.get(4)?,
            })
        })?
        .collect()
}

/// The newest success of a workflow before execution `seq`, among the thousand before it.
pub(crate) fn success_before(
    connection: Connection<'_>,
    workflow_id: &str,
    seq: i64,
) -> sql::Result<Option<String>> {
    connection
        .prepare_cached(
            "SELECT execution_id FROM
               (SELECT seq, execution_id, status FROM workflow_executions
                  INDEXED BY workflow_executions_by_workflow
                WHERE workflow_id = ?1 AND seq < ?2 ORDER BY seq DESC LIMIT ?3) AS newest
             WHERE status = 'success' ORDER BY seq DESC LIMIT 1",
        )?
        .query_row(params![workflow_id, seq, LOOK_BACK], |row| row.get(0))
        .optional()
}

/// How many executions of a workflow succeeded after execution `seq`, of the thousand newest.
pub(crate) fn successes_after(
    connection: Connection<'_>,
    workflow_id: &str,
    seq: i64,
) -> sql::Result<u64> {
    connection
        .prepare_cached(
            "SELECT count(*) FROM
               (SELECT status FROM workflow_executions INDEXED BY workflow_executions_by_workflow
                WHERE workflow_id = ?1 AND seq > ?2 ORDER BY seq DESC LIMIT ?3) AS newest
             WHERE status = 'success'",
        )?
        .query_row(params![workflow_id, seq, LOOK_BACK], |row| row.get(0))
        .map(rows::count)
}

/// How long at most `limit` of the newest successes took that were no replays, milliseconds.
pub(crate) fn durations(
    connection: Connection<'_>,
    workflow_id: &str,
    limit: u32,
) -> sql::Result<Vec<u64>> {
    let mut statement = connection.prepare_cached(
        "SELECT started_at, completed_at FROM
           (SELECT seq, started_at, completed_at, status, replay_of FROM workflow_executions
              INDEXED BY workflow_executions_by_workflow
            WHERE workflow_id = ?1 ORDER BY seq DESC LIMIT ?3) AS newest
         WHERE status = 'success' AND replay_of IS NULL ORDER BY seq DESC LIMIT ?2",
    )?;
    let mut found = statement.query(params![workflow_id, limit, limit * 5])?;
    let mut durations = Vec::new();
    while let Some(row) = found.next()? {
        let start: Option<Timestamp> = rows::optional(&row, 0)?;
        let end: Option<Timestamp> = rows::optional(&row, 1)?;
        let took = start.zip(end).map(|(start, end)| end.since(start).as_millis());
        durations.extend(took.map(|millis| u64::try_from(millis).unwrap_or(u64::MAX)));
    }
    Ok(durations)
}

/// The workflows whose newest finished execution did not succeed, at most `limit`, the latest first.
pub(crate) fn failing_workflows(
    connection: Connection<'_>,
    limit: u32,
) -> sql::Result<Vec<FailingWorkflow>> {
    let mut suspects = connection.prepare_cached(
        "SELECT DISTINCT workflow_id FROM workflow_execution_counts
         WHERE status IN ('failed', 'interrupted') AND executions > 0",
    )?;
    let mut newest = connection.prepare_cached(
        "SELECT seq, execution_id, status, completed_at, total_steps, error
         FROM workflow_executions INDEXED BY workflow_executions_by_workflow
         WHERE workflow_id = ?1 AND completed_at IS NOT NULL AND status <> 'cancelled'
         ORDER BY seq DESC LIMIT 1",
    )?;
    let mut failing = Vec::new();
    let mut rows = suspects.query([])?;
    while let Some(row) = rows.next()? {
        let workflow_id: String = row.get(0)?;
        let found = newest
            .query_row([&workflow_id], |row| {
                Ok(FailingWorkflow {
                    workflow_id: workflow_id.clone(),
                    seq: row.get(0)?,
                    execution_id: row.get(1)?,
                    status: row.get::<_, Text<_>>(2)?.0,
                    completed_at: rows::optional(row, 3)?,
                    total_steps: row.get(4)?,
                    error: row.get(5)?,
                })
            })
            .optional()?;
        failing.extend(found.filter(|one| one.status != ExecutionStatus::Success));
    }
    failing.sort_unstable_by_key(|one| std::cmp::Reverse(one.seq));
    failing.truncate(usize::try_from(limit).unwrap_or(usize::MAX));
    Ok(failing)
}

/// All kept attempts of an execution without the text of their output, as `detail::attempts` has
/// them.
pub(crate) fn attempts(
    connection: Connection<'_>,
    execution_id: &str,
) -> sql::Result<Vec<Attempt>> {
    let silent = |columns: &str, of: &str| {
        columns.replace(&format!("{of}stdout,"), "NULL,").replace(&format!("{of}stderr,"), "NULL,")
    };
    let (own, reused) = (silent(ATTEMPT_COLUMNS, ""), silent(REUSED_ATTEMPT_COLUMNS, "made."));
    connection
        .prepare_long(&format!(
            "SELECT {own} FROM workflow_execution_attempts
             WHERE seq = (SELECT seq FROM workflow_executions WHERE execution_id = ?1)
             UNION ALL
             SELECT {reused} FROM workflow_execution_steps AS steps
             CROSS JOIN workflow_executions AS original
             CROSS JOIN workflow_execution_attempts AS made
             WHERE steps.seq = (SELECT seq FROM workflow_executions WHERE execution_id = ?1)
               AND original.execution_id = steps.reused_from
               AND made.seq = original.seq AND made.position = steps.reused_position
             ORDER BY 1, 2"
        ))?
        .query_map([execution_id], rows::attempt)?
        .collect()
}
