//! `wfx logs`: everything that the steps of an execution printed, or print.

use std::collections::HashMap;
use std::thread;
use std::time::Duration;

use super::server_args::ServerArgs;
use super::{CliError, Context, lookup};
use crate::base::clock;
use crate::base::exit::Exit;
use crate::base::since::Since;
use crate::base::units;
use crate::base::visible::{quote, quote_list};
use crate::client::server::{OutputQuery, OutputRead};
use crate::client::source::{Source, SourceError};
use crate::render::logs::{Lines, Style};
use crate::workflow::output::lines::{NamedPage, NamedPart};
use crate::workflow::record::OwnerState;
use crate::workflow::report::Stream;

/// Between two looks at an execution that is followed.
const LOOK: Duration = Duration::from_millis(200);
/// The same of a daemon, for which a look is more work.
const LOOK_SERVED: Duration = Duration::from_millis(500);
/// So often it is looked whether the process that runs it is alive.
const LOOK_AT_OWNER: Duration = Duration::from_secs(1);

/// What was typed after `wfx logs`.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// An execution: its id, a unique prefix of it, @latest, @N as `wfx list` shows it, or a
    /// workflow's id for its latest one
    pub id: String,
    /// A step or a handler; without it the output of all of them, in the order of arrival
    pub step: Option<String>,
    /// One attempt of the step; without it all of them, one after the other
    #[arg(long, value_name = "N", requires = "step", value_parser = clap::value_parser!(u32).range(1..))]
    pub attempt: Option<u32>,
    /// One of the two streams; without it both, in the order of arrival
    #[arg(long, value_name = "STREAM", value_parser = ["stdout", "stderr"])]
    pub stream: Option<String>,
    /// Go on until the execution, or the step, has ended
    #[arg(short, long)]
    pub follow: bool,
    /// Begin each line with the time at which it began
    #[arg(long)]
    pub timestamps: bool,
    /// Only what was printed since then: a duration such as 10m, or a time
    #[arg(long, value_name = "WHEN")]
    pub since: Option<Since>,
    #[command(flatten)]
    pub(super) server: ServerArgs,
}

/// Shows it.
///
/// # Errors
/// Exit 2 when there is no such execution or step, 3 when the database or the daemon cannot be read.
pub(crate) fn run(args: &Args, context: &Context) -> Result<Exit, CliError> {
    let source = args.server.source(context)?;
    let execution = source.record(&args.id)?.ok_or_else(|| lookup::unknown(&args.id))?;
    let is_replay = execution.replay_of.is_some();
    let execution_id = execution.execution_id;
    let query = OutputQuery {
        step: args.step.clone(),
        attempt: args.attempt,
        stream: args.stream.as_deref().and_then(|stream| stream.parse::<Stream>().ok()),
        since: args.since.map(|since| since.before(clock::now())),
    };
    let style = match (context.ui.format().is_json(), context.ui.writes_to_terminal()) {
        (true, _) => Style::Json,
        (false, true) => Style::Escaped,
        (false, false) => Style::Raw,
    };
    if is_replay && query.step.is_none() && style != Style::Json {
        note_reused(&source, &execution_id, context)?;
    }
    let lines = Lines::new(style, args.timestamps, context.ui.zone());
    let mut logs = Logs { source, execution_id, query, from: 0, lines, context };
    logs.show(args.follow)
}

/// Says which steps printed nothing in this execution since they ran in another one.
fn note_reused(source: &Source, execution_id: &str, context: &Context) -> Result<(), CliError> {
    let Some(detail) = source.detail(execution_id, OutputRead::None)? else { return Ok(()) };
    let reused = detail.steps.iter().filter(|step| step.reused_from.is_some());
    let names = quote_list(reused.map(|step| step.name.as_str()));
    if !names.is_empty() {
        context.ui.note(&format!(
            "reused from an earlier execution: {names}; `wfx logs {execution_id} STEP` shows what one \
             printed there"
        ));
    }
    Ok(())
}

struct Logs<'a> {
    source: Source,
    execution_id: String,
    query: OutputQuery,
    /// Where the next page begins.
    from: u64,
    lines: Lines,
    context: &'a Context,
}

