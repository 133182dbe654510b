//! `wfx replay`: runs a stored execution again, exactly as it was given then, or only what is left
//! of it to run.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::follow::{self, Shown};
use super::foreground::{self, Progress, Run};
use super::server_args::ServerArgs;
use super::source::Document;
use super::{CliError, Context, ForegroundArgs, exec, lookup, session};
use crate::base::exit::Exit;
use crate::base::visible::quote;
use crate::client::server::{OutputRead, ReplayRequest, Server};
use crate::operations::replay::{self, NotReplayable, Plan, Request};
use crate::repository::Reader;
use crate::workflow::check::GivenBy;
use crate::workflow::compiled::{CompiledWorkflow, DefinitionSource};
use crate::workflow::definition::Scalar;
use crate::workflow::record::{ExecutionDetail, ExecutionRecord};
use crate::workflow::selection::UnknownStep;

/// What was typed after `wfx replay`.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// An execution: its id, a unique prefix of it, @latest, @N as `wfx list` shows it, or a
    /// workflow's id for its latest one
    pub id: String,
    /// Run only the steps that did not succeed, and all that depend on them; reuse the others
    #[arg(long)]
    pub failed: bool,
    #[command(flatten)]
    pub(super) options: Options,
}

/// What `replay` and `retry` share.
#[derive(Debug, clap::Args)]
pub(crate) struct Options {
    /// Run this step, all that depend on it, and what `--failed` would; repeat for more
    #[arg(long, value_name = "STEP")]
    pub from: Vec<String>,
    /// A parameter that replaces the stored value; repeat for more
    #[arg(short, long = "param", value_name = "NAME=VALUE", value_parser = exec::parameter)]
    pub param: Vec<(String, String)>,
    /// Run this definition, JSON or YAML by its extension, instead of the stored one; `-` reads
    /// standard input
    #[arg(long, value_name = "FILE")]
    pub with: Option<PathBuf>,
    /// Show for each step whether it would run or be reused, and why; store nothing
    #[arg(long)]
    pub dry_run: bool,
    /// Show what the steps write as they write it
    #[arg(short, long)]
    pub verbose: bool,
    #[command(flatten)]
    pub(super) foreground: ForegroundArgs,
    #[command(flatten)]
    pub(super) server: ServerArgs,
}

impl Options {
    pub(super) fn values(&self) -> HashMap<&'static str, String> {
        let mut values = self.foreground.values();
        values.extend(self.server.values());
        values
    }
}

/// Replays a finished execution.
///
/// # Errors
/// Exit 2 for an unknown or unfinished execution and what does not fit it, 3 when the database
/// fails.
pub(crate) fn run(args: &Args, context: &Context) -> Result<Exit, CliError> {
    run_with(&args.id, args.failed, &args.options, context)
}

/// The same; `failed`: what succeeded is reused.
///
/// # Errors
/// As [`run`].
pub(super) fn run_with(
    id: &str,
    failed: bool,
    options: &Options,
    context: &Context,
) -> Result<Exit, CliError> {
    if let Some(server) = options.server.server(context)? {
        return run_served(&server, id, failed, options, context);
    }
    // A database of an earlier version is not even migrated.
    let reader = match options.dry_run {
        true => Reader::open(&context.settings.database()?)?,
        false => session::reader(context)?,
    };
    let execution = lookup::record(&reader, id)?;
    let plan = plan(&reader, &execution, failed, options, context)?;
    if options.dry_run {
        context.ui.replay_plan(&plan.steps(|id| reader.execution(id))?)?;
        return Ok(Exit::Success);
    }
    drop(reader);
    if let Some(note) = plan.note() {
        context.ui.note(&note);
    }
    let Plan { snapshot, reused, .. } = plan;
    let replay_of = Some(execution.execution_id);
    let progress = Progress::of(options.verbose);
    let repeats = execution.trigger;
    foreground::run(Run { replay_of, repeats, reused, ..Run::new(snapshot, progress) }, context)
}

