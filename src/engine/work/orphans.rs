//! Processes that a dead wfx left, found by the process groups that its lock file lists, and by
//! their environment. A stored number alone proves nothing, since the system reuses numbers: the
//! start time has to match too.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::time::{Duration, Instant};

use rustix::io::Errno;
use rustix::process::{Pid, Signal, kill_process};
use tokio::time;

use super::job::GRACE;
use crate::base::clock;
use crate::repository::ownership::ListedAttempt;
use crate::system::process_table::{self, Stat};
use crate::workflow::environment::OWNER;
use crate::workflow::record::AttemptKey;

/// The interval between checks for remaining processes; each reads all processes.
const LOOK_FIRST: Duration = Duration::from_millis(20);
const LOOK_LAST: Duration = Duration::from_millis(200);
/// How long to wait after SIGKILL for processes that cannot be killed.
const GIVE_UP_AFTER_KILL: Duration = Duration::from_secs(2);
/// How long processes that always start further ones are followed.
const FOLLOW_MAX: Duration = Duration::from_secs(30);

/// A process that works for a step.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Process {
    /// Its number now.
    pub pid: i32,
    /// Its program's name.
    pub name: String,
    /// What it works for.
    pub key: AttemptKey,
}

/// What a dead wfx was doing.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Left {
    /// Its owner id; `None` where an execution had none.
    pub owner: Option<String>,
    /// The attempts that were running, as the database has them.
    pub running: HashSet<AttemptKey>,
    /// Those that its lock file lists.
    pub listed: Vec<ListedAttempt>,
}

/// A process that could not be ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Survivor {
    /// Which, and what it works for.
    pub process: Process,
    /// Why it is still there.
    pub why: &'static str,
}

/// The result of ending processes.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Ended {
    /// How many were asked to end.
    pub asked: usize,
    /// Those that are still there.
    pub survivors: Vec<Survivor>,
}

/// All processes whose environment says that they work for steps, except this one and its
/// ancestors. Only processes whose environment may be read: of the same user, or all for root.
#[must_use]
pub(crate) fn find() -> Vec<Process> {
    let own = process_table::own_ancestors();
    process_table::all()
        .into_iter()
        .filter(|stat| !own.contains(&stat.pid) && !stat.has_ended())
        .filter_map(|Stat { pid, name, .. }| {
            let (key, _) = says(&process_table::environment(pid).ok()?)?;
            Some(Process { pid, name, key })
        })
        .collect()
}

/// Living processes that dead processes list as working for their attempts, whatever their
/// environment says.
#[must_use]
pub(crate) fn living(left: &[Left]) -> Vec<Process> {
    let found = Finder::default().find(left).into_iter();
    found.map(|Found { stat, key, .. }| Process { pid: stat.pid, name: stat.name, key }).collect()
}

/// A process for as long as it lives: its number, and when it started.
type Identity = (i32, u64);

/// A process that works for an attempt.
struct Found {
    stat: Stat,
    key: AttemptKey,
    /// A parent that is asked to end forwards the request; a second request would make it end at
    /// once.
    forwarded: Option<Forwarded>,
}

/// Which parent forwards a request to end.
#[derive(Clone, Copy)]
enum Forwarded {
    /// The first process of its group, as `timeout` does. See [`super::tree`].
    ByGroup,
    /// A wfx that runs within the step, and has a grace of its own.
    ByWfx,
}

impl Forwarded {
    /// How long it is trusted.
    fn patience(self) -> Duration {
        match self {
            Self::ByGroup => GRACE * 2 / 5,
            Self::ByWfx => GRACE,
        }
    }
}

/// Ends what dead processes left, and records which processes were asked: each gets SIGTERM once.
#[derive(Debug, Default)]
pub(crate) struct Ender {
    /// Whom, since when, and whether the signal was refused.
    asked: HashMap<Identity, (Instant, bool)>,
    finder: Finder,
}

