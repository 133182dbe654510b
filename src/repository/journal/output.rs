//! The output of one execution on its way to the database: batches in their order, beside its
//! changes. Whoever encodes it adds batches; the writer's thread takes them.

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use super::sync::Mutex;
use crate::base::timestamp::Timestamp;
use crate::workflow::output::{Counts, Source};

/// The most bytes of output, as they were written, that one transaction stores, so that changes wait
/// only a moment for it and for the disk. A batch that is longer goes alone.
pub(crate) const TRANSACTION_BYTES_MAX: usize = 128 << 10;
/// The most that waits for the writer: beyond, the oldest batch is dropped.
const LANE_BYTES_MAX: usize = 4 << 20;

/// The row that a chunk is stored in, once it is.
#[derive(Debug, Clone, Default)]
pub(crate) struct ChunkRow(Arc<AtomicI64>);

impl ChunkRow {
    /// `None` while it was never stored.
    pub(crate) fn get(&self) -> Option<i64> {
        Some(self.0.load(Ordering::Relaxed)).filter(|row| *row > 0)
    }

    /// It is stored, or will be if the transaction under way succeeds.
    pub(crate) fn set(&self, row: i64) {
        self.0.store(row, Ordering::Relaxed);
    }
}

/// A chunk to be stored.
#[derive(Debug)]
pub(crate) struct Chunk {
    /// Where it is stored; it replaces what is there.
    pub(crate) row: ChunkRow,
    pub(crate) source: Source,
    /// What its attempt had written before it.
    pub(crate) own: Counts,
    /// What its execution had written before it and after it, since this process runs it.
    pub(crate) all: Counts,
    pub(crate) end: Counts,
    /// How many bytes it has, as they were written.
    pub(crate) bytes: Counts,
    pub(crate) began_at: Timestamp,
    pub(crate) ended_at: Timestamp,
    pub(crate) data: Vec<u8>,
    /// Chunks of the same attempt that have no room beside it, and what it had written before them.
    pub(crate) drops: Vec<(ChunkRow, Counts)>,
}

/// Chunks that are stored together, so that of one state of the database nothing is missing in
/// between.
#[derive(Debug)]
pub(crate) struct OutputBatch {
    pub(crate) chunks: Vec<Chunk>,
    /// How many bytes it has, as they were written.
    pub(crate) bytes: usize,
    /// Another process ran the execution before, whose counts go on.
    pub(crate) is_resumed: bool,
}

/// What waits for the writer.
#[derive(Debug, Default)]
pub(crate) struct OutputLane {
    lane: Mutex<Lane>,
    /// Notified when some of it is stored.
    pub(crate) progress: tokio::sync::Notify,
}

#[derive(Debug, Default)]
struct Lane {
    batches: VecDeque<OutputBatch>,
    bytes: usize,
    /// Of those that the writer has taken.
    in_flight: usize,
    queued: bool,
}

impl OutputLane {
    /// Adds a batch; the oldest go where there is no room, which leaves a gap.
    /// Returns how many bytes these had.
    pub(crate) fn push(&self, batch: OutputBatch) -> u64 {
        let mut dropped_bytes = 0;
        let mut lane = self.lock();
        lane.bytes += batch.bytes;
        lane.batches.push_back(batch);
        while lane.bytes > LANE_BYTES_MAX && lane.batches.len() > 1 {
            let dropped = lane.batches.pop_front();
            let bytes = dropped.map_or(0, |batch| batch.bytes);
            lane.bytes -= bytes;
            dropped_bytes += bytes as u64;
        }
        dropped_bytes
    }

    /// How many bytes wait, with those that the writer has taken.
    pub(crate) fn size(&self) -> usize {
        let lane = self.lock();
        lane.bytes + lane.in_flight
    }

    /// How many bytes wait that the writer has not taken.
    pub(crate) fn waiting(&self) -> usize {
        self.lock().bytes
    }

    /// Takes the oldest batches, at most `max` bytes of them.
    pub(crate) fn take(&self, max: usize) -> Vec<OutputBatch> {
        let mut lane = self.lock();
        let mut taken = Vec::new();
        let mut room = max;
        while let Some(bytes) = lane.batches.front().map(|first| first.bytes) {
            // One that is longer goes alone.
            let is_alone = taken.is_empty() && max >= TRANSACTION_BYTES_MAX;
            if bytes > room && !is_alone {
                break;
            }
            room = room.saturating_sub(bytes);
            lane.bytes -= bytes;
            lane.in_flight += bytes;
            taken.extend(lane.batches.pop_front());
        }
        taken
    }

    /// Puts back what could not be stored.
    pub(crate) fn put_back(&self, batches: Vec<OutputBatch>) {
        let mut lane = self.lock();
        for batch in batches.into_iter().rev() {
            lane.in_flight -= batch.bytes;
            lane.bytes += batch.bytes;
            lane.batches.push_front(batch);
        }
    }

    /// A commit holds what was taken, or nobody wants it any more.
    pub(crate) fn done(&self, batches: &[OutputBatch]) {
        let bytes: usize = batches.iter().map(|batch| batch.bytes).sum();
        self.lock().in_flight -= bytes;
        self.progress.notify_waiters();
    }

    /// Marks it as queued; `false` when it was already.
    pub(crate) fn mark_queued(&self) -> bool {
        !std::mem::replace(&mut self.lock().queued, true)
    }

    /// It is no longer queued.
    pub(crate) fn unmark_queued(&self) {
        self.lock().queued = false;
    }

    fn lock(&self) -> super::sync::MutexGuard<'_, Lane> {
        // A panic cannot leave the fields half changed.
        self.lane.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }
}
