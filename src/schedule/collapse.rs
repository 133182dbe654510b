//! Decisions as they are stored: consecutive times of a schedule at which nothing is started, with
//! the same action and reason, become one.

use super::decision::{Action, Decision};
use crate::base::timestamp::Timestamp;

/// One or more scheduled times of a schedule.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Collapsed {
    /// What was decided of the first of them.
    pub first: Decision,
    /// The last of them.
    pub until: Timestamp,
    /// How many.
    pub count: u64,
}

/// Collects decisions of one schedule or of many.
#[derive(Debug, Default)]
pub(crate) struct Collapser {
    rows: Vec<Collapsed>,
    /// For each schedule the index of its last row.
    last: Vec<Option<usize>>,
}

impl Collapser {
    /// Adds one; those of a schedule come mostly in the order of their times.
    pub(crate) fn push(&mut self, decision: Decision) {
        if self.last.len() <= decision.schedule {
            self.last.resize(decision.schedule + 1, None);
        }
        let last = &mut self.last[decision.schedule];
        if let Some(row) = last.and_then(|index| self.rows.get_mut(index))
            && matches!(decision.action, Action::Skipped | Action::Missed)
            && (row.first.action, row.first.reason) == (decision.action, decision.reason)
            && row.first.ordinal + row.count == decision.ordinal
        {
            row.until = decision.scheduled_at;
            row.count += 1;
            return;
        }
        *last = Some(self.rows.len());
        self.rows.push(Collapsed { first: decision, until: decision.scheduled_at, count: 1 });
    }

    /// The rows.
    #[must_use]
    pub(crate) fn finish(self) -> Vec<Collapsed> {
        self.rows
    }
}
