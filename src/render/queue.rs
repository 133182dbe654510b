//! Who waits for a slot of a concurrency group.

use super::layout::Layout;
use super::style::of_execution;
use super::table;
use super::table::Column;
use crate::base::timestamp::Timestamp;
use crate::base::units;
use crate::base::visible::visible;
use crate::repository::{Queue, QueuedExecution, QueuedGroup};
use crate::workflow::record::ExecutionStatus;

/// The width to which a group's name may be cut before columns are left out.
const NAME_LEAST: usize = 24;

impl Layout {
    /// A table of those that hold a slot and those that wait, by group, in the order of their turn.
    pub(crate) fn queue(&self, queue: &Queue, now: Timestamp) -> String {
        if queue.groups.is_empty() {
            return "nothing runs or waits in a concurrency group\n".to_owned();
        }
        let columns = vec![
            Column::new("group").cut(NAME_LEAST),
            Column::new("limit").rank(3),
            Column::new("@"),
            Column::new("workflow").cut(NAME_LEAST).rank(2),
            Column::new("status"),
            Column::new("since").rank(1),
            Column::new("for"),
        ];
        let mut table = table::Builder::new(*self, columns);
        for group in &queue.groups {
            for execution in &group.executions {
                table.row(vec![
                    table::cell(&visible(&group.group)),
                    table::number(&limit(group)),
                    table::number(&format!("@{}", execution.seq)),
                    table::cell(&visible(&execution.workflow_id)),
                    table::state(word(execution), of_execution(execution.status)),
                    self.time(Some(since(execution))),
                    table::number(&units::duration(now.since(since(execution)))),
                ]);
            }
        }
        let mut text = table.finish();
        for group in &queue.groups {
            let QueuedGroup { running, waiting, .. } = group;
            text += &format!(
                "{}: {running} of {} running, {waiting} waiting\n",
                visible(&group.group),
                limit(group)
            );
        }
        text
    }
}

fn limit(group: &QueuedGroup) -> String {
    group.limit.map_or_else(|| "any".to_owned(), |limit| limit.to_string())
}

fn word(execution: &QueuedExecution) -> &'static str {
    match execution.status {
        ExecutionStatus::Pending => "waiting",
        status => status.as_str(),
    }
}

fn since(execution: &QueuedExecution) -> Timestamp {
    match execution.status {
        ExecutionStatus::Pending => execution.created_at,
        _ => execution.started_at.unwrap_or(execution.created_at),
    }
}

/// The rows of `--format plain`.
pub(crate) fn plain_rows(queue: &Queue) -> Vec<Vec<String>> {
    let row = |group: &QueuedGroup, execution: &QueuedExecution| {
        vec![
            group.group.clone(),
            limit(group),
            format!("@{}", execution.seq),
            execution.execution_id.clone(),
            execution.workflow_id.clone(),
            word(execution).to_owned(),
            since(execution).to_string(),
        ]
    };
    let groups = queue.groups.iter();
    groups.flat_map(|group| group.executions.iter().map(move |it| row(group, it))).collect()
}
