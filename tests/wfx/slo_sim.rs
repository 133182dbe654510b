//! Rehearsals of alert rules: on logs, on made up traffic, and against a daemon that lived
//! through the same.

use std::fmt::Write as _;
use std::io::Write as _;

use serde_json::{Value, json};

use crate::daemon::Daemon;
use crate::receiver::Receiver;
use crate::support::{Place, Ran, root, with_stdin};

const NGINX: &str = "fixtures/traffic/nginx.log";

fn place() -> Place {
    let place = Place::new();
    place.write("w.yaml", "steps: [{name: only}]\n");
    place
}

/// What `slo-sim` finds, as JSON.
#[track_caller]
fn found(place: &Place, args: &[&str]) -> Value {
    let ran = place.run(["slo-sim", "--format", "json"].iter().chain(args));
    assert_eq!(ran.code, Some(0), "{ran:?}");
    ran.json()
}

fn of<'v>(found: &'v Value, list: &str, field: &str) -> Vec<&'v Value> {
    found[list].as_array().unwrap().iter().map(|one| &one[field]).collect()
}

/// A line of NDJSON for each request: time, status, latency.
fn ndjson(requests: &[(f64, u16, f64)]) -> String {
    requests.iter().fold(String::new(), |mut text, (t, status, latency)| {
        let _ = writeln!(
            text,
            r#"{{"t":{t},"status":{status},"latency":{latency},"path":"/at/{t}?q=1"}}"#
        );
        text
    })
}

#[test]
fn a_log_of_nginx_is_judged() {
    let place = place();
    let log = root().join(NGINX);
    let log = log.to_str().unwrap();
    let args =
        ["--trace", log, "--log-format", "combined $request_time", "--slo-min-samples", "100"];
    let found = found(&place, &args);
    let summary = &found["summary"];
    assert_eq!(
        [&summary["lines"], &summary["requests"], &summary["requests_4xx"], &summary["unparsed"]],
        [2681, 2681, 61, 0]
    );
    assert_eq!(summary["requests_5xx"], 120);
    // The incident in its middle.
    assert_eq!(
        of(&found, "alerts", "type"),
        ["slo_error_rate_breach", "slo_5xx_error_rate_breach"]
    );
    let alert = &found["alerts"][0];
    assert_eq!(alert["threshold"].to_string(), "0.05");
    assert!(alert["value"].as_f64().unwrap() >= 0.05);
    assert!(alert["path"].as_str().unwrap().starts_with('/'));
    assert_eq!(found["breaches"][0]["type"], "slo_error_rate_breach");
    assert_eq!(found["breaches"][0]["from"], alert["t"]);
    // The log begins with a 404, which alone is 100 %.
    let held = &summary["signals"][0]["held_back"];
    assert!(held.as_u64().unwrap() > 0, "{summary}");
}

#[test]
fn an_alert_comes_when_the_rule_says_so_and_not_before() {
    let place = place();
    // Of twenty one fails: exactly 5 %. A window later only the last is left.
    let mut requests: Vec<_> = (0..19).map(|n| (f64::from(n), 200, 0.1)).collect();
    requests.extend([(19.0, 500, 0.1), (119.0, 200, 0.75), (400.0, 503, 0.2), (419.5, 200, 0.1)]);
    place.write("log", ndjson(&requests));
    let args = ["--trace", "log", "--slo-error-rate-window", "100", "--slo-min-samples", "1"];
    let told = found(&place, &args);
    let alerts: Vec<(String, String, String)> = told["alerts"]
        .as_array()
        .unwrap()
        .iter()
        .map(|alert| {
            let text = |field: &str| alert[field].to_string().replace('"', "");
            (text("type"), text("t"), text("path"))
        })
        .collect();
    let alert = |kind: &str, t: &str| (format!("slo_{kind}_breach"), t.into(), format!("/at/{t}"));
    assert_eq!(
        alerts,
        [
            alert("error_rate", "19"),
            alert("5xx_error_rate", "19"),
            // At 119 that of 19 is outside. At 400 the cooldown of 300 s is over.
            alert("error_rate", "400"),
            alert("5xx_error_rate", "400"),
        ]
    );
    let breaches = of(&told, "breaches", "to");
    assert_eq!(breaches, [&json!(119), &json!(119), &json!(419.5), &json!(419.5)]);
    assert_eq!(of(&told, "breaches", "is_open"), [false, false, true, true]);
    assert_eq!(told["breaches"][2]["peak"], 1);
    // With a cooldown of 0 every evaluation alerts; one a millisecond short of 0.75 s does not.
    let args = ["--trace", "log", "--slo-alert-cooldown-seconds", "0"];
    let told = found(&place, &args);
    assert_eq!(told["summary"]["signals"][0]["alerts"], 3, "{told}");
    assert_eq!(told["summary"]["signals"][3]["alerts"], 0, "{told}");
}

