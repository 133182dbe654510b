//! Databases of earlier versions of wfx become what a new one is.

use rusqlite::Connection;

use super::{Place, open};
use crate::repository::conformance::store;
use crate::repository::sqlite::migrate::{APPLICATION_ID, STEPS};
use crate::repository::{ListFilter, Reader};
use crate::workflow::record::ExecutionStatus;

/// With the tables of `version`, and one execution that ended.
fn older(version: usize) -> Place {
    let place = Place::new();
    let connection = place.raw();
    connection
        .execute_batch(
            "PRAGMA page_size = 4096; PRAGMA auto_vacuum = INCREMENTAL; PRAGMA journal_mode = WAL",
        )
        .unwrap();
    for step in &STEPS[..version] {
        connection.execute_batch(step).unwrap();
    }
    connection
        .execute_batch(
            "INSERT INTO workflow_executions (execution_id, workflow_id, status, created_at,
               completed_at, updated_at, steps_completed, total_steps, step_order, input_snapshot)
             VALUES ('old', 'w', 'failed', '2026-01-02T03:04:05.000000Z',
               '2026-01-02T03:04:06.000000Z', '2026-01-02T03:04:06.000000Z', 0, 1, '[\"a\"]', '{}');
             INSERT INTO workflow_execution_steps (seq, position, step_name, status, attempt,
               depends_on)
             VALUES (1, 0, 'a', 'skipped', 0, '[]')",
        )
        .unwrap();
    connection.pragma_update(None, "user_version", i64::try_from(version).unwrap()).unwrap();
    connection.pragma_update(None, "application_id", APPLICATION_ID).unwrap();
    place
}

fn rows(connection: &Connection, sql: &str) -> Vec<String> {
    let mut statement = connection.prepare(sql).unwrap();
    let rows = statement.query_map([], |row| row.get(0)).unwrap();
    rows.map(Result::unwrap).collect()
}

fn schema(place: &Place) -> Vec<String> {
    rows(&place.raw(), "SELECT name || ': ' || coalesce(sql, '') FROM sqlite_schema ORDER BY name")
}

fn new() -> Place {
    let place = Place::new();
    open(&place.path).close().unwrap();
    place
}

#[test]
fn each_earlier_version_becomes_what_a_new_one_is() {
    let new = schema(&new());
    for version in 1..STEPS.len() {
        let place = older(version);
        assert_ne!(schema(&place), new, "{version}");
        let writer = open(&place.path);
        store(&writer, "later", ExecutionStatus::Success, 1);
        writer.close().unwrap();
        assert_eq!(schema(&place), new, "{version}");
        assert_eq!(rows(&place.raw(), "PRAGMA integrity_check"), ["ok"]);
        let reader = Reader::open(&place.path).unwrap();
        let listing = reader.list(&ListFilter::default(), 10, 0).unwrap();
        let ids: Vec<_> = listing.items.iter().map(|item| item.execution_id.as_str()).collect();
        assert_eq!(ids, ["later", "old"]);
        assert_eq!(reader.detail("old").unwrap().unwrap().steps.len(), 1);
    }
}

#[test]
fn a_status_that_is_none_is_refused_without_a_table_for_each_row() {
    let place = new();
    let writer = open(&place.path);
    store(&writer, "one", ExecutionStatus::Success, 1);
    writer.close().unwrap();
    let connection = place.raw();
    for (table, columns, values) in [
        (
            "workflow_executions",
            "execution_id, workflow_id, created_at, completed_at, updated_at, steps_completed,
             total_steps, step_order, input_snapshot, status",
            "'two', 'w', '2026', '2027', '2027', 0, 1, '[]', '{}'",
        ),
        (
            "workflow_execution_steps",
            "seq, position, step_name, attempt, depends_on, status",
            "1, 7, 'a', 0, '[]'",
        ),
        (
            "workflow_execution_attempts",
            "seq, position, attempt, started_at, completed_at, duration_ms, stdout_bytes,
             stderr_bytes, status",
            "1, 0, 1, '2026', '2027', 0, 0, 0",
        ),
    ] {
        let insert =
            |status| format!("INSERT INTO {table} ({columns}) VALUES ({values}, '{status}')");
        let error = connection.execute_batch(&insert("done")).unwrap_err();
        assert!(error.to_string().contains("CHECK constraint failed"), "{error}");
        connection.execute_batch(&insert("failed")).unwrap();
        for statement in
            [insert("failed"), format!("UPDATE {table} SET status = 'failed' WHERE seq = 1")]
        {
            let mut explained = connection.prepare(&format!("EXPLAIN {statement}")).unwrap();
            let opcodes = explained.query_map([], |row| row.get::<_, String>(1)).unwrap();
            let ephemeral = opcodes.filter(|opcode| opcode.as_ref().unwrap().contains("Ephemeral"));
            assert_eq!(ephemeral.count(), 0, "{statement}");
        }
    }
}
