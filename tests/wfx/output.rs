//! What steps write: kept within bounds, whatever it is.

use std::fs;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use crate::support::{Place, Ran, Running, steps};

/// The most memory that wfx may take with any output, in kB.
const MEMORY_MAX_KB: u64 = 64 * 1024;

/// Far more than anything here takes, also on a machine that is busy.
const LONG: Duration = Duration::from_secs(60);

/// A last step that tells the peak memory of wfx, its parent.
const PEAK: &str = "- {name: peak, run: 'grep VmHWM /proc/$PPID/status'}\n";

fn peak_kb(execution: &serde_json::Value) -> u64 {
    let told = steps(execution)["peak"]["stdout"].as_str().unwrap().to_owned();
    told.split_whitespace().nth(1).unwrap().parse().unwrap()
}

#[test]
fn a_gigabyte_is_bounded_memory_and_its_end_is_kept() {
    let place = Place::new();
    let execution = place.exec(
        &format!(
            "steps:\n- {{name: big, run: 'head -c 1000000000 /dev/zero; echo the end'}}\n{PEAK}"
        ),
        0,
    );
    let big = &steps(&execution)["big"];
    let kept = big["stdout"].as_str().unwrap();
    assert!(kept.ends_with("the end\n"));
    assert!(kept.len() <= 64 * 1024, "{}", kept.len());
    assert_eq!(
        place.sql("SELECT max(stdout_bytes) FROM workflow_execution_attempts"),
        "1000000008"
    );
    assert!(peak_kb(&execution) < MEMORY_MAX_KB, "{}", peak_kb(&execution));
    let shown = place.run(["show", "@latest"]);
    assert!(shown.stdout.contains("64"), "truncation is not said: {}", shown.stdout.len());
}

#[test]
fn endless_output_ends_with_the_timeout() {
    let place = Place::new();
    let execution = place.exec(
        &format!(
            "steps:\n- {{name: endless, run: 'yes', timeout: 1s, continue_on_error: true}}\n{PEAK}"
        ),
        0,
    );
    let endless = &steps(&execution)["endless"];
    assert_eq!(endless["status"], "failed");
    assert!(endless["stdout"].as_str().unwrap().ends_with("y\n"));
    assert!(peak_kb(&execution) < MEMORY_MAX_KB, "{}", peak_kb(&execution));
}

#[test]
fn one_endless_line_shown_live_is_bounded_too() {
    let place = Place::new();
    let file = place.write(
        "w.yaml",
        format!(
            "steps:\n- {{name: line, run: 'head -c 200000000 /dev/zero | tr \"\\\\0\" x'}}\n{PEAK}"
        ),
    );
    let mut command = place.wfx(["exec", "-v", "--format", "json"]);
    command.arg(file).stderr(std::process::Stdio::null());
    let output = command.output().unwrap();
    let execution = serde_json::from_slice(&output.stdout).unwrap();
    assert!(peak_kb(&execution) < MEMORY_MAX_KB, "{}", peak_kb(&execution));
}

#[test]
fn bytes_that_are_no_text_are_kept_as_far_as_they_are() {
    let place = Place::new();
    let execution = place.exec(
        "steps:\n- name: a\n  run: |\n    printf 'a\\377\\376b\\000c\\n\\303'; printf '\\360\\237\\246\\200' >&2\n",
        0,
    );
    let step = &steps(&execution)["a"];
    assert_eq!(step["stdout"], "a\u{fffd}\u{fffd}b\0c\n\u{fffd}");
    assert_eq!(step["stderr"], "\u{1F980}");
    assert_eq!(place.show("@latest"), execution);
}

#[test]
fn output_cannot_drive_the_terminal_that_shows_it() {
    let place = Place::new();
    place.exec(
        "steps:\n- name: a\n  run: |\n    printf '\\033[2J\\033]0;title\\007x\\rfake\\n'; exit 1\n",
        1,
    );
    for ran in [place.run(["show", "@latest"]), place.run(["exec", "workflow.yaml"])] {
        let all = format!("{}{}", ran.stdout, ran.stderr);
        assert!(
            !all.contains("\u{1b}[2J") && !all.contains("\u{1b}]0;") && !all.contains('\u{7}'),
            "{all:?}"
        );
    }
}

/// What `work` gives, if it does in time.
pub(crate) fn in_time<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> T {
    let (done, result) = mpsc::channel();
    thread::spawn(move || done.send(work()));
    result.recv_timeout(LONG).unwrap()
}

/// Makes a pipe with a name, into which a step tells how far it is.
pub(crate) fn pipe(place: &Place, name: &str) {
    let status = Command::new("mkfifo").arg(place.path(name)).status().unwrap();
    assert!(status.success());
}

