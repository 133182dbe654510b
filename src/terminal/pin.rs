//! Whether an execution is pinned.

use std::io;

use super::{OutputFormat, Ui};
use crate::render::pin;
use crate::workflow::record::ExecutionRecord;

impl Ui {
    /// Shows an execution and its pin.
    ///
    /// # Errors
    /// When standard output cannot be written.
    pub(crate) fn pinned(&self, execution: &ExecutionRecord) -> io::Result<()> {
        match self.format {
            OutputFormat::Json | OutputFormat::Jsonl => self.json(&pin::document(execution)),
            OutputFormat::Plain => self.plain_rows(&[pin::plain_row(execution)]),
            OutputFormat::Table => self.text(&self.layout.pinned(execution)),
        }
    }
}
