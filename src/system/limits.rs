//! The limits of this process: open files and processes.
//!
//! The soft limit of open files is raised to the hard one only when needed: steps must inherit the
//! limit that wfx inherited, and the standard library cannot set limits for a child. While the
//! limit is raised, steps are started through wfx itself, which sets the limit back (see
//! [`detach`](crate::engine::work::detach)); that takes one to three milliseconds longer. So code
//! that opens many files counts them here.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{PoisonError, RwLock, RwLockReadGuard};

use rustix::io::Errno;
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

use super::process_table;

/// Descriptors that are not counted: the database and its readers, logs, the runtime.
pub(crate) const UNCOUNTED_FILES: u64 = 192;
/// Descriptors of one step: two pipes and the process; briefly more: while it is spawned the other
/// ends of the pipes, at its end the file of outputs.
pub(crate) const FILES_OF_STEP: u64 = 4;
/// The default maximum of steps at a time: each holds up to 256 KiB of output.
const STEPS_MOST: u64 = 1_024;
/// Processes that wfx and others of its user need beside the steps.
const OTHER_PROCESSES: u64 = 16;
/// The processes of one step: a shell, its command, and further processes of a pipeline.
const PROCESSES_OF_STEP: u64 = 4;

/// The soft limit of open files while it is raised: what it was.
static RAISED_FROM: RwLock<Option<u64>> = RwLock::new(None);
/// Files that are counted.
static COUNTED: AtomicU64 = AtomicU64::new(0);
/// Above this count the limit is raised; 0: not determined yet.
static RAISE_ABOVE: AtomicU64 = AtomicU64::new(0);
/// Below this count the limit is set back.
static LOWER_BELOW: AtomicU64 = AtomicU64::new(0);

/// Files that are open, or will be in a moment.
#[derive(Debug)]
pub(crate) struct OpenFiles(u64);

impl OpenFiles {
    /// Counts `files` more, and raises the limit when they come near it.
    #[must_use]
    pub(crate) fn count(files: u64) -> Self {
        let counted = COUNTED.fetch_add(files, Ordering::Relaxed) + files;
        match RAISE_ABOVE.load(Ordering::Relaxed) {
            // The first of all.
            0 => {
                look();
                if counted > RAISE_ABOVE.load(Ordering::Relaxed) {
                    raise();
                }
            }
            most if counted > most => _ = raise(),
            _ => {}
        }
        Self(files)
    }
}

impl Drop for OpenFiles {
    fn drop(&mut self) {
        let left = COUNTED.fetch_sub(self.0, Ordering::Relaxed) - self.0;
        if left < LOWER_BELOW.load(Ordering::Relaxed) {
            lower();
        }
    }
}

fn look() {
    let Rlimit { current, maximum } = getrlimit(Resource::Nofile);
    let most = match (current, maximum) {
        (Some(current), maximum) if maximum.is_none_or(|maximum| current < maximum) => {
            current.saturating_sub(UNCOUNTED_FILES).max(1)
        }
        _ => u64::MAX,
    };
    RAISE_ABOVE.store(most, Ordering::Relaxed);
}

/// Raises the soft limit of open files to the hard one; `false` where that is so already.
pub(crate) fn raise() -> bool {
    let mut from = RAISED_FROM.write().unwrap_or_else(PoisonError::into_inner);
    let Rlimit { current, maximum } = getrlimit(Resource::Nofile);
    let Some(soft) = current.filter(|soft| maximum.is_none_or(|hard| *soft < hard)) else {
        return false;
    };
    if from.is_some() || setrlimit(Resource::Nofile, Rlimit { current: maximum, maximum }).is_err()
    {
        return false;
    }
    *from = Some(soft);
    RAISE_ABOVE.store(u64::MAX, Ordering::Relaxed);
    LOWER_BELOW.store(soft.saturating_sub(UNCOUNTED_FILES) / 2, Ordering::Relaxed);
    true
}

/// Sets it back.
fn lower() {
    let mut from = RAISED_FROM.write().unwrap_or_else(PoisonError::into_inner);
    let Some(soft) = *from else { return };
    let maximum = getrlimit(Resource::Nofile).maximum;
    if setrlimit(Resource::Nofile, Rlimit { current: Some(soft), maximum }).is_ok() {
        *from = None;
        RAISE_ABOVE.store(soft.saturating_sub(UNCOUNTED_FILES).max(1), Ordering::Relaxed);
        LOWER_BELOW.store(0, Ordering::Relaxed);
    }
}

