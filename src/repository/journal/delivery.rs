//! How waiters are notified of commits and of refusals.
//!
//! A thread that wakes a task of a runtime of several threads from outside may wake two threads: one
//! that runs the task, and by it another one to look for more. So the writer leaves its
//! notifications to a task of the runtime, and wakes that by a pipe which the runtime watches with
//! its sockets. Where there is no such task, the writer notifies the waiters itself.

use std::convert::Infallible;
use std::io::ErrorKind;
use std::mem;
use std::os::fd::OwnedFd;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use rustix::io::Errno;
use rustix::pipe::{PipeFlags, pipe_with};
use tokio::net::unix::pipe::Receiver;

use super::pending_write::PendingWrite;
use crate::repository::error::{StoreError, StoreErrorKind};
use crate::workflow::concurrency::WaitingFor;

/// What became of what the writer took from a pending write, not reported yet.
#[derive(Debug)]
pub(crate) struct Outcome {
    pending: Arc<PendingWrite>,
    news: News,
}

#[derive(Debug)]
enum News {
    /// The version up to which a commit holds everything, and the number it has there.
    Stored(u64, i64),
    /// The same, as one that waits.
    Waits(u64, i64, Arc<WaitingFor>),
    /// It has the slot that it waited for.
    Granted,
    Refused(StoreError),
}

impl Outcome {
    /// A commit holds it.
    pub(crate) fn committed(pending: Arc<PendingWrite>, version: u64, seq: i64) -> Self {
        pending.committed();
        Self { pending, news: News::Stored(version, seq) }
    }

    /// A commit holds it as one that waits.
    pub(crate) fn waits(
        pending: Arc<PendingWrite>,
        version: u64,
        seq: i64,
        on: Arc<WaitingFor>,
    ) -> Self {
        pending.committed();
        Self { pending, news: News::Waits(version, seq, on) }
    }

    /// A commit gives it its slot.
    pub(crate) fn granted(pending: Arc<PendingWrite>) -> Self {
        Self { pending, news: News::Granted }
    }

    /// No commit ever will.
    pub(crate) fn refused(pending: Arc<PendingWrite>, error: StoreError) -> Self {
        pending.given_up();
        Self { pending, news: News::Refused(error) }
    }

    /// Whether it contradicts what is stored: a start that finds no slot does not.
    fn is_refusal(&self) -> bool {
        matches!(&self.news, News::Refused(error) if error.kind() == StoreErrorKind::Refused)
    }

    fn notify(self) {
        match self.news {
            News::Stored(version, seq) => self.pending.acknowledge(version, seq),
            News::Waits(version, seq, on) => self.pending.waits(version, seq, on),
            News::Granted => self.pending.granted(),
            News::Refused(error) => self.pending.refused(Arc::new(error)),
        }
    }
}

/// Between the writer's thread and the task that notifies.
#[derive(Debug, Default)]
pub(crate) struct Delivery {
    state: Mutex<State>,
    /// Held by whoever notifies, so that all is reported in its order.
    notifying: Mutex<()>,
    /// How many changes the database refused for what it holds.
    refused: AtomicU64,
}

#[derive(Debug, Default)]
struct State {
    /// Not reported yet.
    outcomes: Vec<Outcome>,
    /// What wakes the task, while there is one.
    signal: Option<Arc<OwnedFd>>,
}

impl Delivery {
    /// Notifies the waiters of a batch, or has the task do it.
    pub(crate) fn hand_over(&self, mut outcomes: Vec<Outcome>) {
        let refused = outcomes.iter().filter(|outcome| outcome.is_refusal()).count();
        if refused > 0 {
            self.refused.fetch_add(refused as u64, Ordering::Relaxed);
        }
        let mut state = self.lock();
        let is_woken = !state.outcomes.is_empty();
        state.outcomes.append(&mut outcomes);
        let signal = state.signal.clone();
        drop(state);
        let Some(signal) = signal else { return self.notify() };
        if is_woken {
            return;
        }
        match rustix::io::write(&*signal, &[0]) {
            // Full: it is woken already.
            Ok(_) | Err(Errno::AGAIN) => {}
            Err(_) => self.notify(),
        }
    }

    /// How many changes the database refused so far for what it holds.
    pub(crate) fn refused(&self) -> u64 {
        self.refused.load(Ordering::Relaxed)
    }

    /// Reports everything that was handed over, before it returns.
    pub(crate) fn notify(&self) {
        let _notifying = self.notifying.lock().unwrap_or_else(PoisonError::into_inner);
        let outcomes = mem::take(&mut self.lock().outcomes);
        outcomes.into_iter().for_each(Outcome::notify);
    }

    /// Reports what is handed over, for as long as it is polled and nobody else begins with it.
    ///
    /// # Errors
    /// When its pipe fails, as when no descriptor is left.
    pub(crate) async fn serve(self: Arc<Self>) -> Result<Infallible, StoreError> {
        let failed = |error: std::io::Error| StoreError::io("watch for commits", &error);
        let (woken, signal) = pipe_with(PipeFlags::CLOEXEC | PipeFlags::NONBLOCK)
            .map_err(|error| failed(error.into()))?;
        let woken = Receiver::from_owned_fd(woken).map_err(failed)?;
        let signal = Arc::new(signal);
        self.lock().signal = Some(Arc::clone(&signal));
        let serving = Serving { delivery: self, signal };
        // What another task was woken for would wake nobody.
        serving.delivery.notify();
        loop {
            woken.readable().await.map_err(failed)?;
            // Before the look: what comes after it wakes again.
            match woken.try_read(&mut [0; 64]) {
                Ok(_) => serving.delivery.notify(),
                Err(error) if error.kind() == ErrorKind::WouldBlock => {}
                Err(error) => return Err(failed(error)),
            }
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        // Each change is complete before anything can panic.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// While it lives, its task is woken.
struct Serving {
    delivery: Arc<Delivery>,
    signal: Arc<OwnedFd>,
}

impl Drop for Serving {
    fn drop(&mut self) {
        let mut state = self.delivery.lock();
        // Another one may have come since.
        if state.signal.as_ref().is_some_and(|signal| Arc::ptr_eq(signal, &self.signal)) {
            state.signal = None;
        }
        drop(state);
        self.delivery.notify();
    }
}
