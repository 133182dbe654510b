//! `wfx diff`: what differs between two executions.

use super::{CliError, Context, lookup};
use crate::base::exit::Exit;
use crate::repository::{Reader, StepPages};
use crate::workflow::comparison::{ComparedWith, Comparison};
use crate::workflow::record::{ExecutionRecord, HandlerRecord, StepRecord};

/// What was typed after `wfx diff`.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The first execution: its id, a unique prefix of it, @latest, @N as `wfx list` shows it, or
    /// a workflow's id for its latest one
    pub from: String,
    /// The second execution, named in the same ways
    pub to: String,
}

/// Compares definition, parameters, and status and duration of each step and handler.
///
/// # Errors
/// Exit 2 when there is no such execution, 3 when the database cannot be read.
pub(crate) fn run(args: &Args, context: &Context) -> Result<Exit, CliError> {
    let reader = Reader::open(&context.settings.database()?)?;
    let from = lookup::record(&reader, &args.from)?;
    let to = lookup::record(&reader, &args.to)?;
    let (from_steps, to_steps) = (steps(&reader, &from)?, steps(&reader, &to)?);
    let (from_handlers, to_handlers) = (handlers(&reader, &from)?, handlers(&reader, &to)?);
    let comparison = Comparison::of(
        ComparedWith { execution: &from, steps: &from_steps, handlers: &from_handlers },
        ComparedWith { execution: &to, steps: &to_steps, handlers: &to_handlers },
    );
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

/// The handlers of an execution that began.
fn handlers(reader: &Reader, execution: &ExecutionRecord) -> Result<Vec<HandlerRecord>, CliError> {
    let detail = reader.detail_within(&execution.execution_id, 0)?;
    Ok(detail.map(|(detail, _)| detail.handlers).unwrap_or_default())
}
