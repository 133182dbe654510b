//! What retention deletes beside commits, and free space that goes back to the file system.

use std::time::Duration;

use super::{LOCK_PATIENCE, WORTH_DELETING, Worker};
use crate::base::clock;
use crate::base::timestamp::Timestamp;
use crate::repository::error::StoreError;
use crate::repository::journal::backend::Backend;

/// After a failure to delete beside what is written, that is not tried for so long.
const BESIDE_AGAIN: Duration = Duration::from_secs(5);

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
        // A batch that is one exchange with the database has no room for deletions.
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
        let is_beside = pruning && (self.is_retaining || self.may_retain_beside());
        let beside = if is_beside { self.prune_beside() } else { Ok(false) };
        let done = match beside {
            Ok(true) => Ok(()),
            Ok(false) => self.tidy_in_transaction(),
            // What does not work beside may work in between.
            Err(_) => {
                self.beside_failed_at = Some(clock::monotonic());
                self.prune_more = true;
                self.tidy_in_transaction()
            }
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
            && self.beside_failed_at.is_none_or(|at| at.elapsed() >= BESIDE_AGAIN)
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
    /// the next one where there is something to delete. `false`: what is left is to be deleted otherwise.
    fn prune_beside(&mut self) -> Result<bool, B::Error> {
        let was_retaining = std::mem::take(&mut self.is_retaining);
        let more = if was_retaining { self.backend.end_retaining()? } else { false };
        let keep = self.retention.filter(|_| self.may_retain_beside() && self.may_begin().is_ok());
        let Some(keep) = keep else {
            self.prune_more = more || self.unpruned > 0;
            return Ok(!self.prune_more);
        };
        if more || self.unpruned > 0 || !was_retaining {
            self.backend.begin_retaining(keep)?;
            self.is_retaining = true;
            self.unpruned = 0;
        }
        self.prune_more = more;
        Ok(true)
    }

    /// Leaves what is left over to whoever opens the database next.
    pub(super) fn give_up_tidying(&mut self) {
        (self.prune_more, self.give_back, self.unpruned) = (false, false, 0);
    }
}
