//! The database as a file: what lies at its place, made with the right permissions,
//! and still the same one later. Looks without SQLite, which would write.

use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, Read};
use std::mem::ManuallyDrop;
use std::os::unix::fs::{DirBuilderExt, FileExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use rustix::fs::OFlags;

use crate::repository::error::{StoreError, StoreErrorKind};
use crate::system::users;

/// What a SQLite file begins with.
const MAGIC: &[u8; 16] = b"SQLite format 3\0";
/// The header of a write-ahead log; what is longer holds frames.
const WAL_HEADER_BYTES: u64 = 32;

/// How much is read to tell a disk that cannot be read from a database that is damaged.
const LOOKED_THROUGH: u64 = 256 << 20;

/// What lies at a database's place.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Found {
    Nothing,
    /// An empty file, as `touch` or a crash before the first commit leaves it.
    Empty,
    Database,
}

/// Which file a path leads to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Identity {
    pub(crate) device: u64,
    pub(crate) inode: u64,
}

impl Identity {
    pub(crate) fn of(metadata: &fs::Metadata) -> Self {
        Self { device: metadata.dev(), inode: metadata.ino() }
    }
}

/// Held while a file is looked for or made: see [`create`].
static MAKING: Mutex<()> = Mutex::new(());

/// Tells what lies at `path`, and refuses what can be no database. Never opens it:
/// closing a second descriptor would drop the locks that a connection of this
/// process holds.
pub(crate) fn inspect(path: &Path) -> Result<Found, StoreError> {
    let _making = MAKING.lock().unwrap_or_else(PoisonError::into_inner);
    let shown = path.display();
    let metadata = match fs::metadata(path) {
        Ok(metadata) => metadata,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Found::Nothing),
        Err(error) => return Err(StoreError::io(&format!("look at the database {shown}"), &error)),
    };
    if metadata.is_dir() {
        return Err(StoreError::new(
            StoreErrorKind::NotADatabase,
            format!("cannot open the database {shown}: it is a folder"),
        )
        .with_hint(format!("name a file, such as --db {}", path.join("wfx.db").display())));
    }
    if !metadata.is_file() {
        return Err(not_a_database(path, "it is no regular file"));
    }
    if metadata.len() > 0 {
        return Ok(Found::Database);
    }
    let log = beside(path, "-wal");
    if fs::metadata(&log).is_ok_and(|log| log.len() > WAL_HEADER_BYTES) {
        // The first process may have filled both since the one was looked at.
        if fs::metadata(path).is_ok_and(|metadata| metadata.len() > 0) {
            return Ok(Found::Database);
        }
        return Err(StoreError::new(
            StoreErrorKind::Damaged,
            format!(
                "cannot open the database {shown}: it is empty, but its write-ahead log {} is not",
                log.display()
            ),
        )
        .with_hint("the database was emptied: restore it, or move both files away to start anew"));
    }
    Ok(Found::Empty)
}

/// Whether the file begins as SQLite files do. Only for files that SQLite refused:
/// then no connection has locks to lose.
pub(crate) fn has_magic(path: &Path) -> bool {
    let mut magic = [0; MAGIC.len()];
    File::open(path).and_then(|mut file| file.read_exact(&mut magic)).is_ok() && &magic == MAGIC
}

/// Why the system cannot read some of a database or of its log, of the first [`LOOKED_THROUGH`]
/// bytes of each. The files stay open: to close one would drop the locks that connections of this
/// process hold.
pub(crate) fn unreadable(path: &Path) -> Option<io::Error> {
    static OPENED: Mutex<Vec<(PathBuf, ManuallyDrop<File>)>> = Mutex::new(Vec::new());
    let mut opened = OPENED.lock().unwrap_or_else(PoisonError::into_inner);
    [path.to_owned(), beside(path, "-wal")].into_iter().find_map(|path| {
        let at = match opened.iter().position(|(known, _)| *known == path) {
            Some(at) => at,
            None => {
                let nonblocking = i32::try_from(OFlags::NONBLOCK.bits()).unwrap_or_default();
                let file = OpenOptions::new().read(true).custom_flags(nonblocking).open(&path);
                opened.push((path, ManuallyDrop::new(file.ok()?)));
                opened.len() - 1
            }
        };
        look_through(&opened[at].1)
    })
}

