//! How those who wait for commits hear of them.
//!
//! Whoever wakes tasks of a runtime of several threads from outside wakes two threads for a
//! task: one that runs it, and by it another one to look for more. So the writer leaves what it
//! has to tell to a task of the runtime, and wakes that by a pipe which the runtime watches with
//! its sockets. Where there is no such task, the writer tells it itself.

use std::convert::Infallible;
use std::io::ErrorKind;
use std::mem;
use std::os::fd::OwnedFd;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use rustix::io::Errno;
use rustix::pipe::{PipeFlags, pipe_with};
use tokio::net::unix::pipe::Receiver;

use super::error::StoreError;
use super::slot::Slot;

/// What a commit holds of an execution.
#[derive(Debug)]
pub(super) struct Commit {
    pub(super) slot: Arc<Slot>,
    pub(super) version: u64,
    pub(super) seq: i64,
}

impl Commit {
    fn tell(self) {
        self.slot.tell(self.version, self.seq);
    }
}

/// Between the writer's thread and the task that tells.
#[derive(Debug, Default)]
pub(super) struct Delivery(Mutex<State>);

#[derive(Debug, Default)]
struct State {
    /// Told by nobody yet.
    commits: Vec<Commit>,
    /// What wakes the task, while there is one.
    signal: Option<Arc<OwnedFd>>,
}

impl Delivery {
    /// Tells of commits, or has them told.
    pub(super) fn hand_over(&self, mut commits: Vec<Commit>) {
        let mut state = self.lock();
        let Some(signal) = state.signal.clone() else {
            drop(state);
            commits.into_iter().for_each(Commit::tell);
            return;
        };
        let is_awake = !state.commits.is_empty();
        state.commits.append(&mut commits);
        drop(state);
        if is_awake {
            return;
        }
        match rustix::io::write(&*signal, &[0]) {
            // Full: it is woken already.
            Ok(_) | Err(Errno::AGAIN) => {}
            Err(_) => self.tell(),
        }
    }

    /// Tells of what is handed over, for as long as it is polled.
    ///
    /// # Errors
    /// When there is no descriptor left to be woken by; then the writer tells itself.
    pub(super) async fn serve(self: Arc<Self>) -> Result<Infallible, StoreError> {
        let failed = |error: std::io::Error| StoreError::io("watch for commits", &error);
        let (woken, signal) = pipe_with(PipeFlags::CLOEXEC | PipeFlags::NONBLOCK)
            .map_err(|error| failed(error.into()))?;
        let woken = Receiver::from_owned_fd(woken).map_err(failed)?;
        self.lock().signal = Some(Arc::new(signal));
        let serving = Serving(self);
        loop {
            woken.readable().await.map_err(failed)?;
            // Before the look: what comes after it wakes again.
            match woken.try_read(&mut [0; 64]) {
                Ok(0) => return Err(failed(ErrorKind::UnexpectedEof.into())),
                Ok(_) => serving.0.tell(),
                Err(error) if error.kind() == ErrorKind::WouldBlock => {}
                Err(error) => return Err(failed(error)),
            }
        }
    }

    fn tell(&self) {
        let commits = mem::take(&mut self.lock().commits);
        commits.into_iter().for_each(Commit::tell);
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        // Each change is complete before anything can panic.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// While it lives, commits are handed over.
struct Serving(Arc<Delivery>);

impl Drop for Serving {
    fn drop(&mut self) {
        self.0.lock().signal = None;
        self.0.tell();
    }
}
