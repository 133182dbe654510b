//! Files, targets and surroundings that mean no good.

use std::fs::OpenOptions;
use std::net::TcpListener;
use std::os::unix::process::ExitStatusExt;
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use serde_json::{Value, json};

use super::measuring::WIDE;
use super::server::{Answer, OK, Server};
use super::{BASELINE, STATS, baseline, gate, judged, place, stats, with};
use crate::support::{Ran, Running, until};

const JUNIT: &str = "perf/performance_junit.xml";
/// 200 requests.
const SHORT: [&str; 6] = ["--rate", "200", "--duration", "1s", "--warmup", "0"];

fn measuring<'a>(url: &'a str, more: &[&'a str]) -> Vec<&'a str> {
    let own = ["--target", url, "--endpoint", "GET /a", "--update-baseline"];
    own.iter().chain(&SHORT).chain(more).copied().collect()
}

#[test]
fn the_verdict_is_told_to_who_reads_no_result() {
    let rows = [("GET /a", 1.0, 2.0)];
    let good = place(&stats(&rows), &baseline(&rows));
    let bad = place(&stats(&[("GET /a", 900.0, 990.0)]), &baseline(&rows));
    for (place, closed, full, failures) in [(&good, 0, 3, 0), (&bad, 1, 1, 2)] {
        let (reader, writer) = std::io::pipe().unwrap();
        drop(reader);
        let ended = |stdout: Stdio| {
            let child =
                place.wfx(["perf-check", "--junit"]).stdout(stdout).stderr(Stdio::piped()).spawn();
            Ran::from(child.unwrap().wait_with_output().unwrap())
        };
        ended(writer.into()).refused(closed, &[]);
        let report = place.read(JUNIT);
        assert!(report.contains(&format!("failures=\"{failures}\"")), "{report}");
        let device = OpenOptions::new().write(true).open("/dev/full").unwrap();
        ended(device.into()).refused(full, &["cannot write the result"]);
    }
}

#[test]
fn what_no_request_was_made_of_is_a_trap() {
    let place = place(
        "Type,Name,Request Count,50%,95%\nGET,/a,0,0,0\n",
        &baseline(&[("GET /a", 1.0, 2.0)]),
    );
    gate(&place, &[]).refused(2, &["median of GET /a", "of no request", "help:"]);
    gate(&place, &["--update-baseline"]).refused(2, &["of no request"]);
    assert_eq!(place.read(BASELINE), baseline(&[("GET /a", 1.0, 2.0)]));
}

#[test]
fn an_update_loses_no_file_that_is_no_baseline() {
    let place = place(&stats(&[("GET /a", 1.0, 2.0)]), "");
    let foreign = r#"{"compilerOptions": {"strict": true}}"#;
    place.write("tsconfig.json", foreign);
    let update = ["--update-baseline", "--baseline", "tsconfig.json"];
    gate(&place, &update).refused(2, &["tsconfig.json", "no `version`"]);
    assert_eq!(place.read("tsconfig.json"), foreign);
    // What older versions wrote is replaced.
    place.write("old.json", r#"{"version": 1, "endpoints": {"GET /a": {"by": "hand"}}}"#);
    assert_eq!(gate(&place, &["--update-baseline", "--baseline", "old.json"]).code, Some(0));
}

#[test]
fn links_are_no_way_to_other_files() {
    use std::os::unix::fs::symlink;
    let place = place(&stats(&[("GET /a", 1.0, 2.0)]), &baseline(&[]));
    // Someone else lets the name of the temporary file lead elsewhere.
    let other = place.write("other", "precious");
    symlink(&other, place.path("perf/.performance_baseline.json.tmp")).unwrap();
    assert_eq!(gate(&place, &["--update-baseline"]).code, Some(0));
    assert_eq!(place.read("other"), "precious");
    assert!(!place.path(BASELINE).is_symlink());
    // A link to nothing stays what it is.
    symlink("nowhere/b.json", place.path("dangling.json")).unwrap();
    let update = ["--update-baseline", "--baseline", "dangling.json"];
    gate(&place, &update).refused(3, &["cannot write the baseline dangling.json"]);
    assert!(place.path("dangling.json").is_symlink());
}

#[test]
fn names_are_told_on_one_line() {
    let key = "GET /a\n::error::b\u{1b}[31m";
    let place = place(&stats(&[("GET /a", 1.0, 2.0)]), &baseline(&[(key, 1.0, 2.0)]));
    let ran = with(&place, &["--junit"], &[("GITHUB_ACTIONS", "true")]);
    ran.refused(2, &["GET /a\\n::error::b\\u{1b}[31m"]);
    assert!(!ran.stderr.lines().any(|line| line.starts_with("::error::b")), "{ran:?}");
    place.write(STATS, "Type,Name,50%\n\"GET\",\"/a\n::error::b\",x\n");
    place.write(BASELINE, baseline(&[]));
    let ran = gate(&place, &[]);
    ran.refused(2, &["::error::b"]);
    assert!(!ran.stderr.lines().any(|line| line.starts_with("::error::b")), "{ran:?}");
}

#[test]
fn a_report_is_whole_or_as_it_was() {
    let names: Vec<String> = (0..100).map(|n| format!("GET /n/{n}")).collect();
    let rows: Vec<(&str, f64, f64)> = names.iter().map(|n| (n.as_str(), 1.0, 2.0)).collect();
    let place = place(&stats(&rows), &baseline(&rows));
    for flag in ["--junit", "--markdown", "--summary"] {
        place.write("report", "of before");
        let mut wfx = place.wfx(["perf-check"]);
        let mut command = Command::new("sh");
        // No file grows beyond a block or two.
        command.args(["-c", "ulimit -f 2; exec \"$@\"", "sh"]);
        command.arg(wfx.get_program()).args(wfx.get_args()).args([flag, "report"]);
        command.current_dir(wfx.get_current_dir().unwrap());
        let variables = wfx.get_envs().filter_map(|(name, value)| Some((name, value?)));
        command.env_clear().envs(variables);
        let ran = Ran::of(&mut command);
        ran.refused(3, &["cannot write the report report"]);
        let report = place.read("report");
        // JUnit tells why there is no verdict.
        let is_told = flag == "--junit" && report.ends_with("</testsuites>\n");
        assert!(report == "of before" || is_told, "{flag}: {report}");
        assert_eq!(Ran::of(wfx.arg(flag).arg("report")).code, Some(0));
        assert!(place.read("report").len() > 4_000);
        let left =
            std::fs::read_dir(place.path("")).unwrap().map(|entry| entry.unwrap().file_name());
        let left: Vec<_> = left.filter(|name| name.to_string_lossy().ends_with(".tmp")).collect();
        assert!(left.is_empty(), "{left:?}");
    }
}

#[test]
fn a_signal_ends_it_and_nothing_is_written() {
    let before = baseline(&[("GET /a", 1.0, 2.0)]);
    let place = place("", &before);
    for (name, number) in [("INT", 2), ("TERM", 15)] {
        let server = Server::start(|_| OK);
        let url = server.url();
        let more = ["--junit", "--markdown", "r.md", "--summary", "r.json", "--duration", "1h"];
        let args = ["--target", &url, "--endpoint", "GET /a", "--update-baseline"];
        let args: Vec<_> = ["perf-check"].iter().chain(&args).chain(&more).copied().collect();
        let running = Running::start(&mut place.wfx(args));
        until("it measures", || !server.seen().is_empty());
        running.signal(name);
        let mut child = running.child;
        // As a shell tells it: 130 and 143.
        assert_eq!(child.wait().unwrap().signal(), Some(number));
        assert_eq!(place.read(BASELINE), before);
        for report in [JUNIT, "r.md", "r.json"] {
            assert!(!place.path(report).exists(), "{report}");
        }
    }
}

#[test]
fn a_target_that_never_shakes_hands_is_not_waited_for_for_ever() {
    let place = place("", &baseline(&[]));
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("https://{}", silent.local_addr().unwrap());
    let mut running =
        Running::start(place.wfx(["perf-check"]).args(measuring(&url, &["--timeout", "100ms"])));
    until("it gives up", || running.child.try_wait().unwrap().is_some());
    running.end().refused(3, &["cannot reach", "timed out"]);
}

#[test]
fn too_few_files_are_an_error_and_no_wait_for_ever() {
    let place = place("", &baseline(&[]));
    let server = Server::start(|_| OK);
    let url = server.url();
    let args = ["--target", &url, "--endpoint", "GET /a", "--closed", "2", "--duration", "10ms"];
    for files in 8..20 {
        let wfx = place.wfx([&["perf-check"], &args[..]].concat());
        let mut command = Command::new("sh");
        command.args(["-c", &format!("ulimit -n {files}; exec \"$@\""), "sh"]);
        command.arg(wfx.get_program()).args(wfx.get_args());
        command.current_dir(wfx.get_current_dir().unwrap());
        command.env_clear().envs(wfx.get_envs().filter_map(|(n, v)| Some((n, v?))));
        let mut running = Running::start(&mut command);
        until("it ends", || running.child.try_wait().unwrap().is_some());
        let ran = running.end();
        assert!(matches!(ran.code, Some(3 | 4)), "{files}: {ran:?}");
    }
}

#[test]
fn a_target_that_cannot_keep_up_is_not_asked_for_nothing() {
    let place = place("", &baseline(&[]));
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let connections = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&connections);
    std::thread::spawn(move || {
        let mut open = Vec::new();
        for stream in listener.incoming() {
            counted.fetch_add(1, Ordering::Relaxed);
            open.push(stream.unwrap());
        }
    });
    let args = ["--target", &url, "--endpoint", "GET /a", "--update-baseline", "--warmup", "0"];
    let many = ["--rate", "10000", "--duration", "100ms"];
    let narrow = ["--connections", "1", "--timeout", "50ms"];
    let told = judged(&place, &[&args[..], &many, &narrow].concat(), 1);
    assert_eq!(told["endpoints"]["GET /a"]["error_kinds"], json!({"timed out": 1000}));
    // The clock of timeouts ticks in milliseconds, in which ten run out of time.
    let opened = connections.load(Ordering::Relaxed);
    assert!(opened < 500, "{opened} connections were opened");
}

#[test]
fn flags_beat_the_headers_of_a_scenario() {
    let place = place("", &baseline(&[]));
    let server = Server::start(|_| Answer { status: 200, ..OK });
    let url = server.url();
    place.write(
        "s.json",
        json!({"headers": {"Authorization": "all", "X-A": "all"}, "endpoints": [
            {"endpoint": "GET /a", "headers": {"authorization": "own", "x-a": "own"}}]})
        .to_string(),
    );
    let args = ["--target", &url, "--scenario", "s.json", "--header", "AUTHORIZATION: flag"];
    let args = [&args[..], &SHORT, &WIDE, &["--update-baseline"]].concat();
    judged(&place, &args, 0);
    for seen in server.seen() {
        let values =
            |name: &str| -> Vec<_> { seen.headers.get_all(name).iter().cloned().collect() };
        assert_eq!(
            (values("authorization"), values("x-a")),
            (vec!["flag".parse().unwrap()], vec!["own".parse().unwrap()])
        );
    }
}

#[test]
fn what_cannot_be_measured_is_refused_before() {
    let place = place("", &baseline(&[]));
    let server = Server::start(|_| OK);
    let url = server.url();
    let heavy = json!({"rate": 1000, "endpoints": [{"endpoint": "GET /a", "weight": 1001}]});
    place.write("heavy.json", heavy.to_string());
    let long = json!({"endpoints": [format!("GET /{}", "x".repeat(40_000))]});
    place.write("long.json", long.to_string());
    let far = format!("{url}/{}", "y".repeat(40_000));
    for (args, told) in [
        (vec!["--target", &url, "--scenario", "heavy.json"], "1001000 requests/s"),
        (
            vec!["--target", &url, "--endpoint", "GET /a", "--endpoint", "GET  /a"],
            "`GET /a` is to be measured twice",
        ),
        (vec!["--target", &url, "--endpoint", "GET /a", "--timeout", "0"], "--timeout"),
        (vec!["--target", &far, "--scenario", "long.json"], "no URL"),
    ] {
        gate(&place, &[&args, &["--update-baseline"][..]].concat()).refused(2, &[told, "error:"]);
    }
    assert!(server.seen().is_empty());
}

#[test]
fn an_update_tells_of_a_mistyped_filter() {
    let place = place(&stats(&[("GET /a", 1.0, 2.0)]), &baseline(&[]));
    let ran = gate(&place, &["--update-baseline", "--track-endpoints", "/a,/ordres"]);
    assert!(ran.code == Some(0) && ran.stderr.contains("`/ordres`"), "{ran:?}");
    assert!(!ran.stderr.contains("nothing was judged"), "{ran:?}");
    let file: Value = serde_json::from_str(&place.read(BASELINE)).unwrap();
    assert_eq!(file["endpoints"].as_object().unwrap().len(), 1);
}
