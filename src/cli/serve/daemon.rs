//! The daemon from its start to its end.

use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use tokio::net::TcpListener;
use tokio::runtime::Runtime;
use tokio::signal::unix::{SignalKind, signal};
use tokio::time;
use tokio_util::sync::CancellationToken;

use super::super::{CliError, Context, session};
use super::Options;
use crate::catalogue::{Catalogue, Event, What};
use crate::clock;
use crate::exit::Exit;
use crate::http::access_log::AccessLog;
use crate::http::resources::{Observed, Readers, Resources};
use crate::http::server;
use crate::log;
use crate::metrics::Metrics;
use crate::repository::liveness::{self, Owner, OwnerKind};
use crate::repository::writer::{Writer, WriterOptions};
use crate::repository::{Health, Retention, TakenOver, Which};
use crate::workflow::cancel::Cancel;
use crate::workflow::engine::{Means, Unstored};
use crate::workflow::environment;
use crate::workflow::memory::Memory;
use crate::workflow::recovery::{self, Recovered, Watcher};
use crate::workflow::report::Observer;
use crate::workflow::supervisor::Supervisor;

/// How often executions of daemons that died are looked for.
const RECOVER_EVERY: Duration = Duration::from_secs(30);
/// How often the folder of workflows is looked at.
const RESCAN_EVERY: Duration = Duration::from_secs(1);
/// What ends the processes of steps takes: their grace, and a moment.
const ABANDON_TIME: Duration = Duration::from_secs(8);
/// How long answers that are under way may take at the end.
const ANSWERS_TIME: Duration = Duration::from_secs(2);
/// How long transactions of others are waited for at the start.
const BUSY_TIMEOUT: Duration = Duration::from_secs(10);

/// Runs the daemon until a signal ends it.
pub(super) fn run(options: Options, context: &Context) -> Result<Exit, CliError> {
    let environment = |what: &str, error: std::io::Error| {
        CliError::new(Exit::Environment, format!("cannot {what}: {error}"))
    };
    let _log = log::start(&context.settings.log_level()?)
        .map_err(|error| environment("start the thread that logs", error))?;
    let access_log = match &options.access_log {
        Some(target) => Some(AccessLog::start(target).map_err(|error| {
            environment(&format!("open the access log {}", target.display()), error)
        })?),
        None => None,
    };
    let catalogue = Arc::new(catalogue(options.workflows.as_deref())?);
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .map_err(|error| environment("start the threads that serve", error))?;
    // Bound before the database is opened: a second daemon on one address fails at once.
    let listener = runtime
        .block_on(TcpListener::bind(&options.addresses[..]))
        .map_err(|error| environment(&format!("listen on {}", list(&options.addresses)), error))?;
    let database = context.settings.database()?;
    let metrics = Metrics::new(&context.settings.step_duration_buckets()?).map_err(|error| {
        CliError::new(Exit::Environment, format!("cannot set up the metrics: {error}"))
    })?;
    let metrics = Arc::new(metrics);
    let writer = Arc::new(Writer::open(
        &database,
        WriterOptions {
            durability: context.settings.durability()?,
            retention: match context.settings.retention()? {
                keep if context.settings.is_retention_set()? => Retention::Led(keep),
                keep => Retention::Unled(keep),
            },
            queue_capacity: options.max_in_flight,
            busy_timeout: BUSY_TIMEOUT,
            commits: Some(Arc::clone(&metrics) as _),
        },
    )?);
    liveness::await_dying(&database);
    let owner = session::claim(&database, OwnerKind::Serve)?;
    let memory = Arc::new(Memory::default());
    let means = Means {
        writer: Arc::clone(&writer),
        inherited: environment::inherited(std::env::vars_os()),
        scratch: session::scratch()?,
        epoch: clock::monotonic(),
        store_timeout: Duration::MAX,
        unstored: Unstored::Run(Arc::clone(&memory)),
        abandon: CancellationToken::new(),
    };
    let places = std::thread::available_parallelism().map_or(1, usize::from);
    let supervisor = Arc::new(Supervisor::new(means, owner.id().to_owned(), places));
    let resources = Arc::new(Resources {
        supervisor: Arc::clone(&supervisor),
        writer: Arc::clone(&writer),
        memory,
        catalogue: Arc::clone(&catalogue),
        readers: Readers::new(database.clone()),
        definitions: options.definitions,
        workdir: options.workdir.clone(),
        max_in_flight: options.max_in_flight,
        draining: CancellationToken::new(),
        observed: Observed { metrics, access_log },
    });
    let daemon = Daemon { options, owner, supervisor, writer, catalogue, resources };
    daemon.serve(runtime, listener)
}

