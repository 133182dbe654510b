//! The state of every workflow: its last execution and success, and how long it usually takes.

use std::collections::BTreeMap;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::catalogue::Entry;
use super::rehearsal::{Upcoming, Workflow, upcoming};
use super::schedules;
use crate::base::timestamp::Timestamp;
use crate::repository::{Reader, StoreError, SummaryExecution, WorkflowSummary};
use crate::workflow::compiled::CompiledWorkflow;
use crate::workflow::definition::Definition;
use crate::workflow::record::ExecutionStatus;
use crate::workflow::schedule_record::{OverdueRecord, PauseRecord};

/// A workflow that has executions, or that the folder of workflows has.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct WorkflowStatus {
    /// Which workflow.
    pub workflow_id: String,
    /// Its title in the folder.
    pub name: Option<String>,
    /// Its file; null where the folder has none, or there is no folder.
    pub file: Option<String>,
    /// Why the file as it is now cannot be used.
    pub problem: Option<String>,
    /// How many executions are stored.
    pub executions: u64,
    /// How many of them have not ended.
    pub unfinished: u64,
    /// The newest execution.
    pub last_run: Option<Run>,
    /// The newest that succeeded.
    pub last_success: Option<Run>,
    /// How long it usually takes.
    pub usual_duration: Option<UsualDuration>,
    /// Its next scheduled time; null without a schedule.
    #[serde(default)]
    pub next_run: Option<Upcoming>,
    /// Whether its schedules start nothing at the moment, and why.
    #[serde(default)]
    pub paused: Option<PauseRecord>,
    /// What is expected of it and not met.
    #[serde(default)]
    pub overdue: Vec<OverdueRecord>,
}

/// One execution.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Run {
    /// Its id.
    pub execution_id: String,
    /// Its number in the database.
    pub seq: i64,
    /// Its state.
    pub status: ExecutionStatus,
    /// When it was created.
    pub created_at: Option<Timestamp>,
    /// When its first step began.
    pub started_at: Option<Timestamp>,
    /// When it ended.
    pub completed_at: Option<Timestamp>,
    /// From its start to its end.
    pub duration_ms: Option<u64>,
}

/// How long the newest successes took, replays left out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct UsualDuration {
    /// The median.
    pub median_ms: u64,
    /// The 95th percentile.
    pub p95_ms: u64,
    /// How many there are.
    pub samples: u64,
}

impl From<SummaryExecution> for Run {
    fn from(execution: SummaryExecution) -> Self {
        let duration_ms = execution.millis();
        let SummaryExecution { seq, execution_id, status, created_at, started_at, completed_at } =
            execution;
        Self { execution_id, seq, status, created_at, started_at, completed_at, duration_ms }
    }
}

impl UsualDuration {
    /// By nearest rank: the value at `floor(p (n - 1))` of the sorted ones, as service levels and
    /// the performance gate have it.
    fn of(mut durations_ms: Vec<u64>) -> Option<Self> {
        durations_ms.sort_unstable();
        let last = durations_ms.len().checked_sub(1)?;
        let at = |percent: usize| durations_ms.get(last * percent / 100).copied();
        Some(Self { median_ms: at(50)?, p95_ms: at(95)?, samples: durations_ms.len() as u64 })
    }
}

/// The median of durations, as usual ones are written.
#[must_use]
pub(crate) fn median(durations_ms: Vec<u64>) -> Option<u64> {
    UsualDuration::of(durations_ms).map(|usual| usual.median_ms)
}

/// How long executions of each workflow usually take: the median, where it is known.
#[must_use]
pub(crate) fn usual_durations(summaries: Vec<WorkflowSummary>) -> Vec<(String, Duration)> {
    let usual = |summary: WorkflowSummary| {
        let usual = UsualDuration::of(summary.durations_ms)?;
        Some((summary.workflow_id, Duration::from_millis(usual.median_ms)))
    };
    summaries.into_iter().filter_map(usual).collect()
}

