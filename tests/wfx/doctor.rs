//! `wfx doctor`: finds what is wrong, says what to do, changes nothing.

use std::fs;
use std::os::unix::fs::PermissionsExt;

use serde_json::Value;

use crate::support::{Place, Ran, Running};

fn doctor(place: &Place) -> Ran {
    place.run(["doctor", "--format", "json"])
}

/// `check state` of all that is not ok.
fn told(ran: &Ran) -> Vec<String> {
    let findings = ran.json()["findings"].clone();
    let findings: Vec<Value> = findings.as_array().unwrap().clone();
    for finding in &findings {
        assert_eq!(finding["remedy"].is_null(), finding["state"] == "ok", "{finding}");
    }
    findings
        .iter()
        .filter(|finding| finding["state"] != "ok")
        .map(|finding| {
            format!("{} {}", finding["check"].as_str().unwrap(), finding["state"].as_str().unwrap())
        })
        .collect()
}

fn healthy() -> Place {
    let place = Place::new();
    place.exec("steps: [{name: a, run: 'echo out'}]", 0);
    place
}

#[test]
fn all_is_well() {
    let place = healthy();
    let before = fs::read(place.database()).unwrap();
    let ran = doctor(&place);
    assert_eq!(ran.code, Some(0), "{ran:?}");
    assert_eq!(told(&ran), [] as [&str; 0]);
    assert_eq!(ran.json()["ok"], true);
    let ran = place.run(["doctor"]);
    assert!(ran.stdout.contains("all is well") && ran.stdout.contains("wfx.db: 1 execution"));
    let version = place.run(["--version"]).stdout;
    assert!(ran.stdout.contains(version.trim_end()), "{version}: {ran:?}");
    assert_eq!(fs::read(place.database()).unwrap(), before);
}

#[test]
fn no_database_is_no_fault() {
    let place = Place::new();
    let ran = doctor(&place);
    assert_eq!((ran.code, told(&ran)), (Some(0), vec!["database note".to_owned()]));
    assert!(!place.database().exists());
}

#[test]
fn a_damaged_database_is_found() {
    let place = healthy();
    // A root page of a table whose rows nobody has read yet.
    let page: usize = place
        .sql("SELECT rootpage FROM sqlite_schema WHERE name = 'workflow_execution_attempts'")
        .parse()
        .unwrap();
    let mut bytes = fs::read(place.database()).unwrap();
    bytes[(page - 1) * 4096..page * 4096].fill(0x5a);
    fs::write(place.database(), bytes).unwrap();
    let ran = doctor(&place);
    assert_eq!((ran.code, told(&ran)), (Some(1), vec!["integrity problem".to_owned()]), "{ran:?}");
    assert!(ran.stdout.contains(".recover"), "{ran:?}");
}

#[test]
fn what_is_no_database_is_told() {
    let place = Place::new();
    fs::write(place.database(), "not SQLite").unwrap();
    let ran = doctor(&place);
    assert_eq!((ran.code, told(&ran)), (Some(1), vec!["database problem".to_owned()]));
}

#[test]
fn an_old_database_waits_for_who_writes() {
    let place = Place::new();
    place.sql(
        "CREATE TABLE workflow_executions (execution_id TEXT PRIMARY KEY);
         CREATE TABLE workflow_execution_steps (execution_id TEXT)",
    );
    let ran = doctor(&place);
    assert_eq!((ran.code, told(&ran)), (Some(3), vec!["database problem".to_owned()]), "{ran:?}");
    assert!(ran.stdout.contains("`recover`") && ran.stdout.contains("a copy"), "{ran:?}");
    // Of its own earlier versions it keeps none.
    let place = healthy();
    place.sql("PRAGMA user_version = 2");
    let ran = doctor(&place);
    assert_eq!((ran.code, told(&ran)), (Some(3), vec!["database problem".to_owned()]), "{ran:?}");
    assert_eq!(ran.json()["ok"], false);
    assert!(ran.stdout.contains("`wfx serve`") && !ran.stdout.contains("copy"), "{ran:?}");
}

#[test]
fn what_dead_processes_left_is_found_and_recover_mends_it() {
    let place = Place::new();
    let file = place.write("w.yaml", "steps: [{name: a, run: 'echo begun; exec sleep 1000'}]");
    let mut running = Running::start(place.wfx(["exec", "-v"]).arg(file));
    running.wait_for("begun");
    // Alive: nothing is wrong.
    assert_eq!(told(&doctor(&place)), [] as [&str; 0]);
    running.signal("KILL");
    running.end();
    let ran = doctor(&place);
    assert_eq!(ran.code, Some(1), "{ran:?}");
    assert_eq!(told(&ran), ["owner problem", "process problem", "temporary note"]);
    assert!(ran.stdout.contains("(sleep) still works for step a"), "{ran:?}");
    assert_eq!(place.run(["recover"]).code, Some(1));
    let ran = doctor(&place);
    assert_eq!((ran.code, told(&ran)), (Some(0), vec![]), "{ran:?}");
}

#[test]
fn bad_settings_and_folders_are_told() {
    let place = healthy();
    fs::set_permissions(place.database(), fs::Permissions::from_mode(0o644)).unwrap();
    let mut command = place.wfx(["doctor", "--format", "json"]);
    let ran = Ran::of(
        command.env("WORKFLOW_EXECUTION_RETENTION", "many").env("TMPDIR", place.path("nowhere")),
    );
    assert_eq!(ran.code, Some(1), "{ran:?}");
    assert_eq!(told(&ran), ["settings problem", "permissions note", "temporary problem"]);
    assert!(ran.stdout.contains("WORKFLOW_EXECUTION_RETENTION"), "{ran:?}");
}
