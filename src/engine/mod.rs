//! Runs executions: [`driver`] drives one, an [`attempt`] performs one try of a step through
//! [`work`], [`supervisor`] runs many, [`recovery`] takes over those of dead processes.

pub(crate) mod cancel;
pub(crate) mod context;
pub(crate) mod driver;
pub(crate) mod memory;
pub(crate) mod output;
pub(crate) mod recovery;
pub(crate) mod start_ack;
pub(crate) mod supervisor;
pub(crate) mod work;

mod attempt;
mod durability;
mod finish_abandoned;
mod run_error;
