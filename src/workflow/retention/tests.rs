use proptest::prelude::*;

use std::time::Duration;

use super::*;

fn at(second: i64) -> Timestamp {
    Timestamp::from_micros(second * 1_000_000)
}

fn secs(seconds: u64) -> Period {
    Period::new(Duration::from_secs(seconds))
}

/// One that completed in that second, by a clock that was never set.
fn finished(seq: i64, status: ExecutionStatus, second: i64) -> Stored {
    completed(seq, status, second, second)
}

fn completed(seq: i64, status: ExecutionStatus, completion: i64, second: i64) -> Stored {
    Stored {
        seq,
        execution_id: format!("e{seq}").into(),
        workflow_id: "w".into(),
        status,
        completed: status.is_terminal().then(|| (completion, at(second))),
        is_ad_hoc: false,
        pin: None,
    }
}

fn pinned(execution: Stored) -> Stored {
    let pin = Pin { at: at(0), by: "anna".to_owned(), reason: None };
    Stored { pin: Some(Box::new(pin)), ..execution }
}

fn of(executions: impl IntoIterator<Item = Stored>) -> History {
    History { executions: executions.into_iter().collect(), policies: HashMap::new() }
}

fn with_policy(mut history: History, policy: RetentionPolicy) -> History {
    history.policies.insert("w".to_owned(), policy);
    history
}

const NO_LIMIT: RetentionPolicy = RetentionPolicy { keep: None, success: None, failed: None };

fn seqs(policy: &PrunePolicy, history: &History) -> Vec<i64> {
    plan(policy, history, at(1000)).chosen.iter().map(|chosen| chosen.seq).collect()
}

#[test]
fn a_clock_that_was_ahead_deletes_nothing_that_completed_since() {
    use ExecutionStatus::Success;
    // The clock said 900 for the first two, then it was set back.
    let history = of([
        completed(1, Success, 1, 900),
        completed(2, Success, 2, 901),
        completed(3, Success, 3, 100),
    ]);
    let policy = PrunePolicy { keep: Some(2), ..PrunePolicy::default() };
    assert_eq!(seqs(&policy, &history), [1]);
    let plan = plan(&PrunePolicy { all: true, ..policy }, &history, at(1000));
    assert_eq!((plan.oldest, plan.newest), (Some(at(100)), Some(at(901))));
}

#[test]
fn the_last_completed_are_retained_not_the_last_started() {
    use ExecutionStatus::{Failed, Success};
    let history =
        of([finished(1, Success, 900), finished(2, Failed, 100), finished(3, Success, 500)]);
    let policy = PrunePolicy { keep: Some(1), ..PrunePolicy::default() };
    assert_eq!(seqs(&policy, &history), [2, 3]);
    let plan = plan(&policy, &history, at(1000));
    assert_eq!((plan.oldest, plan.newest), (Some(at(100)), Some(at(500))));
    assert_eq!(plan.by_status, BTreeMap::from([(Success, 1), (Failed, 1)]));
    assert_eq!((plan.executions(), plan.remaining), (2, 1));
    use Reason::{BeyondRetention, WithinRetention};
    assert_eq!(plan.reasons, [WithinRetention(1), BeyondRetention(1), BeyondRetention(1)]);
}

#[test]
fn conditions_add_up() {
    use ExecutionStatus::{Failed, Success};
    let history = of([
        finished(1, Failed, 100),
        finished(2, Failed, 200),
        finished(3, Failed, 900),
        finished(4, Success, 50),
    ]);
    let policy = PrunePolicy { status: Some(Failed), ..PrunePolicy::default() };
    assert_eq!(seqs(&policy, &history), [] as [i64; 0]);
    let policy = PrunePolicy { keep: Some(1), ..policy };
    assert_eq!(seqs(&policy, &history), [1, 2]);
    let policy = PrunePolicy { older_than: Some(secs(850)), ..policy };
    assert_eq!(seqs(&policy, &history), [1]);
    let policy = PrunePolicy { status: Some(Failed), all: true, ..PrunePolicy::default() };
    assert_eq!(seqs(&policy, &history), [1, 2, 3]);
}

#[test]
fn nothing_asked_for_and_none_to_keep_prune_nothing() {
    let history = of([finished(1, ExecutionStatus::Success, 1)]);
    for keep in [None, Some(0)] {
        let policy = PrunePolicy { keep, ..PrunePolicy::default() };
        assert_eq!(plan(&policy, &history, at(1000)).executions(), 0);
    }
    let policy = PrunePolicy { all: true, ..PrunePolicy::default() };
    assert_eq!(seqs(&policy, &history), [1]);
}

