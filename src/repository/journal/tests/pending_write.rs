//! Pending writes by themselves.

use std::sync::Arc;

use crate::base::timestamp::Timestamp;
use crate::repository::journal::pending_write::PendingWrite;
use crate::repository::{StoreError, StoreErrorKind};
use crate::workflow::record::{Change, ExecutionState, ExecutionStatus};

fn change() -> Change {
    let head = ExecutionState {
        status: ExecutionStatus::Running,
        started_at: None,
        completed_at: None,
        updated_at: Timestamp::from_micros(0),
        steps_completed: 0,
        steps_failed: 0,
        steps_skipped: 0,
        error: None,
        outcome: None,
        owner: None,
    };
    Change {
        head,
        created: None,
        steps: [].into(),
        handlers: [].into(),
        attempts: Vec::new(),
        events: None,
    }
}

fn withdrawn(pending: &PendingWrite) -> bool {
    pending.stored().borrow().withdrawn
}

#[test]
fn what_is_withdrawn_is_never_taken() {
    let pending = PendingWrite::new("e".to_owned());
    pending.record(change());
    pending.withdraw();
    assert!(withdrawn(&pending) && pending.take().is_none());
}

#[test]
fn a_commit_under_way_decides_about_a_withdrawal() {
    let pending = PendingWrite::new("e".to_owned());
    pending.record(change());
    let (taken, version) = pending.take().unwrap();
    pending.withdraw();
    assert!(!withdrawn(&pending));
    pending.put_back(taken);
    assert!(withdrawn(&pending) && pending.take().is_none());

    let pending = PendingWrite::new("e".to_owned());
    pending.record(change());
    pending.take().unwrap();
    pending.withdraw();
    pending.committed();
    pending.acknowledge(version, 1);
    assert!(!withdrawn(&pending));
    pending.record(change());
    assert!(pending.take().is_some());
}

#[test]
fn what_is_refused_is_not_stored_whoever_withdraws_it() {
    let refusal = || Arc::new(StoreError::new(StoreErrorKind::Refused, "no"));
    for withdrawn_when in 0..3 {
        let pending = PendingWrite::new("e".to_owned());
        pending.record(change());
        pending.take().unwrap();
        if withdrawn_when == 0 {
            pending.withdraw();
            assert!(!withdrawn(&pending), "it may be stored yet");
        }
        pending.given_up();
        if withdrawn_when == 1 {
            pending.withdraw();
        }
        pending.refused(refusal());
        assert!(pending.stored().borrow().refused.is_some());
        if withdrawn_when == 2 {
            pending.withdraw();
        }
        assert!(withdrawn(&pending), "{withdrawn_when}");
    }
}

#[test]
fn what_a_commit_holds_already_is_not_withdrawn() {
    let pending = PendingWrite::new("e".to_owned());
    pending.record(change());
    let (_, version) = pending.take().unwrap();
    pending.committed();
    // Before anybody is told.
    pending.withdraw();
    assert!(!withdrawn(&pending));
    pending.acknowledge(version, 1);
    pending.withdraw();
    assert!(!withdrawn(&pending) && !pending.is_dirty());
    pending.record(change());
    assert!(pending.take().is_some());
}
