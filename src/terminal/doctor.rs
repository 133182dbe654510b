//! What `wfx doctor` found.

use std::io;

use super::{OutputFormat, Ui};
use crate::operations::diagnosis::Finding;
use crate::render::doctor;

impl Ui {
    /// Shows findings, each bad one with its remedy.
    ///
    /// # Errors
    /// When standard output cannot be written.
    pub(crate) fn findings(&self, findings: &[Finding]) -> io::Result<()> {
        match self.format {
            OutputFormat::Json => self.json(&doctor::document(findings)),
            OutputFormat::Jsonl => findings.iter().try_for_each(|finding| self.json(finding)),
            OutputFormat::Plain => self.plain_rows(&doctor::plain_rows(findings)),
            OutputFormat::Table => self.text(&self.layout.findings(findings)),
        }
    }
}
