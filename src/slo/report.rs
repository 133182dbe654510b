//! What a rehearsal found, as people and programs are told of it.

use serde_json::{Map, Number, Value, json};

use super::indicator::Indicator;
use super::payload::number;
use super::simulation::{Found, Sent};

/// What was judged, and what came of it.
#[derive(Debug)]
pub struct Report {
    /// The names of the files, or of the scenario.
    pub source: String,
    /// What came of it; each alert with the path of its request, where that is known.
    pub found: Found<()>,
    /// As long as the alerts of `found`.
    pub paths: Vec<Option<String>>,
    /// Whether times count from the Unix epoch.
    pub is_epoch: bool,
    /// Further fields of the summary: how the source was read.
    pub facts: Map<String, Value>,
}

impl Report {
    /// The same, with the paths found by the places of the alerts.
    pub fn new<P: Copy>(
        source: String,
        found: Found<P>,
        mut path: impl FnMut(P) -> Option<String>,
    ) -> Self {
        let paths = found.alerts.iter().map(|alert| path(alert.place)).collect();
        let alerts = found.alerts.iter().map(|alert| Sent {
            indicator: alert.indicator,
            t_us: alert.t_us,
            value: alert.value,
            samples: alert.samples,
            place: (),
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

    /// `{"summary":{…},"alerts":[…],"breaches":[…]}`: times in seconds as in the trace, rates
    /// as shares, latencies in seconds.
    #[must_use]
    pub fn to_json(&self) -> Value {
        let found = &self.found;
        let alerts = found.alerts.iter().zip(&self.paths).map(|(alert, path)| {
            json!({
                "type": alert.indicator.alert_type(),
                "t": seconds(alert.t_us),
                "value": number(alert.value),
                "threshold": number(found.policy.threshold(alert.indicator)),
                "window_seconds": number(found.policy.window_seconds(alert.indicator)),
                "path": path,
                "samples": alert.samples,
            })
        });
        let breaches = found.breaches.iter().map(|breach| {
            json!({
                "type": breach.indicator.alert_type(),
                "from": seconds(breach.from_us),
                "to": seconds(breach.to_us),
                "peak": number(breach.peak),
                "is_open": breach.is_open,
            })
        });
        json!({
            "summary": self.summary(),
            "alerts": alerts.collect::<Vec<_>>(),
            "breaches": breaches.collect::<Vec<_>>(),
        })
    }

    fn summary(&self) -> Value {
        let totals = &self.found.totals;
        let mut summary = json!({
            "source": self.source,
            "requests": totals.requests,
            "requests_4xx": totals.c4xx,
            "requests_5xx": totals.c5xx,
            "from": seconds(totals.from_us),
            "to": seconds(totals.to_us),
            "alerts": self.alerts(),
            "breaches": self.breaches(),
            "min_samples": self.found.policy.min_samples,
            "cooldown_seconds": number(self.found.policy.cooldown.as_secs_f64()),
            "signals": Indicator::ALL.map(|indicator| self.indicator(indicator)),
        });
        if let Some(summary) = summary.as_object_mut() {
            summary.extend(self.facts.clone());
        }
        summary
    }

    fn indicator(&self, indicator: Indicator) -> Value {
        let outcome = self.found.outcomes[indicator as usize];
        let mut fields = json!({
            "type": indicator.alert_type(),
            "threshold": number(self.found.policy.threshold(indicator)),
            "window_seconds": number(self.found.policy.window_seconds(indicator)),
            "peak": number(outcome.peak),
            "judged": outcome.judged,
            "breaches": outcome.breaches,
            "breached_seconds": seconds(outcome.breached_us),
            "alerts": outcome.alerts,
            "cooled_down": outcome.cooled_down,
            "held_back": outcome.suppressed,
        });
        if let (Indicator::LatencyP95, Some(fields)) = (indicator, fields.as_object_mut()) {
            fields.insert("unknown".to_owned(), self.found.totals.unknown_latency.into());
            fields.insert("unknown_share".to_owned(), number(self.unknown_share()));
        }
        fields
    }

    /// The share of requests of which the latency is not known.
    #[must_use]
    pub fn unknown_share(&self) -> f64 {
        let totals = &self.found.totals;
        totals.unknown_latency as f64 / totals.requests.max(1) as f64
    }
}

/// Microseconds as seconds, exactly, without zeros at the end.
#[must_use]
pub fn seconds(micros: u64) -> Value {
    let (whole, fraction) = (micros / 1_000_000, micros % 1_000_000);
    if fraction == 0 {
        return whole.into();
    }
    let text = format!("{whole}.{fraction:06}");
    Value::Number(Number::from_string_unchecked(text.trim_end_matches('0').to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_keep_their_digits() {
        for (micros, text) in [
            (0, "0"),
            (1_767_225_600_000_000, "1767225600"),
            (1_767_225_600_123_450, "1767225600.12345"),
            (1, "0.000001"),
        ] {
            assert_eq!(seconds(micros).to_string(), text);
        }
    }
}
