//! The only reader of system time. Everything else takes time as an argument.

use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use jiff::tz::TimeZone;

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

/// The time zone of this machine and user, from `TZ` or `/etc/localtime`; UTC where it is not known.
#[must_use]
pub(crate) fn zone() -> &'static TimeZone {
    static ZONE: OnceLock<TimeZone> = OnceLock::new();
    ZONE.get_or_init(|| TimeZone::try_system().unwrap_or(TimeZone::UTC))
}

/// The monotonic clock now: for durations, never for dates.
#[must_use]
#[expect(clippy::disallowed_methods, reason = "the one place that reads it")]
pub fn monotonic() -> Instant {
    Instant::now()
}

/// The time since the machine booted, including time in suspend: `/proc` counts the start of
/// processes from it. For the time of day later, after the wall clock was read once.
#[must_use]
pub(crate) fn since_boot() -> Duration {
    #[cfg(target_os = "linux")]
    let clock = rustix::time::ClockId::Boottime;
    #[cfg(not(target_os = "linux"))]
    let clock = rustix::time::ClockId::Monotonic;
    let now = rustix::time::clock_gettime(clock);
    let seconds = Duration::from_secs(u64::try_from(now.tv_sec).unwrap_or(0));
    seconds + Duration::from_nanos(u64::try_from(now.tv_nsec).unwrap_or(0))
}

/// The clock of a long-lived component: the current time, and the time since its epoch. Tests and
/// simulations set a manual one.
#[derive(Debug, Clone)]
pub struct Clock(Source);

#[derive(Debug, Clone)]
enum Source {
    System { epoch: Instant },
    Manual(Arc<Mutex<(Timestamp, Duration)>>),
}

impl Clock {
    /// The clocks of the system; its epoch is now.
    #[must_use]
    pub fn system() -> Self {
        Self(Source::System { epoch: monotonic() })
    }

    /// A manual clock: it stays at `now` until it is advanced.
    #[must_use]
    pub fn manual(now: Timestamp) -> Self {
        Self(Source::Manual(Arc::new(Mutex::new((now, Duration::ZERO)))))
    }

    /// Advances a manual clock, and with it every clone. System clocks advance by themselves.
    pub fn advance(&self, by: Duration) {
        if let Source::Manual(time) = &self.0 {
            let mut time = time.lock().unwrap_or_else(PoisonError::into_inner);
            *time = (time.0.plus(by), time.1 + by);
        }
    }

    /// The time of day.
    #[must_use]
    pub fn now(&self) -> Timestamp {
        match &self.0 {
            Source::System { .. } => now(),
            Source::Manual(time) => time.lock().unwrap_or_else(PoisonError::into_inner).0,
        }
    }

    /// How long since its epoch, monotonic.
    #[must_use]
    pub fn elapsed(&self) -> Duration {
        match &self.0 {
            Source::System { epoch } => epoch.elapsed(),
            Source::Manual(time) => time.lock().unwrap_or_else(PoisonError::into_inner).1,
        }
    }

    /// How long until `moment` after its epoch; zero once that has passed.
    #[must_use]
    pub fn until(&self, moment: Duration) -> Duration {
        moment.saturating_sub(self.elapsed())
    }

    /// As [`Self::elapsed`], with the time that the machine was suspended.
    fn since_boot(&self) -> Duration {
        match &self.0 {
            Source::System { .. } => since_boot(),
            Source::Manual(_) => self.elapsed(),
        }
    }
}

/// The time of day of one execution: the wall clock at its beginning plus a monotonic clock.
/// Durations stay correct when the wall clock is set.
#[derive(Debug, Clone)]
pub(crate) struct Timeline {
    clock: Clock,
    begin: Timestamp,
    begun: Duration,
}

impl Timeline {
    /// Begins now, or at `earliest` if the wall clock has not reached that.
    #[must_use]
    pub(crate) fn begin(clock: &Clock, earliest: Option<Timestamp>) -> Self {
        let now = clock.now();
        let begin = earliest.map_or(now, |earliest| earliest.max(now));
        Self { clock: clock.clone(), begin, begun: clock.since_boot() }
    }

    #[must_use]
    pub(crate) fn now(&self) -> Timestamp {
        self.begin.plus(self.clock.since_boot().saturating_sub(self.begun))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_manual_clock_moves_by_hand_and_with_it_what_counts_from_it() {
        let start = Timestamp::from_micros(1_000_000);
        let clock = Clock::manual(start);
        let timeline = Timeline::begin(&clock, Some(start.plus(Duration::from_secs(9))));
        clock.clone().advance(Duration::from_secs(2));
        assert_eq!(clock.now(), start.plus(Duration::from_secs(2)));
        assert_eq!(clock.elapsed(), Duration::from_secs(2));
        assert_eq!(clock.until(Duration::from_secs(5)), Duration::from_secs(3));
        assert_eq!(clock.until(Duration::from_secs(1)), Duration::ZERO);
        assert_eq!(timeline.now(), start.plus(Duration::from_secs(11)));
    }
}
