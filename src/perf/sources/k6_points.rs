//! k6's samples one by one: `k6 run --out json=FILE`, a JSON object on each line.
//!
//! A latency is a point of `http_req_duration`; one of `http_req_failed` is 1 for a request that
//! failed. Endpoints are distinguished by the tags `name` (that is the URL where the script gives
//! none) and `method`.

use std::collections::BTreeMap;

use serde::Deserialize;

use super::super::stats::{self, Latency};
use super::SourceError;
use super::k6::{self, Tagged};
use crate::perf::judgement::{Observed, Reading, Rounding, Run, Source};

#[derive(Deserialize)]
struct Line<'a> {
    #[serde(rename = "type")]
    kind: &'a str,
    metric: &'a str,
    data: Option<Data>,
}

#[derive(Deserialize)]
struct Data {
    value: Option<f64>,
    tags: Option<BTreeMap<String, String>>,
}

/// The points of an endpoint.
struct Seen {
    tagged: Tagged,
    nanos: Vec<u64>,
    failed: u64,
}

/// Whether the first line is one of these.
pub(super) fn is_of(text: &str) -> bool {
    let first = text.lines().find(|line| !line.trim().is_empty()).unwrap_or_default();
    serde_json::from_str::<Line<'_>>(first)
        .is_ok_and(|line| matches!(line.kind, "Metric" | "Point") && !line.metric.is_empty())
}

pub(super) fn read(text: &str) -> Result<Run, SourceError> {
    let mut seen: BTreeMap<String, Seen> = BTreeMap::new();
    let mut dropped = 0.0;
    for (number, line) in (1..).zip(text.lines()) {
        if line.trim().is_empty() {
            continue;
        }
        let damaged = |why: &str| SourceError::damaged(format!("line {number}: {why}"));
        let parsed: Line<'_> = serde_json::from_str(line)
            .map_err(|error| damaged(&format!("it is no point of k6: {error}")))?;
        if parsed.kind != "Point" {
            continue;
        }
        let value = parsed.data.as_ref().and_then(|data| data.value);
        let value = || value.ok_or_else(|| damaged("its point has no value"));
        match parsed.metric {
            "dropped_iterations" => dropped += value()?,
            "http_req_duration" => {
                let latency =
                    Latency::from_ms(value()?).ok_or_else(|| damaged("its value is no latency"))?;
                let endpoint = endpoint(parsed.data)
                    .ok_or_else(|| damaged("its tags have neither `name` nor `url`"))?;
                of(&mut seen, endpoint).nanos.push(latency.as_nanos());
            }
            "http_req_failed" if value()? > 0.0 => {
                let endpoint = endpoint(parsed.data)
                    .ok_or_else(|| damaged("its tags have neither `name` nor `url`"))?;
                of(&mut seen, endpoint).failed += 1;
            }
            _ => {}
        }
    }
    if seen.is_empty() {
        return Err(SourceError::new(
            "k6's samples have no `http_req_duration`: it made no HTTP request",
            "let the script make requests with k6/http",
        ));
    }
    let tagged: Vec<Tagged> = seen.values().map(|one| one.tagged.clone()).collect();
    let names = k6::short_names(&tagged);
    let endpoints = seen.into_values().zip(names).map(|(one, name)| observed(one, name)).collect();
    Ok(Run {
        source: Source {
            name: "k6".to_owned(),
            own: false,
            coordinated_omission: true,
            rounding: Rounding::None,
            notes: vec![
                "k6 counts a latency from when the request was sent, not from when it was due"
                    .to_owned(),
            ],
        },
        endpoints,
        doubts: (dropped > 0.0)
            .then(|| format!("k6 dropped {dropped} iterations: its rate was not reached"))
            .into_iter()
            .collect(),
        is_late: false,
    })
}

fn endpoint(data: Option<Data>) -> Option<Tagged> {
    let tags = data?.tags?;
    let what = tags.get("name").filter(|name| !name.is_empty()).or_else(|| tags.get("url"))?;
    Some(k6::of_parts(what, tags.get("method").map(String::as_str)))
}

fn of(seen: &mut BTreeMap<String, Seen>, tagged: Tagged) -> &mut Seen {
    seen.entry(tagged.whole().to_owned()).or_insert_with(|| Seen {
        tagged,
        nanos: Vec::new(),
        failed: 0,
    })
}

fn observed(mut one: Seen, endpoint: String) -> Observed {
    one.nanos.sort_unstable();
    let reading = |latency: Option<Latency>| latency.map_or(Reading::Absent, Reading::Value);
    let samples = one.nanos.len() as u64;
    Observed {
        endpoint,
        median: reading(stats::median(&one.nanos)),
        p95: reading(stats::percentile(&one.nanos, 95)),
        p99: stats::percentile(&one.nanos, 99),
        max: one.nanos.last().copied().map(Latency::from_nanos),
        samples: Some(samples),
        requests: samples.max(one.failed),
        errors: one.failed,
        error_kinds: Vec::new(),
        rate: None,
        shape: Vec::new(),
    }
}
