//! Connections to SQLite, set up once and alike.

use std::path::{Path, PathBuf};
use std::thread;
use std::time::Duration;

use rusqlite::config::DbConfig;
use rusqlite::{Connection, ErrorCode, OpenFlags};

use super::error::explain;
use super::file;
use crate::repository::error::StoreError;

/// How long one wait for another process's lock may last; longer waits are made of
/// several.
const BUSY_SLICE: Duration = Duration::from_millis(250);
/// More than the distinct statements of the writer or of a reader.
const STATEMENTS_CACHED: usize = 48;

pub(crate) fn connect(path: &Path, mode: OpenFlags) -> rusqlite::Result<Connection> {
    set_up(Connection::open_with_flags(named(path), mode | OpenFlags::SQLITE_OPEN_NO_MUTEX)?)
}

/// Connects to a file of which it is known that nobody writes to it.
pub(crate) fn connect_unchanging(path: &Path) -> rusqlite::Result<Connection> {
    use std::os::unix::ffi::OsStrExt;
    let mut uri = String::from("file:");
    for byte in named(path).as_os_str().as_bytes() {
        match byte {
            b'/' | b'.' | b'-' | b'_' => uri.push(char::from(*byte)),
            byte if byte.is_ascii_alphanumeric() => uri.push(char::from(*byte)),
            byte => uri.push_str(&format!("%{byte:02X}")),
        }
    }
    uri.push_str("?immutable=1");
    set_up(Connection::open_with_flags(
        uri,
        OpenFlags::SQLITE_OPEN_READ_ONLY
            | OpenFlags::SQLITE_OPEN_NO_MUTEX
            | OpenFlags::SQLITE_OPEN_URI,
    )?)
}

/// A path that SQLite takes for one, never for `:memory:` or a URI.
fn named(path: &Path) -> PathBuf {
    if path.is_absolute() { path.to_owned() } else { Path::new(".").join(path) }
}

fn set_up(mut connection: Connection) -> rusqlite::Result<Connection> {
    connection.set_prepared_statement_cache_capacity(STATEMENTS_CACHED);
    connection.busy_handler(Some(wait_for_lock))?;
    // A file made by others cannot make its schema call functions.
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_TRUSTED_SCHEMA, false)?;
    // A statement is not compiled anew for the LIMIT that is bound to it: the indices are
    // chosen in the statements, and no statistics of values are kept.
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_QPSG, true)?;
    Ok(connection)
}

/// Waits a little for another connection's lock; `false` ends the wait after
/// [`BUSY_SLICE`]. Commits take about a millisecond, so short waits come first.
fn wait_for_lock(waits_before: i32) -> bool {
    const WAITS: [u64; 6] = [1, 1, 2, 2, 3, 4];
    let index = usize::try_from(waits_before).unwrap_or(usize::MAX);
    let wait_ms = WAITS.get(index).copied().unwrap_or(5);
    thread::sleep(Duration::from_millis(wait_ms));
    Duration::from_millis(5 * u64::try_from(waits_before).unwrap_or(0)) < BUSY_SLICE
}

/// What an error at opening says about the file.
pub(crate) fn opening_failed(path: &Path, error: &rusqlite::Error) -> StoreError {
    match error.sqlite_error_code() {
        Some(ErrorCode::NotADatabase) if !file::has_magic(path) => {
            file::not_a_database(path, "its first bytes are not those of SQLite")
        }
        _ => explain("open", path, error),
    }
}
