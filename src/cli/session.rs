//! What a command needs that runs executions: the database opened, a lock as an owner,
//! a runtime, signals.

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};
use std::thread::available_parallelism;
use std::time::Duration;

use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::time;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::channels::Channels;
use super::{CliError, Context};
use crate::base::clock::Clock;
use crate::base::exit::Exit;
use crate::base::period::Period;
use crate::base::units;
use crate::engine::cancel::Cancel;
use crate::engine::context::{EngineContext, Unstored};
use crate::engine::output::OutputSink;
use crate::engine::recovery;
use crate::engine::supervisor::{Bounds, Supervisor};
use crate::engine::work::children;
use crate::engine::work::detach;
use crate::engine::work::parallelism::Parallelism;
use crate::engine::work::scratch::Scratch;
use crate::notify::courier::{self, Delivery, DeliveryObserver};
use crate::repository::notifications::NotificationState;
use crate::repository::ownership::{Owner, OwnerKind};
use crate::repository::{Opening, Reader, StoreAddress, Writer, WriterOptions};
use crate::repository::{Retention, StoreError, StoreErrorKind, TakenOver};
use crate::system::files;
use crate::system::limits::Limits;
use crate::system::process_table;
use crate::terminal::Ui;
use crate::workflow::environment;
use crate::workflow::report::Unobserved;

/// Says which channel a notification is given up for.
struct Warned(Ui);

impl DeliveryObserver for Warned {
    fn attempted(&self, _channel: &str, _is_accepted: bool) {}

    fn ended(&self, channel: &str, state: NotificationState, _after: Duration) {
        if state == NotificationState::GivenUp {
            self.0.warning(&format!(
                "a notification to the channel `{channel}` was given up: `wfx notify history` says why"
            ));
        }
    }
}

/// How long notifications of what was run here may take.
const NOTIFY_TIME: Duration = Duration::from_secs(10);
/// Executions that may wait for the writer: more than a command runs side by side.
const QUEUE_CAPACITY: usize = 256;

/// How long the processes of handlers that a signal cuts off may take to be gone.
const LEAVE_PATIENCE: Duration = Duration::from_secs(2);

/// About how much memory all executions that run may take: parameters, definitions of requests
/// and the state of steps count.
pub(super) const IN_FLIGHT_BYTES: usize = 160 * 1024 * 1024;

/// An owner of executions, for as long as it is open.
#[derive(Debug)]
pub(super) struct Session {
    /// Runs executions.
    pub supervisor: Arc<Supervisor>,
    /// Where they are stored.
    pub writer: Arc<Writer>,
    owner: Arc<Owner>,
    /// Something was to be notified.
    has_events: Arc<AtomicBool>,
    ui: Ui,
}

impl Session {
    /// Opens the database, made or brought up if need be.
    ///
    /// # Errors
    /// Exit 3 when the database or the temporary folder fails.
    pub(super) fn open(context: &Context) -> Result<Self, CliError> {
        Self::open_while(context, || ()).map(|(session, ())| session)
    }

    /// The same; does `work` while the database is opened by another thread.
    ///
    /// # Errors
    /// As [`Self::open`].
    pub(super) fn open_while<T>(
        context: &Context,
        work: impl FnOnce() -> T,
    ) -> Result<(Self, T), CliError> {
        let settings = &context.settings;
        let database = settings.database()?;
        let store_timeout = settings.store_timeout()?;
        let retention = match settings.retention()? {
            keep if settings.is_retention_set()? => Retention::Given(keep),
            otherwise => Retention::Followed { otherwise },
        };
        let opening = Writer::begin_opening(&database, options(context, retention)?)?;
        // Whatever needs no database. What fails is reported after a database that fails.
        let children = take_in_children();
        let scratch = scratch();
        let step_places = step_places(context, 0);
        let inherited = environment::inherited(std::env::vars_os());
        let parallelism = available_parallelism().map_or(1, usize::from);
        let done = work();
        let writer = Arc::new(finish_opening(context, opening, store_timeout)?);
        children?;
        let owner = claim(&database, &writer, OwnerKind::Exec)?;
        let has_events: Arc<AtomicBool> = Arc::default();
        let engine_context = EngineContext {
            writer: Arc::clone(&writer),
            output: Arc::new(OutputSink::new(settings.output_limit()?.bytes())),
            owner: Arc::clone(&owner),
            inherited,
            scratch: scratch?,
            parallelism: step_places?,
            clock: Clock::system(),
            store_timeout,
            unstored: Unstored::Refuse,
            abandon: CancellationToken::new(),
            leave_queues: CancellationToken::new(),
            notify: settings.notify_default()?.map(Arc::new),
            has_events: Arc::clone(&has_events),
            waiting: Arc::default(),
        };
        // Of `recover`; what is run in the foreground is one.
        let bounds = Bounds { memory_bytes: IN_FLIGHT_BYTES, ..Bounds::NONE };
        let supervisor = Arc::new(Supervisor::new(engine_context, parallelism, bounds));
        Ok((Self { supervisor, writer, owner, has_events, ui: context.ui.clone() }, done))
    }

