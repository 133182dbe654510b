//! Handlers run once all steps have ended, whatever became of those, and change no outcome.

use serde_json::{Value, json};

use crate::support::{Place, Ran, nobody_is_left, processes_with, start_exec, states, until};

const WAITS: &str = "run: 'echo begun; until test -e go; do sleep 0.02; done'";

/// A handler of each kind, each of which notes what it sees.
const HANDLERS: &str = "\
on_success: [{name: well, run: 'echo well $WFX_STATUS >> ran'}]
on_failure: [{name: bad, run: 'echo bad $WFX_STATUS $WFX_FAILED_STEP: $WFX_ERROR >> ran'}]
on_cancel: [{name: cancelled, run: 'echo cancelled $WFX_STATUS: $WFX_ERROR >> ran'}]
on_exit: [{name: always, run: 'echo always $WFX_STATUS >> ran'}]
";

/// `name kind status` of each handler.
fn handlers(execution: &Value) -> Vec<String> {
    let handlers = execution["handlers"].as_array().unwrap().iter();
    handlers
        .map(|handler| {
            let text = |key: &str| handler[key].as_str().unwrap().to_owned();
            format!("{} {} {}", text("name"), text("handler"), text("status"))
        })
        .collect()
}

#[test]
fn they_run_after_success_and_failure_and_see_the_end() {
    let place = Place::new();
    let execution = place.exec(
        &format!(
            "steps:\n- {{name: make, run: 'echo n=7 > $WFX_OUTPUT'}}\n- {{name: other, depends_on: []}}\n\
             {HANDLERS}- {{name: second, run: 'echo $WFX_STEP_MAKE_N $WFX_STATUS_OTHER; echo k=v > $WFX_OUTPUT'}}\n"
        )
        .replace("on_exit: [{name: always, run: 'echo always $WFX_STATUS >> ran'}]\n", "on_exit:\n- {name: always, run: 'echo always $WFX_STATUS >> ran'}\n"),
        0,
    );
    assert_eq!(place.read("ran"), "well success\nalways success\n");
    assert_eq!(
        handlers(&execution),
        ["well on_success success", "always on_exit success", "second on_exit success"]
    );
    let second = &execution["handlers"][2];
    assert_eq!(second["stdout"], "7 success\n");
    assert_eq!(second["outputs"], json!({"k": "v"}));
    // They are no steps.
    assert_eq!(states(&execution), ["make success", "other success"]);
    let head = &execution["execution"];
    assert_eq!((&head["total_steps"], &head["steps_completed"]), (&json!(2), &json!(2)));
    assert_eq!(head["step_order"], json!(["make", "other"]));
    assert_eq!((&head["status"], &head["outcome"]), (&json!("success"), &json!("success")));
    let id = head["execution_id"].as_str().unwrap();
    assert_eq!(place.show(id), execution);
    // People and fields see them apart.
    let shown = place.run(["show", id]).stdout;
    assert!(shown.contains("on_exit: second") && shown.contains("7 success"), "{shown}");
    let plain = place.run(["show", id, "--format", "plain"]).stdout;
    assert!(plain.contains("on_exit\tsecond\tsuccess"), "{plain}");

    std::fs::remove_file(place.path("ran")).unwrap();
    let execution = place.exec(&format!("steps: [{{name: a, run: exit 3}}]\n{HANDLERS}"), 1);
    assert_eq!(place.read("ran"), "bad failed a: step `a` failed: exit code 3\nalways failed\n");
    assert_eq!(handlers(&execution), ["bad on_failure success", "always on_exit success"]);
    assert_eq!(execution["execution"]["outcome"], "failed");
    // They run again in a replay.
    assert_eq!(place.run(["replay", "@2"]).code, Some(1));
    assert_eq!(place.read("ran").lines().count(), 4);
}

