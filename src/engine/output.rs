//! The sink: everything that steps print comes through [`AttemptOutput::take`].
//!
//! What arrives is reported to observers, its end is kept for the attempt's record, and all of it goes
//! to the database in chunks: at the latest half a second after it came, and before the end of its
//! attempt. The bytes of all attempts of an execution are stored in the order of arrival, so that of
//! no state of the database something is missing in between.
//!
//! Memory is bounded: of an execution less than 1 MiB waits to be compressed and some MiB for the writer. A step
//! that prints faster than that is stored waits in its `write`, like one that prints to a slow terminal.
//! While the store fails, or has taken nothing for a second, no step waits: the oldest bytes are dropped,
//! which leaves a gap that readers find by the counts of what follows it.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use tokio::sync::{Mutex as AsyncMutex, Notify, Semaphore};
use tokio::time;

use self::bulk::BulkThread;
use self::encoder::{AttemptChunks, Encoder, ShownCompressor};
use crate::base::clock;
use crate::repository::{Health, OutputBatch, PendingWrite, Writer};
use crate::workflow::output::arrivals::Arrivals;
use crate::workflow::output::budget::AttemptBudget;
use crate::workflow::output::chunk::Compressor;
use crate::workflow::output::tail::{Tail, Whole};
use crate::workflow::output::{Counts, Source};
use crate::workflow::record::Captured;
use crate::workflow::report::Stream;

/// What arrived is compressed and stored so much later, so that what trickles makes few transactions.
const STORE_AFTER: Duration = Duration::from_millis(400);
/// So much is stored at once.
const STORE_FROM: usize = 512 << 10;
/// So much of one execution waits to be compressed; beyond, its steps wait.
const WAITING_BYTES_MAX: usize = 768 << 10;
/// So much of it once all executions together have [`ALL_BYTES_MAX`].
const WAITING_BYTES_MIN: usize = 64 << 10;
/// So much of all executions waits to be compressed before each of them gets less room.
const ALL_BYTES_MAX: usize = 48 << 20;
/// So much of an execution waits for the writer before no more of it is compressed.
const LANE_BYTES_MAX: usize = 1 << 20;
/// So little is compressed at once, where it arrived; more on a thread of its own.
const AT_ONCE_BYTES_MAX: usize = 32 << 10;
/// So much is compressed at once there and stored in one transaction, so that others wait only a moment,
/// but not less than [`SLICE_BYTES_OF_ATTEMPT`] for each attempt of the execution that prints.
const SLICE_BYTES: usize = 128 << 10;
const SLICE_BYTES_OF_ATTEMPT: usize = 16 << 10;
/// A step waits no longer for a store that takes nothing.
const STORE_PATIENCE: Duration = Duration::from_secs(1);

mod bulk;
mod encoder;

/// The observer that wants output as it arrives.
pub(crate) type Listener<'a> = &'a (dyn Fn(Stream, &[u8]) + Send + Sync);

/// What the output of all executions of a process shares.
#[derive(Debug)]
pub struct OutputSink {
    /// How much is kept of an attempt, bytes, if neither step nor workflow says it.
    limit: u64,
    /// For little output, where it arrives.
    at_once: Mutex<ShownCompressor>,
    /// For much output: one compresses at a time, so that others have a processor.
    in_bulk: BulkThread,
    turn: Arc<Semaphore>,
    waiting: AtomicUsize,
    open: AtomicUsize,
    printed: AtomicU64,
    dropped: AtomicU64,
}

impl OutputSink {
    /// `limit` is how much is kept of an attempt, bytes, if neither step nor workflow says it.
    #[must_use]
    pub fn new(limit: u64) -> Self {
        Self {
            limit,
            at_once: Mutex::new(ShownCompressor::NONE),
            in_bulk: BulkThread::default(),
            turn: Arc::new(Semaphore::new(1)),
            waiting: AtomicUsize::new(0),
            open: AtomicUsize::new(0),
            printed: AtomicU64::new(0),
            dropped: AtomicU64::new(0),
        }
    }

    /// How many bytes all steps have printed.
    #[must_use]
    pub(crate) fn printed_bytes(&self) -> u64 {
        self.printed.load(Ordering::Relaxed)
    }

