//! What the API answers: one file for each kind of resource.

pub mod context;
mod dispatch;
mod executions;
mod faults;
mod health;
mod launch;
mod long_answers;
mod metrics;
pub mod readers;
mod workflows;
