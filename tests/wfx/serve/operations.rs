//! Cancel, drain, recovery, bounds: what happens to executions.

use super::*;
use crate::support::{Running, processes_with};

fn start_waiting(daemon: &Daemon) -> String {
    let id = id_of(&daemon.post("/api/v1/workflows/waiting/execute", "").expect(200));
    until("its step runs", || !processes_with(&format!("WFX_EXECUTION_ID={id}")).is_empty());
    id
}

fn status(daemon: &Daemon, id: &str) -> Value {
    daemon.get(&format!("{EXECUTIONS}/{id}")).expect(200)["execution"]["status"].clone()
}

#[test]
fn what_runs_can_be_cancelled_and_what_has_ended_not() {
    let place = place();
    let daemon = serve(&place, &[]);
    let id = start_waiting(&daemon);
    let replay = daemon.post(&format!("{EXECUTIONS}/{id}/replay"), "");
    assert_eq!(replay.status, 409, "{replay:?}");
    daemon.post(&format!("{EXECUTIONS}/{id}/cancel"), "").expect(200);
    until("it has ended", || status(&daemon, &id) == "cancelled");
    assert!(processes_with(&format!("WFX_EXECUTION_ID={id}")).is_empty());
    daemon.post(&format!("{EXECUTIONS}/{id}/cancel"), "").expect(409);
    daemon
        .post(&format!("{EXECUTIONS}/01890000-0000-7000-8000-000000000000/cancel"), "")
        .expect(404);
    daemon.post(&format!("{EXECUTIONS}/{id}/cancel"), "{\"a\":1}").expect(400);
    daemon.stop();
}

#[test]
fn an_execution_of_another_process_is_cancelled_there_or_settled_here() {
    let place = place();
    let daemon = serve(&place, &[]);
    for dead in [false, true] {
        let mut exec = Running::start(&mut place.wfx(["exec", "workflows/waiting.yaml", "-v"]));
        exec.wait_for("wait");
        let running = || daemon.get(&format!("{EXECUTIONS}?status=running")).expect(200);
        until("it is there", || running()["total"] == 1);
        let id = running()["items"][0]["execution_id"].as_str().unwrap().to_owned();
        until("its step runs", || !processes_with(&format!("WFX_EXECUTION_ID={id}")).is_empty());
        let killed = if dead {
            exec.signal("KILL");
            Err(exec.end().code)
        } else {
            Ok(exec)
        };
        daemon.post(&format!("{EXECUTIONS}/{id}/cancel"), "").expect(200);
        until("it has ended", || status(&daemon, &id) == "cancelled");
        assert!(processes_with(&format!("WFX_EXECUTION_ID={id}")).is_empty());
        // An exec that is cancelled by another says so.
        assert_eq!(killed.map_or_else(|code| code, |exec| exec.end().code), (!dead).then_some(1));
    }
    daemon.stop();
}

#[test]
fn a_drain_lets_running_steps_finish() {
    let place = place();
    let daemon = serve(&place, &["--drain-timeout", "5m"]);
    let id = start_waiting(&daemon);
    daemon.signal("TERM");
    until("nobody listens", || daemon.try_send("GET /healthz HTTP/1.0\r\n\r\n").is_err());
    place.write("go", "");
    let ran = daemon.end();
    assert_eq!(ran.code, Some(0), "{ran:?}");
    assert_eq!(place.show(&id)["execution"]["status"], "success");
}

