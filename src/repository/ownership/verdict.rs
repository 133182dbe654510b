//! Whether the process behind an owner id is alive: facts to verdict.                 (pure)
//!
//! Dead needs a proof: the machine was restarted since, the process number means nothing or
//! another process now, or, where process numbers cannot be compared, a lock file that is there
//! and that nobody holds. Everything else is doubt, and what is in doubt is left alone.

use std::fmt;
use std::num::NonZeroU32;

use super::id::OwnerId;
#[cfg(test)]
use super::id::{OwnerKind, Proof};
use crate::system::process_table::Host;

/// Whether a process is alive.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Liveness {
    Alive,
    /// It is proven that it is not.
    Dead,
    /// Neither is proven.
    Unknown(Doubt),
}

impl Liveness {
    /// Whether its death is proven.
    #[must_use]
    pub(crate) fn is_dead(self) -> bool {
        self == Self::Dead
    }
}

/// Why it cannot be proven whether a process is alive.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Doubt {
    /// The database was copied from the one that the process worked on.
    OtherDatabase,
    /// It ran on another machine.
    OtherMachine,
    /// It ran where process numbers mean something else, and its lock file is missing.
    OtherNamespace,
    /// Its number means nothing any more, and its lock is held all the same.
    LockHeld,
    /// Its lock file may not be read, or is missing, and the system hides the process.
    Hidden,
}

impl fmt::Display for Doubt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::OtherDatabase => {
                "it belongs to the database that this one was copied from, which may go on with it"
            }
            Self::OtherMachine => "its process ran on another machine, which may still run it",
            Self::OtherNamespace => {
                "its process ran in another container, and its lock file is missing"
            }
            Self::LockHeld => "its process is gone, and somebody holds its lock file all the same",
            Self::Hidden => {
                "its process cannot be looked at, and its lock file is missing or unreadable"
            }
        })
    }
}

/// What is seen of a lock file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Lock {
    /// Somebody holds it.
    Held,
    /// It is there, and nobody holds it.
    Free,
    /// It is not there, or only a copy of it.
    Missing,
    /// It may not be looked at.
    Unreadable,
}

/// What is seen of a process number.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Process {
    /// It is that process.
    Same,
    /// There is no process of that number, or it is another one, or it has ended.
    Gone,
    /// There is one, and it is not known which.
    Hidden,
    /// The number means nothing here.
    Elsewhere,
}

/// What a verdict is made of.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Facts<'a> {
    pub(crate) owner: &'a OwnerId,
    pub(crate) here: Host,
    /// The identity of the database that the execution was found in.
    pub(crate) database: Option<NonZeroU32>,
    pub(crate) lock: Lock,
    pub(crate) process: Process,
}

