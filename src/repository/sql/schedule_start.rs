//! The start of a scheduled time: decided in the transaction that stores its execution, so that a
//! time has one execution at most, whoever decides and whenever that process dies.

use super::schedule_queries::stored_decision;
use super::schedules::{advance, insert, replace};
use super::{overdue, rows};
use crate::base::visible::quote;
use crate::repository::error::{StoreError, StoreErrorKind};
use crate::repository::journal::backend::NotWritten;
use crate::repository::sql;
use crate::repository::sql::{Connection, OptionalExtension, params};
use crate::schedule::decision::Action;
use crate::workflow::schedule_record::{Beside, DecisionRecord, ScheduledStart, Split};

type Refusable = NotWritten<sql::Error>;

fn refused(kind: StoreErrorKind, message: String) -> Refusable {
    NotWritten::Refused(StoreError::new(kind, message))
}

/// Decides that a scheduled time is started by this execution, which is stored next. Returns whether
/// others were asked to make room.
pub(crate) fn decide(
    connection: Connection<'_>,
    workflow_id: &str,
    execution_id: &str,
    start: &ScheduledStart,
) -> Result<bool, Refusable> {
    let stored = stored_decision(connection, workflow_id, &start.schedule, start.scheduled_at)?;
    check(stored.as_ref(), start)?;
    allow_beside(connection, workflow_id, start)?;
    let decided = DecisionRecord {
        workflow_id: workflow_id.to_owned(),
        schedule: start.schedule.clone(),
        scheduled_at: start.scheduled_at,
        scheduled_until: start.scheduled_at,
        count: 1,
        decided_at: start.decided_at,
        action: Action::Started,
        reason: start.reason.to_owned(),
        execution_id: Some(execution_id.to_owned()),
        catch_up: start.catch_up,
    };
    match (&stored, &start.split) {
        (None, _) => insert(connection, &decided)?,
        (Some(row), Some(split)) => take_out(connection, row, split, &decided)?,
        (Some(_), None) => replace(connection, &decided)?,
    }
    let until = start.scheduled_at.to_string();
    advance_to(connection, workflow_id, start, &until)?;
    overdue::started(connection, workflow_id, start)?;
    let replaces = start.beside == Beside::Replaced;
    if replaces {
        cancel_others(connection, workflow_id, start)?;
    }
    Ok(replaces)
}

/// What was started by hand says nothing of other times.
fn advance_to(
    connection: Connection<'_>,
    workflow_id: &str,
    start: &ScheduledStart,
    until: &str,
) -> sql::Result<()> {
    match start.beside {
        Beside::ByHand => Ok(()),
        _ => advance(connection, workflow_id, &start.schedule, until, (1, start.decided_at)),
    }
}

/// Refuses a time of which others have decided.
fn check(stored: Option<&DecisionRecord>, start: &ScheduledStart) -> Result<(), Refusable> {
    let Some(stored) = stored else { return Ok(()) };
    let is_open = match (stored.action, start.beside) {
        (Action::Started, _) => false,
        (Action::Queued | Action::Deferred, _) => true,
        (Action::Skipped | Action::Missed, Beside::ByHand) => match &start.split {
            None => stored.count == 1,
            Some(split) => {
                (stored.scheduled_at, stored.scheduled_until) == (split.row, split.row_until)
            }
        },
        (Action::Skipped | Action::Missed, _) => false,
    };
    if is_open {
        return Ok(());
    }
    let (schedule, at) = (quote(&start.schedule), start.scheduled_at);
    let action = stored.action.as_str();
    let message = match &stored.execution_id {
        Some(id) if stored.action == Action::Started => {
            format!("{at} of the schedule {schedule} is started already, as execution {id}")
        }
        _ => format!("{at} of the schedule {schedule} is decided already: {action}"),
    };
    Err(refused(StoreErrorKind::Decided, message))
}

