//! The daemon from its start to its end.

use std::future;
use std::sync::Arc;
use std::time::Duration;

use tokio::runtime::Runtime;
use tokio::signal::unix::{Signal, SignalKind};
use tokio::sync::Notify as Wake;
use tokio::task::JoinHandle;
use tokio::time;
use tokio_util::sync::CancellationToken;

use super::super::{CliError, Context, session};
use super::cataloguing::{catalogue, rescan_again_and_again};
use super::listening::{Listening, listen};
use super::notifying;
use super::recovery::{recover_again_and_again, settle_dead_holders};
use super::scheduling::{Pulse, run_schedules};
use super::server_watch::ServerWatch;
use super::succession::lead::Lead;
use super::succession::old_process::{Launcher, Outcome, Successor};
use super::succession::older::Older;
use super::succession::successor::HandedOver;
use super::{EarlyReloads, Options, descriptors, service_manager};
use crate::base::clock::{self, Clock};
use crate::base::exit::Exit;
use crate::engine::context::{EngineContext, Unstored};
use crate::engine::memory::Memory;
use crate::engine::output::OutputSink;
use crate::engine::supervisor::{Bounds, Supervisor};
use crate::engine::work::children;
use crate::http::api::resources::callers::Callers;
use crate::http::api::resources::context::{DaemonChannels, Resources};
use crate::http::api::resources::readers::Readers;
use crate::http::exchange::tokens::Tokens;
use crate::http::front::server::{self, Ending};
use crate::http::observe::access_log::AccessLog;
use crate::http::observe::observer::Observed;
use crate::http::page::sessions::Sessions;
use crate::http::page::site::Site;
use crate::http::page::view::{Pages, SAMPLE_EVERY};
use crate::logging;
use crate::metrics::Metrics;
use crate::notify::alerts::AlertNotifier;
use crate::notify::courier::{Couriers, Delivery};
use crate::operations::catalogue::Catalogue;
use crate::repository::ownership::{Owner, OwnerKind};
use crate::repository::{Catalogued, Health, Reader, Retention, StoreAddress};
use crate::repository::{StoreError, Writer, WriterOptions};
use crate::slo::monitor::Monitor;
use crate::system::{files, program};
use crate::workflow::environment;

/// How often it is looked whether the database hangs.
const LOOK_AT_STORE: Duration = Duration::from_secs(1);
/// What ends the processes of steps takes: their grace, and a moment.
const ABANDON_TIME: Duration = Duration::from_secs(8);
/// How long duties of the lead take to end at most: a round of schedules that waits for the
/// database.
const END_OF_LEAD: Duration = Duration::from_secs(1);
/// How long answers that are under way may take at the end.
const ANSWERS_TIME: Duration = Duration::from_secs(2);
/// How long alerts that wait may take at the end.
const ALERTS_TIME: Duration = Duration::from_secs(2);
/// How long transactions of others are waited for at the start.
const BUSY_TIMEOUT: Duration = Duration::from_secs(10);

/// Runs the daemon until a signal ends it.
pub(super) fn run(
    mut options: Options,
    context: &Context,
    reloads: &EarlyReloads,
    handed_over: &mut Option<HandedOver>,
) -> Result<Exit, CliError> {
    let launcher = launcher(&options, context);
    let _log = logging::start(&context.settings.log_level()?)
        .map_err(|error| super::environment("start the thread that logs", &error))?;
    options.front.max_connections = descriptors::make_room(options.front.max_connections);
    let access_log = options.access_log.as_ref().map(|target| {
        AccessLog::start(target).map_err(|error| {
            super::environment(&format!("open the access log {}", target.display()), &error)
        })
    });
    let access_log = access_log.transpose()?;
    let channels = options.channels.names();
    let (catalogue, retention) = catalogue(options.workflows.as_deref(), &channels)?;
    let catalogue = Arc::new(catalogue);
    let runtime = files::check_for_runtimes(1)
        .and_then(|()| tokio::runtime::Builder::new_multi_thread().enable_all().build())
        .map_err(|error| super::environment("start the threads that serve", &error))?;
    // Bound before the database is opened: a second daemon on one address fails at once.
    let listening = runtime.block_on(async {
        let sockets = handed_over.as_mut().map(HandedOver::sockets);
        listen(&options, sockets.unwrap_or_default())
    })?;
    if handed_over.is_some() {
        // Its schema must not change while the daemon before has it, nor may it be made anew.
        Reader::open(&context.settings.database()?)?;
    }
    let metrics = Metrics::new(&context.settings.step_duration_buckets()?)
        .map_err(|error| super::environment("set up the metrics", &error))?;
    if let (Some(webhook), true) = (&options.webhook, options.is_min_samples_default) {
        tracing::warn!(
            webhook = webhook.shown_url,
            "one failed request can send alerts while there are no others: SLO_MIN_SAMPLES is 1 by \
             default; require more with `--slo-min-samples`, such as 20, or set 1 to accept this"
        );
    }
    let daemon = Daemon::open(options, catalogue, (metrics, access_log), context, &runtime)?;
    daemon.writer.set_policies(retention);
    daemon.writer.set_catalogued(daemon.catalogue.groups(&Catalogued::default()));
    daemon.serve(runtime, listening, (&launcher, reloads), handed_over.take())
}

