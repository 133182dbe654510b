//! Databases to measure on.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use wfx::parts::repository::{Durability, OutputBudgets, Retention, Writer, WriterOptions};

use crate::limits;
use crate::measure::Failure;

/// A folder that goes away. On the file system of the target folder: that of /tmp may
/// be memory.
pub(crate) fn folder() -> Result<tempfile::TempDir, Failure> {
    let parent = Path::new(env!("CARGO_TARGET_TMPDIR"));
    fs::create_dir_all(parent)?;
    Ok(tempfile::tempdir_in(parent)?)
}

pub(crate) fn options(retention: Option<u64>) -> WriterOptions {
    WriterOptions {
        durability: Durability::Full,
        trusted_owner: None,
        retention: Retention::Given(retention),
        queue_capacity: 10_000,
        busy_timeout: Duration::from_secs(60),
        output: OutputBudgets::default(),
        commits: None,
    }
}

/// A database as wfx makes it, nothing in it.
pub(crate) fn empty(folder: &Path, name: &str) -> Result<PathBuf, Failure> {
    let path = folder.join(name);
    Writer::open(&path, options(None))?.close()?;
    Ok(path)
}

/// A database with so many finished executions.
pub(crate) fn filled(folder: &Path, name: &str, count: usize) -> Result<PathBuf, Failure> {
    let path = empty(folder, name)?;
    limits::insert(&path, "OFF", count, 10_000, &crate::snapshot::text())?;
    Ok(path)
}

/// The numbers that a query gives.
pub(crate) fn numbers(path: &Path, query: &str) -> Result<Vec<f64>, Failure> {
    let connection = rusqlite::Connection::open(path)?;
    let mut statement = connection.prepare(query)?;
    let numbers = statement.query_map([], |row| row.get(0))?;
    Ok(numbers.collect::<Result<_, _>>()?)
}