#[test]
fn one_that_fails_or_hangs_changes_nothing_and_stops_no_other() {
    let place = Place::new();
    let execution = place.exec(
        "steps: [{name: a}]
on_success:
- {name: fails, run: 'echo broken >&2; exit 4'}
- {name: hangs, run: 'sleep 1000', timeout: 100ms}
- {name: again, run: 'exit $((2 - WFX_ATTEMPT))', retry: {max_attempts: 2, backoff: 1ms}}
- {name: missing, run: [/no/such/program]}
on_exit: [{name: last, run: touch last}]
",
        0,
    );
    assert_eq!(
        handlers(&execution),
        [
            "fails on_success failed",
            "hangs on_success failed",
            "again on_success success",
            "missing on_success failed",
            "last on_exit success"
        ]
    );
    assert_eq!(execution["execution"]["status"], "success");
    assert_eq!(execution["execution"]["error"], json!(null));
    assert_eq!(execution["handlers"][0]["stderr"], "broken\n");
    assert_eq!(execution["handlers"][1]["error"], "timed out after 100ms");
    assert_eq!(execution["handlers"][2]["attempt"], 2);
    assert!(place.path("last").exists());
    nobody_is_left(&place);
    // It is reported.
    let file = place.path("workflow.yaml");
    let ran = Ran::of(place.wfx(["exec"]).arg(file));
    assert!(ran.stderr.contains("fails failed") && ran.stderr.contains("(on_success)"), "{ran:?}");
}

#[test]
fn they_run_after_a_timeout() {
    let place = Place::new();
    let execution = place
        .exec(&format!("timeout: 100ms\nsteps: [{{name: a, run: sleep 1000}}]\n{HANDLERS}"), 1);
    assert_eq!(handlers(&execution), ["bad on_failure success", "always on_exit success"]);
    assert_eq!(
        place.read("ran"),
        "bad failed a: the workflow timed out after 100ms\nalways failed\n"
    );
}

#[test]
fn they_run_after_a_signal() {
    for (signal, code) in [("INT", 130), ("TERM", 143)] {
        let place = Place::new();
        let running = start_exec(&place, &format!("steps: [{{name: a, {WAITS}}}]\n{HANDLERS}"));
        running.signal(signal);
        let ran = running.end();
        assert_eq!(ran.code, Some(code), "{ran:?}");
        let execution = place.show("@1");
        assert_eq!(states(&execution), ["a cancelled"]);
        assert_eq!(handlers(&execution), ["cancelled on_cancel success", "always on_exit success"]);
        assert_eq!(execution["execution"]["status"], "cancelled");
        let lines = place.read("ran");
        assert!(lines.starts_with("cancelled cancelled: ") && lines.contains(signal), "{lines}");
        nobody_is_left(&place);
    }
}

#[test]
fn a_second_signal_kills_the_one_that_runs_and_starts_no_other() {
    let place = Place::new();
    let stubborn = "trap : INT TERM; echo begun on cancel; while :; do sleep 0.1; done";
    let mut running = start_exec(
        &place,
        &format!(
            "steps: [{{name: a, {WAITS}}}]\non_cancel: [{{name: stubborn, run: '{stubborn}'}}]\n\
             on_exit: [{{name: never, run: touch never}}]\n"
        ),
    );
    running.signal("INT");
    running.wait_for("begun on cancel");
    running.signal("INT");
    let ran = running.end();
    assert_eq!(ran.code, Some(130), "{ran:?}");
    let execution = place.show("@1");
    assert_eq!(handlers(&execution), ["stubborn on_cancel cancelled"]);
    assert_eq!(execution["handlers"][0]["error"], "killed by a second signal");
    assert_eq!(execution["execution"]["status"], "cancelled");
    assert!(!place.path("never").exists());
    nobody_is_left(&place);
}

#[test]
fn a_cancel_while_they_run_ends_the_list_and_not_the_outcome() {
    let place = Place::new();
    let running = start_exec(
        &place,
        &format!(
            "steps: [{{name: a}}]\non_success:\n- {{name: long, {WAITS}}}\n- {{name: next, run: touch next}}\n\
             on_exit: [{{name: tidy, run: 'echo $WFX_STATUS > tidied'}}]\n"
        ),
    );
    // What is stored meanwhile.
    let execution = place.show("@1");
    assert_eq!(
        (&execution["execution"]["status"], &execution["execution"]["outcome"]),
        (&json!("running"), &json!("success"))
    );
    assert_eq!(handlers(&execution), ["long on_success running"]);
    assert!(place.run(["show", "@1"]).stdout.contains("outcome"));
    place.run(["cancel", "@1"]).refused(1, &["it ended as success before it was cancelled"]);
    let ran = running.end();
    assert_eq!(ran.code, Some(0), "{ran:?}");
    let execution = place.show("@1");
    assert_eq!(handlers(&execution), ["long on_success cancelled", "tidy on_exit success"]);
    assert_eq!(execution["execution"]["status"], "success");
    assert_eq!(place.read("tidied"), "success\n");
    assert!(!place.path("next").exists());
    nobody_is_left(&place);
}

