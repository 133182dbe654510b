//! Replays: of what was run, whatever became of its definition.

use super::*;
use crate::support::Ran;

fn replay(id: &str) -> String {
    format!("{EXECUTIONS}/{id}/replay?wait=30s")
}

#[test]
fn a_replay_needs_no_file_any_more() {
    let place = place();
    let daemon = serve(&place, &[]);
    let id = id_of(&daemon.post(&format!("{EXECUTE}?wait=30s"), "").expect(200));
    std::fs::remove_file(place.path("workflows/greet.yaml")).unwrap();
    until("the file is gone", || daemon.post(EXECUTE, "").status == 404);
    // An empty object says as much as no body.
    let replayed = daemon.post(&replay(&id), "{}").expect(200);
    assert_eq!(replayed["steps"][0]["stdout"], "hello world\n");
    assert_eq!(replayed["execution"]["replay_of"], id.as_str());
    daemon.post(&replay(&id), r#"{"from":"hello"}"#).expect(400);
    daemon.post(&replay("unknown"), "").expect(404);
    daemon.stop();
}

#[test]
fn what_runs_is_not_replayed() {
    let place = place();
    let daemon = serve(&place, &[]);
    let id = id_of(&daemon.post("/api/v1/workflows/waiting/execute", "").expect(200));
    let problem = daemon.post(&replay(&id), "").expect(409);
    assert!(problem["detail"].as_str().unwrap().contains("when it has ended"), "{problem}");
    assert_eq!(daemon.get(EXECUTIONS).expect(200)["total"], 1);
    place.write("go", "");
    until("it has ended", || daemon.post(&replay(&id), "").status == 200);
    daemon.stop();
}

#[test]
fn a_replay_is_as_ad_hoc_as_what_it_replays() {
    let place = place();
    let daemon = serve(&place, &["--definitions", "api"]);
    let made = daemon.post(&format!("{EXECUTE}?wait=30s"), r#"{"steps":[{"name":"s"}]}"#);
    let made = id_of(&made.expect(200));
    let again = id_of(&daemon.post(&replay(&made), "").expect(200));
    daemon.stop();
    let daemon = serve(&place, &[]);
    for id in [made, again] {
        let problem = daemon.post(&replay(&id), "").expect(403);
        assert!(problem["detail"].as_str().unwrap().contains("--definitions api"), "{problem}");
    }
    assert_eq!(daemon.get(EXECUTIONS).expect(200)["total"], 2);
    daemon.stop();
}

#[test]
fn what_exec_ran_is_replayed_only_for_those_who_may_define_work() {
    let place = place();
    // Loopback is every user of the machine; this is somebody else's, with his parameters.
    let ran = place.exec("id: greet\nsteps: [{name: s, run: 'touch done'}]", 0);
    let id = id_of(&ran);
    let daemon = serve(&place, &[]);
    let problem = daemon.post(&replay(&id), "").expect(403);
    assert!(problem["detail"].as_str().unwrap().contains("wfx replay"), "{problem}");
    // Its own replay is no more than it was.
    let again = Ran::of(&mut place.wfx(["replay", id.as_str(), "--format", "json"]));
    assert_eq!(again.code, Some(0), "{again:?}");
    daemon.post(&replay(&id_of(&again.json())), "").expect(403);
    // What an earlier wfx stored does not say where it came from: what the folder holds may be
    // replayed, and what does nothing.
    let forget = |id: &str| {
        place.sql(&format!(
            "UPDATE workflow_executions SET input_snapshot = json_remove(input_snapshot, '$.source')
             WHERE execution_id = '{id}'"
        ));
    };
    forget(&id);
    daemon.post(&replay(&id), "").expect(403);
    let held = id_of(&daemon.post(&format!("{EXECUTE}?wait=30s"), "").expect(200));
    let idle = id_of(&place.exec("id: idle\nsteps: [{name: s}]", 0));
    for id in [held, idle] {
        forget(&id);
        daemon.post(&replay(&id), "").expect(200);
    }
    daemon.stop();
    let daemon = serve(&place, &["--definitions", "api"]);
    daemon.post(&replay(&id), "").expect(200);
    daemon.stop();
}

#[test]
fn a_path_names_an_execution_as_the_commands_do() {
    let place = place();
    place.write("workflows/fails.yaml", "id: fails\nsteps: [{name: s, fail: true}]");
    let daemon = serve(&place, &[]);
    let first = id_of(&daemon.post(&format!("{EXECUTE}?wait=30s"), "").expect(200));
    let fails = "/api/v1/workflows/fails/execute?wait=30s";
    let failed = id_of(&daemon.post(fails, "").expect(200));
    let last = id_of(&daemon.post(&format!("{EXECUTE}?wait=30s"), "").expect(200));
    let named = |name: &str| id_of(&daemon.get(&format!("{EXECUTIONS}/{name}")).expect(200));
    for (name, id) in [
        (&*first, &first),
        (&first[..35], &first),
        (&first.to_uppercase(), &first),
        ("@1", &first),
        ("%402", &failed),
        ("fails", &failed),
        ("@latest", &last),
        ("greet", &last),
    ] {
        assert_eq!(named(name), *id, "{name}");
    }
    let problem = daemon.get(&format!("{EXECUTIONS}/0")).expect(409);
    for id in [&first, &failed, &last] {
        assert!(problem["detail"].as_str().unwrap().contains(id.as_str()), "{problem}");
    }
    for unknown in ["@9", "@x", "gree", "%25", "ffff"] {
        daemon.get(&format!("{EXECUTIONS}/{unknown}")).expect(404);
        daemon.post(&replay(unknown), "").expect(404);
        daemon.post(&format!("{EXECUTIONS}/{unknown}/cancel"), "").expect(404);
    }
    let replayed = daemon.post(&replay("fails"), "").expect(200);
    assert_eq!(replayed["execution"]["replay_of"], failed.as_str());
    let waiting = "/api/v1/workflows/waiting/execute";
    let waiting = id_of(&daemon.post(waiting, "").expect(200));
    let cancelled = daemon.post(&format!("{EXECUTIONS}/waiting/cancel"), "").expect(200);
    assert_eq!(cancelled["execution_id"], waiting.as_str());
    until("it is cancelled", || {
        daemon.get(&format!("{EXECUTIONS}/@latest")).expect(200)["execution"]["status"]
            == "cancelled"
    });
    daemon.stop();
}
