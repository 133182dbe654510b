//! The execution spec: what an execution runs. Decided before it starts.

use std::sync::Arc;

use super::compiled::{DefinitionSource, Snapshot};
use super::concurrency::{LimitFrom, SlotRequest};
use super::definition::Step;
use super::graph::Graph;
use super::record::{Created, StepState};
use super::retention_policy::StartRetention;
use super::schedule_record::ScheduledStart;
use super::trigger::{Trigger, TriggerKind};
use crate::base::timestamp::Timestamp;

/// The memory of a running execution, and of each of its steps, without text.
const EXECUTION_BYTES: usize = 4 * 1024;
const STEP_BYTES: usize = 320;
/// The memory of a checked definition and its JSON text, as a multiple of the length of that text.
const DEFINITION_FACTOR: usize = 4;

/// What an execution runs, decided before it starts and never changed.
#[derive(Debug)]
pub struct ExecutionSpec {
    /// Its id everywhere.
    pub execution_id: String,
    /// The definition, the parameters and the working folder.
    pub snapshot: Snapshot,
    /// When it was accepted.
    pub created_at: Timestamp,
    /// The execution that this one repeats.
    pub replay_of: Option<String>,
    /// Who or what starts it.
    pub trigger: Option<Trigger>,
    /// The steps of that execution that are not run again.
    pub reused: Vec<ReusedStep>,
    /// The slot that it needs to run, if any.
    pub slot: Option<Arc<SlotRequest>>,
    /// The scheduled time that it decides, if any.
    pub scheduled: Option<Arc<ScheduledStart>>,
}

/// A step that an execution does not run: its end in an earlier execution holds for this one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReusedStep {
    /// Its index in the list.
    pub step: usize,
    /// Its terminal state, with where it really ran.
    pub state: StepState,
}

impl ExecutionSpec {
    /// One execution of `snapshot`.
    #[must_use]
    pub fn new(
        execution_id: String,
        snapshot: Snapshot,
        replay_of: Option<String>,
        created_at: Timestamp,
    ) -> Self {
        let (trigger, reused, scheduled) = (None, Vec::new(), None);
        let slot = slot(&snapshot, replay_of.is_some()).map(Arc::new);
        Self { execution_id, snapshot, created_at, replay_of, trigger, reused, slot, scheduled }
    }

    /// The same, with who or what starts it.
    #[must_use]
    pub fn triggered(self, trigger: Option<Trigger>) -> Self {
        Self { trigger, ..self }
    }

    /// The same, as the start of a scheduled time.
    #[must_use]
    pub fn scheduled(self, scheduled: ScheduledStart) -> Self {
        let trigger = Trigger {
            kind: TriggerKind::Schedule,
            by: self.trigger.as_ref().and_then(|trigger| trigger.by.clone()),
            address: self.trigger.and_then(|trigger| trigger.address),
            schedule: Some(scheduled.schedule.clone()),
            scheduled_at: Some(scheduled.scheduled_at),
        };
        Self { trigger: Some(trigger), scheduled: Some(Arc::new(scheduled)), ..self }
    }

    /// Whether it may begin only once the store holds it: others decide whether it may, or who was
    /// first.
    #[must_use]
    pub fn must_be_stored(&self) -> bool {
        self.slot.is_some() || self.scheduled.is_some()
    }

    /// The same, with steps that are not run. What they depend on must be among them.
    #[must_use]
    pub fn reusing(self, reused: Vec<ReusedStep>) -> Self {
        Self { reused, ..self }
    }

    /// What it runs.
    #[must_use]
    pub fn workflow_id(&self) -> &str {
        &self.snapshot.definition().id
    }

    /// The columns that never change. Made when they are stored and not held in memory: the text of
    /// the snapshot is long.
    #[must_use]
    pub fn created(&self) -> Created {
        let compiled = &self.snapshot.compiled;
        Created {
            workflow_id: self.workflow_id().to_owned(),
            created_at: self.created_at,
            step_order: Arc::clone(compiled.step_order()),
            depends_on: Arc::clone(compiled.depends_on()),
            replay_of: self.replay_of.clone(),
            trigger: self.trigger.clone(),
            input_snapshot: self.snapshot.to_json(),
            retention: self.retention(),
            slot: self.slot.clone(),
            scheduled: self.scheduled.clone(),
        }
    }

    /// What its start says of the retention of its workflow.
    fn retention(&self) -> StartRetention {
        match self.snapshot.source {
            Some(DefinitionSource::Request) => StartRetention::AdHoc,
            _ if self.replay_of.is_some() => StartRetention::Follows,
            Some(DefinitionSource::Predecessor) | None => StartRetention::Follows,
            Some(DefinitionSource::Catalogue | DefinitionSource::File) => {
                StartRetention::Defines(self.snapshot.definition().retention)
            }
        }
    }

    /// The approximate memory of a running execution, bytes: its state, the outputs of reused steps
    /// here and in its state, its parameters as such and in the environment of a step, and a
    /// definition that is not shared. A definition of the
    /// catalogue is shared by all of its executions.
    #[must_use]
    pub fn memory_bytes(&self) -> usize {
        let Snapshot { compiled, params, .. } = &self.snapshot;
        let params: usize =
            params.iter().map(|(name, value)| name.len() + value.text_bytes()).sum();
        let is_own = Arc::strong_count(compiled) == 1;
        let definition = if is_own {
            compiled.json_bytes() * DEFINITION_FACTOR + compiled.pattern_bytes()
        } else {
            0
        };
        let reused: usize = self.reused.iter().map(|reused| reused.state.output_bytes()).sum();
        let steps = compiled.step_order().len() + compiled.definition().handlers.len();
        EXECUTION_BYTES + steps * STEP_BYTES + 2 * (params + reused) + definition
    }

    /// Dependencies and order of the steps.
    #[must_use]
    pub fn graph(&self) -> &Graph {
        self.snapshot.compiled.graph()
    }

    /// The step at `index` of the list; handlers come after the steps.
    #[must_use]
    pub fn step(&self, index: usize) -> &Step {
        self.snapshot.compiled.step(index)
    }

    /// The row key of the step at `index` of the list; those of handlers come after the others.
    #[must_use]
    pub fn position(&self, index: usize) -> u32 {
        let position = self.graph().position.get(index).copied().unwrap_or(index);
        u32::try_from(position).unwrap_or(u32::MAX)
    }
}

/// The slot that an execution of this snapshot needs.
fn slot(snapshot: &Snapshot, is_replay: bool) -> Option<SlotRequest> {
    let definition = snapshot.definition();
    let concurrency = definition.concurrency.as_ref()?;
    let is_ad_hoc = snapshot.source == Some(DefinitionSource::Request);
    let limit_from = match snapshot.source {
        _ if is_replay => LimitFrom::Stored,
        Some(DefinitionSource::Catalogue) => LimitFrom::Catalogue,
        Some(DefinitionSource::File | DefinitionSource::Request) => LimitFrom::Definition,
        Some(DefinitionSource::Predecessor) | None => LimitFrom::Stored,
    };
    Some(concurrency.slot(&definition.id, &snapshot.params, is_ad_hoc, limit_from))
}
