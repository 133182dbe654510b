//! SQLite: files, migrations, rows; nothing else names the driver.

pub mod pages;
pub mod reader;

pub(crate) mod alerts;
pub(crate) mod backup;
pub(crate) mod cancel;
pub(crate) mod change;
pub(crate) mod connection;
pub(crate) mod durations;
pub(crate) mod file;
pub(crate) mod file_guard;
pub(crate) mod identity;
pub(crate) mod inspect;
pub(crate) mod lineage;
pub(crate) mod migrate;
pub(crate) mod predecessor;
pub(crate) mod prune;
pub(crate) mod retention;
pub(crate) mod rows;
pub(crate) mod takeover;

#[cfg(test)]
mod tests;
