//! What a purge would delete, and what it deleted.

use std::io;

use super::{OutputFormat, Ui};
use crate::render::purge;
use crate::repository::Purged;
use crate::workflow::retention::PrunePlan;

impl Ui {
    /// Shows what a purge deletes, or with `purged` what it has deleted.
    ///
    /// # Errors
    /// When standard output cannot be written.
    pub(crate) fn purge(&self, plan: &PrunePlan, purged: Option<&Purged>) -> io::Result<()> {
        match self.format {
            OutputFormat::Json | OutputFormat::Jsonl => self.json(&purge::document(plan, purged)),
            OutputFormat::Plain => self.plain_rows(&[purge::plain_row(plan, purged)]),
            OutputFormat::Table => self.text(&self.layout.purge(plan, purged)),
        }
    }
}
