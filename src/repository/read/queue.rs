//! Who waits for a slot of a concurrency group, and for whom.

use serde::{Deserialize, Serialize};

use crate::base::timestamp::Timestamp;
use crate::workflow::record::{ExecutionStatus, OwnerState};

/// How many groups are shown.
pub(crate) const GROUPS_SHOWN: usize = 1_000;
/// How many waiters of a group are named.
pub(crate) const WAITERS_SHOWN: usize = 1_000;

/// The groups in which something runs or waits, by name.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Queue {
    /// The groups.
    pub groups: Vec<QueuedGroup>,
}

/// One group.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct QueuedGroup {
    /// Its name, with the values of its parameters.
    pub group: String,
    /// How many run at a time; `None`: any number.
    pub limit: Option<u32>,
    /// How many hold a slot.
    pub running: u64,
    /// How many wait for one.
    pub waiting: u64,
    /// Those that hold a slot, then those that wait, first come first; the first ones of very many.
    pub executions: Vec<QueuedExecution>,
}

/// One that holds a slot or waits.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct QueuedExecution {
    /// Its number.
    pub seq: i64,
    /// Its id.
    pub execution_id: String,
    /// What it runs.
    pub workflow_id: String,
    /// `running`: it holds a slot; `pending`: it waits for one.
    pub status: ExecutionStatus,
    /// Since when it waits, or waited.
    pub created_at: Timestamp,
    /// Since when it runs.
    pub started_at: Option<Timestamp>,
    /// The process that has it.
    #[serde(skip)]
    pub owner: Option<String>,
    /// Whether that process is alive.
    pub owner_state: Option<OwnerState>,
}
