//! The processes that have executions in one database.

use std::io;
use std::num::NonZeroU32;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::attempts;
use super::id::OwnerKind;
use super::judge::Judge;
use super::lock::Owner;

/// The lock files beside a database.
#[derive(Debug)]
pub(crate) struct Registry {
    database: PathBuf,
    identity: Option<NonZeroU32>,
}

impl Registry {
    /// That of the database at this path, which has this identity; `None` for a copy that nobody has
    /// opened for writing yet.
    pub(crate) fn new(database: &Path, identity: Option<NonZeroU32>) -> Self {
        Self { database: database.to_owned(), identity }
    }

    /// This process, listed until the answer is dropped. `nonce` tells apart processes that had the
    /// same number.
    ///
    /// # Errors
    /// When its lock file cannot be made.
    pub(crate) fn claim(&self, kind: OwnerKind, nonce: u32) -> io::Result<Arc<Owner>> {
        Owner::claim(&self.database, self.identity, kind, nonce)
    }

    /// What judges whether owners are alive: a new one for each decision.
    pub(crate) fn judge(&self) -> Judge {
        Judge::new(&self.database, self.identity)
    }

    /// Forgets the attempts that a dead process has listed: its processes are gone.
    pub(crate) fn forget_attempts(&self, owner: &str) {
        attempts::forget_attempts(&self.database, owner);
    }
}
