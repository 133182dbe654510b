//! What a page shows at a glance: few columns of few rows, however many there are.

use crate::base::timestamp::Timestamp;
use crate::workflow::record::{ExecutionStatus, StepStatus};

/// A step in the row of its execution: one that runs, or one that ended it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct NotableStep {
    pub name: String,
    pub status: StepStatus,
    /// The number of its last attempt.
    pub attempt: u32,
    /// Of the last attempt that ended with one.
    pub exit_code: Option<i32>,
    /// Why it did not succeed.
    pub error: Option<String>,
}

/// A workflow whose newest finished execution did not succeed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct FailingWorkflow {
    pub workflow_id: String,
    /// That execution.
    pub seq: i64,
    pub execution_id: String,
    pub status: ExecutionStatus,
    pub completed_at: Option<Timestamp>,
    pub total_steps: u32,
    /// Why.
    pub error: Option<String>,
}

/// How many executions are stored in each state.
pub(crate) type StatusCounts = Vec<(ExecutionStatus, u64)>;
