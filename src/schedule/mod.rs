//! Schedules: when a workflow is due, and what is decided of each scheduled time.          (pure)
//!
//! - [`expression`]: the five fields of cron, read and matched against dates; [`calendar`]: dates
//! - [`occurrences`]: the instants of an expression in a zone, through every clock change
//! - [`timing`]: `cron`, `every` or `at`, and the instants of each
//! - [`rules`]: a schedule with its rules; [`blackout`]: spans without scheduled starts
//! - [`decision`], [`collapse`]: what was decided of one scheduled time, and of many alike
//! - [`planner`]: state and time → decisions; the daemon and `wfx schedule sim` both call it
//! - [`simulation`]: the planner on a virtual clock
//!
//! Nothing here reads a clock. Rules of zones are looked up by [`zone`](crate::base::zone).

pub(crate) mod blackout;
pub(crate) mod calendar;
pub(crate) mod collapse;
pub(crate) mod decision;
pub(crate) mod expression;
pub(crate) mod occurrences;
pub(crate) mod planner;
pub(crate) mod rules;
pub(crate) mod simulation;
pub(crate) mod timing;

#[cfg(test)]
mod differential_tests;
#[cfg(test)]
mod restart_tests;
#[cfg(test)]
mod tests;
