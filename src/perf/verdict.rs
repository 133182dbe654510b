//! The verdict: a run and a baseline give what each endpoint, and all of them, come to.
//!
//! A regression is `observed − baseline > tolerance`, on the median or on p95. What
//! makes a comparison worthless is a [`Incomparable`] and no verdict: a gate that silently
//! compares nothing would let everything pass.

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;

use super::baseline::{Baseline, Circumstances, Entry};
use super::filter::Filter;
pub use super::incomparable::Incomparable;
use super::paired::Change;
use super::paired::verdict::{Curves, Paired};
use super::stats::Latency;
use super::tolerance::{Tolerance, Tolerances};

/// The warning that there was nothing to compare with.
pub const NOTHING_JUDGED: &str = "no endpoint has a baseline: nothing was judged";

/// What was measured, by whomever.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Run {
    /// What measured.
    pub source: Source,
    /// The endpoints.
    pub endpoints: Vec<Observed>,
    /// Why the run as a whole cannot be relied on; none: it can.
    pub doubts: Vec<String>,
    /// Whether requests were sent so late that what was measured may look slower than it is.
    pub is_late: bool,
}

/// What measured, and what is to be known of its figures.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize)]
pub struct Source {
    /// Its name.
    pub name: String,
    /// Whether wfx measured itself.
    #[serde(skip)]
    pub own: bool,
    /// Whether a stalled target hides from it, since it waits before it sends the next
    /// request.
    pub coordinated_omission: bool,
    /// How it rounds.
    pub rounding: Rounding,
    /// What else a reader of its figures should know.
    pub notes: Vec<String>,
}

/// How latencies were rounded before wfx saw them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Rounding {
    /// Hardly.
    #[default]
    None,
    /// To a millisecond, from 100 ms on to two digits, as Locust does.
    TwoDigits,
}

impl Rounding {
    /// By how much a figure may be off.
    #[must_use]
    pub fn error(self, of: Latency) -> Latency {
        const MS: u64 = 1_000_000;
        match self {
            Self::None => Latency::default(),
            Self::TwoDigits => {
                let mut step = MS;
                while of.as_nanos() >= step.saturating_mul(100) {
                    step *= 10;
                }
                Latency::from_nanos(step / 2)
            }
        }
    }
}

/// What was measured of one endpoint.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Observed {
    /// `METHOD path`.
    pub endpoint: String,
    /// The median.
    pub median: Reading,
    /// The 95th percentile.
    pub p95: Reading,
    /// The 99th percentile, where each latency is known; shown, not judged.
    pub p99: Option<Latency>,
    /// The greatest of them, likewise.
    pub max: Option<Latency>,
    /// How many latencies the figures are of; none: not told.
    pub samples: Option<u64>,
    /// How many requests there were.
    pub requests: u64,
    /// How many of them did not end as they should.
    pub errors: u64,
    /// What went wrong, the most frequent first.
    pub error_kinds: Vec<(String, u64)>,
    /// Requests in a second.
    pub rate: Option<f64>,
    /// How many samples lie in equal stretches of a logarithmic axis; empty where there
    /// are no samples.
    pub shape: Vec<u64>,
}

/// A figure as a source states it.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum Reading {
    /// A latency.
    Value(Latency),
    /// The source does not state it.
    #[default]
    Absent,
    /// The source states this, which is no latency.
    Bad(String),
}

impl Reading {
    /// The latency, if it is one.
    #[must_use]
    pub fn value(&self) -> Option<Latency> {
        match self {
            Self::Value(latency) => Some(*latency),
            _ => None,
        }
    }
}

/// What is asked of a run.
#[derive(Debug, Clone, PartialEq)]
pub struct Policy {
    /// How much slower a median may be.
    pub tolerance_median: Tolerance,
    /// How much slower a 95th percentile may be.
    pub tolerance_p95: Tolerance,
    /// Endpoints that have tolerances of their own.
    pub own_tolerances: BTreeMap<String, Tolerances>,
    /// Which endpoints are judged.
    pub filter: Filter,
    /// The endpoints that were asked for, for which alone the run has to answer; none:
    /// it has to have every tracked one of the baseline.
    pub asked: Vec<String>,
    /// Whether an endpoint without a baseline fails.
    pub strict: bool,
    /// The largest share of requests that may fail.
    pub error_rate_max: f64,
    /// Below so many samples of an own measurement nothing is said.
    pub samples_min: u64,
}

impl Policy {
    /// How much slower a figure of an endpoint may be.
    #[must_use]
    pub fn tolerance(&self, endpoint: &str, metric: Metric) -> Tolerance {
        let own = self.own_tolerances.get(endpoint).copied().unwrap_or_default();
        match metric {
            Metric::Median => own.median.unwrap_or(self.tolerance_median),
            Metric::P95 => own.p95.unwrap_or(self.tolerance_p95),
        }
    }
}

