//! `wfx schedule pause`, `resume` and `run`.

use std::collections::HashMap;

use super::time;
use crate::base::clock;
use crate::base::exit::Exit;
use crate::base::timestamp::Timestamp;
use crate::base::visible::{quote, visible};
use crate::base::zone::Zone;
use crate::cli::follow::{self, Shown};
use crate::cli::foreground::{self, Progress, Run};
use crate::cli::server_args::ServerArgs;
use crate::cli::source::{Document, folder};
use crate::cli::{CliError, Context, ForegroundArgs, given, session};
use crate::operations::rehearsal::Workflow;
use crate::operations::schedules::{self, NotPaused, REASON_BYTES_MAX, Until};
use crate::operations::start;
use crate::repository::{Reader, Retention};
use crate::system::users;
use crate::workflow::check::GivenBy;
use crate::workflow::compiled::DefinitionSource;
use crate::workflow::schedule_record::PauseRecord;
use crate::workflow::trigger::Requester;

#[derive(Debug, clap::Args)]
pub(super) struct PauseArgs {
    /// Which workflow; left out: all of them
    #[arg(value_name = "WORKFLOW")]
    workflow: Option<String>,
    /// Until when: a time, a date, which begins in UTC, or a duration from now
    /// [default: until `wfx schedule resume`]
    #[arg(long, value_name = "TIME|DURATION")]
    until: Option<Until>,
    /// Why, for those who find it later
    #[arg(long, value_name = "TEXT")]
    reason: Option<String>,
    /// The folder of workflows, to know the names of those that never ran
    /// [WFX_WORKFLOWS; default: none]
    #[arg(long, value_name = "DIR")]
    workflows: Option<String>,
    #[command(flatten)]
    server: ServerArgs,
}

#[derive(Debug, clap::Args)]
pub(super) struct ResumeArgs {
    /// Which workflow; left out: ends the pause of all
    #[arg(value_name = "WORKFLOW")]
    workflow: Option<String>,
    #[command(flatten)]
    server: ServerArgs,
}

#[derive(Debug, clap::Args)]
pub(super) struct RunArgs {
    /// Which workflow of the folder
    #[arg(value_name = "WORKFLOW")]
    workflow: String,
    /// The scheduled time [default: the last one that was missed]
    #[arg(long, value_name = "TIME", value_parser = time)]
    at: Option<Timestamp>,
    /// Of which schedule, where several have that time
    #[arg(long, value_name = "NAME")]
    schedule: Option<String>,
    /// The folder of workflows [WFX_WORKFLOWS; default: none]
    #[arg(long, value_name = "DIR")]
    workflows: Option<String>,
    /// Show what the steps write
    #[arg(short, long)]
    verbose: bool,
    #[command(flatten)]
    foreground: ForegroundArgs,
    #[command(flatten)]
    server: ServerArgs,
}

impl PauseArgs {
    pub(super) fn values(&self) -> HashMap<&'static str, String> {
        let mut values = self.server.values();
        values.extend(given([("WFX_WORKFLOWS", &self.workflows)]));
        values
    }
}

impl ResumeArgs {
    pub(super) fn values(&self) -> HashMap<&'static str, String> {
        self.server.values()
    }
}

impl RunArgs {
    pub(super) fn values(&self) -> HashMap<&'static str, String> {
        let mut values = self.foreground.values();
        values.extend(self.server.values());
        values.extend(given([("WFX_WORKFLOWS", &self.workflows)]));
        values
    }
}

pub(super) fn pause(args: &PauseArgs, context: &Context) -> Result<Exit, CliError> {
    let now = clock::now();
    let reason = args.reason.clone().filter(|reason| !reason.is_empty());
    let paused_until = args.until.map(|until| until.after(now));
    let workflow_id = args.workflow.clone();
    let pause = match args.server.server(context)? {
        Some(server) => {
            super::refuse_folder(args.workflows.is_some())?;
            server.pause(workflow_id.as_deref(), paused_until, reason.as_deref())?
        }
        None => {
            let paused_by = Some(users::name(users::own()));
            let pause = PauseRecord {
                workflow_id,
                paused_at: now,
                paused_until,
                reason,
                paused_by,
                paused_address: None,
            };
            let writer =
                session::writer(context, session::options(context, Retention::Given(None))?)?;
            if let Some(id) = &pause.workflow_id {
                known(id, context)?;
            }
            let patience = context.settings.store_timeout()?;
            schedules::pause(&writer, &pause, patience).map_err(|why| match why {
                NotPaused::Past(until) => {
                    CliError::new(Exit::Usage, format!("the pause would have ended at {until}"))
                        .with_hint("give a later time, or a duration such as 2h")
                }
                NotPaused::LongReason(bytes) => CliError::new(
                    Exit::Usage,
                    format!("the reason has {bytes} bytes of at most {REASON_BYTES_MAX}"),
                ),
                NotPaused::Store(error) => error.into(),
            })?;
            writer.close()?;
            pause
        }
    };
    if context.ui.format().is_json() {
        context.ui.json(&pause)?;
        return Ok(Exit::Success);
    }
    let what = what(pause.workflow_id.as_deref());
    let until = match pause.paused_until {
        Some(until) => format!("until {}", Zone::Utc.second(until)),
        None => "until `wfx schedule resume`".to_owned(),
    };
    context.ui.line(&format!("{what} start nothing {until}"))?;
    Ok(Exit::Success)
}