#[test]
fn they_run_after_a_cancel_by_another_process() {
    let place = Place::new();
    let running = start_exec(&place, &format!("steps: [{{name: a, {WAITS}}}]\n{HANDLERS}"));
    assert_eq!(place.run(["cancel", "@1"]).code, Some(0));
    running.end();
    assert_eq!(
        handlers(&place.show("@1")),
        ["cancelled on_cancel success", "always on_exit success"]
    );
    assert_eq!(place.read("ran").lines().count(), 2);
}

#[test]
fn they_run_after_a_crash_once_the_execution_is_recovered() {
    // By `recover`, and by a cancel of what a dead process left.
    for (command, code, expected) in [
        ("recover", 1, ["bad on_failure success", "always on_exit success"]),
        ("cancel", 0, ["cancelled on_cancel success", "always on_exit success"]),
    ] {
        let place = Place::new();
        let running = start_exec(&place, &format!("steps: [{{name: a, {WAITS}}}]\n{HANDLERS}"));
        running.signal("KILL");
        running.end();
        assert!(!place.path("ran").exists());
        let ran = place.run([command, "@1"]);
        assert_eq!(ran.code, Some(code), "{ran:?}");
        let execution = place.show("@1");
        assert_eq!(handlers(&execution), expected);
        assert_eq!(place.read("ran").lines().count(), 2);
        nobody_is_left(&place);
    }
}

#[test]
fn a_crash_during_a_handler_repeats_it_only_with_attempts() {
    for (retry, expected, ran) in [
        ("", "long on_failure interrupted", "1\n"),
        (", retry: {max_attempts: 2}", "long on_failure success", "1\n2\n"),
    ] {
        let place = Place::new();
        let long =
            "echo $WFX_ATTEMPT >> attempts; echo begun; until test -e go; do sleep 0.02; done";
        let running = start_exec(
            &place,
            &format!(
                "steps: [{{name: a, run: exit 1}}]\non_failure:\n- {{name: first, run: echo once >> once}}\n\
                 - {{name: long, run: '{long}'{retry}}}\n- {{name: third, run: echo third >> once}}\n\
                 on_exit: [{{name: exit, run: 'echo exit $WFX_STATUS $WFX_FAILED_STEP >> once'}}]\n"
            ),
        );
        running.signal("KILL");
        running.end();
        let before = place.show("@1");
        assert_eq!(before["execution"]["outcome"], "failed");
        place.write("go", "");
        let recovered = place.run(["recover"]);
        assert_eq!(recovered.code, Some(1), "{recovered:?}");
        let execution = place.show("@1");
        assert_eq!(
            handlers(&execution),
            [
                "first on_failure success",
                expected,
                "third on_failure success",
                "exit on_exit success"
            ]
        );
        assert_eq!(place.read("once"), "once\nthird\nexit failed a\n");
        assert_eq!(place.read("attempts"), ran);
        assert_eq!(execution["execution"]["status"], "failed");
        assert_eq!(execution["execution"]["error"], before["execution"]["error"]);
        nobody_is_left(&place);
        // Never twice for one end.
        assert_eq!(place.run(["recover"]).stdout, "nothing to recover\n");
    }
}

#[test]
fn processes_of_a_handler_are_found_after_a_crash() {
    let place = Place::new();
    let running = start_exec(
        &place,
        "steps: [{name: a}]\non_exit: [{name: long, run: 'echo begun; sleep 1000 & sleep 1000; wait'}]\n",
    );
    running.signal("KILL");
    running.end();
    let id = place.sql("SELECT execution_id FROM workflow_executions");
    let variable = format!("WFX_EXECUTION_ID={id}");
    until("the processes are left", || processes_with(&variable).len() > 1);
    let ran = place.run(["recover"]);
    assert_eq!(ran.code, Some(0), "{ran:?}");
    assert_eq!(handlers(&place.show("@1")), ["long on_exit interrupted"]);
    assert_eq!(processes_with(&variable), [] as [u32; 0]);
}

