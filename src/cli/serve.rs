//! `wfx serve`: the daemon.

mod cataloguing;
mod daemon;
mod descriptors;
mod listening;
mod notifying;
mod recovery;
mod scheduling;
mod server_watch;
mod service_manager;
mod succession;

use std::collections::HashMap;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use tokio::signal::unix::SignalKind;

pub use self::succession::starter::ARGUMENT as START_SUCCESSOR;
pub(crate) use self::succession::starter::run as start_successor;
pub(crate) use self::succession::successor::HandedOver;
use super::channels::Channels;
use super::slo_args::{SERVICE_LEVELS, SloArgs};
use super::tokens::{self, SECRET_BYTES_MAX};
use super::{CliError, Context, StorageArgs, given, handover, session};
use crate::base::exit::Exit;
use crate::base::signature::ParseSecretError;
use crate::base::tokens::NamedToken;
use crate::http::front::access::Access;
use crate::http::front::authority::PublicUrl;
use crate::http::front::server::FrontOptions;
use crate::operations::start::Definitions;
use crate::repository::StoreErrorKind;
use crate::settings::{Environment, Settings};
use crate::slo::Policy;
use crate::slo::webhook::WebhookOptions;
use crate::system::files;
use crate::workflow::environment::SUCCESSOR;

/// What was typed after `wfx serve`.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Where to listen, ADDRESS:PORT or unix:PATH; repeat for more. Anything but a loopback address or
    /// a unix socket needs a token [WFX_LISTEN; default: 127.0.0.1:8080]
    #[arg(long, value_name = "WHERE")]
    pub listen: Vec<String>,
    /// The mode of the files of unix sockets, octal: who can write to one can do everything there,
    /// without a token [WFX_LISTEN_MODE; default: 0600]
    #[arg(long, value_name = "MODE")]
    pub listen_mode: Option<String>,
    /// The folder of the workflows that can be started by their id; watched [WFX_WORKFLOWS; default: none]
    #[arg(long, value_name = "DIR")]
    pub workflows: Option<String>,
    /// Starts nothing by the schedules of these workflows
    #[arg(long)]
    pub no_schedules: bool,
    /// The folder in which steps run [WFX_WORKDIR; default: the current one]
    #[arg(long, value_name = "DIR")]
    pub workdir: Option<String>,
    /// Who may define what is run: the files of --workflows only, or requests as well, which
    /// then can run any command [default: api where a token is set, else files]
    #[arg(long, value_name = "WHO", value_parser = ["files", "api"])]
    pub definitions: Option<String>,
    /// The file with the token that requests need, or with lines of `NAME TOKEN`, one for each who
    /// has access [WFX_TOKEN holds the token itself]
    #[arg(long, value_name = "FILE")]
    pub token_file: Option<PathBuf>,
    /// Lets /metrics be read without the token
    #[arg(long)]
    pub metrics_open: bool,
    /// Host names under which this server is reached, beside its own; repeat for more
    #[arg(long, value_name = "HOST", value_delimiter = ',', value_parser = host)]
    pub allowed_hosts: Vec<String>,
    /// The URL under which this server is reached, such as that of a proxy: requests for its host
    /// and from its pages are accepted [WFX_PUBLIC_URL; default: none]
    #[arg(long, value_name = "URL")]
    pub public_url: Option<String>,
    /// Serves no web page, only the API
    #[arg(long)]
    pub no_page: bool,
    /// The most connections
    #[arg(long, value_name = "COUNT", default_value_t = 1024, value_parser = at_least_one)]
    pub max_connections: usize,
    /// The most executions that run, or have ended and are not stored; beyond: 503
    #[arg(long, value_name = "COUNT", default_value_t = 10_000, value_parser = at_least_one)]
    pub max_in_flight: usize,
    /// How long running executions may take to end when the daemon is stopped
    /// [WFX_DRAIN_TIMEOUT; default: 30s]
    #[arg(long, value_name = "DURATION")]
    pub drain_timeout: Option<String>,
    /// How long the daemon that is started on SIGUSR2 may take to get ready; then this one goes on
    /// [WFX_HANDOVER_TIMEOUT; default: 30s]
    #[arg(long, value_name = "DURATION")]
    pub handover_timeout: Option<String>,
    /// How much is logged: error, warn, info, debug or trace [WFX_LOG; default: info]
    #[arg(long, value_name = "LEVEL")]
    pub log: Option<String>,
    /// Where each request is logged, a line of JSON as slo-sim reads it; `-`: standard output
    /// [WFX_ACCESS_LOG; default: nowhere]
    #[arg(long, value_name = "FILE")]
    pub access_log: Option<String>,
    #[command(flatten)]
    pub(super) service_levels: SloArgs,
    /// Where alerts are posted as JSON; `SLO_ALERT_WEBHOOK_SECRET` holds what signs them
    /// [SLO_ALERT_WEBHOOK_URL; default: nowhere]
    #[arg(long, value_name = "URL", help_heading = SERVICE_LEVELS)]
    pub slo_alert_webhook_url: Option<String>,
    /// The file with the secret that signs alerts
    /// [SLO_ALERT_WEBHOOK_SECRET holds the secret itself]
    #[arg(long, value_name = "FILE", help_heading = SERVICE_LEVELS)]
    pub slo_alert_webhook_secret_file: Option<PathBuf>,
    /// The channels of the configuration file that alerts go to, separated by commas, and the end of
    /// each breach [SLO_NOTIFY; default: none]
    #[arg(long, value_name = "CHANNELS", help_heading = SERVICE_LEVELS)]
    pub slo_notify: Option<String>,
    #[command(flatten)]
    pub(super) storage: StorageArgs,
}

