//! Which processes are alive, of those that have executions of one database.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::fs;
use std::num::NonZeroU32;
use std::path::{Path, PathBuf};
use std::thread;
use std::time::Duration;

use super::attempts::{self, ListedAttempt};
use super::id::{OwnerId, Proof};
use super::verdict::{self, Doubt, Facts, Liveness};
use super::{files, look};
use crate::base::clock;
use crate::system::process_table;

/// How long the lock of a process that is gone may be held by a child that is being started.
const DYING_MAX: Duration = Duration::from_millis(500);
const DYING_LOOK: Duration = Duration::from_millis(5);

/// Judges owners of the executions of one database. Asks once for each: make a new one for each
/// decision.
#[derive(Debug)]
pub(crate) struct Judge {
    database: PathBuf,
    identity: Option<NonZeroU32>,
    known: HashMap<String, Liveness>,
}

impl Judge {
    /// For the database at `database`, which has this identity; `None` for a copy that nobody has
    /// opened for writing yet.
    pub(crate) fn new(database: &Path, identity: Option<NonZeroU32>) -> Self {
        Self { database: database.to_owned(), identity, known: HashMap::new() }
    }

    /// Whether the process that goes by `owner` is alive.
    pub(crate) fn liveness(&mut self, owner: &str) -> Liveness {
        if let Some(known) = self.known.get(owner) {
            return *known;
        }
        let liveness = self.look(owner);
        self.known.insert(owner.to_owned(), liveness);
        liveness
    }

    /// Those that were asked for and are in doubt, and why.
    #[must_use]
    pub(crate) fn doubts(&self) -> BTreeMap<String, Doubt> {
        let doubt = |(owner, liveness): (&String, &Liveness)| match liveness {
            Liveness::Unknown(doubt) => Some((owner.clone(), *doubt)),
            Liveness::Alive | Liveness::Dead => None,
        };
        self.known.iter().filter_map(doubt).collect()
    }

    /// The same as [`Self::liveness`], looking again.
    #[must_use]
    pub(crate) fn look(&self, owner: &str) -> Liveness {
        // Anything that is no owner id was not written by wfx: nobody has it.
        let Some(id) = OwnerId::parse(owner) else { return Liveness::Dead };
        let here = process_table::host();
        let since = clock::monotonic();
        loop {
            let facts = Facts {
                owner: &id,
                here,
                database: self.identity,
                lock: look::lock(&self.database, &id),
                process: look::process(&id, &here),
            };
            match verdict::judge(&facts) {
                Liveness::Unknown(Doubt::LockHeld) if since.elapsed() < DYING_MAX => {
                    thread::sleep(DYING_LOOK);
                }
                verdict => return verdict,
            }
        }
    }

    /// Ids that have lock files, of processes that are proven dead.
    pub(crate) fn dead_owners(&self) -> Vec<String> {
        let mut dead = files::owners(&self.database);
        dead.retain(|owner| self.look(owner).is_dead());
        dead
    }

    /// The attempts that a process lists. A list that cannot be read has none: the search by
    /// environment is what is left.
    pub(crate) fn listed(&self, owner: &str) -> Vec<ListedAttempt> {
        attempts::listed(&self.database, owner).unwrap_or_default()
    }

    /// Removes the lock files of processes that died, unless executions are still `named` as theirs
    /// or attempts are listed, whose processes may have to be ended.
    pub(crate) fn sweep(&self, named: &HashSet<String>) {
        for owner in self.dead_owners() {
            let is_needed = named.contains(&owner)
                || attempts::listed(&self.database, &owner).is_ok_and(|listed| !listed.is_empty());
            let path = files::folder_of(&self.database).join(&owner);
            // Held while it goes: who has just made it and waits for the lock makes it anew.
            if !is_needed
                && let Ok(file) = files::open(&path)
                && file.try_lock().is_ok()
            {
                let _ = fs::remove_file(&path);
            }
        }
    }

    /// A process other than this one that runs executions of the database now.
    pub(crate) fn other_owner(&self) -> Option<String> {
        let mut owners = files::owners(&self.database).into_iter();
        owners.find(|owner| !is_this_process(owner) && self.look(owner) == Liveness::Alive)
    }
}

/// Whether an owner id is of this process, whose number others have in other namespaces.
fn is_this_process(owner: &str) -> bool {
    let own = std::process::id().cast_signed();
    let started = process_table::own().started_ticks;
    OwnerId::parse(owner).is_some_and(|id| {
        let same =
            |proof: Proof| proof.started_ticks == started && proof.host == process_table::host();
        id.pid == own && id.proof.is_none_or(same)
    })
}
