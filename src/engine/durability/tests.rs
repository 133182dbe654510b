use proptest::collection::vec;
use proptest::prelude::*;

use super::*;
use crate::repository::StoreErrorKind;

const STORE_TIMEOUT: Duration = Duration::from_secs(2);

#[derive(Debug, Clone)]
enum Input {
    Record,
    /// This many of the versions that are not stored yet.
    Commit(u8),
    Refuse,
    Fail {
        may_pass: bool,
    },
    Recover,
    Stall,
    Wait(u64),
    Attempts(bool),
    End,
}

fn input() -> impl Strategy<Value = Input> {
    prop_oneof![
        6 => Just(Input::Record),
        6 => any::<u8>().prop_map(Input::Commit),
        1 => Just(Input::Refuse),
        3 => any::<bool>().prop_map(|may_pass| Input::Fail { may_pass }),
        3 => Just(Input::Recover),
        1 => Just(Input::Stall),
        6 => (0_u64..1_500).prop_map(Input::Wait),
        3 => any::<bool>().prop_map(Input::Attempts),
        1 => Just(Input::End),
    ]
}

fn error(may_pass: bool) -> Arc<StoreError> {
    let kind = if may_pass { StoreErrorKind::Locked } else { StoreErrorKind::ReadOnly };
    let error = StoreError::new(kind, "it fails");
    assert_eq!(error.may_pass(), may_pass);
    Arc::new(error)
}

fn rules(is_new: bool, may_run_unstored: bool, began: Duration) -> Rules {
    Rules { is_new, may_run_unstored, store_timeout: STORE_TIMEOUT, began }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]

    #[test]
    fn each_decision_is_allowed_and_due(
        is_new: bool,
        may_run_unstored: bool,
        inputs in vec(input(), 1..60),
    ) {
        let mut now = Duration::from_secs(100);
        let began = now;
        let mut durability = Durability::new(rules(is_new, may_run_unstored, began));
        let mut activity = Activity { attempts_running: false, is_ended: false };
        let (mut recorded, mut stored) = (0_u64, 0_u64);
        let (mut said_unstored, mut refused, mut stalled) = (0, false, false);
        // Since when the store fails, and since when something waits for it meanwhile.
        let (mut failing, mut patience_from): (Option<bool>, Duration) = (None, now);
        for input in inputs {
            match input {
                Input::Record => {
                    if recorded == stored {
                        patience_from = now;
                    }
                    recorded += 1;
                    durability.record(recorded, now);
                }
                Input::Commit(share) => {
                    stored += u64::from(share) % (recorded - stored + 1);
                    durability.acknowledge(CommitStatus {
                        version: stored,
                        refused: refused.then(|| error(false)),
                        ..CommitStatus::default()
                    });
                }
                Input::Refuse => {
                    refused = true;
                    durability.acknowledge(CommitStatus {
                        version: stored,
                        refused: Some(error(false)),
                        ..CommitStatus::default()
                    });
                }
                Input::Fail { may_pass } => {
                    let expected = match failing {
                        None => HealthChange::Failed,
                        Some(_) => HealthChange::None,
                    };
                    if failing.is_none() {
                        patience_from = now;
                    }
                    failing = Some(may_pass);
                    let health = Health::Failing { error: error(may_pass) };
                    prop_assert_eq!(durability.note_health(health, now), expected);
                }
                Input::Recover => {
                    let expected = match failing.take() {
                        None => HealthChange::None,
                        Some(_) => HealthChange::Recovered,
                    };
                    prop_assert_eq!(durability.note_health(Health::Working, now), expected);
                }
                Input::Stall => {
                    stalled = true;
                    durability.note_stalled();
                }
                Input::Wait(millis) => now += Duration::from_millis(millis),
                Input::Attempts(running) => activity.attempts_running = running,
                Input::End => activity.is_ended = true,
            }
            let waits = recorded > stored;
            let is_patient = now < patience_from + STORE_TIMEOUT;
            let may_leave = is_new && may_run_unstored && stored == 0 && said_unstored == 0;
            let is_late = failing.is_some() || stalled || now >= began + FIRST_COMMIT_TIMEOUT;
            match durability.next(now, activity) {
                Next::RunUnstored => {
                    prop_assert!(may_leave && is_late, "nothing of it may be stored");
                    said_unstored += 1;
                    prop_assert!(durability.is_shown_from_memory());
                }
                Next::GiveUp(loss) => {
                    prop_assert!(!activity.attempts_running, "what runs is waited for");
                    match loss {
                        Loss::Refused(_) => prop_assert!(refused),
                        Loss::NotStored(_) => {
                            prop_assert!(is_new && stored == 0 && waits && !may_run_unstored);
                            let may_pass = failing.expect("it fails");
                            prop_assert!(!is_patient || !may_pass || activity.is_ended);
                        }
                        Loss::StoreLost(_) => {
                            prop_assert!(!is_new || stored > 0);
                            prop_assert!(failing.is_some() && waits && !is_patient);
                            prop_assert!(!may_run_unstored);
                        }
                    }
                }
                Next::Proceed { until } => {
                    // Nothing that is due was left out.
                    prop_assert!(!(may_leave && is_late));
                    prop_assert!(activity.attempts_running || !refused);
                    let is_lost = failing.is_some() && waits && !is_patient && !may_run_unstored;
                    prop_assert!(activity.attempts_running || !is_lost);
                    prop_assert!(until.is_none_or(|until| until > now), "no busy loop");
                    // Time alone never changes an answer unseen.
                    let due = [
                        may_leave.then_some(began + FIRST_COMMIT_TIMEOUT),
                        failing.map(|_| patience_from + STORE_TIMEOUT),
                    ];
                    let due = due.into_iter().flatten().filter(|due| *due > now).min();
                    prop_assert_eq!(until, due);
                }
            }
            prop_assert_eq!(durability.is_durable(), stored >= recorded);
            for version in 1..=recorded + 1 {
                let unstored = said_unstored > 0 && stored == 0 && !refused;
                prop_assert_eq!(durability.may_begin(version), version <= stored || unstored);
            }
        }
        prop_assert!(said_unstored <= 1);
    }
}