#[test]
fn silence_ends_a_breach() {
    let place = place();
    let requests = [(1.004, 500, 0.1), (51.0, 500, 0.1), (7_200.0, 500, 0.1), (7_201.0, 200, 0.1)];
    place.write("log", ndjson(&requests));
    let args = ["--trace", "log", "--slo-error-rate-window", "100", "--slo-min-samples", "1"];
    let told = found(&place, &args);
    let of_rate = |field: &str| {
        let breaches = told["breaches"].as_array().unwrap().iter();
        let of_rate = breaches.filter(|breach| breach["type"] == "slo_error_rate_breach");
        of_rate.map(|breach| breach[field].to_string()).collect::<Vec<_>>()
    };
    assert_eq!(of_rate("from"), ["1.004", "7200"]);
    // The last request before leaves the window at 151; the second breach goes on.
    assert_eq!(of_rate("to"), ["151", "7201"]);
    assert_eq!(of_rate("is_open"), ["false", "true"]);
    let signal = &told["summary"]["signals"][0];
    assert_eq!(signal["breached_seconds"].to_string(), "150.996");
    assert_eq!((&signal["breaches"], &signal["alerts"]), (&json!(2), &json!(2)));
}

#[test]
fn files_of_all_kinds_become_one_trace() {
    let place = place();
    let requests: Vec<_> = (0..60)
        .map(|n| (1_767_225_600.0 + f64::from(n) / 4.0, if n % 7 == 0 { 503 } else { 200 }, 0.2))
        .collect();
    place.write("all.ndjson", ndjson(&requests));
    let mut parts = [String::new(), "t,latency_ms,status,path\n".to_owned(), String::new()];
    for (n, (t, status, _)) in requests.iter().enumerate() {
        let _ = match n % 3 {
            0 => writeln!(
                parts[0],
                r#"{{"t":{t},"status":{status},"latency":0.2,"path":"/at/{t}"}}"#
            ),
            1 => writeln!(parts[1], "{t},200,{status},/at/{t}"),
            _ => writeln!(parts[2], "{t:.3} {status} 0.200 \"GET /at/{t} HTTP/1.1\""),
        };
    }
    place.write("a.ndjson", &parts[0]);
    place.write("b.csv", &parts[1]);
    let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    gzip.write_all(parts[2].as_bytes()).unwrap();
    place.write("c.log.gz", gzip.finish().unwrap());
    let of_one = found(&place, &["--trace", "all.ndjson"]);
    let format = "$msec $status $request_time \"$request\"";
    let many = ["--trace", "c.log.gz", "b.csv", "a.ndjson", "--log-format", format];
    let of_many = found(&place, &many);
    assert_eq!(of_many["alerts"], of_one["alerts"]);
    assert_eq!(of_many["breaches"], of_one["breaches"]);
    assert!(!of_many["alerts"].as_array().unwrap().is_empty());
    let stdin = with_stdin(
        &mut place.wfx(["slo-sim", "--trace", "-", "--format", "json"]),
        ndjson(&requests).as_bytes(),
    );
    assert_eq!(stdin.json()["alerts"], of_one["alerts"]);
    // As given, what is early is held at the time of what came before it.
    let as_given = found(&place, &[&many[..], &["--as-given"]].concat());
    assert_eq!(as_given["summary"]["requests"], 60);
    assert_ne!(as_given["alerts"], of_one["alerts"]);
}