impl Args {
    pub(super) fn values(&self) -> HashMap<&'static str, String> {
        let listen = (!self.listen.is_empty()).then(|| self.listen.join(","));
        let own = [
            ("WFX_LISTEN", &listen),
            ("WFX_LISTEN_MODE", &self.listen_mode),
            ("WFX_WORKFLOWS", &self.workflows),
            ("WFX_WORKDIR", &self.workdir),
            ("WFX_DRAIN_TIMEOUT", &self.drain_timeout),
            ("WFX_HANDOVER_TIMEOUT", &self.handover_timeout),
            ("WFX_ACCESS_LOG", &self.access_log),
            ("WFX_LOG", &self.log),
            ("WFX_PUBLIC_URL", &self.public_url),
            ("SLO_ALERT_WEBHOOK_URL", &self.slo_alert_webhook_url),
            ("SLO_NOTIFY", &self.slo_notify),
        ];
        let mut values = self.storage.values();
        values.extend(self.service_levels.values());
        values.extend(given(own));
        values
    }
}

fn at_least_one(text: &str) -> Result<usize, String> {
    match text.parse() {
        Ok(0) | Err(_) => Err("give a whole number of 1 or more".to_owned()),
        Ok(count) => Ok(count),
    }
}

fn host(text: &str) -> Result<String, String> {
    if Access::is_host(text) {
        return Ok(text.to_owned());
    }
    Err("give a name such as wfx.example.com, without scheme, path or `*`".to_owned())
}

/// What the daemon was told, checked.
#[derive(Debug)]
struct Options {
    listen: Vec<Place>,
    listen_mode: u32,
    front: FrontOptions,
    workflows: Option<PathBuf>,
    /// Whether their schedules are run.
    schedules: bool,
    workdir: String,
    access_log: Option<PathBuf>,
    definitions: Definitions,
    max_in_flight: usize,
    drain_timeout: std::time::Duration,
    handover_timeout: std::time::Duration,
    /// Whether the web page is served.
    has_page: bool,
    policy: Policy,
    /// Nobody said from how many requests on a signal is judged.
    is_min_samples_default: bool,
    webhook: Option<WebhookOptions>,
    /// Where notifications go.
    channels: Channels,
    /// The channels that alerts go to.
    slo_notify: Vec<String>,
}

/// Where the daemon listens.
#[derive(Debug)]
enum Place {
    /// The first of these addresses that can be had.
    Tcp(Vec<SocketAddr>),
    Unix(PathBuf),
}

/// Runs the daemon until a signal ends it.
///
/// # Errors
/// Exit 2 for bad settings, 3 when the address, the database or a folder fails.
pub(crate) fn run(
    args: &Args,
    context: &Context,
    mut handed_over: Option<HandedOver>,
) -> Result<Exit, CliError> {
    let reloads = EarlyReloads::catch();
    let ran = check(args, context).and_then(|options| {
        if !options.front.tokens.is_empty()
            || options.webhook.is_some()
            || !options.channels.is_empty()
        {
            handover::hide_memory();
        }
        daemon::run(options, context, &reloads?, &mut handed_over)
    });
    if let (Err(error), Some(handed_over)) = (&ran, &handed_over) {
        let needs_migration = error.kind == Some(StoreErrorKind::NeedsMigration);
        handed_over.report_failure(error.to_string(), needs_migration);
    }
    ran
}

/// Whether SIGUSR2 came before there was anything to hand over: a start may take long, and what it
/// has read may be old by then.
#[derive(Debug)]
struct EarlyReloads(Arc<AtomicBool>);

impl EarlyReloads {
    /// Catches the signal, which otherwise ends the process, unless the caller has set it to be
    /// ignored.
    fn catch() -> Result<Self, CliError> {
        let came = Arc::new(AtomicBool::new(false));
        let kind = SignalKind::user_defined2();
        if !session::is_ignored(session::ignored_signals(), kind) {
            signal_hook::flag::register(kind.as_raw_value(), Arc::clone(&came))
                .map_err(|error| environment("catch SIGUSR2", &error))?;
        }
        Ok(Self(came))
    }

    /// Whether it came since the last time that this was asked.
    fn take(&self) -> bool {
        self.0.swap(false, Ordering::Relaxed)
    }
}

