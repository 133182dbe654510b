//! The database: the one module that speaks SQL.

pub mod liveness;
pub mod migrate;
pub mod reader;
pub mod rows;
pub mod slot;
pub mod writer;

/// Why the database did not do what was asked.
#[derive(Debug, thiserror::Error)]
#[error("{message}")]
pub struct StoreError {
    message: String,
}
