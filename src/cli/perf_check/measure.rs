//! What is to be measured: flags over a scenario over defaults.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use super::Args;
use crate::base::exit::Exit;
use crate::base::period::Period;
use crate::cli::{CliError, tree};
use crate::perf::baseline::Baseline;
use crate::perf::judgement::{Metric, Policy};
use crate::perf::load::scenario::{
    DURATION_DEFAULT, Endpoint, RATE_DEFAULT, RATE_MAX, Scenario, WARMUP_DEFAULT, header,
};
use crate::perf::load::{Pace, Plan, Target};
use crate::perf::stats::Latency;
use crate::perf::tolerance::Tolerances;
use crate::perf::verdict;

/// Sends may be late by a tenth of the smaller tolerance, and by 1 ms at least.
const LATE_SHARE: u64 = 10;
const LATE_MIN: Latency = Latency::from_nanos(1_000_000);
const HEADING: &str = "Measuring";

/// The flags of an own measurement.
#[derive(Debug, clap::Args)]
pub(in crate::cli) struct LoadArgs {
    /// Measure this server: http://127.0.0.1:8080, https://…
    #[arg(long, value_name = "URL", conflicts_with = "stats", help_heading = HEADING)]
    pub(super) target: Option<String>,
    /// What to measure: JSON, YAML or TOML; `wfx schema perf-scenario` describes it
    #[arg(long, value_name = "FILE", conflicts_with_all = ["stats", "endpoint"], help_heading = HEADING)]
    pub(super) scenario: Option<PathBuf>,
    /// Requests in a second, of each endpoint [default: 50]
    #[arg(long, value_name = "RATE", value_parser = rate, help_heading = HEADING)]
    pub(super) rate: Option<f64>,
    /// How long to measure [default: 30s]
    #[arg(long, value_name = "DURATION", help_heading = HEADING)]
    pub(super) duration: Option<Period>,
    /// How long to make requests before [default: 2s]
    #[arg(long, value_name = "DURATION", help_heading = HEADING)]
    pub(super) warmup: Option<Period>,
    /// Saturate: so many connections, each sending as soon as it has its answer
    #[arg(long, value_name = "COUNT", conflicts_with = "rate", value_parser = connections, help_heading = HEADING)]
    pub(super) closed: Option<usize>,
    /// The most connections; what finds none free waits, and its wait counts
    #[arg(long, value_name = "COUNT", default_value_t = 1_000, value_parser = connections, help_heading = HEADING)]
    pub(super) connections: usize,
    /// When a request has failed, from when it was due
    #[arg(long, value_name = "DURATION", default_value = "30s", help_heading = HEADING)]
    pub(super) timeout: Period,
    /// A header of every request, such as 'Authorization: Bearer x'; repeat for more
    #[arg(long, value_name = "HEADER", help_heading = HEADING)]
    pub(super) header: Vec<String>,
}

fn rate(text: &str) -> Result<f64, String> {
    let rate = text.parse().ok().filter(|rate| *rate > 0.0 && *rate <= RATE_MAX);
    rate.ok_or_else(|| format!("give a number above 0 and up to {RATE_MAX}"))
}

fn connections(text: &str) -> Result<usize, String> {
    let count = text.parse().ok().filter(|count| (1..=100_000).contains(count));
    count.ok_or_else(|| "give a whole number from 1 to 100000".to_owned())
}

/// What is taken for a baseline where there is none yet and a tolerance is a share of it.
const BASELINE_DEFAULT: Latency = Latency::from_nanos(10_000_000);

/// The tolerances that a scenario gives endpoints.
pub(super) fn own_tolerances(endpoints: &[Endpoint]) -> BTreeMap<String, Tolerances> {
    let own = endpoints.iter().filter(|endpoint| endpoint.tolerances != Tolerances::default());
    own.map(|endpoint| (endpoint.name.clone(), endpoint.tolerances)).collect()
}

/// How late sends may be: a tenth of the smallest tolerance.
fn late_max(endpoints: &[Endpoint], policy: &Policy, baseline: Option<&Baseline>) -> Latency {
    let policy = Policy { own_tolerances: own_tolerances(endpoints), ..policy.clone() };
    let tolerances = endpoints.iter().flat_map(|endpoint| {
        let entry = baseline.and_then(|baseline| baseline.get(&endpoint.name));
        let of = |metric, known: Option<Latency>| {
            policy.tolerance(&endpoint.name, metric).of(known.unwrap_or(BASELINE_DEFAULT))
        };
        let median = entry.map(|entry| entry.median);
        [of(Metric::Median, median), of(Metric::P95, entry.and_then(|entry| entry.p95).or(median))]
    });
    let smallest = tolerances.min().unwrap_or_default();
    Latency::from_nanos(smallest.as_nanos() / LATE_SHARE).max(LATE_MIN)
}

