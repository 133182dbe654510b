//! wfx runs workflows on one machine, keeps every execution in SQLite, and
//! replays any of them.
//!
//! The modules, lower ones first; ARCHITECTURE.md says how they may use each other:
//!
//! - [`base`]: time, durations, numbers for people, safe text; [`system`]: files, limits,
//!   processes, users, TLS; [`logging`]: the log of the daemon
//! - [`workflow`]: documents, compiled workflows, the state machine of an execution
//! - [`repository`]: the database; nothing else speaks SQL
//! - [`engine`]: runs executions; [`operations`]: what the command line and the API share
//! - [`slo`]: service levels: windows, breaches, alerts; [`perf`]: the performance gate of CI
//! - [`metrics`]: the metrics of the daemon; [`settings`]: flag, variable, file or default
//! - [`render`]: values as text; [`terminal`]: nothing else writes to a terminal
//! - [`http`]: the API of the daemon; [`cli`]: one file per subcommand

#[cfg(not(unix))]
compile_error!("wfx needs process groups and signals as Unix has them; Windows is not supported");

pub mod base;
pub mod cli;
pub mod engine;
pub mod http;
pub mod logging;
pub mod metrics;
pub mod operations;
pub mod perf;
pub mod render;
pub mod repository;
pub mod settings;
pub mod slo;
pub mod system;
pub mod terminal;
pub mod workflow;
