//! Members of the JSON documents of load tools.

use serde_json::{Map, Value};

use super::super::stats::Latency;
use super::SourceError;
use crate::perf::judgement::Reading;

/// The member as a latency, given its unit in milliseconds.
pub(super) fn latency(of: &Map<String, Value>, key: &str, unit_ms: f64) -> Reading {
    let Some(value) = of.get(key) else { return Reading::Absent };
    value
        .as_f64()
        .and_then(|number| Latency::from_ms(number * unit_ms))
        .map_or_else(|| Reading::Bad(value.to_string()), Reading::Value)
}

/// The member as a count; none if it is absent.
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
