//! `wfx recover`: goes on with executions whose process died.

use std::sync::Arc;

use super::session::{self, Session};
use super::{CliError, Context, ForegroundArgs, foreground, lookup};
use crate::base::exit::Exit;
use crate::base::units;
use crate::engine::recovery::{self, One, Watcher};
use crate::engine::work::orphans::{Process, Survivor};
use crate::operations::recover::{self, NotRecovered, Survey};
use crate::render::titles::Titles;
use crate::repository::ownership::{Doubt, OwnerKind, id};
use crate::repository::{Reader, TakenOver, Which};
use crate::terminal;
use crate::workflow::record::ExecutionRecord;

/// What was typed after `wfx recover`.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Only this execution: its id, a unique prefix of it, @latest, @N as `wfx list` shows it, or
    /// a workflow's id for its latest one. Left out: all those of a dead `wfx exec`, `replay` or `recover`
    pub id: Option<String>,
    /// Also those of which it cannot be proven that their process is dead: of a database that was
    /// copied, of another machine or container. Only if you are sure that nobody runs them
    #[arg(long)]
    pub assume_dead: bool,
    /// With an ID, show what the steps write as they write it
    #[arg(short, long, requires = "id")]
    pub verbose: bool,
    #[command(flatten)]
    pub(super) foreground: ForegroundArgs,
}

/// Goes on with them in this process, and shows how they ended.
///
/// # Errors
/// Exit 2 when there is nothing to recover of the given execution, 3 when the database
/// fails.
pub(crate) fn run(args: &Args, context: &Context) -> Result<Exit, CliError> {
    match &args.id {
        Some(id) => run_one(id, args, context),
        None => run_all(args, context),
    }
}

fn run_one(reference: &str, args: &Args, context: &Context) -> Result<Exit, CliError> {
    let reader = session::reader(context)?;
    let execution = lookup::detail(&reader, reference)?.execution;
    let execution_id = &execution.execution_id;
    let judge = reader.judge()?;
    let from = recover::may_take(&execution, |owner| judge.look(owner), args.assume_dead)
        .map_err(|why| not_recovered(&execution, &why))?;
    drop((judge, reader));
    let session = Session::open(context)?;
    let titles = Titles::of_snapshot(&execution.input_snapshot.value());
    let observer = terminal::progress::observer(&context.ui, args.verbose, titles);
    let (result, signalled) = session.block_on(async |supervisor, cancel| {
        let observed = |_: &TakenOver| {
            if let Some(owner) = from {
                let owner = id::shown(owner);
                context.ui.note(&format!("took execution {execution_id} over from {owner}"));
            }
            Arc::clone(&observer)
        };
        recover::one(supervisor, execution_id, args.assume_dead, observed, cancel).await
    })?;
    drop(observer);
    session.deliver_left(vec![execution_id.clone()], context);
    match result? {
        One::Ran(result) => foreground::finish(session, result, signalled, execution_id, context),
        One::NotAbandoned => Err(taken_by_another(execution_id, args, context)?),
        One::Held(survivors) => Err(held(execution_id, &survivors)),
    }
}

/// Another process took the execution over after it was looked at: who has it now.
fn taken_by_another(
    execution_id: &str,
    args: &Args,
    context: &Context,
) -> Result<CliError, CliError> {
    let reader = session::reader(context)?;
    let execution = lookup::detail(&reader, execution_id)?.execution;
    let judge = reader.judge()?;
    Ok(match recover::may_take(&execution, |owner| judge.look(owner), args.assume_dead) {
        Err(why) => not_recovered(&execution, &why),
        // The other process has died since.
        Ok(_) => CliError::new(
            Exit::Usage,
            format!("execution {execution_id} was taken over by another process, which died"),
        )
        .with_hint(format!("run `wfx recover {execution_id}` again")),
    })
}

fn not_recovered(execution: &ExecutionRecord, why: &NotRecovered) -> CliError {
    let execution_id = &execution.execution_id;
    match why {
        NotRecovered::Ended(status) => {
            CliError::new(Exit::Usage, format!("execution {execution_id} has ended as {status}"))
                .with_hint(format!("`wfx replay {execution_id}` runs it again"))
        }
        NotRecovered::Alive => has_owner(execution),
        NotRecovered::InDoubt(doubt) => in_doubt(execution, *doubt),
    }
}

