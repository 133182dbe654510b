//! The state of an execution, and its changes: the values that pass between the state machine, the
//! repository and the presentation.

use std::collections::BTreeMap;
use std::sync::Arc;

use indexmap::IndexMap;
use serde::{Deserialize, Serialize};

use super::concurrency::{SlotRequest, WaitingFor};
use super::handler::HandlerKind;
pub(crate) use super::json_text::JsonText;
use super::notification::Events;
use super::pin::Pin;
use super::retention_policy::StartRetention;
use super::schedule_record::ScheduledStart;
pub(crate) use super::status::{ExecutionStatus, ParseStatusError, SkipReason, StepStatus};
use super::trigger::Trigger;
use crate::base::timestamp::Timestamp;

/// The outputs of a step, in the order they were written.
pub(crate) type Outputs = IndexMap<String, String>;

/// The most bytes stored of each of an attempt's two streams: its end.
pub(crate) const OUTPUT_KEPT_BYTES: usize = 64 * 1024;

/// The end of what an attempt wrote to one stream.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Captured {
    /// The last [`OUTPUT_KEPT_BYTES`] as text; what is no UTF-8 is replaced.
    pub text: String,
    /// How many bytes were written in all; if more than are stored, the text is truncated.
    pub total_bytes: u64,
}

impl Captured {
    /// Whether only the end is stored.
    #[must_use]
    pub fn is_truncated(&self) -> bool {
        self.total_bytes > OUTPUT_KEPT_BYTES as u64
    }
}

/// The part of an execution that changes while it runs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ExecutionState {
    /// Where it stands.
    pub status: ExecutionStatus,
    /// When its first step could start.
    pub started_at: Option<Timestamp>,
    /// When it ended.
    pub completed_at: Option<Timestamp>,
    /// When any of this last changed.
    pub updated_at: Timestamp,
    /// Steps in a terminal state.
    pub steps_completed: u32,
    /// Of these, steps that failed, were cancelled or interrupted.
    pub steps_failed: u32,
    /// Of these, steps that were skipped. The rest succeeded.
    pub steps_skipped: u32,
    /// Why it did not succeed.
    pub error: Option<String>,
    /// How its steps ended, once that is decided and handlers run. It never changes.
    pub outcome: Option<ExecutionStatus>,
    /// The process that runs it, see `repository::liveness`; stored until it ends.
    pub owner: Option<String>,
}

impl ExecutionState {
    /// Counts a step that has ended.
    pub(crate) fn count(&mut self, status: StepStatus) {
        self.steps_completed += 1;
        match status {
            StepStatus::Failed | StepStatus::Cancelled | StepStatus::Interrupted => {
                self.steps_failed += 1;
            }
            StepStatus::Skipped => self.steps_skipped += 1,
            StepStatus::Pending | StepStatus::Running | StepStatus::Success => {}
        }
    }

    /// Counts no step any more, to count them anew.
    pub(crate) fn uncount(&mut self) {
        (self.steps_completed, self.steps_failed, self.steps_skipped) = (0, 0, 0);
    }
}

/// The part of an execution that never changes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Created {
    /// What it runs.
    pub workflow_id: String,
    /// When it was accepted.
    pub created_at: Timestamp,
    /// Step names by position.
    pub step_order: Arc<[String]>,
    /// The `depends_on` of each step, by position.
    pub depends_on: Arc<[Vec<String>]>,
    /// The execution that this one repeats.
    pub replay_of: Option<String>,
    /// Who started it; `None`: nobody says.
    pub trigger: Option<Trigger>,
    /// The JSON text of the [`crate::workflow::compiled::Snapshot`].
    pub input_snapshot: String,
    /// What it says of the retention of its workflow.
    pub retention: StartRetention,
    /// The slot that it needs to run, if any.
    pub slot: Option<Arc<SlotRequest>>,
    /// The scheduled time that it decides, if any.
    pub scheduled: Option<Arc<ScheduledStart>>,
}

/// The part of a step that changes while it runs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StepState {
    /// Where it stands.
    pub status: StepStatus,
    /// When its first attempt started.
    pub started_at: Option<Timestamp>,
    /// When it ended.
    pub completed_at: Option<Timestamp>,
    /// From the first attempt's start to the end, by the monotonic clock.
    pub duration_ms: Option<u64>,
    /// The number of its last attempt, from 1; 0 before the first.
    pub attempt: u32,
    /// Of the last attempt that ended with one.
    pub exit_code: Option<i32>,
    /// Why it did not succeed.
    pub error: Option<String>,
    /// Why it was skipped; `None` also for one that the end of the execution's time skipped.
    pub skip_reason: Option<SkipReason>,
    /// Its outputs.
    pub outputs: Outputs,
    /// Where it really ran, if this execution reused it.
    pub reused: Option<Arc<Reuse>>,
}

impl StepState {
    /// How long its outputs are with their names.
    #[must_use]
    pub fn output_bytes(&self) -> usize {
        self.outputs.iter().map(|(key, value)| key.len() + value.len()).sum()
    }
}

