//! What a replay would do with each step.

use std::io;

use serde_json::json;

use super::{OutputFormat, Ui};
use crate::operations::replay::PlannedStep;

impl Ui {
    /// Reports how the definition that is run differs from the stored one, beside the data.
    pub(crate) fn definition_diff(&self, diff: &str) {
        if diff.is_empty() {
            return self.note("the definition is the same");
        }
        self.write_stderr(self.layout.unified_diff(diff).trim_end());
    }

    /// Shows the plan of a replay.
    ///
    /// # Errors
    /// When standard output cannot be written.
    pub(crate) fn replay_plan(&self, steps: &[PlannedStep]) -> io::Result<()> {
        if let OutputFormat::Json | OutputFormat::Jsonl = self.format {
            return self.json(&json!({ "steps": steps }));
        }
        let row = |step: &PlannedStep| {
            vec![step.name.clone(), step.action.as_str().to_owned(), step.reason.clone()]
        };
        let rows: Vec<Vec<String>> = steps.iter().map(row).collect();
        self.table(&["step", "action", "reason"], &rows)
    }
}
