//! Why a statement failed, whichever database it is.

use std::fmt;

use rusqlite::ErrorCode;

use super::failure::Failure;

/// Why a statement failed.
#[derive(Debug)]
pub(crate) enum Error {
    Sqlite(rusqlite::Error),
    Postgres(Failure),
    /// A query that has one row found none.
    NoRows,
    /// A column holds what wfx did not write there.
    Column(usize, Box<dyn std::error::Error + Send + Sync>),
    /// A value cannot be written as it is stored.
    Value(Box<dyn std::error::Error + Send + Sync>),
}

impl Error {
    /// Whether the database refuses what is written, whenever it is tried.
    pub(crate) fn is_refusal(&self) -> bool {
        match self {
            Self::Sqlite(error) => matches!(
                error.sqlite_error_code(),
                Some(ErrorCode::ConstraintViolation | ErrorCode::TooBig | ErrorCode::TypeMismatch)
            ),
            // Classes 22 and 23, data and constraints; 54, what is too large.
            Self::Postgres(failure) => failure
                .code()
                .is_some_and(|code| ["22", "23", "54"].iter().any(|class| code.starts_with(class))),
            Self::Value(_) => true,
            Self::NoRows | Self::Column(..) => false,
        }
    }
}

/// What a statement gives.
pub(crate) type Result<T> = std::result::Result<T, Error>;

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Sqlite(error) => error.fmt(f),
            Self::Postgres(failure) => failure.fmt(f),
            Self::Value(error) => error.fmt(f),
            Self::NoRows => f.write_str("a query found no row"),
            Self::Column(column, error) => write!(f, "column {column} of a row: {error}"),
        }
    }
}

impl std::error::Error for Error {}

impl From<rusqlite::Error> for Error {
    fn from(error: rusqlite::Error) -> Self {
        match error {
            rusqlite::Error::QueryReturnedNoRows => Self::NoRows,
            error => Self::Sqlite(error),
        }
    }
}

impl From<Failure> for Error {
    fn from(failure: Failure) -> Self {
        Self::Postgres(failure)
    }
}

/// A query that may find no row.
pub(crate) trait OptionalExtension<T> {
    /// `None` where no row was found.
    fn optional(self) -> Result<Option<T>>;
}

impl<T> OptionalExtension<T> for Result<T> {
    fn optional(self) -> Result<Option<T>> {
        match self {
            Ok(value) => Ok(Some(value)),
            Err(Error::NoRows) => Ok(None),
            Err(error) => Err(error),
        }
    }
}
