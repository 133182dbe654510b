//! `wfx retry`: runs what did not succeed of an execution, which is `wfx replay --failed`.

use super::{CliError, Context, replay};
use crate::base::exit::Exit;

/// What was typed after `wfx retry`.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// An execution: its id, a unique prefix of it, @latest, @N as `wfx list` shows it, or a
    /// workflow's id for its latest one
    pub id: String,
    #[command(flatten)]
    pub(super) options: replay::Options,
}

/// Replays what did not succeed.
///
/// # Errors
/// As [`replay::run`].
pub(crate) fn run(args: &Args, context: &Context) -> Result<Exit, CliError> {
    replay::run_with(&args.id, true, &args.options, context)
}
