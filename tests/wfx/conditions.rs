//! Conditions and exit codes decide which steps run.

use serde_json::json;

use crate::support::{Place, Running, states, steps};

const WAITS: &str = "run: 'echo begun; until test -e go; do sleep 0.02; done'";

#[test]
fn a_condition_decides_by_parameters_outputs_and_statuses() {
    let place = Place::new();
    let document = "\
params: {environment: dev, rows: 1.10}
steps:
- {name: make, run: 'echo kind=big >> $WFX_OUTPUT; echo kind2= >> $WFX_OUTPUT'}
- {name: prod, depends_on: [make], when: {param: environment, is: prod}}
- {name: big, depends_on: [make], when: {step: make, output: kind, in: [big, huge]}}
- {name: exact, depends_on: [make], when: {all: [{param: rows, is: 1.10}, {not: {param: rows, is: 1.1}}]}}
- {name: none, depends_on: [make], when: {step: make, output: gone, is_not: x}}
- {name: gone, depends_on: [make], when: {step: make, output: gone, matches: ''}}
- {name: well, depends_on: [big], when: {any: [{step: make, status: success}, {param: environment, matches: '^x'}]}}
- {name: after, depends_on: [prod]}
";
    let execution = place.exec(document, 0);
    assert_eq!(
        states(&execution),
        [
            "make success",
            "prod skipped",
            "big success",
            "exact success",
            "none success",
            "gone skipped",
            "well success",
            "after skipped"
        ]
    );
    let all = steps(&execution);
    assert_eq!(
        all["prod"]["error"],
        "its `when` is false: {param: environment, is: prod}: the parameter is `dev`"
    );
    assert_eq!(all["prod"]["skip_reason"], "condition");
    assert_eq!(all["after"]["skip_reason"], "dependency");
    assert_eq!(all["big"].get("skip_reason"), None);
    let execution = place.exec_with(document, &["-p", "environment=prod"], 0);
    assert_eq!(states(&execution)[1], "prod success");
    assert_eq!(states(&execution)[7], "after success");
    // A replay decides anew, from the snapshot.
    let again = place.run(["replay", "@1", "--format", "json"]).json();
    assert_eq!(states(&again)[1], "prod skipped");
    // Why a step was skipped is shown.
    let shown = place.run(["show", "@1"]);
    assert!(shown.stdout.contains("its `when` is false: {param: environment"), "{shown:?}");
}

#[test]
fn a_rollback_runs_when_what_it_undoes_failed() {
    let place = Place::new();
    let document = "\
steps:
- {name: deploy, run: exit 1}
- {name: smoke}
- {name: undo, when: {any: [{step: deploy, status: failed}, {step: smoke, status: failed}]}, run: touch undone}
- {name: done, depends_on: [smoke], run: touch done}
";
    let execution = place.exec(document, 1);
    assert_eq!(
        states(&execution),
        ["deploy failed", "smoke skipped", "undo success", "done skipped"]
    );
    assert_eq!(execution["execution"]["error"], "step `deploy` failed: exit code 1");
    assert!(place.path("undone").exists() && !place.path("done").exists());
}

#[test]
fn an_exit_code_skips_without_failing() {
    let place = Place::new();
    let document = |more: &str| {
        format!(
            "steps:\n- {{name: check, run: 'echo a=1 > $WFX_OUTPUT; exit 99', skip_exit_codes: [98, 99], \
             retry: {{max_attempts: 3}}{more}}}\n- {{name: work, run: echo $WFX_STATUS_CHECK}}\n"
        )
    };
    let execution = place.exec(&document(""), 0);
    assert_eq!(states(&execution), ["check skipped", "work skipped"]);
    let check = &steps(&execution)["check"];
    assert_eq!((&check["exit_code"], &check["attempt"]), (&json!(99), &json!(1)));
    assert_eq!(check["error"], "exit code 99 is one of its `skip_exit_codes`");
    assert_eq!(check["skip_reason"], "exit_code");
    assert_eq!(check["outputs"], json!({"a": "1"}));
    let execution = place.exec(&document(", continue_on_skip: true"), 0);
    assert_eq!(states(&execution), ["check skipped", "work success"]);
    assert_eq!(steps(&execution)["work"]["stdout"], "skipped\n");
    // The second attempt may skip, too; both are stored.
    let execution = place.exec(
        "steps: [{name: a, run: 'echo $WFX_ATTEMPT; exit $((97 + WFX_ATTEMPT))', skip_exit_codes: [99], retry: {max_attempts: 3, backoff: 1ms}}]",
        0,
    );
    assert_eq!(states(&execution), ["a skipped"]);
    assert_eq!(
        place.sql("SELECT status, exit_code FROM workflow_execution_attempts WHERE seq = 3 ORDER BY attempt"),
        "failed|98\nskipped|99"
    );
    // A timeout and a signal are no exit code.
    let execution = place.exec(
        "steps:\n- {name: a, run: \"trap 'exit 99' TERM; sleep 1000 & wait\", timeout: 100ms, skip_exit_codes: [99]}\n\
         - {name: b, depends_on: [], run: 'kill -9 $$', skip_exit_codes: [137]}\n",
        1,
    );
    assert_eq!(states(&execution), ["a failed", "b failed"]);
}

