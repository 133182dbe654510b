//! The daemon watches itself: what `/api/v1/slo` and the metrics tell, and alerts.

use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use ring::hmac;
use wfx::parts::base::Timestamp;
use wfx::parts::base::clock;

use super::*;
use crate::receiver::{CLOSES, HANGS, Receiver};
use crate::support::Ran;

const SLO: &str = "/api/v1/slo";
const MISSING: &str = "/api/v1/none?with=query";

fn serve_to(place: &Place, receiver: &Receiver, variables: &[(&str, &str)]) -> Daemon {
    let mut command = place.wfx(["serve", "--listen", "127.0.0.1:0"]);
    command.env("SLO_ALERT_WEBHOOK_URL", receiver.url("/hook/key?x=1"));
    command.envs(variables.iter().copied());
    Daemon::of(&mut command)
}

fn deliveries(daemon: &Daemon) -> Value {
    daemon.get(SLO).expect(200)["webhook"].clone()
}

#[test]
fn a_breach_is_told_to_the_webhook_once_within_its_cooldown() {
    let (place, receiver) = (place(), Receiver::start(&[]));
    let secret = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
    let mut daemon = serve_to(&place, &receiver, &[("SLO_ALERT_WEBHOOK_SECRET", secret)]);
    daemon.get(MISSING).expect(404);
    let posts = [receiver.next(), receiver.next()];
    let types = ["slo_error_rate_breach", "slo_4xx_error_rate_breach"];
    for (post, kind) in posts.iter().zip(types) {
        assert_eq!(post.line, "POST /hook/key?x=1 HTTP/1.1");
        let told = post.json();
        assert_eq!(told["type"], kind);
        assert_eq!(told["path"], "/api/v1/none");
        assert_eq!((&told["window_seconds"], &told["samples"]), (&json!(300), &json!(1)));
        let id = post.header("webhook-id").unwrap();
        let timestamp = post.header("webhook-timestamp").unwrap();
        let key = hmac::Key::new(hmac::HMAC_SHA256, &STANDARD.decode(&secret[6..]).unwrap());
        let signed = hmac::sign(&key, format!("{id}.{timestamp}.{}", post.body).as_bytes());
        let signature = format!("v1,{}", STANDARD.encode(signed));
        assert_eq!(post.header("webhook-signature"), Some(signature.as_str()));
        assert_eq!(post.header("content-type"), Some("application/json"));
    }
    assert_eq!(posts[0].json()["error_rate"], json!(1));
    assert_eq!(posts[0].json()["threshold"].to_string(), "0.05");
    assert_ne!(posts[0].header("webhook-id"), posts[1].header("webhook-id"));
    let logged = daemon.wait_for_log("a service level is not met");
    assert!(logged.contains("\"WARN\""), "{logged}");
    assert!(!daemon.wait_for_log("sent an alert").contains("key"), "the URL is a secret");

    daemon.get(MISSING).expect(404);
    daemon.get("/api/v1/ping").expect(200);
    let status = daemon.get(SLO).expect(200);
    let alerts: Vec<&Value> = status["last_alerts"].as_array().unwrap().iter().collect();
    let kinds: Vec<&Value> = alerts.iter().map(|alert| &alert["type"]).collect();
    assert_eq!(kinds, [types[1], types[0]]);
    assert_eq!(status["webhook"]["url"], format!("http://{}/***", receiver.address));
    daemon.stop();
    assert!(receiver.rest().is_empty());
}

