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

pub mod engine;
pub mod histogram;
pub mod policy;
pub mod trace;
pub mod window;

pub use engine::{Alert, Engine, Event, Judged, Signal};
pub use policy::{Policy, Share};
