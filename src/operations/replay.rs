//! Runs a stored execution again, as it was given then.

use super::catalogue::Catalogue;
use super::start::Definitions;
use crate::workflow::check::{self, Problems};
use crate::workflow::compiled::{DefinitionSource, Snapshot};
use crate::workflow::definition::{Step, Work};
use crate::workflow::record::{ExecutionRecord, ExecutionStatus};

/// Why an execution cannot be replayed.
#[derive(Debug)]
pub(crate) enum NotReplayable {
    /// It has not ended.
    Unfinished(ExecutionStatus),
    /// What is stored of it cannot be run any more.
    Snapshot(Problems),
}

/// What to run to replay `original`.
///
/// # Errors
/// Every [`NotReplayable`].
pub(crate) fn of_execution(original: &ExecutionRecord) -> Result<Snapshot, NotReplayable> {
    if !original.status.is_terminal() {
        return Err(NotReplayable::Unfinished(original.status));
    }
    check::snapshot(&original.input_snapshot.value()).map_err(NotReplayable::Snapshot)
}

/// Whether a request may replay it. Without the right to define work: what came from the
/// catalogue, whatever that holds today, and what was migrated from the predecessor.
#[must_use]
pub(crate) fn may_request(
    snapshot: &Snapshot,
    definitions: Definitions,
    catalogue: &Catalogue,
) -> bool {
    if definitions == Definitions::Api {
        return true;
    }
    match snapshot.source {
        Some(DefinitionSource::Catalogue | DefinitionSource::Predecessor) => true,
        Some(DefinitionSource::File | DefinitionSource::Request) => false,
        // Stored by an earlier wfx, which did not say where it came from.
        None => {
            let definition = snapshot.definition();
            let is_idle = |step: &Step| step.work == Work::Nothing;
            definition.steps.iter().all(is_idle)
                || catalogue.get(&definition.id).is_some_and(|known| known == snapshot.compiled)
        }
    }
}
