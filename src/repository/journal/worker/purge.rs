//! Deletes what a plan names, a bounded number in each transaction, between what else the writer
//! does.

use std::sync::mpsc;

use super::Worker;
use crate::repository::error::StoreError;
use crate::repository::sqlite::prune::{self, Purged};
use crate::workflow::retention::Chosen;

/// A purge under way.
#[derive(Debug)]
pub(crate) struct Purge {
    chosen: Vec<Chosen>,
    next: usize,
    deleted: u64,
    /// The database's size before, once known.
    size_bytes: Option<u64>,
    told: mpsc::Sender<PurgeProgress>,
}

impl Purge {
    pub(crate) fn new(chosen: Vec<Chosen>, told: mpsc::Sender<PurgeProgress>) -> Self {
        Self { chosen, next: 0, deleted: 0, size_bytes: None, told }
    }
}

/// How a purge goes.
#[derive(Debug)]
pub(crate) enum PurgeProgress {
    /// So many are deleted so far.
    Deleted(u64),
    /// Others have the database locked.
    Waits(StoreError),
    /// It is over.
    Ended(Result<Purged, StoreError>),
}

impl Worker {
    /// Takes a purge one transaction further; returns it while there is more to do.
    pub(crate) fn purge(&mut self, mut purge: Purge) -> Option<Purge> {
        let outcome = match self.purge_some(&mut purge) {
            Ok(None) => return Some(purge),
            Ok(Some(purged)) => Ok(purged),
            Err(error) => Err(error),
        };
        // The asker may be gone; then nobody wants to know.
        let _ = purge.told.send(PurgeProgress::Ended(outcome));
        None
    }

    fn purge_some(&mut self, purge: &mut Purge) -> Result<Option<Purged>, StoreError> {
        let told = &purge.told;
        let waits = &mut |error: &StoreError| _ = told.send(PurgeProgress::Waits(error.clone()));
        self.begin_telling(self.options.busy_timeout, waits)?;
        let outcome = self.purge_in_transaction(purge).and_then(|done| {
            self.execute("COMMIT")?;
            Ok(done)
        });
        let (next, deleted, more) = outcome.map_err(|error| {
            self.rollback();
            StoreError::sqlite("purge", &self.path, &error)
        })?;
        if deleted > purge.deleted {
            let _ = purge.told.send(PurgeProgress::Deleted(deleted));
        }
        (purge.next, purge.deleted) = (next, deleted);
        if more {
            return Ok(None);
        }
        // So that the file shrinks now, not when the log is full.
        let failed = |error: rusqlite::Error| StoreError::sqlite("purge", &self.path, &error);
        self.connection
            .query_row("PRAGMA wal_checkpoint(PASSIVE)", [], |_| Ok(()))
            .map_err(failed)?;
        let before = purge.size_bytes.unwrap_or(0);
        let after = prune::size_bytes(&self.connection).map_err(failed)?;
        Ok(Some(Purged { executions: deleted, freed_bytes: before.saturating_sub(after) }))
    }

    /// The next place in the list, how many are deleted in all, whether there is more.
    fn purge_in_transaction(&self, purge: &mut Purge) -> rusqlite::Result<(usize, u64, bool)> {
        if purge.size_bytes.is_none() {
            purge.size_bytes = Some(prune::size_bytes(&self.connection)?);
        }
        if purge.next == purge.chosen.len() {
            let more = prune::give_back(&self.connection)?;
            return Ok((purge.next, purge.deleted, more));
        }
        let end = purge.chosen.len().min(purge.next + prune::WORTH_DELETING);
        let some = &purge.chosen[purge.next..end];
        let deleted = prune::delete_chosen(&self.connection, some)? as u64;
        Ok((end, purge.deleted + deleted, true))
    }
}
