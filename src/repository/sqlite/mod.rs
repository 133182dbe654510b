//! SQLite: files, migrations, rows; nothing else names the driver.

pub(crate) mod driver;
pub(crate) mod source;

mod backup;
mod connection;
mod error;
mod file;
mod file_guard;
mod identity;
mod inspect;
mod migrate;
mod open;
mod predecessor;
mod prune;

#[cfg(test)]
mod tests;
