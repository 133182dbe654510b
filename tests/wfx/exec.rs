//! What a workflow does: order, parallelism, failures, retries, timeouts.

use serde_json::json;

use crate::support::{Place, Ran, states, steps, with_stdin};

#[test]
fn steps_run_in_order_and_are_kept() {
    let place = Place::new();
    let execution = place.exec(
        "id: three\nsteps:\n- {name: a, run: echo one >> log}\n- {name: b, run: [sh, -c, 'echo two >> log; echo out; echo err >&2']}\n- {name: c, sleep: 10ms}\n- {name: d}\n",
        0,
    );
    assert_eq!(states(&execution), ["a success", "b success", "c success", "d success"]);
    assert_eq!(place.read("log"), "one\ntwo\n");
    let head = &execution["execution"];
    assert_eq!(head["status"], "success");
    assert_eq!(head["workflow_id"], "three");
    assert_eq!(head["steps_completed"], 4);
    assert_eq!(head["total_steps"], 4);
    assert_eq!(head["step_order"], json!(["a", "b", "c", "d"]));
    assert_eq!(head["persisted"], true);
    assert_eq!(head["replay_of"], json!(null));
    let b = &steps(&execution)["b"];
    assert_eq!((&b["stdout"], &b["stderr"]), (&json!("out\n"), &json!("err\n")));
    assert_eq!(b["exit_code"], 0);
    assert_eq!(b["depends_on"], json!(["a"]));
    // What exec told is what is stored, and plain SQLite reads it.
    let id = head["execution_id"].as_str().unwrap();
    assert_eq!(place.show(id), execution);
    assert_eq!(place.sql("SELECT status FROM workflow_executions"), "success");
    assert_eq!(
        place.sql(&format!(
            "SELECT count(*) FROM workflow_execution_steps_by_id WHERE execution_id = '{id}'"
        )),
        "4"
    );
    assert_eq!(place.sql("PRAGMA integrity_check"), "ok");
    for column in ["created_at", "started_at", "completed_at", "updated_at"] {
        let time = head[column].as_str().unwrap();
        assert!(time.len() == 27 && time.ends_with('Z'), "{column} {time}");
    }
}

#[test]
fn the_same_document_always_gives_the_same_order() {
    let place = Place::new();
    let document = "max_parallel: 8\nsteps:\n- {name: z, depends_on: [m]}\n- {name: b, depends_on: []}\n- {name: m, depends_on: []}\n- {name: a, depends_on: [b, z]}\n";
    for _ in 0..5 {
        let execution = place.exec(document, 0);
        assert_eq!(execution["execution"]["step_order"], json!(["b", "m", "z", "a"]));
    }
}

#[test]
fn a_failure_skips_what_depends_on_it_and_nothing_else() {
    let place = Place::new();
    let execution = place.exec(
        "steps:
- {name: bad, run: 'echo broken >&2; exit 3'}
- {name: after, depends_on: [bad]}
- {name: later, depends_on: [after]}
- {name: apart, depends_on: [], run: touch apart}
- {name: also-apart, depends_on: [apart]}
",
        1,
    );
    assert_eq!(
        states(&execution),
        ["bad failed", "after skipped", "later skipped", "apart success", "also-apart success"]
    );
    assert_eq!(execution["execution"]["status"], "failed");
    let bad = &steps(&execution)["bad"];
    assert_eq!(bad["exit_code"], 3);
    assert_eq!(bad["stderr"], "broken\n");
    assert!(execution["execution"]["error"].as_str().unwrap().contains("bad"));
    assert!(place.path("apart").exists());
}

#[test]
fn continue_on_error_lets_dependents_look_at_the_status() {
    let place = Place::new();
    let execution = place.exec(
        "steps:
- {name: risky-thing, run: exit 1, continue_on_error: true}
- {name: look, run: 'test \"$WFX_STATUS_RISKY_THING\" = failed'}
",
        0,
    );
    assert_eq!(states(&execution), ["risky-thing failed", "look success"]);
    assert_eq!(execution["execution"]["status"], "success");
}