/// Receives what a daemon hands over, if one has started this process for that; the environment
/// then has its secrets.
///
/// # Errors
/// Exit 2 when it does not come.
pub(crate) fn receive(
    environment: Environment,
) -> Result<(Environment, Option<HandedOver>), CliError> {
    if environment.get(SUCCESSOR).is_none() {
        return Ok((environment, None));
    }
    let mut handed_over = HandedOver::receive().map_err(|error| {
        let message = format!("cannot receive what the daemon before this one hands over: {error}");
        CliError::new(Exit::Usage, message)
            .with_hint(format!("unset {SUCCESSOR}, which only wfx itself sets"))
    })?;
    let environment = environment.with(std::mem::take(&mut handed_over.secrets));
    Ok((environment, Some(handed_over)))
}

fn environment(what: &str, error: &dyn std::error::Error) -> CliError {
    CliError::new(Exit::Environment, format!("cannot {what}: {error}"))
}

fn check(args: &Args, context: &Context) -> Result<Options, CliError> {
    let settings = &context.settings;
    let tokens = match &args.token_file {
        Some(file) => tokens::of_daemon(file)?,
        None => {
            settings.token()?.map(|token| NamedToken { name: None, token }).into_iter().collect()
        }
    };
    let has_token = !tokens.is_empty();
    let mut channels = Channels::open(context)?;
    tokens.iter().for_each(|named| channels.secrets.add(&named.token));
    let listen = settings.listen()?;
    let listen = listen.iter().map(|text| place(text, has_token));
    let listen = listen.collect::<Result<Vec<Place>, CliError>>()?;
    let definitions = match args.definitions.as_deref() {
        Some("api") => Definitions::Api,
        None if has_token => Definitions::Api,
        _ => Definitions::Files,
    };
    Ok(Options {
        listen,
        listen_mode: settings.listen_mode()?,
        front: FrontOptions {
            allowed_hosts: args.allowed_hosts.clone(),
            public_url: settings.public_url()?.as_deref().and_then(PublicUrl::parse),
            tokens,
            metrics_open: args.metrics_open,
            max_connections: args.max_connections,
        },
        workflows: settings.workflows()?,
        schedules: !args.no_schedules,
        workdir: workdir(&settings.workdir()?)?,
        access_log: settings.access_log()?,
        definitions,
        max_in_flight: args.max_in_flight,
        has_page: !args.no_page,
        drain_timeout: settings.drain_timeout()?,
        handover_timeout: settings.handover_timeout()?,
        webhook: webhook(args, settings)?,
        channels,
        slo_notify: settings.slo_notify()?,
        policy: settings.slo_policy()?,
        is_min_samples_default: !settings.is_slo_min_samples_set()?,
    })
}

fn webhook(args: &Args, settings: &Settings) -> Result<Option<WebhookOptions>, CliError> {
    let secret = match &args.slo_alert_webhook_secret_file {
        Some(file) => {
            let refuse = |why: &dyn std::fmt::Display| {
                let message = format!("cannot take a secret from {}: {why}", file.display());
                CliError::new(Exit::Usage, message)
            };
            let text = files::read_text(file, SECRET_BYTES_MAX).map_err(|error| refuse(&error))?;
            Some(text.trim().parse().map_err(|error: ParseSecretError| refuse(&error))?)
        }
        None => settings.webhook_secret()?,
    };
    let Some((url, shown_url)) = settings.webhook_url()? else { return Ok(None) };
    let cooldown = settings.slo_policy()?.cooldown;
    Ok(Some(WebhookOptions { url, shown_url, secret, cooldown }))
}

fn place(text: &str, has_token: bool) -> Result<Place, CliError> {
    if let Some(path) = text.strip_prefix("unix:") {
        return Ok(Place::Unix(PathBuf::from(path)));
    }
    let addresses = addresses(text)?;
    if !has_token && !addresses.iter().all(|address| address.ip().is_loopback()) {
        return Err(CliError::new(
            Exit::Usage,
            format!("{text} can be reached by others, and no token is set"),
        )
        .with_hint(
            "set one with --token-file or WFX_TOKEN, or listen on 127.0.0.1 or on a unix socket",
        ));
    }
    Ok(Place::Tcp(addresses))
}

fn addresses(listen: &str) -> Result<Vec<SocketAddr>, CliError> {
    use std::net::ToSocketAddrs;
    let found = listen.to_socket_addrs().map(Iterator::collect::<Vec<_>>);
    match found {
        Ok(addresses) if !addresses.is_empty() => Ok(addresses),
        Ok(_) => Err(CliError::new(Exit::Environment, format!("{listen} is no address"))),
        Err(error) => {
            Err(CliError::new(Exit::Environment, format!("cannot look up {listen}: {error}"))
                .with_hint("give an address and a port such as 127.0.0.1:8080"))
        }
    }
}

fn workdir(given: &Path) -> Result<String, CliError> {
    let refuse = |why: String| {
        CliError::new(Exit::Environment, format!("cannot run steps in {}: {why}", given.display()))
            .with_hint("name a folder with --workdir or WFX_WORKDIR")
    };
    let folder = given.canonicalize().map_err(|error| refuse(error.to_string()))?;
    if !folder.is_dir() {
        return Err(refuse("it is no folder".to_owned()));
    }
    folder.into_os_string().into_string().map_err(|_| refuse("its name is not UTF-8".to_owned()))
}
