//! Values as text: tables, plots, timelines, JSON, Markdown, JUnit.
//!
//! Everything here takes data and a [`layout::Layout`] and returns text, with styles where people
//! read it. `terminal` decides what is written where, and removes styles that are not wanted.
//! What comes from documents and steps is shown with its control characters escaped.

mod commands;
pub(crate) mod detail;
pub(crate) mod diff;
pub(crate) mod doctor;
pub(crate) mod layout;
pub(crate) mod lineage;
pub(crate) mod listing;
pub(crate) mod logs;
pub(crate) mod manual;
pub(crate) mod perf_check;
pub(crate) mod pin;
mod plot;
pub(crate) mod purge;
pub(crate) mod queue;
pub(crate) mod schedule;
pub(crate) mod slo_sim;
mod source;
pub(crate) mod status;
pub(crate) mod style;
pub(crate) mod svg;
pub(crate) mod table;
mod timeline;
pub(crate) mod titles;
