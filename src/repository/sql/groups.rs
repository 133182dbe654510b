//! Concurrency groups: who gets a slot, who waits, and who makes room.
//!
//! Everything that decides runs inside a transaction that may write, so that no other process
//! decides meanwhile. An execution holds a slot exactly while it is running: leaving is the change
//! of its status, and taking one is its creation or a [`grant`].

use crate::repository::sql;
use crate::repository::sql::{Connection, OptionalExtension, params};
use std::collections::{BTreeMap, HashMap};

use super::{rows, schedule_queries};
use crate::base::timestamp::Timestamp;
use crate::repository::error::{StoreError, StoreErrorKind};
use crate::repository::journal::backend::{Catalogued, Waiter};
use crate::repository::ownership::id::OwnerKind;
use crate::repository::ownership::{Judge, Liveness};
use crate::repository::read::queue::{Queue, QueuedExecution, QueuedGroup, WAITERS_SHOWN};
use crate::workflow::concurrency::{
    HOLDERS_SHOWN, LimitFrom, OnConflict, SlotRequest, WaitingFor, base_of,
};
use crate::workflow::record::{
    Change, Created, ExecutionRecord, ExecutionState, ExecutionStatus, StepState,
};

/// How many waiters are read at a time.
const PAGE: usize = 64;
/// How many of those that wait longest are looked at to find those that are gone.
const FIRST_IN_LINE: usize = 1024;
/// How many dead holders are named at a time.
const SETTLED_AT_A_TIME: usize = 256;

/// What becomes of an execution that asks for a slot.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Decision {
    /// It has one.
    Run,
    /// It waits for its turn; `replaces`: those before it are to be cancelled.
    Wait { replaces: bool },
    /// It is not stored.
    Refuse(StoreError),
}

/// The limits that were looked up in one transaction; `None`: there is no limit.
pub(crate) type Limits = HashMap<String, Option<u32>>;

/// How many hold a slot of a group, and how many wait.
pub(crate) fn counts(connection: Connection<'_>, group: &str) -> sql::Result<(u64, u64)> {
    let counts = connection
        .prepare_cached("SELECT running, waiting FROM workflow_groups WHERE name = ?1")?
        .query_row([group], |row| Ok((rows::count(row.get(0)?), rows::count(row.get(1)?))))
        .optional()?;
    Ok(counts.unwrap_or_default())
}

/// The stored limit of a group; the outer `None`: nothing is stored; the inner one: it has none.
fn stored_limit(
    connection: Connection<'_>,
    base: &str,
) -> sql::Result<Option<(Option<u32>, Option<String>)>> {
    connection
        .prepare_cached("SELECT slots, set_by FROM workflow_group_limits WHERE base = ?1")?
        .query_row([base], |row| Ok((row.get(0)?, row.get(1)?)))
        .optional()
}

fn set_limit(
    connection: Connection<'_>,
    base: &str,
    slots: Option<u32>,
    set_by: Option<&str>,
) -> sql::Result<()> {
    connection
        .prepare_cached(
            "INSERT INTO workflow_group_limits (base, slots, set_by) VALUES (?1, ?2, ?3)
             ON CONFLICT (base) DO UPDATE SET slots = ?2, set_by = ?3",
        )?
        .execute(params![base, slots, set_by])?;
    Ok(())
}

/// The limit that holds for a start of `workflow_id`; stores it where the start sets it. One look
/// for each group in a transaction.
fn limit_of(
    connection: Connection<'_>,
    limits: &mut Limits,
    request: &SlotRequest,
    workflow_id: &str,
) -> sql::Result<Option<u32>> {
    let base = base_of(&request.group);
    let own = Some(request.limit);
    if let Some(known) = limits.get(base)
        && (*known == own || request.limit_from == LimitFrom::Stored)
    {
        return Ok(*known);
    }
    let stored = stored_limit(connection, base)?;
    let (limit, set_by) = match (request.limit_from, &stored) {
        (LimitFrom::Catalogue, Some((limit, Some(set_by)))) if *limit == own => {
            (own, Some(set_by.as_str()))
        }
        (LimitFrom::Catalogue, _) => (own, Some(workflow_id)),
        (LimitFrom::Stored | LimitFrom::Definition, Some((Some(limit), Some(set_by)))) => {
            (Some(*limit), Some(set_by.as_str()))
        }
        (LimitFrom::Stored, Some((Some(limit), None))) => (Some(*limit), None),
        (LimitFrom::Stored | LimitFrom::Definition, _) => (own, None),
    };
    let is_as_stored = stored.as_ref().is_some_and(|(stored_limit, stored_by)| {
        *stored_limit == limit && stored_by.as_deref() == set_by
    });
    if !is_as_stored {
        set_limit(connection, base, limit, set_by)?;
    }
    limits.insert(base.to_owned(), limit);
    Ok(limit)
}

