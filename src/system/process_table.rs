//! Processes and facts of the system: `/proc`, proc(5). Where there is no `/proc`, nothing is
//! known, and no process is considered dead because of that.

use std::collections::HashSet;
use std::fs::{self, File};
use std::hash::{DefaultHasher, Hash, Hasher};
use std::io::{self, Read};
use std::num::NonZeroU32;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;
use std::time::Duration;

/// The fields of `/proc/PID/stat` that are used.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Stat {
    /// Its number.
    pub pid: i32,
    /// Its program's name.
    pub name: String,
    /// One letter: `R` running, `S` sleeping, `D` uninterruptible, `T` stopped, `Z` ended and not
    /// yet reaped by its parent.
    pub state: char,
    /// Its parent.
    pub parent: i32,
    /// Its process group.
    pub group: i32,
    /// Its session.
    pub session: i32,
    /// When it started, in clock ticks since the machine booted.
    pub started_ticks: u64,
}

/// A process for as long as it lives: its number, and when it started.
pub(crate) type Identity = (i32, u64);

impl Stat {
    /// A process of which only the number is known.
    #[must_use]
    pub(crate) fn unknown(pid: i32) -> Self {
        let (parent, group, session, started_ticks) = (0, 0, 0, 0);
        Self { pid, name: String::new(), state: '?', parent, group, session, started_ticks }
    }

    /// Distinguishes it from later processes with the same number.
    #[must_use]
    pub(crate) fn identity(&self) -> Identity {
        (self.pid, self.started_ticks)
    }

    /// Reads one line `pid (name) state ppid pgrp session … starttime …`.
    #[must_use]
    pub(crate) fn parse(line: &str) -> Option<Self> {
        // The name may contain anything, so the other fields begin after the last bracket.
        let (before, after) = line.rsplit_once(") ")?;
        let (pid, name) = before.split_once(" (")?;
        let mut fields = after.split(' ');
        Some(Self {
            pid: pid.parse().ok()?,
            name: name.to_owned(),
            state: fields.next()?.chars().next()?,
            parent: fields.next()?.parse().ok()?,
            group: fields.next()?.parse().ok()?,
            session: fields.next()?.parse().ok()?,
            // Field 22 of the line; the first one after the name is field 3.
            started_ticks: fields.nth(15)?.parse().ok()?,
        })
    }

    /// Whether it has ended and is not reaped yet.
    #[must_use]
    pub(crate) fn has_ended(&self) -> bool {
        matches!(self.state, 'Z' | 'X')
    }
}

/// Whether `/proc` shows the processes that this one can see, by the same numbers. In a PID
/// namespace that did not mount its own, it shows those of another namespace.
#[must_use]
pub(crate) fn is_available() -> bool {
    static IS_AVAILABLE: OnceLock<bool> = OnceLock::new();
    *IS_AVAILABLE.get_or_init(|| {
        let own = std::process::id().to_string();
        fs::read_link("/proc/self").is_ok_and(|link| link.as_os_str() == own.as_str())
    })
}

fn check_available() -> io::Result<()> {
    if is_available() { Ok(()) } else { Err(io::ErrorKind::Unsupported.into()) }
}

/// The process `pid` now.
///
/// # Errors
/// `NotFound` when there is none, or when the system hides it; `Unsupported` where `/proc` is not
/// [available](is_available).
pub(crate) fn stat(pid: i32) -> io::Result<Stat> {
    check_available()?;
    let line = contents(folder(pid).join("stat"))?;
    Stat::parse(&String::from_utf8_lossy(&line)).ok_or_else(|| io::ErrorKind::InvalidData.into())
}

/// This process, as `/proc` shows it at the first call. Its session and group are 0 if they began
/// outside of the container.
#[must_use]
pub(crate) fn own() -> &'static Stat {
    static OWN: OnceLock<Stat> = OnceLock::new();
    OWN.get_or_init(|| {
        let pid = std::process::id().cast_signed();
        stat(pid).unwrap_or_else(|_| Stat::unknown(pid))
    })
}

/// The content of a file of the system. Such files have no length, and each read generates them
/// again, so a short one is read at once.
///
/// # Errors
/// That of the system.
pub(crate) fn contents(path: impl AsRef<Path>) -> io::Result<Vec<u8>> {
    const MOSTLY: usize = 4096;
    let mut text = Vec::with_capacity(MOSTLY);
    File::open(path)?.take(u64::MAX).read_to_end(&mut text)?;
    Ok(text)
}

/// The environment of a process, `NAME=value` ended by NUL each.
///
/// # Errors
/// `PermissionDenied` for the process of another user.
pub(crate) fn environment(pid: i32) -> io::Result<Vec<u8>> {
    check_available()?;
    contents(folder(pid).join("environ"))
}

