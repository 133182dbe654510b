//! `?fail=true`: the status of an answer says how the execution ended, for clients that look at
//! nothing else.

use super::*;

fn execute(workflow: &str) -> String {
    format!("/api/v1/workflows/{workflow}/execute")
}

#[test]
fn an_execution_that_does_not_succeed_is_answered_with_424_and_counts_as_launched() {
    let place = place();
    place.write("workflows/broken.yaml", "id: broken\nsteps:\n- name: a\n  run: exit 3\n");
    // Ends as it begins: its answer is written before it is stored.
    place.write("workflows/empty.yaml", "id: empty\nsteps:\n- name: a\n");
    let limits = ["--access-log", "access.log", "--slo-min-samples", "1"];
    let daemon = serve(&place, &limits);
    let waits = |workflow: &str, more: &str| {
        daemon.post(&format!("{}?wait=30s{more}", execute(workflow)), "")
    };
    for succeeds in ["greet", "empty"] {
        let done = waits(succeeds, "&fail=true").expect(200);
        assert_eq!(done["execution"]["status"], "success");
    }
    let failed = waits("broken", "&fail=true").expect(424);
    assert_eq!(failed["execution"]["status"], "failed");
    assert_eq!(failed["steps"][0]["exit_code"], 3);
    assert_eq!(waits("broken", "&fail=false").expect(200)["execution"]["status"], "failed");
    let id = id_of(&failed);
    let again = daemon.post(&format!("{EXECUTIONS}/{id}/replay?wait=30s&fail=true"), "");
    assert_eq!(again.expect(424)["execution"]["replay_of"], id.as_str());
    // The time is over, and it did not succeed yet.
    let runs = daemon.post(&format!("{}?wait=10ms&fail=true", execute("waiting")), "").expect(424);
    assert_eq!(runs["execution"]["status"], "running");

    let status = daemon.get("/api/v1/slo").expect(200);
    assert_eq!((&status["requests"], &status["count_4xx"]), (&json!(6), &json!(0)), "{status}");
    let metrics = daemon.get("/metrics").body;
    assert!(metrics.contains("status=\"424\""), "{metrics}");
    place.write("go", "");
    daemon.stop();
    // slo-sim judges the access log as the daemon judged the requests.
    let log = place.read("access.log");
    let told = |line: &&str| line.contains(r#""status":424,"slo_status":200"#);
    assert_eq!(log.lines().filter(told).count(), 3, "{log}");
    let judged = place.run(["slo-sim", "--trace", "access.log", "--format", "json"]).json();
    assert_eq!(judged["alerts"], json!([]), "{judged}");
}

#[test]
fn an_outcome_is_asked_for_with_a_time_to_wait() {
    let place = place();
    let daemon = serve(&place, &[]);
    let problem = daemon.post(&format!("{EXECUTE}?fail=true"), "").expect(400);
    assert!(problem["detail"].as_str().unwrap().contains("`fail` needs `wait`"), "{problem}");
    let problem = daemon.post(&format!("{EXECUTE}?wait=1s&fail=maybe"), "").expect(400);
    assert!(problem["detail"].as_str().unwrap().contains("`fail` cannot be"), "{problem}");
    assert_eq!(daemon.get(EXECUTIONS).expect(200)["total"], 0);
    daemon.stop();
}
