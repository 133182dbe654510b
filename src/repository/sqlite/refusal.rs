//! Changes that the database does not take, and those that contradict what is stored.

use crate::repository::error::{StoreError, StoreErrorKind};
use crate::repository::journal::backend;

pub(super) type NotWritten = backend::NotWritten<rusqlite::Error>;

impl From<rusqlite::Error> for NotWritten {
    fn from(error: rusqlite::Error) -> Self {
        use rusqlite::ErrorCode;
        match error.sqlite_error_code() {
            Some(ErrorCode::ConstraintViolation | ErrorCode::TooBig | ErrorCode::TypeMismatch) => {
                Self::Refused(StoreError::new(
                    StoreErrorKind::Refused,
                    format!("the database refuses the execution's rows: {error}"),
                ))
            }
            _ => Self::Failed(error),
        }
    }
}

/// Why a change contradicts what is stored.
pub(super) fn refused(message: String) -> NotWritten {
    NotWritten::Refused(StoreError::new(StoreErrorKind::Refused, message))
}
