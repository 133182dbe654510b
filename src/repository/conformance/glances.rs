//! What pages read at a glance, and their sessions.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use super::{Store, at, attempt, change, created, creation, ended, head, store_change};
use crate::base::clock;
use crate::repository::sessions::{SessionChange, StoredSession};
use crate::repository::{ListFilter, Position};
use crate::workflow::record::{Change, Created, ExecutionStatus, StepStatus};

/// Ten executions of `w` whose states go round, and one of `other` that failed.
fn some<S: Store>() -> S {
    let place = S::new();
    let writer = place.open();
    for index in 0..10_usize {
        let status = ExecutionStatus::ALL[index % ExecutionStatus::ALL.len()];
        let head = head(status, 1 + i64::try_from(index).unwrap());
        store_change(&writer, &format!("e{index}"), creation(2, head));
    }
    let other = Created { workflow_id: "other".to_owned(), ..created(2) };
    let failed = Change {
        created: Some(Arc::new(other)),
        steps: BTreeMap::from([(0, ended(StepStatus::Success)), (1, ended(StepStatus::Failed))]),
        attempts: vec![attempt(1, 1, "once"), attempt(1, 2, "twice")],
        ..change(head(ExecutionStatus::Failed, 20))
    };
    store_change(&writer, "other-0", failed);
    place
}

pub(crate) fn brief_lists_are_lists_without_snapshots<S: Store>() {
    let place = some::<S>();
    let reader = place.reader();
    for status in ExecutionStatus::ALL.into_iter().map(Some).chain([None]) {
        for workflow_id in [None, Some("w"), Some("other"), Some("none")] {
            for after in [None, Some(Position::new(6))] {
                let filter = ListFilter {
                    workflow_id: workflow_id.map(str::to_owned),
                    status,
                    after,
                    ..ListFilter::default()
                };
                let whole = reader.list(&filter, 4, 0).unwrap().items;
                let brief = reader.brief(&filter, 4).unwrap();
                assert!(brief.iter().all(|one| one.input_snapshot.as_str() == "null"));
                let whole: Vec<_> = whole
                    .into_iter()
                    .map(|one| {
                        let like = brief.iter().find(|brief| brief.seq == one.seq);
                        let input_snapshot = like.map(|like| like.input_snapshot.clone());
                        crate::workflow::record::ExecutionRecord {
                            input_snapshot: input_snapshot.unwrap_or_default(),
                            step_order: Vec::new(),
                            ..one
                        }
                    })
                    .collect();
                assert_eq!(brief, whole, "{filter:?}");
            }
        }
    }
}

pub(crate) fn glances_are_of_what_is_stored<S: Store>() {
    let place = some::<S>();
    let reader = place.reader();
    let counts = |workflow: Option<&str>| -> u64 {
        reader.status_counts(workflow).unwrap().iter().map(|(_, count)| count).sum()
    };
    assert_eq!((counts(None), counts(Some("w")), counts(Some("none"))), (11, 10, 0));
    // e2 and e8 succeeded, and are the third and the ninth.
    assert_eq!(reader.success_before("w", 9).unwrap().as_deref(), Some("e2"));
    assert_eq!(reader.success_before("w", 10).unwrap().as_deref(), Some("e8"));
    assert_eq!(reader.success_before("w", 3).unwrap(), None);
    assert_eq!(reader.successes_after("w", 3).unwrap(), 1);
    assert_eq!(reader.durations("w", 20).unwrap(), [9_000, 3_000]);
    assert_eq!(reader.durations("w", 1).unwrap(), [9_000]);
    // The newest of `w` that has ended, and was not cancelled, failed; so did that of `other`.
    let failing = reader.failing_workflows(10).unwrap();
    let names: Vec<_> = failing.iter().map(|one| (one.workflow_id.as_str(), one.seq)).collect();
    assert_eq!(names, [("other", 11), ("w", 10)]);
    let steps = reader.notable_steps(11, true, 3).unwrap();
    assert_eq!((steps.len(), steps[0].name.as_str()), (1, "s1"));
    assert_eq!(reader.notable_steps(11, false, 3).unwrap(), []);
    let silent = reader.attempts_without_text("other-0").unwrap();
    let whole = reader.attempts("other-0").unwrap();
    assert_eq!(silent.len(), 2);
    for (silent, whole) in silent.iter().zip(&whole) {
        assert_eq!(
            (silent.attempt, silent.stdout.total_bytes),
            (whole.attempt, whole.stdout.total_bytes)
        );
        assert_eq!(silent.stdout.text, "");
    }
}

pub(crate) fn sessions_begin_and_end<S: Store>() {
    let place = some::<S>();
    let writer = place.open();
    let session = |name: &str, expires_at| StoredSession {
        hash: name.as_bytes().to_vec(),
        token_proof: vec![0, 255],
        expires_at,
    };
    let later = clock::now().plus(Duration::from_secs(3_600));
    let change = |begins: Option<&StoredSession>, ends: Option<&str>| {
        let ends = ends.map(|name| name.as_bytes().to_vec());
        let change = SessionChange { begins: begins.cloned(), ends };
        writer.change_session(&change, Duration::ZERO).unwrap();
    };
    let (old, one, two) = (session("old", at(0)), session("one", later), session("two", later));
    change(Some(&old), None);
    change(Some(&one), None);
    let find = |name: &str| place.reader().session(name.as_bytes()).unwrap();
    // Those that expired go when another begins.
    assert_eq!((find("old"), find("one")), (None, Some(one)));
    change(Some(&two), Some("one"));
    assert_eq!((find("one"), find("two")), (None, Some(two)));
    change(None, Some("two"));
    change(None, Some("two"));
    assert_eq!(find("two"), None);
}
