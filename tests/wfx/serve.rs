//! The daemon as its users know it: start, look, replay, cancel, stop.

use serde_json::json;

use crate::daemon::Daemon;
use crate::support::{Place, states, until};

const GREET: &str = "id: greet\nparams: {who: world}\nsteps:\n- name: hello\n  run: echo \"hello $WFX_PARAM_WHO\"\n- name: end\n";

fn place() -> Place {
    let place = Place::new();
    std::fs::create_dir(place.path("workflows")).unwrap();
    place.write("workflows/greet.yaml", GREET);
    place
}

fn serve(place: &Place, more: &[&str]) -> Daemon {
    let mut args = vec!["--workflows", "workflows"];
    args.extend(more);
    Daemon::start(place, &args)
}

#[test]
fn a_workflow_is_started_waited_for_shown_and_replayed() {
    let place = place();
    let daemon = serve(&place, &[]);
    let execute = "/api/v1/workflows/greet/execute";
    let started = daemon.post(execute, "").expect(200);
    assert_eq!((&started["status"], &started["persisted"]), (&json!("started"), &json!(true)));

    let done =
        daemon.post(&format!("{execute}?wait=30s"), r#"{"params":{"who":"you"}}"#).expect(200);
    assert_eq!(states(&done), ["hello success", "end success"]);
    assert_eq!(done["steps"][0]["stdout"], "hello you\n");
    let id = done["execution"]["execution_id"].as_str().unwrap();
    let shown = daemon.get(&format!("/api/v1/workflows/executions/{id}")).expect(200);
    assert_eq!(shown, done);
    // The terminal tells the same.
    assert_eq!(place.show(id), done);

    let replayed =
        daemon.post(&format!("/api/v1/workflows/executions/{id}/replay"), "").expect(200);
    assert_eq!((&replayed["replay_of"], &replayed["persisted"]), (&json!(id), &json!(true)));
    let list = || daemon.get("/api/v1/workflows/greet/executions?status=success").expect(200);
    until("all have ended", || list()["total"] == 3);
    let replay = replayed["execution_id"].as_str().unwrap();
    assert_eq!(place.show(replay)["steps"][0]["stdout"], "hello you\n");
    daemon.stop();
}
