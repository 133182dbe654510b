//! What an execution runs, laid out. Decided before it starts.

use std::sync::Arc;

use super::definition::Step;
use super::graph::Graph;
use super::prepared::Snapshot;
use super::record::Created;
use crate::timestamp::Timestamp;

/// What an execution runs, decided before it starts and never changed.
#[derive(Debug)]
pub struct Plan {
    /// Its id everywhere.
    pub execution_id: String,
    /// The definition, the parameters and the working folder.
    pub snapshot: Snapshot,
    /// The columns that never change.
    pub created: Arc<Created>,
}

impl Plan {
    /// One execution of `snapshot`.
    #[must_use]
    pub fn new(
        execution_id: String,
        snapshot: Snapshot,
        replay_of: Option<String>,
        created_at: Timestamp,
    ) -> Self {
        let created = Arc::new(Created {
            workflow_id: snapshot.definition().id.clone(),
            created_at,
            step_order: Arc::clone(snapshot.prepared.step_order()),
            depends_on: Arc::clone(snapshot.prepared.depends_on()),
            replay_of,
            input_snapshot: snapshot.to_json(),
        });
        Self { execution_id, snapshot, created }
    }

    /// Dependencies and order of the steps.
    #[must_use]
    pub fn graph(&self) -> &Graph {
        self.snapshot.prepared.graph()
    }

    /// The step at `index` of the list.
    #[must_use]
    pub fn step(&self, index: usize) -> &Step {
        self.snapshot.prepared.step(index)
    }

    /// The row key of the step at `index` of the list.
    #[must_use]
    pub fn position(&self, index: usize) -> u32 {
        u32::try_from(self.graph().position[index]).unwrap_or(u32::MAX)
    }
}
