//! The command line as a client of a daemon.
//!
//! [`address`]: where the daemon is; [`connection`]: requests and answers, one after the other;
//! [`error`]: what can go wrong, in words; [`server`]: the API as values; [`source`]: the same values
//! from a database or from a daemon; [`progress`]: what happened between two looks at an execution.

pub(crate) mod address;
pub(crate) mod connection;
pub(crate) mod error;
pub(crate) mod progress;
mod schedules;
pub(crate) mod server;
pub(crate) mod source;
