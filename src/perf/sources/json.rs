//! Which tool wrote a JSON document.

use serde_json::Value;

use super::{READ, SourceError, k6, k6_points, oha};
use crate::perf::judgement::Run;

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