/// The same by a daemon, which runs it; this command follows it.
fn run_served(
    server: &Server,
    id: &str,
    failed: bool,
    options: &Options,
    context: &Context,
) -> Result<Exit, CliError> {
    options.foreground.refuse_for(server)?;
    if options.with.is_some() {
        let message = "--with and a daemon cannot be used together: it takes definitions from its \
                       own folder only";
        return Err(CliError::new(Exit::Usage, message).with_hint(
            "change the file there and `wfx start` it, or work with the database: --db",
        ));
    }
    let original = server.detail(id, OutputRead::None)?.ok_or_else(|| lookup::unknown(id))?;
    let original = original.execution;
    let execution_id = &original.execution_id;
    let request = ReplayRequest { from: &options.from, failed, params: &options.param };
    if options.dry_run {
        context.ui.replay_plan(&server.replay_plan(execution_id, &request)?)?;
        return Ok(Exit::Success);
    }
    let started = server.replay(execution_id, &request)?;
    let note = |replay: &ExecutionDetail| {
        let reused = replay.steps.iter().filter(|step| step.reused_from.is_some()).count();
        let changed = replay::changed_parameters(&original, &replay.execution);
        let changed: Vec<&str> = changed.iter().map(String::as_str).collect();
        let all = replay.steps.len();
        if let Some(note) = replay::reuse_note(reused, all, &original.number(), &changed) {
            context.ui.note(&note);
        }
    };
    let shown = if options.verbose { Shown::Output } else { Shown::Steps };
    follow::follow(server, &started.execution_id, shown, note, context)
}

fn plan(
    reader: &Reader,
    execution: &ExecutionRecord,
    failed: bool,
    options: &Options,
    context: &Context,
) -> Result<Plan, CliError> {
    let refuse = |why| not_replayable(why, execution, options.with.as_deref());
    let snapshot = replay::of_execution(execution).map_err(refuse)?;
    let with = match &options.with {
        Some(file) => Some((definition(file, execution, context)?, DefinitionSource::File)),
        None => None,
    };
    let given: Vec<(String, Scalar)> = exec::given(&options.param);
    let (from, params) = (&options.from[..], &given[..]);
    let request = Request { from, failed, params, by: GivenBy::Flags, with };
    let prepared = replay::prepare(execution, snapshot, request).map_err(refuse)?;
    if options.with.is_some() {
        context.ui.definition_diff(&prepared.definition_diff());
    }
    let steps = match prepared.is_partial() {
        true => reader.steps_without_text(&execution.execution_id)?,
        false => Vec::new(),
    };
    prepared.plan(steps).map_err(refuse)
}

/// The definition in a file; without an `id` it is that of the workflow which was run.
fn definition(
    file: &Path,
    execution: &ExecutionRecord,
    context: &Context,
) -> Result<Arc<CompiledWorkflow>, CliError> {
    let document = Document::read(file)?.with_default_id(&execution.workflow_id);
    let (definition, lints) = document.check()?;
    if let Some(lints) = lints {
        context.ui.warning(&lints.to_string());
    }
    replay::replacement(definition).map_err(|cycle| {
        CliError::new(Exit::Usage, format!("the steps wait for each other: {cycle}"))
    })
}

fn not_replayable(
    why: NotReplayable,
    execution: &ExecutionRecord,
    with: Option<&Path>,
) -> CliError {
    let execution_id = &execution.execution_id;
    match why {
        NotReplayable::Unfinished(status) => {
            CliError::new(Exit::Usage, format!("execution {execution_id} is {status}"))
                .with_hint("it can be replayed when it has finished")
        }
        NotReplayable::Snapshot(problems) => CliError::new(
            Exit::Usage,
            format!("the snapshot of execution {execution_id} cannot be run:\n{problems}"),
        ),
        NotReplayable::OtherWorkflow { original, given } => {
            let file = with.map(|file| quote(&file.display().to_string())).unwrap_or_default();
            let message = format!(
                "{file} defines the workflow {}, and execution {execution_id} is one of {}",
                quote(&given),
                quote(&original)
            );
            CliError::new(Exit::Usage, message).with_hint(format!(
                "change its `id` to {}, or run it with `wfx exec`",
                quote(&original)
            ))
        }
        NotReplayable::UnknownSteps(unknown) => unknown_steps(&unknown),
        NotReplayable::Parameters(problems) => problems.into(),
        NotReplayable::NothingLeft(number) => CliError::new(
            Exit::Usage,
            format!("nothing is left to run: every step of {number} can be reused"),
        )
        .with_hint(format!(
            "`wfx replay {number} --from STEP` runs a step and all that depend on it, \
             `wfx replay {number}` runs everything"
        )),
        NotReplayable::Deleted => {
            CliError::new(Exit::Usage, format!("execution {execution_id} was deleted meanwhile"))
                .with_hint("`wfx list` shows those that are kept")
        }
    }
}

fn unknown_steps(unknown: &[UnknownStep]) -> CliError {
    let lines: Vec<String> =
        unknown.iter().map(|unknown| format!("--from: {}", unknown.message())).collect();
    CliError::new(Exit::Usage, lines.join("\n"))
        .with_hint("name a step of the definition that is run; `--dry-run` shows them")
}
