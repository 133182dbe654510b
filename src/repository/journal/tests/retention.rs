//! What retention must not do to what is stored.

use std::thread;

use super::super::backend::Opened;
use super::super::opening::Opening;
use super::super::pending_write::PendingWrite;
use super::super::queue::BATCH_MAX;
use super::worker::Fake;
use crate::repository::Writer;
use crate::repository::conformance::{options, pending, until};
use crate::repository::error::StoreErrorKind;

#[test]
fn what_cannot_be_pruned_at_the_end_keeps_nothing_from_being_stored() {
    let fake = Fake::default();
    let opened = Opened { keep: Some(1), ..fake.opened() };
    let opening = Opening::begin(options(), |_, _| Ok(opened)).unwrap();
    let writer = Writer::finish(opening, &mut |_| {}).unwrap();
    let pending = pending(3 * BATCH_MAX);
    thread::scope(|scope| {
        // As long as it is held, nothing is stored.
        let mut state = fake.state();
        state.refuses_pruning = true;
        pending.iter().for_each(|pending| assert!(writer.enqueue(pending)));
        let closing = scope.spawn(|| writer.close());
        let late = PendingWrite::new("late".to_owned());
        until("it is closed", || !writer.enqueue(&late));
        drop(state);
        let error = closing.join().unwrap().unwrap_err();
        assert_eq!(
            (error.kind(), error.to_string().as_str()),
            (StoreErrorKind::Io, "cannot prune it")
        );
    });
    assert_eq!(fake.state().stored.len(), pending.len());
    assert!(pending.iter().all(|pending| !pending.is_dirty()));
}
