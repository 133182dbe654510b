//! Which process runs an execution, and whether it is alive.
//!
//! Each process that runs executions has an owner [`id`], which it writes into the executions
//! it runs, and a lock file ([`lock`]) of that name in the folder `<database>-owners`. The id says
//! which process it is: number, start time, boot, machine, database. The [`verdict`] that
//! a process is dead needs a proof from these: a lock file that is missing proves nothing, since
//! cleaners, restores and copies remove files and bring them back. The lock file also lists the
//! [`attempts`] that run, for whoever has to end what a dead process left.

pub mod attempts;
pub mod id;
pub mod lock;
mod look;
pub mod verdict;

use std::collections::{BTreeMap, HashMap};
use std::num::NonZeroU32;
use std::path::{Path, PathBuf};
use std::thread;
use std::time::Duration;

pub use self::attempts::{AttemptMark, ListedAttempt};
pub use self::id::{OwnerId, OwnerKind};
pub use self::lock::Owner;
use self::verdict::Facts;
pub use self::verdict::{Doubt, Liveness};
use crate::base::clock;
use crate::system::process_table;

/// How long the lock of a process that is gone may be held by a child that is being started.
const DYING_MAX: Duration = Duration::from_millis(500);
const DYING_LOOK: Duration = Duration::from_millis(5);

/// Judges owners of the executions of one database. Asks once for each: make a new one for each
/// decision.
#[derive(Debug)]
pub struct Judge {
    database: PathBuf,
    identity: Option<NonZeroU32>,
    known: HashMap<String, Liveness>,
}

impl Judge {
    /// For the database at `database`, which has this identity; `None` for a copy that nobody has
    /// opened for writing yet.
    #[must_use]
    pub fn new(database: &Path, identity: Option<NonZeroU32>) -> Self {
        Self { database: database.to_owned(), identity, known: HashMap::new() }
    }

    /// Whether the process that goes by `owner` is alive.
    pub fn liveness(&mut self, owner: &str) -> Liveness {
        if let Some(known) = self.known.get(owner) {
            return *known;
        }
        let liveness = self.look(owner);
        self.known.insert(owner.to_owned(), liveness);
        liveness
    }

    /// Those that were asked for and are in doubt, and why.
    #[must_use]
    pub fn doubts(&self) -> BTreeMap<String, Doubt> {
        let doubt = |(owner, liveness): (&String, &Liveness)| match liveness {
            Liveness::Unknown(doubt) => Some((owner.clone(), *doubt)),
            Liveness::Alive | Liveness::Dead => None,
        };
        self.known.iter().filter_map(doubt).collect()
    }

    /// The same as [`Self::liveness`], looking again.
    #[must_use]
    pub fn look(&self, owner: &str) -> Liveness {
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
}