#[test]
fn what_a_drain_ends_and_what_a_crash_leaves_is_gone_on_with() {
    let place = place();
    let retried = WAITING.replace("waiting", "retried") + "  retry: {max_attempts: 5}\n";
    place.write("workflows/retried.yaml", retried);
    let mut ids = Vec::new();
    for signal in ["TERM", "KILL"] {
        let daemon = serve(&place, &["--drain-timeout", "0s"]);
        if ids.is_empty() {
            ids.push(start_waiting(&daemon));
            ids.push(id_of(&daemon.post("/api/v1/workflows/retried/execute", "").expect(200)));
        }
        until("the step runs", || {
            !processes_with(&format!("WFX_EXECUTION_ID={}", ids[1])).is_empty()
        });
        daemon.signal(signal);
        let code = daemon.end().code;
        assert_eq!(code, (signal == "TERM").then_some(0));
        if signal == "TERM" {
            let of_both =
                ids.iter().flat_map(|id| processes_with(&format!("WFX_EXECUTION_ID={id}")));
            assert_eq!(of_both.count(), 0);
            let stays = place.show(&ids[0]);
            assert_eq!(stays["execution"]["status"], "running");
            assert_eq!(stays["execution"]["owner_state"], "dead");
        }
    }
    place.write("go", "");
    let daemon = serve(&place, &[]);
    until("both have ended", || {
        daemon.get(&format!("{EXECUTIONS}?status=running")).expect(200)["total"] == 0
    });
    let [without, with] = [&ids[0], &ids[1]].map(|id| place.show(id));
    // The crash counts as its only attempt; the other had more of them.
    assert_eq!(without["execution"]["status"], "interrupted");
    assert_eq!(with["execution"]["status"], "success");
    assert_eq!(with["steps"][0]["attempt"], 3);
    let metrics = daemon.get("/metrics").body;
    assert!(metrics.contains("wfx_executions_recovered_total 1\n"), "{metrics}");
    // Nothing is left of those that were before it; that is swept after the executions went on.
    let count = |folder: &str| std::fs::read_dir(place.path(folder)).unwrap().count();
    until("the rest is swept", || (count("wfx.db-owners"), count("tmp")) == (1, 1));
    daemon.stop();
}

#[test]
fn too_much_in_flight_is_refused_before_anything_is_accepted() {
    let place = place();
    let daemon = serve(&place, &["--max-in-flight", "1"]);
    let id = start_waiting(&daemon);
    let answer = daemon.post(EXECUTE, "");
    assert_eq!((answer.status, answer.header("retry-after")), (503, Some("1")), "{answer:?}");
    assert_eq!(daemon.get(EXECUTIONS).expect(200)["total"], 1);
    place.write("go", "");
    until("it has ended", || status(&daemon, &id) == "success");
    until("there is room", || daemon.post(EXECUTE, "").status == 200);
    daemon.stop();
}

#[test]
fn an_empty_object_asks_for_as_much_as_no_body() {
    let place = place();
    let daemon = serve(&place, &[]);
    let done = daemon.post(&format!("{EXECUTE}?wait=30s"), "").expect(200);
    let id = done["execution"]["execution_id"].as_str().unwrap();
    let replay = |body: &str| daemon.post(&format!("{EXECUTIONS}/{id}/replay"), body);
    for body in ["", "{}", " { }\n"] {
        assert_eq!(replay(body).status, 200, "{body:?}");
    }
    for (body, told) in
        [("{\"fail\": true}", "`fail` is not known"), ("null", "not as expected"), ("{", "no JSON")]
    {
        let refused = replay(body).expect(400);
        assert!(refused["detail"].as_str().unwrap().contains(told), "{refused}");
    }
    daemon.stop();
}

#[test]
fn a_wait_ends_with_the_state_reached_by_then() {
    let place = place();
    let daemon = serve(&place, &[]);
    let path = "/api/v1/workflows/waiting/execute?wait=50ms";
    let answer = daemon.post(path, "").expect(200);
    assert_eq!(answer["execution"]["status"], "running");
    place.write("go", "");
    until("it has ended", || status(&daemon, &id_of(&answer)) == "success");
    daemon.stop();
}

#[test]
fn two_daemons_share_a_database() {
    let place = place();
    let (one, two) = (serve(&place, &[]), serve(&place, &[]));
    let id = start_waiting(&one);
    assert_eq!(status(&two, &id), "running");
    two.post(&format!("{EXECUTIONS}/{id}/cancel"), "").expect(200);
    until("the other has ended it", || status(&one, &id) == "cancelled");
    one.stop();
    two.stop();
}

#[test]
fn what_a_daemon_was_told_to_keep_others_keep() {
    let place = place();
    let kept = || place.list()["total"].as_u64().unwrap();
    let run = |count: u32| (0..count).for_each(|_| drop(place.exec("steps: [{name: s}]", 0)));
    serve(&place, &["--retention", "2"]).stop();
    run(4);
    assert_eq!(kept(), 2);
    // A default does not delete what the daemon keeps.
    serve(&place, &["--retention", "0"]).stop();
    run(3);
    assert_eq!(place.run(["purge"]).code, Some(0));
    assert_eq!(kept(), 5);
    // One's own setting counts more.
    assert_eq!(place.run(["purge", "3"]).code, Some(0));
    assert_eq!(kept(), 3);
    // A daemon that is told nothing follows as well.
    serve(&place, &["--retention", "1"]).stop();
    serve(&place, &[]).stop();
    run(1);
    assert_eq!(kept(), 1);
}