#[test]
fn there_may_be_more_files_than_can_be_open() {
    let place = place();
    for number in 0..100 {
        place.write(&format!("log.{number}"), ndjson(&[(f64::from(number), 200, 0.1)]));
    }
    let wfx = env!("CARGO_BIN_EXE_wfx");
    let limited = format!("ulimit -n 50; exec {wfx} slo-sim --trace log.* --format json");
    let ran = Ran::of(
        std::process::Command::new("sh").args(["-c", &limited]).current_dir(place.path("")),
    );
    assert_eq!(ran.code, Some(0), "{ran:?}");
    assert_eq!(ran.json()["summary"]["requests"], 100);
}

#[test]
fn what_cannot_be_read_is_told() {
    let place = place();
    let good = ndjson(&[(1.0, 200, 0.1), (2.0, 200, 0.1)]);
    place.write("some", format!("{good}not json\n{{\"t\":3}}\n"));
    let ran = place.run(["slo-sim", "--trace", "some", "--max-unreadable", "50%"]);
    assert_eq!(ran.code, Some(0), "{ran:?}");
    for told in ["2 lines of 4 could not be read", "some:3: ", "some:4: "] {
        assert!(ran.stderr.contains(told), "{told}: {}", ran.stderr);
    }
    place.run(["slo-sim", "--trace", "some", "--strict"]).refused(2, &["some:3"]);
    place.write("none", "nothing\nof\nuse\n");
    place.run(["slo-sim", "--trace", "none"]).refused(2, &["none", "--log-format"]);
    place.write("empty", "");
    place.run(["slo-sim", "--trace", "empty"]).refused(2, &["empty"]);
    place.run(["slo-sim", "--trace", "missing"]).refused(2, &["missing"]);
    place.run(["slo-sim", "--trace", "."]).refused(2, &["."]);
    let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    let many: Vec<_> = (0..20_000).map(|n| (f64::from(n), 200, 0.1)).collect();
    gzip.write_all(ndjson(&many).as_bytes()).unwrap();
    let gzip = gzip.finish().unwrap();
    place.write("cut.gz", &gzip[..gzip.len() / 2]);
    // Of a file that ends early what is there is judged, and so are the others.
    let ran = place.run(["slo-sim", "--trace", "cut.gz", "some", "--max-unreadable", "0.05"]);
    assert_eq!(ran.code, Some(0), "{ran:?}");
    assert!(ran.stderr.contains("cut.gz ends early: the "), "{}", ran.stderr);
    assert!(ran.stderr.contains("2 lines of "), "{}", ran.stderr);
    // A line of 64 MB is left out, and takes no 64 MB.
    let mut long = good.clone().into_bytes();
    long.extend(std::iter::repeat_n(b'x', 64 << 20));
    long.extend(format!("\n{good}").bytes());
    place.write("long", long);
    let limited = format!(
        "ulimit -v 400000; exec {} slo-sim --trace long --max-unreadable 20%",
        env!("CARGO_BIN_EXE_wfx")
    );
    let ran = Ran::of(
        std::process::Command::new("sh").args(["-c", &limited]).current_dir(place.path("")),
    );
    assert_eq!(ran.code, Some(0), "{ran:?}");
    assert!(ran.stderr.contains("1 line of 5 could not be read"), "{}", ran.stderr);
}

#[test]
fn what_is_left_of_a_log_that_cannot_be_read_is_not_judged() {
    let place = place();
    let good = ndjson(&[(1.0, 200, 0.1)]).repeat(19);
    let bad = "{\"t\":2,\"code\":503}\n";
    let judge = |log: String, args: &[&str]| {
        place.write("log", log);
        place.run([&["slo-sim", "--trace", "log", "--fail-on-breach"], args].concat())
    };
    // Exactly 5 % may be unreadable.
    assert_eq!(judge(format!("{good}{bad}"), &[]).code, Some(0));
    let many = format!("{good}{}", bad.repeat(2));
    judge(many.clone(), &[]).refused(2, &["2 of 21 lines", "log:20: ", "--max-unreadable 100%"]);
    judge(many.clone(), &["--max-unreadable", "0.09"]).refused(2, &["2 of 21 lines"]);
    assert_eq!(judge(many, &["--max-unreadable", "100%"]).code, Some(0));
    judge(good.clone(), &["--max-unreadable", "5"]).refused(2, &["from 0% to 100%"]);
    // Lines that end before the duration count; a log of them has another format.
    let line = "1.1.1.1 - - [28/Nov/2025:10:00:01 +0000] \"GET /x HTTP/1.1\" 503 5 \"-\" \"M\"";
    let format = ["--log-format", "combined $request_time"];
    let some = format!("{line} 0.010\n{line}\n");
    assert_eq!(judge(some, &format).code, Some(1));
    let nearly_all = format!("{line} 0.010\n{}", format!("{line}\n").repeat(99));
    judge(nearly_all, &format).refused(2, &["99 of 100 lines end before the duration"]);
}

