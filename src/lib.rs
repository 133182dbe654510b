//! wfx runs workflows on one machine, keeps every execution in SQLite, and
//! replays any of them.
//!
//! The modules in reading order; ARCHITECTURE.md says how they may use each other:
//!
//! - [`cli`]: what was typed; one file per subcommand
//! - [`settings`]: what it means: flag, variable, file or default
//! - [`workflow`]: documents, the state machine, the engine that drives it
//! - [`repository`]: the database; nothing else speaks SQL
//! - [`catalogue`]: the workflows of a folder, watched
//! - [`http`]: the API of the daemon; [`log`], [`metrics`]: what it tells of itself;
//!   [`spool`]: written by a thread of its own
//! - [`slo`]: service levels: windows, breaches, alerts
//! - [`perf`]: the performance gate of CI
//! - [`tls`]: towards whom wfx asks
//! - [`terminal`]: tables, bars, colour and JSON; nothing else writes to a terminal
//! - [`diagnosis`]: what `wfx doctor` makes of what it finds
//! - [`files`]: files that settings and arguments name
//! - [`json`]: JSON without characters that drive a terminal
//! - [`fields`]: documents that are read field by field
//! - [`limits`]: open files and processes that wfx may use
//! - [`process_table`], [`users`]: what the system says of processes and users
//! - [`clock`], [`timestamp`], [`units`], [`exit`]: time, numbers for people, exit codes

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
