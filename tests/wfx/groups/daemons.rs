//! Groups of executions that daemons run.

use serde_json::{Value, json};

use super::{check_counts, hold, order, passes, queue, status, succeeded, waits_for_go, watched};
use crate::daemon::Daemon;
use crate::support::{Place, Running, until};

const HELD: &str = "/api/v1/workflows/held/execute";
const EXECUTIONS: &str = "/api/v1/workflows/executions";

fn place(document: &str) -> Place {
    let place = watched();
    std::fs::create_dir(place.path("flows")).unwrap();
    place.write("flows/held.yaml", document);
    place
}

fn serve(place: &Place) -> Daemon {
    let folder = place.path("flows");
    Daemon::start(place, &["--workflows", folder.to_str().unwrap(), "--definitions", "api"])
}

fn execution(daemon: &Daemon, id: &Value) -> Value {
    let id = id.as_str().unwrap();
    daemon.get(&format!("{EXECUTIONS}/{id}")).expect(200)["execution"].clone()
}

fn start(daemon: &Daemon) -> Value {
    daemon.post(HELD, "").expect(200)
}

fn until_running(place: &Place, number: u32) {
    until("its step has begun", || {
        place.path("ran").exists()
            && status(place, number) == "running"
            && order(place).contains(&i64::from(number))
    });
}

#[test]
fn a_start_that_waits_is_answered_as_queued() {
    let place = place(&waits_for_go("concurrency: {limit: 1, max_queued: 2}"));
    let daemon = serve(&place);
    let holder = start(&daemon);
    assert_eq!(holder["status"], "started");
    let waiters: Vec<Value> = (0..2).map(|_| start(&daemon)).collect();
    for waiter in &waiters {
        assert_eq!(waiter["status"], "queued");
        assert_eq!(waiter["persisted"], true);
        assert_eq!(waiter["waiting_for"]["group"], "held");
        assert_eq!(waiter["waiting_for"]["holders"], json!([holder["execution_id"]]));
        let shown = execution(&daemon, &waiter["execution_id"]);
        assert_eq!(shown["status"], "pending");
        assert_eq!(shown["waiting_for"]["holders"], json!([holder["execution_id"]]));
    }
    let full = daemon.post(HELD, "");
    assert_eq!(full.status, 503, "{full:?}");
    assert!(full.body.contains("max_queued"), "{full:?}");
    let queue = daemon.get("/api/v1/queue").expect(200);
    assert_eq!(queue["groups"][0]["waiting"], 2);
    let metrics = daemon.get("/metrics").body;
    assert!(metrics.contains("wfx_group_waiting{group=\"held\"} 2"), "{metrics}");
    assert!(metrics.contains("wfx_group_wait_seconds_count 0"), "{metrics}");

    // One that waits is cancelled at once, and takes its place out of the queue.
    let id = waiters[0]["execution_id"].as_str().unwrap();
    daemon.post(&format!("{EXECUTIONS}/{id}/cancel"), "").expect(200);
    until("it is cancelled", || execution(&daemon, &json!(id))["status"] == "cancelled");
    assert_eq!(start(&daemon)["status"], "queued");
    place.write("go", "");
    until("all have ended", || status(&place, 5) == "success");
    assert_eq!(order(&place), [2, 4, 5]);
    until("the wait is measured", || {
        daemon.get("/metrics").body.contains("wfx_group_wait_seconds_count 2")
    });
    daemon.stop();
    check_counts(&place);
}

#[test]
fn a_start_that_may_not_wait_is_refused() {
    let place = place(&waits_for_go("concurrency: {limit: 1, on_conflict: reject}"));
    let daemon = serve(&place);
    start(&daemon);
    let refused = daemon.post(HELD, "");
    assert_eq!(refused.status, 409, "{refused:?}");
    assert!(refused.body.contains("@2"), "{refused:?}");
    // What a request defines is of another group.
    let body =
        r#"{"id": "held", "concurrency": {"on_conflict": "reject"}, "steps": [{"name": "a"}]}"#;
    daemon.post(&format!("{HELD}?wait=30s&fail=true"), body).expect(200);
    let groups = "SELECT base, slots, set_by FROM workflow_group_limits ORDER BY base";
    assert_eq!(place.sql(groups), "adhoc/held|1|\nheld|1|held");
    place.write("go", "");
    until("it has ended", || status(&place, 2) == "success");
    daemon.stop();
    check_counts(&place);
}

