//! Finds the `_defaults.yaml` of a folder of workflows.

use std::fs;
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use crate::system::files;
use crate::workflow::check::{self, Format, Problems, Source};
use crate::workflow::defaults::{FILE_NAME, FolderDefaults};

/// The largest file that is read.
pub(crate) const FILE_BYTES_MAX: u64 = 1 << 20;

/// Why the defaults of a folder cannot be used.
#[derive(Debug, Clone)]
pub(crate) enum UnusableDefaults {
    /// The file cannot be read, or not be trusted, and why.
    Unread(PathBuf, String),
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
    let refuse = |error: &io::Error| unread(&path, &error.to_string());
    let own = rustix::process::geteuid().as_raw();
    let of_workflow = fs::metadata(file).map(|workflow| workflow.uid()).ok();
    let check = |owner: u32| {
        if owner == 0 || owner == own || Some(owner) == of_workflow {
            return Ok(());
        }
        let why = format!(
            "it belongs to user {owner}, who neither runs wfx nor owns the workflow; run the \
             workflow from a folder of your own"
        );
        Err(unread(&path, &why))
    };
    // A link decides which file is read, so that its owner counts too.
    match fs::symlink_metadata(&path) {
        Err(error) if is_no_file(&error) => return Ok(None),
        Err(error) => return Err(refuse(&error)),
        Ok(metadata) => check(metadata.uid())?,
    }
    // What is read is what was opened, whatever is at the path by then.
    let opened = files::open(&path).map_err(|error| refuse(&error))?;
    check(opened.metadata().map_err(|error| refuse(&error))?.uid())?;
    parse(&path, files::text_of(opened, FILE_BYTES_MAX)).map(Some)
}

/// Reads a file of defaults.
///
/// # Errors
/// [`UnusableDefaults`].
pub(crate) fn read(path: &Path) -> Result<FolderDefaults, UnusableDefaults> {
    parse(path, files::read_text(path, FILE_BYTES_MAX))
}

fn parse(path: &Path, text: io::Result<String>) -> Result<FolderDefaults, UnusableDefaults> {
    let text = text.map_err(|error| unread(path, &error.to_string()))?;
    let name = path.display().to_string();
    let source = Source { name: &name, text: &text, format: Format::Yaml, default_id: None };
    check::folder_defaults(&source).map_err(UnusableDefaults::Bad)
}

/// Whether there is no such file. A link to nothing is one that cannot be read.
pub(crate) fn is_absent(path: &Path) -> bool {
    fs::symlink_metadata(path).is_err_and(|error| is_no_file(&error))
}

fn is_no_file(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory)
}

fn unread(path: &Path, why: &str) -> UnusableDefaults {
    UnusableDefaults::Unread(path.to_owned(), why.to_owned())
}

impl std::fmt::Display for UnusableDefaults {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Unread(path, why) => write!(f, "cannot use `{}`: {why}", path.display()),
            Self::Bad(problems) => problems.fmt(f),
        }
    }
}
