//! A row that a query found.

use rusqlite::types::{FromSql, FromSqlError, FromSqlResult, ValueRef};

use super::client::Found;
use super::error::{Error, Result};

/// A row that a query found. Numbers, texts and bytes are those of SQLite, which has no other
/// types: what PostgreSQL calls otherwise is one of these, times as RFC 3339 and truths as 0 or 1.
pub(crate) enum Row<'r> {
    Sqlite(&'r rusqlite::Row<'r>),
    Postgres(&'r Found),
}

/// The number of a column, from 0.
pub(crate) trait Index {
    fn number(self) -> usize;
}

impl Index for usize {
    fn number(self) -> usize {
        self
    }
}

impl Row<'_> {
    /// The value of a column.
    pub(crate) fn get<I: Index, T: FromSql>(&self, column: I) -> Result<T> {
        let column = column.number();
        match self {
            Self::Sqlite(row) => Ok(row.get(column)?),
            Self::Postgres(found) => {
                let value = found.value(column)?;
                T::column_result(ValueRef::from(&value))
                    .map_err(|error| Error::Column(column, error.into()))
            }
        }
    }
}

/// A column that holds bytes. PostgreSQL keeps texts as bytes as well, where they may hold U+0000.
pub(crate) struct Bytes(pub(crate) Vec<u8>);

impl FromSql for Bytes {
    fn column_result(value: ValueRef<'_>) -> FromSqlResult<Self> {
        match value {
            ValueRef::Blob(bytes) | ValueRef::Text(bytes) => Ok(Self(bytes.to_vec())),
            _ => Err(FromSqlError::InvalidType),
        }
    }
}