/// What becomes of a new execution that asks for a slot.
pub(crate) fn decide(
    connection: Connection<'_>,
    limits: &mut Limits,
    judge: &mut impl FnMut() -> sql::Result<Judge>,
    request: &SlotRequest,
    workflow_id: &str,
) -> sql::Result<Decision> {
    let limit = limit_of(connection, limits, request, workflow_id)?;
    let (running, waiting) = counts(connection, &request.group)?;
    let has_room = limit.is_none_or(|limit| running < u64::from(limit));
    if has_room && (waiting == 0 || !is_line_alive(connection, &mut judge()?, &request.group)?) {
        return Ok(Decision::Run);
    }
    let refuse = |kind, message: String, hint: &str| {
        Ok(Decision::Refuse(StoreError::new(kind, message).with_hint(hint)))
    };
    let group = &request.group;
    match request.on_conflict {
        OnConflict::Replace => Ok(Decision::Wait { replaces: true }),
        OnConflict::Reject => {
            let holders = holders(connection, group)?.holders_text();
            refuse(
                StoreErrorKind::GroupBusy,
                format!(
                    "no slot of the concurrency group `{group}` is free: {holders} run or wait"
                ),
                "start it again when they have ended; with `on_conflict: queue` it would wait for them",
            )
        }
        OnConflict::Queue => {
            let max_queued = u64::from(request.max_queued);
            let beyond = (waiting + 1).saturating_sub(max_queued);
            let has_place =
                beyond == 0 || gone_from_line(connection, &mut judge()?, group, beyond)? >= beyond;
            if has_place && max_queued > 0 {
                return Ok(Decision::Wait { replaces: false });
            }
            refuse(
                StoreErrorKind::GroupFull,
                format!(
                    "{waiting} executions wait for the concurrency group `{group}`, and `max_queued` \
                     is {max_queued}"
                ),
                "start it again when fewer wait, or raise `max_queued`",
            )
        }
    }
}

/// The creation of an execution that begins at once, as that of one that waits: nothing of it has
/// begun but what it takes over from an earlier one.
pub(crate) fn as_waiting(change: &Change, created: &Created) -> Change {
    let mut head = ExecutionState {
        status: ExecutionStatus::Pending,
        started_at: None,
        completed_at: None,
        updated_at: created.created_at,
        steps_completed: 0,
        steps_failed: 0,
        steps_skipped: 0,
        error: None,
        outcome: None,
        owner: change.head.owner.clone(),
    };
    let reused = change.steps.iter().filter(|(_, state)| state.reused.is_some());
    let steps: BTreeMap<u32, StepState> =
        reused.map(|(position, state)| (*position, state.clone())).collect();
    steps.values().for_each(|state| head.count(state.status));
    Change { head, created: None, steps, handlers: [].into(), attempts: Vec::new(), events: None }
}

/// A stored waiter.
struct InLine {
    seq: i64,
    execution_id: String,
    owner: Option<String>,
    is_cancelled: bool,
}

/// At most `limit` of those that wait for a group, first come first, after the one with this `seq`.
fn line(
    connection: Connection<'_>,
    group: &str,
    after: i64,
    limit: usize,
) -> sql::Result<Vec<InLine>> {
    connection
        .prepare_cached(
            "SELECT seq, execution_id, owner, cancel_requested_at IS NOT NULL
             FROM workflow_executions INDEXED BY workflow_executions_grouped
             WHERE concurrency_group = ?1 AND status = 'pending' AND completed_at IS NULL
               AND seq > ?2 ORDER BY seq LIMIT ?3",
        )?
        .query_map(params![group, after, rows::integer(limit as u64)], |row| {
            Ok(InLine {
                seq: row.get(0)?,
                execution_id: row.get(1)?,
                owner: row.get(2)?,
                is_cancelled: row.get(3)?,
            })
        })?
        .collect()
}

