//! The lock files: one for each process that runs executions, in `<database>-owners`.

use std::fs::{self, DirBuilder, File, Metadata};
use std::io::{self, ErrorKind};
use std::num::NonZeroU32;
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use super::attempts::{AttemptMark, Attempts, ListedAttempt};
use super::files::{flags, folder_of, hand_over, open_for_writing, sign};
use super::id::{OwnerId, OwnerKind, Proof};
use crate::repository::error::{StoreError, StoreErrorKind};
use crate::system::{process_table, users};

/// This process as an owner of executions, for as long as this value lives.
#[derive(Debug)]
pub struct Owner {
    id: String,
    path: PathBuf,
    database: PathBuf,
    lock: Mutex<Arc<File>>,
    attempts: Arc<Attempts>,
}

impl Owner {
    /// Takes a lock beside the database, which must be there and has this `identity`. `nonce`
    /// tells apart processes that had the same number.
    ///
    /// # Errors
    /// When the folder or the file cannot be made, when the folder is no folder of the database's
    /// owner, or when locks are not supported.
    pub(crate) fn claim(
        database: &Path,
        identity: Option<NonZeroU32>,
        kind: OwnerKind,
        nonce: u32,
    ) -> io::Result<Arc<Self>> {
        let pid = i32::try_from(std::process::id()).unwrap_or(0);
        let proof = Proof {
            started_ticks: process_table::own().started_ticks,
            host: process_table::host(),
            database: identity,
        };
        let id = OwnerId { kind, pid, nonce, proof: Some(proof) }.to_string();
        let path = folder_of(database).join(&id);
        let file = Arc::new(make(&path, database)?);
        let attempts = Arc::new(Attempts::default());
        attempts.write_to(Arc::clone(&file));
        Ok(Arc::new(Self {
            id,
            path,
            database: database.to_owned(),
            lock: Mutex::new(file),
            attempts,
        }))
    }

    /// The owner id.
    #[must_use]
    pub fn id(&self) -> &str {
        &self.id
    }

    /// Makes sure that the lock file still lies where others look for it, and is this one's: made
    /// anew where somebody removed it, taken where somebody put another file in its place.
    ///
    /// # Errors
    /// When it cannot be: then others cannot see that this process is alive.
    pub(crate) fn restore(&self) -> io::Result<()> {
        let mut lock = self.lock.lock().unwrap_or_else(PoisonError::into_inner);
        let file = match fs::symlink_metadata(&self.path) {
            Ok(there) if is_same(&there, &lock.metadata()?) => return Ok(()),
            Ok(_) => {
                // A copy that was put back.
                let file = open_for_writing(&self.path)?;
                file.try_lock().map_err(|_| held_by_another(&self.path))?;
                sign(&file)?;
                file
            }
            Err(error) if error.kind() == ErrorKind::NotFound => make(&self.path, &self.database)?,
            Err(error) => return Err(error),
        };
        *lock = Arc::new(file);
        self.attempts.write_to(Arc::clone(&lock));
        Ok(())
    }

    /// The same, in words for an operator.
    ///
    /// # Errors
    /// Of kind `Unseen`.
    pub(crate) fn check_seen(&self) -> Result<(), StoreError> {
        self.restore().map_err(|error| {
            let path = self.database.display();
            let message =
                format!("cannot keep the lock file of this process beside {path}: {error}");
            StoreError::new(StoreErrorKind::Unseen, message).with_hint(format!(
                "make {path}-owners a folder that this user may write to; nothing is begun until then"
            ))
        })
    }

    /// Lists an attempt, until the answer is dropped, for whoever has to end what this process
    /// leaves should it die.
    #[must_use]
    pub fn begin_attempt(&self, attempt: ListedAttempt) -> AttemptMark {
        AttemptMark::new(&self.attempts, attempt)
    }
}

impl Drop for Owner {
    fn drop(&mut self) {
        // A file left behind is no harm: its process is gone.
        let _ = fs::remove_file(&self.path);
    }
}

fn is_same(one: &Metadata, other: &Metadata) -> bool {
    (one.dev(), one.ino()) == (other.dev(), other.ino())
}

fn held_by_another(path: &Path) -> io::Error {
    let path = path.display();
    io::Error::other(format!("another process holds {path}: end it, or move the file away"))
}

/// Makes a lock file and its folder, and takes the lock.
fn make(path: &Path, database: &Path) -> io::Result<File> {
    let folder = path.parent().unwrap_or(Path::new("/"));
    loop {
        match DirBuilder::new().mode(0o700).create(folder) {
            Ok(()) => hand_over(folder, database)?,
            Err(error) if error.kind() == ErrorKind::AlreadyExists => {
                check_folder(folder, database)?;
            }
            Err(error) => return Err(error),
        }
        let made = File::options()
            .write(true)
            .create_new(true)
            .mode(0o600)
            .custom_flags(flags())
            .open(path);
        let lock = match made {
            // A sweep took the empty folder away.
            Err(error) if error.kind() == ErrorKind::NotFound => continue,
            made => made?,
        };
        hand_over(path, database)?;
        lock.lock()?;
        sign(&lock)?;
        // Between the two, a sweep may have taken the file for one of the dead.
        if fs::symlink_metadata(path)
            .is_ok_and(|there| lock.metadata().is_ok_and(|lock| is_same(&there, &lock)))
        {
            return Ok(lock);
        }
    }
}