#[test]
fn a_start_without_work_is_answered_as_what_it_is() {
    let place = place();
    place.write("workflows/empty.yaml", "id: empty\nsteps: [{name: a}]");
    // Commits that take no time come before anybody waits for them; so few are kept that an
    // execution may be deleted before it is read.
    let daemon = serve(&place, &["--durability", "normal", "--retention", "1"]);
    std::thread::scope(|scope| {
        for path in ["/api/v1/workflows/empty/execute", "/api/v1/workflows/empty/execute?wait=30s"]
        {
            for _ in 0..3 {
                scope.spawn(|| {
                    for _ in 0..300 {
                        let answer = daemon.post(path, "").expect(200);
                        let status = &answer["execution"]["status"];
                        assert!(answer["persisted"] == true || *status == "success", "{answer}");
                    }
                });
            }
        }
    });
    daemon.stop();
}

#[test]
fn a_cancel_that_is_repeated_is_as_gentle_as_one() {
    let place = place();
    place.write(
        "workflows/tidy.yaml",
        "id: tidy
steps:
- name: tidy
  run: |
    trap 'until test -e go; do sleep 0.02; done; touch tidied; exit 1' TERM
    touch begun
    while :; do sleep 0.02; done
",
    );
    let daemon = serve(&place, &[]);
    let id = id_of(&daemon.post("/api/v1/workflows/tidy/execute", "").expect(200));
    until("it has begun", || place.path("begun").exists());
    for _ in 0..3 {
        daemon.post(&format!("{EXECUTIONS}/{id}/cancel"), "").expect(200);
        // What another process stores makes the daemon look for requests again.
        place.exec("steps: [{name: s}]", 0);
    }
    place.write("go", "");
    until("it has ended", || status(&daemon, &id) == "cancelled");
    assert!(place.path("tidied").exists());
    daemon.stop();
}

#[test]
fn a_cancel_while_a_dead_daemons_processes_are_ended_is_not_lost() {
    let place = place();
    place.write(
        "workflows/stubborn.yaml",
        "id: stubborn
steps:
- name: stubborn
  run: \"trap '' TERM; touch begun; while :; do sleep 0.02; done\"
  retry: {max_attempts: 5}
",
    );
    let daemon = serve(&place, &[]);
    let id = id_of(&daemon.post("/api/v1/workflows/stubborn/execute", "").expect(200));
    until("it has begun", || place.path("begun").exists());
    daemon.signal("KILL");
    daemon.end();
    let daemon = serve(&place, &[]);
    // It is the new daemon's from now on; what is left of the old one is ended first.
    until("it is taken over", || {
        daemon.get(&format!("{EXECUTIONS}/{id}")).expect(200)["execution"]["owner_state"] == "alive"
    });
    daemon.post(&format!("{EXECUTIONS}/{id}/cancel"), "").expect(200);
    until("it has ended", || status(&daemon, &id) == "cancelled");
    assert!(processes_with(&format!("WFX_EXECUTION_ID={id}")).is_empty());
    daemon.stop();
}

#[test]
fn what_is_waited_for_is_told_as_it_is_read_later() {
    let place = place();
    place.write(
        "workflows/still.yaml",
        "params: {who: world}\nx-note: kept\nsteps:\n- name: first\n- {name: broken, fail: true, \
         continue_on_error: true}\n- {name: bad, depends_on: [first], fail: true}\n- name: last\n",
    );
    let daemon = serve(&place, &[]);
    // Nothing of it has to be read back, as of the next one.
    for (id, status) in [("still", "failed"), ("greet", "success")] {
        let waited = daemon.post(&format!("/api/v1/workflows/{id}/execute?wait=30s"), "");
        let waited = waited.expect(200);
        assert_eq!(waited["execution"]["status"], status);
        let read = daemon.get(&format!("{EXECUTIONS}/{}", id_of(&waited))).expect(200);
        assert_eq!(waited, read);
    }
    let again = daemon.post(&format!("{EXECUTIONS}/{}/replay?wait=30s", newest(&daemon)), "");
    let again = again.expect(200);
    assert_eq!(again, daemon.get(&format!("{EXECUTIONS}/{}", id_of(&again))).expect(200));
    daemon.stop();
}

fn newest(daemon: &Daemon) -> String {
    let list = daemon.get(&format!("{EXECUTIONS}?limit=1")).expect(200);
    list["items"][0]["execution_id"].as_str().unwrap().to_owned()
}
