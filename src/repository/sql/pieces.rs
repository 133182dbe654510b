//! The rows of a cursor, piece by piece.

use std::vec;

use super::client::{Client, Found};
use super::error::Result;

/// The bytes that later pieces have, more or less.
const PIECE_BYTES: usize = 256 * 1024;
/// The most rows of a piece.
const PIECE_ROWS_MAX: usize = 4096;

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

impl<'s> Pieces<'s> {
    /// Those of the cursor with this number, of which the first are there.
    pub(super) fn new(client: &'s Client, number: u32, first: Vec<Found>, is_last: bool) -> Self {
        Self { client, number, bytes: 0, count: 0, piece: first.into_iter(), is_last }
    }

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
