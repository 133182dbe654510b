//! A run as it was measured, and what was judged of it: data without a decision.

use std::collections::BTreeMap;

use serde::Serialize;

use super::filter::Filter;
use super::paired::Change;
use super::stats::Latency;
use super::tolerance::{Tolerance, Tolerances};

/// The result of comparing a figure of two builds, beside the figures themselves.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Paired {
    /// Slower, faster or neither.
    pub change: Change,
    /// The build that is judged ÷ the reference.
    pub ratio: f64,
    /// The confidence interval of 99 % of the ratio, at one look.
    pub interval: (f64, f64),
    /// How unlikely this slowdown would be if the builds did not differ (p-value).
    pub p_slower: f64,
    /// Of how many pairs.
    pub pairs: u64,
    /// The least relevant ratio.
    pub floor: f64,
    /// It was slower in the first measurement, and not in the second.
    pub withdrawn: bool,
}

/// The distributions of two builds: the latency that each percentage of requests does not exceed,
/// milliseconds.
#[derive(Debug, Clone, PartialEq)]
pub struct Curves {
    /// Percent of the requests.
    pub percents: Vec<f64>,
    /// Of the reference.
    pub reference: Vec<f64>,
    /// Of the build that is judged.
    pub judged: Vec<f64>,
}

/// A measurement by any tool.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Run {
    /// What measured.
    pub source: Source,
    /// The endpoints.
    pub endpoints: Vec<Observed>,
    /// Why the run as a whole cannot be relied on; none: it can.
    pub doubts: Vec<String>,
    /// Whether requests were sent so late that the target may look slower than it is.
    pub is_late: bool,
}

/// The tool that measured, and the properties of its figures.
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
    /// Further notes on its figures.
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
    /// By how much rounding may change a figure.
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

/// The figures of one endpoint.
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
    /// How many latencies the figures are computed from; none: unknown.
    pub samples: Option<u64>,
    /// How many requests there were.
    pub requests: u64,
    /// How many of them did not end as they should.
    pub errors: u64,
    /// The kinds of errors with their counts, the most frequent first.
    pub error_kinds: Vec<(String, u64)>,
    /// Requests in a second.
    pub rate: Option<f64>,
    /// The number of samples in equal intervals of a logarithmic axis; empty if there are no
    /// samples.
    pub shape: Vec<u64>,
}

/// A figure as a source states it.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum Reading {
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
    /// The requested endpoints, the only ones that the run must contain; none: it must contain
    /// every tracked endpoint of the baseline.
    pub asked: Vec<String>,
    /// Whether an endpoint without a baseline fails.
    pub strict: bool,
    /// The largest share of requests that may fail.
    pub error_rate_max: f64,
    /// Below this many samples of an own measurement there is no verdict.
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
    Median,
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

/// The verdict on a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// No judged figure is worse.
    Pass,
    /// A regression, too many errors, or what `--strict` does not let pass.
    Fail,
    /// The run cannot be relied on. Never a pass.
    Inconclusive,
}

/// The outcome of an endpoint, the first that applies.
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
    /// The measured figure; none: no request succeeded.
    pub observed: Option<Latency>,
    /// The figure it is compared with; none: it is not judged.
    pub baseline: Option<Latency>,
    /// How much slower it may be.
    pub tolerance: Latency,
    /// The minimum detectable effect: the smallest slowdown that was certain to be found, which is
    /// the tolerance plus the possible rounding.
    pub detectable: Latency,
    /// For two builds measured side by side: the result of their comparison. Tolerance and
    /// detectable difference do not apply then.
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

    /// The minimum detectable effect in percent of the baseline.
    #[must_use]
    pub fn detectable_percent(&self) -> Option<f64> {
        self.paired.is_none().then(|| self.detectable.percent_of(self.baseline?))?
    }
}

/// An endpoint that was judged.
#[derive(Debug, Clone, PartialEq)]
pub struct Judged {
    /// What was measured.
    pub observed: Observed,
    /// Its outcome.
    pub outcome: Outcome,
    /// The median and p95; p95 is left out where neither side has it.
    pub comparisons: Vec<Comparison>,
    /// Why, in a sentence each.
    pub reasons: Vec<String>,
    /// For two builds side by side: the quantiles of both.
    pub curves: Option<Curves>,
}

/// The verdict on a run, and its reasons.
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
    /// Warnings, whatever the verdict.
    pub warnings: Vec<String>,
    /// How many endpoints were measured and are not tracked.
    pub untracked: usize,
}

impl Judgement {
    /// The comparison that sees least of its baseline, in percent: a smaller slowing
    /// than that might have been missed somewhere.
    #[must_use]
    pub fn least_sensitive(&self, metric: Metric) -> Option<(&str, Comparison)> {
        let all = self.endpoints.iter().flat_map(|judged| {
            let compared = judged.comparisons.iter().filter(move |c| c.metric == metric);
            compared.map(|comparison| (judged.observed.endpoint.as_str(), *comparison))
        });
        all.filter(|(_, comparison)| comparison.detectable_percent().is_some())
            .max_by(|a, b| f64::total_cmp(&percent(&a.1), &percent(&b.1)))
    }
}

/// Whether more than this share of the requests failed.
#[must_use]
pub(crate) fn are_too_many(errors: u64, requests: u64, rate_max: f64) -> bool {
    // A quotient is rounded as the decimal that was typed is: 29 of 100 are 0.29.
    errors > 0 && errors as f64 / requests as f64 > rate_max
}

impl Judged {
    /// Whether the baseline does not have it.
    #[must_use]
    pub fn is_unknown(&self) -> bool {
        self.comparisons.iter().all(|comparison| comparison.baseline.is_none())
    }
}

fn percent(comparison: &Comparison) -> f64 {
    comparison.detectable_percent().unwrap_or_default()
}
