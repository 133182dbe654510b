//! What `wfx doctor` found.

use std::io;

use serde_json::json;

use super::layout::Layout;
use super::style::{BOLD, DIM, of_finding};
use super::{OutputFormat, Ui, table};
use crate::base::units;
use crate::base::visible::visible;
use crate::operations::diagnosis::{Finding, State};

/// Before a detail: the sign and the name of the check.
const INDENT: usize = 15;
/// No narrower than this, whatever the width.
const DETAIL_LEAST: usize = 20;

impl Ui {
    /// Shows findings, each bad one with its remedy.
    ///
    /// # Errors
    /// When standard output cannot be written.
    pub fn findings(&self, findings: &[Finding]) -> io::Result<()> {
        match self.format {
            OutputFormat::Json => {
                let ok = findings.iter().all(|finding| finding.state != State::Problem);
                return self.json(&json!({"ok": ok, "findings": findings}));
            }
            OutputFormat::Jsonl => {
                for finding in findings {
                    self.json(finding)?;
                }
                return Ok(());
            }
            OutputFormat::Plain => {
                let row = |finding: &Finding| {
                    let look = of_finding(finding.state).1.to_owned();
                    let remedy = finding.remedy.clone().unwrap_or_default();
                    vec![finding.check.to_owned(), look, finding.detail.clone(), remedy]
                };
                return self.plain_rows(&findings.iter().map(row).collect::<Vec<_>>());
            }
            OutputFormat::Table => {}
        }
        self.text(&self.layout.findings(findings))
    }
}

impl Layout {
    /// Findings, each bad one with its remedy.
    fn findings(&self, findings: &[Finding]) -> String {
        let count = |state| findings.iter().filter(|finding| finding.state == state).count();
        let (problems, notes) = (count(State::Problem), count(State::Note));
        let mut text = String::new();
        for finding in findings {
            let (look, _) = of_finding(finding.state);
            let sign = look.paint(&look.sign(self.unicode).to_string());
            let room = usize::from(self.width).saturating_sub(INDENT).max(DETAIL_LEAST);
            let mut lead = format!("{sign} {BOLD}{:<12}{BOLD:#} ", finding.check);
            for line in table::fold(&visible(&finding.detail), room) {
                text += &format!("{lead}{line}\n");
                lead = " ".repeat(INDENT);
            }
            let remedy = finding.remedy.as_deref().map(visible).unwrap_or_default();
            for line in table::fold(&remedy, room) {
                text += &format!("{lead}{DIM}{line}{DIM:#}\n");
            }
        }
        text += &match (problems, notes) {
            (0, 0) => "\nall is well\n".to_owned(),
            (0, notes) => format!("\nnothing is wrong; {}\n", units::count(notes as u64, "note")),
            (problems, _) => format!("\n{}\n", units::count(problems as u64, "problem")),
        };
        text
    }
}
