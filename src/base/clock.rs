//! The only reader of system time. Everything else takes time as an argument.

use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use super::timestamp::Timestamp;

/// The wall clock now.
#[must_use]
#[expect(clippy::disallowed_methods, reason = "the one place that reads it")]
pub fn now() -> Timestamp {
    let micros = match SystemTime::now().duration_since(UNIX_EPOCH) {
        Ok(since) => i64::try_from(since.as_micros()).unwrap_or(i64::MAX),
        Err(before) => i64::try_from(before.duration().as_micros()).map_or(i64::MIN, |m| -m),
    };
    Timestamp::from_micros(micros)
}

/// The monotonic clock now: for durations, never for dates.
#[must_use]
#[expect(clippy::disallowed_methods, reason = "the one place that reads it")]
pub fn monotonic() -> Instant {
    Instant::now()
}

/// How long ago the machine booted, with the time that it was suspended: what `/proc` counts the
/// start of processes from. For a time of day later, after the wall clock was read once.
#[must_use]
pub fn since_boot() -> Duration {
    #[cfg(target_os = "linux")]
    let clock = rustix::time::ClockId::Boottime;
    #[cfg(not(target_os = "linux"))]
    let clock = rustix::time::ClockId::Monotonic;
    let now = rustix::time::clock_gettime(clock);
    let seconds = Duration::from_secs(u64::try_from(now.tv_sec).unwrap_or(0));
    seconds + Duration::from_nanos(u64::try_from(now.tv_nsec).unwrap_or(0))
}

/// The time of day as one execution counts it: from the wall clock when it began, by the
/// monotonic clock from then on. When the wall clock is set, durations stay what they are.
#[derive(Debug, Clone, Copy)]
pub struct Timeline {
    begin: Timestamp,
    begun: Duration,
}

impl Timeline {
    /// Begins now, or at `earliest` if the wall clock has not come to that.
    #[must_use]
    pub fn begin(earliest: Option<Timestamp>) -> Self {
        let now = now();
        let begin = earliest.map_or(now, |earliest| earliest.max(now));
        Self { begin, begun: since_boot() }
    }

    /// Now.
    #[must_use]
    pub fn now(&self) -> Timestamp {
        self.begin.plus(since_boot().saturating_sub(self.begun))
    }
}
