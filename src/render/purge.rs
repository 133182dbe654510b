//! What a purge would delete, and what it deleted.

use serde_json::{Value, json};

use super::layout::Layout;
use super::style::of_execution;
use super::table;
use super::table::Column;
use crate::base::units;
use crate::repository::Purged;
use crate::workflow::retention::PrunePlan;

impl Layout {
    /// What a purge deletes, or with `purged` what it has deleted.
    pub(crate) fn purge(&self, plan: &PrunePlan, purged: Option<&Purged>) -> String {
        let executions = executions(plan, purged);
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
                    let look = of_execution(*status);
                    table.row(vec![
                        table::state(status.as_str(), look),
                        table::number(&number.to_string()),
                    ]);
                }
                text += &table.finish();
                if let (Some(oldest), Some(newest)) = (plan.oldest, plan.newest) {
                    let (from, to) = (self.zone.second(oldest), self.zone.second(newest));
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

/// How many executions are deleted, or were.
fn executions(plan: &PrunePlan, purged: Option<&Purged>) -> u64 {
    purged.map_or(plan.executions(), |purged| purged.executions)
}

/// The document of `--format json`.
pub(crate) fn document(plan: &PrunePlan, purged: Option<&Purged>) -> Value {
    let by_status: serde_json::Map<_, _> =
        plan.by_status.iter().map(|(status, n)| (status.to_string(), json!(n))).collect();
    json!({
        "dry_run": purged.is_none(),
        "executions": executions(plan, purged),
        "by_status": by_status,
        "oldest": plan.oldest,
        "newest": plan.newest,
        "remaining": plan.remaining,
        "freed_bytes": purged.map(|purged| purged.freed_bytes),
    })
}

/// The fields of `--format plain`: executions deleted and remaining, bytes given back.
pub(crate) fn plain_row(plan: &PrunePlan, purged: Option<&Purged>) -> Vec<String> {
    let freed = purged.map(|purged| purged.freed_bytes.to_string()).unwrap_or_default();
    vec![executions(plan, purged).to_string(), plan.remaining.to_string(), freed]
}
