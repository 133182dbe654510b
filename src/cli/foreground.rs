//! Runs one execution in the foreground, for `exec` and `replay`: opens the
//! database, shows progress, listens for signals, tells the end.

use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};
use std::thread::available_parallelism;

use tokio::signal::unix::{SignalKind, signal};

use super::{CliError, Context};
use crate::clock;
use crate::exit::Exit;
use crate::repository::StoreErrorKind;
use crate::repository::liveness::{Owner, OwnerKind};
use crate::repository::reader::Reader;
use crate::repository::writer::{Writer, WriterOptions};
use crate::terminal;
use crate::workflow::definition::Snapshot;
use crate::workflow::engine::{Cancel, Means, RunError};
use crate::workflow::environment;
use crate::workflow::execution::Plan;
use crate::workflow::record::ExecutionStatus;
use crate::workflow::report::Observer;
use crate::workflow::runner::scratch::Scratch;
use crate::workflow::supervisor::Supervisor;

/// Executions that may wait for the writer; this process has one.
const QUEUE_CAPACITY: usize = 16;

/// What is to be run.
#[derive(Debug)]
pub(super) struct Run {
    /// The definition, the parameters and the working folder.
    pub snapshot: Snapshot,
    /// The execution that it repeats.
    pub replay_of: Option<String>,
    /// Whether the output of the steps is shown as it comes.
    pub verbose: bool,
}

/// Runs it to its end, stored, and shows how it went.
///
/// # Errors
/// Exit 3 when the database or the temporary folder fails.
pub(super) fn run(run: Run, context: &Context) -> Result<Exit, CliError> {
    let settings = &context.settings;
    let database = settings.database()?;
    let store_timeout = settings.store_timeout()?;
    let writer = Arc::new(Writer::open(
        &database,
        WriterOptions {
            durability: settings.durability()?,
            retention: settings.retention()?,
            queue_capacity: QUEUE_CAPACITY,
            busy_timeout: store_timeout,
        },
    )?);
    let owner = claim(&database)?;
    let means = Means {
        writer: Arc::clone(&writer),
        inherited: environment::inherited(std::env::vars_os()),
        scratch: scratch()?,
        epoch: clock::monotonic(),
        store_timeout,
    };
    let places = available_parallelism().map_or(1, usize::from);
    let supervisor = Supervisor::new(means, owner.id().to_owned(), places);
    let plan = supervisor.plan(run.snapshot, run.replay_of).map_err(|cycle| {
        CliError::new(Exit::Usage, format!("the steps wait for each other: {cycle}"))
    })?;
    let execution_id = plan.execution_id.clone();
    let observer = terminal::progress::observer(&context.ui, run.verbose).map_err(|error| {
        CliError::new(Exit::Environment, format!("cannot start the thread that shows: {error}"))
    })?;
    let (result, signalled) = drive(&supervisor, plan, &observer)?;
    drop(supervisor);
    // All progress is shown before the summary.
    drop(observer);
    let detail = result.is_ok().then(|| writer.detail(&execution_id));
    let closed = Arc::into_inner(writer).map_or(Ok(()), Writer::close);
    drop(owner);
    let status = result.map_err(|error| gave_up(&error, &execution_id))?;
    closed?;
    // The execution has ended and is stored, whatever can still be shown of it.
    match detail.transpose() {
        Ok(Some(Some(detail))) => match context.ui.execution_summary(&detail) {
            // Who stopped reading still gets the exit code of the execution.
            Err(error) if error.kind() == std::io::ErrorKind::BrokenPipe => {}
            shown => shown?,
        },
        Ok(_) => context.ui.warning(&format!(
            "execution {execution_id} ended as {status} and was pruned by another process since"
        )),
        Err(error) => context.ui.warning(&error.to_string()),
    }
    Ok(match (status, signalled) {
        (ExecutionStatus::Cancelled, Some(exit)) => exit,
        (ExecutionStatus::Success, _) => Exit::Success,
        _ => Exit::Failed,
    })
}

