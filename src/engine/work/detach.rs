//! Starts steps by way of wfx itself, where they are to differ from it in what the standard
//! library cannot set without a fork: the session, and limits.
//!
//! A step is not a foreground job: the kernel would stop a process of it that reads or configures
//! the terminal (`ssh`, `sudo`, `stty`) for ever. In a session of its own it has no terminal, so
//! that fails at once. This is done only if wfx has a terminal.
//!
//! While the limit of open files is [raised](crate::system::limits), a step gets the original one:
//! programs that use select(2) cannot use descriptors above 1,023.

use std::ffi::{OsStr, OsString};
use std::fs::File;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::Command;
use std::sync::OnceLock;

use rustix::io::Errno;

use super::search;
use crate::system::limits;

/// The first argument of wfx when it starts a step: then come `session` or `group`, the soft limit
/// of open files or `-`, the program's path, its name, and its arguments.
pub const ARGUMENT: &str = "__start-step";

const SESSION: &str = "session";
const GROUP: &str = "group";
const UNCHANGED: &str = "-";

/// The program that runs, also when its file was replaced or removed meanwhile: a new version may
/// know another argument.
pub(crate) const WFX: &str = "/proc/self/exe";

static HAS_TERMINAL: OnceLock<bool> = OnceLock::new();
static CAN_START_ITSELF: OnceLock<bool> = OnceLock::new();

/// Whether a step can be started by way of wfx.
fn can_start_itself() -> bool {
    *CAN_START_ITSELF.get_or_init(|| Path::new(WFX).exists())
}

/// From now on steps have no terminal, if this process has one.
pub(crate) fn detach_steps() {
    let _ = HAS_TERMINAL.set(File::open("/dev/tty").is_ok() && can_start_itself());
}

/// Whether steps get sessions of their own.
#[must_use]
pub(crate) fn is_needed() -> bool {
    HAS_TERMINAL.get().copied().unwrap_or(false)
}

/// A command that starts this program, and leads a process group. `soft_limit`: of open files,
/// where it is another than that of wfx.
#[must_use]
pub(crate) fn command(program: &Path, name: &str, soft_limit: Option<u64>) -> Command {
    let session = is_needed();
    if session || (soft_limit.is_some() && can_start_itself()) {
        let limit = soft_limit.map_or(UNCHANGED.to_owned(), |limit| limit.to_string());
        let mut command = Command::new(WFX);
        command.arg0("wfx").arg(ARGUMENT).arg(if session { SESSION } else { GROUP }).arg(limit);
        command.arg(program).arg(name);
        if !session {
            command.process_group(0);
        }
        return command;
    }
    let mut command = Command::new(program);
    command.arg0(name).process_group(0);
    command
}

/// Replaces this process with a step; returns only an error.
pub(crate) fn start(mut arguments: impl Iterator<Item = OsString>) -> String {
    let mut next = || arguments.next();
    let (Some(leads), Some(limit), Some(program), Some(name)) = (next(), next(), next(), next())
    else {
        return format!("{ARGUMENT} is for wfx itself");
    };
    let error = match prepare(&leads, &limit) {
        Ok(()) => Command::new(&program).arg0(name).args(arguments).exec(),
        Err(error) => error,
    };
    let shown = Path::new(&program).display();
    let errno = error.raw_os_error().map(Errno::from_raw_os_error);
    match errno.and_then(|errno| search::explain(Path::new(&program), Path::new("."), errno)) {
        Some(why) => format!("cannot start `{shown}`: {why}"),
        None => format!("cannot start `{shown}`: {error}"),
    }
}

fn prepare(leads: &OsStr, limit: &OsStr) -> std::io::Result<()> {
    if leads == SESSION {
        rustix::process::setsid()?;
    }
    match limit.to_str().and_then(|limit| limit.parse().ok()) {
        Some(limit) => limits::set_open_files(limit),
        None => Ok(()),
    }
}
