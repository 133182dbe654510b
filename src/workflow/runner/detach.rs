//! Keeps the terminal from steps.
//!
//! A step is no foreground job: a process of it that reads or sets the terminal (`ssh`, `sudo`,
//! `stty`) would be stopped by the kernel for ever. In a session of its own it has no terminal,
//! so that fails at once. The standard library cannot spawn into a new session without a fork,
//! so where wfx has a terminal, and only there, a step is started by way of wfx itself.

use std::ffi::OsString;
use std::fs::File;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::Command;
use std::sync::OnceLock;

/// The first argument of wfx when it starts a step: then come the program's path, its name,
/// and its arguments.
pub const ARGUMENT: &str = "__start-step-in-a-session";

/// The program that runs, also when its file was replaced or removed meanwhile: a new version may
/// know another argument.
pub const WFX: &str = "/proc/self/exe";

static IS_NEEDED: OnceLock<bool> = OnceLock::new();

/// From now on steps have no terminal, if this process has one.
pub fn detach_steps() {
    let _ = IS_NEEDED.set(File::open("/dev/tty").is_ok() && Path::new(WFX).exists());
}

/// Whether steps get sessions of their own.
#[must_use]
pub fn is_needed() -> bool {
    IS_NEEDED.get().copied().unwrap_or(false)
}

/// A command that starts this program, and leads a process group.
#[must_use]
pub fn command(program: &Path, name: &str) -> Command {
    if is_needed() {
        let mut command = Command::new(WFX);
        command.arg0("wfx").arg(ARGUMENT).arg(program).arg(name);
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
    format!("cannot start `{}`: {error}", Path::new(&program).display())
}