#[test]
fn a_log_that_wfx_does_not_read_is_named_with_what_to_type() {
    let place = place();
    let docker = "{\"log\":\"GET / 200\\n\",\"stream\":\"stdout\",\"time\":\"x\"}\n";
    for (log, args, told) in [
        (docker, &[][..], "jq -rj .log log"),
        (docker, &["--log-format", "combined"], "jq -rj .log log"),
        ("t;status\n1;200\n", &[], "tr ';,' ',.' < log"),
        ("INFO:     1.1.1.1:5 - \"GET / HTTP/1.1\" 200 OK\n", &[], "asctime"),
        (
            "1.1.1.1 - - [28/Nov/2025:10:00:01 +0000] \"GET / HTTP/1.1\" 200 5 \"-\" \"M\" 0.01\n",
            &[],
            "--log-format 'combined $request_time'",
        ),
        ("{\"time\":\"x\",\"status\":200,\"uri\":\"/\"}\n", &[], "{t: .time, status: .status"),
    ] {
        place.write("log", log);
        place.run([&["slo-sim", "--trace", "log"], args].concat()).refused(2, &[told]);
    }
}

#[test]
fn a_line_far_ahead_is_named_when_lines_are_taken_as_given() {
    let place = place();
    let far = ndjson(&[(1.0, 200, 0.1), (100_000_000.0, 200, 0.1), (2.0, 503, 0.1)]);
    place.write("log", far);
    let ran = place.run(["slo-sim", "--trace", "log", "--as-given"]);
    assert!(ran.stderr.contains("log:2 is "), "{}", ran.stderr);
    assert!(ran.stderr.contains("1 request after it was judged at its time"), "{}", ran.stderr);
    assert!(!place.run(["slo-sim", "--trace", "log"]).stderr.contains("ahead"));
}

#[test]
fn the_log_of_a_daemon_is_judged() {
    let place = place();
    let log = root().join("fixtures/traffic/serve.ndjson");
    let rules = ["--slo-error-rate-window", "10", "--slo-min-samples", "50"];
    let found =
        found(&place, &[&["--trace", log.to_str().unwrap(), "--strict"], &rules[..]].concat());
    let summary = &found["summary"];
    assert_eq!(
        [&summary["lines"], &summary["requests"], &summary["requests_4xx"]],
        [1210, 1150, 100]
    );
    assert_eq!(summary["left_out"], 60);
    let types = ["slo_error_rate_breach", "slo_4xx_error_rate_breach"];
    assert_eq!(of(&found, "alerts", "type"), types);
    let path = "/api/v1/workflows/nihgtly/execute";
    assert_eq!(of(&found, "alerts", "path"), [path, path]);
}

#[test]
fn a_breach_fails_when_that_is_asked_for() {
    let place = place();
    place.write("bad", ndjson(&[(1.0, 500, 0.1)]));
    place.write("good", ndjson(&[(1.0, 200, 0.1)]));
    for (log, code) in [("bad", 1), ("good", 0)] {
        let ran = place.run(["slo-sim", "--trace", log, "--fail-on-breach"]);
        assert_eq!(ran.code, Some(code), "{ran:?}");
        assert_eq!(place.run(["slo-sim", "--trace", log]).code, Some(0));
    }
}