#[test]
fn what_is_asked_of_the_daemon_itself_does_not_count() {
    let place = place();
    let daemon = serve(&place, &["--slo-min-samples", "3"]);
    for path in ["/healthz", "/readyz", "/metrics", "/api/v1/ping"] {
        assert_eq!(daemon.get(path).status, 200);
    }
    let status = daemon.get(SLO).expect(200);
    assert_eq!((&status["requests"], &status["count"]), (&json!(1), &json!(1)));
    assert_eq!((&status["error_rate"], &status["webhook"]), (&json!(0), &Value::Null));
    daemon.get(MISSING).expect(404);
    let held = daemon.get(SLO).expect(200);
    assert_eq!((&held["count"], &held["count_4xx"]), (&json!(3), &json!(1)));
    let signal = &held["signals"][0];
    assert_eq!(signal["type"], "slo_error_rate_breach");
    // With the ping and the question before, it was the third.
    assert_eq!((&signal["held_back"], &signal["alerts"]), (&json!(0), &json!(1)));
    assert_eq!((&signal["is_breached"], &signal["breaches"]), (&json!(true), &json!(1)));
    assert_eq!(held["signals"][3]["threshold"].to_string(), "0.75");
    let seconds = signal["covered_seconds"].as_f64().unwrap();
    assert!(seconds > 0.0 && seconds < 300.0);
    let metrics = daemon.get("/metrics").body;
    for line in [
        "wfx_slo_breached{signal=\"slo_error_rate_breach\"} 1",
        "wfx_slo_breaches_total{signal=\"slo_error_rate_breach\"} 1",
        "wfx_slo_alerts_total{signal=\"slo_4xx_error_rate_breach\"} 1",
        "wfx_slo_threshold{signal=\"slo_latency_p95_breach\"} 0.75",
        "wfx_slo_held_back_total{signal=\"slo_5xx_error_rate_breach\"} 0",
        "wfx_slo_samples{signal=\"slo_error_rate_breach\"} 4",
        "wfx_slo_alert_deliveries_total{outcome=\"sent\"} 0",
    ] {
        assert!(metrics.lines().any(|found| found == line), "{line}\n{metrics}");
    }
    assert_eq!(held["last_alerts"][0]["delivery"], "not_configured");
    daemon.stop();
}

#[test]
fn too_few_requests_are_held_back() {
    let place = place();
    let daemon = serve(&place, &["--slo-min-samples", "10"]);
    daemon.get(MISSING).expect(404);
    let status = daemon.get(SLO).expect(200);
    let signals = status["signals"].as_array().unwrap();
    let held: Vec<&Value> = signals.iter().map(|signal| &signal["held_back"]).collect();
    assert_eq!(held, [1, 0, 1, 0]);
    assert_eq!(status["last_alerts"], json!([]));
    daemon.stop();
}

#[test]
fn an_alert_is_sent_again_until_it_is_taken() {
    let receivers: &[&[&str]] = &[
        &["500 Oops"],
        &[CLOSES],
        &["302 Found\r\nLocation: /elsewhere"],
        &["429 Too Many\r\nRetry-After: 3"],
    ];
    for answers in receivers {
        let (place, receiver) = (place(), Receiver::start(answers));
        // One alert and no second one.
        let variables =
            [("SLO_ERROR_RATE_4XX_THRESHOLD", "2"), ("SLO_LATENCY_P95_THRESHOLD", "1h")];
        let mut daemon = serve_to(&place, &receiver, &variables);
        daemon.get(MISSING).expect(404);
        let (first, second) = (receiver.next(), receiver.next());
        assert_eq!(first.header("webhook-id"), second.header("webhook-id"));
        assert_eq!((&first.body, &first.line), (&second.body, &second.line));
        let least = if answers[0].contains("429") { 3_000 } else { 500 };
        assert!(second.at - first.at >= Duration::from_millis(least), "{answers:?}");
        daemon.wait_for_log("could not send an alert");
        daemon.wait_for_log("sent an alert");
        let status = deliveries(&daemon);
        assert_eq!((&status["sent"], &status["failed_attempts"]), (&json!(1), &json!(1)));
        assert_eq!(daemon.get(SLO).expect(200)["last_alerts"][0]["delivery"], "sent");
        daemon.stop();
        assert!(receiver.rest().is_empty(), "{answers:?}");
    }
}

#[test]
fn an_alert_that_nobody_takes_is_given_up() {
    let refuses = &["503 Busy\r\nRetry-After: 3600", "503 Busy\r\nRetry-After: 3600"];
    let (place, receiver) = (place(), Receiver::start(refuses));
    let mut daemon = serve_to(&place, &receiver, &[]);
    daemon.get(MISSING).expect(404);
    let logged = daemon.wait_for_log("gave an alert up");
    assert!(logged.contains("503") && logged.contains("\"ERROR\""), "{logged}");
    daemon.wait_for_log("gave an alert up");
    let status = deliveries(&daemon);
    assert_eq!((&status["given_up"], &status["pending"]), (&json!(2), &json!(0)));
    let metrics = daemon.get("/metrics").body;
    assert!(metrics.contains("wfx_slo_alert_deliveries_total{outcome=\"given_up\"} 2\n"));
    daemon.stop();
}

