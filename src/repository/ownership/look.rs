//! What can be seen of a process that has an owner id: its lock file, its number.

use std::io::ErrorKind;
use std::path::Path;

use rustix::io::Errno;
use rustix::process::{Pid, test_kill_process};

use super::files;
use super::id::OwnerId;
use super::verdict::{Lock, Process};
use crate::system::process_table::{self, Host};

/// Looks at the lock file of `owner` beside `database`.
pub(crate) fn lock(database: &Path, owner: &OwnerId) -> Lock {
    match files::open(&files::folder_of(database).join(owner.to_string())) {
        // Shared, so that two who look at once do not take each other for the owner.
        Ok(file) if file.try_lock_shared().is_err() => Lock::Held,
        // A copy was never locked by anybody. Before version 4 of the schema files did not say
        // which they are.
        Ok(file) if owner.proof.is_some() && !files::is_original(&file) => Lock::Missing,
        Ok(_) => Lock::Free,
        Err(error) => match error.kind() {
            ErrorKind::NotFound | ErrorKind::NotADirectory => Lock::Missing,
            _ => Lock::Unreadable,
        },
    }
}

/// Looks at the process whose number an owner id has.
pub(crate) fn process(owner: &OwnerId, here: &Host) -> Process {
    let Some(pid) = Pid::from_raw(owner.pid) else { return Process::Gone };
    let started_ticks = match owner.proof {
        // A number of another namespace is not known as such there; the lock is asked first.
        None => 0,
        Some(proof) => {
            let same_host = proof.host.boot == here.boot
                && proof.host.pid_namespace == here.pid_namespace
                && !(proof.host.machine.is_some() && proof.host.machine != here.machine);
            if !same_host {
                return Process::Elsewhere;
            }
            proof.started_ticks
        }
    };
    match process_table::stat(owner.pid) {
        Ok(stat) if started_ticks == 0 => {
            // All that is known of one that an older wfx named is what its program is called.
            let is_another = owner.proof.is_none() && !stat.name.contains("wfx");
            if is_another || stat.has_ended() { Process::Gone } else { Process::Hidden }
        }
        Ok(stat) if stat.started_ticks == started_ticks && !stat.has_ended() => Process::Same,
        Ok(_) => Process::Gone,
        // With `hidepid`, /proc shows nothing of others, where a signal still tells.
        Err(_) if test_kill_process(pid) == Err(Errno::SRCH) => Process::Gone,
        Err(_) => Process::Hidden,
    }
}
