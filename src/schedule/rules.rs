//! A schedule with its rules, and those of the workflow that it belongs to.

use std::time::Duration;

use jiff::civil::Date;
use jiff::tz::TimeZone;
use ring::digest;

use super::blackout::{Blackout, Blackouts};
use super::expression::Combination;
use super::timing::{Times, Timing};
use crate::base::period::Period;
use crate::base::timestamp::Timestamp;

/// The `start_deadline` of a schedule that sets none.
pub(crate) const START_DEADLINE: Duration = Duration::from_secs(60);

/// One item of the `schedule` of a workflow.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Schedule {
    /// Unique in the workflow.
    pub name: String,
    /// Whether the workflow says the name.
    pub is_named: bool,
    /// When it is due.
    pub timing: Timing,
    /// Whose clocks count.
    pub zone: TimeZone,
    /// Whether the workflow says the zone.
    pub has_zone: bool,
    /// The newest due time that is not older than this starts late; `None`: [`START_DEADLINE`].
    pub start_deadline: Option<Period>,
    /// What of older times is made up for.
    pub catch_up: CatchUp,
    /// Only times newer than this are; `None`: all.
    pub catch_up_window: Option<Period>,
    /// Starts are later by a share of this, the same for each time.
    pub jitter: Option<Period>,
    /// The first instant that counts.
    pub from: Option<Bound>,
    /// The first instant that does not count any more; as a date, the last day.
    pub until: Option<Bound>,
}

/// A limit that is a date or an instant.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Bound {
    /// In the zone of the schedule.
    Date(Date),
    /// Wherever.
    Time(Timestamp),
}

/// What is made up for of times at which nothing could be started.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) enum CatchUp {
    /// Nothing.
    #[default]
    None,
    /// The newest of them.
    Last,
    /// All of them, oldest first, one after the other.
    All,
}

impl CatchUp {
    /// All of them.
    pub(crate) const ALL: [Self; 3] = [Self::None, Self::Last, Self::All];

    /// The word in documents.
    #[must_use]
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Last => "last",
            Self::All => "all",
        }
    }
}

/// What a scheduled start does while an execution of the workflow has not ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) enum Overlap {
    /// Nothing is started.
    #[default]
    Skip,
    /// The newest time waits for its end.
    QueueLatest,
    /// It is started beside it.
    Allow,
    /// The other is cancelled.
    Replace,
}

impl Overlap {
    /// All of them.
    pub(crate) const ALL: [Self; 4] = [Self::Skip, Self::QueueLatest, Self::Allow, Self::Replace];

    /// The word in documents.
    #[must_use]
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Skip => "skip",
            Self::QueueLatest => "queue_latest",
            Self::Allow => "allow",
            Self::Replace => "replace",
        }
    }
}

/// What a workflow says about its scheduled starts as a whole.
#[derive(Debug, Clone, PartialEq, Default)]
pub(crate) struct Rules {
    /// Its schedules.
    pub schedules: Vec<Schedule>,
    /// What they do while it runs.
    pub overlap: Overlap,
    /// When they do nothing.
    pub blackouts: Vec<Blackout>,
}

impl Rules {
    /// The same with one of the schedules alone.
    #[must_use]
    pub(crate) fn only(&self, schedule: &Schedule) -> Self {
        let (overlap, blackouts) = (self.overlap, self.blackouts.clone());
        Self { schedules: vec![schedule.clone()], overlap, blackouts }
    }

    /// Whether a blackout covers an instant.
    #[must_use]
    pub(crate) fn is_in_blackout(&self, at: Timestamp) -> bool {
        Blackouts::new(&self.blackouts).cover(at).is_some()
    }
}

impl Schedule {
    /// The instants strictly after `after` that its limits leave.
    #[must_use]
    pub(crate) fn after(&self, after: Timestamp) -> Due {
        let from = self.from.map(|from| match from {
            Bound::Time(at) => at,
            Bound::Date(date) => start_of(date, &self.zone),
        });
        let after = from.map_or(after, |from| after.max(from.minus(Duration::from_micros(1))));
        let until = self.until.map(|until| match until {
            Bound::Time(at) => at,
            Bound::Date(date) => start_of(date.tomorrow().unwrap_or(date), &self.zone),
        });
        Due { instants: self.timing.after(&self.zone, after), until }
    }

    /// How much later than its scheduled times it starts: a share of `jitter`, at most half of the
    /// shortest time between two, by the first 8 bytes of the SHA-256 of the database's identity, the
    /// workflow and the schedule. It does not change between processes and versions.
    #[must_use]
    pub(crate) fn offset(&self, database: &str, workflow_id: &str) -> Duration {
        let Some(jitter) = self.jitter else { return Duration::ZERO };
        let half = self.timing.shortest_distance().map(|distance| distance / 2);
        let jitter = half.map_or(jitter.duration(), |half| half.min(jitter.duration()));
        let Ok(millis @ 1..) = u64::try_from(jitter.as_millis()) else { return Duration::ZERO };
        let text = [database, workflow_id, &self.name].join("\0");
        let hash = digest::digest(&digest::SHA256, text.as_bytes());
        let hash = hash.as_ref().iter().take(8).fold(0, |hash, byte| hash << 8 | u64::from(*byte));
        Duration::from_millis(hash % millis)
    }

    /// Its expression and zone as a text. A schedule of which this changes has other times, and is a
    /// new one.
    #[must_use]
    pub(crate) fn timing_text(&self) -> String {
        let zone = self.zone_name();
        match &self.timing {
            Timing::Cron(expression) => {
                let days = match expression.combination() {
                    Combination::Either | Combination::Any => "any",
                    Combination::All => "all",
                };
                format!("cron {days} {} {zone}", expression.as_str())
            }
            Timing::Every { period, offset } => {
                format!("every {} {}", period.as_micros(), offset.as_micros())
            }
            Timing::At(at) => format!("at {at}"),
        }
    }

    /// The name of its zone.
    #[must_use]
    pub(crate) fn zone_name(&self) -> &str {
        self.zone.iana_name().unwrap_or("UTC")
    }
}

/// The first instant of a date.
fn start_of(date: Date, zone: &TimeZone) -> Timestamp {
    let start = date.to_zoned(zone.clone()).map(|zoned| zoned.timestamp().as_microsecond());
    // Only the last dates of the calendar have no beginning everywhere.
    Timestamp::from_micros(start.unwrap_or(i64::MAX))
}

/// Scheduled times, increasing.
#[derive(Debug, Clone)]
pub(crate) struct Due {
    instants: Times,
    until: Option<Timestamp>,
}

impl Iterator for Due {
    type Item = Timestamp;

    fn next(&mut self) -> Option<Timestamp> {
        self.instants.next().filter(|at| self.until.is_none_or(|until| *at < until))
    }
}
