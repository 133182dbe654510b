//! What runs out: open files, processes, places of steps. Through the real binary.
#![cfg(target_os = "linux")]

use std::io::Read;
use std::process::Command;

use crate::daemon::Daemon;
use crate::support::{Place, Ran, Running, states, until};

/// A wfx under limits that the shell sets.
fn under(place: &Place, limits: &str, args: &[&str]) -> Command {
    let wfx = place.wfx(args);
    let mut command = Command::new("sh");
    command
        .args(["-c", &format!("{limits} && exec \"$@\""), "sh"])
        .arg(wfx.get_program())
        .args(wfx.get_args())
        .current_dir(place.path(""))
        .env_clear()
        .envs(wfx.get_envs().filter_map(|(name, value)| Some((name, value?))))
        .stdin(std::process::Stdio::null());
    command
}

/// So many steps that run side by side, each with this work.
fn wide(count: usize, run: &str) -> String {
    let steps: String = (0..count)
        .map(|number| format!("- {{name: s{number}, depends_on: [], run: '{run}'}}\n"))
        .collect();
    format!("id: wide\nmax_parallel: {count}\nsteps:\n{steps}")
}

/// Says that it began and runs until there is a file `go`.
const WAITS: &str = "echo $WFX_ATTEMPT >> ran; until test -e go; do sleep 0.02; done";

fn lines(place: &Place, file: &str) -> usize {
    std::fs::read_to_string(place.path(file)).unwrap_or_default().lines().count()
}

#[test]
fn what_finds_no_file_left_waits_and_that_is_no_attempt() {
    let place = Place::new();
    place.write("w.yaml", wide(60, WAITS));
    let args = ["exec", "--max-steps", "60", "w.yaml"];
    let mut running = Running::start(&mut under(&place, "ulimit -n 100", &args));
    running.wait_for("lets wfx start no further process");
    // Of what waits nothing is stored that a crash would make of a failed attempt.
    until("some are pending", || {
        place.sql("SELECT count(*) FROM workflow_execution_steps WHERE status = 'pending'") != "0"
    });
    place.write("go", "");
    let ran = running.end();
    assert_eq!(ran.code, Some(0), "{ran:?}");
    assert_eq!(place.read("ran").lines().filter(|attempt| *attempt == "1").count(), 60);
    assert_eq!(lines(&place, "ran"), 60);
    assert_eq!(place.sql("SELECT max(attempt) FROM workflow_execution_steps"), "1");
}

#[test]
fn what_waits_for_a_file_is_cancelled_at_once() {
    let place = Place::new();
    place.write("w.yaml", wide(60, WAITS));
    let args = ["exec", "--max-steps", "60", "w.yaml"];
    let mut running = Running::start(&mut under(&place, "ulimit -n 100", &args));
    running.wait_for("lets wfx start no further process");
    running.signal("INT");
    assert_eq!(running.end().code, Some(130));
    let ended = place.sql("SELECT DISTINCT status FROM workflow_execution_steps");
    assert_eq!(ended, "cancelled");
}

#[test]
fn the_soft_limit_is_raised_where_that_is_needed_and_steps_find_the_one_that_was() {
    let place = Place::new();
    let run = format!("ulimit -Sn >> soft; ulimit -Hn >> hard; {WAITS}");
    place.write("w.yaml", wide(100, &run));
    let args = ["exec", "w.yaml"];
    let limits = "ulimit -Sn 256 && ulimit -Hn 4000";
    let mut running = Running::start(&mut under(&place, limits, &args));
    until("all run side by side", || lines(&place, "ran") == 100);
    let of_wfx = std::fs::read_to_string(format!("/proc/{}/limits", running.child.id())).unwrap();
    let of_wfx = of_wfx.lines().find(|line| line.starts_with("Max open files")).unwrap();
    assert!(of_wfx.split_whitespace().any(|word| word == "4000"), "{of_wfx}");
    place.write("go", "");
    let status = running.child.wait().unwrap();
    assert!(status.success());
    assert_eq!(place.read("soft").replace("256\n", ""), "");
    assert_eq!(place.read("hard").replace("4000\n", ""), "");
}