#[test]
fn the_retention_of_a_workflow_replaces_the_number_of_all() {
    use ExecutionStatus::Success;
    let mut executions: Vec<Stored> = (1..=4).map(|seq| finished(seq, Success, seq)).collect();
    executions.extend(
        (5..=8).map(|seq| Stored { workflow_id: "minutely".into(), ..finished(seq, Success, seq) }),
    );
    // What a request defines is none of the workflow's, and counts for the number of all.
    executions.push(Stored { is_ad_hoc: true, ..finished(9, Success, 0) });
    let history = with_policy(of(executions), RetentionPolicy { keep: Some(3), ..NO_LIMIT });
    let policy = PrunePolicy { keep: Some(2), ..PrunePolicy::default() };
    assert_eq!(seqs(&policy, &history), [9, 1, 5, 6]);
    assert_eq!(seqs(&PrunePolicy::default(), &history), [1]);
    assert_eq!(seqs(&PrunePolicy { keep: Some(0), ..policy }, &history), [] as [i64; 0]);
    // Asked for explicitly, it does not matter.
    let policy = PrunePolicy { older_than: Some(secs(10)), ..PrunePolicy::default() };
    assert_eq!(seqs(&policy, &history).len(), 9);
}

#[test]
fn ages_depend_on_how_it_ended_and_spare_the_last_ones() {
    use ExecutionStatus::{Cancelled, Failed, Interrupted, Success};
    let history = of([
        finished(1, Success, 100),
        finished(2, Failed, 200),
        finished(3, Success, 300),
        finished(4, Failed, 400),
        finished(5, Cancelled, 450),
        finished(6, Interrupted, 460),
        finished(7, Failed, 470),
    ]);
    let success = with_policy(history, RetentionPolicy { success: Some(secs(10)), ..NO_LIMIT });
    let policy = PrunePolicy::default();
    // The last success stays however old it is.
    assert_eq!(seqs(&policy, &success), [1]);
    let failed = with_policy(success, RetentionPolicy { failed: Some(secs(550)), ..NO_LIMIT });
    assert_eq!(seqs(&policy, &failed), [2, 4]);
    let reasons = plan(&policy, &failed, at(1000)).reasons;
    assert_eq!(reasons[0], Reason::NoLimit(Success));
    assert_eq!(reasons[5], Reason::Young(secs(550), Interrupted));
    assert_eq!(reasons[4], Reason::Young(secs(550), Cancelled));
    assert_eq!(reasons[6], Reason::LastFinished);
    let both = RetentionPolicy { keep: Some(2), failed: Some(secs(535)), ..NO_LIMIT };
    let reasons = plan(&policy, &with_policy(failed, both), at(1000)).reasons;
    use Reason::{BeyondKeep, LastFinished, LastSuccess, TooOld};
    let too_old = |status| TooOld(secs(535), status);
    assert_eq!(
        reasons,
        [
            BeyondKeep(2),
            too_old(Failed),
            LastSuccess,
            too_old(Failed),
            too_old(Cancelled),
            too_old(Interrupted),
            LastFinished
        ]
    );
}

#[test]
fn pinned_ones_stay_and_do_not_count() {
    use ExecutionStatus::Success;
    let history = of([
        pinned(finished(1, Success, 1)),
        finished(2, Success, 2),
        pinned(finished(3, Success, 3)),
        finished(4, Success, 4),
    ]);
    let policy = PrunePolicy { keep: Some(1), ..PrunePolicy::default() };
    assert_eq!(seqs(&policy, &history), [2]);
    assert_eq!(plan(&policy, &history, at(9)).pinned(), 2);
    let own = with_policy(history, RetentionPolicy { keep: Some(1), ..NO_LIMIT });
    assert_eq!(seqs(&PrunePolicy::default(), &own), [2]);
    let all = PrunePolicy { all: true, ..policy };
    assert_eq!(seqs(&all, &own), [2, 4]);
    assert_eq!(seqs(&PrunePolicy { include_pinned: true, ..all }, &own), [1, 2, 3, 4]);
}

