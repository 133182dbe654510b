//! What is written, on its way to the database, whichever that is: pending writes, a bounded queue,
//! group commit on one thread, acknowledgement, health.

pub mod pending_write;
pub mod writer;

pub(crate) mod delivery;
pub(crate) mod queue;
pub(crate) mod stall;
pub(crate) mod sync;
pub(crate) mod task;
pub(crate) mod worker;

use super::error::StoreError;

#[cfg(test)]
mod tests;
