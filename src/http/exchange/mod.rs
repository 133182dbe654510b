//! What the front and the resources exchange.

pub mod problem;
pub mod reply;
