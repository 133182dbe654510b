//! Runs executions: [`driver`] drives one, an [`attempt`] performs one try of a step through
//! [`work`], [`supervisor`] runs many, [`recovery`] takes over those of dead processes.

pub mod cancel;
pub mod context;
pub mod driver;
pub mod memory;
pub mod recovery;
pub mod start_ack;
pub mod supervisor;
pub mod work;

mod attempt;
mod durability;
mod finish_abandoned;
mod run_error;
