//! The metrics of the service levels.

use prometheus::{GaugeVec, IntCounterVec, IntGauge, Registry};

use super::total::Total;
use super::{counter, counters, gauge, gauges};
use crate::slo::Indicator;
use crate::slo::monitor::{Stand, Standings};

/// The collectors. Their label `signal` is the type of the alerts of an indicator.
pub(super) struct ServiceLevels {
    value: GaugeVec,
    threshold: GaugeVec,
    breached: GaugeVec,
    samples: GaugeVec,
    totals: [Totals; 4],
    pending: IntGauge,
    sent: Total,
    given_up: Total,
    failed_attempts: Total,
}

/// The counters of one indicator.
struct Totals {
    breaches: Total,
    suppressed: Total,
    alerts: Total,
}

impl ServiceLevels {
    pub(super) fn new(on: &Registry) -> prometheus::Result<Self> {
        let indicator = &["signal"];
        let breaches = counters(
            on,
            ("wfx_slo_breaches_total", "Times that a service level began to be missed."),
            indicator,
        )?;
        let suppressed = counters(
            on,
            ("wfx_slo_held_back_total", "Breaches not judged: too few requests in the window."),
            indicator,
        )?;
        let alerts =
            counters(on, ("wfx_slo_alerts_total", "Alerts that were decided."), indicator)?;
        let deliveries = counters(
            on,
            ("wfx_slo_alert_deliveries_total", "Alerts by what became of them."),
            &["outcome"],
        )?;
        Ok(Self {
            value: gauges(
                on,
                (
                    "wfx_slo_value",
                    "The rate, or the 95th percentile in seconds; absent without requests.",
                ),
                indicator,
            )?,
            threshold: gauges(on, ("wfx_slo_threshold", "From where on it is missed."), indicator)?,
            breached: gauges(on, ("wfx_slo_breached", "1 while it is missed, else 0."), indicator)?,
            samples: gauges(on, ("wfx_slo_samples", "Requests in the window."), indicator)?,
            totals: Indicator::ALL.map(|indicator| {
                let total =
                    |of: &IntCounterVec| Total::of(of.with_label_values(&[indicator.alert_type()]));
                Totals {
                    breaches: total(&breaches),
                    suppressed: total(&suppressed),
                    alerts: total(&alerts),
                }
            }),
            pending: gauge(
                on,
                ("wfx_slo_alerts_pending", "Alerts that wait for the webhook or are being sent."),
            )?,
            sent: Total::of(deliveries.with_label_values(&["sent"])),
            given_up: Total::of(deliveries.with_label_values(&["given_up"])),
            failed_attempts: Total::of(counter(
                on,
                (
                    "wfx_slo_alert_attempts_failed_total",
                    "Requests to the webhook that were not answered with a 2xx.",
                ),
            )?),
        })
    }

    pub(super) fn set(&self, now: &Standings) {
        for (stand, totals) in now.indicators.iter().zip(&self.totals) {
            let Stand { indicator, standing, threshold, samples } = stand;
            let label = &[indicator.alert_type()];
            match standing.value {
                Some(value) => self.value.with_label_values(label).set(value),
                // The series may not exist.
                None => _ = self.value.remove_label_values(label),
            }
            match threshold {
                Some(threshold) => self.threshold.with_label_values(label).set(*threshold),
                None => _ = self.threshold.remove_label_values(label),
            }
            let is_breached = standing.breached_since_us.is_some();
            self.breached.with_label_values(label).set(f64::from(u8::from(is_breached)));
            self.samples.with_label_values(label).set(*samples as f64);
            totals.breaches.reach(standing.breaches);
            totals.suppressed.reach(standing.suppressed);
            totals.alerts.reach(standing.alerts);
        }
        let deliveries = now.deliveries;
        self.pending.set(i64::try_from(deliveries.pending).unwrap_or(i64::MAX));
        self.sent.reach(deliveries.sent);
        self.given_up.reach(deliveries.given_up);
        self.failed_attempts.reach(deliveries.failed_attempts);
    }
}
