//! Keeps secrets of wfx from its steps: every process of the same user reads the environment
//! that a process began with in `/proc/PID/environ`. So wfx starts anew, in the same process,
//! without them, and finds them in a file in memory that it inherits and closes at once.

use std::ffi::{OsStr, OsString};
use std::fs::File;
use std::io::{Read, Write};
use std::os::fd::{AsRawFd, RawFd};
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::settings::Environment;
use crate::workflow::environment::{self, RESTARTED};

/// The name of the file in memory.
const NAME: &str = "wfx-secrets";

/// What is prepared for a command that runs steps.
pub(super) struct Prepared {
    /// The environment, with the secrets of the start before.
    pub environment: Environment,
    /// Why wfx could not be started anew.
    pub failure: Option<std::io::Error>,
}

/// Prepares a command that runs steps.
pub(super) fn prepare(given: Environment, arguments: &[OsString]) -> Prepared {
    let (handed_over, mut failure) = match given.get(RESTARTED).map_or(Ok(Vec::new()), take) {
        Ok(variables) => (variables, None),
        Err(error) => (Vec::new(), Some(error)),
    };
    if !handed_over.is_empty() {
        hide_memory();
    }
    let given = given.with(handed_over);
    let secrets = secrets(std::env::vars_os());
    if !secrets.is_empty() && Path::new("/proc/self/fd").exists() {
        failure = Some(start_anew(arguments, &secrets));
    }
    Prepared { environment: given, failure }
}

fn secrets(variables: impl IntoIterator<Item = (OsString, OsString)>) -> Vec<(OsString, OsString)> {
    variables.into_iter().filter(|(name, _)| environment::is_secret(name)).collect()
}

/// Returns only when that fails.
fn start_anew(arguments: &[OsString], secrets: &[(OsString, OsString)]) -> std::io::Error {
    let file = match in_memory(secrets) {
        Ok(file) => file,
        Err(error) => return error,
    };
    let mut command = Command::new(own_program());
    if let Some(name) = arguments.first() {
        command.arg0(name);
    }
    command.args(arguments.iter().skip(1)).env(RESTARTED, file.as_raw_fd().to_string());
    for (name, _) in secrets {
        command.env_remove(name);
    }
    command.exec()
}

/// This program, as it is named: `ps` shows the name of the file.
fn own_program() -> PathBuf {
    let own = std::env::current_exe().ok().filter(|path| path.is_file());
    own.unwrap_or_else(|| PathBuf::from("/proc/self/exe"))
}

/// A file that is inherited.
#[cfg(target_os = "linux")]
fn in_memory(secrets: &[(OsString, OsString)]) -> std::io::Result<File> {
    use rustix::fs::{MemfdFlags, memfd_create};
    // Some systems make only files that nobody executes, and older ones do not know these.
    let made = memfd_create(NAME, MemfdFlags::NOEXEC_SEAL)
        .or_else(|_| memfd_create(NAME, MemfdFlags::empty()))?;
    let mut file = File::from(made);
    for (name, value) in secrets {
        file.write_all(&[name.as_bytes(), b"=", value.as_bytes(), b"\0"].concat())?;
    }
    Ok(file)
}

#[cfg(not(target_os = "linux"))]
fn in_memory(_secrets: &[(OsString, OsString)]) -> std::io::Result<File> {
    Err(std::io::ErrorKind::Unsupported.into())
}

/// Takes what the start before has left in the file of this number, and closes it: no step inherits
/// it. Nothing is done with another file.
fn take(number: &OsStr) -> std::io::Result<Vec<(OsString, OsString)>> {
    let Some(number) = number.to_str().and_then(|number| number.parse::<RawFd>().ok()) else {
        return Ok(Vec::new());
    };
    let path = format!("/proc/self/fd/{number}");
    let target = std::fs::read_link(&path).unwrap_or_default();
    // The kernel says that it has no name in any folder.
    let expected = format!("/memfd:{NAME} (deleted)");
    if number <= 2 || target.as_os_str().as_bytes() != expected.as_bytes() {
        return Ok(Vec::new());
    }
    let mut text = Vec::new();
    let mut file = File::options().read(true).write(true).open(path)?;
    let read = file.read_to_end(&mut text);
    // Whoever has it open has nothing.
    let emptied = file.set_len(0);
    nix::unistd::close(number)?;
    read?;
    emptied?;
    Ok(parse(&text))
}

/// Reads variables, `NAME=value` ended by NUL each.
fn parse(text: &[u8]) -> Vec<(OsString, OsString)> {
    let own = |bytes: &[u8]| OsString::from_vec(bytes.to_vec());
    text.split(|&byte| byte == 0)
        .filter_map(|variable| {
            let equals = variable.iter().position(|&byte| byte == b'=')?;
            Some((own(&variable[..equals]), own(&variable[equals + 1..])))
        })
        .collect()
}

/// Keeps other processes of the same user from reading the memory of this one, which holds
/// secrets. Its processes below are not concerned.
pub(super) fn hide_memory() {
    #[cfg(target_os = "linux")]
    {
        use rustix::process::{DumpableBehavior, set_dumpable_behavior};
        let _ = set_dumpable_behavior(DumpableBehavior::NotDumpable);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn variables_are_read_whatever_they_hold() {
        let read = parse(b"A=1\0B=x=\ny\0C=\0");
        let expected: Vec<(OsString, OsString)> = [("A", "1"), ("B", "x=\ny"), ("C", "")]
            .map(|(name, value)| (name.into(), value.into()))
            .into();
        assert_eq!(read, expected);
    }
}
