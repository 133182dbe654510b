//! The only reader of system time. Everything else takes time as an argument.

use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use crate::timestamp::Timestamp;

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

/// How long ago the machine booted, with the time that it was suspended: what `/proc` counts the
/// start of processes from. Zero where the system does not say.
#[must_use]
pub fn since_boot() -> Duration {
    #[cfg(target_os = "linux")]
    {
        let time = rustix::time::clock_gettime(rustix::time::ClockId::Boottime);
        let nanoseconds = u32::try_from(time.tv_nsec).unwrap_or(0);
        Duration::new(u64::try_from(time.tv_sec).unwrap_or(0), nanoseconds)
    }
    #[cfg(not(target_os = "linux"))]
    Duration::ZERO
}

/// The monotonic clock now: for durations, never for dates.
#[must_use]
#[expect(clippy::disallowed_methods, reason = "the one place that reads it")]
pub fn monotonic() -> Instant {
    Instant::now()
}