/// What is compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Metric {
    /// The median.
    Median,
    /// The 95th percentile.
    P95,
}

impl std::fmt::Display for Metric {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Median => "median",
            Self::P95 => "p95",
        })
    }
}

/// What a run comes to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// Nothing that was judged is worse.
    Pass,
    /// A regression, too many errors, or what `--strict` does not let pass.
    Fail,
    /// The run cannot be relied on. Never a pass.
    Inconclusive,
}

/// What an endpoint comes to, the first that applies.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// Too many requests failed.
    Errors,
    /// The median or p95 is slower than the tolerance lets pass.
    Regression,
    /// The run, or its samples, cannot be relied on.
    Inconclusive,
    /// The baseline does not have it.
    New,
    /// None of these.
    Pass,
}

impl Outcome {
    /// Its word.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Errors => "errors",
            Self::Regression => "regression",
            Self::Inconclusive => "inconclusive",
            Self::New => "new",
            Self::Pass => "pass",
        }
    }
}

/// A figure against its baseline.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Comparison {
    /// Which figure.
    pub metric: Metric,
    /// What was measured; none: no request ended as it should.
    pub observed: Option<Latency>,
    /// What it is compared with; none: it is not judged.
    pub baseline: Option<Latency>,
    /// How much slower it may be.
    pub tolerance: Latency,
    /// The smallest slowing that was certain to be found: the tolerance, and what
    /// rounding may have taken away.
    pub sees: Latency,
    /// Of two builds side by side: what is said of the difference; tolerance and sight mean
    /// nothing then.
    pub paired: Option<Paired>,
}

impl Comparison {
    /// Observed − baseline, in nanoseconds.
    #[must_use]
    pub fn delta(&self) -> Option<i64> {
        Some(self.observed?.minus(self.baseline?))
    }

    /// Whether it is slower than the tolerance lets pass.
    #[must_use]
    pub fn is_regression(&self) -> bool {
        if let Some(paired) = self.paired {
            return paired.change == Change::Slower;
        }
        let tolerance = i64::try_from(self.tolerance.as_nanos()).unwrap_or(i64::MAX);
        self.delta().is_some_and(|delta| delta > tolerance)
    }

    /// What it sees, in percent of the baseline.
    #[must_use]
    pub fn sees_percent(&self) -> Option<f64> {
        self.paired.is_none().then(|| self.sees.percent_of(self.baseline?))?
    }
}

/// An endpoint that was judged.
#[derive(Debug, Clone, PartialEq)]
pub struct Judged {
    /// What was measured.
    pub observed: Observed,
    /// What it comes to.
    pub outcome: Outcome,
    /// The median and p95; p95 is left out where neither side has it.
    pub comparisons: Vec<Comparison>,
    /// Why, in a sentence each.
    pub reasons: Vec<String>,
    /// Of two builds side by side: the quantiles of both.
    pub curves: Option<Curves>,
}

/// What a run comes to, and why.
#[derive(Debug, Clone, PartialEq)]
pub struct Judgement {
    /// All in all.
    pub verdict: Verdict,
    /// What measured.
    pub source: Source,
    /// The tracked endpoints in the order of the source.
    pub endpoints: Vec<Judged>,
    /// Why the run as a whole cannot be relied on.
    pub doubts: Vec<String>,
    /// What the reader should look at, whatever the verdict.
    pub warnings: Vec<String>,
    /// How many endpoints were measured and are not tracked.
    pub untracked: usize,
}

impl Judgement {
    /// The comparison that sees least of its baseline, in percent: a smaller slowing
    /// than that might have been missed somewhere.
    #[must_use]
    pub fn dimmest(&self, metric: Metric) -> Option<(&str, Comparison)> {
        let all = self.endpoints.iter().flat_map(|judged| {
            let compared = judged.comparisons.iter().filter(move |c| c.metric == metric);
            compared.map(|comparison| (judged.observed.endpoint.as_str(), *comparison))
        });
        all.filter(|(_, comparison)| comparison.sees_percent().is_some())
            .max_by(|a, b| f64::total_cmp(&percent(&a.1), &percent(&b.1)))
    }
}

fn percent(comparison: &Comparison) -> f64 {
    comparison.sees_percent().unwrap_or_default()
}

/// Checks that `filter` tracks one of the endpoints that are to be measured.
///
/// # Errors
/// [`Incomparable::Filter`].
pub fn check_filter(
    filter: &Filter,
    endpoints: &[&str],
    among: &'static str,
) -> Result<(), Incomparable> {
    if endpoints.iter().any(|endpoint| filter.matches(endpoint)) {
        return Ok(());
    }
    let endpoints = endpoints.iter().map(|&endpoint| endpoint.to_owned()).collect();
    Err(Incomparable::Filter { filter: filter.to_string(), among, endpoints })
}

