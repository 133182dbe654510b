//! Service levels: error rates and latency over a sliding window, breaches, alerts.
//!
//! One engine for two uses: `wfx serve` records each of its requests, `wfx slo-sim` the requests of
//! a log, and both make the same decisions. The engine is pure: times are part of the events.
//!
//! - [`policy`]: thresholds, windows, cooldown
//! - [`window`]: how many events of a kind are in a window, exactly
//! - [`histogram`]: the p95 that is shown
//! - [`engine`]: events in, breaches and alerts out
//! - [`payload`]: the body of an alert
//! - [`monitor`]: the engine in a running server; [`wall`]: its dates
//! - [`webhook`]: delivery of alerts
//! - [`simulation`], [`timeline`]: the engine over recorded or synthetic traffic
//! - [`trace`]: request logs, in the order of their times
//! - [`scenario`]: synthetic traffic
//! - [`report`]: its result

pub(crate) mod engine;
pub(crate) mod histogram;
pub(crate) mod indicator;
pub(crate) mod monitor;
mod open;
pub(crate) mod payload;
pub(crate) mod policy;
pub(crate) mod report;
pub(crate) mod scenario;
pub(crate) mod simulation;
pub(crate) mod timeline;
pub(crate) mod trace;
pub(crate) mod wall;
pub(crate) mod webhook;
pub(crate) mod window;

pub(crate) use indicator::Indicator;
pub(crate) use policy::{Policy, Share};