#[test]
fn fail_raises_a_failure_instead_of_the_work() {
    let place = Place::new();
    let execution = place.exec("steps: [{name: a, run: touch done, fail: true}]", 1);
    assert_eq!(states(&execution), ["a failed"]);
    assert!(!place.path("done").exists());
}

#[test]
fn max_parallel_bounds_how_many_run_at_a_time() {
    let place = Place::new();
    // Each step counts how many are between their beginning and their end.
    let step = "mkdir run-$WFX_STEP_NAME; ls -d run-* | wc -l > seen-$WFX_STEP_NAME; sleep 0.2; rmdir run-$WFX_STEP_NAME";
    let document = |parallel: u32| {
        let list: String =
            (0..6).map(|n| format!("- {{name: s{n}, depends_on: [], run: '{step}'}}\n")).collect();
        format!("max_parallel: {parallel}\nsteps:\n{list}")
    };
    for parallel in [1, 3] {
        place.exec(&document(parallel), 0);
        let most =
            (0..6).map(|n| place.read(&format!("seen-s{n}")).trim().parse::<u32>().unwrap()).max();
        assert!(most <= Some(parallel), "{most:?} of {parallel}");
    }
    // The last of those that run side by side sees the others.
    assert!((0..6).any(|n| place.read(&format!("seen-s{n}")).trim() != "1"));
}

#[test]
fn retries_are_attempts_of_one_step() {
    let place = Place::new();
    let execution = place.exec(
        "steps:
- name: flaky
  run: 'echo try $WFX_ATTEMPT; test $WFX_ATTEMPT -ge 3'
  retry: {max_attempts: 5, backoff: 10ms, max_backoff: 20ms}
- {name: after}
",
        0,
    );
    let flaky = &steps(&execution)["flaky"];
    assert_eq!((&flaky["attempt"], &flaky["status"]), (&json!(3), &json!("success")));
    assert_eq!(flaky["stdout"], "try 3\n");
    assert_eq!(place.sql("SELECT count(*) FROM workflow_execution_attempts"), "3");
    assert_eq!(
        place.sql("SELECT group_concat(status || ' ' || stdout, '') FROM (SELECT * FROM workflow_execution_attempts ORDER BY attempt)"),
        "failed try 1\nfailed try 2\nsuccess try 3"
    );
    let execution =
        place.exec("steps: [{name: a, run: exit 7, retry: {max_attempts: 2, backoff: 1ms}}]", 1);
    assert_eq!(steps(&execution)["a"]["attempt"], 2);
    assert_eq!(steps(&execution)["a"]["exit_code"], 7);
}

#[test]
fn waiting_for_a_retry_takes_no_place() {
    let place = Place::new();
    // The second attempt of `again` succeeds only if `other` ran while it waited.
    let execution = place.exec(
        "max_parallel: 1
steps:
- {name: again, depends_on: [], run: test -e done, retry: {max_attempts: 2, backoff: 2s}}
- {name: other, depends_on: [], run: touch done}
",
        0,
    );
    assert_eq!(states(&execution), ["again success", "other success"]);
}

#[test]
fn a_step_timeout_is_a_failed_attempt() {
    let place = Place::new();
    let execution = place.exec(
        "steps: [{name: slow, run: 'sleep 100 & sleep 100', timeout: 300ms, retry: {max_attempts: 2, backoff: 1ms}}]",
        1,
    );
    let slow = &steps(&execution)["slow"];
    assert_eq!((&slow["status"], &slow["attempt"]), (&json!("failed"), &json!(2)));
    assert!(slow["error"].as_str().unwrap().contains("timed out"), "{slow}");
    let execution = place.exec("steps: [{name: s, sleep: 100s, timeout: 100ms}]", 1);
    assert_eq!(states(&execution), ["s failed"]);
}

#[test]
fn the_workflow_timeout_fails_what_runs_and_skips_the_rest() {
    let place = Place::new();
    let execution = place.exec(
        "timeout: 500ms
steps:
- {name: quick}
- {name: slow, run: sleep 100}
- {name: waiting, sleep: 100s, depends_on: [quick]}
- {name: rest, depends_on: [slow]}
",
        1,
    );
    assert_eq!(
        states(&execution),
        ["quick success", "slow failed", "waiting failed", "rest skipped"]
    );
    assert_eq!(execution["execution"]["status"], "failed");
    assert!(execution["execution"]["error"].as_str().unwrap().contains("timed out"));
}

