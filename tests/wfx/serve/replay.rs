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

/// Each step notes that it ran; `load` fails until there is a file `fixed`.
const ETL: &str = "id: etl
params: {day: monday}
steps:
- {name: extract, run: 'echo extract >> ran; echo \"rows of $WFX_PARAM_DAY\"; echo rows=3 >> $WFX_OUTPUT'}
- {name: load, run: 'echo load >> ran; echo $WFX_STEP_EXTRACT_ROWS $WFX_PARAM_DAY; test -e fixed'}
- {name: report, run: 'echo report >> ran'}
";

fn etl(place: &Place, daemon: &Daemon) -> String {
    let done = daemon.post("/api/v1/workflows/etl/execute?wait=30s", "").expect(200);
    assert_eq!(states(&done), ["extract success", "load failed", "report skipped"]);
    std::fs::remove_file(place.path("ran")).unwrap();
    id_of(&done)
}

fn actions(plan: &Value) -> Vec<&str> {
    let steps = plan["steps"].as_array().unwrap().iter();
    steps.map(|step| step["action"].as_str().unwrap()).collect()
}

#[test]
fn what_is_left_runs_and_the_rest_is_reused() {
    let place = place();
    place.write("workflows/etl.yaml", ETL);
    let daemon = serve(&place, &[]);
    let id = etl(&place, &daemon);
    let measured = || {
        let metrics = daemon.get("/metrics").body;
        let of = |step: &str| {
            let start = "workflow_step_duration_seconds_count";
            let line = metrics.lines().find(|line| line.starts_with(start) && line.contains(step));
            line.and_then(|line| line.rsplit(' ').next()?.parse::<u64>().ok()).unwrap_or(0)
        };
        [of("\"extract\""), of("\"load\""), of("\"report\"")]
    };
    assert_eq!(measured(), [1, 1, 0]);
    let plan = daemon.post(&format!("{EXECUTIONS}/{id}/replay?dry_run=true"), r#"{"failed":true}"#);
    let plan = plan.expect(200);
    assert_eq!(actions(&plan), ["reuse", "run", "run"]);
    // The terminal plans the same.
    let same = place.run(["retry", "@1", "--dry-run", "--format", "json"]).json();
    assert_eq!(plan, same);
    assert_eq!(daemon.get(EXECUTIONS).expect(200)["total"], 1);
    place.write("fixed", "");
    let done = daemon.post(&replay(&id), r#"{"failed":true,"params":{"day":"tuesday"}}"#);
    let done = done.expect(200);
    assert_eq!(place.read("ran"), "load\nreport\n");
    let [extract, load] = [0, 1].map(|step| &done["steps"][step]);
    assert_eq!((&extract["reused_from"], &extract["reused_from_seq"]), (&json!(id), &json!(1)));
    assert_eq!(extract["stdout"], "rows of monday\n");
    assert_eq!(load["stdout"], "3 tuesday\n");
    assert_eq!(load["reused_from"], json!(null));
    assert_eq!(place.show("@2"), done);
    assert_eq!(measured(), [1, 2, 1]);
    // Without steps that work, an execution ends as it begins: with what was reused.
    let from = daemon.post(&replay("@2"), r#"{"from":["report"]}"#).expect(200);
    assert_eq!(from["steps"][0]["stdout"], "rows of monday\n");
    assert_eq!(from["steps"][0]["reused_from"], id.as_str());
    let empty = daemon.post(&replay("@2"), r#"{"from":[],"failed":false,"params":{}}"#).expect(200);
    assert!(empty["steps"].as_array().unwrap().iter().all(|step| step["reused_from"].is_null()));
    daemon.stop();
}

#[test]
fn reused_output_is_in_the_answer_of_what_ends_as_it_begins() {
    let place = place();
    place.write(
        "workflows/quick.yaml",
        "id: quick\nsteps: [{name: a, run: echo text}, {name: b, fail: true}]",
    );
    let daemon = serve(&place, &[]);
    let execute = "/api/v1/workflows/quick/execute?wait=30s";
    let id = id_of(&daemon.post(execute, "").expect(200));
    let done = daemon.post(&replay(&id), r#"{"failed":true}"#).expect(200);
    assert_eq!(states(&done), ["a success", "b failed"]);
    assert_eq!(done["steps"][0]["stdout"], "text\n");
    assert_eq!(done, place.show("@2"));
    daemon.stop();
}

#[test]
fn a_bad_request_for_a_replay_is_refused_with_its_place() {
    let place = place();
    place.write("workflows/etl.yaml", ETL);
    let daemon = serve(&place, &[]);
    let id = etl(&place, &daemon);
    let fine = id_of(&daemon.post(&format!("{EXECUTE}?wait=30s"), "").expect(200));
    for (id, body, status, pointer, told) in [
        (&id, r#"{"from":["extarct"]}"#, 422, "/from/0", "did you mean `extract`?"),
        (&id, r#"{"from":["load","x"]}"#, 422, "/from/1", "no step is called `x`"),
        (&id, r#"{"from":"load"}"#, 400, "/from", "a list of step names"),
        (&id, r#"{"from":[1]}"#, 400, "/from/0", "text"),
        (&id, r#"{"failed":"yes"}"#, 400, "/failed", "`true` or `false`"),
        (&id, r#"{"form":[]}"#, 400, "/form", "did you mean `from`?"),
        (&id, r#"{"definition":"new"}"#, 400, "/definition", "`current`"),
        (&id, r#"{"failed":true,"failed":true}"#, 400, "/failed", "failed"),
        (&id, r#"{"params":{"dya":"x"}}"#, 422, "/params/dya", "did you mean `day`?"),
        (&id, r#"{"params":{"day":["x"]}}"#, 422, "/params/day", "text"),
        (&id, r#"{"params":[]}"#, 422, "/params", "a map of parameters"),
        (&fine, r#"{"failed":true}"#, 409, "", "nothing is left to run"),
    ] {
        for query in ["wait=30s", "dry_run=true"] {
            let answer = daemon.post(&format!("{EXECUTIONS}/{id}/replay?{query}"), body);
            assert_eq!(answer.status, status, "{body}: {answer:?}");
            assert!(answer.body.contains(told), "{body}: {answer:?}");
            let problem = answer.expect(status);
            if pointer.is_empty() {
                assert!(problem["detail"].as_str().unwrap().contains("`from`"), "{problem}");
            } else {
                assert_eq!(pointers(&problem), [pointer], "{body}");
            }
        }
    }
    let refused = daemon.post(&format!("{EXECUTIONS}/{id}/replay?dry_run=maybe"), "").expect(400);
    assert!(refused["detail"].as_str().unwrap().contains("true or false"), "{refused}");
    assert_eq!(daemon.get(EXECUTIONS).expect(200)["total"], 2);
    assert!(!place.path("ran").exists());
    daemon.stop();
}

#[test]
fn the_current_definition_is_that_of_the_folder() {
    let place = place();
    place.write("workflows/etl.yaml", ETL);
    let daemon = serve(&place, &[]);
    let id = etl(&place, &daemon);
    let dry = format!("{EXECUTIONS}/{id}/replay?dry_run=true");
    let current = r#"{"failed":true,"definition":"current"}"#;
    assert_eq!(actions(&daemon.post(&dry, current).expect(200)), ["reuse", "run", "run"]);
    place.write("workflows/etl.yaml", ETL.replace("test -e fixed", "echo loaded"));
    until("the file is read", || daemon.post(&dry, current).body.contains("its `run` changed"));
    // Which one is run was decided by the request.
    let snapshot = r#"{"failed":true,"definition":"snapshot"}"#;
    assert!(!daemon.post(&dry, snapshot).body.contains("changed"));
    let done = daemon.post(&replay(&id), current).expect(200);
    assert_eq!(states(&done), ["extract success", "load success", "report success"]);
    assert_eq!(done["steps"][1]["stdout"], "3 monday\nloaded\n");
    assert_eq!(done["steps"][0]["reused_from"], id.as_str());
    assert_eq!(place.read("ran"), "load\nreport\n");
    // A value of then that does not fit any more.
    place.write("workflows/etl.yaml", ETL.replace("day: monday", "day: {type: int}"));
    until("the file is read again", || daemon.post(&dry, current).status == 422);
    let problem = daemon.post(&dry, current).expect(422);
    assert_eq!(pointers(&problem), ["/params/day"]);
    assert!(problem.to_string().contains("the execution that is replayed had `monday`"));
    std::fs::remove_file(place.path("workflows/etl.yaml")).unwrap();
    until("the file is gone", || daemon.post(&dry, current).status == 409);
    let problem = daemon.post(&replay(&id), current).expect(409);
    assert_eq!(pointers(&problem), ["/definition"]);
    assert!(problem["detail"].as_str().unwrap().contains("`etl`"), "{problem}");
    assert_eq!(daemon.get(EXECUTIONS).expect(200)["total"], 2);
    assert_eq!(daemon.post(&dry, snapshot).status, 200);
    daemon.stop();
    // What a file defined is not replayed for everyone, with no definition.
    let ran = place.exec(ETL, 1);
    let daemon = serve(&place, &[]);
    for body in [snapshot, current, r#"{"from":["extract"]}"#] {
        daemon.post(&replay(&id_of(&ran)), body).expect(403);
    }
    daemon.stop();
}