struct Daemon {
    options: Options,
    owner: Owner,
    supervisor: Arc<Supervisor>,
    writer: Arc<Writer>,
    catalogue: Arc<Catalogue>,
    resources: Arc<Resources>,
}

impl Daemon {
    fn serve(self, runtime: Runtime, listener: TcpListener) -> Result<Exit, CliError> {
        let Self { options, owner, supervisor, writer, catalogue, resources } = self;
        let owner_id = owner.id().to_owned();
        let draining = resources.draining.clone();
        let front = options.front;
        let served: std::io::Result<()> = runtime.block_on(async {
            let mut stopped = Signals::new()?;
            let address = listener.local_addr()?;
            let answers = tokio::spawn(server::serve(
                listener,
                front,
                Arc::clone(&resources),
                draining.clone(),
            ));
            let mut requests = writer.cancel_requests(&owner_id);
            let cancelling = Arc::clone(&supervisor);
            tokio::spawn(async move {
                while let Some(execution_id) = requests.recv().await {
                    cancelling.cancel_own(&execution_id);
                }
            });
            tokio::spawn(tell_of_store(writer.health()));
            tokio::spawn(recover_again_and_again(Arc::clone(&resources)));
            if options.workflows.is_some() {
                tokio::spawn(rescan_again_and_again(catalogue, draining.clone()));
            }
            tracing::info!(%address, "serving");
            let _ = sd_notify::notify(&[sd_notify::NotifyState::Ready]);
            tokio::spawn(keep_watchdog_quiet());

            stopped.next().await;
            let _ = sd_notify::notify(&[sd_notify::NotifyState::Stopping]);
            tracing::info!(running = supervisor.in_flight(), "stopping");
            draining.cancel();
            let idle = supervisor.idle();
            tokio::select! {
                () = idle => {}
                () = time::sleep(options.drain_timeout) => {
                    tracing::warn!(running = supervisor.in_flight(), "ending what runs");
                }
                () = stopped.next() => {
                    tracing::warn!(running = supervisor.in_flight(), "ending what runs");
                }
            }
            supervisor.abandon();
            let _ = time::timeout(ABANDON_TIME, supervisor.idle()).await;
            let _ = time::timeout(ANSWERS_TIME, answers).await;
            Ok(())
        });
        // A task of a step that cannot be killed must not keep us.
        runtime.shutdown_timeout(Duration::from_millis(100));
        served
            .map_err(|error| CliError::new(Exit::Environment, format!("cannot serve: {error}")))?;
        drop(resources);
        drop(supervisor);
        let closed = Arc::into_inner(writer).map_or(Ok(()), Writer::close);
        drop(owner);
        closed?;
        Ok(Exit::Success)
    }
}

/// SIGTERM, SIGINT and SIGHUP: each asks for the end.
struct Signals {
    terminate: tokio::signal::unix::Signal,
    interrupt: tokio::signal::unix::Signal,
    hangup: tokio::signal::unix::Signal,
}

impl Signals {
    fn new() -> std::io::Result<Self> {
        Ok(Self {
            terminate: signal(SignalKind::terminate())?,
            interrupt: signal(SignalKind::interrupt())?,
            hangup: signal(SignalKind::hangup())?,
        })
    }

    async fn next(&mut self) {
        tokio::select! {
            _ = self.terminate.recv() => {}
            _ = self.interrupt.recv() => {}
            _ = self.hangup.recv() => {}
        }
    }
}

