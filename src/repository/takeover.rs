//! Executions whose process died: who had them, and whose they become.
//!
//! One transaction decides: it finds that the owner's lock is free and writes the new
//! owner. Another process that looks at the same time waits for it, and then finds an
//! owner that is alive. What the old owner may still write is refused, since every
//! [change](super::change) names its owner.

use std::collections::HashMap;
use std::path::Path;

use rusqlite::{Connection, OptionalExtension, params};

use super::error::StoreError;
use super::liveness::{self, OwnerKind};
use super::reader;
use super::rows::{self, Text};
use crate::timestamp::Timestamp;
use crate::workflow::execution::{Recorded, RecordedStep};
use crate::workflow::record::{ExecutionRecord, ExecutionStatus, Head};

/// Which abandoned executions are taken over.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Which {
    /// Those of processes of this kind, and those that nobody ever owned.
    Kind(OwnerKind),
    /// This one, whoever had it.
    One(String),
}

/// An execution that has a new owner.
#[derive(Debug)]
pub struct TakenOver {
    /// What is known of it.
    pub execution: ExecutionRecord,
    /// Where it stands.
    pub recorded: Recorded,
    /// Somebody wanted it ended.
    pub cancel_requested: bool,
    /// Who had it.
    pub previous_owner: Option<String>,
}

/// A process that has unfinished executions, or had when it died.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OwnerCount {
    /// Its id; `None` for executions that nobody owns.
    pub owner: Option<String>,
    /// Whether it still runs.
    pub is_alive: bool,
    /// How many of its executions are unfinished.
    pub executions: u64,
}

impl OwnerCount {
    /// Whether these are taken over when those of `kind` are.
    #[must_use]
    pub fn is_abandoned_by(&self, kind: OwnerKind) -> bool {
        !self.is_alive && of_kind(self.owner.as_deref(), kind)
    }
}

/// What became of a request to cancel.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum CancelRequest {
    /// It is stored, for the owner to find.
    Stored {
        /// Who has the execution.
        owner: Option<String>,
    },
    /// The execution had ended before.
    Ended(ExecutionStatus),
    /// There is no such execution.
    Unknown,
}

fn of_kind(owner: Option<&str>, kind: OwnerKind) -> bool {
    owner.is_none_or(|owner| OwnerKind::of(owner) == Some(kind))
}

/// Takes over at most `limit` executions for `new_owner`, inside the caller's transaction;
/// those of `database` that are found there.
pub(super) fn take(
    connection: &Connection,
    database: &Path,
    which: &Which,
    new_owner: &str,
    limit: usize,
) -> Result<Vec<TakenOver>, StoreError> {
    let failed = |error: rusqlite::Error| StoreError::sqlite("take over from", database, &error);
    let mut alive: HashMap<String, bool> = HashMap::new();
    let mut abandoned = Vec::new();
    for candidate in candidates(connection, which, new_owner).map_err(failed)? {
        let owner = candidate.owner.as_deref();
        let has_owner = owner.is_some_and(|owner| {
            *alive.entry(owner.to_owned()).or_insert_with(|| liveness::is_alive(database, owner))
        });
        let wanted = match which {
            Which::Kind(kind) => of_kind(owner, *kind),
            Which::One(_) => true,
        };
        if wanted && !has_owner {
            abandoned.push(candidate);
        }
        if abandoned.len() == limit {
            break;
        }
    }
    abandoned
        .into_iter()
        .map(|candidate| take_one(connection, candidate, new_owner).map_err(failed))
        .collect()
}

struct Candidate {
    seq: i64,
    execution_id: String,
    owner: Option<String>,
    cancel_requested: bool,
}

/// Unfinished executions of others, oldest first.
fn candidates(
    connection: &Connection,
    which: &Which,
    new_owner: &str,
) -> rusqlite::Result<Vec<Candidate>> {
    let only = match which {
        Which::Kind(_) => None,
        Which::One(execution_id) => Some(execution_id),
    };
    connection
        .prepare_cached(
            "SELECT seq, execution_id, owner, cancel_requested_at IS NOT NULL
             FROM workflow_executions
             WHERE status IN ('pending', 'running') AND status <> 'success'
               AND owner IS NOT ?1 AND (?2 IS NULL OR execution_id = ?2)
             ORDER BY seq",
        )?
        .query_map(params![new_owner, only], |row| {
            Ok(Candidate {
                seq: row.get(0)?,
                execution_id: row.get(1)?,
                owner: row.get(2)?,
                cancel_requested: row.get(3)?,
            })
        })?
        .collect()
}

fn take_one(
    connection: &Connection,
    candidate: Candidate,
    new_owner: &str,
) -> rusqlite::Result<TakenOver> {
    connection
        .prepare_cached("UPDATE workflow_executions SET owner = ?2 WHERE seq = ?1")?
        .execute(params![candidate.seq, new_owner])?;
    let detail = reader::detail(connection, &candidate.execution_id)?
        .ok_or(rusqlite::Error::QueryReturnedNoRows)?;
    let ended_at: HashMap<u32, Timestamp> = connection
        .prepare_cached(
            "SELECT position, max(completed_at) FROM workflow_execution_attempts
             WHERE seq = ?1 GROUP BY position",
        )?
        .query_map([candidate.seq], |row| Ok((row.get(0)?, row.get::<_, Text<_>>(1)?.0)))?
        .collect::<Result<_, _>>()?;
    let execution = detail.execution;
    let head = Head {
        status: execution.status,
        started_at: execution.started_at,
        completed_at: None,
        updated_at: execution
            .updated_at
            .or(execution.created_at)
            .unwrap_or_else(|| Timestamp::from_micros(0)),
        steps_completed: execution.steps_completed,
        error: execution.error.clone(),
        owner: Some(new_owner.to_owned()),
    };
    let steps = detail.steps.into_iter().map(|step| RecordedStep {
        attempt_ended_at: ended_at.get(&step.position).copied(),
        state: step.into(),
    });
    Ok(TakenOver {
        recorded: Recorded { head, steps: steps.collect() },
        execution,
        cancel_requested: candidate.cancel_requested,
        previous_owner: candidate.owner,
    })
}

/// How many unfinished executions each process has or had.
pub(super) fn owners(
    connection: &Connection,
    database: &Path,
) -> rusqlite::Result<Vec<OwnerCount>> {
    connection
        .prepare_cached(
            "SELECT owner, count(*) FROM workflow_executions
             WHERE status IN ('pending', 'running') AND status <> 'success' GROUP BY owner",
        )?
        .query_map([], |row| Ok((row.get::<_, Option<String>>(0)?, row.get(1)?)))?
        .map(|row| {
            let (owner, executions) = row?;
            let is_alive =
                owner.as_deref().is_some_and(|owner| liveness::is_alive(database, owner));
            Ok(OwnerCount { owner, is_alive, executions: rows::count(executions) })
        })
        .collect()
}

/// Leaves a request to cancel an execution, inside the caller's transaction.
pub(super) fn request_cancel(
    connection: &Connection,
    execution_id: &str,
    now: Timestamp,
) -> rusqlite::Result<CancelRequest> {
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
    connection
        .prepare_cached(
            "UPDATE workflow_executions SET cancel_requested_at = coalesce(cancel_requested_at, ?2)
             WHERE execution_id = ?1",
        )?
        .execute(params![execution_id, now.to_string()])?;
    Ok(CancelRequest::Stored { owner })
}
