//! Tests through the real binary: real files, real processes, a real database.

mod support;

mod database;
mod documents;
mod exec;
mod history;
mod output;
mod signals;
mod values;
