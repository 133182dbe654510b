//! What the API answers: one file for each kind of resource.

pub(crate) mod callers;
pub(crate) mod context;
mod dispatch;
mod executions;
pub(in crate::http) mod faults;
mod health;
mod launch;
mod long_answers;
mod metrics;
mod notifications;
mod output;
mod pins;
mod queue;
pub(crate) mod readers;
mod schedules;
mod status;
mod workflows;
