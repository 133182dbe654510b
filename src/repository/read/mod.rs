//! Reads: a handle, and what it answers with as plain values. Which database it is, nothing here
//! but [`reader`] knows.

pub(crate) mod cursor;
pub(crate) mod durations;
pub(crate) mod glance;
pub(crate) mod inspection;
pub(crate) mod lineage;
pub(crate) mod listing;
pub(crate) mod pages;
pub(crate) mod queue;
pub(crate) mod reader;
pub(crate) mod reference;
mod schedule_reads;
pub(crate) mod schedules;
pub(crate) mod summary;
