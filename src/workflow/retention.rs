//! What retention deletes: a plan of which executions go, and why each other one stays. It can be
//! shown before it is applied.

use std::cmp::Reverse;
use std::collections::{BTreeMap, HashMap, HashSet};

use serde::Serialize;

use super::pin::Pin;
use super::record::ExecutionStatus;
use super::retention_policy::{RetentionPolicy, age_text};
use crate::base::period::Period;
use crate::base::timestamp::Timestamp;

/// How old executions of a workflow become that ended so; `None`: any age.
fn age_limit(policy: &RetentionPolicy, status: ExecutionStatus) -> Option<Period> {
    if status == ExecutionStatus::Success { policy.success } else { policy.failed }
}

/// The fields of a stored execution that retention uses.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Stored {
    /// Its number in the database.
    pub seq: i64,
    /// Its id everywhere.
    pub execution_id: Box<str>,
    /// What it ran.
    pub workflow_id: Box<str>,
    /// How it stands.
    pub status: ExecutionStatus,
    /// Its position in the order of completion, which does not depend on any clock, and when it
    /// ended; `None` until it has.
    pub completed: Option<(i64, Timestamp)>,
    /// Whether its definition came with a request.
    pub is_ad_hoc: bool,
    /// Set while it is pinned.
    pub pin: Option<Box<Pin>>,
}

/// The executions of a database, and the retention of workflows that have their own.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct History {
    /// All executions, finished or not.
    pub executions: Vec<Stored>,
    /// Policies by workflow.
    pub policies: HashMap<String, RetentionPolicy>,
}

/// Which executions may be pruned.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct PrunePolicy {
    /// How many of those in `status` that completed last are retained. Without `older_than` only
    /// executions count that have no retention of their own. `None`: all of those are retained, but
    /// for what `older_than` and `all` say. 0: nothing at all is pruned, except with `all`.
    pub keep: Option<u64>,
    /// Only executions that completed longer ago than this are pruned, whatever the retention of
    /// their workflow.
    pub older_than: Option<Period>,
    /// Only executions with this status are pruned, and only they count for `keep`.
    pub status: Option<ExecutionStatus>,
    /// Prunes without regard to `keep` and to the retention of workflows.
    pub all: bool,
    /// Prunes pinned executions like others.
    pub include_pinned: bool,
}

impl PrunePolicy {
    /// Whether the retention of workflows decides about their executions.
    fn follows_workflows(&self) -> bool {
        !self.all && self.older_than.is_none()
    }
}

/// An execution to prune. A database that was restored may have assigned its number again.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Chosen {
    /// Its number in the database.
    pub seq: i64,
    /// Its id everywhere.
    pub execution_id: Box<str>,
}

/// Why an execution goes or stays.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Reason {
    /// Goes: it is beyond the number that its workflow keeps.
    BeyondKeep(u64),
    /// Goes: it is beyond the number that is kept of all workflows without their own.
    BeyondRetention(u64),
    /// Goes: it is older than its workflow keeps those that ended so.
    TooOld(Period, ExecutionStatus),
    /// Goes: it is older than was asked for.
    OlderThan(Period),
    /// Goes: every one was asked for.
    All,
    /// Stays: it has not ended.
    Unfinished(ExecutionStatus),
    /// Stays: it is pinned.
    Pinned,
    /// Stays: it ended otherwise than was asked for.
    OtherStatus(ExecutionStatus),
    /// Stays: it is the one of its workflow that finished last.
    LastFinished,
    /// Stays: it is the last success of its workflow.
    LastSuccess,
    /// Stays: it is within the number that its workflow keeps.
    WithinKeep(u64),
    /// Stays: its workflow keeps those that ended so for this long.
    Young(Period, ExecutionStatus),
    /// Stays: its workflow has no limit for those that ended so.
    NoLimit(ExecutionStatus),
    /// Stays: it is within the number that is kept of all workflows without their own.
    WithinRetention(u64),
    /// Stays: it is not older than was asked for.
    NotOlderThan(Period),
    /// Stays: no number limits those of workflows without their own retention.
    KeepsAll,
}

impl Reason {
    /// Whether the execution goes.
    #[must_use]
    pub fn goes(self) -> bool {
        matches!(
            self,
            Self::BeyondKeep(_)
                | Self::BeyondRetention(_)
                | Self::TooOld(..)
                | Self::OlderThan(_)
                | Self::All
        )
    }
}

