//! The place where an execution leaves what is to be stored, and learns what is.
//!
//! The engine records changes here; the writer's queue holds only *which* slots
//! are dirty, and takes the newest state when it commits. So any number of
//! changes cost one write, and a full queue loses nothing.

use std::sync::{Arc, PoisonError};

use tokio::sync::watch;

use super::StoreError;
use super::sync::{Mutex, MutexGuard};
use crate::workflow::record::Change;

/// How far an execution is stored.
#[derive(Debug, Clone, Default)]
pub struct CommitStatus {
    /// The last version that a commit holds, as far as that is told; 0: nothing.
    pub version: u64,
    /// The number that it has in the database.
    pub seq: Option<i64>,
    /// The repository will never take this execution, and why.
    pub refused: Option<Arc<StoreError>>,
    /// Nothing more of it will be stored: it was [withdrawn](Slot::withdraw).
    pub withdrawn: bool,
}

/// One execution's place between the engine and the writer.
#[derive(Debug)]
pub struct PendingWrite {
    execution_id: String,
    unstored: Mutex<Unstored>,
    stored: watch::Sender<CommitStatus>,
}

#[derive(Debug, Default)]
struct Unstored {
    change: Option<Change>,
    version: u64,
    queued: bool,
    /// The writer has taken a change and does not know yet what becomes of it.
    in_flight: bool,
    /// A commit holds some of it, told or not.
    committed: bool,
    withdrawing: bool,
}

impl PendingWrite {
    /// A slot of an execution of which nothing is recorded yet.
    #[must_use]
    pub fn new(execution_id: String) -> Arc<Self> {
        Arc::new(Self {
            execution_id,
            unstored: Mutex::default(),
            stored: watch::Sender::default(),
        })
    }

    /// Which execution.
    #[must_use]
    pub fn execution_id(&self) -> &str {
        &self.execution_id
    }

    /// Adds a change and returns its version: once [`CommitStatus::version`] has reached
    /// it, the change is durable.
    pub fn record(&self, change: Change) -> u64 {
        let mut unstored = self.lock();
        match &mut unstored.change {
            Some(earlier) => earlier.merge(change),
            None => unstored.change = Some(change),
        }
        unstored.version += 1;
        unstored.version
    }

    /// Whether something is recorded of which no commit is told yet.
    #[must_use]
    pub fn is_dirty(&self) -> bool {
        self.lock().version > self.stored.borrow().version
    }

    /// Follows what is stored.
    #[must_use]
    pub fn stored(&self) -> watch::Receiver<CommitStatus> {
        self.stored.subscribe()
    }

    /// Asks that an execution of which nothing is stored is not stored after all.
    /// [`CommitStatus::withdrawn`] tells that it will not be, [`CommitStatus::version`] that a commit came
    /// first: then the slot goes on as if nothing was asked.
    pub fn withdraw(&self) {
        let mut unstored = self.lock();
        if unstored.committed {
            return;
        }
        unstored.withdrawing = true;
        if !unstored.in_flight {
            unstored.change = None;
            self.stored.send_modify(|stored| stored.withdrawn = true);
        }
    }

    /// Marks the slot as queued; `false` when it was already.
    pub(crate) fn mark_queued(&self) -> bool {
        !std::mem::replace(&mut self.lock().queued, true)
    }

    /// Takes the slot out of the queue without storing anything.
    pub(crate) fn unmark_queued(&self) {
        self.lock().queued = false;
    }

    /// What is to be stored now, with its version. The slot is no longer queued.
    pub(crate) fn take(&self) -> Option<(Change, u64)> {
        let mut unstored = self.lock();
        unstored.queued = false;
        let version = unstored.version;
        let change = unstored.change.take()?;
        unstored.in_flight = true;
        Some((change, version))
    }

    /// Puts back what could not be stored, under what was recorded since.
    pub(crate) fn put_back(&self, mut change: Change) {
        let mut unstored = self.lock();
        unstored.in_flight = false;
        if unstored.withdrawing {
            unstored.change = None;
            self.stored.send_modify(|stored| stored.withdrawn = true);
            return;
        }
        if let Some(later) = unstored.change.take() {
            change.merge(later);
        }
        unstored.change = Some(change);
    }

    /// A commit holds some of it, of which it is yet to [`Self::tell`].
    pub(crate) fn committed(&self) {
        let mut unstored = self.lock();
        unstored.in_flight = false;
        unstored.withdrawing = false;
        unstored.committed = true;
    }

    /// No commit will hold what was taken, which is yet to be told by [`Self::refused`].
    pub(crate) fn given_up(&self) {
        self.lock().in_flight = false;
    }

    /// A commit holds everything up to `version`.
    pub(crate) fn tell(&self, version: u64, seq: i64) {
        self.stored.send_if_modified(|stored| {
            let is_news = stored.version < version;
            if is_news {
                (stored.version, stored.seq) = (version, Some(seq));
            }
            is_news
        });
    }

    /// No commit will ever hold this execution.
    pub(crate) fn refused(&self, error: Arc<StoreError>) {
        let unstored = self.lock();
        self.stored.send_modify(|stored| {
            stored.refused = Some(error);
            stored.withdrawn |= unstored.withdrawing;
        });
    }

    fn lock(&self) -> MutexGuard<'_, Unstored> {
        // A panic cannot leave the fields half changed.
        self.unstored.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