/// Whether anybody waits who is not proven dead, nor about to leave.
fn is_line_alive(connection: Connection<'_>, judge: &mut Judge, group: &str) -> sql::Result<bool> {
    let mut after = 0;
    loop {
        let page = line(connection, group, after, PAGE)?;
        let Some(last) = page.last() else { return Ok(false) };
        after = last.seq;
        if page.iter().any(|one| !one.is_cancelled && !is_dead(judge, one.owner.as_deref())) {
            return Ok(true);
        }
    }
}

/// How many of those that wait longest keep no place from others, since they are about to leave or
/// belong to a dead `exec`: no further than `enough`, among the first [`FIRST_IN_LINE`]. The
/// next daemon goes on with those of a dead one.
fn gone_from_line(
    connection: Connection<'_>,
    judge: &mut Judge,
    group: &str,
    enough: u64,
) -> sql::Result<u64> {
    let (mut gone, mut after, mut looked_at) = (0, 0, 0);
    while gone < enough && looked_at < FIRST_IN_LINE {
        let page = line(connection, group, after, PAGE)?;
        let Some(last) = page.last() else { break };
        after = last.seq;
        looked_at += page.len();
        for InLine { owner, is_cancelled, .. } in &page {
            let owner = owner.as_deref();
            let is_served = owner.and_then(OwnerKind::of) == Some(OwnerKind::Serve);
            gone += u64::from(*is_cancelled || (!is_served && is_dead(judge, owner)));
        }
    }
    Ok(gone)
}

fn is_dead(judge: &mut Judge, owner: Option<&str>) -> bool {
    owner.is_none_or(|owner| judge.liveness(owner).is_dead())
}

/// Those of `group` that get a slot next: waiters of this process (`owner`) of which `is_ours` says
/// that somebody listens, as long as nobody is before them who is alive.
pub(crate) fn next_in_line(
    connection: Connection<'_>,
    judge: &mut impl FnMut() -> sql::Result<Judge>,
    group: &str,
    owner: &str,
    is_ours: &dyn Fn(&str) -> bool,
) -> sql::Result<Vec<Waiter>> {
    let (running, waiting) = counts(connection, group)?;
    if waiting == 0 {
        return Ok(Vec::new());
    }
    let limit = stored_limit(connection, base_of(group))?.and_then(|(limit, _)| limit);
    let mut free = limit.map_or(u64::MAX, |limit| u64::from(limit).saturating_sub(running));
    let (mut next, mut after, mut known) = (Vec::new(), 0, None);
    while free > 0 {
        let wanted = usize::try_from(free).unwrap_or(PAGE).min(PAGE);
        let page = line(connection, group, after, wanted)?;
        let Some(last) = page.last() else { break };
        after = last.seq;
        for InLine { seq, execution_id, owner: theirs, is_cancelled } in page {
            // It leaves.
            if is_cancelled {
                continue;
            }
            if theirs.as_deref() == Some(owner) && is_ours(&execution_id) {
                if free == 0 || has_predecessors(connection, seq)? {
                    return Ok(next);
                }
                free -= 1;
                next.push(Waiter { seq, execution_id });
                continue;
            }
            let judge = match &mut known {
                Some(judge) => judge,
                None => known.insert(judge()?),
            };
            if !is_dead(judge, theirs.as_deref()) {
                return Ok(next);
            }
        }
    }
    Ok(next)
}

/// Whether one that it replaces is not gone yet.
fn has_predecessors(connection: Connection<'_>, seq: i64) -> sql::Result<bool> {
    connection
        .prepare_cached(
            "SELECT 1 FROM workflow_executions INDEXED BY workflow_executions_replaced
             WHERE replaced_by = ?1 AND completed_at IS NULL AND status = 'running' LIMIT 1",
        )?
        .exists([seq])
}

