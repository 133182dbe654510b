//! Messages lead to the cause: what is wrong, and what to write instead.

use std::fs;
use std::os::unix::fs::PermissionsExt;

use serde_json::json;

use crate::daemon::Daemon;
use crate::support::Place;

fn error_of(place: &Place, document: &str) -> String {
    let execution = place.exec(document, 1);
    execution["steps"][0]["error"].as_str().unwrap().to_owned()
}

#[test]
fn a_script_that_cannot_be_started_says_what_it_needs() {
    let place = Place::new();
    for (text, expected) in [
        ("#!/bin/sh\r\necho\r\n", &["`/bin/sh\\r`", "`#!` line", "carriage return", "sed -i"][..]),
        ("#!/none/python9\n", &["`/none/python9`", "does not exist"]),
        ("echo\n", &["`#!` line"]),
    ] {
        let script = place.write("job.sh", text);
        fs::set_permissions(&script, fs::Permissions::from_mode(0o755)).unwrap();
        fs::create_dir_all(place.path("bin")).unwrap();
        fs::copy(&script, place.path("bin/job")).unwrap();
        for run in ["[./job.sh]", "[job]", "./job.sh"] {
            // Shells run what has no `#!` line by themselves.
            if run == "./job.sh" && !text.starts_with("#!") {
                continue;
            }
            let document = format!(
                "id: w\nsteps:\n- {{name: a, run: {run}, env: {{PATH: \"{}\"}}}}\n",
                place.path("bin").display()
            );
            let error = error_of(&place, &document);
            for part in expected {
                assert!(error.contains(part), "{run}: {error}");
            }
        }
    }
    let gone = error_of(&place, "id: w\nsteps: [{name: a, run: [./gone.sh]}]");
    assert!(gone.ends_with("`./gone.sh`: no such program"), "{gone}");
}

#[test]
fn a_list_of_lines_is_one_command() {
    let place = Place::new();
    let document = "id: w\nsteps:\n- name: a\n  run:\n  - echo one\n  - echo two\n";
    let error = error_of(&place, document);
    assert!(error.contains("no such program; a list is one command and its arguments"), "{error}");
    place.write("w.yaml", document);
    let ran = place.run(["validate", "w.yaml"]);
    assert_eq!(ran.code, Some(0), "{ran:?}");
    for part in ["warning: w.yaml:5:5", "`echo one`", "one step for each", "`run: |`"] {
        assert!(ran.stderr.contains(part), "{part}: {ran:?}");
    }
}

#[test]
fn what_nothing_expands_is_a_warning_and_runs_as_before() {
    let place = Place::new();
    place.write(
        "w.yaml",
        "params: {dir: x}\nsteps:\n- {name: a, run: [echo, $WFX_PARAM_DIR]}\n- name: b\n  run: |\n    \
         echo '${params.dir}'\n",
    );
    let ran = place.run(["exec", "w.yaml"]);
    assert_eq!(ran.code, Some(0), "{ran:?}");
    for part in ["warning: ", "`$WFX_PARAM_DIR`", "sh -c", "`${params.dir}`", "\"$WFX_PARAM_DIR\""]
    {
        assert!(ran.stderr.contains(part), "{part}: {ran:?}");
    }
    let valid = place.run(["validate", "--format", "json", "w.yaml"]).json();
    assert_eq!((&valid[0]["valid"], &valid[0]["problems"]), (&json!(true), &json!([])));
    let warnings = valid[0]["warnings"].as_array().unwrap();
    let pointers: Vec<_> = warnings.iter().map(|warning| &warning["pointer"]).collect();
    assert_eq!(pointers, ["/steps/0/run/1", "/steps/1/run"]);
    assert_eq!(warnings[0]["line"], 3);
    // Nothing to say about what is fine.
    place.write("fine.yaml", "steps: [{name: a, run: 'echo $HOME'}]");
    let ran = place.run(["validate", "fine.yaml"]);
    assert_eq!((ran.code, ran.stderr.as_str()), (Some(0), ""), "{ran:?}");
}

#[test]
fn a_cycle_by_the_order_of_the_list_says_how_to_end_it() {
    let place = Place::new();
    let implied = "steps:\n- {name: merge, depends_on: [check], run: a}\n- {name: check, run: c}\n";
    place.write("w.yaml", implied);
    let told = ["`check` has no `depends_on`", "`merge`", "`depends_on: []`"];
    place.run(["validate", "w.yaml"]).refused(2, &told);
    // Where every step names what it waits for, a name is too many.
    place.write(
        "w.yaml",
        "steps: [{name: a, depends_on: [b]}, {name: b, depends_on: [c]}, {name: c, depends_on: [a]}]",
    );
    place.run(["validate", "w.yaml"]).refused(2, &["take one of these names out"]);
}