fn launcher(options: &Options, context: &Context) -> Launcher {
    let arguments: Vec<_> = std::env::args_os().collect();
    let variables = context.settings.environment().variables();
    let secrets = variables.filter(|(name, _)| environment::is_secret(name));
    Launcher {
        program: program::path(arguments.first().map(AsRef::as_ref)),
        arguments,
        secrets: secrets.map(|(name, value)| (name.clone(), value.clone())).collect(),
        timeout: options.handover_timeout,
    }
}

/// The API, and the page unless nobody wants one.
fn site(
    options: &Options,
    database: &StoreAddress,
    resources: &Arc<Resources>,
) -> Result<Site, CliError> {
    let resources = Arc::clone(resources);
    if !options.has_page {
        return Ok(Site { resources, pages: None });
    }
    // The writer has given the database its number.
    let number = Reader::open(database)?.database_number()?;
    let sessions = Sessions::new(number, Tokens::of(&options.front.tokens));
    let host = rustix::system::uname().nodename().to_string_lossy().into_owned();
    let zone = clock::zone().clone();
    let pages = Pages::new(Arc::clone(&resources), sessions, host, zone);
    Ok(Site { resources, pages: Some(pages) })
}

struct Daemon {
    options: Options,
    database: StoreAddress,
    owner: Arc<Owner>,
    supervisor: Arc<Supervisor>,
    writer: Arc<Writer>,
    catalogue: Arc<Catalogue>,
    resources: Arc<Resources>,
    site: Arc<Site>,
    /// A process of this service has ended, and may have left executions.
    left_behind: Arc<Wake>,
    pulse: Arc<Pulse>,
    server: ServerWatch,
    /// The outbox of notifications.
    delivery: Delivery,
    /// What takes alerts of service levels to channels.
    alerts: Option<Arc<AlertNotifier>>,
}