/// Opens the database to read what is to be run again; an old one is brought up first.
///
/// # Errors
/// Exit 3 when there is none or it fails.
pub(super) fn reader(context: &Context) -> Result<Reader, CliError> {
    let settings = &context.settings;
    let database = settings.database()?;
    match Reader::open(&database) {
        Err(error) if error.kind() == StoreErrorKind::NeedsMigration => {
            context.ui.note(&format!("bringing up the database {}", database.display()));
            Writer::open(
                &database,
                WriterOptions {
                    durability: settings.durability()?,
                    retention: None,
                    queue_capacity: QUEUE_CAPACITY,
                    busy_timeout: settings.store_timeout()?,
                },
            )?
            .close()?;
            Ok(Reader::open(&database)?)
        }
        opened => Ok(opened?),
    }
}

fn drive(
    supervisor: &Supervisor,
    plan: Plan,
    observer: &Arc<dyn Observer>,
) -> Result<(Result<ExecutionStatus, RunError>, Option<Exit>), CliError> {
    let failed = |error: std::io::Error| {
        CliError::new(Exit::Environment, format!("cannot set up timers and signals: {error}"))
    };
    let runtime =
        tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(failed)?;
    let cancel = Cancel::default();
    let signalled = Arc::new(OnceLock::new());
    let ignored = ignored_signals();
    let result = runtime.block_on(async {
        for (kind, name, exit) in [
            (SignalKind::interrupt(), "SIGINT", Exit::Interrupted),
            (SignalKind::terminate(), "SIGTERM", Exit::Terminated),
            (SignalKind::hangup(), "SIGHUP", Exit::Terminated),
        ] {
            // What the caller wants ignored (nohup, a job in the background) stays so.
            if ignored >> (kind.as_raw_value() - 1) & 1 == 1 {
                continue;
            }
            let mut signals = signal(kind)?;
            let (cancel, signalled) = (cancel.clone(), Arc::clone(&signalled));
            tokio::spawn(async move {
                while signals.recv().await.is_some() {
                    signalled.get_or_init(|| exit);
                    cancel.request(&format!("cancelled by {name}"));
                }
            });
        }
        Ok(supervisor.run(plan, observer, &cancel).await)
    });
    // A task of a step that cannot be killed must not keep us.
    runtime.shutdown_background();
    Ok((result.map_err(failed)?, signalled.get().copied()))
}

/// The signals that the caller has set to be ignored, signal `n` as bit `n - 1`: `SigIgn`
/// of proc(5). Where there is none, nothing is taken for ignored.
fn ignored_signals() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let mask = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
    mask.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok()).unwrap_or(0)
}

fn claim(database: &Path) -> Result<Owner, CliError> {
    Owner::claim(database, OwnerKind::Exec, fastrand::u32(..)).map_err(|error| {
        CliError::new(
            Exit::Environment,
            format!("cannot make a lock file beside {}: {error}", database.display()),
        )
        .with_hint("make its folder writable, or choose another database with --db")
    })
}

fn scratch() -> Result<Scratch, CliError> {
    let given: PathBuf = std::env::temp_dir();
    // Steps look at it from folders of their own.
    let parent = std::path::absolute(&given).unwrap_or(given);
    let name = format!("wfx-{}-{:08x}", std::process::id(), fastrand::u32(..));
    Scratch::create(&parent, &name).map_err(|error| {
        CliError::new(
            Exit::Environment,
            format!("cannot make a temporary folder in {}: {error}", parent.display()),
        )
        .with_hint("set TMPDIR to a folder that is writable")
    })
}

fn gave_up(error: &RunError, execution_id: &str) -> CliError {
    let exit = match error {
        RunError::Illegal(_) => Exit::Failed,
        _ => Exit::Environment,
    };
    let cli_error = CliError::new(exit, format!("execution {execution_id}: {error}"));
    match error.store_error().and_then(|error| error.hint()) {
        Some(hint) => cli_error.with_hint(hint),
        None => cli_error,
    }
}
