//! How long steps took.

use crate::base::timestamp::Timestamp;
use crate::repository::read::durations::StepDurations;
use crate::repository::sql;
use crate::repository::sql::{Connection, params};

/// Of the steps that worked and succeeded, not those that were reused, of executions that were created at `since` or later
/// and before `until`.
pub(crate) fn of_steps(
    connection: Connection<'_>,
    workflow_id: Option<&str>,
    since: Option<Timestamp>,
    until: Option<Timestamp>,
) -> sql::Result<StepDurations> {
    let mut found = StepDurations::new();
    // A step without work has neither an exit code nor a duration.
    let mut statement = connection.prepare_long(
        "SELECT e.workflow_id, s.step_name, s.duration_ms
         FROM workflow_executions e JOIN workflow_execution_steps s USING (seq)
         WHERE s.status = 'success' AND s.reused_from IS NULL AND (s.exit_code IS NOT NULL OR s.duration_ms > 0)
           AND (CAST(?1 AS TEXT) IS NULL OR e.workflow_id = ?1) AND (CAST(?2 AS TIMESTAMPTZ) IS NULL OR e.created_at >= ?2)
           AND (CAST(?3 AS TIMESTAMPTZ) IS NULL OR e.created_at < ?3)",
    )?;
    let time = |at: Option<Timestamp>| at.map(|at| at.to_string());
    let mut rows = statement.query(params![workflow_id, time(since), time(until)])?;
    while let Some(row) = rows.next()? {
        let key = (row.get(0)?, row.get(1)?);
        let millis: Option<i64> = row.get(2)?;
        let millis = millis.and_then(|millis| u64::try_from(millis).ok());
        found.entry(key).or_default().extend(millis);
    }
    Ok(found)
}
