//! The processes of one step, and how they are ended.
//!
//! They are its process group, and process groups that processes below its leader created
//! (`timeout`, a shell's job control). A process that started a session of its own (`setsid`) has
//! left the step.
//!
//! Each process gets SIGTERM, or the `stop_signal` of the step, once for each ending, since many
//! programs end at once and without cleaning up when they get a second one. The step's group gets
//! it as a whole. In another group, the processes whose parent is outside the group get it first:
//! `timeout` forwards it. A shell does not: it waits for its child before it runs its trap.
//! Therefore the rest of the group get it later: after
//! [`ASK_REST_AFTER`] those without a handler, which hence cannot have received it, and shortly
//! before the end of the grace the others. A wfx that runs below the step asks its own processes.

use std::collections::{HashMap, HashSet};
use std::fs;
use std::os::unix::fs::MetadataExt;
use std::time::{Duration, Instant};

use rustix::io::Errno;
use rustix::process::{Pid, Signal, kill_process};

use super::children::{self, Orphans, StepId};
use super::detach;
use super::group::Group;
use super::job::Ask;
use super::orphans;
use crate::base::clock;
use crate::system::process_table::{self, Identity, Stat};
use crate::workflow::record::AttemptKey;

/// The delay after which the remaining processes of a group without a handler for the signal get
/// it, when their first process got it; in a short grace earlier.
const ASK_REST_AFTER: Duration = Duration::from_secs(2);
/// The same for processes with a handler, which may have received the signal from the first
/// process.
const ASK_ALL_AFTER: Duration = Duration::from_secs(4);

/// The attempt that its environment names.
fn key_of(process: &Stat) -> Option<AttemptKey> {
    let (key, _) = orphans::says(&process_table::environment(process.pid).ok()?)?;
    Some(key)
}

/// Signals it, unless its number has gone to another process meanwhile.
fn send(process: &Stat, signal: Signal) -> Result<(), Errno> {
    let now = process_table::stat(process.pid);
    match Pid::from_raw(process.pid) {
        Some(pid) if now.is_ok_and(|now| now.identity() == process.identity()) => {
            kill_process(pid, signal)
        }
        _ => Ok(()),
    }
}

/// The session of a step whose process group is this.
pub(crate) fn session_of(group: i32) -> i32 {
    if detach::is_needed() { group } else { process_table::own().session }
}

/// The remaining processes of a step whose leader has ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Left {
    /// All has ended.
    Nothing,
    /// Orphans that may belong to other steps, which have ended before.
    Unsure,
    /// Processes of the step.
    Own,
}

/// The processes of one step.
#[derive(Debug)]
pub(crate) struct Tree {
    group: Group,
    leader: i32,
    session: i32,
    key: AttemptKey,
    /// How its processes are asked to end.
    ask: Ask,
    /// Its id among the children; `None` when no process of it is left, or the rest was given up.
    step: Option<StepId>,
    /// The group has been asked to end.
    group_asked: bool,
    /// Those that have been asked.
    asked: HashSet<Identity>,
    /// Other process groups in which a process was asked to end, and when first.
    groups_asked: HashMap<i32, Instant>,
}

/// Processes of a step that have not ended.
#[derive(Debug, Default)]
struct Members {
    own: Vec<Stat>,
    /// Those that may belong to it.
    unsure: Vec<Stat>,
}

impl Members {
    fn all(self) -> Vec<Stat> {
        let mut all = self.own;
        all.extend(self.unsure);
        all
    }
}

impl Drop for Tree {
    fn drop(&mut self) {
        self.leave(&[]);
    }
}

impl Tree {
    /// The tree of `leader`, in the session of this process or its own. Its output goes through
    /// `pipes`, by inode.
    #[must_use]
    pub(crate) fn new(group: Group, key: AttemptKey, ask: Ask, pipes: Vec<u64>) -> Self {
        let leader = group.leader().as_raw_nonzero().get();
        Self {
            group,
            leader,
            session: session_of(leader),
            key,
            ask,
            step: children::step_led_by(leader, pipes),
            group_asked: false,
            asked: HashSet::new(),
            groups_asked: HashMap::new(),
        }
    }

    /// How its processes are asked to end.
    #[must_use]
    pub(crate) fn how(&self) -> Ask {
        self.ask
    }

    /// How long after the first processes of other groups the rest of them is asked.
    #[must_use]
    pub(crate) fn ask_rest_after(&self) -> Duration {
        ASK_REST_AFTER.min(self.ask.grace * 2 / 5)
    }

