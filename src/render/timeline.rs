//! When each step ran, as bars over one axis of time.

use std::time::Duration;

use crate::base::timestamp::Timestamp;
use crate::base::units;

/// One row of a timeline: the intervals in which something ran.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Row {
    pub(super) stretches: Vec<(Timestamp, Timestamp)>,
}

/// The stretch of time that an axis shows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Axis {
    start: Timestamp,
    length: Duration,
    cells: usize,
}

impl Axis {
    /// An axis from `start` to `end` over `cells` columns.
    pub(super) fn new(start: Timestamp, end: Timestamp, cells: usize) -> Self {
        // The axis shows at least a millisecond, so that it has a scale.
        let length = end.since(start).max(Duration::from_millis(1));
        Self { start, length, cells: cells.max(10) }
    }

    /// The labels of its beginning, middle and end, each below its tick.
    pub(super) fn labels(&self) -> String {
        let end = units::duration(self.length);
        let middle = units::duration(self.length / 2);
        let mut line = units::pad("0", self.cells / 2);
        if self.cells >= 40 {
            line += &middle;
        }
        let gap = self.cells.saturating_sub(line.chars().count() + end.chars().count());
        format!("{line}{}{end}", " ".repeat(gap))
    }

    /// A bar: `mark` where something ran, `gap` between two stretches. Each stretch
    /// takes at least one column.
    pub(super) fn bar(&self, row: &Row, mark: char, gap: char) -> String {
        let mut cells = vec![' '; self.cells];
        let mut previous_end = None;
        for &(start, end) in &row.stretches {
            let first = self.column(start).min(self.cells - 1);
            let last = self.column_after(end).clamp(first + 1, self.cells);
            if let Some(previous) = previous_end.filter(|previous| *previous < first) {
                cells[previous..first].fill(gap);
            }
            cells[first..last].fill(mark);
            previous_end = Some(last);
        }
        let bar: String = cells.into_iter().collect();
        bar.trim_end().to_owned()
    }

    fn scaled(&self, at: Timestamp) -> u128 {
        at.since(self.start).as_micros() * self.cells as u128
    }

    fn column(&self, at: Timestamp) -> usize {
        usize::try_from(self.scaled(at) / self.length.as_micros()).unwrap_or(self.cells)
    }

    fn column_after(&self, at: Timestamp) -> usize {
        usize::try_from(self.scaled(at).div_ceil(self.length.as_micros())).unwrap_or(self.cells)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(millis: i64) -> Timestamp {
        Timestamp::from_micros(millis * 1000)
    }

    fn bar(stretches: &[(i64, i64)]) -> String {
        let axis = Axis::new(at(1000), at(2000), 10);
        let stretches = stretches.iter().map(|&(a, b)| (at(a), at(b))).collect();
        axis.bar(&Row { stretches }, '#', '.')
    }

    #[test]
    fn bars_stand_where_something_ran() {
        assert_eq!(bar(&[(1000, 2000)]), "##########");
        assert_eq!(bar(&[(1000, 1500)]), "#####");
        assert_eq!(bar(&[(1500, 1700)]), "     ##");
        assert_eq!(bar(&[(1200, 1300), (1500, 1600)]), "  #..#");
    }

    #[test]
    fn nothing_is_too_short_or_outside() {
        assert_eq!(bar(&[(1500, 1500)]), "     #");
        assert_eq!(bar(&[(2000, 2000)]), "         #");
        assert_eq!(bar(&[(0, 1)]), "#");
        assert_eq!(bar(&[(5000, 6000)]), "         #");
        assert_eq!(bar(&[]), "");
        let empty = Axis::new(at(5), at(5), 10);
        assert_eq!(empty.bar(&Row { stretches: vec![(at(5), at(5))] }, '#', '.'), "#");
    }

    #[test]
    fn the_labels_are_as_wide_as_the_axis() {
        let axis = Axis::new(at(0), at(60_000), 50);
        assert_eq!(axis.labels().chars().count(), 50);
        assert!(axis.labels().contains("30.0 s") && axis.labels().ends_with("1m 00s"));
        assert_eq!(Axis::new(at(0), at(60_000), 20).labels().chars().count(), 20);
    }
}
