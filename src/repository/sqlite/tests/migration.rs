//! The predecessor's database becomes one of wfx.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::thread;
use std::time::Duration;

use rusqlite::Connection;

use super::{Place, open};
use crate::repository::WriterOptions;
use crate::repository::conformance::{options, store};
use crate::repository::ownership::{Owner, OwnerKind};
use crate::repository::sqlite::{migrate, predecessor};
use crate::repository::{ListFilter, Reader, StoreErrorKind, Writer};
use crate::workflow::check;
use crate::workflow::record::{ExecutionDetail, ExecutionStatus, StepStatus};

const SAMPLE: &str = include_str!("../../../../fixtures/predecessor/predecessor.sql");
const SUCCESS: &str = "3f0e4f0a-52a4-4b0e-9d55-0d5a4c3f7a11";
const FAILED: &str = "8c1d2b6e-7a0d-4e3f-8a57-5b9f0f7c2d22";
const RUNNING: &str = "b7a9e0c4-1f2e-4c6d-9b3a-2e8d6f5a1c33";

/// The later columns, filled for one execution.
fn with_later_columns() -> String {
    format!(
        "{SAMPLE};
         ALTER TABLE workflow_executions ADD COLUMN step_order TEXT;
         ALTER TABLE workflow_executions ADD COLUMN replay_of TEXT;
         ALTER TABLE workflow_executions ADD COLUMN input_snapshot TEXT;
         UPDATE workflow_executions SET step_order = '[\"audit\",\"collect\"]',
           replay_of = '{SUCCESS}',
           input_snapshot = '{{\"workflow_id\":\"daily-report\",\"requested_by\":\"cron\",
             \"params\":{{\"day\":\"monday\",\"depth\":3,\"tags\":[1,2]}},
             \"steps\":[{{\"name\":\"collect\",\"agent_id\":\"research\",\"fail\":true}},
                        {{\"name\":\"audit\",\"depends_on\":[],\"run\":\"rm -rf /\"}},
                        {{\"name\":\"mail\"}}]}}'
         WHERE execution_id = '{FAILED}'"
    )
}

fn brought_up(sql: &str) -> Place {
    let place = Place::new();
    place.raw().execute_batch(sql).unwrap();
    open(&place.path).close().unwrap();
    place
}

fn detail(place: &Place, execution_id: &str) -> ExecutionDetail {
    Reader::open(&place.path).unwrap().detail(execution_id).unwrap().unwrap()
}

/// Every execution can be read, and replayed if it has steps.
fn assert_whole(place: &Place, executions: u64) {
    let reader = Reader::open(&place.path).unwrap();
    let listing = reader.list(&ListFilter::default(), 1000, 0).unwrap();
    assert_eq!(listing.total, executions);
    assert_eq!(listing.items.len() as u64, executions);
    assert_eq!(reader.history().unwrap().executions.len() as u64, executions);
    for execution in listing.items {
        assert!(execution.status.is_terminal());
        let detail = reader.detail(&execution.execution_id).unwrap().unwrap();
        let names: Vec<&str> = detail.steps.iter().map(|step| step.name.as_str()).collect();
        assert_eq!(detail.execution.step_order, names);
        assert!(detail.steps.iter().all(|step| step.status.is_terminal()));
        if !detail.steps.is_empty() {
            check::snapshot(&execution.input_snapshot.value()).unwrap();
        }
        reader.lineage(&execution.execution_id).unwrap();
    }
    let broken: String =
        place.raw().query_row("PRAGMA integrity_check", [], |row| row.get(0)).unwrap();
    assert_eq!(broken, "ok");
}

/// The whole content as text.
fn dump(connection: &Connection) -> String {
    let mut content = String::new();
    let tables: Vec<(String, String)> = connection
        .prepare("SELECT name, sql FROM sqlite_schema WHERE sql IS NOT NULL ORDER BY name")
        .unwrap()
        .query_map([], |row| Ok((row.get(0)?, row.get(1)?)))
        .unwrap()
        .collect::<Result<_, _>>()
        .unwrap();
    for (name, sql) in tables {
        content.push_str(&sql);
        let Ok(mut statement) = connection.prepare(&format!("SELECT * FROM {name}")) else {
            continue;
        };
        let columns = statement.column_count();
        let mut rows = statement.query([]).unwrap();
        while let Some(row) = rows.next().unwrap() {
            for column in 0..columns {
                content.push_str(&format!("{:?}|", row.get_ref(column).unwrap()));
            }
        }
    }
    content
}

#[test]
fn the_sample_is_read_and_can_be_replayed() {
    let place = brought_up(SAMPLE);
    assert_whole(&place, 3);

    let success = detail(&place, SUCCESS);
    assert_eq!(success.execution.seq, Some(1));
    assert_eq!(success.execution.status, ExecutionStatus::Success);
    let text = |time: Option<crate::base::timestamp::Timestamp>| time.unwrap().to_string();
    assert_eq!(text(success.execution.created_at), "2025-10-05T12:00:00.101000Z");
    assert_eq!(text(success.execution.completed_at), "2025-10-05T12:00:01.650000Z");
    assert_eq!(success.execution.step_order, ["collect", "write", "send"]);
    assert_eq!(success.steps[1].depends_on, ["collect"]);
    assert_eq!(success.steps[0].duration_ms, Some(510));
    let snapshot = check::snapshot(&success.execution.input_snapshot.value()).unwrap();
    assert_eq!(snapshot.definition().id, "daily-report");
    assert_eq!(snapshot.definition().steps[2].name, "send");
    assert_eq!(snapshot.definition().steps[2].depends_on, ["write"]);
    assert_eq!(snapshot.definition().steps[2].agent_id, Some("ops".into()));

    let failed = detail(&place, FAILED);
    assert_eq!(failed.execution.status, ExecutionStatus::Failed);
    assert_eq!(failed.steps[0].error.as_deref(), Some("Simulated step failure"));

    let running = detail(&place, RUNNING);
    assert_eq!(running.execution.status, ExecutionStatus::Interrupted);
    assert_eq!(text(running.execution.completed_at), "2025-10-05T14:00:00.510000Z");
    assert_eq!(running.steps[0].status, StepStatus::Success);
    assert_eq!(running.steps[1].status, StepStatus::Interrupted);
}

#[test]
fn a_copy_is_kept_and_the_next_opening_finds_nothing_to_do() {
    let place = Place::new();
    place.raw().execute_batch(SAMPLE).unwrap();
    let before = dump(&place.raw());
    open(&place.path).close().unwrap();
    let copy = place.beside(".v0.bak");
    assert_eq!(fs::metadata(&copy).unwrap().permissions().mode() & 0o777, 0o600);
    assert_eq!(dump(&Connection::open(&copy).unwrap()), before);
    let bytes = fs::read(&copy).unwrap();
    let after = dump(&place.raw());
    open(&place.path).close().unwrap();
    assert_eq!(dump(&place.raw()), after);
    assert_eq!(fs::read(&copy).unwrap(), bytes);
    assert_eq!(place.names(), ["wfx.db", "wfx.db.v0.bak"]);
    let writer = open(&place.path);
    store(&writer, "new", ExecutionStatus::Success, 9);
    assert_eq!(detail(&place, "new").execution.seq, Some(4));
}

#[test]
fn what_is_in_the_log_is_brought_up_and_copied_as_well() {
    let place = Place::new();
    let source = Place::new();
    let connection = source.raw();
    connection.execute_batch("PRAGMA journal_mode = WAL").unwrap();
    connection.execute_batch(SAMPLE).unwrap();
    // As after a crash: the log was never copied into the database.
    for suffix in ["", "-wal"] {
        fs::copy(source.beside(suffix), place.beside(suffix)).unwrap();
    }
    open(&place.path).close().unwrap();
    assert_whole(&place, 3);
    let copy = Connection::open(place.beside(".v0.bak")).unwrap();
    assert_eq!(dump(&copy), dump(&connection));
    drop(copy);
    assert_eq!(place.names(), ["wfx.db", "wfx.db.v0.bak"]);
}

#[test]
fn stored_snapshots_orders_and_replays_are_taken_over() {
    let place = brought_up(&with_later_columns());
    assert_whole(&place, 3);
    let failed = detail(&place, FAILED);
    assert_eq!(failed.execution.step_order, ["audit", "collect"]);
    assert_eq!(failed.execution.replay_of.as_deref(), Some(SUCCESS));
    let snapshot = check::snapshot(&failed.execution.input_snapshot.value()).unwrap();
    let [collect, audit, mail] = &snapshot.definition().steps[..] else { panic!("{snapshot:?}") };
    assert!(collect.fail);
    assert_eq!(collect.agent_id, Some("research".into()));
    assert_eq!(audit.agent_id, Some("ops".into()));
    assert_eq!(audit.work, crate::workflow::definition::Work::Nothing);
    assert_eq!(audit.extra["x-run"], "rm -rf /");
    assert_eq!(mail.depends_on, ["audit"]);
    assert_eq!(snapshot.params["depth"].to_string(), "3");
    assert_eq!(snapshot.params["tags"].to_string(), "[1,2]");
    assert_eq!(snapshot.definition().extra["x-requested_by"], "cron");
    let root = Reader::open(&place.path).unwrap().lineage(FAILED).unwrap().root;
    assert_eq!(root.execution_id, SUCCESS);
}

#[test]
fn any_column_that_is_not_the_key_may_be_missing() {
    let columns: &[(&str, &[&str])] = &[
        (
            "workflow_executions",
            &[
                "workflow_id",
                "status",
                "started_at",
                "completed_at",
                "steps_completed",
                "total_steps",
                "created_at",
                "updated_at",
                "error",
                "step_order",
                "replay_of",
                "input_snapshot",
            ],
        ),
        (
            "workflow_execution_steps",
            &["agent_id", "depends_on", "status", "started_at", "completed_at", "error"],
        ),
    ];
    let mut all = with_later_columns();
    for (table, columns) in columns {
        for column in *columns {
            let dropped = format!("; ALTER TABLE {table} DROP COLUMN {column}");
            assert_whole(&brought_up(&format!("{}{dropped}", with_later_columns())), 3);
            all.push_str(&dropped);
        }
    }
    assert_whole(&brought_up(&all), 3);
}

#[test]
fn unknown_columns_tables_and_views_are_kept() {
    let place = brought_up(&format!(
        "{SAMPLE};
         ALTER TABLE workflow_executions ADD COLUMN \"asked \"\"by\" VARCHAR(9);
         ALTER TABLE workflow_execution_steps ADD COLUMN cost REAL DEFAULT 1.5;
         ALTER TABLE workflow_execution_steps ADD COLUMN position TEXT DEFAULT 'left';
         UPDATE workflow_executions SET \"asked \"\"by\" = x'00ff';
         CREATE INDEX workflow_executions_by_status ON workflow_executions (status);
         CREATE TABLE notes (execution_id REFERENCES workflow_executions (execution_id)
           ON DELETE CASCADE, text);
         INSERT INTO notes VALUES ('{SUCCESS}', 'well done');
         CREATE VIEW failures AS SELECT execution_id FROM workflow_executions
           WHERE status = 'failed';
         CREATE VIEW broken AS SELECT * FROM no_such_table;"
    ));
    assert_whole(&place, 3);
    let connection = place.raw();
    let one = |sql: &str| -> String { connection.query_row(sql, [], |row| row.get(0)).unwrap() };
    assert_eq!(one("SELECT DISTINCT hex(\"asked \"\"by\") FROM workflow_executions"), "00FF");
    assert_eq!(one("SELECT group_concat(DISTINCT cost) FROM workflow_execution_steps"), "1.5");
    assert_eq!(one("SELECT DISTINCT predecessor_position FROM workflow_execution_steps"), "left");
    assert_eq!(one("SELECT text FROM notes"), "well done");
    assert_eq!(one("SELECT execution_id FROM failures"), FAILED);
    assert_eq!(one("SELECT count(*) || '' FROM pragma_foreign_key_check"), "0");
    let writer = open(&place.path);
    store(&writer, "new", ExecutionStatus::Success, 9);
    assert_eq!(detail(&place, "new").steps.len(), 2);
}

#[test]
fn odd_values_stop_nothing() {
    let place = brought_up(
        "CREATE TABLE workflow_executions (execution_id, workflow_id, status, started_at,
           completed_at, steps_completed, total_steps, created_at, updated_at, error,
           step_order, replay_of, input_snapshot);
         CREATE TABLE workflow_execution_steps (execution_id, step_name, agent_id, depends_on,
           status, started_at, completed_at, error);
         INSERT INTO workflow_executions VALUES
           ('numbers', 7, 'ExecutionStatus.COMPLETED', 1759665600, '1759665601.5', '2', '3 steps',
            '2025-10-05 12:00:00.5', 'yesterday', '', 17, 4, 'not json'),
           ('offset', x'ff00', 'Weird', '2025-10-05T14:00:00+02:00', NULL, -4, 9e99,
            '2025-10-05T14:00:00.25+02:00', NULL, NULL, '{', '', '{\"steps\": 3}'),
           ('twice', 'w', 'running', NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL),
           ('twice', 'w', 'success', NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL,
            '{\"definition\":{\"steps\":[\"a\",{\"name\":\"b\",\"depends_on\":[\"b\",\"zz\"]}]}}'),
           (NULL, NULL, NULL, x'', 1e300, NULL, NULL, -5, '99999-01-01', x'c328', '[[]]', NULL,
            '{\"$serde_json::private::Number\":\"x\"}'),
           (42, 'w', 'failed', NULL, NULL, NULL, NULL, NULL, NULL, NULL, '[\"b\",\"a\"]', NULL,
            '[{\"name\":\"a\",\"depends_on\":null},{\"name\":\"a\"},{\"name\":\"b\"}]');
         INSERT INTO workflow_execution_steps VALUES
           ('numbers', 'a', 5, '[\"b\", 3, null, \"a\"]', 'success', 1759665600000, NULL, 12),
           ('numbers', 'b', x'fe', '[\"a\"]', NULL, NULL, NULL, NULL),
           ('numbers', 'a', 6, '[\"b\"]', 'pending', NULL, NULL, NULL),
           ('numbers', NULL, NULL, 'a, b', 'odd', '2025-10-05T12:00:00', NULL, NULL),
           ('offset', '', NULL, '\"x\"', 'running', NULL, NULL, NULL),
           (42, 'a', NULL, NULL, 'failed', NULL, NULL, 'boom'),
           (42, 'b', NULL, '[\"a\"]', 'waiting', NULL, NULL, NULL),
           ('nobody', 'a', NULL, NULL, 'success', NULL, NULL, NULL),
           (NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL);",
    );
    assert_whole(&place, 5);
    let numbers = detail(&place, "numbers");
    assert_eq!(numbers.execution.status, ExecutionStatus::Success);
    let text = |time: Option<crate::base::timestamp::Timestamp>| time.unwrap().to_string();
    assert_eq!(text(numbers.execution.created_at), "2025-10-05T12:00:00.500000Z");
    assert_eq!(text(numbers.execution.started_at), "2025-10-05T12:00:00.000000Z");
    assert_eq!(text(numbers.execution.completed_at), "2025-10-05T12:00:01.500000Z");
    assert_eq!(numbers.execution.step_order, ["a", "b", "step-3"]);
    assert_eq!(numbers.steps[0].status, StepStatus::Skipped);
    let offset = detail(&place, "offset");
    assert_eq!(offset.execution.status, ExecutionStatus::Interrupted);
    assert!(offset.execution.error.unwrap().contains("`Weird`"));
    assert_eq!(text(offset.execution.created_at), "2025-10-05T12:00:00.250000Z");
    assert_eq!(detail(&place, "twice").execution.status, ExecutionStatus::Success);
    assert_eq!(detail(&place, "42").execution.step_order, ["b", "a"]);
    assert_eq!(detail(&place, "predecessor-5").execution.status, ExecutionStatus::Failed);
}

#[test]
fn tables_without_rowids_are_brought_up() {
    let sample = SAMPLE.replace("error TEXT);", "error TEXT) WITHOUT ROWID;").replace(
        "PRIMARY KEY (execution_id, step_name));",
        "PRIMARY KEY (execution_id, step_name)) WITHOUT ROWID;",
    );
    assert_eq!(sample.matches("WITHOUT ROWID").count(), 2);
    assert_whole(&brought_up(&sample), 3);
}

#[test]
fn a_migration_that_fails_leaves_the_old_database_and_one_copy() {
    let place = Place::new();
    // In the way of the last table of the new schema.
    place.raw().execute_batch(&format!("{SAMPLE}; CREATE TABLE wfx_settings (mine)")).unwrap();
    let before = dump(&place.raw());
    for _ in 0..2 {
        let error = Writer::open(&place.path, options()).unwrap_err();
        assert!(error.to_string().contains("wfx_settings"), "{error}");
        assert_eq!(dump(&place.raw()), before);
        assert_eq!(place.names(), ["wfx.db", "wfx.db.v0.bak"]);
    }
    let copy = fs::read(place.beside(".v0.bak")).unwrap();
    place.raw().execute_batch("DROP TABLE wfx_settings").unwrap();
    // What a crash leaves of a copy is no obstacle.
    fs::write(place.beside(".v0.bak.part"), "half").unwrap();
    open(&place.path).close().unwrap();
    assert_whole(&place, 3);
    assert_eq!(fs::read(place.beside(".v0.bak")).unwrap(), copy);
    assert_eq!(place.names(), ["wfx.db", "wfx.db.v0.bak", "wfx.db.v0.bak.2"]);
}

#[test]
fn a_crash_in_the_middle_leaves_the_old_database() {
    let source = Place::new();
    let connection = source.raw();
    connection.execute_batch(SAMPLE).unwrap();
    connection
        .execute_batch(
            "INSERT INTO workflow_executions (execution_id, workflow_id, status, error)
               WITH RECURSIVE n (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM n WHERE n < 2000)
               SELECT 'e' || n, 'w', 'success', hex(randomblob(200)) FROM n",
        )
        .unwrap();
    let before = dump(&connection);
    // Changed pages go into the file before the commit.
    connection
        .execute_batch("PRAGMA cache_size = 10; PRAGMA foreign_keys = OFF; PRAGMA legacy_alter_table = ON; BEGIN")
        .unwrap();
    let schema = migrate::STEPS.concat();
    predecessor::rebuild(&connection, || connection.execute_batch(&schema)).unwrap();
    let crashed = Place::new();
    for suffix in ["", "-journal"] {
        fs::copy(source.beside(suffix), crashed.beside(suffix)).unwrap();
    }
    connection.execute_batch("ROLLBACK").unwrap();
    assert_eq!(dump(&connection), before);
    assert_ne!(fs::read(&crashed.path).unwrap(), fs::read(&source.path).unwrap());
    open(&crashed.path).close().unwrap();
    assert_whole_count(&crashed, 2003);
    let copy = Connection::open(crashed.beside(".v0.bak")).unwrap();
    assert_eq!(dump(&copy), before);
}

fn assert_whole_count(place: &Place, executions: u64) {
    let reader = Reader::open(&place.path).unwrap();
    assert_eq!(reader.list(&ListFilter::default(), 1, 0).unwrap().total, executions);
}

#[test]
fn a_crash_before_the_rewriting_is_made_up_for() {
    let place = brought_up(SAMPLE);
    let connection = place.raw();
    connection
        .execute_batch("PRAGMA journal_mode = DELETE; PRAGMA auto_vacuum = NONE; VACUUM")
        .unwrap();
    assert!(!migrate::is_compact(&connection).unwrap());
    drop(connection);
    open(&place.path).close().unwrap();
    assert!(migrate::is_compact(&place.raw()).unwrap());
    assert_whole(&place, 3);
}

#[test]
fn many_open_an_old_database_at_once() {
    for journal_mode in ["DELETE", "WAL"] {
        let place = Place::new();
        place
            .raw()
            .execute_batch(&format!("PRAGMA journal_mode = {journal_mode}; {SAMPLE}"))
            .unwrap();
        thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| open(&place.path).close().unwrap());
            }
        });
        assert_whole(&place, 3);
        assert_eq!(place.names(), ["wfx.db", "wfx.db.v0.bak"]);
    }
}

