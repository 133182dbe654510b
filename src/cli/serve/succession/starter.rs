//! The starter: a process between the old one and the successor, which it starts. It ends as the
//! successor does, or is killed once the successor serves: the successor then gets the parent that
//! the old process has. A child of the old process itself would stay below it, since that adopts
//! the orphans of steps.

use std::ffi::OsString;
use std::fs::File;
use std::io;
use std::os::fd::AsFd;
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::path::Path;
use std::process::{Child, Command};

use super::link::Message;
use crate::engine::work::detach;

/// The first argument of wfx when it is the starter: then come the path of the program, and its
/// arguments with its name.
pub const ARGUMENT: &str = "__start-successor";

/// A command that starts the starter of this program.
pub(super) fn command(program: &Path, arguments: &[OsString]) -> Command {
    let mut command = Command::new(detach::WFX);
    command.arg0("wfx").arg(ARGUMENT).arg(program).args(arguments);
    command
}

/// Starts the successor, and returns the exit code that it ends with; 128 and the signal, if one
/// ended it.
pub(crate) fn run(arguments: impl Iterator<Item = OsString>) -> u8 {
    match start(arguments).and_then(|mut child| child.wait()) {
        Ok(status) => {
            let signal = status.signal().map(|signal| 128 + signal);
            status.code().or(signal).and_then(|code| code.try_into().ok()).unwrap_or(1)
        }
        Err(_) => 1,
    }
}

fn start(mut arguments: impl Iterator<Item = OsString>) -> io::Result<Child> {
    // Without the old process there is nobody to report to.
    #[cfg(target_os = "linux")]
    rustix::process::set_parent_process_death_signal(Some(rustix::process::Signal::KILL))?;
    let program = arguments.next().unwrap_or_default();
    let mut command = Command::new(&program);
    if let Some(name) = arguments.next() {
        command.arg0(name);
    }
    let stream = io::stdin().as_fd().try_clone_to_owned()?;
    let started = command.args(arguments).spawn();
    match &started {
        Ok(child) => Message::Started { pid: child.id() }.send_over(&stream)?,
        Err(error) => {
            let why = format!("cannot start {}: {error}", Path::new(&program).display());
            Message::Failed { why }.send_over(&stream)?;
        }
    }
    // The stream is to end with the successor.
    rustix::stdio::dup2_stdin(File::open("/dev/null")?)?;
    started
}