    /// Runs `work` to its end. Signals, and requests of other processes, end executions;
    /// the exit code of the first signal comes with the result.
    ///
    /// # Errors
    /// Exit 3 when timers and signals cannot be set up.
    pub(super) fn block_on<T>(
        &self,
        work: impl AsyncFnOnce(&Arc<Supervisor>, &Cancel) -> T,
    ) -> Result<(T, Option<Exit>), CliError> {
        let failed = |error: std::io::Error| {
            CliError::new(Exit::Environment, format!("cannot set up timers and signals: {error}"))
                .with_hint("see how many files may be open: `ulimit -n`")
        };
        files::check_for_runtimes(1).map_err(failed)?;
        let runtime =
            tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(failed)?;
        let cancel = Cancel::default();
        let signalled = Arc::new(OnceLock::new());
        let result = runtime.block_on(async {
            listen_to_signals(&cancel, &signalled)?;
            children::serve_as_init();
            self.listen_to_requests();
            let settling = self.settle_dead_holders();
            let done = work(&self.supervisor, &cancel).await;
            self.end_settling(&settling, &cancel).await;
            Ok(done)
        });
        // A task of a step that cannot be killed must not keep us.
        runtime.shutdown_background();
        Ok((result.map_err(failed)?, signalled.get().copied()))
    }

    /// Sends the notifications of these executions that no daemon will send, for a while at most:
    /// what is left then waits for the next daemon.
    pub(super) fn deliver_notifications(&self, executions: Vec<String>, context: &Context) {
        if self.has_events.load(Ordering::Relaxed) {
            self.deliver_left(executions, context);
        }
    }

    /// The same, also of what other processes have queued for these executions, such as those that
    /// died while they ran them.
    pub(super) fn deliver_left(&self, executions: Vec<String>, context: &Context) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        let Ok(runtime) = runtime else { return };
        let left = runtime.block_on(async {
            let rows = match self.writer.left_to_send(executions).await {
                Ok(rows) => rows,
                Err(error) => return Err(error.to_string()),
            };
            if rows.is_empty() {
                return Ok(0);
            }
            let channels = Channels::open(context).map_err(|error| error.to_string())?;
            let database = context.settings.database().map_err(|error| error.to_string())?;
            for warning in &channels.warnings {
                self.ui.warning(warning);
            }
            let missing: BTreeSet<&String> =
                rows.iter().map(|(_, name)| name).filter(|name| !channels.has(name)).collect();
            for name in missing {
                self.ui.warning(&format!(
                    "there is no channel `{name}` in the configuration file: its notifications wait \
                     for a daemon that has it"
                ));
            }
            let delivery = Delivery {
                writer: Arc::clone(&self.writer),
                owner: self.owner.id().to_owned(),
                observer: Arc::new(Warned(self.ui.clone())),
                last_output: channels.last_output(database),
            };
            let rows: Vec<_> = rows.into_iter().filter(|(_, name)| channels.has(name)).collect();
            let waiting = rows.len();
            let delivered = courier::deliver(&delivery, &channels.senders, rows, NOTIFY_TIME);
            Ok(tokio::select! {
                left = delivered => left,
                () = signalled() => waiting,
            })
        });
        runtime.shutdown_background();
        match left {
            Ok(0) => {}
            Ok(left) => self.ui.warning(&format!(
                "{} not accepted yet: the next daemon of this database sends the rest",
                units::count(left as u64, "notification")
            )),
            Err(why) => self.ui.warning(&format!("notifications wait for a daemon: {why}")),
        }
    }

    fn listen_to_requests(&self) {
        let mut requests = self.writer.cancel_requests(self.owner.id());
        let supervisor = Arc::clone(&self.supervisor);
        tokio::spawn(async move {
            while let Some(notice) = requests.recv().await {
                supervisor.cancel_own(&notice);
            }
        });
    }

    /// Ends executions whose process died while this one waits for their slot.
    fn settle_dead_holders(&self) -> TaskTracker {
        let mut dead = self.writer.dead_holders(false);
        let supervisor = Arc::clone(&self.supervisor);
        let settling = TaskTracker::new();
        let tasks = settling.clone();
        tokio::spawn(async move {
            while let Some(execution_id) = dead.recv().await {
                if tasks.is_closed() {
                    return;
                }
                let supervisor = Arc::clone(&supervisor);
                tasks.spawn(async move {
                    let unobserved = |_: &TakenOver| Arc::new(Unobserved) as _;
                    // What fails is found again by whoever waits.
                    let _ = recovery::settle(&supervisor, &execution_id, unobserved).await;
                });
            }
        });
        settling
    }

    /// Waits until the executions are ended that this process took over, whose handlers run here. A
    /// signal leaves them to whoever waits next, and none of their processes behind.
    async fn end_settling(&self, settling: &TaskTracker, cancel: &Cancel) {
        settling.close();
        if !settling.is_empty() && !cancel.gently.is_cancelled() {
            self.ui.note(
                "waiting for the handlers of executions whose process died: this one took them over \
                 while it waited for their slots; Ctrl-C leaves them to others",
            );
        }
        tokio::select! {
            biased;
            () = settling.wait() => return,
            () = cancel.gently.cancelled() => {}
        }
        self.supervisor.abandon();
        // What cannot be killed must not keep us.
        let _ = time::timeout(LEAVE_PATIENCE, settling.wait()).await;
    }

    /// Stores what can be stored, deletes what retention asks for, gives up the lock.
    ///
    /// # Errors
    /// When something could not be stored or deleted.
    pub(super) fn close(self) -> Result<(), StoreError> {
        drop(self.supervisor);
        let closed = self.writer.close();
        drop(self.owner);
        closed
    }
}

