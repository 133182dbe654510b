//! `wfx show`: everything that is known of an execution.

use super::server_args::ServerArgs;
use super::{CliError, Context, lookup};
use crate::base::clock;
use crate::base::exit::Exit;
use crate::client::server::OutputRead;
use crate::client::source::{Pieces, Source};
use crate::repository::Reader;
use crate::terminal::OutputShown;

/// What was typed after `wfx show`.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// An execution: its id, a unique prefix of it, @latest, @N as `wfx list` shows it, or a
    /// workflow's id for its latest one
    pub id: String,
    /// How much of the output of steps and of what they run
    #[arg(long, value_enum, default_value_t, value_name = "HOW_MUCH")]
    pub output: Output,
    /// Say where the values of its definition come from: the workflow or `_defaults.yaml`
    #[arg(long)]
    pub source: bool,
    #[command(flatten)]
    pub(super) server: ServerArgs,
}

impl Args {
    /// As if nothing but this id was typed.
    pub(super) fn of(id: &str) -> Self {
        let server = ServerArgs::default();
        Self { id: id.to_owned(), output: Output::default(), source: false, server }
    }
}

/// How much of the output of steps is shown.
#[derive(Debug, Clone, Copy, Default, clap::ValueEnum)]
pub(crate) enum Output {
    /// The last 10 lines of each stream
    #[default]
    Tail,
    /// The last 64 KiB of each stream, of every attempt; and whole scripts. `wfx logs` has the rest
    All,
    /// None
    None,
}

/// Shows it.
///
/// # Errors
/// Exit 2 when there is no such execution, 3 when the database or the daemon cannot be read.
pub(crate) fn run(args: &Args, context: &Context) -> Result<Exit, CliError> {
    show(&args.server.source(context)?, args, context)
}

/// The same from the database, whatever daemon is named.
///
/// # Errors
/// As [`run`].
pub(super) fn run_stored(args: &Args, context: &Context) -> Result<Exit, CliError> {
    show(&Source::Database(Reader::open(&context.settings.database()?)?), args, context)
}

fn show(source: &Source, args: &Args, context: &Context) -> Result<Exit, CliError> {
    let unknown = || lookup::unknown(&args.id);
    if context.ui.format().is_json() {
        let Pieces { execution, handlers, mut steps } =
            source.in_pieces(&args.id)?.ok_or_else(unknown)?;
        let execution_id = execution.execution_id.clone();
        let next = || Ok::<_, CliError>(steps.next(&execution_id)?);
        context.ui.execution_json(execution, handlers, next)?;
        return Ok(Exit::Success);
    }
    let of_steps = match args.output {
        Output::None => OutputRead::None,
        Output::Tail | Output::All => OutputRead::Kept,
    };
    let detail = source.detail(&args.id, of_steps)?.ok_or_else(unknown)?;
    let id = &detail.execution.execution_id;
    let of_attempts = match args.output {
        Output::All => OutputRead::Kept,
        Output::Tail | Output::None => OutputRead::None,
    };
    let (attempts, lineage) = (source.attempts(id, of_attempts)?, source.lineage(id)?);
    let output = match args.output {
        Output::Tail => OutputShown::Tail,
        Output::All => OutputShown::All,
        Output::None => OutputShown::Nothing,
    };
    context.ui.execution(&detail, &attempts, &lineage, output, clock::now())?;
    if args.source {
        context.ui.definition_source(&detail.execution)?;
    }
    Ok(Exit::Success)
}
