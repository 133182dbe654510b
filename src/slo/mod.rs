//! Service levels: error rates and latency over a sliding window, breaches, alerts.
//!
//! One engine for two users: `wfx serve` records each of its requests, `wfx slo-sim` the
//! requests of a log, and both get the same decisions. The engine is pure: times come with
//! the events.
//!
//! - [`policy`]: thresholds, windows, cooldown
//! - [`window`]: how many events of a kind lie in a window, exactly
//! - [`histogram`]: the p95 that is shown
//! - [`engine`]: events in, breaches and alerts out
//! - [`payload`], [`signature`]: an alert as it is told, and who tells it
//! - [`monitor`]: the engine beside a server that runs; [`wall`]: its dates
//! - [`webhook`]: alerts on their way
//! - [`simulation`], [`timeline`]: the engine over traffic that was, or is made up
//! - [`trace`]: request logs, in the order of their times
//! - [`scenario`]: traffic that is made up
//! - [`report`]: what came of it

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
