//! Opens a database: for writing, made or brought up if need be, or for reading.

use std::fs;
use std::path::Path;

use rusqlite::config::DbConfig;
use rusqlite::{Connection, OpenFlags};

use super::connection::{connect, connect_unchanging, opening_failed};
use super::file::{self, Found};
use super::migrate::{self, Version};
use crate::repository::error::{StoreError, StoreErrorKind};
use crate::repository::options::Durability;
use crate::repository::patience::Patience;

/// The write-ahead log is copied into the database at this many pages (16 MB): fewer
/// copies of pages that change often.
const CHECKPOINT_PAGES: u32 = 4000;
/// A log that once grew larger (a long purge) is cut back to this many bytes.
const LOG_BYTES_KEPT: u32 = 32 << 20;

/// Opens the database at `path` for writing: made if there is none, brought up if an
/// older wfx or its predecessor wrote it.
pub(crate) fn open_writable(
    path: &Path,
    durability: Durability,
    trusted_owner: Option<u32>,
    patience: &mut Patience<'_>,
) -> Result<Connection, StoreError> {
    if file::inspect(path)? == Found::Nothing {
        file::create(path)?;
    }
    file::check_owner(path, trusted_owner)?;
    file::check_writable(path)?;
    patience.until(|| try_open_writable(path, durability))
}

fn try_open_writable(path: &Path, durability: Durability) -> Result<Connection, StoreError> {
    let failed = |error: rusqlite::Error| opening_failed(path, &error);
    let connection = connect(path, OpenFlags::SQLITE_OPEN_READ_WRITE).map_err(failed)?;
    // Until it is known to be ours, closing must not copy a log into it.
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, true).map_err(failed)?;
    let connection = match migrate::version(&connection, path)? {
        Version::Current => connection,
        Version::Empty => {
            migrate::initialise(&connection, path)?;
            connection
        }
        Version::Predecessor => {
            migrate::bring_up(connection, path)?;
            connect(path, OpenFlags::SQLITE_OPEN_READ_WRITE).map_err(failed)?
        }
        Version::Older(_) => {
            migrate::upgrade(connection, path)?;
            connect(path, OpenFlags::SQLITE_OPEN_READ_WRITE).map_err(failed)?
        }
    };
    let connection = if migrate::is_compact(&connection).map_err(failed)? {
        connection
    } else {
        // A crash came between a migration and the VACUUM after it.
        migrate::compact(connection, path)?;
        connect(path, OpenFlags::SQLITE_OPEN_READ_WRITE).map_err(failed)?
    };
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, false).map_err(failed)?;
    let synchronous = match durability {
        Durability::Full => "FULL",
        Durability::Normal => "NORMAL",
    };
    connection
        .execute_batch(&format!(
            "PRAGMA journal_mode = WAL;
             PRAGMA synchronous = {synchronous};
             PRAGMA wal_autocheckpoint = {CHECKPOINT_PAGES};
             PRAGMA journal_size_limit = {LOG_BYTES_KEPT};
             PRAGMA temp_store = MEMORY;"
        ))
        .map_err(failed)?;
    if connection.is_readonly("main").map_err(failed)? {
        return Err(StoreError::io(
            &format!("open the database {} for writing", path.display()),
            &std::io::ErrorKind::PermissionDenied.into(),
        ));
    }
    Ok(connection)
}

/// Opens the database at `path` so that nothing can be written through it.
pub(crate) fn open_read_only(path: &Path) -> Result<Connection, StoreError> {
    let failed = |error: rusqlite::Error| opening_failed(path, &error);
    let nothing_yet = |what: &str| {
        StoreError::new(StoreErrorKind::Missing, format!("{what} {}", path.display()))
            .with_hint("`wfx exec FILE` makes it; another place is named with --db or WFX_DB")
    };
    match file::inspect(path)? {
        Found::Nothing => return Err(nothing_yet("there is no database at")),
        Found::Empty => return Err(nothing_yet("nothing was ever stored in the database")),
        Found::Database => {}
    }
    let connection = match connect(path, OpenFlags::SQLITE_OPEN_READ_ONLY) {
        Ok(connection) => connection,
        Err(error) => return Err(failed(error)),
    };
    let connection = match migrate::version(&connection, path) {
        // Where it can make no index of the log, SQLite reads only what cannot change.
        Err(error) if may_be_read_alone(path, error.kind()) => {
            let connection = connect_unchanging(path).map_err(failed)?;
            migrate::version(&connection, path).map(|version| (connection, version))?
        }
        version => version.map(|version| (connection, version))?,
    };
    match connection {
        (connection, Version::Current) => {
            connection.pragma_update(None, "query_only", true).map_err(failed)?;
            // It could not copy the log, and must not touch its index to find that out.
            connection
                .set_db_config(DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, true)
                .map_err(failed)?;
            Ok(connection)
        }
        (_, Version::Empty) => Err(nothing_yet("nothing was ever stored in the database")),
        (_, Version::Predecessor) => {
            let author = "the predecessor of wfx";
            Err(needs_migration(path, author, "does it, and keeps a copy"))
        }
        (_, Version::Older(_)) => Err(needs_migration(path, "an older wfx", "does it")),
    }
}

/// Whether a database that cannot be opened for such an error can be read without its log:
/// there is none, so that nothing can be missed.
fn may_be_read_alone(path: &Path, error: StoreErrorKind) -> bool {
    let log = fs::metadata(file::beside(path, "-wal"));
    match error {
        StoreErrorKind::ReadOnly | StoreErrorKind::Io => log.is_err(),
        // The log was made a moment ago; what had no room was its index, which whoever writes
        // would have.
        StoreErrorKind::Full => !log.is_ok_and(|log| log.len() > 0),
        _ => false,
    }
}

fn needs_migration(path: &Path, author: &str, does: &str) -> StoreError {
    let path = path.display();
    StoreError::new(
        StoreErrorKind::NeedsMigration,
        format!("the database {path} is as {author} left it and must be brought up first"),
    )
    .with_hint(format!(
        "a command that writes {does}: `wfx exec`, `replay`, `recover`, `cancel` or `purge`, or \
         `wfx serve`"
    ))
}