/// Opens the database to read what is to be run or ended; an old one is brought up first.
///
/// # Errors
/// Exit 3 when there is none or it fails.
pub(super) fn reader(context: &Context) -> Result<Reader, CliError> {
    let database = context.settings.database()?;
    match Reader::open(&database) {
        Err(error) if error.kind() == StoreErrorKind::NeedsMigration => {
            context.ui.note(&format!("bringing up the database {database}"));
            writer(context, options(context, Retention::Given(None))?)?.close()?;
            Ok(Reader::open(&database)?)
        }
        opened => Ok(opened?),
    }
}

/// Opens the database for writing, and says so when others keep it from being opened.
///
/// # Errors
/// Exit 3 when it fails, or others have it for too long.
pub(super) fn writer(context: &Context, options: WriterOptions) -> Result<Writer, CliError> {
    let database = context.settings.database()?;
    let patience = options.busy_timeout;
    finish_opening(context, Writer::begin_opening(&database, options)?, patience)
}

/// Waits until the database is open, and says so when others keep it from being opened.
fn finish_opening(
    context: &Context,
    opening: Opening,
    patience: Duration,
) -> Result<Writer, CliError> {
    let patience = Period::new(patience);
    Ok(Writer::finish(opening, &mut |error| report_wait(context, error, patience))?)
}

/// Reports that the command waits for others who use the database.
pub(super) fn report_wait(context: &Context, error: &StoreError, patience: Period) {
    let hint = error.hint().map(|hint| format!(" ({hint})")).unwrap_or_default();
    context.ui.warning(&format!("{error}{hint}; waiting up to {patience}"));
}

/// How the database is written by a command.
///
/// # Errors
/// Exit 2 for a bad setting.
pub(super) fn options(context: &Context, retention: Retention) -> Result<WriterOptions, CliError> {
    Ok(WriterOptions {
        durability: context.settings.durability()?,
        trusted_owner: context.settings.trusted_owner()?,
        retention,
        queue_capacity: QUEUE_CAPACITY,
        busy_timeout: context.settings.store_timeout()?,
        output: context.settings.output_budgets(false)?,
        commits: None,
    })
}

fn listen_to_signals(cancel: &Cancel, signalled: &Arc<OnceLock<Exit>>) -> std::io::Result<()> {
    let ignored = ignored_signals();
    for (kind, name, exit) in [
        (SignalKind::interrupt(), "SIGINT", Exit::Interrupted),
        (SignalKind::terminate(), "SIGTERM", Exit::Terminated),
        (SignalKind::hangup(), "SIGHUP", Exit::Terminated),
    ] {
        let Some(mut signals) = unless_ignored(ignored, kind)? else { continue };
        let (cancel, signalled) = (cancel.clone(), Arc::clone(signalled));
        tokio::spawn(async move {
            while signals.recv().await.is_some() {
                signalled.get_or_init(|| exit);
                cancel.request(&format!("cancelled by {name}"));
            }
        });
    }
    Ok(())
}

