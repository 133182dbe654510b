//! What is shown: on a terminal, in pipes, with and without colour.

use std::process::{Command, Stdio};

use crate::output::{in_time, pipe};
use crate::support::{Place, Ran, states};

const STEPS: &str = "id: shown\nsteps: [{name: first, run: 'echo one; echo two >&2; sleep 0.5'}, {name: second, run: 'echo broken >&2; exit 4'}]";

/// Runs wfx on a terminal of its own, 80 columns wide.
fn on_terminal(place: &Place, line: &str, variables: &[(&str, &str)]) -> String {
    Ran::of(&mut terminal(place, 80, line, variables)).stdout
}

/// wfx on a terminal, which script(1) makes.
fn terminal(place: &Place, columns: u16, line: &str, variables: &[(&str, &str)]) -> Command {
    let wfx = place.wfx(["x"]);
    let mut command = Command::new("script");
    command
        .args([
            "-qec",
            &format!("stty cols {columns} rows 24; {} {line}", env!("CARGO_BIN_EXE_wfx")),
            "/dev/null",
        ])
        .current_dir(place.path(""))
        .env_clear()
        .stdin(Stdio::null());
    for (name, value) in wfx.get_envs() {
        command.env(name, value.unwrap());
    }
    command.env("TERM", "xterm-256color").env("SHELL", "/bin/sh");
    for (name, value) in variables {
        command.env(name, value);
    }
    command
}

#[test]
fn pipes_get_lines_with_the_time_and_no_escapes() {
    let place = Place::new();
    place.write("w.yaml", STEPS);
    let ran = place.run(["exec", "w.yaml"]);
    assert_eq!(ran.code, Some(1), "{ran:?}");
    let all = format!("{}{}", ran.stdout, ran.stderr);
    assert!(!all.contains('\u{1b}') && !all.contains('\r'), "{all:?}");
    for told in
        ["first started", "first success in", "second failed", "exit status 4", "second │ broken"]
    {
        assert!(ran.stderr.contains(told), "{told}: {}", ran.stderr);
    }
    for line in ran.stderr.lines().filter(|line| !line.contains('│')) {
        assert!(line.starts_with("20") && line.as_bytes()[19] == b'Z', "{line}");
    }
    // What succeeds is quiet without -v, and told with it.
    assert!(!ran.stderr.contains("first │"), "{}", ran.stderr);
    let ran = place.run(["exec", "-v", "w.yaml"]);
    for told in ["first │ one", "first │ two", "second │ broken"] {
        assert_eq!(ran.stderr.matches(told).count(), 1, "{told}: {}", ran.stderr);
    }
}

#[test]
fn results_go_to_standard_output_alone() {
    let place = Place::new();
    place.write("w.yaml", STEPS);
    let ran = place.run(["exec", "w.yaml", "--format", "json"]);
    assert_eq!(ran.json()["execution"]["status"], "failed");
    let ran = place.run(["exec", "w.yaml", "--format", "jsonl"]);
    assert_eq!(ran.stdout.lines().count(), 1);
    let ran = place.run(["exec", "w.yaml", "--format", "plain"]);
    let rows: Vec<Vec<&str>> = ran.stdout.lines().map(|l| l.split('\t').collect()).collect();
    assert_eq!(rows[0][0], "execution");
    assert_eq!(rows[2][..5], ["step", "second", "failed", "1", "4"]);
    let ran = place.run(["show", "@1"]);
    for told in ["timeline", "first", "✗ second", "stderr", "│ broken", "exit"] {
        assert!(ran.stdout.contains(told), "{told}: {}", ran.stdout);
    }
    // Without UTF-8 nothing but ASCII.
    let ran = Ran::of(place.wfx(["show", "@1"]).env("LANG", "C"));
    assert!(ran.stdout.is_ascii(), "{}", ran.stdout);
}

#[test]
fn a_terminal_gets_bars_and_colour() {
    let place = Place::new();
    place.write("w.yaml", STEPS);
    let shown = on_terminal(&place, "exec w.yaml", &[]);
    assert!(shown.contains("/2 steps") && shown.contains("1 running"), "{shown:?}");
    assert!(shown.contains("\u{1b}[32m"), "no green: {shown:?}");
    assert!(shown.contains("broken"), "{shown:?}");
    let shown = on_terminal(&place, "exec w.yaml", &[("NO_COLOR", "1")]);
    assert!(!shown.contains("\u{1b}[32m") && !shown.contains("\u{1b}[31m"), "{shown:?}");
    let shown = on_terminal(&place, "exec w.yaml", &[("TERM", "dumb")]);
    assert!(!shown.contains('\u{1b}'), "{shown:?}");
    let shown = on_terminal(&place, "list", &[]);
    assert!(shown.contains("\u{1b}["), "{shown:?}");
    assert!(shown.lines().all(|line| strip(line).chars().count() <= 80), "{shown}");
}

#[test]
fn a_terminal_that_is_stopped_holds_up_nothing() {
    let place = Place::new();
    pipe(&place, "ended");
    place.write("w.yaml", "steps: [{name: flood, run: 'yes', timeout: 1s}]");
    // script(1) stops reading the terminal when nobody reads what it writes.
    let line = "exec -v w.yaml; echo $? > ended";
    let mut unread = terminal(&place, 80, line, &[]).stdout(Stdio::piped()).spawn().unwrap();
    let ended = place.path("ended");
    assert_eq!(in_time(|| std::fs::read_to_string(ended).unwrap()), "1\n");
    assert_eq!(states(&place.show("@1")), ["flood failed"]);
    drop(unread.stdout.take());
    unread.wait().unwrap();
}

#[test]
fn colour_can_be_forced_into_a_pipe() {
    let place = Place::new();
    place.exec("steps: [{name: a}]", 0);
    assert!(!place.run(["list"]).stdout.contains('\u{1b}'));
    let ran = Ran::of(place.wfx(["list"]).env("CLICOLOR_FORCE", "1"));
    assert!(ran.stdout.contains('\u{1b}'), "{ran:?}");
    let ran = Ran::of(place.wfx(["list", "--format", "json"]).env("CLICOLOR_FORCE", "1"));
    assert!(!ran.stdout.contains('\u{1b}'), "{ran:?}");
}

#[test]
fn usage_is_told() {
    let place = Place::new();
    let ran = place.run(["--help"]);
    assert_eq!(ran.code, Some(0));
    for told in ["exec", "replay", "Exit codes", "WFX_DB"] {
        assert!(ran.stdout.contains(told), "{told}");
    }
    assert_eq!(
        place.run(["--version"]).stdout.trim(),
        format!("wfx {}", env!("CARGO_PKG_VERSION"))
    );
    place.run(["exce"]).refused(2, &["exce", "exec"]);
    place.run(["exec"]).refused(2, &["FILE"]);
    place.run(["list", "--format", "xml"]).refused(2, &["xml", "jsonl"]);
    for command in ["exec", "replay", "list", "show", "purge", "validate", "schema", "config"] {
        let ran = place.run([command, "--help"]);
        assert_eq!(ran.code, Some(0), "{command}");
    }
}

/// The line without its escape sequences.
fn strip(line: &str) -> String {
    anstream::adapter::strip_str(line.trim_end_matches('\r')).to_string()
}
