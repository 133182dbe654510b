//! The children of wfx: the leaders of steps, and orphans that it adopted.
//!
//! wfx is a *subreaper* (prctl(2)): a process below a step whose parent ends becomes a child of
//! wfx, not of init. So no process of a step can escape, and where wfx is the first process of a
//! container, ended processes are reaped.
//!
//! Each orphan gets a [`Claim`] when it is first seen. It belongs to a step by evidence: its
//! session, its process group, its ancestors as they were seen before, its environment, or a pipe
//! of the step that it writes to; or no other step can have left it. Otherwise it is *held* by
//! every step that ran when it started, and ended by the last of them. A step never fails because
//! of such an orphan.
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

use super::detach;
use super::group::Group;
use super::orphans;
use crate::base::clock;
use crate::system::process_table::{self, Identity, Stat};
use crate::workflow::record::AttemptKey;

/// A step, from the start of its leader until no process of it is left. Unlike the number of its
/// leader, this id is never reused.
pub(crate) type StepId = u64;

/// A step whose processes have not all ended.
#[derive(Debug)]
struct Step {
    /// The number of its leader, its process group, and of its session if it has one.
    leader: i32,
    /// The leader has been reaped.
    is_collected: bool,
    has_session: bool,
    key: AttemptKey,
    /// It began at or after this clock tick since the boot.
    began: u64,
    /// The pipes that its output goes through, by inode.
    pipes: Vec<u64>,
}

/// To which step a process below wfx belongs, if to any.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Claim {
    /// No step ends it.
    Survives,
    /// There is evidence that it belongs to this step.
    Of(StepId),
    /// It may belong to any of these, which still run.
    HeldBy(Vec<StepId>),
}

/// What is known of the children.
#[derive(Debug, Default)]
struct Known {
    steps: HashMap<StepId, Step>,
    last_step: StepId,
    /// Steps by the leaders that are not reaped.
    leaders: HashMap<i32, StepId>,
    /// The orphans, by pid: a pid is not reused until wfx reaps it.
    orphans: HashMap<i32, Claim>,
    /// The claims on processes that were seen below others, for when they become orphans.
    seen: HashMap<Identity, Claim>,
    /// Orphans may come from elsewhere than from the steps that run.
    has_foreign: bool,
    /// Process groups that no step ends: those that existed before the first step, and those of
    /// processes that could not be ended.
    foreign_groups: HashSet<i32>,
    /// Leaders that could not be ended, to be reaped when they end.
    given_up: Vec<Child>,
    /// Children that are no steps, and that others reap.
    apart: HashSet<i32>,
}

static KNOWN: OnceLock<Mutex<Known>> = OnceLock::new();
/// Shared while a child is spawned and not yet known, exclusive while orphans are reaped.
static SPAWNING: RwLock<()> = RwLock::new(());

fn known() -> MutexGuard<'static, Known> {
    let known = KNOWN.get_or_init(Mutex::default);
    // Each change is complete or did not happen.
    known.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Makes this process adopt orphans of steps (subreaper). Where the system does not support that,
/// init adopts them, and a step ends with its process group only.
pub(crate) fn adopt_orphans() {
    let before = children();
    let mut known = known();
    // The first process of a container adopts every orphan. A shell that became wfx (`exec`) may
    // have left children.
    known.has_foreign = std::process::id() == 1 || !before.is_empty();
    if known.has_foreign {
        let all = process_table::all().into_iter();
        let of_session = all.filter(|process| process.session == process_table::own().session);
        known.foreign_groups.extend(of_session.map(|process| process.group));
    }
    known.orphans.extend(before.into_iter().map(|pid| (pid, Claim::Survives)));
    drop(known);
    #[cfg(target_os = "linux")]
    let _ = rustix::process::set_child_subreaper(Some(rustix::process::getpid()));
}

