//! Executions whose process died: who had them, and whose they become.

use crate::repository::sql;
use crate::repository::sql::{Connection, OptionalExtension, params};
use std::collections::{HashMap, HashSet};

use super::detail;
use super::rows::{self, Text};
use crate::base::timestamp::Timestamp;
use crate::repository::ownership::takeover::{
    Abandoned, CancelNotice, CancelRequest, Of, OwnerCount, SNAPSHOT_BYTES, TakenOver, Which,
};
use crate::repository::ownership::{Judge, Liveness};
use crate::workflow::record::{AttemptKey, ExecutionStatus};
use crate::workflow::trigger::Requester;

/// Those that are proven dead of the owners that a query finds; its parameter is the own one.
pub(super) fn dead_of(
    connection: Connection<'_>,
    judge: &mut dyn FnMut() -> sql::Result<Judge>,
    others: &str,
    own: &str,
) -> sql::Result<Vec<String>> {
    let mut owners: Vec<String> = connection
        .prepare_cached(others)?
        .query_map([own], |row| row.get(0))?
        .collect::<sql::Result<_>>()?;
    if !owners.is_empty() {
        let mut judge = judge()?;
        owners.retain(|owner| judge.liveness(owner).is_dead());
    }
    Ok(owners)
}

/// At most `limit` executions that [`take`] would take over, oldest first, with what they ran.
pub(crate) fn abandoned(
    connection: Connection<'_>,
    judge: &mut Judge,
    which: &Which,
    new_owner: &str,
    limit: usize,
) -> sql::Result<Vec<Abandoned>> {
    chosen(connection, judge, which, new_owner, limit)?
        .into_iter()
        .map(|Candidate { seq, execution_id, owner, .. }| {
            let running = running(connection, seq, &execution_id)?;
            Ok(Abandoned { execution_id, owner, running })
        })
        .collect()
}

/// Takes over at most `limit` executions for `new_owner`, inside the caller's transaction. Fewer,
/// where their snapshots are long.
pub(crate) fn take(
    connection: Connection<'_>,
    judge: &mut Judge,
    which: &Which,
    new_owner: &str,
    limit: usize,
) -> sql::Result<Vec<TakenOver>> {
    let (mut taken, mut bytes) = (Vec::new(), 0);
    for candidate in chosen(connection, judge, which, new_owner, limit)? {
        if bytes > SNAPSHOT_BYTES {
            break;
        }
        let one = take_one(connection, candidate, new_owner)?;
        bytes += one.execution.input_snapshot.as_str().len();
        taken.push(one);
    }
    Ok(taken)
}

/// Who owns what [`take`] would take over.
pub(crate) fn owners_of(
    connection: Connection<'_>,
    judge: &mut Judge,
    which: &Which,
    new_owner: &str,
    limit: usize,
) -> sql::Result<HashSet<String>> {
    let chosen = chosen(connection, judge, which, new_owner, limit)?;
    Ok(chosen.into_iter().filter_map(|candidate| candidate.owner).collect())
}

fn chosen(
    connection: Connection<'_>,
    judge: &mut Judge,
    which: &Which,
    new_owner: &str,
    limit: usize,
) -> sql::Result<Vec<Candidate>> {
    let candidates = candidates(connection, which, new_owner)?;
    let chosen = candidates.into_iter().filter(|candidate| {
        which.may_change_hands(&candidate.execution_id, candidate.owner.as_deref(), judge)
    });
    Ok(chosen.take(limit).collect())
}

/// The attempts of an execution that were running when its process died.
fn running(
    connection: Connection<'_>,
    seq: i64,
    execution_id: &str,
) -> sql::Result<Vec<AttemptKey>> {
    connection
        .prepare_cached(
            "SELECT step_name, attempt FROM workflow_execution_steps
             WHERE seq = ?1 AND status = 'running'
             UNION ALL
             SELECT handler_name, attempt FROM workflow_execution_handlers
             WHERE seq = ?1 AND status = 'running'",
        )?
        .query_map([seq], |row| {
            let (step, attempt) = (row.get(0)?, row.get(1)?);
            Ok(AttemptKey { execution_id: execution_id.to_owned(), step, attempt })
        })?
        .collect()
}

struct Candidate {
    seq: i64,
    execution_id: String,
    owner: Option<String>,
    cancel: Option<CancelNotice>,
}

