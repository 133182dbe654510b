//! What to prune: a policy and the finished executions give a plan, which can be
//! shown before it is applied.

use std::cmp::Reverse;
use std::collections::BTreeMap;
use std::time::Duration;

use super::record::ExecutionStatus;
use crate::base::timestamp::Timestamp;

/// The fields of a finished execution that pruning uses.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Finished {
    /// Its number in the database.
    pub seq: i64,
    /// Its id everywhere.
    pub execution_id: Box<str>,
    /// Its position in the order of completion, which does not depend on any clock.
    pub completion: i64,
    /// How it ended.
    pub status: ExecutionStatus,
    /// When it ended.
    pub completed_at: Timestamp,
}

/// Which executions may be pruned. Every condition that is set must hold; with none of `keep`,
/// `older_than` and `all`, nothing is pruned.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct PrunePolicy {
    /// How many of those in `status` that completed last are retained; 0 prunes nothing.
    pub keep: Option<u64>,
    /// Only executions that completed longer ago than this are pruned.
    pub older_than: Option<Duration>,
    /// Only executions with this status are pruned, and only they count for `keep`.
    pub status: Option<ExecutionStatus>,
    /// Prunes without regard to `keep`.
    pub all: bool,
}

/// An execution to prune. A database that was restored may have assigned its number again.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Chosen {
    /// Its number in the database.
    pub seq: i64,
    /// Its id everywhere.
    pub execution_id: Box<str>,
}

/// The executions to prune, and a summary.
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
}

impl PrunePlan {
    /// How many executions would be pruned.
    #[must_use]
    pub fn executions(&self) -> u64 {
        self.chosen.len() as u64
    }
}

/// Selects the executions to prune. Unfinished ones are never selected.
#[must_use]
pub(crate) fn plan(policy: &PrunePolicy, finished: &[Finished], now: Timestamp) -> PrunePlan {
    let keep = match policy.keep {
        _ if policy.all => 0,
        Some(0) => return PrunePlan { remaining: count(finished), ..PrunePlan::default() },
        Some(keep) => usize::try_from(keep).unwrap_or(usize::MAX),
        None if policy.older_than.is_some() => 0,
        None => return PrunePlan { remaining: count(finished), ..PrunePlan::default() },
    };
    let mut candidates: Vec<&Finished> = finished
        .iter()
        .filter(|execution| execution.status.is_terminal())
        .filter(|execution| policy.status.is_none_or(|status| execution.status == status))
        .collect();
    candidates.sort_unstable_by_key(|execution| Reverse((execution.completion, execution.seq)));
    let mut going: Vec<&Finished> = candidates.into_iter().skip(keep).collect();
    if let Some(age) = policy.older_than {
        let limit = now.minus(age);
        going.retain(|execution| execution.completed_at < limit);
    }
    going.reverse();
    let mut by_status = BTreeMap::new();
    for execution in &going {
        *by_status.entry(execution.status).or_insert(0) += 1;
    }
    PrunePlan {
        chosen: going.iter().map(|execution| chosen(execution)).collect(),
        oldest: going.iter().map(|execution| execution.completed_at).min(),
        newest: going.iter().map(|execution| execution.completed_at).max(),
        by_status,
        remaining: count(finished) - going.len() as u64,
    }
}

fn chosen(execution: &Finished) -> Chosen {
    Chosen { seq: execution.seq, execution_id: execution.execution_id.clone() }
}

