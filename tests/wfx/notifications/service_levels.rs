//! Alerts of service levels on channels.

use super::*;

const MISSING: &str = "/api/v1/none";

fn serve_levels(place: &Place) -> Daemon {
    let mut command = place.wfx(["serve", "--listen", "127.0.0.1:0"]);
    command.args(["--slo-error-rate-threshold", "off", "--slo-error-rate-window", "2"]);
    Daemon::of(&mut command)
}

#[test]
fn a_breach_and_its_end_go_to_channels() {
    let receiver = Receiver::start(&[]);
    let place = place_with(&receiver, "");
    let text = place.read("config.toml");
    channel(&place, &format!("slo_notify = [\"ops\"]\n{text}"));
    let daemon = serve_levels(&place);
    daemon.get(MISSING).expect(404);
    let (breach, over) = (receiver.next().json(), receiver.next().json());
    assert_eq!(breach["type"], "slo_4xx_error_rate_breach");
    assert_eq!(
        (&breach["data"]["path"], &breach["data"]["error_rate_4xx"]),
        (&json!(MISSING), &json!(1))
    );
    assert_eq!((&over["type"], &over["data"]["resolves"]), (&json!("resolved"), &breach["type"]));
    assert_eq!(over["data"]["since"], breach["data"]["since"]);
    until("both are settled", || history(&place, &["--state", "accepted"]).len() == 2);
    daemon.stop();
    // The cooldown goes on.
    let daemon = serve_levels(&place);
    daemon.get(MISSING).expect(404);
    assert_eq!(daemon.get("/api/v1/slo").expect(200)["last_alerts"], json!([]));
    daemon.stop();
    assert!(receiver.rest().is_empty());
}

#[test]
fn an_alert_does_not_wait_for_the_store() {
    let (ops, legacy) = (Receiver::start(&[CLOSES]), Receiver::start(&[]));
    let place = place_with(&ops, "");
    let text = place.read("config.toml");
    let url = legacy.url("/legacy");
    channel(&place, &format!("slo_notify = [\"ops\"]\nslo_alert_webhook_url = \"{url}\"\n{text}"));
    let mut daemon = serve_levels(&place);
    let lock = rusqlite_lock(&place);
    daemon.get(MISSING).expect(404);
    // The predecessor's payload, and nothing else of it.
    let body = legacy.next().json();
    let keys: Vec<&String> = body.as_object().unwrap().keys().collect();
    let expected =
        ["type", "error_rate_4xx", "threshold", "window_seconds", "timestamp", "path", "samples"];
    assert_eq!(keys, expected);
    daemon.wait_for_log("sending it from memory");
    let (first, second) = (ops.next(), ops.next());
    assert_eq!(first.header("webhook-id"), second.header("webhook-id"));
    assert_eq!(event(&second), "slo_4xx_error_rate_breach");
    drop(lock);
    until("it is in the history", || {
        let sent = history(&place, &["--state", "accepted"]);
        sent.iter().any(|it| it["id"].as_str() == second.header("webhook-id"))
    });
    assert_eq!(event(&ops.next()), "resolved");
    daemon.stop();
    assert!(legacy.rest().is_empty(), "the predecessor knows no end");
}

#[test]
fn an_alert_that_was_not_sent_at_the_stop_is_left_to_the_next_daemon() {
    let receiver = Receiver::start(&[]);
    let place = Place::new();
    let with = |url: &str| {
        let text =
            format!("slo_notify = [\"ops\"]\n[notify.ops]\ntype = \"webhook\"\nurl = \"{url}\"\n");
        channel(&place, &text);
    };
    with("http://127.0.0.1:1/");
    let mut daemon = serve_levels(&place);
    let lock = rusqlite_lock(&place);
    daemon.get(MISSING).expect(404);
    daemon.wait_for_log("sending it from memory");
    daemon.wait_for_log("could not send a notification");
    drop(lock);
    daemon.stop();
    let left = history(&place, &["--state", "pending"]);
    let breaches: Vec<&Value> =
        left.iter().filter(|it| it["event"] == "slo_4xx_error_rate_breach").collect();
    assert_eq!(breaches.len(), 1, "{:?}", history(&place, &[]));
    with(&receiver.url("/hook"));
    let daemon = serve_levels(&place);
    let sent = receiver.next();
    assert_eq!(event(&sent), "slo_4xx_error_rate_breach");
    assert_eq!(sent.header("webhook-id"), breaches[0]["id"].as_str());
    daemon.stop();
}

/// Keeps others from writing until it is dropped.
fn rusqlite_lock(place: &Place) -> Lock {
    use std::io::{BufRead, BufReader, Write};
    use std::process::Stdio;
    let mut child = Command::new("sqlite3")
        .arg(place.database())
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut input = child.stdin.take().unwrap();
    writeln!(input, ".timeout 20000\nBEGIN IMMEDIATE;\nSELECT 'locked';").unwrap();
    let mut line = String::new();
    BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
    assert_eq!(line, "locked\n");
    Lock(child, Some(input))
}

struct Lock(std::process::Child, Option<std::process::ChildStdin>);

impl Drop for Lock {
    fn drop(&mut self) {
        drop(self.1.take());
        self.0.wait().unwrap();
    }
}
