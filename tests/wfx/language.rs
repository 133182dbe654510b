//! The language of workflows: typed parameters, keys of steps, exit codes, defaults of a folder.

use std::fs;
use std::process::Command;

use serde_json::{Value, json};

use crate::support::{Place, Ran, Running, processes_with, states, steps, until, with_stdin};

fn outputs(execution: &Value, step: &str) -> Value {
    steps(execution)[step]["outputs"].clone()
}

#[test]
fn parameters_are_checked_before_anything_is_stored() {
    let place = Place::new();
    let document = "params:\n  n: {type: int, min: 1, max: 9, default: 3}\n  env: {enum: [dev, prod]}\n  \
                    flag: {type: bool, default: false}\n  x: {type: number, default: 1.10}\nsteps:\n\
                    - {name: a, run: 'echo $WFX_PARAM_N $WFX_PARAM_ENV $WFX_PARAM_FLAG $WFX_PARAM_X'}\n";
    let file = place.write("w.yaml", document);
    let file = file.to_str().unwrap();
    place.run(["exec", file, "-p", "n=10", "-p", "env=prd", "-p", "flag=yes"]).refused(
        2,
        &[
            "the parameter `n` takes a whole number from 1 to 9, not `10`",
            "the parameter `env` takes one of `dev`, `prod`, not `prd`",
            "did you mean `prod`?",
            "the parameter `flag` takes `true` or `false`, not `yes`",
            "write `true`",
        ],
    );
    place.run(["exec", file]).refused(2, &["`env` is required", "-p env=VALUE", "`dev`"]);
    assert!(!place.database().exists());
    let more = ["-p", "n=9", "-p", "env=dev", "-p", "flag=true", "-p", "x=2.50"];
    let execution = place.exec_with(document, &more, 0);
    assert_eq!(steps(&execution)["a"]["stdout"], "9 dev true 2.50\n");
    let params = &execution["execution"]["input_snapshot"]["params"];
    assert_eq!(params["n"], 9);
    assert_eq!(params["flag"], true);
    // A replay takes the values as they were stored.
    let ran = place.run(["replay", "@1", "--format", "json"]);
    assert_eq!(steps(&ran.json())["a"]["stdout"], "9 dev true 2.50\n");
    place.write("bad.yaml", "params: {n: {type: int, default: x}}\nsteps: [{name: a}]");
    place.run(["validate", "bad.yaml"]).refused(2, &["bad.yaml:1:34", "a whole number"]);
}

#[test]
fn a_shell_of_the_workflow_or_the_step_gets_the_text() {
    let place = Place::new();
    let execution = place.exec(
        "shell: [bash, -euo, pipefail, -c]\nsteps:\n\
         - {name: a, run: 'a=(x y); echo \"${a[1]}\"', stdout: second}\n\
         - {name: b, run: 'false | true', depends_on: [], continue_on_error: true}\n\
         - {name: c, run: 'import sys; print(sys.version_info[0])', shell: [python3, -c], depends_on: []}\n\
         - {name: d, run: [sh, -c, 'false | true'], depends_on: []}\n\
         - {name: e, run: x, shell: [no-such-shell, -c], depends_on: [], continue_on_error: true}\n",
        0,
    );
    assert_eq!(states(&execution), ["a success", "b failed", "c success", "d success", "e failed"]);
    assert_eq!(outputs(&execution, "a"), json!({"second": "y"}));
    assert_eq!(steps(&execution)["c"]["stdout"], "3\n");
    let error = steps(&execution)["e"]["error"].as_str().unwrap().to_owned();
    assert_eq!(error, "cannot start `no-such-shell`: no such program");
    let words = format!(", {}", "x".repeat(100_000)).repeat(70);
    let document = format!("steps: [{{name: a, run: x, shell: [sh, -c{words}]}}]");
    let execution = place.exec(&document, 1);
    let error = steps(&execution)["a"]["error"].as_str().unwrap().to_owned();
    assert!(error.contains("so large arguments: 7000"), "{error}");
}

