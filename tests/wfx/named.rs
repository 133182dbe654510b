//! What people name on the command line, in settings and in files: hostile names, files that are
//! none, and a system that gives little.

use std::process::Command;

use crate::daemon::Daemon;
use crate::output::{in_time, pipe};
use crate::support::{Place, Ran};

/// Sets a title, changes the colour, by C0 and by C1, reverses what follows, and deletes.
const EVIL: &str = "\u{1b}]0;x\u{7}\u{1b}[31m\u{9b}31m\u{85}\u{202e}\u{2066}\u{7f}";

/// Nothing in it does anything to a terminal.
#[track_caller]
fn assert_harmless(text: &str) {
    let found = text.chars().find(|&c| {
        (c.is_control() && c != '\n' && c != '\t')
            || matches!(c, '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
    });
    assert_eq!(found, None, "{text:?}");
}

#[test]
fn whatever_is_named_does_nothing_to_the_terminal() {
    let place = Place::new();
    let named = |name: &str| format!("{name}{EVIL}");
    place.write("w.yaml", "id: w\nsteps: [{name: a, run: [/nonexistent]}]");
    place.write(&named("bad.yaml"), "steps: [{nam: a}]");
    place.write(&named("good"), "id: good\nsteps: [{name: a}]");
    place.write(&named("text"), "x");
    let (missing, bad, good) = (named("missing"), named("bad.yaml"), named("good"));
    let text = named("text");
    let parameter = format!("p{EVIL}=1");
    let mut count = 0;
    for args in [
        &["exec", &missing][..],
        &["exec", &bad],
        &["exec", "w.yaml", "-p", &parameter],
        &["exec", "w.yaml", "--retention", EVIL],
        &["validate", &bad, &good, &missing],
        &["validate", "--format", "json", &bad, &good, &missing],
        &["show", EVIL],
        &["cancel", EVIL],
        &["list", "--status", EVIL],
        &["list", EVIL],
        &[EVIL],
        &["list", "--workflow", EVIL],
        &["list", "--db", &text],
        &["list", "--db", &missing],
        &["exec", "w.yaml", "--config", &text],
        &["doctor", "--db", &text],
        &["config", "--db", &missing],
        &["slo-sim", "--trace", &text],
        &["slo-sim", "--scenario", &text],
        &["perf-check", "--stats", &text],
        &["perf-check", "--stats", &missing],
        &["serve", "--token-file", &missing],
        &["serve", "--workflows", &missing],
        &["serve", "--listen", EVIL],
    ] {
        let ran = Ran::of(place.wfx(args).env("GITHUB_ACTIONS", "true"));
        assert_harmless(&ran.stdout);
        assert_harmless(&ran.stderr);
        count += usize::from(ran.stderr.contains("\\u{1b}") || ran.stderr.contains("\\u{202e}"));
    }
    // They do show it.
    assert!(count > 12, "{count}");
    // A second line is no command to CI.
    let ran = place.run(["exec", "x\n::error title=x::y"]);
    assert!(!ran.stderr.lines().any(|line| line.trim_start().starts_with("::")), "{ran:?}");
}

#[test]
fn json_has_no_character_that_does_anything_to_a_terminal() {
    let place = Place::new();
    let workflow = serde_json::json!({
        "id": "w", "name": format!("n{EVIL}"), "params": {"p": EVIL},
        "steps": [{"name": "s", "run": "printf '%s' \"$WFX_PARAM_P\"; exit 3"}],
    });
    place.write("w.json", workflow.to_string());
    let ran = place.run(["exec", "w.json", "--format", "json"]);
    assert_harmless(&ran.stdout);
    assert_eq!(ran.json()["steps"][0]["stdout"], EVIL);
    for args in [&["list"][..], &["show", "@1"]] {
        for format in ["json", "jsonl", "plain", "table"] {
            let ran = place.run(args.iter().chain(&["--format", format]));
            assert_harmless(&ran.stdout);
            if format.starts_with("json") {
                assert!(
                    ran.stdout.contains("\\u009b") && ran.stdout.contains("\\u202e"),
                    "{ran:?}"
                );
            }
        }
    }
    let daemon = Daemon::start(&place, &["--access-log", "access.log", "--log", "debug"]);
    let answer = daemon.get("/api/v1/workflows/executions?limit=1");
    assert_harmless(&answer.body);
    assert_eq!(answer.expect(200)["items"][0]["input_snapshot"]["params"]["p"], EVIL);
    assert_harmless(&daemon.get("/api/v1/workflows/a%C2%9B%E2%80%AE").body);
    daemon.send(
        "GET /api/v1/a\u{9b}\u{202e} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n",
    );
    assert_harmless(&daemon.stop().stderr);
    assert_harmless(&place.read("access.log"));
}

#[test]
fn a_named_pipe_is_no_file_and_keeps_nobody_waiting() {
    let place = Place::new();
    place.write("w.yaml", "steps: [{name: a}]");
    std::fs::create_dir(place.path("wf")).unwrap();
    pipe(&place, "pipe");
    for (args, code) in [
        (&["serve", "--listen", "127.0.0.1:0", "--access-log", "pipe"][..], 3),
        (&["serve", "--listen", "127.0.0.1:0", "--token-file", "pipe"], 2),
        (&["serve", "--listen", "127.0.0.1:0", "--slo-alert-webhook-secret-file", "pipe"], 2),
        (&["exec", "w.yaml", "--config", "pipe"], 2),
        (&["exec", "pipe"], 2),
        (&["validate", "pipe"], 2),
        (&["slo-sim", "--scenario", "pipe"], 2),
        (&["perf-check", "--stats", "pipe", "--update-baseline"], 2),
    ] {
        let mut command = place.wfx(args);
        let ran = in_time(move || Ran::of(&mut command));
        assert_eq!(ran.code, Some(code), "{args:?}: {ran:?}");
        let told = format!("{}{}", ran.stdout, ran.stderr);
        assert!(told.contains("it is a named pipe, not a file"), "{args:?}: {ran:?}");
    }
    // The pipe of a shell is one without a name.
    let shell = "wfx=$1; \"$wfx\" exec <(printf 'id: w\\nsteps: [{name: a}]')";
    let mut command = Command::new("bash");
    command.args(["-c", shell, "bash", env!("CARGO_BIN_EXE_wfx")]);
    let ran = Ran::of(command.env("WFX_DB", place.database()));
    assert_eq!(ran.code, Some(0), "{ran:?}");
}

#[test]
fn a_file_without_an_end_is_refused() {
    let place = Place::new();
    place.write("w.yaml", "steps: [{name: a}]");
    for args in [
        &["exec", "w.yaml", "--config", "/dev/zero"][..],
        &["serve", "--token-file", "/dev/zero"],
        &["serve", "--slo-alert-webhook-secret-file", "/dev/zero"],
    ] {
        place.run(args).refused(2, &["/dev/zero", "it is longer than"]);
    }
}

/// Under every low limit of open files, each command ends with an error that says so.
#[test]
fn too_few_open_files_are_an_error_and_no_panic() {
    let place = Place::new();
    place.write("w.yaml", "id: w\nsteps: [{name: a}]");
    place.write("stats.csv", "x");
    assert_eq!(place.run(["exec", "w.yaml"]).code, Some(0));
    let mut refused = 0;
    for files in 5..=24 {
        for args in [
            "exec w.yaml",
            "replay @1",
            "recover",
            "list",
            "show @1",
            "purge --all --dry-run",
            "doctor",
            "perf-check --stats stats.csv",
            "perf-check --target http://127.0.0.1:9 --endpoint GET_/ --duration 1s",
            "serve --listen 192.0.2.1:9",
        ] {
            let wfx = env!("CARGO_BIN_EXE_wfx");
            // The shell needs descriptors of its own before it becomes wfx.
            let line = format!("ulimit -n {files}; exec {wfx} {args}");
            let template = place.wfx(["x"]);
            let mut command = Command::new("sh");
            command.args(["-c", &line]).current_dir(place.path("")).env_clear();
            command.envs(template.get_envs().filter_map(|(name, value)| Some((name, value?))));
            let ran = Ran::of(&mut command);
            let code = ran.code.unwrap_or_else(|| panic!("{files} {args}: {ran:?}"));
            assert!(code <= 4 && !ran.stderr.contains("panicked"), "{files} {args}: {ran:?}");
            refused += usize::from(code == 3 && ran.stderr.contains("Too many open files"));
        }
    }
    assert!(refused > 10, "{refused}");
}
