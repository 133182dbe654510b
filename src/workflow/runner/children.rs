//! The children of wfx: the leaders of steps, and orphans that it adopted.
//!
//! wfx is a *subreaper* (prctl(2)): a process below a step whose parent ends becomes a child
//! of wfx, not of init. So nothing that a step started can hide, and where wfx is the first
//! process of a container, what ends is reaped.
//!
//! The end of a step that leaves nothing behind costs one read of the list of children.

use std::collections::{HashMap, HashSet};
use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;
use std::process::{Child, Command, ExitStatus};
use std::sync::{Mutex, MutexGuard, OnceLock, PoisonError, RwLock};

use rustix::process::{Pid, WaitId, WaitIdOptions, waitid};
use tokio::signal::unix::{SignalKind, signal};

use crate::process_table;
use crate::workflow::record::AttemptKey;

/// What is known of the children.
#[derive(Debug, Default)]
struct Known {
    /// Those that lead steps, by pid.
    leaders: HashMap<i32, AttemptKey>,
    /// Orphans that made sessions of their own: they outlive their steps.
    survivors: HashSet<i32>,
    /// Leaders that could not be ended, to be reaped when they end.
    given_up: Vec<Child>,
    /// Orphans may come from elsewhere than from steps.
    has_foreign: bool,
}

static KNOWN: OnceLock<Mutex<Known>> = OnceLock::new();
/// Shared while a child is spawned and not yet known, exclusive while orphans are reaped.
static SPAWNING: RwLock<()> = RwLock::new(());

fn known() -> MutexGuard<'static, Known> {
    let known = KNOWN.get_or_init(Mutex::default);
    // Each change is complete or did not happen.
    known.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Lets orphans of steps come to this process. Without support of the system they go to init,
/// and a step ends with its process group only.
pub fn adopt_orphans() {
    let before = children();
    let mut known = known();
    // The first process of a container gets every orphan. A shell that became wfx (`exec`) may
    // have left it children of its own.
    known.has_foreign = std::process::id() == 1 || !before.is_empty();
    known.survivors.extend(before);
    drop(known);
    #[cfg(target_os = "linux")]
    let _ = rustix::process::set_child_subreaper(Some(rustix::process::getpid()));
}

/// Reaps orphans as they end, if this is the first process of a container: it gets those of
/// others as well. Otherwise [`reap`] is called where orphans can be.
pub fn serve_as_init() {
    if std::process::id() == 1 {
        reap_from_now_on();
    }
}

/// Spawns the leader of a step.
///
/// # Errors
/// When it cannot be spawned.
pub fn spawn(command: &mut Command, key: &AttemptKey) -> io::Result<Child> {
    let _shared = SPAWNING.read().unwrap_or_else(PoisonError::into_inner);
    let child = command.spawn()?;
    known().leaders.insert(child.id().cast_signed(), key.clone());
    Ok(child)
}

/// Reaps the leader of a step, which has ended.
///
/// # Errors
/// When the system does not say how it ended.
pub fn collect(child: &mut Child) -> io::Result<ExitStatus> {
    // Held meanwhile: as soon as it is reaped, its number may be that of another leader.
    let mut known = known();
    let status = child.wait();
    known.leaders.remove(&child.id().cast_signed());
    status
}

/// Leaves the leader of a step that cannot be ended; it is reaped when it ends.
pub fn give_up(child: Child) {
    let mut known = known();
    known.leaders.remove(&child.id().cast_signed());
    known.given_up.push(child);
    drop(known);
    reap_from_now_on();
}

/// Which step an orphan works for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Claim {
    /// The step asked for.
    This,
    /// Another one that runs.
    Another,
    /// Nothing says which one of those that run.
    Unknown,
    /// It need not come from a step.
    Foreign,
}