#[test]
fn exit_codes_decide_success_and_retries() {
    let place = Place::new();
    // The exit code of each attempt is the next line of a file.
    let next = |name: &str| {
        format!("read -r n < {name}; tail -n +2 {name} > {name}.new; mv {name}.new {name}; exit $n")
    };
    for (name, codes) in [("b", "75\n64\n0\n"), ("c", "75\n1\n0\n"), ("d", "1\n70\n0\n")] {
        place.write(name, codes);
    }
    let execution = place.exec(
        &format!(
            "steps:\n- {{name: a, run: exit 24, success_exit_codes: [0, '20-24']}}\n\
             - {{name: b, run: '{}', retry: {{max_attempts: 5, backoff: 1ms, on_exit_codes: [75, 64-70]}}}}\n\
             - {{name: c, run: '{}', continue_on_error: true, retry: {{max_attempts: 5, backoff: 1ms, on_exit_codes: [75]}}}}\n\
             - {{name: d, run: '{}', continue_on_error: true, retry: {{max_attempts: 5, backoff: 1ms, on_exit_codes: [75, 64-70]}}}}\n\
             - {{name: signal, run: 'kill -9 $$', continue_on_error: true, success_exit_codes: [0, 137], retry: {{max_attempts: 2, backoff: 1ms, on_exit_codes: [75]}}}}\n\
             - {{name: none, run: [no-such-program], continue_on_error: true, retry: {{max_attempts: 2, backoff: 1ms, on_exit_codes: [75]}}}}\n\
             - {{name: late, run: exec sleep 1000, timeout: 50ms, continue_on_error: true, retry: {{max_attempts: 2, backoff: 1ms, on_exit_codes: [75]}}}}\n\
             - {{name: once, run: exec sleep 1000, timeout: 50ms, continue_on_error: true, retry: {{max_attempts: 2, backoff: 1ms, on_timeout: false}}}}\n\
             - {{name: nap, sleep: 1000, timeout: 50ms, continue_on_error: true, retry: {{max_attempts: 2, backoff: 1ms, on_timeout: false}}}}\n\
             - {{name: zero, run: 'true', success_exit_codes: [3]}}\n",
            next("b"),
            next("c"),
            next("d")
        ),
        1,
    );
    let steps = steps(&execution);
    let of = |name: &str| {
        let step = &steps[name];
        (step["status"].as_str().unwrap(), step["attempt"].as_u64().unwrap())
    };
    assert_eq!(of("a"), ("success", 1));
    assert_eq!(steps["a"]["exit_code"], 24);
    assert_eq!(of("b"), ("success", 3));
    assert_eq!(of("c"), ("failed", 2));
    assert_eq!(of("d"), ("failed", 1));
    assert_eq!(of("signal"), ("failed", 2), "a signal is no exit code");
    assert_eq!(of("none"), ("failed", 1));
    assert_eq!(of("late"), ("failed", 2));
    assert_eq!(of("once"), ("failed", 1));
    assert_eq!(of("nap"), ("failed", 1));
    assert_eq!(of("zero"), ("failed", 1));
}

#[test]
fn a_step_is_asked_with_its_signal_and_killed_after_its_time() {
    let place = Place::new();
    let document = "id: w\nsteps:\n\
        - name: asked\n  run: \"trap 'echo had USR2; exit 3' USR2; trap '' TERM; echo begun; while :; do sleep 0.01; done\"\n  \
          stop_signal: USR2\n  stop_timeout: 1h\n\
        - name: deaf\n  depends_on: []\n  run: \"trap '' USR1; echo begun; while :; do sleep 0.01; done\"\n  \
          stop_signal: SIGUSR1\n  stop_timeout: 100ms\n";
    let file = place.write("w.yaml", document);
    let mut running = Running::start(place.wfx(["exec", "-v"]).arg(file));
    running.wait_for("begun");
    running.wait_for("begun");
    running.signal("TERM");
    assert_eq!(running.end().code, Some(143));
    let execution = place.show("@1");
    assert_eq!(states(&execution), ["asked cancelled", "deaf cancelled"]);
    assert_eq!(steps(&execution)["asked"]["exit_code"], 3);
    assert!(steps(&execution)["asked"]["stdout"].as_str().unwrap().contains("had USR2"));
    assert_eq!(steps(&execution)["deaf"]["exit_code"], 128 + 9);
    // A replay asks in the same way.
    let mut running = Running::start(&mut place.wfx(["replay", "@1", "-v"]));
    running.wait_for("begun");
    running.wait_for("begun");
    running.signal("TERM");
    running.wait_for("had USR2");
    assert_eq!(running.end().code, Some(143));
    assert_eq!(steps(&place.show("@2"))["asked"]["exit_code"], 3);
}