#[test]
fn values_are_text_whatever_they_hold() {
    let place = Place::new();
    let hostile = "'; touch owned; echo '$(touch owned)`touch owned`\n{param: x}\u{1b}[31m";
    let document = "\
params: {value: ''}
steps:
- {name: make, run: 'printf \"out=%s\\n\" \"${WFX_PARAM_VALUE%%[[:cntrl:]]*}\" > $WFX_OUTPUT'}
- {name: same, depends_on: [make], when: {step: make, output: out, is: \"'; touch owned; echo '$(touch owned)`touch owned`\"}}
- {name: other, depends_on: [make], when: {param: value, is: '{param: x}'}}
- {name: line, depends_on: [make], when: {param: value, matches: '(?m)^\\{param: x\\}'}}
";
    let execution = place.exec_with(document, &["-p", &format!("value={hostile}")], 0);
    assert_eq!(
        states(&execution),
        ["make success", "same success", "other skipped", "line success"]
    );
    assert!(!place.path("owned").exists());
    let error = steps(&execution)["other"]["error"].as_str().unwrap().to_owned();
    assert!(!error.contains('\u{1b}') && !error.contains('\n'), "{error:?}");
}

#[test]
fn a_condition_is_evaluated_again_after_a_crash() {
    let place = Place::new();
    let document = format!(
        "max_parallel: 1\nsteps:\n- {{name: a, run: exit 1}}\n- {{name: long, depends_on: [], {WAITS}, retry: {{max_attempts: 2}}}}\n\
         - {{name: undo, depends_on: [a], when: {{step: a, status: failed}}, run: echo once >> undone}}\n\
         - {{name: next, depends_on: [long], when: {{step: long, status: interrupted}}}}\n\
         - {{name: last, depends_on: [a, long], when: {{step: a, status: [failed]}}}}\n"
    );
    let file = place.write("w.yaml", document);
    let mut running = Running::start(place.wfx(["exec", "-v"]).arg(file));
    running.wait_for("begun");
    running.signal("KILL");
    running.end();
    place.write("go", "");
    assert_eq!(place.run(["recover"]).code, Some(1));
    let execution = place.show("@1");
    assert_eq!(
        states(&execution),
        ["a failed", "long success", "undo success", "next skipped", "last success"]
    );
    assert_eq!(place.read("undone"), "once\n");
}

#[test]
fn a_crash_can_be_tested() {
    let place = Place::new();
    let document = format!(
        "steps:\n- {{name: long, {WAITS}}}\n\
         - {{name: tidy, when: {{step: long, status: interrupted}}, run: touch tidied}}\n"
    );
    let file = place.write("w.yaml", document);
    let mut running = Running::start(place.wfx(["exec", "-v"]).arg(file));
    running.wait_for("begun");
    running.signal("KILL");
    running.end();
    assert_eq!(place.run(["recover"]).code, Some(1));
    let execution = place.show("@1");
    assert_eq!(states(&execution), ["long interrupted", "tidy success"]);
    assert_eq!(execution["execution"]["status"], "interrupted");
    assert!(place.path("tidied").exists());
}

#[test]
fn bad_conditions_are_refused_with_place_and_remedy() {
    let place = Place::new();
    let file = place.write(
        "w.yaml",
        "params: {environment: dev}\nsteps:\n- {name: build}\n- {name: a, when: {param: enviroment, is: x}}\n\
         - {name: b, depends_on: [], when: {step: build, status: failed}}\n- {name: c, when: {step: a, status: faild}}\n",
    );
    let ran = crate::support::Ran::of(place.wfx(["validate"]).arg(file));
    ran.refused(
        2,
        &[
            "w.yaml:4:27",
            "did you mean `environment`?",
            "w.yaml:5:42",
            "add `build` to its `depends_on`",
            "w.yaml:6:37",
            "did you mean `failed`?",
        ],
    );
}
