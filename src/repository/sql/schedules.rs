//! Schedules, and what was decided of their times.

use crate::repository::sql;
use crate::repository::sql::{Connection, OptionalExtension, params};
use std::sync::Arc;

use super::overdue;
use super::rows::{integer, time};
use super::schedule_queries::{DECISION_COLUMNS, last_time, newest_until};
use crate::base::timestamp::Timestamp;
use crate::repository::journal::schedules::{
    DECISIONS_KEPT, DECISIONS_MAX, RegisteredWorkflow, ScheduleChange, ScheduleOutcome, Trimmed,
};
use crate::schedule::decision::{Action, Reason};
use crate::workflow::notification::Notify;
use crate::workflow::schedule_record::{DecisionRecord, PauseRecord};
use crate::workflow::trigger::Requester;

/// Writes a change inside the transaction under way.
pub(crate) fn change(
    connection: Connection<'_>,
    change: &ScheduleChange,
) -> sql::Result<ScheduleOutcome> {
    let mut outcome = ScheduleOutcome::default();
    match change {
        ScheduleChange::Register { now, workflows } => {
            for workflow in workflows {
                outcome.changed += register(connection, workflow, *now)?;
            }
        }
        ScheduleChange::Decide { now, decisions, notify } => {
            let is_same = |a: &DecisionRecord, b: &DecisionRecord| {
                (&a.workflow_id, &a.schedule) == (&b.workflow_id, &b.schedule)
            };
            for run in decisions.chunk_by(is_same) {
                let mut end = End::default();
                for (number, decision) in run.iter().enumerate() {
                    if number > 0 && end.last.is_none() {
                        end.find(connection, &run[number - 1])?;
                    }
                    let notify = notify.get(&decision.workflow_id);
                    if decide(connection, &mut end, decision, notify, *now)? {
                        outcome.changed += 1;
                    } else {
                        outcome.conflicts.insert(decision.workflow_id.clone());
                    }
                }
                end.store(connection, *now)?;
            }
        }
        ScheduleChange::SetBack { now, trimmed } => set_back(connection, *now, trimmed)?,
        ScheduleChange::Pause(pause) => {
            let nobody = Requester::default();
            end_pause(connection, pause.workflow_id.as_deref(), &nobody, pause.paused_at)?;
            outcome.changed = begin_pause(connection, pause)?;
        }
        ScheduleChange::Resume { workflow_id, requester, now } => {
            outcome.changed = end_pause(connection, workflow_id.as_deref(), requester, *now)?;
        }
        ScheduleChange::Overdue { now, raised, cleared, notify } => {
            for record in raised {
                overdue::raise(connection, record, notify.get(&record.workflow_id), *now)?;
            }
            for (workflow_id, kind) in cleared {
                overdue::clear(connection, workflow_id, *kind, notify.get(workflow_id), *now)?;
            }
        }
    }
    Ok(outcome)
}

/// Makes the stored schedules of a workflow those of its file.
fn register(
    connection: Connection<'_>,
    workflow: &RegisteredWorkflow,
    now: Timestamp,
) -> sql::Result<usize> {
    let RegisteredWorkflow { workflow_id, schedules } = workflow;
    let stored: Vec<(String, String)> = connection
        .prepare_cached("SELECT schedule, timing FROM workflow_schedules WHERE workflow_id = ?1")?
        .query_map([workflow_id], |row| Ok((row.get(0)?, row.get(1)?)))?
        .collect::<Result<_, _>>()?;
    let mut changed = 0;
    for (name, timing) in &stored {
        let is_same = |it: &&(String, String)| it.0 == *name;
        let kept = schedules.iter().find(is_same);
        if kept.is_some_and(|(_, new)| new == timing) {
            continue;
        }
        changed += 1;
        // What waits belongs to times that the schedule does not have any more.
        connection
            .prepare_cached(
                "UPDATE workflow_schedule_decisions SET action = ?3, reason = ?4, decided_at = ?5
                 WHERE workflow_id = ?1 AND schedule = ?2
                   AND (action = 'queued' OR action = 'deferred')",
            )?
            .execute(params![
                workflow_id,
                name,
                Action::Skipped.as_str(),
                Reason::Removed.as_str(),
                now.to_string()
            ])?;
        match kept {
            None => connection
                .prepare_cached(
                    "DELETE FROM workflow_schedules WHERE workflow_id = ?1 AND schedule = ?2",
                )?
                .execute(params![workflow_id, name])?,
            Some((_, timing)) => connection
                .prepare_cached(
                    "UPDATE workflow_schedules
                     SET timing = ?3, first_seen = ?4, decided_until = NULL
                     WHERE workflow_id = ?1 AND schedule = ?2",
                )?
                .execute(params![workflow_id, name, timing, now.to_string()])?,
        };
    }
    for (name, timing) in schedules {
        // It may have been there before, with rows of its own.
        changed += connection
            .prepare_cached(
                "INSERT INTO workflow_schedules
                   (workflow_id, schedule, timing, first_seen, decided_until, decisions)
                 SELECT ?1, ?2, ?3, ?4, NULL, (SELECT count(*) FROM workflow_schedule_decisions
                   WHERE workflow_id = ?1 AND schedule = ?2)
                 WHERE true ON CONFLICT DO NOTHING",
            )?
            .execute(params![workflow_id, name, timing, now.to_string()])?;
    }
    Ok(changed)
}