impl Daemon {
    /// Opens the database and puts together what serves from it.
    fn open(
        mut options: Options,
        catalogue: Arc<Catalogue>,
        (metrics, access_log): (Metrics, Option<AccessLog>),
        context: &Context,
        runtime: &Runtime,
    ) -> Result<Self, CliError> {
        let metrics = Arc::new(metrics);
        let settings = &context.settings;
        let database = settings.database()?;
        let store = WriterOptions {
            durability: settings.durability()?,
            trusted_owner: settings.trusted_owner()?,
            retention: match settings.retention()? {
                keep if settings.is_retention_set()? => Retention::Led(keep),
                otherwise => Retention::Followed { otherwise },
            },
            queue_capacity: options.max_in_flight,
            busy_timeout: BUSY_TIMEOUT,
            output: settings.output_budgets(true)?,
            commits: Some(Arc::clone(&metrics) as _),
        };
        let mut waits = |error: &StoreError| {
            tracing::warn!(%error, "waiting up to {BUSY_TIMEOUT:?} for the database");
        };
        let writer = Arc::new(Writer::open_reporting(&database, store, &mut waits)?);
        let owner = session::claim(&database, &writer, OwnerKind::Serve)?;
        let delivery = Delivery {
            writer: Arc::clone(&writer),
            owner: owner.id().to_owned(),
            observer: Arc::clone(&metrics) as _,
            last_output: options.channels.last_output(database.clone()),
        };
        let alerts = notifying::alert_notifier(&options, &delivery, runtime);
        let webhook = options.webhook.take();
        let is_alerting =
            webhook.is_some() || alerts.as_ref().is_some_and(|alerts| alerts.takes_alerts());
        let last_alerts = if is_alerting { notifying::last_alerts(&database) } else { Vec::new() };
        let webhook = webhook
            .map(|webhook| notifying::start_webhook(webhook, &writer, runtime))
            .transpose()?;
        let listener = alerts.clone().map(|it| notifying::listener(it, Arc::clone(&writer)));
        let monitor = Monitor::start(options.policy.clone(), webhook, listener, &last_alerts);
        let observed = Observed { metrics, monitor, access_log };
        // A daemon that is started again and again must not leave more each time.
        session::sweep_scratch();
        session::take_in_children()?;
        let memory = Arc::new(Memory::default());
        let engine_context = EngineContext {
            writer: Arc::clone(&writer),
            output: Arc::new(OutputSink::new(settings.output_limit()?.bytes())),
            owner: Arc::clone(&owner),
            inherited: environment::inherited(std::env::vars_os()),
            scratch: session::scratch()?,
            parallelism: session::step_places(context, options.front.max_connections)?,
            clock: Clock::system(),
            store_timeout: Duration::MAX,
            unstored: Unstored::Run(Arc::clone(&memory)),
            abandon: CancellationToken::new(),
            leave_queues: CancellationToken::new(),
            notify: options.channels.default.clone(),
            has_events: Arc::default(),
            waiting: Arc::default(),
        };
        let parallelism = std::thread::available_parallelism().map_or(1, usize::from);
        let bounds =
            Bounds { executions: options.max_in_flight, memory_bytes: session::IN_FLIGHT_BYTES };
        let supervisor = Arc::new(Supervisor::new(engine_context, parallelism, bounds));
        let server = ServerWatch::new(&database, settings.durability()?);
        let resources = Arc::new(Resources {
            server: server.subscribe(),
            supervisor: Arc::clone(&supervisor),
            writer: Arc::clone(&writer),
            memory,
            catalogue: Arc::clone(&catalogue),
            readers: Arc::new(Readers::new(database.clone())),
            definitions: options.definitions,
            workdir: options.workdir.clone(),
            draining: CancellationToken::new(),
            callers: Callers::default(),
            channels: DaemonChannels {
                delivery: delivery.clone(),
                senders: options.channels.all().cloned().collect(),
            },
            observed,
        });
        let site = Arc::new(site(&options, &database, &resources)?);
        let (left_behind, pulse) = (Arc::default(), Arc::default());
        Ok(Self {
            options,
            database,
            owner,
            supervisor,
            writer,
            catalogue,
            resources,
            site,
            left_behind,
            pulse,
            server,
            delivery,
            alerts,
        })
    }

    /// Serves until a signal comes, then lets what runs finish, and stores it.
    fn serve(
        self,
        runtime: Runtime,
        listening: Listening,
        reloading: (&Launcher, &EarlyReloads),
        handed_over: Option<HandedOver>,
    ) -> Result<Exit, CliError> {
        let served = runtime.block_on(self.serve_to_the_end(listening, reloading, handed_over));
        // A task of a step that cannot be killed must not keep us.
        runtime.shutdown_timeout(Duration::from_millis(100));
        let successor = served.map_err(|error| super::environment("serve", &error))?;
        let Self { owner, supervisor, writer, resources, site, .. } = self;
        drop((site, resources, supervisor));
        let closed = writer.close();
        drop(owner);
        // It looks whether something was left once the link is closed.
        drop(successor);
        closed?;
        Ok(Exit::Success)
    }

