//! A private folder for the output files of running steps, gone with its process.

use std::ffi::CStr;
use std::fs::{DirBuilder, File, Metadata};
use std::io;
use std::os::fd::AsFd;
use std::os::unix::fs::{DirBuilderExt, MetadataExt};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use rustix::fs::{AtFlags, CWD, Dir, Mode, OFlags, open, openat, renameat, unlinkat};
use rustix::io::Errno;

use crate::system::limits;

/// The prefix of their names.
const PREFIX: &str = "wfx-";

/// The folder, removed when this is dropped. It is locked until then, so that folders of dead
/// processes can be recognised. If a cleaner removed it, it is created again.
#[derive(Debug)]
pub struct Scratch {
    parent: PathBuf,
    held: Mutex<Held>,
    files: AtomicU64,
    /// The last file could not be made.
    is_failing: AtomicBool,
}

/// A file in the folder, removed when this is dropped.
#[derive(Debug)]
pub(crate) struct ScratchFile(PathBuf);

impl ScratchFile {
    pub(crate) fn path(&self) -> &Path {
        &self.0
    }
}

impl Drop for ScratchFile {
    fn drop(&mut self) {
        // Whoever works with it may have removed it.
        let _ = std::fs::remove_file(&self.0);
    }
}

#[derive(Debug)]
struct Held {
    path: PathBuf,
    nonce: u32,
    /// The folder itself, locked.
    folder: File,
    /// Its device and inode.
    identity: (u64, u64),
}

impl Held {
    fn create(parent: &Path, nonce: u32) -> io::Result<Self> {
        let path = parent.join(format!("{PREFIX}{}-{nonce:08x}", std::process::id()));
        loop {
            DirBuilder::new().mode(0o700).create(&path)?;
            let folder = open_folder(&path)?;
            folder.lock()?;
            // Between the two, a sweep may have considered it abandoned.
            if path.exists() {
                let identity = identity(&folder.metadata()?);
                return Ok(Self { path, nonce, folder, identity });
            }
        }
    }

    /// Creates a file in the folder, if the path still leads to it.
    fn file(&self, name: &str) -> io::Result<ScratchFile> {
        if identity(&std::fs::symlink_metadata(&self.path)?) != self.identity {
            return Err(io::ErrorKind::NotFound.into());
        }
        let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::CLOEXEC;
        openat(&self.folder, name, flags, Mode::RUSR | Mode::WUSR)?;
        Ok(ScratchFile(self.path.join(name)))
    }
}

impl Scratch {
    /// Creates a new folder (0700) below `parent`. `nonce` distinguishes processes that had the
    /// same pid.
    ///
    /// # Errors
    /// When the folder cannot be made.
    pub fn create(parent: &Path, nonce: u32) -> io::Result<Self> {
        Ok(Self {
            parent: parent.to_owned(),
            held: Mutex::new(Held::create(parent, nonce)?),
            files: AtomicU64::new(0),
            is_failing: AtomicBool::new(false),
        })
    }

    /// Folders of dead processes of this user below `parent`.
    #[must_use]
    pub fn abandoned(parent: &Path) -> Vec<PathBuf> {
        let free = |path: &PathBuf| own_folder(path).is_some_and(|f| f.try_lock_shared().is_ok());
        folders(parent).into_iter().filter(free).collect()
    }

    /// Removes the folders of dead processes of this user below `parent`.
    pub fn sweep(parent: &Path) {
        for path in folders(parent) {
            // Locked while it is removed: a process that has just created it and waits for the lock
            // creates it again.
            if let Some(folder) = own_folder(&path)
                && folder.try_lock().is_ok()
            {
                let _ = remove(&path, &folder);
            }
        }
    }

    /// Makes a new empty file (0600).
    ///
    /// # Errors
    /// When the file cannot be made.
    pub(crate) fn file(&self) -> io::Result<ScratchFile> {
        let name = self.files.fetch_add(1, Ordering::Relaxed).to_string();
        let made = self.file_named(&name);
        // A temporarily exhausted resource says nothing about the folder.
        if !made.as_ref().is_err_and(limits::is_scarce) {
            self.is_failing.store(made.is_err(), Ordering::Relaxed);
        }
        made
    }

