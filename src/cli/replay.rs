//! `wfx replay`: runs a stored execution again, exactly as it was given then.

use super::foreground::{self, Run};
use super::{CliError, Context, ForegroundArgs, lookup, session};
use crate::base::exit::Exit;
use crate::workflow::check;

/// What was typed after `wfx replay`.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// An execution id, a unique prefix of one, @latest, or @N as `wfx list` shows it
    pub id: String,
    /// Show what the steps write as they write it
    #[arg(short, long)]
    pub verbose: bool,
    #[command(flatten)]
    pub(super) foreground: ForegroundArgs,
}

/// Runs the snapshot of a finished execution again, with its parameters.
///
/// # Errors
/// Exit 2 for an unknown or unfinished execution, 3 when the database fails.
pub fn run(args: &Args, context: &Context) -> Result<Exit, CliError> {
    let reader = session::reader(context)?;
    let detail = lookup::detail(&reader, &args.id)?;
    drop(reader);
    let execution = detail.execution;
    if !execution.status.is_terminal() {
        return Err(CliError::new(
            Exit::Usage,
            format!("execution {} is {}", execution.execution_id, execution.status),
        )
        .with_hint("it can be replayed when it has finished"));
    }
    let snapshot = check::snapshot(&execution.input_snapshot.value()).map_err(|problems| {
        CliError::new(
            Exit::Usage,
            format!(
                "the snapshot of execution {} cannot be run:\n{problems}",
                execution.execution_id
            ),
        )
    })?;
    let run = Run { snapshot, replay_of: Some(execution.execution_id), verbose: args.verbose };
    foreground::run(run, context)
}
