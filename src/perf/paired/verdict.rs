//! The result of pairs of requests as a judgement like any other.

use std::collections::BTreeMap;

use super::{Change, Estimate, Floors, quantile};
use crate::perf::judgement::{
    Comparison, Curves, Judged, Judgement, Metric, Observed, Outcome as Word, Paired, Reading,
    Source, Verdict, are_too_many,
};
use crate::perf::stats::{self, Latency};

/// Stretches of a distribution's shape.
const SHAPE_BINS: usize = 16;

/// One endpoint, measured at both.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Compared {
    /// Its name.
    pub endpoint: String,
    /// The latencies of the reference in its last measurement, nanoseconds, sorted.
    pub reference: Vec<u64>,
    /// Those of what is judged.
    pub judged: Vec<u64>,
    /// What the latencies are of.
    pub unit: Unit,
    /// The results of the median and the tail; none: there were not enough pairs.
    pub estimates: Option<[Estimate; 2]>,
    /// Their outcome.
    pub changes: [Change; 2],
    /// What was slower in the first measurement, and not in the second.
    pub withdrawn: [bool; 2],
    /// The measurement allows no conclusion.
    pub is_doubted: bool,
    /// Requests of the build that is judged, and those that failed, with what went wrong.
    pub requests: u64,
    /// The kinds of failures of these, with their counts.
    pub errors: BTreeMap<String, u64>,
}

/// The results of both sides.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Outcome {
    /// In the order of the plan.
    pub endpoints: Vec<Compared>,
    /// Why nothing can be said.
    pub doubts: Vec<String>,
    /// Whether everything was measured again that was slower.
    pub repeated: bool,
}

/// What latencies are of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Unit {
    /// Pairs of requests, one to each.
    Pairs,
    /// Runs of a step, on both sides as many as there were.
    Runs,
}

/// The results of both sides as a judgement.
#[must_use]
pub(crate) fn judgement(outcome: Outcome, floors: &Floors, error_rate_max: f64) -> Judgement {
    let Outcome { mut endpoints, doubts, repeated } = outcome;
    // If the answers differ, or the reference fails, a slowdown has no meaning.
    for compared in endpoints.iter_mut().filter(|compared| compared.is_doubted) {
        compared.changes = [Change::Same; 2];
        compared.withdrawn = [false; 2];
    }
    let endpoints: Vec<Judged> =
        endpoints.iter().map(|compared| judged(compared, floors, error_rate_max)).collect();
    let any = |word| endpoints.iter().any(|judged| judged.outcome == word);
    let verdict = if any(Word::Errors) || any(Word::Regression) {
        Verdict::Fail
    } else if any(Word::Inconclusive) || !doubts.is_empty() {
        Verdict::Inconclusive
    } else {
        Verdict::Pass
    };
    let notes =
        if repeated { vec!["what was slower was measured again".to_owned()] } else { Vec::new() };
    let source =
        Source { name: "wfx --reference".to_owned(), own: true, notes, ..Source::default() };
    Judgement { verdict, source, endpoints, doubts, warnings: Vec::new(), untracked: 0 }
}

