//! A look at a database and its files as a whole, for `wfx doctor`. Changes nothing.

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use rusqlite::{Connection, ErrorCode};

use super::file_guard::FileGuard;
use super::{file, identity, prune};
use crate::repository::ownership::Registry;
use crate::repository::read::inspection::{FileInspection, Inspection, Storage};
use crate::repository::sql::{self, inspection, takeover};

/// The most damages that are reported.
const DAMAGES_SHOWN: u32 = 20;

pub(crate) fn inspect(connection: &Connection, path: &Path) -> sql::Result<Inspection> {
    let queries = sql::Connection::Sqlite(connection);
    let metadata = fs::metadata(path).ok();
    let page_bytes = prune::page_bytes(connection)?;
    let mut judge = Registry::new(path, identity::read(connection, path)?).judge();
    let owners = takeover::owners(queries, &mut judge)?;
    let unfinished: Vec<&str> = owners.iter().filter_map(|owner| owner.owner.as_deref()).collect();
    let dead_locks =
        judge.dead_owners().iter().filter(|owner| !unfinished.contains(&owner.as_str())).count();
    Ok(Inspection {
        schema: connection.pragma_query_value(None, "user_version", |row| row.get(0))?,
        size_bytes: metadata.as_ref().map_or(0, fs::Metadata::len),
        executions: inspection::executions(queries)?,
        storage: Storage::File(FileInspection {
            free_bytes: prune::free_pages(connection)? * page_bytes,
            log_bytes: fs::metadata(file::beside(path, "-wal")).map_or(0, |log| log.len()),
            mode: metadata.as_ref().map_or(0, MetadataExt::mode),
            damages: damages(connection)?,
            misplaced: FileGuard::new(path, page_bytes).check().err(),
            unwritable: file::check_writable(path).err(),
        }),
        owners,
        dead_locks,
        retention: inspection::retention_counts(queries)?,
        output: inspection::output_usage(queries)?,
    })
}

fn damages(connection: &Connection) -> rusqlite::Result<Vec<String>> {
    let check = || -> rusqlite::Result<Vec<String>> {
        connection
            .prepare(&format!("PRAGMA quick_check({DAMAGES_SHOWN})"))?
            .query_map([], |row| row.get(0))?
            .collect()
    };
    let mut damages = match check() {
        // Some damages end the check itself.
        Err(error) if error.sqlite_error_code() == Some(ErrorCode::DatabaseCorrupt) => {
            vec![error.to_string()]
        }
        checked => checked?,
    };
    damages.retain(|damage| damage != "ok");
    Ok(damages)
}
