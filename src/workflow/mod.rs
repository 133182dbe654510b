//! Workflows: what they are and how they run, decided without a clock, a process or a database.
//!
//! [`document`] (text → tree with spans), [`check`] (tree → definition, all problems at once),
//! [`problem`], [`definition`], [`scalar`], [`concurrency`], [`condition`], [`handler`], [`graph`], [`compiled`],
//! [`notification`], [`incident`] (who is notified of what), [`spec`], [`execution`] (the state machine) with its [`event`]s, [`record`], [`pin`], [`report`],
//! [`retention`], [`retention_policy`], [`scheduling`], [`selection`] (what of a replay runs).

pub(crate) mod check;
pub(crate) mod comparison;
pub(crate) mod compiled;
pub(crate) mod concurrency;
pub(crate) mod condition;
pub(crate) mod crontab;
pub(crate) mod decimal;
pub(crate) mod defaults;
pub(crate) mod definition;
pub(crate) mod document;
pub(crate) mod dotenv;
pub(crate) mod environment;
pub(crate) mod event;
pub(crate) mod execution;
pub(crate) mod exit_codes;
pub(crate) mod graph;
pub(crate) mod handler;
pub(crate) mod incident;
pub(crate) mod json_text;
pub(crate) mod notification;
pub(crate) mod output;
pub(crate) mod overdue;
pub(crate) mod parameter;
pub(crate) mod pin;
pub(crate) mod problem;
pub(crate) mod record;
pub(crate) mod record_json;
pub(crate) mod report;
pub(crate) mod retention;
pub(crate) mod retention_policy;
pub(crate) mod retry_on;
pub(crate) mod scalar;
pub(crate) mod schedule_record;
pub(crate) mod scheduling;
pub(crate) mod schema;
pub(crate) mod selection;
pub(crate) mod spec;
pub(crate) mod status;
pub(crate) mod trigger;
