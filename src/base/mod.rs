//! What every room may use, and what uses no other room: time, numbers, durations, reading
//! documents field by field, text that is safe to show.

pub(crate) mod backoff;
pub(crate) mod civil;
pub(crate) mod clock;
pub(crate) mod exit;
pub(crate) mod fields;
pub(crate) mod json;
pub(crate) mod period;
pub(crate) mod signature;
pub(crate) mod since;
pub(crate) mod size;
pub(crate) mod timestamp;
pub(crate) mod tokens;
pub(crate) mod units;
pub(crate) mod visible;
pub(crate) mod zone;