#[test]
fn a_timeout_kills_what_ignores_its_signal() {
    let place = Place::new();
    let execution = place.exec(
        "steps:\n- name: a\n  run: \"trap '' USR1; trap 'echo had TERM' TERM; while :; do sleep 0.01; done\"\n  \
         timeout: 200ms\n  stop_signal: USR1\n  stop_timeout: 0\n",
        1,
    );
    let step = &steps(&execution)["a"];
    assert_eq!((&step["exit_code"], &step["stdout"]), (&json!(137), &json!("")));
    assert_eq!(step["error"], "timed out after 200ms");
}

#[test]
fn a_second_signal_does_not_wait_for_the_stop_timeout() {
    let place = Place::new();
    let document = "steps: [{name: a, stop_timeout: 1h, run: \"trap 'echo asked' TERM; echo begun; while :; do sleep 0.01; done\"}]";
    let file = place.write("w.yaml", document);
    let mut running = Running::start(place.wfx(["exec", "-v"]).arg(file));
    running.wait_for("begun");
    running.signal("TERM");
    running.wait_for("asked");
    running.signal("TERM");
    assert_eq!(running.end().code, Some(143));
    assert_eq!(steps(&place.show("@1"))["a"]["exit_code"], 137);
}

#[test]
fn standard_output_and_lines_become_outputs() {
    let place = Place::new();
    let execution = place.exec(
        "steps:\n\
         - {name: a, run: \"printf 'one\\\\n$(id) \\\"x\\\"\\\\n\\\\n'; printf 'log<<END\\\\nl 1\\\\nl=2\\\\nEND\\\\n' > $WFX_OUTPUT\", stdout: text}\n\
         - {name: b, run: 'printf \"%s|%s\" \"$WFX_STEP_A_TEXT\" \"$WFX_STEP_A_LOG\"', stdout: both}\n\
         - {name: most, run: 'head -c 65536 /dev/zero | tr \"\\0\" x; echo', stdout: it}\n\
         - {name: long, run: 'head -c 65537 /dev/zero | tr \"\\0\" x', stdout: it, continue_on_error: true}\n\
         - {name: binary, run: 'printf \"a\\377\"', stdout: it, continue_on_error: true}\n\
         - {name: nul, run: 'printf \"a\\000\"', stdout: it, continue_on_error: true}\n\
         - {name: twice, run: 'echo 1; echo it=2 > $WFX_OUTPUT', stdout: it, continue_on_error: true, retry: {max_attempts: 3, backoff: 1ms, on_exit_codes: [1]}}\n\
         - {name: open, run: 'echo \"it<<END\" > $WFX_OUTPUT', continue_on_error: true}\n\
         - {name: failed, run: 'echo so far; exit 3', stdout: it, continue_on_error: true}\n\
         - {name: failed-long, run: 'echo k=v > $WFX_OUTPUT; head -c 65537 /dev/zero; exit 3', stdout: it, continue_on_error: true}\n\
         - {name: failed-bad, run: 'echo k > $WFX_OUTPUT; echo so far; exit 3', stdout: it, continue_on_error: true}\n",
        0,
    );
    assert_eq!(outputs(&execution, "a"), json!({"log": "l 1\nl=2", "text": "one\n$(id) \"x\"\n"}));
    assert_eq!(outputs(&execution, "b")["both"], "one\n$(id) \"x\"\n|l 1\nl=2");
    assert_eq!(outputs(&execution, "most")["it"].as_str().unwrap().len(), 65_536);
    let steps = steps(&execution);
    for (name, why) in [
        ("long", "it has 65537 bytes of at most 65536"),
        ("binary", "byte 1 is not UTF-8"),
        ("nul", "NUL"),
        ("twice", "rename one of them"),
        ("open", "no later line is \"END\""),
    ] {
        assert_eq!(steps[name]["status"], "failed", "{name}");
        assert_eq!(steps[name]["attempt"], 1, "{name}");
        assert_eq!(steps[name]["outputs"], json!({}), "{name}");
        let error = steps[name]["error"].as_str().unwrap();
        assert!(error.contains(why), "{name}: {error}");
    }
    assert_eq!(steps["failed"]["error"], "exit code 3");
    assert_eq!(steps["failed"]["outputs"], json!({"it": "so far"}));
    // What can be read is kept, whichever of the two it is.
    assert_eq!(steps["failed-long"]["outputs"], json!({"k": "v"}));
    assert_eq!(steps["failed-bad"]["outputs"], json!({"it": "so far"}));
}

