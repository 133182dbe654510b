//! What was typed: one file per subcommand, each from arguments over an operation to
//! what is shown.

pub(crate) mod cancel;
pub(crate) mod complete;
pub(crate) mod completions;
pub(crate) mod config;
pub(crate) mod diff;
pub(crate) mod doctor;
pub(crate) mod exec;
pub(crate) mod import;
pub(crate) mod list;
pub(crate) mod man;
pub(crate) mod notify;
pub(crate) mod perf_check;
pub(crate) mod pin;
pub(crate) mod purge;
pub(crate) mod queue;
mod recover;
pub(crate) mod replay;
pub(crate) mod retry;
pub(crate) mod schedule;
pub(crate) mod schema;
pub(crate) mod serve;
pub(crate) mod show;
mod slo_args;
pub(crate) mod slo_sim;
pub(crate) mod start;
pub(crate) mod status;
pub(crate) mod validate;

mod channels;
mod follow;
mod foreground;
mod handover;
mod lazily;
mod logs;
mod lookup;
mod server_args;
mod session;
mod source;
mod tokens;
mod tree;
mod vocabulary;

use std::collections::HashMap;
use std::ffi::OsString;
use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use clap::{Args, CommandFactory, Parser, Subcommand};

use self::lazily::Lazily;
pub use self::serve::START_SUCCESSOR;
use crate::base::exit::Exit;
use crate::client::server::Server;
use crate::engine::work::detach;
use crate::repository::{StoreAddress, StoreError, StoreErrorKind};
use crate::settings::{Environment, Flags, SETTINGS, Settings, SettingsError};
use crate::system::users;
use crate::terminal::{OutputFormat, Ui};
use crate::workflow::check::Problems;

const EXAMPLES: &str = "\
Examples:
  wfx exec backup.yaml               run a workflow and watch it
  wfx exec deploy.yaml -p version=7  with a parameter
  wfx start nightly --wait           run a workflow of a daemon (WFX_SERVER)
  wfx status                         every workflow, and how it went last
  wfx list --status failed           what failed
  wfx show @latest                   steps, output and timeline of the last execution
  wfx replay @12                     run number 12 again: same definition, same parameters
  wfx retry @latest                  go on where the last execution failed
  wfx diff @12 nightly               what differs between that and the last run of a workflow

Exit codes:
  0  success                              1  the execution failed
  2  bad usage, document or setting       3  the environment failed (database, files)
  4  perf-check: inconclusive
  130, 143  cancelled by SIGINT, SIGTERM, after the state was stored

Settings come from flags, variables and a TOML file; `wfx config` shows them all.";

/// Runs workflows, keeps every execution in SQLite, replays any of them.
#[derive(Debug, Parser)]
#[command(name = "wfx", version = env!("WFX_VERSION"), after_help = EXAMPLES, max_term_width = 100)]
#[command(subcommand_required = true, arg_required_else_help = true)]
struct Cli {
    #[command(flatten)]
    global: Global,
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Args)]
struct Global {
    /// The database [WFX_DB; default: wfx/wfx.db in the XDG state folder]
    #[arg(long, global = true, value_name = "FILE")]
    db: Option<PathBuf>,
    /// A database of PostgreSQL instead, postgres://USER@HOST/DATABASE, or @FILE with that URL; the
    /// password comes from it or from the file of PGPASSFILE [WFX_STORE; default: none]
    #[arg(long, global = true, value_name = "URL")]
    store: Option<String>,
    /// The configuration file, TOML [WFX_CONFIG; default: wfx/config.toml in the XDG
    /// configuration folder, then /etc/wfx/config.toml]
    #[arg(long, global = true, value_name = "FILE")]
    config: Option<PathBuf>,
    /// As root, work as the user whom the database belongs to
    #[arg(long, global = true)]
    as_owner: bool,
    /// Use the database of this user as if it were one's own: what is stored in it runs as oneself
    /// [WFX_TRUST_OWNER; default: none]
    #[arg(long, global = true, value_name = "USER")]
    trust_owner: Option<String>,
    /// How results are written to standard output
    #[arg(long, global = true, value_enum, default_value_t, value_name = "FORMAT")]
    format: OutputFormat,
    /// Show times in UTC, on a terminal too; without it they are local there
    #[arg(long, global = true)]
    utc: bool,
}

