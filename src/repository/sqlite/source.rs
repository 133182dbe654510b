//! Read-only connections. No read transaction outlives its query.

use std::cell::RefCell;
use std::num::NonZeroU32;
use std::path::{Path, PathBuf};

use rusqlite::Connection;

use super::error::{explain, explain_query};
use super::file::{self, Identity};
use super::file_guard::{self, IndexWatch};
use super::{identity, inspect, open};
use crate::repository::error::StoreError;
use crate::repository::ownership::{Judge, Registry};
use crate::repository::read::inspection::Inspection;
use crate::repository::sql;

/// A read-only connection. Works while others write.
pub(crate) struct SqliteSource {
    connection: Connection,
    path: PathBuf,
    /// Which file was opened.
    file: Option<Identity>,
    index: RefCell<IndexWatch>,
}

impl SqliteSource {
    /// Opens the database at `path`. Changes nothing, so an older one is refused.
    pub(crate) fn open(path: &Path) -> Result<Self, StoreError> {
        let file = file::identity(path);
        let connection = open::open_read_only(path)?;
        let index = RefCell::new(IndexWatch::new(path));
        Ok(Self { connection, path: path.to_owned(), file, index })
    }

    /// Whether the file that was opened still is the one at the path.
    pub(crate) fn is_in_place(&self) -> bool {
        self.file.is_some() && file::identity(&self.path) == self.file && self.has_index()
    }

    fn has_index(&self) -> bool {
        self.index.borrow_mut().is_whole()
    }

    /// What SQLite counts changes of other connections by
    /// (<https://www.sqlite.org/pragma.html#pragma_data_version>).
    pub(crate) fn data_version(&self) -> Result<i64, StoreError> {
        let version = || {
            self.connection.prepare_cached("PRAGMA data_version")?.query_row([], |row| row.get(0))
        };
        version().map_err(|error| explain("read", &self.path, &error))
    }

    pub(crate) fn judge(&self) -> Result<Judge, StoreError> {
        Ok(Registry::new(&self.path, self.database_number()?).judge())
    }

    pub(crate) fn database_number(&self) -> Result<Option<NonZeroU32>, StoreError> {
        self.read(|_| Ok(identity::read(&self.connection, &self.path)?))
    }

    pub(crate) fn inspect(&self) -> Result<Inspection, StoreError> {
        self.read(|_| inspect::inspect(&self.connection, &self.path))
    }

    /// Runs queries on one state of the database, and lets it go.
    pub(crate) fn read<T>(
        &self,
        queries: impl FnOnce(sql::Connection<'_>) -> sql::Result<T>,
    ) -> Result<T, StoreError> {
        if !self.has_index() {
            return Err(file_guard::index_cut(&self.path));
        }
        let run = || {
            let transaction = self.connection.unchecked_transaction()?;
            let answer = queries(sql::Connection::Sqlite(&self.connection))?;
            transaction.finish()?;
            Ok(answer)
        };
        run().map_err(|error| explain_query("read", &self.path, &error))
    }
}