/// Reaps orphans as they end, if this is the first process of a container, which adopts those of
/// others as well. Otherwise [`reap`] is called where orphans can occur.
pub(crate) fn serve_as_init() {
    if std::process::id() == 1 {
        reap_from_now_on();
    }
}

/// Spawns the leader of a step.
///
/// # Errors
/// When it cannot be spawned.
pub(crate) fn spawn(command: &mut Command, key: &AttemptKey) -> io::Result<Child> {
    let _shared = SPAWNING.read().unwrap_or_else(PoisonError::into_inner);
    let began = process_table::ticks(clock::since_boot());
    let child = command.spawn()?;
    let leader = child.id().cast_signed();
    let mut known = known();
    // A free number may be reused for a group of a step.
    known.foreign_groups.retain(|&group| {
        let group = Group::led_by(group.cast_unsigned());
        group.is_some_and(|group| !group.is_empty())
    });
    known.last_step += 1;
    let step = known.last_step;
    known.leaders.insert(leader, step);
    let has_session = detach::is_needed();
    let (key, pipes) = (key.clone(), Vec::new());
    known.steps.insert(step, Step { leader, is_collected: false, has_session, key, began, pipes });
    Ok(child)
}

/// Spawns a child that is no step: no step ends it, and [`reap_apart`] reaps it.
///
/// # Errors
/// When it cannot be spawned.
pub(crate) fn spawn_apart(command: &mut Command) -> io::Result<Child> {
    let _shared = SPAWNING.read().unwrap_or_else(PoisonError::into_inner);
    let child = command.spawn()?;
    let mut known = known();
    known.apart.insert(child.id().cast_signed());
    // What it leaves, should it die, comes to this process.
    known.has_foreign = true;
    Ok(child)
}

/// Reaps such a child, which has ended.
///
/// # Errors
/// When the system does not report how it ended.
pub(crate) fn reap_apart(child: &mut Child) -> io::Result<ExitStatus> {
    let mut known = known();
    let status = child.wait();
    known.apart.remove(&child.id().cast_signed());
    status
}

/// While this exists, orphans go to whoever adopts those of this process: a process that leaves a
/// step in this moment is not ended with it.
#[derive(Debug)]
pub(crate) struct PausedAdoption(());

/// Lets the children of a child that ends go to the parent of this process, or above.
#[must_use]
pub(crate) fn pause_adoption() -> PausedAdoption {
    #[cfg(target_os = "linux")]
    let _ = rustix::process::set_child_subreaper(None);
    PausedAdoption(())
}

impl Drop for PausedAdoption {
    fn drop(&mut self) {
        #[cfg(target_os = "linux")]
        let _ = rustix::process::set_child_subreaper(Some(rustix::process::getpid()));
    }
}

/// The step that this process leads; its output goes through `pipes`.
#[must_use]
pub(crate) fn step_led_by(leader: i32, pipes: Vec<u64>) -> Option<StepId> {
    let mut known = known();
    let step = *known.leaders.get(&leader)?;
    known.steps.get_mut(&step)?.pipes = pipes;
    Some(step)
}

/// Reaps the leader of a step, which has ended.
///
/// # Errors
/// When the system does not report how it ended.
pub(crate) fn collect(child: &mut Child) -> io::Result<ExitStatus> {
    // Locked meanwhile: as soon as it is reaped, its number may become that of another leader.
    let mut known = known();
    let status = child.wait();
    if let Some(step) = known.leaders.remove(&child.id().cast_signed())
        && let Some(step) = known.steps.get_mut(&step)
    {
        step.is_collected = true;
    }
    status
}

/// Leaves the leader of a step that cannot be ended; it is reaped when it ends.
pub(crate) fn give_up(child: Child) {
    let mut known = known();
    known.leaders.remove(&child.id().cast_signed());
    known.given_up.push(child);
    known.has_foreign = true;
    drop(known);
    reap_from_now_on();
}

