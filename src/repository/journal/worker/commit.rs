//! How a batch becomes durable.

use std::sync::Arc;

use tokio::sync::watch;

use super::super::backend::{Backend, Entry, NotWritten, Written};
use super::super::delivery::Delivery;
use super::super::health::Health;
use super::super::queue::Queue;
use super::super::task::Task;
use super::{Committed, LOCK_PATIENCE, NotCommitted, Worker};
use crate::base::clock;
use crate::repository::error::{StoreError, StoreErrorKind};

impl<B: Backend> Worker<B> {
    /// Writes the batch in one transaction, with what retention deletes for it; if that
    /// cannot be deleted, without.
    pub(super) fn commit(&mut self, batch: &[Entry]) -> Result<Committed, NotCommitted> {
        let since = clock::monotonic();
        let outcome = loop {
            let outcome = match self.try_commit(batch, true) {
                Err(NotCommitted::Pruning) => self.try_commit(batch, false),
                outcome => outcome,
            };
            match outcome {
                Err(NotCommitted::Failed(error))
                    if self.is_worth_retrying(&error, since, LOCK_PATIENCE)
                        && !is_withdrawn(batch) => {}
                outcome => break outcome,
            }
        };
        outcome.map_err(|why| match why {
            NotCommitted::Pruning => {
                NotCommitted::Failed(self.prune_error.clone().unwrap_or_else(|| {
                    StoreError::new(StoreErrorKind::Io, "cannot prune the database")
                }))
            }
            why => why,
        })
    }

    fn try_commit(&mut self, batch: &[Entry], may_prune: bool) -> Result<Committed, NotCommitted> {
        if let Some(committed) = self.commit_at_once(batch)? {
            return Ok(committed);
        }
        self.begin(LOCK_PATIENCE).map_err(NotCommitted::Failed)?;
        if is_withdrawn(batch) {
            self.backend.rollback();
            return Err(NotCommitted::Withdrawn);
        }
        let outcome = self.write_and_prune(batch, may_prune);
        if outcome.is_err() {
            self.backend.rollback();
        }
        outcome
    }

    /// Writes the batch in one exchange with the database, where it has one for this; `None`: nothing
    /// was written.
    fn commit_at_once(&mut self, batch: &[Entry]) -> Result<Option<Committed>, NotCommitted> {
        if !self.backend.writes_at_once() {
            return Ok(None);
        }
        let ends = |entry: &&Entry| entry.change.head.status.is_terminal();
        let completed = batch.iter().filter(ends).count();
        self.may_begin().map_err(NotCommitted::Failed)?;
        if is_withdrawn(batch) {
            return Err(NotCommitted::Withdrawn);
        }
        let mut goes_on = goes_on(batch, &self.health, &self.delivery, &self.queue);
        let written = self.backend.write_at_once(batch, &mut goes_on);
        drop(goes_on);
        let Some(written) = written.map_err(|error| self.failed(&error))? else {
            return Ok(None);
        };
        self.begun_at = clock::monotonic();
        self.has_completed |= completed > 0;
        self.defer_pruning(completed);
        Ok(Some((written.into_iter().map(Ok).collect(), Vec::new())))
    }

    fn write_and_prune(
        &mut self,
        batch: &[Entry],
        may_prune: bool,
    ) -> Result<Committed, NotCommitted> {
        let outcomes = self.write_batch(batch)?;
        let completed = outcomes.iter().flatten().filter(|written| written.finished).count();
        self.has_policies = self.has_policies || batch.iter().any(Entry::sets_policy);
        self.has_completed |= completed > 0;
        let prune_now = may_prune && self.is_prune_due(completed);
        if prune_now && let Err(error) = self.prune(None) {
            self.prune_error = Some(self.backend.explain("prune", &error));
            self.prune_more = true;
            return Err(NotCommitted::Pruning);
        }
        let granted = self.grant_after(batch, &outcomes)?;
        let mut goes_on = goes_on(batch, &self.health, &self.delivery, &self.queue);
        let committed = self.backend.commit_batch(&mut goes_on);
        drop(goes_on);
        committed.map_err(|error| self.failed(&error))?;
        if prune_now && !self.prune_more {
            self.unpruned = 0;
        } else {
            self.defer_pruning(completed);
        }
        Ok((outcomes, granted))
    }

    /// First as if nothing could be refused; when something is, again with a savepoint
    /// for each item.
    fn write_batch(
        &mut self,
        batch: &[Entry],
    ) -> Result<Vec<Result<Written, StoreError>>, NotCommitted> {
        match self.backend.write_all(batch) {
            Ok(written) => Ok(written.into_iter().map(Ok).collect()),
            Err(NotWritten::Failed(error)) => Err(self.failed(&error)),
            Err(NotWritten::Refused(_)) => {
                self.backend.rollback();
                self.begin(LOCK_PATIENCE).map_err(NotCommitted::Failed)?;
                self.backend.write_each(batch).map_err(|error| self.failed(&error))
            }
        }
    }

    pub(super) fn failed(&self, error: &B::Error) -> NotCommitted {
        NotCommitted::Failed(self.backend.explain("write to", error))
    }
}

/// Whether the start of an execution is being withdrawn.
fn is_withdrawn(batch: &[Entry]) -> bool {
    let is_new = |entry: &&Entry| entry.change.created.is_some();
    batch.iter().filter(is_new).any(|entry| entry.pending.is_withdrawing())
}

/// How long it is asked what became of a commit whose answer was lost: until it is known, wfx ends, or
/// somebody no longer waits for a start. Meanwhile nothing is stored, which is reported.
fn goes_on(
    batch: &[Entry],
    health: &watch::Sender<Health>,
    delivery: &Delivery,
    queue: &Queue<Task>,
) -> impl FnMut(StoreError) -> bool {
    |error| {
        delivery.notify();
        health.send_replace(Health::Failing { error: Arc::new(error) });
        !queue.is_closed() && !is_withdrawn(batch)
    }
}
