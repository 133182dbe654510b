//! The processes of steps: which end with their step, how often they are asked to, and what
//! they find around them.

use std::os::unix::fs::PermissionsExt;
use std::process::Command;

use crate::support::{Place, Ran, Running, processes_with, states, steps, until};

/// Counts how often it is asked to end, until some time after its parent has gone.
const COUNTS: &str = "trap 'n=$((n+1))' TERM
n=0
parent=$1
echo begun
while test $n = 0; do sleep 0.02; done
while test -e /proc/$parent/cmdline && grep -q . /proc/$parent/cmdline; do sleep 0.02; done
sleep 0.3
echo $n > count
";

fn start(place: &Place, document: &str) -> Running {
    let file = place.write("w.yaml", document);
    let mut running = Running::start(place.wfx(["exec", "-v"]).arg(file));
    running.wait_for("begun");
    running
}

fn nobody_is_left(place: &Place) {
    let id = place.sql("SELECT execution_id FROM workflow_executions");
    assert_eq!(processes_with(&format!("WFX_EXECUTION_ID={id}")), [] as [u32; 0]);
}

/// Whether a process has ended; one that only waits to be reaped has.
fn is_gone(pid: &str) -> bool {
    let stat = std::fs::read_to_string(format!("/proc/{}/stat", pid.trim()));
    stat.map_or(true, |stat| stat.contains(") Z "))
}

#[test]
fn process_groups_made_by_a_step_end_with_it() {
    for (what, run) in [
        ("timeout(1)", "timeout 1000 sleep 1000 & echo $! > pid"),
        ("job control", "set -m; sleep 1000 & echo $! > pid"),
        ("no environment", "env -i $(command -v timeout) 1000 sleep 1000 & echo $! > pid"),
        ("a grandchild", "(timeout 1000 timeout 1000 sleep 1000 & echo $! > pid) & wait"),
    ] {
        let place = Place::new();
        let execution = place.exec(&format!("steps: [{{name: a, run: '{run}'}}]"), 0);
        assert_eq!(states(&execution), ["a success"], "{what}");
        assert!(is_gone(&place.read("pid")), "{what}");
        nobody_is_left(&place);
    }
}

#[test]
fn process_groups_made_by_a_step_end_at_its_timeout_and_when_it_is_cancelled() {
    let run = "run: 'timeout 1000 sleep 1000 & echo $! > pid; echo begun; timeout 1000 sleep 1000'";
    let place = Place::new();
    let document = format!("steps: [{{name: a, timeout: 300ms, {run}}}]");
    assert_eq!(states(&place.exec(&document, 1)), ["a failed"]);
    nobody_is_left(&place);

    let place = Place::new();
    let running = start(&place, &format!("steps: [{{name: a, {run}}}]"));
    running.signal("INT");
    let ran = running.end();
    assert_eq!(ran.code, Some(130), "{ran:?}");
    assert!(is_gone(&place.read("pid")));
    nobody_is_left(&place);
}

#[test]
fn a_step_leaves_the_processes_of_others_alone() {
    let place = Place::new();
    // The shell has a job of its own when it becomes wfx, in the same session.
    let file = place.write("w.yaml", "steps: [{name: a, run: 'sleep 1000 & true'}]");
    let wfx = place.wfx(["exec"]);
    let mut command = Command::new("sh");
    command
        .args(["-c", "sleep 1000 & echo $! > job; exec \"$0\" exec \"$1\""])
        .arg(env!("CARGO_BIN_EXE_wfx"))
        .arg(file)
        .current_dir(place.path(""))
        .env_clear()
        .stdout(std::process::Stdio::null())
        .stderr(std::process::Stdio::null());
    for (name, value) in wfx.get_envs() {
        command.env(name, value.unwrap());
    }
    let status = command.status().unwrap();
    assert_eq!(status.code(), Some(0));
    let job = place.read("job");
    assert!(!is_gone(&job));
    Command::new("kill").arg(job.trim()).status().unwrap();
}

#[test]
fn a_process_is_asked_to_end_once() {
    let place = Place::new();
    place.write("counts.sh", COUNTS);
    let running = start(&place, "steps: [{name: a, run: 'sh counts.sh $$; echo over'}]");
    running.signal("TERM");
    let ran = running.end();
    assert_eq!(ran.code, Some(143), "{ran:?}");
    assert_eq!(place.read("count").trim(), "1");
}

