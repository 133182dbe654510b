//! k6's summary: `--summary-export FILE`, or what `handleSummary` is given, where the
//! figures lie one level deeper in `values`. Milliseconds.
//!
//! k6 states an endpoint only where a threshold names it: the metric is then
//! `http_req_duration{name:GET /x}`, of the tags `name` or `url`, and `method`. Without
//! any, the figures are of all requests, and `--endpoint` names them.

use serde_json::{Map, Value};

use super::super::verdict::{Observed, Rounding, Run, Source};
use super::SourceError;
use super::json::{count, latency, named};

type Metrics = Map<String, Value>;

const DURATION: &str = "http_req_duration";

pub(super) fn read(metrics: &Metrics, endpoint: Option<&str>) -> Result<Run, SourceError> {
    let mut endpoints: Vec<Observed> = Vec::new();
    for metric in metrics.keys() {
        let tags = metric.strip_prefix(DURATION).unwrap_or_default();
        let Some(endpoint) = endpoint_of(tags) else { continue };
        if endpoints.iter().any(|other| other.endpoint == endpoint) {
            return Err(SourceError::new(
                format!("`{endpoint}` stands there twice, the second time as `{metric}`"),
                "let thresholds name each endpoint once, by `name` or `url`, and `method`",
            ));
        }
        endpoints.push(observed(metrics, tags, endpoint)?);
    }
    if endpoints.is_empty() {
        if !metrics.contains_key(DURATION) {
            return Err(SourceError::new(
                format!("k6's summary has no `{DURATION}`: it made no HTTP request"),
                "let the script make requests with k6/http",
            ));
        }
        endpoints.push(observed(metrics, "", named(endpoint, "k6's summary")?)?);
    }
    let dropped = values(metrics, "dropped_iterations")
        .and_then(|values| values.get("count")?.as_u64())
        .filter(|count| *count > 0);
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
        doubts: dropped
            .map(|count| format!("k6 dropped {count} iterations: its rate was not reached"))
            .into_iter()
            .collect(),
    })
}

fn observed(metrics: &Metrics, tags: &str, endpoint: String) -> Result<Observed, SourceError> {
    let empty = Map::new();
    let duration = values(metrics, &format!("{DURATION}{tags}")).unwrap_or(&empty);
    let reqs = values(metrics, &format!("http_reqs{tags}"));
    // Where k6 does not tell an endpoint's failures, any endpoint may have had them.
    let failed = values(metrics, &format!("http_req_failed{tags}"))
        .or_else(|| values(metrics, "http_req_failed"));
    let failed = |key: &str| failed.map_or(Ok(None), |failed| count(failed, key));
    // The metric is "failed": a pass is a request that failed.
    let errors = failed("passes")?.unwrap_or_default();
    let good = failed("fails")?.unwrap_or_default();
    let counted = reqs.map_or(Ok(None), |reqs| count(reqs, "count"))?;
    // k6 writes zeroes for an endpoint that got no request.
    let none = duration.get("max").and_then(Value::as_f64) == Some(0.0);
    Ok(Observed {
        endpoint,
        median: latency(duration, "med", 1.0),
        p95: latency(duration, "p(95)", 1.0),
        samples: if none { Some(0) } else { count(duration, "count")?.or(counted) },
        requests: errors + good,
        errors,
        error_kinds: Vec::new(),
        rate: reqs.and_then(|reqs| reqs.get("rate")?.as_f64()),
        p99: None,
        max: None,
        shape: Vec::new(),
    })
}

/// The figures of a metric, in either shape.
fn values<'m>(metrics: &'m Metrics, name: &str) -> Option<&'m Metrics> {
    let metric = metrics.get(name)?.as_object()?;
    metric.get("values").and_then(Value::as_object).or(Some(metric))
}

/// `{name:/x,method:POST}` is `POST /x`; none where the tags name no endpoint.
fn endpoint_of(tags: &str) -> Option<String> {
    let inner = tags.strip_prefix('{')?.strip_suffix('}')?;
    let mut pairs: Vec<(&str, String)> = Vec::new();
    for piece in inner.split(',') {
        match (piece.split_once(':'), pairs.last_mut()) {
            (Some((tag, value)), _) if is_tag(tag) => pairs.push((tag.trim(), value.to_owned())),
            // A comma within a value.
            (_, Some((_, value))) => {
                value.push(',');
                value.push_str(piece);
            }
            _ => return None,
        }
    }
    let tag = |name: &str| {
        let found = pairs.iter().find(|(tag, _)| *tag == name);
        found.map(|(_, value)| value.trim().to_owned())
    };
    let what = tag("name").or_else(|| tag("url"))?;
    let path = match what.split_once("://").map(|(_, rest)| rest) {
        Some(rest) => rest.find('/').map_or("/", |at| &rest[at..]).to_owned(),
        None => what,
    };
    Some(match tag("method") {
        Some(method) if !path.starts_with(&format!("{method} ")) => format!("{method} {path}"),
        _ => path,
    })
}

fn is_tag(text: &str) -> bool {
    let text = text.trim();
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
}
