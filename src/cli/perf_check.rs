//! `wfx perf-check`: the performance gate.

mod files;
mod measure;
mod reference;
mod steps;

use std::collections::{BTreeMap, HashMap};
use std::ffi::OsStr;
use std::path::{Path, PathBuf};

use self::files::Reports;
use self::measure::plan as load_plan;
use self::steps::StepsPlan;
use super::{CliError, Context};
use crate::base::clock;
use crate::base::exit::Exit;
use crate::base::visible::visible;
use crate::perf::baseline::{Baseline, Changes, Circumstances};
use crate::perf::filter::Filter;
use crate::perf::judgement::{Judgement, Policy, Run, Verdict};
use crate::perf::load::scenario::Endpoint;
use crate::perf::load::{self, LoadError, Obstacle};
use crate::perf::report::Report;
use crate::perf::sources::{self, SourceError};
use crate::perf::steps as perf_steps;
use crate::perf::store::{self, StoreError};
use crate::perf::tolerance::Tolerance;
use crate::perf::verdict::{self, Incomparable, NOTHING_JUDGED};
use crate::perf::{circumstances, machine};

const STATS: &str = "perf/locust_stats.csv";
/// Fewer samples of an own measurement say nothing.
const SAMPLES_MIN: u64 = 100;

const EXAMPLES: &str = "\
Examples:
  wfx perf-check --target http://127.0.0.1:8080 --endpoint 'GET /x' --update-baseline
  wfx perf-check --target http://127.0.0.1:8080 --scenario perf/api.yaml --junit
  wfx perf-check --stats locust_stats.csv --track-endpoints /api/

Exit codes:
  0  pass                            1  a regression, or too many errors
  2  bad usage, file or setting      3  the target cannot be reached, a file not be written
  4  inconclusive: never a pass";

/// What was typed after `wfx perf-check`.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Args {
    /// What a load tool measured: Locust's `…_stats.csv`, oha's JSON, k6's summary
    /// [default: perf/locust_stats.csv]
    #[arg(long, value_name = "FILE", help_heading = "What is judged")]
    pub stats: Option<PathBuf>,
    #[command(flatten)]
    pub(super) load: measure::LoadArgs,
    #[command(flatten)]
    pub(super) steps: steps::StepsArgs,
    #[command(flatten)]
    pub(super) reference: reference::ReferenceArgs,
    /// An endpoint such as 'GET /x'; repeat for more. Of a file only these are judged; of
    /// one that does not say what it measured, this is its name
    #[arg(long, value_name = "ENDPOINT", value_parser = endpoint, help_heading = "What is judged")]
    pub endpoint: Vec<String>,
    /// Judge only endpoints with one of these substrings [TRACK_ENDPOINTS; default: all]
    #[arg(long, value_name = "LIST", help_heading = "What is judged")]
    pub track_endpoints: Option<String>,
    /// The baseline
    #[arg(long, value_name = "FILE", default_value = "perf/performance_baseline.json")]
    pub baseline: PathBuf,
    /// Take what is measured for the new baseline, and judge nothing
    /// [UPDATE_BASELINE; default: false]
    #[arg(long)]
    pub update_baseline: bool,
    /// How much slower a median may be, in ms [REG_TOL_MEDIAN_MS; default: 50]
    #[arg(long, value_name = "MS")]
    pub tolerance_median_ms: Option<String>,
    /// How much slower a 95th percentile may be, in ms [REG_TOL_P95_MS; default: 80]
    #[arg(long, value_name = "MS")]
    pub tolerance_p95_ms: Option<String>,
    /// How much slower a median may be, as a share of the baseline or a time, such as 10% or 5ms
    #[arg(long, value_name = "TOLERANCE", conflicts_with = "tolerance_median_ms")]
    pub tolerance_median: Option<Tolerance>,
    /// How much slower a 95th percentile may be, likewise
    #[arg(long, value_name = "TOLERANCE", conflicts_with = "tolerance_p95_ms")]
    pub tolerance_p95: Option<Tolerance>,
    /// The largest share of requests that may fail, from 0 to 1
    #[arg(long, value_name = "SHARE", default_value = "0", value_parser = share)]
    pub max_error_rate: f64,
    /// Endpoints that the baseline does not have fail
    #[arg(long)]
    pub strict: bool,
    /// Write a JUnit report [PERF_JUNIT; default: false; default path:
    /// perf/performance_junit.xml]
    #[arg(long, value_name = "PATH", num_args = 0..=1, help_heading = "Reports")]
    pub junit: Option<Option<PathBuf>>,
    /// Write the result as Markdown
    #[arg(long, value_name = "FILE", help_heading = "Reports")]
    pub markdown: Option<PathBuf>,
    /// Write the result as JSON
    #[arg(long, value_name = "FILE", help_heading = "Reports")]
    pub summary: Option<PathBuf>,
}

