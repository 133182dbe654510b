//! Spans without scheduled starts.

use jiff::tz::TimeZone;

use super::timing::{Times, Timing};
use crate::base::period::Period;
use crate::base::timestamp::Timestamp;

/// How many spans that touch each other are followed to the end of the last one.
const ADJOINING_MAX: usize = 10_000;

/// An item of the `blackout` of a workflow.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Blackout {
    /// When.
    pub spans: Spans,
    /// What becomes of scheduled times in it.
    pub then: Then,
}

/// When no scheduled start happens.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Spans {
    /// From each time of an expression on, for a while.
    Repeated {
        /// When each begins.
        start: Timing,
        /// How long each lasts.
        length: Period,
        /// Whose clocks count.
        zone: TimeZone,
        /// Whether the workflow says the zone.
        has_zone: bool,
    },
    /// Once.
    Once {
        /// Its first instant.
        from: Timestamp,
        /// The first instant after it.
        to: Timestamp,
    },
}

/// What becomes of scheduled times in a blackout.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) enum Then {
    /// Nothing.
    #[default]
    Skip,
    /// The newest one starts at its end.
    Defer,
}

impl Then {
    /// All of them.
    pub(crate) const ALL: [Self; 2] = [Self::Skip, Self::Defer];

    /// The word in documents.
    #[must_use]
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Skip => "skip",
            Self::Defer => "defer",
        }
    }
}

/// What a blackout means for an instant within it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Covered {
    /// Nothing starts.
    Skip,
    /// It starts at this time; never, if no end is in sight.
    Defer(Option<Timestamp>),
}

/// The blackouts of a workflow, asked for instants that mostly increase.
#[derive(Debug, Clone)]
pub(super) struct Blackouts {
    list: Vec<Blackout>,
    cursors: Vec<Cursor>,
}

/// The spans of one blackout around the instant that was asked for last.
#[derive(Debug, Clone)]
struct Cursor {
    asked: Timestamp,
    starts: Times,
    next: Option<Timestamp>,
    /// The end of the span that began last.
    end: Option<Timestamp>,
}

impl Blackouts {
    pub(super) fn new(list: &[Blackout]) -> Self {
        Self { list: list.to_vec(), cursors: Vec::new() }
    }

    /// The end of the span of one blackout that covers an instant.
    fn end(&mut self, index: usize, at: Timestamp) -> Option<Timestamp> {
        let (start, length, zone) = match &self.list[index].spans {
            Spans::Once { from, to } => return (*from <= at && at < *to).then_some(*to),
            Spans::Repeated { start, length, zone, .. } => (start, length.duration(), zone),
        };
        if self.cursors.is_empty() {
            let cursors = self.list.iter().map(|_| Cursor {
                asked: Timestamp::from_micros(i64::MAX),
                starts: Times::At(None),
                next: None,
                end: None,
            });
            self.cursors = cursors.collect();
        }
        let cursor = &mut self.cursors[index];
        if at < cursor.asked {
            cursor.starts = start.after(zone, at.minus(length));
            cursor.next = cursor.starts.next();
            cursor.end = None;
        }
        cursor.asked = at;
        while let Some(next) = cursor.next.filter(|next| *next <= at) {
            cursor.end = Some(next.plus(length));
            cursor.next = cursor.starts.next();
        }
        cursor.end.filter(|end| at < *end)
    }

    /// Whether an instant is in one of them, and what follows. Where one skips, it is skipped.
    pub(super) fn cover(&mut self, at: Timestamp) -> Option<Covered> {
        let mut covered = None;
        for index in 0..self.list.len() {
            if self.end(index, at).is_some() {
                if self.list[index].then == Then::Skip {
                    return Some(Covered::Skip);
                }
                covered = Some(());
            }
        }
        covered.map(|()| Covered::Defer(self.end_of_all(at)))
    }

    /// The first instant from `at` on that none of them covers; none if no end is in sight.
    pub(super) fn end_of_all(&mut self, at: Timestamp) -> Option<Timestamp> {
        let mut end = at;
        for _ in 0..ADJOINING_MAX {
            let later = (0..self.list.len()).filter_map(|index| self.end(index, end)).max();
            match later {
                Some(later) if later > end => end = later,
                _ => return Some(end),
            }
        }
        None
    }
}

impl Blackout {
    /// Sets the zone if it needs one and none is written.
    pub(crate) fn set_zone(&mut self, other: &TimeZone) -> bool {
        match &mut self.spans {
            Spans::Repeated { zone, has_zone, .. } if !*has_zone => {
                *zone = other.clone();
                *has_zone = true;
                true
            }
            _ => false,
        }
    }
}

impl Spans {
    /// A span of at least this length repeats without end.
    #[must_use]
    pub(crate) fn has_no_end(&self) -> bool {
        let Self::Repeated { start, length, .. } = self else { return false };
        let first = Timestamp::from_micros(0);
        let starts: Vec<Timestamp> = start.after(&TimeZone::UTC, first).take(1_000).collect();
        let longest = starts.windows(2).map(|pair| pair[1].since(pair[0])).max();
        longest.is_some_and(|longest| longest <= length.duration()) && !length.duration().is_zero()
    }
}
