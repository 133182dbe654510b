//! wfx measures a server itself.

use std::io::{Read, Write};
use std::net::TcpListener;
use std::time::Duration;

use serde_json::{Value, json};

use super::server::{Answer, OK, Server, certificate, self_signed};
use super::{BASELINE, baseline, judged, with};
use crate::support::{Place, Ran, root};

/// No machine is so slow that these would fail it.
pub(super) const WIDE: [&str; 4] =
    ["--tolerance-median-ms", "60000", "--tolerance-p95-ms", "60000"];
/// 200 requests in a second.
const SHORT: [&str; 6] = ["--rate", "200", "--duration", "1s", "--warmup", "100ms"];

fn place(rows: &[(&str, f64, f64)]) -> Place {
    let place = Place::new();
    std::fs::create_dir(place.path("perf")).unwrap();
    place.write(BASELINE, baseline(rows));
    place
}

fn args<'a>(url: &'a str, endpoint: &'a str, more: &[&'a str]) -> Vec<&'a str> {
    let own = ["--target", url, "--endpoint", endpoint];
    own.iter().chain(&SHORT).chain(&WIDE).chain(more).copied().collect()
}

#[test]
fn a_server_is_measured_at_the_rate_that_was_asked_for() {
    let server = Server::start(|_| OK);
    // What the baseline has beyond what is measured is nobody's business.
    let place = place(&[("GET /x", 1.0, 2.0), ("GET /other", 1.0, 2.0)]);
    let told = judged(&place, &args(&server.url(), "GET /x", &[]), 0);
    let x = &told["endpoints"]["GET /x"];
    assert_eq!(
        (&x["samples"], &x["errors"], &x["verdict"]),
        (&json!(200), &json!(0), &json!("pass"))
    );
    assert_eq!(told["measured"]["rate_asked"], 200.0);
    // The warm-up's requests were made and are not kept.
    assert_eq!(server.count("GET /x"), 220);
    let headers = &server.seen()[0].headers;
    assert_eq!(headers["host"], server.address.to_string().as_str());
    assert!(headers["user-agent"].to_str().unwrap().starts_with("wfx/"));
    // Recording it keeps how it was measured.
    assert_eq!(
        judged(&place, &args(&server.url(), "GET /x", &["--update-baseline"]), 0)["verdict"],
        "pass"
    );
    let file: Value = serde_json::from_str(&place.read(BASELINE)).unwrap();
    let x = &file["endpoints"]["GET /x"];
    assert_eq!((&x["samples"], &x["source"]), (&json!(200), &json!("wfx")));
    assert!(x["rate"] == 200.0 && x["connections"].as_u64() >= Some(2), "{x}");
    assert_eq!(file["endpoints"]["GET /other"], json!({"median_ms": 1.0, "p95_ms": 2.0}));
}

#[test]
fn a_target_that_stalls_is_asked_all_the_same() {
    // It answers nothing until half of all requests have come: who waits for an answer
    // before the next request waits for ever.
    let server = Server::start(|_| Answer { once: 120, ..OK });
    let place = place(&[("GET /x", 1.0, 2.0)]);
    let told = judged(&place, &args(&server.url(), "GET /x", &[]), 0);
    let x = &told["endpoints"]["GET /x"];
    assert_eq!((&x["samples"], &x["errors"]), (&json!(200), &json!(0)));
    // The first of those that are kept was due half a second before the 120th.
    let [p95, p99, max] = ["p95_ms", "p99_ms", "max_ms"].map(|name| x[name].as_f64().unwrap());
    assert!(p95 > 400.0 && p99 > p95 && max > p99, "{x}");
    assert!(told["measured"]["connections"].as_u64().unwrap() >= 119, "{told}");
}

