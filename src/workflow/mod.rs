//! Workflows: what they are, how they run, what became of them.
//!
//! Pure: [`document`] (text → tree with places), [`check`] (tree → definition, all
//! problems at once), [`problem`], [`definition`], [`graph`], [`prepared`], [`plan`], [`execution`] (the
//! state machine) with its [`event`]s, [`record`], [`retry`], [`retention`], [`period`]. Around them [`engine`] drives
//! one execution, [`supervisor`] runs many, [`recovery`] goes on with those of the dead, [`runner`] performs one step.

pub mod cancel;
pub mod check;
pub mod definition;
pub mod document;
pub mod engine;
pub mod environment;
pub mod event;
pub mod execution;
pub mod graph;
pub mod launch;
pub mod memory;
pub mod period;
pub mod plan;
pub mod prepared;
pub mod problem;
pub mod record;
pub mod recovery;
pub mod report;
pub mod retention;
pub mod retry;
pub mod runner;
pub mod schema;
pub mod supervisor;

mod attempt;
mod run_error;
mod settle;
