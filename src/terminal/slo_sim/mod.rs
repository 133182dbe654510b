//! What `wfx slo-sim` found.

pub(crate) mod progress;

use std::io;

use super::{OutputFormat, Ui};
use crate::render::slo_sim::{self, json};
use crate::slo::report::Report;

impl Ui {
    /// Shows the result of a simulation.
    ///
    /// # Errors
    /// When standard output cannot be written.
    pub(crate) fn slo_sim(&self, report: &Report) -> io::Result<()> {
        match self.format {
            OutputFormat::Json => self.json(&json::document(report)),
            OutputFormat::Jsonl => self.alert_lines(report),
            OutputFormat::Plain => self.plain_rows(&slo_sim::plain_rows(report)),
            OutputFormat::Table => self.text(&self.layout.simulation(report)),
        }
    }

    fn alert_lines(&self, report: &Report) -> io::Result<()> {
        let document = json::document(report);
        document["alerts"].as_array().into_iter().flatten().try_for_each(|alert| self.json(alert))
    }
}
