//! A connection to either database, with the interface of SQLite's driver.

use super::client::Client;
use super::error::Result;
use super::long_rows::{CursorStatement, LongStatement};
use super::params::Params;
use super::statement::CachedStatement;

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