/// Refuses a folder that others could use to take locks away.
fn check_folder(folder: &Path, database: &Path) -> io::Result<()> {
    let there = fs::symlink_metadata(folder)?;
    let is_the_databases = || fs::metadata(database).is_ok_and(|it| it.uid() == there.uid());
    let is_ours = there.uid() == users::own() || is_the_databases();
    let what = match () {
        () if there.is_symlink() => "is a symbolic link",
        () if !there.is_dir() => "is no folder",
        () if !is_ours => "belongs to another user",
        () if there.mode() & 0o022 != 0 => "may be written by others",
        () => return Ok(()),
    };
    Err(io::Error::other(format!("{} {what}: move it away", folder.display())))
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;
    use crate::repository::ownership::attempts::forget_attempts;
    use crate::repository::ownership::files::{RECORD_BYTES, is_original, open, owners};
    use crate::repository::ownership::{Judge, Liveness};

    fn claim(database: &Path) -> Arc<Owner> {
        Owner::claim(database, NonZeroU32::new(5), OwnerKind::Exec, 7).unwrap()
    }

    fn judge(database: &Path) -> Judge {
        Judge::new(database, NonZeroU32::new(5))
    }

    #[test]
    fn an_owner_is_alive_for_as_long_as_its_process_whatever_becomes_of_its_lock() {
        let folder = tempfile::tempdir().unwrap();
        let database = folder.path().join("wfx.db");
        let owner = claim(&database);
        let alive = |judge: Judge| judge.look(owner.id()) == Liveness::Alive;
        assert!(alive(judge(&database)));
        fs::remove_dir_all(folder_of(&database)).unwrap();
        assert!(alive(judge(&database)));
        // Nor on a copy of the database, which has another identity.
        assert!(alive(Judge::new(&folder.path().join("copy.db"), NonZeroU32::new(6))));
        assert!(judge(&database).look("exec-1-00000001") != Liveness::Alive);
        assert!(judge(&database).look("../wfx.db").is_dead());
    }

    #[test]
    fn a_lock_that_was_taken_away_is_made_anew() {
        let folder = tempfile::tempdir().unwrap();
        let database = folder.path().join("wfx.db");
        let owner = claim(&database);
        let is_held = || look_at(&owner.path);
        assert!(is_held());
        owner.restore().unwrap();
        fs::remove_file(&owner.path).unwrap();
        owner.restore().unwrap();
        assert!(is_held());
        fs::remove_dir_all(folder_of(&database)).unwrap();
        owner.restore().unwrap();
        assert!(is_held());
        // Moved away and copied back.
        let copy = fs::read(&owner.path).unwrap();
        fs::remove_file(&owner.path).unwrap();
        fs::write(&owner.path, copy).unwrap();
        assert!(!is_held());
        owner.restore().unwrap();
        assert!(is_held());
        // Nobody can hold this.
        fs::remove_file(&owner.path).unwrap();
        std::os::unix::fs::symlink("elsewhere", &owner.path).unwrap();
        owner.restore().unwrap_err();
    }

    fn look_at(path: &Path) -> bool {
        File::open(path).unwrap().try_lock_shared().is_err()
    }

    #[test]
    fn a_copy_of_a_lock_file_is_none() {
        let folder = tempfile::tempdir().unwrap();
        let database = folder.path().join("wfx.db");
        let owner = claim(&database);
        assert!(is_original(&open(&owner.path).unwrap()));
        let copy = folder.path().join("copy");
        fs::copy(&owner.path, &copy).unwrap();
        assert!(!is_original(&open(&copy).unwrap()));
        fs::write(&copy, "").unwrap();
        assert!(!is_original(&open(&copy).unwrap()));
        // Nor is what only keeps others waiting.
        let pipe = folder.path().join("pipe");
        rustix::fs::mkfifoat(rustix::fs::CWD, &pipe, 0o600.into()).unwrap();
        open(&pipe).unwrap_err();
        open_for_writing(&pipe).unwrap_err();
    }

    #[test]
    fn a_folder_that_leads_elsewhere_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let database = folder.path().join("wfx.db");
        let elsewhere = folder.path().join("elsewhere");
        fs::create_dir(&elsewhere).unwrap();
        std::os::unix::fs::symlink(&elsewhere, folder_of(&database)).unwrap();
        let error = Owner::claim(&database, None, OwnerKind::Exec, 7).unwrap_err().to_string();
        assert!(error.contains("wfx.db-owners is a symbolic link"), "{error}");
        assert_eq!(fs::read_dir(&elsewhere).unwrap().count(), 0);
    }

    #[test]
    fn only_what_nobody_needs_is_swept() {
        let folder = tempfile::tempdir().unwrap();
        let database = folder.path().join("wfx.db");
        let alive = claim(&database);
        let place = |owner: &str| folder_of(&database).join(owner);
        // Without a proof: one of an older wfx, whose lock is free.
        let [dead, named, listing] = ["exec-7-00000001", "exec-7-00000002", "exec-7-00000003"];
        fs::write(place(dead), "").unwrap();
        fs::write(place(named), "").unwrap();
        let line = format!("{:1$}\n42 7 100 101 1 e a\n", "", RECORD_BYTES - 1);
        fs::write(place(listing), line).unwrap();
        let named_ones = HashSet::from([named.to_owned()]);
        judge(&database).sweep(&named_ones);
        let mut kept = [alive.id(), named, listing].map(str::to_owned);
        // The number of this process may sort before or after those.
        kept.sort();
        assert_eq!(owners(&database), kept);
        forget_attempts(&database, listing);
        judge(&database).sweep(&HashSet::new());
        assert_eq!(owners(&database), [alive.id()]);
    }
}
