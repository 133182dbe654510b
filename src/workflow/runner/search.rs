//! Finds a program as `execvp` would, in the `PATH` that it will have.

use std::ffi::OsStr;
use std::io;
use std::path::{Path, PathBuf};

use rustix::fs::{Access, access};

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
pub fn find(program: &str, variables: &Variables, folder: &Path) -> io::Result<PathBuf> {
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
}
