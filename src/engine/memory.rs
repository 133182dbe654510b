//! Executions that are not stored yet, as they would be shown if they were.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::repository::{Candidate, Found};
use crate::workflow::execution::Execution;
use crate::workflow::record::{
    Attempt, ExecutionDetail, ExecutionRecord, ExecutionStatus, HandlerRecord, StepRecord,
    StepState,
};

/// Executions that run or have ended, and are in no database.
#[derive(Debug, Default)]
pub struct Memory {
    shown: Mutex<HashMap<String, ExecutionDetail>>,
}

impl Memory {
    /// The state of an execution that is not stored. The list of steps ends with the step whose
    /// text makes it longer than `bytes` in all; [`Self::steps`] gives the rest, if there is more.
    #[must_use]
    pub fn get_within(&self, execution_id: &str, bytes: usize) -> Option<(ExecutionDetail, bool)> {
        let shown = self.lock();
        let detail = shown.get(execution_id)?;
        let (steps, is_cut) = within(&detail.steps, bytes);
        let (execution, handlers) = (detail.execution.clone(), detail.handlers.clone());
        Some((ExecutionDetail { execution, handlers, steps: steps.to_vec() }, is_cut))
    }

    /// The steps of an execution that is not stored from `position` on, as [`Self::get_within`].
    #[must_use]
    pub fn steps(
        &self,
        execution_id: &str,
        position: u32,
        bytes: usize,
    ) -> Option<(Vec<StepRecord>, bool)> {
        let shown = self.lock();
        let steps = &shown.get(execution_id)?.steps;
        let (steps, is_cut) = within(steps.get(position as usize..).unwrap_or_default(), bytes);
        Some((steps.to_vec(), is_cut))
    }

    /// The state of an execution that is not stored.
    #[must_use]
    pub fn status(&self, execution_id: &str) -> Option<ExecutionStatus> {
        self.lock().get(execution_id).map(|detail| detail.execution.status)
    }

    /// What may name each of them, in the order they were accepted.
    #[must_use]
    pub(crate) fn candidates(&self) -> Vec<Candidate> {
        let candidate = |detail: &ExecutionDetail| Candidate {
            found: Found { seq: None, execution_id: detail.execution.execution_id.clone() },
            workflow_id: detail.execution.workflow_id.clone(),
            created_at: detail.execution.created_at.map(|at| at.to_string()).unwrap_or_default(),
        };
        let mut candidates: Vec<Candidate> = self.lock().values().map(candidate).collect();
        candidates.sort_by(|a, b| {
            (&a.created_at, &a.found.execution_id).cmp(&(&b.created_at, &b.found.execution_id))
        });
        candidates
    }