/// Where a reused step really ran, followed through replays of replays.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reuse {
    /// The id of that execution, which may be deleted by now.
    pub execution_id: String,
    /// Its number; `None` if it was not stored when the step was reused.
    pub seq: Option<i64>,
    /// The position of the step there, which its output is stored under; `None`: it wrote nothing.
    pub position: Option<u32>,
}

impl Reuse {
    /// `@N`, or the id where there is no number.
    #[must_use]
    pub fn number(&self) -> String {
        self.seq.map_or_else(|| self.execution_id.clone(), |seq| format!("@{seq}"))
    }
}

impl Default for StepState {
    fn default() -> Self {
        Self {
            status: StepStatus::Pending,
            started_at: None,
            completed_at: None,
            duration_ms: None,
            attempt: 0,
            exit_code: None,
            error: None,
            skip_reason: None,
            outputs: Outputs::new(),
            reused: None,
        }
    }
}

/// One attempt of a step, stored if it is not the only one or wrote something.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Attempt {
    /// The position of its step.
    pub position: u32,
    /// From 1.
    pub attempt: u32,
    /// How it ended: success, failed, skipped, cancelled or interrupted.
    pub status: StepStatus,
    /// When it started.
    pub started_at: Timestamp,
    /// When it ended.
    pub completed_at: Timestamp,
    /// By the monotonic clock.
    pub duration_ms: u64,
    /// The exit code of its process.
    pub exit_code: Option<i32>,
    /// Why it did not succeed.
    pub error: Option<String>,
    /// The end of its standard output.
    pub stdout: Captured,
    /// The end of its standard error.
    pub stderr: Captured,
}

impl Attempt {
    /// How long the text is that a program decided.
    #[must_use]
    pub fn text_bytes(&self) -> usize {
        let error = self.error.as_ref().map_or(0, String::len);
        self.stdout.text.len() + self.stderr.text.len() + error
    }
}

/// The unsaved changes of one execution: its newest state, the newest state of changed steps, and
/// the attempts that ended. Changes merge, so that any number of them costs one write.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Change {
    /// The newest head.
    pub head: ExecutionState,
    /// The unchanging part, while the execution is not stored at all.
    pub created: Option<Arc<Created>>,
    /// Changed steps by position.
    pub steps: BTreeMap<u32, StepState>,
    /// Changed handlers by position, which is after those of the steps.
    pub handlers: BTreeMap<u32, HandlerState>,
    /// Ended attempts, oldest first.
    pub attempts: Vec<Attempt>,
    /// What is to be notified, if anybody is.
    pub events: Option<Box<Events>>,
}

impl Change {
    /// Adds what happened later.
    pub fn merge(&mut self, later: Self) {
        self.head = later.head;
        if self.created.is_none() {
            self.created = later.created;
        }
        self.steps.extend(later.steps);
        self.handlers.extend(later.handlers);
        self.attempts.extend(later.attempts);
        match (&mut self.events, later.events) {
            (Some(events), Some(later)) => events.events.extend(later.events),
            (events @ None, later) => *events = later,
            (Some(_), None) => {}
        }
    }
}

/// A handler that began.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HandlerState {
    /// After which outcome it runs.
    pub on: HandlerKind,
    /// Unique among steps and handlers.
    pub name: String,
    /// The part that changes.
    pub state: StepState,
}

/// Whether the process that runs an execution is alive.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum OwnerState {
    Alive,
    /// It is dead; `wfx recover` continues the execution.
    Dead,
    /// Neither is proven; the execution is not continued unless an operator asks for it.
    Unknown,
}

/// The key of an attempt, as its processes have it in their environment.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct AttemptKey {
    /// `WFX_EXECUTION_ID`.
    pub execution_id: String,
    /// `WFX_STEP_NAME`.
    pub step: String,
    /// `WFX_ATTEMPT`.
    pub attempt: u32,
}

