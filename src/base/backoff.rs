//! How long to wait before a step is retried: exponential backoff with jitter, so that steps that
//! failed together are not retried together.

use std::time::Duration;

use super::period::Period;

/// How often a step is tried, and how long to wait between the attempts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Retry {
    /// At least 1; 1 means no retry.
    pub max_attempts: u32,
    /// The wait after the first failed attempt, doubled after each further one.
    pub backoff: Period,
    /// The longest wait.
    pub max_backoff: Period,
}

impl Default for Retry {
    fn default() -> Self {
        Self {
            max_attempts: 1,
            backoff: Period::new(std::time::Duration::from_secs(1)),
            max_backoff: Period::new(std::time::Duration::from_secs(60)),
        }
    }
}

/// The wait after `failed_attempts` (at least 1) failed attempts: `backoff`
/// doubled for each attempt after the first, at most `max_backoff`, of which
/// `jitter` (0 to 1, evenly drawn) decides the upper half ("equal jitter",
/// <https://aws.amazon.com/blogs/architecture/exponential-backoff-and-jitter/>).
#[must_use]
pub(crate) fn wait(retry: &Retry, failed_attempts: u32, jitter: f64) -> Duration {
    let doublings = failed_attempts.saturating_sub(1).min(31);
    let whole =
        retry.backoff.duration().saturating_mul(1 << doublings).min(retry.max_backoff.duration());
    let half = whole / 2;
    half + half.mul_f64(jitter.clamp(0.0, 1.0))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::period::Period;

    fn retry(backoff_ms: u64, max_ms: u64) -> Retry {
        Retry {
            max_attempts: 10,
            backoff: Period::new(Duration::from_millis(backoff_ms)),
            max_backoff: Period::new(Duration::from_millis(max_ms)),
        }
    }

    #[test]
    fn doubles_up_to_the_longest_wait() {
        let retry = retry(100, 1_000);
        let whole: Vec<u128> = (1..=6).map(|n| wait(&retry, n, 1.0).as_millis()).collect();
        assert_eq!(whole, [100, 200, 400, 800, 1_000, 1_000]);
    }

    #[test]
    fn jitter_takes_at_most_half() {
        let retry = retry(100, 1_000);
        assert_eq!(wait(&retry, 1, 0.0).as_millis(), 50);
        assert_eq!(wait(&retry, 3, 0.5).as_millis(), 300);
    }

    #[test]
    fn many_attempts_do_not_overflow() {
        let retry = retry(u64::MAX / 4, u64::MAX / 2);
        assert!(wait(&retry, u32::MAX, 1.0) > Duration::ZERO);
        assert_eq!(
            wait(&super::Retry { backoff: Period::default(), ..retry }, 9, 1.0),
            Duration::ZERO
        );
    }
}
