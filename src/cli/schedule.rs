//! `wfx schedule`: when workflows are due, and what would become of each scheduled time.

use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::time::Duration;

use clap::Subcommand;

use super::source::{Document, folder};
use super::{CliError, Context};
use crate::base::clock;
use crate::base::exit::Exit;
use crate::base::period::Period;
use crate::base::timestamp::Timestamp;
use crate::base::visible::quote;
use crate::operations::rehearsal::{Rehearsed, Upcoming, Workflow, rehearse, upcoming};
use crate::operations::status::usual_durations;
use crate::repository::{Reader, StoreErrorKind};
use crate::schedule::simulation::Span;
use crate::workflow::compiled::CompiledWorkflow;

mod change;
mod show;

const EXAMPLES: &str = "\
Examples:
  wfx schedule list
  wfx schedule pause backup --until 2h --reason \"new disk\"
  wfx schedule next backup.yaml -n 5
  wfx schedule sim *.yaml --from 2026-01-01 --to 2027-01-01
  wfx schedule sim backup.yaml --from 2026-03-01 --to 2026-04-01 \\
      --down 2026-03-10T22:00:00Z/36h --takes 40m";

/// The longest span that is rehearsed, so that a mistyped year does not fill the memory.
const SPAN_MAX: Duration = Duration::from_secs(100 * 366 * 86_400);
/// The most scheduled times of one rehearsal.
const TIMES_MAX: usize = 50_000_000;

/// What was typed after `wfx schedule`.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Show every schedule with its next start and what was decided last
    List(show::ListArgs),
    /// Show when workflows are due next
    Next(NextArgs),
    /// Show what was decided of scheduled times, the latest first
    History(show::HistoryArgs),
    /// Let the schedules of a workflow, or of all, start nothing
    Pause(change::PauseArgs),
    /// Let them start again
    Resume(change::ResumeArgs),
    /// Start one scheduled time by hand, such as one that was missed
    Run(change::RunArgs),
    /// Rehearse a span of time: what would become of every scheduled time in it
    Sim(SimArgs),
}

#[derive(Debug, clap::Args)]
struct NextArgs {
    /// A workflow of the folder, or a file; left out: all workflows of the folder
    #[arg(value_name = "WORKFLOW|FILE")]
    workflow: Option<String>,
    /// The folder of workflows [WFX_WORKFLOWS; default: none]
    #[arg(long, value_name = "DIR")]
    workflows: Option<String>,
    /// How many times
    #[arg(short = 'n', long, value_name = "N", default_value_t = 10)]
    #[arg(value_parser = clap::value_parser!(u32).range(1..=100_000))]
    count: u32,
    /// Those after this time; a date is its beginning in UTC [default: now]
    #[arg(long, value_name = "TIME", value_parser = time)]
    from: Option<Timestamp>,
}

#[derive(Debug, clap::Args)]
struct SimArgs {
    /// Workflows, JSON or YAML by their extension; `-` reads standard input
    #[arg(required = true, value_name = "FILE")]
    files: Vec<PathBuf>,
    /// The first scheduled time; a date is its beginning in UTC. wfx sees the schedules then
    #[arg(long, value_name = "TIME", value_parser = time)]
    from: Timestamp,
    /// The first scheduled time that does not belong to it any more
    #[arg(long, value_name = "TIME", value_parser = time)]
    to: Timestamp,
    /// When no daemon runs, such as 2026-03-10T22:00:00Z/36h; repeat for more
    #[arg(long, value_name = "TIME/DURATION")]
    down: Vec<Down>,
    /// How long an execution takes [default: the median of those that are stored, else 0]
    #[arg(long, value_name = "DURATION")]
    takes: Option<Period>,
}

impl Args {
    pub(super) fn values(&self) -> std::collections::HashMap<&'static str, String> {
        match &self.command {
            Command::Next(args) => super::given([("WFX_WORKFLOWS", &args.workflows)]).collect(),
            Command::Sim(_) => std::collections::HashMap::new(),
            Command::List(args) => args.values(),
            Command::History(args) => args.server.values(),
            Command::Pause(args) => args.values(),
            Command::Resume(args) => args.values(),
            Command::Run(args) => args.values(),
        }
    }
}

/// A point in time, or a date, which begins in UTC.
fn time(text: &str) -> Result<Timestamp, String> {
    Timestamp::parse_lenient(text).map_err(|_| {
        "write a date such as 2026-01-31, or a time such as 2026-01-31T08:15:00Z".to_owned()
    })
}

/// A span without a daemon.
#[derive(Debug, Clone, Copy)]
struct Down(Span);

impl FromStr for Down {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let refuse = || "write a time and how long, such as 2026-03-10T22:00:00Z/36h".to_owned();
        let (from, length) = text.split_once('/').ok_or_else(refuse)?;
        let from = time(from).map_err(|_| refuse())?;
        let length: Period = length.parse().map_err(|_| refuse())?;
        Ok(Self(Span { from, to: from.plus(length.duration()) }))
    }
}

/// Shows or rehearses schedules.
///
/// # Errors
/// Exit 2 for what is no workflow or no span, 3 when the folder or the database cannot be read.
pub(crate) fn run(args: &Args, context: &Context) -> Result<Exit, CliError> {
    match &args.command {
        Command::Next(args) => next(args, context),
        Command::Sim(args) => sim(args, context),
        Command::List(args) => show::list(args, context),
        Command::History(args) => show::history(args, context),
        Command::Pause(args) => change::pause(args, context),
        Command::Resume(args) => change::resume(args, context),
        Command::Run(args) => change::run(args, context),
    }
}