fn what(workflow_id: Option<&str>) -> String {
    match workflow_id {
        Some(id) => format!("the schedules of the workflow {}", visible(id)),
        None => "the schedules of all workflows".to_owned(),
    }
}

/// Refuses a workflow that neither the folder nor the database has schedules of.
fn known(workflow_id: &str, context: &Context) -> Result<(), CliError> {
    if let Some(path) = context.settings.workflows()?
        && let Some(compiled) = folder(&path)?.0.get(workflow_id)
        && compiled.definition().has_schedules()
    {
        return Ok(());
    }
    let only = std::iter::once(workflow_id.to_owned()).collect();
    let stored = Reader::open(&context.settings.database()?)?.schedules(Some(&only))?;
    if stored.is_empty() {
        let message = format!("no schedule of a workflow {} is known", quote(workflow_id));
        return Err(CliError::new(Exit::Usage, message).with_hint(
            "`wfx schedule list` shows those that are; name the folder of workflows with \
             --workflows, or the daemon with --server",
        ));
    }
    Ok(())
}

pub(super) fn resume(args: &ResumeArgs, context: &Context) -> Result<Exit, CliError> {
    let workflow_id = args.workflow.as_deref();
    let was_paused = match args.server.server(context)? {
        Some(server) => server.resume(workflow_id)?,
        None => {
            let writer =
                session::writer(context, session::options(context, Retention::Given(None))?)?;
            let by = users::name(users::own());
            let patience = context.settings.store_timeout()?;
            let was_paused = schedules::resume(
                &writer,
                workflow_id,
                Requester::user(by),
                clock::now(),
                patience,
            )?;
            writer.close()?;
            was_paused
        }
    };
    if context.ui.format().is_json() {
        let answer = serde_json::json!({"workflow_id": workflow_id, "was_paused": was_paused});
        context.ui.json(&answer)?;
    } else if was_paused {
        context.ui.line(&format!("{} start again", what(workflow_id)))?;
    } else {
        context.ui.note(&format!("{} were not paused", what(workflow_id)));
        if workflow_id.is_some() {
            context.ui.note("`wfx schedule resume` without a name ends the pause of all");
        }
    }
    Ok(Exit::Success)
}

pub(super) fn run(args: &RunArgs, context: &Context) -> Result<Exit, CliError> {
    let (workflow_id, name) = (&args.workflow, args.schedule.as_deref());
    if let Some(server) = args.server.server(context)? {
        super::refuse_folder(args.workflows.is_some())?;
        args.foreground.refuse_for(&server)?;
        let started = server.run_scheduled(workflow_id, name, args.at)?;
        let shown = if args.verbose { Shown::Output } else { Shown::Steps };
        return follow::follow(&server, &started.execution_id, shown, |_| {}, context);
    }
    let Some(path) = context.settings.workflows()? else {
        let message = "there is no folder of workflows";
        return Err(CliError::new(Exit::Usage, message)
            .with_hint("name it with --workflows, or a daemon with --server"));
    };
    let (definition, _) = Document::of_folder(&path, workflow_id)?.check()?;
    let workflow = Workflow::of(&definition);
    // The database is made, or brought up, if need be.
    let reader = session::reader(context)?;
    let run = schedules::by_hand(&workflow, &reader, name, args.at, clock::now());
    let (index, scheduled) = run.map_err(|why| {
        if let schedules::NotRun::Store(error) = why {
            return error.into();
        }
        let (message, hint) = why.words(workflow_id);
        CliError::new(Exit::Usage, message).with_hint(hint)
    })?;
    drop(reader);
    let params = definition.scheduling.as_ref().and_then(|it| it.params.get(index).cloned());
    let params: Vec<_> = params.unwrap_or_default().into_iter().collect();
    let workdir = super::super::exec::current_folder()?;
    let snapshot =
        start::of_definition(definition, &params, GivenBy::Nobody, workdir, DefinitionSource::File)
            .map_err(super::super::exec::unfit)?;
    let progress = Progress::of(args.verbose);
    let run = Run { scheduled: Some(scheduled), ..Run::new(snapshot, progress) };
    foreground::run(run, context)
}