/// Orphans that a step has to end.
#[derive(Debug, Default)]
pub(crate) struct Orphans {
    /// Those that belong to it.
    pub own: HashSet<i32>,
    /// Orphans that may belong to it, and to no other remaining step.
    pub unsure: HashSet<i32>,
}

impl Orphans {
    /// Whether there are none.
    #[must_use]
    pub(crate) fn is_empty(&self) -> bool {
        self.own.is_empty() && self.unsure.is_empty()
    }
}

/// The orphans that `step` has to end. If there are none and its process group `is_empty`, the step
/// has ended, and orphans that other steps hold too are left to them.
#[must_use]
pub(crate) fn orphans_of(step: StepId, is_empty: bool) -> Orphans {
    let children = children();
    let is_known = |known: &Known| {
        children.iter().all(|pid| {
            known.leaders.contains_key(pid)
                || known.apart.contains(pid)
                || known.orphans.get(pid).is_some_and(|claim| !is_for(claim, step))
        })
    };
    {
        let mut known = known();
        if is_known(&known) {
            if is_empty {
                known.end(step);
            }
            return Orphans::default();
        }
    }
    let (orphans, others) = {
        let _exclusive = SPAWNING.write().unwrap_or_else(PoisonError::into_inner);
        let mut known = known();
        let orphans = known.look(step, &children);
        if is_empty && orphans.is_empty() {
            known.end(step);
        }
        (orphans, known.orphans.values().any(|claim| !matches!(claim, Claim::Of(_))))
    };
    if others {
        reap_from_now_on();
    }
    orphans
}

/// Notes whom the processes that can be seen now descend from: `members` belong to `step`.
pub(crate) fn note(step: StepId, members: &[Stat], all: &[Stat]) {
    let mut known = known();
    let there: HashSet<Identity> = all.iter().map(Stat::identity).collect();
    known.seen.retain(|identity, _| there.contains(identity));
    known.seen.extend(members.iter().map(|process| (process.identity(), Claim::Of(step))));
    let mut below: HashMap<i32, Vec<&Stat>> = HashMap::new();
    for process in all {
        below.entry(process.parent).or_default().push(process);
    }
    let of_leaders = known.leaders.iter().map(|(&pid, &step)| (pid, Claim::Of(step)));
    let of_given_up =
        known.given_up.iter().map(|child| (child.id().cast_signed(), Claim::Survives));
    let of_orphans = known.orphans.iter().map(|(&pid, claim)| (pid, claim.clone()));
    let roots: Vec<(i32, Claim)> = of_leaders.chain(of_given_up).chain(of_orphans).collect();
    for (root, claim) in roots {
        let mut next = vec![root];
        while let Some(pid) = next.pop() {
            for process in below.remove(&pid).unwrap_or_default() {
                known.seen.entry(process.identity()).or_insert_with(|| claim.clone());
                next.push(process.pid);
            }
        }
    }
}

/// Removes a step of which `left` could not be ended: no step ends these, nor what they leave.
pub(crate) fn leave(step: StepId, left: &[Stat]) {
    let mut known = known();
    known.has_foreign |= !left.is_empty();
    for process in left {
        known.foreign_groups.insert(process.group);
        known.seen.insert(process.identity(), Claim::Survives);
        if let Some(claim) = known.orphans.get_mut(&process.pid) {
            *claim = Claim::Survives;
        }
    }
    known.end(step);
    let has_orphans = !known.orphans.is_empty() || !left.is_empty();
    drop(known);
    if has_orphans {
        reap_from_now_on();
    }
}

/// Whether `step` is the one that ends a process with this claim.
fn is_for(claim: &Claim, step: StepId) -> bool {
    match claim {
        Claim::Survives => false,
        Claim::Of(of) => *of == step,
        Claim::HeldBy(steps) => matches!(steps.as_slice(), [only] if *only == step),
    }
}