#[test]
fn what_was_found_is_shown_over_time() {
    let place = place();
    let requests: Vec<_> = (0..1_200)
        .map(|n| (f64::from(n), if (600..700).contains(&n) { 500 } else { 200 }, 0.1))
        .collect();
    place.write("log", ndjson(&requests));
    let shown = |variables: &[(&str, &str)]| {
        let ran = Ran::of(place.wfx(["slo-sim", "--trace", "log"]).envs(variables.iter().copied()));
        assert_eq!(ran.code, Some(0), "{ran:?}");
        ran.stdout
    };
    let ascii = shown(&[("LC_ALL", "C"), ("COLUMNS", "80")]);
    for told in [
        "log: 1200 requests over 19m 59s, 0 % of them 4xx, 8.3 % 5xx",
        "error rate  peak 33 %, threshold 5.0 %, 1 breach, 2 alerts",
        "5xx rate  peak 33 %",
        "4xx rate: nothing but zeros",
        "p95 latency  peak 10",
        "Breaches",
        "Alerts",
        "/at/614",
        "4 alerts would have been sent",
        "SLO_ALERT_COOLDOWN_SECONDS",
    ] {
        assert!(ascii.contains(told), "{told}\n{ascii}");
    }
    let marks = ascii.lines().find(|line| line.contains('^')).unwrap();
    assert_eq!(marks.matches('^').count(), 2, "{ascii}");
    assert!(marks.contains("^===="), "{ascii}");
    let plots = ascii.split("Breaches").next().unwrap();
    assert!(plots.is_ascii() && plots.lines().all(|line| line.len() <= 80), "{ascii}");
    let unicode = shown(&[("LC_ALL", "C.UTF-8"), ("COLUMNS", "60")]);
    assert!(unicode.contains('━') && unicode.contains('▲') && !unicode.contains('\u{1b}'));
    let coloured = shown(&[("CLICOLOR_FORCE", "1"), ("LC_ALL", "C.UTF-8")]);
    assert!(coloured.contains("\u{1b}[31m"), "{coloured}");

    // Where two dates find no room below a plot, one does.
    let dated: Vec<_> = (0..600).map(|n| (1_767_225_600.0 + f64::from(n), 200, 0.1)).collect();
    place.write("dated", ndjson(&dated));
    let narrow = Ran::of(place.wfx(["slo-sim", "--trace", "dated"]).env("COLUMNS", "40")).stdout;
    let axis = narrow.lines().find(|line| line.contains("00:00:00Z  ")).unwrap();
    assert!(axis.len() <= 40 && axis.ends_with(" +9m 59s"), "{narrow}");

    place.write("one", ndjson(&[(1.0, 404, 0.1)]));
    let hasty = place.run(["slo-sim", "--trace", "one"]).stdout;
    assert!(hasty.contains("2 alerts were judged by fewer than 20 requests"), "{hasty}");
    assert!(!ascii.contains("judged by fewer"), "{ascii}");
    let held = place.run(["slo-sim", "--trace", "one", "--slo-min-samples", "2"]).stdout;
    assert!(held.contains("error rate: never judged"), "{held}");

    let plain = place.run(["slo-sim", "--trace", "log", "--format", "plain"]).stdout;
    let first: Vec<&str> = plain.lines().next().unwrap().split('\t').collect();
    assert_eq!((first[0], first[1], first[4]), ("614", "slo_error_rate_breach", "/at/614"));
    let lines = place.run(["slo-sim", "--trace", "log", "--format", "jsonl"]).stdout;
    let lines: Vec<Value> = lines.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!((lines.len(), &lines[0]["t"]), (4, &json!(614)));
}

#[test]
fn made_up_traffic_has_a_seed() {
    let place = place();
    let quick = "phases:\n- {duration: 20m, rate: 5, status: {200: 9, 500: 1}}\n";
    place.write("quick.yaml", quick);
    let first = found(&place, &["--scenario", "quick.yaml"]);
    assert_eq!(first, found(&place, &["--scenario", "quick.yaml", "--seed", "1"]));
    assert_ne!(first, found(&place, &["--scenario", "quick.yaml", "--seed", "2"]));
    assert_eq!(first["summary"]["source"], "scenario quick");
    let listed = place.run(["slo-sim", "--list", "--format", "plain"]).stdout;
    let names: Vec<&str> = listed.lines().map(|line| line.split('\t').next().unwrap()).collect();
    assert!(names.contains(&"night-trickle"), "{listed}");
    let held = found(&place, &["--scenario", "night-trickle", "--slo-min-samples", "50"]);
    let woken = found(&place, &["--scenario", "night-trickle"]);
    assert_eq!(held["summary"]["alerts"], 0);
    assert!(woken["summary"]["alerts"].as_u64().unwrap() > 10, "{}", woken["summary"]);

    place.run(["slo-sim", "--scenario", "stedy"]).refused(2, &["stedy", "--list"]);
    place.write("bad.yaml", "phases: [{rate: -1}]\n");
    let refused = place.run(["slo-sim", "--scenario", "bad.yaml"]);
    refused.refused(2, &["/phases/0/rate", "/phases/0: it needs a `duration`", "schema traffic"]);
    assert_eq!(place.run(["slo-sim"]).code, Some(2));
    let both = place.run(["slo-sim", "--scenario", "steady", "--trace", "x"]);
    assert_eq!(both.code, Some(2));
    place.run(["slo-sim", "--scenario", "steady", "--slo-min-samples", "x"]).refused(2, &["x"]);
}