/// Flags of the commands that run executions.
#[derive(Debug, Clone, Default, Args)]
pub(crate) struct StorageArgs {
    /// How many finished executions are kept; 0 or less: all
    /// [WORKFLOW_EXECUTION_RETENTION; default: 1000]
    #[arg(long, value_name = "COUNT", allow_negative_numbers = true)]
    pub retention: Option<String>,
    /// `normal` may lose the last commits when the power fails, and is faster
    /// [WFX_DURABILITY; default: full]
    #[arg(long, value_name = "LEVEL", value_parser = ["full", "normal"])]
    pub durability: Option<String>,
    /// How much of the output of each attempt is kept, unless the workflow says it: bytes, or with
    /// KiB, MiB, GiB; 0: the last 64 KiB only [WFX_OUTPUT_LIMIT; default: 64MiB]
    #[arg(long, value_name = "SIZE")]
    pub output_limit: Option<String>,
    /// How much of the output of all executions is kept; the oldest goes first
    /// [WFX_OUTPUT_TOTAL; default: 4GiB]
    #[arg(long, value_name = "SIZE")]
    pub output_total: Option<String>,
    /// How long output is kept [WFX_OUTPUT_RETENTION; default: 30d]
    #[arg(long, value_name = "DURATION")]
    pub output_retention: Option<String>,
    /// How many steps run at a time, over all executions of this process; others wait for their
    /// turn [WFX_MAX_STEPS; default: from the limits on open files and processes, at most 1024]
    #[arg(long, value_name = "COUNT")]
    pub max_steps: Option<String>,
}

/// Flags of the commands that run executions and end with them.
#[derive(Debug, Clone, Default, Args)]
pub(crate) struct ForegroundArgs {
    #[command(flatten)]
    storage: StorageArgs,
    /// How long to wait for a database that fails [WFX_STORE_TIMEOUT; default: 60s]
    #[arg(long, value_name = "DURATION")]
    pub store_timeout: Option<String>,
}

impl ForegroundArgs {
    fn values(&self) -> HashMap<&'static str, String> {
        let mut values = self.storage.values();
        values.extend(given([("WFX_STORE_TIMEOUT", &self.store_timeout)]));
        values
    }

    /// Refuses these flags for what a daemon runs.
    ///
    /// # Errors
    /// Exit 2 when one of them was given.
    fn refuse_for(&self, server: &Server) -> Result<(), CliError> {
        if self.values().is_empty() {
            return Ok(());
        }
        let message = "--retention, --durability, --max-steps, --store-timeout and --output-… are for \
                       what this command runs itself";
        Err(CliError::new(Exit::Usage, message).with_hint(format!(
            "leave them out: {} runs it, as `wfx serve` was started",
            server.address()
        )))
    }
}

impl StorageArgs {
    fn values(&self) -> HashMap<&'static str, String> {
        given([
            ("WORKFLOW_EXECUTION_RETENTION", &self.retention),
            ("WFX_DURABILITY", &self.durability),
            ("WFX_MAX_STEPS", &self.max_steps),
            ("WFX_OUTPUT_LIMIT", &self.output_limit),
            ("WFX_OUTPUT_TOTAL", &self.output_total),
            ("WFX_OUTPUT_RETENTION", &self.output_retention),
        ])
        .collect()
    }
}