    /// How many of them were dropped before they reached the store, since it failed or was too slow.
    #[must_use]
    pub(crate) fn dropped_bytes(&self) -> u64 {
        self.dropped.load(Ordering::Relaxed)
    }
}

/// The output of one execution on its way to the store.
#[derive(Debug)]
pub(crate) struct ExecutionOutput {
    sink: Arc<OutputSink>,
    writer: Arc<Writer>,
    pending: Arc<PendingWrite>,
    /// Another process ran it before.
    is_resumed: bool,
    waiting: Mutex<Waiting>,
    /// Notified when some of what waits was taken to be compressed.
    room: Notify,
    /// Held by the one who compresses, so that what is stored stays in order.
    encoder: Arc<AsyncMutex<Encoder>>,
}

/// What arrived and is not compressed.
#[derive(Debug, Default)]
struct Waiting {
    arrivals: Arrivals,
    /// What all steps have written.
    all: Counts,
    /// When the oldest of it is due to be stored.
    due: Option<Instant>,
    /// Somebody compresses it, and looks again before he ends.
    is_being_stored: bool,
    /// No step waits for the store, which takes nothing.
    is_dropping: bool,
    /// Attempts that have begun to print, and those that have ended.
    begun: Vec<(Source, AttemptBudget)>,
    ended: Vec<Source>,
}

/// What is compressed next.
struct Taken {
    arrivals: Arrivals,
    /// Attempts of which nothing follows.
    ended: Vec<Source>,
    /// Nothing waits any more.
    is_last: bool,
}

impl ExecutionOutput {
    pub(crate) fn new(
        sink: &Arc<OutputSink>,
        writer: &Arc<Writer>,
        pending: &Arc<PendingWrite>,
        is_resumed: bool,
    ) -> Arc<Self> {
        Arc::new(Self {
            sink: Arc::clone(sink),
            writer: Arc::clone(writer),
            pending: Arc::clone(pending),
            is_resumed,
            waiting: Mutex::default(),
            room: Notify::new(),
            encoder: Arc::new(AsyncMutex::new(Encoder {
                sink: Arc::clone(sink),
                attempts: HashMap::new(),
            })),
        })
    }

    fn lock(&self) -> MutexGuard<'_, Waiting> {
        // Each change is whole before anything can panic.
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// How much may wait to be compressed.
    fn room(&self) -> usize {
        match self.sink.waiting.load(Ordering::Relaxed) < ALL_BYTES_MAX {
            true => WAITING_BYTES_MAX,
            false => WAITING_BYTES_MIN,
        }
    }

    /// Adds what arrived; returns when it is due to be stored.
    fn push(
        self: &Arc<Self>,
        source: Source,
        stream: Stream,
        own: Counts,
        budget: Option<AttemptBudget>,
        bytes: &[u8],
    ) -> Option<Instant> {
        self.sink.printed.fetch_add(bytes.len() as u64, Ordering::Relaxed);
        let mut waiting = self.lock();
        let all = waiting.all;
        waiting.all.add(stream, bytes.len() as u64);
        let budget = budget?;
        if own.total() == 0 {
            waiting.begun.push((source, budget));
        }
        let before = waiting.arrivals.size();
        waiting.arrivals.push(source, stream, clock::now(), own, all, bytes);
        if waiting.is_dropping {
            let dropped = waiting.arrivals.drop_oldest(self.room());
            self.sink.dropped.fetch_add(dropped, Ordering::Relaxed);
        }
        let after = waiting.arrivals.size();
        if after >= before {
            self.sink.waiting.fetch_add(after - before, Ordering::Relaxed);
        } else {
            self.sink.waiting.fetch_sub(before - after, Ordering::Relaxed);
        }
        let due = *waiting.due.get_or_insert_with(|| clock::monotonic() + STORE_AFTER);
        if after >= STORE_FROM && !waiting.is_being_stored {
            waiting.is_being_stored = true;
            drop(waiting);
            self.store_soon();
        }
        Some(due)
    }

    /// Whether a step may print more.
    fn has_room(&self) -> bool {
        let waiting = self.lock();
        waiting.is_dropping || waiting.arrivals.size() < self.room()
    }

