//! The performance gate: latencies, a baseline, a verdict.
//!
//! [`load`] measures a target, [`sources`] read what other tools measured, [`steps`] are the
//! durations of steps in the history. [`verdict`] compares a run with a [`baseline`] and says how
//! far the comparison can be trusted; [`paired`] compares two builds, [`spans`] two spans of
//! history. [`report`] is the result as data. [`store`] reads and replaces the baseline file.

pub mod baseline;
pub mod circumstances;
pub mod filter;
mod incomparable;
pub mod judgement;
pub mod load;
pub mod machine;
pub mod paired;
pub mod report;
pub mod sources;
pub mod spans;
pub mod stats;
pub mod steps;
pub mod store;
pub mod tolerance;
pub mod verdict;