/// Whether this scheduled time waits.
fn is_waiting(
    connection: Connection<'_>,
    workflow_id: &str,
    schedule: &str,
    at: &str,
) -> sql::Result<bool> {
    connection
        .prepare_cached(
            "SELECT EXISTS (SELECT 1 FROM workflow_schedule_decisions
               WHERE workflow_id = ?1 AND schedule = ?2 AND scheduled_at = ?3
                 AND (action = 'queued' OR action = 'deferred'))",
        )?
        .query_row(params![workflow_id, schedule, at], |row| row.get(0))
}

/// Whether one of these scheduled times is decided for good. Rows do not overlap, so of those that
/// begin earlier only the last one is looked at.
fn is_decided(
    connection: Connection<'_>,
    decided: &DecisionRecord,
    at: &str,
    until: &str,
) -> sql::Result<bool> {
    let DecisionRecord { workflow_id, schedule, scheduled_at, .. } = decided;
    let before = newest_until(connection, workflow_id, schedule, at)?;
    let reaches = |row: &DecisionRecord| row.scheduled_until >= *scheduled_at;
    if before.is_some_and(|row| row.action.is_final() && reaches(&row)) {
        return Ok(true);
    }
    connection
        .prepare_cached(
            "SELECT EXISTS (SELECT 1 FROM workflow_schedule_decisions
               WHERE workflow_id = ?1 AND schedule = ?2 AND scheduled_at > ?3
                 AND scheduled_at <= ?4 AND action <> 'queued' AND action <> 'deferred')",
        )?
        .query_row(params![workflow_id, schedule, at, until], |row| row.get(0))
}

/// The end of the rows of a schedule while many of its times are decided in order: what comes after
/// it needs no look at what is stored.
#[derive(Default)]
struct End {
    /// The row with the last scheduled time, if the schedule is decided up to its end and no further.
    last: Option<DecisionRecord>,
    /// So many rows were made that are not counted yet.
    made: i64,
    /// So many times were decided for good after which no rows were let go yet.
    decided: i64,
}

impl End {
    /// The last row, if a time is after it.
    fn before(&self, decided: &DecisionRecord) -> Option<&DecisionRecord> {
        self.last.as_ref().filter(|last| last.scheduled_until < decided.scheduled_at)
    }

    /// Stores a decision of a time after the last row.
    fn append(&mut self, connection: Connection<'_>, decided: &DecisionRecord) -> sql::Result<()> {
        match &mut self.last {
            Some(last) if continues(last, decided) => {
                extend(connection, last, decided)?;
                last.scheduled_until = decided.scheduled_until;
            }
            last => {
                insert_row(connection, decided)?;
                self.made += 1;
                *last = Some(decided.clone());
            }
        }
        self.decided += i64::from(decided.action.is_final());
        Ok(())
    }

