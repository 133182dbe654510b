//! Starts executions: a fresh id, a plan, an engine that drives it.

use std::sync::Arc;

use uuid::{NoContext, Uuid};

use super::definition::Snapshot;
use super::engine::{self, Cancel, Means, RunError};
use super::event::Event;
use super::execution::Execution;
use super::graph::Cycle;
use super::plan::Plan;
use super::record::ExecutionStatus;
use super::report::Observer;
use crate::clock;

/// Starts executions on behalf of one process.
#[derive(Debug)]
pub struct Supervisor {
    means: Arc<Means>,
    owner: String,
    places: usize,
}

impl Supervisor {
    /// A supervisor for the process that goes by `owner`. `places` is how many
    /// steps of one execution run at a time where the definition does not say.
    #[must_use]
    pub fn new(means: Means, owner: String, places: usize) -> Self {
        Self { means: Arc::new(means), owner, places }
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
        engine::drive(execution, Event::Begin, &self.means, observer, cancel).await
    }
}

/// A UUIDv7: ids sort by the time they were made.
fn new_execution_id(now: crate::timestamp::Timestamp) -> String {
    let micros = u64::try_from(now.as_micros()).unwrap_or(0);
    let nanos = u32::try_from(micros % 1_000_000 * 1_000).unwrap_or(0);
    Uuid::new_v7(uuid::Timestamp::from_unix(NoContext, micros / 1_000_000, nanos)).to_string()
}
