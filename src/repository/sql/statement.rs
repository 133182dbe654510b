//! A compiled statement of either database, and its rows.

use super::client::{Client, Found, FoundRows};
use super::error::{Error, Result};
use super::params::Params;
use super::pieces::Pieces;
use super::row::Row;

/// A statement that is compiled.
pub(crate) enum CachedStatement<'c> {
    Sqlite(rusqlite::CachedStatement<'c>),
    Postgres(&'c Client, tokio_postgres::Statement),
}

impl CachedStatement<'_> {
    /// Runs it, and returns how many rows it changed.
    pub(crate) fn execute<P: Params>(&mut self, params: P) -> Result<usize> {
        match self {
            Self::Sqlite(statement) => {
                bind(statement, &params)?;
                Ok(statement.raw_execute()?)
            }
            Self::Postgres(client, statement) => Ok(client.execute(statement, &params)?),
        }
    }

    /// Its rows, one after another.
    pub(crate) fn query<P: Params>(&mut self, params: P) -> Result<Rows<'_>> {
        match self {
            Self::Sqlite(statement) => {
                bind(statement, &params)?;
                Ok(Rows::Sqlite(statement.raw_query()))
            }
            Self::Postgres(client, statement) => {
                Ok(Rows::Postgres(client.query(statement, &params)?))
            }
        }
    }

    /// What `read` makes of each of its rows.
    pub(crate) fn query_map<T, P: Params, F: FnMut(&Row<'_>) -> Result<T>>(
        &mut self,
        params: P,
        read: F,
    ) -> Result<MappedRows<'_, F>> {
        Ok(MappedRows::new(self.query(params)?, read))
    }

    /// What `read` makes of its first row; [`Error::NoRows`] where there is none.
    pub(crate) fn query_row<T, P: Params>(
        &mut self,
        params: P,
        read: impl FnOnce(&Row<'_>) -> Result<T>,
    ) -> Result<T> {
        let mut rows = self.query(params)?;
        match rows.next()? {
            Some(row) => read(&row),
            None => Err(Error::NoRows),
        }
    }

    /// Whether it has a row.
    pub(crate) fn exists<P: Params>(&mut self, params: P) -> Result<bool> {
        Ok(self.query(params)?.next()?.is_some())
    }
}

fn bind<P: Params>(statement: &mut rusqlite::CachedStatement<'_>, params: &P) -> Result<()> {
    let mut number = 0;
    params.each(&mut |value| {
        number += 1;
        Ok(statement.raw_bind_parameter(number, value)?)
    })?;
    match statement.parameter_count() {
        count if count == number => Ok(()),
        count => Err(rusqlite::Error::InvalidParameterCount(number, count).into()),
    }
}

/// Rows of a query.
pub(crate) enum Rows<'s> {
    Sqlite(rusqlite::Rows<'s>),
    Postgres(FoundRows),
    Pieces(Pieces<'s>, Option<Found>),
}

impl Rows<'_> {
    /// The next one.
    pub(crate) fn next(&mut self) -> Result<Option<Row<'_>>> {
        match self {
            Self::Sqlite(rows) => Ok(rows.next()?.map(Row::Sqlite)),
            Self::Postgres(rows) => Ok(rows.next().map(Row::Postgres)),
            Self::Pieces(rows, last) => {
                *last = rows.next()?;
                Ok(last.as_ref().map(Row::Postgres))
            }
        }
    }
}

/// What is read of each row of a query.
pub(crate) struct MappedRows<'s, F> {
    rows: Rows<'s>,
    read: F,
}

impl<'s, F> MappedRows<'s, F> {
    pub(super) fn new(rows: Rows<'s>, read: F) -> Self {
        Self { rows, read }
    }
}

impl<T, F: FnMut(&Row<'_>) -> Result<T>> Iterator for MappedRows<'_, F> {
    type Item = Result<T>;

    fn next(&mut self) -> Option<Self::Item> {
        match self.rows.next() {
            Ok(Some(row)) => Some((self.read)(&row)),
            Ok(None) => None,
            Err(error) => Some(Err(error)),
        }
    }
}