fn count(finished: &[Finished]) -> u64 {
    finished.iter().filter(|execution| execution.status.is_terminal()).count() as u64
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_micros(second * 1_000_000)
    }

    /// One that completed in that second, by a clock that was never set.
    fn finished(seq: i64, status: ExecutionStatus, second: i64) -> Finished {
        completed(seq, status, second, second)
    }

    fn completed(seq: i64, status: ExecutionStatus, completion: i64, second: i64) -> Finished {
        let execution_id = format!("e{seq}").into();
        Finished { seq, execution_id, completion, status, completed_at: at(second) }
    }

    fn seqs(policy: &PrunePolicy, executions: &[Finished]) -> Vec<i64> {
        plan(policy, executions, at(1000)).chosen.iter().map(|chosen| chosen.seq).collect()
    }

    #[test]
    fn a_clock_that_was_ahead_deletes_nothing_that_completed_since() {
        use ExecutionStatus::Success;
        // The clock said 900 for the first two, then it was set back.
        let executions = [
            completed(1, Success, 1, 900),
            completed(2, Success, 2, 901),
            completed(3, Success, 3, 100),
        ];
        let policy = PrunePolicy { keep: Some(2), ..PrunePolicy::default() };
        assert_eq!(seqs(&policy, &executions), [1]);
        let plan = plan(&PrunePolicy { all: true, ..policy }, &executions, at(1000));
        assert_eq!((plan.oldest, plan.newest), (Some(at(100)), Some(at(901))));
    }

    #[test]
    fn the_last_completed_are_retained_not_the_last_started() {
        use ExecutionStatus::{Failed, Success};
        let executions =
            [finished(1, Success, 900), finished(2, Failed, 100), finished(3, Success, 500)];
        let policy = PrunePolicy { keep: Some(1), ..PrunePolicy::default() };
        assert_eq!(seqs(&policy, &executions), [2, 3]);
        let plan = plan(&policy, &executions, at(1000));
        assert_eq!((plan.oldest, plan.newest), (Some(at(100)), Some(at(500))));
        assert_eq!(plan.by_status, BTreeMap::from([(Success, 1), (Failed, 1)]));
        assert_eq!((plan.executions(), plan.remaining), (2, 1));
    }

    #[test]
    fn conditions_add_up() {
        use ExecutionStatus::{Failed, Success};
        let executions = [
            finished(1, Failed, 100),
            finished(2, Failed, 200),
            finished(3, Failed, 900),
            finished(4, Success, 50),
        ];
        let policy = PrunePolicy { status: Some(Failed), ..PrunePolicy::default() };
        assert_eq!(seqs(&policy, &executions), [] as [i64; 0]);
        let policy = PrunePolicy { keep: Some(1), ..policy };
        assert_eq!(seqs(&policy, &executions), [1, 2]);
        let policy = PrunePolicy { older_than: Some(Duration::from_secs(850)), ..policy };
        assert_eq!(seqs(&policy, &executions), [1]);
        let policy = PrunePolicy { status: Some(Failed), all: true, ..PrunePolicy::default() };
        assert_eq!(seqs(&policy, &executions), [1, 2, 3]);
    }

    #[test]
    fn nothing_asked_for_and_none_to_keep_prune_nothing() {
        let executions = [finished(1, ExecutionStatus::Success, 1)];
        for keep in [None, Some(0)] {
            let policy = PrunePolicy { keep, ..PrunePolicy::default() };
            assert_eq!(plan(&policy, &executions, at(1000)).executions(), 0);
        }
        let policy = PrunePolicy { all: true, ..PrunePolicy::default() };
        assert_eq!(seqs(&policy, &executions), [1]);
    }

    fn any_execution() -> impl Strategy<Value = (ExecutionStatus, i64, i64)> {
        (prop::sample::select(&ExecutionStatus::ALL[..]), 0..50_i64, 0..50_i64)
    }

    fn any_policy() -> impl Strategy<Value = PrunePolicy> {
        let status = prop::option::of(prop::sample::select(&ExecutionStatus::ALL[..]));
        let age = prop::option::of((0..60_u64).prop_map(Duration::from_secs));
        (prop::option::of(0..20_u64), age, status, any::<bool>()).prop_map(
            |(keep, older_than, status, all)| PrunePolicy { keep, older_than, status, all },
        )
    }

    proptest! {
        #[test]
        fn unfinished_and_retained_executions_are_never_pruned(
            executions in prop::collection::vec(any_execution(), 0..60),
            policy in any_policy(),
        ) {
            let executions: Vec<Finished> = (1..)
                .zip(executions)
                .map(|(seq, (status, number, second))| completed(seq, status, number, second))
                .collect();
            let plan = plan(&policy, &executions, at(50));
            let gone = |execution: &Finished| plan.chosen.contains(&chosen(execution));
            let terminal: Vec<_> = executions.iter().filter(|e| e.status.is_terminal()).collect();
            for execution in executions.iter().filter(|e| gone(e)) {
                prop_assert!(execution.status.is_terminal());
                prop_assert!(policy.status.is_none_or(|status| status == execution.status));
                let age = at(50).since(execution.completed_at);
                prop_assert!(policy.older_than.is_none_or(|least| age > least));
                if let (Some(keep), false) = (policy.keep, policy.all) {
                    let later = terminal.iter().filter(|e| {
                        policy.status.is_none_or(|status| status == e.status)
                            && (e.completion, e.seq) > (execution.completion, execution.seq)
                    });
                    prop_assert!(keep > 0 && later.count() as u64 >= keep);
                }
            }
            prop_assert_eq!(plan.remaining + plan.executions(), terminal.len() as u64);
        }
    }
}