fn look_through(file: &File) -> Option<io::Error> {
    let mut bytes = vec![0; 64 * 1024];
    let mut at = 0;
    while at < LOOKED_THROUGH {
        match file.read_at(&mut bytes, at) {
            Ok(0) => return None,
            Ok(read) => at += read as u64,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Some(error),
        }
    }
    None
}

/// Makes an empty file at `path` that only its owner can use, and its folder too
/// when there is none. Another process may be doing the same.
pub(crate) fn create(path: &Path) -> Result<(), StoreError> {
    let folder = match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    };
    if !folder.is_dir() {
        let made = DirBuilder::new().recursive(true).mode(0o700).create(folder);
        made.map_err(|error| {
            StoreError::io(
                &format!("make the folder {} for the database", folder.display()),
                &error,
            )
        })?;
        if let Some(above) = folder.parent() {
            // The new folder itself must outlive a power loss as well.
            sync_folder(above);
        }
    }
    // No thread of this process may connect between the making and its close, which
    // would drop the locks of that connection.
    let _making = MAKING.lock().unwrap_or_else(PoisonError::into_inner);
    let created = OpenOptions::new().read(true).write(true).create_new(true).mode(0o600).open(path);
    match created {
        Ok(_) => sync_folder(folder),
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
        Err(error) => {
            return Err(StoreError::io(&format!("create the database {}", path.display()), &error));
        }
    }
    Ok(())
}

/// Refuses the database of another user than this one and `trusted`: what is stored in it would be
/// run as this one, and what this one makes beside it would lock the other one out.
pub(crate) fn check_owner(path: &Path, trusted: Option<u32>) -> Result<(), StoreError> {
    let Ok(owner) = fs::metadata(path).map(|metadata| metadata.uid()) else { return Ok(()) };
    let own = users::own();
    if owner == own || Some(owner) == trusted {
        return Ok(());
    }
    let (them, us) = (users::shown(owner), users::shown(own));
    let trust =
        format!("`--trust-owner {owner}` uses it all the same: what it stores runs as {us}");
    Err(StoreError::new(
        StoreErrorKind::NotOurs,
        format!("the database {} belongs to {them}, and this is {us}", path.display()),
    )
    .with_hint(if own == 0 {
        format!("`--as-owner` works as {them}; {trust}")
    } else {
        format!("name a database of your own with --db; {trust}")
    }))
}

/// Refuses a file that this process may not write, which SQLite would silently open
/// read-only.
pub(crate) fn check_writable(path: &Path) -> Result<(), StoreError> {
    rustix::fs::access(path, rustix::fs::Access::READ_OK | rustix::fs::Access::WRITE_OK).map_err(
        |error| {
            StoreError::io(
                &format!("open the database {} for writing", path.display()),
                &error.into(),
            )
        },
    )
}

/// Which file lies at `path` now; an emptied one counts as none.
pub(crate) fn identity(path: &Path) -> Option<Identity> {
    let metadata = fs::metadata(path).ok()?;
    (metadata.len() > 0).then(|| Identity::of(&metadata))
}

/// The file that SQLite or wfx keeps next to the database under a longer name: next to the
/// file itself, whatever links lead to it.
pub(crate) fn beside(path: &Path, suffix: &str) -> PathBuf {
    let path = path.canonicalize().unwrap_or_else(|_| path.to_owned());
    let mut name = path.into_os_string();
    name.push(suffix);
    PathBuf::from(name)
}

/// Makes names in a folder durable, where the file system can.
pub(crate) fn sync_folder(folder: &Path) {
    let folder = if folder.as_os_str().is_empty() { Path::new(".") } else { folder };
    // Some file systems refuse to sync a folder; there is nothing else to be done.
    let _ = File::open(folder).and_then(|folder| folder.sync_all());
}

pub(crate) fn not_a_database(path: &Path, why: &str) -> StoreError {
    StoreError::new(
        StoreErrorKind::NotADatabase,
        format!("cannot open {}: it is no database of wfx: {why}", path.display()),
    )
    .with_hint("name another file with --db; this one is left as it is")
}
