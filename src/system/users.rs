//! Users of this machine: their names, and how root works as one of them.

use std::ffi::{CString, OsString};
use std::io;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use nix::unistd::{self, Gid, Uid, User};

/// Whom this process works as.
#[must_use]
pub(crate) fn own() -> u32 {
    Uid::effective().as_raw()
}

/// A user as people name him: `deploy (1000)`, or the number where he has no name.
#[must_use]
pub(crate) fn shown(uid: u32) -> String {
    match User::from_uid(Uid::from_raw(uid)) {
        Ok(Some(user)) => format!("{} ({uid})", user.name),
        _ => uid.to_string(),
    }
}

/// The name of a user, or the number where there is none.
#[must_use]
pub(crate) fn name(uid: u32) -> String {
    match User::from_uid(Uid::from_raw(uid)) {
        Ok(Some(user)) => user.name,
        _ => uid.to_string(),
    }
}

/// The user that a name or a number means.
#[must_use]
pub(crate) fn find(name: &str) -> Option<u32> {
    name.parse().ok().or_else(|| Some(User::from_name(name).ok()??.uid.as_raw()))
}

/// The `PATH` when working as another user.
const PATH: &str = "/usr/local/bin:/usr/bin:/bin";

/// Executes this program again as the owner of `file`, or of the nearest existing folder above it,
/// with the same arguments except `without`. The new environment has the variables for which
/// `is_inherited` is true, `variables`, and those that name the user. Returns only with an error.
pub(crate) fn begin_anew_as_owner_of(
    file: &Path,
    without: &str,
    is_inherited: impl Fn(&str) -> bool,
    variables: impl IntoIterator<Item = (&'static str, PathBuf)>,
) -> io::Error {
    use std::os::unix::fs::MetadataExt;
    let Some(metadata) = file.ancestors().find_map(|path| std::fs::metadata(path).ok()) else {
        return io::ErrorKind::NotFound.into();
    };
    let (uid, gid) = (Uid::from_raw(metadata.uid()), Gid::from_raw(metadata.gid()));
    let user = match User::from_uid(uid) {
        Ok(user) => user,
        Err(error) => return error.into(),
    };
    // Of a user without a name, only the group of the file is known.
    let gid = user.as_ref().map_or(gid, |user| user.gid);
    let become_user = || -> nix::Result<()> {
        match &user {
            Some(user) => {
                let name = CString::new(user.name.as_str()).unwrap_or_default();
                unistd::initgroups(&name, gid)?;
            }
            None => unistd::setgroups(&[gid])?,
        }
        unistd::setgid(gid)?;
        unistd::setuid(uid)
    };
    if let Err(error) = become_user() {
        return error.into();
    }
    let mut command = Command::new(own_program());
    let arguments: Vec<OsString> =
        std::env::args_os().skip(1).filter(|argument| argument != without).collect();
    // The rest of the environment is root's: its secrets, its folders, its programs.
    let inherited =
        std::env::vars_os().filter(|(name, _)| name.to_str().is_some_and(&is_inherited));
    command
        .arg0("wfx")
        .args(arguments)
        .env_clear()
        .env("PATH", PATH)
        .envs(inherited)
        .envs(variables);
    if let Some(user) = &user {
        command.env("HOME", &user.dir).env("USER", &user.name).env("LOGNAME", &user.name);
    }
    command.exec()
}

/// A path to this program that works even for users who may not read the folders above it.
fn own_program() -> PathBuf {
    let link = PathBuf::from("/proc/self/exe");
    if link.exists() { link } else { std::env::current_exe().unwrap_or(link) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn users_are_found_by_name_and_by_number() {
        assert_eq!((find("root"), find("0"), find("no such user")), (Some(0), Some(0), None));
        assert_eq!((name(0), name(4_000_000_000)), ("root".to_owned(), "4000000000".to_owned()));
        assert_eq!(shown(0), "root (0)");
        assert_eq!(shown(4_000_000_000), "4000000000");
    }
}