#[test]
fn an_option_that_would_do_nothing_is_refused() {
    let place = place();
    place.write("log", ndjson(&[(1.0, 200, 0.1)]));
    for option in [&["--strict"][..], &["--as-given"], &["--log-format", "common"]] {
        for traffic in [&["--scenario", "night-trickle"][..], &["--list"]] {
            let ran = place.run([&["slo-sim"][..], traffic, option].concat());
            assert_eq!(ran.code, Some(2), "{option:?} {traffic:?}: {ran:?}");
            assert!(ran.stderr.contains(option[0]), "{ran:?}");
        }
    }
    let ran = place.run(["slo-sim", "--trace", "log", "--seed", "7"]);
    assert_eq!(ran.code, Some(2), "{ran:?}");
    let ran = place.run(["slo-sim", "--trace", "log", "--log-format", "$status"]);
    assert_eq!(ran.code, Some(2), "{ran:?}");
    for told in ["the format has no time", "$time_local", "combined $request_time"] {
        assert!(ran.stderr.contains(told), "{told}: {}", ran.stderr);
    }
}

#[test]
fn requests_without_a_duration_are_told() {
    let place = place();
    let (with, without) = (ndjson(&[(1.0, 200, 0.1)]), "{\"t\":2,\"status\":200}\n".to_owned());
    for (log, told) in [
        (without.repeat(2), "the log has no durations: requests count in the rates only"),
        (format!("{with}{without}"), "1 request has no duration, and counts in the rates only"),
        (
            format!("{with}{without}{without}"),
            "2 requests have no duration, and count in the rates",
        ),
    ] {
        place.write("log", log);
        let ran = place.run(["slo-sim", "--trace", "log"]);
        assert!(ran.stderr.contains(told), "{told}: {}", ran.stderr);
    }
    // Beside the percentile as well: 1 of 3 is slow, and all that is known.
    let slow = ndjson(&[(1.0, 200, 3.0)]);
    place.write("log", format!("{slow}{{\"t\":2,\"status\":503,\"latency\":-1}}\n{without}"));
    let ran = place.run(["slo-sim", "--trace", "log"]);
    assert!(ran.stdout.contains("2 requests (67 %) of unknown latency"), "{}", ran.stdout);
    let found = found(&place, &["--trace", "log"]);
    let signals = &found["summary"]["signals"];
    assert_eq!(signals[3]["unknown"], 2);
    assert!((signals[3]["peak"].as_f64().unwrap() - 3.0).abs() < 0.03, "{signals}");
    assert!((signals[3]["unknown_share"].as_f64().unwrap() - 2.0 / 3.0).abs() < 1e-9);
    assert_eq!(found["summary"]["requests_5xx"], 1);
    assert!(signals[0]["unknown"].is_null());
}

