//! The body of an alert: the JSON that a webhook receives.

use serde_json::{Map, Number, Value};

use super::engine::Alert;
use crate::base::timestamp::Timestamp;

/// An alert of wfx, with the path of the request that tipped it (without query), and how many
/// requests it was judged by:
///
/// ```json
/// {"type":"slo_5xx_error_rate_breach","error_rate_5xx":0.08,"threshold":0.05,
///  "window_seconds":300,"timestamp":"2026-01-01T00:00:00.000000Z","path":"/api/v1/ping",
///  "samples":100}
/// ```
///
/// Latencies are in seconds. Fields are only ever added.
#[must_use]
pub(crate) fn payload(alert: &Alert, at: Timestamp, path: &str) -> Map<String, Value> {
    Map::from_iter([
        ("type".to_owned(), alert.indicator.alert_type().into()),
        (alert.indicator.field().to_owned(), number(alert.value)),
        ("threshold".to_owned(), number(alert.threshold)),
        ("window_seconds".to_owned(), number(alert.window_seconds)),
        ("timestamp".to_owned(), at.to_string().into()),
        ("path".to_owned(), path.into()),
        ("samples".to_owned(), alert.samples.into()),
    ])
}

/// A number as JSON, a whole one without a decimal point; null if it is not finite (a threshold
/// beyond all numbers).
#[must_use]
pub(crate) fn number(value: f64) -> Value {
    // In the form of Display: the shortest text that is read back as the same number.
    match Number::from_f64(value) {
        Some(_) => value.to_string().parse().map_or(Value::Null, Value::Number),
        None => Value::Null,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::slo::Indicator;

    #[test]
    fn it_has_the_fields_of_the_predecessor_in_their_order() {
        let alert = Alert {
            indicator: Indicator::LatencyP95,
            t_us: 0,
            value: 0.8125,
            threshold: 0.75,
            window_seconds: 300.0,
            samples: 40,
        };
        let json = Value::Object(payload(&alert, Timestamp::from_micros(1_500_000), "/x"));
        assert_eq!(
            json.to_string(),
            r#"{"type":"slo_latency_p95_breach","latency_p95":0.8125,"threshold":0.75,"window_seconds":300,"timestamp":"1970-01-01T00:00:01.500000Z","path":"/x","samples":40}"#
        );
    }

    #[test]
    fn numbers_are_written_as_people_write_them() {
        for (value, text) in [(0.05, "0.05"), (300.0, "300"), (1e-7, "0.0000001"), (0.0, "0")] {
            assert_eq!(number(value).to_string(), text);
        }
        assert_eq!(number(f64::INFINITY), Value::Null);
    }
}
