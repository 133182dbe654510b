//! What waits for the writer: pending writes, bounded, and other requests.

use std::collections::VecDeque;
use std::sync::{Arc, PoisonError};
use std::time::Duration;

use super::pending_write::PendingWrite;
use super::sync::{Condvar, Mutex, MutexGuard};

/// The most pending writes that one transaction stores.
pub(crate) const BATCH_MAX: usize = 512;

/// Between those who record changes and the writer's thread.
#[derive(Debug)]
pub(crate) struct Queue<T> {
    capacity: usize,
    state: Mutex<State<T>>,
    /// Notified when the writer sleeps and something waits.
    wake: Condvar,
}

#[derive(Debug)]
struct State<T> {
    pending: VecDeque<Arc<PendingWrite>>,
    /// How often a pending write found no room.
    refusals: u64,
    tasks: VecDeque<T>,
    /// Those with output to be stored.
    outputs: VecDeque<Arc<PendingWrite>>,
    /// Output is left alone for a while.
    output_paused: bool,
    closed: bool,
    /// The writer waits for `wake`; waking it otherwise is a wasted system call.
    asleep: bool,
}

impl<T> State<T> {
    fn is_idle(&self) -> bool {
        let has_output = !self.outputs.is_empty() && !self.output_paused;
        self.pending.is_empty() && self.tasks.is_empty() && !has_output && !self.closed
    }
}

/// What the writer is to do next.
#[derive(Debug)]
pub(crate) struct Next<T> {
    pub(crate) pending: Vec<Arc<PendingWrite>>,
    pub(crate) task: Option<T>,
    /// Nothing will be added any more.
    pub(crate) closed: bool,
}

impl<T> Queue<T> {
    pub(crate) fn new(capacity: usize) -> Self {
        let state = State {
            pending: VecDeque::new(),
            refusals: 0,
            tasks: VecDeque::new(),
            outputs: VecDeque::new(),
            output_paused: false,
            closed: false,
            asleep: false,
        };
        Self { capacity, state: Mutex::new(state), wake: Condvar::new() }
    }

    /// Adds a pending write; `false` when there is no room for it or the queue is closed.
    pub(crate) fn push(&self, pending: &Arc<PendingWrite>) -> bool {
        let mut state = self.lock();
        if state.closed {
            return false;
        }
        // Marked under the queue's lock, so that nobody sees it as queued who then
        // is turned away.
        if !pending.mark_queued() {
            return true;
        }
        if state.pending.len() >= self.capacity {
            pending.unmark_queued();
            state.refusals += 1;
            return false;
        }
        state.pending.push_back(Arc::clone(pending));
        self.wake(state);
        true
    }

    /// Puts pending writes back to the front, in their order, whatever the capacity.
    pub(crate) fn put_back(&self, pending: impl DoubleEndedIterator<Item = Arc<PendingWrite>>) {
        let mut state = self.lock();
        for pending in pending.rev() {
            if pending.mark_queued() {
                state.pending.push_front(pending);
            }
        }
    }

    /// Adds a task; gives it back when the queue is closed.
    pub(crate) fn push_task(&self, task: T) -> Result<(), T> {
        let mut state = self.lock();
        if state.closed {
            return Err(task);
        }
        state.tasks.push_back(task);
        self.wake(state);
        Ok(())
    }

    /// Has the output of an execution stored.
    pub(crate) fn push_output(&self, pending: &Arc<PendingWrite>) {
        let mut state = self.lock();
        if pending.output().mark_queued() {
            state.outputs.push_back(Arc::clone(pending));
            self.wake(state);
        }
    }

    /// Takes the next execution with output.
    pub(crate) fn next_output(&self) -> Option<Arc<PendingWrite>> {
        let next = self.lock().outputs.pop_front()?;
        next.output().unmark_queued();
        Some(next)
    }

    /// Whether output waits that may be stored now.
    pub(crate) fn has_output(&self) -> bool {
        let state = self.lock();
        !state.outputs.is_empty() && (!state.output_paused || state.closed)
    }

    /// Leaves output alone, or no longer.
    pub(crate) fn pause_output(&self, is_paused: bool) {
        self.lock().output_paused = is_paused;
    }

    /// Takes what waits. Sleeps until there is something, `patience` at most.
    pub(crate) fn next(&self, patience: Duration) -> Next<T> {
        let mut state = self.lock();
        if state.is_idle() && !patience.is_zero() {
            state.asleep = true;
            let waited = self.wake.wait_timeout_while(state, patience, |state| state.is_idle());
            state = waited.unwrap_or_else(PoisonError::into_inner).0;
            state.asleep = false;
        }
        let count = state.pending.len().min(BATCH_MAX);
        Next {
            pending: state.pending.drain(..count).collect(),
            task: state.tasks.pop_front(),
            closed: state.closed,
        }
    }

    /// Waits until the queue is closed, `timeout` at most; whether it is.
    pub(crate) fn pause(&self, timeout: Duration) -> bool {
        let state = self.lock();
        let outcome = self.wake.wait_timeout_while(state, timeout, |state| !state.closed);
        outcome.unwrap_or_else(PoisonError::into_inner).0.closed
    }

    /// Lets nothing more in; what waits is still taken.
    pub(crate) fn close(&self) {
        self.lock().closed = true;
        self.wake.notify_all();
    }

    /// Whether nothing will be added any more.
    pub(crate) fn is_closed(&self) -> bool {
        self.lock().closed
    }

    /// Whether the writer has nothing to do.
    pub(crate) fn is_idle(&self) -> bool {
        self.lock().is_idle()
    }

    /// How many pending writes wait.
    pub(crate) fn len(&self) -> usize {
        self.lock().pending.len()
    }

    /// How often a pending write found no room.
    pub(crate) fn refusals(&self) -> u64 {
        self.lock().refusals
    }

    fn wake(&self, state: MutexGuard<'_, State<T>>) {
        let asleep = state.asleep;
        // First, or the writer would wake up only to wait for the lock.
        drop(state);
        if asleep {
            self.wake.notify_one();
        }
    }

    fn lock(&self) -> MutexGuard<'_, State<T>> {
        // Each change of the state is complete before anything can panic.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
