//! `wfx slo-sim`: which alerts traffic would have set off.

use std::collections::HashMap;
use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde_json::{Map, Value};

use super::slo_args::SloArgs;
use super::{CliError, Context, tree};
use crate::base::exit::Exit;
use crate::base::units;
use crate::slo::Policy;
use crate::slo::report::Report;
use crate::slo::scenario::{CATALOGUE, IN_FLIGHT_MAX, Named, Scenario};
use crate::slo::simulation::Simulation;
use crate::slo::trace::{
    self, Ahead, LogFormat, LogFormatError, Options, Source, Tally, TraceError,
};
use crate::terminal::slo_sim::progress::Stage;
use crate::workflow::check::Format;

/// How many requests are judged between two looks at the progress.
const STEP: u64 = 1 << 16;
const SEED_DEFAULT: u64 = 1;

const EXAMPLES: &str = "\
Examples:
  wfx slo-sim --trace access.ndjson --slo-error-rate-threshold 0.02
  wfx slo-sim --trace /var/log/nginx/access.log* --log-format '$remote_addr - $remote_user
      [$time_local] \"$request\" $status $body_bytes_sent $request_time'
  wfx slo-sim --scenario slow-database --slo-alert-cooldown-seconds 10m
  wfx slo-sim --list

Exit codes:
  0  judged, whatever came of it     1  a breach, under --fail-on-breach
  2  bad usage, file or setting,     3  no room for what is sorted
     or too many unreadable lines";

/// What was typed after `wfx slo-sim`.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
#[command(group = clap::ArgGroup::new("traffic").required(true))]
pub(crate) struct Args {
    /// Request logs, `-` for standard input, put in the order of their times: NDJSON as `serve
    /// --access-log` writes it, CSV with the same names, access logs of nginx and Apache, logs
    /// with a line `#Fields:` (IIS, CloudFront); gzip too
    #[arg(long, value_name = "FILE", num_args = 1.., group = "traffic", help_heading = "Traffic")]
    pub trace: Vec<PathBuf>,
    /// Made up traffic: a file, or a name that --list shows
    #[arg(long, value_name = "FILE|NAME", group = "traffic", help_heading = "Traffic")]
    pub scenario: Option<String>,
    /// Lists the scenarios that have a name
    #[arg(long, group = "traffic", help_heading = "Traffic")]
    pub list: bool,
    /// What an access log is made of, as nginx (`log_format`) or Apache (`LogFormat`) has it, or
    /// `combined`, `common`, `main`, `vhost_combined`, `combinedio`, `haproxy` or `squid`; a duration in
    /// another unit is `${request_time:ms}` or `%{ms}D`
    #[arg(long, value_name = "FORMAT", value_parser = log_format, help_heading = "Traffic")]
    #[arg(conflicts_with_all = ["scenario", "list"])]
    pub log_format: Option<LogFormat>,
    /// Takes requests in the order of the files instead of that of their times
    #[arg(long, conflicts_with_all = ["scenario", "list"], help_heading = "Traffic")]
    pub as_given: bool,
    /// Stops at the first line that cannot be read
    #[arg(long, conflicts_with_all = ["scenario", "list"], help_heading = "Traffic")]
    pub strict: bool,
    /// The share of lines that may be unreadable, such as 5% or 0.05; with more of them nothing
    /// is judged
    #[arg(long, value_name = "SHARE", default_value = "5%", value_parser = share_of_lines)]
    #[arg(conflicts_with_all = ["scenario", "list"], help_heading = "Traffic")]
    pub max_unreadable: f64,
    /// Another seed gives other traffic of the same kind [default: that of the scenario, or 1]
    #[arg(long, value_name = "NUMBER", help_heading = "Traffic")]
    #[arg(conflicts_with_all = ["trace", "list"])]
    pub seed: Option<u64>,
    /// Exits with 1 when there is a breach
    #[arg(long)]
    pub fail_on_breach: bool,
    #[command(flatten)]
    pub(super) service_levels: SloArgs,
}