/// Prevents changes of the limit of open files while a step is spawned.
#[derive(Debug)]
pub(crate) struct Spawning(RwLockReadGuard<'static, Option<u64>>);

impl Spawning {
    /// From now on.
    #[must_use]
    pub(crate) fn begin() -> Self {
        Self(RAISED_FROM.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// The soft limit that the step must inherit, if the current one differs.
    #[must_use]
    pub(crate) fn soft_limit(&self) -> Option<u64> {
        *self.0
    }
}

/// Sets the soft limit of open files of this process.
///
/// # Errors
/// That of the system.
pub(crate) fn set_open_files(soft: u64) -> std::io::Result<()> {
    let maximum = getrlimit(Resource::Nofile).maximum;
    let soft = maximum.map_or(soft, |maximum| soft.min(maximum));
    Ok(setrlimit(Resource::Nofile, Rlimit { current: Some(soft), maximum })?)
}

/// The most files that this process may open, when the soft limit is raised; `None`: any number.
#[must_use]
pub(crate) fn open_files_max() -> Option<u64> {
    getrlimit(Resource::Nofile).maximum
}

/// The bounds on the number of steps that can run at a time. `None`: unbounded.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Limits {
    /// Open files of this process.
    pub open_files: Option<u64>,
    /// Processes of its user.
    pub processes_of_user: Option<u64>,
    /// Processes of its control group.
    pub processes_of_group: Option<u64>,
}

impl Limits {
    #[must_use]
    pub(crate) fn look() -> Self {
        Self {
            open_files: open_files_max(),
            // The system sets no limit for root.
            processes_of_user: match rustix::process::getuid().is_root() {
                true => None,
                false => getrlimit(Resource::Nproc).current,
            },
            processes_of_group: pids_max(),
        }
    }

    /// How many steps may run at a time beside `other_files` open files.
    #[must_use]
    pub(crate) fn steps_max(&self, other_files: u64) -> usize {
        let files = self.open_files.map(|files| {
            files.saturating_sub(UNCOUNTED_FILES.min(files / 2)).saturating_sub(other_files)
                / FILES_OF_STEP
        });
        let of = |processes: u64| processes.saturating_sub(OTHER_PROCESSES) / PROCESSES_OF_STEP;
        let processes =
            [self.processes_of_user, self.processes_of_group].into_iter().flatten().map(of).min();
        let most = [files, processes].into_iter().flatten().fold(STEPS_MOST, u64::min);
        usize::try_from(most).unwrap_or(usize::MAX).max(1)
    }
}

/// The least limit of the control groups that this process is in: `pids.max` of cgroups(7), of
/// version 2 or 1.
fn pids_max() -> Option<u64> {
    let of_process = String::from_utf8(process_table::contents("/proc/self/cgroup").ok()?).ok()?;
    let folder = group_folder(&of_process)?;
    let root = Path::new("/sys/fs/cgroup");
    folder
        .ancestors()
        .take_while(|folder| folder.starts_with(root))
        .filter_map(|folder| fs::read_to_string(folder.join("pids.max")).ok())
        .filter_map(|text| text.trim().parse().ok())
        .min()
}

/// The folder of the control group that bounds processes, from the lines of `/proc/self/cgroup`.
fn group_folder(lines: &str) -> Option<PathBuf> {
    let groups = || lines.lines().filter_map(|line| line.split_once(':')?.1.split_once(':'));
    let below = |root: &str, path: &str| Path::new(root).join(path.trim_start_matches('/'));
    let first = groups().find(|(names, _)| names.split(',').any(|name| name == "pids"));
    if let Some((_, path)) = first {
        return Some(below("/sys/fs/cgroup/pids", path));
    }
    let (_, path) = groups().find(|(names, _)| names.is_empty())?;
    Some(below("/sys/fs/cgroup", path))
}

/// Whether files, processes or memory are used up: what fails so may work later.
#[must_use]
pub(crate) fn is_scarce(error: &io::Error) -> bool {
    let error = error.raw_os_error().map(Errno::from_raw_os_error);
    matches!(error, Some(Errno::MFILE | Errno::NFILE | Errno::AGAIN | Errno::NOMEM))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_tightest_limit_bounds_steps() {
        let none = Limits::default();
        assert_eq!(none.steps_max(0), 1_024);
        let files = |open_files| Limits { open_files: Some(open_files), ..none };
        assert_eq!(files(1_024).steps_max(0), (1_024 - 192) / 4);
        assert_eq!(files(64).steps_max(0), 32 / 4);
        assert_eq!(files(1_024).steps_max(2_000), 1);
        assert_eq!(files(524_288).steps_max(1_024), 1_024);
        let user = Limits { processes_of_user: Some(40), ..none };
        assert_eq!(user.steps_max(0), 6);
        let group = Limits { processes_of_group: Some(20), ..user };
        assert_eq!(group.steps_max(0), 1);
        assert_eq!(Limits { processes_of_user: Some(0), ..none }.steps_max(0), 1);
    }

    #[test]
    fn the_control_group_is_found_in_both_versions() {
        let found = |lines| group_folder(lines).map(|path| path.display().to_string());
        assert_eq!(found("0::/a.slice/b\n").as_deref(), Some("/sys/fs/cgroup/a.slice/b"));
        let first = "5:cpu,cpuacct:/x\n4:pids:/docker/1\n0::/\n";
        assert_eq!(found(first).as_deref(), Some("/sys/fs/cgroup/pids/docker/1"));
        assert_eq!(found(""), None);
    }
}