    /// Looks whether what was decided last is the end.
    fn find(&mut self, connection: Connection<'_>, decided: &DecisionRecord) -> sql::Result<()> {
        let DecisionRecord { workflow_id, schedule, .. } = decided;
        let last = newest_until(connection, workflow_id, schedule, &last_time().to_string())?;
        self.last = match last {
            Some(last)
                if last.scheduled_until == decided.scheduled_until
                    && is_last(connection, &last)? =>
            {
                Some(last)
            }
            _ => None,
        };
        Ok(())
    }

    /// Stores what is not stored yet, and forgets the end.
    fn store(&mut self, connection: Connection<'_>, now: Timestamp) -> sql::Result<()> {
        let Self { last, made, decided } = std::mem::take(self);
        let Some(last) = last.filter(|_| made > 0 || decided > 0) else { return Ok(()) };
        let DecisionRecord { workflow_id, schedule, scheduled_until, .. } = &last;
        if made > 0 {
            count(connection, workflow_id, schedule, made)?;
        }
        let until = scheduled_until.to_string();
        advance(connection, workflow_id, schedule, &until, (decided, now))
    }
}

/// Stores a decision other than a start; `false` when others have decided.
fn decide(
    connection: Connection<'_>,
    end: &mut End,
    decided: &DecisionRecord,
    notify: Option<&Arc<Notify>>,
    now: Timestamp,
) -> sql::Result<bool> {
    let DecisionRecord { workflow_id, schedule, .. } = decided;
    if end.before(decided).is_some() {
        end.append(connection, decided)?;
        overdue::decided(connection, decided, notify, now)?;
        return Ok(true);
    }
    end.store(connection, now)?;
    let (at, until) = (decided.scheduled_at.to_string(), decided.scheduled_until.to_string());
    if is_decided(connection, decided, &at, &until)? {
        return Ok(false);
    }
    let is_waiting = is_waiting(connection, workflow_id, schedule, &at)?;
    if is_waiting && decided.count == 1 {
        replace(connection, decided)?;
    } else {
        if is_waiting {
            remove_waiting(connection, decided, &at, &until)?;
        }
        let before = newest_until(connection, workflow_id, schedule, &until)?
            .filter(|before| continues(before, decided));
        // Those of other times, which the schedule had before, stay apart.
        let before = match before {
            Some(before) if is_last(connection, &before)? => Some(before),
            _ => None,
        };
        match before {
            Some(before) => extend(connection, &before, decided)?,
            None => insert(connection, decided)?,
        }
        let is_final = decided.action.is_final();
        advance(connection, workflow_id, schedule, &until, (i64::from(is_final), now))?;
    }
    overdue::decided(connection, decided, notify, now)?;
    Ok(true)
}

/// Lets a row go on to the end of a decision.
fn extend(
    connection: Connection<'_>,
    before: &DecisionRecord,
    decided: &DecisionRecord,
) -> sql::Result<()> {
    connection
        .prepare_cached(
            "UPDATE workflow_schedule_decisions
             SET scheduled_until = ?4, count = count + ?5, decided_at = ?6
             WHERE workflow_id = ?1 AND schedule = ?2 AND scheduled_at = ?3",
        )?
        .execute(params![
            before.workflow_id,
            before.schedule,
            before.scheduled_at.to_string(),
            decided.scheduled_until.to_string(),
            integer(decided.count),
            decided.decided_at.to_string(),
        ])?;
    Ok(())
}

/// Makes room for one row in place of those of several times that waited.
fn remove_waiting(
    connection: Connection<'_>,
    decided: &DecisionRecord,
    at: &str,
    until: &str,
) -> sql::Result<()> {
    let DecisionRecord { workflow_id, schedule, .. } = decided;
    let removed = connection
        .prepare_cached(
            "DELETE FROM workflow_schedule_decisions
             WHERE workflow_id = ?1 AND schedule = ?2 AND scheduled_at BETWEEN ?3 AND ?4
               AND (action = 'queued' OR action = 'deferred')",
        )?
        .execute(params![workflow_id, schedule, at, until])?;
    count(connection, workflow_id, schedule, -integer(removed as u64))
}

