//! What `wfx perf-check` found.

mod measuring;

use std::io;

use super::{OutputFormat, Ui};
use crate::base::visible::visible;
use crate::perf::report::Report;
use crate::render::perf_check;

impl Ui {
    /// Shows a judgement.
    ///
    /// # Errors
    /// When standard output cannot be written.
    pub fn perf_check(&self, report: &Report<'_>) -> io::Result<()> {
        match self.format {
            OutputFormat::Json => self.json(&report.to_json())?,
            OutputFormat::Jsonl => self.perf_check_lines(report)?,
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

    /// Tells GitHub Actions what is wrong, by a workflow command on standard error.
    pub fn annotation(&self, title: &str, message: &str) {
        self.tell(&perf_check::annotation(title, message));
    }

    fn perf_check_lines(&self, report: &Report<'_>) -> io::Result<()> {
        let document = report.to_json();
        let endpoints = document["endpoints"].as_object().into_iter().flatten();
        for (endpoint, figures) in endpoints {
            let mut line = serde_json::Map::new();
            line.insert("endpoint".to_owned(), endpoint.clone().into());
            line.extend(figures.as_object().cloned().unwrap_or_default());
            self.json(&line)?;
        }
        Ok(())
    }
}