impl Args {
    /// The settings that were given as flags.
    pub(super) fn values(&self) -> HashMap<&'static str, String> {
        let truth = |given: bool| given.then(|| "true".to_owned());
        [
            ("TRACK_ENDPOINTS", self.track_endpoints.clone()),
            ("REG_TOL_MEDIAN_MS", self.tolerance_median_ms.clone()),
            ("REG_TOL_P95_MS", self.tolerance_p95_ms.clone()),
            ("UPDATE_BASELINE", truth(self.update_baseline)),
            ("PERF_JUNIT", truth(self.junit.is_some())),
        ]
        .into_iter()
        .filter_map(|(name, value)| Some((name, value?)))
        .collect()
    }
}

fn endpoint(text: &str) -> Result<String, String> {
    Endpoint::parse(text).map(|endpoint| endpoint.name)
}

fn share(text: &str) -> Result<f64, String> {
    let share = text.parse().ok().filter(|share| (0.0..=1.0).contains(share));
    share.ok_or_else(|| "give a share from 0 to 1, such as 0.01".to_owned())
}

/// What is to be done, checked before anything is measured.
struct Plan {
    policy: Policy,
    /// None: it is to be replaced.
    baseline: Option<Baseline>,
    baseline_path: PathBuf,
    origin: Origin,
}

/// Where figures come from.
enum Origin {
    /// A file of a load tool.
    Stats(PathBuf),
    /// wfx measures.
    Load(load::Plan),
    /// The database.
    Steps(StepsPlan),
}

/// Judges, or records a baseline.
///
/// # Errors
/// Exit 2 for bad input, 3 when a report or the baseline cannot be written.
pub(crate) fn run(args: &Args, context: &Context) -> Result<Exit, CliError> {
    let reports = Reports::new(args, context)?;
    let checked = match (&args.reference.reference, args.steps.reference_since) {
        (Some(url), _) => reference::gate(url, args, context, &reports),
        (_, Some(since)) => steps::gate(since, args, context, &reports),
        _ => gate(args, context, &reports),
    };
    if let Err(error) = &checked {
        reports.tell_trouble(&error.message, context);
    }
    checked
}

fn gate(args: &Args, context: &Context, reports: &Reports) -> Result<Exit, CliError> {
    let plan = Plan::new(args, context)?;
    let (run, mut circumstances, facts) = match &plan.origin {
        Origin::Stats(path) => (read_stats(path, &args.endpoint)?, Circumstances::default(), None),
        Origin::Steps(plan) => (plan.read(context)?, Circumstances::default(), None),
        Origin::Load(plan) => {
            let measured = context.ui.measuring(|tell| load::measure(plan, tell))?;
            let connections = Some(measured.connections);
            let circumstances = Circumstances { connections, ..Circumstances::default() };
            (measured.run, circumstances, Some(measured.facts))
        }
    };
    complete(&mut circumstances, context);
    let nothing = Baseline::default();
    let baseline = plan.baseline.as_ref().unwrap_or(&nothing);
    let mut judgement = verdict::judge(run, baseline, &plan.policy)?;
    if let Some(baseline) = &plan.baseline {
        verdict::check_judged(&judgement, baseline, &plan.policy)?;
        judgement.warnings.extend(circumstances::wide_tolerances(&judgement, &plan.policy));
    }
    let told = circumstances::differences(&judgement, baseline, &circumstances);
    judgement.warnings.extend(told);
    let updated = match plan.baseline {
        Some(_) => Ok(None),
        None => plan.update(&mut judgement, &circumstances, context),
    };
    let (update, failure) = match updated {
        Ok(update) => (update, None),
        Err(error) => (None, Some(error)),
    };
    let report = Report {
        judgement: &judgement,
        baseline: plan.baseline_path.display().to_string(),
        update: update.as_ref(),
        measured: facts,
    };
    let shown = context.ui.perf_check(&report).map_err(CliError::from);
    let written = reports.write(&report, plan.policy.strict, context);
    let troubles = [failure.map(CliError::from), shown.err(), written.err()];
    // Whoever reads no further gets the verdict all the same, by the exit code.
    let troubles = troubles.into_iter().flatten().filter(|error| error.exit != Exit::Success);
    end(judgement.verdict, troubles, context)
}

