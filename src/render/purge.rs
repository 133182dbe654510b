//! What a purge would delete, and what it deleted.

use serde_json::{Value, json};

use super::layout::Layout;
use super::style::of_execution;
use super::table;
use super::table::Column;
use crate::base::units;
use crate::base::visible::visible;
use crate::operations::purge::Planned;
use crate::repository::Purged;
use crate::workflow::retention::{self, PrunePlan, Reason, Stored};

/// The widths to which names and reasons may be cut before columns are left out.
const NAME_LEAST: usize = 16;
const REASON_LEAST: usize = 24;

impl Layout {
    /// What a purge deletes, or with `purged` what it has deleted.
    pub(crate) fn purge(&self, plan: &PrunePlan, purged: Option<&Purged>) -> String {
        let executions = executions(plan, purged);
        let stay = match plan.pinned() {
            0 => format!("{} finished stay", plan.remaining),
            pinned => format!("{} finished stay, {pinned} of them pinned", plan.remaining),
        };
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

impl Layout {
    /// How many executions of each workflow go and stay, and why.
    pub(crate) fn purge_reasons(&self, planned: &Planned) -> String {
        let columns = vec![
            Column::new("workflow").cut(NAME_LEAST),
            Column::new("executions"),
            Column::new("why").cut(REASON_LEAST),
        ];
        let mut table = table::Builder::new(*self, columns);
        for count in retention::summary(&planned.plan, &planned.history) {
            table.row(vec![
                table::cell(&visible(&count.workflow_id)),
                table::number(&count.executions.to_string()),
                table::cell(&visible(&why(count.goes, &count.reason))),
            ]);
        }
        table.finish()
    }

    /// Each execution, newest first, and why it goes or stays.
    pub(crate) fn purge_items(&self, planned: &Planned) -> String {
        let columns = vec![
            Column::new("@"),
            Column::new("workflow").cut(NAME_LEAST),
            Column::new("status"),
            Column::new("ended").rank(1),
            Column::new("why").cut(REASON_LEAST),
        ];
        let mut table = table::Builder::new(*self, columns);
        for (execution, reason) in items(planned) {
            let ended = execution.completed.map(|(_, at)| self.zone.second(at));
            table.row(vec![
                table::number(&format!("@{}", execution.seq)),
                table::cell(&visible(&execution.workflow_id)),
                table::state(execution.status.as_str(), of_execution(execution.status)),
                table::cell(&ended.unwrap_or_default()),
                table::cell(&visible(&why(reason.goes(), &execution.text_of(reason)))),
            ]);
        }
        table.finish()
    }
}

fn why(goes: bool, reason: &str) -> String {
    format!("{}: {reason}", if goes { "goes" } else { "stays" })
}

/// All executions, newest first.
fn items(planned: &Planned) -> impl Iterator<Item = (&Stored, Reason)> {
    let reasons = planned.plan.reasons.iter().copied();
    planned.history.executions.iter().zip(reasons).rev()
}

/// The document of `--dry-run --format json`; with `has_items`, it lists every execution.
pub(crate) fn plan_document(planned: &Planned, has_items: bool) -> Value {
    let mut document = document(&planned.plan, None);
    document["reasons"] = json!(retention::summary(&planned.plan, &planned.history));
    if has_items {
        let item = |(execution, reason): (&Stored, Reason)| {
            json!({
                "seq": execution.seq,
                "execution_id": execution.execution_id,
                "workflow_id": execution.workflow_id,
                "status": execution.status,
                "completed_at": execution.completed.map(|(_, at)| at),
                "goes": reason.goes(),
                "reason": execution.text_of(reason),
            })
        };
        document["items"] = items(planned).map(item).collect();
    }
    document
}

/// The fields of `--dry-run --verbose --format plain`.
pub(crate) fn plain_items(planned: &Planned) -> Vec<Vec<String>> {
    let row = |(execution, reason): (&Stored, Reason)| {
        vec![
            format!("@{}", execution.seq),
            execution.execution_id.to_string(),
            execution.workflow_id.to_string(),
            execution.status.to_string(),
            if reason.goes() { "goes" } else { "stays" }.to_owned(),
            execution.text_of(reason),
        ]
    };
    items(planned).map(row).collect()
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
        "pinned": plan.pinned(),
        "freed_bytes": purged.map(|purged| purged.freed_bytes),
    })
}

/// The fields of `--format plain`: executions deleted and remaining, bytes given back.
pub(crate) fn plain_row(plan: &PrunePlan, purged: Option<&Purged>) -> Vec<String> {
    let freed = purged.map(|purged| purged.freed_bytes.to_string()).unwrap_or_default();
    vec![executions(plan, purged).to_string(), plan.remaining.to_string(), freed]
}
