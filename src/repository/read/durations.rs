//! How long steps took.

use std::collections::BTreeMap;

/// Milliseconds of each run, by workflow and step.
pub(crate) type StepDurations = BTreeMap<(String, String), Vec<u64>>;