impl Reason {
    /// The same in words, for an execution of this workflow.
    #[must_use]
    pub(crate) fn text(self, workflow_id: &str) -> String {
        match self {
            Self::BeyondKeep(keep) => format!("beyond keep {keep} of {workflow_id}"),
            Self::BeyondRetention(keep) => format!("beyond retention {keep}"),
            Self::TooOld(age, status) => format!("older than {} ({status})", age_text(age)),
            Self::OlderThan(age) => format!("older than {}", age_text(age)),
            Self::All => "all finished ones go".to_owned(),
            Self::Unfinished(status) => status.to_string(),
            Self::Pinned => "pinned".to_owned(),
            Self::OtherStatus(status) => format!("its status is {status}"),
            Self::LastFinished => format!("finished last of {workflow_id}"),
            Self::LastSuccess => format!("last success of {workflow_id}"),
            Self::WithinKeep(keep) => format!("within keep {keep} of {workflow_id}"),
            Self::Young(age, status) => format!("not older than {} ({status})", age_text(age)),
            Self::NoLimit(status) => format!("{workflow_id} has no limit for {status}"),
            Self::WithinRetention(keep) => format!("within retention {keep}"),
            Self::NotOlderThan(age) => format!("not older than {}", age_text(age)),
            Self::KeepsAll => "no retention limits it".to_owned(),
        }
    }
}

/// The executions to prune, why, and a summary.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct PrunePlan {
    /// The executions in the order of their completion.
    pub chosen: Vec<Chosen>,
    /// The earliest time at which one of them completed.
    pub oldest: Option<Timestamp>,
    /// The latest time at which one of them completed.
    pub newest: Option<Timestamp>,
    /// How many of them are in each state.
    pub by_status: BTreeMap<ExecutionStatus, u64>,
    /// How many finished executions remain.
    pub remaining: u64,
    /// Why each execution goes or stays, in the order of the history.
    pub reasons: Vec<Reason>,
    /// Whether `chosen` may hold pinned ones.
    pub include_pinned: bool,
}

impl PrunePlan {
    /// How many executions would be pruned.
    #[must_use]
    pub fn executions(&self) -> u64 {
        self.chosen.len() as u64
    }

    /// How many finished executions stay since they are pinned.
    #[must_use]
    pub fn pinned(&self) -> u64 {
        self.reasons.iter().filter(|reason| **reason == Reason::Pinned).count() as u64
    }
}

/// Executions of one workflow that go or stay for one reason.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub(crate) struct ReasonCount {
    pub workflow_id: String,
    /// Whether they go.
    pub goes: bool,
    pub reason: String,
    /// How many.
    pub executions: u64,
}

/// How many executions of each workflow go and stay, and why.
#[must_use]
pub(crate) fn summary(plan: &PrunePlan, history: &History) -> Vec<ReasonCount> {
    let mut counts: BTreeMap<(&str, Reverse<bool>, Reason), u64> = BTreeMap::new();
    for (execution, reason) in history.executions.iter().zip(&plan.reasons) {
        let key = (&*execution.workflow_id, Reverse(reason.goes()), *reason);
        *counts.entry(key).or_insert(0) += 1;
    }
    let row = |((workflow_id, goes, reason), executions): ((&str, Reverse<bool>, Reason), u64)| {
        let reason = reason.text(workflow_id);
        ReasonCount { workflow_id: workflow_id.to_owned(), goes: goes.0, reason, executions }
    };
    counts.into_iter().map(row).collect()
}

impl Stored {
    /// Why it goes or stays, in words.
    #[must_use]
    pub(crate) fn text_of(&self, reason: Reason) -> String {
        match &self.pin {
            Some(pin) if reason == Reason::Pinned => pin.text(),
            _ => reason.text(&self.workflow_id),
        }
    }
}

/// Selects the executions to prune, and says of each why it goes or stays. Unfinished ones are
/// never selected.
#[must_use]
pub(crate) fn plan(policy: &PrunePolicy, history: &History, now: Timestamp) -> PrunePlan {
    let groups = Groups::of(policy, history);
    let reasons: Vec<Reason> = history
        .executions
        .iter()
        .map(|execution| reason(policy, history, &groups, execution, now))
        .collect();
    let both = || history.executions.iter().zip(&reasons);
    let mut going: Vec<(i64, Timestamp, &Stored)> = both()
        .filter(|(_, reason)| reason.goes())
        .filter_map(|(execution, _)| {
            execution.completed.map(|(number, at)| (number, at, execution))
        })
        .collect();
    going.sort_unstable_by_key(|(number, _, execution)| (*number, execution.seq));
    let mut by_status = BTreeMap::new();
    for (_, _, execution) in &going {
        *by_status.entry(execution.status).or_insert(0) += 1;
    }
    let finished = history.executions.iter().filter(|execution| execution.completed.is_some());
    let remaining = (finished.count() - going.len()) as u64;
    PrunePlan {
        chosen: going.iter().map(|(_, _, execution)| chosen(execution)).collect(),
        oldest: going.iter().map(|(_, at, _)| *at).min(),
        newest: going.iter().map(|(_, at, _)| *at).max(),
        by_status,
        remaining,
        reasons,
        include_pinned: policy.include_pinned,
    }
}

fn chosen(execution: &Stored) -> Chosen {
    Chosen { seq: execution.seq, execution_id: execution.execution_id.clone() }
}

