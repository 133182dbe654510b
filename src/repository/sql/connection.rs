//! A connection to either database, with the interface of SQLite's driver.

use super::client::{Client, Found, FoundRows};
use super::error::{Error, Result};
use super::long_rows::{CursorStatement, LongStatement, Pieces};
use super::params::Params;
use super::row::Row;

/// A connection to either database.
#[derive(Clone, Copy)]
pub(crate) enum Connection<'c> {
    Sqlite(&'c rusqlite::Connection),
    Postgres(&'c Client),
}

impl<'c> Connection<'c> {
    /// A statement that is compiled once for each connection.
    pub(crate) fn prepare_cached(&self, sql: &str) -> Result<CachedStatement<'c>> {
        Ok(match *self {
            Self::Sqlite(connection) => CachedStatement::Sqlite(connection.prepare_cached(sql)?),
            Self::Postgres(client) => CachedStatement::Postgres(client, client.prepare(sql)?),
        })
    }

    /// A statement whose result may be long: while a transaction reads, it is not in memory as a
    /// whole.
    pub(crate) fn prepare_long(&self, sql: &str) -> Result<LongStatement<'c>> {
        if let Self::Postgres(client) = *self
            && let Some(statement) = CursorStatement::prepare(client, sql)?
        {
            return Ok(LongStatement::Cursor(statement));
        }
        Ok(LongStatement::Plain(self.prepare_cached(sql)?))
    }

    /// Runs a statement once, and returns how many rows it changed.
    pub(crate) fn execute<P: Params>(&self, sql: &str, params: P) -> Result<usize> {
        self.prepare_cached(sql)?.execute(params)
    }

    /// Statements without parameters.
    pub(crate) fn execute_batch(&self, sql: &str) -> Result<()> {
        match *self {
            Self::Sqlite(connection) => Ok(connection.execute_batch(sql)?),
            Self::Postgres(client) => Ok(client.batch(sql)?),
        }
    }

    /// The number that the last row was given that was inserted into a table that numbers its rows.
    pub(crate) fn last_insert_rowid(&self) -> Result<i64> {
        match *self {
            Self::Sqlite(connection) => Ok(connection.last_insert_rowid()),
            Self::Postgres(_) => {
                self.prepare_cached("SELECT lastval()")?.query_row([], |row| row.get(0))
            }
        }
    }

    /// Whether others may write beside the transaction under way.
    pub(crate) fn has_writers(&self) -> bool {
        matches!(self, Self::Postgres(_))
    }

    /// The number of the next completion, where several processes may complete executions at a time.
    pub(crate) fn next_completion(&self) -> Result<i64> {
        self.prepare_cached("SELECT nextval('wfx.completions')")?.query_row([], |row| row.get(0))
    }

    /// A query of the numbers in a parameter, which is a list of JSON.
    pub(crate) fn numbers_of(&self, parameter: &str) -> String {
        match self {
            Self::Sqlite(_) => format!("SELECT value FROM json_each({parameter})"),
            Self::Postgres(_) => format!(
                "SELECT CAST(value AS BIGINT)
                   FROM json_array_elements_text(CAST(CAST({parameter} AS TEXT) AS JSON))"
            ),
        }
    }

    /// Keeps all other connections from deciding until the transaction under way has ended: who has
    /// a slot, what becomes of a scheduled time, what is sent to whom. SQLite has one writer at a time.
    pub(crate) fn decide_alone(&self) -> Result<()> {
        match *self {
            Self::Sqlite(_) => Ok(()),
            Self::Postgres(client) => Ok(client.decide_alone()?),
        }
    }
}

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