    /// The store takes nothing: no step waits for it until it does.
    fn drop_from_now_on(&self) {
        self.lock().is_dropping = true;
        self.room.notify_waiters();
    }

    fn is_failing(&self) -> bool {
        matches!(*self.writer.health().borrow(), Health::Failing { .. })
    }

    /// Begins to store what is due, unless that is under way.
    fn store_if_due(self: &Arc<Self>) {
        let mut waiting = self.lock();
        let is_due = waiting.due.is_some_and(|due| due <= clock::monotonic());
        if is_due && !waiting.is_being_stored {
            waiting.is_being_stored = true;
            drop(waiting);
            self.store_soon();
        }
    }

    /// Stores what waits as a task of its own, until little is left.
    fn store_soon(self: &Arc<Self>) {
        let output = Arc::clone(self);
        tokio::spawn(async move {
            loop {
                output.wait_for_lane().await;
                output.store_now().await;
                output.enqueue();
                let mut waiting = output.lock();
                let is_due = waiting.due.is_some_and(|due| due <= clock::monotonic());
                if !is_due && waiting.arrivals.size() < STORE_FROM {
                    waiting.is_being_stored = false;
                    return;
                }
            }
        });
    }

    /// Waits until the writer has taken what was compressed before, or there is nothing to wait for.
    async fn wait_for_lane(&self) {
        let lane = self.pending.output();
        loop {
            let progress = lane.progress.notified();
            let room = self.room.notified();
            if lane.size() <= LANE_BYTES_MAX || self.lock().arrivals.is_empty() {
                return;
            }
            tokio::select! {
                () = progress => {}
                () = room => {}
            }
        }
    }

    /// Compresses everything that waits and hands it to the writer.
    async fn store_now(self: &Arc<Self>) {
        let mut encoder = Arc::clone(&self.encoder).lock_owned().await;
        let size = self.lock().arrivals.size();
        if size <= AT_ONCE_BYTES_MAX {
            let taken = self.take(&mut encoder, usize::MAX);
            let mut compressor = self.sink.at_once.lock().unwrap_or_else(PoisonError::into_inner);
            let batch = self.encode(&mut encoder, taken, compressor.get());
            drop(compressor);
            self.hand_over(batch);
            return;
        }
        // What arrives meanwhile is not waited for.
        let mut rest = size;
        while rest > 0 {
            // It is never closed.
            let turn = Arc::clone(&self.sink.turn).acquire_owned().await;
            let slice = SLICE_BYTES.max(SLICE_BYTES_OF_ATTEMPT * encoder.attempts.len());
            let taken = self.take(&mut encoder, slice);
            rest = rest.saturating_sub(taken.arrivals.size().max(1));
            let is_last = taken.is_last;
            let output = Arc::clone(self);
            // Nothing that was taken is lost if nobody waits for it any more.
            let encode = move |compressor: &mut Compressor| {
                let _turn = turn;
                let batch = output.encode(&mut encoder, taken, compressor);
                output.hand_over(batch);
                encoder
            };
            let Some(returned) = self.sink.in_bulk.run(encode).await else { return };
            encoder = returned;
            if is_last {
                return;
            }
            self.enqueue();
        }
    }

    /// Takes the oldest of what waits, about `bytes` of it.
    fn take(&self, encoder: &mut Encoder, bytes: usize) -> Taken {
        let mut waiting = self.lock();
        let arrivals = waiting.arrivals.take_oldest(bytes);
        let is_last = waiting.arrivals.is_empty();
        let mut ended = Vec::new();
        if is_last {
            waiting.due = None;
            ended = std::mem::take(&mut waiting.ended);
        }
        let begun = std::mem::take(&mut waiting.begun);
        if waiting.is_dropping && self.pending.output().size() <= LANE_BYTES_MAX {
            // The store has taken something.
            waiting.is_dropping = self.is_failing();
        }
        drop(waiting);
        self.sink.waiting.fetch_sub(arrivals.size(), Ordering::Relaxed);
        self.room.notify_waiters();
        let begun = begun.into_iter().map(|(source, budget)| (source, AttemptChunks::new(budget)));
        encoder.attempts.extend(begun);
        Taken { arrivals, ended, is_last }
    }