/// Who claims an orphan of this process group and environment.
#[must_use]
pub fn claim(leader: i32, this: &AttemptKey, group: i32, key: Option<&AttemptKey>) -> Claim {
    if group == leader || key == Some(this) {
        return Claim::This;
    }
    let known = known();
    let another = known.leaders.contains_key(&group)
        || key.is_some_and(|key| known.leaders.values().any(|other| other == key));
    match (another, known.has_foreign) {
        (true, _) => Claim::Another,
        (false, true) => Claim::Foreign,
        // Nobody else can have left it.
        (false, false) if known.leaders.keys().all(|&other| other == leader) => Claim::This,
        (false, false) => Claim::Unknown,
    }
}

/// Whether a step runs that `pid` leads.
#[must_use]
pub fn is_leader(pid: i32) -> bool {
    known().leaders.contains_key(&pid)
}

/// Notes that an orphan outlives its step.
pub fn survives(pid: i32) {
    known().survivors.insert(pid);
    reap_from_now_on();
}

/// The orphans that have not ended and are not known to survive. Those that ended are reaped.
#[must_use]
pub fn orphans() -> Vec<i32> {
    let children = children();
    if children.is_empty() {
        return Vec::new();
    }
    let mut orphans: Vec<i32> = {
        let known = known();
        let is_unknown =
            |pid: &i32| !known.leaders.contains_key(pid) && !known.survivors.contains(pid);
        children.into_iter().filter(is_unknown).collect()
    };
    if !orphans.is_empty() {
        let _exclusive = SPAWNING.write().unwrap_or_else(PoisonError::into_inner);
        let known = known();
        orphans.retain(|pid| !known.leaders.contains_key(pid) && !reap_one(*pid));
    }
    orphans
}

/// Reaps the orphans that have ended.
fn reap() {
    let _exclusive = SPAWNING.write().unwrap_or_else(PoisonError::into_inner);
    let mut known = known();
    known.given_up.retain_mut(|child| matches!(child.try_wait(), Ok(None)));
    let given_up: HashSet<u32> = known.given_up.iter().map(Child::id).collect();
    for pid in children() {
        let is_ours = known.leaders.contains_key(&pid) || given_up.contains(&pid.cast_unsigned());
        if !is_ours && reap_one(pid) {
            known.survivors.remove(&pid);
        }
    }
}

/// Reaps a child if it has ended; `false` if it goes on.
fn reap_one(pid: i32) -> bool {
    let Some(pid) = Pid::from_raw(pid) else { return true };
    let options = WaitIdOptions::EXITED | WaitIdOptions::NOHANG;
    !matches!(waitid(WaitId::Pid(pid), options), Ok(None))
}

/// Reaps whenever a child ends: from the first orphan on that outlives its step.
fn reap_from_now_on() {
    static BEGUN: OnceLock<()> = OnceLock::new();
    if tokio::runtime::Handle::try_current().is_err() || BEGUN.set(()).is_err() {
        return;
    }
    let Ok(mut ended) = signal(SignalKind::child()) else { return };
    tokio::spawn(async move {
        loop {
            reap();
            if ended.recv().await.is_none() {
                return;
            }
        }
    });
}

/// The children that are orphans, and leaders: what the system lists for the first thread,
/// which adopts.
fn children() -> Vec<i32> {
    static LIST: OnceLock<Option<File>> = OnceLock::new();
    let list = LIST.get_or_init(|| {
        let own = std::process::id();
        File::open(format!("/proc/self/task/{own}/children")).ok()
    });
    match list.as_ref().map(read) {
        Some(Ok(text)) => text.split_whitespace().filter_map(|pid| pid.parse().ok()).collect(),
        _ => children_by_search(),
    }
}

/// Reads the list from its beginning, which is written anew for each such read.
fn read(list: &File) -> io::Result<String> {
    let mut text = Vec::new();
    let mut buffer = [0; 4096];
    loop {
        let count = list.read_at(&mut buffer, text.len() as u64)?;
        text.extend_from_slice(&buffer[..count]);
        if count == 0 {
            return Ok(String::from_utf8_lossy(&text).into_owned());
        }
    }
}

/// The same where the system keeps no such list.
fn children_by_search() -> Vec<i32> {
    let own = std::process::id().cast_signed();
    let all = process_table::all().into_iter();
    all.filter(|process| process.parent == own).map(|process| process.pid).collect()
}