impl Stored {
    fn is_exempt(&self, policy: &PrunePolicy) -> bool {
        self.pin.is_some() && !policy.include_pinned
    }
}

impl History {
    /// The retention of the workflow of an execution, if that applies to it.
    fn own_policy(&self, execution: &Stored) -> Option<&RetentionPolicy> {
        self.policies.get(&*execution.workflow_id).filter(|_| !execution.is_ad_hoc)
    }
}

/// What the executions of a workflow, or of all workflows without their own retention, decide
/// together.
#[derive(Debug, Default)]
struct Groups {
    /// Those that are within `keep`, of their workflow or of all.
    kept: HashSet<i64>,
    /// Of each workflow with its own retention, the one that finished last.
    last_finished: HashSet<i64>,
    /// The same of those that succeeded.
    last_success: HashSet<i64>,
}

impl Groups {
    fn of(policy: &PrunePolicy, history: &History) -> Self {
        let mut groups = Self::default();
        let mut of_all: Vec<(i64, i64)> = Vec::new();
        let mut own: HashMap<&str, Vec<(i64, &Stored)>> = HashMap::new();
        for execution in &history.executions {
            let Some((number, _)) = execution.completed else { continue };
            if execution.is_exempt(policy) {
                continue;
            }
            if policy.follows_workflows() && history.own_policy(execution).is_some() {
                own.entry(&execution.workflow_id).or_default().push((number, execution));
            } else if policy.status.is_none_or(|status| status == execution.status) {
                of_all.push((number, execution.seq));
            }
        }
        of_all.sort_unstable_by_key(|key| Reverse(*key));
        let keep = usize::try_from(policy.keep.unwrap_or(0)).unwrap_or(usize::MAX);
        groups.kept.extend(of_all.iter().take(keep).map(|(_, seq)| *seq));
        for (workflow_id, mut executions) in own {
            executions
                .sort_unstable_by_key(|(number, execution)| Reverse((*number, execution.seq)));
            let seqs = || executions.iter().map(|(_, execution)| execution.seq);
            groups.last_finished.extend(seqs().take(1));
            let success =
                |(_, execution): &&(i64, &Stored)| execution.status == ExecutionStatus::Success;
            let last_success = executions.iter().find(success);
            groups.last_success.extend(last_success.map(|(_, execution)| execution.seq));
            let keep = history.policies.get(workflow_id).and_then(|policy| policy.keep);
            let keep = keep.map_or(usize::MAX, |keep| usize::try_from(keep).unwrap_or(usize::MAX));
            groups.kept.extend(seqs().take(keep));
        }
        groups
    }
}

fn reason(
    policy: &PrunePolicy,
    history: &History,
    groups: &Groups,
    execution: &Stored,
    now: Timestamp,
) -> Reason {
    let status = execution.status;
    let Some((_, completed_at)) = execution.completed else { return Reason::Unfinished(status) };
    if execution.is_exempt(policy) {
        return Reason::Pinned;
    }
    if policy.status.is_some_and(|only| only != status) {
        return Reason::OtherStatus(status);
    }
    if policy.keep == Some(0) && !policy.all {
        return Reason::KeepsAll;
    }
    let is_older = |age: Period| completed_at < now.minus(age.duration());
    let is_kept = groups.kept.contains(&execution.seq);
    if let Some(own) = history.own_policy(execution).filter(|_| policy.follows_workflows()) {
        if groups.last_finished.contains(&execution.seq) {
            return Reason::LastFinished;
        }
        let (age, beyond) = (age_limit(own, status), own.keep.filter(|_| !is_kept));
        let goes = match (age.filter(|age| is_older(*age)), beyond) {
            (Some(age), _) => Some(Reason::TooOld(age, status)),
            (None, beyond) => beyond.map(Reason::BeyondKeep),
        };
        return match goes {
            Some(_) if groups.last_success.contains(&execution.seq) => Reason::LastSuccess,
            Some(goes) => goes,
            None => match (own.keep, age) {
                (Some(keep), _) => Reason::WithinKeep(keep),
                (None, Some(age)) => Reason::Young(age, status),
                (None, None) => Reason::NoLimit(status),
            },
        };
    }
    match (policy.keep, policy.older_than) {
        _ if policy.all && policy.older_than.is_none_or(is_older) => {
            policy.older_than.map_or(Reason::All, Reason::OlderThan)
        }
        (_, Some(age)) if policy.all => Reason::NotOlderThan(age),
        (None, None) => Reason::KeepsAll,
        (Some(keep), _) if is_kept => Reason::WithinRetention(keep),
        (_, Some(age)) if is_older(age) => Reason::OlderThan(age),
        (_, Some(age)) => Reason::NotOlderThan(age),
        (Some(keep), None) => Reason::BeyondRetention(keep),
    }
}

#[cfg(test)]
mod tests;
