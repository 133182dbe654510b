//! What is read of schedules and of what was decided of their times.

use crate::repository::sql;
use crate::repository::sql::{Connection, OptionalExtension, Row, params};
use std::collections::BTreeSet;

use super::rows::{self, Text};
use crate::base::timestamp::Timestamp;
use crate::repository::read::schedules::{DecisionPosition, StoredSchedule};
use crate::schedule::planner::{Known, KnownWaiting};
use crate::workflow::schedule_record::{DecisionRecord, PauseRecord};

/// The columns that [`decision`] reads, in its order.
pub(super) const DECISION_COLUMNS: &str = "workflow_id, schedule, scheduled_at, scheduled_until, \
     count, decided_at, action, reason, execution_id, catch_up";

/// Nothing is scheduled later.
pub(super) fn last_time() -> Timestamp {
    Timestamp::from_micros(i64::MAX)
}

/// The row with the last scheduled time that is not later than this.
pub(super) fn newest_until(
    connection: Connection<'_>,
    workflow_id: &str,
    schedule: &str,
    at: &str,
) -> sql::Result<Option<DecisionRecord>> {
    connection
        .prepare_cached(&format!(
            "SELECT {DECISION_COLUMNS} FROM workflow_schedule_decisions
             WHERE workflow_id = ?1 AND schedule = ?2 AND scheduled_at <= ?3
             ORDER BY scheduled_at DESC LIMIT 1"
        ))?
        .query_row(params![workflow_id, schedule, at], decision)
        .optional()
}

/// What is stored of a scheduled time, in a row of its own or with others.
pub(crate) fn stored_decision(
    connection: Connection<'_>,
    workflow_id: &str,
    schedule: &str,
    at: Timestamp,
) -> sql::Result<Option<DecisionRecord>> {
    let newest = newest_until(connection, workflow_id, schedule, &at.to_string())?;
    Ok(newest.filter(|row| row.scheduled_until >= at))
}

/// The pauses that end after `since`, the first one first.
pub(crate) fn pauses(
    connection: Connection<'_>,
    since: Timestamp,
) -> sql::Result<Vec<PauseRecord>> {
    connection
        .prepare_cached(
            "SELECT workflow_id, paused_at, paused_until, reason, paused_by, paused_address
             FROM workflow_pauses
             WHERE paused_until IS NULL OR paused_until > ?1 ORDER BY id",
        )?
        .query_map([since.to_string()], |row| {
            Ok(PauseRecord {
                workflow_id: row.get(0)?,
                paused_at: row.get::<_, Text<_>>(1)?.0,
                paused_until: rows::optional(row, 2)?,
                reason: row.get(3)?,
                paused_by: row.get(4)?,
                paused_address: row.get(5)?,
            })
        })?
        .collect()
}

/// The schedules of these workflows, or of all.
pub(crate) fn stored(
    connection: Connection<'_>,
    workflows: Option<&BTreeSet<String>>,
) -> sql::Result<Vec<StoredSchedule>> {
    let mut all = Vec::new();
    match workflows {
        None => {
            let mut statement = connection.prepare_cached(
                "SELECT workflow_id, schedule, first_seen, decided_until FROM workflow_schedules",
            )?;
            let mut rows = statement.query([])?;
            while let Some(row) = rows.next()? {
                all.push(schedule(&row)?);
            }
        }
        Some(workflows) => {
            let mut statement = connection.prepare_cached(
                "SELECT workflow_id, schedule, first_seen, decided_until FROM workflow_schedules
                 WHERE workflow_id = ?1",
            )?;
            for workflow_id in workflows {
                let mut rows = statement.query([workflow_id])?;
                while let Some(row) = rows.next()? {
                    all.push(schedule(&row)?);
                }
            }
        }
    }
    for one in &mut all {
        let StoredSchedule { workflow_id, schedule, known } = one;
        let until = known.decided_until.unwrap_or(known.first_seen).to_string();
        known.decided_later = connection
            .prepare_cached(
                "SELECT scheduled_at FROM workflow_schedule_decisions
                 WHERE workflow_id = ?1 AND schedule = ?2 AND scheduled_at > ?3",
            )?
            .query_map(params![&*workflow_id, &*schedule, until], |row| {
                Ok(row.get::<_, Text<Timestamp>>(0)?.0)
            })?
            .collect::<Result<_, _>>()?;
        known.waiting = connection
            .prepare_cached(
                "SELECT scheduled_at, action = 'deferred', catch_up
                 FROM workflow_schedule_decisions
                 WHERE workflow_id = ?1 AND schedule = ?2
                   AND (action = 'queued' OR action = 'deferred')
                 ORDER BY scheduled_at",
            )?
            .query_map(params![&*workflow_id, &*schedule], |row| {
                Ok(KnownWaiting {
                    scheduled_at: row.get::<_, Text<_>>(0)?.0,
                    is_deferred: row.get(1)?,
                    catch_up: row.get(2)?,
                })
            })?
            .collect::<Result<_, _>>()?;
    }
    Ok(all)
}

