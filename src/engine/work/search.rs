//! Finds a program as `execvp` would, in the `PATH` that it will have; and says why one that is
//! there cannot be started.

use std::ffi::OsStr;
use std::fs::File;
use std::io::{self, Read};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use rustix::fs::{Access, access};

use crate::base::visible::visible;
use crate::workflow::environment::Variables;

/// Where programs are searched when there is no `PATH`: what glibc's `execvp` does.
const PATH_DEFAULT: &str = "/bin:/usr/bin";

/// The path of `program`: itself if it has a slash, else the first file of that name
/// in `PATH` that can be executed. A relative entry of `PATH` starts from `folder`,
/// where the program will run.
///
/// # Errors
/// `PermissionDenied` if there are such files and none can be executed, otherwise
/// `NotFound`.
pub(crate) fn find(program: &str, variables: &Variables, folder: &Path) -> io::Result<PathBuf> {
    if program.contains('/') {
        return Ok(PathBuf::from(program));
    }
    let path = variables.get(OsStr::new("PATH")).map_or(OsStr::new(PATH_DEFAULT), |path| path);
    let mut failure = rustix::io::Errno::NOENT;
    for entry in std::env::split_paths(path) {
        let candidate = folder.join(entry).join(program);
        match access(&candidate, Access::EXEC_OK) {
            Ok(()) if candidate.is_file() => return Ok(candidate),
            Err(rustix::io::Errno::ACCESS) => failure = rustix::io::Errno::ACCESS,
            _ => {}
        }
    }
    Err(failure.into())
}

/// How much of a program's file is read to explain why it cannot be started: as much as the kernel
/// reads.
const HEAD_BYTES: usize = 256;

/// Why the system refused to start a program with `errno`, as far as its file shows: if the file
/// exists, `NOENT` refers to its interpreter. A relative path starts from `folder`.
#[must_use]
pub(crate) fn explain(program: &Path, folder: &Path, errno: rustix::io::Errno) -> Option<String> {
    use rustix::io::Errno;
    let path = folder.join(program);
    if !path.is_file() {
        return None;
    }
    let head = head(&path);
    let shebang = head.strip_prefix(b"#!").map(|rest| Shebang::of(rest, &path));
    match errno {
        Errno::NOENT => Some(match shebang {
            Some(shebang) => shebang.missing(),
            None => "the program is there, and the loader that it names is not: it was built for \
                     another system"
                .to_owned(),
        }),
        Errno::ACCESS => Some(match shebang {
            Some(shebang) if access(&path, Access::EXEC_OK).is_ok() => format!(
                "its `#!` line names the interpreter `{}`, which cannot be executed",
                shebang.interpreter
            ),
            _ => return None,
        }),
        Errno::NOEXEC if head.starts_with("\u{feff}#!".as_bytes()) => Some(
            "it begins with a byte order mark, so that its `#!` line is none: save it as UTF-8 \
             without one"
                .to_owned(),
        ),
        Errno::NOEXEC if !head.starts_with(b"\x7fELF") => Some(
            "it is no program of this system, and has no `#!` line that names an interpreter, \
             such as `#!/bin/sh`"
                .to_owned(),
        ),
        _ => None,
    }
}

/// Why a shell could not start a program, if its file is a script without interpreter.
#[must_use]
pub(crate) fn explain_to_shell(program: &Path, folder: &Path) -> Option<String> {
    let path = folder.join(program);
    let head = path.is_file().then(|| head(&path))?;
    let shebang = Shebang::of(head.strip_prefix(b"#!")?, &path);
    (!folder.join(&shebang.path).exists()).then(|| shebang.missing())
}

/// The first bytes; none of what cannot be read.
fn head(path: &Path) -> Vec<u8> {
    let mut head = Vec::new();
    if let Ok(file) = File::open(path) {
        let _ = file.take(HEAD_BYTES as u64).read_to_end(&mut head);
    }
    head
}

