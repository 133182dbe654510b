//! The operating system: files, limits, processes, users, trusted certificates.

pub(crate) mod descriptors;
pub(crate) mod files;
pub(crate) mod http_client;
pub(crate) mod limits;
pub(crate) mod process_handle;
pub(crate) mod process_table;
pub(crate) mod program;
pub(crate) mod tls;
pub(crate) mod users;