/// Refuses a start beside executions that it may not be beside.
fn allow_beside(
    connection: Connection<'_>,
    workflow_id: &str,
    start: &ScheduledStart,
) -> Result<(), Refusable> {
    let in_the_way = match start.beside {
        Beside::Nothing => unfinished(connection, workflow_id, false)?,
        Beside::NoCatchUp => unfinished(connection, workflow_id, true)?,
        Beside::Anything | Beside::Replaced | Beside::ByHand => None,
    };
    match in_the_way {
        None => Ok(()),
        Some(id) => {
            let message = format!("execution {id} of the workflow has not ended");
            Err(refused(StoreErrorKind::Overlaps, message))
        }
    }
}

/// The first unfinished execution of a workflow that no request defined; `catch_up`: of those that
/// make up for a missed time.
fn unfinished(
    connection: Connection<'_>,
    workflow_id: &str,
    catch_up: bool,
) -> sql::Result<Option<String>> {
    let count: i64 = connection
        .prepare_cached(
            "SELECT CAST(coalesce(sum(executions), 0) AS BIGINT) FROM workflow_execution_counts
             WHERE workflow_id = ?1 AND status IN ('pending', 'running')",
        )?
        .query_row([workflow_id], |row| row.get(0))?;
    if count == 0 {
        return Ok(None);
    }
    connection
        .prepare_cached(
            "SELECT execution_id FROM workflow_executions AS e
             WHERE status IN ('pending', 'running') AND status <> 'success'
               AND workflow_id = ?1 AND ad_hoc IS NULL
               AND (NOT ?2 OR EXISTS (SELECT 1 FROM workflow_schedule_decisions AS d
                 WHERE d.workflow_id = e.workflow_id AND d.schedule = e.schedule
                   AND d.scheduled_at = e.scheduled_at AND d.execution_id = e.execution_id
                   AND d.catch_up <> 0))
             ORDER BY seq LIMIT 1",
        )?
        .query_row(params![workflow_id, catch_up], |row| row.get(0))
        .optional()
}

/// Asks those that have not ended to make room.
fn cancel_others(
    connection: Connection<'_>,
    workflow_id: &str,
    start: &ScheduledStart,
) -> sql::Result<()> {
    connection
        .prepare_cached(
            "UPDATE workflow_executions SET cancel_requested_at = ?2, cancel_requested_by = ?3
             WHERE status IN ('pending', 'running') AND status <> 'success'
               AND workflow_id = ?1 AND ad_hoc IS NULL AND cancel_requested_at IS NULL",
        )?
        .execute(params![
            workflow_id,
            start.decided_at.to_string(),
            format!("schedule {}", start.schedule)
        ])?;
    Ok(())
}

/// Takes one time out of a row of several.
fn take_out(
    connection: Connection<'_>,
    row: &DecisionRecord,
    split: &Split,
    decided: &DecisionRecord,
) -> sql::Result<()> {
    let key = params![row.workflow_id, row.schedule, row.scheduled_at.to_string()];
    match split.before {
        None => {
            connection
                .prepare_cached(
                    "DELETE FROM workflow_schedule_decisions
                     WHERE workflow_id = ?1 AND schedule = ?2 AND scheduled_at = ?3",
                )?
                .execute(key)?;
            connection
                .prepare_cached(
                    "UPDATE workflow_schedules SET decisions = decisions - 1
                     WHERE workflow_id = ?1 AND schedule = ?2",
                )?
                .execute(params![row.workflow_id, row.schedule])?;
        }
        Some((until, count)) => {
            connection
                .prepare_cached(
                    "UPDATE workflow_schedule_decisions SET scheduled_until = ?4, count = ?5
                     WHERE workflow_id = ?1 AND schedule = ?2 AND scheduled_at = ?3",
                )?
                .execute(params![
                    row.workflow_id,
                    row.schedule,
                    row.scheduled_at.to_string(),
                    until.to_string(),
                    rows::integer(count)
                ])?;
        }
    }
    if let Some((from, count)) = split.after {
        insert(connection, &DecisionRecord { scheduled_at: from, count, ..row.clone() })?;
    }
    insert(connection, decided)
}
