//! What is written, on its way to the database, whichever that is: pending writes, a bounded queue,
//! group commit on one thread, acknowledgement, health.

pub(crate) mod health;
pub(crate) mod opening;
pub(crate) mod output;
pub(crate) mod pending_write;
pub(crate) mod purge;
pub(crate) mod writer;

pub(crate) mod backend;
pub(crate) mod cancel;
pub(crate) mod delivery;
pub(crate) mod queue;
pub(crate) mod schedules;
pub(crate) mod stall;
pub(crate) mod sync;
pub(crate) mod task;
pub(crate) mod waiters;
pub(crate) mod worker;

use super::error::StoreError;

#[cfg(test)]
mod tests;
