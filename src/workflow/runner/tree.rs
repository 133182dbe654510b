//! The processes of one step, and how they are ended.
//!
//! They are its process group, and what below its leader made process groups of its own
//! (`timeout`, a shell's job control). A process that made a session of its own (`setsid`)
//! has left the step.
//!
//! Each process is asked to end (SIGTERM) once for each ending, since to many programs a second
//! request means: at once, without cleaning up. The step's group is asked as a whole. Of
//! another group only those are asked whose parent is not in it: `timeout` hands the request
//! on. Processes of a wfx that runs below the step are asked by that one.

use std::collections::{HashMap, HashSet};
use std::fs;
use std::os::unix::fs::MetadataExt;

use rustix::io::Errno;
use rustix::process::{Pid, Signal, kill_process};

use super::children::{self, Claim};
use super::detach;
use super::group::Group;
use super::leftover;
use crate::process_table::{self, Stat};
use crate::workflow::record::AttemptKey;

/// A process for as long as it lives: its number, and when it started.
type Identity = (i32, u64);

fn identity(process: &Stat) -> Identity {
    (process.pid, process.started_ticks)
}

/// The attempt that its environment names.
fn key_of(process: &Stat) -> Option<AttemptKey> {
    let (key, _) = leftover::says(&process_table::environment(process.pid).ok()?)?;
    Some(key)
}

/// Signals it, unless its number has gone to another process meanwhile.
fn send(process: &Stat, signal: Signal) -> Result<(), Errno> {
    let now = process_table::stat(process.pid);
    match Pid::from_raw(process.pid) {
        Some(pid) if now.is_ok_and(|now| identity(&now) == identity(process)) => {
            kill_process(pid, signal)
        }
        _ => Ok(()),
    }
}

/// The session of a step whose process group is this.
pub(super) fn session_of(group: i32) -> i32 {
    if detach::is_needed() { group } else { own_session() }
}

/// The processes of one step.
#[derive(Debug)]
pub struct Tree {
    group: Group,
    leader: i32,
    session: i32,
    key: AttemptKey,
    /// The group has been asked to end.
    group_asked: bool,
    /// Those that have been asked.
    asked: HashSet<(i32, u64)>,
    /// Those that were found to belong to the step.
    found: HashSet<(i32, u64)>,
}

impl Tree {
    /// What `leader` leads, in the session of this process or its own.
    #[must_use]
    pub fn new(group: Group, key: AttemptKey) -> Self {
        let leader = group.leader().as_raw_nonzero().get();
        Self {
            group,
            leader,
            session: session_of(leader),
            key,
            group_asked: false,
            asked: HashSet::new(),
            found: HashSet::new(),
        }
    }

    /// The step's own process group.
    #[must_use]
    pub fn group(&self) -> Group {
        self.group
    }

    /// Asks everything to end while the leader runs: once for each ending.
    pub fn ask(&mut self) {
        let before = self.members();
        self.group.terminate();
        self.group_asked = true;
        let of_group = before.iter().filter(|entry| entry.group == self.leader);
        self.asked.extend(of_group.map(identity));
        self.ask_others(&before);
    }

    /// Asks the rest of the group to end when the leader has ended and is not reaped: until
    /// then the number of the group is its own.
    pub fn leader_ended(&mut self) {
        if !self.group_asked {
            self.group.terminate();
            self.group_asked = true;
        } else {
            for entry in self.members() {
                if entry.group == self.leader && self.asked.insert(identity(&entry)) {
                    ask(&entry);
                }
            }
        }
    }

    /// What is left after the leader: none in the usual case, without a look at all processes.
    /// What has not been asked to end is asked now.
    pub fn left(&mut self) -> Vec<Stat> {
        if !self.has_orphans() && self.group.is_empty() {
            return Vec::new();
        }
        let left = self.members();
        self.ask_others(&left);
        left
    }

    /// Ends everything; gives those that may not be ended.
    pub fn kill(&mut self) -> Vec<Stat> {
        self.group.kill();
        let refused = |entry: &Stat| send(entry, Signal::KILL) == Err(Errno::PERM);
        self.members().into_iter().filter(refused).collect()
    }

    /// Names those that are left though everything was done to end them.
    #[must_use]
    pub fn name_left(&self) -> Option<String> {
        let left = self.members_now();
        if left.is_empty() {
            return None;
        }
        let mut named: Vec<String> = left.iter().take(3).map(name).collect();
        if left.len() > named.len() {
            named.push(format!("{} more", left.len() - named.len()));
        }
        Some(format!("could not end all its processes, still running: {}", named.join("; ")))
    }

