//! A page of executions.

use super::layout::Layout;
use super::style::of_execution;
use super::table;
use super::table::Column;
use crate::base::timestamp::Timestamp;
use crate::base::units;
use crate::base::visible::visible;
use crate::workflow::record::{ExecutionRecord, ExecutionStatus, OwnerState};

/// This many characters of an id give its creation time to the millisecond.
const ID_CUT: usize = 13;
/// The width to which a workflow's name may be cut before columns are left out.
const NAME_LEAST: usize = 24;
/// The longest status.
const STATUS_LEAST: usize = 11;

impl Layout {
    /// A table of executions.
    pub(crate) fn listing(&self, items: &[ExecutionRecord], now: Timestamp) -> String {
        let unfinished = items.iter().any(|item| item.owner_state.is_some());
        let minutes = items.iter().filter_map(|item| item.created_at);
        let minutes = minutes.map(|at| self.zone.minute(at).len()).max().unwrap_or(0);
        let mut columns = vec![
            Column::new("@"),
            // The number identifies it as well, within this database.
            Column::new("execution").prefix(ID_CUT).rank(4),
            Column::new("workflow").cut(NAME_LEAST),
            Column::new("status").cut(STATUS_LEAST),
            Column::new("created").prefix(minutes).rank(2),
            Column::new("took").rank(1),
            Column::new("steps").rank(3),
        ];
        let any_failed = items.iter().any(|item| item.steps_failed > 0);
        let any_skipped = items.iter().any(|item| item.steps_skipped > 0);
        if any_failed {
            columns.push(Column::new("failed").rank(5));
        }
        if any_skipped {
            columns.push(Column::new("skipped").rank(6));
        }
        if unfinished {
            columns.insert(4, Column::new("owner"));
        }
        let any_pinned = items.iter().any(|item| item.pinned.is_some());
        if any_pinned {
            columns.push(Column::new("pinned"));
        }
        let mut table = table::Builder::new(*self, columns);
        for item in items {
            let mut row = vec![
                table::number(&item.number()),
                table::cell(&visible(&item.execution_id)),
                table::cell(&visible(&item.workflow_id)),
                table::state(item.status.as_str(), of_execution(item.status)),
                self.time(item.created_at),
                table::number(&took(item, now).map(units::duration).unwrap_or_default()),
                table::number(&format!("{}/{}", item.steps_succeeded(), item.total_steps)),
            ];
            if any_failed {
                row.push(count(item.steps_failed));
            }
            if any_skipped {
                row.push(count(item.steps_skipped));
            }
            if unfinished {
                row.insert(4, owner(item.owner_state));
            }
            if any_pinned {
                row.push(table::cell(if item.pinned.is_some() { "pinned" } else { "" }));
            }
            table.row(row);
        }
        table.finish()
    }
}

impl Layout {
    /// A time as it fits.
    pub(super) fn time(&self, at: Option<Timestamp>) -> table::Cell {
        let Some(at) = at else { return table::cell("") };
        table::cell(&self.zone.second(at)).short(self.zone.minute(at))
    }
}

/// Nothing for 0: what is there is to be seen.
fn count(steps: u32) -> table::Cell {
    table::number(&if steps == 0 { String::new() } else { steps.to_string() })
}

/// Whether the process that runs it is alive.
fn owner(state: Option<OwnerState>) -> table::Cell {
    match state {
        Some(OwnerState::Dead) => table::state("dead", of_execution(ExecutionStatus::Interrupted)),
        Some(OwnerState::Alive) => table::cell("alive"),
        Some(OwnerState::Unknown) => {
            table::state("unknown", of_execution(ExecutionStatus::Interrupted))
        }
        None => table::cell(""),
    }
}

/// The fields of `--format plain`.
pub(crate) fn plain_row(item: &ExecutionRecord, now: Timestamp) -> Vec<String> {
    let mut row = vec![
        item.number(),
        item.execution_id.clone(),
        item.workflow_id.clone(),
        item.status.to_string(),
        item.created_at.map(|at| at.to_string()).unwrap_or_default(),
        took(item, now).map(|took| took.as_millis().to_string()).unwrap_or_default(),
        format!("{}/{}", item.steps_succeeded(), item.total_steps),
        item.steps_failed.to_string(),
        item.steps_skipped.to_string(),
    ];
    row.extend(item.pinned.iter().map(|_| "pinned".to_owned()));
    row
}

/// The time from its start to its end, or until now.
pub(super) fn took(item: &ExecutionRecord, now: Timestamp) -> Option<std::time::Duration> {
    let end = match item.completed_at {
        Some(end) => end,
        None if item.status.is_terminal() => return None,
        None => now,
    };
    Some(end.since(item.started_at?))
}