fn schedule(row: &Row<'_>) -> sql::Result<StoredSchedule> {
    let mut known = Known::since(row.get::<_, Text<_>>(2)?.0);
    known.decided_until = rows::optional(row, 3)?;
    Ok(StoredSchedule { workflow_id: row.get(0)?, schedule: row.get(1)?, known })
}

/// Whether anything was decided for times after this.
pub(crate) fn is_ahead(connection: Connection<'_>, now: Timestamp) -> sql::Result<bool> {
    connection
        .prepare_cached(
            "SELECT EXISTS (SELECT 1 FROM workflow_schedules
               WHERE decided_until > ?1 OR first_seen > ?1)",
        )?
        .query_row([now.to_string()], |row| row.get(0))
}

/// Rows that begin at this time or before, and end after it.
pub(crate) fn rows_across(
    connection: Connection<'_>,
    now: Timestamp,
) -> sql::Result<Vec<DecisionRecord>> {
    connection
        .prepare_cached(&format!(
            "SELECT {DECISION_COLUMNS} FROM workflow_schedule_decisions
             WHERE scheduled_at <= ?1 AND scheduled_until > ?1"
        ))?
        .query_map([now.to_string()], decision)?
        .collect()
}

/// Decisions, of one workflow or of all, the latest scheduled time first, from a position on.
pub(crate) fn decisions(
    connection: Connection<'_>,
    workflow_id: Option<&str>,
    before: Option<&DecisionPosition>,
    limit: u32,
) -> sql::Result<Vec<DecisionRecord>> {
    let (of, index) = match workflow_id {
        Some(_) => ("workflow_id = ?1", "workflow_schedule_decisions_by_workflow"),
        None => ("CAST(?1 AS TEXT) IS NULL", "workflow_schedule_decisions_by_time"),
    };
    let at = before.map_or_else(last_time, |before| before.scheduled_at).to_string();
    let (workflow, schedule) =
        before.map_or(("", ""), |before| (before.workflow_id.as_str(), before.schedule.as_str()));
    connection
        .prepare_cached(&format!(
            "SELECT {DECISION_COLUMNS} FROM workflow_schedule_decisions INDEXED BY {index}
             WHERE {of} AND scheduled_at <= ?2
               AND (scheduled_at, workflow_id, schedule) < (?2, ?3, ?4)
             ORDER BY scheduled_at DESC, workflow_id DESC, schedule DESC LIMIT ?5"
        ))?
        .query_map(params![workflow_id, at, workflow, schedule, limit], decision)?
        .collect()
}

/// The last decision of a schedule.
pub(crate) fn last_decisions(connection: Connection<'_>) -> sql::Result<Vec<DecisionRecord>> {
    let names: Vec<(String, String)> = connection
        .prepare_cached("SELECT workflow_id, schedule FROM workflow_schedules")?
        .query_map([], |row| Ok((row.get(0)?, row.get(1)?)))?
        .collect::<Result<_, _>>()?;
    let mut found = Vec::new();
    for (workflow_id, schedule) in names {
        found.extend(newest_until(connection, &workflow_id, &schedule, &last_time().to_string())?);
    }
    Ok(found)
}

/// Executions of workflows with schedules whose process was an `exec` that is dead: they would keep
/// scheduled starts from beginning.
pub(super) fn in_the_way(
    connection: Connection<'_>,
    mut is_of_dead_exec: impl FnMut(Option<&str>) -> bool,
) -> sql::Result<Vec<String>> {
    let mut statement = connection.prepare_cached(
        "SELECT execution_id, owner FROM workflow_executions
         WHERE status IN ('pending', 'running') AND status <> 'success' AND ad_hoc IS NULL
           AND concurrency_group IS NULL
           AND workflow_id IN (SELECT workflow_id FROM workflow_schedules WHERE schedule <> '')",
    )?;
    let mut rows = statement.query([])?;
    let mut found = Vec::new();
    while let Some(row) = rows.next()? {
        if is_of_dead_exec(row.get::<_, Option<String>>(1)?.as_deref()) {
            found.push(row.get(0)?);
        }
    }
    Ok(found)
}

pub(super) fn decision(row: &Row<'_>) -> sql::Result<DecisionRecord> {
    Ok(DecisionRecord {
        workflow_id: row.get(0)?,
        schedule: row.get(1)?,
        scheduled_at: row.get::<_, Text<_>>(2)?.0,
        scheduled_until: row.get::<_, Text<_>>(3)?.0,
        count: row.get(4).map(rows::count)?,
        decided_at: row.get::<_, Text<_>>(5)?.0,
        action: row.get::<_, Text<_>>(6)?.0,
        reason: row.get(7)?,
        execution_id: row.get(8)?,
        catch_up: row.get(9)?,
    })
}
