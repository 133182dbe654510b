//! Which processes run executions, told by an OS lock that dies with its process.
//!
//! Each process that runs executions holds a lock on a file of its own in the
//! folder `<database>-owners` and writes the file's name, the owner id, into the
//! executions it runs. A pid alone would not do: it is taken again by others.

use std::fmt;
use std::fs::{DirBuilder, File};
use std::io::{self, ErrorKind};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::thread;
use std::time::Duration;

use rustix::io::Errno;
use rustix::process::{Pid, test_kill_process};

use crate::clock;

/// What kind of process runs executions.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OwnerKind {
    /// `wfx exec`, `wfx replay` and `wfx recover`.
    Exec,
    /// `wfx serve`.
    Serve,
}

impl OwnerKind {
    /// What kind of process an owner id tells; `None` for what is no owner id.
    #[must_use]
    pub fn of(owner: &str) -> Option<Self> {
        match owner.split_once('-')?.0 {
            "exec" => Some(Self::Exec),
            "serve" => Some(Self::Serve),
            _ => None,
        }
    }
}

impl fmt::Display for OwnerKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Exec => f.write_str("exec"),
            Self::Serve => f.write_str("serve"),
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
    /// Takes a lock beside the database, which must be there. `nonce` tells apart processes
    /// that had the same pid.
    ///
    /// # Errors
    /// When the folder or the file cannot be made, or locks are not supported.
    pub fn claim(database: &Path, kind: OwnerKind, nonce: u32) -> io::Result<Self> {
        let folder = folder_of(database);
        if let Err(error) = DirBuilder::new().mode(0o700).create(&folder)
            && error.kind() != ErrorKind::AlreadyExists
        {
            return Err(error);
        }
        let id = format!("{kind}-{}-{nonce:08x}", std::process::id());
        let path = folder.join(&id);
        loop {
            let lock = File::options().write(true).create_new(true).mode(0o600).open(&path)?;
            lock.lock()?;
            // Between the two, a sweep may have taken the file for one of the dead.
            if path.exists() {
                return Ok(Self { id, path, _lock: lock });
            }
        }
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
    match File::open(folder_of(database).join(owner)) {
        // Shared, so that two who look at once do not take each other for the owner.
        Ok(file) => file.try_lock_shared().is_err(),
        // Who cannot look (too many open files, no permission) must not take it for dead.
        Err(error) => !matches!(error.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory),
    }
}

/// Waits a little for the locks of processes that are gone already. Who is killed while it
/// starts a program leaves its lock, for some milliseconds, to the child that has not become
/// that program yet. A pid of another namespace looks gone as well, hence only a little.
pub fn await_dying(database: &Path) {
    const LOOK: Duration = Duration::from_millis(5);
    const PATIENCE: Duration = Duration::from_secs(1);
    let since = clock::monotonic();
    let dying = || owners(database).iter().any(|owner| is_gone(owner) && is_alive(database, owner));
    while dying() && since.elapsed() < PATIENCE {
        thread::sleep(LOOK);
    }
}

/// Whether the process that an owner id names is no more.
fn is_gone(owner: &str) -> bool {
    let pid = owner.split('-').nth(1).and_then(|pid| pid.parse().ok()).and_then(Pid::from_raw);
    pid.is_some_and(|pid| test_kill_process(pid) == Err(Errno::SRCH))
}

fn owners(database: &Path) -> Vec<String> {
    let Ok(entries) = std::fs::read_dir(folder_of(database)) else { return Vec::new() };
    entries
        .filter_map(|entry| entry.ok()?.file_name().into_string().ok())
        .filter(|owner| OwnerKind::of(owner).is_some())
        .collect()
}

/// Lock files of processes that died, which mean nobody any more.
#[must_use]
pub fn dead_owners(database: &Path) -> Vec<String> {
    let mut dead = owners(database);
    dead.retain(|owner| !is_alive(database, owner));
    dead.sort();
    dead
}

/// Removes the lock files of processes that died.
pub fn sweep(database: &Path) {
    for owner in dead_owners(database) {
        let path = folder_of(database).join(owner);
        // Held while it goes: who has just made it and waits for the lock makes it anew.
        if let Ok(file) = File::open(&path)
            && file.try_lock().is_ok()
        {
            let _ = std::fs::remove_file(&path);
        }
    }
}

/// A process other than this one that runs executions of `database` now.
pub(super) fn other_owner(database: &Path) -> Option<String> {
    let own = std::process::id().to_string();
    owners(database)
        .into_iter()
        .filter(|owner| owner.split('-').nth(1) != Some(own.as_str()))
        .find(|owner| is_alive(database, owner))
}

fn folder_of(database: &Path) -> PathBuf {
    // One folder, whatever links lead to the database.
    let database = database.canonicalize().unwrap_or_else(|_| database.to_owned());
    let mut folder = database.into_os_string();
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

    #[test]
    fn who_cannot_look_takes_nobody_for_dead() {
        let folder = tempfile::tempdir().unwrap();
        let database = folder.path().join("wfx.db");
        let owner = "exec-1-00000001";
        std::fs::create_dir(folder_of(&database)).unwrap();
        // A link to itself can be opened by nobody, whoever that is.
        std::os::unix::fs::symlink(owner, folder_of(&database).join(owner)).unwrap();
        assert!(is_alive(&database, owner));
    }
}