/// Gives a waiter its slot, inside the caller's transaction, which found it to be next.
pub(crate) fn grant(connection: Connection<'_>, waiter: &Waiter, now: &str) -> sql::Result<()> {
    connection
        .prepare_cached(
            "UPDATE workflow_executions SET status = 'running', updated_at = ?3
             WHERE seq = ?1 AND execution_id = ?2 AND status = 'pending'",
        )?
        .execute(params![waiter.seq, waiter.execution_id, now])?;
    Ok(())
}

/// Asks those that run or wait in `group` to make room for `seq`.
pub(crate) fn replace(
    connection: Connection<'_>,
    group: &str,
    seq: i64,
    by: Option<&str>,
    now: Timestamp,
) -> sql::Result<()> {
    connection
        .prepare_cached(
            "UPDATE workflow_executions SET replaced_by = ?2,
               cancel_requested_by = CASE WHEN cancel_requested_at IS NULL THEN ?3
                 ELSE cancel_requested_by END,
               cancel_requested_at = coalesce(cancel_requested_at, ?4)
             WHERE concurrency_group = ?1 AND completed_at IS NULL AND seq < ?2",
        )?
        .execute(params![group, seq, by, now.to_string()])?;
    Ok(())
}

/// Who holds the slots of a group.
pub(crate) fn holders(connection: Connection<'_>, group: &str) -> sql::Result<WaitingFor> {
    let held: Vec<(i64, String)> = connection
        .prepare_cached(
            "SELECT seq, execution_id FROM workflow_executions
             INDEXED BY workflow_executions_grouped
             WHERE concurrency_group = ?1 AND status = 'running' AND completed_at IS NULL
             ORDER BY seq LIMIT ?2",
        )?
        .query_map(params![group, rows::integer(HOLDERS_SHOWN as u64)], |row| {
            Ok((row.get(0)?, row.get(1)?))
        })?
        .collect::<Result<_, _>>()?;
    let (holder_seqs, holders) = held.into_iter().unzip();
    Ok(WaitingFor { group: group.to_owned(), holders, holder_seqs })
}

/// Executions that hold a slot though their process was an `exec` that is dead, in these groups; with
/// `None` in all, and also those that wait and are to be cancelled, of the first
/// [`FIRST_IN_LINE`] of each group, and those of workflows that have schedules.
pub(crate) fn dead_holders(
    connection: Connection<'_>,
    judge: &mut Judge,
    groups: Option<&[String]>,
) -> sql::Result<Vec<String>> {
    let names = match groups {
        Some(groups) => groups.to_vec(),
        None => connection
            .prepare_cached("SELECT name FROM workflow_groups ORDER BY name")?
            .query_map([], |row| row.get(0))?
            .collect::<Result<_, _>>()?,
    };
    let mut dead = Vec::new();
    let mut statement = connection.prepare_cached(
        "SELECT execution_id, owner FROM workflow_executions
         INDEXED BY workflow_executions_grouped
         WHERE concurrency_group = ?1 AND status = 'running' AND completed_at IS NULL
         ORDER BY seq",
    )?;
    let mut is_of_dead_exec = |owner: Option<&str>| {
        owner.is_some_and(|owner| {
            OwnerKind::of(owner) == Some(OwnerKind::Exec) && judge.liveness(owner) == Liveness::Dead
        })
    };
    for name in names {
        let mut held = statement.query([&name])?;
        while let Some(row) = held.next()? {
            if is_of_dead_exec(row.get::<_, Option<String>>(1)?.as_deref()) {
                dead.push(row.get(0)?);
            }
            if dead.len() >= SETTLED_AT_A_TIME {
                return Ok(dead);
            }
        }
        if groups.is_some() {
            continue;
        }
        for one in line(connection, &name, 0, FIRST_IN_LINE)? {
            if one.is_cancelled && is_of_dead_exec(one.owner.as_deref()) {
                dead.push(one.execution_id);
            }
        }
        if dead.len() >= SETTLED_AT_A_TIME {
            break;
        }
    }
    if groups.is_none() && dead.len() < SETTLED_AT_A_TIME {
        dead.extend(schedule_queries::in_the_way(connection, is_of_dead_exec)?);
    }
    Ok(dead)
}

