//! Lock files as files: how they are opened, which is an original, where they lie.

use std::fs::{self, File, Metadata};
use std::io::{self, ErrorKind};
use std::os::unix::fs::{FileExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use super::id::OwnerId;
use crate::system::users;

/// The length of the first line of a lock file, which says which file it is, and of each record
/// after it.
pub(crate) const RECORD_BYTES: usize = 288;

/// Neither through links nor waiting for the other end of a pipe.
pub(crate) fn flags() -> i32 {
    use rustix::fs::OFlags;
    i32::try_from((OFlags::NOFOLLOW | OFlags::NONBLOCK).bits()).unwrap_or_default()
}

/// Opens a lock file to look at it.
pub(crate) fn open(path: &Path) -> io::Result<File> {
    regular(File::options().read(true).custom_flags(flags()).open(path)?)
}

pub(crate) fn open_for_writing(path: &Path) -> io::Result<File> {
    regular(File::options().read(true).write(true).custom_flags(flags()).open(path)?)
}

fn regular(file: File) -> io::Result<File> {
    if file.metadata()?.is_file() {
        return Ok(file);
    }
    Err(io::Error::new(ErrorKind::InvalidInput, "it is no regular file"))
}

/// Writes into a lock file which file it is: a copy of it, which nobody ever locked, says that of
/// another one.
pub(crate) fn sign(file: &File) -> io::Result<()> {
    let mut line = signature(&file.metadata()?).into_bytes();
    line.resize(RECORD_BYTES - 1, b' ');
    line.push(b'\n');
    file.write_all_at(&line, 0)
}

fn signature(metadata: &Metadata) -> String {
    format!("lock {} {}", metadata.dev(), metadata.ino())
}

/// Whether a lock file is the one that its owner made.
pub(crate) fn is_original(file: &File) -> bool {
    let mut line = [0; RECORD_BYTES];
    file.read_exact_at(&mut line, 0).is_ok()
        && file.metadata().is_ok_and(|metadata| {
            std::str::from_utf8(&line).is_ok_and(|line| line.trim_end() == signature(&metadata))
        })
}

/// The ids that have lock files beside `database`.
pub(crate) fn owners(database: &Path) -> Vec<String> {
    let Ok(entries) = fs::read_dir(folder_of(database)) else { return Vec::new() };
    let mut owners: Vec<String> = entries
        .filter_map(|entry| entry.ok()?.file_name().into_string().ok())
        .filter(|owner| OwnerId::parse(owner).is_some())
        .collect();
    owners.sort();
    owners
}

/// The folder of lock files: one, whatever links lead to the database.
pub(crate) fn folder_of(database: &Path) -> PathBuf {
    let database = database.canonicalize().unwrap_or_else(|_| database.to_owned());
    let mut folder = database.into_os_string();
    folder.push("-owners");
    PathBuf::from(folder)
}

/// Gives what root made beside the database to the database's owner, who could not use it
/// otherwise.
pub(crate) fn hand_over(made: &Path, database: &Path) -> io::Result<()> {
    if users::own() != 0 {
        return Ok(());
    }
    // A database that is away is reported by whoever uses it.
    let Ok(metadata) = fs::metadata(database) else { return Ok(()) };
    if metadata.uid() == 0 {
        return Ok(());
    }
    std::os::unix::fs::lchown(made, Some(metadata.uid()), Some(metadata.gid()))
}
