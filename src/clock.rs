//! The only reader of system time. Everything else takes time as an argument.

use std::time::{Instant, SystemTime, UNIX_EPOCH};

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

/// The monotonic clock now: for durations, never for dates.
#[must_use]
#[expect(clippy::disallowed_methods, reason = "the one place that reads it")]
pub fn monotonic() -> Instant {
    Instant::now()
}
