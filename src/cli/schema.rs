//! `wfx schema`: the JSON Schema of what wfx reads.

use super::{CliError, Context};
use crate::base::exit::Exit;
use crate::perf::load::scenario;
use crate::slo::scenario as traffic;
use crate::workflow::schema;

/// What was typed after `wfx schema`.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Of what
    #[arg(value_enum, default_value_t)]
    pub of: Of,
}

/// What has a schema.
#[derive(Debug, Clone, Copy, Default, clap::ValueEnum)]
pub(crate) enum Of {
    /// Workflow documents
    #[default]
    Workflow,
    /// What `wfx perf-check --scenario` measures
    PerfScenario,
    /// What `wfx slo-sim --scenario` makes up
    Traffic,
}

/// Prints it.
///
/// # Errors
/// When it cannot be written.
pub(crate) fn run(args: &Args, context: &Context) -> Result<Exit, CliError> {
    match args.of {
        Of::Workflow => context.ui.bytes(schema::WORKFLOW.as_bytes())?,
        Of::PerfScenario => context.ui.bytes(scenario::SCHEMA.as_bytes())?,
        Of::Traffic => context.ui.bytes(traffic::SCHEMA.as_bytes())?,
    }
    Ok(Exit::Success)
}
