//! Results that may be long. SQLite finds one row after another; a server is asked for a piece at a
//! time, by a cursor, so that no more than that is in memory.

use std::vec;

use tokio_postgres::Statement;

use super::client::{Client, Found};
use super::connection::{CachedStatement, MappedRows, Rows};
use super::error::Result;
use super::params::Params;
use super::row::Row;

/// How many rows the first piece has: what most queries find takes one exchange with the server.
const FIRST_ROWS: usize = 32;
/// The bytes that later pieces have, more or less.
const PIECE_BYTES: usize = 256 * 1024;
/// The most rows of a piece.
const PIECE_ROWS_MAX: usize = 4096;

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
                let piece = piece.into_iter();
                let pieces = Pieces { client, number, bytes: 0, count: 0, piece, is_last };
                Ok(Rows::Pieces(pieces, None))
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

/// Rows that a server gives piece by piece.
pub(crate) struct Pieces<'s> {
    client: &'s Client,
    number: u32,
    /// The size of the rows so far, and how many there were.
    bytes: usize,
    count: usize,
    piece: vec::IntoIter<Found>,
    is_last: bool,
}

impl Pieces<'_> {
    pub(super) fn next(&mut self) -> Result<Option<Found>> {
        if self.piece.as_slice().is_empty() && !self.is_last {
            let row_bytes = (self.bytes / self.count.max(1)).max(1);
            let rows = (PIECE_BYTES / row_bytes).clamp(1, PIECE_ROWS_MAX);
            let piece = self.client.fetch(self.number, rows)?;
            self.is_last = piece.len() < rows;
            self.piece = piece.into_iter();
        }
        let found = self.piece.next();
        if let Some(found) = &found {
            self.bytes += found.bytes();
            self.count += 1;
        }
        Ok(found)
    }
}