impl Known {
    /// Takes leave of a step. What it alone has to end is left.
    fn end(&mut self, step: StepId) {
        self.steps.remove(&step);
        for claim in self.orphans.values_mut().chain(self.seen.values_mut()) {
            if let Claim::HeldBy(steps) = claim {
                steps.retain(|held| *held != step);
            }
            if *claim == Claim::Of(step) || *claim == Claim::HeldBy(Vec::new()) {
                *claim = Claim::Survives;
            }
        }
    }

    /// Finds what `step` has to end among the children, and reaps those of them that have ended.
    fn look(&mut self, step: StepId, children: &[i32]) -> Orphans {
        let mut orphans = Orphans::default();
        for &pid in children {
            let is_given_up = |child: &Child| child.id().cast_signed() == pid;
            if self.leaders.contains_key(&pid)
                || self.apart.contains(&pid)
                || self.given_up.iter().any(is_given_up)
            {
                continue;
            }
            let before = self.orphans.get(&pid);
            if before.is_some_and(|claim| !is_for(claim, step)) {
                continue;
            }
            if reap_one(pid) {
                self.orphans.remove(&pid);
                continue;
            }
            let Ok(process) = process_table::stat(pid) else { continue };
            // It may have started a session since it was seen.
            let claim = match before {
                Some(claim) if self.is_within(&process) => claim.clone(),
                _ => self.claim(&process),
            };
            if is_for(&claim, step) {
                match claim {
                    Claim::Of(_) => orphans.own.insert(pid),
                    _ => orphans.unsure.insert(pid),
                };
            }
            self.orphans.insert(pid, claim);
        }
        orphans
    }

    /// Whether the process is in a session that steps are in.
    fn is_within(&self, process: &Stat) -> bool {
        if detach::is_needed() {
            return self.steps.values().any(|step| step.leader == process.session);
        }
        process.session == process_table::own().session
    }

    /// Decides to which step a new orphan belongs.
    fn claim(&self, process: &Stat) -> Claim {
        let first = |is_it: &dyn Fn(&Step) -> bool| {
            // If the number of a leader was reused, its present owner counts.
            let steps = self.steps.iter().filter(|(_, step)| is_it(step));
            steps.max_by_key(|(id, step)| (!step.is_collected, **id)).map(|(id, _)| Claim::Of(*id))
        };
        let in_session = |step: &Step| step.has_session && step.leader == process.session;
        if let Some(claim) = first(&in_session) {
            return claim;
        }
        if detach::is_needed() || process.session != process_table::own().session {
            return Claim::Survives;
        }
        if let Some(claim) = first(&|step| step.leader == process.group) {
            return claim;
        }
        if let Some(claim) = self.seen.get(&process.identity()) {
            return claim.clone();
        }
        let is_foreign = process.group == process_table::own().group
            || process.group == 0
            || self.foreign_groups.contains(&process.group);
        if is_foreign {
            return Claim::Survives;
        }
        let key = process_table::environment(process.pid).ok();
        let key = key.and_then(|environment| Some(orphans::says(&environment)?.0));
        if let Some(key) = key
            && let Some(claim) = first(&|step| step.key == key)
        {
            return claim;
        }
        let writes = process_table::output_pipes(process.pid);
        if let Some(claim) = first(&|step| step.pipes.iter().any(|pipe| writes.contains(pipe))) {
            return claim;
        }
        let ran = self.steps.iter().filter(|(_, step)| step.began <= process.started_ticks);
        let mut holders: Vec<StepId> = ran.map(|(id, _)| *id).collect();
        holders.sort_unstable();
        match holders.as_slice() {
            [] => Claim::Survives,
            [only] if !self.has_foreign => Claim::Of(*only),
            _ => Claim::HeldBy(holders),
        }
    }
}

/// Reaps the orphans that have ended.
fn reap() {
    let _exclusive = SPAWNING.write().unwrap_or_else(PoisonError::into_inner);
    let mut known = known();
    known.given_up.retain_mut(|child| matches!(child.try_wait(), Ok(None)));
    let given_up: HashSet<u32> = known.given_up.iter().map(Child::id).collect();
    for pid in children() {
        let is_ours = known.leaders.contains_key(&pid)
            || known.apart.contains(&pid)
            || given_up.contains(&pid.cast_unsigned());
        if !is_ours && reap_one(pid) {
            known.orphans.remove(&pid);
        }
    }
}

