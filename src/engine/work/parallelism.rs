//! How many steps run at a time, over all executions of this process.
//!
//! A place is taken before the start of an attempt is recorded, so that what waits for one is
//! pending: whoever resumes the execution finds that it has not begun. Places are given in the
//! order in which they were asked for.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::base::clock;

/// Before an attempt is made again that could not begin.
const WAIT_FIRST: Duration = Duration::from_millis(10);
const WAIT_LAST: Duration = Duration::from_secs(1);
/// Between two reports that attempts cannot begin.
const REPORT_EVERY: Duration = Duration::from_secs(10);

/// The places of a process.
#[derive(Debug)]
pub struct Parallelism {
    max: usize,
    free: Arc<Semaphore>,
    waiting: AtomicU64,
    postponed: AtomicU64,
    reported: Mutex<Option<Instant>>,
}

/// A step that may run.
#[derive(Debug)]
pub struct Permit {
    _permit: OwnedSemaphorePermit,
}

impl Parallelism {
    /// So many, at least one.
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

    /// A place, if one is free that nobody waits for.
    #[must_use]
    pub fn try_take(&self) -> Option<Permit> {
        let permit = Arc::clone(&self.free).try_acquire_owned().ok()?;
        Some(Permit { _permit: permit })
    }

    /// Waits for a place; `None` never comes, since places are not closed.
    pub async fn take(&self) -> Option<Permit> {
        let _waiting = Waiting::new(&self.waiting);
        let permit = Arc::clone(&self.free).acquire_owned().await.ok()?;
        Some(Permit { _permit: permit })
    }

    /// An attempt could not begin; whether that is to be reported, which is so now and then.
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

    /// How many steps wait for a place now.
    #[must_use]
    pub fn waiting(&self) -> u64 {
        self.waiting.load(Ordering::Relaxed)
    }

    /// How many attempts could not begin so far, and were put off.
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

/// How long an attempt waits that could not begin, after so long a wait before. `jitter` is drawn
/// from 0 to 1.
#[must_use]
pub fn wait_after(before: Option<Duration>, jitter: f64) -> Duration {
    let full = before.map_or(WAIT_FIRST, |before| before * 2).min(WAIT_LAST);
    // Those that failed together do not try again together.
    full.mul_f64(jitter.mul_add(0.5, 0.5)).max(WAIT_FIRST / 2)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn places_are_given_in_the_order_in_which_they_were_asked_for() {
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
        // Nobody who comes later is faster than who waits.
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