#[test]
fn as_many_steps_run_as_may_over_all_executions() {
    let place = Place::new();
    place.write("w.yaml", wide(1, WAITS));
    place.write("nap.yaml", "id: nap\nsteps: [{name: a, sleep: 1ms}, {name: b}]");
    place.write("quick.yaml", "id: quick\nsteps: [{name: a, timeout: 5s, run: 'true'}]");
    let mut command =
        place.wfx(["serve", "--listen", "127.0.0.1:0", "--workflows", ".", "--max-steps", "1"]);
    let daemon = Daemon::of(&mut command);
    let start = |workflow: &str, wait: &str| {
        let path = format!("/api/v1/workflows/{workflow}/execute{wait}");
        let started = daemon.post(&path, "").expect(200);
        started["execution_id"].as_str().map(str::to_owned)
    };
    start("wide", "");
    until("the first runs", || lines(&place, "ran") == 1);
    let second = start("quick", "").unwrap();
    let third = start("quick", "").unwrap();
    // Sleeps and steps without work need no place.
    let path = "/api/v1/workflows/nap/execute?wait=60s";
    assert_eq!(daemon.post(path, "").expect(200)["execution"]["status"], "success");
    for waiting in [&second, &third] {
        assert_eq!(states(&place.show(waiting)), ["a pending"]);
    }
    let metrics = daemon.get("/metrics").body;
    assert!(metrics.contains("\nwfx_steps_running 1\n"), "{metrics}");
    assert!(metrics.contains("\nwfx_steps_waiting 2\n"), "{metrics}");
    assert_eq!(place.run(["cancel", &second]).code, Some(0));
    assert_eq!(states(&place.show(&second)), ["a cancelled"]);
    place.write("go", "");
    until("the other runs", || place.show(&third)["execution"]["status"] == "success");
    daemon.stop();
}

#[test]
fn what_waited_for_its_turn_when_wfx_died_has_not_begun() {
    let place = Place::new();
    place.write("w.yaml", wide(3, WAITS));
    let running = Running::start(&mut place.wfx(["exec", "--max-steps", "1", "w.yaml"]));
    until("the first runs", || lines(&place, "ran") == 1);
    running.signal("KILL");
    running.end();
    place.write("go", "");
    let ran = place.run(["recover"]);
    assert_eq!(ran.code, Some(1), "{ran:?}");
    assert_eq!(states(&place.show("@1")), ["s0 interrupted", "s1 success", "s2 success"]);
}

#[test]
fn executions_that_sleep_keep_no_others_from_being_recovered() {
    let place = Place::new();
    place.write("nap.yaml", "id: nap\nsteps: [{name: a, sleep: 1h}]");
    place.write(
        "w.yaml",
        format!("steps: [{{name: a, retry: {{max_attempts: 2}}, run: '{WAITS}'}}]"),
    );
    let count = |status: &str| {
        let count = "SELECT count(*) FROM workflow_executions JOIN workflow_execution_steps s
                     USING (seq) WHERE s.status";
        place.sql(&format!("{count} = '{status}'"))
    };
    let mut dead: Vec<Running> =
        (0..33).map(|_| Running::start(place.wfx(["exec", "nap.yaml"]).arg("-v"))).collect();
    dead.iter_mut().for_each(|running| running.wait_for("a"));
    until("all sleep", || count("running") == "33");
    dead.push(Running::start(&mut place.wfx(["exec", "w.yaml"])));
    until("the last runs", || lines(&place, "ran") == 1);
    for running in dead {
        running.signal("KILL");
        running.end();
    }
    place.write("go", "");
    let recovery = Running::start(&mut place.wfx(["recover"]));
    until("the last has ended", || count("success") == "1");
    recovery.signal("INT");
    assert_eq!(recovery.end().code, Some(130));
}

#[test]
fn a_bound_of_no_steps_is_refused() {
    let place = Place::new();
    place.write("w.yaml", wide(1, "true"));
    for bad in ["0", "many", "-1"] {
        let ran = Ran::of(place.wfx(["exec", "w.yaml"]).env("WFX_MAX_STEPS", bad));
        ran.refused(2, &["WFX_MAX_STEPS", "a whole number of 1 or more"]);
    }
}

/// Starts a command that writes long JSON, and gives that with the most memory that it had used
/// by the first byte of it.
fn streamed(command: &mut Command) -> (serde_json::Value, usize) {
    let mut child = command.stdout(std::process::Stdio::piped()).spawn().unwrap();
    let mut stdout = child.stdout.take().unwrap();
    let mut text = vec![0];
    stdout.read_exact(&mut text).unwrap();
    let status = std::fs::read_to_string(format!("/proc/{}/status", child.id())).unwrap();
    let most = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
    let most_kib = most.trim().trim_end_matches(" kB").parse().unwrap();
    stdout.read_to_end(&mut text).unwrap();
    assert!(child.wait().unwrap().success());
    (serde_json::from_slice(&text).unwrap(), most_kib)
}

const MANY_KIB: usize = 80 * 1024;