/// Waits for a signal that ends the process.
async fn signalled() {
    let ignored = ignored_signals();
    let next = |kind| async move {
        match unless_ignored(ignored, kind) {
            Ok(Some(mut signals)) => _ = signals.recv().await,
            _ => std::future::pending().await,
        }
    };
    tokio::select! {
        () = next(SignalKind::interrupt()) => {}
        () = next(SignalKind::terminate()) => {}
        () = next(SignalKind::hangup()) => {}
    }
}

/// Lets the processes of steps come to this one when their parents end, and learns how they end
/// also when the caller ignores that (SIGCHLD).
///
/// # Errors
/// Exit 3 when signals cannot be set up.
pub(super) fn take_in_children() -> Result<(), CliError> {
    children::adopt_orphans();
    detach::detach_steps();
    if is_ignored(ignored_signals(), SignalKind::child()) {
        let ended = Arc::new(AtomicBool::new(false));
        signal_hook::flag::register(SignalKind::child().as_raw_value(), ended).map_err(
            |error| CliError::new(Exit::Environment, format!("cannot catch SIGCHLD: {error}")),
        )?;
    }
    Ok(())
}

/// Whether the caller has set a signal to be ignored.
pub(super) fn is_ignored(ignored: u64, kind: SignalKind) -> bool {
    ignored >> (kind.as_raw_value() - 1) & 1 == 1
}

/// Signals of a kind, if the caller has not set it to be `ignored` (nohup, a job in the
/// background): that stays so.
///
/// # Errors
/// When they cannot be caught.
pub(super) fn unless_ignored(ignored: u64, kind: SignalKind) -> std::io::Result<Option<Signal>> {
    if is_ignored(ignored, kind) { Ok(None) } else { signal(kind).map(Some) }
}

/// The signals that the caller has set to be ignored, signal `n` as bit `n - 1`: `SigIgn`
/// of proc(5). Where there is none, nothing is taken for ignored.
pub(super) fn ignored_signals() -> u64 {
    static IGNORED: OnceLock<u64> = OnceLock::new();
    *IGNORED.get_or_init(|| {
        let status = process_table::contents("/proc/self/status").unwrap_or_default();
        let status = String::from_utf8_lossy(&status);
        let mask = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
        mask.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok()).unwrap_or(0)
    })
}

/// Lets signals through that the caller has blocked, to this thread and to what it starts, steps
/// among them. For the beginning, when there is one thread.
pub(super) fn unblock_signals() {
    // It fails for no set of signals.
    let _ = nix::sys::signal::SigSet::empty().thread_set_mask();
}

/// Takes the lock of a process that runs executions.
///
/// # Errors
/// Exit 3 when it cannot be made.
pub(super) fn claim(
    database: &StoreAddress,
    writer: &Writer,
    kind: OwnerKind,
) -> Result<Arc<Owner>, CliError> {
    let owner = writer.claim_owner(kind, fastrand::u32(..)).map_err(|error| {
        CliError::new(Exit::Environment, format!("cannot make a lock file for {database}: {error}"))
            .with_hint(match database {
                StoreAddress::File(_) => {
                    "make its folder writable, or choose another database with --db"
                }
                StoreAddress::Postgres(_) => {
                    "make that folder writable, or let XDG_STATE_HOME name another one"
                }
            })
    })?;
    writer.watch_owner(Arc::clone(&owner));
    Ok(owner)
}

/// How many steps run at a time, as it is set or as the limits of the system allow beside so many
/// other files.
///
/// # Errors
/// Exit 2 when the setting is none.
pub(super) fn step_places(context: &Context, other_files: usize) -> Result<Parallelism, CliError> {
    let set = context.settings.max_steps()?;
    Ok(Parallelism::new(set.unwrap_or_else(|| Limits::look().steps_max(other_files as u64))))
}

/// Removes the folders of dead processes, which mean nothing any more.
pub(super) fn sweep_scratch() {
    Scratch::sweep(&std::env::temp_dir());
}

/// Makes the folder in which steps leave their outputs.
///
/// # Errors
/// Exit 3 when it cannot be made.
pub(super) fn scratch() -> Result<Scratch, CliError> {
    let given: PathBuf = std::env::temp_dir();
    // Steps look at it from folders of their own.
    let parent = std::path::absolute(&given).unwrap_or(given);
    Scratch::create(&parent, fastrand::u32(..)).map_err(|error| {
        CliError::new(
            Exit::Environment,
            format!("cannot make a temporary folder in {}: {error}", parent.display()),
        )
        .with_hint("set TMPDIR to a folder that is writable")
    })
}
