//! Counters of what is counted elsewhere.

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

    /// The count is so much now. Two that ask at once do not both add.
    pub(super) fn reach(&self, count: u64) {
        let mut reported = self.reported.lock().unwrap_or_else(PoisonError::into_inner);
        self.counter.inc_by(count.saturating_sub(*reported));
        *reported = count.max(*reported);
    }
}
