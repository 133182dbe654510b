//! What `wfx doctor` found.

use serde_json::{Value, json};

use super::layout::{Layout, fold};
use super::style::{BOLD, DIM, of_finding};
use crate::base::units;
use crate::base::visible::visible;
use crate::operations::diagnosis::{Finding, State};

/// Before a detail: the sign and the name of the check.
const INDENT: usize = 15;
/// No narrower than this, whatever the width.
const DETAIL_LEAST: usize = 20;

impl Layout {
    /// Findings, each bad one with its remedy.
    pub(crate) fn findings(&self, findings: &[Finding]) -> String {
        let count = |state| findings.iter().filter(|finding| finding.state == state).count();
        let (problems, notes) = (count(State::Problem), count(State::Note));
        let mut text = String::new();
        for finding in findings {
            let (look, _) = of_finding(finding.state);
            let sign = look.paint(&look.sign(self.unicode).to_string());
            let room = usize::from(self.width).saturating_sub(INDENT).max(DETAIL_LEAST);
            let mut lead = format!("{sign} {BOLD}{:<12}{BOLD:#} ", finding.check);
            for line in fold(&visible(&finding.detail), room) {
                text += &format!("{lead}{line}\n");
                lead = " ".repeat(INDENT);
            }
            let remedy = finding.remedy.as_deref().map(visible).unwrap_or_default();
            for line in fold(&remedy, room) {
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

/// The document of `--format json`.
pub(crate) fn document(findings: &[Finding]) -> Value {
    let ok = findings.iter().all(|finding| finding.state != State::Problem);
    json!({"ok": ok, "findings": findings})
}

/// The fields of `--format plain`: check, state, detail, remedy.
pub(crate) fn plain_rows(findings: &[Finding]) -> Vec<Vec<String>> {
    let row = |finding: &Finding| {
        let state = of_finding(finding.state).1.to_owned();
        let remedy = finding.remedy.clone().unwrap_or_default();
        vec![finding.check.to_owned(), state, finding.detail.clone(), remedy]
    };
    findings.iter().map(row).collect()
}