/// Shows and writes a report that needs no baseline, and gives its exit.
fn show(report: &Report<'_>, context: &Context, reports: &Reports) -> Result<Exit, CliError> {
    let shown = context.ui.perf_check(report).map_err(CliError::from);
    let written = reports.write(report, false, context);
    let troubles = [shown.err(), written.err()].into_iter().flatten();
    let troubles = troubles.filter(|error| error.exit != Exit::Success);
    end(report.judgement.verdict, troubles, context)
}

/// The exit for a verdict, and for what could not be written.
fn end(
    verdict: Verdict,
    mut troubles: impl Iterator<Item = CliError>,
    context: &Context,
) -> Result<Exit, CliError> {
    if verdict == Verdict::Fail {
        // What got slower matters more than what could not be written.
        troubles.for_each(|error| context.ui.error(&error.message, error.hint.as_deref()));
        return Ok(Exit::Failed);
    }
    match troubles.next() {
        Some(error) => Err(error),
        None if verdict == Verdict::Pass => Ok(Exit::Success),
        None => Ok(Exit::Inconclusive),
    }
}

impl Plan {
    fn policy(args: &Args, context: &Context) -> Result<Policy, CliError> {
        let settings = &context.settings;
        Ok(Policy {
            tolerance_median: match args.tolerance_median {
                Some(tolerance) => tolerance,
                None => Tolerance::Absolute(settings.tolerance_median()?),
            },
            tolerance_p95: match args.tolerance_p95 {
                Some(tolerance) => tolerance,
                None => Tolerance::Absolute(settings.tolerance_p95()?),
            },
            own_tolerances: BTreeMap::new(),
            filter: Filter::new(&settings.track_endpoints()?),
            asked: Vec::new(),
            strict: args.strict,
            error_rate_max: args.max_error_rate,
            samples_min: SAMPLES_MIN,
        })
    }

    fn new(args: &Args, context: &Context) -> Result<Self, CliError> {
        let settings = &context.settings;
        let policy = Self::policy(args, context)?;
        let updates = settings.update_baseline()?;
        // One that is to be replaced has to be one, too: it is not for wfx to lose a file.
        let baseline = if updates {
            let (_, outdated) = store::read_to_update(&args.baseline)?;
            if outdated {
                let path = args.baseline.display();
                context.ui.warning(&format!("{path} is of an older version and is replaced whole"));
            }
            None
        } else {
            let workflow_id = args.steps.workflow.as_deref();
            let baseline = store::read(&args.baseline)?;
            Some(perf_steps::part(baseline, args.steps.steps, workflow_id))
        };
        // An update is judged by itself: nothing is new to it that --strict could refuse.
        let policy = Policy { strict: policy.strict && !updates, ..policy };
        let origin = match (args.steps.plan(), load_plan(args, &policy, baseline.as_ref())?) {
            (Some(plan), _) => Origin::Steps(plan),
            (None, Some(plan)) => Origin::Load(plan),
            (None, None) => {
                Origin::Stats(args.stats.clone().unwrap_or_else(|| PathBuf::from(STATS)))
            }
        };
        let samples_min = match &origin {
            Origin::Steps(_) => perf_steps::RUNS_MIN,
            _ => SAMPLES_MIN,
        };
        let asked = match &origin {
            Origin::Stats(_) => args.endpoint.clone(),
            Origin::Steps(_) => Vec::new(),
            Origin::Load(plan) => plan.endpoints.iter().map(|e| e.name.clone()).collect(),
        };
        let own_tolerances = match &origin {
            Origin::Load(plan) => measure::own_tolerances(&plan.endpoints),
            _ => BTreeMap::new(),
        };
        let policy = Policy { asked, samples_min, own_tolerances, ..policy };
        Ok(Self { policy, baseline, baseline_path: args.baseline.clone(), origin })
    }

