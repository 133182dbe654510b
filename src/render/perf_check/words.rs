//! A judgement in the words of tables, reports and Markdown.

use crate::perf::judgement::{Comparison, Judgement, Metric, Outcome, Verdict};
use crate::perf::paired::verdict::percent;
use crate::perf::stats::Latency;

/// What was measured, its baseline and the difference, as text.
pub(super) fn cells(comparison: Option<&Comparison>) -> [String; 3] {
    let text = |latency: Option<Latency>| latency.map(|l| l.to_string()).unwrap_or_default();
    let Some(comparison) = comparison else { return Default::default() };
    [
        text(comparison.observed),
        text(comparison.baseline),
        match comparison.paired {
            Some(paired) => percent(paired.ratio),
            None => comparison.delta().map(signed).unwrap_or_default(),
        },
    ]
}

fn signed(nanos: i64) -> String {
    let size = Latency::from_nanos(nanos.unsigned_abs());
    match nanos {
        0 => size.to_string(),
        1.. => format!("+{size}"),
        _ => format!("-{size}"),
    }
}

/// The verdict in a line.
pub(super) fn headline(judgement: &Judgement) -> String {
    let count = |outcome| judgement.endpoints.iter().filter(|j| j.outcome == outcome).count();
    let verdict = match judgement.verdict {
        Verdict::Pass => "pass",
        Verdict::Fail => "fail",
        Verdict::Inconclusive => "inconclusive",
    };
    let all = crate::base::units::count(judgement.endpoints.len() as u64, "endpoint");
    let mut parts = vec![all];
    for (outcome, word) in [
        (Outcome::Regression, "slower"),
        (Outcome::Errors, "failing"),
        (Outcome::Inconclusive, "inconclusive"),
        (Outcome::New, "new"),
    ] {
        if count(outcome) > 0 {
            parts.push(format!("{} {word}", count(outcome)));
        }
    }
    if judgement.untracked > 0 {
        parts.push(format!("{} not tracked", judgement.untracked));
    }
    format!("{verdict} ({})", parts.join(", "))
}

/// Why what did not pass did not, in a sentence each.
pub(crate) fn reasons(judgement: &Judgement) -> Vec<String> {
    let of_endpoints = judgement.endpoints.iter().flat_map(|judged| {
        let endpoint = &judged.observed.endpoint;
        judged.reasons.iter().map(move |reason| format!("{endpoint}: {reason}"))
    });
    judgement.doubts.iter().cloned().chain(of_endpoints).collect()
}

/// The smallest regression that this gate was certain to catch.
pub(super) fn sensitivity(judgement: &Judgement) -> Option<String> {
    let seen: Vec<String> = [Metric::Median, Metric::P95]
        .into_iter()
        .filter_map(|metric| {
            let (endpoint, comparison) = judgement.least_sensitive(metric)?;
            let percent = comparison.detectable_percent()?;
            Some(format!("{metric} +{} (+{percent:.0} % of {endpoint})", comparison.detectable))
        })
        .collect();
    if seen.is_empty() {
        return None;
    }
    Some(format!("the smallest regression this gate was sure to catch: {}", seen.join(", ")))
}
