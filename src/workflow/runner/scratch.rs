//! A private folder for the output files of running steps, gone with its process.

use std::fs::{DirBuilder, File};
use std::io;
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

/// The folder, removed when this is dropped.
#[derive(Debug)]
pub struct Scratch {
    folder: PathBuf,
    files: AtomicU64,
}

impl Scratch {
    /// Makes a new folder (0700) below `parent`.
    ///
    /// # Errors
    /// When the folder cannot be made.
    pub fn create(parent: &Path, name: &str) -> io::Result<Self> {
        let folder = parent.join(name);
        DirBuilder::new().mode(0o700).create(&folder)?;
        Ok(Self { folder, files: AtomicU64::new(0) })
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

impl Drop for Scratch {
    fn drop(&mut self) {
        // What is left behind is empty or an output that nobody wants any more.
        let _ = std::fs::remove_dir_all(&self.folder);
    }
}
