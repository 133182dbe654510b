//! A connection that writes to a file, and the files below it.

use std::num::NonZeroU32;
use std::path::{Path, PathBuf};

use rusqlite::Connection;
use rusqlite::config::DbConfig;

use super::error::{explain, explain_query};
use super::file_guard::FileGuard;
use super::{identity, open, prune};
use crate::repository::error::StoreError;
use crate::repository::journal::backend::Opened;
use crate::repository::options::{Durability, WriterOptions};
use crate::repository::ownership::{Judge, Registry};
use crate::repository::patience::Patience;
use crate::repository::sql::backend::{Driver, SqlBackend};
use crate::repository::sql::{self, ahead, policies, retention};

const BEGIN: &str = "BEGIN IMMEDIATE";
const COMMIT: &str = "COMMIT";

/// A connection that writes to a file, and the files below it.
pub(crate) struct SqliteDriver {
    path: PathBuf,
    connection: Connection,
    files: FileGuard,
    /// Whether a commit is on the disk before it is acknowledged, and whether the next one is.
    durability: Durability,
    is_synced: bool,
    /// How many statements were compiled ahead.
    compiled: usize,
}

/// Opens the database at `path` for writing; `waits` is called once, with the reason, when it has
/// to wait long for others.
pub(crate) fn open(
    path: &Path,
    options: &WriterOptions,
    waits: &mut dyn FnMut(&StoreError),
) -> Result<Opened<SqlBackend<SqliteDriver>>, StoreError> {
    let mut patience = Patience::new(options.busy_timeout, waits);
    let connection =
        open::open_writable(path, options.durability, options.trusted_owner, &mut patience)?;
    let queries = sql::Connection::Sqlite(&connection);
    let keep = patience.until(|| {
        retention::resolve(queries, options.retention)
            .map_err(|error| explain_query("write to", path, &error))
    })?;
    let output_budgets = patience.until(|| {
        retention::resolve_output(queries, options.output)
            .map_err(|error| explain_query("write to", path, &error))
    })?;
    let fresh = NonZeroU32::new(fastrand::u32(1..)).unwrap_or(NonZeroU32::MIN);
    let identity = patience.until(|| {
        identity::establish(&connection, path, fresh)
            .map_err(|error| explain("write to", path, &error))
    })?;
    let has_policies =
        policies::exist(queries).map_err(|error| explain_query("open", path, &error))?;
    let page_bytes =
        prune::page_bytes(&connection).map_err(|error| explain("open", path, &error))?;
    let files = FileGuard::new(path, page_bytes);
    let driver = SqliteDriver {
        path: path.to_owned(),
        connection,
        files,
        durability: options.durability,
        is_synced: true,
        compiled: 0,
    };
    let backend = SqlBackend::new(driver, output_budgets);
    Ok(Opened { backend, keep, has_policies, registry: Registry::new(path, Some(identity)) })
}

impl Drop for SqliteDriver {
    /// Closing copies the log into the database, but not where the index of the log is cut, which
    /// would end the process.
    fn drop(&mut self) {
        if self.files.is_index_cut() {
            let off = DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE;
            // There is nobody left to report to.
            let _ = self.connection.set_db_config(off, true);
        }
    }
}

impl SqliteDriver {
    fn execute(&self, sql: &str) -> sql::Result<()> {
        self.connection.prepare_cached(sql)?.execute([])?;
        Ok(())
    }

    /// Lets the next commits be on the disk before they are acknowledged, or not.
    fn set_synced(&mut self, is_synced: bool) -> rusqlite::Result<()> {
        if self.durability == Durability::Full && self.is_synced != is_synced {
            // Not cached: it takes effect when it is compiled.
            self.connection.execute_batch(match is_synced {
                true => "PRAGMA synchronous = FULL",
                false => "PRAGMA synchronous = NORMAL",
            })?;
            self.is_synced = is_synced;
        }
        Ok(())
    }
}

impl Driver for SqliteDriver {
    fn connection(&self) -> sql::Connection<'_> {
        sql::Connection::Sqlite(&self.connection)
    }

    fn explain(&self, doing: &str, error: &sql::Error) -> StoreError {
        explain_query(doing, &self.path, error)
    }

    fn check(&mut self) -> Result<(), StoreError> {
        self.files.check()
    }

    fn compile_ahead(&mut self) -> bool {
        let own = [BEGIN, COMMIT];
        let shared = || ahead::statement(self.compiled - own.len());
        let Some(sql) = own.get(self.compiled).copied().or_else(shared) else { return false };
        self.compiled += 1;
        // One that cannot be compiled fails where it is used.
        self.connection.prepare_cached(sql).is_ok()
    }

    fn begin(&mut self) -> sql::Result<()> {
        self.set_synced(true)?;
        self.execute(BEGIN)
    }

    fn begin_output(&mut self) -> sql::Result<()> {
        self.set_synced(false)?;
        self.execute(BEGIN)
    }

    fn commit(&mut self, _: Option<&mut dyn FnMut(StoreError) -> bool>) -> sql::Result<()> {
        self.execute(COMMIT)
    }

    fn rollback(&mut self) {
        // SQLite may have rolled back by itself; then there is nothing to do.
        let _ = self.execute("ROLLBACK");
    }

    fn judge(&self) -> sql::Result<Judge> {
        let identity = identity::read(&self.connection, &self.path)?;
        Ok(Registry::new(&self.path, identity).judge())
    }

    fn is_worth_giving_back(&self) -> sql::Result<bool> {
        Ok(prune::is_worth_giving_back(&self.connection)?)
    }

    fn give_back(&mut self) -> sql::Result<bool> {
        Ok(prune::give_back(&self.connection)?)
    }

    fn size_bytes(&mut self) -> sql::Result<u64> {
        Ok(prune::size_bytes(&self.connection)?)
    }

    fn shrink(&mut self) -> sql::Result<()> {
        // So that the file shrinks now, not when the log is full.
        Ok(self.connection.query_row("PRAGMA wal_checkpoint(PASSIVE)", [], |_| Ok(()))?)
    }

    fn change_count(&mut self) -> sql::Result<Option<i64>> {
        let mut count = self.connection.prepare_cached("PRAGMA data_version")?;
        Ok(count.query_row([], |row| row.get(0))?)
    }
}
