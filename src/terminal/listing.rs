//! A page of executions.

use std::io;

use serde_json::json;

use super::layout::Layout;
use super::lineage::short;
use super::style::of_execution;
use super::table::Column;
use super::{OutputFormat, Ui, table};
use crate::base::timestamp::Timestamp;
use crate::base::units;
use crate::base::visible::visible;
use crate::repository::Listing;
use crate::workflow::record::{ExecutionRecord, ExecutionStatus, OwnerState};

/// So many characters of an id tell when it was made to the millisecond.
const ID_CUT: usize = 13;
/// So much of the name of a workflow is worth more than any column that can be left out.
const NAME_LEAST: usize = 24;
/// So many characters of a time tell it to the minute.
const TO_THE_MINUTE: usize = 16;
/// The longest status.
const STATUS_LEAST: usize = 11;

impl Ui {
    /// Writes a page as JSON, a document or a line for each, as it is read: `next` gives the next
    /// executions of it. `limit` and `offset` are those it was asked for with.
    ///
    /// # Errors
    /// When standard output cannot be written, or that of `next`.
    pub fn list_json<E: From<io::Error>>(
        &self,
        total: u64,
        limit: u32,
        offset: u64,
        mut next: impl FnMut() -> Result<Option<Vec<ExecutionRecord>>, E>,
    ) -> Result<(), E> {
        if self.format == OutputFormat::Json {
            let page = json!({"items": [], "total": total, "limit": limit, "offset": offset});
            return self.json_around(&page, next);
        }
        while let Some(items) = next()? {
            let mut lines = String::new();
            for item in &items {
                lines += &crate::base::json::to_string(item).map_err(io::Error::from)?;
                lines.push('\n');
            }
            self.bytes(lines.as_bytes())?;
        }
        Ok(())
    }

    /// Shows a page; `offset` is that it was asked for with.
    ///
    /// # Errors
    /// When standard output cannot be written.
    pub fn list(&self, listing: &Listing, offset: u64, now: Timestamp) -> io::Result<()> {
        if self.format == OutputFormat::Plain {
            let rows: Vec<_> = listing.items.iter().map(|e| plain_row(e, now)).collect();
            return self.plain_rows(&rows);
        }
        if listing.items.is_empty() {
            self.note(&match listing.total {
                0 => "no executions".to_owned(),
                total => format!("no executions from offset {offset} on; there are {total} in all"),
            });
            return Ok(());
        }
        self.text(&self.layout.listing(&listing.items, now))?;
        let shown = offset + listing.items.len() as u64;
        if shown < listing.total || offset > 0 {
            let next = if shown < listing.total {
                format!("; `--offset {shown}` shows older ones")
            } else {
                String::new()
            };
            self.note(&format!("{} to {shown} of {}{next}", offset + 1, listing.total));
        }
        Ok(())
    }
}

impl Layout {
    /// A table of executions.
    fn listing(&self, items: &[ExecutionRecord], now: Timestamp) -> String {
        let unfinished = items.iter().any(|item| item.owner_state.is_some());
        let mut columns = vec![
            Column::new("@"),
            // The number says as much, in this database.
            Column::new("execution").prefix(ID_CUT).rank(4),
            Column::new("workflow").cut(NAME_LEAST),
            Column::new("status").cut(STATUS_LEAST),
            Column::new("created").prefix(TO_THE_MINUTE).rank(2),
            Column::new("took").rank(1),
            Column::new("steps").rank(3),
        ];
        if unfinished {
            columns.insert(4, Column::new("owner"));
        }
        let mut table = table::Builder::new(*self, columns);
        for item in items {
            let mut row = vec![
                table::number(&item.number()),
                table::cell(&visible(&item.execution_id)),
                table::cell(&visible(&item.workflow_id)),
                table::state(item.status.as_str(), of_execution(item.status)),
                table::cell(&item.created_at.map(short).unwrap_or_default()),
                table::number(&took(item, now).map(units::duration).unwrap_or_default()),
                table::number(&format!("{}/{}", item.steps_completed, item.total_steps)),
            ];
            if unfinished {
                row.insert(4, owner(item.owner_state));
            }
            table.row(row);
        }
        table.finish()
    }
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

fn plain_row(item: &ExecutionRecord, now: Timestamp) -> Vec<String> {
    vec![
        item.number(),
        item.execution_id.clone(),
        item.workflow_id.clone(),
        item.status.to_string(),
        item.created_at.map(|at| at.to_string()).unwrap_or_default(),
        took(item, now).map(|took| took.as_millis().to_string()).unwrap_or_default(),
        format!("{}/{}", item.steps_completed, item.total_steps),
    ]
}

/// From its start to its end, or until now.
pub(super) fn took(item: &ExecutionRecord, now: Timestamp) -> Option<std::time::Duration> {
    let end = match item.completed_at {
        Some(end) => end,
        None if item.status.is_terminal() => return None,
        None => now,
    };
    Some(end.since(item.started_at?))
}
