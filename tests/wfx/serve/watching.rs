//! What the daemon tells of itself: workflows, logs, metrics, systemd.

use std::os::unix::net::UnixDatagram;
use std::process::{Command, Stdio};

use super::*;
use crate::support::{Ran, Running, with_stdin};

#[test]
fn workflows_follow_their_files_and_the_last_good_version_stays() {
    let place = place();
    let daemon = serve(&place, &[]);
    let of = |id: &str| daemon.get(&format!("/api/v1/workflows/{id}"));
    assert_eq!(of("greet").expect(200)["workflow_id"], "greet");
    assert_eq!(of("late").status, 404);
    place.write("workflows/late.yaml", "steps: [{name: s}]");
    until("it is known", || of("late").status == 200);
    assert_eq!(daemon.post("/api/v1/workflows/late/execute", "").status, 200);

    place.write("workflows/greet.yaml", "steps: [{name: s, rum: x}]");
    until("it is broken", || daemon.get("/api/v1/workflows").body.contains("rum"));
    let done = daemon.post(&format!("{EXECUTE}?wait=30s"), "").expect(200);
    assert_eq!(states(&done), ["hello success", "end success"]);
    let broken = "wfx_workflow_files{state=\"broken\"} 1\n";
    assert!(daemon.get("/metrics").body.contains(broken));

    place.write("workflows/greet.yaml", "steps: [{name: mended}]");
    until("it is mended", || !daemon.get("/api/v1/workflows").body.contains("rum"));
    let done = daemon.post(&format!("{EXECUTE}?wait=30s"), "").expect(200);
    assert_eq!(states(&done), ["mended success"]);
    std::fs::remove_file(place.path("workflows/late.yaml")).unwrap();
    until("it is gone", || of("late").status == 404);
    let ran = daemon.stop();
    assert!(ran.stderr.contains("workflows/greet.yaml"), "{ran:?}");
}

#[test]
fn each_request_is_a_line_of_the_access_log() {
    let place = place();
    let daemon = serve(&place, &["--access-log", "access.log"]);
    daemon.post(EXECUTE, "").expect(200);
    daemon.get("/healthz");
    let request = "GET /nowhere?a=b HTTP/1.1\r\nHost: localhost\r\nX-Request-Id: of-mine\r\n\
                   Connection: close\r\n\r\n";
    daemon.send(request);
    let lines = |name: &str| -> Vec<Value> {
        let text = std::fs::read_to_string(place.path(name)).unwrap_or_default();
        text.lines().filter_map(|line| serde_json::from_str(line).ok()).collect()
    };
    until("all are there", || lines("access.log").len() == 3);
    let logged = lines("access.log");
    let of = |name: &str| logged.iter().map(|line| line[name].clone()).collect::<Vec<_>>();
    assert_eq!(of("path"), [EXECUTE, "/healthz", "/nowhere"]);
    assert_eq!(of("status"), [200, 200, 404]);
    assert_eq!(of("slo"), [Value::Null, json!(false), Value::Null]);
    assert_eq!(logged[0]["route"], "/api/v1/workflows/{workflow_id}/execute");
    assert_eq!(logged[2]["request_id"], "of-mine");
    let times: Vec<f64> = of("t").iter().map(|t| t.as_f64().unwrap()).collect();
    assert!(times.is_sorted() && times[0] > 1.7e9, "{times:?}");
    assert!(logged.iter().all(|line| line["latency"].as_f64().unwrap() < 60.0));

    // Moved away, as programs that rotate logs do.
    std::fs::rename(place.path("access.log"), place.path("access.log.1")).unwrap();
    until("a new file is there", || {
        daemon.get("/api/v1/ping");
        place.path("access.log").exists()
    });
    daemon.stop();
    assert!(!lines("access.log").is_empty());
    assert_eq!(lines("access.log.1")[..3], logged[..]);
}

