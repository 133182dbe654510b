//! Messages about a command that could not be started, or that failed.

use std::ffi::OsString;
use std::io;
use std::path::Path;
use std::process::ExitStatus;

use rustix::io::Errno;

use super::job::Job;
use super::{detach, search};
use crate::base::visible::visible;
use crate::workflow::check::LIST_IS_ONE_COMMAND;
use crate::workflow::definition::Work;
use crate::workflow::environment;

/// Why a command could not be started.
pub(crate) fn spawn_error(job: &Job, error: &io::Error) -> String {
    let folder = job.folder.display();
    if !job.folder.is_dir() {
        return format!("cannot start in folder {folder}: it does not exist or is no folder");
    }
    let program: OsString = match program(job) {
        Some(program) => program.into(),
        None => "/bin/sh".into(),
    };
    let program = Path::new(&program).display();
    let errno = error.raw_os_error().map(Errno::from_raw_os_error);
    if let Some(why) = errno.and_then(|errno| explain(job, errno)) {
        return format!("cannot start `{program}`: {why}");
    }
    match errno {
        Some(Errno::TOOBIG) if argument_bytes(job) > environment_bytes(job) => format!(
            "cannot start `{program}`: the system refuses so large arguments: {} bytes; hand \
             them on in a file",
            argument_bytes(job)
        ),
        Some(Errno::TOOBIG) => format!(
            "cannot start `{program}`: the system refuses so large an environment; \
             the largest are {}",
            environment::largest(&job.variables)
        ),
        Some(Errno::NOENT) if detach::is_needed() && is_found(job) => format!(
            "cannot start `{program}` without the terminal, since wfx cannot start itself: {} \
             is missing",
            detach::WFX
        ),
        Some(Errno::NOENT) => format!("cannot start `{program}`: no such program"),
        _ => format!("cannot start `{program}` in {folder}: {error}"),
    }
}

/// The exit code of shells when there is no such program. They report a script without its
/// interpreter in the same way.
pub(crate) const NOT_FOUND: i32 = 127;

/// Why a line failed with [`NOT_FOUND`], with the interpreter that the script names, if it names
/// one.
pub(crate) fn not_found(job: &Job, why: String) -> String {
    let Work::Shell(line) = job.work() else { return why };
    let first = line.split_whitespace().next().unwrap_or_default();
    let said = first.contains('/').then(|| search::explain_to_shell(Path::new(first), &job.folder));
    match said.flatten() {
        Some(said) => format!("{why}: `{}`: {said}", visible(first)),
        None => why,
    }
}

/// Why a program cannot be started, from its list or its file.
fn explain(job: &Job, errno: Errno) -> Option<String> {
    let program = program(job)?;
    // A name without a slash was searched in `PATH` and not found.
    let found = match search::find(program, &job.variables, &job.folder) {
        Ok(path) => search::explain(&path, &job.folder, errno),
        Err(_) => None,
    };
    let is_line = errno == Errno::NOENT && program.trim().contains(char::is_whitespace);
    found.or_else(|| is_line.then(|| format!("no such program; {LIST_IS_ONE_COMMAND}")))
}

/// Whether the program that a step names is there.
fn is_found(job: &Job) -> bool {
    program(job).is_none_or(|name| search::find(name, &job.variables, &job.folder).is_ok())
}

/// The program that a step names, in `run` or in `shell`.
fn program(job: &Job) -> Option<&str> {
    let argv = match job.work() {
        Work::Argv(argv) => argv,
        _ => job.shell()?,
    };
    argv.first().map(String::as_str)
}

/// How long what it is called with is.
fn argument_bytes(job: &Job) -> usize {
    let of_list = |list: &[String]| list.iter().map(|it| it.len() + 1).sum();
    match job.work() {
        Work::Argv(argv) => of_list(argv),
        Work::Shell(line) => job.shell().map_or(0, of_list) + line.len(),
        Work::Nothing | Work::Sleep(_) => 0,
    }
}

fn environment_bytes(job: &Job) -> usize {
    job.variables.iter().map(|(name, value)| name.len() + value.len() + 2).sum()
}

/// As shells count: 128 and the signal's number for a process ended by one.
pub(crate) fn exit_code(status: ExitStatus) -> Option<i32> {
    use std::os::unix::process::ExitStatusExt;
    status.code().or_else(|| status.signal().map(|signal| 128 + signal))
}

/// Why it failed, unless it did not. A process that a signal ended never succeeds.
pub(crate) fn failure(status: ExitStatus, is_success: impl FnOnce(i32) -> bool) -> Option<String> {
    use std::os::unix::process::ExitStatusExt;
    match (status.code(), status.signal()) {
        (Some(code), _) if is_success(code) => None,
        (Some(code), _) => Some(format!("exit code {code}")),
        (None, Some(signal)) => Some(format!("ended by signal {signal}{}", signal_name(signal))),
        (None, None) => Some(status.to_string()),
    }
}

/// Its name in brackets, where it has one on this system.
fn signal_name(signal: i32) -> String {
    if let Ok(signal) = nix::sys::signal::Signal::try_from(signal) {
        return format!(" ({signal})");
    }
    match signal - REALTIME_FIRST {
        0 => " (SIGRTMIN)".to_owned(),
        more @ 1..=30 => format!(" (SIGRTMIN+{more})"),
        _ => String::new(),
    }
}

/// `SIGRTMIN` of glibc on Linux, which reserves the two signals before it; no other system has
/// signals with such numbers.
const REALTIME_FIRST: i32 = 34;
