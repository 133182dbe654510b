//! Counters that mirror a count held elsewhere.

use std::sync::{Mutex, PoisonError};

use prometheus::IntCounter;

/// A counter that follows a count which only grows.
pub(super) struct Total {
    counter: IntCounter,
    reported: Mutex<u64>,
}

impl Total {
    pub(super) fn of(counter: IntCounter) -> Self {
        Self { counter, reported: Mutex::default() }
    }

    /// Sets the current count. Concurrent callers never add the same difference twice.
    pub(super) fn reach(&self, count: u64) {
        let mut reported = self.reported.lock().unwrap_or_else(PoisonError::into_inner);
        self.counter.inc_by(count.saturating_sub(*reported));
        *reported = count.max(*reported);
    }
}
