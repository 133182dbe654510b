//! What a purge would delete, and what it deleted.

use std::io;

use serde_json::json;

use super::layout::Layout;
use super::lineage::short;
use super::table::Column;
use super::{OutputFormat, Ui, table};
use crate::base::units;
use crate::repository::Purged;
use crate::workflow::retention::PrunePlan;

impl Ui {
    /// Shows what a purge deletes, or with `purged` what it has deleted.
    ///
    /// # Errors
    /// When standard output cannot be written.
    pub fn purge(&self, plan: &PrunePlan, purged: Option<&Purged>) -> io::Result<()> {
        let executions = purged.map_or(plan.executions(), |purged| purged.executions);
        let by_status: serde_json::Map<_, _> =
            plan.by_status.iter().map(|(status, n)| (status.to_string(), json!(n))).collect();
        match self.format {
            OutputFormat::Json | OutputFormat::Jsonl => {
                return self.json(&json!({
                    "dry_run": purged.is_none(),
                    "executions": executions,
                    "by_status": by_status,
                    "oldest": plan.oldest,
                    "newest": plan.newest,
                    "remaining": plan.remaining,
                    "freed_bytes": purged.map(|purged| purged.freed_bytes),
                }));
            }
            OutputFormat::Plain => {
                let freed = purged.map(|p| p.freed_bytes.to_string()).unwrap_or_default();
                return self.plain_rows(&[vec![
                    executions.to_string(),
                    plan.remaining.to_string(),
                    freed,
                ]]);
            }
            OutputFormat::Table => {}
        }
        self.text(&self.layout.purge(plan, purged))
    }
}

impl Layout {
    /// What a purge deletes, or with `purged` what it has deleted.
    fn purge(&self, plan: &PrunePlan, purged: Option<&Purged>) -> String {
        let executions = purged.map_or(plan.executions(), |purged| purged.executions);
        let stay = format!("{} finished stay", plan.remaining);
        if executions == 0 && purged.is_none_or(|purged| purged.executions == 0) {
            return format!("nothing to delete; {stay}\n");
        }
        let what = units::count(executions, "execution");
        match purged {
            None => {
                let mut text = self.flow(&[&format!("would delete {what};"), &stay]);
                let mut table = table::Builder::new(
                    *self,
                    vec![Column::new("status"), Column::new("executions")],
                );
                for (status, number) in &plan.by_status {
                    let look = super::style::of_execution(*status);
                    table.row(vec![
                        table::state(status.as_str(), look),
                        table::number(&number.to_string()),
                    ]);
                }
                text += &table.finish();
                if let (Some(oldest), Some(newest)) = (plan.oldest, plan.newest) {
                    let (from, to) = (short(oldest), short(newest));
                    text += &self.flow(&[&format!("completed from {from}"), &format!("to {to}")]);
                }
                text
            }
            Some(purged) => {
                let freed = format!("gave back {};", units::bytes(purged.freed_bytes));
                self.flow(&[&format!("deleted {what},"), &freed, &stay])
            }
        }
    }
}
