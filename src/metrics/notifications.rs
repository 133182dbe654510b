//! Metrics of notifications. Channels come from the configuration file, so that they are few.

use std::collections::BTreeMap;
use std::time::Duration;

use prometheus::{Histogram, IntCounterVec, IntGaugeVec, Opts, Registry};

use super::{Metrics, counters, histogram, registered};
use crate::notify::courier::DeliveryObserver;
use crate::repository::notifications::NotificationState;

/// Buckets of deliveries: from a receiver nearby to a day.
const SECONDS: [f64; 12] =
    [0.005, 0.01, 0.025, 0.05, 0.1, 0.5, 1.0, 10.0, 60.0, 600.0, 3_600.0, 86_400.0];

/// The collectors.
pub(super) struct Notifications {
    ended: IntCounterVec,
    attempts: IntCounterVec,
    pending: IntGaugeVec,
    duration: Histogram,
}

impl Notifications {
    pub(super) fn new(on: &Registry) -> prometheus::Result<Self> {
        Ok(Self {
            ended: counters(
                on,
                (
                    "wfx_notifications_total",
                    "Notifications that a receiver accepted or that were given up.",
                ),
                &["channel", "outcome"],
            )?,
            attempts: counters(
                on,
                ("wfx_notification_attempts_total", "Attempts to send notifications."),
                &["channel", "outcome"],
            )?,
            pending: {
                let options = Opts::new(
                    "wfx_notifications_pending",
                    "Notifications that wait or are being sent.",
                );
                registered(on, IntGaugeVec::new(options, &["channel"])?)?
            },
            duration: histogram(
                on,
                (
                    "wfx_notification_delay_seconds",
                    "From the event to the receiver, of notifications that were accepted.",
                ),
                &SECONDS,
            )?,
        })
    }

    pub(super) fn set_pending(&self, pending: &BTreeMap<String, u64>) {
        self.pending.reset();
        for (channel, count) in pending {
            let count = i64::try_from(*count).unwrap_or(i64::MAX);
            self.pending.with_label_values(&[channel]).set(count);
        }
    }
}

impl DeliveryObserver for Metrics {
    fn attempted(&self, channel: &str, is_accepted: bool) {
        let outcome = if is_accepted { "accepted" } else { "failed" };
        self.notifications.attempts.with_label_values(&[channel, outcome]).inc();
    }

    fn ended(&self, channel: &str, state: NotificationState, after: Duration) {
        self.notifications.ended.with_label_values(&[channel, state.as_str()]).inc();
        if state == NotificationState::Accepted {
            self.notifications.duration.observe(after.as_secs_f64());
        }
    }
}