/// What is to be measured; none: a file is read.
pub(super) fn plan(
    args: &Args,
    policy: &Policy,
    baseline: Option<&Baseline>,
) -> Result<Option<Plan>, CliError> {
    let load = &args.load;
    let scenario = match &load.scenario {
        Some(path) => read(path)?,
        None => Scenario::default(),
    };
    let Some(url) = load.target.as_ref().or(scenario.target.as_ref()) else {
        return not_measured(args).map(|()| None);
    };
    let mut endpoints = scenario.endpoints;
    for text in &args.endpoint {
        endpoints.push(Endpoint::parse(text).map_err(usage)?);
    }
    if endpoints.is_empty() {
        return Err(usage("there is nothing to measure".to_owned())
            .with_hint("name endpoints: --endpoint 'GET /x', or --scenario FILE"));
    }
    let headers = load
        .header
        .iter()
        .map(|text| header(text).map_err(|why| usage(format!("`{text}` is no header: {why}"))));
    let headers = headers.collect::<Result<Vec<_>, _>>()?;
    endpoints.iter_mut().for_each(|endpoint| endpoint.beat(&headers));
    let names: Vec<_> = endpoints.iter().map(|endpoint| endpoint.name.as_str()).collect();
    let mut seen = BTreeSet::new();
    if let Some(twice) = names.iter().find(|name| !seen.insert(**name)) {
        return Err(usage(format!("`{twice}` is to be measured twice"))
            .with_hint("name it once; a scenario gives endpoints a `weight`"));
    }
    verdict::check_filter(&policy.filter, &names, "endpoints to measure")?;
    let duration = load.duration.map(Period::duration).or(scenario.duration);
    let duration = duration.unwrap_or(DURATION_DEFAULT);
    if duration.is_zero() {
        return Err(usage("a measurement of no duration measures nothing".to_owned()));
    }
    if load.timeout.duration().is_zero() {
        return Err(usage("within --timeout 0 no answer comes".to_owned()));
    }
    let warmup = load.warmup.map(Period::duration).or(scenario.warmup);
    let pace = match load.closed {
        Some(connections) => Pace::Closed(connections),
        None => Pace::Rate(rate_of_one(load.rate.or(scenario.rate), &endpoints)?),
    };
    Ok(Some(Plan {
        target: Target::parse(url)?,
        late_max: late_max(&endpoints, policy, baseline),
        endpoints,
        pace,
        duration,
        warmup: warmup.unwrap_or(WARMUP_DEFAULT),
        connections_max: load.connections,
        timeout: load.timeout.duration(),
    }))
}

/// The rate of an endpoint of weight 1, once it is sure that all together are not too many.
fn rate_of_one(asked: Option<f64>, endpoints: &[Endpoint]) -> Result<f64, CliError> {
    let of_one = asked.unwrap_or(RATE_DEFAULT);
    let of_all = of_one * endpoints.iter().map(|endpoint| endpoint.weight).sum::<f64>();
    if of_all > RATE_MAX {
        return Err(usage(format!("all endpoints together are {of_all} requests/s"))
            .with_hint(format!("a lower rate or weights: at most {RATE_MAX} are possible")));
    }
    Ok(of_one)
}

/// Refuses flags that a file of another tool has no use for.
fn not_measured(args: &Args) -> Result<(), CliError> {
    let load = &args.load;
    let given = [
        ("--scenario", load.scenario.is_some()),
        ("--rate", load.rate.is_some()),
        ("--duration", load.duration.is_some()),
        ("--warmup", load.warmup.is_some()),
        ("--closed", load.closed.is_some()),
        ("--header", !load.header.is_empty()),
    ];
    match given.iter().find(|(_, given)| *given) {
        Some((flag, _)) => {
            Err(usage(format!("{flag} needs a server to measure")).with_hint("add --target URL"))
        }
        None => Ok(()),
    }
}

fn read(path: &Path) -> Result<Scenario, CliError> {
    let refuse = |why: String| {
        usage(format!("cannot use the scenario {}: {why}", path.display()))
            .with_hint("`wfx schema perf-scenario` describes it")
    };
    let document = tree::read(path).map_err(refuse)?;
    Scenario::read(&document).map_err(|error| refuse(error.to_string()))
}

fn usage(message: String) -> CliError {
    CliError::new(Exit::Usage, message)
}
