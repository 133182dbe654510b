//! The journal without a database.

mod pending_write;
mod worker;
