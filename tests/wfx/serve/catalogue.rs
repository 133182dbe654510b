//! The workflows that are known, as the API shows them.

use super::*;

#[test]
fn workflows_are_listed_with_what_they_are() {
    let place = place();
    place.write("workflows/torn.yaml", "steps: [{name: a, rum: x}]");
    place.write("workflows/notes.txt", "no workflow");
    place.write("workflows/.hidden.yaml", "steps: [{name: a}]");
    let daemon = serve(&place, &[]);
    let list = daemon.get("/api/v1/workflows").expect(200);
    assert_eq!(list["total"], 3);
    let told = |key: &str| -> Vec<Value> {
        list["items"].as_array().unwrap().iter().map(|item| item[key].clone()).collect()
    };
    assert_eq!(told("workflow_id"), ["greet", "torn", "waiting"]);
    assert_eq!(told("steps"), [json!(2), Value::Null, json!(1)]);
    assert_eq!(told("params")[0], json!({"who": "world"}));
    let problems = told("problem");
    assert_eq!((&problems[0], &problems[2]), (&Value::Null, &Value::Null));
    assert!(problems[1].as_str().unwrap().contains("rum"), "{problems:?}");
    // What never was a workflow cannot be run.
    daemon.post("/api/v1/workflows/torn/execute", "").expect(404);
    let of = |id: &str| daemon.get(&format!("/api/v1/workflows/{id}"));
    assert_eq!(of("torn").expect(200)["definition"], Value::Null);
    assert_eq!(of("greet").expect(200)["definition"]["steps"][1]["name"], "end");
    of("unknown").expect(404);
    of("greet?limit=1").expect(400);
    for path in ["/api/v1/workflows", "/api/v1/ping", "/healthz", "/readyz", "/metrics"] {
        daemon.get(&format!("{path}?limit=1")).expect(400);
        assert_eq!(daemon.get(path).status, 200, "{path}");
    }
    daemon.stop();
}

#[test]
fn of_two_files_with_one_id_the_one_in_use_has_it() {
    let place = place();
    let mut daemon = serve(&place, &[]);
    place.write("workflows/hello.yaml", "id: greet\nsteps: [{name: other}]");
    let told = daemon.wait_for_log("hello.yaml: cannot be used");
    assert!(told.contains("greet.yaml: give one of them another `id`"), "{told}");
    let done = daemon.post(&format!("{EXECUTE}?wait=30s"), "").expect(200);
    assert_eq!(states(&done), ["hello success", "end success"]);
    // A copy that sorts before it, and the edit that it was made for.
    let original = std::fs::read_to_string(place.path("workflows/greet.yaml")).unwrap();
    place.write("workflows/a-copy.yaml", format!("id: greet\n{original}"));
    place.write("workflows/greet.yaml", "steps: [{name: edited}]");
    daemon.wait_for_log("greet.yaml: workflow `greet` still runs from this file, though");
    daemon.wait_for_log("greet.yaml: workflow `greet` loaded");
    let done = daemon.post(&format!("{EXECUTE}?wait=30s"), "").expect(200);
    assert_eq!(states(&done), ["edited success"]);
    std::fs::remove_file(place.path("workflows/a-copy.yaml")).unwrap();
    std::fs::remove_file(place.path("workflows/greet.yaml")).unwrap();
    daemon.wait_for_log("hello.yaml: workflow `greet` loaded");
    let done = daemon.post(&format!("{EXECUTE}?wait=30s"), "").expect(200);
    assert_eq!(states(&done), ["other success"]);
    daemon.stop();
}

#[test]
fn what_is_shown_of_a_workflow_is_what_is_run() {
    let place = place();
    // It goes by the name of its file as long as nobody can read its id.
    place.write("workflows/a.yaml", "steps: nothing\n");
    place.write("workflows/b.yaml", "id: a\nsteps: [{name: only}]\n");
    let daemon = serve(&place, &[]);
    let shown = daemon.get("/api/v1/workflows/a").expect(200);
    assert_eq!((&shown["steps"], &shown["problem"]), (&json!(1), &Value::Null), "{shown}");
    daemon.post("/api/v1/workflows/a/execute?wait=30s", "").expect(200);
    daemon.stop();
}
