//! Service levels: error rates and latency over a sliding window, breaches, alerts.
//!
//! One engine for two uses: `wfx serve` records each of its requests, `wfx slo-sim` the requests of
//! a log, and both make the same decisions. The engine is pure: times are part of the events.
//!
//! - [`policy`]: thresholds, windows, cooldown
//! - [`window`]: how many events of a kind are in a window, exactly
//! - [`histogram`]: the p95 that is shown
//! - [`engine`]: events in, breaches and alerts out
//! - [`payload`], [`signature`]: the body of an alert, and its signature
//! - [`monitor`]: the engine in a running server; [`wall`]: its dates
//! - [`webhook`]: delivery of alerts
//! - [`simulation`], [`timeline`]: the engine over recorded or synthetic traffic
//! - [`trace`]: request logs, in the order of their times
//! - [`scenario`]: synthetic traffic
//! - [`report`]: its result

mod client;
pub mod engine;
pub mod histogram;
pub mod indicator;
pub mod monitor;
pub mod payload;
pub mod policy;
pub mod report;
pub mod scenario;
pub mod signature;
pub mod simulation;
pub mod timeline;
pub mod trace;
pub mod wall;
pub mod webhook;
pub mod window;

pub use engine::{Alert, Engine, Event, Judged};
pub use indicator::Indicator;
pub use policy::{Policy, Share};
pub use signature::Secret;