    /// Returns the successor, if there is one.
    async fn serve_to_the_end(
        &self,
        listening: Listening,
        (launcher, reloads): (&Launcher, &EarlyReloads),
        handed_over: Option<HandedOver>,
    ) -> std::io::Result<Option<Successor>> {
        let mut stopped = Signals::new()?;
        let mut reload =
            session::unless_ignored(session::ignored_signals(), SignalKind::user_defined2())?;
        // From here on every one comes there.
        let mut came_early = reloads.take();
        children::serve_as_init();
        let mut leading = None;
        if let Some(handed_over) = handed_over {
            let old = handed_over.pid;
            tracing::info!(old, "ready to take over from the daemon before this one");
            let lead = tokio::select! {
                lead = handed_over.wait_for_lead(listening.adopted) => lead?,
                // The daemon before this one goes on.
                () = stopped.next() => return Ok(None),
            };
            if lead.is_alone {
                tracing::warn!(old, "the daemon before this one ended before it had handed over");
            }
            leading = Some(lead);
        }
        let listeners: Vec<_> = listening.listeners.into_iter().map(Arc::new).collect();
        listeners.iter().for_each(|listener| listener.set_file_kept(false));
        let ending =
            Ending { stop: self.resources.draining.clone(), hand_over: CancellationToken::new() };
        let mut answers = tokio::spawn(server::serve(
            listeners.clone(),
            self.options.front.clone(),
            Arc::clone(&self.site),
            ending.clone(),
        ));
        self.start_tasks(&ending.hand_over);
        let channels = &self.options.channels;
        for warning in &channels.warnings {
            tracing::warn!("{warning}");
        }
        let couriers = Couriers::start(&self.delivery, &channels.senders);
        let heartbeats = &channels.heartbeats;
        let beating = notifying::start_heartbeats(heartbeats, &self.writer, &self.pulse);
        let lead = self.lead();
        lead.begin();
        for address in &listeners {
            tracing::info!(%address, pid = std::process::id(), "serving");
        }
        // What earlier daemons left is logged after that this one serves.
        if let Some(alerts) = &self.alerts {
            notifying::look_for_ends(alerts, &self.resources, &beating);
        }
        let mut older = match leading {
            Some(leading) => leading.begin().await,
            None => {
                service_manager::ready();
                Older::default()
            }
        };
        let mut successor = loop {
            tokio::select! {
                () = stopped.next() => break None,
                () = future::ready(()), if came_early => came_early = false,
                () = one(&mut reload) => {}
                () = older.one_ended() => {
                    // It may not have run everything to the end.
                    self.left_behind.notify_one();
                    continue;
                }
                ended = &mut answers => {
                    return Err(std::io::Error::other(format!("nobody accepts: {ended:?}")));
                }
            }
            service_manager::reloading();
            let stop = stopped.next();
            match launcher.hand_over(&listeners, &mut older, &lead, stop).await {
                Outcome::HandedOver(successor) => break Some(successor),
                Outcome::Stopped => break None,
                Outcome::NeedsMigration(why) => {
                    tracing::warn!(
                        why,
                        "the successor would have to change the schema of the database: stopping, so \
                         that it can when it is started anew"
                    );
                    break None;
                }
                Outcome::Failed(why) => {
                    tracing::error!(why, "there is no successor: this daemon goes on");
                    service_manager::not_reloaded(&why);
                }
            }
        };
        drop(listeners);
        // What it has begun goes on, and it begins nothing more.
        let _ = time::timeout(END_OF_LEAD, lead.end()).await;
        match &mut successor {
            Some(successor) => {
                ending.hand_over.cancel();
                couriers.hand_over(&self.delivery);
                service_manager::handed_over(successor.pid);
                drop(older);
                self.finish((successor, &mut stopped, &mut reload), answers).await;
            }
            None => {
                service_manager::stopping();
                self.drain(stopped.next(), &mut older).await;
                let _ = time::timeout(ANSWERS_TIME, answers).await;
            }
        }
        beating.cancel();
        self.resources.observed.monitor.close(ALERTS_TIME).await;
        if let Some(alerts) = &self.alerts {
            alerts.close(ALERTS_TIME).await;
        }
        couriers.stop().await;
        if self.alerts.is_some() {
            self.writer.leave_notifications(&self.delivery.owner);
        }
        Ok(successor)
    }

    /// What this process decides while it leads.
    fn lead(&self) -> Lead {
        let (resources, left_behind) = (Arc::clone(&self.resources), Arc::clone(&self.left_behind));
        let lead = Lead::default().duty(move |ends| {
            recover_again_and_again(Arc::clone(&resources), Arc::clone(&left_behind), ends)
        });
        if self.options.workflows.is_none() || !self.options.schedules {
            return lead;
        }
        let (resources, database) = (Arc::clone(&self.resources), self.database.clone());
        let pulse = Arc::clone(&self.pulse);
        lead.duty(move |ends| {
            run_schedules(Arc::clone(&resources), database.clone(), Arc::clone(&pulse), ends)
        })
    }

    /// What goes on beside the requests.
    fn start_tasks(&self, handed_over: &CancellationToken) {
        let mut requests = self.writer.cancel_requests(self.owner.id());
        let cancelling = Arc::clone(&self.supervisor);
        tokio::spawn(async move {
            while let Some(notice) = requests.recv().await {
                cancelling.cancel_own(&notice);
            }
        });
        tokio::spawn(settle_dead_holders(Arc::clone(&self.resources)));
        let delivering = self.writer.deliver();
        tokio::spawn(async move {
            let Err(error) = delivering.await;
            tracing::warn!(%error, "commits are told from the thread of the writer");
        });
        tokio::spawn(tell_of_store(Arc::clone(&self.writer)));
        self.server.start(&self.resources.draining);
        if self.options.workflows.is_some() {
            let tokens = (self.resources.draining.clone(), handed_over.clone());
            let (catalogue, writer) = (Arc::clone(&self.catalogue), Arc::clone(&self.writer));
            let channels = self.options.channels.names();
            tokio::spawn(rescan_again_and_again(catalogue, writer, channels, tokens));
        }
        if self.site.pages.is_some() {
            let (site, draining) = (Arc::clone(&self.site), self.resources.draining.clone());
            tokio::spawn(async move {
                let pages = site.pages.as_ref();
                while draining.run_until_cancelled(time::sleep(SAMPLE_EVERY)).await.is_some() {
                    pages.into_iter().for_each(Pages::sample);
                }
            });
        }
        tokio::spawn(service_manager::keep_watchdog_quiet(handed_over.clone()));
    }

