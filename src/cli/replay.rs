//! `wfx replay`: runs a stored execution again, exactly as it was given then.

use super::foreground::{self, Run};
use super::{CliError, Context, ForegroundArgs, lookup, session};
use crate::base::exit::Exit;
use crate::operations::replay::{self, NotReplayable};

/// What was typed after `wfx replay`.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// An execution: its id, a unique prefix of it, @latest, @N as `wfx list` shows it, or a
    /// workflow's id for its latest one
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
pub(crate) fn run(args: &Args, context: &Context) -> Result<Exit, CliError> {
    let reader = session::reader(context)?;
    let execution = lookup::record(&reader, &args.id)?;
    drop(reader);
    let snapshot = replay::of_execution(&execution)
        .map_err(|why| not_replayable(why, &execution.execution_id))?;
    let run = Run { snapshot, replay_of: Some(execution.execution_id), verbose: args.verbose };
    foreground::run(run, context)
}

fn not_replayable(why: NotReplayable, execution_id: &str) -> CliError {
    match why {
        NotReplayable::Unfinished(status) => {
            CliError::new(Exit::Usage, format!("execution {execution_id} is {status}"))
                .with_hint("it can be replayed when it has finished")
        }
        NotReplayable::Snapshot(problems) => CliError::new(
            Exit::Usage,
            format!("the snapshot of execution {execution_id} cannot be run:\n{problems}"),
        ),
    }
}