#[test]
fn what_ended_unstored_is_never_lost_where_it_may_run_so() {
    let mut durability = Durability::new(rules(true, true, Duration::ZERO));
    durability.record(1, Duration::ZERO);
    let failing = Health::Failing { error: error(true) };
    durability.note_health(failing, Duration::ZERO);
    let idle = Activity { attempts_running: false, is_ended: true };
    assert!(matches!(durability.next(Duration::ZERO, idle), Next::RunUnstored));
    let day = Duration::from_secs(86_400);
    assert!(matches!(durability.next(day, idle), Next::Proceed { until: None }));
    assert!(!durability.is_durable());
}

#[test]
fn what_is_refused_while_it_runs_unstored_is_given_up_and_begins_nothing_more() {
    let mut durability = Durability::new(rules(true, true, Duration::ZERO));
    durability.record(1, Duration::ZERO);
    durability.note_stalled();
    let activity = |durability: &Durability| Activity {
        attempts_running: durability.may_begin(1),
        is_ended: false,
    };
    let running = activity(&durability);
    assert!(matches!(durability.next(Duration::ZERO, running), Next::RunUnstored));
    assert!(durability.may_begin(1));
    let refused = Some(error(false));
    durability.acknowledge(CommitStatus { refused, ..CommitStatus::default() });
    assert!(!durability.may_begin(1));
    let running = activity(&durability);
    let next = durability.next(Duration::ZERO, running);
    assert!(matches!(next, Next::GiveUp(Loss::Refused(_))), "{next:?}");
}

#[test]
fn the_longest_timeout_does_not_overflow() {
    let rules = Rules { store_timeout: Duration::MAX, ..rules(false, false, Duration::MAX) };
    let mut durability = Durability::new(rules);
    durability.record(1, Duration::ZERO);
    durability.note_health(Health::Failing { error: error(true) }, Duration::from_secs(1));
    let idle = Activity { attempts_running: false, is_ended: false };
    let next = durability.next(Duration::from_secs(2), idle);
    assert!(matches!(next, Next::Proceed { until: Some(Duration::MAX) }));
}