#[test]
fn a_receiver_that_asks_for_all_time_to_come_gets_the_next_alert() {
    // When it asks, the alert is more than a second old: no sum of times holds that.
    let answers = &["500 Oops", "500 Oops", "503 Busy\r\nRetry-After: 18446744073709551615"];
    let (place, receiver) = (place(), Receiver::start(answers));
    let variables = [
        ("SLO_ERROR_RATE_4XX_THRESHOLD", "2"),
        ("SLO_LATENCY_P95_THRESHOLD", "1h"),
        ("SLO_ALERT_COOLDOWN_SECONDS", "0"),
    ];
    let mut daemon = serve_to(&place, &receiver, &variables);
    daemon.get(MISSING).expect(404);
    daemon.wait_for_log("gave an alert up");
    daemon.get(MISSING).expect(404);
    daemon.wait_for_log("sent an alert");
    let status = deliveries(&daemon);
    assert_eq!((&status["given_up"], &status["sent"]), (&json!(1), &json!(1)));
    daemon.stop();
}

#[test]
fn a_receiver_that_hangs_holds_nothing_up() {
    let (place, receiver) = (place(), Receiver::start(&[HANGS; 402]));
    let mut daemon = serve_to(&place, &receiver, &[("SLO_ALERT_COOLDOWN_SECONDS", "0")]);
    daemon.get(MISSING).expect(404);
    receiver.next();
    // More than are sent at a time: those that find no room are given up, no request waits.
    for _ in 0..200 {
        daemon.get(MISSING).expect(404);
    }
    daemon.wait_for_log("too many alerts wait for the webhook");
    let status = deliveries(&daemon);
    assert_eq!(status["sent"], 0);
    assert!(status["pending"].as_u64().unwrap() <= 256, "{status}");
    assert!(status["given_up"].as_u64().unwrap() >= 402 - 256, "{status}");
    let ran = daemon.stop();
    assert!(ran.stderr.contains("the webhook did not take all alerts"), "{}", ran.stderr);
}

#[test]
fn one_that_is_refused_for_good_is_sent_once() {
    let answers = &["400 Bad Request\r\nRetry-After: 1", "410 Gone"];
    let (place, receiver) = (place(), Receiver::start(answers));
    let mut daemon = serve_to(&place, &receiver, &[]);
    daemon.get(MISSING).expect(404);
    let ids =
        [receiver.next(), receiver.next()].map(|post| post.header("webhook-id").map(str::to_owned));
    assert_ne!(ids[0], ids[1]);
    for _ in answers {
        let logged = daemon.wait_for_log("gave an alert up");
        assert!(logged.contains("the receiver refused it for good: 4"), "{logged}");
    }
    let status = deliveries(&daemon);
    for (count, expected) in
        [("pending", 0), ("sent", 0), ("given_up", 2), ("refused", 2), ("failed_attempts", 2)]
    {
        assert_eq!(status[count], expected, "{count}");
    }
    let metrics = daemon.get("/metrics").body;
    assert!(metrics.contains("wfx_slo_alert_deliveries_total{outcome=\"given_up\"} 2\n"));
    // What was not taken has no cooldown after a restart.
    daemon.stop();
    assert!(receiver.rest().is_empty());
    let mut daemon = serve_to(&place, &receiver, &[]);
    daemon.get(MISSING).expect(404);
    daemon.wait_for_log("sent an alert");
    daemon.wait_for_log("sent an alert");
    daemon.stop();
    assert_eq!(receiver.rest().len(), 2);
}

#[test]
fn no_alert_holds_back_another() {
    for first in ["400 Bad Request", HANGS, CLOSES, "503 Busy\r\nRetry-After: 250"] {
        let (place, receiver) = (place(), Receiver::start(Vec::leak(vec![first])));
        let mut daemon = serve_to(&place, &receiver, &[]);
        daemon.get(MISSING).expect(404);
        let sent = daemon.wait_for_log("sent an alert");
        assert!(sent.contains("slo_4xx_error_rate_breach"), "{first}: {sent}");
        if first != CLOSES {
            assert_eq!(deliveries(&daemon)["sent"], 1, "{first}");
        }
        daemon.signal("KILL");
        daemon.end();
    }
}

