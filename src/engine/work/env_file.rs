//! Reads the `env_file` of a step when its attempt starts.

use std::io;
use std::path::Path;

use crate::base::visible::visible;
use crate::system::{files, limits};
use crate::workflow::dotenv;
use crate::workflow::environment::{self, Variables};

/// Why the variables of a file cannot be used.
#[derive(Debug)]
pub(crate) enum EnvFileError {
    /// A resource is exhausted: it may be readable later.
    Scarce(io::Error),
    /// What to report. It quotes nothing of the file, since that may be a secret.
    Unusable(String),
}

/// Adds the variables of these files, a later file over an earlier one, except those that
/// `is_set` by the workflow. Relative paths start from `folder`. A handler has variables that wfx
/// sets and no other step has.
///
/// # Errors
/// [`EnvFileError`] for the first file that cannot be used.
pub(crate) fn add(
    paths: &[String],
    folder: &Path,
    is_handler: bool,
    is_set: impl Fn(&str) -> bool,
    variables: &mut Variables,
) -> Result<(), EnvFileError> {
    for path in paths {
        for (name, value) in read(&folder.join(path))? {
            if is_handler && environment::is_set_for_handlers(&name) {
                let shown = visible(path);
                return Err(EnvFileError::Unusable(format!(
                    "the env_file `{shown}` has `{name}`, which wfx sets itself for handlers: \
                     choose another name"
                )));
            }
            if !is_set(&name) {
                variables.insert(name.into(), value.into());
            }
        }
    }
    Ok(())
}

fn read(path: &Path) -> Result<Vec<(String, String)>, EnvFileError> {
    let shown = visible(&path.to_string_lossy());
    let bytes = files::read(path, dotenv::FILE_BYTES_MAX).map_err(|error| {
        if limits::is_scarce(&error) {
            return EnvFileError::Scarce(error);
        }
        EnvFileError::Unusable(format!("cannot read the env_file `{shown}`: {error}"))
    })?;
    dotenv::parse(&bytes)
        .map_err(|bad| EnvFileError::Unusable(format!("the env_file `{shown}` is wrong in {bad}")))
}
