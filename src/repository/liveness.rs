//! Which processes run executions, told by an OS lock that dies with its process.
//!
//! Each process that runs executions holds a lock on a file of its own in the
//! folder `<database>-owners` and writes the file's name, the owner id, into the
//! executions it runs. A pid alone would not do: it is taken again by others.

use std::fmt;
use std::fs::{DirBuilder, File, TryLockError};
use std::io;
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

/// What kind of process runs executions.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OwnerKind {
    /// `wfx exec` and `wfx replay`.
    Exec,
}

impl fmt::Display for OwnerKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Exec => f.write_str("exec"),
        }
    }
}

/// This process as an owner of executions, for as long as this value lives.
#[derive(Debug)]
pub struct Owner {
    id: String,
    path: PathBuf,
    _lock: File,
}

impl Owner {
    /// Takes a lock beside the database. `nonce` tells apart processes that had
    /// the same pid.
    ///
    /// # Errors
    /// When the folder or the file cannot be made, or locks are not supported.
    pub fn claim(database: &Path, kind: OwnerKind, nonce: u32) -> io::Result<Self> {
        let folder = folder_of(database);
        if let Err(error) = DirBuilder::new().mode(0o700).create(&folder)
            && error.kind() != io::ErrorKind::AlreadyExists
        {
            return Err(error);
        }
        let id = format!("{kind}-{}-{nonce:08x}", std::process::id());
        let path = folder.join(&id);
        let lock = File::options().write(true).create_new(true).mode(0o600).open(&path)?;
        lock.lock()?;
        Ok(Self { id, path, _lock: lock })
    }

    /// The owner id.
    #[must_use]
    pub fn id(&self) -> &str {
        &self.id
    }
}

impl Drop for Owner {
    fn drop(&mut self) {
        // A file left behind is no harm: without its lock it means nobody.
        let _ = std::fs::remove_file(&self.path);
    }
}

/// Whether the process that goes by `owner` in `database` is alive.
#[must_use]
pub fn is_alive(database: &Path, owner: &str) -> bool {
    // An owner id is a file name; anything else was not written by wfx.
    if owner.is_empty() || owner.contains(['/', '\0']) {
        return false;
    }
    File::open(folder_of(database).join(owner))
        .is_ok_and(|file| matches!(file.try_lock(), Err(TryLockError::WouldBlock)))
}

/// A process other than this one that runs executions of `database` now.
pub(super) fn other_owner(database: &Path) -> Option<String> {
    let own = std::process::id().to_string();
    std::fs::read_dir(folder_of(database))
        .ok()?
        .filter_map(|entry| entry.ok()?.file_name().into_string().ok())
        .filter(|owner| owner.split('-').nth(1) != Some(own.as_str()))
        .find(|owner| is_alive(database, owner))
}

fn folder_of(database: &Path) -> PathBuf {
    let mut folder = database.as_os_str().to_owned();
    folder.push("-owners");
    PathBuf::from(folder)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_owner_is_alive_while_it_holds_its_lock() {
        let folder = tempfile::tempdir().unwrap();
        let database = folder.path().join("wfx.db");
        let owner = Owner::claim(&database, OwnerKind::Exec, 7).unwrap();
        let id = owner.id().to_owned();
        assert!(is_alive(&database, &id));
        assert!(!is_alive(&database, "exec-1-00000001"));
        assert!(!is_alive(&database, "../wfx.db"));
        drop(owner);
        assert!(!is_alive(&database, &id));
    }
}
