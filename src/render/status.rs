//! The state of every workflow.

use std::time::Duration;

use super::layout::Layout;
use super::style::{OVERDUE, WARNING, of_execution};
use super::table;
use super::table::Column;
use crate::base::timestamp::Timestamp;
use crate::base::units;
use crate::base::visible::visible;
use crate::operations::status::WorkflowStatus;

/// The width to which a workflow's name may be cut before columns are left out.
const NAME_LEAST: usize = 24;

impl Layout {
    /// A table of workflows, and below it what is wrong with their files.
    pub(crate) fn status(&self, workflows: &[WorkflowStatus]) -> String {
        if workflows.is_empty() {
            return "there are no workflows yet: `wfx exec FILE` runs one\n".to_owned();
        }
        let times = |of: fn(&WorkflowStatus) -> Option<Timestamp>| {
            let widths = workflows.iter().filter_map(of).map(|at| self.zone.minute(at).len());
            widths.max().unwrap_or(0)
        };
        let columns = vec![
            Column::new("workflow").cut(NAME_LEAST),
            Column::new("last run"),
            Column::new("at").prefix(times(last_run)).rank(3),
            Column::new("took").rank(4),
            Column::new("last success").prefix(times(last_success)).rank(1),
            Column::new("usually").rank(5),
            Column::new("p95").rank(6),
        ];
        let has_schedules = workflows.iter().any(|workflow| workflow.next_run.is_some());
        let mut columns = columns;
        if has_schedules {
            columns.push(Column::new("next run").prefix(times(next_run)).rank(2));
        }
        let has_overdue = workflows.iter().any(|workflow| !workflow.overdue.is_empty());
        if has_overdue {
            columns.push(Column::new("overdue"));
        }
        let mut table = table::Builder::new(*self, columns);
        for workflow in workflows {
            let millis = |ms: Option<u64>| {
                let took = ms.map(Duration::from_millis).map(units::duration);
                table::number(&took.unwrap_or_default())
            };
            let last = workflow.last_run.as_ref();
            let status = match last {
                Some(last) => table::state(last.status.as_str(), of_execution(last.status)),
                None => table::cell("never"),
            };
            let mut row = vec![
                table::cell(&visible(&workflow.workflow_id)),
                status,
                self.time(last_run(workflow)),
                millis(last.and_then(|last| last.duration_ms)),
                self.time(last_success(workflow)),
                millis(workflow.usual_duration.map(|usual| usual.median_ms)),
                millis(workflow.usual_duration.map(|usual| usual.p95_ms)),
            ];
            if has_schedules {
                row.push(match (&workflow.next_run, &workflow.paused) {
                    (Some(_), Some(_)) => table::cell("paused"),
                    (Some(next), None) => self.time(Some(next.start_at)),
                    (None, _) => table::cell(""),
                });
            }
            if has_overdue {
                let kinds: Vec<&str> =
                    workflow.overdue.iter().map(|overdue| overdue.kind.as_str()).collect();
                row.push(table::state(&kinds.join(", "), OVERDUE));
            }
            table.row(row);
        }
        let mut text = table.finish();
        for workflow in workflows {
            if let (Some(file), Some(problem)) = (&workflow.file, &workflow.problem) {
                let file = visible(file);
                text += &format!("{WARNING}{file}{WARNING:#} cannot be used:");
                text += &problem_below(problem);
            }
        }
        text
    }
}

/// What is wrong with a file, which may take several lines.
fn problem_below(problem: &str) -> String {
    let mut lines = problem.lines().map(visible);
    match (lines.next(), lines.next()) {
        (Some(only), None) => format!(" {only}\n"),
        _ => {
            problem.lines().map(|line| format!("\n  {}", visible(line))).collect::<String>() + "\n"
        }
    }
}

fn last_run(workflow: &WorkflowStatus) -> Option<Timestamp> {
    workflow.last_run.as_ref()?.created_at
}

fn next_run(workflow: &WorkflowStatus) -> Option<Timestamp> {
    workflow.next_run.as_ref().map(|next| next.start_at)
}

fn last_success(workflow: &WorkflowStatus) -> Option<Timestamp> {
    workflow.last_success.as_ref()?.created_at
}

/// The fields of `--format plain`.
pub(crate) fn plain_row(workflow: &WorkflowStatus) -> Vec<String> {
    let time = |at: Option<Timestamp>| at.map(|at| at.to_string()).unwrap_or_default();
    let number = |value: Option<u64>| value.map(|value| value.to_string()).unwrap_or_default();
    let last = workflow.last_run.as_ref();
    vec![
        workflow.workflow_id.clone(),
        last.map(|last| last.status.to_string()).unwrap_or_default(),
        time(last_run(workflow)),
        number(last.and_then(|last| last.duration_ms)),
        time(last_success(workflow)),
        number(workflow.usual_duration.map(|usual| usual.median_ms)),
        number(workflow.usual_duration.map(|usual| usual.p95_ms)),
        workflow.unfinished.to_string(),
        workflow.problem.clone().unwrap_or_default(),
        time(workflow.next_run.as_ref().map(|next| next.start_at)),
        workflow.paused.as_ref().map(|_| "paused".to_owned()).unwrap_or_default(),
        workflow.overdue.iter().map(|it| it.kind.as_str()).collect::<Vec<_>>().join(","),
    ]
}