/// Judges a run.
///
/// # Errors
/// A [`Incomparable`]: there is nothing to compare, or not with this baseline.
pub fn judge(run: Run, baseline: &Baseline, policy: &Policy) -> Result<Judgement, Incomparable> {
    check(&run, policy)?;
    let mut warnings = warnings(&run, baseline, policy);
    let (tracked, others): (Vec<_>, Vec<_>) =
        run.endpoints.into_iter().partition(|observed| policy.filter.matches(&observed.endpoint));
    let observed: BTreeSet<_> = tracked.iter().map(|observed| observed.endpoint.as_str()).collect();
    let asked: BTreeSet<_> = policy.asked.iter().map(String::as_str).collect();
    let expected = |endpoint: &str| {
        policy.filter.matches(endpoint) && (asked.is_empty() || asked.contains(endpoint))
    };
    let unobserved: Vec<_> = baseline
        .iter()
        .filter(|(endpoint, _)| expected(endpoint) && !observed.contains(endpoint))
        .map(|(endpoint, _)| endpoint.to_owned())
        .collect();
    if !unobserved.is_empty() {
        return Err(Incomparable::Unobserved(unobserved));
    }
    let facts = Run { endpoints: Vec::new(), ..run };
    let endpoints = tracked
        .into_iter()
        .map(|observed| {
            let entry = baseline.get(&observed.endpoint);
            judge_one(observed, entry, &facts, policy)
        })
        .collect::<Result<Vec<_>, _>>()?;
    if endpoints.iter().all(|judged| judged.outcome == Outcome::New) {
        warnings.push(NOTHING_JUDGED.to_owned());
    }
    Ok(Judgement {
        verdict: overall(&endpoints, &facts.doubts, policy),
        source: facts.source,
        endpoints,
        doubts: facts.doubts,
        warnings,
        untracked: others.len(),
    })
}

/// Checks that something was judged, by `baseline` or for want of it.
///
/// # Errors
/// [`Incomparable::NothingJudged`]: such a gate would let everything pass.
pub fn check_judged(
    judgement: &Judgement,
    baseline: &Baseline,
    policy: &Policy,
) -> Result<(), Incomparable> {
    let is_new = |judged: &Judged| judged.outcome == Outcome::New;
    if policy.strict || !judgement.endpoints.iter().all(is_new) {
        return Ok(());
    }
    let observed = judgement.endpoints.iter().map(|judged| judged.observed.endpoint.clone());
    Err(Incomparable::NothingJudged {
        observed: observed.collect(),
        known: baseline.iter().map(|(endpoint, _)| endpoint.to_owned()).collect(),
    })
}

/// The entries that take the place of those in the baseline.
#[must_use]
pub fn entries(judgement: &Judgement, circumstances: &Circumstances) -> Vec<(String, Entry)> {
    let entry = |judged: &Judged| {
        let observed = &judged.observed;
        let circumstances = Circumstances {
            samples: observed.samples,
            rate: observed.rate,
            source: Some(judgement.source.name.clone()),
            ..circumstances.clone()
        };
        let entry = Entry::new(observed.median.value()?, observed.p95.value(), circumstances);
        Some((observed.endpoint.clone(), entry))
    };
    judgement.endpoints.iter().filter_map(entry).collect()
}

fn check(run: &Run, policy: &Policy) -> Result<(), Incomparable> {
    if run.endpoints.is_empty() {
        return Err(Incomparable::Nothing);
    }
    let all: Vec<_> = run.endpoints.iter().map(|observed| observed.endpoint.as_str()).collect();
    check_filter(&policy.filter, &all, "endpoints observed")
}

fn warnings(run: &Run, baseline: &Baseline, policy: &Policy) -> Vec<String> {
    let known = baseline.iter().map(|(endpoint, _)| endpoint);
    let all: Vec<_> =
        run.endpoints.iter().map(|observed| observed.endpoint.as_str()).chain(known).collect();
    let unmatched = policy.filter.unmatched(&all);
    let unmatched = unmatched
        .into_iter()
        .map(|part| format!("`{part}` in TRACK_ENDPOINTS matches no endpoint: is it mistyped?"));
    unmatched.collect()
}

fn overall(endpoints: &[Judged], doubts: &[String], policy: &Policy) -> Verdict {
    let any = |outcome| endpoints.iter().any(|judged| judged.outcome == outcome);
    let failed = any(Outcome::Errors)
        || any(Outcome::Regression)
        || policy.strict && endpoints.iter().any(Judged::is_unknown);
    if failed {
        Verdict::Fail
    } else if any(Outcome::Inconclusive) || !doubts.is_empty() {
        Verdict::Inconclusive
    } else {
        Verdict::Pass
    }
}

