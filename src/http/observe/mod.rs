//! What is recorded of each request.

pub mod access_log;
pub mod observer;