    /// How many there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.lock().len()
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.lock().is_empty()
    }

    /// Updates the state; `ended` are the attempts that ended since the last update.
    pub(crate) fn show(&self, execution: &Execution, ended: &[Attempt]) {
        let detail = detail(execution);
        let mut shown = self.lock();
        let before = shown.insert(execution.spec().execution_id.clone(), detail);
        let Some(detail) = shown.get_mut(&execution.spec().execution_id) else { return };
        let (before, handlers) = before.map(|b| (b.steps, b.handlers)).unwrap_or_default();
        let handlers = handlers.into_iter().map(|handler| handler.step);
        // Steps are never removed, and handlers only added.
        let pairs = detail.steps.iter_mut().zip(before);
        let of_handlers = detail.handlers.iter_mut().map(|handler| &mut handler.step);
        for (step, before) in pairs.chain(of_handlers.zip(handlers)) {
            if step.attempt == before.attempt {
                (step.stdout, step.stdout_bytes) = (before.stdout, before.stdout_bytes);
                (step.stderr, step.stderr_bytes) = (before.stderr, before.stderr_bytes);
            }
        }
        for attempt in ended {
            let of_handlers = detail.handlers.iter_mut().map(|handler| &mut handler.step);
            let mut all = detail.steps.iter_mut().chain(of_handlers);
            if let Some(step) = all.find(|s| s.position == attempt.position) {
                let (stdout, stderr) = (attempt.stdout.clone(), attempt.stderr.clone());
                (step.stdout, step.stdout_bytes) = (stdout.text, stdout.total_bytes);
                (step.stderr, step.stderr_bytes) = (stderr.text, stderr.total_bytes);
            }
        }
    }

    /// It is stored, or gone.
    pub(crate) fn forget(&self, execution_id: &str) {
        self.lock().remove(execution_id);
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<String, ExecutionDetail>> {
        // Each change is one insertion or one removal, or sets fields that are whole.
        self.shown.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The steps up to the one that makes their text longer than `bytes`, and whether more follow.
fn within(steps: &[StepRecord], bytes: usize) -> (&[StepRecord], bool) {
    let mut length = 0;
    let last = steps.iter().position(|step| {
        length += step.text_bytes();
        length > bytes
    });
    let count = last.map_or(steps.len(), |last| last + 1);
    (&steps[..count], count < steps.len())
}

/// The execution as it will be read back, except for its number, if no attempt wrote anything.
pub(crate) fn foreseen(execution: &Execution) -> ExecutionDetail {
    let mut detail = detail(execution);
    detail.execution.persisted = true;
    detail
}

/// The execution as it would be read back, without the output of attempts.
fn detail(execution: &Execution) -> ExecutionDetail {
    let (spec, head) = (execution.spec(), execution.head());
    let created = spec.created();
    let snapshot = serde_json::from_str(&created.input_snapshot).unwrap_or_default();
    let record = ExecutionRecord {
        seq: None,
        execution_id: spec.execution_id.clone(),
        workflow_id: created.workflow_id,
        status: head.status,
        created_at: Some(created.created_at),
        started_at: head.started_at,
        completed_at: head.completed_at,
        updated_at: Some(head.updated_at),
        steps_completed: head.steps_completed,
        steps_failed: head.steps_failed,
        steps_skipped: head.steps_skipped,
        total_steps: u32::try_from(created.step_order.len()).unwrap_or(u32::MAX),
        step_order: created.step_order.to_vec(),
        replay_of: created.replay_of,
        trigger: created.trigger,
        cancel_requested_by: None,
        cancel_requested_address: None,
        input_snapshot: snapshot,
        error: head.error.clone(),
        outcome: head.outcome.or(Some(head.status).filter(|status| status.is_terminal())),
        owner: head.owner.clone().filter(|_| !head.status.is_terminal()),
        owner_state: None,
        persisted: false,
        pinned: None,
        concurrency_group: execution.spec().slot.as_ref().map(|slot| slot.group.clone()),
        waiting_for: None,
    };
    let count = execution.steps().len();
    let began = execution.handlers().iter().enumerate().filter(|(_, state)| state.attempt > 0);
    let handlers = began.map(|(index, state)| HandlerRecord {
        handler: spec.snapshot.definition().handlers[index].on,
        step: step(execution, count + index, state),
    });
    let handlers = handlers.collect();
    let steps = spec.graph().order.iter();
    let steps = steps.map(|&index| step(execution, index, &execution.steps()[index])).collect();
    ExecutionDetail { execution: record, handlers, steps }
}

fn step(execution: &Execution, index: usize, state: &StepState) -> StepRecord {
    let spec = execution.spec();
    StepRecord {
        name: spec.step(index).name.clone(),
        status: state.status,
        depends_on: spec.step(index).depends_on.clone(),
        started_at: state.started_at,
        completed_at: state.completed_at,
        error: state.error.clone(),
        position: spec.position(index),
        duration_ms: state.duration_ms,
        attempt: state.attempt,
        exit_code: state.exit_code,
        stdout: String::new(),
        stdout_bytes: 0,
        stderr: String::new(),
        stderr_bytes: 0,
        outputs: state.outputs.clone(),
        reused_from: state.reused.as_ref().map(|reused| reused.execution_id.clone()),
        reused_from_seq: state.reused.as_ref().and_then(|reused| reused.seq),
        output_note: None,
        reused_position: state.reused.as_ref().and_then(|reused| reused.position),
        skip_reason: state.skip_reason,
    }
}
