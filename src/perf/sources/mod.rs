//! Results of other load tools, recognised by header and shape.
//!
//! Each file reads one tool's format. Figures are taken as the tool reports them, with their
//! properties (how they are rounded, whether a stalled target hides).

mod json;
mod k6;
mod k6_points;
mod locust;
mod members;
mod oha;

use super::judgement::{Reading, Run};
use super::stats::Latency;

/// The longest file that is read, in bytes.
pub(crate) const BYTES_MAX: u64 = 256 * 1024 * 1024;

const READ: &str = "wfx reads Locust's `…_stats.csv`, oha's JSON (`oha --output-format json`) \
     and k6's summary (`k6 run --summary-export FILE`) or samples (`--out json=FILE`); or let it measure itself: --target URL";

/// Why a file cannot be taken.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct SourceError {
    message: String,
    hint: String,
}

impl SourceError {
    fn new(message: impl Into<String>, hint: impl Into<String>) -> Self {
        Self { message: message.into(), hint: hint.into() }
    }

    /// It is truncated or damaged.
    fn damaged(message: impl Into<String>) -> Self {
        Self::new(message, "the file is damaged or was not written to its end: measure again")
    }

    /// What can be done.
    #[must_use]
    pub fn hint(&self) -> &str {
        &self.hint
    }
}

/// Reads what a load tool wrote. `endpoint` names what was measured, for files that do
/// not.
///
/// # Errors
/// When it is of no known tool, damaged, or contains what cannot be relied on.
pub fn read(bytes: &[u8], endpoint: Option<&str>) -> Result<Run, SourceError> {
    let bytes = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes);
    if bytes.starts_with(b"\xff\xfe") || bytes.starts_with(b"\xfe\xff") {
        let hint = "write it as UTF-8, which `>` of PowerShell 5 does not";
        return Err(SourceError::new("it is UTF-16", hint));
    }
    let mut run = match bytes.iter().find(|byte| !byte.is_ascii_whitespace()) {
        None => Err(SourceError::new("it is empty", "let the load tool finish, or measure again")),
        Some(b'{' | b'[') => json::read(bytes, endpoint),
        Some(_) => locust::read(bytes),
    }?;
    // Tools write 0 for the median of nothing, which would be faster than any baseline.
    for observed in run.endpoints.iter_mut().filter(|observed| observed.samples == Some(0)) {
        for reading in [&mut observed.median, &mut observed.p95] {
            if let Reading::Value(value) = reading {
                *reading = Reading::Bad(format!("{value}, of no request"));
            }
        }
    }
    Ok(run)
}

/// A number of milliseconds as text.
fn reading(text: &str) -> Reading {
    let latency = text.trim().parse().ok().and_then(Latency::from_ms);
    latency.map_or_else(|| Reading::Bad(text.trim().to_owned()), Reading::Value)
}

#[cfg(test)]
mod tests;
