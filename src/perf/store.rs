//! The baseline file: read, and replaced as a whole.
//!
//! An update holds a lock on the file's folder from reading to replacing, so that concurrent
//! updates never lose each other's endpoints; the system releases the lock of a dead process. The
//! new text is made durable beside the file and renamed over it: whenever an update is killed, the
//! file is the old one or the new one.

use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use super::baseline::{Baseline, BaselineError};

/// The longest baseline that is read.
const BYTES_MAX: u64 = 64 * 1024 * 1024;

/// Why the baseline cannot be read or replaced.
#[derive(Debug, thiserror::Error)]
pub(crate) enum StoreError {
    #[error("there is no baseline {}", .0.display())]
    Missing(PathBuf),
    /// It cannot be read.
    #[error("cannot read the baseline {}: {error}", path.display())]
    Read { path: PathBuf, error: io::Error },
    #[error("cannot use the baseline {}: {error}", path.display())]
    Content { path: PathBuf, error: BaselineError },
    /// It cannot be replaced.
    #[error("cannot write the baseline {}: {error}", path.display())]
    Write { path: PathBuf, error: io::Error },
}

impl StoreError {
    /// What can be done.
    #[must_use]
    pub(crate) fn hint(&self) -> String {
        match self {
            Self::Missing(_) => "make it with UPDATE_BASELINE=true (--update-baseline), or name \
                 another with --baseline"
                .to_owned(),
            Self::Read { .. } => "name a file with --baseline".to_owned(),
            Self::Content { error, .. } => error.hint().to_owned(),
            Self::Write { .. } => "name a file that can be written with --baseline".to_owned(),
        }
    }

    /// Whether the system failed, and not what was given.
    #[must_use]
    pub(crate) fn is_environment(&self) -> bool {
        matches!(self, Self::Write { .. })
    }
}

/// Reads the baseline.
///
/// # Errors
/// When the file does not exist or is no baseline.
pub(crate) fn read(path: &Path) -> Result<Baseline, StoreError> {
    let text = read_text(path).map_err(|error| match error.kind() {
        io::ErrorKind::NotFound => StoreError::Missing(path.to_owned()),
        _ => StoreError::Read { path: path.to_owned(), error },
    })?;
    Baseline::parse(&text).map_err(|error| StoreError::Content { path: path.to_owned(), error })
}

/// Reads the baseline that an update starts from: one that is missing, or of an older
/// version, is replaced as a whole; true: such a one was there.
///
/// # Errors
/// When what is there is no baseline.
pub(crate) fn read_to_update(path: &Path) -> Result<(Baseline, bool), StoreError> {
    match read(path) {
        Ok(baseline) => Ok((baseline, false)),
        Err(StoreError::Missing(_)) => Ok((Baseline::default(), false)),
        Err(StoreError::Content { error, .. }) if error.is_outdated() => {
            Ok((Baseline::default(), true))
        }
        Err(error) => Err(error),
    }
}

/// Replaces the baseline by what `change` makes of it, and gives what that gives.
///
/// # Errors
/// When what is there is no baseline, or nothing can be written.
pub(crate) fn update<T>(
    path: &Path,
    change: impl FnOnce(&mut Baseline) -> T,
) -> Result<T, StoreError> {
    let cannot = |error| StoreError::Write { path: path.to_owned(), error };
    // The file that a link leads to is replaced, not the link.
    let file = match fs::canonicalize(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound && !path.is_symlink() => {
            path.to_owned()
        }
        found => found.map_err(cannot)?,
    };
    let folder = folder_of(&file);
    fs::create_dir_all(&folder).map_err(cannot)?;
    let lock = File::open(&folder).map_err(cannot)?;
    lock.lock().map_err(cannot)?;
    let (mut baseline, _) = read_to_update(&file)?;
    let changed = change(&mut baseline);
    let text = baseline.render().map_err(|error| cannot(error.into()))?;
    // One fixed name, used only while the lock is held: what a killed update left is overwritten.
    let temporary = beside(&file, ".tmp").map_err(cannot)?;
    remove(&temporary).map_err(cannot)?;
    replace(&file, &temporary, &text).map_err(cannot)?;
    lock.sync_all().map_err(cannot)?;
    Ok(changed)
}

fn read_text(path: &Path) -> io::Result<String> {
    crate::system::files::read_text(path, BYTES_MAX)
}

fn folder_of(file: &Path) -> PathBuf {
    match file.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder.to_owned(),
        _ => PathBuf::from("."),
    }
}

/// A hidden name in the folder of `file`.
///
/// # Errors
/// When `file` has no name.
pub(crate) fn beside(file: &Path, ending: &str) -> io::Result<PathBuf> {
    let mut hidden = std::ffi::OsString::from(".");
    hidden.push(file.file_name().ok_or(io::ErrorKind::InvalidInput)?);
    hidden.push(ending);
    Ok(file.with_file_name(hidden))
}

fn remove(file: &Path) -> io::Result<()> {
    match fs::remove_file(file) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

/// Replaces a file atomically: the text is written to `temporary`, which no other process uses,
/// made durable, and renamed to the file.
///
/// # Errors
/// When something cannot be written; the file is then as it was.
pub(crate) fn replace(file: &Path, temporary: &Path, text: &str) -> io::Result<()> {
    // A symbolic link at this path is not followed.
    let new = File::create_new(temporary)?;
    let written = write_durably(new, temporary, file, text);
    if written.is_err() {
        // Its error is reported.
        let _ = fs::remove_file(temporary);
    }
    written
}

fn write_durably(mut new: File, temporary: &Path, file: &Path, text: &str) -> io::Result<()> {
    if let Ok(metadata) = fs::metadata(file) {
        new.set_permissions(metadata.permissions())?;
    }
    new.write_all(text.as_bytes())?;
    new.sync_all()?;
    fs::rename(temporary, file)
}
