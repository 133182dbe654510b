//! Dates of a server whose wall clock may be set while it runs: the engine counts monotonic time,
//! and what is written follows the wall clock.

use crate::base::timestamp::Timestamp;

/// A difference above this is a clock that was set (or a machine that slept), not the delay between
/// two readings. Adjustments by slewing change both clocks alike.
const STEP_MIN_US: u64 = 250_000;
/// A reading that took longer is too imprecise.
const READING_MAX_US: u64 = 10_000;

/// How far the wall clock is from where it was at the start, but for the time that passed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Wall {
    step_us: i64,
}

/// One moment on both clocks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Stamp {
    /// The wall clock, microseconds since the Unix epoch.
    pub wall_us: u64,
    /// By how many microseconds the wall clock was set since the start, all steps together. The
    /// wall clock minus this never decreases.
    pub clock_step_us: i64,
}

/// The wall clock, read between two moments of the monotonic one.
#[derive(Debug, Clone, Copy)]
pub(super) struct Reading {
    pub(super) before_us: u64,
    pub(super) wall: Timestamp,
    pub(super) after_us: u64,
}

impl Reading {
    fn took_us(self) -> u64 {
        self.after_us.saturating_sub(self.before_us)
    }

    pub(super) fn is_exact(self) -> bool {
        self.took_us() <= READING_MAX_US
    }
}

impl Wall {
    /// Returns by how many microseconds the clock was set since the last reading, if it was. An
    /// imprecise reading is ignored.
    pub(super) fn observe(&mut self, reading: Reading) -> Option<i64> {
        if !reading.is_exact() {
            return None;
        }
        let read_us = signed(reading.before_us.saturating_add(reading.took_us() / 2));
        let step_us = reading.wall.as_micros().saturating_sub(read_us);
        let change_us = step_us.saturating_sub(self.step_us);
        if change_us.unsigned_abs() <= STEP_MIN_US {
            return None;
        }
        self.step_us = step_us;
        Some(change_us)
    }

    /// A moment of the monotonic clock as it is logged.
    pub(super) fn stamp(self, t_us: u64) -> Stamp {
        Stamp { wall_us: t_us.saturating_add_signed(self.step_us), clock_step_us: self.step_us }
    }

    /// The date of a moment of the monotonic clock, by the wall clock as it is set now.
    pub(super) fn date(self, t_us: u64) -> Timestamp {
        Timestamp::from_micros(signed(self.stamp(t_us).wall_us))
    }

    /// The moment of a date, by the wall clock as it is set now.
    pub(super) fn moment(self, date: Timestamp) -> u64 {
        u64::try_from(date.as_micros().saturating_sub(self.step_us)).unwrap_or(0)
    }
}

fn signed(us: u64) -> i64 {
    i64::try_from(us).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOUR_US: i64 = 3_600_000_000;
    const START_US: u64 = 1_700_000_000_000_000;

    fn at(us: i64) -> Timestamp {
        Timestamp::from_micros(signed(START_US) + us)
    }

    fn observe(wall: &mut Wall, before_us: u64, date: Timestamp, after_us: u64) -> Option<i64> {
        wall.observe(Reading { before_us, wall: date, after_us })
    }

    #[test]
    fn dates_follow_a_clock_that_is_set_and_moments_do_not() {
        let mut wall = Wall::default();
        assert_eq!(observe(&mut wall, START_US, at(40), START_US + 80), None);
        assert_eq!(wall.date(START_US), at(0));
        for (passed, step) in [(10, HOUR_US), (20, HOUR_US + 300_000), (30, -2 * HOUR_US), (40, 0)]
        {
            let before = wall;
            let now = START_US + passed;
            let changed = observe(&mut wall, now, at(signed(passed) + step), now).unwrap();
            assert_eq!(before.step_us + changed, step);
            assert_eq!(wall.date(now), at(signed(passed) + step));
            let Stamp { wall_us, clock_step_us } = wall.stamp(now);
            assert_eq!(wall_us.checked_add_signed(-clock_step_us), Some(now));
            assert_eq!(wall.moment(wall.date(now)), now);
            assert_eq!(observe(&mut wall, now + 5, at(signed(passed) + 5 + step), now + 5), None);
        }
    }

    #[test]
    fn neither_small_differences_nor_slow_readings_are_steps() {
        let mut wall = Wall::default();
        for difference in [-250_000, -1, 0, 1, 250_000] {
            assert_eq!(observe(&mut wall, START_US, at(difference), START_US), None);
        }
        assert_eq!(observe(&mut wall, START_US, at(HOUR_US), START_US + READING_MAX_US + 1), None);
        assert_eq!(wall.stamp(7), Stamp { wall_us: 7, clock_step_us: 0 });
        // Small ones do not add up unseen.
        assert_eq!(observe(&mut wall, START_US, at(250_001), START_US), Some(250_001));
    }

    #[test]
    fn a_clock_before_1970_is_held_at_its_begin() {
        let mut wall = Wall::default();
        assert!(observe(&mut wall, 5, Timestamp::from_micros(-HOUR_US), 5).is_some());
        assert_eq!(wall.date(5), Timestamp::from_micros(0));
    }
}
