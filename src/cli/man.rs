//! `wfx man`: manual pages.

use std::fs;
use std::path::PathBuf;

use super::{CliError, Context, description};
use crate::base::exit::Exit;
use crate::render::manual;
use crate::workflow::schema;

/// What was typed after `wfx man`.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The page to print; without it wfx(1)
    #[arg(value_enum, conflicts_with = "dir")]
    pub page: Option<Page>,
    /// Write the page of every command, and of the workflow format, into this folder
    #[arg(long, value_name = "FOLDER")]
    pub dir: Option<PathBuf>,
}

/// A page that is not that of a command.
#[derive(Debug, Clone, Copy, clap::ValueEnum)]
pub(crate) enum Page {
    /// The format of workflows: wfx-workflow(5)
    Workflow,
}

/// Prints one page, or writes all of them.
///
/// # Errors
/// When they cannot be written.
pub(crate) fn run(args: &Args, context: &Context) -> Result<Exit, CliError> {
    let command = description();
    if let Some(Page::Workflow) = args.page {
        context.ui.bytes(workflow()?.as_bytes())?;
        return Ok(Exit::Success);
    }
    let Some(folder) = &args.dir else {
        let mut page = Vec::new();
        clap_mangen::Man::new(command).render(&mut page)?;
        context.ui.bytes(&page)?;
        return Ok(Exit::Success);
    };
    let of_format = workflow()?;
    let written = fs::create_dir_all(folder)
        .and_then(|()| clap_mangen::generate_to(command, folder))
        .and_then(|()| fs::write(folder.join("wfx-workflow.5"), of_format));
    written.map_err(|error| {
        CliError::new(
            Exit::Environment,
            format!("cannot write manual pages to {}: {error}", folder.display()),
        )
        .with_hint("name another folder with --dir")
    })?;
    Ok(Exit::Success)
}

fn workflow() -> Result<String, CliError> {
    let schema = serde_json::from_str(schema::WORKFLOW)
        .map_err(|error| CliError::new(Exit::Failed, format!("the schema is no JSON: {error}")))?;
    Ok(manual::workflow(&schema, concat!("wfx ", env!("CARGO_PKG_VERSION"))))
}