#[test]
fn errors_are_what_is_not_expected() {
    let place = place(&[("GET /x", 1.0, 2.0)]);
    for status in [500, 302, 404] {
        let server = Server::start(move |_| Answer { status, ..OK });
        let told = judged(&place, &args(&server.url(), "GET /x", &[]), 1);
        let x = &told["endpoints"]["GET /x"];
        assert_eq!((&x["verdict"], &x["errors"]), (&json!("errors"), &json!(200)));
        assert_eq!(x["error_kinds"], json!({format!("status {status}"): 200}));
        assert_eq!(server.count("GET /elsewhere"), 0, "a redirect was followed");
        let scenario = json!({"endpoints": [{"endpoint": "GET /x", "expect": [status]}]});
        place.write("s.json", scenario.to_string());
        let url = server.url();
        let args: Vec<_> = ["--target", &url, "--scenario", "s.json"]
            .iter()
            .chain(&SHORT)
            .chain(&WIDE)
            .copied()
            .collect();
        assert_eq!(judged(&place, &args, 0)["verdict"], "pass");
    }
}

#[test]
fn a_target_that_dies_half_way_fails_and_the_result_is_told() {
    let server = Server::start(|_| Answer { dies_at: 120, ..OK });
    let place = place(&[("GET /x", 1.0, 2.0)]);
    let told = judged(&place, &args(&server.url(), "GET /x", &["--summary", "s.json"]), 1);
    let x = &told["endpoints"]["GET /x"];
    assert_eq!(x["verdict"], "errors");
    let (samples, errors) = (x["samples"].as_u64().unwrap(), x["errors"].as_u64().unwrap());
    assert!(samples + errors == 200 && errors >= 80, "{x}");
    assert!(x["error_kinds"].as_object().unwrap().keys().any(|k| k.contains("refused")), "{x}");
    assert_eq!(serde_json::from_str::<Value>(&place.read("s.json")).unwrap(), told);
    // Nobody is there any more.
    let url = server.url();
    let ran = with(&place, &args(&url, "GET /x", &["--format", "json", "--junit"]), &[]);
    ran.refused(3, &["cannot reach", &url, "help:"]);
    assert_eq!(ran.stdout, "");
    assert!(place.read("perf/performance_junit.xml").contains("cannot reach"));
}

#[test]
fn what_says_nothing_is_inconclusive_and_a_regression_is_one_all_the_same() {
    let place = place(&[("GET /x", 0.0, 0.0)]);
    let server = Server::start(|_| Answer { after: Duration::from_millis(20), ..OK });
    let url = server.url();
    // One connection takes 50 requests in a second at most.
    let narrow = ["--target", &url, "--endpoint", "GET /x", "--connections", "1"];
    let narrow = [&narrow[..], &["--rate", "200", "--duration", "600ms", "--warmup", "0"]].concat();
    // Sends may be late by a tenth of it.
    let wide = ["--tolerance-median-ms", "3000", "--tolerance-p95-ms", "3000"];
    let narrow = [&narrow[..], &wide].concat();
    let told = judged(&place, &narrow, 4);
    assert_eq!(told["verdict"], "inconclusive");
    let doubts = told["doubts"].to_string();
    assert!(
        doubts.contains("rate was not reached") && doubts.contains("--connections"),
        "{doubts}"
    );
    assert_eq!(told["endpoints"]["GET /x"]["samples"], 120);
    let few = [
        "--target",
        &url,
        "--endpoint",
        "GET /x",
        "--rate",
        "90",
        "--duration",
        "1s",
        "--warmup",
        "0",
    ];
    let wide: Vec<_> = few.iter().chain(&WIDE).copied().collect();
    let told = judged(&place, &wide, 4);
    assert!(told["endpoints"]["GET /x"]["reasons"].to_string().contains("90 samples"), "{told}");
    // It is no baseline.
    let before = place.read(BASELINE);
    let update: Vec<_> = wide.iter().chain(&["--update-baseline"]).copied().collect();
    assert_eq!(judged(&place, &update, 4)["update"], Value::Null);
    assert_eq!(place.read(BASELINE), before);
    // Where nothing is due at a time, nothing is sent late.
    let closed = ["--target", &url, "--endpoint", "GET /x", "--closed", "1", "--duration", "1s"];
    let tight = ["--warmup", "0", "--tolerance-median-ms", "10"];
    assert_eq!(judged(&place, &[&closed[..], &tight].concat(), 1)["verdict"], "fail");
}