/// Unfinished executions of others, oldest first.
fn candidates(
    connection: Connection<'_>,
    which: &Which,
    new_owner: &str,
) -> sql::Result<Vec<Candidate>> {
    let only = match &which.of {
        Of::Kind(_) => None,
        Of::One(execution_id) => Some(execution_id),
    };
    connection
        .prepare_cached(
            "SELECT seq, execution_id, owner, cancel_requested_at IS NOT NULL, replaced_by
             FROM workflow_executions
             WHERE status IN ('pending', 'running') AND status <> 'success'
               AND owner IS NOT ?1 AND (CAST(?2 AS TEXT) IS NULL OR execution_id = ?2)
             ORDER BY seq",
        )?
        .query_map(params![new_owner, only], |row| {
            let execution_id: String = row.get(1)?;
            let replaced_by = row.get(4)?;
            let cancel = row
                .get::<_, bool>(3)?
                .then(|| CancelNotice { execution_id: execution_id.clone(), replaced_by });
            Ok(Candidate { seq: row.get(0)?, execution_id, owner: row.get(2)?, cancel })
        })?
        .collect()
}

fn take_one(
    connection: Connection<'_>,
    candidate: Candidate,
    new_owner: &str,
) -> sql::Result<TakenOver> {
    connection
        .prepare_cached("UPDATE workflow_executions SET owner = ?2 WHERE seq = ?1")?
        .execute(params![candidate.seq, new_owner])?;
    let detail = detail::detail(connection, &candidate.execution_id)?.ok_or(sql::Error::NoRows)?;
    let ended_at: HashMap<u32, Timestamp> = connection
        .prepare_cached(
            "SELECT position, max(completed_at) FROM workflow_execution_attempts
             WHERE seq = ?1 GROUP BY position",
        )?
        .query_map([candidate.seq], |row| Ok((row.get(0)?, row.get::<_, Text<_>>(1)?.0)))?
        .collect::<Result<_, _>>()?;
    let Candidate { owner, cancel, .. } = candidate;
    Ok(TakenOver::new(detail, &ended_at, new_owner, owner, cancel.map(|it| it.reason())))
}

/// How many unfinished executions each process has or had.
pub(crate) fn owners(
    connection: Connection<'_>,
    judge: &mut Judge,
) -> sql::Result<Vec<OwnerCount>> {
    connection
        .prepare_cached(
            "SELECT owner, count(*) FROM workflow_executions
             WHERE status IN ('pending', 'running') AND status <> 'success' GROUP BY owner",
        )?
        .query_map([], |row| Ok((row.get::<_, Option<String>>(0)?, row.get(1)?)))?
        .map(|row| {
            let (owner, executions) = row?;
            let liveness = owner.as_deref().map_or(Liveness::Dead, |owner| judge.liveness(owner));
            Ok(OwnerCount { owner, liveness, executions: rows::count(executions) })
        })
        .collect()
}

/// Leaves a request to cancel an execution, inside the caller's transaction.
pub(crate) fn request_cancel(
    connection: Connection<'_>,
    execution_id: &str,
    requester: &Requester,
    now: Timestamp,
) -> sql::Result<CancelRequest> {
    let stored = connection
        .prepare_cached("SELECT status, owner FROM workflow_executions WHERE execution_id = ?1")?
        .query_row([execution_id], |row| {
            Ok((row.get::<_, Text<ExecutionStatus>>(0)?.0, row.get(1)?))
        })
        .optional()?;
    let Some((status, owner)) = stored else { return Ok(CancelRequest::Unknown) };
    if status.is_terminal() {
        return Ok(CancelRequest::Ended(status));
    }
    let Requester { by, address } = requester;
    connection
        .prepare_cached(
            "UPDATE workflow_executions SET cancel_requested_at = ?2, cancel_requested_by = ?3,
               cancel_requested_address = ?4
             WHERE execution_id = ?1 AND cancel_requested_at IS NULL",
        )?
        .execute(params![execution_id, now.to_string(), by, address])?;
    Ok(CancelRequest::Stored { owner })
}

/// The unfinished executions of `owner` that somebody asked to cancel.
pub(crate) fn cancel_requests(
    connection: Connection<'_>,
    owner: &str,
) -> sql::Result<HashSet<CancelNotice>> {
    connection
        .prepare_cached(
            "SELECT execution_id, replaced_by FROM workflow_executions
             WHERE status IN ('pending', 'running') AND status <> 'success'
               AND owner = ?1 AND cancel_requested_at IS NOT NULL",
        )?
        .query_map([owner], |row| {
            Ok(CancelNotice { execution_id: row.get(0)?, replaced_by: row.get(1)? })
        })?
        .collect()
}
