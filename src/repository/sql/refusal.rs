//! Changes that the database does not take, and those that contradict what is stored.

use crate::repository::error::{StoreError, StoreErrorKind};
use crate::repository::journal::backend;
use crate::repository::sql;

pub(super) type NotWritten = backend::NotWritten<sql::Error>;

impl From<sql::Error> for NotWritten {
    fn from(error: sql::Error) -> Self {
        if !error.is_refusal() {
            return Self::Failed(error);
        }
        Self::Refused(StoreError::new(
            StoreErrorKind::Refused,
            format!("the database refuses the execution's rows: {error}"),
        ))
    }
}

/// Why a change contradicts what is stored.
pub(super) fn refused(message: String) -> NotWritten {
    NotWritten::Refused(StoreError::new(StoreErrorKind::Refused, message))
}
