//! Executions whose process died: who had them, and whose they become.
//!
//! First it is read [who has died](abandoned) and what they ran, so that what is left of it can be
//! ended. Then one transaction decides: it finds that the owner is proven dead and writes the new
//! owner. Another process that looks at the same time waits for it, and then finds an
//! owner that is alive. What the old owner may still write is refused, since every
//! [change](super::change) names its owner.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::path::Path;

use rusqlite::{Connection, OptionalExtension, params};

use super::rows::{self, Text};
use super::{identity, reader};
use crate::base::timestamp::Timestamp;
use crate::repository::error::StoreError;
use crate::repository::ownership::{self, Doubt, Judge, ListedAttempt, Liveness, OwnerKind, lock};
use crate::workflow::execution::{Recorded, RecordedStep};
use crate::workflow::record::{AttemptKey, ExecutionRecord, ExecutionState, ExecutionStatus};

/// A take-over ends with the execution that makes the snapshots longer than this.
const SNAPSHOT_BYTES: usize = 16 * 1024 * 1024;

/// Which abandoned executions are taken over.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Which {
    /// Of which processes, or which execution.
    pub of: Of,
    /// Also those of processes whose death is not proven, unless they are seen to be alive.
    pub assume_dead: bool,
    /// But not these, by id.
    pub except: HashSet<String>,
    /// If given, only these, each while it still has this owner: those whose processes were looked
    /// for. Who dies meanwhile has not been.
    pub only: Option<HashMap<String, Option<String>>>,
}

/// Whose executions are taken over.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Of {
    /// Those of processes of this kind, and those that nobody ever owned.
    Kind(OwnerKind),
    /// This one, whoever had it.
    One(String),
}

impl Which {
    /// Those of processes of this kind that are proven dead, and those that nobody ever owned.
    #[must_use]
    pub fn kind(kind: OwnerKind) -> Self {
        Self { of: Of::Kind(kind), assume_dead: false, except: HashSet::new(), only: None }
    }

    /// This one, if its process is proven dead.
    #[must_use]
    pub fn one(execution_id: &str) -> Self {
        let of = Of::One(execution_id.to_owned());
        Self { of, assume_dead: false, except: HashSet::new(), only: None }
    }

    /// Whether those of an owner are meant. What is in doubt belongs to no kind: who says that it
    /// is dead wants all of it.
    fn includes(&self, owner: Option<&str>, judge: &mut Judge) -> bool {
        let Some(owner) = owner else { return true };
        let of_kind = match self.of {
            Of::Kind(kind) => OwnerKind::of(owner) == Some(kind),
            Of::One(_) => true,
        };
        match judge.liveness(owner) {
            Liveness::Alive => false,
            Liveness::Dead => of_kind,
            Liveness::Unknown(_) => self.assume_dead,
        }
    }
}

/// An execution whose process has died, as it was left.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Abandoned {
    /// Its id.
    pub execution_id: String,
    /// Who had it; `None` where nobody ever did.
    pub owner: Option<String>,
    /// The attempts that were running.
    pub running: Vec<AttemptKey>,
}

/// Executions whose processes have died, and what is left of those.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Abandonment {
    /// Oldest first.
    pub executions: Vec<Abandoned>,
    /// What the lock files of dead processes list: of those that had these executions, and of all
    /// where those of a kind are asked for. An execution that could not be stored is in no
    /// database; its processes are listed all the same.
    pub listed: Vec<(String, Vec<ListedAttempt>)>,
    /// Owners of executions of which it is not proven whether they are alive, and why not.
    pub in_doubt: BTreeMap<String, Doubt>,
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
    /// Whether it still runs; nobody never does.
    pub liveness: Liveness,
    /// How many of its executions are unfinished.
    pub executions: u64,
}

