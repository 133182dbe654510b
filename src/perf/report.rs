//! A judgement and what was done about it, as data.

use serde_json::Value;

use super::baseline::Changes;
use super::judgement::{Judged, Judgement};

/// A judgement and what was done about it.
#[derive(Debug)]
pub(crate) struct Report<'r> {
    /// The verdict on the run, and its reasons.
    pub judgement: &'r Judgement,
    /// The file of the baseline.
    pub baseline: String,
    /// What an update of the baseline changed; none: none was requested, or it did not happen.
    pub update: Option<&'r Changes>,
    /// Facts of an own measurement.
    pub measured: Option<Value>,
}

impl Report<'_> {
    /// The word for the outcome of an endpoint.
    #[must_use]
    pub(crate) fn verdict_of(&self, judged: &Judged) -> &'static str {
        if self.update.is_some() { "recorded" } else { judged.outcome.as_str() }
    }
}