/// Stores the limits of the groups of a catalogue, inside the caller's transaction. Groups that it
/// had and has no more have no limit from now on.
pub(crate) fn set_catalogue(
    connection: Connection<'_>,
    catalogued: &Catalogued,
) -> sql::Result<()> {
    let stored: Vec<(String, Option<u32>, Option<String>)> = connection
        .prepare_cached("SELECT base, slots, set_by FROM workflow_group_limits")?
        .query_map([], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))?
        .collect::<Result<_, _>>()?;
    let mut known = HashMap::new();
    for (base, slots, set_by) in stored {
        if let Some(set_by) = &set_by
            && slots.is_some()
            && !catalogued.limits.contains_key(&base)
            && (catalogued.workflows.contains(set_by) || catalogued.removed.contains(&base))
        {
            set_limit(connection, &base, None, None)?;
        }
        known.insert(base, (slots, set_by));
    }
    for (base, (limit, workflow_id)) in &catalogued.limits {
        let is_stored = known
            .get(base)
            .is_some_and(|(slots, set_by)| *slots == Some(*limit) && set_by.is_some());
        if !is_stored {
            set_limit(connection, base, Some(*limit), Some(workflow_id))?;
        }
    }
    Ok(())
}

/// Who waits for whom since when.
pub(crate) fn queue(connection: Connection<'_>, limit: usize) -> sql::Result<Queue> {
    let groups: Vec<(String, i64, i64)> = connection
        .prepare_cached(
            "SELECT name, running, waiting FROM workflow_groups ORDER BY name LIMIT ?1",
        )?
        .query_map([rows::integer(limit as u64)], |row| {
            Ok((row.get(0)?, row.get(1)?, row.get(2)?))
        })?
        .collect::<Result<_, _>>()?;
    let mut queue = Queue::default();
    for (name, running, waiting) in groups {
        let limit = stored_limit(connection, base_of(&name))?.and_then(|(limit, _)| limit);
        queue.groups.push(QueuedGroup {
            running: rows::count(running),
            waiting: rows::count(waiting),
            limit,
            executions: queued(connection, &name)?,
            group: name,
        });
    }
    Ok(queue)
}

/// How many wait for each group that somebody waits for: those with the most.
pub(crate) fn waiting(connection: Connection<'_>, limit: usize) -> sql::Result<Vec<(String, u64)>> {
    connection
        .prepare_cached(
            "SELECT name, waiting FROM workflow_groups WHERE waiting > 0
             ORDER BY waiting DESC, name LIMIT ?1",
        )?
        .query_map([rows::integer(limit as u64)], |row| {
            Ok((row.get(0)?, rows::count(row.get(1)?)))
        })?
        .collect()
}

/// What an execution waits for, if it waits.
pub(crate) fn add_waiting_for(
    connection: Connection<'_>,
    execution: &mut ExecutionRecord,
) -> sql::Result<()> {
    if execution.status == ExecutionStatus::Pending
        && let Some(group) = &execution.concurrency_group
    {
        execution.waiting_for = Some(holders(connection, group)?);
    }
    Ok(())
}

/// Those that run and wait in a group, as many of each as are shown.
fn queued(connection: Connection<'_>, group: &str) -> sql::Result<Vec<QueuedExecution>> {
    let mut executions = Vec::new();
    for (status, shown) in [("running", HOLDERS_SHOWN), ("pending", WAITERS_SHOWN)] {
        let found = connection
            .prepare_cached(
                "SELECT seq, execution_id, workflow_id, status, created_at, started_at, owner
                 FROM workflow_executions INDEXED BY workflow_executions_grouped
                 WHERE concurrency_group = ?1 AND status = ?2 AND completed_at IS NULL
                 ORDER BY seq LIMIT ?3",
            )?
            .query_map(params![group, status, rows::integer(shown as u64)], |row| {
                Ok(QueuedExecution {
                    seq: row.get(0)?,
                    execution_id: row.get(1)?,
                    workflow_id: row.get(2)?,
                    status: row.get::<_, rows::Text<_>>(3)?.0,
                    created_at: row.get::<_, rows::Text<_>>(4)?.0,
                    started_at: rows::optional(row, 5)?,
                    owner: row.get(6)?,
                    owner_state: None,
                })
            })?
            .collect::<Result<Vec<_>, _>>()?;
        executions.extend(found);
    }
    Ok(executions)
}