#[test]
fn files_of_variables_are_data_below_env() {
    let place = Place::new();
    place.write(
        "a.env",
        "export A='$(id) `id`'\nB=file # comment\nC=\"x\\ny\"\nPATH_LIKE=~/x\nD=1\n",
    );
    place.write("b.env", "D=2\nE=file\n");
    let show = "printf '%s|' \"$A\" \"$B\" \"$C\" \"$PATH_LIKE\" \"$D\" \"$E\"";
    let document = format!(
        "env: {{B: workflow}}\nsteps:\n- name: a\n  run: {show}\n  env: {{E: step}}\n  \
         env_file: [a.env, b.env]\n  cwd: home\n- {{name: b, run: 'echo ${{D-unset}}'}}\n"
    );
    let execution = place.exec(&document, 0);
    assert_eq!(steps(&execution)["a"]["stdout"], "$(id) `id`|workflow|x\ny|~/x|2|step|");
    assert_eq!(steps(&execution)["b"]["stdout"], "unset\n");
    // They are read again by a replay, and are not stored.
    place.write("b.env", "D=3\n");
    let again = place.run(["replay", "@1", "--format", "json"]).json();
    assert!(steps(&again)["a"]["stdout"].as_str().unwrap().ends_with("|3|step|"));
    assert!(!execution.to_string().contains("PATH_LIKE=~"));

    place.write("bad.env", "A=1\nsecret\n");
    place.write("large.env", "#".repeat((1 << 20) + 1));
    place.write("binary.env", b"A=\xff");
    assert!(Command::new("mkfifo").arg(place.path("pipe.env")).status().unwrap().success());
    let cases = [
        ("none.env", "No such file"),
        ("bad.env", "line 2: it is not `NAME=VALUE`"),
        ("large.env", "longer than 1048576 bytes"),
        ("binary.env", "line 1: it is not UTF-8"),
        ("pipe.env", "named pipe"),
        ("home", "directory"),
        ("/dev/zero", "longer than"),
    ];
    let list: String = (cases.iter().enumerate())
        .map(|(index, (file, _))| {
            format!("- {{name: s{index}, run: touch ran, env_file: {file}, depends_on: [], continue_on_error: true}}\n")
        })
        .collect();
    let execution = place.exec(&format!("steps:\n{list}"), 0);
    for (index, (file, why)) in cases.iter().enumerate() {
        let step = &steps(&execution)[&format!("s{index}")];
        assert_eq!(step["status"], "failed", "{file}");
        let error = step["error"].as_str().unwrap();
        assert!(error.contains(file) && error.contains(why), "{error}");
        assert!(!error.contains("secret"), "{error}");
    }
    assert!(!place.path("ran").exists());
}

#[test]
fn a_title_is_shown_instead_of_the_name() {
    let place = Place::new();
    let document = "steps:\n- {name: one, title: \"Say \\e[2J hello\", run: echo hi; exit 1, retry: {max_attempts: 2, backoff: 1ms}}\n- {name: two, title: \"Say \\e[2J hello\", depends_on: [], run: echo there}\non_exit: [{name: last, title: Tidy up, run: exit 3}]\n";
    let file = place.write("w.yaml", document);
    let ran = Ran::of(place.wfx(["exec", "-v"]).arg(file));
    assert_eq!(ran.code, Some(1), "{ran:?}");
    assert!(ran.stderr.contains("Tidy up started") && ran.stderr.contains("Tidy up failed"));
    assert!(ran.stderr.contains("Say \\u{1b}[2J hello started"), "{ran:?}");
    assert!(ran.stderr.contains("Say \\u{1b}[2J hello │ hi"), "{ran:?}");
    assert!(ran.stderr.contains("Say \\u{1b}[2J hello attempt 1 of 2 failed"), "{ran:?}");
    assert!(ran.stderr.contains("Say \\u{1b}[2J hello success"), "{ran:?}");
    let shown = place.run(["show", "@1"]);
    // In the table, in the timeline, and with the name above its output.
    assert_eq!(shown.stdout.matches("Say \\u{1b}[2J hello").count(), 6, "{}", shown.stdout);
    assert!(shown.stdout.contains("Say \\u{1b}[2J hello one\n"), "{}", shown.stdout);
    assert!(!shown.stdout.contains('\u{1b}') && !ran.stderr.contains('\u{1b}'));
    assert_eq!(states(&place.show("@1")), ["one failed", "two success"]);
    let document =
        "steps: [{name: one}]\non_exit: [{name: two, title: Tidy up, run: echo done; exit 1}]";
    let file = place.write("w.yaml", document);
    let ran = Ran::of(place.wfx(["exec"]).arg(file));
    assert_eq!(ran.code, Some(0), "{ran:?}");
    for line in ["Tidy up started", "✗ Tidy up failed", "Tidy up │ done"] {
        assert!(ran.stderr.contains(line), "no {line:?} in {ran:?}");
    }
    assert!(!ran.stderr.contains(" two "), "{ran:?}");
}