#[test]
fn connections_that_close_are_replaced() {
    let place = place(&[("GET /x", 1.0, 2.0)]);
    let server = Server::start(|_| Answer { closes: true, ..OK });
    let told = judged(&place, &args(&server.url(), "GET /x", &[]), 0);
    let x = &told["endpoints"]["GET /x"];
    assert_eq!((&x["samples"], &x["errors"]), (&json!(200), &json!(0)));
}

/// Serves connections one after the other, a request each, as a worker of a server does
/// that has a fixed number of them.
fn work(listener: &TcpListener) {
    for stream in listener.incoming() {
        let mut stream = stream.unwrap();
        let (mut head, mut byte) = (Vec::new(), [0]);
        // A client that leaves without a request ends its turn.
        while !head.ends_with(b"\r\n\r\n") && stream.read(&mut byte).unwrap_or(0) > 0 {
            head.push(byte[0]);
        }
        let _ = stream.write_all(b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\nok");
    }
}

#[test]
fn a_server_with_a_worker_for_each_connection_is_measured() {
    let place = place(&[("GET /x", 1.0, 2.0)]);
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    for _ in 0..2 {
        let listener = listener.try_clone().unwrap();
        std::thread::spawn(move || work(&listener));
    }
    let told = judged(&place, &args(&url, "GET /x", &[]), 0);
    let x = &told["endpoints"]["GET /x"];
    assert_eq!((&x["samples"], &x["errors"]), (&json!(200), &json!(0)));
}

#[test]
fn a_request_that_takes_too_long_has_failed() {
    let place = place(&[("GET /x", 1.0, 2.0)]);
    let server = Server::start(|seen| match seen.line.as_str() {
        "GET /never" => Answer { once: usize::MAX - 1, ..OK },
        _ => OK,
    });
    let told = judged(&place, &args(&server.url(), "GET /never", &["--timeout", "50ms"]), 1);
    assert_eq!(told["endpoints"]["GET /never"]["error_kinds"], json!({"timed out": 200}));
}

#[test]
fn a_scenario_has_endpoints_weights_headers_and_bodies() {
    let place = place(&[("GET /api/v1/ping", 1.0, 2.0), ("GET list", 1.0, 2.0)]);
    let server = Server::start(|seen| match seen.line.as_str() {
        line if line.ends_with("/none") => Answer { status: 404, ..OK },
        line if line.starts_with("POST") => Answer { status: 202, ..OK },
        _ => OK,
    });
    let scenario = root().join("fixtures/perf-check/scenario.yaml");
    let url = format!("{}/base/", server.url());
    let mut args = vec!["--scenario", scenario.to_str().unwrap(), "--target", &url];
    args.extend(["--warmup", "0", "--header", "Authorization: Bearer s3cret"]);
    let told = judged(&place, &[args.as_slice(), &WIDE].concat(), 0);
    let samples = |name: &str| told["endpoints"][name]["samples"].as_u64().unwrap();
    let ping = "GET /api/v1/ping";
    assert_eq!((samples(ping), samples("GET list")), (200, 100), "{told}");
    assert_eq!(samples("GET /api/v1/workflows/executions/none"), 200);
    assert_eq!(server.count("GET /base/api/v1/ping"), 200);
    let posts: Vec<_> =
        server.seen().into_iter().filter(|seen| seen.line.starts_with("POST ")).collect();
    assert_eq!(posts.len(), 100);
    for post in posts {
        assert_eq!(post.line, "POST /base/api/v1/workflows/hello/execute");
        assert_eq!(post.body, r#"{"params":{"who":"the gate"}}"#);
        for (name, value) in [
            ("accept", "application/json"),
            ("content-type", "application/json"),
            ("x-origin", "gate"),
            ("authorization", "Bearer s3cret"),
        ] {
            assert_eq!(post.headers[name], value);
        }
    }
    assert!(!told.to_string().contains("s3cret"));
    // Only what is tracked is judged, and all of it is asked.
    let tracked =
        judged(&place, &[args.as_slice(), &WIDE, &["--track-endpoints", "list"]].concat(), 0);
    assert_eq!(
        (&tracked["untracked"], tracked["endpoints"].as_object().unwrap().len()),
        (&json!(3), 1)
    );
}

#[test]
fn everything_is_checked_before_anything_is_measured() {
    let place = place(&[("GET /x", 1.0, 2.0)]);
    let server = Server::start(|_| OK);
    let url = server.url();
    place.write("bad.yaml", "endpoints: [get /x]\nrat: 5\n");
    place.write("twice.json", r#"{"rate": 1, "rate": 2, "endpoints": ["GET /x"]}"#);
    place.write("bad.toml", "endpoints = [");
    place.write("empty.yaml", "");
    place.write("framing.yaml", "headers: { Transfer-Encoding: chunked }\nendpoints: [GET /x]\n");
    place.write("old.json", r#"{"version": 1, "endpoints": {}}"#);
    let x = "GET /x";
    for (args, told) in [
        (vec!["--scenario", "bad.yaml"], "`rat` is no key here; did you mean one of: rate?"),
        (vec!["--scenario", "twice.json"], "stands twice"),
        (vec!["--scenario", "bad.toml"], "bad.toml"),
        (vec!["--scenario", "empty.yaml"], "it is empty"),
        (vec!["--scenario", "nowhere.yaml"], "nowhere.yaml"),
        (vec!["--scenario", "home"], "home"),
        (vec![], "--endpoint 'GET /x'"),
        (vec!["--endpoint", "/x"], "`GET /x`"),
        (
            vec!["--endpoint", x, "--track-endpoints", "/y"],
            "`/y` matches none of the endpoints to measure",
        ),
        (vec!["--endpoint", x, "--baseline", "nowhere.json"], "UPDATE_BASELINE"),
        (vec!["--endpoint", x, "--baseline", "old.json"], "version 1"),
        (vec!["--endpoint", x, "--rate", "0"], "above 0"),
        (vec!["--endpoint", x, "--duration", "0"], "no duration"),
        (vec!["--endpoint", x, "--duration", "long"], "long"),
        (vec!["--endpoint", x, "--closed", "0"], "from 1"),
        (vec!["--endpoint", x, "--closed", "2", "--rate", "5"], "cannot be used with"),
        (vec!["--endpoint", x, "--stats", "perf/x.csv"], "cannot be used with"),
        (vec!["--endpoint", x, "--header", "nonsense"], "no header"),
        (vec!["--endpoint", x, "--header", "Content-Length: 5"], "`content-length` itself"),
        (vec!["--scenario", "framing.yaml"], "`transfer-encoding` itself"),
        (vec!["--endpoint", x, "--tolerance-p95-ms", "x"], "--tolerance-p95-ms"),
    ] {
        let args = [&["--target", url.as_str()], args.as_slice()].concat();
        with(&place, &args, &[]).refused(2, &[told]);
    }
    for target in ["127.0.0.1:1", "ftp://x", "http://u:p@x", "http://x/?q"] {
        with(&place, &["--target", target, "--endpoint", x], &[]).refused(2, &[target, "help:"]);
    }
    for flag in ["--rate", "--duration", "--closed"] {
        with(&place, &[flag, "5"], &[]).refused(2, &[flag, "--target URL"]);
    }
    assert!(server.seen().is_empty(), "{:?}", server.seen());
    let unknown = ["--target", "http://nowhere.invalid", "--endpoint", x];
    with(&place, &unknown, &[]).refused(3, &["cannot reach http://nowhere.invalid"]);
}

#[test]
fn connections_can_be_saturated() {
    let place = place(&[("GET /x", 1.0, 2.0)]);
    let server = Server::start(|_| OK);
    let url = server.url();
    let closed = ["--target", &url, "--endpoint", "GET /x", "--closed", "4", "--duration", "1s"];
    let args: Vec<_> = closed.iter().chain(&WIDE).copied().collect();
    let told = judged(&place, &args, 0);
    assert_eq!(
        (&told["measured"]["closed"], &told["measured"]["connections"]),
        (&json!(4), &json!(4))
    );
    assert_eq!(told["source"]["coordinated_omission"], true);
    let ran = with(&place, &args, &[]);
    assert!(ran.stderr.contains("coordinated omission"), "{ran:?}");
}

#[test]
fn targets_are_measured_over_tls() {
    let place = place(&[("GET /x", 1.0, 2.0)]);
    let (tls, trusted) = certificate(&place.path(""));
    // Its handshakes are slow.
    let server = Server::with_tls(|_| OK, Some((tls, Duration::from_millis(30))));
    let url = format!("https://localhost:{}", server.address.port());
    let args = args(&url, "GET /x", &["--format", "json"]);
    let ran = with(&place, &args, &[("SSL_CERT_FILE", trusted.to_str().unwrap())]);
    assert_eq!(ran.code, Some(0), "{ran:?}");
    assert_eq!(ran.json()["endpoints"]["GET /x"]["samples"], 200);
    // Others are not trusted.
    let other = Place::new();
    let (_, other) = certificate(&other.path(""));
    with(&place, &args, &[("SSL_CERT_FILE", other.to_str().unwrap())])
        .refused(3, &["cannot reach", "certificate"]);
    with(&place, &args, &[("SSL_CERT_FILE", "/proc/none")]).refused(3, &["cannot reach"]);
}

#[test]
fn a_server_whose_own_certificate_is_trusted_is_measured() {
    let place = place(&[("GET /x", 1.0, 2.0)]);
    // As `openssl req -x509` makes them by itself: they may sign others, and have one name.
    for (number, name, more) in [
        (0, "localhost", &[][..]),
        (1, "localhost", &["-addext", "subjectAltName=DNS:localhost"]),
        (2, "other", &["-addext", "subjectAltName=DNS:other,DNS:localhost"]),
        (3, "localhost", &["-addext", "basicConstraints=critical,CA:FALSE"]),
    ] {
        let folder = place.path(&number.to_string());
        std::fs::create_dir(&folder).unwrap();
        let (tls, trusted) = self_signed(&folder, name, more);
        let server = Server::with_tls(|_| OK, Some((tls, Duration::ZERO)));
        let url = format!("https://localhost:{}", server.address.port());
        let args = args(&url, "GET /x", &["--format", "json"]);
        let ran = with(&place, &args, &[("SSL_CERT_FILE", trusted.to_str().unwrap())]);
        assert_eq!(ran.code, Some(0), "{number}: {ran:?}");
    }
    // One of another name, or that is out of date, is not, though it is named.
    for (name, more) in [
        ("other", &[][..]),
        ("localhost", &["-addext", "subjectAltName=DNS:other"]),
        ("localhost", &["-not_before", "20200101000000Z", "-not_after", "20210101000000Z"]),
    ] {
        let (tls, trusted) =
            match std::panic::catch_unwind(|| self_signed(&place.path(""), name, more)) {
                Ok(made) => made,
                // OpenSSL below 3.4 makes none of the past.
                Err(_) => continue,
            };
        let server = Server::with_tls(|_| OK, Some((tls, Duration::ZERO)));
        let url = format!("https://localhost:{}", server.address.port());
        let variables = [("SSL_CERT_FILE", trusted.to_str().unwrap())];
        with(&place, &args(&url, "GET /x", &[]), &variables)
            .refused(3, &["certificate", "SSL_CERT_FILE (PEM)"]);
    }
}

#[test]
fn what_is_in_the_way_of_a_target_has_its_own_remedy() {
    let place = place(&[("GET /x", 1.0, 2.0)]);
    let plain = Server::start(|_| OK);
    let nobody = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    for (url, told) in [
        (format!("http://{nobody}"), "start it before"),
        ("http://no-such-host.invalid".to_owned(), "correct the name"),
        (format!("https://{}", plain.address), "does it speak TLS there?"),
    ] {
        let ran = with(&place, &args(&url, "GET /x", &[]), &[]);
        ran.refused(3, &["cannot reach", told]);
    }
}

/// Answers each request on each connection with this head and no body.
fn answer_with(head: String) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let (mut stream, head) = (stream.unwrap(), head.clone());
            std::thread::spawn(move || {
                let mut seen = Vec::new();
                let mut buffer = [0; 4096];
                while let Ok(count @ 1..) = stream.read(&mut buffer) {
                    seen.extend_from_slice(&buffer[..count]);
                    while let Some(end) = seen.windows(4).position(|four| four == b"\r\n\r\n") {
                        seen.drain(..end + 4);
                        if stream.write_all(head.as_bytes()).is_err() {
                            return;
                        }
                    }
                }
            });
        }
    });
    url
}

