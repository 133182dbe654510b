//! Why the database did not do what was asked, in words for an operator.

use std::path::Path;

use rusqlite::ErrorCode;

use super::sqlite::file;

/// What went wrong, for those who decide by it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum StoreErrorKind {
    /// There is no database at that place, or nothing in it yet.
    Missing,
    /// What lies there is no database of wfx.
    NotADatabase,
    /// A database whose content is broken.
    Damaged,
    /// A newer wfx wrote it.
    Newer,
    /// An older wfx or its predecessor wrote it; a command that writes brings it up.
    NeedsMigration,
    /// Another process held it for longer than was waited.
    Locked,
    /// The file or its folder cannot be written, or not be read.
    ReadOnly,
    /// No space is left.
    Full,
    /// The file was deleted, replaced or emptied while it was open.
    Gone,
    /// The system failed to read or write.
    Io,
    /// The rows asked for contradict those that are there.
    Refused,
    /// It belongs to another user.
    NotOurs,
    /// Others cannot see that this process is alive, since its lock file cannot be kept.
    Unseen,
    /// An id prefix fits several executions.
    Ambiguous,
}

/// Why the database did not do what was asked.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct StoreError {
    kind: StoreErrorKind,
    message: String,
    hint: Option<String>,
}

impl StoreError {
    /// What went wrong.
    #[must_use]
    pub fn kind(&self) -> StoreErrorKind {
        self.kind
    }

    /// What can be done about it.
    #[must_use]
    pub fn hint(&self) -> Option<&str> {
        self.hint.as_deref()
    }

    /// Whether it passes by itself: another process holds the database for a while.
    #[must_use]
    pub fn may_pass(&self) -> bool {
        self.kind == StoreErrorKind::Locked
    }

    pub(crate) fn new(kind: StoreErrorKind, message: impl Into<String>) -> Self {
        Self { kind, message: message.into(), hint: None }
    }

    pub(crate) fn with_hint(self, hint: impl Into<String>) -> Self {
        Self { hint: Some(hint.into()), ..self }
    }

    /// An error of SQLite while `doing` something (a verb) with the database.
    pub(crate) fn sqlite(doing: &str, path: &Path, error: &rusqlite::Error) -> Self {
        let kind = kind_of(error);
        // SQLite reports what the disk cannot read as damage; the system says which it is.
        if kind == StoreErrorKind::Damaged
            && error.sqlite_error_code().is_some()
            && let Some(unreadable) = file::unreadable(path)
        {
            let message = format!("cannot {doing} the database {}: {unreadable}", path.display());
            return Self::new(StoreErrorKind::Io, message)
                .with_hint("look at its disk, and restore a backup if it stays so");
        }
        let message = format!("cannot {doing} the database {}: {error}", path.display());
        let hint = match kind {
            StoreErrorKind::Locked => Some(format!(
                "another process is using it: `fuser {}` tells which; try again when it is done",
                path.display()
            )),
            StoreErrorKind::Full => {
                Some("free space on its file system, or name another place with --db".to_owned())
            }
            StoreErrorKind::Damaged => Some(format!(
                "restore a backup, or save what is readable: `sqlite3 {} .recover`",
                path.display()
            )),
            StoreErrorKind::ReadOnly => Some(
                "make the file and its folder writable, or name another place with --db".to_owned(),
            ),
            _ if error.sqlite_error_code() == Some(ErrorCode::SystemIoFailure) => Some(
                "look at its disk, and at how large files may grow (`ulimit -f`), or name another \
                 place with --db"
                    .to_owned(),
            ),
            _ => None,
        };
        Self { kind, message, hint }
    }

    /// An error of the file system while `doing` something, which names the place.
    pub(crate) fn io(doing: &str, error: &std::io::Error) -> Self {
        use std::io::ErrorKind;
        let message = format!("cannot {doing}: {error}");
        match error.kind() {
            ErrorKind::PermissionDenied | ErrorKind::ReadOnlyFilesystem => {
                Self::new(StoreErrorKind::ReadOnly, message).with_hint(
                    "make the file and its folder accessible, or name another place with --db",
                )
            }
            ErrorKind::StorageFull | ErrorKind::QuotaExceeded => {
                Self::new(StoreErrorKind::Full, message)
                    .with_hint("free space on its file system, or name another place with --db")
            }
            _ => Self::new(StoreErrorKind::Io, message).with_hint("name another place with --db"),
        }
    }
}

/// Sorts SQLite's errors.
fn kind_of(error: &rusqlite::Error) -> StoreErrorKind {
    let rusqlite::Error::SqliteFailure(failure, _) = error else {
        return match error {
            // A value that wfx did not write.
            rusqlite::Error::FromSqlConversionFailure(..)
            | rusqlite::Error::InvalidColumnType(..)
            | rusqlite::Error::IntegralValueOutOfRange(..)
            | rusqlite::Error::Utf8Error(..) => StoreErrorKind::Damaged,
            _ => StoreErrorKind::Io,
        };
    };
    // The index of the log found no room
    // (<https://www.sqlite.org/rescode.html#ioerr_shmsize>).
    if failure.extended_code == rusqlite::ffi::SQLITE_IOERR_SHMSIZE {
        return StoreErrorKind::Full;
    }
    match failure.code {
        ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked => StoreErrorKind::Locked,
        ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase => StoreErrorKind::Damaged,
        ErrorCode::DiskFull => StoreErrorKind::Full,
        ErrorCode::ReadOnly
        | ErrorCode::PermissionDenied
        | ErrorCode::AuthorizationForStatementDenied => StoreErrorKind::ReadOnly,
        ErrorCode::ConstraintViolation | ErrorCode::TooBig | ErrorCode::TypeMismatch => {
            StoreErrorKind::Refused
        }
        _ => StoreErrorKind::Io,
    }
}
