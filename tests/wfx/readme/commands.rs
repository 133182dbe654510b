//! Every command of README is run, and tells what README shows.

use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::Path;
use std::process::Command;

use super::*;
use crate::daemon::Daemon;
use crate::support::{Ran, Running};

/// The part of README below a heading, up to the next one of its level or above.
fn section(heading: &str) -> String {
    let text = readme();
    let rest = text.split(&format!("\n{heading}\n")).nth(1).unwrap_or_else(|| panic!("{heading}"));
    let level = heading.split(' ').next().unwrap().len();
    let is_end = |line: &&str| {
        let marks = line.len() - line.trim_start_matches('#').len();
        (1..=level).contains(&marks) && line[marks..].starts_with(' ')
    };
    let mut in_code = false;
    let kept = rest.lines().take_while(|line| {
        in_code ^= line.starts_with("```");
        in_code || !is_end(line)
    });
    kept.collect::<Vec<_>>().join("\n")
}

/// A place from which README's commands find the fixtures.
fn place() -> Place {
    let place = Place::new();
    symlink(root().join("fixtures"), place.path("fixtures")).unwrap();
    place
}

/// What a shell makes of `script`, with wfx in its `PATH`.
fn shell(place: &Place, script: &str) -> Ran {
    let wfx = place.wfx([""; 0]);
    let folder = Path::new(wfx.get_program()).parent().unwrap().display().to_string();
    let mut command = Command::new("sh");
    command.args(["-eu", "-c", script]).current_dir(place.path("")).env_clear();
    for (name, value) in wfx.get_envs() {
        let value = value.unwrap().to_str().unwrap();
        let value = if name == "PATH" { format!("{folder}:{value}") } else { value.to_owned() };
        command.env(name, value);
    }
    Ran::of(command.env("COLUMNS", "92"))
}

#[track_caller]
fn succeeds(place: &Place, script: &str) -> Ran {
    let ran = shell(place, script);
    assert_eq!(ran.code, Some(0), "{script}: {ran:?}");
    ran
}

/// What of a line does not differ from run to run: its words, without numbers, units, bars and
/// folders.
fn words(line: &str) -> Vec<&str> {
    let is_word = |word: &&str| {
        let is_plain = |c: char| !c.is_numeric() && (c.is_ascii() || c == '…');
        word.contains(char::is_alphabetic)
            && word.chars().all(is_plain)
            && !word.starts_with('/')
            && !matches!(*word, "ms" | "s" | "min" | "us")
    };
    line.split_whitespace().filter(is_word).collect()
}

/// Each line that README shows was told.
#[track_caller]
fn assert_shown(shown: &str, told: &Ran) {
    let told = format!("{}\n{}", told.stdout, told.stderr);
    let told: Vec<_> = told.lines().map(words).collect();
    assert!(shown.lines().count() > 3, "{shown}");
    for line in shown.lines().filter(|line| !line.starts_with("$ ")) {
        assert!(told.contains(&words(line)), "{line:?} is not in {told:#?}");
    }
}

/// What README shows was told, line by line and nothing beside it.
#[track_caller]
fn assert_told(shown: &str, told: &str) {
    let shown: Vec<_> = shown.lines().filter(|line| !line.starts_with("$ ")).collect();
    let told: Vec<_> = told.lines().collect();
    assert_eq!(shown.len(), told.len(), "{shown:#?}\n{told:#?}");
    for (shown, told) in shown.iter().zip(&told) {
        assert_eq!(words(shown), words(told));
    }
}

#[test]
fn no_block_of_commands_is_left_out() {
    let sections = [
        ("## A tour", 4),
        ("### After a crash", 1),
        ("## The daemon", 1),
        ("## Service levels", 1),
        ("## Performance in CI", 2),
        ("## Operations", 1),
    ];
    let mut count = 1;
    for (heading, blocks_in) in sections {
        assert_eq!(blocks(&section(heading), "sh").len(), blocks_in, "{heading}");
        count += blocks_in;
    }
    assert_eq!(blocks(&readme(), "sh").len(), count, "a block that no test below runs");
}

#[test]
fn the_first_command_runs_and_the_second_is_there() {
    let block = &blocks(&readme(), "sh")[0];
    let mut commands = block.lines().map(|line| line.split(" #").next().unwrap().trim());
    let first = commands.next().unwrap().strip_prefix("cargo run --release -- ").unwrap();
    succeeds(&place(), &format!("wfx {first}"));
    let second = commands.next().unwrap();
    let mode = fs::metadata(root().join(second)).unwrap().permissions().mode();
    assert_eq!(mode & 0o111, 0o111, "{second} cannot be run");
    assert_eq!(commands.next(), None);
}

