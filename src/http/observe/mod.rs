//! What is recorded of each request.

pub(crate) mod access_log;
pub(crate) mod observer;
