//! The daemon as its users know it: start, look, replay, cancel, stop.

mod access;
mod catalogue;
mod handlers;
mod handover;
mod limits;
mod lists;
mod logs;
mod operations;
mod outcome;
mod replay;
mod retention;
mod schedules;
mod settings;
mod slo;
mod unix;
mod upgrade;
mod watching;

use serde_json::{Value, json};

use crate::daemon::Daemon;
use crate::support::{Place, Ran, states, until};

const GREET: &str = "id: greet
params: {who: world}
steps:
- name: hello
  run: echo \"hello $WFX_PARAM_WHO\"
- name: end
";

/// Goes on when there is a file `go`.
const WAITING: &str = "id: waiting
steps:
- name: wait
  run: until test -e go; do sleep 0.02; done
";

const EXECUTE: &str = "/api/v1/workflows/greet/execute";
const EXECUTIONS: &str = "/api/v1/workflows/executions";

fn place() -> Place {
    let place = Place::new();
    std::fs::create_dir(place.path("workflows")).unwrap();
    place.write("workflows/greet.yaml", GREET);
    place.write("workflows/waiting.yaml", WAITING);
    place
}

fn serve(place: &Place, more: &[&str]) -> Daemon {
    let mut args = vec!["--workflows", "workflows"];
    args.extend(more);
    Daemon::start(place, &args)
}

fn id_of(answer: &Value) -> String {
    let id = answer["execution_id"].as_str();
    id.or_else(|| answer["execution"]["execution_id"].as_str()).unwrap().to_owned()
}

fn pointers(problem: &Value) -> Vec<&str> {
    let errors = problem["errors"].as_array().unwrap();
    errors.iter().map(|error| error["pointer"].as_str().unwrap()).collect()
}

#[test]
fn a_workflow_is_started_waited_for_shown_and_replayed() {
    let place = place();
    let daemon = serve(&place, &[]);
    let started = daemon.post(EXECUTE, "").expect(200);
    assert_eq!((&started["status"], &started["persisted"]), (&json!("started"), &json!(true)));

    let body = r#"{"params":{"who":"you"}}"#;
    let done = daemon.post(&format!("{EXECUTE}?wait=30s"), body).expect(200);
    assert_eq!(states(&done), ["hello success", "end success"]);
    assert_eq!(done["steps"][0]["stdout"], "hello you\n");
    let id = id_of(&done);
    let shown = daemon.get(&format!("{EXECUTIONS}/{id}")).expect(200);
    assert_eq!(shown, done);
    // The terminal tells the same.
    assert_eq!(place.show(&id), done);

    // What it ran is run again, not what is in the file now.
    place.write("workflows/greet.yaml", GREET.replace("hello $", "good bye $"));
    let replayed = daemon.post(&format!("{EXECUTIONS}/{id}/replay"), "").expect(200);
    assert_eq!((&replayed["replay_of"], &replayed["persisted"]), (&json!(id), &json!(true)));
    let list = || daemon.get("/api/v1/workflows/greet/executions?status=success").expect(200);
    until("all have ended", || list()["total"] == 3);
    assert_eq!(place.show(&id_of(&replayed))["steps"][0]["stdout"], "hello you\n");
    daemon.stop();
}

