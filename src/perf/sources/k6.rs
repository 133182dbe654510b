//! k6's summary: `--summary-export FILE`, or the argument of `handleSummary`, in which the figures
//! are one level deeper in `values`. Milliseconds.
//!
//! k6 states an endpoint only where a threshold names it: the metric is then
//! `http_req_duration{name:GET /x}`, of the tags `name` or `url`, and `method`. Without
//! any, the figures are of all requests, and `--endpoint` names them. What has more tags is
//! another endpoint where one without them stands beside it: `GET /x {status:200}`; hosts count
//! where two of them have the same path.
//!
//! `--new-machine-readable-summary` writes a list of metrics, which is read in the same way.

use serde_json::{Map, Value};

use super::SourceError;
use super::members::{count, latency, named};
use crate::perf::judgement::{Observed, Rounding, Run, Source};

type Metrics = Map<String, Value>;

const DURATION: &str = "http_req_duration";

pub(super) fn read(metrics: &Metrics, endpoint: Option<&str>) -> Result<Run, SourceError> {
    let tagged: Vec<(&str, Tagged)> = metrics
        .keys()
        .filter_map(|metric| {
            let tags = metric.strip_prefix(DURATION)?;
            Some((tags, tagged(tags)?))
        })
        .collect();
    let mut endpoints: Vec<Observed> = Vec::new();
    for ((tags, _), endpoint) in tagged.iter().zip(names(&tagged)) {
        if endpoints.iter().any(|other| other.endpoint == endpoint) {
            return Err(SourceError::new(
                format!("`{endpoint}` stands there twice, the second time as `{DURATION}{tags}`"),
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
        is_late: false,
    })
}

fn observed(metrics: &Metrics, tags: &str, endpoint: String) -> Result<Observed, SourceError> {
    let empty = Map::new();
    let duration = values(metrics, &format!("{DURATION}{tags}")).unwrap_or(&empty);
    let reqs = values(metrics, &format!("http_reqs{tags}"));
    // If k6 does not report an endpoint's failures, any endpoint may have had them.
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

/// The tags of a metric.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Tagged {
    /// Method and path, as far as they are there.
    endpoint: String,
    /// The same with scheme and host.
    whole: String,
    /// All other tags, sorted.
    others: Vec<String>,
}

/// `{name:/x,method:POST}` is `POST /x`; none where the tags name no endpoint.
fn tagged(tags: &str) -> Option<Tagged> {
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
        found.map(|(_, value)| value.trim())
    };
    let mut others: Vec<String> = pairs
        .iter()
        .filter(|(name, _)| !["name", "url", "method"].contains(name))
        .map(|(name, value)| format!("{name}:{}", value.trim()))
        .collect();
    others.sort_unstable();
    let what = tag("name").or_else(|| tag("url"))?;
    Some(Tagged { others, ..of_parts(what, tag("method")) })
}

/// An endpoint by its name or URL, which may have a method before it, and its method.
pub(super) fn of_parts(what: &str, method: Option<&str>) -> Tagged {
    let (verb, what) = match what.split_once(' ') {
        Some((verb, rest)) if is_method(verb) => (Some(verb), rest.trim_start()),
        _ => (None, what),
    };
    let path = match what.split_once("://") {
        Some((scheme, rest)) if scheme.bytes().all(|byte| byte.is_ascii_alphanumeric()) => {
            rest.find('/').map_or("/", |at| &rest[at..])
        }
        _ => what,
    };
    let with_verb = |text: &str| match verb.or(method) {
        Some(verb) => format!("{verb} {text}"),
        None => text.to_owned(),
    };
    Tagged { endpoint: with_verb(path), whole: with_verb(what), others: Vec::new() }
}

/// A method as names have it: capital letters.
fn is_method(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_uppercase())
}

/// The shortest names that distinguish them.
fn names(tagged: &[(&str, Tagged)]) -> Vec<String> {
    let alike = |of: &dyn Fn(&Tagged) -> &String, one: &Tagged| {
        tagged.iter().filter(|(_, other)| of(other) == of(one)).collect::<Vec<_>>()
    };
    let name = |one: &Tagged| {
        let same_path = alike(&|tagged| &tagged.endpoint, one);
        let has_hosts = same_path.iter().any(|(_, other)| other.whole != one.whole);
        let (name, same) = if has_hosts {
            (&one.whole, alike(&|tagged| &tagged.whole, one))
        } else {
            (&one.endpoint, same_path)
        };
        if same.len() == 1 || one.others.is_empty() {
            return name.clone();
        }
        format!("{name} {{{}}}", one.others.join(","))
    };
    tagged.iter().map(|(_, one)| name(one)).collect()
}

/// The short names of endpoints that were observed one by one, by what they are called as a
/// whole.
pub(super) fn short_names(endpoints: &[Tagged]) -> Vec<String> {
    let tagged: Vec<(&str, Tagged)> = endpoints.iter().map(|one| ("", one.clone())).collect();
    names(&tagged)
}

impl Tagged {
    /// The tag that distinguishes it from all others.
    pub(super) fn whole(&self) -> &str {
        &self.whole
    }
}

/// The metrics of `--new-machine-readable-summary`, as those of the other summaries are.
pub(super) fn of_list(document: &Value) -> Option<Metrics> {
    let mut metrics = Metrics::new();
    add_listed(document.get("results")?.get("metrics")?, &mut metrics)?;
    Some(metrics)
}

fn add_listed(list: &Value, metrics: &mut Metrics) -> Option<()> {
    for metric in list.as_array()? {
        let metric = metric.as_object()?;
        let name = metric.get("name")?.as_str()?;
        metrics.insert(name.to_owned(), Value::Object(metric.clone()));
        for key in ["submetrics", "sub_metrics"] {
            if let Some(list) = metric.get(key).filter(|list| list.is_array()) {
                add_listed(list, metrics)?;
            }
        }
    }
    Some(())
}

fn is_tag(text: &str) -> bool {
    let text = text.trim();
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
}
