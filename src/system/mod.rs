//! What the operating system offers and says: files, limits, processes, users, trusted certificates.

pub mod files;
pub mod limits;
pub mod process_table;
pub mod tls;
pub mod users;
