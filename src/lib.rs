//! wfx runs workflows on one machine, keeps every execution in SQLite, and
//! replays any of them.
//!
//! The modules, lower ones first; ARCHITECTURE.md says how they may use each other:
//!
//! - [`base`]: time, durations, numbers for people, safe text; [`system`]: files, limits,
//!   processes, users, TLS; [`logging`]: the log of the daemon
//! - [`schedule`]: when workflows are due, and what is decided of each time
//! - [`workflow`]: documents, compiled workflows, the state machine of an execution
//! - [`repository`]: the database; nothing else speaks SQL
//! - [`engine`]: runs executions; [`operations`]: what the command line and the API share
//! - [`slo`]: service levels: windows, breaches, alerts; [`perf`]: the performance gate of CI
//! - [`metrics`]: the metrics of the daemon; [`settings`]: flag, variable, file or default
//! - [`render`]: values as text; [`terminal`]: nothing else writes to a terminal
//! - [`client`]: the command line as a client of a daemon
//! - [`http`]: the API of the daemon; [`cli`]: one file per subcommand
//!
//! Everything is private to the crate but what `main` calls and [`parts`].

#[cfg(not(unix))]
compile_error!("wfx needs process groups and signals as Unix has them; Windows is not supported");

mod base;
mod cli;
mod client;
mod engine;
mod http;
mod logging;
mod metrics;
mod notify;
mod operations;
mod perf;
mod render;
mod repository;
mod schedule;
mod settings;
mod slo;
mod system;
mod terminal;
mod workflow;

pub mod parts;

pub use cli::{START_SUCCESSOR, run, start_step, start_successor};
pub use engine::work::detach::ARGUMENT as START_STEP;
pub use settings::Environment;
