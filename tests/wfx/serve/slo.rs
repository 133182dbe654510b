//! The daemon watches itself: what `/api/v1/slo` and the metrics tell, and alerts.

use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use ring::hmac;

use super::*;
use crate::receiver::{CLOSES, HANGS, Receiver};

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
    let (place, receiver) = (place(), Receiver::start(&[HANGS]));
    let mut daemon = serve_to(&place, &receiver, &[("SLO_ALERT_COOLDOWN_SECONDS", "0")]);
    daemon.get(MISSING).expect(404);
    receiver.next();
    // More than wait at most: those that find no room are given up, no request waits.
    for _ in 0..200 {
        daemon.get(MISSING).expect(404);
    }
    daemon.wait_for_log("too many alerts wait for the webhook");
    let status = deliveries(&daemon);
    assert_eq!(status["sent"], 0);
    assert!(status["pending"].as_u64().unwrap() <= 257, "{status}");
    assert!(status["given_up"].as_u64().unwrap() >= 402 - 257, "{status}");
    let ran = daemon.stop();
    assert!(ran.stderr.contains("the webhook did not take all alerts"), "{}", ran.stderr);
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