fn stored_alerts(place: &Place) -> Vec<String> {
    let rows = place.sql(
        "SELECT name || ' ' || value FROM workflow_settings WHERE name LIKE 'alert_sent_at:%' \
         ORDER BY name",
    );
    rows.lines().map(str::to_owned).collect()
}

#[test]
fn a_cooldown_outlives_the_daemon() {
    let (place, receiver) = (place(), Receiver::start(&[]));
    let mut daemon = serve_to(&place, &receiver, &[]);
    daemon.get(MISSING).expect(404);
    let told = [receiver.next(), receiver.next()].map(|post| post.json());
    daemon.wait_for_log("sent an alert");
    daemon.wait_for_log("sent an alert");
    until("both are stored", || stored_alerts(&place).len() == 2);
    let stored = stored_alerts(&place);
    for alert in &told {
        let (kind, at) = (alert["type"].as_str().unwrap(), alert["timestamp"].as_str().unwrap());
        assert!(stored.contains(&format!("alert_sent_at:{kind} {at}")), "{stored:?} {alert}");
    }
    daemon.signal("KILL");
    daemon.end();
    for _ in 0..3 {
        let daemon = serve_to(&place, &receiver, &[]);
        daemon.get(MISSING).expect(404);
        let status = daemon.get(SLO).expect(200);
        for signal in [0, 2] {
            let signal = &status["signals"][signal];
            assert_eq!((&signal["breaches"], &signal["alerts"]), (&json!(1), &json!(0)));
            assert!(signal["last_alert_at"].is_string(), "{signal}");
        }
        let ran = daemon.stop();
        let goes_on = ran.stderr.matches("its cooldown goes on from before the start").count();
        assert_eq!(goes_on, 2, "{}", ran.stderr);
    }
    assert!(receiver.rest().is_empty());
    assert_eq!(stored_alerts(&place), stored);

    // One that is over, or lies in a future that no clock has seen, holds nothing back.
    for at in ["2001-01-01T00:00:00.000000Z", "2901-01-01T00:00:00.000000Z", "soon"] {
        place.sql(&format!(
            "UPDATE workflow_settings SET value = '{at}' WHERE name LIKE 'alert_sent_at:%'"
        ));
        let mut daemon = serve_to(&place, &receiver, &[]);
        daemon.get(MISSING).expect(404);
        daemon.wait_for_log("sent an alert");
        daemon.wait_for_log("sent an alert");
        daemon.stop();
        assert_eq!(receiver.rest().len(), 2, "{at}");
    }
}

#[test]
fn a_default_that_one_request_breaches_is_named_once_where_somebody_is_called() {
    let receiver = Receiver::start(&[]);
    let url = receiver.url("/");
    let hook = ("SLO_ALERT_WEBHOOK_URL", url.as_str());
    for (variables, expected) in [
        (&[hook][..], 1),
        (&[hook, ("SLO_MIN_SAMPLES", "1")], 0),
        (&[hook, ("SLO_MIN_SAMPLES", "20")], 0),
        (&[], 0),
    ] {
        let place = place();
        let mut command = place.wfx(["serve", "--listen", "127.0.0.1:0"]);
        let daemon = Daemon::of(command.envs(variables.iter().copied()));
        daemon.get("/api/v1/ping").expect(200);
        let ran = daemon.stop();
        assert_eq!(ran.stderr.matches("--slo-min-samples").count(), expected, "{}", ran.stderr);
    }
}

