//! The verdict: a run and a baseline give the outcome of each endpoint and of the run.
//!
//! A regression is `observed − baseline > tolerance`, on the median or on p95. What
//! makes a comparison worthless is a [`Incomparable`] and no verdict: a gate that silently
//! compares nothing would let everything pass.

use std::collections::BTreeSet;

use super::baseline::{Baseline, Circumstances, Entry};
use super::filter::Filter;
pub(crate) use super::incomparable::Incomparable;
use super::judgement::{
    Comparison, Judged, Judgement, Metric, Observed, Outcome, Policy, Reading, Run, Source,
    Verdict, are_too_many,
};
use super::stats::Latency;

/// The warning that there was nothing to compare with.
pub(crate) const NOTHING_JUDGED: &str = "no endpoint has a baseline: nothing was judged";

/// Checks that `filter` tracks one of the endpoints that are to be measured.
///
/// # Errors
/// [`Incomparable::Filter`].
pub(crate) fn check_filter(
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

/// Checks that something was judged, with `baseline` or without one.
///
/// # Errors
/// [`Incomparable::NothingJudged`]: such a gate would let everything pass.
pub(crate) fn check_judged(
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

/// The entries that replace those in the baseline.
#[must_use]
pub(crate) fn entries(
    judgement: &Judgement,
    circumstances: &Circumstances,
) -> Vec<(String, Entry)> {
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
        let detectable = tolerance.plus(source.rounding.error(slowest));
        let comparison =
            Comparison { metric, observed: value, baseline, tolerance, detectable, paired: None };
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
