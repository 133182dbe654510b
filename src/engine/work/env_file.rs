//! Reads the `env_file` of a step when its attempt starts.

use std::io;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::Semaphore;
use tokio::time;

use super::Stop;
use super::process::Begun;
use crate::base::period::Period;
use crate::base::visible::visible;
use crate::system::{files, limits};
use crate::workflow::dotenv;
use crate::workflow::environment::{self, Variables};
use crate::workflow::spec::ExecutionSpec;

/// Why the variables of a file cannot be used.
#[derive(Debug)]
enum EnvFileError {
    /// A resource is exhausted: it may be readable later.
    Scarce(io::Error),
    /// What to report. It quotes nothing of the file, since that may be a secret.
    Unusable(String),
}

/// What became of reading the files of variables of a step.
pub(crate) enum FilesRead {
    /// The variables of the step with theirs.
    All(Variables),
    /// A resource is exhausted: they may be readable later.
    Scarce(io::Error),
    /// One of them cannot be used, and why.
    Unusable(String),
    /// The `timeout` of the attempt was over before.
    TimedOut(String),
    /// The attempt was stopped before.
    Stopped,
}

/// How many tasks read files of variables at a time. One that hangs occupies a thread of those that
/// other work needs too; nothing can end it.
const READERS_MAX: usize = 32;

static READERS: Semaphore = Semaphore::const_new(READERS_MAX);

/// Reads the files of a step. They may be on a network that hangs, or be a terminal or a pipe whose
/// other end is silent: whoever waits for them leaves at once.
pub(crate) async fn read_all(
    spec: &Arc<ExecutionSpec>,
    step: usize,
    variables: Variables,
    stop: &Stop,
    begun: Begun,
) -> FilesRead {
    let timeout = spec.step(step).timeout;
    let left = timeout.map_or(Duration::MAX, Period::duration).saturating_sub(begun.elapsed());
    tokio::select! {
        biased;
        () = stop.gently.cancelled() => FilesRead::Stopped,
        () = stop.now.cancelled() => FilesRead::Stopped,
        read = read_in_background(Arc::clone(spec), step, variables) => read,
        () = time::sleep(left) => FilesRead::TimedOut(format!(
            "timed out after {} while its env_file was read",
            timeout.unwrap_or_default()
        )),
    }
}

async fn read_in_background(
    spec: Arc<ExecutionSpec>,
    step: usize,
    mut variables: Variables,
) -> FilesRead {
    // It is never closed.
    let permit = READERS.acquire().await.ok();
    let read = move || {
        let _permit = permit;
        let (definition, of_step) = (spec.snapshot.definition(), spec.step(step));
        let is_set =
            |name: &str| definition.env.contains_key(name) || of_step.env.contains_key(name);
        let (paths, workdir) = (&of_step.process.env_file, Path::new(&spec.snapshot.workdir));
        let is_handler = step >= definition.steps.len();
        add(paths, workdir, is_handler, is_set, &mut variables).map(|()| variables)
    };
    match tokio::task::spawn_blocking(read).await {
        Ok(Ok(variables)) => FilesRead::All(variables),
        Ok(Err(EnvFileError::Scarce(error))) => FilesRead::Scarce(error),
        Ok(Err(EnvFileError::Unusable(why))) => FilesRead::Unusable(why),
        Err(fault) if fault.is_panic() => std::panic::resume_unwind(fault.into_panic()),
        Err(_) => FilesRead::Unusable("wfx ended while it read the env_file".to_owned()),
    }
}

/// Adds the variables of these files, a later file over an earlier one, except those that
/// `is_set` by the workflow. Relative paths start from `folder`. A handler has variables that wfx
/// sets and no other step has.
///
/// # Errors
/// [`EnvFileError`] for the first file that cannot be used.
fn add(
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
