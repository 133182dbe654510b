//! All that steps print: kept byte for byte up to a budget, in the order of arrival, and followed
//! while it is printed. `WFX_OUTPUT_MB` makes the large rounds larger; `perf/README.md` records one.

mod streams;

use std::collections::BTreeMap;
use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc;

use serde_json::Value;

use crate::daemon::Daemon;
use crate::support::{Place, Ran, Running, steps, until};

/// The most memory that wfx may take, kB.
const MEMORY_MAX_KB: u64 = 64 * 1024;

/// How much the large rounds print.
fn megabytes() -> u64 {
    std::env::var("WFX_OUTPUT_MB").ok().and_then(|text| text.parse().ok()).unwrap_or(24)
}

/// What `wfx logs` writes to a pipe, and what it reports beside it.
fn logs(place: &Place, args: &[&str]) -> (Vec<u8>, String) {
    let output = place.wfx(["logs"]).args(args).output().unwrap();
    let told = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(0), "{told}");
    (output.stdout, told)
}

/// Without its text, which may be long.
#[track_caller]
fn assert_same(found: &[u8], expected: &[u8]) {
    let first = found.iter().zip(expected).position(|(a, b)| a != b);
    let lengths = (found.len(), expected.len());
    assert!(first.is_none() && found.len() == expected.len(), "{lengths:?}, from {first:?} on");
}

/// `seq 1 last`.
pub(crate) fn numbers(last: u64) -> Vec<u8> {
    (1..=last).flat_map(|n| format!("{n}\n").into_bytes()).collect()
}

/// `N bytes from byte M on were dropped`, each as (M, N).
fn gaps(told: &str) -> Vec<(usize, usize)> {
    let gaps = told.lines().filter(|line| line.contains("were dropped"));
    gaps.map(|line| {
        let numbers: Vec<usize> = line.split(' ').filter_map(|word| word.parse().ok()).collect();
        (numbers[1], numbers[0])
    })
    .collect()
}

/// Whatever is missing of `all` is missing where that is reported; gives what is kept.
#[track_caller]
pub(crate) fn assert_whole_but_for_gaps(place: &Place, id: &str, all: &[u8]) -> Vec<u8> {
    let (kept, told) = logs(place, &[id]);
    let (mut at, mut at_kept) = (0, 0);
    for (from, bytes) in gaps(&told) {
        let before = from - at;
        assert_same(&kept[at_kept..at_kept + before], &all[at..from]);
        at_kept += before;
        at = from + bytes;
    }
    assert_same(&kept[at_kept..], &all[at..]);
    kept
}

/// wfx that follows an execution, line by line.
struct Follower {
    child: Child,
    lines: mpsc::Receiver<String>,
}

impl Follower {
    fn of(command: &mut Command) -> Self {
        let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let (sender, lines) = mpsc::channel();
        let streams: [Box<dyn Read + Send>; 2] =
            [Box::new(child.stdout.take().unwrap()), Box::new(child.stderr.take().unwrap())];
        for stream in streams {
            let sender = sender.clone();
            std::thread::spawn(move || {
                BufReader::new(stream)
                    .lines()
                    .map_while(Result::ok)
                    .for_each(|line| drop(sender.send(line)));
            });
        }
        Self { child, lines }
    }

    #[track_caller]
    fn wait_for(&self, text: &str) {
        let patience = std::time::Duration::from_secs(60);
        let mut told = Vec::new();
        loop {
            let line = self.lines.recv_timeout(patience);
            let line = line.unwrap_or_else(|error| panic!("no {text:?} came ({error}): {told:?}"));
            told.push(line.clone());
            if line.contains(text) {
                return;
            }
        }
    }

    /// Its exit code, and the lines that are left.
    fn end(mut self) -> (Option<i32>, Vec<String>) {
        let code = self.child.wait().unwrap().code();
        (code, self.lines.iter().collect())
    }
}

