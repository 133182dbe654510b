//! `wfx diff`: what differs between two executions.

use super::server_args::ServerArgs;
use super::{CliError, Context, lookup};
use crate::base::exit::Exit;
use crate::client::server::OutputRead;
use crate::client::source::Source;
use crate::workflow::comparison::{ComparedWith, Comparison};
use crate::workflow::record::ExecutionDetail;

/// What was typed after `wfx diff`.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The first execution: its id, a unique prefix of it, @latest, @N as `wfx list` shows it, or
    /// a workflow's id for its latest one
    pub from: String,
    /// The second execution, named in the same ways
    pub to: String,
    #[command(flatten)]
    pub(super) server: ServerArgs,
}

/// Compares definition, parameters, and status and duration of each step and handler.
///
/// # Errors
/// Exit 2 when there is no such execution, 3 when the database or the daemon cannot be read.
pub(crate) fn run(args: &Args, context: &Context) -> Result<Exit, CliError> {
    let source = args.server.source(context)?;
    let (from, to) = (compared(&source, &args.from)?, compared(&source, &args.to)?);
    context.ui.comparison(&Comparison::of(side(&from), side(&to)))?;
    Ok(Exit::Success)
}

fn side(of: &ExecutionDetail) -> ComparedWith<'_> {
    let ExecutionDetail { execution, steps, handlers } = of;
    ComparedWith { execution, steps, handlers }
}

/// An execution without what its steps wrote, which may be a hundred megabytes.
fn compared(source: &Source, reference: &str) -> Result<ExecutionDetail, CliError> {
    let detail = source.detail(reference, OutputRead::None)?;
    let mut detail = detail.ok_or_else(|| lookup::unknown(reference))?;
    for step in &mut detail.steps {
        step.outputs = Default::default();
    }
    Ok(detail)
}