fn next(args: &NextArgs, context: &Context) -> Result<Exit, CliError> {
    let folder_of = context.settings.workflows()?;
    let is_file = |name: &String| Path::new(name).exists() || name == "-" || name.contains('/');
    let workflows = match (&args.workflow, &folder_of) {
        (Some(name), _) if is_file(name) => vec![of_file(Path::new(name))?],
        (Some(name), Some(folder)) => {
            let document = Document::of_folder(folder, name)?;
            vec![Workflow::of(&document.check()?.0)]
        }
        (None, Some(path)) => {
            let entries = folder(path)?.0.list();
            let compiled = entries.iter().filter_map(|entry| entry.compiled.as_deref());
            compiled.map(CompiledWorkflow::definition).map(Workflow::of).collect()
        }
        (name, None) => {
            let message = match name {
                Some(name) => {
                    format!("there is no file {}, and no folder of workflows", quote(name))
                }
                None => "there is no folder of workflows".to_owned(),
            };
            let hint = "name a file, or a folder with --workflows";
            return Err(CliError::new(Exit::Usage, message).with_hint(hint));
        }
    };
    if let (Some(_), [only]) = (&args.workflow, &workflows[..])
        && only.rules.schedules.is_empty()
    {
        return Err(without_schedules(&[&only.id]));
    }
    let from = args.from.unwrap_or_else(clock::now);
    let database = database_identity(context)?;
    let times: Vec<Upcoming> =
        upcoming(&workflows, &database, from, usize::try_from(args.count).unwrap_or(usize::MAX));
    context.ui.schedule_next(&times)?;
    Ok(Exit::Success)
}

fn sim(args: &SimArgs, context: &Context) -> Result<Exit, CliError> {
    let span = Span { from: args.from, to: args.to };
    if span.from >= span.to {
        let message = "the span is empty: --from is not earlier than --to";
        return Err(CliError::new(Exit::Usage, message).with_hint("exchange them"));
    }
    if span.to.since(span.from) > SPAN_MAX {
        let message = "the span is longer than 100 years";
        return Err(CliError::new(Exit::Usage, message).with_hint("let --to be earlier"));
    }
    let mut workflows = Vec::new();
    for file in &args.files {
        let workflow = of_file(file)?;
        if workflows.iter().any(|other: &Workflow| other.id == workflow.id) {
            let message = format!("two files have the workflow id {}", quote(&workflow.id));
            return Err(CliError::new(Exit::Usage, message).with_hint("name one of them"));
        }
        workflows.push(workflow);
    }
    if workflows.iter().all(|workflow| workflow.rules.schedules.is_empty()) {
        let ids: Vec<&String> = workflows.iter().map(|workflow| &workflow.id).collect();
        return Err(without_schedules(&ids));
    }
    let database = database_identity(context)?;
    let usual = match args.takes {
        Some(_) => Vec::new(),
        None => stored(context, |reader| reader.summaries(None))?
            .map(usual_durations)
            .unwrap_or_default(),
    };
    let takes = |workflow: &Workflow| match args.takes {
        Some(takes) => takes.duration(),
        None => {
            let found = usual.iter().find(|(id, _)| *id == workflow.id);
            found.map_or(Duration::ZERO, |(_, usual)| *usual)
        }
    };
    let down: Vec<Span> = args.down.iter().map(|down| down.0).collect();
    let rehearsed: Option<Rehearsed> =
        rehearse(workflows, &database, span, &down, takes, TIMES_MAX);
    let Some(rehearsed) = rehearsed else {
        let message = format!("more than {TIMES_MAX} scheduled times are in that span");
        return Err(CliError::new(Exit::Usage, message).with_hint("let --to be earlier"));
    };
    context.ui.rehearsed(&rehearsed)?;
    Ok(Exit::Success)
}

/// Refuses a folder of this machine where a daemon has its own.
fn refuse_folder(is_given: bool) -> Result<(), CliError> {
    if is_given {
        let message = "--workflows names a folder here, and the daemon has one of its own";
        return Err(CliError::new(Exit::Usage, message).with_hint("leave it out"));
    }
    Ok(())
}

fn of_file(file: &Path) -> Result<Workflow, CliError> {
    let (definition, _) = Document::read(file)?.check()?;
    Ok(Workflow::of(&definition))
}

fn without_schedules(ids: &[&String]) -> CliError {
    let ids: Vec<String> = ids.iter().map(|id| quote(id)).collect();
    let (noun, verb) = if ids.len() == 1 { ("workflow", "has") } else { ("workflows", "have") };
    let message = format!("the {noun} {} {verb} no `schedule`", ids.join(", "));
    CliError::new(Exit::Usage, message)
        .with_hint("add one, such as `schedule: \"30 2 * * *\"` (docs/schedules.md)")
}

/// What jitter depends on; empty where nothing was stored yet.
fn database_identity(context: &Context) -> Result<String, CliError> {
    let number = stored(context, Reader::database_number)?.flatten();
    Ok(number.map(|number| number.to_string()).unwrap_or_default())
}

/// Something of the database, if there is one. One that cannot be read is no reason not to rehearse.
fn stored<T>(
    context: &Context,
    read: impl FnOnce(&Reader) -> Result<T, crate::repository::StoreError>,
) -> Result<Option<T>, CliError> {
    match Reader::open(&context.settings.database()?).and_then(|reader| read(&reader)) {
        Ok(found) => Ok(Some(found)),
        Err(error) if error.kind() == StoreErrorKind::Missing => Ok(None),
        Err(error) => {
            let message = "jitter and the usual durations of executions are unknown here";
            context.ui.warning(&format!("{message}: {error}"));
            Ok(None)
        }
    }
}