#[test]
fn what_was_printed_is_kept_byte_for_byte_in_the_order_of_arrival() {
    let place = Place::new();
    let all: Vec<u8> = (0..=255).collect();
    place.write("all", &all);
    place.exec(
        "steps:\n\
         - {name: bytes, run: 'cat all; printf \"10%%\\r20%%\\r\\n\\033[31mred\\033[0m\\000\\n\"'}\n\
         - name: both\n  run: |\n    for n in 1 2 3 4 5; do\n      echo out $n; sleep 0.05\n      \
         echo err $n >&2; sleep 0.05\n    done\n",
        0,
    );
    let mut expected = all.clone();
    expected.extend(b"10%\r20%\r\n\x1b[31mred\x1b[0m\0\n");
    assert_same(&logs(&place, &["@1", "bytes"]).0, &expected);
    let both: Vec<u8> = (1..=5).flat_map(|n| format!("out {n}\nerr {n}\n").into_bytes()).collect();
    assert_same(&logs(&place, &["@1", "both"]).0, &both);
    expected.extend(&both);
    let (whole, told) = logs(&place, &["@latest"]);
    assert_same(&whole, &expected);
    assert_eq!(told, "");
    let (errors, _) = logs(&place, &["@1", "--stream", "stderr"]);
    assert_eq!(String::from_utf8(errors).unwrap(), "err 1\nerr 2\nerr 3\nerr 4\nerr 5\n");
    // Lines of JSON hold the same bytes, whatever these are.
    let (lines, _) = logs(&place, &["@1", "--format", "jsonl"]);
    let lines: Vec<Value> = lines
        .split(|byte| *byte == b'\n')
        .filter(|line| !line.is_empty())
        .map(|line| serde_json::from_slice(line).unwrap())
        .collect();
    assert!(lines[0]["base64"].is_string() && lines[0]["text"].is_null(), "{}", lines[0]);
    assert_eq!(lines.last().unwrap()["text"], "err 5\n");
    assert!(lines.iter().all(|line| line["attempt"] == 1), "{lines:?}");
    let (timed, _) = logs(&place, &["@1", "both", "--timestamps"]);
    let timed = String::from_utf8(timed).unwrap();
    let times: Vec<&str> = timed.lines().map(|line| &line[..24]).collect();
    assert!(times.is_sorted() && times.len() == 10, "{timed}");
    assert!(timed.lines().next().unwrap().ends_with("Z out 1"), "{timed}");
    // All of it is long ago by then, or nothing.
    assert_eq!(logs(&place, &["@1", "--since", "0s"]).0, b"");
    assert_same(&logs(&place, &["@1", "--since", "1h"]).0, &expected);

    place.run(["logs", "@1", "nothing"]).refused(2, &["no step `nothing`", "`bytes`, `both`"]);
    place.run(["logs", "@9"]).refused(2, &["no execution `@9`"]);
    place.run(["logs", "@1", "--attempt", "1"]).refused(2, &["STEP"]);
    place.run(["logs", "@1", "bytes", "--attempt", "0"]).refused(2, &["--attempt"]);
}

