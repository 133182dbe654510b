//! What is particular to SQLite, on real files; and the suite that every backend passes.

mod files;
mod migration;
mod notifications;
mod opening;
mod retention;
mod upgrade;

use std::path::{Path, PathBuf};

use rusqlite::Connection;
use tempfile::TempDir;

use crate::repository::conformance::{Store, conformance, options};
use crate::repository::ownership::OwnerKind;
use crate::repository::ownership::id::OwnerId;
use crate::repository::{Reader, StoreError, Writer, WriterOptions};

conformance!(Place);

/// A folder with a place for a database.
struct Place {
    folder: TempDir,
    path: PathBuf,
}

impl Place {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("wfx.db");
        Self { folder, path }
    }

    /// A connection past the repository.
    fn raw(&self) -> Connection {
        Connection::open(&self.path).unwrap()
    }

    fn beside(&self, suffix: &str) -> PathBuf {
        crate::repository::sqlite::file::beside(&self.path, suffix)
    }

    /// The files beside each other, but for the log, which the last one to close may
    /// leave empty.
    fn names(&self) -> Vec<String> {
        let mut names: Vec<String> = std::fs::read_dir(self.folder.path())
            .unwrap()
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .filter(|name| !name.ends_with("-wal") && !name.ends_with("-shm"))
            .collect();
        names.sort();
        names
    }
}

impl Store for Place {
    type Hold = Connection;

    fn new() -> Self {
        Self::new()
    }

    fn open_with(&self, options: WriterOptions) -> Result<Writer, StoreError> {
        Writer::open(&self.path, options)
    }

    fn reader(&self) -> Reader {
        Reader::open(&self.path).unwrap()
    }

    fn hold(&self) -> Connection {
        let holder = self.raw();
        holder.execute_batch("BEGIN IMMEDIATE").unwrap();
        holder
    }

    fn dead_owner(&self, writer: &Writer, kind: OwnerKind, nonce: u32) -> String {
        let owner = writer.claim_owner(kind, nonce).unwrap();
        let mut id = OwnerId::parse(owner.id()).unwrap();
        // A process that started at another time had the same number.
        if let Some(proof) = &mut id.proof {
            proof.started_ticks += 1;
        }
        id.to_string()
    }
}

fn open(path: &Path) -> Writer {
    Writer::open(path, options()).unwrap()
}
