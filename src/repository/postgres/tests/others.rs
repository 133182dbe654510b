//! What others do in the same database at the same time is waited for, and never a failure.

use std::thread;

use super::{Place, Store};
use crate::base::timestamp::Timestamp;
use crate::repository::conformance::{at, creation, head, pending, store, store_change, until};
use crate::repository::sql::client::Client;
use crate::repository::sql::{Connection, output, policies};
use crate::workflow::record::ExecutionStatus;
use crate::workflow::retention::{PrunePolicy, plan};
use crate::workflow::retention_policy::RetentionPolicy;

/// A start that is stored without waiting for decisions, as it is written.
const START: &str =
    "INSERT INTO workflow_executions (execution_id, workflow_id, status, created_at,
       updated_at, steps_completed, total_steps, step_order, input_snapshot)
     VALUES ('early', 'w', 'running', now(), now(), 0, 1, '[]', '{}')";

fn text(client: &Client, sql: &str) -> Option<String> {
    let connection = Connection::Postgres(client);
    connection.prepare_cached(sql).unwrap().query_row([], |row| row.get(0)).unwrap()
}

/// Marks executions in a transaction of its own; whether there may be more to do, or why not.
fn move_some(client: &Client) -> Result<bool, String> {
    client.begin("BEGIN").unwrap();
    let moved = policies::move_some(Connection::Postgres(client));
    client.batch(if moved.is_ok() { "COMMIT" } else { "ROLLBACK" }).unwrap();
    moved.map_err(|error| error.to_string())
}

#[test]
fn starts_that_are_not_committed_yet_get_the_retention_of_their_workflow() {
    let place = Place::new();
    place.open().close().unwrap();
    let (starting, deciding) = (place.raw(), place.raw());
    starting.begin("BEGIN").unwrap();
    starting.batch(START).unwrap();
    // It has not seen this.
    let policy = RetentionPolicy { keep: Some(3), success: None, failed: None };
    deciding.begin("BEGIN").unwrap();
    let queries = Connection::Postgres(&deciding);
    policies::set(queries, "w", Some(policy)).unwrap();
    // Nor does anybody else, before this is committed.
    assert!(policies::move_some(queries).unwrap());
    assert_eq!(
        text(&deciding, "SELECT CAST(moving AS TEXT) FROM workflow_retention").unwrap(),
        "0"
    );
    deciding.batch("COMMIT").unwrap();
    for _ in 0..3 {
        assert!(move_some(&deciding).unwrap_err().contains("other transactions"));
    }
    starting.batch("COMMIT").unwrap();
    // Whoever waits for the right to decide has not begun to look, and is not waited for.
    deciding.begin("BEGIN").unwrap();
    deciding.decide_alone().unwrap();
    let waiting = place.raw();
    thread::scope(|scope| {
        let waits = scope.spawn(move || {
            waiting.begin("BEGIN").unwrap();
            text(&waiting, "SELECT CAST(pg_current_xact_id() AS TEXT)");
            waiting.decide_alone().unwrap();
            waiting.batch("COMMIT").unwrap();
        });
        let is_waiting = "SELECT CAST(count(*) AS TEXT) FROM pg_locks AS l, pg_database AS d
             WHERE locktype = 'advisory' AND NOT granted AND l.database = d.oid
               AND d.datname = current_database()";
        until("it waits", || text(&deciding, is_waiting).as_deref() == Some("1"));
        assert!(policies::move_some(Connection::Postgres(&deciding)).unwrap());
        deciding.batch("COMMIT").unwrap();
        waits.join().unwrap();
    });
    while move_some(&deciding).unwrap() {}
    let marked = "SELECT CAST(own_retention AS TEXT) FROM workflow_executions";
    assert_eq!(text(&deciding, marked).as_deref(), Some("1"));
    assert_eq!(text(&deciding, "SELECT CAST(moving AS TEXT) FROM workflow_retention"), None);
}

#[test]
fn output_that_others_delete_is_left_to_them() {
    let place = Place::new();
    place.open().close().unwrap();
    let (others, trimming) = (place.raw(), place.raw());
    others
        .batch(
            "INSERT INTO workflow_output (seq, position, attempt, own_stdout, own_stderr, all_stdout,
               all_stderr, end_stdout, end_stderr, stdout, stderr, first, ends, began_us, ended_us,
               size, data)
             SELECT 1, 0, 1, 0, 0, 0, 0, n, 0, 1, 0, n - 1, n, 0, 0, 1000, 'x'
             FROM generate_series(1, 10) AS n",
        )
        .unwrap();
    let before = Timestamp::from_micros(0);
    let trim = || {
        trimming.begin("BEGIN; SET LOCAL lock_timeout = '10s'").unwrap();
        let trimmed = output::trim(Connection::Postgres(&trimming), 5_000, before, 1 << 20);
        trimming.batch("COMMIT").unwrap();
        let trimmed = trimmed.unwrap();
        (trimmed.chunks, trimmed.more)
    };
    others.begin("BEGIN").unwrap();
    others.batch("DELETE FROM workflow_output WHERE chunk = 1").unwrap();
    // It does not wait, nor does it delete more instead.
    assert_eq!(trim(), (0, true));
    others.batch("COMMIT").unwrap();
    assert_eq!(trim(), (4, false));
}

#[test]
fn a_purge_goes_on_once_others_let_go_of_their_rows() {
    let place = Place::new();
    let writer = place.open();
    for pending in pending(20) {
        assert!(writer.enqueue(&pending));
        until("it is stored", || !pending.is_dirty());
    }
    let all = PrunePolicy { all: true, ..PrunePolicy::default() };
    let all = plan(&all, &place.reader().history().unwrap(), at(99));
    let others = place.raw();
    others.begin("BEGIN").unwrap();
    others
        .batch("SELECT 1 FROM workflow_executions WHERE execution_id = 'e00007' FOR UPDATE")
        .unwrap();
    thread::scope(|scope| {
        let purging = scope.spawn(|| writer.purge(&all, &mut |_| {}));
        let waits = "SELECT CAST(count(*) AS TEXT) FROM pg_stat_activity
             WHERE datname = current_database() AND wait_event_type = 'Lock'";
        // It gives up each time, and comes again.
        for _ in 0..2 {
            until("it waits", || text(&others, waits).as_deref() == Some("1"));
            until("it waits no longer", || text(&others, waits).as_deref() == Some("0"));
        }
        others.batch("COMMIT").unwrap();
        assert_eq!(purging.join().unwrap().unwrap().executions, 20);
    });
    store_change(&writer, "later", creation(1, head(ExecutionStatus::Running, 0)));
    store(&writer, "last", ExecutionStatus::Success, 2);
    assert_eq!(place.ids(), ["later", "last"]);
    writer.close().unwrap();
}