/// Whether a row goes on with more times at which nothing is started for the same reason.
fn continues(before: &DecisionRecord, decided: &DecisionRecord) -> bool {
    matches!(decided.action, Action::Skipped | Action::Missed)
        && (before.action, &before.reason) == (decided.action, &decided.reason)
        && before.execution_id == decided.execution_id
        && before.catch_up == decided.catch_up
}

/// Whether a schedule is decided up to the end of a row, and no further.
fn is_last(connection: Connection<'_>, row: &DecisionRecord) -> sql::Result<bool> {
    connection
        .prepare_cached(
            "SELECT EXISTS (SELECT 1 FROM workflow_schedules
               WHERE workflow_id = ?1 AND schedule = ?2 AND decided_until = ?3)",
        )?
        .query_row(params![row.workflow_id, row.schedule, row.scheduled_until.to_string()], |row| {
            row.get(0)
        })
}

/// Makes a row, and counts it.
pub(super) fn insert(connection: Connection<'_>, decided: &DecisionRecord) -> sql::Result<()> {
    insert_row(connection, decided)?;
    count(connection, &decided.workflow_id, &decided.schedule, 1)
}

fn insert_row(connection: Connection<'_>, decided: &DecisionRecord) -> sql::Result<()> {
    connection
        .prepare_cached(&format!(
            "INSERT INTO workflow_schedule_decisions ({DECISION_COLUMNS})
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10)"
        ))?
        .execute(params![
            decided.workflow_id,
            decided.schedule,
            decided.scheduled_at.to_string(),
            decided.scheduled_until.to_string(),
            integer(decided.count),
            decided.decided_at.to_string(),
            decided.action.as_str(),
            decided.reason,
            decided.execution_id,
            decided.catch_up,
        ])?;
    Ok(())
}

fn count(
    connection: Connection<'_>,
    workflow_id: &str,
    schedule: &str,
    more: i64,
) -> sql::Result<()> {
    connection
        .prepare_cached(
            "UPDATE workflow_schedules SET decisions = decisions + ?3
             WHERE workflow_id = ?1 AND schedule = ?2",
        )?
        .execute(params![workflow_id, schedule, more])?;
    Ok(())
}

/// Writes another decision over that of a single time.
pub(super) fn replace(connection: Connection<'_>, decided: &DecisionRecord) -> sql::Result<()> {
    connection
        .prepare_cached(
            "UPDATE workflow_schedule_decisions
             SET decided_at = ?4, action = ?5, reason = ?6, execution_id = ?7
             WHERE workflow_id = ?1 AND schedule = ?2 AND scheduled_at = ?3",
        )?
        .execute(params![
            decided.workflow_id,
            decided.schedule,
            decided.scheduled_at.to_string(),
            decided.decided_at.to_string(),
            decided.action.as_str(),
            decided.reason,
            decided.execution_id,
        ])?;
    Ok(())
}

/// Everything up to a time is decided from now on. Where times were decided for good, rows that are
/// too many or too old go; `decided`: how many times those are.
pub(super) fn advance(
    connection: Connection<'_>,
    workflow_id: &str,
    schedule: &str,
    until: &str,
    (decided, now): (i64, Timestamp),
) -> sql::Result<()> {
    let rows: Option<i64> = connection
        .prepare_cached(
            "UPDATE workflow_schedules
             SET decided_until =
               CASE WHEN decided_until > ?3 THEN decided_until ELSE ?3 END
             WHERE workflow_id = ?1 AND schedule = ?2 RETURNING decisions",
        )?
        .query_row(params![workflow_id, schedule, until], |row| row.get(0))
        .optional()?;
    match decided {
        0 => Ok(()),
        _ => trim(connection, workflow_id, schedule, until, (rows, decided, now)),
    }
}

