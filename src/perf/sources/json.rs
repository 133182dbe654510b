//! Which tool wrote a JSON document.

use serde_json::{Map, Value};

use super::super::stats::Latency;
use super::super::verdict::{Reading, Run};
use super::{READ, SourceError, k6, k6_points, oha};

pub(super) fn read(bytes: &[u8], endpoint: Option<&str>) -> Result<Run, SourceError> {
    if let Ok(text) = std::str::from_utf8(bytes)
        && k6_points::is_of(text)
    {
        return k6_points::read(text);
    }
    let document: Value = serde_json::from_slice(bytes)
        .map_err(|error| SourceError::damaged(format!("it is no JSON: {error}")))?;
    let has = |key: &str| document.get(key).is_some();
    if has("latencyPercentiles") && has("summary") {
        return oha::read(&document, endpoint);
    }
    if let Some(Value::Object(metrics)) = document.get("metrics") {
        return k6::read(metrics, endpoint);
    }
    if let Some(metrics) = k6::of_list(&document) {
        return k6::read(&metrics, endpoint);
    }
    if has("latency") && has("requests") && has("connections") {
        return Err(SourceError::new(
            "it is of autocannon, whose percentiles are not of what it measured: it adds made-up \
             samples to correct for coordinated omission, which moves the median too",
            READ,
        ));
    }
    let tool = if has("latencies") && has("status_codes") {
        "it is of vegeta, which wfx does not read"
    } else if has("aggregate") {
        "it is of artillery, which wfx does not read"
    } else {
        "it is JSON of no load tool that wfx knows"
    };
    Err(SourceError::new(tool, READ))
}

/// The member as a latency, in units of so many milliseconds.
pub(super) fn latency(of: &Map<String, Value>, key: &str, unit_ms: f64) -> Reading {
    let Some(value) = of.get(key) else { return Reading::Absent };
    value
        .as_f64()
        .and_then(|number| Latency::from_ms(number * unit_ms))
        .map_or_else(|| Reading::Bad(value.to_string()), Reading::Value)
}

/// The member as a count; none where there is none.
///
/// # Errors
/// When it is something else: what is not understood is not zero.
pub(super) fn count(of: &Map<String, Value>, key: &str) -> Result<Option<u64>, SourceError> {
    let Some(value) = of.get(key) else { return Ok(None) };
    let damaged = || SourceError::damaged(format!("`{key}` is {value} and no whole number"));
    value.as_u64().map(Some).ok_or_else(damaged)
}

/// The endpoint of a file that does not name it.
pub(super) fn named(endpoint: Option<&str>, tool: &str) -> Result<String, SourceError> {
    endpoint.map(str::to_owned).ok_or_else(|| {
        SourceError::new(
            format!("{tool} does not say which endpoint it measured"),
            "name it, one only: --endpoint 'GET /path'",
        )
    })
}