    fn ask_others(&mut self, members: &[Stat]) {
        let groups: HashMap<i32, i32> =
            members.iter().map(|entry| (entry.pid, entry.group)).collect();
        for entry in members.iter().filter(|entry| entry.group != self.leader) {
            let is_first = groups.get(&entry.parent) != Some(&entry.group);
            let has_parent = groups.contains_key(&entry.parent);
            if !is_first || self.asked.contains(&identity(entry)) {
                continue;
            }
            let of_another_wfx = has_parent && key_of(entry).is_some_and(|key| key != self.key);
            if !of_another_wfx {
                self.asked.insert(identity(entry));
                ask(entry);
            }
        }
    }

    /// Whether orphans may belong to the step. Notes those that outlive it.
    fn has_orphans(&self) -> bool {
        children::orphans().into_iter().any(|pid| self.is_own_orphan(pid))
    }

    fn is_own_orphan(&self, pid: i32) -> bool {
        let Some(entry) = process_table::stat(pid).ok() else { return false };
        if entry.session != self.session {
            if entry.session != own_session() && !children::is_leader(entry.session) {
                children::survives(pid);
            }
            return false;
        }
        if self.found.contains(&identity(&entry)) || entry.session == self.leader {
            return true;
        }
        match children::claim(self.leader, &self.key, entry.group, key_of(&entry).as_ref()) {
            Claim::This => true,
            Claim::Another | Claim::Unknown => false,
            Claim::Foreign => {
                children::survives(pid);
                false
            }
        }
    }

    fn members(&mut self) -> Vec<Stat> {
        let members = self.members_now();
        self.found.extend(members.iter().map(identity));
        members
    }

    fn members_now(&self) -> Vec<Stat> {
        let orphans: HashSet<i32> =
            children::orphans().into_iter().filter(|&pid| self.is_own_orphan(pid)).collect();
        let mut members = below(&process_table::all(), self.leader, self.session, &orphans);
        members.retain(|entry| !entry.has_ended());
        members
    }
}

/// Those of `group`, of `roots`, and below them, in this session.
fn below(all: &[Stat], group: i32, session: i32, roots: &HashSet<i32>) -> Vec<Stat> {
    let own = std::process::id().cast_signed();
    // The leader may be about to make its session.
    let is_within = |entry: &&Stat| entry.session == session || entry.pid == group;
    let all: Vec<&Stat> = all.iter().filter(|entry| is_within(entry) && entry.pid != own).collect();
    let mut children: HashMap<i32, Vec<&Stat>> = HashMap::new();
    for entry in &all {
        children.entry(entry.parent).or_default().push(entry);
    }
    let mut seen = HashSet::new();
    let mut next: Vec<&Stat> = all
        .iter()
        .copied()
        .filter(|entry| entry.group == group || entry.pid == group || roots.contains(&entry.pid))
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

fn ask(entry: &Stat) {
    let _ = send(entry, Signal::TERM);
    // A stopped process takes the request only when it goes on.
    let _ = send(entry, Signal::CONT);
}

fn name(entry: &Stat) -> String {
    let Stat { pid, name, .. } = entry;
    let may = Pid::from_raw(*pid).map(rustix::process::test_kill_process);
    let owner = fs::metadata(format!("/proc/{pid}")).map(|metadata| metadata.uid());
    match (may, owner, entry.state) {
        (Some(Err(Errno::PERM)), Ok(uid), _) => {
            format!("process {pid} ({name}) of user {uid}, which wfx is not permitted to signal")
        }
        (_, _, 'D') => format!("process {pid} ({name}), which waits for the kernel"),
        _ => format!("process {pid} ({name})"),
    }
}

/// The session of this process, as `/proc` numbers it: 0 when it began outside of the
/// container.
fn own_session() -> i32 {
    static SESSION: std::sync::OnceLock<i32> = std::sync::OnceLock::new();
    *SESSION.get_or_init(|| {
        process_table::stat(std::process::id().cast_signed()).map_or(0, |own| own.session)
    })
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
        let found = below(&all, 10, 3, &HashSet::from([16]));
        let pids: Vec<i32> = found.iter().map(|entry| entry.pid).collect();
        assert_eq!(pids, [10, 11, 12, 13, 16, 17]);
    }
}