#[test]
fn defaults_of_a_folder_are_in_the_snapshot() {
    let place = Place::new();
    fs::create_dir(place.path("flows")).unwrap();
    place.write("flows/_defaults.yaml", "env: {A: folder, B: folder}\nshell: [bash, -c]\n");
    place.write(
        "flows/w.yaml",
        "env: {B: own}\nsteps: [{name: a, run: 'echo $A $B ${BASH_VERSION:+bash}'}]",
    );
    place.write(
        "flows/own.yaml",
        "env: {A: x, B: x}\nshell: [sh, -c]\nsteps: [{name: a, run: 'echo $A'}]",
    );
    let ran = place.run(["exec", "flows/w.yaml", "--format", "json"]);
    let execution = ran.json();
    assert_eq!(steps(&execution)["a"]["stdout"], "folder own bash\n", "{ran:?}");
    let snapshot = &execution["execution"]["input_snapshot"];
    assert_eq!(snapshot["definition"]["env"], json!({"B": "own", "A": "folder"}));
    let defaults = json!({"file": "flows/_defaults.yaml", "set": ["/env/A", "/shell"]});
    assert_eq!(snapshot["defaults"], defaults);
    let shown = place.run(["show", "@1", "--source"]).stdout;
    for line in [
        "  env A = folder  from flows/_defaults.yaml\n",
        "  env B = own  from the workflow\n",
        "  shell = [\"bash\",\"-c\"]  from flows/_defaults.yaml\n",
    ] {
        assert!(shown.contains(line), "no {line:?} in {shown}");
    }
    // Of standard input, and from another folder, there are none.
    let document = b"id: w\nsteps: [{name: a, run: 'echo ${A-none}'}]";
    let ran = with_stdin(&mut place.wfx(["exec", "-", "--format", "json"]), document);
    assert_eq!(steps(&ran.json())["a"]["stdout"], "none\n");
    // A replay has what was stored, whatever the file says now.
    place.write("flows/_defaults.yaml", "env: {A: changed}");
    let again = place.run(["replay", "@1", "--format", "json"]).json();
    assert_eq!(steps(&again)["a"]["stdout"], "folder own bash\n");
    assert_eq!(again["execution"]["input_snapshot"]["defaults"], defaults);

    let ran = place.run(["validate", "flows"]);
    assert_eq!(ran.code, Some(0), "{ran:?}");
    for line in [
        "flows/_defaults.yaml: ok, defaults for the workflows of its folder: env/A\n",
        "flows/own.yaml: ok, workflow own with 1 step\nflows/w.yaml",
        "flows/w.yaml: ok, workflow w with 1 step\n  env/A: from flows/_defaults.yaml\n",
    ] {
        assert!(ran.stdout.contains(line), "no {line:?} in {}", ran.stdout);
    }
    let ran = place.run(["validate", "--format", "json", "flows/w.yaml"]);
    assert_eq!(ran.json()[0]["defaults"]["set"], json!(["/env/A"]));

    let all = "timezone: Europe/Berlin\nexpect: {finish_within: 1h}\nshell: [sh, -c]
blackout: [{cron: '0 0 * * SAT', for: 1d}]\noutput_limit: 1MiB\n";
    place.write("flows/_defaults.yaml", all);
    let said = place.run(["validate", "flows/_defaults.yaml"]).stdout;
    let keys = "shell, output_limit, timezone, blackout, expect\n";
    assert!(said.ends_with(keys), "{said}");

    place.write("flows/_defaults.yaml", "env: {A: 1}\nshel: [x]\n");
    place.write("flows/bad.yaml", "steps: [{name: a, runn: x}]");
    let both = ["flows/_defaults.yaml:2:1", "did you mean `shell`?", "flows/bad.yaml:1:19"];
    place.run(["exec", "flows/bad.yaml"]).refused(2, &both);
    place.run(["validate", "flows/bad.yaml"]).refused(2, &both);
    place.run(["validate", "flows"]).refused(2, &both);
    place.run(["exec", "flows/w.yaml"]).refused(2, &both[..2]);
    place.run(["exec", "flows/_defaults.yaml"]).refused(2, &["is no workflow"]);
    fs::remove_file(place.path("flows/_defaults.yaml")).unwrap();
    std::os::unix::fs::symlink("nowhere", place.path("flows/_defaults.yaml")).unwrap();
    place.run(["exec", "flows/w.yaml"]).refused(2, &["flows/_defaults.yaml", "No such file"]);
    place.run(["validate", "flows/w.yaml"]).refused(2, &["flows/_defaults.yaml", "No such file"]);
    assert_eq!(place.list()["total"], 3, "nothing was stored");
}