#[test]
fn many_headers_and_folded_ones_are_an_answer() {
    let place = place(&[("GET /x", 1.0, 2.0)]);
    let many = (0..1_000).map(|number| format!("X-{number}: a\r\n")).collect::<String>();
    for (headers, warmup) in
        [("X-A: one\r\n  two\r\n\tthree\r\n", "100ms"), (&many[..], "100ms"), (&many, "0")]
    {
        let url = answer_with(format!("HTTP/1.1 200 OK\r\n{headers}Content-Length: 0\r\n\r\n"));
        let own = ["--target", &url, "--endpoint", "GET /x", "--rate", "200", "--duration", "1s"];
        let args = [&own[..], &WIDE, &["--warmup", warmup]].concat();
        let told = judged(&place, &args, 0);
        let x = &told["endpoints"]["GET /x"];
        assert_eq!((&x["samples"], &x["errors"]), (&json!(200), &json!(0)), "{x}");
    }
}

#[test]
fn an_endpoint_of_a_scenario_may_have_its_own_tolerance() {
    let place = place(&[("GET /x", 0.001, 0.001), ("GET /y", 0.001, 0.001)]);
    let server = Server::start(|_| OK);
    place.write(
        "own.yaml",
        "endpoints:\n  - {endpoint: GET /x, tolerance_median: 1%, tolerance_p95: 1%}\n  - GET /y\n",
    );
    let url = server.url();
    let own = ["--target", &url, "--scenario", "own.yaml"];
    let args: Vec<&str> = own.iter().chain(&SHORT).chain(&WIDE).copied().collect();
    let run = with(&place, &[&args[..], &["--format", "json"]].concat(), &[]).json();
    assert_eq!(run["endpoints"]["GET /x"]["tolerance"]["median_ms"], 0.00001);
    assert_eq!(run["endpoints"]["GET /y"]["tolerance"]["median_ms"], 60_000.0);
}

