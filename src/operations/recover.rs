//! Continues executions whose process died: which ones may be taken over, decided from what is
//! known of their owners.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::engine::cancel::Cancel;
use crate::engine::recovery::{self, One};
use crate::engine::supervisor::Supervisor;
use crate::repository::ownership::{Doubt, Liveness, OwnerKind};
use crate::repository::{OwnerCount, StoreError, TakenOver, Which};
use crate::workflow::record::{ExecutionRecord, ExecutionStatus};
use crate::workflow::report::Observer;

/// Why one execution is not recovered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum NotRecovered {
    Ended(ExecutionStatus),
    /// Its process is alive.
    Alive,
    /// Whether its process is dead is not proven.
    InDoubt(Doubt),
}

/// Whether one execution may be taken over, by what `look` finds out of its owner; `Some` names the
/// owner of another kind, or in doubt, that it is taken from.
///
/// # Errors
/// [`NotRecovered`].
pub(crate) fn may_take(
    execution: &ExecutionRecord,
    look: impl FnOnce(&str) -> Liveness,
    assume_dead: bool,
) -> Result<Option<&str>, NotRecovered> {
    if execution.status.is_terminal() {
        return Err(NotRecovered::Ended(execution.status));
    }
    let Some(owner) = execution.owner.as_deref() else { return Ok(None) };
    match look(owner) {
        Liveness::Alive => Err(NotRecovered::Alive),
        Liveness::Unknown(doubt) if !assume_dead => Err(NotRecovered::InDoubt(doubt)),
        Liveness::Dead if OwnerKind::of(owner) != Some(OwnerKind::Serve) => Ok(None),
        Liveness::Unknown(_) | Liveness::Dead => Ok(Some(owner)),
    }
}

/// Unfinished executions, counted by what is known of their owners.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Survey {
    /// Of dead daemons: the next daemon continues them.
    pub of_daemons: u64,
    /// Of processes that are alive.
    pub alive: u64,
    /// Of processes of which it is not proven that they are dead, by the reason.
    pub in_doubt: BTreeMap<String, u64>,
    /// Those that a recovery takes.
    pub recoverable: u64,
}

impl Survey {
    /// Counts the executions of `owners`. With `assume_dead`, those in doubt are recoverable.
    #[must_use]
    pub(crate) fn of(owners: &[OwnerCount], assume_dead: bool) -> Self {
        let mut survey = Self::default();
        for owner in owners {
            let count = owner.executions;
            if owner.owner.is_none() {
                survey.recoverable += count;
                continue;
            }
            match owner.liveness {
                Liveness::Alive => survey.alive += count,
                Liveness::Unknown(doubt) => {
                    *survey.in_doubt.entry(doubt.to_string()).or_default() += count;
                    if assume_dead {
                        survey.recoverable += count;
                    }
                }
                Liveness::Dead => match owner.kind() {
                    Some(OwnerKind::Serve) => survey.of_daemons += count,
                    Some(OwnerKind::Exec) => survey.recoverable += count,
                    None => {}
                },
            }
        }
        survey
    }
}

/// Takes one execution over and runs it to its end.
///
/// # Errors
/// When the database fails before it is taken over.
pub(crate) async fn one(
    supervisor: &Supervisor,
    execution_id: &str,
    assume_dead: bool,
    observer: impl FnOnce(&TakenOver) -> Arc<dyn Observer>,
    cancel: &Cancel,
) -> Result<One, StoreError> {
    let which = Which { assume_dead, ..Which::one(execution_id) };
    recovery::recover_one(supervisor, which, observer, cancel).await
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_execution_is_counted_by_what_is_known_of_its_owner() {
        let doubt = Liveness::Unknown(Doubt::OtherMachine);
        let count = |owner: Option<&str>, liveness, executions| OwnerCount {
            owner: owner.map(str::to_owned),
            liveness,
            executions,
        };
        let owners = [
            count(None, Liveness::Dead, 1),
            count(Some("exec-1"), Liveness::Dead, 2),
            count(Some("serve-1"), Liveness::Dead, 4),
            count(Some("exec-2"), Liveness::Alive, 8),
            count(Some("exec-3"), doubt, 16),
            count(Some("serve-3"), doubt, 32),
        ];
        let careful = Survey::of(&owners, false);
        assert_eq!((careful.recoverable, careful.of_daemons, careful.alive), (3, 4, 8));
        assert_eq!(careful.in_doubt.values().copied().collect::<Vec<_>>(), [48]);
        assert_eq!(Survey::of(&owners, true).recoverable, 3 + 48);
    }
}