#[test]
fn a_daemon_that_stops_leaves_its_queue_to_the_next_one() {
    let place = place(&waits_for_go("concurrency: 1"));
    let daemon = serve(&place);
    for _ in 0..4 {
        start(&daemon);
    }
    until_running(&place, 2);
    daemon.signal("TERM");
    place.write("go", "");
    let ran = daemon.end();
    assert_eq!(ran.code, Some(0), "{ran:?}");
    assert_eq!(status(&place, 2), "success");
    check_counts(&place);
    assert_eq!(place.sql("SELECT count(*) FROM workflow_executions WHERE status = 'pending'"), "3");
    let daemon = serve(&place);
    until("all have ended", || status(&place, 5) == "success");
    assert_eq!(order(&place), [2, 3, 4, 5]);
    daemon.stop();
    check_counts(&place);
}

#[test]
fn a_killed_daemon_is_gone_on_with_in_its_order() {
    let again = "concurrency: 1";
    let document = waits_for_go(again) + "  retry: {max_attempts: 5, backoff: 1ms}\n";
    let place = place(&document);
    let mut daemon = serve(&place);
    for _ in 0..3 {
        start(&daemon);
    }
    until_running(&place, 2);
    daemon.child.kill().unwrap();
    daemon.child.wait().unwrap();
    // Who comes meanwhile is behind those of the daemon, which keep their slot.
    let file = place.write("late.yaml", passes(again));
    let mut late = Running::start(place.wfx(["exec"]).arg(file));
    late.wait_for("waiting for a slot");
    let daemon = serve(&place);
    until("it runs again", || order(&place).len() == 2);
    assert_eq!(status(&place, 2), "running");
    place.write("go", "");
    until("all have ended", || status(&place, 4) == "success");
    daemon.stop();
    drop(late.end());
    assert_eq!(status(&place, 5), "success");
    let mut began = order(&place);
    began.dedup();
    // A dead waiter is skipped until its daemon is back.
    let position = |number| began.iter().position(|it| *it == number);
    assert!(position(2) < position(3) && position(3) < position(4), "{began:?}");
    check_counts(&place);
}

#[test]
fn a_killed_exec_is_settled_by_a_daemon_though_nobody_waits() {
    let place = place(&passes("concurrency: {on_conflict: reject}"));
    let mut holder = hold(&place, "concurrency: 1");
    let daemon = serve(&place);
    assert_eq!(daemon.post(HELD, "").status, 409);
    holder.child.kill().unwrap();
    holder.child.wait().unwrap();
    until("the slot is free", || daemon.post(&format!("{HELD}?wait=30s"), "").status == 200);
    assert_eq!(status(&place, 2), "interrupted");
    daemon.stop();
    check_counts(&place);
}

#[test]
fn the_limit_of_the_catalogue_changes_under_way() {
    let document = |limit: u32| waits_for_go(&format!("concurrency: {{limit: {limit}}}"));
    let place = place(&document(2));
    let daemon = serve(&place);
    for _ in 0..5 {
        start(&daemon);
    }
    let running = || place.sql("SELECT count(*) FROM workflow_executions WHERE status = 'running'");
    assert_eq!(running(), "2");
    // Raised: more begin, without any start. Lowered: those that run go on.
    place.write("flows/held.yaml", document(3));
    until("one more runs", || running() == "3");
    place.write("flows/held.yaml", document(1));
    until("it is stored", || place.sql("SELECT slots FROM workflow_group_limits") == "1");
    assert_eq!(running(), "3");
    check_counts(&place);
    assert_eq!(start(&daemon)["status"], "queued");
    // Removed: all that wait begin.
    place.write("flows/held.yaml", waits_for_go(""));
    until("all run", || running() == "6");
    place.write("go", "");
    until("all have ended", || running() == "0");
    daemon.stop();
    check_counts(&place);
}

#[test]
fn files_that_differ_on_a_limit_are_reported() {
    let place = place(&passes("concurrency: {group: g, limit: 1}"));
    place.write(
        "flows/other.yaml",
        "id: other\nconcurrency: {group: g, limit: 2}\nsteps: [{name: a}]\n",
    );
    let mut daemon = serve(&place);
    daemon.post(HELD, "").expect(200);
    assert_eq!(daemon.post("/api/v1/workflows/other/execute", "").status, 404);
    place.write("flows/other.yaml", "id: other\nconcurrency: g\nsteps: [{name: a}]\n");
    daemon.wait_for_log("workflow `other` loaded");
    daemon.post("/api/v1/workflows/other/execute?wait=30s", "").expect(200);
    daemon.stop();
    check_counts(&place);
}

#[test]
fn two_daemons_and_an_exec_share_a_group() {
    let place = place(&waits_for_go("concurrency: 1"));
    let (one, other) = (serve(&place), serve(&place));
    start(&one);
    until_running(&place, 2);
    assert_eq!(start(&other)["status"], "queued");
    let exec = queue(&place, "w.yaml", &passes("concurrency: 1"));
    assert_eq!(start(&one)["status"], "queued");
    assert_eq!(start(&other)["status"], "queued");
    place.write("go", "");
    succeeded(exec);
    until("all have ended", || status(&place, 6) == "success");
    assert_eq!(order(&place), [2, 3, 4, 5, 6]);
    one.stop();
    other.stop();
    check_counts(&place);
}

