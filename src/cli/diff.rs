//! `wfx diff`: what differs between two executions.

use super::{CliError, Context, lookup};
use crate::base::exit::Exit;
use crate::repository::{Reader, StepPages};
use crate::workflow::comparison::Comparison;
use crate::workflow::record::{ExecutionRecord, StepRecord};

/// What was typed after `wfx diff`.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The first execution: its id, a unique prefix of it, @latest, @N as `wfx list` shows it, or
    /// a workflow's id for its latest one
    pub from: String,
    /// The second execution, named in the same ways
    pub to: String,
}

/// Compares definition, parameters, and status and duration of each step.
///
/// # Errors
/// Exit 2 when there is no such execution, 3 when the database cannot be read.
pub(crate) fn run(args: &Args, context: &Context) -> Result<Exit, CliError> {
    let reader = Reader::open(&context.settings.database()?)?;
    let from = lookup::record(&reader, &args.from)?;
    let to = lookup::record(&reader, &args.to)?;
    let steps = (steps(&reader, &from)?, steps(&reader, &to)?);
    let comparison = Comparison::of((&from, &steps.0), (&to, &steps.1));
    context.ui.comparison(&comparison)?;
    Ok(Exit::Success)
}

/// The steps of an execution without their output, which may be a hundred megabytes.
fn steps(reader: &Reader, execution: &ExecutionRecord) -> Result<Vec<StepRecord>, CliError> {
    let mut pages = StepPages::of(execution);
    let mut steps = Vec::new();
    while let Some(piece) = pages.next(|id, next, bytes| reader.steps(id, next, bytes))? {
        steps.extend(piece.into_iter().map(|step| StepRecord {
            stdout: String::new(),
            stderr: String::new(),
            outputs: Default::default(),
            ..step
        }));
    }
    Ok(steps)
}