#[test]
fn promtool_finds_nothing_to_say_about_the_metrics() {
    let place = place();
    let daemon = serve(&place, &[]);
    daemon.post(&format!("{EXECUTE}?wait=30s"), "").expect(200);
    daemon.get("/nowhere");
    let answer = daemon.get("/metrics");
    assert_eq!(answer.header("content-type"), Some("text/plain; version=0.0.4; charset=utf-8"));
    let mut promtool = Command::new("promtool");
    let checked = with_stdin(promtool.args(["check", "metrics"]), answer.body.as_bytes());
    assert_eq!((checked.code, checked.stdout + &checked.stderr), (Some(0), String::new()));
    for metric in [
        "workflow_step_duration_seconds_count{step_name=\"hello\",workflow_id=\"greet\"} 1",
        "wfx_executions_total{status=\"success\"} 1",
        "wfx_executions_started_total 1",
        "wfx_executions_running 0",
        "wfx_executions_unstored 0",
        "wfx_store_queue_depth 0",
        "wfx_store_queue_refusals_total 0",
        "wfx_store_up 1",
        "wfx_http_requests_total{method=\"GET\",route=\"other\",status=\"404\"} 1",
        "wfx_workflow_files{state=\"loaded\"} 2",
        concat!("wfx_build_info{version=\"", env!("CARGO_PKG_VERSION"), "\"} 1"),
    ] {
        let found = answer.body.lines().any(|line| line == metric);
        assert!(found, "{metric} is not in\n{}", answer.body);
    }
    for name in [
        "wfx_store_commit_duration_seconds_count ",
        "wfx_store_commit_batch_size_count ",
        "wfx_http_request_duration_seconds_bucket{route=",
        "process_resident_memory_bytes ",
        "process_open_fds ",
    ] {
        assert!(answer.body.contains(&format!("\n{name}")), "{name}\n{}", answer.body);
    }
    daemon.stop();
}

#[test]
fn prometheus_scrapes_the_daemon() {
    let place = place();
    place.write("token", "secret-token\n");
    let daemon = serve(&place, &["--token-file", "token"]);
    let config = format!(
        "global: {{scrape_interval: 1s}}\nscrape_configs:\n- job_name: wfx\n  \
         bearer_token: secret-token\n  static_configs: [{{targets: [\"{}\"]}}]\n",
        daemon.address
    );
    let config = place.write("prometheus.yml", config);
    let mut prometheus = Running::start(
        Command::new("prometheus")
            .arg(format!("--config.file={}", config.display()))
            .arg(format!("--storage.tsdb.path={}", place.path("tsdb").display()))
            .arg("--web.listen-address=127.0.0.1:0")
            .stdin(Stdio::null()),
    );
    prometheus.wait_for("Server is ready to receive web requests");
    let scraped = "wfx_http_requests_total{method=\"GET\",route=\"/metrics\",status=\"200\"}";
    let metrics = || {
        let request = "GET /metrics HTTP/1.1\r\nHost: localhost\r\n\
                       Authorization: Bearer secret-token\r\nConnection: close\r\n\r\n";
        daemon.send(request).body
    };
    until("it was scraped", || metrics().contains(scraped));
    // SIGTERM makes it write what it has.
    until("it has scraped", || {
        place.path("tsdb/wal/00000000").metadata().is_ok_and(|m| m.len() > 0)
    });
    prometheus.signal("TERM");
    prometheus.end();
    let mut promtool = Command::new("promtool");
    let dump = promtool.args(["tsdb", "dump", "--match={__name__=~\"up|wfx_store_up\"}"]);
    let dump = Ran::of(dump.arg(place.path("tsdb")));
    for name in ["up", "wfx_store_up"] {
        let series = format!("__name__=\"{name}\"");
        let values = dump.stdout.lines().filter(|line| line.contains(&series));
        let values: Vec<&str> = values.map(|line| line.split(' ').nth_back(1).unwrap()).collect();
        assert!(values.contains(&"1"), "{name}: {dump:?}");
    }
    daemon.stop();
}

#[test]
fn systemd_is_told() {
    let place = place();
    let socket = UnixDatagram::bind(place.path("notify")).unwrap();
    let mut command = place.wfx(["serve", "--listen", "127.0.0.1:0"]);
    command.env("NOTIFY_SOCKET", place.path("notify")).env("WATCHDOG_USEC", "100000");
    let daemon = Daemon::of(&mut command);
    let hear = |text: &str| {
        let mut buffer = [0; 256];
        loop {
            let length = socket.recv(&mut buffer).unwrap();
            let told = String::from_utf8_lossy(&buffer[..length]);
            if told.lines().any(|line| line == text) {
                return;
            }
        }
    };
    hear("READY=1");
    hear("WATCHDOG=1");
    hear("WATCHDOG=1");
    daemon.signal("TERM");
    hear("STOPPING=1");
    assert_eq!(daemon.end().code, Some(0));
}