/// The state of each workflow in the order of their ids: of those that have executions, and those
/// of the folder. A broken file that shares its id with another is a row of its own.
#[must_use]
pub(crate) fn of_workflows(
    entries: &[Entry],
    summaries: Vec<WorkflowSummary>,
    facts: &ScheduleFacts,
    now: Timestamp,
) -> Vec<WorkflowStatus> {
    let mut summaries: BTreeMap<String, WorkflowSummary> =
        summaries.into_iter().map(|summary| (summary.workflow_id.clone(), summary)).collect();
    // Of files that share an id the one in use comes first, and has the executions.
    let mut files: Vec<&Entry> = entries.iter().collect();
    files.sort_by_key(|entry| (&entry.workflow_id, entry.compiled.is_none(), &entry.file));
    let of_file = |entry: &Entry| {
        let summary = summaries.remove(&entry.workflow_id);
        let definition = entry.compiled.as_deref().map(CompiledWorkflow::definition);
        WorkflowStatus {
            name: definition.and_then(|definition| definition.name.clone()),
            file: Some(entry.file.display().to_string()),
            problem: entry.problem.clone(),
            next_run: definition.and_then(|definition| facts.next(definition, now)),
            ..of_summary(entry.workflow_id.clone(), summary)
        }
    };
    let mut all: Vec<WorkflowStatus> = files.into_iter().map(of_file).collect();
    all.extend(summaries.into_iter().map(|(id, summary)| of_summary(id, Some(summary))));
    all.sort_by(|a, b| a.workflow_id.cmp(&b.workflow_id));
    for workflow in &mut all {
        let id = &workflow.workflow_id;
        let overdue = facts.overdue.iter().filter(|it| it.workflow_id == *id);
        workflow.overdue = overdue.cloned().collect();
        if workflow.next_run.is_some() {
            workflow.paused = schedules::pause_of(&facts.pauses, id, now);
        }
    }
    all
}

/// What is stored of schedules that a status shows.
#[derive(Debug, Default)]
pub(crate) struct ScheduleFacts {
    overdue: Vec<OverdueRecord>,
    pauses: Vec<PauseRecord>,
    identity: String,
}

impl ScheduleFacts {
    /// Reads it.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub(crate) fn read(reader: &Reader, now: Timestamp) -> Result<Self, StoreError> {
        let number = reader.database_number()?;
        let identity = number.map(|number| number.to_string()).unwrap_or_default();
        Ok(Self { overdue: reader.overdue()?, pauses: reader.pauses(now)?, identity })
    }

    fn next(&self, definition: &Definition, now: Timestamp) -> Option<Upcoming> {
        if !definition.has_schedules() {
            return None;
        }
        upcoming(&[Workflow::of(definition)], &self.identity, now, 1).pop()
    }
}

fn of_summary(workflow_id: String, summary: Option<WorkflowSummary>) -> WorkflowStatus {
    let Some(summary) = summary else {
        return WorkflowStatus {
            workflow_id,
            name: None,
            file: None,
            problem: None,
            executions: 0,
            unfinished: 0,
            last_run: None,
            last_success: None,
            usual_duration: None,
            next_run: None,
            paused: None,
            overdue: Vec::new(),
        };
    };
    WorkflowStatus {
        executions: summary.total,
        unfinished: summary.unfinished,
        last_run: summary.last.map(Run::from),
        last_success: summary.last_success.map(Run::from),
        usual_duration: UsualDuration::of(summary.durations_ms),
        ..of_summary(workflow_id, None)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn usual_durations_are_by_nearest_rank() {
        let of = |durations: &[u64]| {
            let usual = UsualDuration::of(durations.to_vec())?;
            Some((usual.median_ms, usual.p95_ms, usual.samples))
        };
        assert_eq!(of(&[]), None);
        assert_eq!(of(&[7]), Some((7, 7, 1)));
        assert_eq!(of(&[9, 1]), Some((1, 1, 2)));
        assert_eq!(of(&[30, 10, 20]), Some((20, 20, 3)));
        let hundred: Vec<u64> = (1..=100).rev().collect();
        assert_eq!(of(&hundred), Some((50, 95, 100)));
    }

    #[test]
    fn a_workflow_of_the_folder_alone_and_one_of_the_database_alone_are_both_there() {
        let entry = |id: &str, file: &str| Entry {
            workflow_id: id.to_owned(),
            file: file.into(),
            compiled: None,
            problem: Some("bad".to_owned()),
            loaded_at: None,
        };
        let summary = WorkflowSummary {
            workflow_id: "b".to_owned(),
            unfinished: 1,
            total: 3,
            last: None,
            last_success: None,
            durations_ms: vec![5],
        };
        let other = WorkflowSummary { workflow_id: "a".to_owned(), ..summary.clone() };
        let entries = [entry("c", "c.yaml"), entry("b", "b2.yaml"), entry("b", "b1.yaml")];
        let now = Timestamp::from_micros(0);
        let facts = ScheduleFacts::default();
        let found = of_workflows(&entries, vec![summary, other], &facts, now);
        let rows: Vec<(&str, Option<&str>, u64)> = found
            .iter()
            .map(|row| (row.workflow_id.as_str(), row.file.as_deref(), row.executions))
            .collect();
        assert_eq!(
            rows,
            [
                ("a", None, 3),
                ("b", Some("b1.yaml"), 3),
                ("b", Some("b2.yaml"), 0),
                ("c", Some("c.yaml"), 0)
            ]
        );
    }
}
