//! Results that may be long. SQLite finds one row after another; a server is asked for a piece at a
//! time, by a cursor, so that no more than that is in memory.

use tokio_postgres::Statement;

use super::client::Client;
use super::error::Result;
use super::params::Params;
use super::pieces::Pieces;
use super::row::Row;
use super::statement::{CachedStatement, MappedRows, Rows};

/// How many rows the first piece has: what most queries find takes one exchange with the server.
const FIRST_ROWS: usize = 32;
/// A query whose result may be long.
pub(crate) enum LongStatement<'c> {
    /// Its rows come one after another anyway, or no transaction reads.
    Plain(CachedStatement<'c>),
    Cursor(CursorStatement<'c>),
}

/// A query whose rows a server gives piece by piece.
pub(crate) struct CursorStatement<'c> {
    client: &'c Client,
    declare: Statement,
    number: u32,
}

impl<'c> CursorStatement<'c> {
    /// `None` where no transaction reads.
    pub(super) fn prepare(client: &'c Client, sql: &str) -> Result<Option<Self>> {
        let Some(number) = client.cursors.take() else { return Ok(None) };
        let declare = client
            .prepare(&format!("DECLARE c{number} NO SCROLL CURSOR FOR {sql}"))
            .inspect_err(|_| client.cursors.give_back(number))?;
        Ok(Some(Self { client, declare, number }))
    }
}

impl Drop for CursorStatement<'_> {
    fn drop(&mut self) {
        self.client.cursors.give_back(self.number);
    }
}

impl LongStatement<'_> {
    /// Its rows, one after another.
    pub(crate) fn query<P: Params>(&mut self, params: P) -> Result<Rows<'_>> {
        match self {
            Self::Plain(statement) => statement.query(params),
            Self::Cursor(CursorStatement { client, declare, number }) => {
                let (client, number) = (*client, *number);
                let is_declared = client.cursors.declare(number);
                let piece =
                    client.open_cursor(number, is_declared, declare, &params, FIRST_ROWS)?;
                let is_last = piece.len() < FIRST_ROWS;
                Ok(Rows::Pieces(Pieces::new(client, number, piece, is_last), None))
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
}