    fn encode(
        &self,
        encoder: &mut Encoder,
        taken: Taken,
        compressor: &mut Compressor,
    ) -> OutputBatch {
        let Taken { arrivals, ended, .. } = taken;
        let (chunks, bytes) = match arrivals.is_empty() {
            true => (Vec::new(), 0),
            false => encoder.encode(&arrivals, compressor),
        };
        // Also where everything was stored before: its last chunk takes memory.
        for source in ended {
            if let Some(mut attempt) = encoder.attempts.remove(&source) {
                attempt.close(&self.sink);
            }
        }
        OutputBatch { chunks, bytes, is_resumed: self.is_resumed }
    }

    fn hand_over(&self, batch: OutputBatch) {
        if !batch.chunks.is_empty() {
            let dropped = self.pending.output().push(batch);
            self.sink.dropped.fetch_add(dropped, Ordering::Relaxed);
        }
    }

    /// Has the writer store what was handed to it, though no change of the execution comes.
    pub(crate) fn enqueue(&self) {
        if self.pending.output().waiting() > 0 {
            self.writer.enqueue_output(&self.pending);
        }
    }
}

/// Takes what one attempt prints.
pub(crate) struct AttemptOutput<'a> {
    execution: Arc<ExecutionOutput>,
    source: Source,
    /// `None`: no chunk of it is kept.
    budget: Option<AttemptBudget>,
    own: Counts,
    stdout: Tail,
    stderr: Tail,
    due: Option<Instant>,
    listener: Option<Listener<'a>>,
}

/// The ends of what an attempt printed.
pub(crate) struct Ends {
    /// All of its standard output, if that is asked for.
    pub(crate) whole: Whole,
    pub(crate) stdout: Captured,
    pub(crate) stderr: Captured,
}

impl<'a> AttemptOutput<'a> {
    /// `limit` is how much of it is kept, bytes, if the step or its workflow says it.
    pub(crate) fn new(
        execution: &Arc<ExecutionOutput>,
        source: Source,
        limit: Option<u64>,
        listener: Option<Listener<'a>>,
    ) -> Self {
        Self {
            execution: Arc::clone(execution),
            source,
            budget: AttemptBudget::of(limit.unwrap_or(execution.sink.limit)),
            own: Counts::default(),
            stdout: Tail::default(),
            stderr: Tail::default(),
            due: None,
            listener,
        }
    }

    /// Takes what was printed next.
    pub(crate) fn take(&mut self, stream: Stream, bytes: &[u8]) {
        if let Some(listener) = self.listener {
            listener(stream, bytes);
        }
        match stream {
            Stream::Stdout => self.stdout.push(bytes),
            Stream::Stderr => self.stderr.push(bytes),
        }
        self.due = self.execution.push(self.source, stream, self.own, self.budget, bytes);
        self.own.add(stream, bytes.len() as u64);
    }

    /// Whether more may be read now.
    pub(crate) fn has_room(&self) -> bool {
        self.budget.is_none() || self.execution.has_room()
    }

    /// Does what is due while the step prints nothing, or has no room to: call it again when it ends.
    pub(crate) async fn tend(&mut self) {
        let room = self.execution.room.notified();
        let due = self.due.map(time::Instant::from_std);
        if !self.has_room() {
            if self.execution.is_failing() {
                self.execution.drop_from_now_on();
                return;
            }
            tokio::select! {
                () = room => {}
                () = time::sleep(STORE_PATIENCE) => self.execution.drop_from_now_on(),
            }
            return;
        }
        match due {
            None => std::future::pending().await,
            Some(due) => {
                time::sleep_until(due).await;
                self.due = None;
                self.execution.store_if_due();
            }
        }
    }

    /// Hands everything to the writer that this execution has printed so far, before the end of the
    /// attempt is recorded.
    pub(crate) async fn finish(self, wants_whole: bool) -> Ends {
        if self.budget.is_some() && self.own.total() > 0 {
            self.execution.lock().ended.push(self.source);
            // The change that records the end takes it along.
            self.execution.store_now().await;
        }
        let whole = if wants_whole { self.stdout.whole() } else { Whole::default() };
        Ends { whole, stdout: self.stdout.finish(), stderr: self.stderr.finish() }
    }
}