#[test]
fn a_process_that_a_dead_wfx_left_is_asked_to_end_once() {
    let place = Place::new();
    place.write("counts.sh", COUNTS);
    let running = start(
        &place,
        "steps: [{name: a, run: 'echo begun; sh counts.sh $$ > log 2>&1; echo over'}]",
    );
    until("it counts", || {
        std::fs::read_to_string(place.path("log")).is_ok_and(|log| !log.is_empty())
    });
    running.signal("KILL");
    running.end();
    let ran = place.run(["recover"]);
    assert!(ran.code.is_some(), "{ran:?}");
    until("it has counted", || place.path("count").exists());
    until("it has ended", || {
        let id = place.sql("SELECT execution_id FROM workflow_executions");
        processes_with(&format!("WFX_EXECUTION_ID={id}")).is_empty()
    });
    assert_eq!(place.read("count").trim(), "1");
}

/// Starts, as nobody, a step whose process belongs to root. Only root can arrange that.
fn start_of_root(place: &Place, step: &str) -> Option<Running> {
    if !rustix::process::geteuid().is_root() {
        return None;
    }
    let mode = |name: &str, mode: u32| {
        let permissions = std::fs::Permissions::from_mode(mode);
        std::fs::set_permissions(place.path(name), permissions).unwrap();
    };
    let setpriv = Ran::of(Command::new("sh").args(["-c", "command -v setpriv"])).stdout;
    std::fs::copy(setpriv.trim(), place.path("as-root")).unwrap();
    mode("as-root", 0o4755);
    for name in ["", "home", "tmp"] {
        mode(name, 0o777);
    }
    let file = place.write("w.yaml", format!("steps: [{{name: a, {step}}}]"));
    let wfx = place.wfx(["exec"]);
    let mut command = Command::new("setpriv");
    command
        .args(["--reuid=65534", "--regid=65534", "--clear-groups", env!("CARGO_BIN_EXE_wfx")])
        .args(["exec", "-v"])
        .arg(file)
        .current_dir(place.path(""))
        .env_clear();
    for (name, value) in wfx.get_envs() {
        command.env(name, value.unwrap());
    }
    let mut running = Running::start(&mut command);
    running.wait_for("begun");
    Some(running)
}

#[test]
fn a_process_that_may_not_be_signalled_keeps_nobody_waiting() {
    let as_root = "./as-root --reuid=0 --clear-groups sh -c \"echo \\$\\$ > pid; echo begun; exec sleep 1000\"";
    let leader = as_root.replace("./", "exec ./");
    for run in [leader, format!("{as_root}; echo never")] {
        let place = Place::new();
        let step = format!("run: '{run}', retry: {{max_attempts: 3}}");
        let Some(running) = start_of_root(&place, &step) else { return };
        running.signal("TERM");
        running.signal("TERM");
        let ran = running.end();
        assert_eq!(ran.code, Some(143), "{ran:?}");
        let step = &steps(&place.show("@1"))["a"];
        assert_eq!((step["status"].as_str(), step["attempt"].as_u64()), (Some("failed"), Some(1)));
        let error = step["error"].as_str().unwrap();
        let pid = place.read("pid");
        assert!(error.contains(&format!("process {} (sleep) of user 0", pid.trim())), "{error}");
        Command::new("kill").args(["-9", pid.trim()]).status().unwrap();
    }
}

#[test]
fn no_further_attempt_runs_beside_a_process_that_cannot_be_ended() {
    let place = Place::new();
    let run = "exec ./as-root --reuid=0 --clear-groups sh -c \"echo \\$\\$ > pid; echo begun; exec sleep 1000\"";
    let step = format!("run: '{run}', timeout: 500ms, retry: {{max_attempts: 3}}");
    let Some(running) = start_of_root(&place, &step) else { return };
    let ran = running.end();
    assert_eq!(ran.code, Some(1), "{ran:?}");
    let step = &steps(&place.show("@1"))["a"];
    assert_eq!((step["status"].as_str(), step["attempt"].as_u64()), (Some("failed"), Some(1)));
    let error = step["error"].as_str().unwrap();
    assert!(error.starts_with("timed out after 500ms; "), "{error}");
    Command::new("kill").args(["-9", place.read("pid").trim()]).status().unwrap();
}
