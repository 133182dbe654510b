//! A page of executions.

use std::io;

use serde_json::json;

use super::{OutputFormat, Ui};
use crate::base::timestamp::Timestamp;
use crate::render::listing::plain_row;
use crate::repository::Listing;
use crate::workflow::record::ExecutionRecord;

impl Ui {
    /// Writes a page as JSON, as a document or a line for each execution, while it is read: `next`
    /// returns the next executions. `limit` and `offset` are those of the request.
    ///
    /// # Errors
    /// When standard output cannot be written, or that of `next`.
    pub(crate) fn list_json<E: From<io::Error>>(
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

    /// Shows a page; `offset` is that of the request.
    ///
    /// # Errors
    /// When standard output cannot be written.
    pub(crate) fn list(&self, listing: &Listing, offset: u64, now: Timestamp) -> io::Result<()> {
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