    /// Replaces the baseline if the run can be relied on.
    fn update(
        &self,
        judgement: &mut Judgement,
        circumstances: &Circumstances,
        context: &Context,
    ) -> Result<Option<Changes>, StoreError> {
        judgement.warnings.retain(|warning| warning != NOTHING_JUDGED);
        if judgement.verdict != Verdict::Pass {
            context.ui.warning("the baseline stays as it is: the run cannot be relied on");
            return Ok(None);
        }
        let entries = verdict::entries(judgement, circumstances);
        let updated = store::update(&self.baseline_path, |baseline| baseline.update(entries));
        if let Err(error) = &updated {
            judgement.warnings.push(error.to_string());
        }
        updated.map(Some)
    }
}

/// What a load tool measured of the endpoints that were asked for.
fn read_stats(path: &Path, asked: &[String]) -> Result<Run, CliError> {
    let refuse = |why: &str| {
        let why = visible(&format!("cannot use the stats {}: {why}", path.display()));
        CliError::new(Exit::Usage, why)
    };
    let bytes = read_bytes(path, sources::BYTES_MAX).map_err(|error| {
        refuse(&error.to_string())
            .with_hint("run the load test before, or name its file with --stats")
    })?;
    let name = match asked {
        [one] => Some(one.as_str()),
        _ => None,
    };
    let mut run = sources::read(&bytes, name)
        .map_err(|error: SourceError| refuse(&error.to_string()).with_hint(error.hint()))?;
    if !asked.is_empty() {
        let found = |endpoint: &String| run.endpoints.iter().any(|o| o.endpoint == *endpoint);
        if let Some(missing) = asked.iter().find(|endpoint| !found(endpoint)) {
            let hint = "write it as the file does: METHOD, a space, the name";
            return Err(refuse(&format!("it has no endpoint `{missing}`")).with_hint(hint));
        }
        run.endpoints.retain(|observed| asked.contains(&observed.endpoint));
    }
    Ok(run)
}

/// Adds when, where and of what it was measured.
fn complete(circumstances: &mut Circumstances, context: &Context) {
    let variable = |name: &str| context.settings.of_ci(name).and_then(OsStr::to_str);
    circumstances.machine = Some(machine::describe());
    circumstances.date = Some(clock::now().to_string());
    circumstances.commit = machine::commit(variable);
}

fn read_bytes(path: &Path, bytes_max: u64) -> std::io::Result<Vec<u8>> {
    crate::system::files::read(path, bytes_max)
}

impl From<StoreError> for CliError {
    fn from(error: StoreError) -> Self {
        let exit = if error.is_environment() { Exit::Environment } else { Exit::Usage };
        Self::new(exit, visible(&error.to_string())).with_hint(error.hint())
    }
}

impl From<Incomparable> for CliError {
    fn from(incomparable: Incomparable) -> Self {
        Self::new(Exit::Usage, visible(&incomparable.to_string())).with_hint(incomparable.hint())
    }
}

fn remedy(obstacle: Obstacle) -> &'static str {
    match obstacle {
        Obstacle::Server => "start it before, and wait until it answers",
        Obstacle::Name => "correct the name, or let this machine find it (DNS, /etc/hosts)",
        Obstacle::Certificate => {
            "name what signed its certificate, or the certificate itself, in SSL_CERT_FILE (PEM); \
             the URL has to have a name of the certificate"
        }
        Obstacle::Tls => "does it speak TLS there? http:// is without",
    }
}

impl From<LoadError> for CliError {
    fn from(error: LoadError) -> Self {
        let (exit, hint) = match &error {
            LoadError::Target { .. } => (Exit::Usage, "give a URL such as http://127.0.0.1:8080"),
            LoadError::Unreachable { obstacle, .. } => (Exit::Environment, remedy(*obstacle)),
            LoadError::System(_) => (Exit::Environment, "a lower rate needs less"),
        };
        Self::new(exit, error.to_string()).with_hint(hint)
    }
}
