//! `wfx status`: every workflow at a glance.

use serde_json::{Value, json};

use crate::daemon::Daemon;
use crate::support::Place;

fn place() -> Place {
    let place = Place::new();
    std::fs::create_dir(place.path("jobs")).unwrap();
    place.write("jobs/nightly.yaml", "id: nightly\nname: Backup\nsteps:\n- name: a\n  run: exit $WFX_PARAM_CODE\nparams: {code: 0}\n");
    place.write("jobs/weekly.yaml", "id: weekly\nsteps:\n- name: a\n");
    place.write("jobs/broken.yaml", "id: broken\nsteps: 3\n");
    place
}

fn workflow<'a>(status: &'a Value, id: &str) -> &'a Value {
    let all = status["workflows"].as_array().unwrap();
    all.iter().find(|workflow| workflow["workflow_id"] == id).unwrap()
}

#[test]
fn every_workflow_has_its_last_run_and_its_last_success() {
    let place = place();
    // Nothing ran yet, there is no database even.
    let before = place.run(["status", "--workflows", "jobs", "--format", "json"]).json();
    assert_eq!(workflow(&before, "nightly")["last_run"], Value::Null);
    place.run(["status"]).refused(3, &["there is no database"]);

    for code in ["0", "0", "1"] {
        let ran = place.run(["exec", "jobs/nightly.yaml", "-p", &format!("code={code}")]);
        assert_eq!(ran.code, Some(if code == "0" { 0 } else { 1 }));
    }
    place.exec("id: once\nsteps:\n- name: a\n", 0);
    let status = place.run(["status", "--workflows", "jobs", "--format", "json"]).json();
    let ids: Vec<&Value> =
        status["workflows"].as_array().unwrap().iter().map(|it| &it["workflow_id"]).collect();
    assert_eq!(ids, ["broken", "nightly", "once", "weekly"]);
    let nightly = workflow(&status, "nightly");
    assert_eq!((&nightly["name"], &nightly["executions"]), (&json!("Backup"), &json!(3)));
    assert_eq!(nightly["last_run"]["status"], "failed");
    assert_eq!(
        (&nightly["last_run"]["seq"], &nightly["last_success"]["seq"]),
        (&json!(3), &json!(2))
    );
    assert_eq!(nightly["usual_duration"]["samples"], 2);
    assert!(workflow(&status, "broken")["problem"].as_str().unwrap().contains("steps"), "{status}");
    assert_eq!(workflow(&status, "once")["file"], Value::Null);
    assert_eq!(workflow(&status, "weekly")["executions"], 0);

    let table = place.run(["status", "--workflows", "jobs"]);
    assert!(table.stdout.contains("never"), "{table:?}");
    let below = "jobs/broken.yaml cannot be used:\n  jobs/broken.yaml:2:";
    assert!(table.stdout.contains(below) && !table.stdout.contains("\\n"), "{table:?}");
    let only = place.run(["status", "nightly", "--format", "plain"]).stdout;
    assert_eq!(only.lines().count(), 1, "{only}");
    assert!(only.starts_with("nightly\tfailed\t"), "{only}");
    place.run(["status", "nightli"]).refused(2, &["no execution of a workflow `nightli`"]);

    // The daemon says the same of its folder.
    let daemon = Daemon::start(&place, &["--workflows", "jobs"]);
    assert_eq!(daemon.get("/api/v1/status").expect(200), status);
    daemon.get("/api/v1/status?x=1").expect(400);
    daemon.stop();
}
