//! `wfx start`, and how the client follows what a daemon runs.

use serde_json::{Value, json};

use crate::client::{WAITING, place, run_served, serve, served};
use crate::support::{Running, until};

const GREET: &str = "id: greet
params: {who: world, n: {type: int, default: 3, max: 9}}
steps:
- {name: hello, run: 'echo \"hello $WFX_PARAM_WHO $WFX_PARAM_N\"'}
- {name: bad, run: 'test \"$WFX_PARAM_WHO\" != nobody'}
";

#[test]
fn a_workflow_is_started_and_waited_for() {
    let place = place(&[("greet", GREET)]);
    let daemon = serve(&place, &[]);
    let started = run_served(&place, &["start", "greet"]);
    assert_eq!((started.code, started.stderr.as_str()), (Some(0), ""));
    let id = started.stdout.trim_end();
    until("it has ended", || place.show(id)["execution"]["status"] == "success");

    let started = run_served(&place, &["start", "greet", "--format", "json"]).json();
    assert_eq!((&started["status"], &started["persisted"]), (&json!("started"), &json!(true)));

    let args = ["start", "greet", "--wait", "-p", "who=Zoë \"x\"", "-p", "n=7", "--format", "json"];
    let done = run_served(&place, &args);
    assert_eq!(done.code, Some(0), "{done:?}");
    let done = done.json();
    assert_eq!(done["steps"][0]["stdout"], "hello Zoë \"x\" 7\n");
    assert_eq!(place.show("greet"), done);
    let done = run_served(&place, &["start", "greet", "-w"]);
    assert_eq!((done.code, done.stderr.as_str()), (Some(0), ""));
    assert!(done.stdout.contains("success") && done.stdout.contains("2/2 steps"), "{done:?}");
    let done = run_served(&place, &["start", "greet", "-w", "-p", "who=nobody"]);
    assert_eq!(done.code, Some(1), "{done:?}");
    daemon.stop();
}

#[test]
fn a_start_that_cannot_be_meant_is_refused() {
    let place = place(&[("greet", GREET)]);
    let daemon = serve(&place, &[]);
    for (args, told) in [
        (&["start", "nope"][..], "nope"),
        (&["start", "a/b"], "a/b"),
        (&["start", "greet", "-p", "n=x"], "whole number"),
        (&["start", "greet", "-p", "n=10"], "9"),
        (&["start", "greet", "-p", "whom=x"], "whom"),
        (&["start", "greet", "-p", "n=1", "-p", "n=1"], "n"),
        (&["start", "greet", "--wait", "-p", "n=x"], "whole number"),
    ] {
        run_served(&place, args).refused(2, &[told]);
    }
    // Nobody guesses where a daemon is.
    place.run(["start", "greet"]).refused(2, &["--server", "WFX_SERVER", "wfx exec"]);
    assert_eq!(place.list()["total"], 0);
    daemon.stop();
}

#[test]
fn a_signal_leaves_the_execution_running() {
    let place = place(&[("waiting", WAITING)]);
    let daemon = serve(&place, &[]);
    place.write("go", "");
    assert_eq!(run_served(&place, &["start", "waiting", "--wait"]).code, Some(0));
    std::fs::remove_file(place.path("go")).unwrap();
    for (signal, code) in [("INT", 130), ("TERM", 143)] {
        let mut running = Running::start(&mut served(&place, &["replay", "@1"]));
        running.wait_for("wait started");
        running.signal(signal);
        let ran = running.end();
        assert_eq!(ran.code, Some(code), "{ran:?}");
        assert!(ran.stderr.contains("goes on; `wfx cancel "), "{ran:?}");
        assert_eq!(place.show("@latest")["execution"]["status"], "running");
    }
    place.write("go", "");
    until("both have ended", || {
        let items = place.list()["items"].as_array().unwrap().clone();
        items.iter().all(|item| item["status"] == "success")
    });
    daemon.stop();
}

#[test]
fn a_daemon_that_restarts_is_asked_again() {
    let place = place(&[("waiting", WAITING)]);
    place.write("go", "");
    let daemon = serve(&place, &[]);
    assert_eq!(run_served(&place, &["start", "waiting", "--wait"]).code, Some(0));
    std::fs::remove_file(place.path("go")).unwrap();
    let text = WAITING.replace("run:", "retry: {max_attempts: 2}\n  run:");
    place.write("workflows/waiting.yaml", text);
    until("the new file is known", || {
        daemon.get("/api/v1/workflows/waiting").body.contains("max_attempts")
    });
    assert_eq!(run_served(&place, &["start", "waiting"]).code, Some(0));
    assert_eq!(run_served(&place, &["cancel", "waiting"]).code, Some(0));
    let mut running = Running::start(&mut served(&place, &["replay", "@2"]));
    running.wait_for("wait started");
    daemon.signal("KILL");
    daemon.end();
    running.wait_for("asking again");
    place.write("go", "");
    let daemon = serve(&place, &[]);
    let ran = running.end();
    assert_eq!(ran.code, Some(0), "{ran:?}");
    assert_eq!(place.show("@3")["steps"][0]["attempt"], 2);
    daemon.stop();
}

#[test]
fn progress_is_that_of_exec() {
    let text = "id: talks
steps:
- {name: one, title: First, run: 'echo said; echo cried >&2'}
- {name: bad, run: 'echo why; exit 3', continue_on_error: true}
- {name: skipped, when: {step: one, status: failed}}
on_exit: [{name: done, run: echo bye}]
";
    let place = place(&[("talks", text)]);
    let daemon = serve(&place, &["--definitions", "api"]);
    assert_eq!(run_served(&place, &["start", "talks", "--wait"]).code, Some(0));
    for args in [&["replay", "@1"][..], &["replay", "@1", "-v"]] {
        let (stored, told) = (place.run(args), run_served(&place, args));
        assert_eq!((stored.code, told.code), (Some(0), Some(0)), "{told:?}");
        let words = |text: &str| {
            let is_said = |word: &&str| !word.contains(|c: char| c.is_ascii_digit());
            let words = |line: &str| {
                line.split_whitespace()
                    .filter(is_said)
                    .map(str::to_owned)
                    .collect::<Vec<_>>()
                    .join(" ")
            };
            let mut lines: Vec<String> = text.lines().map(words).collect();
            // Both streams of a step come when it ends.
            lines.sort();
            lines
        };
        assert_eq!(words(&stored.stderr), words(&told.stderr), "{stored:?} {told:?}");
    }
    let kinds: Value = place.list()["items"]
        .as_array()
        .unwrap()
        .iter()
        .map(|item| item["trigger"]["kind"].clone())
        .collect();
    assert_eq!(kinds, json!(["replay", "replay", "replay", "replay", "api"]));
    daemon.stop();
}
