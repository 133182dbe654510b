//! Whether two runs were made under equal conditions: figures of another machine, rate or tool
//! differ for other reasons than the code.

use super::baseline::{Baseline, Circumstances};
use super::judgement::{Comparison, Judgement, Metric, Policy};
use super::tolerance::Tolerance;

/// Rates that differ by less count as equal.
const RATE_SHARE: f64 = 0.05;

/// How the conditions of the run differ from those of the baseline, in a sentence each.
#[must_use]
pub(crate) fn differences(
    judgement: &Judgement,
    baseline: &Baseline,
    now: &Circumstances,
) -> Vec<String> {
    let mut found: Vec<String> = Vec::new();
    let mut add = |text: String| {
        if !found.contains(&text) {
            found.push(text);
        }
    };
    for judged in &judgement.endpoints {
        let Some(entry) = baseline.get(&judged.observed.endpoint) else { continue };
        let then = &entry.circumstances;
        if let (Some(then), Some(now)) = (&then.machine, &now.machine)
            && then != now
        {
            add(format!(
                "the baseline was recorded on another machine ({then}), this one is {now}: \
                 differences may be the machine's"
            ));
        }
        if let Some(then) = &then.source
            && *then != judgement.source.name
        {
            let now = &judgement.source.name;
            add(format!("the baseline was measured by {then}, this run by {now}"));
        }
        if judgement.source.own
            && let (Some(then), Some(now)) = (then.rate, judged.observed.rate)
            && (then - now).abs() > RATE_SHARE * then
        {
            let endpoint = &judged.observed.endpoint;
            add(format!(
                "the baseline of {endpoint} was recorded at {then}/s, this run is {now}/s"
            ));
        }
    }
    found
}

/// Warnings about tolerances that are larger than the latency they guard: one for each metric.
#[must_use]
pub(crate) fn wide_tolerances(judgement: &Judgement, policy: &Policy) -> Vec<String> {
    let of = |wanted: Metric| {
        let wide: Vec<(&str, Comparison)> = judgement
            .endpoints
            .iter()
            .flat_map(|judged| {
                let endpoint = judged.observed.endpoint.as_str();
                judged.comparisons.iter().map(move |comparison| (endpoint, *comparison))
            })
            .filter(|(endpoint, comparison)| {
                let tolerance = policy.tolerance(endpoint, comparison.metric);
                comparison.metric == wanted
                    && matches!(tolerance, Tolerance::Absolute(_))
                    && comparison.baseline.is_some_and(|baseline| comparison.tolerance > baseline)
            })
            .collect();
        let (endpoint, first) = *wide.first()?;
        let baseline = first.baseline?;
        let more = match wide.len() - 1 {
            0 => String::new(),
            more => format!(" (and {more} more)"),
        };
        Some(format!(
            "{endpoint}: the {wanted} of {baseline} may become {}, since the tolerance of {} is \
             larger than it{more}: --tolerance-{wanted} 10% guards it",
            baseline.plus(first.tolerance),
            first.tolerance,
        ))
    };
    [Metric::Median, Metric::P95].into_iter().filter_map(of).collect()
}

#[cfg(test)]
mod tests {
    use super::super::baseline::Entry;
    use super::super::filter::Filter;
    use super::super::stats::Latency;
    use super::super::verdict::judge;
    use super::*;
    use crate::perf::judgement::{Observed, Policy, Reading, Run, Source};

    #[test]
    fn another_machine_tool_or_rate_is_reported_once() {
        let latency = Latency::from_nanos(1);
        let circumstances = |machine: &str, rate: f64| Circumstances {
            machine: Some(machine.to_owned()),
            rate: Some(rate),
            source: Some("wfx".to_owned()),
            ..Circumstances::default()
        };
        let mut baseline = Baseline::default();
        baseline.update(["GET /a", "GET /b"].map(|endpoint| {
            (endpoint.to_owned(), Entry::new(latency, None, circumstances("old", 50.0)))
        }));
        let observed = |endpoint: &str| Observed {
            endpoint: endpoint.to_owned(),
            median: Reading::Value(latency),
            rate: Some(51.0),
            ..Observed::default()
        };
        let run = Run {
            source: Source { name: "wfx".to_owned(), own: true, ..Source::default() },
            endpoints: vec![observed("GET /a"), observed("GET /b")],
            doubts: Vec::new(),
            is_late: false,
        };
        let policy = Policy {
            tolerance_median: Tolerance::Absolute(latency),
            tolerance_p95: Tolerance::Absolute(latency),
            own_tolerances: std::collections::BTreeMap::new(),
            filter: Filter::default(),
            asked: Vec::new(),
            strict: false,
            error_rate_max: 0.0,
            samples_min: 1,
        };
        let mut judgement = judge(run, &baseline, &policy).unwrap();
        let warnings = differences(&judgement, &baseline, &circumstances("new", 51.0));
        assert_eq!(warnings.len(), 1, "{warnings:?}");
        assert!(warnings[0].contains("(old)") && warnings[0].contains("new"));
        judgement.source.name = "locust".to_owned();
        judgement.endpoints[0].observed.rate = Some(60.0);
        let warnings = differences(&judgement, &baseline, &circumstances("old", 0.0));
        assert_eq!(warnings.len(), 2, "{warnings:?}");
    }
}
