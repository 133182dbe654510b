//! Who is let in beside the defaults, and what each path takes.

use super::*;
use crate::daemon::{Answer, post};
use crate::support::Ran;

/// A request without a body, with these header lines.
pub(super) fn ask(daemon: &Daemon, method: &str, path: &str, headers: &str) -> Answer {
    daemon.send(&format!(
        "{method} {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n{headers}\r\n"
    ))
}

#[test]
fn a_token_of_the_environment_lets_others_be_served() {
    let place = Place::new();
    let serve = || place.wfx(["serve", "--listen", "0.0.0.0:0"]);
    Ran::of(serve().env("WFX_TOKEN", "two words")).refused(2, &["WFX_TOKEN"]);
    // As if it was not set.
    Ran::of(serve().env("WFX_TOKEN", "")).refused(2, &["no token is set"]);
    let none = "no token of one line";
    for (text, told) in [("", none), ("\n", none), ("two\nlines\n", "line 1 is neither")] {
        place.write("token", text);
        Ran::of(serve().args(["--token-file", "token"])).refused(2, &[told]);
    }
    assert!(!place.database().exists());
    let mut daemon = Daemon::of(serve().env("WFX_TOKEN", "secret-token"));
    daemon.address.set_ip(std::net::Ipv4Addr::LOCALHOST.into());
    assert_eq!(daemon.get("/healthz").status, 200);
    assert_eq!(daemon.get("/api/v1/ping").status, 401);
    // Never in the query.
    assert_eq!(daemon.get("/api/v1/ping?access_token=secret-token").status, 401);
    let let_in = ask(&daemon, "GET", "/api/v1/ping", "Authorization: Bearer secret-token\r\n");
    assert_eq!(let_in.expect(200), json!({"status": "ok"}));
    let ran = daemon.stop();
    assert!(!ran.stderr.contains("secret-token"), "{}", ran.stderr);
}

#[test]
fn a_token_can_leave_metrics_open_and_definitions_to_files() {
    let place = place();
    place.write("token", "secret-token");
    let daemon =
        serve(&place, &["--token-file", "token", "--metrics-open", "--definitions", "files"]);
    assert_eq!(daemon.get("/metrics").status, 200);
    assert_eq!(daemon.get("/api/v1/ping").status, 401);
    let request = post("/api/v1/workflows/made/execute", r#"{"steps":[{"name":"s"}]}"#);
    let request = request.replacen("\r\n", "\r\nAuthorization: Bearer secret-token\r\n", 1);
    daemon.send(&request).expect(403);
    daemon.stop();
}

#[test]
fn each_path_tells_the_methods_that_it_takes() {
    let place = place();
    let daemon = serve(&place, &[]);
    let (read, start) = ("GET, HEAD, OPTIONS", "POST, OPTIONS");
    for (path, allowed, refused) in [
        ("/api/v1/ping", read, "POST"),
        ("/healthz", read, "PUT"),
        ("/readyz", read, "DELETE"),
        ("/metrics", read, "POST"),
        ("/api/v1/workflows", read, "POST"),
        ("/api/v1/workflows/greet", read, "PUT"),
        ("/api/v1/workflows/greet/executions", read, "POST"),
        ("/api/v1/workflows/executions", read, "POST"),
        ("/api/v1/workflows/executions/x", read, "DELETE"),
        ("/api/v1/workflows/greet/execute", start, "GET"),
        ("/api/v1/workflows/executions/x/replay", start, "HEAD"),
        ("/api/v1/workflows/executions/x/cancel", start, "GET"),
    ] {
        let answer = ask(&daemon, refused, path, "");
        assert_eq!((answer.status, answer.header("allow")), (405, Some(allowed)), "{path}");
        let answer = ask(&daemon, "OPTIONS", path, "");
        assert_eq!((answer.status, answer.header("allow")), (204, Some(allowed)), "{path}");
        assert_eq!(answer.header("access-control-allow-origin"), None, "{path}");
    }
    for path in ["/api/v1/workflows/greet", EXECUTIONS] {
        let (got, head) = (daemon.get(path), ask(&daemon, "HEAD", path, ""));
        assert_eq!((head.status, head.body.as_str()), (200, ""));
        assert_eq!(head.header("content-length"), got.header("content-length"));
    }
    assert_eq!(daemon.get("/readyz").json(), json!({"status": "ready", "unstored": 0}));
    daemon.stop();
}
