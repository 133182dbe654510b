//! The performance gate: latencies, a baseline, a verdict.
//!
//! [`load`] measures a target itself, [`sources`] read what other tools measured, [`steps`] are
//! what executions took; [`paired`] compares two builds, [`spans`] two spans of history; [`verdict`] compares a run with a [`baseline`] and says what it may be relied on for; [`report`] writes it
//! for machines and people. [`store`] reads and replaces the baseline file.

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
