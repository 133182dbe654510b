//! What is logged of requests, to standard error and standard output.

use super::access::ask;
use super::*;

#[test]
fn a_request_that_failed_is_found_in_both_logs_by_its_id() {
    let place = place();
    let mut daemon = serve(&place, &["--max-in-flight", "1", "--access-log", "-"]);
    daemon.post("/api/v1/workflows/waiting/execute", "").expect(200);
    let headers = "X-Request-Id: of-mine\r\nContent-Length: 0\r\n";
    let answer = ask(&daemon, "POST", EXECUTE, headers);
    assert_eq!(answer.header("x-request-id"), Some("of-mine"));
    assert_eq!(answer.expect(503)["request_id"], "of-mine");
    let logged = daemon.wait_for_log("of-mine");
    let logged: Value = serde_json::from_str(&logged).unwrap();
    assert_eq!((&logged["level"], &logged["status"]), (&json!("WARN"), &json!(503)));
    assert_eq!(logged["route"], "/api/v1/workflows/{workflow_id}/execute");
    assert_eq!(logged["request_id"], "of-mine");
    // One that sends none gets one.
    let answer = daemon.post(EXECUTE, "");
    let made = answer.header("x-request-id").unwrap().to_owned();
    assert_eq!(answer.expect(503)["request_id"], made.as_str());
    daemon.wait_for_log(&made);
    place.write("go", "");
    let ran = daemon.stop();
    let lines = |text: &str| -> Vec<Value> {
        text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    };
    assert!(lines(&ran.stderr).iter().all(|line| line["level"].is_string()), "{}", ran.stderr);
    let requests = lines(&ran.stdout);
    let of = |name: &str| requests.iter().map(|line| line[name].clone()).collect::<Vec<_>>();
    assert_eq!(of("status"), [200, 503, 503]);
    assert_eq!(of("request_id")[1..], [json!("of-mine"), json!(made)]);
    assert_eq!(of("method"), ["POST", "POST", "POST"]);
}
