//! Starts the process of a step: the program is searched and the command put together, which may be
//! done ahead; then it is spawned.

use std::borrow::Cow;
use std::ffi::OsStr;
use std::io;
use std::path::{Component, Path};
use std::process::{Child, Command, Stdio};

use rustix::io::Errno;

use super::children;
use super::detach;
use super::job::Job;
use super::search;
use crate::system::limits::{self, Spawning};
use crate::workflow::definition::Work;
use crate::workflow::environment::{self, OUTPUT_FILE};

/// A command that is ready to be started.
pub(crate) struct Launch {
    command: Command,
    /// What it was made for: the soft limit of open files that the step is to get.
    soft_limit: Option<u64>,
}

/// Prepares the start of a step, of which nothing can be noticed.
///
/// # Errors
/// When there is no such program.
pub(crate) fn prepare(job: &Job) -> io::Result<Launch> {
    launch(job, Spawning::begin().soft_limit())
}

/// Spawns the process of a step, as it was prepared if that still fits.
///
/// # Errors
/// When there is no such program, or it cannot be spawned.
pub(super) fn spawn(job: &Job, prepared: Option<Launch>) -> io::Result<Child> {
    match spawn_once(job, prepared) {
        // More descriptors than assumed may be uncounted.
        Err(error) if is_no_file_left(&error) && limits::raise() => spawn_once(job, None),
        spawned => spawned,
    }
}

fn is_no_file_left(error: &io::Error) -> bool {
    error.raw_os_error().map(Errno::from_raw_os_error) == Some(Errno::MFILE)
}

fn spawn_once(job: &Job, prepared: Option<Launch>) -> io::Result<Child> {
    let spawning = Spawning::begin();
    let limit = spawning.soft_limit();
    let mut launch = match prepared {
        Some(launch) if launch.soft_limit == limit => launch,
        _ => launch(job, limit)?,
    };
    children::spawn(&mut launch.command, &job.key)
}

fn launch(job: &Job, limit: Option<u64>) -> io::Result<Launch> {
    let mut command = match job.work() {
        Work::Argv(argv) => {
            let program = search::find(&argv[0], &job.variables, &job.folder)?;
            let mut command = detach::command(&program, &argv[0], limit);
            command.args(&argv[1..]);
            command
        }
        Work::Shell(line) => match job.shell() {
            Some(shell) => {
                let program = search::find(&shell[0], &job.variables, &job.folder)?;
                let mut command = detach::command(&program, &shell[0], limit);
                command.args(&shell[1..]).arg(line);
                command
            }
            None => {
                let mut command = detach::command(Path::new("/bin/sh"), "/bin/sh", limit);
                // A line that begins with `-` must not be taken for an option.
                command.args(["-c", "--"]).arg(line);
                command
            }
        },
        Work::Nothing | Work::Sleep(_) => return Err(io::ErrorKind::Unsupported.into()),
    };
    command.env_clear().envs(&job.variables);
    if !job.variables.contains_key(OsStr::new(environment::FOLDER)) {
        command.env(environment::FOLDER, logical(&job.folder).as_os_str());
    }
    command
        .env(OUTPUT_FILE, job.output_file.path())
        .current_dir(&job.folder)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    Ok(Launch { command, soft_limit: limit })
}

/// The folder in the form of `PWD`: absolute, and without `.` and `..`, which programs reject.
fn logical(folder: &Path) -> Cow<'_, Path> {
    let is_parent = |component: Component<'_>| component == Component::ParentDir;
    if folder.components().any(is_parent) {
        return folder.canonicalize().map_or(Cow::Borrowed(folder), Cow::Owned);
    }
    Cow::Owned(folder.components().collect())
}
