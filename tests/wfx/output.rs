//! What steps write: kept within bounds, whatever it is.

use crate::support::{Place, steps};

/// The most memory that wfx may take with any output, in kB.
const MEMORY_MAX_KB: u64 = 64 * 1024;

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