#[test]
fn each_attempt_has_its_output_and_so_has_a_handler() {
    let place = Place::new();
    place.exec(
        "steps:\n- {name: a, run: 'echo try $WFX_ATTEMPT; test $WFX_ATTEMPT = 3', \
         retry: {max_attempts: 3, backoff: 1ms}}\non_exit:\n- {name: last, run: 'echo bye'}\n",
        0,
    );
    let text = |args: &[&str]| String::from_utf8(logs(&place, args).0).unwrap();
    assert_eq!(text(&["@1", "a"]), "try 1\ntry 2\ntry 3\n");
    assert_eq!(text(&["@1", "a", "--attempt", "2"]), "try 2\n");
    assert_eq!(text(&["@1", "a", "--attempt", "7"]), "");
    assert_eq!(text(&["@1", "last"]), "bye\n");
    assert_eq!(text(&["@1"]), "try 1\ntry 2\ntry 3\nbye\n");
    // A reused step shows what it printed where it ran.
    assert_eq!(place.run(["replay", "@1", "--from", "a"]).code, Some(0));
    assert_eq!(text(&["@2", "a"]), "try 1\ntry 2\ntry 3\n");
    place.exec("steps:\n- {name: a, run: echo one}\n- {name: b, run: 'exit 1'}\n", 1);
    assert_eq!(place.run(["retry", "@3"]).code, Some(1));
    assert_eq!(text(&["@4", "a"]), "one\n");
    // What is missing of the whole is named, where somebody reads it.
    let (all, told) = logs(&place, &["@4"]);
    assert_eq!(all, b"");
    assert!(told.contains("reused from an earlier execution: `a`; `wfx logs "), "{told}");
    assert_eq!(logs(&place, &["@4", "a"]).1 + &logs(&place, &["@3"]).1, "");
    assert_eq!(logs(&place, &["@4", "--format", "json"]).1, "");
}

#[test]
fn a_large_output_is_its_beginning_and_its_most_recent_part_in_bounded_memory() {
    let place = Place::new();
    let last = megabytes() * 1_000_000 / 8;
    let document = format!(
        "output_limit: 8MiB\nsteps:\n- {{name: big, run: 'seq 1 {last}'}}\n\
         - {{name: peak, run: 'grep VmHWM /proc/$PPID/status'}}\n"
    );
    let execution = place.exec(&document, 0);
    let all = numbers(last);
    let (kept, told) = logs(&place, &["@1", "big"]);
    let [(from, dropped)] = gaps(&told)[..] else { panic!("{told}") };
    // The first MiB, then a gap, then the rest of what the limit allows.
    assert_eq!(from, 1 << 20);
    assert_eq!(kept.len() + dropped, all.len());
    assert!(kept.len() <= 8 << 20 && kept.len() >= 7 << 20, "{}", kept.len());
    assert_same(&kept[..from], &all[..from]);
    assert_same(&kept[from..], &all[from + dropped..]);
    let peak = steps(&execution)["peak"]["stdout"].as_str().unwrap().to_owned();
    let peak: u64 = peak.split_whitespace().nth(1).unwrap().parse().unwrap();
    assert!(peak < MEMORY_MAX_KB, "{peak}");
    // JSON has the last 64 KiB, as ever.
    let tail = steps(&execution)["big"]["stdout"].as_str().unwrap().to_owned();
    assert_same(tail.as_bytes(), &all[all.len() - 65_536..]);
    let stored: u64 = place
        .sql("SELECT sum(length(data)) FROM workflow_output WHERE position = 0")
        .parse()
        .unwrap();
    assert!(stored < 4 << 20, "{stored}");
}

#[test]
fn small_limits_hold_as_well() {
    let place = Place::new();
    let all = numbers(200_000);
    for limit in [1_u64, 100, 5_000, 100_000, 1 << 20] {
        place.exec(
            &format!("steps:\n- {{name: a, output_limit: {limit}, run: 'seq 1 200000'}}\n"),
            0,
        );
        let (kept, told) = logs(&place, &["@latest", "a"]);
        let [(from, dropped)] = gaps(&told)[..] else { panic!("{limit}: {told}") };
        let limit = usize::try_from(limit).unwrap();
        assert_eq!(from, (1 << 20).min(limit / 2), "{limit}");
        assert!(kept.len() <= limit && kept.len() + dropped == all.len(), "{limit}");
        assert!(kept.len() >= limit * 3 / 4, "{limit}: {}", kept.len());
        assert_same(&kept[from..], &all[from + dropped..]);
    }
    // 0: only the ends, as they are kept with the attempt.
    let place = Place::new();
    place.exec("output_limit: 0\nsteps:\n- {name: a, run: 'seq 1 200000; echo e >&2'}\n", 0);
    assert_eq!(place.sql("SELECT count(*) FROM workflow_output"), "0");
    let (kept, told) = logs(&place, &["@latest", "a"]);
    let mut expected = all[all.len() - 65_536..].to_vec();
    expected.extend(b"e\n");
    assert_same(&kept, &expected);
    assert_eq!(gaps(&told), [(0, all.len() - 65_536)]);
}