/// The first line of a script.
struct Shebang {
    path: PathBuf,
    /// As it can be shown.
    interpreter: String,
    has_carriage_return: bool,
    script: String,
}

impl Shebang {
    fn of(rest: &[u8], script: &Path) -> Self {
        let line = rest.split(|byte| *byte == b'\n').next().unwrap_or_default();
        let mut words = line.split(|byte| matches!(byte, b' ' | b'\t'));
        let interpreter = words.find(|word| !word.is_empty()).unwrap_or_default();
        Self {
            path: PathBuf::from(OsStr::from_bytes(interpreter)),
            interpreter: visible(&String::from_utf8_lossy(interpreter)),
            has_carriage_return: line.ends_with(b"\r"),
            script: visible(&script.to_string_lossy()),
        }
    }

    fn missing(&self) -> String {
        let Self { interpreter, has_carriage_return, script, .. } = self;
        if *has_carriage_return {
            return format!(
                "the interpreter `{interpreter}` of its `#!` line does not exist: the line ends \
                 with a carriage return (CR, `\\r`), as Windows ends lines; `sed -i 's/\\r$//' \
                 '{script}'` takes them away"
            );
        }
        format!(
            "the interpreter `{interpreter}` of its `#!` line does not exist: install it, or \
             name another one"
        )
    }
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    #[test]
    fn the_first_that_can_be_executed_is_found() {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        for (name, mode) in [("a", 0o644), ("b", 0o755), ("c", 0o755)] {
            fs::create_dir(at(name)).unwrap();
            fs::write(at(name).join("tool"), "").unwrap();
            let permissions = fs::Permissions::from_mode(mode);
            fs::set_permissions(at(name).join("tool"), permissions).unwrap();
        }
        fs::create_dir(at("c/folder")).unwrap();
        let find = |program: &str, path: &str| {
            let variables = Variables::from([("PATH".into(), path.into())]);
            find(program, &variables, folder.path()).map_err(|error| error.kind())
        };
        assert_eq!(find("tool", "none:a:b:c"), Ok(at("b").join("tool")));
        assert_eq!(find("tool", at("c").to_str().unwrap()), Ok(at("c").join("tool")));
        assert_eq!(find("./tool", "b"), Ok("./tool".into()));
        assert_eq!(find("folder", "c"), Err(io::ErrorKind::NotFound));
        assert_eq!(find("gone", "a:b:c"), Err(io::ErrorKind::NotFound));
    }

    #[test]
    fn a_script_says_what_it_needs() {
        use rustix::io::Errno;
        let folder = tempfile::tempdir().unwrap();
        for (text, errno, expected) in [
            ("#!/bin/sh\r\necho\r\n", Errno::NOENT, &["`/bin/sh\\r`", "CR", "sed -i"][..]),
            ("#! /usr/bin/env -S bash\r\n", Errno::NOENT, &["`/usr/bin/env`", "CR"]),
            ("#!/none/python9 -u\n", Errno::NOENT, &["`/none/python9`", "does not exist"]),
            ("#!\n", Errno::NOENT, &["``"]),
            ("#!/none/\u{1b}[2J", Errno::NOENT, &["`/none/\\u{1b}[2J`"]),
            ("\x7fELF", Errno::NOENT, &["another system"]),
            ("\u{feff}#!/bin/sh\n", Errno::NOEXEC, &["byte order mark"]),
            ("echo\n", Errno::NOEXEC, &["`#!/bin/sh`"]),
            ("", Errno::NOEXEC, &["`#!/bin/sh`"]),
        ] {
            fs::write(folder.path().join("job"), text).unwrap();
            let said = explain(Path::new("./job"), folder.path(), errno).unwrap();
            for part in expected {
                assert!(said.contains(part), "{text:?}: {said}");
            }
        }
        assert_eq!(explain(Path::new("./gone"), folder.path(), Errno::NOENT), None);
        assert_eq!(explain(folder.path(), folder.path(), Errno::NOENT), None);
        assert_eq!(explain(Path::new("job"), folder.path(), Errno::ACCESS), None);
    }
}
