//! Every command of README and of the pages in `docs` is run, and prints what they show.

use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::Path;
use std::process::Command;

use super::markdown::{Block, Page, pages};
use crate::daemon::Daemon;
use crate::support::{Place, Ran, Running, root};

/// Sections whose commands need more than a place of their own, and how many blocks they have: each
/// is run by a test of its own below. All others are run as they stand.
const PREPARED: [(&str, &str, usize); 9] = [
    ("README.md", "# wfx", 1),
    ("README.md", "## A tour", 4),
    ("docs/durability.md", "## After a crash", 1),
    ("docs/daemon.md", "# The daemon", 1),
    ("docs/client.md", "# The command line and the daemon", 1),
    ("docs/service-levels.md", "# Service levels", 1),
    ("docs/performance-gate.md", "# Performance in CI", 1),
    ("docs/performance-gate.md", "## Against the build before", 1),
    ("docs/operations.md", "# Operations", 1),
];

/// What blocks may be written in; those of `sh` are run.
const LANGUAGES: [&str; 7] = ["sh", "text", "yaml", "json", "toml", "ini", "sql"];

/// A place from which commands find the fixtures.
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
    // The name of who runs the tests.
    let line = match line.strip_prefix("started by ") {
        Some(rest) => rest.split_once(' ').map_or("", |(_, way)| way),
        None => line,
    };
    line.split_whitespace().filter(is_word).collect()
}

/// The first line that a page shows and a command did not print.
fn first_not_shown<'a>(shown: &'a str, ran: &Ran) -> Option<&'a str> {
    let printed = format!("{}\n{}", ran.stdout, ran.stderr);
    let printed: Vec<_> = printed.lines().map(words).collect();
    let mut lines = shown.lines().filter(|line| !line.starts_with("$ "));
    lines.find(|line| !printed.contains(&words(line)))
}

/// Each line that a page shows was printed.
#[track_caller]
fn assert_shown(shown: &str, ran: &Ran) {
    assert!(shown.lines().count() > 3, "{shown}");
    assert_eq!(first_not_shown(shown, ran), None, "{ran:#?}");
}

/// What a page shows was printed, line by line and nothing beside it.
#[track_caller]
fn assert_printed(shown: &str, printed: &str) {
    let shown: Vec<_> = shown.lines().filter(|line| !line.starts_with("$ ")).collect();
    let printed: Vec<_> = printed.lines().collect();
    assert_eq!(shown.len(), printed.len(), "{shown:#?}\n{printed:#?}");
    for (shown, printed) in shown.iter().zip(&printed) {
        assert_eq!(words(shown), words(printed));
    }
}

/// Runs the commands of a page, in order and in one place, except those of `prepared` sections. A
/// document whose first line is `# NAME` is written to the file NAME before what follows it; a
/// block of `text` right after commands is what they print. Says how many blocks ran.
fn follow(page: &Page, prepared: &[(&str, &str, usize)]) -> Result<usize, String> {
    let place = place();
    let mut count = 0;
    let mut last: Option<Ran> = None;
    let is_prepared = |block: &Block| {
        prepared.iter().any(|(name, heading, _)| (*name, *heading) == (&page.name, &block.heading))
    };
    for block in page.all_blocks() {
        let Block { language, code, heading } = &block;
        let place_of = format!("{}, below {heading:?}", page.name);
        if !LANGUAGES.contains(&language.as_str()) {
            let known = LANGUAGES.join("`, `");
            return Err(format!(
                "{place_of}: a block of `{language}` is none of `{known}`:\n{code}"
            ));
        }
        if is_prepared(&block) {
            continue;
        }
        let ran = last.take();
        match language.as_str() {
            "sh" => {
                let ran = shell(&place, code);
                if ran.code != Some(0) {
                    return Err(format!("{place_of}: {code}{ran:?}"));
                }
                last = Some(ran);
                count += 1;
            }
            "text" => {
                let missing = ran.as_ref().and_then(|ran| first_not_shown(code, ran));
                if let Some(line) = missing {
                    return Err(format!("{place_of}: {line:?} was not printed: {ran:?}"));
                }
            }
            _ => {
                let name = code.lines().next().and_then(|line| line.strip_prefix("# "));
                if let Some(name) = name.filter(|name| Path::new(name).extension().is_some()) {
                    place.write(name, code);
                }
            }
        }
    }
    Ok(count)
}

#[test]
fn each_block_of_commands_runs() {
    let mut found = Vec::new();
    for page in pages() {
        let count = follow(&page, &PREPARED).unwrap_or_else(|problem| panic!("{problem}"));
        let blocks = page.all_blocks().into_iter().filter(|block| block.language == "sh");
        let blocks: Vec<String> = blocks.map(|block| block.heading).collect();
        let of_page = PREPARED.iter().filter(|(name, ..)| *name == page.name);
        let tested: usize = of_page.clone().map(|(.., blocks)| blocks).sum();
        for (_, heading, expected) in of_page {
            let there = blocks.iter().filter(|found| found == heading).count();
            assert_eq!(there, *expected, "{} {heading}: one that no test below runs", page.name);
        }
        assert_eq!(count + tested, blocks.len(), "{}", page.name);
        found.push(page.name);
    }
    for (name, ..) in PREPARED {
        assert!(found.iter().any(|found| found == name), "{name}");
    }
}

