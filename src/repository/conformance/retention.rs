//! What is deleted, and what is kept beside executions.

use std::sync::Arc;
use std::time::Duration;

use super::{
    Store, at, attempt, await_commit, change, created, creation, ended, head, options, pending,
    store, store_change, until,
};
use crate::repository::read::reference::Found;
use crate::repository::{PendingWrite, Retention, Writer, WriterOptions};
use crate::workflow::pin::Pin;
use crate::workflow::record::{Change, Created, ExecutionStatus, StepStatus};
use crate::workflow::retention::{Chosen, PrunePolicy, plan};
use crate::workflow::retention_policy::{RetentionPolicy, StartRetention};

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
    let reader = place.reader();
    for pending in &pending {
        assert!(reader.attempts(pending.execution_id()).unwrap().is_empty());
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

/// A started execution of a workflow that has ended.
fn of(
    writer: &Writer,
    id: &str,
    workflow_id: &str,
    retention: StartRetention,
    status: ExecutionStatus,
) {
    let created = Created { workflow_id: workflow_id.to_owned(), retention, ..created(1) };
    let creation = Change { created: Some(Arc::new(created)), ..change(head(status, 1)) };
    store_change(writer, id, creation);
}

const KEEP_2: StartRetention =
    StartRetention::Defines(Some(RetentionPolicy { keep: Some(2), success: None, failed: None }));

pub(crate) fn a_workflow_with_its_own_retention_is_kept_apart<S: Store>() {
    use ExecutionStatus::{Failed, Running, Success};
    use StartRetention::{AdHoc, Defines, Follows};
    let place = S::new();
    let options = WriterOptions { retention: Retention::Given(Some(3)), ..options() };
    let writer = place.open_with(options.clone()).unwrap();
    for number in 1..=3 {
        of(&writer, &format!("n{number}"), "nightly", KEEP_2, Success);
    }
    of(&writer, "n-running", "nightly", KEEP_2, Running);
    for number in 1..=9 {
        of(&writer, &format!("m{number}"), "minutely", Defines(None), Failed);
    }
    // What a request defines neither changes what is kept of the workflow, nor counts for it.
    of(&writer, "n-ad-hoc", "nightly", AdHoc, Success);
    writer.close().unwrap();
    assert_eq!(place.ids(), ["n2", "n3", "n-running", "m8", "m9", "n-ad-hoc"]);

    // A replay follows, also where no number is kept of all.
    let given = Retention::Given(None);
    let writer = place.open_with(WriterOptions { retention: given, ..options.clone() }).unwrap();
    of(&writer, "n-replay", "nightly", Follows, Failed);
    writer.close().unwrap();
    assert_eq!(place.ids(), ["n3", "n-running", "m8", "m9", "n-ad-hoc", "n-replay"]);

    // Without the key, its executions count for the number of all again.
    let writer = place.open_with(options).unwrap();
    of(&writer, "n-last", "nightly", Defines(None), Success);
    writer.close().unwrap();
    assert_eq!(place.ids(), ["n-running", "n-ad-hoc", "n-replay", "n-last"]);
    assert!(place.reader().history().unwrap().policies.is_empty());
}

pub(crate) fn a_long_history_gets_and_loses_its_own_retention<S: Store>() {
    let place = S::new();
    let writer = place.open();
    for pending in pending(2500) {
        assert!(writer.enqueue(&pending));
    }
    writer.close().unwrap();
    let last = |ids: Vec<String>| (ids.len(), ids.last().cloned());
    let keeps = |retention, id: &str, of_all| {
        let retention_of_all = Retention::Given(Some(of_all));
        let writer =
            place.open_with(WriterOptions { retention: retention_of_all, ..options() }).unwrap();
        of(&writer, id, "w", retention, ExecutionStatus::Success);
        writer.close().unwrap();
        last(place.ids())
    };
    let own = |keep| {
        StartRetention::Defines(Some(RetentionPolicy {
            keep: Some(keep),
            success: None,
            failed: None,
        }))
    };
    // Nothing goes by the number of all before it is known that it does not count.
    assert_eq!(keeps(own(2400), "own", 5), (2400, Some("own".to_owned())));
    assert_eq!(keeps(StartRetention::Defines(None), "none", 2000), (2000, Some("none".to_owned())));
    assert_eq!(keeps(own(10), "again", 1), (10, Some("again".to_owned())));
}

pub(crate) fn the_retention_of_workflows_is_stored_by_and_by<S: Store>() {
    let place = S::new();
    let writer = place.open();
    for number in 1..=4 {
        of(&writer, &format!("e{number}"), "w", StartRetention::Follows, ExecutionStatus::Success);
    }
    let StartRetention::Defines(policy) = KEEP_2 else { unreachable!() };
    let hold = place.hold();
    writer.set_policies([("w".to_owned(), policy), ("other".to_owned(), None)].into());
    drop(hold);
    // Nothing else is started.
    until("what it does not keep is deleted", || place.ids() == ["e3", "e4"]);
    assert_eq!(place.reader().history().unwrap().policies.len(), 1);
    writer.set_policies([("w".to_owned(), None)].into());
    until("it has none", || place.reader().history().unwrap().policies.is_empty());
    writer.close().unwrap();
}

pub(crate) fn pinned_executions_stay<S: Store>() {
    use ExecutionStatus::{Running, Success};
    let place = S::new();
    let options = WriterOptions { retention: Retention::Given(Some(2)), ..options() };
    let writer = place.open_with(options).unwrap();
    let pin = Pin { at: at(5), by: "anna".to_owned(), reason: Some("audit".to_owned()) };
    let patience = Duration::from_secs(5);
    let set = |id: &str, pin: Option<&Pin>| writer.pin(id, pin, patience).unwrap();
    store(&writer, "a", Success, 1);
    store(&writer, "b", Running, 0);
    assert!(set("a", Some(&pin)) && set("b", Some(&pin)) && !set("nobody", Some(&pin)));
    let shown = place.reader().detail("a").unwrap().unwrap();
    assert_eq!(shown.execution.pinned, Some(pin.clone()));
    for second in 1..=4 {
        store(&writer, &format!("e{second}"), Success, second);
    }
    store_change(&writer, "b", change(head(Success, 9)));
    until("those that are not pinned are pruned", || place.ids() == ["a", "b", "e3", "e4"]);
    // A purge that was planned before leaves what was pinned since.
    let all = |include_pinned| PrunePolicy { all: true, include_pinned, ..PrunePolicy::default() };
    let purge = |policy| {
        let planned = plan(&policy, &place.reader().history().unwrap(), at(99));
        set("e3", Some(&pin));
        writer.purge(&planned, &mut |_| {}).unwrap().executions
    };
    assert_eq!(purge(all(false)), 1);
    assert_eq!(place.ids(), ["a", "b", "e3"]);
    assert!(set("a", None));
    assert_eq!(place.reader().execution("a").unwrap().unwrap().pinned, None);
    assert_eq!(purge(all(true)), 3);
    writer.close().unwrap();
}
