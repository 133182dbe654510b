//! What steps print: little of it rides with the changes of its execution, the rest is stored in
//! transactions of its own, between those of changes. Its failures harm nothing else.

use std::sync::Arc;
use std::time::{Duration, Instant};

use super::super::backend::{Backend, Entry};
use super::super::output::{OutputBatch, TRANSACTION_BYTES_MAX};
use super::{Committed, NotCommitted, PendingWrite, Worker};
use crate::base::clock;
use crate::repository::error::{StoreError, StoreErrorKind};

/// So much output of an execution rides with its changes at most; more comes before them.
const RIDING_BYTES_MAX: usize = 128 * 1024;
/// Output is on the disk so long after it was committed.
const SYNC_AFTER: Duration = Duration::from_millis(250);
/// After a failure it is tried again so much later.
const RETRY_AFTER: Duration = Duration::from_millis(250);
/// How long a transaction of output waits for other processes.
const LOCK_PATIENCE: Duration = Duration::ZERO;
/// The most bytes that one transaction deletes for the sake of budgets.
const TRIMMED_BYTES_MAX: u64 = 8 << 20;
/// So often it is looked whether output is too old.
const LOOK_AT_AGES: Duration = Duration::from_secs(10);

/// How the output of steps is stored.
#[derive(Debug)]
pub(super) struct OutputState {
    /// A commit of output since then may not be on the disk.
    unsynced_since: Option<Instant>,
    /// It could not be stored, and is tried again then.
    retry_at: Option<Instant>,
    /// Some was stored since its budgets were looked at.
    has_grown: bool,
    looked_at: Option<Instant>,
    /// An execution whose changes wait until less of its output does: some of it is stored next.
    first: Option<Arc<PendingWrite>>,
}

impl OutputState {
    pub(super) fn new() -> Self {
        Self {
            unsynced_since: None,
            retry_at: None,
            has_grown: false,
            looked_at: None,
            first: None,
        }
    }
}

impl<B: Backend> Worker<B> {
    /// How long the writer may sleep for the sake of output.
    pub(super) fn output_patience(&self) -> Duration {
        let sync_at = self.output.unsynced_since.map(|since| since + SYNC_AFTER);
        let next = [sync_at, self.output.retry_at].into_iter().flatten().min();
        next.map_or(Duration::MAX, |at| at.saturating_duration_since(clock::monotonic()))
    }

    /// What the pending writes hold, each with its output, within the bounds of one transaction; the
    /// rest is back in the queue.
    pub(super) fn entries(&mut self, pending: Vec<Arc<PendingWrite>>) -> Vec<Entry> {
        self.output.first = None;
        let mut room = TRANSACTION_BYTES_MAX;
        let mut batch = Vec::with_capacity(pending.len());
        let mut rest = Vec::new();
        let mut is_full = false;
        for next in pending {
            let waiting = next.output().waiting();
            if self.has_much_output(&next, waiting) {
                // Others do not wait until all of it is stored.
                self.output.first.get_or_insert_with(|| Arc::clone(&next));
                rest.push(next);
                continue;
            }
            is_full |= waiting > room && waiting <= RIDING_BYTES_MAX && !batch.is_empty();
            if is_full {
                rest.push(next);
                continue;
            }
            let Some((change, version)) = next.take() else { continue };
            // What was not taken a moment ago would only make the changes fail as well.
            let rides = waiting > 0 && self.output.retry_at.is_none();
            let output = if rides { next.output().take(room) } else { Vec::new() };
            room = room.saturating_sub(bytes(&output));
            batch.push(Entry { pending: next, change, version, output });
        }
        if !rest.is_empty() {
            rest.iter().for_each(|rest| rest.unmark_queued());
            self.queue.put_back(rest.into_iter());
        }
        batch
    }

    /// Whether too much output of an execution waits to ride with its changes: some of it is stored
    /// before them, in transactions of its own.
    fn has_much_output(&self, pending: &Arc<PendingWrite>, waiting: usize) -> bool {
        waiting > RIDING_BYTES_MAX && pending.is_committed() && self.output.retry_at.is_none()
    }

    /// Commits a batch; where that fails, without its output.
    pub(super) fn commit_with_output(
        &mut self,
        batch: &mut [Entry],
    ) -> Result<Committed, NotCommitted> {
        let has_output = batch.iter().any(|entry| !entry.output.is_empty());
        match self.commit(batch) {
            Err(NotCommitted::Failed(error))
                if has_output && error.kind() != StoreErrorKind::Locked =>
            {
                for entry in batch.iter_mut() {
                    entry.pending.output().put_back(std::mem::take(&mut entry.output));
                }
                self.fails_to_store_output();
                self.commit(batch)
            }
            committed => committed,
        }
    }

    /// The commit of a batch has succeeded, with its output.
    pub(super) fn output_stored(&mut self, batch: &[Entry]) {
        self.output.unsynced_since = None;
        for Entry { pending, output, .. } in batch {
            if !output.is_empty() {
                pending.output().done(output);
                self.output.has_grown = true;
            }
            if pending.output().waiting() > 0 {
                self.queue.push_output(pending);
            }
        }
    }