fn has_owner(execution: &ExecutionRecord) -> CliError {
    let execution_id = &execution.execution_id;
    let owner = execution.owner.as_deref().map_or("another process".to_owned(), id::shown);
    CliError::new(Exit::Usage, format!("execution {execution_id} is being run by {owner}"))
        .with_hint(format!("`wfx cancel {execution_id}` ends it"))
}

fn in_doubt(execution: &ExecutionRecord, doubt: Doubt) -> CliError {
    let execution_id = &execution.execution_id;
    CliError::new(Exit::Usage, format!("execution {execution_id} is left alone: {doubt}"))
        .with_hint(format!(
            "if you are sure that nobody runs it: `wfx recover {execution_id} --assume-dead`"
        ))
}

/// What is told of an execution that processes still work for.
pub(super) fn held(execution_id: &str, survivors: &[Survivor]) -> CliError {
    let mut message = format!(
        "execution {execution_id} is left alone: processes that work for it cannot be ended"
    );
    for Survivor { process: Process { pid, name, key }, why } in survivors {
        message += &format!("\n  {pid} ({name}) of step {}: {why}", key.step);
    }
    CliError::new(Exit::Environment, message)
        .with_hint("end them as a user who may, then try again")
}

fn run_all(args: &Args, context: &Context) -> Result<Exit, CliError> {
    let reader = match session::reader(context) {
        Ok(reader) => Some(reader),
        Err(error) if error.is_missing() => {
            context.ui.note(&error.to_string());
            None
        }
        Err(error) => return Err(error),
    };
    let owners = reader.as_ref().map(Reader::owners).transpose()?.unwrap_or_default();
    let survey = Survey::of(&owners, args.assume_dead);
    if survey.of_daemons > 0 {
        context.ui.note(&format!(
            "{} of a dead `wfx serve`: left to the next `wfx serve`; `wfx recover ID` continues one",
            units::count(survey.of_daemons, "execution")
        ));
    }
    for (doubt, executions) in survey.in_doubt.iter().filter(|_| !args.assume_dead) {
        context.ui.warning(&format!(
            "{} left alone: {doubt} (if you are sure that nobody runs one of them: \
             `wfx recover ID --assume-dead`)",
            units::count(*executions, "execution")
        ));
    }
    let (total, alive) = (survey.recoverable, survey.alive);
    let left = survey.of_daemons + survey.in_doubt.values().sum::<u64>();
    let progress = Arc::new(
        terminal::recovery::Progress::start(&context.ui, total, alive, left).map_err(|error| {
            CliError::new(Exit::Environment, format!("cannot start the thread that shows: {error}"))
        })?,
    );
    let orphans = match &reader {
        Some(reader) => reader.listed_by_dead()?,
        None => Vec::new(),
    };
    // An execution that is in no database may have left processes all the same.
    let has_orphans =
        orphans.iter().any(|(owner, _)| OwnerKind::of(owner) == Some(OwnerKind::Exec));
    if total == 0 && !has_orphans {
        reader.as_ref().map(Reader::sweep_owners).transpose()?;
        session::sweep_scratch();
        progress.finish()?;
        return Ok(Exit::Success);
    }
    drop(reader);
    let session = Session::open(context)?;
    let watcher: Arc<dyn Watcher> = Arc::clone(&progress) as Arc<dyn Watcher>;
    let which = Which { assume_dead: args.assume_dead, ..Which::kind(OwnerKind::Exec) };
    let (result, signalled) = session.block_on(async |supervisor, cancel| {
        recovery::recover(supervisor, &which, &watcher, cancel).await
    })?;
    drop(watcher);
    session.writer.sweep_owners();
    let shown = progress.finish();
    session.deliver_left(progress.execution_ids(), context);
    let closed = session.close();
    session::sweep_scratch();
    let tally = shown?;
    if let Some(error) = &tally.first_error {
        return Err(CliError::new(Exit::Environment, error.clone()));
    }
    result?;
    // They are stored; what failed after that is retention.
    if let Err(error) = closed {
        context.ui.warning(&error.to_string());
    }
    Ok(match signalled {
        Some(exit) => exit,
        None if tally.is_success() => Exit::Success,
        None => Exit::Failed,
    })
}