impl Ender {
    /// Ends the processes that work for these attempts, as the end of a step does: SIGTERM, a
    /// grace, SIGKILL.
    pub(crate) async fn end(&mut self, left: Vec<Left>) -> Ended {
        let since = clock::monotonic();
        let mut ended = Ended::default();
        if left.is_empty() {
            return ended;
        }
        let left: Arc<[Left]> = left.into();
        let mut look = LOOK_FIRST;
        loop {
            let found = self.find(&left).await;
            let now = clock::monotonic();
            let mut may_end = false;
            for Found { stat, forwarded, .. } in &found {
                let is_trusted = |by: Forwarded| now.duration_since(since) < by.patience();
                if forwarded.is_some_and(is_trusted) {
                    may_end = true;
                    continue;
                }
                let identity = (stat.pid, stat.started_ticks);
                let (since, refused) = self.asked.entry(identity).or_insert_with(|| {
                    ended.asked += 1;
                    let refused = signal(stat.pid, Signal::TERM);
                    // A stopped process receives the request only when it is continued.
                    let _ = signal(stat.pid, Signal::CONT);
                    (now, refused)
                });
                let passed = now.duration_since(*since);
                if passed >= GRACE {
                    *refused = signal(stat.pid, Signal::KILL);
                }
                may_end |= passed < GRACE + GIVE_UP_AFTER_KILL;
            }
            if !may_end || since.elapsed() >= FOLLOW_MAX {
                ended.survivors = found.into_iter().map(|found| self.survivor(found)).collect();
                return ended;
            }
            time::sleep(look).await;
            look = (look * 3 / 2).min(LOOK_LAST);
        }
    }

    fn survivor(&self, Found { stat, key, .. }: Found) -> Survivor {
        let refused = self.asked.get(&(stat.pid, stat.started_ticks)).is_some_and(|(_, no)| *no);
        let why = match stat.state {
            _ if refused => "it belongs to another user, whom this one may not signal",
            'D' => "it waits for a disk or a network, which no signal interrupts",
            _ => "it does not end by SIGKILL: it may be frozen, or it is started again and again",
        };
        Survivor { process: Process { pid: stat.pid, name: stat.name, key }, why }
    }

    /// Reads all processes, which takes too long for the thread of timers and sockets.
    async fn find(&mut self, left: &Arc<[Left]>) -> Vec<Found> {
        let (mut finder, left) = (std::mem::take(&mut self.finder), Arc::clone(left));
        let looking = tokio::task::spawn_blocking(move || {
            let found = finder.find(&left);
            (finder, found)
        });
        match looking.await {
            Ok((finder, found)) => {
                self.finder = finder;
                found
            }
            Err(fault) if fault.is_panic() => std::panic::resume_unwind(fault.into_panic()),
            // The runtime ends.
            Err(_) => Vec::new(),
        }
    }
}

/// Finds processes, and remembers what it found.
#[derive(Debug, Default)]
struct Finder {
    /// A process once found to belong to an attempt still does when its parent is gone.
    known: HashMap<Identity, AttemptKey>,
    /// Process groups that processes of steps made.
    jobs: HashSet<i32>,
}