#[test]
fn many_steps_at_once_lose_nothing() {
    let place = Place::new();
    let mut document = "max_parallel: 50\nsteps:\n".to_owned();
    for step in 0..50 {
        document += &format!(
            "- {{name: s{step}, depends_on: [], run: 'seq -f \"s{step} %.0f\" 1 4000'}}\n"
        );
    }
    place.exec(&document, 0);
    let (whole, told) = logs(&place, &["@1", "--format", "jsonl"]);
    assert_eq!(told, "");
    // Each part is where the one before ended, and each step is in its own order.
    let (mut next, mut texts) = (0, BTreeMap::new());
    for line in whole.split(|byte| *byte == b'\n').filter(|line| !line.is_empty()) {
        let part: Value = serde_json::from_slice(line).unwrap();
        assert_eq!(part["from"], next, "{part}");
        let text = part["text"].as_str().unwrap();
        next += text.len();
        *texts.entry(part["step"].as_str().unwrap().to_owned()).or_insert_with(String::new) += text;
    }
    assert_eq!(texts.len(), 50);
    for (step, text) in texts {
        let expected: String = (1..=4_000).map(|n| format!("{step} {n}\n")).collect();
        assert_same(text.as_bytes(), expected.as_bytes());
        assert_same(&logs(&place, &["@1", &step]).0, expected.as_bytes());
    }
}

#[test]
fn what_trickles_is_followed_and_merged() {
    let place = Place::new();
    place.write(
        "w.yaml",
        "id: w\nsteps:\n- name: a\n  run: |\n    n=0\n    while test ! -e go; do\n      \
         n=$((n+1)); echo $n; sleep 0.1\n    done\n    echo the end\n",
    );
    let running = Running::start(&mut place.wfx(["exec", "w.yaml"]));
    until("it runs", || place.run(["logs", "w"]).code == Some(0));
    let follower = Follower::of(&mut place.wfx(["logs", "w", "-f"]));
    // It is stored several times by then.
    follower.wait_for("25");
    let shown = place.show("w");
    assert!(shown["steps"][0]["stdout"].as_str().unwrap().starts_with("1\n2\n"), "{shown}");
    assert_eq!(shown["steps"][0]["status"], "running");
    place.write("go", "");
    let (code, rest) = follower.end();
    assert_eq!((code, rest.last().map(String::as_str)), (Some(0), Some("the end")));
    assert_eq!(running.end().code, Some(0));
    assert_eq!(place.sql("SELECT count(*) FROM workflow_output"), "1");
}

#[test]
fn output_outlives_a_crash_and_is_followed_over_it() {
    let place = Place::new();
    place.write(
        "w.yaml",
        "id: w\nsteps:\n- name: a\n  retry: {max_attempts: 2}\n  run: |\n    \
         echo attempt $WFX_ATTEMPT\n    until test -e go; do sleep 0.02; done\n    echo done\n",
    );
    let running = Running::start(&mut place.wfx(["exec", "w.yaml"]));
    until("it is stored", || logs_of(&place, "w") == "attempt 1\n");
    let follower = Follower::of(&mut place.wfx(["logs", "w", "-f"]));
    follower.wait_for("attempt 1");
    running.signal("KILL");
    running.end();
    follower.wait_for("is dead");
    assert_eq!(logs_of(&place, "w"), "attempt 1\n");
    assert_eq!(place.show("w")["steps"][0]["stdout"], "attempt 1\n");
    place.write("go", "");
    assert_eq!(place.run(["recover"]).code, Some(0));
    let (code, rest) = follower.end();
    assert_eq!((code, rest), (Some(0), vec!["attempt 2".to_owned(), "done".to_owned()]));
    let (whole, told) = logs(&place, &["w"]);
    assert_eq!(String::from_utf8(whole).unwrap(), "attempt 1\nattempt 2\ndone\n");
    assert_eq!(told, "");
    assert_eq!(
        String::from_utf8(logs(&place, &["w", "a", "--attempt", "1"]).0).unwrap(),
        "attempt 1\n"
    );
    let all = place.run(["show", "w", "--output", "all"]).stdout;
    assert!(all.contains("attempt 1") && all.contains("attempt 2"), "{all}");
}