/// Deletes rows that are too many or too old; never what waits, nor what was decided just now.
fn trim(
    connection: Connection<'_>,
    workflow_id: &str,
    schedule: &str,
    until: &str,
    (rows, decided, now): (Option<i64>, i64, Timestamp),
) -> sql::Result<()> {
    let excess = rows.map_or(0, |rows| rows - integer(DECISIONS_MAX));
    // Each new row lets go of what it is too many by, and of two that are too old.
    for round in 0..excess.clamp(2 * decided, 100 * decided) {
        let cutoff = now.minus(DECISIONS_KEPT).to_string();
        let deleted = connection
            .prepare_cached(
                "DELETE FROM workflow_schedule_decisions
                 WHERE workflow_id = ?1 AND schedule = ?2 AND (?3 OR scheduled_until < ?4)
                   AND scheduled_at <> ?5
                   AND scheduled_at = (SELECT scheduled_at FROM workflow_schedule_decisions
                     WHERE workflow_id = ?1 AND schedule = ?2 AND action <> 'queued'
                       AND action <> 'deferred' ORDER BY scheduled_at LIMIT 1)",
            )?
            .execute(params![workflow_id, schedule, round < excess, cutoff, until])?;
        if deleted == 0 {
            break;
        }
        count(connection, workflow_id, schedule, -1)?;
    }
    Ok(())
}

/// Of what was decided for times after `now` only starts still hold.
fn set_back(connection: Connection<'_>, now: Timestamp, trimmed: &[Trimmed]) -> sql::Result<()> {
    let now = now.to_string();
    for row in trimmed {
        connection
            .prepare_cached(
                "UPDATE workflow_schedule_decisions SET scheduled_until = ?4, count = ?5
                 WHERE workflow_id = ?1 AND schedule = ?2 AND scheduled_at = ?3
                   AND action <> 'started' AND scheduled_until > ?6",
            )?
            .execute(params![
                row.workflow_id,
                row.schedule,
                row.scheduled_at.to_string(),
                row.scheduled_until.to_string(),
                integer(row.count),
                now,
            ])?;
    }
    connection
        .prepare_cached(
            "DELETE FROM workflow_schedule_decisions
             WHERE scheduled_at > ?1 AND action <> 'started'",
        )?
        .execute([&now])?;
    // Of schedules that no file has any more.
    connection
        .prepare_cached(
            "UPDATE workflow_schedule_decisions SET scheduled_until =
               CASE WHEN scheduled_at > ?1 THEN scheduled_at ELSE ?1 END
             WHERE scheduled_until > ?1 AND action <> 'started'",
        )?
        .execute([&now])?;
    connection
        .prepare_cached(
            "UPDATE workflow_schedules SET first_seen =
                 CASE WHEN first_seen > ?1 THEN ?1 ELSE first_seen END,
               decided_until =
                 CASE WHEN decided_until > ?1 THEN ?1 ELSE decided_until END,
               decisions = (SELECT count(*) FROM workflow_schedule_decisions AS of
                 WHERE of.workflow_id = workflow_schedules.workflow_id
                   AND of.schedule = workflow_schedules.schedule)
             WHERE first_seen > ?1 OR decided_until > ?1",
        )?
        .execute([&now])?;
    connection
        .prepare_cached("UPDATE workflow_pauses SET paused_at = ?1 WHERE paused_at > ?1")?
        .execute([&now])?;
    Ok(())
}

fn begin_pause(connection: Connection<'_>, pause: &PauseRecord) -> sql::Result<usize> {
    let cutoff = pause.paused_at.minus(DECISIONS_KEPT).to_string();
    connection
        .prepare_cached("DELETE FROM workflow_pauses WHERE paused_until < ?1")?
        .execute([cutoff])?;
    connection
        .prepare_cached(
            "INSERT INTO workflow_pauses
               (workflow_id, paused_at, paused_until, reason, paused_by, paused_address)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
        )?
        .execute(params![
            pause.workflow_id,
            pause.paused_at.to_string(),
            time(pause.paused_until),
            pause.reason,
            pause.paused_by,
            pause.paused_address,
        ])
}

/// Ends the pause of a workflow, or that of all; how many there were.
fn end_pause(
    connection: Connection<'_>,
    workflow_id: Option<&str>,
    requester: &Requester,
    now: Timestamp,
) -> sql::Result<usize> {
    let Requester { by, address } = requester;
    connection
        .prepare_cached(
            "UPDATE workflow_pauses SET paused_until = ?2, resumed_by = ?3, resumed_address = ?4
             WHERE workflow_id IS ?1 AND (paused_until IS NULL OR paused_until > ?2)",
        )?
        .execute(params![workflow_id, now.to_string(), by, address])
}