    fn file_named(&self, name: &str) -> io::Result<ScratchFile> {
        let mut held = self.held();
        match held.file(name) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                let nonce = held.nonce.wrapping_add(1);
                let made = Held::create(&self.parent, nonce);
                *held = match made {
                    Err(error) if error.kind() == io::ErrorKind::NotFound => {
                        // Uses the folder for temporary files.
                        DirBuilder::new().mode(0o700).create(&self.parent)?;
                        Held::create(&self.parent, nonce)?
                    }
                    made => made?,
                };
                held.file(name)
            }
            made => made,
        }
    }

    /// Whether files can be made: tried again if the last could not.
    pub fn is_usable(&self) -> bool {
        !self.is_failing.load(Ordering::Relaxed) || self.file().is_ok()
    }

    fn held(&self) -> MutexGuard<'_, Held> {
        // It is replaced as a whole.
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn identity(metadata: &Metadata) -> (u64, u64) {
    (metadata.dev(), metadata.ino())
}

/// Opens a folder and nothing else: opening a pipe at this path would block.
fn open_folder(path: &Path) -> io::Result<File> {
    let flags = OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
    Ok(File::from(open(path, flags, Mode::empty())?))
}

/// Opens a folder of this user. The folder for temporary files is shared: folders of other users
/// are not touched.
fn own_folder(path: &Path) -> Option<File> {
    let folder = open_folder(path).ok()?;
    let owner = folder.metadata().ok()?.uid();
    (owner == rustix::process::geteuid().as_raw()).then_some(folder)
}

/// Removes a folder with all that is in it.
fn remove(path: &Path, folder: &File) -> io::Result<()> {
    empty(folder)?;
    Ok(unlinkat(CWD, path, AtFlags::REMOVEDIR)?)
}

/// Removes what is in a folder. Folders in it may be nested as deep as they like: each is moved
/// up before it is emptied, so neither the stack nor the open files grow.
fn empty(top: &File) -> io::Result<()> {
    let mut moved = 0_u64;
    loop {
        let names = names(top)?;
        if names.is_empty() {
            return Ok(());
        }
        for name in names {
            if unlink_file(top, &name)? {
                continue;
            }
            let flags = OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
            let folder = openat(top, &*name, flags, Mode::empty())?;
            for inner in self::names(&folder)? {
                while !unlink_file(&folder, &inner)? {
                    moved += 1;
                    match renameat(&folder, &*inner, top, format!("{PREFIX}{moved}")) {
                        Ok(()) => break,
                        // The name is taken.
                        Err(Errno::EXIST | Errno::NOTEMPTY | Errno::NOTDIR) => {}
                        Err(error) => return Err(error.into()),
                    }
                }
            }
            unlinkat(top, &*name, AtFlags::REMOVEDIR)?;
        }
    }
}

fn names(folder: &impl AsFd) -> io::Result<Vec<Box<CStr>>> {
    let is_dot = |name: &CStr| matches!(name.to_bytes(), b"." | b"..");
    Dir::read_from(folder)?
        .map(|entry| Ok(Box::from(entry?.file_name())))
        .filter(|name: &io::Result<Box<CStr>>| !name.as_ref().is_ok_and(|name| is_dot(name)))
        .collect()
}

/// Removes what is no folder; `false` for a folder.
fn unlink_file(folder: &impl AsFd, name: &CStr) -> io::Result<bool> {
    match unlinkat(folder, name, AtFlags::empty()) {
        Ok(()) | Err(Errno::NOENT) => Ok(true),
        Err(Errno::ISDIR | Errno::PERM) => Ok(false),
        Err(error) => Err(error.into()),
    }
}

/// Folders below `parent` that are named as [`Scratch::create`] does.
fn folders(parent: &Path) -> Vec<PathBuf> {
    let Ok(entries) = std::fs::read_dir(parent) else { return Vec::new() };
    let is_ours = |name: &str| {
        let parts = name.strip_prefix(PREFIX).and_then(|rest| rest.split_once('-'));
        parts.is_some_and(|(pid, nonce)| {
            let hex = nonce.bytes().all(|byte| byte.is_ascii_hexdigit());
            pid.parse::<u32>().is_ok() && nonce.len() == 8 && hex
        })
    };
    let mut folders: Vec<PathBuf> = entries
        .flatten()
        .filter(|entry| entry.file_name().to_str().is_some_and(is_ours))
        .map(|entry| entry.path())
        .collect();
    folders.sort();
    folders
}

