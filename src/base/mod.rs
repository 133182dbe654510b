//! What every part uses and what uses none of them: time, numbers, durations, documents field by
//! field, text that is safe to show.

pub mod backoff;
pub mod clock;
pub mod exit;
pub mod fields;
pub mod json;
pub mod period;
pub mod timestamp;
pub mod units;
pub mod visible;