fn logs_of(place: &Place, id: &str) -> String {
    place.run(["logs", id]).stdout
}

/// A workflow that prints its attempt, and goes on when there is a file `go`.
const WAITING: &str = "id: waiting\nsteps:\n- name: wait\n  retry: {max_attempts: 5}\n  run: |\n    \
    exec 2> /dev/null\n    echo begun $WFX_ATTEMPT\n    trap 'echo stopped; exit 1' TERM\n    \
    until test -e go; do sleep 0.02; done\n    echo done\n";

fn served(place: &Place) -> Daemon {
    let mut command = place.wfx(["serve", "--listen", "127.0.0.1:0", "--workflows", "workflows"]);
    let socket = format!("unix:{}", place.path("wfx.sock").display());
    Daemon::of(command.args(["--drain-timeout", "0s", "--listen", &socket]))
}

fn with_server(place: &Place, args: &[&str]) -> Command {
    let mut command = place.wfx(args);
    let socket = format!("unix:{}", place.path("wfx.sock").display());
    command.env_remove("WFX_DB").env("WFX_SERVER", socket);
    command
}

#[test]
fn a_daemon_that_is_stopped_keeps_what_its_steps_printed_and_is_followed_over_a_restart() {
    let place = Place::new();
    fs::create_dir(place.path("workflows")).unwrap();
    place.write("workflows/waiting.yaml", WAITING);
    let daemon = served(&place);
    daemon.post("/api/v1/workflows/waiting/execute", "").expect(200);
    let served_follower = Follower::of(&mut with_server(&place, &["logs", "@latest", "-f"]));
    let follower = Follower::of(&mut place.wfx(["logs", "@latest", "-f"]));
    served_follower.wait_for("begun 1");
    follower.wait_for("begun 1");
    daemon.stop();
    assert_eq!(logs_of(&place, "@latest"), "begun 1\nstopped\n");
    assert_eq!(place.show("@latest")["steps"][0]["stdout"], "begun 1\nstopped\n");
    place.write("go", "");
    let daemon = served(&place);
    let expected = ["stopped", "begun 2", "done"];
    for follower in [follower, served_follower] {
        let (code, rest) = follower.end();
        let rest: Vec<&str> =
            rest.iter().map(String::as_str).filter(|line| !line.starts_with("warning")).collect();
        assert_eq!((code, &rest[..]), (Some(0), &expected[..]));
    }
    let ran = Ran::of(&mut with_server(&place, &["logs", "waiting", "wait"]));
    assert_eq!(ran.stdout, "begun 1\nstopped\nbegun 2\ndone\n");
    assert_eq!(ran.stdout, logs_of(&place, "waiting"));
    Ran::of(&mut with_server(&place, &["logs", "waiting", "none"])).refused(2, &["no step `none`"]);
    daemon.stop();
}