impl Finder {
    /// The remaining processes of these attempts.
    fn find(&mut self, left: &[Left]) -> Vec<Found> {
        let own = process_table::own_ancestors();
        let all: HashMap<i32, Stat> = process_table::all()
            .into_iter()
            .filter(|stat| !own.contains(&stat.pid))
            .map(|stat| (stat.pid, stat))
            .collect();
        let mut keys: HashMap<i32, AttemptKey> = HashMap::new();
        for (pid, stat) in &all {
            let known = self.known.get(&(*pid, stat.started_ticks)).cloned();
            let key = known.or_else(|| by_group(stat, &all, left)).or_else(|| {
                let environment = process_table::environment(*pid).ok()?;
                by_environment(&environment, left)
            });
            if let Some(key) = key {
                keys.insert(*pid, key);
            }
        }
        // Processes that they started belong to them, whatever their environment and group.
        loop {
            let further: Vec<(i32, AttemptKey)> = all
                .values()
                .filter(|stat| !keys.contains_key(&stat.pid))
                .filter_map(|stat| Some((stat.pid, keys.get(&stat.parent)?.clone())))
                .collect();
            if further.is_empty() {
                break;
            }
            keys.extend(further);
        }
        self.known = keys
            .iter()
            .filter_map(|(pid, key)| Some(((*pid, all.get(pid)?.started_ticks), key.clone())))
            .collect();
        // A process that has ended and is not reaped yet does nothing more.
        let mut living: Vec<(&Stat, &AttemptKey)> = keys
            .iter()
            .filter_map(|(pid, key)| Some((all.get(pid)?, key)))
            .filter(|(stat, _)| !stat.has_ended())
            .collect();
        living.sort_by_key(|(stat, _)| stat.pid);
        let forwarded = self.forwarded(&living);
        let found = living.into_iter().zip(forwarded);
        found
            .map(|((stat, key), forwarded)| Found {
                stat: stat.clone(),
                key: key.clone(),
                forwarded,
            })
            .collect()
    }

    fn forwarded(&mut self, living: &[(&Stat, &AttemptKey)]) -> Vec<Option<Forwarded>> {
        let groups: HashMap<i32, i32> =
            living.iter().map(|(stat, _)| (stat.pid, stat.group)).collect();
        let group_of_parent = |stat: &Stat| groups.get(&stat.parent).copied();
        let makes_job = |stat: &&Stat| {
            stat.pid == stat.group && group_of_parent(stat).is_some_and(|group| group != stat.group)
        };
        let all = living.iter().map(|(stat, _)| *stat);
        self.jobs.extend(all.filter(makes_job).map(|stat| stat.group));
        let of_one = |(stat, key): &(&Stat, &AttemptKey)| {
            let parents = group_of_parent(stat)?;
            if self.jobs.contains(&stat.group) && parents == stat.group {
                return Some(Forwarded::ByGroup);
            }
            // Steps of a wfx that runs within the step name an execution of that one.
            let (own, _) = says(&process_table::environment(stat.pid).ok()?)?;
            (own.execution_id != key.execution_id).then_some(Forwarded::ByWfx)
        };
        living.iter().map(of_one).collect()
    }
}

/// Signals one process; `true` when that is not permitted.
fn signal(pid: i32, signal: Signal) -> bool {
    // A process that ended meanwhile is not found.
    Pid::from_raw(pid).is_some_and(|pid| kill_process(pid, signal) == Err(Errno::PERM))
}

/// The attempt whose listed process group this one is in.
fn by_group(process: &Stat, all: &HashMap<i32, Stat>, left: &[Left]) -> Option<AttemptKey> {
    left.iter()
        .flat_map(|left| &left.listed)
        .find(|listed| listed.group == process.group && is_still(listed, process, all))
        .map(|listed| listed.key.clone())
}

/// Whether the process group of this number is still the listed one. While it has members, no
/// process gets its number.
fn is_still(listed: &ListedAttempt, member: &Stat, all: &HashMap<i32, Stat>) -> bool {
    let (from, to) = listed.started_ticks;
    match all.get(&listed.group) {
        Some(leader) => (from..=to).contains(&leader.started_ticks),
        None => member.session == listed.session && member.started_ticks >= from,
    }
}

/// The attempt that an environment names, if it is one of these.
fn by_environment(environment: &[u8], left: &[Left]) -> Option<AttemptKey> {
    let (key, owner) = says(environment)?;
    let is_wanted = |left: &Left| {
        // Older ones do not say which wfx started them.
        let same_owner = owner.is_none() || left.owner.is_none() || left.owner == owner;
        same_owner
            && (left.running.contains(&key) || left.listed.iter().any(|listed| listed.key == key))
    };
    left.iter().any(is_wanted).then_some(key)
}

