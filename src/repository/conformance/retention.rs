//! What is deleted, and what is kept beside executions.

use super::{
    Store, at, attempt, await_commit, creation, ended, head, options, pending, store, until,
};
use crate::repository::read::reference::Found;
use crate::repository::{PendingWrite, Retention, WriterOptions};
use crate::workflow::record::{ExecutionStatus, StepStatus};
use crate::workflow::retention::{Chosen, PrunePolicy, plan};

pub(crate) fn retention_keeps_those_that_completed_last_and_all_unfinished<S: Store>() {
    let place = S::new();
    let mut options = WriterOptions { retention: Retention::Given(Some(3)), ..options() };
    let writer = place.open_with(options.clone()).unwrap();
    store(&writer, "pending", ExecutionStatus::Pending, 0);
    store(&writer, "running", ExecutionStatus::Running, 0);
    for second in [5, 1, 4, 2, 3, 9, 8] {
        store(&writer, &format!("at-{second}"), ExecutionStatus::Failed, second);
    }
    writer.close().unwrap();
    // Those that completed last stay, even where the clock was behind.
    assert_eq!(place.ids(), ["pending", "running", "at-3", "at-9", "at-8"]);

    // More than one transaction deletes.
    options.retention = Retention::Given(None);
    let writer = place.open_with(options.clone()).unwrap();
    let pending = pending(1500);
    for pending in &pending {
        assert!(writer.enqueue(pending));
    }
    writer.close().unwrap();
    options.retention = Retention::Given(Some(2));
    let writer = place.open_with(options.clone()).unwrap();
    store(&writer, "last", ExecutionStatus::Success, 20);
    writer.close().unwrap();
    assert_eq!(place.ids(), ["pending", "running", "e01499", "last"]);
}

pub(crate) fn purging_deletes_what_was_chosen_and_nothing_unfinished<S: Store>() {
    let place = S::new();
    let writer = place.open();
    store(&writer, "running", ExecutionStatus::Running, 0);
    let pending: Vec<_> = (0..1200).map(|n| PendingWrite::new(format!("e{n}"))).collect();
    for pending in &pending {
        let mut big = creation(1, head(ExecutionStatus::Success, 1));
        big.steps.insert(0, ended(StepStatus::Success));
        big.attempts.push(attempt(0, 1, &"x".repeat(4000)));
        pending.record(big);
        assert!(writer.enqueue(pending));
    }
    for pending in &pending {
        await_commit(&writer, pending);
    }
    let history = place.reader().history().unwrap();
    let mut all = plan(&PrunePolicy { all: true, ..PrunePolicy::default() }, &history, at(99));
    let running = place.reader().resolve("running", &[]).unwrap().unwrap();
    let Found { seq, execution_id } = running;
    all.chosen.push(Chosen { seq: seq.unwrap(), execution_id: execution_id.into() });
    let mut progress = Vec::new();
    let purged = writer.purge(&all, &mut |deleted| progress.push(deleted)).unwrap();
    assert_eq!(purged.executions, 1200);
    assert!(
        progress.is_sorted() && progress.last() == Some(&1200) && progress.len() > 1,
        "{progress:?}"
    );
    assert_eq!(place.ids(), ["running"]);
    for pending in &pending {
        assert!(place.reader().attempts(pending.execution_id()).unwrap().is_empty());
    }
    writer.close().unwrap();
}

pub(crate) fn alerts_that_were_sent_are_stored_and_hold_nothing_up<S: Store>() {
    let place = S::new();
    let writer = place.open();
    let sent = || place.reader().sent_alerts().unwrap();
    assert!(sent().is_empty());
    let hold = place.hold();
    writer.alert_sent("fast", at(1));
    writer.alert_sent("slow", at(2));
    writer.alert_sent("fast", at(3));
    // It is done with them, and they are not stored.
    assert_eq!(writer.last_detail("none", true).unwrap(), None);
    assert!(sent().is_empty());
    drop(hold);
    let _ = writer.close();

    let writer = place.open();
    let hold = place.hold();
    writer.alert_sent("fast", at(1));
    writer.alert_sent("slow", at(2));
    writer.alert_sent("fast", at(3));
    drop(hold);
    let expected = [("fast".to_owned(), at(3)), ("slow".to_owned(), at(2))];
    until("they are stored", || sent().into_iter().eq(expected.clone()));
    writer.close().unwrap();
}

pub(crate) fn what_a_daemon_was_set_to_keep_is_stored_and_followed<S: Store>() {
    let place = S::new();
    let open = |retention| {
        let writer = place.open_with(WriterOptions { retention, ..options() }).unwrap();
        writer.close().unwrap();
        place.reader().retention().unwrap()
    };
    assert_eq!(open(Retention::Given(Some(3))), None);
    assert_eq!(open(Retention::Followed { otherwise: Some(4) }), None);
    assert_eq!(open(Retention::Led(Some(2))), Some(Some(2)));
    assert_eq!(open(Retention::Given(Some(7))), Some(Some(2)));
    let followed = Retention::Followed { otherwise: None };
    let writer = place.open_with(WriterOptions { retention: followed, ..options() }).unwrap();
    for second in 1..=4 {
        store(&writer, &format!("e{second}"), ExecutionStatus::Success, second);
    }
    writer.close().unwrap();
    assert_eq!(place.ids(), ["e3", "e4"]);
    assert_eq!(open(Retention::Led(None)), Some(None));
}
