//! When a schedule is due, whatever its rules.

use std::sync::Arc;
use std::time::Duration;

use jiff::tz::TimeZone;

use super::expression::Expression;
use super::occurrences::Occurrences;
use crate::base::timestamp::Timestamp;

/// The shortest `every`.
pub(crate) const EVERY_MIN: Duration = Duration::from_secs(1);
/// How many instants are looked at for the shortest distance between two.
const DISTANCES: usize = 1_000;

/// When it is due.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Timing {
    /// At the times of an expression.
    Cron(Arc<Expression>),
    /// At multiples of the period since the Unix epoch, plus an offset below the period.
    Every {
        /// At least [`EVERY_MIN`].
        period: Duration,
        /// Less than the period.
        offset: Duration,
    },
    /// Once.
    At(Timestamp),
}

impl Timing {
    /// The instants strictly after `after`, increasing.
    #[must_use]
    pub(crate) fn after(&self, zone: &TimeZone, after: Timestamp) -> Times {
        match self {
            Self::Cron(expression) => Times::Cron(Box::new(Occurrences::after(
                Arc::clone(expression),
                zone.clone(),
                after.as_micros().div_euclid(1_000_000),
            ))),
            Self::Every { period, offset } => {
                let micros = |duration: &Duration| i64::try_from(duration.as_micros());
                let period = micros(period).unwrap_or(i64::MAX).max(1);
                let offset = micros(offset).unwrap_or(0);
                let periods = (after.as_micros() - offset).div_euclid(period) + 1;
                Times::Every { next: periods.checked_mul(period).map(|at| at + offset), period }
            }
            Self::At(at) => Times::At(Some(*at).filter(|at| *at > after)),
        }
    }

    /// The shortest time between two instants; `None` for a single instant.
    #[must_use]
    pub(crate) fn shortest_distance(&self) -> Option<Duration> {
        match self {
            Self::Every { period, .. } => Some(*period),
            Self::At(_) => None,
            // Without changes of clocks, from a day on that any database of zones agrees on.
            Self::Cron(_) => {
                let start = Timestamp::from_micros(0);
                let instants: Vec<Timestamp> =
                    self.after(&TimeZone::UTC, start).take(DISTANCES).collect();
                instants.windows(2).map(|pair| pair[1].since(pair[0])).min()
            }
        }
    }
}

/// Times of a timing, increasing.
#[derive(Debug, Clone)]
pub(crate) enum Times {
    /// Those of an expression.
    Cron(Box<Occurrences>),
    /// In microseconds.
    Every {
        /// The next one.
        next: Option<i64>,
        /// Between two.
        period: i64,
    },
    /// At most one.
    At(Option<Timestamp>),
}

impl Iterator for Times {
    type Item = Timestamp;

    fn next(&mut self) -> Option<Timestamp> {
        match self {
            Self::Cron(occurrences) => {
                occurrences.next().map(|at| Timestamp::from_micros(at * 1_000_000))
            }
            Self::Every { next, period } => {
                let at = (*next)?;
                *next = at.checked_add(*period);
                Some(Timestamp::from_micros(at)).filter(|stamp| stamp.as_micros() == at)
            }
            Self::At(at) => at.take(),
        }
    }
}
