//! Concurrency groups: slots that become free are given to those that wait in this process, in the
//! transaction that frees them; those of other processes are looked for.

use std::collections::{BTreeSet, HashSet};
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::mpsc::UnboundedSender;

use super::super::backend::{Backend, Catalogued, Entry, SlotChange, Waiter, Written};
use super::super::delivery::Outcome;
use super::super::pending_write::PendingWrite;
use super::{NotCommitted, Worker};
use crate::base::clock;
use crate::repository::error::StoreError;

/// So often it is looked whether a dead `exec` holds a slot that nobody here waits for.
const LOOK_AT_HOLDERS: Duration = Duration::from_secs(5);

/// Where executions are reported that hold a slot though their process is dead.
#[derive(Debug)]
pub(crate) struct HolderWatch {
    sender: UnboundedSender<String>,
    /// Of all groups, not only of those that somebody waits for here.
    all: bool,
    /// Those that were reported, and were there at the last look.
    reported: HashSet<String>,
    looked_at: std::time::Instant,
}

impl HolderWatch {
    pub(crate) fn new(sender: UnboundedSender<String>, all: bool) -> Self {
        let looked_at = clock::monotonic();
        Self { sender, all, reported: HashSet::new(), looked_at }
    }
}

/// A group with one that got its slot.
pub(super) type Granted = (Arc<str>, Waiter);

impl<B: Backend> Worker<B> {
    /// Gives the slots that a batch frees to those that are next, inside its transaction.
    pub(super) fn grant_after(
        &mut self,
        batch: &[Entry],
        outcomes: &[Result<Written, StoreError>],
    ) -> Result<Vec<Granted>, NotCommitted> {
        let mut touched: BTreeSet<&Arc<str>> = BTreeSet::new();
        // Those of the batch wait from its commit on.
        let mut fresh: HashSet<&str> = HashSet::new();
        for (entry, written) in batch.iter().zip(outcomes) {
            let Ok(Written { group: Some(group), slot, .. }) = written else { continue };
            match slot {
                SlotChange::None => continue,
                SlotChange::Left => {}
                SlotChange::Waits { .. } => _ = fresh.insert(entry.execution_id()),
            }
            touched.insert(group);
        }
        if touched.is_empty() || (self.waiters.is_empty() && fresh.is_empty()) {
            return Ok(Vec::new());
        }
        let groups: Vec<Arc<str>> = touched.into_iter().cloned().collect();
        let waiters = &self.waiters;
        let is_ours = |id: &str| fresh.contains(id) || waiters.has(id);
        let Some(owner) = &self.owner else { return Ok(Vec::new()) };
        let now = clock::now();
        let mut granted = Vec::new();
        for group in groups {
            match self.backend.grant(&group, owner.id(), &is_ours, now) {
                Ok(of_group) => {
                    granted.extend(of_group.into_iter().map(|waiter| (Arc::clone(&group), waiter)));
                }
                Err(error) => return Err(self.failed(&error)),
            }
        }
        Ok(granted)
    }

    /// What to report of those that got a slot; the commit that holds it has succeeded.
    pub(super) fn granted(&mut self, granted: Vec<Granted>) -> Vec<Outcome> {
        let report = |(group, waiter): Granted| {
            let pending = self.waiters.remove(&group, &waiter.execution_id)?;
            Some(Outcome::granted(pending))
        };
        granted.into_iter().filter_map(report).collect()
    }

    /// Somebody waits whose execution was stored before.
    pub(super) fn wait(&mut self, group: &Arc<str>, pending: &Arc<PendingWrite>) {
        self.waiters.add(group, pending);
        self.grant_now(std::slice::from_ref(group));
    }

    /// Gives free slots of these groups to those that wait here. What fails is tried again at the
    /// next look.
    fn grant_now(&mut self, groups: &[Arc<str>]) {
        let Some(owner) = self.owner.clone() else { return };
        let mut promising = Vec::new();
        for group in groups {
            let waiters = &self.waiters;
            let next = self.backend.next_in_line(group, owner.id(), &|id| waiters.has(id));
            if next.is_ok_and(|next| !next.is_empty()) {
                promising.push(Arc::clone(group));
            }
        }
        if promising.is_empty() || self.begin(Duration::ZERO).is_err() {
            return;
        }
        let now = clock::now();
        let mut granted = Vec::new();
        for group in promising {
            let waiters = &self.waiters;
            match self.backend.grant(&group, owner.id(), &|id| waiters.has(id), now) {
                Ok(next) => granted.extend(next.into_iter().map(|it| (Arc::clone(&group), it))),
                Err(_) => return self.backend.rollback(),
            }
        }
        match self.backend.commit() {
            Ok(()) => {
                let outcomes = self.granted(granted);
                self.delivery.hand_over(outcomes);
            }
            Err(_) => self.backend.rollback(),
        }
    }

    /// Looks whether others have left slots to those that wait here, and whether somebody holds one
    /// though it is dead.
    pub(super) fn look_at_groups(&mut self) {
        self.store_catalogued();
        self.waiters.sweep();
        if !self.waiters.is_empty() {
            let groups = self.waiters.groups();
            self.grant_now(&groups);
        }
        let Some(watch) = &mut self.holders else { return };
        // Those that are still there are reported again: what was done about them may have failed.
        let again = watch.looked_at.elapsed() >= LOOK_AT_HOLDERS;
        if again {
            watch.reported.clear();
            watch.looked_at = clock::monotonic();
        }
        let all = watch.all && again;
        if !all && self.waiters.is_empty() {
            return;
        }
        let groups: Vec<String> = self.waiters.groups().iter().map(ToString::to_string).collect();
        // A database that cannot be read fails elsewhere as well, and is reported there.
        let Ok(dead) = self.backend.dead_holders((!all).then_some(&groups)) else { return };
        for execution_id in dead {
            if watch.reported.insert(execution_id.clone()) {
                // Who no longer listens ends.
                let _ = watch.sender.send(execution_id);
            }
        }
    }

    /// The limits of the catalogue's groups, stored by and by.
    pub(super) fn set_catalogued(&mut self, mut catalogued: Catalogued) {
        if let Some(earlier) = self.new_catalogued.take() {
            catalogued.removed.extend(earlier.removed);
        }
        self.new_catalogued = Some(catalogued);
        self.store_catalogued();
    }

    fn store_catalogued(&mut self) {
        let Some(catalogued) = self.new_catalogued.take() else { return };
        let stored = self.begin(Duration::ZERO).is_ok()
            && match self.backend.set_catalogue(&catalogued).and_then(|()| self.backend.commit()) {
                Ok(()) => true,
                Err(_) => {
                    self.backend.rollback();
                    false
                }
            };
        if stored {
            let groups = self.waiters.groups();
            self.grant_now(&groups);
        } else {
            self.new_catalogued = Some(catalogued);
        }
    }
}
