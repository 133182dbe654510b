//! Executions whose process died: which of them may change hands, and what is known of them.
//!
//! First it is read who has died and what they ran, so that what is left of it can be ended. Then
//! one transaction decides: it finds that the owner is proven dead and writes the new owner. Another
//! process that looks at the same time waits for it, and then finds an owner that is alive. What the
//! old owner may still write is refused, since every change names its owner.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

use super::attempts::ListedAttempt;
use super::id::OwnerKind;
use super::judge::Judge;
use super::verdict::{Doubt, Liveness};
use crate::base::timestamp::Timestamp;
use crate::workflow::execution::{Recorded, RecordedHandler, RecordedStep};
use crate::workflow::record::{
    AttemptKey, ExecutionDetail, ExecutionRecord, ExecutionState, ExecutionStatus, HandlerRecord,
    HandlerState,
};

/// A take-over ends with the execution that makes the snapshots longer than this.
pub(crate) const SNAPSHOT_BYTES: usize = 16 * 1024 * 1024;

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

    /// Whether an execution of `owner` may change hands. Nothing else decides that; a backend asks
    /// it in the transaction that writes the new owner.
    pub(crate) fn may_change_hands(
        &self,
        execution_id: &str,
        owner: Option<&str>,
        judge: &mut Judge,
    ) -> bool {
        let is_meant = !self.except.contains(execution_id)
            && self.only.as_ref().is_none_or(|only| {
                only.get(execution_id).is_some_and(|seen| seen.as_deref() == owner)
            });
        is_meant && self.includes(owner, judge)
    }

    /// Whether those of an owner are meant. What is in doubt belongs to no kind: whoever says that
    /// it is dead wants all of it.
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

impl Abandonment {
    /// What is left of `executions`, which were chosen by `which` and `judge`.
    pub(crate) fn new(executions: Vec<Abandoned>, which: &Which, judge: &Judge) -> Self {
        let mut owners: BTreeSet<String> =
            executions.iter().filter_map(|execution| execution.owner.clone()).collect();
        if let Of::Kind(kind) = which.of {
            let dead = judge.dead_owners().into_iter();
            owners.extend(dead.filter(|owner| OwnerKind::of(owner) == Some(kind)));
        }
        let is_meant = |listed: &ListedAttempt| match &which.of {
            Of::Kind(_) => !which.except.contains(&listed.key.execution_id),
            Of::One(execution_id) => listed.key.execution_id == *execution_id,
        };
        let listed = owners
            .into_iter()
            .map(|owner| {
                let mut listed = judge.listed(&owner);
                listed.retain(is_meant);
                (owner, listed)
            })
            .collect();
        Self { executions, listed, in_doubt: judge.doubts() }
    }
}

/// An execution that has a new owner.
#[derive(Debug)]
pub struct TakenOver {
    /// What is known of it.
    pub execution: ExecutionRecord,
    /// Where it stands.
    pub recorded: Recorded,
    /// Somebody wanted it ended.
    pub cancelled: Option<String>,
    /// Who had it.
    pub previous_owner: Option<String>,
}

impl TakenOver {
    /// An execution as it is stored, of `new_owner` now; `ended_at` is when the last attempt of a
    /// step ended, by its position.
    pub(crate) fn new(
        detail: ExecutionDetail,
        ended_at: &HashMap<u32, Timestamp>,
        new_owner: &str,
        previous_owner: Option<String>,
        cancelled: Option<String>,
    ) -> Self {
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
            steps_failed: execution.steps_failed,
            steps_skipped: execution.steps_skipped,
            error: execution.error.clone(),
            outcome: execution.outcome,
            owner: Some(new_owner.to_owned()),
        };
        let steps = detail.steps.into_iter().map(|step| RecordedStep {
            attempt_ended_at: ended_at.get(&step.position).copied(),
            state: step.into(),
        });
        let handlers =
            detail.handlers.into_iter().map(|HandlerRecord { handler, step }| RecordedHandler {
                position: step.position,
                attempt_ended_at: ended_at.get(&step.position).copied(),
                handler: HandlerState { on: handler, name: step.name.clone(), state: step.into() },
            });
        let handlers = handlers.collect();
        let recorded = Recorded { head, steps: steps.collect(), handlers };
        Self { execution, recorded, cancelled, previous_owner }
    }
}

/// A process that has unfinished executions, or had when it died.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct OwnerCount {
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
    pub(crate) fn kind(&self) -> Option<OwnerKind> {
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

/// An execution that is to be cancelled.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct CancelNotice {
    /// Which one.
    pub execution_id: String,
    /// The number of the execution that takes its place, if that is why.
    pub replaced_by: Option<i64>,
}

impl CancelNotice {
    /// Why, for the record.
    #[must_use]
    pub fn reason(&self) -> String {
        match self.replaced_by {
            Some(seq) => format!("replaced by @{seq}"),
            None => "cancelled on request".to_owned(),
        }
    }
}
