//! What `wfx perf-check` found.

mod measuring;

use std::io;

use super::{OutputFormat, Ui};
use crate::base::visible::visible;
use crate::perf::report::Report;
use crate::render::perf_check::{self, json};

impl Ui {
    /// Shows a judgement.
    ///
    /// # Errors
    /// When standard output cannot be written.
    pub(crate) fn perf_check(&self, report: &Report<'_>) -> io::Result<()> {
        match self.format {
            OutputFormat::Json => self.json(&json::document(report))?,
            OutputFormat::Jsonl => {
                json::lines(report).iter().try_for_each(|line| self.json(line))?;
            }
            OutputFormat::Plain => self.plain_rows(&perf_check::plain_rows(report))?,
            OutputFormat::Table => self.text(&self.layout.perf_check(report))?,
        }
        let judgement = report.judgement;
        for note in &judgement.source.notes {
            self.note(&visible(note));
        }
        if judgement.source.coordinated_omission {
            self.note(&format!(
                "{} suffers from coordinated omission: a target that stalls is asked less, and \
                 looks faster than it is",
                judgement.source.name
            ));
        }
        for warning in &judgement.warnings {
            self.warning(&visible(warning));
        }
        Ok(())
    }

    /// Reports a problem to GitHub Actions, by a workflow command on standard error.
    pub(crate) fn annotation(&self, title: &str, message: &str) {
        self.write_stderr(&perf_check::annotation(title, message));
    }
}
