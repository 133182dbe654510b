//! The instants of an expression in a zone, one after the other, through every change of its clocks.
//!
//! An expression whose field of hours is not `*` names times of the day. Each local time happens
//! exactly once: times that the clocks skip become one instant at the end of the gap, and of a local
//! time that the clocks show twice, the first counts. With `*` for hours an expression counts elapsed
//! time: every instant at which the clocks show a matching time.

use std::sync::Arc;

use jiff::tz::TimeZone;

use super::calendar::DAY;
use super::expression::Expression;

/// Offsets differ by less than this, so that what the clocks showed longer ago says nothing about
/// which local times are new.
const LOOKBACK: i64 = 4 * DAY;

/// Times in seconds since the epoch, strictly increasing.
#[derive(Debug, Clone)]
pub(crate) struct Occurrences {
    expression: Arc<Expression>,
    zone: TimeZone,
    /// The least instant that may come next.
    from: i64,
    segment: Segment,
    /// Every local time before this one has happened, or was skipped and made up for.
    seen: i64,
}

/// A span in which the offset of a zone stays the same.
#[derive(Debug, Clone, Copy)]
struct Segment {
    start: i64,
    /// After its last second.
    end: i64,
    /// Local time less UTC, in seconds.
    offset: i64,
}

impl Segment {
    /// The segment that begins at `start`, or a later part of it.
    fn from(zone: &TimeZone, start: i64) -> Self {
        let offset = offset(zone, start);
        let end = changes_after(zone, start).find(|at| self::offset(zone, *at) != offset);
        Self { start, end: end.unwrap_or(i64::MAX), offset }
    }

    fn local_start(self) -> i64 {
        self.start.saturating_add(self.offset)
    }

    fn local_end(self) -> i64 {
        self.end.saturating_add(self.offset)
    }
}

/// The offset of a zone at an instant.
pub(super) fn offset(zone: &TimeZone, at: i64) -> i64 {
    zone.to_offset(instant(at)).seconds().into()
}

/// The instants after `at` at which the rules of a zone change, the offset or only its name.
pub(super) fn changes_after(zone: &TimeZone, at: i64) -> impl Iterator<Item = i64> {
    zone.following(instant(at)).map(|change| change.timestamp().as_second())
}

fn instant(at: i64) -> jiff::Timestamp {
    let range = jiff::Timestamp::MIN.as_second() + 1..=jiff::Timestamp::MAX.as_second() - 1;
    jiff::Timestamp::from_second(at.clamp(*range.start(), *range.end())).unwrap_or_default()
}

impl Occurrences {
    /// Those strictly after an instant.
    pub(super) fn after(expression: Arc<Expression>, zone: TimeZone, after: i64) -> Self {
        let from = after.saturating_add(1);
        let mut segment = Segment::from(&zone, from.saturating_sub(LOOKBACK));
        let mut seen = segment.local_start();
        while segment.end <= from {
            seen = seen.max(segment.local_end());
            segment = Segment::from(&zone, segment.end);
        }
        Self { expression, zone, from, segment, seen }
    }

    fn next_wall_clock(&mut self) -> Option<i64> {
        loop {
            let Segment { start, end, offset } = self.segment;
            // The gap that this segment begins with, unless it was looked at.
            if self.from <= start && self.seen < self.segment.local_start() {
                let skipped = self.expression.first_from(self.seen)?;
                if skipped < self.segment.local_start() {
                    return Some(self.found(start));
                }
            }
            let local = self.expression.first_from(self.seen.max(self.from + offset))?;
            if local - offset < end {
                return Some(self.found(local - offset));
            }
            self.enter_next();
        }
    }

    fn next_elapsed(&mut self) -> Option<i64> {
        loop {
            let Segment { end, offset, .. } = self.segment;
            let local = self.expression.first_from(self.from + offset)?;
            if local - offset < end {
                return Some(self.found(local - offset));
            }
            self.enter_next();
        }
    }

    fn found(&mut self, at: i64) -> i64 {
        self.from = at + 1;
        at
    }

    fn enter_next(&mut self) {
        self.seen = self.seen.max(self.segment.local_end());
        self.segment = Segment::from(&self.zone, self.segment.end);
        self.from = self.from.max(self.segment.start);
    }
}

impl Iterator for Occurrences {
    type Item = i64;

    fn next(&mut self) -> Option<i64> {
        if self.expression.counts_elapsed_time() {
            self.next_elapsed()
        } else {
            self.next_wall_clock()
        }
    }
}
