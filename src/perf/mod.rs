//! The performance gate: latencies, a baseline, a verdict.
//!
//! [`sources`] read what other load tools measured; [`verdict`] compares a run with a
//! [`baseline`] and says what it may be relied on for; [`report`], [`junit`] and
//! [`markdown`] tell it to machines. [`store`] keeps the baseline file.

pub mod baseline;
pub mod filter;
pub mod sources;
pub mod stats;
pub mod store;
pub mod verdict;
