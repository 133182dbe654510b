//! `wfx schema`: the JSON Schema of what wfx reads.

use super::{CliError, Context};
use crate::exit::Exit;
use crate::workflow::schema;

/// What was typed after `wfx schema`.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Of what
    #[arg(value_enum, default_value_t)]
    pub of: Of,
}

/// What has a schema.
#[derive(Debug, Clone, Copy, Default, clap::ValueEnum)]
pub enum Of {
    /// Workflow documents
    #[default]
    Workflow,
}

/// Prints it.
///
/// # Errors
/// When it cannot be written.
pub fn run(args: &Args, context: &Context) -> Result<Exit, CliError> {
    match args.of {
        Of::Workflow => context.ui.bytes(schema::WORKFLOW.as_bytes())?,
    }
    Ok(Exit::Success)
}
