//! The thread that opens the database.

use std::sync::{Arc, mpsc};
use std::time::Duration;

use super::worker::Fake;
use crate::repository::conformance::{options, store};
use crate::repository::journal::backend::Opened;
use crate::repository::{Opening, StoreError, StoreErrorKind, Writer, WriterOptions};
use crate::workflow::record::ExecutionStatus;

#[test]
fn a_database_is_opened_while_its_caller_does_something_else() {
    let fake = Fake::default();
    let opened = fake.opened();
    let (go, gate) = mpsc::channel();
    let opening = Opening::begin(options(), move |_, waits| {
        waits(&StoreError::new(StoreErrorKind::Locked, "others have it"));
        // Only the caller of `begin` opens the gate.
        gate.recv_timeout(Duration::from_secs(60)).expect("opened on another thread");
        Ok(opened)
    });
    let mut reasons = Vec::new();
    let writer = Writer::finish(opening.unwrap(), &mut |error| {
        reasons.push(error.to_string());
        go.send(()).unwrap();
    });
    let writer = writer.unwrap();
    store(&writer, "a", ExecutionStatus::Running, 1);
    assert_eq!(reasons, ["others have it"]);
    writer.close().unwrap();
    assert_eq!(fake.state().stored, ["a"]);
}

#[test]
fn a_database_that_cannot_be_opened_says_why() {
    let refused = |_: &WriterOptions, _: &mut dyn FnMut(&StoreError)| -> Result<Opened<Fake>, _> {
        Err(StoreError::new(StoreErrorKind::Newer, "it is too new"))
    };
    let opening = Opening::begin(options(), refused).unwrap();
    let error = Writer::finish(opening, &mut |_| {}).unwrap_err();
    assert_eq!(
        (error.kind(), error.to_string().as_str()),
        (StoreErrorKind::Newer, "it is too new")
    );
}

#[test]
fn a_database_that_nobody_waits_for_is_closed() {
    let fake = Fake::default();
    let opened = fake.opened();
    drop(Opening::begin(options(), |_, _| Ok(opened)).unwrap());
    assert_eq!(Arc::strong_count(&fake.0), 1);
}
