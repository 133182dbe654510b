//! What a simulation found, as JSON.

use serde_json::{Number, Value, json};

use crate::slo::Indicator;
use crate::slo::payload::number;
use crate::slo::report::Report;

/// `{"summary":{…},"alerts":[…],"breaches":[…]}`: times in seconds as in the trace, rates
/// as shares, latencies in seconds.
#[must_use]
pub fn document(report: &Report) -> Value {
    let found = &report.found;
    let alerts = found.alerts.iter().zip(&report.paths).map(|(alert, path)| {
        json!({
            "type": alert.indicator.alert_type(),
            "t": seconds(alert.t_us),
            "value": number(alert.value),
            "threshold": threshold(found.policy.threshold(alert.indicator)),
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
        "summary": summary(report),
        "alerts": alerts.collect::<Vec<_>>(),
        "breaches": breaches.collect::<Vec<_>>(),
    })
}

fn summary(report: &Report) -> Value {
    let totals = &report.found.totals;
    let mut summary = json!({
        "source": report.source,
        "requests": totals.requests,
        "requests_4xx": totals.c4xx,
        "requests_5xx": totals.c5xx,
        "from": seconds(totals.from_us),
        "to": seconds(totals.to_us),
        "alerts": report.alerts(),
        "breaches": report.breaches(),
        "min_samples": report.found.policy.min_samples,
        "cooldown_seconds": number(report.found.policy.cooldown.as_secs_f64()),
        "signals": Indicator::ALL.map(|indicator| signal(report, indicator)),
    });
    if let Some(summary) = summary.as_object_mut() {
        summary.extend(report.facts.clone());
    }
    summary
}

/// A threshold; null when it is off.
fn threshold(threshold: Option<f64>) -> Value {
    threshold.map_or(Value::Null, number)
}

fn signal(report: &Report, indicator: Indicator) -> Value {
    let outcome = report.found.outcomes[indicator as usize];
    let mut fields = json!({
        "type": indicator.alert_type(),
        "threshold": threshold(report.found.policy.threshold(indicator)),
        "window_seconds": number(report.found.policy.window_seconds(indicator)),
        "peak": number(outcome.peak),
        "judged": outcome.judged,
        "breaches": outcome.breaches,
        "breached_seconds": seconds(outcome.breached_us),
        "alerts": outcome.alerts,
        "cooled_down": outcome.cooled_down,
        "held_back": outcome.suppressed,
    });
    if let (Indicator::LatencyP95, Some(fields)) = (indicator, fields.as_object_mut()) {
        fields.insert("unknown".to_owned(), report.found.totals.unknown_latency.into());
        fields.insert("unknown_share".to_owned(), number(report.unknown_share()));
    }
    fields
}

/// Microseconds as seconds, exactly, without zeros at the end.
fn seconds(micros: u64) -> Value {
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
