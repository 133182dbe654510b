//! Processes that a wfx which died has left: found by what their environment says, never
//! by a stored number, which the system gives to others.

use std::collections::{HashMap, HashSet};
use std::fs;
use std::path::PathBuf;
use std::time::Duration;

use rustix::process::{Pid, Signal};
use tokio::time;

use super::process::GRACE;
use crate::clock;

/// Between looks at what is left.
const LOOK: Duration = Duration::from_millis(20);
/// After SIGKILL, how long is waited for processes that cannot be killed.
const GIVE_UP_AFTER_KILL: Duration = Duration::from_secs(2);

/// The attempt of a step that a process works for.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Origin {
    /// `WFX_EXECUTION_ID`.
    pub execution_id: String,
    /// `WFX_STEP_NAME`.
    pub step: String,
    /// `WFX_ATTEMPT`.
    pub attempt: u32,
}

/// A process that works for a step.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Process {
    /// Its number now.
    pub pid: i32,
    /// Its parent.
    pub parent: i32,
    /// Its process group.
    pub group: i32,
    /// Its program's name.
    pub name: String,
    /// What it works for.
    pub origin: Origin,
}

/// All processes that work for steps, but for this one and those that it runs in. Only
/// those whose environment may be read: of the same user, or all for root. Needs `/proc`.
#[must_use]
pub fn find() -> Vec<Process> {
    let Ok(entries) = fs::read_dir("/proc") else { return Vec::new() };
    let own = ancestors(i32::try_from(std::process::id()).unwrap_or(0));
    entries
        .filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok())
        .filter(|pid| !own.contains(pid))
        .filter_map(look_at)
        .collect()
}

/// Ends the processes that work for these attempts, as the end of a step does: SIGTERM, a
/// grace, SIGKILL. Returns how many there were.
pub async fn end(origins: &HashSet<Origin>) -> usize {
    let mut seen = HashSet::new();
    let since = clock::monotonic();
    let mut asked = Asked::default();
    loop {
        let left: Vec<Process> =
            find().into_iter().filter(|process| origins.contains(&process.origin)).collect();
        seen.extend(left.iter().map(|process| process.pid));
        let passed = since.elapsed();
        if left.is_empty() || passed >= GRACE + GIVE_UP_AFTER_KILL {
            return seen.len();
        }
        if passed >= GRACE {
            left.iter().for_each(|process| signal(process, Signal::KILL, true));
        } else {
            asked.ask(&left);
        }
        time::sleep(LOOK).await;
    }
}

/// Who has been asked to end: each process once, since to many programs a second request
/// means: at once, without cleaning up. See [`super::tree`] for who hands it on.
#[derive(Default)]
struct Asked {
    processes: HashSet<i32>,
    groups: HashSet<i32>,
    /// Groups that processes of steps made.
    jobs: HashSet<i32>,
}

impl Asked {
    fn ask(&mut self, left: &[Process]) {
        let groups: HashMap<i32, i32> =
            left.iter().map(|process| (process.pid, process.group)).collect();
        let own_group = rustix::process::getpgrp().as_raw_nonzero().get();
        let group_of_parent = |process: &Process| groups.get(&process.parent).copied();
        let makes_job = |process: &&Process| {
            process.pid == process.group
                && group_of_parent(process).is_some_and(|group| group != process.group)
        };
        self.jobs.extend(left.iter().filter(makes_job).map(|process| process.group));
        for process in left {
            let is_job = self.jobs.contains(&process.group);
            let whole_group = !is_job && process.group != own_group;
            let is_handed_on = is_job && group_of_parent(process) == Some(process.group);
            let is_due = match whole_group {
                true => self.groups.insert(process.group),
                false => !is_handed_on && self.processes.insert(process.pid),
            };
            if is_due {
                signal(process, Signal::TERM, whole_group);
                // A stopped process takes the request only when it goes on.
                signal(process, Signal::CONT, whole_group);
            }
        }
    }
}

