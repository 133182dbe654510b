//! The operating system: files, limits, processes, users, trusted certificates.

pub mod files;
pub mod limits;
pub mod process_table;
pub mod tls;
pub mod users;