/// An execution as it is stored and shown: the columns of `workflow_executions`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ExecutionRecord {
    /// Its number in this database, once it is stored.
    pub seq: Option<i64>,
    /// Its id everywhere.
    pub execution_id: String,
    /// What it runs.
    pub workflow_id: String,
    /// Where it stands.
    pub status: ExecutionStatus,
    /// When it was accepted.
    pub created_at: Option<Timestamp>,
    /// When its first step could start.
    pub started_at: Option<Timestamp>,
    /// When it ended.
    pub completed_at: Option<Timestamp>,
    /// When any of this last changed.
    pub updated_at: Option<Timestamp>,
    /// Steps in a terminal state.
    pub steps_completed: u32,
    /// Of these, steps that failed, were cancelled or interrupted.
    #[serde(default)]
    pub steps_failed: u32,
    /// Of these, steps that were skipped. The rest succeeded.
    #[serde(default)]
    pub steps_skipped: u32,
    /// Steps in all.
    pub total_steps: u32,
    /// Step names by position.
    pub step_order: Vec<String>,
    /// The execution that this one repeats.
    pub replay_of: Option<String>,
    /// Who or what started it; `None` where that was not recorded.
    pub trigger: Option<Trigger>,
    /// Who asked for its end.
    pub cancel_requested_by: Option<String>,
    /// From which address, if that was on the web page.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cancel_requested_address: Option<String>,
    /// The definition as run, the parameters and the working folder.
    pub input_snapshot: JsonText,
    /// Why it did not succeed.
    pub error: Option<String>,
    /// How its steps ended: known before its handlers run, and never changed afterwards.
    pub outcome: Option<ExecutionStatus>,
    /// The process that runs it.
    pub owner: Option<String>,
    /// Whether that process is alive.
    pub owner_state: Option<OwnerState>,
    /// Whether it is in the database.
    pub persisted: bool,
    /// Set while it is pinned.
    pub pinned: Option<Pin>,
    /// The concurrency group that it needs a slot of.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub concurrency_group: Option<String>,
    /// What it waits for; `None`: for nothing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub waiting_for: Option<WaitingFor>,
}

impl ExecutionRecord {
    /// How many of its steps have succeeded.
    #[must_use]
    pub fn steps_succeeded(&self) -> u32 {
        self.steps_completed.saturating_sub(self.steps_failed + self.steps_skipped)
    }

    /// `@N`, as it is named in commands; nothing while it is in no database.
    #[must_use]
    pub fn number(&self) -> String {
        self.seq.map(|seq| format!("@{seq}")).unwrap_or_default()
    }
}

/// A step as it is stored and shown.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct StepRecord {
    /// Unique in the workflow.
    pub name: String,
    /// Where it stands.
    pub status: StepStatus,
    /// Names of the steps it waited for.
    pub depends_on: Vec<String>,
    /// When its first attempt started.
    pub started_at: Option<Timestamp>,
    /// When it ended.
    pub completed_at: Option<Timestamp>,
    /// Why it did not succeed.
    pub error: Option<String>,
    /// Its index in `step_order`.
    pub position: u32,
    /// From the first attempt's start to the end, milliseconds.
    pub duration_ms: Option<u64>,
    /// The number of its last attempt; 0: none.
    pub attempt: u32,
    /// Of the last attempt that ended with one.
    pub exit_code: Option<i32>,
    /// The end of the last attempt's standard output.
    pub stdout: String,
    /// How many bytes that attempt wrote there in all.
    pub stdout_bytes: u64,
    /// The end of the last attempt's standard error.
    pub stderr: String,
    /// How many bytes that attempt wrote there in all.
    pub stderr_bytes: u64,
    /// Its outputs.
    pub outputs: Outputs,
    /// Why it was skipped.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub skip_reason: Option<SkipReason>,
    /// The id of the execution in which it really ran, if this one reused it.
    pub reused_from: Option<String>,
    /// The number of that execution.
    pub reused_from_seq: Option<i64>,
    /// Why its output is not shown although it wrote something.
    pub output_note: Option<String>,
    /// The position of the step there; `None`: it wrote nothing.
    #[serde(skip)]
    pub reused_position: Option<u32>,
}

impl StepRecord {
    /// Where it really ran, if it was reused.
    #[must_use]
    pub fn reuse(&self) -> Option<Reuse> {
        let (seq, position) = (self.reused_from_seq, self.reused_position);
        Some(Reuse { execution_id: self.reused_from.clone()?, seq, position })
    }

    /// How long the text is that a program or a document decided, but for the step's name.
    #[must_use]
    pub fn text_bytes(&self) -> usize {
        let outputs: usize = self.outputs.iter().map(|(key, value)| key.len() + value.len()).sum();
        let depends_on: usize = self.depends_on.iter().map(String::len).sum();
        let error = self.error.as_ref().map_or(0, String::len);
        self.stdout.len() + self.stderr.len() + outputs + depends_on + error
    }
}

impl From<StepRecord> for StepState {
    fn from(step: StepRecord) -> Self {
        Self {
            reused: step.reuse().map(Arc::new),
            status: step.status,
            started_at: step.started_at,
            completed_at: step.completed_at,
            duration_ms: step.duration_ms,
            attempt: step.attempt,
            exit_code: step.exit_code,
            error: step.error,
            skip_reason: step.skip_reason,
            outputs: step.outputs,
        }
    }
}

/// A handler as it is stored and shown.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct HandlerRecord {
    /// After which outcome it ran.
    pub handler: HandlerKind,
    /// How it went. Its position is after those of the steps.
    #[serde(flatten)]
    pub step: StepRecord,
}

/// One execution with its steps: the answer of `show --format json` and of the API.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ExecutionDetail {
    /// The execution.
    pub execution: ExecutionRecord,
    /// The handlers that began, in their order. Before the steps, which may be written later.
    pub handlers: Vec<HandlerRecord>,
    /// Its steps in `step_order`.
    pub steps: Vec<StepRecord>,
}
