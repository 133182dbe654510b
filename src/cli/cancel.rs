//! `wfx cancel`: ends an execution of whichever process.

use std::collections::HashMap;
use std::time::Duration;

use super::server_args::ServerArgs;
use super::session::{self, Session};
use super::{CliError, Context, ForegroundArgs, foreground, lookup, recover};
use crate::base::clock;
use crate::base::exit::Exit;
use crate::client::server::{OutputRead, Server};
use crate::engine::recovery::One;
use crate::operations::cancel::{self, NotCancelled, Requested};
use crate::render::titles::Titles;
use crate::repository::Reader;
use crate::repository::ownership::{Doubt, Liveness, id};
use crate::system::users;
use crate::terminal;
use crate::workflow::record::{ExecutionDetail, ExecutionStatus, OwnerState};
use crate::workflow::trigger::Requester;

/// Between looks whether the owner has ended it.
const LOOK: Duration = Duration::from_millis(50);
/// After so long the wait is explained.
const EXPLAIN_AFTER: Duration = Duration::from_secs(2);

/// What was typed after `wfx cancel`.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// An execution: its id, a unique prefix of it, @latest, @N as `wfx list` shows it, or a
    /// workflow's id for its latest one
    pub id: String,
    /// Leave the request and do not wait for the end
    #[arg(long)]
    pub no_wait: bool,
    #[command(flatten)]
    pub(super) foreground: ForegroundArgs,
    #[command(flatten)]
    pub(super) server: ServerArgs,
}

impl Args {
    pub(super) fn values(&self) -> HashMap<&'static str, String> {
        let mut values = self.foreground.values();
        values.extend(self.server.values());
        values
    }
}

/// Asks the process that runs it to end it, and waits for that; ends it itself when that
/// process has died.
///
/// # Errors
/// Exit 2 for an unknown execution or one that has ended, 3 when the database fails.
pub(crate) fn run(args: &Args, context: &Context) -> Result<Exit, CliError> {
    if let Some(server) = args.server.server(context)? {
        return run_served(&server, args, context);
    }
    let reader = session::reader(context)?;
    let execution_id = lookup::record(&reader, &args.id)?.execution_id;
    let judge = reader.judge()?;
    let session = Session::open(context)?;
    let (supervisor, writer) = (&session.supervisor, &session.writer);
    let patience = context.settings.store_timeout()?;
    let requester = Requester::user(users::name(users::own()));
    let owner = match cancel::request(supervisor, writer, None, &execution_id, &requester, patience)
    {
        Ok(Requested::Stored { owner }) => owner,
        // This process runs nothing yet.
        Ok(Requested::Here) => None,
        Err(NotCancelled::Ended(status)) => return Err(ended(&execution_id, status)),
        Err(NotCancelled::Unknown) => return Err(lookup::unknown(&args.id)),
        Err(NotCancelled::Store(error)) => return Err(error.into()),
    };
    let liveness = || owner.as_deref().map_or(Liveness::Dead, |owner| judge.look(owner));
    match liveness() {
        Liveness::Alive => {
            let asked = id::shown(owner.as_deref().unwrap_or_default());
            if args.no_wait {
                context.ui.note(&format!("asked {asked} to end it"));
                return Ok(Exit::Success);
            }
            if let Some(detail) = wait(&reader, &execution_id, &asked, &liveness, context)? {
                session.close()?;
                return show(&detail, context);
            }
        }
        Liveness::Unknown(doubt) => return Err(in_doubt(&execution_id, doubt)),
        Liveness::Dead => {}
    }
    finish_abandoned(&session, &execution_id, context)?;
    session.deliver_left(vec![execution_id.clone()], context);
    let Some(detail) = reader.detail(&execution_id)? else {
        return Err(lookup::unknown(&args.id));
    };
    // Another process may have taken it over just before; it finds the request.
    let detail = if detail.execution.status.is_terminal() {
        detail
    } else {
        let owner = detail.execution.owner.clone().unwrap_or_default();
        let liveness = || judge.look(&owner);
        let asked = id::shown(&owner);
        wait(&reader, &execution_id, &asked, &liveness, context)?.unwrap_or(detail)
    };
    session.close()?;
    show(&detail, context)
}