#[test]
fn defaults_of_another_user_are_refused() {
    let place = Place::new();
    let file = place.write("_defaults.yaml", "env: {LD_PRELOAD: /tmp/x.so}");
    place.write("w.yaml", "steps: [{name: a}]");
    // Only root can give a file away.
    if std::os::unix::fs::chown(&file, Some(65_534), None).is_err() {
        return;
    }
    place.run(["exec", "w.yaml"]).refused(2, &["user 65534", "folder of your own"]);
    place.run(["validate", "w.yaml"]).refused(2, &["user 65534"]);
    place.run(["validate", "."]).refused(2, &["user 65534"]);
    let ran = place.run(["validate", "--format", "json", "."]);
    assert_eq!(ran.code, Some(2), "{ran:?}");
    std::os::unix::fs::chown(place.path("w.yaml"), Some(65_534), None).unwrap();
    assert_eq!(place.run(["exec", "w.yaml"]).code, Some(0), "both are his");
    assert_eq!(place.run(["validate", "."]).code, Some(0), "both are his");
    // A link of his to a file of ours chooses what is read.
    fs::remove_file(&file).unwrap();
    place.write("w.yaml.new", "steps: [{name: a}]");
    fs::rename(place.path("w.yaml.new"), place.path("w.yaml")).unwrap();
    place.write("other.yml", "env: {A: 1}");
    std::os::unix::fs::symlink("other.yml", &file).unwrap();
    assert_eq!(place.run(["exec", "w.yaml"]).code, Some(0), "both are ours");
    std::os::unix::fs::lchown(&file, Some(65_534), None).unwrap();
    place.run(["exec", "w.yaml"]).refused(2, &["user 65534"]);
}

