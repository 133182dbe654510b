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
use super::leftover::{self, Origin};

/// What is read of a process.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// Its number now.
    pub pid: i32,
    name: String,
    state: char,
    /// Its parent.
    pub parent: i32,
    group: i32,
    session: i32,
    /// Since the system's start, in its ticks: with the pid it names one process.
    started: u64,
}

impl Entry {
    /// Reads `/proc/PID/stat`.
    #[must_use]
    pub fn read(pid: i32) -> Option<Self> {
        Self::parse(&fs::read_to_string(format!("/proc/{pid}/stat")).ok()?)
    }

    /// Reads a line `pid (name) state ppid pgrp session …`, proc(5).
    fn parse(line: &str) -> Option<Self> {
        // The name may hold anything, so what counts comes after the last bracket.
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
            started: fields.nth(15)?.parse().ok()?,
        })
    }

    fn key(&self) -> (i32, u64) {
        (self.pid, self.started)
    }

    /// One that has ended and waits for its parent to notice does nothing more.
    fn has_ended(&self) -> bool {
        matches!(self.state, 'Z' | 'X')
    }

    fn origin(&self) -> Option<Origin> {
        leftover::origin(&fs::read(format!("/proc/{}/environ", self.pid)).ok()?)
    }

    /// Signals it, unless its number has gone to another process meanwhile.
    fn signal(&self, signal: Signal) -> Result<(), Errno> {
        let now = Self::read(self.pid);
        match Pid::from_raw(self.pid) {
            Some(pid) if now.is_some_and(|now| now.key() == self.key()) => {
                kill_process(pid, signal)
            }
            _ => Ok(()),
        }
    }
}

fn all() -> Vec<Entry> {
    let Ok(entries) = fs::read_dir("/proc") else { return Vec::new() };
    entries
        .filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok())
        .filter_map(Entry::read)
        .collect()
}

/// The processes of one step.
#[derive(Debug)]
pub struct Tree {
    group: Group,
    leader: i32,
    session: i32,
    origin: Origin,
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
    pub fn new(group: Group, origin: Origin) -> Self {
        let leader = group.leader().as_raw_nonzero().get();
        Self {
            group,
            leader,
            session: if detach::is_needed() { leader } else { own_session() },
            origin,
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
        self.asked.extend(of_group.map(Entry::key));
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
                if entry.group == self.leader && self.asked.insert(entry.key()) {
                    ask(&entry);
                }
            }
        }
    }

    /// What is left after the leader: none in the usual case, without a look at all processes.
    /// What has not been asked to end is asked now.
    pub fn left(&mut self) -> Vec<Entry> {
        if !self.has_orphans() && self.group.is_empty() {
            return Vec::new();
        }
        let left = self.members();
        self.ask_others(&left);
        left
    }

    /// Ends everything; gives those that may not be ended.
    pub fn kill(&mut self) -> Vec<Entry> {
        self.group.kill();
        let refused = |entry: &Entry| entry.signal(Signal::KILL) == Err(Errno::PERM);
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

    fn ask_others(&mut self, members: &[Entry]) {
        let groups: HashMap<i32, i32> =
            members.iter().map(|entry| (entry.pid, entry.group)).collect();
        for entry in members.iter().filter(|entry| entry.group != self.leader) {
            let is_first = groups.get(&entry.parent) != Some(&entry.group);
            let has_parent = groups.contains_key(&entry.parent);
            if !is_first || self.asked.contains(&entry.key()) {
                continue;
            }
            let of_another_wfx =
                has_parent && entry.origin().is_some_and(|origin| origin != self.origin);
            if !of_another_wfx {
                self.asked.insert(entry.key());
                ask(entry);
            }
        }
    }

    /// Whether orphans may belong to the step. Notes those that outlive it.
    fn has_orphans(&self) -> bool {
        children::orphans().into_iter().any(|pid| self.is_own_orphan(pid))
    }

    fn is_own_orphan(&self, pid: i32) -> bool {
        let Some(entry) = Entry::read(pid) else { return false };
        if entry.session != self.session {
            if entry.session != own_session() && !children::is_leader(entry.session) {
                children::survives(pid);
            }
            return false;
        }
        if self.found.contains(&entry.key()) || entry.session == self.leader {
            return true;
        }
        match children::claim(self.leader, &self.origin, entry.group, entry.origin().as_ref()) {
            Claim::This => true,
            Claim::Another | Claim::Unknown => false,
            Claim::Foreign => {
                children::survives(pid);
                false
            }
        }
    }

    fn members(&mut self) -> Vec<Entry> {
        let members = self.members_now();
        self.found.extend(members.iter().map(Entry::key));
        members
    }

    fn members_now(&self) -> Vec<Entry> {
        let orphans: HashSet<i32> =
            children::orphans().into_iter().filter(|&pid| self.is_own_orphan(pid)).collect();
        let mut members = below(&all(), self.leader, self.session, &orphans);
        members.retain(|entry| !entry.has_ended());
        members
    }
}

/// Those of `group`, of `roots`, and below them, in this session.
fn below(all: &[Entry], group: i32, session: i32, roots: &HashSet<i32>) -> Vec<Entry> {
    let own = std::process::id().cast_signed();
    // The leader may be about to make its session.
    let is_within = |entry: &&Entry| entry.session == session || entry.pid == group;
    let all: Vec<&Entry> =
        all.iter().filter(|entry| is_within(entry) && entry.pid != own).collect();
    let mut children: HashMap<i32, Vec<&Entry>> = HashMap::new();
    for entry in &all {
        children.entry(entry.parent).or_default().push(entry);
    }
    let mut seen = HashSet::new();
    let mut next: Vec<&Entry> = all
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

fn ask(entry: &Entry) {
    let _ = entry.signal(Signal::TERM);
    // A stopped process takes the request only when it goes on.
    let _ = entry.signal(Signal::CONT);
}

fn name(entry: &Entry) -> String {
    let Entry { pid, name, .. } = entry;
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
        Entry::read(std::process::id().cast_signed()).map_or(0, |entry| entry.session)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(pid: i32, parent: i32, group: i32, session: i32) -> Entry {
        let line = format!(
            "{pid} (a) b) S {parent} {group} {session} 0 -1 4194304 {}77 0",
            "0 ".repeat(12)
        );
        Entry::parse(&line).unwrap()
    }

    #[test]
    fn a_line_is_read_whatever_the_name() {
        let read = entry(7, 1, 42, 3);
        assert_eq!((read.pid, read.parent, read.group, read.session), (7, 1, 42, 3));
        assert_eq!((read.name.as_str(), read.state, read.started), ("a) b", 'S', 77));
        assert_eq!(Entry::parse(""), None);
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