#[test]
fn a_program_that_cannot_be_started_is_a_failed_step() {
    let place = Place::new();
    for step in ["run: [/nowhere/program]", "run: 'true', cwd: nowhere", "run: [.]"] {
        let execution = place.exec(&format!("steps: [{{name: a, {step}}}]"), 1);
        let error = steps(&execution)["a"]["error"].as_str().unwrap().to_owned();
        assert!(error.contains("nowhere") || error.contains('.'), "{error}");
    }
}

#[test]
fn a_signal_that_ends_a_step_is_told() {
    let place = Place::new();
    let execution = place.exec("steps: [{name: a, run: kill -s SEGV $$}]", 1);
    let step = &steps(&execution)["a"];
    assert_eq!(step["exit_code"], 128 + 11);
    assert!(step["error"].as_str().unwrap().contains("SIGSEGV"), "{step}");
}

#[test]
fn standard_input_is_taken_for_json_or_yaml() {
    let place = Place::new();
    for document in
        ["{\"id\": \"in\", \"steps\": [{\"name\": \"a\"}]}", "id: in\nsteps: [{name: a}]"]
    {
        let ran =
            with_stdin(&mut place.wfx(["exec", "-", "--format", "json"]), document.as_bytes());
        assert_eq!(ran.code, Some(0), "{ran:?}");
        assert_eq!(ran.json()["execution"]["workflow_id"], "in");
    }
    // Steps do not read what is left of it.
    let ran = with_stdin(
        &mut place.wfx(["exec", "-", "--format", "json"]),
        b"id: in\nsteps: [{name: a, run: cat}]\n",
    );
    assert_eq!(ran.json()["steps"][0]["stdout"], "");
}

#[test]
fn what_was_typed_is_checked_before_the_folder() {
    use std::ffi::OsStr;
    use std::os::unix::ffi::OsStrExt;

    let place = Place::new();
    let document = place.write("w.yaml", "params: {known: x}\nsteps: [{name: a}]\n");
    let folder = place.path("").join(OsStr::from_bytes(b"\xff"));
    std::fs::create_dir(&folder).unwrap();
    let exec = |parameter: &str| {
        let mut command = place.wfx([
            OsStr::new("exec"),
            document.as_ref(),
            "--param".as_ref(),
            parameter.as_ref(),
        ]);
        Ran::of(command.current_dir(&folder))
    };
    exec("unknown=1").refused(2, &["unknown"]);
    exec("known=1").refused(3, &["the name of the current folder is not UTF-8"]);
}

#[test]
fn what_a_step_leaves_running_is_ended_with_it() {
    let place = Place::new();
    let execution = place.exec("steps: [{name: a, run: 'sleep 1000 & echo $! > pid'}]", 0);
    assert_eq!(states(&execution), ["a success"]);
    assert!(is_gone(&place.read("pid")));
}

#[test]
fn what_ignores_sigterm_is_killed() {
    let place = Place::new();
    place.exec(
        "steps: [{name: a, run: \"(trap '' TERM; echo > ready; while :; do sleep 0.1; done) & while ! test -e ready; do sleep 0.01; done; echo $! > pid\"}]",
        0,
    );
    assert!(is_gone(&place.read("pid")));
}

#[test]
fn a_child_in_a_session_of_its_own_keeps_nobody_waiting() {
    let place = Place::new();
    let ran =
        Ran::of(place.wfx(["exec"]).arg(place.write(
            "w.yaml",
            "steps: [{name: a, run: 'setsid sleep 20 & echo $! > pid; until test $(ps -o sid= -p $!) = $!; do sleep 0.02; done; echo told'}]",
        )));
    assert_eq!(ran.code, Some(0), "{ran:?}");
    assert_eq!(steps(&place.show("@latest"))["a"]["stdout"], "told\n");
    let pid = place.read("pid");
    assert!(std::path::Path::new(&format!("/proc/{}", pid.trim())).exists());
    std::process::Command::new("kill").arg(pid.trim()).status().unwrap();
}

