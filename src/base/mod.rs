//! What every room may use, and what uses no other room: time, numbers, durations, reading
//! documents field by field, text that is safe to show.

pub mod backoff;
pub mod clock;
pub mod exit;
pub mod fields;
pub mod json;
pub mod period;
pub mod timestamp;
pub mod units;
pub mod visible;