#[test]
fn a_new_page_is_followed() {
    let page = |text: &str| Page { name: "docs/new.md".to_owned(), text: text.to_owned() };
    let document = "# New\n\n```yaml\n# new.yaml\nsteps: [{name: a}]\n```\n\n";
    let exec = "```sh\nwfx exec new.yaml\nwfx list --format plain\n```\n\n";
    let shown = |line: &str| format!("{document}{exec}```text\n{line}\n```\n");
    let wrong = page(&shown("never printed"));
    let printed = place();
    printed.write("new.yaml", "steps: [{name: a}]");
    let printed = succeeds(&printed, "wfx exec new.yaml\nwfx list --format plain");
    let line = printed.stdout.lines().last().unwrap().to_owned();
    assert!(line.contains("new") && line.contains("success"), "{line}");
    assert_eq!(follow(&page(&shown(&line)), &[]), Ok(1));
    assert!(follow(&wrong, &[]).unwrap_err().contains("was not printed"));
    assert_eq!(follow(&wrong, &[("docs/new.md", "# New", 1)]), Ok(0));
    assert!(follow(&page(exec), &[]).unwrap_err().contains("new.yaml"));
    for unknown in ["```bash\nwfx list\n```\n", "```\nwfx list\n```\n", "text\n\n    wfx list\n"] {
        assert!(follow(&page(unknown), &[]).unwrap_err().contains("is none of"), "{unknown}");
    }
    assert_eq!(follow(&page("# Text only\n\n```text\nany\n```\n"), &[]), Ok(0));
}

#[test]
fn the_first_command_runs_and_the_second_is_there() {
    let block = &Page::read("README.md").blocks("sh")[0];
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
    let (place, readme) = (place(), Page::read("README.md"));
    let tour = readme.section("## A tour");
    let (scripts, documents, shown) = (tour.blocks("sh"), tour.blocks("yaml"), tour.blocks("text"));
    // A machine that stalls must not end it before it is killed.
    let nightly = documents[1].replace("sleep 2", "sleep 5");
    for (name, text) in [("broken.yaml", &documents[0]), ("nightly.yaml", &nightly)] {
        assert!(text.starts_with(&format!("# {name}\n")));
        place.write(name, text);
    }
    let (exec, show) = scripts[0].split_once('\n').unwrap();
    succeeds(&place, exec);
    assert_printed(&readme.blocks("text")[0], &succeeds(&place, show).stdout);
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
    let script =
        Page::read("docs/durability.md").section("## After a crash").blocks("sh").remove(0);
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
    let block = Page::read("docs/daemon.md").blocks("sh").remove(0);
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
fn commands_work_with_a_daemon() {
    let place = place();
    let block = Page::read("docs/client.md").blocks("sh").remove(0);
    let (serve, others) = block.split_once('\n').unwrap();
    let arguments = serve.split(" #").next().unwrap().strip_prefix("wfx serve ").unwrap();
    let arguments: Vec<_> = arguments.split_whitespace().collect();
    let daemon = Daemon::start(&place, &arguments);
    assert_eq!(others.lines().count(), 6);
    // No database is needed.
    succeeds(&place, &format!("unset WFX_DB\n{others}"));
    daemon.stop();
    assert_eq!(place.list()["total"], 2);
}

#[test]
fn alert_rules_can_be_rehearsed() {
    let (place, page) = (place(), Page::read("docs/service-levels.md"));
    let block = page.blocks("sh").remove(0);
    let ran: Vec<_> = block.lines().map(|line| succeeds(&place, line)).collect();
    assert_eq!(ran.len(), 3);
    assert!(ran[0].stdout.contains(&page.blocks("text")[0]), "{}", ran[0].stdout);
}

#[test]
fn performance_can_be_checked() {
    let place = place();
    let scripts = Page::read("docs/performance-gate.md").blocks("sh");
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
fn pipelines_of_ci_run() {
    let (place, page) = (place(), Page::read("docs/performance-gate.md"));
    let daemon = Daemon::start(&place, &["--workflows", "fixtures/workflows"]);
    let address = daemon.address.to_string();
    let scenario = &page.blocks("yaml")[0];
    fs::create_dir(place.path("perf")).unwrap();
    place.write("perf/api.yaml", scenario.replace("127.0.0.1:8080", &address));
    let server = place.write("server", "#!/bin/sh\n");
    fs::set_permissions(server, fs::Permissions::from_mode(0o755)).unwrap();
    let texts = page.blocks("text");
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
    let place = Place::new();
    let spans: Vec<String> = pages().iter().flat_map(Page::code_spans).collect();
    let commands = spans.iter().filter(|span| span.starts_with("wfx "));
    let mut count = 0;
    for span in commands {
        let help = format!("{} --help", span.replace("SHELL", "bash"));
        assert!(succeeds(&place, &help).stdout.contains("Usage: "), "{help}");
        count += 1;
    }
    assert!(count > 15, "{count}");
}

#[test]
fn a_database_in_use_can_be_backed_up() {
    let place = place();
    let script = Page::read("docs/operations.md").blocks("sh").remove(0);
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