#[test]
fn five_hundred_steps_need_little_memory() {
    let place = Place::new();
    let list: String = (0..499).map(|n| format!("- {{name: s{n}, depends_on: []}}\n")).collect();
    let last = "- {name: last, depends_on: [s0, s498], run: 'grep VmHWM /proc/$PPID/status'}\n";
    let execution = place.exec(&format!("steps:\n{list}{last}"), 0);
    assert_eq!(execution["execution"]["steps_completed"], 500);
    assert!(steps(&execution)["last"]["stdout"].as_str().unwrap().starts_with("VmHWM"));
}

/// Whether a process has ended; one that only waits to be collected has.
fn is_gone(pid: &str) -> bool {
    let stat = std::fs::read_to_string(format!("/proc/{}/stat", pid.trim()));
    stat.map_or(true, |stat| stat.contains(") Z "))
}

#[test]
fn a_quiet_success_shows_nothing_and_a_failure_everything() {
    let place = Place::new();
    let file = place.write(
        "w.yaml",
        "id: job\nsteps: [{name: a, run: 'echo out; test -e go'}]\non_exit: [{name: b}]",
    );
    let quiet = |more: &[&str]| Ran::of(place.wfx(["exec", "--quiet"]).args(more).arg(&file));
    let failed = quiet(&[]);
    assert_eq!((failed.code, failed.stderr.as_str()), (Some(1), ""));
    for text in ["job", "failed", "│ out", "exit", "timeline"] {
        assert!(failed.stdout.contains(text), "{text}\n{}", failed.stdout);
    }
    assert_eq!(quiet(&["--format", "json"]).json()["execution"]["status"], "failed");
    // Nobody reads what it shows: the exit code says it all the same.
    let (reader, writer) = std::io::pipe().unwrap();
    drop(reader);
    let unread = Ran::of(place.wfx(["exec", "--quiet"]).arg(&file).stdout(writer));
    assert_eq!((unread.code, unread.stderr.as_str()), (Some(1), ""));
    place.write("go", "");
    for format in ["table", "json", "jsonl", "plain"] {
        let ran = quiet(&["--format", format]);
        assert_eq!((ran.code, ran.stdout.as_str(), ran.stderr.as_str()), (Some(0), "", ""));
    }
    assert_eq!(place.list()["total"], 7);
    // What is wrong is said all the same.
    place.write("w.yaml", "steps: 7");
    quiet(&[]).refused(2, &["steps"]);
    let ran = place.run(["exec", "--quiet", "--verbose", "w.yaml"]);
    ran.refused(2, &["--quiet"]);
}

#[test]
fn a_workflow_of_a_folder_goes_by_its_id() {
    let place = Place::new();
    std::fs::create_dir(place.path("jobs")).unwrap();
    place.write("jobs/_defaults.yaml", "env: {FROM: defaults}\n");
    let text = "id: nightly\nsteps:\n- name: a\n  run: echo \"$FROM\"\n";
    place.write("jobs/backup.yaml", text);
    place.write("jobs/broken.yaml", "id: broken\nsteps: 3\n");
    let exec =
        |id: &str, folder: &str| place.run(["exec", id, "--workflows", folder, "--format", "json"]);
    let ran = exec("nightly", "jobs").json();
    assert_eq!(ran["execution"]["workflow_id"], "nightly");
    assert_eq!(ran["steps"][0]["stdout"], "defaults\n");
    exec("nightli", "jobs")
        .refused(2, &["jobs has no workflow `nightli`", "did you mean `nightly`?"]);
    exec("backup", "jobs").refused(2, &["jobs has no workflow `backup`"]);
    exec("broken", "jobs").refused(2, &["broken.yaml", "steps"]);
    exec("nightly", "missing").refused(3, &["cannot read the workflows of missing"]);
    exec("nightly", ".").refused(2, &["it has no file that ends with .yaml"]);
}
