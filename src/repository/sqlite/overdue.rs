//! Expectations that are not met, and what they are judged by.

use rusqlite::{Connection, OptionalExtension, params};

use super::rows::{self, Text, integer, time};
use crate::base::timestamp::Timestamp;
use crate::repository::read::schedules::UnfinishedExecution;
use crate::schedule::decision::{Action, Reason};
use crate::workflow::schedule_record::{
    DecisionRecord, OverdueKind, OverdueRecord, ScheduledStart,
};

/// Notes that one is not met; one that was open goes on with what it concerns last.
pub(super) fn raise(
    connection: &Connection,
    record: &OverdueRecord,
    now: Timestamp,
) -> rusqlite::Result<()> {
    connection
        .prepare_cached(
            "INSERT INTO workflow_expectations
               (workflow_id, kind, count, raised_at, schedule, scheduled_at, execution_id)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)
             ON CONFLICT (workflow_id, kind) WHERE cleared_at IS NULL DO UPDATE SET
               count = count + excluded.count, schedule = excluded.schedule,
               scheduled_at = excluded.scheduled_at, execution_id = excluded.execution_id",
        )?
        .execute(params![
            record.workflow_id,
            record.kind.as_str(),
            integer(record.count),
            now.to_string(),
            record.schedule,
            time(record.scheduled_at),
            record.execution_id,
        ])?;
    Ok(())
}

/// Notes that it is met again. Of those that are over, the last hundred of a workflow are kept.
pub(super) fn clear(
    connection: &Connection,
    workflow_id: &str,
    kind: OverdueKind,
    now: Timestamp,
) -> rusqlite::Result<()> {
    let cleared = connection
        .prepare_cached(
            "UPDATE workflow_expectations SET cleared_at = ?3
             WHERE workflow_id = ?1 AND kind = ?2 AND cleared_at IS NULL",
        )?
        .execute(params![workflow_id, kind.as_str(), now.to_string()])?;
    if cleared > 0 {
        connection
            .prepare_cached(
                "DELETE FROM workflow_expectations WHERE workflow_id = ?1
                   AND cleared_at IS NOT NULL AND raised_at < (
                     SELECT raised_at FROM workflow_expectations WHERE workflow_id = ?1
                     ORDER BY raised_at DESC LIMIT 1 OFFSET 100)",
            )?
            .execute([workflow_id])?;
    }
    Ok(())
}

/// A scheduled time is decided, other than by a start.
pub(super) fn decided(
    connection: &Connection,
    decided: &DecisionRecord,
    now: Timestamp,
) -> rusqlite::Result<()> {
    if decided.action != Action::Missed {
        return Ok(());
    }
    let missed = OverdueRecord {
        workflow_id: decided.workflow_id.clone(),
        kind: OverdueKind::Missed,
        count: decided.count,
        raised_at: now,
        schedule: Some(decided.schedule.clone()),
        scheduled_at: Some(decided.scheduled_until),
        execution_id: None,
    };
    raise(connection, &missed, now)
}

/// A scheduled time is started: no time since the last one is missed.
pub(super) fn started(
    connection: &Connection,
    workflow_id: &str,
    start: &ScheduledStart,
) -> rusqlite::Result<()> {
    clear(connection, workflow_id, OverdueKind::Missed, start.decided_at)?;
    if start.reason == Reason::OnTime.as_str() {
        clear(connection, workflow_id, OverdueKind::Late, start.decided_at)?;
    }
    Ok(())
}

/// Those that are open, by workflow.
pub(crate) fn open(connection: &Connection) -> rusqlite::Result<Vec<OverdueRecord>> {
    connection
        .prepare_cached(
            "SELECT workflow_id, kind, count, raised_at, schedule, scheduled_at, execution_id
             FROM workflow_expectations INDEXED BY workflow_expectations_open
             WHERE cleared_at IS NULL ORDER BY workflow_id, kind",
        )?
        .query_map([], |row| {
            Ok(OverdueRecord {
                workflow_id: row.get(0)?,
                kind: row.get::<_, Text<_>>(1)?.0,
                count: row.get(2).map(rows::count)?,
                raised_at: row.get::<_, Text<_>>(3)?.0,
                schedule: row.get(4)?,
                scheduled_at: rows::optional(row, 5)?,
                execution_id: row.get(6)?,
            })
        })?
        .collect()
}

/// Every execution that has not ended, oldest first.
pub(crate) fn unfinished(connection: &Connection) -> rusqlite::Result<Vec<UnfinishedExecution>> {
    connection
        .prepare_cached(
            "SELECT e.workflow_id, e.execution_id, e.status, e.started_at, d.schedule,
               d.scheduled_at, d.catch_up, d.reason, e.ad_hoc, e.owner
             FROM workflow_executions AS e LEFT JOIN workflow_schedule_decisions AS d
               ON d.workflow_id = e.workflow_id AND d.schedule = e.schedule
                 AND d.scheduled_at = e.scheduled_at AND d.execution_id = e.execution_id
             WHERE e.status IN ('pending', 'running') AND e.status <> 'success'
             ORDER BY e.seq",
        )?
        .query_map([], |row| {
            let is_expected = match row.get::<_, Option<String>>(7)?.as_deref() {
                None => false,
                Some(reason) => {
                    reason != Reason::AfterBlackout.as_str() && reason != Reason::ByHand.as_str()
                }
            };
            let schedule = row.get::<_, Option<String>>(4)?.filter(|_| is_expected);
            Ok(UnfinishedExecution {
                workflow_id: row.get(0)?,
                execution_id: row.get(1)?,
                status: row.get::<_, Text<_>>(2)?.0,
                started_at: rows::optional(row, 3)?,
                expected: schedule.zip(rows::optional(row, 5)?),
                catch_up: row.get::<_, Option<bool>>(6)?.unwrap_or(false),
                is_ad_hoc: row.get::<_, Option<i64>>(8)?.is_some(),
                owner: row.get(9)?,
            })
        })?
        .collect()
}

/// When the newest execution of a workflow that succeeded has ended.
pub(crate) fn last_success(
    connection: &Connection,
    workflow_id: &str,
) -> rusqlite::Result<Option<Timestamp>> {
    let succeeded: Option<i64> = connection
        .prepare_cached(
            "SELECT executions FROM workflow_execution_counts
             WHERE workflow_id = ?1 AND status = 'success' AND executions > 0",
        )?
        .query_row([workflow_id], |row| row.get(0))
        .optional()?;
    // Without one, all that failed would be gone through for it.
    if succeeded.is_none() {
        return Ok(None);
    }
    connection
        .prepare_cached(
            "SELECT completed_at FROM workflow_executions
             INDEXED BY workflow_executions_by_workflow
             WHERE workflow_id = ?1 AND status = 'success' ORDER BY seq DESC LIMIT 1",
        )?
        .query_row([workflow_id], |row| rows::optional(row, 0))
        .optional()
        .map(Option::flatten)
}