#[test]
fn the_api_gives_output_page_by_page() {
    let place = Place::new();
    place.exec(
        "output_limit: 200000\nsteps:\n- {name: a, run: 'seq 1 100000; sleep 0.1; echo e >&2'}\n",
        0,
    );
    let all = {
        let mut all = numbers(100_000);
        all.extend(b"e\n");
        all
    };
    let daemon = Daemon::start(&place, &[]);
    let path = "/api/v1/workflows/executions/@1/output";
    let (mut from, mut text, mut dropped) = (0_usize, Vec::new(), Vec::new());
    loop {
        let answer = daemon.get(&format!("{path}?from={from}&limit=30000"));
        assert_eq!(answer.status, 200, "{answer:?}");
        assert!(answer.header("content-type").unwrap().starts_with("text/plain"), "{answer:?}");
        let next: usize = answer.header("x-next-from").unwrap().parse().unwrap();
        let jumped = answer.header("x-dropped").map_or(0, |jumped| jumped.parse().unwrap());
        if jumped > 0 {
            dropped.push((from, jumped));
        }
        assert!(answer.body.len() <= 30_000);
        assert_eq!(next, from + jumped + answer.body.len());
        assert_same(answer.body.as_bytes(), &all[from + jumped..next]);
        text.extend(answer.body.into_bytes());
        from = next;
        if answer.head.to_ascii_lowercase().contains("x-complete: true") {
            break;
        }
    }
    assert_eq!(from, all.len());
    let [(at, size)] = dropped[..] else { panic!("{dropped:?}") };
    assert_eq!((at, text.len() + size), (100_000, all.len()));
    // The other spelling of the path, one stream, one attempt, and a place in the middle.
    let of = |query: &str| daemon.get(&format!("/api/v1/executions/@1/output?{query}"));
    assert_eq!(of("stream=stderr").body, "e\n");
    assert_eq!(of("step=a&attempt=1&stream=stderr&from=1").body, "\n");
    assert_eq!(of("step=a&attempt=2").body, "");
    let lines = daemon.send(&format!(
        "GET {path}?from=99999&limit=10 HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\
         Accept: application/x-ndjson\r\n\r\n"
    ));
    assert_eq!(lines.header("content-type"), Some("application/x-ndjson"));
    let lines: Vec<Value> =
        lines.body.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(lines[1]["dropped"], size);
    assert_eq!((&lines[2]["step"], &lines[2]["stream"]), (&"a".into(), &"stdout".into()));
    for (query, status) in [
        ("stream=both", 400),
        ("limit=0", 400),
        ("limit=1048577", 400),
        ("from=-1", 400),
        ("attempt=1", 400),
        ("step=b", 404),
        ("since=soon", 400),
        ("wat=1", 400),
    ] {
        assert_eq!(of(query).status, status, "{query}");
    }
    assert_eq!(daemon.get("/api/v1/executions/@7/output").status, 404);
    let metrics = daemon.get("/metrics").body;
    let stored = metrics.lines().find_map(|line| line.strip_prefix("wfx_output_stored_bytes "));
    // Each chunk counts for a little more than it holds.
    let stored: usize = stored.unwrap().parse().unwrap();
    assert!((text.len() / 2..text.len() + 20_000).contains(&stored), "{stored}");
    daemon.stop();
}

#[test]
fn two_hundred_follow_and_one_never_reads() {
    let place = Place::new();
    fs::create_dir(place.path("workflows")).unwrap();
    place.write("workflows/waiting.yaml", WAITING);
    let daemon = Daemon::start(&place, &["--workflows", "workflows"]);
    daemon.post("/api/v1/workflows/waiting/execute", "").expect(200);
    let path = "/api/v1/executions/waiting/output?from=0";
    let ask = format!("GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n");
    // It asks and never reads what comes.
    let mut deaf = TcpStream::connect(daemon.address).unwrap();
    for _ in 0..50 {
        let keep = ask.replace("Connection: close\r\n", "");
        deaf.write_all(keep.as_bytes()).unwrap();
    }
    let daemon = &daemon;
    let place = &place;
    std::thread::scope(|scope| {
        let followers: Vec<_> = (0..200)
            .map(|_| {
                scope.spawn(move || {
                    let (mut from, mut text) = (0, String::new());
                    loop {
                        let answer =
                            daemon.get(&format!("/api/v1/executions/waiting/output?from={from}"));
                        if answer.status == 503 {
                            std::thread::yield_now();
                            continue;
                        }
                        assert_eq!(answer.status, 200, "{answer:?}");
                        from = answer.header("x-next-from").unwrap().parse().unwrap();
                        text += &answer.body;
                        if answer.header("x-complete").is_some() {
                            return text;
                        }
                        std::thread::sleep(std::time::Duration::from_millis(100));
                    }
                })
            })
            .collect();
        until("it has begun", || daemon.get(path).body.contains("begun"));
        place.write("go", "");
        for follower in followers {
            assert_eq!(follower.join().unwrap(), "begun 1\ndone\n");
        }
    });
    drop(deaf);
}

