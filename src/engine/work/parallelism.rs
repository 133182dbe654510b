//! How many steps run at a time, over all executions of this process.
//!
//! A permit is acquired before the start of an attempt is recorded, so that a step that waits for
//! one is pending: if the process dies, the resumed execution finds that the step has not begun.
//! Permits are granted in the order of the requests.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::base::clock;

/// The wait before an attempt that could not begin is tried again.
const WAIT_FIRST: Duration = Duration::from_millis(10);
const WAIT_LAST: Duration = Duration::from_secs(1);
/// The interval between reports that attempts cannot begin.
const REPORT_EVERY: Duration = Duration::from_secs(10);

/// The permits of a process.
#[derive(Debug)]
pub struct Parallelism {
    max: usize,
    free: Arc<Semaphore>,
    waiting: AtomicU64,
    postponed: AtomicU64,
    reported: Mutex<Option<Instant>>,
}

/// The right of a step to run; returned when it is dropped.
#[derive(Debug)]
pub struct Permit {
    _permit: OwnedSemaphorePermit,
}

impl Parallelism {
    /// `max` permits, at least one.
    #[must_use]
    pub fn new(max: usize) -> Self {
        let max = max.clamp(1, Semaphore::MAX_PERMITS);
        Self {
            max,
            free: Arc::new(Semaphore::new(max)),
            waiting: AtomicU64::new(0),
            postponed: AtomicU64::new(0),
            reported: Mutex::default(),
        }
    }

    /// A permit, if one is free and no step waits for one.
    #[must_use]
    pub fn try_take(&self) -> Option<Permit> {
        let permit = Arc::clone(&self.free).try_acquire_owned().ok()?;
        Some(Permit { _permit: permit })
    }

    /// Waits for a permit. It never returns `None`, since the semaphore is never closed.
    pub async fn take(&self) -> Option<Permit> {
        let _waiting = Waiting::new(&self.waiting);
        let permit = Arc::clone(&self.free).acquire_owned().await.ok()?;
        Some(Permit { _permit: permit })
    }

    /// Counts an attempt that could not begin, and returns whether to report it: at most once in 10
    /// seconds.
    pub fn note_postponed(&self) -> bool {
        self.postponed.fetch_add(1, Ordering::Relaxed);
        let mut reported = self.reported.lock().unwrap_or_else(PoisonError::into_inner);
        let now = clock::monotonic();
        let is_due = reported.is_none_or(|at| now.saturating_duration_since(at) >= REPORT_EVERY);
        if is_due {
            *reported = Some(now);
        }
        is_due
    }

    /// How many steps run now.
    #[must_use]
    pub fn taken(&self) -> usize {
        self.max - self.free.available_permits()
    }

    /// How many steps wait for a permit now.
    #[must_use]
    pub fn waiting(&self) -> u64 {
        self.waiting.load(Ordering::Relaxed)
    }

    /// How many attempts were postponed so far.
    #[must_use]
    pub fn postponed(&self) -> u64 {
        self.postponed.load(Ordering::Relaxed)
    }
}

/// Counts one that waits.
struct Waiting<'p>(&'p AtomicU64);

impl<'p> Waiting<'p> {
    fn new(count: &'p AtomicU64) -> Self {
        count.fetch_add(1, Ordering::Relaxed);
        Self(count)
    }
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

/// How long an attempt that could not begin waits, after a last wait of `before`. `jitter` is from 0
/// to 1.
#[must_use]
pub(crate) fn wait_after(before: Option<Duration>, jitter: f64) -> Duration {
    let full = before.map_or(WAIT_FIRST, |before| before * 2).min(WAIT_LAST);
    // Attempts that failed together must not be tried again together.
    full.mul_f64(jitter.mul_add(0.5, 0.5)).max(WAIT_FIRST / 2)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn permits_are_granted_in_the_order_of_requests() {
        let parallelism = Arc::new(Parallelism::new(1));
        let held = parallelism.try_take().unwrap();
        assert!(parallelism.try_take().is_none());
        let mut first = Box::pin(parallelism.take());
        let mut second = Box::pin(parallelism.take());
        for waiting in [&mut first, &mut second] {
            assert!(tokio::time::timeout(Duration::ZERO, waiting).await.is_err());
        }
        assert_eq!((parallelism.taken(), parallelism.waiting()), (1, 2));
        drop(held);
        // A later request never overtakes a waiting one.
        assert!(parallelism.try_take().is_none());
        let held = first.await.unwrap();
        assert!(tokio::time::timeout(Duration::ZERO, &mut second).await.is_err());
        drop(held);
        second.await.unwrap();
        assert_eq!((parallelism.taken(), parallelism.waiting()), (0, 0));
    }

    #[test]
    fn waits_grow_to_a_second() {
        let mut wait = None;
        for _ in 0..20 {
            let next = wait_after(wait, 1.0);
            assert!(wait.is_none_or(|wait| wait <= next));
            wait = Some(next);
        }
        assert_eq!(wait, Some(WAIT_LAST));
        assert_eq!(wait_after(None, 0.0), WAIT_FIRST / 2);
        assert!(Parallelism::new(1).note_postponed());
    }
}