impl Args {
    pub(super) fn values(&self) -> HashMap<&'static str, String> {
        self.service_levels.values()
    }
}

/// A share as `5%` or `0.05`.
fn share_of_lines(text: &str) -> Result<f64, String> {
    let share = match text.strip_suffix('%') {
        Some(percent) => percent.trim_end().parse().map(|percent: f64| percent / 100.0),
        None => text.parse(),
    };
    share
        .ok()
        .filter(|share| (0.0..=1.0).contains(share))
        .ok_or_else(|| "give a share from 0% to 100%, such as 5% or 0.05".to_owned())
}

/// What a format is, or what is wrong with it and what can be done.
fn log_format(text: &str) -> Result<LogFormat, String> {
    text.parse().map_err(|error: LogFormatError| format!("{error}: {}", error.hint()))
}

/// Judges the traffic and shows what came of it.
///
/// # Errors
/// Exit 2 for what cannot be read, 3 when there is no room to sort it.
pub(crate) fn run(args: &Args, context: &Context) -> Result<Exit, CliError> {
    if args.list {
        return list(context);
    }
    let policy = context.settings.slo_policy()?;
    let report = match &args.scenario {
        Some(scenario) => made_up(&read(scenario)?, args.seed, policy, context)?,
        None => recorded(args, policy, context)?,
    };
    context.ui.slo_sim(&report)?;
    let failed = args.fail_on_breach && report.breaches() > 0;
    Ok(if failed { Exit::Failed } else { Exit::Success })
}

fn list(context: &Context) -> Result<Exit, CliError> {
    let rows = CATALOGUE.iter().map(|named| {
        let scenario = of_catalogue(named)?;
        Ok(vec![
            scenario.name().to_owned(),
            units::duration(scenario.duration()),
            scenario.expected_events().to_string(),
            scenario.description().to_owned(),
        ])
    });
    let rows: Vec<_> = rows.collect::<Result<_, CliError>>()?;
    context.ui.table(&["name", "lasts", "requests", "what happens"], &rows)?;
    Ok(Exit::Success)
}

fn of_catalogue(named: &Named) -> Result<Scenario, CliError> {
    let refuse = |why: String| refuse(named.name, &why);
    let tree = tree::of_text(named.text, Format::Yaml, named.name).map_err(refuse)?;
    Scenario::read(&tree, named.name).map_err(|error| refuse(error.to_string()))
}

/// The scenario of a file, or of a name.
fn read(argument: &str) -> Result<Scenario, CliError> {
    let path = Path::new(argument);
    if let Some(named) = CATALOGUE.iter().find(|named| named.name == argument)
        && !path.is_file()
    {
        return of_catalogue(named);
    }
    let stem = path.file_stem().unwrap_or_default().to_string_lossy();
    let refuse = |why: String| refuse(argument, &why);
    let tree = tree::read(path).map_err(refuse)?;
    Scenario::read(&tree, &stem).map_err(|error| refuse(error.to_string()))
}

fn refuse(argument: &str, why: &str) -> CliError {
    CliError::new(Exit::Usage, format!("cannot use the scenario {argument}: {why}")).with_hint(
        "`wfx slo-sim --list` shows those that have a name, `wfx schema traffic` describes a file",
    )
}