/// Reaps what has ended of a process group whose leader is reaped, where the system does not
/// list the children.
pub(crate) fn reap_group(group: Group) {
    let options = WaitIdOptions::EXITED | WaitIdOptions::NOHANG;
    while matches!(waitid(WaitId::Pgid(Some(group.leader())), options), Ok(Some(_))) {}
}

/// Reaps a child if it has ended; `false` if it is running.
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

/// Reads the list from its beginning; the system generates it for each such read.
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

/// The same where the system has no such list.
fn children_by_search() -> Vec<i32> {
    let own = std::process::id().cast_signed();
    let all = process_table::all().into_iter();
    all.filter(|process| process.parent == own).map(|process| process.pid).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const LEADERS: [i32; 2] = [101, 102];
    /// More than there can be.
    const PID: i32 = 1 << 29;

    /// Step 1 began at tick 10, step 2 at tick 20.
    fn two_steps() -> Known {
        let mut known = Known::default();
        for (step, leader) in (1..).zip(LEADERS) {
            let key =
                AttemptKey { execution_id: "e".to_owned(), step: step.to_string(), attempt: 1 };
            let (is_collected, has_session, pipes) = (false, false, Vec::new());
            let began = step * 10;
            let it = Step { leader, is_collected, has_session, key, began, pipes };
            known.steps.insert(step, it);
            known.leaders.insert(leader, step);
        }
        known
    }

    fn process(group: i32, started_ticks: u64) -> Stat {
        Stat { group, session: process_table::own().session, started_ticks, ..Stat::unknown(PID) }
    }

    #[test]
    fn an_orphan_belongs_to_the_step_whose_group_it_is_in() {
        let known = two_steps();
        assert_eq!(known.claim(&process(101, 25)), Claim::Of(1));
        assert_eq!(known.claim(&process(102, 25)), Claim::Of(2));
        let elsewhere = Stat { session: process_table::own().session + 1, ..process(101, 25) };
        assert_eq!(known.claim(&elsewhere), Claim::Survives);
    }

    #[test]
    fn without_evidence_the_steps_that_ran_at_its_start_hold_it() {
        let mut known = two_steps();
        assert_eq!(known.claim(&process(PID, 5)), Claim::Survives);
        assert_eq!(known.claim(&process(PID, 15)), Claim::Of(1));
        assert_eq!(known.claim(&process(PID, 25)), Claim::HeldBy(vec![1, 2]));
        // There is no proof that it comes from the only step.
        known.has_foreign = true;
        assert_eq!(known.claim(&process(PID, 15)), Claim::HeldBy(vec![1]));
    }

    #[test]
    fn the_last_step_that_holds_an_orphan_ends_it() {
        let mut known = two_steps();
        known.orphans.insert(PID, Claim::HeldBy(vec![1, 2]));
        assert!(!is_for(&known.orphans[&PID], 1) && !is_for(&known.orphans[&PID], 2));
        known.end(1);
        assert!(is_for(&known.orphans[&PID], 2));
        known.end(2);
        assert_eq!(known.orphans[&PID], Claim::Survives);
    }

    #[test]
    fn what_was_seen_below_others_counts_and_so_do_groups_of_others() {
        let mut known = two_steps();
        known.seen.insert((PID, 25), Claim::Of(2));
        assert_eq!(known.claim(&process(PID, 25)), Claim::Of(2));
        known.seen.clear();
        known.foreign_groups.insert(PID);
        assert_eq!(known.claim(&process(PID, 25)), Claim::Survives);
        assert_eq!(known.claim(&process(process_table::own().group, 25)), Claim::Survives);
    }
}