impl OwnerCount {
    /// What kind of process it is; `None` for nobody.
    #[must_use]
    pub fn kind(&self) -> Option<OwnerKind> {
        self.owner.as_deref().and_then(OwnerKind::of)
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

/// At most `limit` executions that [`take`] would take over, oldest first, with what they ran.
pub(crate) fn abandoned(
    connection: &Connection,
    database: &Path,
    which: &Which,
    new_owner: &str,
    limit: usize,
) -> Result<Abandonment, StoreError> {
    let failed = |error: rusqlite::Error| StoreError::sqlite("read", database, &error);
    let read = || -> rusqlite::Result<(Vec<Abandoned>, Judge)> {
        let mut judge = Judge::new(database, identity::read(connection, database)?);
        let executions = chosen(connection, &mut judge, which, new_owner, limit)?
            .into_iter()
            .map(|Candidate { seq, execution_id, owner, .. }| {
                let running = running(connection, seq, &execution_id)?;
                Ok(Abandoned { execution_id, owner, running })
            })
            .collect::<rusqlite::Result<_>>()?;
        Ok((executions, judge))
    };
    let (executions, judge) = read().map_err(failed)?;
    let mut owners: BTreeSet<String> =
        executions.iter().filter_map(|execution| execution.owner.clone()).collect();
    if let Of::Kind(kind) = which.of {
        let dead = lock::dead_owners(database, &judge);
        owners.extend(dead.into_iter().filter(|owner| OwnerKind::of(owner) == Some(kind)));
    }
    let is_meant = |listed: &ListedAttempt| match &which.of {
        Of::Kind(_) => !which.except.contains(&listed.key.execution_id),
        Of::One(execution_id) => listed.key.execution_id == *execution_id,
    };
    let listed = owners
        .into_iter()
        .map(|owner| {
            // One that cannot be read lists nothing: the search by environment is what is left.
            let mut listed = ownership::attempts::listed(database, &owner).unwrap_or_default();
            listed.retain(is_meant);
            (owner, listed)
        })
        .collect();
    Ok(Abandonment { executions, listed, in_doubt: judge.doubts() })
}

/// Takes over at most `limit` executions for `new_owner`, inside the caller's transaction;
/// those of `database` that are found there. Fewer, where their snapshots are long.
pub(crate) fn take(
    connection: &Connection,
    database: &Path,
    which: &Which,
    new_owner: &str,
    limit: usize,
) -> Result<Vec<TakenOver>, StoreError> {
    let failed = |error: rusqlite::Error| StoreError::sqlite("take over from", database, &error);
    let mut judge = Judge::new(database, identity::read(connection, database).map_err(failed)?);
    let (mut taken, mut bytes) = (Vec::new(), 0);
    for candidate in chosen(connection, &mut judge, which, new_owner, limit).map_err(failed)? {
        if bytes > SNAPSHOT_BYTES {
            break;
        }
        let one = take_one(connection, candidate, new_owner).map_err(failed)?;
        bytes += one.execution.input_snapshot.as_str().len();
        taken.push(one);
    }
    Ok(taken)
}

fn chosen(
    connection: &Connection,
    judge: &mut Judge,
    which: &Which,
    new_owner: &str,
    limit: usize,
) -> rusqlite::Result<Vec<Candidate>> {
    let candidates = candidates(connection, which, new_owner)?;
    let chosen = candidates.into_iter().filter(|candidate| {
        !which.except.contains(&candidate.execution_id)
            && which.only.as_ref().is_none_or(|only| {
                only.get(&candidate.execution_id).is_some_and(|owner| *owner == candidate.owner)
            })
            && which.includes(candidate.owner.as_deref(), judge)
    });
    Ok(chosen.take(limit).collect())
}

/// The attempts of an execution that were running when its process died.
fn running(
    connection: &Connection,
    seq: i64,
    execution_id: &str,
) -> rusqlite::Result<Vec<AttemptKey>> {
    connection
        .prepare_cached(
            "SELECT step_name, attempt FROM workflow_execution_steps
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
    cancel_requested: bool,
}

/// Unfinished executions of others, oldest first.
fn candidates(
    connection: &Connection,
    which: &Which,
    new_owner: &str,
) -> rusqlite::Result<Vec<Candidate>> {
    let only = match &which.of {
        Of::Kind(_) => None,
        Of::One(execution_id) => Some(execution_id),
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
    let head = ExecutionState {
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

/// Removes lock files of dead processes that no execution names.
pub(crate) fn sweep(connection: &Connection, database: &Path) -> rusqlite::Result<()> {
    let mut judge = Judge::new(database, identity::read(connection, database)?);
    let owners = owners(connection, &mut judge)?;
    let named = owners.into_iter().filter_map(|owner| owner.owner).collect();
    lock::sweep(database, &judge, &named);
    Ok(())
}

/// How many unfinished executions each process has or had.
pub(crate) fn owners(
    connection: &Connection,
    judge: &mut Judge,
) -> rusqlite::Result<Vec<OwnerCount>> {
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
