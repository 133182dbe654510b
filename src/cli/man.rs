//! `wfx man`: manual pages.

use std::fs;
use std::path::PathBuf;

use super::{CliError, Context, description};
use crate::base::exit::Exit;

/// What was typed after `wfx man`.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Write the page of every command into this folder
    #[arg(long, value_name = "FOLDER")]
    pub dir: Option<PathBuf>,
}

/// Prints wfx(1), or writes all pages.
///
/// # Errors
/// When they cannot be written.
pub(crate) fn run(args: &Args, context: &Context) -> Result<Exit, CliError> {
    let command = description();
    let Some(folder) = &args.dir else {
        let mut page = Vec::new();
        clap_mangen::Man::new(command).render(&mut page)?;
        context.ui.bytes(&page)?;
        return Ok(Exit::Success);
    };
    let written =
        fs::create_dir_all(folder).and_then(|()| clap_mangen::generate_to(command, folder));
    written.map_err(|error| {
        CliError::new(
            Exit::Environment,
            format!("cannot write manual pages to {}: {error}", folder.display()),
        )
        .with_hint("name another folder with --dir")
    })?;
    Ok(Exit::Success)
}
