//! Whether the store takes what is recorded.

use std::sync::Arc;

use crate::repository::error::StoreError;

/// Whether the database takes what is recorded.
#[derive(Debug, Clone, Default)]
pub enum Health {
    /// The last transaction was committed.
    #[default]
    Working,
    /// The last one failed; what it held is kept and tried again.
    Failing { error: Arc<StoreError> },
}
