//! Expectations that are not met, and what they are judged by.

use crate::repository::sql;
use crate::repository::sql::{Connection, OptionalExtension, params};
use std::sync::Arc;

use super::incidents;
use super::rows::{self, Text, integer, time};
use crate::base::timestamp::Timestamp;
use crate::repository::read::schedules::UnfinishedExecution;
use crate::schedule::decision::{Action, Reason};
use crate::workflow::notification::{Event, Events, Notify, Occurrence};
use crate::workflow::schedule_record::{
    DecisionRecord, OverdueKind, OverdueRecord, ScheduledStart,
};
use crate::workflow::trigger::{Requester, Trigger, TriggerKind};

/// Notes that one is not met; one that was open goes on with what it concerns last. What another
/// daemon has noted already is noted once.
pub(super) fn raise(
    connection: Connection<'_>,
    record: &OverdueRecord,
    notify: Option<&Arc<Notify>>,
    now: Timestamp,
) -> sql::Result<()> {
    let is_known: bool = connection
        .prepare_cached(
            "SELECT EXISTS (SELECT 1 FROM workflow_expectations
               WHERE workflow_id = ?1 AND kind = ?2 AND cleared_at IS NULL
                 AND schedule IS ?3 AND scheduled_at IS ?4
                 AND (schedule IS NOT NULL OR execution_id IS ?5))",
        )?
        .query_row(
            params![
                record.workflow_id,
                record.kind.as_str(),
                record.schedule,
                time(record.scheduled_at),
                record.execution_id,
            ],
            |row| row.get(0),
        )?;
    if is_known {
        return Ok(());
    }
    connection
        .prepare_cached(
            "INSERT INTO workflow_expectations
               (workflow_id, kind, count, raised_at, schedule, scheduled_at, execution_id)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)
             ON CONFLICT (workflow_id, kind) WHERE cleared_at IS NULL DO UPDATE SET
               count = workflow_expectations.count + excluded.count, schedule = excluded.schedule,
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
    let Some(notify) = notify else { return Ok(()) };
    let execution = match &record.execution_id {
        Some(id) => connection
            .prepare_cached("SELECT seq FROM workflow_executions WHERE execution_id = ?1")?
            .query_row([id], |row| row.get(0))
            .optional()?
            .map(|seq| (id.as_str(), seq)),
        None => None,
    };
    let opened = Occurrence::Opened(record.kind.event());
    let events = events(&record.workflow_id, notify, opened, Some(record), now);
    incidents::record(connection, execution, Some(&events))
}

/// What is notified of an expectation.
fn events(
    workflow_id: &str,
    notify: &Arc<Notify>,
    occurrence: Occurrence,
    record: Option<&OverdueRecord>,
    now: Timestamp,
) -> Events {
    let trigger = record.and_then(|record| record.schedule.clone()).map(|schedule| Trigger {
        schedule: Some(schedule),
        scheduled_at: record.and_then(|record| record.scheduled_at),
        ..Trigger::by(TriggerKind::Schedule, Requester::default())
    });
    let event = Event { occurrence, at: now, step: None, error: record.map(why), status: None };
    Events {
        notify: Arc::clone(notify),
        workflow_id: workflow_id.to_owned(),
        is_ad_hoc: false,
        trigger,
        events: vec![event],
    }
}

/// What is not as expected, in words.
fn why(record: &OverdueRecord) -> String {
    let at = record.scheduled_at.map(|at| at.to_string()).unwrap_or_default();
    let schedule = record.schedule.as_deref().unwrap_or_default();
    match record.kind {
        OverdueKind::Missed if record.count > 1 => format!(
            "{} scheduled times of `{schedule}` passed without a start, the last at {at}",
            record.count
        ),
        OverdueKind::Missed => {
            format!("the scheduled time {at} of `{schedule}` passed without a start")
        }
        OverdueKind::Late => {
            format!("the start of `{schedule}` for {at} is later than `start_within`")
        }
        OverdueKind::Slow => "it runs for longer than `finish_within`".to_owned(),
        OverdueKind::Stale => "no execution succeeded for longer than `success_within`".to_owned(),
    }
}

/// Notes that it is met again. Of those that are over, the last hundred of a workflow are kept.
pub(super) fn clear(
    connection: Connection<'_>,
    workflow_id: &str,
    kind: OverdueKind,
    notify: Option<&Arc<Notify>>,
    now: Timestamp,
) -> sql::Result<()> {
    let cleared = connection
        .prepare_cached(
            "UPDATE workflow_expectations SET cleared_at = ?3
             WHERE workflow_id = ?1 AND kind = ?2 AND cleared_at IS NULL",
        )?
        .execute(params![workflow_id, kind.as_str(), now.to_string()])?;
    if cleared > 0 {
        // Whoever was notified of it may not be any more; then it ends all the same.
        let notify = notify.cloned().unwrap_or_default();
        let events = events(workflow_id, &notify, Occurrence::Closed(kind.event()), None, now);
        incidents::record(connection, None, Some(&events))?;
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
    connection: Connection<'_>,
    decided: &DecisionRecord,
    notify: Option<&Arc<Notify>>,
    now: Timestamp,
) -> sql::Result<()> {
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
    raise(connection, &missed, notify, now)
}

/// A scheduled time is started: no time since the last one is missed.
pub(super) fn started(
    connection: Connection<'_>,
    workflow_id: &str,
    start: &ScheduledStart,
) -> sql::Result<()> {
    let notify = start.notify.as_ref();
    clear(connection, workflow_id, OverdueKind::Missed, notify, start.decided_at)
}

/// Those that are open, by workflow.
pub(crate) fn open(connection: Connection<'_>) -> sql::Result<Vec<OverdueRecord>> {
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
pub(crate) fn unfinished(connection: Connection<'_>) -> sql::Result<Vec<UnfinishedExecution>> {
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
    connection: Connection<'_>,
    workflow_id: &str,
) -> sql::Result<Option<Timestamp>> {
    let succeeded: i64 = connection
        .prepare_cached(
            "SELECT CAST(coalesce(sum(executions), 0) AS BIGINT) FROM workflow_execution_counts
             WHERE workflow_id = ?1 AND status = 'success'",
        )?
        .query_row([workflow_id], |row| row.get(0))?;
    // Without one, all that failed would be gone through for it.
    if succeeded <= 0 {
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
