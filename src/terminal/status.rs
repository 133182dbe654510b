//! The state of every workflow.

use std::io;

use super::{OutputFormat, Ui};
use crate::operations::status::WorkflowStatus;
use crate::render::status::plain_row;

impl Ui {
    /// Shows it.
    ///
    /// # Errors
    /// When standard output cannot be written.
    pub(crate) fn status(&self, workflows: &[WorkflowStatus]) -> io::Result<()> {
        if self.format == OutputFormat::Plain {
            let rows: Vec<_> = workflows.iter().map(plain_row).collect();
            return self.plain_rows(&rows);
        }
        self.text(&self.layout.status(workflows))
    }
}
