//! `wfx recover`: goes on with executions whose process died.

use std::sync::Arc;

use super::session::{self, Session};
use super::{CliError, Context, ForegroundArgs, foreground, lookup};
use crate::exit::Exit;
use crate::repository::liveness::{self, OwnerKind};
use crate::repository::{OwnerCount, Which};
use crate::terminal;
use crate::workflow::record::{ExecutionRecord, OwnerState};
use crate::workflow::recovery::{self, Watcher};

/// What was typed after `wfx recover`.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Only this execution: its id, a unique prefix of it, @latest, or @N as `wfx list`
    /// shows it. Left out: all those of a dead `wfx exec`, `replay` or `recover`
    pub id: Option<String>,
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
pub fn run(args: &Args, context: &Context) -> Result<Exit, CliError> {
    liveness::await_dying(&context.settings.database()?);
    match &args.id {
        Some(id) => run_one(id, args.verbose, context),
        None => run_all(context),
    }
}

fn run_one(reference: &str, verbose: bool, context: &Context) -> Result<Exit, CliError> {
    let reader = session::reader(context)?;
    let execution = lookup::detail(&reader, reference)?.execution;
    drop(reader);
    let execution_id = &execution.execution_id;
    if execution.status.is_terminal() {
        return Err(CliError::new(
            Exit::Usage,
            format!("execution {execution_id} has ended as {}", execution.status),
        )
        .with_hint(format!("`wfx replay {execution_id}` runs it again")));
    }
    if execution.owner_state == Some(OwnerState::Alive) {
        return Err(has_owner(&execution));
    }
    if let Some(owner) = execution.owner.as_deref()
        && OwnerKind::of(owner) == Some(OwnerKind::Serve)
    {
        context.ui.note(&format!("taking execution {execution_id} over from {owner}, which died"));
    }
    let session = Session::open(context)?;
    let observer = terminal::progress::observer(&context.ui, verbose);
    let (result, signalled) = session.block_on(async |supervisor, cancel| {
        recovery::recover_one(supervisor, execution_id, |_| Arc::clone(&observer), cancel).await
    })?;
    drop(observer);
    // Another process was faster.
    let Some(result) = result? else { return Err(has_owner(&execution)) };
    foreground::finish(session, result, signalled, execution_id, context)
}

fn has_owner(execution: &ExecutionRecord) -> CliError {
    let execution_id = &execution.execution_id;
    let owner = execution.owner.as_deref().unwrap_or("another process");
    CliError::new(Exit::Usage, format!("execution {execution_id} is being run by {owner}"))
        .with_hint(format!("`wfx cancel {execution_id}` ends it"))
}

fn run_all(context: &Context) -> Result<Exit, CliError> {
    let database = context.settings.database()?;
    let owners = match session::reader(context) {
        Ok(reader) => reader.owners()?,
        Err(error) if error.is_missing() => {
            context.ui.note(&error.to_string());
            Vec::new()
        }
        Err(error) => return Err(error),
    };
    let count = |kind| -> u64 {
        let abandoned = owners.iter().filter(|owner| owner.is_abandoned_by(kind));
        abandoned.map(|owner: &OwnerCount| owner.executions).sum()
    };
    let of_serve = owners
        .iter()
        .filter(|owner| owner.owner.is_some() && owner.is_abandoned_by(OwnerKind::Serve))
        .map(|owner| owner.executions)
        .sum::<u64>();
    if of_serve > 0 {
        context.ui.note(&format!(
            "{of_serve} of a dead `wfx serve` stay for the next one; `wfx recover ID` takes one"
        ));
    }
    let total = count(OwnerKind::Exec);
    let progress =
        Arc::new(terminal::recovery::Progress::start(&context.ui, total).map_err(|error| {
            CliError::new(Exit::Environment, format!("cannot start the thread that shows: {error}"))
        })?);
    if total == 0 {
        session::sweep(&database);
        progress.finish()?;
        return Ok(Exit::Success);
    }
    let session = Session::open(context)?;
    let watcher: Arc<dyn Watcher> = Arc::clone(&progress) as Arc<dyn Watcher>;
    let (result, signalled) = session.block_on(async |supervisor, cancel| {
        recovery::recover(supervisor, &Which::Kind(OwnerKind::Exec), &watcher, cancel).await
    })?;
    drop(watcher);
    let closed = session.close();
    session::sweep(&database);
    let tally = progress.finish()?;
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