#[test]
fn budgets_hold_while_output_pours() {
    let place = Place::new();
    let total: u64 = 4 << 20;
    let run = |n: u64| {
        place.write("w.yaml", "id: w\nsteps: [{name: a, run: 'head -c 3000000 /dev/urandom'}]\n");
        let mut command = place.wfx(["exec", "w.yaml", "--quiet", "--output-total", "4MiB"]);
        let ran = Ran::of(&mut command);
        assert_eq!(ran.code, Some(0), "{n}: {ran:?}");
        let usage: u64 = place.sql("SELECT bytes FROM workflow_output_usage").parse().unwrap();
        assert!(usage <= total, "{n}: {usage}");
        let sum = place.sql("SELECT coalesce(sum(size), 0) FROM workflow_output");
        assert_eq!(sum, usage.to_string());
        let length =
            |name: &str| fs::metadata(place.path(name)).map_or(0, |metadata| metadata.len());
        // The rows of the executions and the pages of the last transactions come beside it.
        assert!(length("wfx.db") < 2 * total, "{n}: {}", length("wfx.db"));
        assert!(length("wfx.db-wal") < 40 << 20, "{n}: {}", length("wfx.db-wal"));
    };
    (0..4).for_each(run);
    // The oldest went first, and its rows stayed with the ends of its streams.
    assert_eq!(place.list()["total"], 4);
    let (kept, told) = logs(&place, &["@4"]);
    assert_eq!((kept.len(), told.as_str()), (3_000_000, ""));
    assert_eq!(place.sql("SELECT count(*) FROM workflow_output WHERE seq = 1"), "0");
    let (kept, told) = logs(&place, &["@1"]);
    assert!(kept.len() <= 65_536 * 3, "{}", kept.len());
    assert_eq!(gaps(&told).len(), 1, "{told}");
    let doctor = place.run(["doctor"]).stdout;
    assert!(doctor.contains("of 4GiB are kept, for 30days"), "{doctor}");

    // What is too old goes as well, whoever opens the database next.
    place.sql("UPDATE workflow_output SET ended_us = ended_us - 3600000000");
    place.write("idle.yaml", "id: idle\nsteps: [{name: a, run: sleep 1}]\n");
    let ran = place.run(["exec", "idle.yaml", "--output-retention", "30m"]);
    assert_eq!(ran.code, Some(0), "{ran:?}");
    assert_eq!(place.sql("SELECT count(*) FROM workflow_output"), "0");
    assert_eq!(place.sql("SELECT bytes FROM workflow_output_usage"), "0");
    // And an execution takes its output with it.
    assert_eq!(place.run(["exec", "w.yaml", "--quiet"]).code, Some(0));
    assert_ne!(place.sql("SELECT bytes FROM workflow_output_usage"), "0");
    assert_eq!(place.run(["purge", "--all"]).code, Some(0));
    assert_eq!(place.sql("SELECT bytes FROM workflow_output_usage"), "0");
    place.run(["exec", "w.yaml", "--output-total", "4MB"]).refused(2, &["--output-total", "MiB"]);
}

