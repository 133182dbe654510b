//! Two executions side by side.

use std::io;

use super::{OutputFormat, Ui};
use crate::render::diff;
use crate::workflow::comparison::Comparison;

impl Ui {
    /// Shows what differs between two executions.
    ///
    /// # Errors
    /// When standard output cannot be written.
    pub(crate) fn comparison(&self, comparison: &Comparison) -> io::Result<()> {
        match self.format {
            OutputFormat::Json | OutputFormat::Jsonl => self.json(comparison),
            OutputFormat::Plain => self.plain_rows(&diff::plain_rows(comparison)),
            OutputFormat::Table => self.text(&self.layout.comparison(comparison)),
        }
    }
}