/// The wall clock is set while the daemon runs, there and back.
#[test]
#[cfg(target_os = "linux")]
fn what_is_written_follows_the_wall_clock_and_is_judged_again_alike() {
    // Of one signal each request that breaches.
    const RULES: [(&str, &str); 3] = [
        ("SLO_ERROR_RATE_4XX_THRESHOLD", "2"),
        ("SLO_LATENCY_P95_THRESHOLD", "1h"),
        ("SLO_ALERT_COOLDOWN_SECONDS", "0"),
    ];
    let (place, receiver) = (place(), Receiver::start(&[]));
    let step = place.write("step", "0");
    let mut command = place.wfx(["serve", "--listen", "127.0.0.1:0", "--access-log", "access.log"]);
    command
        .env("LD_PRELOAD", crate::faults::compile("clock", "tests/wfx/serve/clock.c"))
        .env("CLOCK_STEP", &step)
        .env("SLO_ALERT_WEBHOOK_URL", receiver.url("/"))
        .envs(RULES);
    let mut daemon = Daemon::of(&mut command);
    let mut told = Vec::new();
    for (seconds, is_new) in [(0, false), (7200, true), (-86_400, true), (-86_400, false)] {
        place.write("new", seconds.to_string());
        std::fs::rename(place.path("new"), &step).unwrap();
        let now = || clock::now().as_micros() as f64 / 1e6 + f64::from(seconds);
        let from = now();
        daemon.get("/api/v1/ping").expect(200);
        if is_new {
            let logged = daemon.wait_for_log("the wall clock was set");
            assert!(logged.contains("by_seconds"), "{logged}");
        }
        daemon.get(MISSING).expect(404);
        let status = daemon.get(SLO).expect(200);
        // From the first 404 on each request is told.
        let count = if told.is_empty() { 2 } else { 3 };
        let posts: Vec<Value> = (0..count).map(|_| receiver.next().json()).collect();
        let to = now();
        let times = posts.iter().map(|post| &post["timestamp"]);
        for time in times.chain([&status["now"], &status["signals"][0]["last_alert_at"]]) {
            let at: Timestamp = time.as_str().unwrap().parse().unwrap();
            let at = at.as_micros() as f64 / 1e6;
            // Less than a quarter of a second is not followed; and a time may be a slot's begin.
            assert!(from - 0.3 <= at && at <= to + 0.3, "{from} {at} {to}");
        }
        told.extend(posts);
    }
    daemon.stop();
    let log = std::fs::read_to_string(place.path("access.log")).unwrap();
    let lines: Vec<Value> = log.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let steps = lines.iter().map(|line| line["clock_step"].as_f64().map_or(0.0, f64::round));
    let expected = [[0.0; 3], [7200.0; 3], [-86_400.0; 3], [-86_400.0; 3]].concat();
    assert_eq!(steps.collect::<Vec<_>>(), expected);
    assert!(lines[3]["t"].as_f64() > lines[6]["t"].as_f64());
    // In the order of the decisions, whatever the clock said, slo-sim finds the same alerts.
    let mut simulation = place.wfx(["slo-sim", "--trace", "access.log", "--format", "json"]);
    let ran = Ran::of(simulation.envs(RULES));
    let judged: Value = serde_json::from_str(&ran.stdout).unwrap();
    let of = |alerts: &[Value], value: &str| -> Vec<[Value; 3]> {
        alerts.iter().map(|alert| ["path", "samples", value].map(|it| alert[it].clone())).collect()
    };
    let found = of(judged["alerts"].as_array().unwrap(), "value");
    assert_eq!(found, of(&told, "error_rate"), "{ran:?}");
}

#[test]
fn a_bad_promise_stops_the_daemon_before_it_serves() {
    let place = place();
    for (variable, value) in [
        ("SLO_ERROR_RATE_THRESHOLD", "5%"),
        ("SLO_ERROR_RATE_5XX_THRESHOLD", "-1"),
        ("SLO_LATENCY_WINDOW", "0"),
        ("SLO_ERROR_RATE_WINDOW", "25h"),
        ("SLO_LATENCY_P95_THRESHOLD", "fast"),
        ("SLO_MIN_SAMPLES", "1.5"),
        ("SLO_ALERT_COOLDOWN_SECONDS", "-3"),
        ("SLO_ALERT_WEBHOOK_URL", "hooks.example"),
        ("SLO_ALERT_WEBHOOK_SECRET", "whsec_?"),
    ] {
        let ran = crate::support::Ran::of(place.wfx(["serve"]).env(variable, value));
        assert_eq!(ran.code, Some(2), "{variable}: {ran:?}");
        assert!(ran.stderr.contains(variable), "{ran:?}");
        assert!(!ran.stderr.contains("whsec_?"), "{ran:?}");
    }
}
