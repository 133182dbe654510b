//! Whether the thread of the [writer](super::writer) hangs.

use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use crate::base::clock;

/// What takes so long may as well never end.
const STALL: Duration = Duration::from_secs(1);

/// Since when the thread is at work on one thing: a disk that hangs fails nothing.
#[derive(Debug, Default)]
pub(crate) struct AtWork(Mutex<Option<Instant>>);

impl AtWork {
    /// It begins with something.
    pub(crate) fn begin(&self) {
        self.set(Some(clock::monotonic()));
    }

    /// It waits for something to do.
    pub(crate) fn rest(&self) {
        self.set(None);
    }

    fn set(&self, since: Option<Instant>) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = since;
    }

    /// Whether that is longer than anything takes that works.
    pub(crate) fn is_stalled(&self) -> bool {
        let since = *self.0.lock().unwrap_or_else(PoisonError::into_inner);
        since.is_some_and(|since| since.elapsed() >= STALL)
    }
}
