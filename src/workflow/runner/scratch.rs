//! A private folder for the output files of running steps, gone with its process.

use std::fs::{DirBuilder, File};
use std::io;
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

/// What the name of each begins with.
const PREFIX: &str = "wfx-";

/// The folder, removed when this is dropped. It is locked as long, so that folders of
/// processes that died can be told.
#[derive(Debug)]
pub struct Scratch {
    folder: PathBuf,
    files: AtomicU64,
    _lock: File,
}

impl Scratch {
    /// Makes a new folder (0700) below `parent`. `nonce` tells apart processes that had the
    /// same pid.
    ///
    /// # Errors
    /// When the folder cannot be made.
    pub fn create(parent: &Path, nonce: u32) -> io::Result<Self> {
        let folder = parent.join(format!("{PREFIX}{}-{nonce:08x}", std::process::id()));
        loop {
            DirBuilder::new().mode(0o700).create(&folder)?;
            let lock = File::open(&folder)?;
            lock.lock()?;
            // Between the two, a sweep may have taken it for one of the dead.
            if folder.exists() {
                return Ok(Self { folder, files: AtomicU64::new(0), _lock: lock });
            }
        }
    }

    /// Folders below `parent` of processes that died.
    #[must_use]
    pub fn abandoned(parent: &Path) -> Vec<PathBuf> {
        let free = |path: &PathBuf| File::open(path).is_ok_and(|f| f.try_lock_shared().is_ok());
        folders(parent).into_iter().filter(free).collect()
    }

    /// Removes the folders below `parent` of processes that died.
    pub fn sweep(parent: &Path) {
        for folder in folders(parent) {
            // Held while it goes: who has just made it and waits for the lock makes it anew.
            if let Ok(file) = File::open(&folder)
                && file.try_lock().is_ok()
            {
                let _ = std::fs::remove_dir_all(&folder);
            }
        }
    }

    /// Makes a new empty file (0600) and returns its path.
    ///
    /// # Errors
    /// When the file cannot be made.
    pub fn file(&self) -> io::Result<PathBuf> {
        let number = self.files.fetch_add(1, Ordering::Relaxed);
        let path = self.folder.join(number.to_string());
        File::options().write(true).create_new(true).mode(0o600).open(&path)?;
        Ok(path)
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
        // What is left behind is empty or an output that nobody wants any more.
        let _ = std::fs::remove_dir_all(&self.folder);
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
}
