//! The journal without a database.

mod opening;
mod pending_write;
mod retention;
mod worker;