impl Judged {
    /// Whether the baseline does not have it.
    #[must_use]
    pub fn is_unknown(&self) -> bool {
        self.comparisons.iter().all(|comparison| comparison.baseline.is_none())
    }
}

fn judge_one(
    observed: Observed,
    entry: Option<&Entry>,
    run: &Run,
    policy: &Policy,
) -> Result<Judged, Incomparable> {
    let (source, doubts) = (&run.source, &run.doubts);
    let comparisons = compare(&observed, entry, source, policy)?;
    let mut reasons = Vec::new();
    let erring = error_reason(&observed, policy);
    let regressions = comparisons.iter().filter(|comparison| comparison.is_regression());
    let regressions: Vec<_> = regressions.filter_map(regression_reason).collect();
    let few = observed.samples.filter(|samples| source.own && *samples < policy.samples_min);
    let few = few.map(|samples| {
        format!("{samples} samples are fewer than the {} that a verdict needs", policy.samples_min)
    });
    let outcome = if erring.is_some() {
        Outcome::Errors
    } else if !regressions.is_empty() && !run.is_late {
        Outcome::Regression
    } else if few.is_some() || !doubts.is_empty() || run.is_late {
        Outcome::Inconclusive
    } else if entry.is_none() {
        Outcome::New
    } else {
        Outcome::Pass
    };
    reasons.extend(erring);
    reasons.extend(regressions);
    reasons.extend(few.filter(|_| outcome != Outcome::Errors));
    if entry.is_none() && policy.strict {
        reasons.push("the baseline does not have it, which --strict does not let pass".to_owned());
    }
    Ok(Judged { observed, outcome, comparisons, reasons, curves: None })
}

fn compare(
    observed: &Observed,
    entry: Option<&Entry>,
    source: &Source,
    policy: &Policy,
) -> Result<Vec<Comparison>, Incomparable> {
    let mut comparisons = Vec::new();
    for (metric, reading, baseline) in [
        (Metric::Median, &observed.median, entry.map(|e| e.median)),
        (Metric::P95, &observed.p95, entry.and_then(|e| e.p95)),
    ] {
        let tolerance =
            policy.tolerance(&observed.endpoint, metric).of(baseline.unwrap_or_default());
        let value = figure(observed, metric, reading)?;
        let failed = source.own && observed.samples == Some(0);
        let needed = metric == Metric::Median || baseline.is_some();
        if value.is_none() && needed && !failed {
            return Err(Incomparable::Missing { endpoint: observed.endpoint.clone(), metric });
        }
        if value.is_none() && baseline.is_none() && metric == Metric::P95 {
            continue;
        }
        let slowest = baseline.unwrap_or_default().plus(tolerance);
        let sees = tolerance.plus(source.rounding.error(slowest));
        let comparison =
            Comparison { metric, observed: value, baseline, tolerance, sees, paired: None };
        comparisons.push(comparison);
    }
    Ok(comparisons)
}

fn figure(
    observed: &Observed,
    metric: Metric,
    reading: &Reading,
) -> Result<Option<Latency>, Incomparable> {
    match reading {
        Reading::Value(latency) => Ok(Some(*latency)),
        Reading::Absent => Ok(None),
        Reading::Bad(found) => Err(Incomparable::NoLatency {
            endpoint: observed.endpoint.clone(),
            metric,
            found: found.clone(),
        }),
    }
}

/// Whether more than this share of the requests failed.
#[must_use]
pub fn are_too_many(errors: u64, requests: u64, rate_max: f64) -> bool {
    // A quotient is rounded as the decimal that was typed is: 29 of 100 are 0.29.
    errors > 0 && errors as f64 / requests as f64 > rate_max
}

fn error_reason(observed: &Observed, policy: &Policy) -> Option<String> {
    let requests = observed.requests;
    if !are_too_many(observed.errors, requests, policy.error_rate_max) {
        return None;
    }
    let (most, times) = observed.error_kinds.first().map_or(("", 0), |(k, n)| (k.as_str(), *n));
    let most = if most.is_empty() { String::new() } else { format!(", {times} times {most}") };
    Some(format!(
        "{} of {requests} requests failed{most}; --max-error-rate is {}",
        observed.errors, policy.error_rate_max
    ))
}

fn regression_reason(comparison: &Comparison) -> Option<String> {
    let (observed, baseline) = (comparison.observed?, comparison.baseline?);
    let delta = Latency::from_nanos(u64::try_from(comparison.delta()?).ok()?);
    Some(format!(
        "{} {observed} is {delta} slower than the baseline's {baseline}; the tolerance is {}",
        comparison.metric, comparison.tolerance
    ))
}

#[cfg(test)]
mod tests;
