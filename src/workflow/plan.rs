//! What an execution runs: its snapshot, laid out. Decided before it starts.

use std::sync::Arc;

use super::definition::{Snapshot, Step};
use super::graph::{Cycle, Graph};
use super::record::Created;
use crate::timestamp::Timestamp;

/// What an execution runs, decided before it starts and never changed.
#[derive(Debug)]
pub struct Plan {
    /// Its id everywhere.
    pub execution_id: String,
    /// The definition, the parameters and the working folder.
    pub snapshot: Snapshot,
    /// Dependencies and order of the steps.
    pub graph: Graph,
    /// The columns that never change.
    pub created: Arc<Created>,
}

impl Plan {
    /// Lays out one execution of `snapshot`.
    ///
    /// # Errors
    /// [`Cycle`] when the steps wait for each other, which a checked definition
    /// never does.
    pub fn new(
        execution_id: String,
        snapshot: Snapshot,
        replay_of: Option<String>,
        created_at: Timestamp,
    ) -> Result<Self, Cycle> {
        let graph = Graph::of(&snapshot.definition)?;
        let steps = &snapshot.definition.steps;
        let in_order = || graph.order.iter().map(|&index| &steps[index]);
        let created = Arc::new(Created {
            workflow_id: snapshot.definition.id.clone(),
            created_at,
            step_order: in_order().map(|step| step.name.clone()).collect(),
            depends_on: in_order().map(|step| step.depends_on.clone()).collect(),
            replay_of,
            input_snapshot: serde_json::json!(snapshot).to_string(),
        });
        Ok(Self { execution_id, snapshot, graph, created })
    }

    /// The step at `index` of the list.
    #[must_use]
    pub fn step(&self, index: usize) -> &Step {
        &self.snapshot.definition.steps[index]
    }

    /// The row key of the step at `index` of the list.
    #[must_use]
    pub fn position(&self, index: usize) -> u32 {
        u32::try_from(self.graph.position[index]).unwrap_or(u32::MAX)
    }
}