/// Waits until a step has written into a pipe with a name.
fn wait_for(place: &Place, name: &str) {
    let path = place.path(name);
    in_time(move || fs::read(path).unwrap());
}

/// wfx at work, standard error being a pipe that nobody empties.
fn unread(place: &Place, more: &[&str], document: &str) -> Child {
    let file = place.write("w.yaml", document);
    place
        .wfx(["exec", "-v"])
        .args(more)
        .arg(file)
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap()
}

/// Its end, while standard error still is open and unread.
fn end_unread(mut child: Child) -> Ran {
    let unread = child.stderr.take();
    let ran = in_time(|| Ran::from(child.wait_with_output().unwrap()));
    drop(unread);
    ran
}

#[test]
fn who_does_not_read_holds_up_no_timeout() {
    let place = Place::new();
    let ran = end_unread(unread(&place, &[], "steps: [{name: flood, run: 'yes', timeout: 1s}]"));
    assert_eq!(ran.code, Some(1), "{ran:?}");
    assert!(ran.stdout.contains("timed out after 1s"), "{ran:?}");
    assert_eq!(steps(&place.show("@1"))["flood"]["status"], "failed");
}

#[test]
fn who_does_not_read_holds_up_no_signal() {
    let place = Place::new();
    pipe(&place, "flooded");
    let child = unread(
        &place,
        &[],
        "steps: [{name: flood, run: 'yes | head -c 5000000; echo > flooded; yes'}]",
    );
    wait_for(&place, "flooded");
    let pid = child.id().to_string();
    assert!(Command::new("kill").args(["-s", "TERM", &pid]).status().unwrap().success());
    let ran = end_unread(child);
    assert_eq!(ran.code, Some(143), "{ran:?}");
    assert_eq!(place.show("@1")["execution"]["status"], "cancelled");
}

#[test]
fn who_does_not_read_holds_up_no_error() {
    let place = Place::new();
    pipe(&place, "flooded");
    let child = unread(
        &place,
        &["--store-timeout", "300ms"],
        "steps: [{name: flood, run: 'yes | head -c 5000000; echo > flooded; until test -e go; do sleep 0.02; done; exit 1'}]",
    );
    wait_for(&place, "flooded");
    // The execution is lost with its database: there is an error to tell, and nobody reads.
    let mut table = Command::new("sqlite3");
    table.arg(place.database()).arg("DROP TABLE workflow_execution_steps");
    assert!(table.status().unwrap().success());
    place.write("go", "");
    let ran = end_unread(child);
    assert_eq!(ran.code, Some(3), "{ran:?}");
}

#[test]
fn who_reads_late_is_told_what_is_missing() {
    let place = Place::new();
    pipe(&place, "flooded");
    let file = place.write(
        "w.yaml",
        "steps: [{name: a, run: 'seq 300000; echo > flooded; until test -e go; do sleep 0.02; done; echo the end'}]",
    );
    let mut running = Running::start(place.wfx(["exec", "-v"]).arg(file));
    wait_for(&place, "flooded");
    // Told while the step goes on.
    running.wait_for("not shown: standard error is read too slowly");
    place.write("go", "");
    let ran = running.end();
    assert_eq!(ran.code, Some(0), "{ran:?}");
    let shown: Vec<u64> = ran
        .stderr
        .lines()
        .filter_map(|line| line.strip_prefix("a │ ").and_then(|number| number.parse().ok()))
        .collect();
    let missed: u64 = ran
        .stderr
        .lines()
        .filter_map(|line| {
            line.strip_suffix(" lines of output not shown: standard error is read too slowly")
        })
        .map(|line| line.split(' ').next_back().unwrap().parse::<u64>().unwrap())
        .sum();
    assert!(shown.is_sorted() && missed > 0);
    assert_eq!(shown.len() as u64 + missed, 300_000);
    let end: Vec<&str> = ran.stderr.lines().rev().take(3).collect();
    assert!(end[2] == "a │ the end" && end[1].contains("a success"), "{end:?}");
    assert!(end[0].contains("execution success"), "{end:?}");
}

#[test]
fn who_reads_gets_every_line() {
    let place = Place::new();
    let file = place.write("w.yaml", "steps: [{name: a, run: 'seq 1000000 1300000'}]");
    // A file takes everything, however busy the machine is.
    let log = fs::File::create(place.path("log")).unwrap();
    let status = place.wfx(["exec", "-v"]).arg(file).stdout(Stdio::null()).stderr(log).status();
    assert_eq!(status.unwrap().code(), Some(0));
    let log = place.read("log");
    let lines: Vec<&str> = log.lines().filter_map(|line| line.strip_prefix("a │ ")).collect();
    assert!(lines.iter().enumerate().all(|(n, line)| *line == (1_000_000 + n).to_string()));
    assert_eq!(lines.len(), 300_001);
}
