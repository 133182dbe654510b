//! The performance gate: latencies, a baseline, a verdict.
//!
//! [`load`] measures a target, [`sources`] read what other tools measured, [`steps`] are the
//! durations of steps in the history. [`verdict`] compares a run with a [`baseline`] and says how
//! far the comparison can be trusted; [`paired`] compares two builds, [`spans`] two spans of
//! history. [`report`] is the result as data. [`store`] reads and replaces the baseline file.

pub(crate) mod baseline;
pub(crate) mod circumstances;
pub(crate) mod filter;
mod incomparable;
pub(crate) mod judgement;
pub(crate) mod load;
pub(crate) mod machine;
pub(crate) mod paired;
pub(crate) mod report;
pub(crate) mod sources;
pub(crate) mod spans;
pub(crate) mod stats;
pub(crate) mod steps;
pub(crate) mod store;
pub(crate) mod tolerance;
pub(crate) mod verdict;
