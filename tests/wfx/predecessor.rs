//! The predecessor's database: brought up, readable, replayable.

use std::process::Command;

use crate::support::{Place, Ran, root, states};

fn sample(place: &Place) {
    let sql = std::fs::read_to_string(root().join("fixtures/predecessor/predecessor.sql")).unwrap();
    let ran =
        crate::support::with_stdin(Command::new("sqlite3").arg(place.database()), sql.as_bytes());
    assert_eq!(ran.code, Some(0), "{ran:?}");
}

#[test]
fn readers_say_what_brings_it_up() {
    let place = Place::new();
    sample(&place);
    let before = place.sql("SELECT count(*) FROM workflow_executions");
    for command in [&["list"][..], &["show", "@1"], &["purge", "--all", "--dry-run"]] {
        place.run(command.iter().copied()).refused(3, &["wfx.db", "wfx exec"]);
    }
    assert_eq!(place.sql("PRAGMA user_version"), "0");
    assert_eq!(place.sql("SELECT count(*) FROM workflow_executions"), before);
}

#[test]
fn its_history_is_shown_and_replayed() {
    let place = Place::new();
    sample(&place);
    let count: u64 = place.sql("SELECT count(*) FROM workflow_executions").parse().unwrap();
    let id = place.sql(
        "SELECT execution_id FROM workflow_executions WHERE status IN ('success', 'completed') LIMIT 1",
    );
    let ran = Ran::of(place.wfx(["replay", "--format", "json"]).arg(&id));
    assert!(matches!(ran.code, Some(0 | 1)), "{ran:?}");
    let replayed = ran.json();
    assert_eq!(replayed["execution"]["replay_of"], id.as_str());
    assert!(!states(&replayed).is_empty());
    assert_eq!(place.list()["total"], count + 1);
    for seq in 1..=count {
        let ran = place.run(["show", &format!("@{seq}")]);
        assert_eq!(ran.code, Some(0), "{ran:?}");
    }
    assert_eq!(
        place
            .sql("SELECT count(*) FROM workflow_executions WHERE status IN ('pending', 'running')"),
        "0"
    );
    assert_eq!(place.sql("PRAGMA integrity_check"), "ok");
    let copy = Ran::of(
        Command::new("sqlite3")
            .arg(place.path("wfx.db.v0.bak"))
            .arg("SELECT count(*) FROM workflow_executions"),
    );
    assert_eq!(copy.stdout.trim(), count.to_string());
}
