//! Starts a new execution: what may be run, with which parameters, and whether there is room.

use std::sync::Arc;

use super::catalogue::Catalogue;
use crate::engine::supervisor::{Full, Submitted, Supervisor};
use crate::repository::{Health, StoreError, StoreErrorKind, Writer};
use crate::workflow::check::{self, GivenBy, Problems, Source};
use crate::workflow::compiled::{CompiledWorkflow, DefinitionSource, Snapshot};
use crate::workflow::definition::{Definition, Scalar};
use crate::workflow::graph::Cycle;
use crate::workflow::report::Observer;
use crate::workflow::spec::ExecutionSpec;

/// Who may define what is run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Definitions {
    /// Only the files of the folder of workflows.
    Files,
    /// Requests as well.
    Api,
}

/// Why nothing can be started from what was given.
#[derive(Debug)]
pub(crate) enum InvalidStart {
    /// The catalogue has no such workflow.
    UnknownWorkflow,
    /// Only workflows of the catalogue may be run.
    DefinitionRefused,
    /// The given parameters are none, whatever the workflow declares.
    Given(Problems),
    /// The document is no workflow.
    Document(Problems),
    /// The document defines a workflow by another id, which it names.
    OtherId(String),
    /// The workflow cannot be run as asked.
    Unfit(Unfit),
}

/// Why a checked workflow cannot be run as asked.
#[derive(Debug)]
pub(crate) enum Unfit {
    /// The parameters do not fit it.
    Parameters(Problems),
    /// Its steps wait for each other.
    Cycle(Cycle),
}

/// What to run of a checked document.
///
/// # Errors
/// [`Unfit`].
pub(crate) fn of_definition(
    definition: Definition,
    given: &[(String, Scalar)],
    by: GivenBy,
    workdir: String,
    source: DefinitionSource,
) -> Result<Snapshot, Unfit> {
    let params = check::parameters(&definition, given, by).map_err(Unfit::Parameters)?;
    let compiled = CompiledWorkflow::of(definition).map_err(Unfit::Cycle)?;
    Ok(Snapshot { compiled: Arc::new(compiled), params, workdir, source: Some(source) })
}

/// What to run when asked for `workflow_id` with `body`: a workflow of the catalogue where that
/// holds parameters only, given `by` whoever made the request, else the workflow that it defines.
///
/// # Errors
/// Every [`InvalidStart`].
pub(crate) fn of_request(
    workflow_id: &str,
    body: &Source<'_>,
    by: GivenBy,
    catalogue: &Catalogue,
    definitions: Definitions,
    workdir: String,
) -> Result<Snapshot, InvalidStart> {
    if let Some(given) = check::given_parameters(body).map_err(InvalidStart::Given)? {
        let compiled = catalogue.get(workflow_id).ok_or(InvalidStart::UnknownWorkflow)?;
        let params = check::parameters(compiled.definition(), &given, by)
            .map_err(|problems| InvalidStart::Unfit(Unfit::Parameters(problems)))?;
        let source = Some(DefinitionSource::Catalogue);
        return Ok(Snapshot { compiled, params, workdir, source });
    }
    if definitions == Definitions::Files {
        return Err(InvalidStart::DefinitionRefused);
    }
    let definition = check::read(body).map_err(InvalidStart::Document)?;
    if definition.id != workflow_id {
        return Err(InvalidStart::OtherId(definition.id));
    }
    of_definition(definition, &[], GivenBy::Nobody, workdir, DefinitionSource::Request)
        .map_err(InvalidStart::Unfit)
}

/// Why an execution is not started now.
#[derive(Debug)]
pub(crate) enum NotStarted {
    /// Others could not see that this process is alive, and would run it a second time.
    Unseen(Arc<StoreError>),
    /// As many run as may.
    Full(Full),
}

/// Runs it on its own, if there is room for one more. `waited_for`: the caller waits for its end.
///
/// # Errors
/// [`NotStarted`]; then nothing was.
pub(crate) fn submit(
    supervisor: &Arc<Supervisor>,
    writer: &Writer,
    spec: ExecutionSpec,
    observer: Arc<dyn Observer>,
    waited_for: bool,
) -> Result<Submitted, NotStarted> {
    if let Health::Failing { error } = &*writer.health().borrow()
        && error.kind() == StoreErrorKind::Unseen
    {
        return Err(NotStarted::Unseen(Arc::clone(error)));
    }
    supervisor.submit(spec, observer, waited_for).map_err(NotStarted::Full)
}
