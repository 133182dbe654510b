//! What is read of schedules.

use crate::base::timestamp::Timestamp;
use crate::schedule::planner::Known;
use crate::workflow::record::ExecutionStatus;
use crate::workflow::schedule_record::DecisionRecord;

/// A schedule as it is stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct StoredSchedule {
    /// Which workflow.
    pub workflow_id: String,
    /// Its name.
    pub schedule: String,
    /// What the planner goes on from.
    pub known: Known,
}

/// An execution that has not ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct UnfinishedExecution {
    /// Which workflow.
    pub workflow_id: String,
    /// Which.
    pub execution_id: String,
    /// Where it stands.
    pub status: ExecutionStatus,
    /// When its first step began.
    pub started_at: Option<Timestamp>,
    /// The scheduled time that it was to start at, with the schedule's name: `None` also for one that
    /// waited for the end of a blackout, or was started by hand.
    pub expected: Option<(String, Timestamp)>,
    /// Whether it makes up for a missed time.
    pub catch_up: bool,
    /// Whether a request defined it; then it is in nobody's way.
    pub is_ad_hoc: bool,
    /// The process that runs it.
    pub owner: Option<String>,
}

/// Where a list of decisions goes on: before this scheduled time, workflow and schedule.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct DecisionPosition {
    /// The scheduled time of the last one that was listed.
    pub scheduled_at: Timestamp,
    /// Its workflow.
    pub workflow_id: String,
    /// Its schedule.
    pub schedule: String,
}

impl DecisionPosition {
    /// Where a list ended.
    #[must_use]
    pub(crate) fn after(last: &DecisionRecord) -> Self {
        let DecisionRecord { scheduled_at, workflow_id, schedule, .. } = last;
        let (workflow_id, schedule) = (workflow_id.clone(), schedule.clone());
        Self { scheduled_at: *scheduled_at, workflow_id, schedule }
    }
}
