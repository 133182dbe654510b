//! A page of executions.

use std::io;

use serde_json::json;

use super::lineage::short;
use super::style::of_execution;
use super::{OutputFormat, Ui, table, units};
use crate::repository::Listing;
use crate::timestamp::Timestamp;
use crate::workflow::problem::visible;
use crate::workflow::record::ExecutionRecord;

/// Below this width ids are cut, below the other one only what matters is shown.
const WIDTH_WHOLE_IDS: u16 = 120;
const WIDTH_ALL_COLUMNS: u16 = 76;
/// So many characters of an id tell when it was made to the millisecond.
const ID_CUT: usize = 13;

impl Ui {
    /// Shows a page; `limit` and `offset` are those it was asked for with.
    ///
    /// # Errors
    /// When standard output cannot be written.
    pub fn list(
        &self,
        listing: &Listing,
        limit: u32,
        offset: u64,
        now: Timestamp,
    ) -> io::Result<()> {
        match self.format {
            OutputFormat::Json => {
                return self.json(&json!({
                    "items": listing.items,
                    "total": listing.total,
                    "limit": limit,
                    "offset": offset,
                }));
            }
            OutputFormat::Jsonl => {
                let mut lines = String::new();
                for item in &listing.items {
                    lines += &serde_json::to_string(item)?;
                    lines.push('\n');
                }
                return self.bytes(lines.as_bytes());
            }
            OutputFormat::Plain => {
                return self.plain_rows(
                    &listing.items.iter().map(|e| plain_row(e, now)).collect::<Vec<_>>(),
                );
            }
            OutputFormat::Table => {}
        }
        if listing.items.is_empty() {
            self.note(&match listing.total {
                0 => "no executions".to_owned(),
                total => format!("no executions from offset {offset} on; there are {total} in all"),
            });
            return Ok(());
        }
        self.text(&self.listing_table(&listing.items, now))?;
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

    fn listing_table(&self, items: &[ExecutionRecord], now: Timestamp) -> String {
        let all = self.width >= WIDTH_ALL_COLUMNS;
        let headers: &[&str] = if all {
            &["@", "execution", "workflow", "status", "created", "took", "steps"]
        } else {
            &["@", "workflow", "status", "took"]
        };
        let mut table = table::Builder::new(self, headers);
        for item in items {
            let look = of_execution(item.status);
            let seq = table::number(&format!("@{}", item.seq));
            let names = usize::from(self.width / 4).max(8);
            let workflow =
                table::cell(&units::fit(&visible(&item.workflow_id), names, self.unicode));
            let status = table::state(item.status.as_str(), look);
            let took = table::number(&took(item, now).map(units::duration).unwrap_or_default());
            if !all {
                table.row(vec![seq, workflow, status, took]);
                continue;
            }
            let id = if self.width >= WIDTH_WHOLE_IDS {
                item.execution_id.as_str()
            } else {
                item.execution_id.get(..ID_CUT).unwrap_or(&item.execution_id)
            };
            let created = item.created_at.map(short).unwrap_or_default();
            let steps = format!("{}/{}", item.steps_completed, item.total_steps);
            table.row(vec![
                seq,
                table::cell(&visible(id)),
                workflow,
                status,
                table::cell(&created),
                took,
                table::number(&steps),
            ]);
        }
        table.finish()
    }
}

fn plain_row(item: &ExecutionRecord, now: Timestamp) -> Vec<String> {
    vec![
        format!("@{}", item.seq),
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
