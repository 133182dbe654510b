//! Keeps secrets of wfx from its steps: every process of the same user reads the environment
//! that a process began with in `/proc/PID/environ`. So wfx starts anew, in the same process,
//! without them; what needs them gets them in a file in memory, on its standard input.

use std::ffi::OsString;
use std::fs::File;
use std::io::{Read, Seek, Write};
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

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

/// Prepares a command that runs steps. `needs_secrets`: it uses them itself.
pub(super) fn prepare(given: Environment, arguments: &[OsString], needs_secrets: bool) -> Prepared {
    let is_restarted = given.get(RESTARTED).is_some();
    let handed_over = if is_restarted && needs_secrets { take() } else { Ok(Vec::new()) };
    let (handed_over, mut failure) = match handed_over {
        Ok(variables) => (variables, None),
        Err(error) => (Vec::new(), Some(error)),
    };
    let given = given.with(handed_over);
    let secrets = secrets(std::env::vars_os());
    if !secrets.is_empty() && Path::new("/proc/self/fd").exists() {
        failure = Some(start_anew(arguments, &secrets, needs_secrets));
    }
    Prepared { environment: given, failure }
}

fn secrets(variables: impl IntoIterator<Item = (OsString, OsString)>) -> Vec<(OsString, OsString)> {
    variables.into_iter().filter(|(name, _)| environment::is_secret(name)).collect()
}

/// Returns only when that fails.
fn start_anew(
    arguments: &[OsString],
    secrets: &[(OsString, OsString)],
    needs_secrets: bool,
) -> std::io::Error {
    let mut command = Command::new(own_program());
    if let Some(name) = arguments.first() {
        command.arg0(name);
    }
    command.args(arguments.iter().skip(1)).env(RESTARTED, "1");
    for (name, _) in secrets {
        command.env_remove(name);
    }
    if needs_secrets {
        match in_memory(secrets) {
            Ok(file) => command.stdin(Stdio::from(file)),
            Err(error) => return error,
        };
    }
    let error = command.exec();
    // It may have the secrets already.
    if needs_secrets {
        let _ = close_stdin();
    }
    error
}

/// This program, as it is named: `ps` shows the name of the file.
fn own_program() -> PathBuf {
    let own = std::env::current_exe().ok().filter(|path| path.is_file());
    own.unwrap_or_else(|| PathBuf::from("/proc/self/exe"))
}

#[cfg(target_os = "linux")]
fn in_memory(secrets: &[(OsString, OsString)]) -> std::io::Result<File> {
    use rustix::fs::{MemfdFlags, memfd_create};
    let mut file = File::from(memfd_create(NAME, MemfdFlags::CLOEXEC)?);
    for (name, value) in secrets {
        file.write_all(&[name.as_bytes(), b"=", value.as_bytes(), b"\0"].concat())?;
    }
    file.rewind()?;
    Ok(file)
}

#[cfg(not(target_os = "linux"))]
fn in_memory(_secrets: &[(OsString, OsString)]) -> std::io::Result<File> {
    Err(std::io::ErrorKind::Unsupported.into())
}

/// Takes what the start before has left on standard input, and closes that.
fn take() -> std::io::Result<Vec<(OsString, OsString)>> {
    let target = std::fs::read_link("/proc/self/fd/0").unwrap_or_default();
    let prefix = format!("/memfd:{NAME}");
    if !target.as_os_str().as_bytes().starts_with(prefix.as_bytes()) {
        return Ok(Vec::new());
    }
    let mut text = Vec::new();
    std::io::stdin().lock().read_to_end(&mut text)?;
    close_stdin()?;
    Ok(parse(&text))
}

fn close_stdin() -> std::io::Result<()> {
    Ok(rustix::stdio::dup2_stdin(File::open("/dev/null")?)?)
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
