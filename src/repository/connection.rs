//! Connections to SQLite, set up once and alike.

use std::fs;
use std::path::{Path, PathBuf};
use std::thread;
use std::time::{Duration, Instant};

use rusqlite::config::DbConfig;
use rusqlite::{Connection, ErrorCode, OpenFlags};

use super::error::{StoreError, StoreErrorKind};
use super::file::{self, Found};
use super::migrate::{self, Version};
use crate::clock;

/// How surely a commit outlives a power loss. Either outlives `kill -9`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Durability {
    /// Each commit is on the disk before it is acknowledged.
    #[default]
    Full,
    /// The last commits may be lost with the power, never half of one.
    Normal,
}

/// How long one wait for another process's lock may last; longer waits are made of
/// several.
const BUSY_SLICE: Duration = Duration::from_millis(250);
/// Between two tries at a database that another process has locked.
const LOCK_RETRY: Duration = Duration::from_millis(5);
/// Who waits so long for others to unlock it is told why.
pub(super) const TELL_AFTER: Duration = Duration::from_secs(1);
/// The write-ahead log is copied into the database at this many pages (16 MB): fewer
/// copies of pages that change often.
const CHECKPOINT_PAGES: u32 = 4000;
/// A log that once grew larger (a long purge) is cut back to this many bytes.
const LOG_BYTES_KEPT: u32 = 32 << 20;
/// More than the distinct statements of the writer or of a reader.
const STATEMENTS_CACHED: usize = 48;

/// A wait for other processes that have the database locked.
pub(super) struct Patience<'a> {
    since: Instant,
    limit: Duration,
    /// Who is told once, with the reason, that it takes long.
    tell: Option<&'a mut dyn FnMut(&StoreError)>,
}

impl<'a> Patience<'a> {
    pub(super) fn new(limit: Duration, tell: &'a mut dyn FnMut(&StoreError)) -> Self {
        Self { since: clock::monotonic(), limit, tell: Some(tell) }
    }

    /// Does the work, again and again while others have the database locked.
    pub(super) fn until<T>(
        &mut self,
        mut work: impl FnMut() -> Result<T, StoreError>,
    ) -> Result<T, StoreError> {
        loop {
            let error = match work() {
                Err(error) if error.kind() == StoreErrorKind::Locked => error,
                outcome => return outcome,
            };
            let waited = self.since.elapsed();
            if waited >= self.limit {
                return Err(error);
            }
            if waited >= TELL_AFTER
                && let Some(tell) = self.tell.take()
            {
                tell(&error);
            }
            thread::sleep(LOCK_RETRY);
        }
    }
}

/// Opens the database at `path` for writing: made if there is none, brought up if an
/// older wfx or its predecessor wrote it.
pub(super) fn open_writable(
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
pub(super) fn open_read_only(path: &Path) -> Result<Connection, StoreError> {
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

pub(super) fn connect(path: &Path, mode: OpenFlags) -> rusqlite::Result<Connection> {
    set_up(Connection::open_with_flags(named(path), mode | OpenFlags::SQLITE_OPEN_NO_MUTEX)?)
}

/// Connects to a file of which it is known that nobody writes to it.
fn connect_unchanging(path: &Path) -> rusqlite::Result<Connection> {
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
pub(super) fn opening_failed(path: &Path, error: &rusqlite::Error) -> StoreError {
    match error.sqlite_error_code() {
        Some(ErrorCode::NotADatabase) if !file::has_magic(path) => {
            file::not_a_database(path, "its first bytes are not those of SQLite")
        }
        _ => StoreError::sqlite("open", path, error),
    }
}
