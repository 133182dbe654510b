//! The store fails while an execution runs: what runs finishes, nothing more starts, it is
//! told and nothing is left behind.

use std::fs;

use crate::support::{Place, Running, processes_with, states};

/// Its first step ends when there is a file `go`; `after` is a marker of the second.
const TWO: &str = "id: two
steps:
- {name: first, run: 'echo begun; until test -e go; do sleep 0.02; done; touch finished'}
- {name: second, run: 'touch after'}
";

fn start(place: &Place, more: &[&str]) -> Running {
    let file = place.write("w.yaml", TWO);
    let mut running = Running::start(place.wfx(["exec", "-v"]).args(more).arg(file));
    running.wait_for("begun");
    running
}

#[test]
fn an_execution_deleted_under_its_process_leaves_nothing_running() {
    let place = Place::new();
    let running = start(&place, &[]);
    let id = place.sql("SELECT execution_id FROM workflow_executions");
    place.sql("DELETE FROM workflow_executions");
    place.write("go", "");
    running.end().refused(3, &["the repository refused the execution", "deleted"]);
    assert!(place.path("finished").exists(), "the running step was not let finish");
    assert!(!place.path("after").exists(), "a step started that could not be stored");
    assert_eq!(processes_with(&format!("WFX_EXECUTION_ID={id}")), [] as [u32; 0]);
}

#[test]
fn a_deleted_database_is_told_while_nothing_is_written_and_given_up() {
    let place = Place::new();
    let mut running = start(&place, &["--store-timeout", "300ms"]);
    fs::rename(place.database(), place.path("elsewhere.db")).unwrap();
    // The step writes nothing meanwhile.
    running.wait_for("the file was deleted or emptied");
    place.write("go", "");
    running.end().refused(3, &["the store failed while the execution ran", "deleted"]);
    assert!(place.path("finished").exists() && !place.path("after").exists());
    // Who gives up leaves no start behind that never was one.
    fs::rename(place.path("elsewhere.db"), place.database()).unwrap();
    assert_eq!(states(&place.show("@1")), ["first running", "second pending"]);
}

#[test]
fn a_database_that_comes_back_gets_all_of_it() {
    let place = Place::new();
    let mut running = start(&place, &[]);
    fs::rename(place.database(), place.path("elsewhere.db")).unwrap();
    running.wait_for("the file was deleted or emptied");
    place.write("go", "");
    running.wait_for("first success");
    assert!(!place.path("after").exists());
    fs::rename(place.path("elsewhere.db"), place.database()).unwrap();
    running.wait_for("the database works again");
    let ran = running.end();
    assert_eq!(ran.code, Some(0), "{ran:?}");
    assert_eq!(states(&place.show("@1")), ["first success", "second success"]);
}

#[test]
fn a_truncated_log_is_told() {
    for path in ["wfx.db", "link.db"] {
        let place = Place::new();
        std::os::unix::fs::symlink("wfx.db", place.path("link.db")).unwrap();
        place.exec("steps: [{name: a}]", 0);
        let mut running = start(&place, &["--store-timeout", "300ms", "--db", path]);
        let log = place.path("wfx.db-wal");
        fs::File::options().write(true).open(log).unwrap().set_len(0).unwrap();
        running.wait_for("write-ahead log was cut to 0 of");
        place.write("go", "");
        running.end().refused(3, &["write-ahead log was cut"]);
        assert!(!place.path("after").exists());
    }
}
