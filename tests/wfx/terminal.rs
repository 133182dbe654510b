//! What is shown: on a terminal, in pipes, with and without colour.

use std::process::{Command, Stdio};

use crate::output::{in_time, pipe};
use crate::support::{Place, Ran, root, states};

const STEPS: &str = "id: shown\nsteps: [{name: first, run: 'echo one; echo two >&2; sleep 0.5'}, {name: second, run: 'echo broken >&2; exit 4'}]";

/// Runs wfx on a terminal of its own, 80 columns wide.
fn on_terminal(place: &Place, line: &str, variables: &[(&str, &str)]) -> String {
    Ran::of(&mut terminal(place, 80, line, variables)).stdout
}

/// The lines that wfx shows on a terminal so wide.
fn lines(place: &Place, columns: u16, line: &str) -> Vec<String> {
    let shown = Ran::of(&mut terminal(place, columns, line, &[])).stdout;
    shown.lines().map(strip).collect()
}

/// The fields of a line of a table.
fn fields(line: &str) -> Vec<&str> {
    line.trim_matches(['│', ' ']).split('┆').map(str::trim).collect()
}

/// A history as people have it: names of 20 characters, replays, all kinds of states and
/// durations, more than a hundred of them.
fn history(place: &Place) {
    place.write(
        "w.yaml",
        "id: nightly-report-eu-01\nsteps: [{name: fetch-all-the-sources, run: 'echo hi'}, {name: again, run: 'exit 3', retry: {max_attempts: 2, backoff: 1ms}, continue_on_error: true}]",
    );
    assert_eq!(place.run(["exec", "w.yaml"]).code, Some(0));
    for id in ["@1", "@2", "@1"] {
        assert_eq!(place.run(["replay", id]).code, Some(0));
    }
    place.sql(
        "UPDATE workflow_executions SET seq = seq + 120;
         UPDATE workflow_execution_steps SET seq = seq + 120;
         UPDATE workflow_execution_attempts SET seq = seq + 120;
         UPDATE workflow_executions SET started_at = '2026-01-27T09:00:00.000000Z',
             completed_at = '2026-01-31T13:02:03.000000Z', status = 'interrupted' WHERE seq = 121;
         UPDATE workflow_executions SET started_at = '2026-01-31T12:00:00.000000Z',
             completed_at = '2026-01-31T13:02:03.000000Z', status = 'cancelled' WHERE seq = 122;
         UPDATE workflow_executions SET completed_at = NULL, status = 'running' WHERE seq = 124;",
    );
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
    command.env("TERM", "xterm-256color").env("SHELL", "/bin/sh").env("TZ", "UTC");
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
        ["first started", "first success in", "second failed", "exit code 4", "second │ broken"]
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
fn each_execution_has_one_line() {
    let place = Place::new();
    history(&place);
    for (columns, headers) in [
        (30, &["@", "workflow", "status"][..]),
        (40, &["@", "workflow", "status"]),
        (60, &["@", "workflow", "status", "took"]),
        (80, &["@", "workflow", "status", "created", "took"]),
        (120, &["@", "execution", "workflow", "status", "created", "took", "steps", "failed"]),
    ] {
        let shown = lines(&place, columns, "list");
        assert_eq!(shown.len(), 4 + 4, "{shown:#?}");
        assert!(
            shown.iter().all(|line| line.chars().count() <= usize::from(columns)),
            "{shown:#?}"
        );
        assert_eq!(fields(&shown[1]), headers, "{shown:#?}");
        for (line, status) in shown[3..].iter().zip(["running", "success", "cancelled"]) {
            let row = fields(line);
            let field = |name| row[headers.iter().position(|header| *header == name).unwrap()];
            assert!(field("status") == status || columns < 40, "{shown:#?}");
            assert!(field("workflow") == "nightly-report-eu-01" || columns < 60, "{shown:#?}");
        }
    }
    let shown = lines(&place, 80, "list");
    assert_eq!(fields(&shown[5])[4], "1h 02m", "{shown:#?}");
}

#[test]
fn an_execution_is_shown_within_the_width() {
    let place = Place::new();
    history(&place);
    for columns in [40, 60, 80, 120] {
        for line in ["show @123", "purge --all --dry-run"] {
            let shown = lines(&place, columns, line);
            // Where the whole id cannot stand beside its name, the terminal folds it.
            let is_id = |line: &str| line.starts_with("execution") || line.starts_with("replay of");
            let folded = shown.iter().filter(|line| line.chars().count() > usize::from(columns));
            assert!(folded.clone().all(|line| columns < 60 && is_id(line)), "{shown:#?}");
        }
        let shown = lines(&place, columns, "show @123");
        let header = shown.iter().find(|line| line.starts_with("│ step")).unwrap();
        let all = ["step", "status", "attempts", "exit", "start", "took"];
        assert!(fields(header).iter().all(|field| all.contains(field)), "{shown:#?}");
        assert!(columns < 80 || fields(header) == all, "{shown:#?}");
        assert!(shown.iter().any(|line| line.ends_with("(this one)")), "{shown:#?}");
    }
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
    place.run(["exce"]).refused(2, &["exce", "exec"]);
    place.run(["exec"]).refused(2, &["FILE"]);
    place.run(["list", "--format", "xml"]).refused(2, &["xml", "jsonl"]);
    for command in ["exec", "replay", "list", "show", "purge", "validate", "schema", "config"] {
        let ran = place.run([command, "--help"]);
        assert_eq!(ran.code, Some(0), "{command}");
    }
}

#[test]
fn the_version_names_the_commit_where_that_is_known() {
    let told = Place::new().run(["--version"]).stdout;
    let git = Command::new("git").args(["rev-parse", "HEAD"]).current_dir(root()).output();
    let commit = git.ok().map(Ran::from).filter(|git| git.code == Some(0));
    let version = format!("wfx {}", env!("CARGO_PKG_VERSION"));
    match commit {
        Some(commit) if root().join(".git").exists() => {
            assert_eq!(told, format!("{version} ({})\n", &commit.stdout[..12]));
        }
        _ => assert!(told.starts_with(&version), "{told}"),
    }
}

/// The line without its escape sequences.
fn strip(line: &str) -> String {
    anstream::adapter::strip_str(line.trim_end_matches('\r')).to_string()
}

/// On a terminal people read times of their own zone; whatever reads elsewhere gets UTC.
#[test]
fn times_are_local_on_a_terminal_and_nowhere_else() {
    let place = Place::new();
    place.write("w.yaml", "id: shown\nsteps: [{name: a, run: 'true'}]");
    assert_eq!(place.run(["exec", "w.yaml"]).code, Some(0));
    place.sql("UPDATE workflow_executions SET created_at = '2026-07-31T22:30:00.000000Z'");
    let zone = [("TZ", "CET-1CEST,M3.5.0,M10.5.0/3")];
    let shown = |columns: u16, line: &str| {
        strip(&Ran::of(&mut terminal(&place, columns, line, &zone)).stdout)
    };
    assert!(shown(130, "list").contains("2026-08-01 00:30:00 CEST"), "{}", shown(130, "list"));
    assert!(shown(80, "list").contains("08-01 00:30 CEST"), "{}", shown(80, "list"));
    assert!(shown(80, "show @1").contains("2026-08-01 00:30:00 CEST"));
    for utc in ["show @1 --utc", "list --utc --format json", "show @1 --format json"] {
        let shown = shown(100, utc);
        assert!(shown.contains("2026-07-31T22:30:00"), "{shown}");
        assert!(!shown.contains("CEST"), "{shown}");
    }
    let piped = Ran::of(place.wfx(["show", "@1"]).env("TZ", zone[0].1));
    assert!(piped.stdout.contains("2026-07-31T22:30:00Z"), "{piped:?}");
    // A zone that nobody knows is no reason to fail.
    let lost = [("TZ", "Mars/Olympus")];
    let lost = Ran::of(&mut terminal(&place, 100, "show @1", &lost)).stdout;
    assert!(lost.contains("2026-07-31T22:30:00Z"), "{lost}");
}
