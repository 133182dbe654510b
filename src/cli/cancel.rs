//! `wfx cancel`: ends an execution of whichever process.

use std::time::Duration;

use super::session::{self, Session};
use super::{CliError, Context, ForegroundArgs, foreground, lookup};
use crate::clock;
use crate::exit::Exit;
use crate::repository::reader::Reader;
use crate::repository::{CancelRequest, liveness};
use crate::terminal;
use crate::workflow::record::{ExecutionDetail, ExecutionStatus};
use crate::workflow::recovery;

/// Between looks whether the owner has ended it.
const LOOK: Duration = Duration::from_millis(50);
/// After so long the wait is explained.
const EXPLAIN_AFTER: Duration = Duration::from_secs(2);

/// What was typed after `wfx cancel`.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// An execution id, a unique prefix of one, @latest, or @N as `wfx list` shows it
    pub id: String,
    /// Leave the request and do not wait for the end
    #[arg(long)]
    pub no_wait: bool,
    #[command(flatten)]
    pub(super) foreground: ForegroundArgs,
}

/// Asks the process that runs it to end it, and waits for that; ends it itself when that
/// process has died.
///
/// # Errors
/// Exit 2 for an unknown execution or one that has ended, 3 when the database fails.
pub fn run(args: &Args, context: &Context) -> Result<Exit, CliError> {
    let reader = session::reader(context)?;
    let execution_id = lookup::detail(&reader, &args.id)?.execution.execution_id;
    let database = context.settings.database()?;
    let session = Session::open(context)?;
    let owner =
        match session.writer.request_cancel(&execution_id, context.settings.store_timeout()?)? {
            CancelRequest::Stored { owner } => owner,
            CancelRequest::Ended(status) => return Err(ended(&execution_id, status)),
            CancelRequest::Unknown => return Err(lookup::unknown(&args.id)),
        };
    let is_alive = || owner.as_deref().is_some_and(|owner| liveness::is_alive(&database, owner));
    if is_alive() {
        if args.no_wait {
            context.ui.note(&format!("asked {} to end it", owner.as_deref().unwrap_or_default()));
            return Ok(Exit::Success);
        }
        let asked = owner.as_deref().unwrap_or_default();
        if let Some(detail) = wait(&reader, &execution_id, asked, &is_alive, context)? {
            session.close()?;
            return show(&detail, context);
        }
    }
    settle(&session, &execution_id, context)?;
    let Some(detail) = reader.detail(&execution_id)? else {
        return Err(lookup::unknown(&args.id));
    };
    // Another process may have taken it over just before; it finds the request.
    let detail = if detail.execution.status.is_terminal() {
        detail
    } else {
        let owner = detail.execution.owner.clone().unwrap_or_default();
        let is_alive = || liveness::is_alive(&database, &owner);
        wait(&reader, &execution_id, &owner, &is_alive, context)?.unwrap_or(detail)
    };
    session.close()?;
    show(&detail, context)
}

/// Waits until the owner has ended it; `None` when the owner dies before.
fn wait(
    reader: &Reader,
    execution_id: &str,
    owner: &str,
    is_alive: &dyn Fn() -> bool,
    context: &Context,
) -> Result<Option<ExecutionDetail>, CliError> {
    let since = clock::monotonic();
    let mut explained = false;
    loop {
        // Asked first: who dies after it has ended the execution has ended it.
        let alive = is_alive();
        let Some(detail) = reader.detail(execution_id)? else {
            return Err(lookup::unknown(execution_id));
        };
        if detail.execution.status.is_terminal() {
            return Ok(Some(detail));
        }
        if !alive {
            return Ok(None);
        }
        if !explained && since.elapsed() >= EXPLAIN_AFTER {
            explained = true;
            context.ui.note(&format!(
                "waiting for {owner} to end it; Ctrl-C ends the wait, the request stays"
            ));
        }
        std::thread::sleep(LOOK);
    }
}

/// Ends an execution whose process has died, unless another process takes it over.
fn settle(session: &Session, execution_id: &str, context: &Context) -> Result<(), CliError> {
    let observer = terminal::progress::observer(&context.ui, false);
    let (result, _) = session.block_on(async |supervisor, cancel| {
        recovery::recover_one(supervisor, execution_id, |_| observer, cancel).await
    })?;
    match result? {
        Some(Err(error)) => Err(foreground::gave_up(&error, execution_id)),
        Some(Ok(_)) | None => Ok(()),
    }
}

fn show(detail: &ExecutionDetail, context: &Context) -> Result<Exit, CliError> {
    let execution = &detail.execution;
    context.ui.execution_summary(detail)?;
    if execution.status == ExecutionStatus::Cancelled {
        return Ok(Exit::Success);
    }
    context.ui.warning(&format!("it ended as {} before it was cancelled", execution.status));
    Ok(Exit::Failed)
}

fn ended(execution_id: &str, status: ExecutionStatus) -> CliError {
    CliError::new(Exit::Usage, format!("execution {execution_id} has ended as {status}"))
        .with_hint("only what is not finished can be cancelled")
}