#[test]
fn a_start_that_cannot_be_meant_is_refused() {
    let place = place();
    place.write("workflows/needs.yaml", "id: needs\nparams: {a: null}\nsteps: [{name: s}]");
    let daemon = serve(&place, &[]);
    let needs = "/api/v1/workflows/needs/execute";
    for (path, body, status, told) in [
        ("/api/v1/workflows/unknown/execute", "", 404, "unknown"),
        (EXECUTE, "{", 400, "body"),
        (EXECUTE, "[]", 422, "body"),
        (EXECUTE, r#"{"params":{"whom":"x"}}"#, 422, "whom"),
        (EXECUTE, r#"{"params":{"who":["x"]}}"#, 422, "/params/who"),
        (EXECUTE, r#"{"params":{"who":"x","who":"y"}}"#, 422, "who"),
        (needs, "", 422, "a"),
        (EXECUTE, r#"{"steps":[{"name":"s"}]}"#, 403, "--definitions api"),
        (EXECUTE, r#"{"steps":null}"#, 403, "--definitions api"),
        ("/api/v1/workflows/greet/execute?wait=6m", "", 400, "5m"),
        ("/api/v1/workflows/greet/execute?wait=soon", "", 400, "wait"),
        ("/api/v1/workflows/greet/execute?wit=1s", "", 400, "wit"),
        ("/api/v1/workflows/greet/execute?wait=1s&wait=1s", "", 400, "more than once"),
    ] {
        let answer = daemon.post(path, body);
        assert_eq!(answer.status, status, "{path} {body}: {answer:?}");
        assert_eq!(answer.header("content-type"), Some("application/problem+json"));
        assert!(answer.body.contains(told), "{path} {body}: {answer:?}");
    }
    // Nothing of that was run.
    assert_eq!(daemon.get(EXECUTIONS).expect(200)["total"], 0);
    daemon.stop();
}

#[test]
fn a_definition_in_a_request_is_run_where_that_is_allowed() {
    let place = place();
    let daemon = serve(&place, &["--definitions", "api"]);
    let path = "/api/v1/workflows/made/execute?wait=30s";
    let body = r#"{"params":{"n":1.50},"steps":[{"name":"s","run":"echo $WFX_PARAM_N"}]}"#;
    let done = daemon.post(path, body).expect(200);
    assert_eq!(done["steps"][0]["stdout"], "1.50\n");
    // It changes nothing that is known, for a known id neither.
    let greet = "/api/v1/workflows/greet/execute?wait=30s";
    let other = daemon.post(greet, r#"{"steps":[{"name":"other"}]}"#).expect(200);
    assert_eq!(states(&other), ["other success"]);
    assert_eq!(states(&daemon.post(greet, "").expect(200)), ["hello success", "end success"]);
    let known = daemon.get("/api/v1/workflows").expect(200);
    assert!(!known.to_string().contains("made"), "{known}");

    let problem = daemon.post(path, r#"{"steps":null}"#).expect(422);
    assert_eq!(pointers(&problem), ["/steps"], "{problem}");
    let problem = daemon.post(path, r#"{"id":"another","steps":[{"name":"s"}]}"#).expect(422);
    assert_eq!(pointers(&problem), ["/id"], "{problem}");
    let body = r#"{"steps":[{"name":"a","rum":"x"},{"name":"a","depends_on":["b"]}]}"#;
    let problem = daemon.post(path, body).expect(422);
    assert!(pointers(&problem).len() >= 3, "{problem}");
    assert!(problem.to_string().contains("`run`"), "{problem}");
    daemon.stop();

    // Under `files` neither it nor its snapshot is run.
    let daemon = serve(&place, &[]);
    let replay = |id: &str| daemon.post(&format!("{EXECUTIONS}/{id}/replay"), "");
    let problem = replay(&id_of(&done)).expect(403);
    assert!(problem.to_string().contains("--definitions api"), "{problem}");
    daemon.stop();
}

#[test]
fn defaults_are_safe() {
    let place = place();
    // Another daemon of this machine may have the default port.
    let refused = |args: &[&str]| {
        let mut command = place.wfx([&["serve"], args].concat());
        Ran::of(command.env("WFX_LISTEN", "127.0.0.1:0"))
    };
    refused(&["--listen", "0.0.0.0:0"]).refused(2, &["no token is set", "--token-file"]);
    refused(&["--token-file", "missing"]).refused(2, &["cannot take a token from missing"]);
    place.write("words", "a b c\n");
    refused(&["--token-file", "words"]).refused(2, &["cannot take a token from words"]);
    refused(&["--workflows", "missing"]).refused(3, &["missing", "--workflows"]);
    refused(&["--workdir", "missing"]).refused(3, &["missing", "--workdir"]);
    for host in ["http://wfx.example.com", "*.example.com", "a.example/x", "a.example,"] {
        refused(&["--allowed-hosts", host]).refused(2, &["--allowed-hosts", "wfx.example.com"]);
    }
    refused(&["--listen", "nonsense"]).refused(2, &["WFX_LISTEN", "127.0.0.1:8080"]);

    place.write("token", "secret-token\n");
    let daemon = serve(&place, &["--token-file", "token"]);
    assert_eq!(daemon.get("/healthz").status, 200);
    assert_eq!(daemon.get("/readyz").status, 200);
    for path in ["/metrics", "/api/v1/ping", "/nowhere"] {
        let answer = daemon.get(path);
        assert_eq!((answer.status, answer.header("www-authenticate")), (401, Some("Bearer")));
    }
    let request = "POST /api/v1/workflows/made/execute HTTP/1.1\r\nHost: localhost\r\n\
                   Authorization: bearer secret-token\r\nContent-Type: application/json\r\n\
                   Connection: close\r\nContent-Length: 24\r\n\r\n{\"steps\":[{\"name\":\"s\"}]}";
    // With a token, requests may define work.
    assert_eq!(daemon.send(request).expect(200)["persisted"], true);
    // A second daemon on one address is told so.
    let address = daemon.address.to_string();
    refused(&["--listen", &address]).refused(3, &["cannot listen on", &address]);
    daemon.stop();
}
