//! What the daemon keeps: the retention of the workflows of its folder, definitions that requests
//! bring, pins.

use std::thread;

use super::*;

const OLD: &str = "2020-01-01T00:00:00.000000Z";

const KEPT: &str = "id: kept\nretention: {keep: 2}\nsteps: [{name: a}]\n";

fn start(daemon: &Daemon, workflow_id: &str, body: &str) -> String {
    id_of(
        &daemon
            .post(&format!("/api/v1/workflows/{workflow_id}/execute?wait=30s"), body)
            .expect(200),
    )
}

fn ids(daemon: &Daemon, workflow_id: &str) -> Vec<String> {
    let list = daemon.get(&format!("/api/v1/workflows/{workflow_id}/executions")).expect(200);
    list["items"].as_array().unwrap().iter().map(id_of_item).rev().collect()
}

fn id_of_item(item: &Value) -> String {
    item["execution_id"].as_str().unwrap().to_owned()
}

#[test]
fn the_retention_of_the_folder_applies_and_requests_do_not_change_it() {
    let place = place();
    place.write("workflows/kept.yaml", KEPT);
    let daemon = serve(&place, &["--definitions", "api", "--retention", "3"]);
    let own: Vec<String> = (0..3).map(|_| start(&daemon, "kept", "")).collect();
    let body = r#"{"id": "kept", "retention": {"keep": 1}, "steps": [{"name": "a"}]}"#;
    let ad_hoc: Vec<String> = (0..2).map(|_| start(&daemon, "kept", body)).collect();
    let replayed = daemon.post(&format!("{EXECUTIONS}/{}/replay?wait=30s", ad_hoc[0]), "");
    let replayed = id_of(&replayed.expect(200));
    // They count with all others.
    let other = start(&daemon, "greet", "");
    until("it is pruned", || ids(&daemon, "kept").len() == 4);
    assert_eq!(ids(&daemon, "kept"), [&own[1..], &[ad_hoc[1].clone(), replayed]].concat());
    assert_eq!(ids(&daemon, "greet"), [other]);
    assert_eq!(place.sql("SELECT workflow_id, keep FROM workflow_retention"), "kept|2");

    // Nothing is started: the file alone decides.
    place.write("workflows/kept.yaml", "id: kept\nretention: {keep: 1}\nsteps: [{name: a}]\n");
    until("the new number applies", || !ids(&daemon, "kept").contains(&own[1]));
    place.write("workflows/kept.yaml", "id: kept\nsteps: [{name: a}]\n");
    until("it has none any more", || place.sql("SELECT count(*) FROM workflow_retention") == "0");
    daemon.stop();
}

#[test]
fn what_becomes_too_old_goes_from_an_idle_daemon() {
    let place = place();
    place.write("workflows/aged.yaml", "id: aged\nretention: {success: 30d}\nsteps: [{name: a}]\n");
    let daemon = serve(&place, &[]);
    let aged: Vec<String> = (0..3).map(|_| start(&daemon, "aged", "")).collect();
    daemon.post(&format!("{EXECUTIONS}/{}/pin", aged[0]), "").expect(200);
    place.sql(&format!("UPDATE workflow_executions SET completed_at = '{OLD}'"));
    until("it goes", || ids(&daemon, "aged") == [&*aged[0], &*aged[2]]);
    // A purge beside the daemon does what the daemon does.
    assert_eq!(place.run(["purge"]).code, Some(0));
    assert_eq!(ids(&daemon, "aged").len(), 2);
    daemon.stop();
}

#[test]
fn executions_are_pinned_over_the_api() {
    let place = place();
    let daemon = serve(&place, &["--retention", "1"]);
    let id = start(&daemon, "greet", "");
    let path = format!("{EXECUTIONS}/{id}");
    let shown = || daemon.get(&path).expect(200)["execution"]["pinned"].clone();
    assert_eq!(shown(), Value::Null);
    let pinned = daemon.post(&format!("{path}/pin"), r#"{"reason": "audit"}"#).expect(200);
    assert_eq!((&pinned["execution_id"], &pinned["pinned"]["by"]), (&json!(id), &json!("api")));
    assert_eq!(shown(), pinned["pinned"]);
    assert_eq!(place.show(&id)["execution"]["pinned"], pinned["pinned"]);
    let waiting = id_of(&daemon.post("/api/v1/workflows/waiting/execute", "").expect(200));
    daemon.post(&format!("{EXECUTIONS}/waiting/pin"), "").expect(200);
    let last = (0..3).map(|_| start(&daemon, "greet", "")).last().unwrap();
    until("others are pruned", || ids(&daemon, "greet") == [&*id, &*last]);
    for (path, body, status) in [
        (format!("{path}/pin"), r#"{"why": "x"}"#, 400),
        (format!("{path}/pin"), r#"{"reason": 7}"#, 400),
        (format!("{path}/unpin"), r#"{"reason": "x"}"#, 400),
        (format!("{EXECUTIONS}/01890000-0000-7000-8000-000000000000/pin"), "", 404),
        (format!("{EXECUTIONS}/@99/unpin"), "", 404),
    ] {
        daemon.post(&path, body).expect(status);
    }
    let long = json!({"reason": "x".repeat(1001)}).to_string();
    assert_eq!(pointers(&daemon.post(&format!("{path}/pin"), &long).expect(400)), ["/reason"]);
    let unpinned = daemon.post(&format!("{path}/unpin"), "").expect(200);
    assert_eq!((unpinned["pinned"].clone(), shown()), (Value::Null, Value::Null));
    place.write("go", "");
    until("it has ended", || place.show(&waiting)["execution"]["status"] == "success");
    assert_ne!(place.show(&waiting)["execution"]["pinned"], Value::Null);
    daemon.stop();
}

/// Retention and a pin at the same moment: exactly one wins, and the answer says which.
#[test]
fn what_is_pinned_while_it_is_being_deleted_is_pinned_or_gone() {
    let place = place();
    let daemon = serve(&place, &["--retention", "1"]);
    let pins: Vec<(String, u16)> = thread::scope(|scope| {
        let mut pins = Vec::new();
        let mut before = start(&daemon, "greet", "");
        for _ in 0..25 {
            let starting = scope.spawn(|| start(&daemon, "greet", ""));
            let answer = daemon.post(&format!("{EXECUTIONS}/{before}/pin"), "");
            pins.push((before, answer.status));
            before = starting.join().unwrap();
        }
        pins
    });
    daemon.stop();
    let list = place.list();
    for (id, status) in pins {
        let is_there =
            list["items"].as_array().unwrap().iter().any(|item| item["execution_id"] == *id);
        assert_eq!((status, is_there), if is_there { (200, true) } else { (404, false) });
    }
}
