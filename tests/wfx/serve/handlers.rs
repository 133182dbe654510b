//! Handlers of executions that the daemon runs.

use super::*;
use crate::support::processes_with;

const HANDLED: &str = "id: handled
steps:
- {name: a, run: 'exit 1'}
on_failure:
- {name: fails, run: 'exit 2'}
on_exit:
- {name: long, run: 'echo $WFX_STATUS; touch begun; until test -e go; do sleep 0.02; done', retry: {max_attempts: 5}}
";

fn handled() -> Place {
    let place = place();
    place.write("workflows/handled.yaml", HANDLED);
    place
}

fn start(place: &Place, daemon: &Daemon) -> String {
    let id = id_of(&daemon.post("/api/v1/workflows/handled/execute", "").expect(200));
    until("the handler runs", || place.path("begun").exists());
    std::fs::remove_file(place.path("begun")).unwrap();
    id
}

#[test]
fn the_api_shows_them_beside_steps_and_metrics_count_them() {
    let place = handled();
    let daemon = serve(&place, &[]);
    let id = start(&place, &daemon);
    let running = daemon.get(&format!("{EXECUTIONS}/{id}")).expect(200);
    assert_eq!(
        (&running["execution"]["status"], &running["execution"]["outcome"]),
        (&json!("running"), &json!("failed"))
    );
    assert_eq!(running["handlers"][1]["status"], "running");
    place.write("go", "");
    until("it has ended", || place.show(&id)["execution"]["status"] == "failed");
    let done = daemon.get(&format!("{EXECUTIONS}/{id}")).expect(200);
    assert_eq!(done, place.show(&id));
    assert_eq!(states(&done), ["a failed"]);
    assert_eq!(done["handlers"][0]["error"], "exit code 2");
    assert_eq!(done["handlers"][1]["stdout"], "failed\n");
    assert_eq!(done["execution"]["error"], "step `a` failed: exit code 1");
    let metrics = daemon.get("/metrics").body;
    for line in [
        r#"wfx_handlers_total{kind="on_failure",status="failed"} 1"#,
        r#"wfx_handlers_total{kind="on_exit",status="success"} 1"#,
        r#"wfx_executions_total{status="failed"} 1"#,
    ] {
        assert!(metrics.contains(line), "{line}: {metrics}");
    }
    // They are no steps.
    assert!(!metrics.contains(r#"step_name="long""#) && metrics.contains(r#"step_name="a""#));
    daemon.signal("TERM");
    let ran = daemon.end();
    assert!(ran.stderr.contains("a handler did not succeed"), "{ran:?}");
}

#[test]
fn a_drain_waits_for_them_and_what_is_left_is_gone_on_with() {
    let place = handled();
    let daemon = serve(&place, &["--drain-timeout", "5m"]);
    let id = start(&place, &daemon);
    daemon.signal("TERM");
    until("nobody listens", || daemon.try_send("GET /healthz HTTP/1.0\r\n\r\n").is_err());
    place.write("go", "");
    assert_eq!(daemon.end().code, Some(0));
    let done = place.show(&id);
    assert_eq!(done["execution"]["status"], "failed");
    assert_eq!(done["handlers"][1]["attempt"], 1);
    std::fs::remove_file(place.path("go")).unwrap();
    // A drain that waits no longer, and a crash.
    for (attempt, signal) in [(1, "TERM"), (2, "KILL")] {
        let daemon = serve(&place, &["--drain-timeout", "0s"]);
        if attempt == 1 {
            start(&place, &daemon);
        } else {
            until("the handler runs again", || place.path("begun").exists());
        }
        daemon.signal(signal);
        daemon.end();
        let left = place.show("@2");
        assert_eq!(left["execution"]["outcome"], "failed");
        assert_eq!(left["handlers"][1]["attempt"], attempt);
    }
    place.write("go", "");
    let daemon = serve(&place, &[]);
    until("it has ended", || place.show("@2")["execution"]["status"] == "failed");
    let done = place.show("@2");
    // Only the one that was running is repeated.
    assert_eq!(
        (&done["handlers"][0]["attempt"], &done["handlers"][1]["attempt"]),
        (&json!(1), &json!(3))
    );
    let id = id_of(&done);
    assert_eq!(processes_with(&format!("WFX_EXECUTION_ID={id}")), [] as [u32; 0]);
    daemon.stop();
}

/// Steps whose text is long are written piece by piece.
#[test]
fn a_long_answer_has_them_too() {
    let place = place();
    let long = "id: long
steps:
- {name: a, depends_on: [], run: 'head -c 65000 /dev/zero | tr \"\\0\" x'}
- {name: b, depends_on: [], run: 'head -c 65000 /dev/zero | tr \"\\0\" x'}
- {name: c, depends_on: [], run: 'head -c 65000 /dev/zero | tr \"\\0\" x'}
- {name: d, depends_on: [], run: 'head -c 65000 /dev/zero | tr \"\\0\" x'}
on_exit: [{name: e, run: echo hi}]
";
    place.write("workflows/long.yaml", long);
    let daemon = serve(&place, &[]);
    let done = daemon.post("/api/v1/workflows/long/execute?wait=30s", "").expect(200);
    let id = id_of(&done);
    let shown = daemon.get(&format!("{EXECUTIONS}/{id}")).expect(200);
    assert_eq!(shown["handlers"][0]["stdout"], "hi\n");
    assert_eq!(shown["steps"].as_array().unwrap().len(), 4);
    assert_eq!(shown, place.show(&id));
    daemon.stop();
}

#[test]
fn what_is_not_stored_yet_has_them_in_memory() {
    let place = handled();
    let daemon = serve(&place, &[]);
    let other = rusqlite::Connection::open(place.database()).unwrap();
    other.execute_batch("BEGIN IMMEDIATE").unwrap();
    let started = daemon.post("/api/v1/workflows/handled/execute", "").expect(200);
    assert_eq!(started["persisted"], false);
    let show = || daemon.get(&format!("{EXECUTIONS}/{}", id_of(&started))).expect(200);
    until("the handler runs", || place.path("begun").exists());
    until("it is shown", || show()["handlers"].as_array().unwrap().len() == 2);
    let running = show();
    assert_eq!(running["execution"]["outcome"], "failed");
    assert_eq!(running["handlers"][0]["status"], "failed");
    assert_eq!(running["handlers"][1]["status"], "running");
    place.write("go", "");
    until("it has ended", || show()["execution"]["status"] == "failed");
    let ended = show();
    assert_eq!(ended["execution"]["persisted"], false);
    assert_eq!(ended["handlers"][1]["stdout"], "failed\n");
    other.execute_batch("COMMIT").unwrap();
    // Its start may be committed before the rest.
    until("all of it is stored", || {
        let execution = show()["execution"].clone();
        execution["persisted"] == true && execution["status"] == "failed"
    });
    assert_eq!(show()["handlers"], ended["handlers"]);
    daemon.stop();
}