/// The pipes that a process has as standard output and standard error, by inode: none for the
/// process of another user.
#[must_use]
pub(crate) fn output_pipes(pid: i32) -> Vec<u64> {
    if !is_available() {
        return Vec::new();
    }
    let pipe = |file: &str| {
        let link = fs::read_link(folder(pid).join(file)).ok()?;
        link.to_str()?.strip_prefix("pipe:[")?.strip_suffix(']')?.parse().ok()
    };
    ["fd/1", "fd/2"].into_iter().filter_map(pipe).collect()
}

/// Whether a process has a handler for the signal of this number. `None` where that cannot be read.
#[must_use]
pub(crate) fn catches(pid: i32, signal: u32) -> Option<bool> {
    check_available().ok()?;
    let status = contents(folder(pid).join("status")).ok()?;
    let status = String::from_utf8_lossy(&status);
    let caught = status.lines().find_map(|line| line.strip_prefix("SigCgt:"))?;
    let caught = u64::from_str_radix(caught.trim(), 16).ok()?;
    Some(caught.checked_shr(signal.checked_sub(1)?)? & 1 == 1)
}

/// Every process that the system shows.
#[must_use]
pub(crate) fn all() -> Vec<Stat> {
    if !is_available() {
        return Vec::new();
    }
    let Ok(entries) = fs::read_dir("/proc") else { return Vec::new() };
    entries
        .filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok())
        .filter_map(|pid| stat(pid).ok())
        .collect()
}

/// This process and its ancestors.
#[must_use]
pub(crate) fn own_ancestors() -> HashSet<i32> {
    let mut found = HashSet::new();
    let mut next = i32::try_from(std::process::id()).ok();
    while let Some(pid) = next.filter(|&pid| pid > 0 && !found.contains(&pid)) {
        found.insert(pid);
        next = stat(pid).ok().map(|stat| stat.parent);
    }
    found
}

fn folder(pid: i32) -> PathBuf {
    PathBuf::from(format!("/proc/{pid}"))
}

/// A time since the boot in the clock ticks that [`Stat::started_ticks`] counts.
#[must_use]
pub(crate) fn ticks(since_boot: Duration) -> u64 {
    let ticks = since_boot.as_nanos() * u128::from(rustix::param::clock_ticks_per_second());
    u64::try_from(ticks / 1_000_000_000).unwrap_or(u64::MAX)
}

/// The host of this process. Each part is a hash of an identifier, `None` if the system does not
/// provide it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Host {
    /// The machine, over its restarts: `/etc/machine-id`, machine-id(5).
    pub machine: Option<NonZeroU32>,
    /// This boot of it: `/proc/sys/kernel/random/boot_id`, random(4).
    pub boot: Option<NonZeroU32>,
    /// The namespaces in which process numbers and start times are valid: pid_namespaces(7),
    /// time_namespaces(7).
    pub pid_namespace: Option<NonZeroU32>,
}

/// Where this process runs.
#[must_use]
pub(crate) fn host() -> Host {
    static HOST: OnceLock<Host> = OnceLock::new();
    *HOST.get_or_init(|| Host {
        machine: text("/etc/machine-id"),
        boot: text("/proc/sys/kernel/random/boot_id"),
        pid_namespace: namespace("pid").and_then(|pid| number((pid, namespace("time")))),
    })
}

fn namespace(kind: &str) -> Option<u64> {
    fs::metadata(format!("/proc/self/ns/{kind}")).ok().map(|namespace| namespace.ino())
}

fn text(path: &str) -> Option<NonZeroU32> {
    let text = String::from_utf8(contents(path).ok()?).ok()?;
    Some(text.trim()).filter(|text| !text.is_empty()).and_then(number)
}

fn number(value: impl Hash) -> Option<NonZeroU32> {
    // The same in every process: this hasher has no seed.
    let mut hasher = DefaultHasher::new();
    value.hash(&mut hasher);
    let bytes = hasher.finish().to_be_bytes();
    NonZeroU32::new(u32::from_be_bytes([bytes[0], bytes[1], bytes[2], bytes[3]]) | 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_may_hold_anything() {
        let line = "7 (a) b) S 1 42 43 0 -1 1 2 3 4 5 6 7 8 9 10 20 1 0 12345 99";
        let stat = Stat::parse(line).unwrap();
        assert_eq!((stat.pid, stat.name.as_str(), stat.state), (7, "a) b", 'S'));
        assert_eq!((stat.parent, stat.group, stat.session), (1, 42, 43));
        assert_eq!(stat.started_ticks, 12345);
        assert_eq!(Stat::parse(""), None);
        assert_eq!(Stat::parse("7 (a) S 1 42"), None);
    }

    #[test]
    #[cfg(target_os = "linux")]
    fn this_process_is_found_among_all_and_among_its_ancestors() {
        let own = i32::try_from(std::process::id()).unwrap();
        assert!(own_ancestors().contains(&own));
        assert!(all().iter().any(|process| process.pid == own));
        assert!(!stat(own).unwrap().has_ended());
        assert_eq!(host(), host());
        assert!(host().boot.is_some() && host().pid_namespace.is_some());
    }
}
