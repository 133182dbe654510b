//! A slot by itself.

use std::sync::Arc;

use crate::base::timestamp::Timestamp;
use crate::repository::journal::pending_write::Slot;
use crate::repository::{StoreError, StoreErrorKind};
use crate::workflow::record::{Change, ExecutionStatus, Head};

fn change() -> Change {
    let head = Head {
        status: ExecutionStatus::Running,
        started_at: None,
        completed_at: None,
        updated_at: Timestamp::from_micros(0),
        steps_completed: 0,
        error: None,
        owner: None,
    };
    Change { head, created: None, steps: [].into(), attempts: Vec::new() }
}

fn withdrawn(slot: &Slot) -> bool {
    slot.stored().borrow().withdrawn
}

#[test]
fn what_is_withdrawn_is_never_taken() {
    let slot = Slot::new("e".to_owned());
    slot.record(change());
    slot.withdraw();
    assert!(withdrawn(&slot) && slot.take().is_none());
}

#[test]
fn a_commit_under_way_decides_about_a_withdrawal() {
    let slot = Slot::new("e".to_owned());
    slot.record(change());
    let (taken, version) = slot.take().unwrap();
    slot.withdraw();
    assert!(!withdrawn(&slot));
    slot.put_back(taken);
    assert!(withdrawn(&slot) && slot.take().is_none());

    let slot = Slot::new("e".to_owned());
    slot.record(change());
    slot.take().unwrap();
    slot.withdraw();
    slot.committed();
    slot.tell(version, 1);
    assert!(!withdrawn(&slot));
    slot.record(change());
    assert!(slot.take().is_some());
}

#[test]
fn what_is_refused_is_not_stored_whoever_withdraws_it() {
    let refusal = || Arc::new(StoreError::new(StoreErrorKind::Refused, "no"));
    for withdrawn_when in 0..3 {
        let slot = Slot::new("e".to_owned());
        slot.record(change());
        slot.take().unwrap();
        if withdrawn_when == 0 {
            slot.withdraw();
            assert!(!withdrawn(&slot), "it may be stored yet");
        }
        slot.given_up();
        if withdrawn_when == 1 {
            slot.withdraw();
        }
        slot.refused(refusal());
        assert!(slot.stored().borrow().refused.is_some());
        if withdrawn_when == 2 {
            slot.withdraw();
        }
        assert!(withdrawn(&slot), "{withdrawn_when}");
    }
}

#[test]
fn what_a_commit_holds_already_is_not_withdrawn() {
    let slot = Slot::new("e".to_owned());
    slot.record(change());
    let (_, version) = slot.take().unwrap();
    slot.committed();
    // Before anybody is told.
    slot.withdraw();
    assert!(!withdrawn(&slot));
    slot.tell(version, 1);
    slot.withdraw();
    assert!(!withdrawn(&slot) && !slot.is_dirty());
    slot.record(change());
    assert!(slot.take().is_some());
}