#[test]
fn the_schema_fits_the_scenarios() {
    let place = Place::new();
    let schema = place.run(["schema", "perf-scenario"]).json();
    let schema = jsonschema::validator_for(&schema).unwrap();
    let yaml = |name: &str| {
        let script = "import json, sys, yaml; print(json.dumps(yaml.safe_load(open(sys.argv[1]))))";
        let file = root().join("fixtures/perf-check").join(name);
        Ran::of(std::process::Command::new("python3").args(["-c", script]).arg(file)).json()
    };
    let toml = std::fs::read_to_string(root().join("fixtures/perf-check/scenario.toml")).unwrap();
    let toml: Value = toml::from_str(&toml).unwrap();
    for good in [yaml("scenario.yaml"), toml] {
        assert!(schema.is_valid(&good), "{good}");
    }
    for bad in [
        json!({}),
        json!({"endpoints": []}),
        json!({"endpoints": ["get /x"]}),
        json!({"endpoints": ["GET /x"], "rat": 1}),
        json!({"endpoints": [{"endpoint": "GET /x", "weight": 0}]}),
        json!({"endpoints": [{"endpoint": "GET /x", "expect": []}]}),
        json!({"endpoints": ["GET /x"], "duration": "soon"}),
        json!({"endpoints": [{"endpoint": "GET /x", "tolerance_median": "10"}]}),
    ] {
        assert!(!schema.is_valid(&bad), "{bad}");
        place.write("bad.json", bad.to_string());
        with(
            &place,
            &["--scenario", "bad.json", "--target", "http://127.0.0.1:1", "--update-baseline"],
            &[],
        )
        .refused(2, &["bad.json"]);
    }
    // The one in TOML is read, and measured: nobody is there.
    let file = root().join("fixtures/perf-check/scenario.toml");
    let args = [
        "--scenario",
        file.to_str().unwrap(),
        "--target",
        "http://127.0.0.1:1",
        "--update-baseline",
    ];
    with(&place, &args, &[]).refused(3, &["cannot reach http://127.0.0.1:1"]);
}