/// Signals the process or, if it has one of its own, its group: others of it may have another
/// environment.
fn signal(process: &Process, signal: Signal, whole_group: bool) {
    // Between the look and this, the number could have gone to another process.
    if look_at(process.pid).as_ref() != Some(process) {
        return;
    }
    if let Some(group) = Pid::from_raw(process.group)
        && whole_group
        && rustix::process::getpgrp() != group
    {
        let _ = rustix::process::kill_process_group(group, signal);
    } else if let Some(pid) = Pid::from_raw(process.pid) {
        let _ = rustix::process::kill_process(pid, signal);
    }
}

fn look_at(pid: i32) -> Option<Process> {
    let folder = PathBuf::from(format!("/proc/{pid}"));
    let origin = origin(&fs::read(folder.join("environ")).ok()?)?;
    let stat = fs::read_to_string(folder.join("stat")).ok()?;
    let Stat { name, state, parent, group } = Stat::of(&stat)?;
    // One that has ended and waits for its parent to notice does nothing more.
    let name = name.to_owned();
    (state != "Z" && state != "X").then_some(Process { pid, parent, group, name, origin })
}

/// Reads an environment, `NAME=value` ended by NUL each, environ(7).
pub(super) fn origin(environment: &[u8]) -> Option<Origin> {
    let value = |name: &str| {
        environment.split(|&byte| byte == 0).find_map(|variable| {
            let value = variable.strip_prefix(name.as_bytes())?.strip_prefix(b"=")?;
            std::str::from_utf8(value).ok()
        })
    };
    Some(Origin {
        execution_id: value("WFX_EXECUTION_ID")?.to_owned(),
        step: value("WFX_STEP_NAME")?.to_owned(),
        attempt: value("WFX_ATTEMPT")?.parse().ok()?,
    })
}

/// What is used of `/proc/PID/stat`, `pid (name) state ppid pgrp …`, proc(5).
struct Stat<'a> {
    name: &'a str,
    state: &'a str,
    parent: i32,
    group: i32,
}

impl<'a> Stat<'a> {
    fn of(line: &'a str) -> Option<Self> {
        // The name may hold anything, so what counts comes after the last bracket.
        let (before, after) = line.rsplit_once(") ")?;
        let (_, name) = before.split_once('(')?;
        let mut fields = after.split(' ');
        Some(Self {
            name,
            state: fields.next()?,
            parent: fields.next()?.parse().ok()?,
            group: fields.next()?.parse().ok()?,
        })
    }
}

/// The process and those that it runs in.
fn ancestors(pid: i32) -> HashSet<i32> {
    let mut found = HashSet::new();
    let mut next = Some(pid);
    while let Some(pid) = next.filter(|&pid| pid > 0 && !found.contains(&pid)) {
        found.insert(pid);
        let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok();
        next = stat.and_then(|stat| Stat::of(&stat).map(|stat| stat.parent));
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_origin_is_all_three_variables() {
        let environment = b"PATH=/bin\0WFX_EXECUTION_ID=e\0WFX_STEP_NAME=a\0WFX_ATTEMPT=2\0";
        let wanted = Origin { execution_id: "e".to_owned(), step: "a".to_owned(), attempt: 2 };
        assert_eq!(origin(environment), Some(wanted));
        assert_eq!(origin(b"WFX_EXECUTION_ID=e\0WFX_STEP_NAME=a\0"), None);
        assert_eq!(origin(b"WFX_EXECUTION_ID=e\0WFX_STEP_NAME=a\0WFX_ATTEMPT=x\0"), None);
        assert_eq!(origin(b""), None);
    }

    #[test]
    fn a_name_may_hold_anything() {
        let stat = Stat::of("7 (a) b) S 1 42 42 0 -1").unwrap();
        assert_eq!((stat.name, stat.state, stat.parent, stat.group), ("a) b", "S", 1, 42));
        assert!(Stat::of("").is_none());
    }

    #[test]
    fn this_process_is_among_its_ancestors() {
        let own = i32::try_from(std::process::id()).unwrap();
        assert!(ancestors(own).contains(&own));
    }
}
