//! The file of this program, as it is on the disk whenever it is started again.

use std::ffi::OsStr;
use std::fs;
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

/// What the system appends to the name of a file that was replaced or removed.
const DELETED: &[u8] = b" (deleted)";

/// Where the program lies that this process was started from as `name`, its first argument. A later
/// version may be put there. A symbolic link is not followed, since it may lead to a later version
/// then. `None` when it cannot be found out.
#[must_use]
pub(crate) fn path(name: Option<&OsStr>) -> Option<PathBuf> {
    let own = fs::metadata("/proc/self/exe").ok();
    let is_own = |path: &PathBuf| {
        let identity = |metadata: fs::Metadata| (metadata.dev(), metadata.ino());
        let there = fs::metadata(path).ok().map(identity);
        there.is_some() && there == own.as_ref().map(|own| (own.dev(), own.ino()))
    };
    let named = name.into_iter().flat_map(candidates).find(is_own);
    named.or_else(|| Some(without_mark(std::env::current_exe().ok()?)))
}

/// The files that a shell takes for `name`.
fn candidates(name: &OsStr) -> Vec<PathBuf> {
    if name.as_bytes().contains(&b'/') {
        return std::path::absolute(name).into_iter().collect();
    }
    let path = std::env::var_os("PATH").unwrap_or_default();
    let folders = std::env::split_paths(&path).map(|folder| folder.join(name));
    folders.filter_map(|path| std::path::absolute(path).ok()).collect()
}

fn without_mark(path: PathBuf) -> PathBuf {
    if path.exists() {
        return path;
    }
    let mut name = path.into_os_string().into_vec();
    if name.ends_with(DELETED) {
        name.truncate(name.len() - DELETED.len());
    }
    Path::new(OsStr::from_bytes(&name)).to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_path_is_that_by_which_it_was_started() {
        let own = std::env::current_exe().unwrap();
        let folder = tempfile::tempdir().unwrap();
        let link = folder.path().join("link");
        std::os::unix::fs::symlink(&own, &link).unwrap();
        assert_eq!(path(Some(link.as_os_str())), Some(link));
        // What is there is another program.
        assert_eq!(path(Some(OsStr::new("/bin/sh"))), Some(own.clone()));
        assert_eq!(path(Some(OsStr::new("no such name"))), Some(own.clone()));
        assert_eq!(path(None), Some(own.clone()));
        let mut replaced = own.clone().into_os_string();
        replaced.push(" (deleted)");
        assert_eq!(without_mark(replaced.into()), own);
    }
}
