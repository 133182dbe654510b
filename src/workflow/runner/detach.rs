//! Keeps the terminal from steps.
//!
//! A step is no foreground job: a process of it that reads or sets the terminal (`ssh`, `sudo`,
//! `stty`) would be stopped by the kernel for ever. In a session of its own it has no terminal,
//! so that fails at once. The standard library cannot spawn into a new session without a fork,
//! so where wfx has a terminal, and only there, a step is started by way of wfx itself.

use std::ffi::OsString;
use std::fs::File;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

use rustix::io::Errno;

use super::search;

/// The first argument of wfx when it starts a step: then come the program's path, its name,
/// and its arguments.
pub const ARGUMENT: &str = "__start-step-in-a-session";

static WFX: OnceLock<PathBuf> = OnceLock::new();

/// From now on steps have no terminal, if this process has one.
pub fn detach_steps() {
    if File::open("/dev/tty").is_ok()
        && let Ok(wfx) = std::env::current_exe()
    {
        let _ = WFX.set(wfx);
    }
}

/// Whether steps get sessions of their own.
pub fn is_needed() -> bool {
    WFX.get().is_some()
}

/// A command that starts this program, and leads a process group.
pub fn command(program: &Path, name: &str) -> Command {
    if let Some(wfx) = WFX.get() {
        let mut command = Command::new(wfx);
        command.arg(ARGUMENT).arg(program).arg(name);
        return command;
    }
    let mut command = Command::new(program);
    command.arg0(name).process_group(0);
    command
}

/// Starts a step in place of this process; returns only why that fails.
pub fn start(mut arguments: impl Iterator<Item = OsString>) -> String {
    let (Some(program), Some(name)) = (arguments.next(), arguments.next()) else {
        return format!("{ARGUMENT} is for wfx itself");
    };
    let error = match rustix::process::setsid() {
        Ok(_) => Command::new(&program).arg0(name).args(arguments).exec(),
        Err(error) => error.into(),
    };
    let shown = Path::new(&program).display();
    let errno = error.raw_os_error().map(Errno::from_raw_os_error);
    match errno.and_then(|errno| search::explain(Path::new(&program), Path::new("."), errno)) {
        Some(why) => format!("cannot start `{shown}`: {why}"),
        None => format!("cannot start `{shown}`: {error}"),
    }
}