pub(crate) fn judge(facts: &Facts<'_>) -> Liveness {
    use Liveness::{Alive, Dead, Unknown};
    let Some(proof) = facts.owner.proof else {
        // An older wfx wrote it: all there is are the lock and a number.
        return match (facts.lock, facts.process) {
            (Lock::Held, _) => Alive,
            (_, Process::Gone) | (Lock::Free, _) => Dead,
            (Lock::Missing | Lock::Unreadable, _) => Unknown(Doubt::Hidden),
        };
    };
    match (facts.process, facts.lock) {
        (Process::Same, _) => return Alive,
        // One that was killed while it started a program leaves its lock to the child for some
        // milliseconds. If it lasts, something is not as it looks.
        (Process::Gone, Lock::Held) => return Unknown(Doubt::LockHeld),
        (_, Lock::Held) => return Alive,
        _ => {}
    }
    if proof.database.is_some() && proof.database != facts.database {
        return Unknown(Doubt::OtherDatabase);
    }
    let differs = |there: Option<NonZeroU32>, here: Option<NonZeroU32>| {
        there.is_some() && here.is_some() && there != here
    };
    match (facts.process, facts.lock) {
        (Process::Gone, _) => Dead,
        _ if differs(proof.host.machine, facts.here.machine) => Unknown(Doubt::OtherMachine),
        _ if differs(proof.host.boot, facts.here.boot) => Dead,
        (_, Lock::Free) => Dead,
        (Process::Elsewhere, _) => Unknown(Doubt::OtherNamespace),
        _ => Unknown(Doubt::Hidden),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn nonzero(value: u32) -> Option<NonZeroU32> {
        NonZeroU32::new(value)
    }

    const LOCKS: [Lock; 4] = [Lock::Held, Lock::Free, Lock::Missing, Lock::Unreadable];
    const PROCESSES: [Process; 4] =
        [Process::Same, Process::Gone, Process::Hidden, Process::Elsewhere];

    fn here() -> Host {
        Host { machine: nonzero(1), boot: nonzero(2), pid_namespace: nonzero(3) }
    }

    fn verdict(change: impl FnOnce(&mut Proof), lock: Lock, process: Process) -> Liveness {
        let mut proof = Proof { started_ticks: 9, host: here(), database: nonzero(4) };
        change(&mut proof);
        let owner = OwnerId { kind: OwnerKind::Exec, pid: 5, nonce: 6, proof: Some(proof) };
        judge(&Facts { owner: &owner, here: here(), database: nonzero(4), lock, process })
    }

    #[test]
    fn a_process_that_is_seen_is_alive_whatever_became_of_files() {
        for lock in LOCKS {
            assert_eq!(verdict(|_| {}, lock, Process::Same), Liveness::Alive, "{lock:?}");
            let copied = verdict(|proof| proof.database = nonzero(7), lock, Process::Same);
            assert_eq!(copied, Liveness::Alive, "{lock:?}");
            let gone = match lock {
                Lock::Held => Liveness::Unknown(Doubt::LockHeld),
                _ => Liveness::Dead,
            };
            assert_eq!(verdict(|_| {}, lock, Process::Gone), gone, "{lock:?}");
        }
    }

    #[test]
    fn a_missing_lock_proves_nothing() {
        for process in [Process::Hidden, Process::Elsewhere] {
            for lock in [Lock::Missing, Lock::Unreadable] {
                let verdict = verdict(|_| {}, lock, process);
                assert!(matches!(verdict, Liveness::Unknown(_)), "{process:?} {lock:?}");
            }
            assert_eq!(verdict(|_| {}, Lock::Held, process), Liveness::Alive);
            assert_eq!(verdict(|_| {}, Lock::Free, process), Liveness::Dead);
        }
    }

    #[test]
    fn what_a_copy_names_is_dead_only_for_the_original() {
        for process in [Process::Gone, Process::Hidden, Process::Elsewhere] {
            for lock in [Lock::Free, Lock::Missing, Lock::Unreadable] {
                let verdict = verdict(|proof| proof.database = nonzero(7), lock, process);
                assert_eq!(verdict, Liveness::Unknown(Doubt::OtherDatabase));
            }
        }
    }

    #[test]
    fn a_restart_of_the_machine_is_a_proof_and_another_machine_none() {
        let restarted = |proof: &mut Proof| proof.host.boot = nonzero(8);
        let moved = |proof: &mut Proof| {
            (proof.host.boot, proof.host.machine) = (nonzero(8), nonzero(9));
        };
        let nameless = |proof: &mut Proof| {
            (proof.host.boot, proof.host.machine) = (nonzero(8), None);
        };
        for lock in [Lock::Free, Lock::Missing, Lock::Unreadable] {
            assert_eq!(verdict(restarted, lock, Process::Elsewhere), Liveness::Dead);
            assert_eq!(verdict(nameless, lock, Process::Elsewhere), Liveness::Dead);
            let elsewhere = Liveness::Unknown(Doubt::OtherMachine);
            assert_eq!(verdict(moved, lock, Process::Elsewhere), elsewhere);
        }
        // Some containers are given a boot of their own.
        assert_eq!(verdict(restarted, Lock::Held, Process::Elsewhere), Liveness::Alive);
    }

    #[test]
    fn of_an_older_wfx_the_lock_tells() {
        let owner = OwnerId { kind: OwnerKind::Exec, pid: 5, nonce: 6, proof: None };
        for process in PROCESSES {
            let verdict = |lock| {
                judge(&Facts { owner: &owner, here: here(), database: nonzero(4), lock, process })
            };
            assert_eq!(verdict(Lock::Held), Liveness::Alive);
            assert_eq!(verdict(Lock::Free), Liveness::Dead);
            let unless_gone = if process == Process::Gone {
                Liveness::Dead
            } else {
                Liveness::Unknown(Doubt::Hidden)
            };
            assert_eq!(verdict(Lock::Missing), unless_gone);
            assert_eq!(verdict(Lock::Unreadable), unless_gone);
        }
    }
}