    /// The step's own process group.
    #[must_use]
    pub(crate) fn group(&self) -> Group {
        self.group
    }

    /// Asks everything to end while the leader runs: once for each ending.
    pub(crate) fn ask(&mut self) {
        let before = self.members().all();
        self.group.ask(self.ask.signal);
        self.group_asked = true;
        let of_group = before.iter().filter(|entry| entry.group == self.leader);
        self.asked.extend(of_group.map(Stat::identity));
        self.ask_others(&before);
    }

    /// Asks the processes of groups whose first process was asked some time ago.
    pub(crate) fn ask_rest(&mut self) {
        let members = self.members().all();
        self.ask_others(&members);
    }

    /// Asks the rest of the group to end when the leader has ended and is not reaped: until
    /// then the number of the group is its own.
    pub(crate) fn leader_ended(&mut self) {
        if !self.group_asked {
            self.group.ask(self.ask.signal);
            self.group_asked = true;
        } else {
            for entry in self.members().own {
                if entry.group == self.leader && self.asked.insert(entry.identity()) {
                    ask(&entry, self.ask.signal);
                }
            }
        }
    }

    /// What remains after the leader: usually nothing, and then not all processes have to be read.
    /// Processes that were not asked to end are asked now.
    pub(crate) fn left(&mut self) -> Left {
        let Some(step) = self.step else { return Left::Nothing };
        if !process_table::is_available() {
            children::reap_group(self.group);
            return if self.group.is_empty() { self.has_gone() } else { Left::Own };
        }
        let mut is_empty = self.group.is_empty();
        let mut orphans = children::orphans_of(step, is_empty);
        if orphans.is_empty() && !is_empty {
            // A process reaped meanwhile was a member of the group.
            is_empty = self.group.is_empty();
            orphans = children::orphans_of(step, is_empty);
        }
        if orphans.is_empty() && is_empty {
            return self.has_gone();
        }
        let members = self.members_with(&orphans);
        if members.own.is_empty() && orphans.own.is_empty() {
            // A process that left the step does not reap the group's members. Processes that may
            // belong to other steps and cannot be ended are not waited for.
            if members.unsure.iter().all(is_not_permitted) {
                self.leave(&members.unsure);
                return Left::Nothing;
            }
            self.ask_others(&members.unsure);
            return Left::Unsure;
        }
        self.ask_others(&members.all());
        Left::Own
    }

    fn has_gone(&mut self) -> Left {
        self.leave(&[]);
        Left::Nothing
    }

    fn leave(&mut self, left: &[Stat]) {
        if let Some(step) = self.step.take() {
            children::leave(step, left);
        }
    }

    /// Ends everything; gives those that may not be ended.
    pub(crate) fn kill(&mut self) -> Vec<Stat> {
        self.group.kill();
        let refused = |entry: &Stat| send(entry, Signal::KILL) == Err(Errno::PERM);
        self.members().all().into_iter().filter(refused).collect()
    }

    /// Leaves what is left though everything was done to end it, and names it. No step ends it
    /// any more, or fails because of it.
    #[must_use]
    pub(crate) fn give_up(&mut self) -> Option<String> {
        let members = self.members();
        let mut named: Vec<String> = members.own.iter().take(3).map(name).collect();
        if members.own.len() > named.len() {
            named.push(format!("{} more", members.own.len() - named.len()));
        }
        if !process_table::is_available() && !self.group.is_empty() {
            named.push(format!("process group {}", self.leader));
        }
        self.leave(&members.all());
        if named.is_empty() {
            return None;
        }
        Some(format!("could not end all its processes, still running: {}", named.join("; ")))
    }

    fn ask_others(&mut self, members: &[Stat]) {
        let groups: HashMap<i32, i32> =
            members.iter().map(|entry| (entry.pid, entry.group)).collect();
        for entry in members.iter().filter(|entry| entry.group != self.leader) {
            let is_first = groups.get(&entry.parent) != Some(&entry.group);
            let has_parent = groups.contains_key(&entry.parent);
            let is_asked = self.asked.contains(&entry.identity());
            if is_asked || !(is_first || self.is_due(entry)) {
                continue;
            }
            let of_another_wfx = has_parent && key_of(entry).is_some_and(|key| key != self.key);
            if !of_another_wfx {
                self.asked.insert(entry.identity());
                self.groups_asked.entry(entry.group).or_insert_with(clock::monotonic);
                ask(entry, self.ask.signal);
            }
        }
    }