#[test]
fn names_that_would_be_one_variable_keep_no_handler_from_running() {
    let place = Place::new();
    let execution = place.exec(
        "steps:\n- {name: a, run: 'echo b_c=1 > $WFX_OUTPUT'}\n- {name: a-b, depends_on: [], run: 'echo c=2 > $WFX_OUTPUT'}\n\
         on_exit: [{name: exit, run: 'echo \"${WFX_STEP_A_B_C-unset} $WFX_STATUS_A_B\"'}]\n",
        0,
    );
    assert_eq!(execution["handlers"][0]["stdout"], "unset success\n");
}

#[test]
fn outputs_that_are_too_large_together_keep_no_handler_from_running() {
    let place = Place::new();
    let large =
        "{ echo small=s; printf large=; head -c 65000 /dev/zero | tr '\\0' x; } > $WFX_OUTPUT";
    let steps: String = (0..40)
        .map(|n| {
            format!("- {{name: s{n}, depends_on: [], run: \"{}\"}}\n", large.replace('\\', "\\\\"))
        })
        .collect();
    let handler =
        "'echo $(env | grep -c ^WFX_STEP_S.*_SMALL=s) $(env | grep -c ^WFX_STEP_S.*_LARGE=x)'";
    let execution =
        place.exec(&format!("steps:\n{steps}on_exit: [{{name: unlock, run: {handler}}}]\n"), 0);
    assert_eq!(execution["handlers"][0]["error"], json!(null));
    assert_eq!(execution["handlers"][0]["stdout"], "40 16\n");
}

#[test]
fn progress_displays_their_titles() {
    let place = Place::new();
    let file = place.write(
        "w.yaml",
        "steps: [{name: a}]\non_exit: [{name: bell, title: Ring the bell, run: 'echo no >&2; exit 1'}]\n",
    );
    let ran = Ran::of(place.wfx(["exec"]).arg(file));
    assert!(ran.stderr.contains("Ring the bell started"), "{ran:?}");
    assert!(ran.stderr.contains("Ring the bell failed"), "{ran:?}");
    assert!(!ran.stderr.lines().any(|line| line.starts_with("bell ")), "{ran:?}");
}

#[test]
fn a_purge_deletes_them_with_their_execution() {
    let place = Place::new();
    for _ in 0..3 {
        place.exec("steps: [{name: a, run: echo}]\non_exit: [{name: b, run: echo hi}]\n", 0);
    }
    assert_eq!(place.sql("SELECT count(*) FROM workflow_execution_handlers"), "3");
    assert_eq!(place.run(["purge", "1"]).code, Some(0));
    for (table, left) in [("handlers", "3"), ("attempts", "3\n3"), ("steps", "3")] {
        let seqs = format!("SELECT seq FROM workflow_execution_{table}");
        assert_eq!(place.sql(&seqs), left, "{table}");
    }
}

#[test]
fn bad_handlers_are_refused_with_place_and_remedy() {
    let place = Place::new();
    let file = place.write(
        "w.yaml",
        "env: {WFX_STATUS: x}
steps:
- {name: a}
on_failure:
- {name: a}
- {name: b, depends_on: [a], when: {step: a, status: failed}, continue_on_error: true}
on_exit: []
on_fail: [{name: c}]
on_success: [{name: d, env: {WFX_ERROR: x}, run: 5}]
on_cancel: {name: e}
",
    );
    Ran::of(place.wfx(["validate"]).arg(file)).refused(
        2,
        &[
            "w.yaml:1:7: `WFX_STATUS` is set by wfx itself for handlers",
            "w.yaml:5:10: `a` is the name of another step or handler",
            "w.yaml:6:13: a handler depends on nothing",
            "w.yaml:6:30: a handler has no `when`",
            "w.yaml:6:63: a handler has no `continue_on_error`",
            "w.yaml:7:10: `on_exit` is empty",
            "w.yaml:8:1: the key `on_fail` is not known",
            "w.yaml:9:30: `WFX_ERROR` is set by wfx itself for handlers",
            "w.yaml:10:12: `on_cancel` takes a list of steps, not a map",
        ],
    );
}
