//! `wfx exec`: runs a workflow in the foreground.

use std::path::PathBuf;

use super::foreground::{self, Progress, Run};
use super::source::Document;
use super::{CliError, Context, ForegroundArgs};
use crate::base::exit::Exit;
use crate::operations::start::{self, Unfit};
use crate::workflow::check::GivenBy;
use crate::workflow::compiled::{DefinitionSource, Snapshot};
use crate::workflow::definition::Scalar;

/// What was typed after `wfx exec`.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The workflow, JSON or YAML by its extension; `-` reads standard input. With --workflows, the
    /// id of one of the folder
    pub file: PathBuf,
    /// The folder that the workflow is in
    #[arg(long, value_name = "DIR")]
    pub workflows: Option<PathBuf>,
    /// A parameter; repeat for more
    #[arg(short, long = "param", value_name = "NAME=VALUE", value_parser = parameter)]
    pub param: Vec<(String, String)>,
    /// Show what the steps write as they write it
    #[arg(short, long)]
    pub verbose: bool,
    /// Show nothing of a success, and of anything else what `wfx show` has: for cron
    #[arg(short, long, conflicts_with = "verbose")]
    pub quiet: bool,
    #[command(flatten)]
    pub(super) foreground: ForegroundArgs,
}

/// Checks the document, runs it to its end and tells how it went.
///
/// # Errors
/// Exit 2 for a bad document or bad parameters, 3 when the database fails.
pub(crate) fn run(args: &Args, context: &Context) -> Result<Exit, CliError> {
    let document = match &args.workflows {
        Some(folder) => Document::of_folder(folder, &args.file.to_string_lossy())?,
        None => Document::read(&args.file)?,
    };
    let (definition, lints) = document.check()?;
    if let Some(lints) = lints.filter(|_| !args.quiet) {
        context.ui.warning(&lints.to_string());
    }
    let given = given(&args.param);
    // What was typed is checked before the folder that wfx was started in.
    let (by, source) = (GivenBy::Flags, DefinitionSource::File);
    let snapshot =
        start::of_definition(definition, &given, by, String::new(), source).map_err(unfit)?;
    let snapshot = Snapshot { workdir: current_folder()?, ..snapshot };
    let progress = if args.quiet { Progress::Quiet } else { Progress::of(args.verbose) };
    foreground::run(Run::new(snapshot, progress), context)
}

/// Parameters of the command line as values.
pub(super) fn given(params: &[(String, String)]) -> Vec<(String, Scalar)> {
    let value = |(name, value): &(String, String)| (name.clone(), Scalar::String(value.clone()));
    params.iter().map(value).collect()
}

pub(super) fn current_folder() -> Result<String, CliError> {
    std::env::current_dir()
        .map_err(|error| {
            CliError::new(Exit::Environment, format!("cannot tell the current folder: {error}"))
                .with_hint("change to a folder that exists")
        })?
        .into_os_string()
        .into_string()
        .map_err(|folder| {
            CliError::new(
                Exit::Environment,
                format!("the name of the current folder is not UTF-8: {}", folder.display()),
            )
            .with_hint("run wfx from another folder and set `cwd` in the steps")
        })
}

pub(super) fn unfit(why: Unfit) -> CliError {
    match why {
        Unfit::Parameters(problems) => problems.into(),
        Unfit::Cycle(cycle) => {
            CliError::new(Exit::Usage, format!("the steps wait for each other: {cycle}"))
        }
    }
}

/// Takes `NAME=VALUE` apart.
///
/// # Errors
/// For any other text, with what to write.
pub(super) fn parameter(text: &str) -> Result<(String, String), String> {
    text.split_once('=')
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .ok_or_else(|| "write NAME=VALUE".to_owned())
}
