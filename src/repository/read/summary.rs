//! What is known of all executions of a workflow.

use crate::base::timestamp::Timestamp;
use crate::workflow::record::ExecutionStatus;

/// So many successes, the newest, say how long a workflow usually takes.
pub(crate) const DURATIONS_MAX: u32 = 100;

/// One execution in a summary.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct SummaryExecution {
    /// Its number in the database.
    pub seq: i64,
    /// Its id everywhere.
    pub execution_id: String,
    /// Its state.
    pub status: ExecutionStatus,
    /// When it was created.
    pub created_at: Option<Timestamp>,
    /// When its first step began.
    pub started_at: Option<Timestamp>,
    /// When it ended.
    pub completed_at: Option<Timestamp>,
}

impl SummaryExecution {
    /// How long it took, once it has ended.
    #[must_use]
    pub(crate) fn millis(&self) -> Option<u64> {
        let took = self.completed_at?.since(self.started_at?);
        u64::try_from(took.as_millis()).ok()
    }
}

/// The executions of one workflow.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct WorkflowSummary {
    /// Which workflow.
    pub workflow_id: String,
    /// How many executions have not ended.
    pub unfinished: u64,
    /// How many executions are stored, those included.
    pub total: u64,
    /// The newest.
    pub last: Option<SummaryExecution>,
    /// The newest that succeeded.
    pub last_success: Option<SummaryExecution>,
    /// How long the newest successes took that were no replays, milliseconds, the newest first; at
    /// most [`DURATIONS_MAX`].
    pub durations_ms: Vec<u64>,
}