    /// Stores output that waits, one transaction's worth.
    pub(super) fn store_output(&mut self, closed: bool) {
        if let Some(retry_at) = self.output.retry_at {
            if clock::monotonic() < retry_at && !closed {
                return;
            }
            self.output.retry_at = None;
            self.queue.pause_output(false);
        }
        let mut room = TRANSACTION_BYTES_MAX;
        let mut taken = Vec::new();
        let mut put_back = Vec::new();
        let mut first = self.output.first.take();
        while let Some(pending) = first.take().or_else(|| self.queue.next_output()) {
            if pending.is_withdrawn() {
                continue;
            }
            // It comes again once the execution is stored.
            if !pending.is_committed() {
                continue;
            }
            let batches = pending.output().take(room);
            room = room.saturating_sub(bytes(&batches));
            let is_full = pending.output().waiting() > 0;
            if is_full {
                put_back.push(Arc::clone(&pending));
            }
            if !batches.is_empty() {
                taken.push((pending, batches));
            }
            if is_full {
                break;
            }
        }
        for pending in put_back {
            self.queue.push_output(&pending);
        }
        if !taken.is_empty() && !self.store_batches(taken) && closed {
            // Nobody waits for what cannot be stored: it is missing, and reported as that.
            while self.queue.next_output().is_some() {}
        }
        self.sync_output(closed);
    }

    /// Stores batches in one transaction; whether that succeeded.
    fn store_batches(&mut self, taken: Vec<(Arc<PendingWrite>, Vec<OutputBatch>)>) -> bool {
        let written = self.begin_for_output().and_then(|()| {
            let now = clock::now();
            let mut write = || {
                let mut stored: usize = 0;
                for (pending, batches) in &taken {
                    if self.backend.write_output(pending.execution_id(), batches)? {
                        stored += bytes(batches);
                    }
                }
                // More than was written, so that what is too much becomes less.
                let trimmed = self.backend.trim_output(2 * stored as u64 + 1, now)?;
                self.backend.commit()?;
                Ok(trimmed.more)
            };
            write().map_err(|error| {
                self.backend.rollback();
                self.backend.explain("write to", &error)
            })
        });
        match written {
            Ok(more) => {
                self.output.has_grown |= more;
                self.output.unsynced_since.get_or_insert_with(clock::monotonic);
                for (pending, batches) in taken {
                    pending.output().done(&batches);
                }
                true
            }
            Err(_) => {
                for (pending, batches) in taken {
                    pending.output().put_back(batches);
                    self.queue.push_output(&pending);
                }
                self.fails_to_store_output();
                false
            }
        }
    }

    fn fails_to_store_output(&mut self) {
        self.output.retry_at = Some(clock::monotonic() + RETRY_AFTER);
        self.queue.pause_output(true);
    }

    /// As [`Self::begin`], for a transaction that need not be on the disk at once.
    fn begin_for_output(&mut self) -> Result<(), StoreError> {
        self.begin_with(B::begin_output, LOCK_PATIENCE, &mut |_| {})
    }

    /// Has output on the disk that was committed a while ago.
    pub(super) fn sync_output(&mut self, at_once: bool) {
        let Some(since) = self.output.unsynced_since else { return };
        if !at_once && since.elapsed() < SYNC_AFTER {
            return;
        }
        let synced = self.begin(LOCK_PATIENCE).and_then(|()| {
            self.backend.touch_output().and_then(|()| self.backend.commit()).map_err(|error| {
                self.backend.rollback();
                self.backend.explain("write to", &error)
            })
        });
        // What fails now is tried again with the next output.
        self.output.unsynced_since = synced.is_err().then(clock::monotonic).filter(|_| !at_once);
    }

    /// Deletes what is beyond the budgets before wfx ends: what rode with the last changes was not
    /// looked at yet.
    pub(super) fn trim_output_at_end(&mut self) {
        while self.output.has_grown {
            self.look_at_output();
        }
    }

    /// Deletes output that is beyond its budgets, if there is some.
    pub(super) fn look_at_output(&mut self) {
        let is_due = self.output.looked_at.is_none_or(|at| at.elapsed() >= LOOK_AT_AGES);
        if !self.output.has_grown && !is_due {
            return;
        }
        self.output.looked_at = Some(clock::monotonic());
        self.output.has_grown = false;
        let now = clock::now();
        // What cannot be read fails elsewhere as well, and is reported there.
        if !self.backend.is_output_excessive(now).unwrap_or(false)
            || self.begin_for_output().is_err()
        {
            return;
        }
        let trimmed = self.backend.trim_output(TRIMMED_BYTES_MAX, now).and_then(|trimmed| {
            self.backend.commit()?;
            Ok(trimmed)
        });
        match trimmed {
            Ok(trimmed) => {
                // What others hold just then is theirs, or goes another time.
                self.output.has_grown = trimmed.more && trimmed.is_worth_giving_back.is_some();
                self.give_back = trimmed.is_worth_giving_back.unwrap_or(self.give_back);
            }
            Err(_) => self.backend.rollback(),
        }
    }
}

fn bytes(batches: &[OutputBatch]) -> usize {
    batches.iter().map(|batch| batch.bytes).sum()
}