#[test]
fn a_store_that_is_away_starts_nothing_of_a_group() {
    let place = place(&passes("concurrency: 1"));
    let daemon = serve(&place);
    let other = rusqlite::Connection::open(place.database()).unwrap();
    other.execute_batch("BEGIN IMMEDIATE").unwrap();
    let answer = daemon.post(HELD, "");
    assert_eq!(answer.status, 503, "{answer:?}");
    other.execute_batch("COMMIT").unwrap();
    drop(other);
    until("it works again", || daemon.post(&format!("{HELD}?wait=30s"), "").status == 200);
    assert_eq!(
        place.sql("SELECT count(*) FROM workflow_executions WHERE workflow_id = 'held'"),
        "1"
    );
    daemon.stop();
    check_counts(&place);
}

#[test]
fn many_wait_and_none_is_dropped() {
    let place = place(&waits_for_go("concurrency: {limit: 1, max_queued: 2000}"));
    let daemon = serve(&place);
    start(&daemon);
    until_running(&place, 2);
    place.write("flows/held.yaml", passes("concurrency: {limit: 1, max_queued: 2000}"));
    for _ in 0..300 {
        assert_eq!(start(&daemon)["status"], "queued");
    }
    // They take nothing of what others may run.
    place.write("flows/other.yaml", "id: other\nsteps: [{name: a, run: 'true'}]\n");
    until("it is known", || {
        daemon.post("/api/v1/workflows/other/execute?wait=30s", "").status == 200
    });
    place.write("go", "");
    until("all have ended", || {
        place.sql("SELECT count(*) FROM workflow_executions WHERE completed_at IS NULL") == "0"
    });
    let began = order(&place);
    let mut sorted = began.clone();
    sorted.sort_unstable();
    assert_eq!((began.len(), &began), (301, &sorted));
    daemon.stop();
    check_counts(&place);
}

#[test]
fn the_command_line_sees_the_queue_of_a_daemon() {
    let place = place(&waits_for_go("concurrency: {limit: 1, max_queued: 1}"));
    let daemon = serve(&place);
    let server = format!("http://{}", daemon.address);
    let run = |args: &[&str]| place.run([args, &["--server", &server]].concat());
    let started = run(&["start", "held", "--format", "json"]);
    assert_eq!((started.code, &started.json()["status"]), (Some(0), &json!("started")));
    let queued = run(&["start", "held", "--format", "json"]);
    assert_eq!((queued.code, &queued.json()["status"]), (Some(0), &json!("queued")));
    assert!(queued.stderr.contains("held by @2"), "{queued:?}");
    run(&["start", "held"]).refused(1, &["max_queued"]);
    run(&["start", "held", "--wait"]).refused(1, &["max_queued"]);
    for format in ["plain", "json"] {
        let of_daemon = run(&["queue", "--format", format]);
        assert_eq!(of_daemon.code, Some(0), "{of_daemon:?}");
        assert_eq!(of_daemon.stdout, place.run(["queue", "--format", format]).stdout);
    }
    let of_daemon = run(&["show", "@3", "--format", "json"]).json();
    assert_eq!(of_daemon["execution"]["waiting_for"]["holder_seqs"], json!([2]));
    place.write("go", "");
    until("both have ended", || status(&place, 3) == "success");
    daemon.stop();
    check_counts(&place);
}

#[test]
fn a_killed_exec_that_waited_and_is_replaced_is_cancelled_by_a_daemon() {
    let place = watched();
    let holder = hold(&place, "concurrency: {limit: 1}");
    let mut kept = queue(&place, "w.yaml", &passes("concurrency: {}"));
    kept.child.kill().unwrap();
    kept.child.wait().unwrap();
    let replacing = "concurrency: {on_conflict: replace}";
    succeeded(queue(&place, "r.yaml", &passes(replacing)));
    assert_eq!(holder.end().code, Some(1));
    // The place of another one is its own until somebody wants that ended.
    let again = hold(&place, "concurrency: {limit: 1}");
    let mut waits = queue(&place, "w.yaml", &passes("concurrency: {}"));
    waits.child.kill().unwrap();
    waits.child.wait().unwrap();
    std::fs::create_dir(place.path("flows")).unwrap();
    let daemon = serve(&place);
    until("the replaced one is cancelled", || status(&place, 3) == "cancelled");
    let error = "SELECT error FROM workflow_executions WHERE seq = 3";
    assert_eq!(place.sql(error), "replaced by @4");
    assert_eq!(status(&place, 6), "pending");
    place.write("go", "");
    succeeded(again);
    drop(daemon);
    check_counts(&place);
}
