//! What is stored by and by beside executions: the retention of workflows, alerts that were sent.

use std::time::Duration;

use super::super::backend::Backend;
use super::{FEW, WORTH_DELETING, Worker};
use crate::base::clock;

impl<B: Backend> Worker<B> {
    /// Stores which alerts were sent, if others let it. Otherwise it is tried again at the next
    /// look, and a failure says nothing: what matters more fails as well, and reports.
    pub(super) fn store_sent_alerts(&mut self) {
        if self.sent_alerts.is_empty() || self.begin(Duration::ZERO).is_err() {
            return;
        }
        let stored = self.backend.store_alerts(&self.sent_alerts);
        match stored.and_then(|()| self.backend.commit()) {
            Ok(()) => self.sent_alerts.clear(),
            Err(_) => self.backend.rollback(),
        }
    }

    /// Stores the retention of workflows, as [`Self::store_sent_alerts`].
    pub(super) fn store_policies(&mut self) {
        if self.new_policies.is_empty() || self.begin(Duration::ZERO).is_err() {
            return;
        }
        let stored = self.backend.set_policies(&self.new_policies);
        match stored.and_then(|()| self.backend.commit()) {
            Ok(()) => {
                self.new_policies.clear();
                self.look_at_policies();
            }
            Err(_) => self.backend.rollback(),
        }
    }

    /// Looks whether the retention of workflows has something to delete. What cannot be read fails
    /// elsewhere as well, and is reported there.
    pub(super) fn look_at_policies(&mut self) {
        self.ages_looked_at = clock::monotonic();
        self.has_policies = self.backend.has_policies().unwrap_or(self.has_policies);
        if self.has_policies && self.backend.is_retention_due(clock::now()).unwrap_or(false) {
            self.prune_more = true;
        }
    }

    /// Whether retention is to delete in the transaction under way: one by one as they complete; many
    /// at a time when there are many, which costs a fraction of the pages. Where a batch is one
    /// exchange, deleting is another one.
    pub(super) fn is_prune_due(&self, completed: usize) -> bool {
        if completed == 0
            || !self.may_prune()
            || self.prune_error.is_some()
            || self.backend.writes_at_once()
        {
            return false;
        }
        let count = self.unpruned + completed;
        count <= FEW || count >= WORTH_DELETING
    }

    /// Whether anything limits what is kept.
    pub(super) fn may_prune(&self) -> bool {
        self.retention.is_some() || self.has_policies
    }
}
