//! Metrics of the server of PostgreSQL that keeps the executions. A database file has none of them.

use prometheus::proto::MetricFamily;
use prometheus::{GaugeVec, Registry};

use super::gauges;
use crate::repository::ServerStatus;

/// The collectors.
pub(super) struct Server {
    registry: Registry,
    standbys: GaugeVec,
    synchronous_standbys: GaugeVec,
    oldest_age: GaugeVec,
    oldest_seconds: GaugeVec,
    dead_rows: GaugeVec,
    connections_left: GaugeVec,
    clock_skew: GaugeVec,
}

impl Server {
    pub(super) fn new() -> prometheus::Result<Self> {
        let registry = Registry::new();
        let gauge = |name, help| gauges(&registry, (name, help), &[]);
        Ok(Self {
            standbys: gauge(
                "wfx_store_standbys",
                "Standbys that are connected to the server of the database.",
            )?,
            synchronous_standbys: gauge(
                "wfx_store_synchronous_standbys",
                "Standbys that commits wait for, if the role may see them.",
            )?,
            oldest_age: gauge(
                "wfx_store_oldest_xmin_age",
                "Transactions that have begun since the oldest one that keeps old rows from being \
                 cleaned up.",
            )?,
            oldest_seconds: gauge(
                "wfx_store_oldest_transaction_seconds",
                "For how long the oldest transaction goes on that keeps old rows from being cleaned \
                 up, if the role may see it.",
            )?,
            dead_rows: gauge(
                "wfx_store_dead_rows",
                "Rows of the tables of wfx that were deleted or replaced and are not cleaned up.",
            )?,
            connections_left: gauge(
                "wfx_store_connections_left",
                "Connections that can still be opened to the database.",
            )?,
            clock_skew: gauge(
                "wfx_store_clock_skew_seconds",
                "By how much the clock of the server is ahead of the one of wfx.",
            )?,
            registry,
        })
    }

    pub(super) fn gather(&self, status: &ServerStatus) -> Vec<MetricFamily> {
        let set = |gauge: &GaugeVec, value: Option<f64>| {
            gauge.reset();
            if let Some(value) = value {
                gauge.with_label_values::<&str>(&[]).set(value);
            }
        };
        let oldest = status.oldest.as_ref();
        let none_keeps = oldest.is_none().then_some(0.0);
        set(&self.standbys, Some(status.standbys as f64));
        set(&self.synchronous_standbys, status.synchronous_standbys.map(|count| count as f64));
        set(&self.oldest_age, Some(oldest.map_or(0.0, |oldest| oldest.transactions as f64)));
        set(&self.oldest_seconds, oldest.and_then(|oldest| oldest.seconds).or(none_keeps));
        set(&self.dead_rows, Some(status.dead_rows as f64));
        set(&self.connections_left, Some(status.connections_left as f64));
        set(&self.clock_skew, Some(status.clock_ahead_us as f64 / 1e6));
        self.registry.gather()
    }
}