#[test]
fn a_long_list_is_written_as_it_is_read() {
    let place = Place::new();
    let names = ["a", "b", "c", "d", "e", "f", "g"];
    let params = names.map(|name| format!("{name}: x")).join(", ");
    place.write("p.yaml", format!("id: p\nparams: {{{params}}}\nsteps: [{{name: a}}]"));
    let daemon = Daemon::start(&place, &["--workflows", "."]);
    let value = "v".repeat(130_000);
    let given = names.map(|name| format!("\"{name}\": \"{value}\"")).join(", ");
    for _ in 0..80 {
        daemon
            .post("/api/v1/workflows/p/execute", &format!("{{\"params\": {{{given}}}}}"))
            .expect(200);
    }
    daemon.stop();
    let list =
        |format: &str, limit: &str| place.wfx(["list", "--format", format, "--limit", limit]);
    let (page, most_kib) = streamed(&mut list("json", "100"));
    assert!(most_kib < MANY_KIB, "{most_kib} KiB");
    let items = page["items"].as_array().unwrap();
    assert_eq!((items.len(), &page["total"], &page["limit"]), (80, &80.into(), &100.into()));
    let numbers: Vec<i64> = items.iter().map(|item| item["seq"].as_i64().unwrap()).collect();
    assert!(numbers.is_sorted_by(|a, b| a > b) && numbers.len() == 80);
    assert_eq!(items[79]["input_snapshot"]["params"]["g"], value);
    // A page of it, cut anywhere, is laid out as it always was.
    let ran = Ran::of(list("json", "3").args(["--offset", "2"]));
    assert_eq!(ran.json()["items"].as_array().unwrap()[..], items[2..5]);
    assert!(ran.stdout.starts_with("{\n  \"items\": [\n    {\n      \"seq\": "));
    assert!(
        ran.stdout
            .ends_with("\n    }\n  ],\n  \"total\": 80,\n  \"limit\": 3,\n  \"offset\": 2\n}\n")
    );
    let ran = Ran::of(&mut list("jsonl", "100"));
    assert_eq!(ran.stdout.lines().count(), 80);
    let none = Ran::of(list("json", "3").args(["--offset", "200"]));
    assert!(none.stdout.starts_with("{\n  \"items\": [],\n"), "{none:?}");
}

#[test]
fn a_long_execution_is_written_as_it_is_read() {
    let place = Place::new();
    let run = "head -c 65536 /dev/zero | tr \"\\\\000\" \"\\\\001\" | tee /dev/stderr";
    place.write("w.yaml", wide(160, run).replace("max_parallel: 160", "max_parallel: 4"));
    let (summary, most_kib) = streamed(&mut place.wfx(["exec", "w.yaml", "--format", "jsonl"]));
    assert!(most_kib < 2 * MANY_KIB, "{most_kib} KiB");
    let (shown, most_kib) = streamed(&mut place.wfx(["show", "@1", "--format", "json"]));
    assert!(most_kib < MANY_KIB, "{most_kib} KiB");
    assert_eq!(summary["steps"].as_array().unwrap().len(), 160);
    assert_eq!(shown["steps"], summary["steps"]);
    assert_eq!(shown["execution"], summary["execution"]);
}

#[test]
fn requests_that_wait_make_room_for_others() {
    let place = Place::new();
    place.write("nap.yaml", "id: nap\nsteps: [{name: a, sleep: 1h}]");
    let daemon = Daemon::start(&place, &["--workflows", ".", "--max-connections", "2"]);
    std::thread::scope(|scope| {
        let wait = || daemon.post("/api/v1/workflows/nap/execute?wait=5m", "").expect(200);
        let waiting = [scope.spawn(wait), scope.spawn(wait)];
        until("both wait", || {
            place.database().exists()
                && place.sql("SELECT count(*) FROM workflow_executions") == "2"
        });
        assert_eq!(daemon.get("/healthz").status, 200);
        // Each of these needs a place.
        for _ in 0..2 {
            daemon.get("/api/v1/workflows").expect(200);
            daemon.post("/api/v1/workflows/nap/execute", "").expect(200);
        }
        let id = |seq: u32| {
            place.sql(&format!("SELECT execution_id FROM workflow_executions WHERE seq = {seq}"))
        };
        (1..=4).for_each(|seq| {
            daemon
                .post(&format!("/api/v1/workflows/executions/{}/cancel", id(seq)), "")
                .expect(200);
        });
        let states = waiting.map(|answer| answer.join().unwrap()["execution"]["status"].clone());
        // One at least was answered with the state reached by then.
        assert!(states.iter().any(|state| state == "running"), "{states:?}");
    });
    daemon.stop();
}