/// The attempt and the owner that an environment names, `NAME=value` ended by NUL each,
/// environ(7).
pub(crate) fn says(environment: &[u8]) -> Option<(AttemptKey, Option<String>)> {
    let value = |name: &str| {
        environment.split(|&byte| byte == 0).find_map(|variable| {
            let value = variable.strip_prefix(name.as_bytes())?.strip_prefix(b"=")?;
            std::str::from_utf8(value).ok()
        })
    };
    let key = AttemptKey {
        execution_id: value("WFX_EXECUTION_ID")?.to_owned(),
        step: value("WFX_STEP_NAME")?.to_owned(),
        attempt: value("WFX_ATTEMPT")?.parse().ok()?,
    };
    Some((key, value(OWNER).map(str::to_owned)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(step: &str) -> AttemptKey {
        AttemptKey { execution_id: "e".to_owned(), step: step.to_owned(), attempt: 2 }
    }

    #[test]
    fn an_environment_names_an_attempt_by_three_variables() {
        let environment = b"PATH=/bin\0WFX_EXECUTION_ID=e\0WFX_STEP_NAME=a\0WFX_ATTEMPT=2\0";
        assert_eq!(says(environment), Some((key("a"), None)));
        let owned = b"WFX_OWNER=o\0WFX_EXECUTION_ID=e\0WFX_STEP_NAME=a\0WFX_ATTEMPT=2\0";
        assert_eq!(says(owned), Some((key("a"), Some("o".to_owned()))));
        assert_eq!(says(b"WFX_EXECUTION_ID=e\0WFX_STEP_NAME=a\0"), None);
        assert_eq!(says(b"WFX_EXECUTION_ID=e\0WFX_STEP_NAME=a\0WFX_ATTEMPT=x\0"), None);
        assert_eq!(says(b""), None);
    }

    #[test]
    fn only_what_a_dead_owner_ran_is_wanted() {
        let left = Left {
            owner: Some("dead".to_owned()),
            running: HashSet::from([key("a")]),
            listed: Vec::new(),
        };
        let wanted = |owner: &str, step: &str| {
            let text = format!(
                "WFX_OWNER={owner}\0WFX_EXECUTION_ID=e\0WFX_STEP_NAME={step}\0WFX_ATTEMPT=2\0"
            );
            by_environment(text.as_bytes(), std::slice::from_ref(&left)).is_some()
        };
        assert!(wanted("dead", "a"));
        // The same attempt on a copy of the database, of a wfx that is alive.
        assert!(!wanted("alive", "a"));
        // A daemon that a step which had ended has left on purpose.
        assert!(!wanted("dead", "b"));
    }

    #[test]
    fn a_group_is_known_by_its_start_and_its_session() {
        let line = |pid: i32, group: i32, session: i32, started: u64| {
            Stat::parse(&format!(
                "{pid} (x) S 1 {group} {session} 0 -1 0 0 0 0 0 0 0 0 0 0 20 0 1 {started} 0"
            ))
            .unwrap()
        };
        let listed =
            ListedAttempt { key: key("a"), group: 42, session: 7, started_ticks: (100, 101) };
        let left = [Left { listed: vec![listed], ..Left::default() }];
        let found = |processes: &[Stat]| {
            let all = processes.iter().map(|stat| (stat.pid, stat.clone())).collect();
            by_group(&processes[0], &all, &left).is_some()
        };
        assert!(found(&[line(42, 42, 7, 101)]));
        // The leader has gone, its child has not.
        assert!(found(&[line(43, 42, 7, 150)]));
        assert!(found(&[line(43, 42, 7, 150), line(42, 42, 7, 100)]));
        // The number was reused.
        assert!(!found(&[line(42, 42, 7, 102)]));
        assert!(!found(&[line(43, 42, 7, 150), line(42, 42, 7, 140)]));
        assert!(!found(&[line(43, 42, 8, 150)]));
        assert!(!found(&[line(43, 44, 7, 150)]));
    }
}