/// Logs when the database begins to fail and when it works again.
async fn tell_of_store(mut health: tokio::sync::watch::Receiver<Health>) {
    let mut was_failing = false;
    while health.changed().await.is_ok() {
        let failing = match &*health.borrow_and_update() {
            Health::Failing { error } => Some(error.to_string()),
            Health::Working => None,
        };
        match &failing {
            Some(error) if !was_failing => tracing::error!(error, "the database fails"),
            None if was_failing => tracing::info!("the database works again"),
            _ => {}
        }
        was_failing = failing.is_some();
    }
}

async fn recover_again_and_again(resources: Arc<Resources>) {
    let draining = resources.draining.clone();
    let watcher: Arc<dyn Watcher> = Arc::new(RecoveryLog(Arc::clone(&resources)));
    loop {
        let (resources, watcher) = (Arc::clone(&resources), Arc::clone(&watcher));
        // What was taken over runs on while the next look is due.
        tokio::spawn(async move {
            let which = Which::Kind(OwnerKind::Serve);
            let (supervisor, all) = (&resources.supervisor, resources.max_in_flight);
            let cancel = Cancel::default();
            let recovered = recovery::recover(supervisor, &which, all, &watcher, &cancel).await;
            if let Err(error) = recovered {
                tracing::warn!(%error, "cannot take over executions of daemons that died");
            }
        });
        tokio::select! {
            () = draining.cancelled() => return,
            () = time::sleep(RECOVER_EVERY) => {}
        }
    }
}

async fn rescan_again_and_again(catalogue: Arc<Catalogue>, draining: CancellationToken) {
    while !draining.is_cancelled() {
        time::sleep(RESCAN_EVERY).await;
        let catalogue = Arc::clone(&catalogue);
        let scanned = tokio::task::spawn_blocking(move || catalogue.rescan(clock::now())).await;
        log_events(&scanned.unwrap_or_default());
    }
}

fn log_events(events: &[Event]) {
    for event in events {
        match event.what {
            What::Broken(_) => tracing::warn!("{event}"),
            What::Loaded(_) | What::Removed(_) => tracing::info!("{event}"),
        }
    }
}

async fn keep_watchdog_quiet() {
    let Some(period) = sd_notify::watchdog_enabled() else { return };
    loop {
        let _ = sd_notify::notify(&[sd_notify::NotifyState::Watchdog]);
        time::sleep(period / 2).await;
    }
}

struct RecoveryLog(Arc<Resources>);

impl Watcher for RecoveryLog {
    fn ended_processes(&self, count: usize) {
        tracing::warn!(count, "ended processes that steps of a dead daemon had left");
    }

    fn recovered(&self, recovered: &Recovered) {
        let Recovered { execution_id, workflow_id, outcome, .. } = recovered;
        match outcome {
            Ok(status) => tracing::info!(execution_id, workflow_id, %status, "recovered"),
            Err(error) => tracing::warn!(execution_id, workflow_id, %error, "not recovered"),
        }
    }

    /// It is told for all executions at once.
    fn store_failing(&self, _error: Option<&str>) {}

    fn observer(&self, taken: &TakenOver) -> Option<Arc<dyn Observer>> {
        let execution = &taken.execution;
        self.0.observed.metrics.recovered();
        Some(self.0.observed.of_execution(&execution.execution_id, &execution.workflow_id))
    }
}

fn catalogue(folder: Option<&Path>) -> Result<Catalogue, CliError> {
    let Some(folder) = folder else { return Ok(Catalogue::default()) };
    let (catalogue, events) = Catalogue::load(folder, clock::now()).map_err(|error| {
        let message = format!("cannot read the workflows of {}: {error}", folder.display());
        CliError::new(Exit::Environment, message).with_hint("name another folder with --workflows")
    })?;
    log_events(&events);
    Ok(catalogue)
}

fn list(addresses: &[SocketAddr]) -> String {
    addresses.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ")
}
