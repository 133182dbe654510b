//! `wfx completions`: a completion script for a shell.

use clap_complete::Shell;

use super::{CliError, Context, description};
use crate::base::exit::Exit;

/// What was typed after `wfx completions`.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The shell
    #[arg(value_enum)]
    pub shell: Shell,
}

/// Prints the script.
///
/// # Errors
/// When it cannot be written.
pub(crate) fn run(args: &Args, context: &Context) -> Result<Exit, CliError> {
    let mut script = Vec::new();
    clap_complete::generate(args.shell, &mut description(), "wfx", &mut script);
    context.ui.bytes(&script)?;
    Ok(Exit::Success)
}
