//! What is deleted in few exchanges, and beside what is written.

use std::collections::HashMap;
use std::sync::Arc;

use super::server::Server;
use super::{Place, Store};
use crate::repository::conformance::{
    at, attempt, change, creation, ended, head, options, store, store_change, until,
};
use crate::repository::{PendingWrite, Retention, WriterOptions};
use crate::workflow::pin::Pin;
use crate::workflow::record::{Change, Created, ExecutionStatus, StepStatus};
use crate::workflow::retention_policy::{RetentionPolicy, StartRetention};

fn sql(place: &Place, sql: &str) -> String {
    Server::shared().sql(&place.name, sql).unwrap()
}

#[test]
fn what_is_beyond_the_number_is_deleted_beside_what_is_written() {
    let place = Place::new();
    let options = WriterOptions { retention: Retention::Given(Some(20)), ..options() };
    let writer = place.open_with(options).unwrap();
    store(&writer, "running", ExecutionStatus::Running, 0);
    let mut long = creation(1, head(ExecutionStatus::Success, 1));
    long.steps.insert(0, ended(StepStatus::Success));
    long.attempts.push(attempt(0, 1, "text"));
    store_change(&writer, "long", long);
    store(&writer, "pinned", ExecutionStatus::Success, 1);
    let pin = Pin { at: at(2), by: "somebody".to_owned(), reason: None };
    assert!(writer.pin("pinned", Some(&pin), std::time::Duration::from_secs(60)).unwrap());
    let reader = place.reader();
    for round in 0..3 {
        // More than are worth a deletion while others complete, and more than one deletes.
        let all: Vec<_> =
            (0..1_500).map(|n| PendingWrite::new(format!("e{round}-{n:04}"))).collect();
        for pending in &all {
            pending.record(creation(3, head(ExecutionStatus::Success, 1)));
            assert!(writer.enqueue(pending));
        }
        until("all are stored", || all.iter().all(|pending| !pending.is_dirty()));
        until("what is beyond it is deleted", || {
            reader.list(&Default::default(), 1, 0).unwrap().total == 22
        });
    }
    let ids = place.ids();
    assert_eq!(ids[..2], ["running", "pinned"]);
    assert!(ids[2..].iter().all(|id| id.starts_with("e2-14")), "{ids:?}");
    assert_eq!(sql(&place, "SELECT count(*) FROM wfx.commits WHERE number < 0"), "1");
    assert_eq!(sql(&place, "SELECT count(*) FROM wfx.workflow_execution_steps"), "64");
    assert_eq!(sql(&place, "SELECT count(*) FROM wfx.workflow_execution_attempts"), "0");
    // A process that ends leaves no rows of its own.
    writer.close().unwrap();
    until("the process has left", || sql(&place, "SELECT count(*) FROM wfx.fence") == "0");
    let left = "SELECT status, executions FROM wfx.workflow_execution_counts
        WHERE executions <> 0 ORDER BY 1";
    assert_eq!(sql(&place, left), "running|1\nsuccess|21");
    assert_eq!(sql(&place, "SELECT count(*) FROM wfx.commits"), "0");
}

#[test]
fn a_reader_notices_what_is_deleted_beside_what_is_written() {
    let place = Place::new();
    let options = WriterOptions { retention: Retention::Given(Some(1)), ..options() };
    let writer = place.open_with(options).unwrap();
    let reader = place.reader();
    let mut seen = HashMap::new();
    for number in 0..5 {
        // The deletion follows the commit after a while without work.
        store(&writer, &format!("e{number}"), ExecutionStatus::Success, 1);
        until("there is one", || {
            let before = reader.version().unwrap();
            let total = reader.list(&Default::default(), 1, 0).unwrap().total;
            let is_steady = reader.version().unwrap() == before;
            if is_steady {
                assert_eq!(*seen.entry(before).or_insert(total), total);
            }
            is_steady && total == 1
        });
    }
    writer.close().unwrap();
}