#[test]
fn a_command_that_yaml_takes_for_its_own_is_to_be_quoted() {
    let place = Place::new();
    for command in [
        "echo a: b",
        "@echo",
        "*.sh",
        "`date`",
        "\"a\" b",
        "[ -f x ] && echo y",
        "{ echo; }",
        "%x",
        "!x y",
        "| cat",
        "- x",
    ] {
        place.write("w.yaml", format!("steps:\n- name: a\n  run: {command}\n"));
        place.run(["validate", "w.yaml"]).refused(2, &["w.yaml:3:", "`run: |`", "quotes"]);
        place.write("w.yaml", format!("steps:\n- run: {command}\n  name: a\n"));
        place.run(["validate", "w.yaml"]).refused(2, &["w.yaml:2:", "`run: |`", "quotes"]);
    }
    place.write("w.yaml", "steps:\n- name: a\n  run:\n  - echo\n  - a: b\n");
    place.run(["validate", "w.yaml"]).refused(2, &["an item of `run`", "quotes"]);
    for document in [
        "steps:\n- name: a\n  run: echo one\n    key: value\n",
        "steps:\n- name: a\n  run:\n    echo one\n\n    echo a: b\n",
        "steps:\n- name: a\n  run:\n  - echo\n  - @x\n",
        "steps:\n- name: a\n  run:\n    - echo\n    - `x`\n",
        "steps:\n- {name: a, run: echo {x}}\n",
        "steps:\n- {run: @x, name: a}\n",
        "steps:\n- run: echo\n    a: b\n  name: a\n",
        "steps:\n- run:\n  - @x\n",
    ] {
        place.write("w.yaml", document);
        place.run(["validate", "w.yaml"]).refused(2, &["`run: |`", "quotes"]);
    }
    // Elsewhere that is no help.
    for document in [
        "steps:\n- name: a: b\n",
        "steps:\n- run: echo\n  name: a: b\n",
        "steps:\n- name: a\n  run: |\n    echo\n  env: a: b\n",
        "steps:\n- name: a\n  run: |-\n    echo\n   b: c\n",
        "steps:\n- prerun: @x\n",
    ] {
        place.write("w.yaml", document);
        let ran = place.run(["validate", "w.yaml"]);
        assert!(ran.code == Some(2) && !ran.stderr.contains("run: |"), "{document}: {ran:?}");
    }
}

#[test]
#[cfg(target_os = "linux")]
fn a_signal_that_ended_a_step_has_a_name() {
    let place = Place::new();
    for name in [
        "HUP", "ILL", "TRAP", "ABRT", "BUS", "FPE", "USR1", "SEGV", "USR2", "ALRM", "XCPU", "XFSZ",
        "VTALRM", "PROF", "IO", "PWR", "SYS", "RTMIN", "RTMIN+3",
    ] {
        let error = error_of(
            &place,
            &format!(
                "id: w\nsteps: [{{name: a, run: [python3, -c, \"import os; from signal import *; \
                 signal(SIG{0}, SIG_DFL); os.kill(os.getpid(), SIG{0})\"]}}]",
                name.replace('+', " + ")
            ),
        );
        assert!(error.ends_with(&format!(" (SIG{name})")), "{error}");
    }
}

#[test]
fn a_missing_parameter_is_given_where_others_are() {
    let place = Place::new();
    fs::create_dir(place.path("workflows")).unwrap();
    let workflow = "id: w\nparams: {who: null}\nsteps: [{name: a}]\n";
    place.write("workflows/w.yaml", workflow);
    place.run(["exec", "workflows/w.yaml"]).refused(2, &["`who` is required", "`-p who=VALUE`"]);
    let args = ["--workflows", "workflows", "--definitions", "api"];
    let daemon = Daemon::start(&place, &args);
    let execute = "/api/v1/workflows/w/execute";
    for body in ["", "{}", r#"{"params": {}}"#] {
        let answer = daemon.post(execute, body).expect(422);
        let detail = answer["errors"][0]["detail"].as_str().unwrap();
        assert!(detail.contains(r#"-d '{"params":{"who":"VALUE"}}'"#), "{detail}");
        assert!(!detail.contains("-p "), "{detail}");
    }
    let body = r#"{"id": "w", "params": {"who": null}, "steps": [{"name": "a"}]}"#;
    let answer = daemon.post(execute, body).expect(422);
    let detail = answer["errors"][0]["detail"].as_str().unwrap();
    assert!(detail.contains("`params` of the workflow in the body"), "{detail}");
    daemon.stop();
}

#[test]
fn what_other_tools_call_a_command_leads_to_it() {
    let place = Place::new();
    for (word, command) in [
        ("run", "wfx exec"),
        ("log", "wfx logs"),
        ("ps", "wfx list"),
        ("stop", "wfx cancel"),
        ("cron", "wfx schedule next"),
        ("crontab", "wfx import crontab"),
    ] {
        place.run([word, "x"]).refused(2, &["unrecognized subcommand", word, command]);
    }
}