#[test]
fn a_locked_store_holds_no_step_up_and_what_is_missing_is_reported() {
    let place = Place::new();
    place.write(
        "w.yaml",
        "id: w\nsteps:\n- name: a\n  run: |\n    echo begun >&2\n    \
         until test -e locked; do sleep 0.02; done\n    seq 1 1500000\n    touch printed\n    \
         until test -e open; do sleep 0.02; done\n    echo the end\n",
    );
    let mut running = Running::start(&mut place.wfx(["exec", "-v", "w.yaml"]));
    running.wait_for("begun");
    let mut holder = Command::new("sqlite3")
        .arg(place.database())
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut hold = holder.stdin.take().unwrap();
    hold.write_all(b".timeout 20000\nBEGIN IMMEDIATE;\n.print held\n").unwrap();
    let mut held = BufReader::new(holder.stdout.take().unwrap());
    held.read_line(&mut String::new()).unwrap();
    place.write("locked", "");
    let ended = std::thread::spawn(move || running.end());
    // Though nothing can be stored.
    until("the step goes on", || place.path("printed").exists());
    hold.write_all(b"ROLLBACK;\n.quit\n").unwrap();
    assert!(holder.wait().unwrap().success());
    place.write("open", "");
    let ran = ended.join().unwrap();
    assert_eq!(ran.code, Some(0), "{}", ran.stderr.len());
    let mut all = b"begun\n".to_vec();
    all.extend(numbers(1_500_000));
    all.extend(b"the end\n");
    let kept = assert_whole_but_for_gaps(&place, "w", &all);
    assert!(kept.ends_with(b"the end\n"));
}

#[test]
fn the_keys_are_checked_and_come_from_the_folder_too() {
    let place = Place::new();
    for (value, told) in [
        ("10MB", "`10MB` is not a size"),
        ("-1", "`-1` is not a size"),
        ("1.5", "`1.5` is not a size"),
        ("[1]", "a size"),
    ] {
        let document = format!("output_limit: {value}\nsteps: [{{name: a, run: x}}]\n");
        let file = place.write("bad.yaml", document);
        place.run(["validate", file.to_str().unwrap()]).refused(2, &[told]);
    }
    let file = place.write("bad.yaml", "steps: [{name: a, sleep: 1, output_limit: 1}]\n");
    place.run(["validate", file.to_str().unwrap()]).refused(2, &["`output_limit` needs a `run`"]);

    place.write("_defaults.yaml", "output_limit: 10\n");
    place.write("w.yaml", "id: w\nsteps: [{name: a, run: 'seq 1 100'}]\n");
    assert_eq!(place.run(["exec", "w.yaml"]).code, Some(0));
    let (kept, told) = logs(&place, &["w"]);
    assert_eq!(gaps(&told).len(), 1, "{told}");
    assert!(kept.len() <= 10, "{}", kept.len());
    let shown = place.run(["show", "w", "--source"]).stdout;
    assert!(shown.contains("output_limit = \"10\"") && shown.contains("_defaults.yaml"), "{shown}");
    // One of an earlier execution stays with it.
    place.write("_defaults.yaml", "output_limit: 1MiB\n");
    assert_eq!(place.run(["replay", "w"]).code, Some(0));
    assert!(logs(&place, &["@2"]).0.len() <= 10);
    assert_eq!(place.run(["exec", "w.yaml"]).code, Some(0));
    assert_eq!(logs(&place, &["@3"]).1, "");
}

#[test]
fn a_terminal_gets_no_control_characters() {
    let place = Place::new();
    place.exec("steps: [{name: a, run: 'printf \"a\\033[31mb\\rc\\n\"'}]\n", 0);
    let line = format!("{} logs @1", env!("CARGO_BIN_EXE_wfx"));
    let mut command = place.wfx([""; 0]);
    let mut script = Command::new("script");
    script.args(["-qec", &line, "/dev/null"]).env_clear().current_dir(place.path(""));
    for (name, value) in command.stdin(Stdio::null()).get_envs() {
        script.env(name, value.unwrap());
    }
    let ran = Ran::of(&mut script);
    assert!(ran.stdout.contains("a\\u{1b}[31mb\\rc"), "{ran:?}");
    assert!(!ran.stdout.contains('\x1b'), "{ran:?}");
}
