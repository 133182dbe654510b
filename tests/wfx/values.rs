//! Parameters, outputs and the environment: values are never read as code.

use crate::support::{Place, steps};

/// Everything that a shell would like to make something of.
const NASTY: &str =
    "a'b\"c $(touch pwned) `touch pwned` ; touch pwned & | > x\n\u{1F980} \\ * ~ $HOME\t\u{1b}[31m";

#[test]
fn a_parameter_is_data_whatever_it_looks_like() {
    let place = Place::new();
    let file = place.write(
        "w.yaml",
        "params: {text: null, other-name: 1.10}\nsteps: [{name: a, run: 'printf %s \"$WFX_PARAM_TEXT\" > got; printf %s \"$WFX_PARAM_OTHER_NAME\" > other'}]",
    );
    let ran = place.run([
        "exec".as_ref(),
        file.as_os_str(),
        "-p".as_ref(),
        format!("text={NASTY}").as_ref(),
    ]);
    assert_eq!(ran.code, Some(0), "{ran:?}");
    assert_eq!(place.read("got"), NASTY);
    assert_eq!(place.read("other"), "1.10");
    assert!(!place.path("pwned").exists());
    // Kept as it was, and a replay hands it on again.
    std::fs::remove_file(place.path("got")).unwrap();
    assert_eq!(place.run(["replay", "@latest"]).code, Some(0));
    assert_eq!(place.read("got"), NASTY);
    assert!(!place.path("pwned").exists());
}

#[test]
fn outputs_reach_every_later_step() {
    let place = Place::new();
    let execution = place.exec(
        "steps:
- {name: give-it, run: 'printf \"path=%s\\nempty=\\n\" \"$NASTY\" > $WFX_OUTPUT', env: {NASTY: \"x'y $(touch pwned) = \\u2603\"}}
- {name: between}
- {name: take, run: 'printf %s \"$WFX_STEP_GIVE_IT_PATH\" > got; test -z \"$WFX_STEP_GIVE_IT_EMPTY\" && test \"${WFX_STEP_GIVE_IT_EMPTY+set}\" = set'}
",
        0,
    );
    assert_eq!(place.read("got"), "x'y $(touch pwned) = \u{2603}");
    assert!(!place.path("pwned").exists());
    assert_eq!(steps(&execution)["give-it"]["outputs"]["path"], "x'y $(touch pwned) = \u{2603}");
}

#[test]
fn only_steps_that_one_depends_on_reach_it() {
    let place = Place::new();
    place.exec(
        "max_parallel: 1
steps:
- {name: a, depends_on: [], run: 'echo k=v > $WFX_OUTPUT'}
- {name: b, depends_on: [], run: 'test -z \"${WFX_STEP_A_K+set}\" && test -z \"${WFX_STATUS_A+set}\"'}
",
        0,
    );
}

#[test]
fn bad_outputs_fail_the_step_with_a_reason() {
    let place = Place::new();
    for (line, told) in [
        ("echo nonsense > $WFX_OUTPUT", "nonsense"),
        ("echo 1x=y > $WFX_OUTPUT", "1x"),
        ("echo =y > $WFX_OUTPUT", "="),
        ("printf 'k=\\377\\n' > $WFX_OUTPUT", "UTF-8"),
        ("(printf k=; head -c 70000 /dev/zero | tr '\\\\0' x) > $WFX_OUTPUT", "65536"),
        ("rm $WFX_OUTPUT; mkdir $WFX_OUTPUT", "WFX_OUTPUT"),
    ] {
        let line = line.replace("\\\\", "\\");
        let document = format!("steps:\n- name: a\n  run: |\n    {line}\n");
        let execution = place.exec(&document, 1);
        let error = steps(&execution)["a"]["error"].as_str().unwrap().to_owned();
        assert!(error.contains(told) || error.contains("64 KiB"), "{line}: {error}");
    }
}

#[test]
fn two_outputs_under_one_name_fail_the_step_that_gets_them() {
    let place = Place::new();
    let execution = place.exec(
        "steps:
- {name: a, depends_on: [], run: 'echo b_c=1 > $WFX_OUTPUT'}
- {name: a-b, depends_on: [], run: 'echo c=2 > $WFX_OUTPUT'}
- {name: last, depends_on: [a, a-b], run: 'true'}
",
        1,
    );
    let error = steps(&execution)["last"]["error"].as_str().unwrap().to_owned();
    assert!(
        error.contains("WFX_STEP_A_B_C") && error.contains("`a`") && error.contains("`a-b`"),
        "{error}"
    );
}

#[test]
fn steps_inherit_all_but_secrets_and_reserved_names() {
    let place = Place::new();
    let file = place.write("w.yaml", "id: env\nenv: {A: of-workflow, B: of-workflow}\nsteps: [{name: a, run: env > got, env: {B: of-step}}]");
    let mut command = place.wfx(["exec"]);
    command
        .arg(file)
        .env("INHERITED", "yes")
        .env("WFX_TOKEN", "secret-1")
        .env("SLO_ALERT_WEBHOOK_URL", "https://example.invalid/secret-2")
        .env("WFX_PARAM_X", "forged")
        .env("WFX_STATUS_A", "forged");
    assert!(command.status().unwrap().success());
    let got = place.read("got");
    for line in [
        "INHERITED=yes",
        "A=of-workflow",
        "B=of-step",
        "WFX_WORKFLOW_ID=env",
        "WFX_STEP_NAME=a",
        "WFX_ATTEMPT=1",
    ] {
        assert!(got.lines().any(|l| l == line), "{line} is not in\n{got}");
    }
    assert!(!got.contains("secret") && !got.contains("forged"), "{got}");
    // Nothing of the inherited environment is stored.
    let dump = place.sql("SELECT group_concat(input_snapshot) FROM workflow_executions");
    assert!(!dump.contains("INHERITED"), "{dump}");
}

#[test]
fn an_environment_that_the_system_refuses_names_the_largest_values() {
    let place = Place::new();
    let value = "x".repeat(131_000);
    let env: String = (0..40).map(|n| format!("  V{n}: {value}\n")).collect();
    let execution = place.exec(&format!("env:\n{env}steps: [{{name: a, run: 'true'}}]"), 1);
    let error = steps(&execution)["a"]["error"].as_str().unwrap().to_owned();
    assert!(error.contains("V39"), "{error}");
    assert!(error.contains("bytes"), "{error}");
}

#[test]
fn parameters_that_do_not_fit_store_nothing() {
    let place = Place::new();
    let file = place.write("w.yaml", "params: {needed: null, count: 1}\nsteps: [{name: a}]");
    let exec = |params: &[&str]| {
        let mut command = place.wfx(["exec"]);
        command.arg(&file);
        for param in params {
            command.args(["-p", param]);
        }
        crate::support::Ran::of(&mut command)
    };
    exec(&[]).refused(2, &["`needed` is required", "-p needed=VALUE"]);
    exec(&["nedeed=1"]).refused(2, &["did you mean `needed`?", "is required"]);
    exec(&["needed"]).refused(2, &["NAME=VALUE"]);
    let long = format!("needed={}", "x".repeat(131_060));
    exec(&[&long]).refused(2, &["131071"]);
    assert!(!place.database().exists());
}
