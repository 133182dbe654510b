//! Deletes what a plan names, a bounded number in each transaction, between what else the writer
//! does.

use super::{WORTH_DELETING, Worker};
use crate::base::clock;
use crate::repository::error::{StoreError, StoreErrorKind};
use crate::repository::journal::backend::Backend;
use crate::repository::journal::purge::{Purge, PurgeProgress, Purged};

/// How far one transaction of a purge has come.
struct Progress {
    /// How many of the chosen were looked at.
    next: usize,
    /// How many are deleted in all.
    deleted: u64,
    /// Whether there is more to do.
    more: bool,
}

impl<B: Backend> Worker<B> {
    /// Takes a purge one transaction further; returns it while there is more to do.
    pub(crate) fn purge(&mut self, mut purge: Purge) -> Option<Purge> {
        let outcome = match self.purge_some(&mut purge) {
            Ok(None) => return Some(purge),
            Ok(Some(purged)) => Ok(purged),
            Err(error) => Err(error),
        };
        // The asker may be gone; then nobody wants to know.
        let _ = purge.progress.send(PurgeProgress::Ended(outcome));
        None
    }

    fn purge_some(&mut self, purge: &mut Purge) -> Result<Option<Purged>, StoreError> {
        let progress = &purge.progress;
        let waits =
            &mut |error: &StoreError| _ = progress.send(PurgeProgress::Waits(error.clone()));
        self.begin_reporting(self.options.busy_timeout, waits)?;
        let outcome = self.purge_in_transaction(purge).and_then(|done| {
            self.backend.commit()?;
            Ok(done)
        });
        let Progress { next, deleted, more } = match outcome {
            Ok(progress) => progress,
            Err(error) => {
                self.backend.rollback();
                let error = self.backend.explain("purge", &error);
                let since = *purge.locked_since.get_or_insert_with(clock::monotonic);
                let is_over = since.elapsed() >= self.options.busy_timeout;
                // Nothing of it is done, and it comes again.
                return match error.kind() {
                    StoreErrorKind::Locked if !is_over => Ok(None),
                    _ => Err(error),
                };
            }
        };
        purge.locked_since = None;
        if deleted > purge.deleted {
            let _ = purge.progress.send(PurgeProgress::Deleted(deleted));
        }
        (purge.next, purge.deleted) = (next, deleted);
        if more {
            return Ok(None);
        }
        let after = self.backend.shrink().and_then(|()| self.backend.size_bytes());
        let after = after.map_err(|error| self.backend.explain("purge", &error))?;
        let before = purge.size_bytes.unwrap_or(0);
        Ok(Some(Purged { executions: deleted, freed_bytes: before.saturating_sub(after) }))
    }

    fn purge_in_transaction(&mut self, purge: &mut Purge) -> Result<Progress, B::Error> {
        if purge.size_bytes.is_none() {
            purge.size_bytes = Some(self.backend.size_bytes()?);
        }
        if purge.next == purge.chosen.len() {
            let more = self.backend.give_back()?;
            return Ok(Progress { next: purge.next, deleted: purge.deleted, more });
        }
        let end = purge.chosen.len().min(purge.next + WORTH_DELETING);
        let deleted = self.backend.delete(&purge.chosen[purge.next..end], purge.include_pinned)?;
        // Those of them that are gone already are passed over.
        let next = if deleted.has_rest { purge.next } else { end };
        Ok(Progress { next, deleted: purge.deleted + deleted.executions as u64, more: true })
    }
}