#[test]
fn a_daemon_and_a_rehearsal_of_its_log_send_the_same_alerts() {
    let (place, receiver) = (place(), Receiver::start(&[]));
    let rules = [
        ("SLO_ERROR_RATE_THRESHOLD", "0.2"),
        ("SLO_ERROR_RATE_5XX_THRESHOLD", "2"),
        ("SLO_ERROR_RATE_4XX_THRESHOLD", "0.21"),
        ("SLO_ERROR_RATE_WINDOW", "0.3"),
        ("SLO_LATENCY_WINDOW", "0.25"),
        ("SLO_LATENCY_P95_THRESHOLD", "0.001"),
        ("SLO_MIN_SAMPLES", "7"),
        ("SLO_ALERT_COOLDOWN_SECONDS", "0.1"),
    ];
    let mut serve = place.wfx(["serve", "--listen", "127.0.0.1:0", "--access-log", "access.log"]);
    serve.envs(rules).env("SLO_ALERT_WEBHOOK_URL", receiver.url("/"));
    let daemon = Daemon::of(&mut serve);
    place.write(
        "drive.json",
        r#"{"endpoints": [
            "GET /api/v1/ping", "GET /healthz", "GET /api/v1/workflows/executions",
            {"endpoint": "GET /api/v1/none", "expect": 404, "weight": 1},
            {"endpoint": "POST /api/v1/workflows/none/execute", "expect": 404, "weight": 0.5}
        ]}"#,
    );
    let target = format!("http://{}", daemon.address);
    let driven = place.run([
        "perf-check",
        "--target",
        &target,
        "--scenario",
        "drive.json",
        "--rate",
        "60",
        "--duration",
        "3s",
        "--warmup",
        "0",
        "--update-baseline",
        "--baseline",
        "b.json",
    ]);
    assert!(matches!(driven.code, Some(0 | 4)), "{driven:?}");
    daemon.stop();
    let posts = receiver.rest();
    let told: Vec<(Value, i64, String, Value)> = posts
        .iter()
        .map(|post| {
            let alert = post.json();
            let at: jiff::Timestamp = alert["timestamp"].as_str().unwrap().parse().unwrap();
            let fields = ["error_rate", "error_rate_4xx", "latency_p95"];
            let value = fields.iter().find_map(|field| alert.get(field)).unwrap().to_string();
            (alert["type"].clone(), at.as_microsecond(), value, alert["path"].clone())
        })
        .collect();
    assert!(told.len() >= 20, "{told:?}");
    let ran = Ran::of(
        place.wfx(["slo-sim", "--trace", "access.log", "--strict", "--format", "json"]).envs(rules),
    );
    let rehearsed = ran.json();
    let micros = |t: &Value| {
        let text = t.to_string();
        let (whole, fraction) = text.split_once('.').unwrap_or((&text, ""));
        format!("{whole}{fraction:0<6}").parse::<i64>().unwrap()
    };
    let alerts: Vec<(Value, i64, String, Value)> = rehearsed["alerts"]
        .as_array()
        .unwrap()
        .iter()
        .map(|alert| {
            let value = alert["value"].to_string();
            (alert["type"].clone(), micros(&alert["t"]), value, alert["path"].clone())
        })
        .collect();
    assert_eq!(alerts, told);
    assert!(rehearsed["summary"]["left_out"].as_u64().unwrap() >= 150, "{}", rehearsed["summary"]);
}

#[test]
fn json_of_servers_with_names_of_their_own_is_read_without_a_flag() {
    let place = Place::new();
    let caddy = |second: u32, status: u16| {
        format!(
            "{{\"level\":\"info\",\"ts\":{second}.5,\"logger\":\"http.log.access\",\"msg\":\"handled \
             request\",\"request\":{{\"method\":\"GET\",\"uri\":\"/caddy?x\"}},\"duration\":0.25,\
             \"status\":{status}}}\n"
        )
    };
    let started =
        "{\"level\":\"info\",\"ts\":1764324000,\"logger\":\"admin\",\"msg\":\"started\"}\n";
    let traefik = "{\"DownstreamStatus\":502,\"Duration\":2000000000,\"RequestPath\":\"/traefik\",\
                   \"StartUTC\":\"2025-11-28T10:00:08Z\",\"time\":\"2025-11-28T10:00:10Z\"}\n";
    let log = [started, &caddy(1_764_324_001, 200), &caddy(1_764_324_002, 200), traefik].concat();
    place.write("servers.log", log);
    let ran = place.run(["slo-sim", "--trace", "servers.log", "--format", "json"]);
    assert_eq!((ran.code, ran.stderr.as_str()), (Some(0), ""), "{ran:?}");
    let judged = ran.json();
    let summary = &judged["summary"];
    assert_eq!((&summary["requests"], &summary["left_out"]), (&json!(3), &json!(1)));
    assert_eq!((&summary["requests_5xx"], &summary["without_latency"]), (&json!(1), &json!(0)));
    assert_eq!(judged["alerts"][0]["path"], "/traefik");
    // At its answer.
    assert_eq!(judged["alerts"][0]["t"], json!(1_764_324_010));
}
