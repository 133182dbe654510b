//! What is written of schedules: not as a part of an execution, but each in a transaction of its own.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use crate::base::timestamp::Timestamp;
use crate::workflow::notification::Notify;
use crate::workflow::schedule_record::{DecisionRecord, OverdueKind, OverdueRecord, PauseRecord};
use crate::workflow::trigger::Requester;

/// How many rows of decisions a schedule keeps.
pub(crate) const DECISIONS_MAX: u64 = 10_000;
/// How long decisions, and pauses that are over, are kept.
pub(crate) const DECISIONS_KEPT: std::time::Duration = std::time::Duration::from_secs(400 * 86_400);

/// Who is notified of what, for each workflow that notifies somebody.
pub(crate) type Notified = BTreeMap<String, Arc<Notify>>;

/// The schedules of a workflow as its file has them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct RegisteredWorkflow {
    /// Which workflow.
    pub(crate) workflow_id: String,
    /// The name of each schedule, and its expression with its zone. None: the workflow has no
    /// schedules any more.
    pub(crate) schedules: Vec<(String, String)>,
}

/// A row of decisions that ended after the time that the clock was set back to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Trimmed {
    pub(crate) workflow_id: String,
    pub(crate) schedule: String,
    /// The first scheduled time of the row.
    pub(crate) scheduled_at: Timestamp,
    /// The last one that is left.
    pub(crate) scheduled_until: Timestamp,
    /// How many are left.
    pub(crate) count: u64,
}

/// What is to be written.
#[derive(Debug, Clone)]
pub(crate) enum ScheduleChange {
    /// Which schedules there are from now on. A new one, or one with other times, begins now.
    Register { now: Timestamp, workflows: Vec<RegisteredWorkflow> },
    /// What was decided of scheduled times, other than that an execution is started. What
    /// contradicts what is stored is left out, and its workflow is returned.
    Decide { now: Timestamp, decisions: Vec<DecisionRecord>, notify: Notified },
    /// The clock was set back: of what was decided for later times, only starts still hold.
    SetBack { now: Timestamp, trimmed: Vec<Trimmed> },
    /// A workflow, or all of them, starts nothing by schedules. One pause at a time: it takes the
    /// place of another one.
    Pause(PauseRecord),
    /// It does so again.
    Resume { workflow_id: Option<String>, requester: Requester, now: Timestamp },
    /// Expectations that are not met, and those that are met again.
    Overdue {
        now: Timestamp,
        raised: Vec<OverdueRecord>,
        cleared: Vec<(String, OverdueKind)>,
        notify: Notified,
    },
}

/// What it did.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct ScheduleOutcome {
    /// Workflows of which others have decided meanwhile.
    pub(crate) conflicts: BTreeSet<String>,
    /// How many rows changed that the change is about.
    pub(crate) changed: usize,
}

impl ScheduleChange {
    /// Whether somebody may be notified of it.
    pub(crate) fn may_notify(&self) -> bool {
        match self {
            Self::Decide { notify, .. } | Self::Overdue { notify, .. } => !notify.is_empty(),
            Self::Register { .. } | Self::SetBack { .. } | Self::Pause(_) | Self::Resume { .. } => {
                false
            }
        }
    }
}