#[test]
fn the_tour_can_be_followed() {
    let (place, tour) = (place(), section("## A tour"));
    let (scripts, documents, shown) =
        (blocks(&tour, "sh"), blocks(&tour, "yaml"), blocks(&tour, "text"));
    // A machine that stalls must not end it before it is killed.
    let nightly = documents[1].replace("sleep 2", "sleep 5");
    for (name, text) in [("broken.yaml", &documents[0]), ("nightly.yaml", &nightly)] {
        assert!(text.starts_with(&format!("# {name}\n")));
        place.write(name, text);
    }
    let (exec, show) = scripts[0].split_once('\n').unwrap();
    succeeds(&place, exec);
    assert_told(&blocks(&readme(), "text")[0], &succeeds(&place, show).stdout);
    assert_shown(&shown[0], &succeeds(&place, &scripts[1]));
    let upload = "until wfx show @latest | grep -q 'upload.*running'; do sleep 0.05; done;";
    assert!(scripts[2].contains("& sleep 1; kill -9 $!\n"));
    // Nobody types faster than a process dies; a script is faster.
    let script = scripts[2].replace("sleep 1;", upload).replace("$!\n", "$!; wait $! || true\n");
    assert_shown(&shown[1], &succeeds(&place, &script));
    succeeds(&place, &scripts[3]);
    assert_eq!(place.list()["total"], 3);
}

#[test]
fn what_a_crash_leaves_can_be_recovered() {
    let place = place();
    let script = blocks(&section("### After a crash"), "sh").remove(0);
    let document = "steps: [{name: wait, sleep: 300ms, retry: {max_attempts: 3}}]";
    let file = place.write("w.yaml", document);
    let mut ids = Vec::new();
    for command in script.lines() {
        let mut exec = place.wfx(["exec", "-v"]);
        let mut running = Running::start(exec.arg(&file));
        running.wait_for("wait started");
        running.signal("KILL");
        running.end();
        let id = place.list()["items"][0]["execution_id"].as_str().unwrap().to_owned();
        // `wfx doctor` finds what is left by the last one.
        let code = if command.starts_with("wfx doctor") { 1 } else { 0 };
        let ran = shell(&place, &command.replace(" ID ", &format!(" {id} ")));
        assert_eq!(ran.code, Some(code), "{command}: {ran:?}");
        ids.push(id);
    }
    let ended = ids.iter().map(|id| place.show(id)["execution"]["status"].clone());
    assert_eq!(ended.collect::<Vec<_>>(), ["success", "success", "cancelled", "running"]);
}

#[test]
fn the_daemon_can_be_asked() {
    let place = place();
    let block = blocks(&section("## The daemon"), "sh").remove(0);
    let (serve, asked) = block.split_once('\n').unwrap();
    let arguments = serve.split(" #").next().unwrap().strip_prefix("wfx serve ").unwrap();
    let arguments: Vec<_> = arguments.split_whitespace().collect();
    let daemon = Daemon::start(&place, &arguments);
    let asked = asked.replace("localhost:8080", &daemon.address.to_string());
    assert_eq!(asked.lines().count(), 5);
    for line in asked.lines() {
        succeeds(&place, line);
    }
    daemon.stop();
    assert_eq!(place.list()["total"], 2);
}

#[test]
fn alert_rules_can_be_rehearsed() {
    let (place, section) = (place(), section("## Service levels"));
    let block = blocks(&section, "sh").remove(0);
    let ran: Vec<_> = block.lines().map(|line| succeeds(&place, line)).collect();
    assert_eq!(ran.len(), 3);
    assert!(ran[0].stdout.contains(&blocks(&section, "text")[0]), "{}", ran[0].stdout);
}

