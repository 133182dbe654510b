//! Workflows: what they are and how they run, decided without a clock, a process or a database.
//!
//! [`document`] (text → tree with spans), [`check`] (tree → definition, all problems at once),
//! [`problem`], [`definition`], [`graph`], [`compiled`], [`spec`], [`execution`] (the state
//! machine) with its [`event`]s, [`record`], [`report`], [`retention`].

pub mod check;
pub mod compiled;
pub mod definition;
pub mod document;
pub mod environment;
pub mod event;
pub mod execution;
pub mod graph;
pub mod problem;
pub mod record;
pub mod report;
pub mod retention;
pub mod schema;
pub mod spec;