#[test]
fn ages_are_written_as_they_are_given() {
    for (text, written) in [("180d", "180d"), ("24h", "1d"), ("36h", "1day12h"), ("90", "1m30s")] {
        let age: Period = text.parse().unwrap();
        assert_eq!(age_text(age), written);
        assert_eq!(age_text(age).parse(), Ok(age));
    }
}

fn any_execution() -> impl Strategy<Value = Stored> {
    let status = prop::sample::select(&ExecutionStatus::ALL[..]);
    (status, 0..50_i64, 0..50_i64, 0..3_u8, any::<bool>(), prop::bool::weighted(0.2)).prop_map(
        |(status, number, second, workflow, is_ad_hoc, is_pinned)| {
            let execution = completed(0, status, number, second);
            let workflow_id = format!("w{workflow}").into();
            let execution = Stored { workflow_id, is_ad_hoc, ..execution };
            if is_pinned { pinned(execution) } else { execution }
        },
    )
}

fn any_retention() -> impl Strategy<Value = RetentionPolicy> {
    let age = || prop::option::of((0..60_u64).prop_map(secs));
    (prop::option::of(1..10_u64), age(), age())
        .prop_map(|(keep, success, failed)| RetentionPolicy { keep, success, failed })
}

fn any_policy() -> impl Strategy<Value = PrunePolicy> {
    let status = prop::option::of(prop::sample::select(&ExecutionStatus::ALL[..]));
    let age = prop::option::of((0..60_u64).prop_map(secs));
    (prop::option::of(0..20_u64), age, status, any::<bool>(), any::<bool>()).prop_map(
        |(keep, older_than, status, all, include_pinned)| PrunePolicy {
            keep,
            older_than,
            status,
            all,
            include_pinned,
        },
    )
}

proptest! {
    /// Says independently of the plan who is entitled to stay.
    #[test]
    fn unfinished_pinned_and_retained_executions_are_never_pruned(
        mut executions in prop::collection::vec(any_execution(), 0..60),
        policies in prop::collection::vec(prop::option::of(any_retention()), 3),
        policy in any_policy(),
    ) {
        for (seq, execution) in (1..).zip(&mut executions) {
            execution.seq = seq;
            execution.execution_id = format!("e{seq}").into();
        }
        let policies = (0..).zip(policies).filter_map(|(n, policy)| Some((format!("w{n}"), policy?)));
        let history = History { executions, policies: policies.collect() };
        let plan = plan(&policy, &history, at(50));
        let finished: Vec<_> = history.executions.iter().filter(|e| e.completed.is_some()).collect();
        let is_exempt = |e: &Stored| e.pin.is_some() && !policy.include_pinned;
        let rank = |e: &Stored| (e.completed.map(|(number, _)| number), e.seq);
        let own = |e: &Stored| {
            let follows = !policy.all && policy.older_than.is_none();
            let own = history.policies.get(&*e.workflow_id).copied();
            own.filter(|_| follows && !e.is_ad_hoc)
        };
        for execution in history.executions.iter().filter(|e| plan.chosen.contains(&chosen(e))) {
            prop_assert!(execution.status.is_terminal() && !is_exempt(execution));
            prop_assert!(policy.status.is_none_or(|status| status == execution.status));
            prop_assert!(policy.all || policy.keep != Some(0));
            let age = at(50).since(execution.completed.unwrap().1);
            let later = || finished.iter().filter(|e| rank(e) > rank(execution) && !is_exempt(e));
            if let Some(own_policy) = own(execution) {
                let later = || later().filter(|e| {
                    own(e).is_some() && e.workflow_id == execution.workflow_id
                });
                let is_old = age_limit(&own_policy, execution.status).is_some_and(|most| age > most.duration());
                let is_beyond = own_policy.keep.is_some_and(|keep| later().count() as u64 >= keep);
                prop_assert!(is_old || is_beyond);
                prop_assert!(later().count() > 0);
                let success = ExecutionStatus::Success;
                prop_assert!(execution.status != success || later().any(|e| e.status == success));
            } else {
                prop_assert!(policy.older_than.is_none_or(|least| age > least.duration()));
                if let (Some(keep), false) = (policy.keep, policy.all) {
                    let later = later().filter(|e| {
                        own(e).is_none() && policy.status.is_none_or(|status| status == e.status)
                    });
                    prop_assert!(keep > 0 && later.count() as u64 >= keep);
                }
            }
        }
        prop_assert_eq!(plan.remaining + plan.executions(), finished.len() as u64);
        prop_assert_eq!(plan.reasons.len(), history.executions.len());
    }
}