/// The settings of which a flag was given, with its value.
fn given<const N: usize>(
    flags: [(&'static str, &Option<String>); N],
) -> impl Iterator<Item = (&'static str, String)> {
    flags.into_iter().filter_map(|(name, value)| Some((name, value.clone()?)))
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Run a workflow in the foreground
    Exec(Lazily<exec::Args>),
    /// Run a stored execution again, with its stored definition and parameters
    Replay(Lazily<replay::Args>),
    /// Run again what failed of a stored execution, and reuse the rest: `replay --failed`
    Retry(Lazily<retry::Args>),
    /// Start a workflow of a daemon's folder, and wait for its end if that is wanted
    Start(Lazily<start::Args>),
    /// Serve the HTTP API
    Serve(Lazily<serve::Args>),
    /// Go on with executions whose process died
    Recover(Lazily<recover::Args>),
    /// End an execution that runs, in whichever process
    Cancel(Lazily<cancel::Args>),
    /// Show every workflow: its last execution, its last success, how long it usually takes
    Status(Lazily<status::Args>),
    /// Show who waits for a slot of a concurrency group, for whom and since when
    Queue(Lazily<queue::Args>),
    /// List executions, newest first
    List(Lazily<list::Args>),
    /// Show an execution: steps, timeline, output, lineage
    Show(Lazily<show::Args>),
    /// Show everything that the steps of an execution printed, or follow what they print
    Logs(Lazily<logs::Args>),
    /// Compare two executions: definition, parameters, steps
    Diff(Lazily<diff::Args>),
    /// Delete finished executions
    Purge(Lazily<purge::Args>),
    /// Keep an execution: retention never deletes one that is pinned
    Pin(Lazily<pin::PinArgs>),
    /// Let retention delete an execution again
    Unpin(Lazily<pin::UnpinArgs>),
    /// Show when workflows are due, and rehearse their schedules over any span of time
    Schedule(Lazily<schedule::Args>),
    /// Try the channels of notifications, and show what was sent
    Notify(Lazily<notify::Args>),
    /// Make workflows of what other programs run: crontabs
    Import(Lazily<import::Args>),
    /// Check workflow documents without running them
    Validate(Lazily<validate::Args>),
    /// Check that nothing got slower: latencies against a baseline, for CI
    PerfCheck(Lazily<perf_check::Args>),
    /// Rehearse alert rules: which alerts a request log, or synthetic traffic, would have sent
    SloSim(Lazily<slo_sim::Args>),
    /// Print the JSON Schema of workflow documents
    Schema(Lazily<schema::Args>),
    /// Show every setting, its value and where it comes from
    Config(Lazily<config::Args>),
    /// Look for what is wrong with the database, its surroundings and what was left
    Doctor(Lazily<doctor::Args>),
    /// Print a completion script for a shell
    Completions(Lazily<completions::Args>),
    /// Print the manual page, or write all of them
    Man(Lazily<man::Args>),
}

/// What every command is given.
#[derive(Debug)]
pub(crate) struct Context {
    /// Where it shows things.
    pub ui: Ui,
    /// What was set.
    pub settings: Settings,
}

/// Why a command ended early.
#[derive(Debug, thiserror::Error)]
#[error("{message}")]
pub(crate) struct CliError {
    exit: Exit,
    message: String,
    hint: Option<String>,
    /// What the database has refused.
    kind: Option<StoreErrorKind>,
}

impl CliError {
    /// An error with the exit code that scripts see.
    pub(crate) fn new(exit: Exit, message: impl Into<String>) -> Self {
        Self { exit, message: message.into(), hint: None, kind: None }
    }

    /// Whether all that is wrong is that nothing was ever stored.
    fn is_missing(&self) -> bool {
        self.kind == Some(StoreErrorKind::Missing)
    }

    /// The same with another exit code.
    fn with_exit(self, exit: Exit) -> Self {
        Self { exit, ..self }
    }

    /// Adds what can be done.
    #[must_use]
    pub(crate) fn with_hint(self, hint: impl Into<String>) -> Self {
        Self { hint: Some(hint.into()), ..self }
    }
}

impl From<StoreError> for CliError {
    fn from(error: StoreError) -> Self {
        let exit = match error.kind() {
            StoreErrorKind::Ambiguous => Exit::Usage,
            _ => Exit::Environment,
        };
        Self {
            exit,
            message: error.to_string(),
            hint: error.hint().map(str::to_owned),
            kind: Some(error.kind()),
        }
    }
}

impl From<SettingsError> for CliError {
    fn from(error: SettingsError) -> Self {
        Self {
            exit: error.exit(),
            message: error.to_string(),
            hint: error.hint().map(str::to_owned),
            kind: None,
        }
    }
}

impl From<Problems> for CliError {
    fn from(problems: Problems) -> Self {
        Self::new(Exit::Usage, problems.to_string())
    }
}

impl From<io::Error> for CliError {
    /// An error of writing: nobody reads on is no failure, and there is nobody to tell.
    fn from(error: io::Error) -> Self {
        if error.kind() == io::ErrorKind::BrokenPipe {
            return Self::new(Exit::Success, String::new());
        }
        Self::new(Exit::Environment, format!("cannot write the result: {error}"))
    }
}

/// Starts a step in place of this process, for [`detach`]; gives the exit code if that fails.
pub fn start_step(arguments: impl Iterator<Item = OsString>) -> u8 {
    let why = detach::start(arguments);
    Ui::new(OutputFormat::Plain, true).error(&why, None);
    126
}

/// Starts a daemon to which another one hands over; gives its exit code.
pub fn start_successor(arguments: impl Iterator<Item = OsString>) -> u8 {
    serve::start_successor(arguments)
}

/// Runs what `arguments` say and tells how it ended.
pub fn run(arguments: impl IntoIterator<Item = OsString>, environment: Environment) -> Exit {
    let arguments: Vec<OsString> = arguments.into_iter().collect();
    if let Some(what) = complete::wanted(&arguments) {
        return complete::run(what, environment);
    }
    let cli = match Cli::try_parse_from(&arguments) {
        Ok(cli) => cli,
        Err(error) if error.use_stderr() => {
            let error = vocabulary::explain(error);
            Ui::new(OutputFormat::default(), true).usage_error(&error, &arguments);
            return Exit::Usage;
        }
        Err(help) => {
            // It is printed to a reader that may be gone.
            let _ = help.print();
            return Exit::Success;
        }
    };
    session::unblock_signals();
    if cli.global.as_owner {
        let Global { db, config, .. } = cli.global;
        let flags = Flags { db, config, values: HashMap::new() };
        let ui = Ui::new(cli.global.format, cli.global.utc);
        let error = as_owner(&Context { ui, settings: Settings::new(environment, flags) });
        Ui::new(cli.global.format, cli.global.utc).error(&error.message, error.hint.as_deref());
        return error.exit;
    }
    let received = match &cli.command {
        Command::Serve(_) => serve::receive(environment),
        _ => Ok((environment, None)),
    };
    let (environment, handed_over) = match received {
        Ok(received) => received,
        Err(error) => {
            Ui::new(cli.global.format, cli.global.utc).error(&error.message, error.hint.as_deref());
            return error.exit;
        }
    };
    let mut values = match &cli.command {
        Command::Exec(args) => args.foreground.values(),
        Command::Replay(args) => args.options.values(),
        Command::Retry(args) => args.options.values(),
        Command::Recover(args) => args.foreground.values(),
        Command::Serve(args) => args.values(),
        Command::Cancel(args) => args.values(),
        Command::Start(args) => args.values(),
        Command::List(args) => args.server.values(),
        Command::Show(args) => args.server.values(),
        Command::Logs(args) => args.server.values(),
        Command::Diff(args) => args.server.values(),
        Command::PerfCheck(args) => args.values(),
        Command::SloSim(args) => args.values(),
        Command::Status(args) => args.values(),
        Command::Schedule(args) => args.values(),
        Command::Notify(args) => args.values(),
        Command::Queue(args) => args.values(),
        Command::Pin(args) => args.server.values(),
        Command::Unpin(args) => args.server.values(),
        _ => HashMap::new(),
    };
    values.extend(given([("WFX_TRUST_OWNER", &cli.global.trust_owner)]));
    values.extend(given([("WFX_STORE", &cli.global.store)]));
    let flags = Flags { db: cli.global.db, config: cli.global.config, values };
    let prepared = match &cli.command {
        // A daemon runs the steps, and this process needs the token.
        Command::Replay(_) | Command::Retry(_) | Command::Cancel(_)
            if is_served(&environment, &flags) =>
        {
            handover::Prepared { environment, failure: None }
        }
        Command::Exec(_)
        | Command::Replay(_)
        | Command::Retry(_)
        | Command::Recover(_)
        | Command::Serve(_)
        | Command::Cancel(_) => handover::prepare(environment, &arguments),
        _ => handover::Prepared { environment, failure: None },
    };
    let handover::Prepared { environment, failure } = prepared;
    let context = Context {
        ui: Ui::new(cli.global.format, cli.global.utc),
        settings: Settings::new(environment, flags),
    };
    if let Some(error) = failure {
        context.ui.warning(&format!(
            "wfx could not start anew without its secrets, so steps can read them: {error}"
        ));
    }
    // A file that may not grow further (ulimit -f) is to be an error of writing. Steps
    // get the signal's default back.
    let survived = Arc::new(AtomicBool::new(false));
    if let Err(error) = signal_hook::flag::register(signal_hook::consts::SIGXFSZ, survived) {
        context.ui.warning(&format!("cannot catch SIGXFSZ: {error}"));
    }
    match dispatch(&cli.command, &context, handed_over) {
        Ok(exit) => exit,
        Err(error) => {
            if !error.message.is_empty() {
                context.ui.error(&error.message, error.hint.as_deref());
            }
            error.exit
        }
    }
}

/// Whether a command works with a daemon. What is wrong with the settings, it reports itself.
fn is_served(environment: &Environment, flags: &Flags) -> bool {
    let settings = Settings::new(environment.clone(), flags.clone());
    settings.server().is_ok_and(|server| server.is_some())
}

/// Begins anew as the owner of the database; comes back only where that cannot be.
fn as_owner(context: &Context) -> CliError {
    if users::own() != 0 {
        return CliError::new(Exit::Usage, "only root can work as the owner of the database")
            .with_hint("leave out --as-owner, or begin with `sudo`");
    }
    let database = match context.settings.database() {
        Ok(StoreAddress::File(database)) => database,
        Ok(StoreAddress::Postgres(_)) => {
            let message =
                "--as-owner works as the owner of a file, and the database is on a server";
            return CliError::new(Exit::Usage, message).with_hint("leave out --as-owner");
        }
        Err(error) => return error.into(),
    };
    // The owner's own settings would lead to another one.
    let variables = [("WFX_DB", std::path::absolute(&database).unwrap_or(database.clone()))];
    let is_setting = |name: &str| SETTINGS.iter().any(|setting| setting.name == name);
    let is_of_terminal = |name: &str| {
        ["TERM", "COLORTERM", "COLUMNS", "NO_COLOR", "CLICOLOR_FORCE", "LANG", "TZ"].contains(&name)
            || name.starts_with("LC_")
    };
    let keeps = |name: &str| is_setting(name) || is_of_terminal(name);
    let error = users::begin_anew_as_owner_of(&database, "--as-owner", keeps, variables);
    CliError::new(
        Exit::Environment,
        format!("cannot work as the owner of {}: {error}", database.display()),
    )
}

fn dispatch(
    command: &Command,
    context: &Context,
    handed_over: Option<serve::HandedOver>,
) -> Result<Exit, CliError> {
    match command {
        Command::Exec(args) => exec::run(args, context),
        Command::Replay(args) => replay::run(args, context),
        Command::Retry(args) => retry::run(args, context),
        Command::Start(args) => start::run(args, context),
        Command::Recover(args) => recover::run(args, context),
        Command::Serve(args) => serve::run(args, context, handed_over),
        Command::Cancel(args) => cancel::run(args, context),
        Command::Status(args) => status::run(args, context),
        Command::Queue(args) => queue::run(args, context),
        Command::List(args) => list::run(args, context),
        Command::Show(args) => show::run(args, context),
        Command::Logs(args) => logs::run(args, context),
        Command::Diff(args) => diff::run(args, context),
        Command::Purge(args) => purge::run(args, context),
        Command::Pin(args) => pin::pin(args, context),
        Command::Unpin(args) => pin::unpin(args, context),
        Command::Schedule(args) => schedule::run(args, context),
        Command::Notify(args) => notify::run(args, context),
        Command::Import(args) => import::run(args, context),
        Command::Validate(args) => validate::run(args, context),
        Command::PerfCheck(args) => perf_check::run(args, context),
        Command::SloSim(args) => slo_sim::run(args, context),
        Command::Schema(args) => schema::run(args, context),
        Command::Config(args) => config::run(args, context),
        Command::Doctor(args) => doctor::run(args, context),
        Command::Completions(args) => completions::run(args, context),
        Command::Man(args) => man::run(args, context),
    }
}

/// The whole command line, for completions and manual pages.
fn description() -> clap::Command {
    Cli::command()
}

#[cfg(test)]
mod tests {
    #[test]
    fn the_command_line_is_consistent() {
        super::description().debug_assert();
    }
}
