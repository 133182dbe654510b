//! The `retention` of a workflow: what it keeps of its own executions.

use std::time::Duration;

use serde::ser::SerializeMap;
use serde::{Serialize, Serializer};

use crate::base::period::Period;

/// The largest `keep`.
pub(crate) const KEEP_MAX: u64 = 1_000_000_000;

/// The `retention` of a workflow. At least one limit is set; an execution goes once it is beyond
/// any of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RetentionPolicy {
    /// How many finished executions stay, from 1.
    pub keep: Option<u64>,
    /// How old executions become that succeeded.
    pub success: Option<Period>,
    /// How old executions become that failed, were cancelled or interrupted.
    pub failed: Option<Period>,
}

impl Serialize for RetentionPolicy {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        if let Some(keep) = self.keep {
            map.serialize_entry("keep", &keep)?;
        }
        for (key, age) in [("success", self.success), ("failed", self.failed)] {
            if let Some(age) = age {
                map.serialize_entry(key, &age_text(age))?;
            }
        }
        map.end()
    }
}

/// A duration in days where it is whole days, as people write ages: `180d`.
#[must_use]
pub(crate) fn age_text(age: Period) -> String {
    let day = Duration::from_secs(86_400);
    let duration = age.duration();
    let days = duration.as_secs() / day.as_secs();
    if days > 0 && duration.subsec_nanos() == 0 && duration.as_secs().is_multiple_of(day.as_secs())
    {
        format!("{days}d")
    } else {
        age.to_string()
    }
}

/// What the start of an execution says of the retention of its workflow.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StartRetention {
    /// It runs the workflow as that is defined now: this is its retention from now on.
    Defines(Option<RetentionPolicy>),
    /// It runs an earlier definition again, and what is stored of the workflow applies.
    Follows,
    /// Its definition came with a request and says nothing of the workflow of the same id.
    AdHoc,
}
