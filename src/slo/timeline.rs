//! The values of the indicators over time, in at most [`CELLS_MAX`] cells for any length: when they
//! are full, two are merged into one.

use super::engine::Judged;
use super::indicator::Indicators;

/// The most cells.
pub(crate) const CELLS_MAX: usize = 1_024;
/// The first length of a cell, microseconds: that of a slot of the windows.
const WIDTH_MIN_US: u64 = 10_000;

/// A stretch of time.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Cell {
    /// Requests that were answered in it.
    pub requests: u64,
    /// The greatest value of each signal that was judged, in their order: shares, and seconds;
    /// not a number where none was.
    pub peaks: [f64; 4],
    /// What breached in it.
    pub breached: Indicators,
    /// Whether an alert was sent in it, for each indicator.
    pub alerts: Indicators,
}

impl Cell {
    const EMPTY: Self = Self {
        requests: 0,
        peaks: [f64::NAN; 4],
        breached: Indicators::NONE,
        alerts: Indicators::NONE,
    };

    fn join(self, later: Self) -> Self {
        let mut peaks = self.peaks;
        peaks.iter_mut().zip(later.peaks).for_each(|(peak, later)| *peak = peak.max(later));
        Self {
            requests: self.requests + later.requests,
            peaks,
            breached: self.breached.union(later.breached),
            alerts: self.alerts.union(later.alerts),
        }
    }
}

/// Signals over time, from the first event on.
#[derive(Debug, Clone, Default)]
pub struct Timeline {
    start_us: u64,
    width_us: u64,
    /// Where the last cell ends.
    end_us: u64,
    cells: Vec<Cell>,
}

impl Timeline {
    /// Adds the result of an event at a time that never decreases.
    pub fn add(&mut self, t_us: u64, peaks: [f64; 4], judged: Judged) {
        if t_us >= self.end_us || self.cells.is_empty() {
            self.reach(t_us);
        }
        if let Some(cell) = self.cells.last_mut() {
            *cell = cell.join(Cell {
                requests: 1,
                peaks,
                breached: judged.breached,
                alerts: judged.due,
            });
        }
    }

    /// Adds cells until the last one has the time in it.
    fn reach(&mut self, t_us: u64) {
        if self.cells.is_empty() {
            (self.start_us, self.width_us) = (t_us, WIDTH_MIN_US);
        }
        while self.index(t_us) >= CELLS_MAX as u64 {
            self.cells = self
                .cells
                .chunks(2)
                .map(|pair| pair.iter().copied().fold(Cell::EMPTY, Cell::join))
                .collect();
            self.width_us = self.width_us.saturating_mul(2);
        }
        let count = usize::try_from(self.index(t_us)).unwrap_or(CELLS_MAX - 1) + 1;
        self.cells.resize(count, Cell::EMPTY);
        let length = (count as u64).saturating_mul(self.width_us);
        self.end_us = self.start_us.saturating_add(length);
    }

    fn index(&self, t_us: u64) -> u64 {
        (t_us - self.start_us) / self.width_us
    }

    /// The cells, one after the other.
    #[must_use]
    pub fn cells(&self) -> &[Cell] {
        &self.cells
    }

    /// When the first cell begins, microseconds.
    #[must_use]
    pub fn start_us(&self) -> u64 {
        self.start_us
    }

    /// How long each cell is, microseconds.
    #[must_use]
    pub fn width_us(&self) -> u64 {
        self.width_us
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn added(times: &[u64]) -> Timeline {
        let mut timeline = Timeline::default();
        for (number, t) in times.iter().enumerate() {
            timeline.add(*t, [number as f64, 0.0, 0.0, 1.0], Judged::default());
        }
        timeline
    }

    #[test]
    fn every_event_is_in_a_cell() {
        for step in [1, 9_999, 10_000, 10_001, 1_000_000, 3_600_000_000] {
            let times: Vec<u64> = (0..5_000).map(|n| 77 + n * step).collect();
            let timeline = added(&times);
            let requests: u64 = timeline.cells().iter().map(|cell| cell.requests).sum();
            assert_eq!(requests, 5_000);
            assert!(timeline.cells().len() <= CELLS_MAX);
            let end = timeline.start_us() + timeline.cells().len() as u64 * timeline.width_us();
            let last = times[times.len() - 1];
            assert!(last < end && last + timeline.width_us() >= end, "{step}");
            assert_eq!(timeline.cells().last().unwrap().peaks[0], 4_999.0);
        }
    }

    #[test]
    fn a_jump_leaves_cells_without_requests() {
        let timeline = added(&[0, 10_000, 5_000_000, u64::MAX]);
        assert_eq!(timeline.cells()[0].requests, 3);
        assert!(timeline.cells()[1..timeline.cells().len() - 1].iter().all(|c| c.requests == 0));
    }
}
