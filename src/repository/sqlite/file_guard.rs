//! Whether the files of an open database are still those that were opened. SQLite does
//! not look: a deleted database takes writes into the void, and over a truncated log it
//! writes frames that nobody will find.

use std::fs::{self, File, Metadata};
use std::mem::ManuallyDrop;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

use super::file::{self, Identity};
use crate::repository::error::{StoreError, StoreErrorKind};

/// Before the first frame of a log, bytes (<https://www.sqlite.org/fileformat2.html#walformat>).
const LOG_HEADER_BYTES: u64 = 32;
/// Before the page of each frame, bytes.
const FRAME_HEADER_BYTES: u64 = 24;
/// One of the two equal copies of its header that the log's index begins with
/// (<https://www.sqlite.org/walformat.html#the_wal_index_header>).
const INDEX_HEADER_BYTES: usize = 48;
/// Where in it the number of frames stands, in native byte order.
const FRAMES_AT: usize = 16;

/// While the database is elsewhere nothing was written over.
const PUT_BACK: &str = "put it back as it was; what is not stored yet is kept and tried again";
/// A log cannot be put back: each process may be writing to one of its own.
const BEGIN_ANEW: &str = "end every wfx that uses the database, look at it with `wfx doctor`, \
                          then go on with `wfx recover`";

/// The files of a database that this process has opened.
#[derive(Debug)]
pub(crate) struct FileGuard {
    path: PathBuf,
    page_bytes: u64,
    database: Option<Identity>,
    log: Companion,
    index: Companion,
    /// Never closed: that would drop every lock of this process on the file.
    index_file: Option<ManuallyDrop<File>>,
}

/// A file beside the database. It comes with the first transaction, and stays for as
/// long as anybody has the database open.
#[derive(Debug)]
struct Companion {
    path: PathBuf,
    seen: Option<Identity>,
    /// How long it was at most.
    bytes: u64,
}

impl Companion {
    /// What lies there now, and whether that is what was there before.
    fn check(&mut self) -> (Option<Metadata>, bool) {
        let metadata = fs::metadata(&self.path).ok();
        let now = metadata.as_ref().map(Identity::of);
        if self.seen.is_none() {
            self.seen = now;
        }
        (metadata, now == self.seen)
    }

    /// Whether it is shorter than it was, and its length then.
    fn is_cut(&mut self, metadata: Option<&Metadata>) -> Option<u64> {
        let bytes = metadata.map_or(0, Metadata::len);
        if bytes < self.bytes {
            return Some(bytes);
        }
        self.bytes = bytes;
        None
    }
}

/// Why a reader cannot go on.
pub(crate) fn index_cut(path: &Path) -> StoreError {
    let path = path.display();
    let message = format!("cannot read the database {path}: the index of its log (-shm) was cut");
    StoreError::new(StoreErrorKind::Gone, message).with_hint(BEGIN_ANEW)
}

/// Watches the index of the log, which SQLite maps into memory: to touch a part of it that was cut
/// off ends the process (SIGBUS). Nobody cuts it while it is open, SQLite least of all; between
/// this look and the use of the index it may still happen.
#[derive(Debug)]
pub(crate) struct IndexWatch(Companion);

impl IndexWatch {
    /// That of the database at `path`.
    pub(crate) fn new(path: &Path) -> Self {
        Self(Companion { path: file::beside(path, "-shm"), seen: None, bytes: 0 })
    }

    /// Whether it is as long as it ever was.
    pub(crate) fn is_whole(&mut self) -> bool {
        let metadata = fs::metadata(&self.0.path).ok();
        self.0.is_cut(metadata.as_ref()).is_none()
    }
}

impl FileGuard {
    /// The files at `path`, of a database with pages of `page_bytes`.
    pub(crate) fn new(path: &Path, page_bytes: u64) -> Self {
        let companion =
            |suffix| Companion { path: file::beside(path, suffix), seen: None, bytes: 0 };
        Self {
            path: path.to_owned(),
            page_bytes,
            database: file::identity(path),
            log: companion("-wal"),
            index: companion("-shm"),
            index_file: None,
        }
    }

    /// Refuses files that somebody took away. Another file in their place is never taken:
    /// the log may belong to the first one and would be written over the second.
    ///
    /// # Errors
    /// Of kind `Gone`.
    pub(crate) fn check(&mut self) -> Result<(), StoreError> {
        let now = file::identity(&self.path);
        if now.is_none() {
            return Err(self.gone("the file was deleted or emptied", PUT_BACK));
        }
        if now != self.database {
            return Err(self.gone("the file was replaced by another", PUT_BACK));
        }
        // Before the log's size, which others make grow meanwhile.
        let frames = self.frames();
        let (log, is_same_log) = self.log.check();
        if !is_same_log {
            return Err(self.gone("its write-ahead log (-wal) was deleted or replaced", BEGIN_ANEW));
        }
        let (index, is_same_index) = self.index.check();
        if !is_same_index {
            return Err(
                self.gone("the index of its log (-shm) was deleted or replaced", BEGIN_ANEW)
            );
        }
        if let Some(bytes) = self.index.is_cut(index.as_ref()) {
            let what = format!(
                "the index of its log (-shm) was cut to {bytes} of {} bytes",
                self.index.bytes
            );
            return Err(self.gone(&what, BEGIN_ANEW));
        }
        let (Some(frames), Some(log)) = (frames, log) else { return Ok(()) };
        let expected = LOG_HEADER_BYTES + frames * (FRAME_HEADER_BYTES + self.page_bytes);
        if frames > 0 && log.len() < expected {
            let what = format!(
                "its write-ahead log was cut to {} of {expected} bytes; what was stored since \
                 it was last copied into the database is lost",
                log.len()
            );
            return Err(self.gone(&what, BEGIN_ANEW));
        }
        Ok(())
    }

    /// Whether the index of the log is shorter than it was.
    pub(crate) fn is_index_cut(&mut self) -> bool {
        let (index, is_same) = self.index.check();
        is_same && self.index.is_cut(index.as_ref()).is_some()
    }

    /// How many frames of the log are valid; `None` while it cannot be told.
    fn frames(&mut self) -> Option<u64> {
        if self.index_file.is_none() && self.index.check().1 {
            self.index_file = File::open(&self.index.path).ok().map(ManuallyDrop::new);
        }
        let mut bytes = [0; 2 * INDEX_HEADER_BYTES];
        self.index_file.as_ref()?.read_exact_at(&mut bytes, 0).ok()?;
        let (first, second) = bytes.split_at(INDEX_HEADER_BYTES);
        // Somebody is writing it.
        if first != second {
            return None;
        }
        let frames = first[FRAMES_AT..FRAMES_AT + 4].try_into().ok()?;
        Some(u64::from(u32::from_ne_bytes(frames)))
    }

    fn gone(&self, what: &str, remedy: &str) -> StoreError {
        StoreError::new(
            StoreErrorKind::Gone,
            format!("cannot write to the database {}: {what}", self.path.display()),
        )
        .with_hint(remedy)
    }
}