fn judged(compared: &Compared, floors: &Floors, error_rate_max: f64) -> Judged {
    let comparisons = [
        comparison(compared, (Metric::Median, 0, stats::median, floors.median)),
        comparison(compared, (Metric::P95, 1, |sorted| stats::percentile(sorted, 95), floors.p95)),
    ];
    let mut error_kinds: Vec<_> =
        compared.errors.iter().map(|(kind, count)| (kind.clone(), *count)).collect();
    error_kinds.sort_by_key(|(_, count)| std::cmp::Reverse(*count));
    let errors: u64 = compared.errors.values().sum();
    let is_failing = are_too_many(errors, compared.requests, error_rate_max);
    let mut reasons: Vec<String> =
        comparisons.iter().filter_map(|comparison| reason(comparison, compared)).collect();
    // What changed is worth a look.
    let is_told = !reasons.is_empty() && !compared.judged.is_empty();
    if is_failing {
        let most = error_kinds.first().map_or("", |(kind, _)| kind.as_str());
        let why = format!(
            "{errors} of {} requests failed: {most}; --max-error-rate is {error_rate_max}",
            compared.requests
        );
        reasons.insert(0, why);
    }
    let outcome = if is_failing {
        Word::Errors
    } else if compared.is_doubted || compared.estimates.is_none() {
        Word::Inconclusive
    } else if comparisons.iter().any(Comparison::is_regression) {
        Word::Regression
    } else {
        Word::Pass
    };
    let reading = |at: usize| comparisons[at].observed.map_or(Reading::Absent, Reading::Value);
    Judged {
        observed: Observed {
            endpoint: compared.endpoint.clone(),
            median: reading(0),
            p95: reading(1),
            samples: Some(compared.judged.len() as u64),
            requests: compared.requests,
            errors,
            error_kinds,
            rate: None,
            p99: None,
            max: None,
            shape: stats::shape(&compared.judged, SHAPE_BINS),
        },
        outcome,
        comparisons: comparisons.into(),
        reasons,
        curves: is_told.then(|| Curves::of(compared)),
    }
}

/// A figure of sorted latencies, as everywhere else it is measured.
type Figure = fn(&[u64]) -> Option<Latency>;

/// One figure of both sides: which one, its estimate, how it is computed, its floor.
fn comparison(
    compared: &Compared,
    (metric, at, figure, floor): (Metric, usize, Figure, f64),
) -> Comparison {
    Comparison {
        metric,
        observed: figure(&compared.judged),
        // Without an estimate nothing is compared.
        baseline: figure(&compared.reference).filter(|_| compared.estimates.is_some()),
        tolerance: Latency::default(),
        detectable: Latency::default(),
        paired: compared.estimates.map(|estimates| Paired {
            change: compared.changes[at],
            ratio: estimates[at].ratio,
            interval: estimates[at].interval,
            p_slower: estimates[at].p_slower,
            pairs: compared.judged.len() as u64,
            floor,
            withdrawn: compared.withdrawn[at],
        }),
    }
}

impl Curves {
    /// The quantiles of sorted latencies in nanoseconds; the slowest of a hundred are left out.
    fn of(compared: &Compared) -> Self {
        let percents: Vec<f64> = (0..=33).map(|n| f64::from(3 * n)).collect();
        let curve = |sorted: &[u64]| {
            let millis: Vec<f64> = sorted.iter().map(|nanos| *nanos as f64 / 1e6).collect();
            percents.iter().map(|p| quantile(&millis, p / 100.0)).collect()
        };
        let (reference, judged) = (curve(&compared.reference), curve(&compared.judged));
        Self { reference, judged, percents }
    }
}

/// The reason to report about a figure.
fn reason(comparison: &Comparison, compared: &Compared) -> Option<String> {
    let paired = comparison.paired?;
    let Paired { ratio, interval: (low, high), pairs, .. } = paired;
    let over = match compared.unit {
        Unit::Pairs => format!("{pairs} pairs"),
        Unit::Runs => format!("{pairs} runs, {} before", compared.reference.len()),
    };
    let (observed, baseline) = (comparison.observed?, comparison.baseline?);
    let figures = format!(
        "{observed} against {baseline}, {} ({} to {}) over {over}",
        percent(ratio),
        percent(low),
        percent(high),
    );
    let metric = comparison.metric;
    match paired.change {
        Change::Slower => Some(format!("{metric} is slower: {figures}")),
        Change::Faster => Some(format!("{metric} is faster: {figures}")),
        Change::Same if paired.withdrawn => {
            Some(format!("{metric} was slower at first and not again: {figures}"))
        }
        Change::Same => None,
    }
}

/// A ratio as a change: `+8.1 %`.
#[must_use]
pub(crate) fn percent(ratio: f64) -> String {
    let percent = (ratio - 1.0) * 100.0;
    if percent.is_finite() { format!("{percent:+.1} %") } else { "+∞".to_owned() }
}
