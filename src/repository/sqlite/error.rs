//! What an error of SQLite means, in words for an operator.

use std::path::Path;

use rusqlite::ErrorCode;

use super::file;
use crate::repository::error::{StoreError, StoreErrorKind};
use crate::repository::sql;

/// An error of SQLite while `doing` something (a verb) with the database at `path`.
pub(crate) fn explain(doing: &str, path: &Path, error: &rusqlite::Error) -> StoreError {
    let kind = kind_of(error);
    // SQLite reports what the disk cannot read as damage; the system says which it is.
    if kind == StoreErrorKind::Damaged
        && error.sqlite_error_code().is_some()
        && let Some(unreadable) = file::unreadable(path)
    {
        let message = format!("cannot {doing} the database {}: {unreadable}", path.display());
        return StoreError::new(StoreErrorKind::Io, message)
            .with_hint("look at its disk, and restore a backup if it stays so");
    }
    let message = format!("cannot {doing} the database {}: {error}", path.display());
    let explained = StoreError::new(kind, message);
    match kind {
        StoreErrorKind::Locked => explained.with_hint(format!(
            "another process is using it: `fuser {}` tells which; try again when it is done",
            path.display()
        )),
        StoreErrorKind::Full => {
            explained.with_hint("free space on its file system, or name another place with --db")
        }
        StoreErrorKind::Damaged => explained.with_hint(format!(
            "restore a backup, or save what is readable: `sqlite3 {} .recover`",
            path.display()
        )),
        StoreErrorKind::ReadOnly => explained
            .with_hint("make the file and its folder writable, or name another place with --db"),
        _ if error.sqlite_error_code() == Some(ErrorCode::SystemIoFailure) => explained.with_hint(
            "look at its disk, and at how large files may grow (`ulimit -f`), or name another \
             place with --db",
        ),
        _ => explained,
    }
}

/// The same for an error of a query.
pub(crate) fn explain_query(doing: &str, path: &Path, error: &sql::Error) -> StoreError {
    let kind = match error {
        sql::Error::Sqlite(error) => return explain(doing, path, error),
        // What wfx did not write.
        sql::Error::Column(..) => StoreErrorKind::Damaged,
        sql::Error::Value(_) => StoreErrorKind::Refused,
        sql::Error::NoRows | sql::Error::Postgres(_) => StoreErrorKind::Io,
    };
    StoreError::new(kind, format!("cannot {doing} the database {}: {error}", path.display()))
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_disk_without_room_for_the_index_of_the_log_is_full() {
        let error = |code| {
            let error = rusqlite::Error::SqliteFailure(rusqlite::ffi::Error::new(code), None);
            explain("open", Path::new("wfx.db"), &error)
        };
        let full = error(rusqlite::ffi::SQLITE_IOERR_SHMSIZE);
        assert_eq!(full.kind(), StoreErrorKind::Full);
        assert!(full.hint().unwrap().contains("free space"), "{full:?}");
        let other = error(rusqlite::ffi::SQLITE_IOERR_WRITE);
        assert_eq!(other.kind(), StoreErrorKind::Io);
        assert!(other.hint().unwrap().contains("ulimit"), "{other:?}");
    }
}
