//! A judgement as JSON.

use serde_json::{Map, Value, json};

use crate::perf::judgement::{Comparison, Judged, Metric};
use crate::perf::report::Report;

const NANOS_PER_MS: f64 = 1_000_000.0;

/// The document of `--format json` and `--summary`.
pub(crate) fn document(report: &Report<'_>) -> Value {
    let judgement = report.judgement;
    let endpoints: Map<String, Value> = judgement
        .endpoints
        .iter()
        .map(|judged| (judged.observed.endpoint.clone(), endpoint(report, judged)))
        .collect();
    json!({
        "verdict": judgement.verdict,
        "endpoints": endpoints,
        "baseline": report.baseline,
        "source": judgement.source,
        "untracked": judgement.untracked,
        "doubts": judgement.doubts,
        "warnings": judgement.warnings,
        "update": report.update,
        "measured": report.measured,
    })
}

fn endpoint(report: &Report<'_>, judged: &Judged) -> Value {
    let observed = &judged.observed;
    let each = |figure: fn(&Comparison) -> Value| -> Value {
        let figures = judged.comparisons.iter().map(|c| (field(c.metric), figure(c)));
        figures.filter(|(_, figure)| !figure.is_null()).collect::<Map<_, _>>().into()
    };
    let baseline = each(|comparison| json!(comparison.baseline));
    let has_baseline = baseline.as_object().is_some_and(|figures| !figures.is_empty());
    json!({
        "median_ms": observed.median.value(),
        "p95_ms": observed.p95.value(),
        "p99_ms": observed.p99,
        "max_ms": observed.max,
        "samples": observed.samples,
        "requests": observed.requests,
        "errors": observed.errors,
        "error_kinds": observed.error_kinds.iter().cloned().collect::<indexmap::IndexMap<_, _>>(),
        "rate": observed.rate,
        "baseline": if has_baseline { baseline } else { Value::Null },
        "delta": each(|comparison| json!(comparison.delta().map(|d| d as f64 / NANOS_PER_MS))),
        "tolerance": each(|comparison| match comparison.paired {
            Some(_) => Value::Null,
            None => json!(comparison.tolerance),
        }),
        "paired": each(|comparison| json!(comparison.paired)),
        "sees": each(|comparison| match comparison.detectable_percent() {
            Some(percent) => json!({"ms": comparison.detectable, "percent": percent}),
            None => Value::Null,
        }),
        "verdict": report.verdict_of(judged),
        "reasons": judged.reasons,
    })
}

/// The lines of `--format jsonl`: one for each endpoint, with its name.
pub(crate) fn lines(report: &Report<'_>) -> Vec<Map<String, Value>> {
    let document = document(report);
    let endpoints = document["endpoints"].as_object().into_iter().flatten();
    let line = |(endpoint, figures): (&String, &Value)| {
        let mut line = Map::new();
        line.insert("endpoint".to_owned(), endpoint.clone().into());
        line.extend(figures.as_object().cloned().unwrap_or_default());
        line
    };
    endpoints.map(line).collect()
}

/// The document that says why there is no judgement.
pub(crate) fn trouble(why: &str) -> Value {
    json!({"verdict": "error", "endpoints": {}, "error": why})
}

/// The name of a metric's field.
fn field(metric: Metric) -> String {
    format!("{metric}_ms")
}
