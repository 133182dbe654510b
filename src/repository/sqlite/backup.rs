//! The copy of a database that is kept before it is rebuilt.

use std::fs::{self, File, OpenOptions};
use std::io::{self, BufReader, Read};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use rusqlite::Connection;
use rusqlite::backup::Backup;

use super::file;
use crate::repository::error::StoreError;
use crate::repository::ownership::files::hand_over;
use crate::repository::sqlite::error::explain;

/// Pages copied at a time.
const PAGES_PER_STEP: i32 = 4096;

/// Copies the database, its log included, to `<path><suffix>`, readable by its owner
/// only, and returns the path of the copy once the copy is durable. A copy that is there already
/// is kept: if it is another one, the new one is numbered. Nobody else may write to
/// the database or make a copy meanwhile.
pub(crate) fn make(
    connection: &Connection,
    path: &Path,
    suffix: &str,
) -> Result<PathBuf, StoreError> {
    let partial = file::beside(path, &format!("{suffix}.part"));
    let failed = |error: &io::Error| {
        StoreError::io(&format!("copy the database to {}", partial.display()), error)
    };
    // What a crash left of an earlier copy.
    for leftover in [partial.clone(), file::beside(&partial, "-journal")] {
        match fs::remove_file(&leftover) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(failed(&error)),
            _ => {}
        }
    }
    OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(&partial)
        .map_err(|error| failed(&error))?;
    hand_over(&partial, path).map_err(|error| failed(&error))?;
    let copied = copy(connection, &partial)
        .map_err(|error| explain("write", &partial, &error))
        .and_then(|()| publish(path, suffix, &partial).map_err(|error| failed(&error)));
    if copied.is_err() {
        // It is worth nothing, and the disk may be full.
        let _ = fs::remove_file(&partial);
    }
    copied
}

fn copy(connection: &Connection, partial: &Path) -> rusqlite::Result<()> {
    let mut target = Connection::open(partial)?;
    Backup::new(connection, &mut target)?.run_to_completion(
        PAGES_PER_STEP,
        Duration::ZERO,
        None,
    )?;
    // One file that needs no others beside it.
    target.query_row("PRAGMA journal_mode = DELETE", [], |_| Ok(()))?;
    target.close().map_err(|(_, error)| error)
}

/// Gives the finished copy its name.
fn publish(path: &Path, suffix: &str, partial: &Path) -> io::Result<PathBuf> {
    File::open(partial)?.sync_all()?;
    let mut to = file::beside(path, suffix);
    let mut number = 1_u32;
    while fs::symlink_metadata(&to).is_ok() {
        if is_same(&to, partial) {
            fs::remove_file(partial)?;
            return Ok(to);
        }
        number += 1;
        to = file::beside(path, &format!("{suffix}.{number}"));
    }
    fs::rename(partial, &to)?;
    if let Some(folder) = to.parent() {
        file::sync_folder(folder);
    }
    Ok(to)
}

/// Whether both files have the same bytes.
fn is_same(one: &Path, other: &Path) -> bool {
    let compare = || -> io::Result<bool> {
        if fs::metadata(one)?.len() != fs::metadata(other)?.len() {
            return Ok(false);
        }
        let mut one = BufReader::with_capacity(1 << 16, File::open(one)?);
        let mut other = BufReader::with_capacity(1 << 16, File::open(other)?);
        let (mut left, mut right) = ([0; 4096], [0; 4096]);
        loop {
            let length = one.read(&mut left)?;
            if length == 0 {
                return Ok(true);
            }
            other.read_exact(&mut right[..length])?;
            if left[..length] != right[..length] {
                return Ok(false);
            }
        }
    };
    compare().unwrap_or(false)
}