#[test]
fn a_daemon_reloads_defaults_and_checks_parameters() {
    let place = Place::new();
    fs::create_dir(place.path("flows")).unwrap();
    place.write(
        "flows/w.yaml",
        "params: {n: {type: int, max: 9, default: 1}}\nsteps: [{name: a, run: 'echo ${A-none} $WFX_PARAM_N', stdout: it}]",
    );
    place.write("flows/_defaults.yaml", "env: {A: [1]}");
    let daemon = crate::daemon::Daemon::start(&place, &["--workflows", "flows"]);
    let execute = "/api/v1/workflows/w/execute";
    let result = |body: &str| {
        let done = daemon.post(&format!("{execute}?wait=30s"), body);
        (done.status, steps(&done.json())["a"]["outputs"]["it"].clone())
    };
    // Without what they set it would run as nobody wrote it.
    let list = daemon.get("/api/v1/workflows").expect(200);
    let problem = list["items"][0]["problem"].as_str().unwrap();
    let expected = "the `_defaults.yaml` of its folder cannot be used: flows/_defaults.yaml:1:10";
    assert!(problem.starts_with(expected), "{problem}");
    assert_eq!(daemon.post(execute, "").status, 404);
    place.write("flows/_defaults.yaml", "env: {A: one}");
    until("it is loaded", || daemon.post(execute, "").status == 200);
    assert_eq!(result(""), (200, json!("one 1")));
    assert_eq!(result(r#"{"params": {"n": 9}}"#), (200, json!("one 9")));
    for (body, detail) in [
        (r#"{"params": {"n": 10}}"#, "of at most 9, not `10`"),
        (r#"{"params": {"n": "9"}}"#, "without quotes"),
        (r#"{"params": {"n": 1.5}}"#, "a whole number"),
    ] {
        let refused = daemon.post(execute, body).expect(422);
        assert_eq!(refused["errors"][0]["pointer"], "/params/n", "{refused}");
        assert!(refused.to_string().contains(detail), "{refused}");
    }
    place.write("flows/_defaults.yaml", "env: {A: two}");
    until("it is reloaded", || result("").1 == "two 1");
    let shown = daemon.get("/api/v1/workflows/w").expect(200);
    assert_eq!(shown["definition"]["env"]["A"], "two");
    assert_eq!(shown["defaults"], json!({"file": "flows/_defaults.yaml", "set": ["/env/A"]}));
    // The last good version stays; a broken one counts as a broken file.
    place.write("flows/_defaults.yaml", "env: {A: three");
    let broken = "wfx_workflow_files{state=\"broken\"} 1\n";
    until("it is broken", || daemon.get("/metrics").body.contains(broken));
    assert_eq!(result("").1, "two 1");
    fs::remove_file(place.path("flows/_defaults.yaml")).unwrap();
    until("it is gone", || result("").1 == "none 1");
    assert_eq!(daemon.get("/api/v1/workflows").expect(200)["total"], 1);
    daemon.stop();
}

#[test]
fn a_drain_does_not_wait_for_a_long_stop_timeout() {
    let place = Place::new();
    fs::create_dir(place.path("flows")).unwrap();
    place.write(
        "flows/w.yaml",
        "steps: [{name: a, stop_timeout: 1h, run: \"trap '' TERM; touch begun; while :; do sleep 0.01; done\"}]",
    );
    let args = ["--workflows", "flows", "--drain-timeout", "0s"];
    let daemon = crate::daemon::Daemon::start(&place, &args);
    let id = daemon.post("/api/v1/workflows/w/execute", "").expect(200);
    let id = id["execution_id"].as_str().unwrap().to_owned();
    until("it runs", || place.path("begun").exists());
    daemon.stop();
    assert_eq!(processes_with(&format!("WFX_EXECUTION_ID={id}")), [] as [u32; 0]);
}

#[test]
fn what_waits_for_a_file_of_variables_ends_at_once() {
    let place = Place::new();
    // A file that hangs: a pipe whose other end says nothing.
    let document = |timeout: &str| {
        format!(
            "id: w\nsteps:\n- {{name: first, run: 'echo begun'}}\n\
             - {{name: a, run: touch ran, env_file: /dev/stdin{timeout}}}\n"
        )
    };
    let timed = place
        .write("timed.yaml", document(", timeout: 50ms, retry: {max_attempts: 2, backoff: 1ms}"));
    let (reader, writer) = std::io::pipe().unwrap();
    let ran = Ran::of(place.wfx(["exec"]).arg(timed).stdin(reader.try_clone().unwrap()));
    assert_eq!(ran.code, Some(1), "{ran:?}");
    let step = &steps(&place.show("@1"))["a"];
    assert_eq!(step["error"], "timed out after 50ms while its env_file was read");
    assert_eq!(step["attempt"], 2);

    let file = place.write("w.yaml", document(""));
    let mut running = Running::start(place.wfx(["exec", "-v"]).arg(file).stdin(reader));
    running.wait_for("first success");
    running.signal("TERM");
    assert_eq!(running.end().code, Some(143));
    assert_eq!(states(&place.show("@2")), ["first success", "a cancelled"]);
    assert!(!place.path("ran").exists());
    drop(writer);
}

#[test]
fn a_file_of_variables_does_not_say_how_the_execution_ended() {
    let place = Place::new();
    place.write("own.env", "WFX_STATUS=success\n");
    let execution = place.exec(
        "steps: [{name: a, run: 'echo $WFX_STATUS', env_file: own.env}]\n\
         on_exit: [{name: b, run: touch ran, env_file: own.env}]\n",
        0,
    );
    assert_eq!(steps(&execution)["a"]["stdout"], "success\n");
    let error = execution["handlers"][0]["error"].as_str().unwrap();
    assert!(error.contains("`WFX_STATUS`, which wfx sets itself for handlers"), "{error}");
    assert!(!place.path("ran").exists());
}