    /// Whether to ask a process now although another one of its group was asked.
    fn is_due(&self, entry: &Stat) -> bool {
        let Some(since) = self.groups_asked.get(&entry.group).map(Instant::elapsed) else {
            return false;
        };
        let signal = self.ask.signal.as_raw().unsigned_abs();
        let catches = || process_table::catches(entry.pid, signal) == Some(true);
        let all_after = ASK_ALL_AFTER.min(self.ask.grace * 4 / 5);
        since >= all_after || (since >= self.ask_rest_after() && !catches())
    }

    fn members(&self) -> Members {
        let orphans = self.step.map(|step| children::orphans_of(step, false));
        self.members_with(&orphans.unwrap_or_default())
    }

    fn members_with(&self, orphans: &Orphans) -> Members {
        let all = process_table::all();
        let own = below(&all, Some(self.leader), self.session, &orphans.own);
        let mut unsure = below(&all, None, self.session, &orphans.unsure);
        unsure.retain(|entry| !own.contains(entry));
        if let Some(step) = self.step {
            children::note(step, &own, &all);
        }
        let mut members = Members { own, unsure };
        members.own.retain(|entry| !entry.has_ended());
        members.unsure.retain(|entry| !entry.has_ended());
        members
    }
}

/// The processes of `group`, of `roots`, and below them, in this session.
fn below(all: &[Stat], group: Option<i32>, session: i32, roots: &HashSet<i32>) -> Vec<Stat> {
    if group.is_none() && roots.is_empty() {
        return Vec::new();
    }
    let own = std::process::id().cast_signed();
    // The leader may be about to make its session.
    let is_within = |entry: &&Stat| entry.session == session || Some(entry.pid) == group;
    let all: Vec<&Stat> = all.iter().filter(|entry| is_within(entry) && entry.pid != own).collect();
    let mut children: HashMap<i32, Vec<&Stat>> = HashMap::new();
    for entry in &all {
        children.entry(entry.parent).or_default().push(entry);
    }
    let mut seen = HashSet::new();
    let mut next: Vec<&Stat> = all
        .iter()
        .copied()
        .filter(|entry| {
            let is_of_group = [entry.group, entry.pid].into_iter().any(|it| Some(it) == group);
            is_of_group || roots.contains(&entry.pid)
        })
        .collect();
    let mut found = Vec::new();
    while let Some(entry) = next.pop() {
        if seen.insert(entry.pid) {
            found.push(entry.clone());
            next.extend(children.get(&entry.pid).into_iter().flatten());
        }
    }
    found.sort_by_key(|entry| entry.pid);
    found
}

fn ask(entry: &Stat, signal: Signal) {
    let _ = send(entry, signal);
    // A stopped process receives the request only when it is continued.
    let _ = send(entry, Signal::CONT);
}

/// Whether this process may not signal it.
fn is_not_permitted(entry: &Stat) -> bool {
    Pid::from_raw(entry.pid).map(rustix::process::test_kill_process) == Some(Err(Errno::PERM))
}

fn name(entry: &Stat) -> String {
    let Stat { pid, name, .. } = entry;
    let owner = fs::metadata(format!("/proc/{pid}")).map(|metadata| metadata.uid());
    match (is_not_permitted(entry), owner, entry.state) {
        (true, Ok(uid), _) => {
            format!("process {pid} ({name}) of user {uid}, which wfx is not permitted to signal")
        }
        (_, _, 'D') => format!("process {pid} ({name}), which waits for the kernel"),
        _ => format!("process {pid} ({name})"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(pid: i32, parent: i32, group: i32, session: i32) -> Stat {
        let line = format!(
            "{pid} (a) b) S {parent} {group} {session} 0 -1 4194304 {}77 0",
            "0 ".repeat(12)
        );
        Stat::parse(&line).unwrap()
    }

    #[test]
    fn members_are_the_group_the_orphans_and_what_is_below_them() {
        let all = [
            entry(10, 1, 10, 3),  // the leader
            entry(11, 10, 10, 3), // of its group
            entry(12, 10, 12, 3), // a group of its own
            entry(13, 12, 12, 3),
            entry(14, 10, 14, 14), // a session of its own
            entry(15, 14, 14, 14),
            entry(16, 1, 16, 3), // an orphan
            entry(17, 16, 17, 3),
            entry(18, 1, 18, 3), // of another step
        ];
        let found = below(&all, Some(10), 3, &HashSet::from([16]));
        let pids: Vec<i32> = found.iter().map(|entry| entry.pid).collect();
        assert_eq!(pids, [10, 11, 12, 13, 16, 17]);
    }
}