    /// After the hand-over: lets what runs finish, without a limit; with one once a signal, or the
    /// successor, asks for the end.
    async fn finish(
        &self,
        (successor, stopped, reload): (&mut Successor, &mut Signals, &mut Option<Signal>),
        mut answers: JoinHandle<()>,
    ) {
        let running = self.supervisor.in_flight();
        tracing::info!(successor = successor.pid, running, "handed over to the successor");
        if successor.was_stopped {
            // That was meant for the service.
            successor.stop();
        } else {
            let is_finished = async {
                // Requests that came before may still start something.
                let _ = (&mut answers).await;
                self.supervisor.idle().await;
            };
            let mut is_finished = std::pin::pin!(is_finished);
            loop {
                tokio::select! {
                    biased;
                    () = stopped.next() => break,
                    // It came for this process, and is meant for the service.
                    () = one(reload) => successor.reload(),
                    () = successor.asks_to_stop(false) => break,
                    () = &mut is_finished => {
                        tracing::info!("all executions of this process have ended");
                        return;
                    }
                }
            }
        }
        let again = async {
            tokio::select! {
                () = stopped.next() => {}
                () = successor.asks_to_stop(true) => {}
            }
        };
        self.drain(again, &mut Older::default()).await;
        if !answers.is_finished() {
            let _ = time::timeout(ANSWERS_TIME, answers).await;
        }
    }

    /// Lets what runs finish, here and in `older` processes, for so long or until it is asked for
    /// `again`, then ends it.
    async fn drain(&self, again: impl Future<Output = ()>, older: &mut Older) {
        tracing::info!(running = self.supervisor.in_flight(), "stopping");
        self.resources.draining.cancel();
        // Whoever comes next goes on with them, in their place.
        self.supervisor.leave_queues();
        older.stop(false).await;
        let idle = async {
            self.supervisor.idle().await;
            older.ended().await;
        };
        let is_idle = tokio::select! {
            () = idle => true,
            () = time::sleep(self.options.drain_timeout) => false,
            () = again => false,
        };
        if !is_idle {
            tracing::warn!(running = self.supervisor.in_flight(), "ending what runs");
            older.stop(true).await;
        }
        self.supervisor.abandon();
        let ended = async {
            self.supervisor.idle().await;
            older.ended().await;
        };
        let _ = time::timeout(ABANDON_TIME, ended).await;
    }
}

/// SIGTERM, SIGINT and SIGHUP: each asks for the end.
struct Signals {
    terminate: Option<Signal>,
    interrupt: Option<Signal>,
    hangup: Option<Signal>,
}

impl Signals {
    fn new() -> std::io::Result<Self> {
        let ignored = session::ignored_signals();
        Ok(Self {
            terminate: session::unless_ignored(ignored, SignalKind::terminate())?,
            interrupt: session::unless_ignored(ignored, SignalKind::interrupt())?,
            hangup: session::unless_ignored(ignored, SignalKind::hangup())?,
        })
    }

    async fn next(&mut self) {
        tokio::select! {
            () = one(&mut self.terminate) => {}
            () = one(&mut self.interrupt) => {}
            () = one(&mut self.hangup) => {}
        }
    }
}

async fn one(signals: &mut Option<Signal>) {
    match signals {
        Some(signals) => _ = signals.recv().await,
        None => std::future::pending().await,
    }
}

/// Logs when the database begins to fail and when it works again.
async fn tell_of_store(writer: Arc<Writer>) {
    let mut health = writer.health();
    let mut told: Option<String> = None;
    loop {
        // One that hangs changes nothing.
        if let Ok(Err(_)) = time::timeout(LOOK_AT_STORE, health.changed()).await {
            return;
        }
        let failing = match &*health.borrow_and_update() {
            Health::Failing { error } => Some(error.to_string()),
            Health::Working if writer.is_stalled() => Some("it does not answer".to_owned()),
            Health::Working => None,
        };
        match &failing {
            Some(error) if told.as_ref() != Some(error) => {
                tracing::error!(error, "the database fails");
            }
            None if told.is_some() => tracing::info!("the database works again"),
            _ => {}
        }
        told = failing;
    }
}