impl Logs<'_> {
    fn show(&mut self, follow: bool) -> Result<Exit, CliError> {
        let mut watch = Watch::default();
        loop {
            let version = match follow {
                true => self.source.version(),
                false => None,
            };
            if version.is_some() && version == watch.version {
                self.wait(&mut watch)?;
                continue;
            }
            let page = match self.source.output(&self.execution_id, &self.query, self.from) {
                Ok(page) => {
                    watch.is_away = false;
                    page
                }
                Err(error) if follow && watch.has_begun && may_come_back(&error) => {
                    if !std::mem::replace(&mut watch.is_away, true) {
                        self.context.ui.warning(&format!("{error}; waiting"));
                    }
                    thread::sleep(LOOK_SERVED);
                    continue;
                }
                Err(error) => return Err(error.into()),
            };
            let Some(page) = page else { return Err(self.missing()?) };
            watch.has_begun = true;
            let is_empty = page.parts.is_empty();
            self.write(&page)?;
            if page.is_complete || (is_empty && !follow) {
                let rest = self.lines.finish();
                self.context.ui.bytes(&rest)?;
                return Ok(Exit::Success);
            }
            if is_empty {
                watch.version = version;
                self.wait(&mut watch)?;
            }
        }
    }

    fn write(&mut self, page: &NamedPage) -> Result<(), CliError> {
        let mut text = Vec::new();
        for part in &page.parts {
            if let (NamedPart::Gap { from, bytes }, false) = (part, self.lines.is_json()) {
                // Before what follows the gap.
                self.context.ui.bytes(&std::mem::take(&mut text))?;
                let bytes = units::count(*bytes, "byte");
                self.context.ui.warning(&format!("{bytes} from byte {from} on were dropped"));
                continue;
            }
            self.lines.add(part, &mut text);
        }
        self.from = page.next_from;
        Ok(self.context.ui.bytes(&text)?)
    }

    /// Waits until there may be more, and reports once that the process is dead that would print it.
    fn wait(&self, watch: &mut Watch) -> Result<(), CliError> {
        let is_due = watch.owner_looked_at.is_none_or(|at| at.elapsed() >= LOOK_AT_OWNER);
        if is_due {
            watch.owner_looked_at = Some(clock::monotonic());
            match self.source.record(&self.execution_id) {
                Ok(None) => return Err(self.missing()?),
                Ok(Some(execution)) => {
                    let is_dead = execution.owner_state == Some(OwnerState::Dead);
                    if is_dead && !watch.is_dead {
                        let owner = execution.owner.unwrap_or_default();
                        self.context.ui.warning(&format!(
                            "the process that runs it ({owner}) is dead; waiting until another one \
                             goes on with it: `wfx recover`, or a daemon"
                        ));
                    }
                    if is_dead != watch.is_dead {
                        watch.is_dead = is_dead;
                        watch.version = None;
                    }
                }
                // The next page reports it.
                Err(_) => watch.version = None,
            }
        }
        let is_served = matches!(self.source, Source::Server(_));
        thread::sleep(if is_served { LOOK_SERVED } else { LOOK });
        Ok(())
    }

    /// Why there is no output.
    fn missing(&self) -> Result<CliError, CliError> {
        if self.source.record(&self.execution_id)?.is_none() {
            let message = format!("execution {} was deleted", self.execution_id);
            return Ok(CliError::new(Exit::Environment, message));
        }
        let step = self.query.step.as_deref().unwrap_or_default();
        let message = format!("the execution has no step {}", quote(step));
        let names: HashMap<u32, String> = self.source.names(&self.execution_id)?;
        let mut names: Vec<(u32, String)> = names.into_iter().collect();
        names.sort_unstable();
        let names = quote_list(names.iter().map(|(_, name)| name.as_str()));
        Ok(CliError::new(Exit::Usage, message).with_hint(format!("it has {names}")))
    }
}

/// What was seen while an execution is followed.
#[derive(Debug, Default)]
struct Watch {
    /// Of the database when nothing more was found in it.
    version: Option<i64>,
    owner_looked_at: Option<std::time::Instant>,
    is_dead: bool,
    /// Where it is read from does not answer.
    is_away: bool,
    has_begun: bool,
}

/// Whether the source may answer again, such as a daemon that is started again.
fn may_come_back(error: &SourceError) -> bool {
    match error {
        SourceError::Server(error) => !error.is_refusal(),
        SourceError::Store(error) => error.may_pass(),
        SourceError::Deleted(_) => false,
    }
}
