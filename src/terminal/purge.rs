//! What a purge would delete, and what it deleted.

use std::io;

use super::{OutputFormat, Ui};
use crate::operations::purge::Planned;
use crate::render::purge;
use crate::repository::Purged;
use crate::workflow::retention::PrunePlan;

impl Ui {
    /// Shows what a purge has deleted.
    ///
    /// # Errors
    /// When standard output cannot be written.
    pub(crate) fn purge(&self, plan: &PrunePlan, purged: &Purged) -> io::Result<()> {
        match self.format {
            OutputFormat::Json | OutputFormat::Jsonl => {
                self.json(&purge::document(plan, Some(purged)))
            }
            OutputFormat::Plain => self.plain_rows(&[purge::plain_row(plan, Some(purged))]),
            OutputFormat::Table => self.text(&self.layout.purge(plan, Some(purged))),
        }
    }

    /// Shows what a purge would delete, and why each execution goes or stays; with `has_items`, each
    /// of them.
    ///
    /// # Errors
    /// When standard output cannot be written.
    pub(crate) fn purge_plan(&self, planned: &Planned, has_items: bool) -> io::Result<()> {
        match self.format {
            OutputFormat::Json | OutputFormat::Jsonl => {
                self.json(&purge::plan_document(planned, has_items))
            }
            OutputFormat::Plain if has_items => self.plain_rows(&purge::plain_items(planned)),
            OutputFormat::Plain => self.plain_rows(&[purge::plain_row(&planned.plan, None)]),
            OutputFormat::Table => {
                let mut text = self.layout.purge(&planned.plan, None);
                text += &match has_items {
                    true => self.layout.purge_items(planned),
                    false => self.layout.purge_reasons(planned),
                };
                self.text(&text)
            }
        }
    }
}
