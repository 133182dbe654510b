//! Signals: cancelled and stored, no process left behind.

use crate::support::{Place, Running, nobody_is_left, processes_with, start_exec, states};

const LONG: &str = "id: long
steps:
- {name: first}
- {name: long, run: 'echo begun; sleep 1000 & sleep 1000; wait'}
- {name: nap, sleep: 1000s, depends_on: [first]}
- {name: never, depends_on: [long]}
";

#[test]
fn who_is_not_stored_yet_can_be_cancelled() {
    let place = Place::new();
    place.exec("steps: [{name: a}]", 0);
    let other = rusqlite::Connection::open(place.database()).unwrap();
    other.execute_batch("BEGIN IMMEDIATE").unwrap();
    let file = place.write("w.yaml", LONG);
    let mut running = Running::start(place.wfx(["exec"]).arg(file));
    running.wait_for("no further step starts");
    running.signal("INT");
    let ran = running.end();
    ran.refused(130, &["nothing was started", "another process"]);
    other.execute_batch("COMMIT").unwrap();
    assert_eq!(place.list()["total"], 1);
}

#[test]
fn a_signal_cancels_and_stores() {
    for (signal, code) in [("INT", 130), ("TERM", 143)] {
        let place = Place::new();
        let running = start_exec(&place, LONG);
        running.signal(signal);
        let ran = running.end();
        assert_eq!(ran.code, Some(code), "{ran:?}");
        let execution = place.show("@1");
        assert_eq!(
            states(&execution),
            ["first success", "long cancelled", "nap cancelled", "never cancelled"]
        );
        assert_eq!(execution["execution"]["status"], "cancelled");
        assert!(execution["execution"]["completed_at"].is_string());
        nobody_is_left(&place);
    }
}

#[test]
#[expect(clippy::disallowed_methods, reason = "the second signal is there to save time")]
fn a_second_signal_kills_what_will_not_end() {
    let place = Place::new();
    let mut running = start_exec(
        &place,
        "steps: [{name: stubborn, run: \"trap 'echo not me' TERM INT; echo begun; while :; do sleep 0.1; done\"}]",
    );
    let begin = std::time::Instant::now();
    running.signal("INT");
    running.wait_for("not me");
    running.signal("INT");
    let ran = running.end();
    assert_eq!(ran.code, Some(130), "{ran:?}");
    // Without the second one the grace of 5 s would have passed.
    assert!(begin.elapsed() < std::time::Duration::from_secs(5), "{:?}", begin.elapsed());
    assert_eq!(states(&place.show("@1")), ["stubborn cancelled"]);
    nobody_is_left(&place);
}

#[test]
fn two_signals_at_once_are_a_cancel_that_kills() {
    let place = Place::new();
    let running = start_exec(&place, LONG);
    running.signal("HUP");
    running.signal("TERM");
    let ran = running.end();
    assert_eq!(ran.code, Some(143), "{ran:?}");
    assert_eq!(place.show("@1")["execution"]["status"], "cancelled");
    nobody_is_left(&place);
}

#[test]
fn what_the_caller_ignores_stays_ignored() {
    let place = Place::new();
    let file = place.write(
        "w.yaml",
        "steps: [{name: a, run: 'echo begun; until test -e go; do sleep 0.02; done'}]",
    );
    let wfx = place.wfx(["exec", "-v"]);
    let mut command = std::process::Command::new("sh");
    command
        .args(["-c", "trap '' HUP; exec \"$0\" exec -v \"$1\"", env!("CARGO_BIN_EXE_wfx")])
        .arg(&file)
        .current_dir(place.path(""))
        .env_clear();
    for (name, value) in wfx.get_envs() {
        command.env(name, value.unwrap());
    }
    let mut running = Running::start(&mut command);
    running.wait_for("begun");
    running.signal("HUP");
    place.write("go", "");
    let ran = running.end();
    assert_eq!(ran.code, Some(0), "{ran:?}");
}

#[test]
fn a_start_is_durable_before_the_work() {
    let place = Place::new();
    let running = start_exec(&place, "steps: [{name: a, run: 'echo begun; sleep 1000'}]");
    // Killed as by a power loss: what is stored says which step may have run.
    running.signal("KILL");
    running.end();
    assert_eq!(place.sql("SELECT status FROM workflow_executions"), "running");
    assert_eq!(place.sql("SELECT status, attempt FROM workflow_execution_steps"), "running|1");
    let id = place.sql("SELECT execution_id FROM workflow_executions");
    for pid in processes_with(&format!("WFX_EXECUTION_ID={id}")) {
        let _ = std::process::Command::new("kill").args(["-9", &pid.to_string()]).status();
    }
}