fn made_up(
    scenario: &Scenario,
    seed: Option<u64>,
    policy: Policy,
    context: &Context,
) -> Result<Report, CliError> {
    let seed = seed.or(scenario.seed()).unwrap_or(SEED_DEFAULT);
    let mut progress = context.ui.rehearsing(Stage::Judging, Some(scenario.expected_events()));
    let mut simulation = Simulation::new(policy);
    let mut traffic = scenario.generate(seed);
    for generated in traffic.by_ref() {
        simulation.record(generated.event, generated.path);
        if simulation.requests() % STEP == 0 {
            progress.reach(simulation.requests());
        }
    }
    drop(progress);
    if traffic.is_overfull() {
        let name = scenario.name();
        let message =
            format!("{IN_FLIGHT_MAX} requests of the scenario {name} are in flight at once");
        return Err(CliError::new(Exit::Usage, message).with_hint(
            "that is rate times latency: lower one of them, or their factors in incidents",
        ));
    }
    let source = format!("scenario {}", scenario.name());
    let mut report = Report::new(source, simulation.finish(), |path: &str| Some(path.to_owned()));
    report.facts.insert("seed".to_owned(), seed.into());
    Ok(report)
}

fn recorded(args: &Args, policy: Policy, context: &Context) -> Result<Report, CliError> {
    let (sources, size) = open(&args.trace)?;
    let names: Vec<String> = sources.iter().map(|source| source.name.clone()).collect();
    let options = Options {
        log_format: args.log_format.clone(),
        as_given: args.as_given,
        strict: args.strict,
    };
    let mut progress = context.ui.rehearsing(Stage::Reading, size);
    let mut trace = trace::read(sources, &options, &mut |read| progress.reach(read))?;
    drop(progress);
    tell(&trace.tally, context);
    check_readable(&trace.tally, args.max_unreadable)?;

    let mut progress = context.ui.rehearsing(Stage::Judging, Some(trace.len()));
    let mut simulation = Simulation::new(policy);
    trace.replay(&mut |event, place| {
        simulation.record(event, place);
        if simulation.requests() % STEP == 0 {
            progress.reach(simulation.requests());
        }
    })?;
    drop(progress);
    // A path that cannot be read back is not shown; what was decided stands.
    let found = simulation.finish();
    let mut report =
        Report::new(names.join(", "), found, |place| trace.path(place).unwrap_or_default());
    report.is_epoch = trace.tally.is_epoch;
    report.facts = facts(&trace.tally);
    Ok(report)
}

/// Fewer lines without a duration may be an accident of any log.
const CUT_OFF_MIN: u64 = 10;

/// Refuses to judge what is left of a log of which too much cannot be read: that may be exactly
/// what failed.
fn check_readable(tally: &Tally, share_max: f64) -> Result<(), CliError> {
    let share = |part: u64| part as f64 / tally.lines.max(1) as f64;
    let most =
        |message: String, hint: String| Err(CliError::new(Exit::Usage, message).with_hint(&hint));
    if share(tally.unparsed) > share_max {
        let first = tally.examples.first().map(|first| format!("; the first: {first}"));
        let kind = match &tally.foreign {
            Some((what, remedy)) => format!("that line is {what} ({remedy}); "),
            None => "is --log-format that of the server? ".to_owned(),
        };
        return most(
            format!(
                "{} of {} could not be read, more than --max-unreadable allows{}",
                tally.unparsed,
                units::count(tally.lines, "line"),
                first.unwrap_or_default()
            ),
            format!("{kind}--max-unreadable 100% judges the rest"),
        );
    }
    if tally.cut_off >= CUT_OFF_MIN && share(tally.cut_off) > share_max.max(0.5) {
        return most(
            format!(
                "{} of {} end before the duration that --log-format names",
                tally.cut_off,
                units::count(tally.lines, "line")
            ),
            "is --log-format that of the server? --max-unreadable 100% judges them, with their \
             latencies unknown"
                .to_owned(),
        );
    }
    Ok(())
}

