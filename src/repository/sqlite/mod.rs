//! SQLite: files, migrations, rows; nothing else names the driver.

pub(crate) mod backend;
pub(crate) mod reader;

mod alerts;
mod backup;
mod change;
mod change_steps;
mod connection;
mod detail;
mod durations;
mod error;
mod file;
mod file_guard;
mod glance;
mod groups;
mod identity;
mod incidents;
mod inspect;
mod lineage;
mod list;
mod migrate;
mod notification_history;
mod open;
mod open_alerts;
mod outbox;
mod output;
mod overdue;
mod policies;
mod predecessor;
mod prune;
mod refusal;
mod retention;
mod rows;
mod schedule_queries;
mod schedule_start;
mod schedules;
mod sessions;
mod summary;
mod takeover;

#[cfg(test)]
mod tests;
