//! `wfx show`: everything that is known of an execution.

use super::{CliError, Context, lookup};
use crate::base::clock;
use crate::base::exit::Exit;
use crate::repository::Reader;
use crate::repository::StepPages;
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
}

impl Args {
    /// As if nothing but this id was typed.
    pub(super) fn of(id: &str) -> Self {
        Self { id: id.to_owned(), output: Output::default(), source: false }
    }
}

/// How much of the output of steps is shown.
#[derive(Debug, Clone, Copy, Default, clap::ValueEnum)]
pub(crate) enum Output {
    /// The last 10 lines of each stream
    #[default]
    Tail,
    /// All that is kept, of every attempt: the last 64 KiB of each stream; and whole scripts
    All,
    /// None
    None,
}

/// Shows it.
///
/// # Errors
/// Exit 2 when there is no such execution, 3 when the database cannot be read.
pub(crate) fn run(args: &Args, context: &Context) -> Result<Exit, CliError> {
    let reader = Reader::open(&context.settings.database()?)?;
    if context.ui.format().is_json() {
        let execution = lookup::record(&reader, &args.id)?;
        let mut pages = StepPages::of(&execution);
        let execution_id = execution.execution_id.clone();
        let handlers = reader.detail_within(&execution_id, 0)?;
        let handlers = handlers.map(|(detail, _)| detail.handlers).unwrap_or_default();
        context.ui.execution_json(execution, handlers, || {
            let steps = pages.next(|id, next, bytes| reader.steps(id, next, bytes))?;
            if steps.is_none() && !pages.is_over() {
                let message = format!("execution {execution_id} was deleted while it was shown");
                return Err(CliError::new(Exit::Environment, message));
            }
            Ok(steps)
        })?;
        return Ok(Exit::Success);
    }
    let detail = lookup::detail(&reader, &args.id)?;
    let id = &detail.execution.execution_id;
    let (attempts, lineage) = (reader.attempts(id)?, reader.lineage(id)?);
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