/// Looks whether the files can be read; with their size together, if all have one.
fn open(paths: &[PathBuf]) -> Result<(Vec<Source>, Option<u64>), CliError> {
    let mut sources: Vec<Source> = Vec::new();
    let mut size = Some(0);
    for path in paths {
        let name = path.display().to_string();
        if path.as_os_str() == "-" {
            if sources.iter().any(|source| source.name == "-") {
                return Err(CliError::new(Exit::Usage, "standard input can be read only once"));
            }
            size = None;
            sources.push(Source { name, reader: Box::new(io::stdin()) });
            continue;
        }
        let refuse =
            |error: io::Error| CliError::new(Exit::Usage, format!("cannot read {name}: {error}"));
        let file = File::open(path).map_err(refuse)?;
        let metadata = file.metadata().map_err(refuse)?;
        size = size.filter(|_| metadata.is_file()).map(|size| size + metadata.len());
        // What is no file may not come a second time.
        let reader: Box<dyn Read + Send> = if metadata.is_file() {
            Box::new(Later { path: path.clone(), file: None })
        } else {
            Box::new(file)
        };
        sources.push(Source { name, reader });
    }
    Ok((sources, size))
}

/// A file that is opened when it is read: there may be more of them than a process may hold
/// open at once.
struct Later {
    path: PathBuf,
    file: Option<File>,
}

impl Read for Later {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let file = match self.file.take() {
            Some(file) => file,
            None => File::open(&self.path)?,
        };
        self.file.insert(file).read(buffer)
    }
}

/// How the logs were read, for the summary.
fn facts(tally: &Tally) -> Map<String, Value> {
    let fields = [
        ("lines", tally.lines),
        ("unparsed", tally.unparsed),
        ("left_out", tally.left_out),
        ("out_of_order", tally.out_of_order),
        ("without_latency", tally.without_latency),
        ("without_status", tally.without_status),
    ];
    fields.into_iter().map(|(name, count)| (name.to_owned(), count.into())).collect()
}

/// Tells what was not judged.
fn tell(tally: &Tally, context: &Context) {
    let ui = &context.ui;
    if tally.unparsed > 0 {
        let lines = units::count(tally.unparsed, "line");
        ui.warning(&format!("{lines} of {} could not be read", tally.lines));
        for example in &tally.examples {
            ui.note(&format!("  {example}"));
        }
    }
    for (source, lines) in &tally.ended_early {
        let lines = units::count(*lines, "line");
        ui.warning(&format!("{source} ends early: the {lines} before count (`gzip -t` checks it)"));
    }
    if let Some(ahead) = &tally.ahead {
        let Ahead { source, line, by_us, events } = ahead;
        let by = units::duration(Duration::from_micros(*by_us));
        ui.warning(&format!(
            "{source}:{line} is {by} ahead: {} after it {} judged at its time; correct the line, \
             or leave out --as-given",
            units::count(*events, "request"),
            if *events == 1 { "was" } else { "were" },
        ));
    }
    if tally.without_zone > 0 {
        ui.warning("the times have no zone: they are taken for UTC");
    }
    if tally.whole_durations > 0 {
        ui.warning(&format!(
            "{} without decimals, which nginx writes: if they are milliseconds, say \
             ${{request_time:ms}} in --log-format",
            match tally.whole_durations {
                1 => "1 duration is".to_owned(),
                many => format!("{many} durations are"),
            }
        ));
    }
    if tally.without_status > 0 {
        let requests = units::count(tally.without_status, "request");
        ui.warning(&format!("{requests} without a status: no answer was sent, no error counts"));
    }
    if tally.without_latency > 0 {
        let which = match tally.without_latency {
            all if all == tally.events => "the log has no durations: requests count".to_owned(),
            1 => "1 request has no duration, and counts".to_owned(),
            some => format!("{some} requests have no duration, and count"),
        };
        let share = 100.0 * tally.without_latency as f64 / tally.events.max(1) as f64;
        ui.warning(&format!("{which} in the rates only ({share:.1} % of unknown latency)"));
    }
}

impl From<TraceError> for CliError {
    fn from(error: TraceError) -> Self {
        let exit = if error.is_environment() { Exit::Environment } else { Exit::Usage };
        Self::new(exit, error.to_string()).with_hint(error.hint())
    }
}