#[test]
fn performance_can_be_checked() {
    let place = place();
    let section = section("## Performance in CI");
    let scripts = blocks(&section, "sh");
    let other = Place::new();
    let (before, after) = (Daemon::start(&other, &[]), Daemon::start(&place, &[]));
    for command in scripts.iter().flat_map(|script| script.lines()) {
        let command = command
            .replace("127.0.0.1:8080", &after.address.to_string())
            .replace("127.0.0.1:8081", &before.address.to_string());
        // Not as long as one should measure.
        let short = if command.contains("--reference") { "" } else { "--duration 3s" };
        let ran = shell(&place, &format!("{command} --rate 200 --warmup 100ms {short}"));
        // What is found is of this machine, but found it is.
        assert!(matches!(ran.code, Some(0 | 1 | 4)), "{command}: {ran:?}");
        assert!(ran.stdout.contains("GET /api/v1/ping"), "{ran:?}");
        if ran.code == Some(4) && command.contains("--update-baseline") {
            // A machine that is too busy records none, and what follows needs one.
            fs::create_dir_all(place.path("perf")).unwrap();
            place.write(
                "perf/performance_baseline.json",
                r#"{"version": 2, "endpoints": {"GET /api/v1/ping": {"median_ms": 40.0}}}"#,
            );
        }
    }
    assert!(place.read("perf/performance_junit.xml").contains("<testsuites"));
    before.stop();
    after.stop();
}

#[test]
fn what_ci_is_told_runs() {
    let (place, section) = (place(), section("## Performance in CI"));
    let daemon = Daemon::start(&place, &["--workflows", "fixtures/workflows"]);
    let address = daemon.address.to_string();
    let scenario = &blocks(&section, "yaml")[0];
    fs::create_dir(place.path("perf")).unwrap();
    place.write("perf/api.yaml", scenario.replace("127.0.0.1:8080", &address));
    let server = place.write("server", "#!/bin/sh\n");
    fs::set_permissions(server, fs::Permissions::from_mode(0o755)).unwrap();
    let texts = blocks(&section, "text");
    let lines: Vec<&str> = texts.iter().flat_map(|text| text.lines()).collect();
    let commands = lines.iter().filter_map(|line| {
        let line = line.trim();
        let command = line.strip_prefix("- run: ").or_else(|| line.strip_prefix("- "));
        let quoted = || line.strip_prefix("steps { sh '")?.strip_suffix("' }");
        command.or_else(quoted).filter(|command| !command.contains("performance_junit"))
    });
    let commands: Vec<&str> = commands.collect();
    assert_eq!(commands.len(), 4, "{commands:?}");
    let slow = r#"{"median_ms": 10000, "p95_ms": 10000}"#;
    let baseline = format!(
        r#"{{"version": 2, "endpoints": {{"GET /api/v1/ping": {slow}, "launch": {slow}}}}}"#
    );
    place.write("perf/performance_baseline.json", baseline);
    for command in commands {
        let command = command.replace("localhost:8080", &address).replace("server:8080", &address);
        if !command.contains("wfx perf-check") {
            succeeds(&place, &command);
            continue;
        }
        // Not as long and not as often as one should measure: that is inconclusive.
        let short = "--rate 50 --duration 2s --warmup 100ms --summary summary.json";
        let ran = shell(&place, &format!("{command} {short}"));
        assert_eq!(ran.code, Some(4), "{command}: {ran:?}");
        let summary: serde_json::Value = serde_json::from_str(&place.read("summary.json")).unwrap();
        for endpoint in ["GET /api/v1/ping", "launch"] {
            assert_eq!(summary["endpoints"][endpoint]["errors"], 0, "{command}: {summary:#}");
        }
    }
    assert!(place.read("perf/performance_junit.xml").contains("<testsuites"));
    daemon.stop();
}

#[test]
fn commands_in_the_text_are_there() {
    let (place, text) = (Place::new(), readme());
    let mut in_code = false;
    let prose = text.lines().filter(|line| {
        let is_fence = line.starts_with("```");
        in_code ^= is_fence;
        !in_code && !is_fence
    });
    let prose = prose.collect::<Vec<_>>().join("\n");
    let spans = prose.split('`').skip(1).step_by(2).filter(|span| span.starts_with("wfx "));
    let mut count = 0;
    for span in spans {
        let command = span.replace("SHELL", "bash").replace('\n', " ");
        let help = format!("{command} --help");
        assert!(succeeds(&place, &help).stdout.contains("Usage: "), "{help}");
        count += 1;
    }
    assert!(count > 15, "{count}");
}

#[test]
fn a_database_in_use_can_be_backed_up() {
    let place = place();
    let script = blocks(&section("## Operations"), "sh").remove(0);
    place.exec("steps: [{name: a}]", 0);
    let daemon = Daemon::start(&place, &[]);
    for command in script.lines() {
        succeeds(&place, command);
    }
    daemon.stop();
    let copy =
        Ran::of(place.wfx(["list", "--format", "json"]).env("WFX_DB", place.path("wfx-copy.db")));
    assert_eq!(copy.json()["total"], 1);
    assert_eq!(fs::read_dir(place.path("backups")).unwrap().count(), 1);
}
