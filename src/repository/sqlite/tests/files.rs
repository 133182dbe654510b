//! The database as a file, under a writer.

use std::fs;
use std::sync::Arc;

use super::{Place, open};
use crate::repository::conformance::{
    Store, at, attempt, await_commit, change, creation, ended, head, options, pending, store, until,
};
use crate::repository::{Health, PendingWrite, Reader, Retention, StoreErrorKind};
use crate::repository::{Writer, WriterOptions};
use crate::workflow::record::{ExecutionStatus, StepStatus};
use crate::workflow::retention::{Chosen, PrunePolicy, plan};

#[test]
fn a_number_given_out_again_leads_to_no_other_execution() {
    let place = Place::new();
    let writer = open(&place.path);
    store(&writer, "kept", ExecutionStatus::Success, 1);
    let pending = store(&writer, "lost", ExecutionStatus::Running, 0);
    let finished = Reader::open(&place.path).unwrap().history().unwrap();
    let mut planned = plan(&PrunePolicy { all: true, ..PrunePolicy::default() }, &finished, at(99));
    // What restoring an older copy does: the row is gone, and so is the memory of its number.
    place
        .raw()
        .execute_batch(
            "DELETE FROM workflow_executions WHERE execution_id = 'lost';
             UPDATE sqlite_sequence SET seq = 1 WHERE name = 'workflow_executions'",
        )
        .unwrap();
    store(&writer, "other", ExecutionStatus::Running, 0);
    let mut end = change(head(ExecutionStatus::Failed, 5));
    end.steps.insert(0, ended(StepStatus::Failed));
    end.attempts.push(attempt(0, 1, "of the lost one"));
    pending.record(end);
    assert!(writer.enqueue(&pending));
    until("it is refused", || pending.stored().borrow().refused.is_some());
    let reader = Reader::open(&place.path).unwrap();
    let other = reader.detail("other").unwrap().unwrap();
    assert_eq!((other.execution.seq, other.execution.status), (Some(2), ExecutionStatus::Running));
    assert_eq!(other.steps[0].status, StepStatus::Pending);
    assert_eq!(reader.attempts("other").unwrap().len(), 0);
    // Nor does a purge that was planned before.
    planned.chosen[0] = Chosen { seq: 1, execution_id: "lost".into() };
    assert_eq!(writer.purge(&planned, &mut |_| {}).unwrap().executions, 0);
    assert_eq!(place.ids(), ["kept", "other"]);
    writer.close().unwrap();
}

/// An execution `after` that the writer cannot store, since it fails in this way.
fn left_dirty(writer: &Writer, kind: StoreErrorKind) -> Arc<PendingWrite> {
    let pending = PendingWrite::new("after".to_owned());
    pending.record(creation(1, head(ExecutionStatus::Success, 2)));
    assert!(writer.enqueue(&pending));
    let health = writer.health();
    let fails = || matches!(&*health.borrow(), Health::Failing { error } if error.kind() == kind);
    until("the writer fails", fails);
    assert!(pending.is_dirty());
    pending
}

#[test]
fn a_database_deleted_under_the_writer_is_told() {
    let place = Place::new();
    let writer = open(&place.path);
    store(&writer, "before", ExecutionStatus::Success, 1);
    let aside = place.beside(".aside");
    fs::rename(&place.path, &aside).unwrap();
    let pending = left_dirty(&writer, StoreErrorKind::Gone);
    fs::rename(&aside, &place.path).unwrap();
    await_commit(&writer, &pending);
    assert!(matches!(*writer.health().borrow(), Health::Working));
    assert_eq!(place.ids(), ["before", "after"]);
    // Closing tells what could not be stored.
    fs::remove_file(&place.path).unwrap();
    let lost = PendingWrite::new("lost".to_owned());
    lost.record(creation(1, head(ExecutionStatus::Success, 3)));
    assert!(writer.enqueue(&lost));
    assert_eq!(writer.close().unwrap_err().kind(), StoreErrorKind::Gone);
    assert!(lost.is_dirty());
}

#[test]
fn another_database_in_its_place_is_left_alone() {
    let place = Place::new();
    let writer = open(&place.path);
    store(&writer, "before", ExecutionStatus::Success, 1);
    let other = Place::new();
    open(&other.path).close().unwrap();
    fs::rename(&other.path, &place.path).unwrap();
    let content = fs::read(&place.path).unwrap();
    left_dirty(&writer, StoreErrorKind::Gone);
    assert_eq!(fs::read(&place.path).unwrap(), content);
    assert!(writer.close().is_err());
}

#[test]
fn purging_gives_space_back_to_the_file_system() {
    let place = Place::new();
    let writer = open(&place.path);
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
    let finished = Reader::open(&place.path).unwrap().history().unwrap();
    let all = plan(&PrunePolicy { all: true, ..PrunePolicy::default() }, &finished, at(99));
    let mut progress = Vec::new();
    let purged = writer.purge(&all, &mut |deleted| progress.push(deleted)).unwrap();
    assert_eq!(purged.executions, 1200);
    assert!(purged.freed_bytes > 4_000_000, "{purged:?}");
    assert_eq!(progress, [512, 1024, 1200]);
    // An empty database has a page for each table and index.
    let left_bytes = fs::metadata(&place.path).unwrap().len();
    assert!(left_bytes < 400_000, "{left_bytes}");
    writer.close().unwrap();
}

#[test]
fn retention_leaves_no_row_of_what_it_deleted() {
    let place = Place::new();
    let two = WriterOptions { retention: Retention::Given(Some(2)), ..options() };
    let writer = Writer::open(&place.path, two).unwrap();
    for pending in pending(600) {
        assert!(writer.enqueue(&pending));
    }
    writer.close().unwrap();
    assert_eq!(place.ids().len(), 2);
    for table in ["workflow_execution_steps", "workflow_execution_attempts"] {
        let orphans = format!(
            "SELECT count(*) FROM {table} WHERE seq NOT IN (SELECT seq FROM workflow_executions)"
        );
        let orphans: i64 = place.raw().query_row(&orphans, [], |row| row.get(0)).unwrap();
        assert_eq!(orphans, 0, "{table}");
    }
}

#[test]
fn what_is_stored_is_told_before_a_failure_that_came_later() {
    let place = Place::new();
    let writer = open(&place.path);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.spawn(writer.deliver());
    // It waits for news, and is not polled again.
    runtime.block_on(async {
        for _ in 0..10 {
            tokio::task::yield_now().await;
        }
    });
    let pending = PendingWrite::new("e".to_owned());
    pending.record(creation(1, head(ExecutionStatus::Running, 1)));
    assert!(writer.enqueue(&pending));
    let is_stored = || {
        let count = "SELECT count(*) FROM workflow_executions";
        place.raw().query_row(count, [], |row| row.get::<_, i64>(0)).unwrap() == 1
    };
    until("stored", is_stored);
    assert!(pending.is_dirty(), "told by somebody else");
    let away = place.beside("-away");
    fs::rename(&place.path, &away).unwrap();
    let health = writer.health();
    until("failing", || matches!(*health.borrow(), Health::Failing { .. }));
    assert!(!pending.is_dirty());
    fs::rename(&away, &place.path).unwrap();
}