impl Drop for Scratch {
    fn drop(&mut self) {
        // What remains is empty or an output that is no longer needed.
        let held = self.held();
        let _ = remove(&held.path, &held.folder);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_folders_of_the_dead_are_swept() {
        let parent = tempfile::tempdir().unwrap();
        let alive = Scratch::create(parent.path(), 7).unwrap();
        let dead = parent.path().join("wfx-12-0000000a");
        for folder in [&dead, &parent.path().join("wfx-notes"), &parent.path().join("wfx-1-x")] {
            std::fs::create_dir(folder).unwrap();
        }
        std::fs::write(dead.join("0"), "left").unwrap();
        assert_eq!(Scratch::abandoned(parent.path()), std::slice::from_ref(&dead));
        Scratch::sweep(parent.path());
        assert!(!dead.exists() && alive.file().is_ok());
        assert_eq!(std::fs::read_dir(parent.path()).unwrap().count(), 3);
        drop(alive);
        assert_eq!(std::fs::read_dir(parent.path()).unwrap().count(), 2);
    }

    #[test]
    fn a_removed_or_replaced_folder_is_created_again() {
        let parent = tempfile::tempdir().unwrap();
        let temporary = parent.path().join("tmp");
        std::fs::create_dir(&temporary).unwrap();
        let scratch = Scratch::create(&temporary, 7).unwrap();
        let first = scratch.file().unwrap();
        std::fs::remove_dir_all(first.path().parent().unwrap()).unwrap();
        let second = scratch.file().unwrap();
        assert!(second.path().is_file());
        // Another process created a folder of the same name.
        std::fs::remove_dir_all(second.path().parent().unwrap()).unwrap();
        std::fs::create_dir(second.path().parent().unwrap()).unwrap();
        let third = scratch.file().unwrap();
        assert!(third.path().is_file() && third.path().parent() != second.path().parent());
        std::fs::remove_dir_all(&temporary).unwrap();
        assert!(scratch.file().unwrap().path().is_file());
    }

    #[test]
    fn a_file_goes_with_its_value() {
        let parent = tempfile::tempdir().unwrap();
        let scratch = Scratch::create(parent.path(), 7).unwrap();
        let file = scratch.file().unwrap();
        let path = file.path().to_owned();
        assert!(path.is_file());
        drop(file);
        assert!(!path.exists() && scratch.is_usable());
    }

    #[test]
    fn a_scratch_is_not_usable_until_a_file_can_be_made() {
        let parent = tempfile::tempdir().unwrap();
        let temporary = parent.path().join("tmp");
        std::fs::create_dir(&temporary).unwrap();
        let scratch = Scratch::create(&temporary, 7).unwrap();
        std::fs::remove_dir_all(&temporary).unwrap();
        std::fs::write(&temporary, "").unwrap();
        assert!(scratch.file().is_err() && !scratch.is_usable());
        std::fs::remove_file(&temporary).unwrap();
        assert!(scratch.is_usable());
        assert_eq!(names(&scratch.held().folder).unwrap().len(), 0);
    }

    #[test]
    fn what_is_no_folder_is_not_opened_and_a_deep_one_is_removed() {
        let parent = tempfile::tempdir().unwrap();
        let pipe = parent.path().join("wfx-1-00000000");
        rustix::fs::mkfifoat(CWD, &pipe, Mode::RUSR | Mode::WUSR).unwrap();
        let link = parent.path().join("wfx-1-00000001");
        std::os::unix::fs::symlink("/", &link).unwrap();
        let deep = parent.path().join("wfx-1-00000002");
        std::fs::create_dir(&deep).unwrap();
        let mut folder = open_folder(&deep).unwrap();
        for level in 0..20_000 {
            rustix::fs::mkdirat(&folder, "d", Mode::RWXU).unwrap();
            let flags = OFlags::DIRECTORY | OFlags::CLOEXEC;
            if level % 1_000 == 0 {
                openat(&folder, "file", OFlags::WRONLY | OFlags::CREATE, Mode::RWXU).unwrap();
                rustix::fs::symlinkat("/", &folder, "link").unwrap();
            }
            folder = File::from(openat(&folder, "d", flags, Mode::empty()).unwrap());
        }
        assert_eq!(Scratch::abandoned(parent.path()), std::slice::from_ref(&deep));
        Scratch::sweep(parent.path());
        assert!(!deep.exists() && link.is_symlink() && pipe.exists());
    }
}
