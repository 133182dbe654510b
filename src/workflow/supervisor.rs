//! Runs executions on behalf of one process: new ones, and those of processes that died.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use uuid::{NoContext, Uuid};

use super::cancel::Cancel;
use super::check;
use super::definition::Snapshot;
use super::engine::{self, Means, RunError};
use super::event::Event;
use super::execution::Execution;
use super::graph::Cycle;
use super::plan::Plan;
use super::record::ExecutionStatus;
use super::report::Observer;
use crate::clock;
use crate::repository::{StoreError, TakenOver, Which};

/// Why an execution ends that another process wants ended.
const CANCELLED: &str = "cancelled on request";

/// Runs executions on behalf of one process.
#[derive(Debug)]
pub struct Supervisor {
    means: Arc<Means>,
    owner: String,
    places: usize,
    /// How those that run are ended.
    running: Mutex<HashMap<String, Cancel>>,
}

impl Supervisor {
    /// A supervisor for the process that goes by `owner`. `places` is how many
    /// steps of one execution run at a time where the definition does not say.
    #[must_use]
    pub fn new(means: Means, owner: String, places: usize) -> Self {
        Self { means: Arc::new(means), owner, places, running: Mutex::default() }
    }

    /// Lays out a new execution.
    ///
    /// # Errors
    /// [`Cycle`] when its steps wait for each other.
    pub fn plan(&self, snapshot: Snapshot, replay_of: Option<String>) -> Result<Plan, Cycle> {
        let now = clock::now();
        Plan::new(new_execution_id(now), snapshot, replay_of, now)
    }

    /// Runs it to its end, stored.
    ///
    /// # Errors
    /// [`RunError`] when the store does not take it, or for a fault of wfx.
    pub async fn run(
        &self,
        plan: Plan,
        observer: &Arc<dyn Observer>,
        cancel: &Cancel,
    ) -> Result<ExecutionStatus, RunError> {
        let execution = Execution::new(Arc::new(plan), self.places, Some(self.owner.clone()));
        self.drive(execution, Event::Begin, observer, cancel).await
    }

    /// Makes this process the owner of at most `limit` executions whose process died.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn take_over(
        &self,
        which: Which,
        limit: usize,
    ) -> Result<Vec<TakenOver>, StoreError> {
        self.means.writer.take_over(which, &self.owner, limit).await
    }

    /// Brings an execution that was taken over to its end, stored. One whose snapshot
    /// cannot be run any more ends as interrupted.
    ///
    /// # Errors
    /// [`RunError`] when the store does not take it, or for a fault of wfx.
    pub async fn resume(
        &self,
        taken: TakenOver,
        observer: &Arc<dyn Observer>,
        cancel: &Cancel,
    ) -> Result<ExecutionStatus, RunError> {
        let cancelled = taken.cancel_requested.then(|| CANCELLED.to_owned());
        match plan_again(&taken) {
            Ok(plan) => {
                let recorded = taken.recorded;
                let execution =
                    Execution::resumed(Arc::new(plan), self.places, self.owner.clone(), recorded);
                self.drive(execution, Event::Resume { cancelled }, observer, cancel).await
            }
            Err(why) => {
                let error = format!("wfx ended while it ran, and it cannot go on: {why}");
                let change = taken.recorded.abandon(&error, clock::now());
                engine::settle(&taken.execution.execution_id, change, &self.means).await
            }
        }
    }

    /// Asks an execution that runs to end; one that does not has ended already.
    pub fn cancel(&self, execution_id: &str) {
        if let Some(cancel) = self.running().get(execution_id) {
            cancel.request(CANCELLED);
        }
    }

    async fn drive(
        &self,
        execution: Execution,
        begin: Event,
        observer: &Arc<dyn Observer>,
        cancel: &Cancel,
    ) -> Result<ExecutionStatus, RunError> {
        let execution_id = execution.plan().execution_id.clone();
        let own = cancel.child();
        self.running().insert(execution_id.clone(), own.clone());
        let outcome = engine::drive(execution, begin, &self.means, observer, &own).await;
        self.running().remove(&execution_id);
        outcome
    }

    fn running(&self) -> MutexGuard<'_, HashMap<String, Cancel>> {
        // An insertion or a removal is complete or did not happen.
        self.running.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Lays out an execution that is stored as it was laid out then.
fn plan_again(taken: &TakenOver) -> Result<Plan, String> {
    let execution = &taken.execution;
    let snapshot =
        check::snapshot(&execution.input_snapshot).map_err(|problems| problems.to_string())?;
    let created_at = execution.created_at.unwrap_or_else(clock::now);
    let id = execution.execution_id.clone();
    let plan = Plan::new(id, snapshot, execution.replay_of.clone(), created_at)
        .map_err(|cycle| cycle.to_string())?;
    if plan.created.step_order != execution.step_order
        || plan.created.step_order.len() != taken.recorded.steps.len()
    {
        return Err("its stored steps are not those of its snapshot".to_owned());
    }
    Ok(plan)
}

/// A UUIDv7: ids sort by the time they were made.
fn new_execution_id(now: crate::timestamp::Timestamp) -> String {
    let micros = u64::try_from(now.as_micros()).unwrap_or(0);
    let nanos = u32::try_from(micros % 1_000_000 * 1_000).unwrap_or(0);
    Uuid::new_v7(uuid::Timestamp::from_unix(NoContext, micros / 1_000_000, nanos)).to_string()
}
