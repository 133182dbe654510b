//! Versions of the schema: what a database is, and how it becomes current.

use std::path::Path;

use rusqlite::{Connection, OpenFlags};

use super::connection::{self, opening_failed};
use super::{backup, file, predecessor};
use crate::repository::error::{StoreError, StoreErrorKind};
use crate::repository::ownership::Registry;
use crate::repository::sqlite::error::explain;

/// The released steps: step `n` leads from version `n` to `n + 1`.
pub(crate) const STEPS: [&str; 16] = [
    include_str!("schema/001_initial.sql"),
    include_str!("schema/002_settings.sql"),
    include_str!("schema/003_checks.sql"),
    include_str!("schema/004_completions.sql"),
    include_str!("schema/005_reuse.sql"),
    include_str!("schema/006_flow.sql"),
    include_str!("schema/007_retention.sql"),
    include_str!("schema/008_trigger.sql"),
    include_str!("schema/009_step_counts.sql"),
    include_str!("schema/010_groups.sql"),
    include_str!("schema/011_schedules.sql"),
    include_str!("schema/012_notifications.sql"),
    include_str!("schema/013_output.sql"),
    include_str!("schema/014_sessions.sql"),
    include_str!("schema/015_open_alerts.sql"),
    include_str!("schema/016_addresses.sql"),
];
/// Written into the header, so that a database tells whose it is: "wfx1".
pub(crate) const APPLICATION_ID: i32 = 0x7766_7831;

/// What a database is, for this wfx.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Version {
    /// Without any table.
    Empty,
    /// With the tables of the predecessor.
    Predecessor,
    /// As an older wfx wrote it, of this version.
    Older(usize),
    /// As this wfx writes it.
    Current,
}

fn current() -> i64 {
    i64::try_from(STEPS.len()).unwrap_or(i64::MAX)
}

/// Tells what the database is, and refuses those of others and newer ones.
pub(crate) fn version(connection: &Connection, path: &Path) -> Result<Version, StoreError> {
    if !connection.is_autocommit() {
        return version_in_transaction(connection, path);
    }
    // One state of the database: another process may be making the tables.
    let transaction =
        connection.unchecked_transaction().map_err(|error| opening_failed(path, &error))?;
    version_in_transaction(&transaction, path)
}

fn version_in_transaction(connection: &Connection, path: &Path) -> Result<Version, StoreError> {
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
    if let (true, Ok(version @ 1..)) = (ours, usize::try_from(version)) {
        return Ok(Version::Older(version));
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
pub(crate) fn initialise(connection: &Connection, path: &Path) -> Result<(), StoreError> {
    let failed = |error: rusqlite::Error| explain("initialise", path, &error);
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

/// Brings up a database of the predecessor: keeps a copy of it, rebuilds its tables in
/// one transaction, rewrites the file. Refused as `Locked` while anybody else has it.
pub(crate) fn bring_up(connection: Connection, path: &Path) -> Result<(), StoreError> {
    // Its own lock would stand in the way.
    drop(connection);
    let doing = "bring up";
    let failed = |error: rusqlite::Error| explain(doing, path, &error);
    let connection = exclusive(path, doing)?;
    if version(&connection, path)? == Version::Predecessor {
        if !predecessor::is_readable(&connection).map_err(failed)? {
            return Err(file::not_a_database(path, "its tables are not those of wfx"));
        }
        backup::make(&connection, path, ".v0.bak")?;
        rebuild(&connection).map_err(failed)?;
    }
    rewrite(&connection).map_err(failed)
}

/// Brings up a database of an older wfx. Refused as `Locked` while anybody else has it.
pub(crate) fn upgrade(connection: Connection, path: &Path) -> Result<(), StoreError> {
    drop(connection);
    let doing = "bring up";
    let connection = exclusive(path, doing)?;
    let Version::Older(from) = version(&connection, path)? else { return Ok(()) };
    let upgrade = || {
        let transaction = connection.unchecked_transaction()?;
        apply(&transaction, from)?;
        transaction.commit()
    };
    upgrade().map_err(|error| explain(doing, path, &error))
}

fn rebuild(connection: &Connection) -> rusqlite::Result<()> {
    // What other tables, views and triggers say of the two goes on to mean them.
    connection.execute_batch("PRAGMA foreign_keys = OFF; PRAGMA legacy_alter_table = ON")?;
    let transaction = connection.unchecked_transaction()?;
    predecessor::rebuild(&transaction, || apply(&transaction, 0))?;
    transaction.commit()
}

/// Whether free pages can be given back to the file system.
pub(crate) fn is_compact(connection: &Connection) -> rusqlite::Result<bool> {
    let mode: i64 = connection.pragma_query_value(None, "auto_vacuum", |row| row.get(0))?;
    Ok(mode == 2)
}

/// Rewrites the file so that free pages can be given back. Refused as `Locked` while
/// anybody else has it.
pub(crate) fn compact(connection: Connection, path: &Path) -> Result<(), StoreError> {
    drop(connection);
    let doing = "rewrite";
    let connection = exclusive(path, doing)?;
    rewrite(&connection).map_err(|error| explain(doing, path, &error))
}

fn rewrite(connection: &Connection) -> rusqlite::Result<()> {
    if is_compact(connection)? {
        return Ok(());
    }
    // The page size cannot change while there is a write-ahead log.
    connection.query_row("PRAGMA journal_mode = DELETE", [], |_| Ok(()))?;
    connection.execute_batch("PRAGMA page_size = 4096; PRAGMA auto_vacuum = INCREMENTAL; VACUUM")
}

/// Opens the database so that nobody else can read or write it until it is closed.
fn exclusive(path: &Path, doing: &str) -> Result<Connection, StoreError> {
    if let Some(owner) = Registry::new(path, None).judge().other_owner() {
        return Err(StoreError::new(
            StoreErrorKind::Locked,
            format!("cannot {doing} the database {}: another wfx ({owner}) has it", path.display()),
        )
        .with_hint("try again when it has ended"));
    }
    let failed = |error: rusqlite::Error| explain(doing, path, &error);
    let connection =
        connection::connect(path, OpenFlags::SQLITE_OPEN_READ_WRITE).map_err(failed)?;
    // The lock is kept after this transaction. Other connections with a log keep a
    // shared one while they are open, so they are noticed even when they do nothing.
    connection
        .query_row("PRAGMA locking_mode = EXCLUSIVE", [], |_| Ok(()))
        .and_then(|()| connection.execute_batch("BEGIN EXCLUSIVE; COMMIT"))
        .map_err(failed)?;
    Ok(connection)
}
