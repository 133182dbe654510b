//! A purge under way: what was chosen goes, a bounded number for each transaction.

use std::sync::mpsc;

use rusqlite::Connection;

use super::error::StoreError;
use super::prune::{self, Purged};
use crate::workflow::retention::Chosen;

/// A purge under way.
#[derive(Debug)]
pub(super) struct Purge {
    pub(super) chosen: Vec<Chosen>,
    pub(super) next: usize,
    pub(super) deleted: u64,
    /// The database's size before, once known.
    pub(super) size_bytes: Option<u64>,
    pub(super) told: mpsc::Sender<Told>,
}

impl Purge {
    pub(super) fn new(chosen: Vec<Chosen>, told: mpsc::Sender<Told>) -> Self {
        Self { chosen, next: 0, deleted: 0, size_bytes: None, told }
    }

    /// Takes it one transaction further, inside the caller's: the next place in the list, how many
    /// are deleted in all, whether there is more.
    pub(super) fn some(&mut self, connection: &Connection) -> rusqlite::Result<(usize, u64, bool)> {
        if self.size_bytes.is_none() {
            self.size_bytes = Some(prune::size_bytes(connection)?);
        }
        if self.next == self.chosen.len() {
            let more = prune::give_back(connection)?;
            return Ok((self.next, self.deleted, more));
        }
        let end = self.chosen.len().min(self.next + prune::WORTH_DELETING);
        let some = &self.chosen[self.next..end];
        let deleted = prune::delete_chosen(connection, some)? as u64;
        Ok((end, self.deleted + deleted, true))
    }
}

/// How a purge goes.
#[derive(Debug)]
pub(super) enum Told {
    /// So many are deleted so far.
    Deleted(u64),
    /// It is over.
    Ended(Result<Purged, StoreError>),
}
