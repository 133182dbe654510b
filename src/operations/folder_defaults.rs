//! Finds the `_defaults.yaml` of a folder of workflows.

use std::fs;
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use crate::system::files;
use crate::workflow::check::{self, Format, Problems, Source};
use crate::workflow::defaults::{FILE_NAME, FolderDefaults};

/// The largest file that is read.
pub(crate) const FILE_BYTES_MAX: u64 = 1 << 20;

/// Why the defaults of a folder cannot be used.
#[derive(Debug, Clone)]
pub(crate) enum UnusableDefaults {
    /// The file cannot be read, or not be trusted.
    Unread(String),
    /// What is wrong with it.
    Bad(Problems),
}

/// The defaults for the workflow in `file`: those of its folder, if that has some.
///
/// # Errors
/// [`UnusableDefaults`]. Also when the file belongs to another user, neither root nor the owner of
/// the workflow: in a folder for all, such as `/tmp`, anybody can put one beside a workflow, and
/// its `shell` and `env` run as the user who starts that.
pub(crate) fn beside(file: &Path) -> Result<Option<FolderDefaults>, UnusableDefaults> {
    let path = file.with_file_name(FILE_NAME);
    if is_absent(&path) {
        return Ok(None);
    }
    let metadata = fs::metadata(&path).map_err(|error| unread(&path, &error.to_string()))?;
    let owner = metadata.uid();
    let is_trusted = owner == 0
        || owner == rustix::process::geteuid().as_raw()
        || fs::metadata(file).is_ok_and(|workflow| workflow.uid() == owner);
    if !is_trusted {
        let why = format!(
            "it belongs to user {owner}, who neither runs wfx nor owns the workflow; run the \
             workflow from a folder of your own"
        );
        return Err(unread(&path, &why));
    }
    read(&path).map(Some)
}

/// Reads a file of defaults.
///
/// # Errors
/// [`UnusableDefaults`].
pub(crate) fn read(path: &Path) -> Result<FolderDefaults, UnusableDefaults> {
    let text =
        files::read_text(path, FILE_BYTES_MAX).map_err(|error| unread(path, &error.to_string()))?;
    let name = path.display().to_string();
    let source = Source { name: &name, text: &text, format: Format::Yaml, default_id: None };
    check::folder_defaults(&source).map_err(UnusableDefaults::Bad)
}

/// Whether there is no such file. A link to nothing is one that cannot be read.
pub(crate) fn is_absent(path: &Path) -> bool {
    fs::symlink_metadata(path).is_err_and(|error| {
        matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory)
    })
}

fn unread(path: &Path, why: &str) -> UnusableDefaults {
    UnusableDefaults::Unread(format!("cannot use `{}`: {why}", path.display()))
}

impl std::fmt::Display for UnusableDefaults {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Unread(why) => f.write_str(why),
            Self::Bad(problems) => problems.fmt(f),
        }
    }
}
