//! What a simulation found, as data.

use serde_json::{Map, Value};

use super::simulation::{Found, Sent};

/// What was judged, and the result.
#[derive(Debug)]
pub struct Report {
    /// The names of the files, or of the scenario.
    pub source: String,
    /// The result; each alert with the path of its request, if that is known.
    pub found: Found<()>,
    /// The path of each alert of `found`.
    pub paths: Vec<Option<String>>,
    /// Whether times count from the Unix epoch.
    pub is_epoch: bool,
    /// Further fields of the summary: how the source was read.
    pub facts: Map<String, Value>,
}

impl Report {
    /// A report with the path of each alert, looked up by `path`.
    pub fn new<P: Copy>(
        source: String,
        found: Found<P>,
        mut path: impl FnMut(P) -> Option<String>,
    ) -> Self {
        let paths = found.alerts.iter().map(|alert| path(alert.origin)).collect();
        let alerts = found.alerts.iter().map(|alert| Sent {
            indicator: alert.indicator,
            t_us: alert.t_us,
            value: alert.value,
            samples: alert.samples,
            origin: (),
        });
        let found = Found {
            alerts: alerts.collect(),
            policy: found.policy,
            breaches: found.breaches,
            outcomes: found.outcomes,
            timeline: found.timeline,
            totals: found.totals,
        };
        Self { source, found, paths, is_epoch: false, facts: Map::new() }
    }

    /// How many alerts were sent.
    #[must_use]
    pub fn alerts(&self) -> u64 {
        self.found.outcomes.iter().map(|outcome| outcome.alerts).sum()
    }

    /// How many breaches there were.
    #[must_use]
    pub fn breaches(&self) -> u64 {
        self.found.outcomes.iter().map(|outcome| outcome.breaches).sum()
    }

    /// The share of requests with unknown latency.
    #[must_use]
    pub fn unknown_share(&self) -> f64 {
        let totals = &self.found.totals;
        totals.unknown_latency as f64 / totals.requests.max(1) as f64
    }
}