/// Asks a daemon to end it, and waits for that.
fn run_served(server: &Server, args: &Args, context: &Context) -> Result<Exit, CliError> {
    args.foreground.refuse_for(server)?;
    let unknown = || lookup::unknown(&args.id);
    let look = |id: &str| server.detail(id, OutputRead::None);
    let execution = look(&args.id)?.ok_or_else(unknown)?.execution;
    let execution_id = execution.execution_id.as_str();
    if execution.status.is_terminal() {
        return Err(ended(execution_id, execution.status));
    }
    server.cancel(execution_id)?;
    let asked = execution.owner.as_deref().map_or("the daemon".to_owned(), id::shown);
    if args.no_wait {
        context.ui.note(&format!("asked {asked} to end it"));
        return Ok(Exit::Success);
    }
    let mut waited = Waited::new();
    loop {
        let detail = look(execution_id)?.ok_or_else(unknown)?;
        if detail.execution.status.is_terminal() {
            let with_output = context.ui.format().is_json();
            let detail = match with_output {
                true => server.detail(execution_id, OutputRead::Kept)?.unwrap_or(detail),
                false => detail,
            };
            return show(&detail, context);
        }
        if detail.execution.owner_state == Some(OwnerState::Unknown) {
            return Err(CliError::new(
                Exit::Environment,
                format!(
                    "execution {execution_id} is not ended yet, the request stays: whether its \
                     process is alive is not known"
                ),
            )
            .with_hint("`wfx recover` on the machine of the daemon says why"));
        }
        waited.explain(&detail, &asked, context);
        std::thread::sleep(LOOK);
    }
}

/// A wait that is explained once it takes long.
struct Waited {
    since: std::time::Instant,
    explained: bool,
}

impl Waited {
    fn new() -> Self {
        Self { since: clock::monotonic(), explained: false }
    }

    fn explain(&mut self, detail: &ExecutionDetail, owner: &str, context: &Context) {
        if self.explained || self.since.elapsed() < EXPLAIN_AFTER {
            return;
        }
        self.explained = true;
        let what = match detail.execution.outcome {
            Some(_) => format!("its handlers run; waiting for {owner} to finish them"),
            None => format!("waiting for {owner} to end it"),
        };
        context.ui.note(&format!("{what}; Ctrl-C ends the wait, the request stays"));
    }
}

/// Waits until the owner has ended it; `None` when the owner dies before.
fn wait(
    reader: &Reader,
    execution_id: &str,
    owner: &str,
    liveness: &dyn Fn() -> Liveness,
    context: &Context,
) -> Result<Option<ExecutionDetail>, CliError> {
    let mut waited = Waited::new();
    loop {
        // Asked first: who dies after it has ended the execution has ended it.
        let alive = liveness() == Liveness::Alive;
        let Some(detail) = reader.detail(execution_id)? else {
            return Err(lookup::unknown(execution_id));
        };
        if detail.execution.status.is_terminal() {
            return Ok(Some(detail));
        }
        if !alive {
            return Ok(None);
        }
        waited.explain(&detail, owner, context);
        std::thread::sleep(LOOK);
    }
}

/// Ends an execution whose process has died, unless another process takes it over.
fn finish_abandoned(
    session: &Session,
    execution_id: &str,
    context: &Context,
) -> Result<(), CliError> {
    let observer = terminal::progress::observer(&context.ui, false, Titles::default());
    let (result, _) = session.block_on(async |supervisor, stop| {
        cancel::finish_abandoned(supervisor, execution_id, |_| observer, stop).await
    })?;
    match result? {
        One::Ran(Err(error)) => Err(foreground::gave_up(&error, execution_id)),
        One::Ran(Ok(_)) | One::NotAbandoned => Ok(()),
        One::Held(survivors) => Err(recover::held(execution_id, &survivors)),
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

fn in_doubt(execution_id: &str, doubt: Doubt) -> CliError {
    CliError::new(
        Exit::Environment,
        format!("execution {execution_id} is not ended yet, the request stays: {doubt}"),
    )
    .with_hint(format!(
        "if you are sure that nobody runs it: `wfx recover {execution_id} --assume-dead` ends it"
    ))
}

fn ended(execution_id: &str, status: ExecutionStatus) -> CliError {
    CliError::new(Exit::Usage, format!("execution {execution_id} has ended as {status}"))
        .with_hint("only what is not finished can be cancelled")
}
