//! A database of version 1, as the wfx before this one wrote it.

use super::*;
use crate::support::Running;

const FIRST: &str = include_str!("../../../src/repository/sqlite/schema/001_initial.sql");
const SECOND: &str = include_str!("../../../src/repository/sqlite/schema/002_settings.sql");
const ID: &str = "01234567-89ab-7cde-8f01-23456789abcd";

fn make_first(place: &Place) {
    let at = "'2026-01-02T03:04:05.000000Z'";
    place.sql(&format!(
        r#"PRAGMA page_size = 4096; PRAGMA auto_vacuum = INCREMENTAL; PRAGMA journal_mode = WAL;
        {FIRST}
        INSERT INTO workflow_executions (execution_id, workflow_id, status, created_at, started_at,
          completed_at, updated_at, steps_completed, total_steps, step_order, input_snapshot)
        VALUES ('{ID}', 'old', 'success', {at}, {at}, {at}, {at}, 1, 1, '["a"]',
          '{{"definition":{{"id":"old","steps":[{{"name":"a"}}]}},"params":{{}},"workdir":"/"}}');
        INSERT INTO workflow_execution_steps (seq, position, step_name, status, started_at,
          completed_at, duration_ms, attempt, depends_on)
        VALUES (1, 0, 'a', 'success', {at}, {at}, 0, 1, '[]');
        PRAGMA application_id = 0x77667831; PRAGMA user_version = 1"#
    ));
}

fn version(place: &Place) -> String {
    place.sql("PRAGMA user_version")
}

#[test]
fn commands_that_write_bring_it_up_and_others_say_so() {
    let place = place();
    make_first(&place);
    for args in [&["list"] as &[&str], &["show", "@1"], &["purge", "--dry-run"]] {
        place.run(args).refused(3, &["wfx serve"]);
        assert_eq!(version(&place), "1", "{args:?}");
    }
    let daemon = serve(&place, &[]);
    assert_ne!(version(&place), "1");
    let path = format!("{EXECUTIONS}/{ID}");
    let old = daemon.get(&path).expect(200);
    assert_eq!(states(&old), ["a success"]);
    assert_eq!(old["execution"]["created_at"], "2026-01-02T03:04:05.000000Z");
    assert_eq!(place.show(ID), old);
    let again = daemon.post(&format!("{path}/replay?wait=30s"), "").expect(200);
    assert_eq!(again["execution"]["replay_of"], ID);
    assert_eq!(daemon.get("/api/v1/workflows/old/executions").expect(200)["total"], 2);
    daemon.stop();
    assert_eq!(place.sql("PRAGMA integrity_check"), "ok");
}

#[test]
fn it_is_left_as_it_is_while_another_wfx_has_it() {
    let place = place();
    let mut holder = Running::start(&mut place.wfx(["exec", "-v", "workflows/waiting.yaml"]));
    holder.wait_for("wait started");
    let current = version(&place);
    place.sql("DROP TABLE workflow_settings; PRAGMA user_version = 1");
    place.write("w.yaml", "steps: [{name: a}]");
    let exec = ["exec", "--store-timeout", "100ms", "w.yaml"];
    place.run(exec).refused(3, &["another wfx", "try again"]);
    assert_eq!(version(&place), "1");
    place.sql(&format!("PRAGMA user_version = {current}; {SECOND}"));
    place.write("go", "");
    let ran = holder.end();
    assert_eq!(ran.code, Some(0), "{ran:?}");
}