/// Another process may have stored the retention of a workflow a moment ago, which says otherwise.
#[test]
fn nothing_is_deleted_before_it_is_known_what_is_kept() {
    let place = Place::new();
    let writer = place.open();
    for number in 0..3 {
        store(&writer, &format!("e{number}"), ExecutionStatus::Success, 1);
    }
    let prune = |number: u32| {
        let me = "(SELECT max(token) FROM wfx.fence)";
        sql(&place, &format!("SELECT executions, more FROM wfx.prune_v2({me}, {number}, 1)"))
    };
    let workflow = sql(&place, "SELECT min(workflow_id) FROM wfx.workflow_executions");
    let set = "INSERT INTO wfx.workflow_retention (workflow_id, keep, moving) VALUES";
    sql(&place, &format!("{set} ('{workflow}', 50, 0)"));
    assert_eq!(prune(1), "0|f");
    sql(&place, "DELETE FROM wfx.workflow_retention");
    assert_eq!(prune(2), "2|f");
    // One that was declared dead deletes nothing.
    sql(&place, "DELETE FROM wfx.fence");
    assert_eq!(Server::shared().sql(&place.name, "SELECT wfx.prune_v2(1, 3, 0)"), None);
}

#[test]
fn one_deletion_takes_no_more_output_than_it_may() {
    let place = Place::new();
    let writer = place.open();
    for number in 0..5 {
        store(&writer, &format!("e{number}"), ExecutionStatus::Success, 1);
    }
    // 3 MiB each, and 20 MiB in 20 chunks.
    let fill = "INSERT INTO wfx.workflow_output (seq, position, attempt, own_stdout, own_stderr,
           all_stdout, all_stderr, end_stdout, end_stderr, stdout, stderr, first, ends, began_us,
           ended_us, size, data)
         SELECT e.seq, 0, 1, 0, 0, 0, 0, n, 0, 1, 0, n - 1, n, 4000000000000000, 4000000000000000,
           CASE e.execution_id WHEN 'e4' THEN 1048576 ELSE 3145728 END, 'x'
         FROM wfx.workflow_executions AS e, generate_series(1, 20) AS n
         WHERE n = 1 OR e.execution_id = 'e4'";
    sql(&place, fill);
    let delete = "SELECT executions, has_rest FROM wfx.delete_v2(
        ARRAY(SELECT seq FROM wfx.workflow_executions))";
    let chunks = "SELECT count(*), sum(size) = (SELECT sum(bytes) FROM wfx.workflow_output_usage)
        FROM wfx.workflow_output";
    assert_eq!(sql(&place, delete), "2|t");
    assert_eq!(sql(&place, delete), "2|t");
    assert_eq!(sql(&place, chunks), "20|t");
    assert_eq!(sql(&place, delete), "0|t");
    assert_eq!(sql(&place, delete), "0|t");
    assert_eq!(sql(&place, chunks), "4|t");
    assert_eq!(sql(&place, delete), "1|f");
    assert_eq!(sql(&place, "SELECT count(*) FROM wfx.workflow_output"), "0");
    assert_eq!(sql(&place, delete), "0|f");
    writer.close().unwrap();
}

#[test]
fn what_completes_as_it_begins_counts_for_the_retention_of_its_workflow() {
    let place = Place::new();
    let writer = place.open();
    let policy = RetentionPolicy { keep: Some(3), success: None, failed: None };
    let begin = |id: &str, status| {
        let head = head(status, 1);
        let created = creation(1, head.clone());
        let created = Created {
            retention: StartRetention::Defines(Some(policy)),
            ..created.created.as_deref().unwrap().clone()
        };
        store_change(&writer, id, Change { created: Some(Arc::new(created)), ..change(head) });
    };
    let counted = "SELECT finished, (SELECT count(*) FROM wfx.executions_done
        WHERE own_retention IS NOT NULL), moving IS NULL FROM wfx.workflow_retention";
    begin("first", ExecutionStatus::Success);
    until("the retention applies", || sql(&place, counted) == "1|1|t");
    begin("runs", ExecutionStatus::Running);
    begin("second", ExecutionStatus::Failed);
    assert_eq!(sql(&place, counted), "2|2|t");
    for number in 0..4 {
        begin(&format!("e{number}"), ExecutionStatus::Success);
    }
    until("three are left", || sql(&place, counted) == "3|3|t");
    let mut ids = place.ids();
    ids.retain(|id| id != "runs");
    assert_eq!(ids, ["e1", "e2", "e3"]);
    writer.close().unwrap();
}
