//! Versions of the schema: what a database is, and how it becomes current.

use std::path::Path;
use std::time::Duration;

use rusqlite::Connection;

use super::connection::opening_failed;
use super::error::{StoreError, StoreErrorKind};
use super::file;

/// The released steps: step `n` leads from version `n` to `n + 1`.
const STEPS: [&str; 1] = [include_str!("schema/001_initial.sql")];
/// Written into the header, so that a database tells whose it is: "wfx1".
const APPLICATION_ID: i32 = 0x7766_7831;

/// What a database is, for this wfx.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Version {
    /// Without any table.
    Empty,
    /// With the tables of the predecessor.
    Predecessor,
    /// As this wfx writes it.
    Current,
}

fn current() -> i64 {
    i64::try_from(STEPS.len()).unwrap_or(i64::MAX)
}

/// Tells what the database is, and refuses those of others and newer ones.
pub(super) fn version(connection: &Connection, path: &Path) -> Result<Version, StoreError> {
    let failed = |error: rusqlite::Error| opening_failed(path, &error);
    let pragma = |name: &str| connection.pragma_query_value(None, name, |row| row.get::<_, i64>(0));
    let version = pragma("user_version").map_err(failed)?;
    let application = pragma("application_id").map_err(failed)?;
    let ours = application == i64::from(APPLICATION_ID);
    if !ours && application != 0 {
        return Err(file::not_a_database(path, "another program wrote it"));
    }
    if version > current() {
        return Err(StoreError::new(
            StoreErrorKind::Newer,
            format!(
                "the database {} is of version {version}, newer than this wfx knows ({})",
                path.display(),
                current()
            ),
        )
        .with_hint("use the wfx that wrote it, or name another database with --db"));
    }
    if ours && version == current() {
        return Ok(Version::Current);
    }
    let has = |sql: &str| connection.query_row(sql, [], |row| row.get::<_, bool>(0));
    if version == 0 {
        if has("SELECT count(*) = 2 FROM sqlite_schema WHERE type = 'table'
                AND name IN ('workflow_executions', 'workflow_execution_steps')")
        .map_err(failed)?
        {
            return Ok(Version::Predecessor);
        }
        if !has("SELECT EXISTS (SELECT 1 FROM sqlite_schema)").map_err(failed)? {
            return Ok(Version::Empty);
        }
    }
    Err(file::not_a_database(path, "its tables are not those of wfx"))
}

/// Makes the tables in an empty database. Another process may be doing the same.
pub(super) fn initialise(connection: &Connection, path: &Path) -> Result<(), StoreError> {
    let failed = |error: rusqlite::Error| StoreError::sqlite("initialise", path, &error);
    // Both only take effect before the first table.
    connection
        .execute_batch(
            "PRAGMA page_size = 4096; PRAGMA auto_vacuum = INCREMENTAL; PRAGMA journal_mode = WAL;
             BEGIN IMMEDIATE",
        )
        .map_err(failed)?;
    let made = match version(connection, path) {
        Ok(Version::Empty) => apply(connection, 0).map_err(failed),
        Ok(_) => Ok(()),
        Err(error) => Err(error),
    };
    let end = if made.is_ok() { "COMMIT" } else { "ROLLBACK" };
    connection.execute_batch(end).map_err(failed)?;
    made
}

/// Applies the steps after version `from`, inside the caller's transaction.
fn apply(connection: &Connection, from: usize) -> rusqlite::Result<()> {
    for step in STEPS.iter().skip(from) {
        connection.execute_batch(step)?;
    }
    connection.pragma_update(None, "user_version", current())?;
    connection.pragma_update(None, "application_id", APPLICATION_ID)
}

/// Brings up a database of the predecessor.
pub(super) fn bring_up(
    _connection: Connection,
    path: &Path,
    _busy_timeout: Duration,
) -> Result<(), StoreError> {
    Err(StoreError::new(
        StoreErrorKind::NeedsMigration,
        format!("cannot bring up {}", path.display()),
    ))
}

/// Whether free pages can be given back to the file system.
pub(super) fn is_compact(connection: &Connection) -> rusqlite::Result<bool> {
    let mode: i64 = connection.pragma_query_value(None, "auto_vacuum", |row| row.get(0))?;
    Ok(mode == 2)
}

/// Rewrites the file so that free pages can be given back.
pub(super) fn compact(
    _connection: Connection,
    _path: &Path,
    _busy_timeout: Duration,
) -> Result<(), StoreError> {
    Ok(())
}
