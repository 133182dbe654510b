//! What retention deletes beside commits, and free space that goes back to the file system.

use super::{LOCK_PATIENCE, WORTH_DELETING, Worker};
use crate::base::clock;
use crate::base::timestamp::Timestamp;
use crate::repository::error::StoreError;
use crate::repository::journal::backend::Backend;

impl<B: Backend> Worker<B> {
    /// Deletes what retention asks for, inside the transaction under way; with `now`, also what is
    /// too old.
    pub(super) fn prune(&mut self, now: Option<Timestamp>) -> Result<(), B::Error> {
        let retained = self.backend.retain(self.retention, now)?;
        self.prune_more = retained.more;
        self.give_back = retained.is_worth_giving_back.unwrap_or(self.give_back);
        Ok(())
    }

    /// Counts what completed and was not pruned with its commit.
    pub(super) fn defer_pruning(&mut self, completed: usize) {
        if !self.may_prune() {
            return;
        }
        self.unpruned += completed;
        // Where batches are not written statement by statement, nothing is deleted in between.
        if self.backend.writes_at_once()
            && self.unpruned >= WORTH_DELETING
            && self.prune_error.is_none()
        {
            self.prune_more = true;
        }
    }

    /// Goes on with what retention left over, one transaction's worth. After a failure it
    /// is tried again later.
    pub(super) fn tidy(&mut self) {
        let pruning = self.prune_more;
        let done = match pruning && (self.is_retaining || self.may_retain_beside()) {
            true => self.prune_beside(),
            false => self.tidy_in_transaction(),
        };
        match done {
            Ok(()) => self.prune_error = None,
            Err(error) => {
                self.prune_more = pruning;
                self.prune_error = Some(error);
            }
        }
    }

    /// Whether executions may be deleted while others are written; not by a process that ends, which
    /// would connect for it.
    fn may_retain_beside(&self) -> bool {
        self.retention.is_some()
            && !self.has_policies
            && self.backend.writes_at_once()
            && !self.queue.is_closed()
    }

    fn tidy_in_transaction(&mut self) -> Result<(), StoreError> {
        self.begin(LOCK_PATIENCE)?;
        let outcome = if self.prune_more {
            self.prune(Some(clock::now()))
        } else {
            self.backend.give_back().map(|more| self.give_back = more)
        };
        outcome.and_then(|()| self.backend.commit()).map_err(|error| {
            self.backend.rollback();
            self.backend.explain("prune", &error)
        })?;
        if !self.prune_more {
            self.unpruned = 0;
        }
        Ok(())
    }

    /// Looks what came of the last deletion, which went on beside what was written since, and begins
    /// the next one where there is something to delete.
    fn prune_beside(&mut self) -> Result<(), StoreError> {
        self.may_begin()?;
        let was_retaining = std::mem::take(&mut self.is_retaining);
        let ended = if was_retaining { self.backend.end_retaining() } else { Ok(false) };
        let more = ended.map_err(|error| self.backend.explain("prune", &error))?;
        let keep = self.retention.filter(|_| self.may_retain_beside());
        let Some(keep) = keep else {
            self.prune_more = more || self.unpruned > 0;
            return Ok(());
        };
        if more || self.unpruned > 0 || !was_retaining {
            let begun = self.backend.begin_retaining(keep);
            begun.map_err(|error| self.backend.explain("prune", &error))?;
            self.is_retaining = true;
            self.unpruned = 0;
        }
        self.prune_more = more;
        Ok(())
    }

    /// Leaves what is left over to whoever opens the database next.
    pub(super) fn give_up_tidying(&mut self) {
        (self.prune_more, self.give_back, self.unpruned) = (false, false, 0);
    }
}