#[test]
fn nobody_else_may_have_it_meanwhile() {
    let hurried = WriterOptions { busy_timeout: Duration::from_millis(20), ..options() };
    for hold in ["BEGIN IMMEDIATE", "BEGIN; SELECT * FROM workflow_executions"] {
        let place = Place::new();
        let holder = place.raw();
        holder.execute_batch(SAMPLE).unwrap();
        let before = dump(&holder);
        holder.execute_batch(hold).unwrap();
        let error = Writer::open(&place.path, hurried.clone()).unwrap_err();
        assert_eq!(error.kind(), StoreErrorKind::Locked, "{hold}: {error}");
        assert!(error.hint().is_some());
        assert_eq!(dump(&holder), before);
        assert!(!place.beside(".v0.bak").exists());
        drop(holder);
        open(&place.path).close().unwrap();
        assert_whole(&place, 3);
    }
}

#[test]
fn another_wfx_that_runs_executions_is_in_the_way() {
    let place = Place::new();
    place.raw().execute_batch(SAMPLE).unwrap();
    // This process is no other one.
    let own = Owner::claim(&place.path, None, OwnerKind::Exec, 1).unwrap();
    let other = place.beside("-owners").join("exec-1-00000002");
    let held = fs::File::create(&other).unwrap();
    held.lock().unwrap();
    let hurried = WriterOptions { busy_timeout: Duration::from_millis(20), ..options() };
    let error = Writer::open(&place.path, hurried).unwrap_err();
    assert_eq!(error.kind(), StoreErrorKind::Locked);
    assert!(error.to_string().contains("exec-1-00000002"), "{error}");
    drop(held);
    open(&place.path).close().unwrap();
    drop(own);
    assert_whole(&place, 3);
}

#[test]
fn reading_an_old_database_names_what_brings_it_up_and_changes_nothing() {
    let place = Place::new();
    place.raw().execute_batch(SAMPLE).unwrap();
    let before = fs::read(&place.path).unwrap();
    let error = Reader::open(&place.path).unwrap_err();
    assert_eq!(error.kind(), StoreErrorKind::NeedsMigration);
    assert!(error.hint().unwrap().contains("wfx exec"));
    assert_eq!(fs::read(&place.path).unwrap(), before);
    assert_eq!(place.names(), ["wfx.db"]);
}
