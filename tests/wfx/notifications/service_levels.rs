//! Alerts of service levels on channels.

use super::*;

const MISSING: &str = "/api/v1/none";

fn serve_levels(place: &Place) -> Daemon {
    serve_window(place, "2", &[])
}

/// A daemon whose windows have this many seconds.
fn serve_window(place: &Place, seconds: &str, more: &[&str]) -> Daemon {
    let mut command = place.wfx(["serve", "--listen", "127.0.0.1:0"]);
    command.args(["--slo-error-rate-threshold", "off", "--slo-error-rate-window", seconds]);
    Daemon::of(command.args(more))
}

/// Longer than any test.
const NEVER_OVER: &str = "3600";

/// Has a daemon raise an alert whose breach is not over.
fn breach(daemon: &Daemon, place: &Place) {
    daemon.get(MISSING).expect(404);
    let config = place.read("config.toml");
    let named = config.lines().find(|line| line.starts_with("slo_notify")).unwrap();
    let channels = named.matches('"').count() / 2;
    until("the alert was sent to each channel", || {
        // In this order: none is pending before it is stored, either.
        let alerts = place.sql("SELECT count(*) FROM workflow_open_alerts");
        alerts.parse::<usize>().unwrap() >= channels
            && history(place, &["--state", "pending"]).is_empty()
    });
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

#[test]
fn a_breach_that_is_open_at_the_end_of_a_daemon_is_resolved_by_the_next() {
    let receiver = Receiver::start(&[]);
    let place = Place::new();
    let (hook, pager) = (receiver.url("/hook"), receiver.url("/pager"));
    let text = format!(
        "slo_notify = [\"ops\", \"pager\"]
         [notify.ops]\ntype = \"webhook\"\nurl = \"{hook}\"
         [notify.pager]\ntype = \"pagerduty\"\nrouting_key = \"key\"\nurl = \"{pager}\"\n"
    );
    channel(&place, &text);
    for is_killed in [true, false] {
        // Its cooldown would go on.
        let first = serve_window(&place, NEVER_OVER, &["--slo-alert-cooldown-seconds", "0"]);
        breach(&first, &place);
        if is_killed {
            first.signal("KILL");
            first.end();
        } else {
            first.stop();
        }
        let begun = by_path([receiver.next(), receiver.next()]);
        let next = serve_levels(&place);
        let over = by_path([receiver.next(), receiver.next()]);
        let [(hook, pager), (hook_over, pager_over)] = [&begun, &over];
        assert_eq!(hook_over["type"], "resolved");
        assert_eq!(hook_over["data"]["resolves"], hook["type"]);
        assert_eq!(hook_over["data"]["since"], hook["data"]["since"]);
        assert_eq!(hook_over["data"]["path"], MISSING);
        assert_eq!(pager_over["event_action"], "resolve");
        assert_eq!(pager_over["dedup_key"], pager["dedup_key"]);
        assert_eq!(place.sql("SELECT count(*) FROM workflow_open_alerts"), "0");
        next.stop();
        assert!(receiver.rest().is_empty(), "each is resolved once");
    }
}

/// What came on `/hook` and on `/pager`.
fn by_path(posts: [Post; 2]) -> (Value, Value) {
    let [mut hook, mut pager] = posts;
    if hook.line.contains("/pager") {
        std::mem::swap(&mut hook, &mut pager);
    }
    assert!(pager.line.contains("/pager") && hook.line.contains("/hook"), "{hook:?} {pager:?}");
    (hook.json(), pager.json())
}

#[test]
fn a_daemon_resolves_no_breach_of_another_that_lives() {
    let receiver = Receiver::start(&[]);
    let place = place_with(&receiver, "");
    let text = place.read("config.toml");
    channel(&place, &format!("slo_notify = [\"ops\"]\n{text}"));
    let first = serve_window(&place, NEVER_OVER, &["--slo-alert-cooldown-seconds", "0"]);
    breach(&first, &place);
    let of_first = receiver.next().json();
    let second = serve_window(&place, "1", &["--slo-alert-cooldown-seconds", "0"]);
    breach(&second, &place);
    let of_second = receiver.next().json();
    assert_ne!(of_first["data"]["since"], of_second["data"]["since"]);
    // It has looked for what others have left, before its own breach.
    let over = receiver.next().json();
    assert_eq!(
        (event_of(&over), &over["data"]["since"]),
        ("resolved", &of_second["data"]["since"])
    );
    first.signal("KILL");
    first.end();
    let over = receiver.next().json();
    assert_eq!((event_of(&over), &over["data"]["since"]), ("resolved", &of_first["data"]["since"]));
    second.stop();
    assert!(receiver.rest().is_empty());
}

fn event_of(body: &Value) -> &str {
    body["type"].as_str().unwrap()
}

#[test]
fn a_breach_that_goes_on_in_the_next_daemon_stays_one_incident() {
    let receiver = Receiver::start(&[]);
    let place = place_with(&receiver, "");
    let text = place.read("config.toml");
    channel(&place, &format!("slo_notify = [\"ops\"]\n{text}"));
    let first = serve_window(&place, NEVER_OVER, &["--slo-alert-cooldown-seconds", "0"]);
    breach(&first, &place);
    first.stop();
    let begun = receiver.next().json();
    let mut next = serve_window(&place, "2", &["--slo-alert-cooldown-seconds", "0"]);
    next.wait_for_log("adopted an alert");
    next.get(MISSING).expect(404);
    let (again, over) = (receiver.next().json(), receiver.next().json());
    assert_eq!((event_of(&again), event_of(&over)), (event_of(&begun), "resolved"));
    for body in [&again, &over] {
        assert_eq!(body["data"]["since"], begun["data"]["since"]);
    }
    next.stop();
    assert!(receiver.rest().is_empty());
}

#[test]
fn the_end_of_a_breach_goes_only_where_its_beginning_went() {
    let [ops, other] = [Receiver::start(&[]), Receiver::start(&[])];
    let refuses = Receiver::start(&["400 Bad Request"]);
    let place = Place::new();
    let with = |slo_notify: &str| {
        let table = |name: &str, receiver: &Receiver| {
            let url = receiver.url("/");
            format!("[notify.{name}]\ntype = \"webhook\"\nurl = \"{url}\"\n")
        };
        let tables = [("ops", &ops), ("other", &other), ("refuses", &refuses)];
        let tables: String = tables.iter().map(|(name, receiver)| table(name, receiver)).collect();
        channel(&place, &format!("slo_notify = {slo_notify}\n{tables}"));
    };
    with("[\"ops\", \"refuses\"]");
    let first = serve_window(&place, NEVER_OVER, &[]);
    breach(&first, &place);
    assert_eq!(event(&refuses.next()), "slo_4xx_error_rate_breach");
    first.signal("KILL");
    first.end();
    let begun = ops.next().json();
    // Alerts go to another channel now.
    with("[\"other\"]");
    let next = serve_levels(&place);
    let over = ops.next().json();
    assert_eq!((event_of(&over), &over["data"]["since"]), ("resolved", &begun["data"]["since"]));
    until("nobody waits", || history(&place, &["--state", "pending"]).is_empty());
    next.stop();
    assert!(other.rest().is_empty(), "it never got the beginning");
    assert!(refuses.rest().is_empty(), "it did not accept the beginning");
    assert_eq!(history(&place, &["--state", "dropped"]).len(), 1);
}

#[test]
fn alerts_that_wait_in_memory_are_bounded_by_channel_and_what_is_given_up_is_counted() {
    // As many as may wait for one channel.
    const WAIT: usize = 256;
    const MORE: usize = 5;
    let good = Receiver::start(&[]);
    let place =
        place_with(&good, "[notify.dead]\ntype = \"webhook\"\nurl = \"http://127.0.0.1:1/\"");
    let text = place.read("config.toml");
    channel(&place, &format!("slo_notify = [\"ops\", \"dead\"]\n{text}"));
    let mut daemon = serve_window(&place, NEVER_OVER, &["--slo-alert-cooldown-seconds", "0"]);
    let lock = rusqlite_lock(&place);
    for _ in 0..WAIT + MORE {
        daemon.get(MISSING).expect(404);
    }
    daemon.wait_for_log("gave an alert up: too many wait");
    // The dead one takes nothing of the other.
    assert_eq!(event(&good.next()), "slo_4xx_error_rate_breach");
    let given_up =
        format!(r#"wfx_notifications_total{{channel="dead",outcome="given_up"}} {MORE}"#);
    let metrics = daemon.get("/metrics").body;
    assert!(metrics.lines().any(|line| line == given_up), "{metrics}");
    drop(lock);
    daemon.signal("KILL");
    daemon.end();
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
