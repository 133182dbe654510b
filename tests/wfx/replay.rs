//! Replays of a part: what runs again, what is reused, and what becomes of the output of that.

use std::fs;

use serde_json::{Value, json};

use crate::support::{Place, Ran, Running, root, states, steps, with_stdin};

/// Each step notes that it ran. `load` fails until there is a file `fixed`; what is odd of the
/// outputs is on purpose.
const ETL: &str = r#"id: etl
params: {day: monday}
env: {LOG: ran}
steps:
- name: extract
  run: |
    echo extract >> $LOG; echo "rows of $WFX_PARAM_DAY"; echo "a line" >&2
    printf 'odd=  "$(id)" '"'"'é\t\\n;  \nempty=\nlong=%0500d\n' 7 >> $WFX_OUTPUT
- name: clean
  run: echo clean >> $LOG; exit 3
  continue_on_error: true
- name: load
  run: echo load >> $LOG; printf '[%s]' "$WFX_STEP_EXTRACT_ODD" "${WFX_STEP_EXTRACT_EMPTY?}" "$WFX_STEP_EXTRACT_LONG" "$WFX_STATUS_CLEAN" > seen.$WFX_EXECUTION_ID; test -e fixed
- name: report
  run: echo report >> $LOG; echo done
- name: apart
  depends_on: []
  run: echo apart >> $LOG; test $WFX_ATTEMPT = 2
  retry: {max_attempts: 2, backoff: 1ms}
"#;

/// Which steps ran since the last look, in the order of their names.
fn ran(place: &Place) -> Vec<String> {
    let text = fs::read_to_string(place.path("ran")).unwrap_or_default();
    let _ = fs::remove_file(place.path("ran"));
    let mut ran: Vec<String> = text.lines().map(str::to_owned).collect();
    ran.sort();
    ran
}

fn id(execution: &Value) -> String {
    execution["execution"]["execution_id"].as_str().unwrap().to_owned()
}

/// `name` of each step that is reused.
fn reused(execution: &Value) -> Vec<&str> {
    let steps = execution["steps"].as_array().unwrap().iter();
    let reused = steps.filter(|step| !step["reused_from"].is_null());
    reused.map(|step| step["name"].as_str().unwrap()).collect()
}

/// `name action` of each step of a plan.
fn planned(plan: &Value) -> Vec<String> {
    let steps = plan["steps"].as_array().unwrap().iter();
    steps
        .map(|step| {
            assert!(!step["reason"].as_str().unwrap().is_empty());
            format!("{} {}", step["name"].as_str().unwrap(), step["action"].as_str().unwrap())
        })
        .collect()
}

#[track_caller]
fn json_of(place: &Place, args: &[&str], code: i32) -> Value {
    let mut command = place.wfx(args);
    let ran = Ran::of(command.args(["--format", "json"]));
    assert_eq!(ran.code, Some(code), "{ran:?}");
    ran.json()
}

/// The fields of a step that say how it ended.
fn end(step: &Value) -> Vec<&Value> {
    let fields = [
        "status",
        "started_at",
        "completed_at",
        "duration_ms",
        "attempt",
        "exit_code",
        "error",
        "outputs",
        "stdout",
        "stdout_bytes",
        "stderr",
        "stderr_bytes",
    ];
    fields.iter().map(|field| &step[field]).collect()
}

/// Everything that is stored.
fn rows(place: &Place) -> String {
    place.sql(
        "SELECT (SELECT count(*) FROM workflow_executions), \
         (SELECT count(*) FROM workflow_execution_steps), \
         (SELECT count(*) FROM workflow_execution_attempts), \
         (SELECT max(updated_at) FROM workflow_executions)",
    )
}

#[test]
fn a_retry_goes_on_where_it_failed() {
    let place = Place::new();
    let first = place.exec(ETL, 1);
    assert_eq!(ran(&place), ["apart", "apart", "clean", "extract", "load"]);
    place.write("fixed", "");
    let second = json_of(&place, &["retry", "@1"], 0);
    assert_eq!(ran(&place), ["load", "report"]);
    assert_eq!(
        states(&second),
        ["extract success", "clean failed", "load success", "report success", "apart success"]
    );
    assert_eq!(reused(&second), ["extract", "clean", "apart"]);
    let (before, now) = (steps(&first), steps(&second));
    for name in ["extract", "clean", "apart"] {
        assert_eq!(end(&now[name]), end(&before[name]), "{name}");
        assert_eq!(now[name]["reused_from"], id(&first).as_str());
        assert_eq!(now[name]["reused_from_seq"], 1);
        assert_eq!(now[name]["output_note"], json!(null));
    }
    assert_eq!(now["extract"]["stdout"], "rows of monday\n");
    assert_eq!(now["apart"]["attempt"], 2);
    assert_eq!(now["load"]["reused_from"], json!(null));
    assert_eq!(second["execution"]["steps_completed"], 5);
    assert_eq!(second["execution"]["replay_of"], id(&first).as_str());
    // What reached the next step is the same, byte for byte.
    let seen = |execution: &Value| fs::read(place.path(&format!("seen.{}", id(execution))));
    assert_eq!(seen(&first).unwrap(), seen(&second).unwrap());
    // The original stays as it was, and all commands say the same.
    assert_eq!(place.show("@1"), first);
    assert_eq!(place.show("@2"), second);
    assert_eq!(json_of(&place, &["replay", "@1", "--failed"], 0)["steps"][0], second["steps"][0]);
    assert_eq!(ran(&place), ["load", "report"]);
}

#[test]
fn from_runs_a_step_and_all_downstream() {
    let place = Place::new();
    place.write("fixed", "");
    place.exec(ETL, 0);
    ran(&place);
    let again = json_of(&place, &["replay", "@1", "--from", "load"], 0);
    assert_eq!(ran(&place), ["load", "report"]);
    assert_eq!(reused(&again), ["extract", "clean", "apart"]);
    let both = ["retry", "@1", "--from", "report", "--from", "apart"];
    json_of(&place, &both, 0);
    assert_eq!(ran(&place), ["apart", "apart", "report"]);
    // Neither: everything.
    assert!(reused(&json_of(&place, &["replay", "@2"], 0)).is_empty());
    assert_eq!(ran(&place).len(), 6);
}

#[test]
fn a_dry_run_shows_the_plan_in_every_format_and_stores_nothing() {
    let place = Place::new();
    place.exec(ETL, 1);
    ran(&place);
    let before = rows(&place);
    let plan = json_of(&place, &["retry", "@1", "--dry-run"], 0);
    let expected = ["extract reuse", "clean reuse", "load run", "report run", "apart reuse"]
        .map(str::to_owned);
    assert_eq!(planned(&plan), expected);
    assert_eq!(plan["steps"][2]["reason"], "it failed in @1");
    let plan = json_of(&place, &["replay", "@1", "--dry-run"], 0);
    assert!(planned(&plan).iter().all(|step| step.ends_with(" run")), "{plan}");
    for format in ["table", "plain", "jsonl"] {
        let shown = place.run(["retry", "@1", "--dry-run", "--format", format]);
        assert_eq!(shown.code, Some(0), "{shown:?}");
        for text in ["extract", "reuse", "it succeeded in @1", "`continue_on_error` tolerates"] {
            assert!(shown.stdout.contains(text), "{format}: {shown:?}");
        }
    }
    let plain = place.run(["retry", "@1", "--dry-run", "--format", "plain"]).stdout;
    assert_eq!(plain.lines().next(), Some("extract\treuse\tit succeeded in @1"));
    assert_eq!(rows(&place), before);
    assert!(ran(&place).is_empty());
}

#[test]
fn output_is_read_where_a_step_ran_and_deleted_with_that() {
    let place = Place::new();
    let first = place.exec(ETL, 1);
    json_of(&place, &["retry", "@1"], 1);
    place.write("fixed", "");
    // A replay of a replay.
    let third = json_of(&place, &["retry", "@2"], 0);
    let step = &steps(&third)["extract"];
    assert_eq!((&step["reused_from"], &step["reused_from_seq"]), (&json!(id(&first)), &json!(1)));
    assert_eq!(step["stdout"], "rows of monday\n");
    // Where it was replayed in between makes no difference.
    place.sql("DELETE FROM workflow_executions WHERE seq = 2");
    assert_eq!(place.show("@3"), third);
    let shown = place.run(["show", "@3"]).stdout;
    for text in ["rows of monday", "reused from @1", "reused 3 steps"] {
        assert!(shown.contains(text), "{text}: {shown}");
    }
    // The failed attempt of a step that was tried twice is shown where it is reused.
    assert!(shown.contains("attempt 1"), "{shown}");

    place.sql("DELETE FROM workflow_executions WHERE seq = 1");
    let shown = place.run(["show", "@3"]).stdout;
    assert!(shown.contains("output was deleted with @1"), "{shown}");
    // Of `clean` there never was any.
    assert_eq!(shown.matches("output was deleted").count(), 2, "{shown}");
    let after = steps(&place.show("@3"));
    assert_eq!(after["extract"]["output_note"], "output was deleted with @1");
    assert_eq!(
        (&after["extract"]["stdout"], &after["extract"]["stdout_bytes"]),
        (&json!(""), &json!(0))
    );
    assert_eq!(after["extract"]["outputs"], step["outputs"]);
    // It never wrote anything, and what ran here is still there.
    assert_eq!(after["clean"]["output_note"], json!(null));
    assert_eq!(after["report"]["stdout"], "done\n");
    let none = place.run(["show", "@3", "--output", "none"]).stdout;
    assert!(!none.contains("output was deleted"), "{none}");
    let fourth = json_of(&place, &["replay", "@3", "--from", "report"], 0);
    assert_eq!(steps(&fourth)["extract"]["output_note"], "output was deleted with @1");
    assert_eq!(steps(&fourth)["load"]["reused_from_seq"], 3);
}

#[test]
fn reused_steps_are_marked_and_stretch_no_axis() {
    let place = Place::new();
    place.exec(
        "steps: [{name: a, sleep: 1ms}, {name: b, run: 'test -e go'}, {name: c, depends_on: [], run: 'sleep 1.2'}]",
        1,
    );
    place.write("go", "");
    json_of(&place, &["retry", "@1"], 0);
    let mut show = place.wfx(["show", "@2", "--output", "none"]);
    let shown = Ran::of(show.env("COLUMNS", "80")).stdout;
    let timeline = shown.split("timeline\n").nth(1).unwrap();
    let lines: Vec<&str> = timeline.lines().take(4).collect();
    assert!(lines[0].trim_end().ends_with(" ms"), "{shown}");
    assert!(lines[1].ends_with("a  reused from @1"), "{shown}");
    assert!(lines[3].ends_with("c  reused from @1"), "{shown}");
    let plain = place.run(["show", "@2", "--format", "plain"]).stdout;
    let fields: Vec<&str> = plain.lines().nth(1).unwrap().split('\t').collect();
    assert_eq!((fields.len(), fields[7]), (8, "reused from @1"), "{plain}");
    assert_eq!(plain.lines().nth(2).unwrap().split('\t').count(), 7, "{plain}");
    // Beside the data it is said as well.
    let retried = place.run(["retry", "@1"]);
    assert!(retried.stderr.contains("2 of 3 steps are reused from @1"), "{retried:?}");
    assert!(retried.stderr.contains("3 steps, 2 of them reused"), "{retried:?}");
}

#[test]
fn steps_that_are_reused_are_measured_once() {
    let place = Place::new();
    place.exec(
        "id: w\nsteps: [{name: long, sleep: 2ms}, {name: work, run: 'true'}, {name: end, run: 'test -e go'}]",
        1,
    );
    place.write("go", "");
    json_of(&place, &["retry", "@1"], 0);
    for _ in 0..3 {
        json_of(&place, &["replay", "@2", "--from", "end"], 0);
    }
    let shown = place.run(["perf-check", "--steps", "--update-baseline", "--baseline", "b.json"]);
    for told in ["STEP w/end: 4 samples", "STEP w/long: 1 samples", "STEP w/work: 1 samples"] {
        assert!(shown.stdout.contains(told), "{told}: {shown:?}");
    }
}

#[test]
fn parameters_are_replaced_and_reused_steps_keep_the_old_values() {
    let place = Place::new();
    place.exec(
        "params: {day: monday, more: 1.10}\nsteps: [{name: a, run: 'echo $WFX_PARAM_DAY'}, \
         {name: b, run: 'echo $WFX_PARAM_DAY $WFX_PARAM_MORE; test -e go'}]",
        1,
    );
    place.write("go", "");
    let plan = json_of(&place, &["retry", "@1", "-p", "day=x", "--dry-run"], 0);
    assert_eq!(plan["steps"][0]["reason"], "it succeeded in @1, with the old value of `day`");
    assert_eq!(plan["steps"][1]["reason"], "it failed in @1");
    let second = json_of(&place, &["retry", "@1", "-p", "day=tuesday"], 0);
    assert_eq!(second["steps"][0]["stdout"], "monday\n");
    assert_eq!(second["steps"][1]["stdout"], "tuesday 1.10\n");
    assert_eq!(second["execution"]["input_snapshot"]["params"]["day"], "tuesday");
    // The values of a replay are those of its replays.
    let third = json_of(&place, &["replay", "@2"], 0);
    assert_eq!(third["steps"][0]["stdout"], "tuesday\n");
    // A step that still has an older value is not said to have that of the replay.
    let plan = json_of(&place, &["replay", "@2", "--from", "b", "--dry-run"], 0);
    assert_eq!(plan["steps"][0]["reason"], "it succeeded in @1, with the old value of `day`");
    let all = json_of(&place, &["replay", "@1", "-p", "more=2"], 0);
    assert_eq!(all["steps"][1]["stdout"], "monday 2\n");
    assert!(reused(&all).is_empty());
}

#[test]
fn a_default_of_then_gives_way_and_a_given_value_stays() {
    let place = Place::new();
    let document = |params: &str| {
        format!(
            "id: w\nparams: {{{params}}}\nsteps: [{{name: a, run: 'echo $WFX_PARAM_A $WFX_PARAM_B $WFX_PARAM_C $WFX_PARAM_D; test -e go'}}]"
        )
    };
    place.exec_with(&document("a: 1, b: 1, c: 1"), &["-p", "a=given"], 1);
    place.write("go", "");
    place.write("new.yaml", document("a: 2, b: 2, c: null, d: 2"));
    let new = json_of(&place, &["retry", "@1", "--with", "new.yaml"], 0);
    assert_eq!(new["steps"][0]["stdout"], "given 2 1 2\n");
    let new = json_of(&place, &["retry", "@1", "--with", "new.yaml", "-p", "c=3", "-p", "b=3"], 0);
    assert_eq!(new["steps"][0]["stdout"], "given 3 3 2\n");
    // What is not declared any more is gone.
    place.write("few.yaml", document("b: 5"));
    let few = json_of(&place, &["retry", "@1", "--with", "few.yaml"], 0);
    assert_eq!(few["execution"]["input_snapshot"]["params"], json!({"b": 5}));
}

#[test]
fn old_values_get_the_types_of_now_or_are_refused_with_a_remedy() {
    let place = Place::new();
    let document = |params: &str| {
        format!(
            "id: w\nparams: {{{params}}}\nsteps: [{{name: a, run: 'echo $WFX_PARAM_N $WFX_PARAM_S; test -e go'}}]"
        )
    };
    place.exec_with(&document("n: 1, s: x"), &["-p", "n=5", "-p", "s=true"], 1);
    place.write("go", "");
    place.write("typed.yaml", document("n: {type: int}, s: {type: bool}"));
    let typed = json_of(&place, &["retry", "@1", "--with", "typed.yaml"], 0);
    let params = &typed["execution"]["input_snapshot"]["params"];
    assert_eq!(params, &json!({"n": 5, "s": true}));
    place.write("strict.yaml", document("n: {type: int, max: 4}, s: {type: int}"));
    let refused = place.run(["retry", "@1", "--with", "strict.yaml"]);
    assert_eq!(refused.code, Some(2));
    for told in [
        "the parameter `n` takes a whole number of at most 4, and the execution that is replayed had `5`",
        "give it with `-p n=VALUE`",
        "the execution that is replayed had `true`",
    ] {
        assert!(refused.stderr.contains(told), "{told}: {refused:?}");
    }
    let given = ["retry", "@1", "--with", "strict.yaml", "-p", "n=4", "-p", "s=0"];
    assert_eq!(json_of(&place, &given, 0)["steps"][0]["stdout"], "4 0\n");
}

#[test]
fn what_the_timeout_of_the_workflow_ended_is_left_to_run() {
    let place = Place::new();
    place.exec(
        "timeout: 1s\nsteps: [{name: a, run: 'test -e go || sleep 60', continue_on_error: true}]",
        1,
    );
    place.write("go", "");
    let plan = json_of(&place, &["retry", "@1", "--dry-run"], 0);
    assert_eq!(plan["steps"][0]["reason"], "@1 timed out before it ended");
    json_of(&place, &["retry", "@1"], 0);
}

#[test]
fn another_definition_is_run_where_it_differs() {
    let place = Place::new();
    let first = place.exec(ETL, 1);
    ran(&place);
    // Renamed, removed, reordered, and one that is new; without an id it is that of the execution.
    let fixed = r#"params: {day: sunday}
env: {LOG: ran}
description: fixed
steps:
- name: apart
  run: echo apart >> $LOG; test $WFX_ATTEMPT = 2
  retry: {max_attempts: 2, backoff: 1ms}
  x-note: no change
- name: fetch
  run: echo fetch >> $LOG
  depends_on: []
- name: extract
  depends_on: []
  run: |
    echo extract >> $LOG; echo "rows of $WFX_PARAM_DAY"; echo "a line" >&2
    printf 'odd=  "$(id)" '"'"'é\t\\n;  \nempty=\nlong=%0500d\n' 7 >> $WFX_OUTPUT
- name: load
  depends_on: [fetch, extract]
  run: echo load >> $LOG; printf '[%s]' "$WFX_STEP_EXTRACT_ODD" > seen; echo "$WFX_PARAM_DAY"
"#;
    place.write("fixed.yaml", fixed);
    let retried =
        Ran::of(&mut place.wfx(["retry", "@latest", "--with", "fixed.yaml", "--format", "json"]));
    assert_eq!(retried.code, Some(0), "{retried:?}");
    // How it differs is printed before it starts.
    let (diff, progress) = retried.stderr.split_once("started:").unwrap();
    assert!(diff.contains("-  - name: clean\n") || diff.contains("-  - name: clean"), "{diff}");
    assert!(diff.contains("+  - name: fetch"), "{diff}");
    assert!(progress.contains("load"), "{progress}");
    let second = retried.json();
    assert_eq!(ran(&place), ["fetch", "load"]);
    assert_eq!(reused(&second), ["apart", "extract"]);
    let now = steps(&second);
    // In another place of the list, with the output of then.
    assert_eq!(now["extract"]["stdout"], "rows of monday\n");
    assert_eq!(now["extract"]["position"], 2);
    assert_eq!(end(&now["apart"]), end(&steps(&first)["apart"]));
    assert_eq!(place.read("seen"), "[  \"$(id)\" 'é\t\\n;  ]");
    assert_eq!(second["execution"]["workflow_id"], "etl");
    // It was the default of then, which gives way to that of now.
    assert_eq!(now["load"]["stdout"], "sunday\n");
    assert_eq!(second["execution"]["input_snapshot"]["source"], "file");
    // A replay of that runs the other definition; the output is still found.
    let third = json_of(&place, &["replay", "@2", "--from", "load"], 0);
    assert_eq!(steps(&third)["extract"]["stdout"], "rows of monday\n");
    assert_eq!(ran(&place), ["load"]);
    // Standard input is a definition as well.
    let mut command =
        place.wfx(["replay", "@1", "--failed", "--with", "-", "--dry-run", "--format", "json"]);
    let plan = with_stdin(&mut command, fixed.as_bytes()).json();
    assert_eq!(
        planned(&plan),
        ["apart reuse", "fetch run", "extract reuse", "load run"].map(str::to_owned)
    );
    assert_eq!(plan["steps"][1]["reason"], "@1 has no step of this name");
    // Variables of the workflow reach every step.
    place.write("env.yaml", ETL.replace("LOG: ran", "LOG: ran, MORE: '1'"));
    let plan = json_of(&place, &["retry", "@1", "--with", "env.yaml", "--dry-run"], 0);
    assert!(planned(&plan).iter().all(|step| step.ends_with(" run")), "{plan}");
    assert_eq!(plan["steps"][0]["reason"], "its `env` changed");
}

#[test]
fn what_cannot_be_replayed_is_refused_and_nothing_is_stored() {
    let place = Place::new();
    place.exec(ETL, 1);
    place.exec("id: fine\nsteps: [{name: a}]", 0);
    place.write("other.yaml", "id: other\nsteps: [{name: extract}]");
    place.write("broken.yaml", "steps: [{name: extract, rum: x}]");
    place.write("cycle.yaml", "steps: [{name: a, depends_on: [b]}, {name: b}]");
    place.write("needs.yaml", "params: {who: null}\nsteps: [{name: extract}]");
    place.write("typed.yaml", "steps: [{name: a}]");
    ran(&place);
    let before = rows(&place);
    for (args, told) in [
        (
            &["replay", "@1", "--from", "extarct"][..],
            &["--from", "`extarct`", "did you mean `extract`?"][..],
        ),
        (&["replay", "@1", "--from", "a", "--from", "b"], &["`a`", "`b`", "--dry-run"]),
        (&["retry", "@1", "--from", ""], &["no step is called"]),
        (&["retry", "@2"], &["nothing is left to run", "--from STEP", "wfx replay @2"]),
        (&["replay", "@2", "--failed", "-p", "x=1"], &["no parameter `x`"]),
        (&["retry", "@1", "-p", "dya=x"], &["no parameter `dya`", "did you mean `day`?"]),
        (&["retry", "@1", "-p", "day=x", "-p", "day=y"], &["given twice"]),
        (&["retry", "@1", "-p", "day"], &["NAME=VALUE"]),
        (&["retry", "@1", "--with", "none.yaml"], &["cannot read `none.yaml`"]),
        (
            &["retry", "@1", "--with", "broken.yaml"],
            &["broken.yaml:1:", "`rum`", "did you mean `run`?"],
        ),
        (&["retry", "@1", "--with", "cycle.yaml"], &["cycle.yaml", "wait for each other"]),
        (&["retry", "@1", "--with", "needs.yaml"], &["`who` is required", "-p who=VALUE"]),
        (
            &["retry", "@1", "--with", "other.yaml"],
            &["`other.yaml`", "`other`", "`etl`", "wfx exec"],
        ),
        (&["retry", "@1", "--with", "typed.yaml", "--from", "load"], &["no step is called `load`"]),
        (&["retry", "@9"], &["no execution `@9`", "wfx list"]),
        (&["retry"], &["<ID>"]),
    ] {
        for dry in [false, true] {
            let mut command = place.wfx(args);
            let ran = Ran::of(if dry { command.arg("--dry-run") } else { &mut command });
            ran.refused(2, told);
            assert_eq!(ran.stdout, "", "{args:?}");
        }
    }
    assert_eq!(rows(&place), before);
    assert!(ran(&place).is_empty());
}

#[test]
fn what_runs_is_not_retried() {
    let place = Place::new();
    let file = place.write("w.yaml", "steps: [{name: a, run: 'echo begun; sleep 1000'}]");
    let mut running = Running::start(place.wfx(["exec", "-v"]).arg(file));
    running.wait_for("begun");
    for command in ["retry", "replay"] {
        place.run([command, "@1", "--dry-run"]).refused(2, &["is running", "when it has finished"]);
    }
    assert_eq!(place.list()["total"], 1);
    running.signal("INT");
    assert_eq!(running.end().code, Some(130));
}

#[test]
fn cancelled_interrupted_and_timed_out_executions_go_on() {
    let wait = |more: &str| {
        format!(
            "timeout: 1h\nsteps: [{{name: a, run: 'echo a >> ran'}}, \
             {{name: b, run: 'echo b >> ran; test -e go || {{ echo begun; sleep 1000; }}'{more}}}, \
             {{name: c, run: 'echo c >> ran'}}]"
        )
    };
    let place = Place::new();
    let begin = |document: String| {
        let file = place.write("w.yaml", document);
        let mut running = Running::start(place.wfx(["exec", "-v"]).arg(file));
        running.wait_for("begun");
        running
    };
    let running = begin(wait(""));
    running.signal("INT");
    assert_eq!(running.end().code, Some(130));
    let running = begin(wait(""));
    running.signal("KILL");
    running.end();
    assert_eq!(place.run(["recover"]).code, Some(1));
    place.exec(&wait(", timeout: 200ms"), 1);
    place.exec(&wait("").replace("timeout: 1h", "timeout: 300ms"), 1);
    let status = |seq: u32| place.show(&format!("@{seq}"))["execution"]["status"].clone();
    assert_eq!([1, 2, 3, 4].map(status), ["cancelled", "interrupted", "failed", "failed"]);
    ran(&place);
    place.write("go", "");
    for seq in ["@1", "@2", "@3", "@4"] {
        let plan = json_of(&place, &["retry", seq, "--dry-run"], 0);
        assert_eq!(planned(&plan), ["a reuse", "b run", "c run"].map(str::to_owned), "{plan}");
        let again = json_of(&place, &["retry", seq], 0);
        assert_eq!(reused(&again), ["a"], "{again}");
        assert_eq!(ran(&place), ["b", "c"]);
    }
}

#[test]
fn a_crash_between_the_launch_and_the_first_step_runs_nothing_twice() {
    for (version, begun) in [("pending", false), ("running", true)] {
        let place = Place::new();
        let document = "steps:\n\
             - {name: a, run: 'echo a >> ran; echo text; echo k=v >> $WFX_OUTPUT'}\n\
             - {name: b, run: 'echo b >> ran; exit 1', continue_on_error: true}\n\
             - {name: c, run: 'test -e go || exit 1; echo c$WFX_STEP_A_K >> ran; echo begun; \
             test -e on || sleep 1000', retry: {max_attempts: 2, backoff: 1ms}}\n\
             - {name: d, run: 'echo d >> ran'}";
        place.exec(document, 1);
        assert_eq!(ran(&place), ["a", "b"]);
        place.write("go", "");
        let mut running = Running::start(&mut place.wfx(["retry", "@1", "-v"]));
        running.wait_for("begun");
        running.signal("KILL");
        running.end();
        assert_eq!(ran(&place), ["cv"]);
        if !begun {
            // As its first commit left it, had no step begun with that.
            place.sql(
                "UPDATE workflow_execution_steps SET status = 'pending', attempt = 0, \
                 started_at = NULL WHERE seq = 2 AND step_name = 'c'",
            );
        }
        let before = place.show("@2");
        let expected =
            ["a success", "b failed", &format!("c {version}"), "d pending"].map(str::to_owned);
        assert_eq!(states(&before), expected);
        assert_eq!(reused(&before), ["a", "b"]);
        place.write("on", "");
        let recovered = place.run(["recover"]);
        assert_eq!(recovered.code, Some(0), "{recovered:?}");
        assert_eq!(ran(&place), ["cv", "d"], "{version}");
        let after = place.show("@2");
        assert_eq!(states(&after), ["a success", "b failed", "c success", "d success"]);
        assert_eq!(after["steps"][0], before["steps"][0]);
        assert_eq!(after["steps"][1], before["steps"][1]);
        assert_eq!(after["steps"][0]["stdout"], "text\n");
        assert_eq!(steps(&after)["c"]["attempt"], u32::from(begun) + 1);
    }
}

#[test]
fn a_thousand_steps_are_reused_whatever_the_parallelism() {
    let place = Place::new();
    let steps: String = (0..999)
        .map(|n| match n % 3 {
            0 => format!("- {{name: s{n}, depends_on: []}}\n"),
            _ => format!("- {{name: s{n}, depends_on: [s{}]}}\n", n - 1),
        })
        .collect();
    let document = format!(
        "max_parallel: 2\nsteps:\n{steps}- {{name: last, depends_on: [s2, s998], run: 'echo last >> ran; test -e go'}}"
    );
    place.exec(&document, 1);
    assert_eq!(ran(&place), ["last"]);
    place.write("go", "");
    let again = json_of(&place, &["retry", "@1"], 0);
    assert_eq!(ran(&place), ["last"]);
    assert_eq!(reused(&again).len(), 999);
    assert_eq!(again["execution"]["steps_completed"], 1000);
    let half = json_of(&place, &["replay", "@2", "--from", "s0", "--from", "s500"], 0);
    let run: Vec<&str> = half["steps"]
        .as_array()
        .unwrap()
        .iter()
        .filter(|step| step["reused_from"].is_null())
        .map(|step| step["name"].as_str().unwrap())
        .collect();
    assert_eq!(run, ["s0", "s1", "s2", "s500", "last"]);
    let refused = place.run(["replay", "@2", "--from", "s-998"]);
    refused.refused(2, &["did you mean `s998`?"]);
}

#[test]
fn steps_side_by_side_wait_for_what_runs_only() {
    let place = Place::new();
    let fan = "max_parallel: 2\nsteps:\n\
        - {name: base, run: 'echo base >> ran; echo v=7 >> $WFX_OUTPUT'}\n\
        - {name: p1, depends_on: [base], run: 'echo p1 >> ran; test -e go'}\n\
        - {name: p2, depends_on: [base], run: 'echo p2 >> ran'}\n\
        - {name: p3, depends_on: [base], run: 'echo p3 >> ran; test -e go'}\n\
        - {name: join, depends_on: [p1, p2, p3], run: 'echo join$WFX_STEP_BASE_V >> ran'}\n";
    place.exec(fan, 1);
    ran(&place);
    place.write("go", "");
    let again = json_of(&place, &["retry", "@1"], 0);
    assert_eq!(ran(&place), ["join7", "p1", "p3"]);
    assert_eq!(reused(&again), ["base", "p2"]);
    // It fails again, and goes on again.
    fs::remove_file(place.path("go")).unwrap();
    json_of(&place, &["replay", "@2", "--from", "p3"], 1);
    assert_eq!(ran(&place), ["p3"]);
    place.write("go", "");
    let last = json_of(&place, &["retry", "@latest", "--max-steps", "1"], 0);
    assert_eq!(ran(&place), ["join7", "p3"]);
    let last = steps(&last);
    let from = |name: &str| last[name]["reused_from_seq"].clone();
    assert_eq!(["base", "p1", "p2"].map(from), [1, 2, 1]);
}

#[test]
fn the_history_of_the_predecessor_is_replayed_in_part() {
    let place = Place::new();
    let sql = fs::read_to_string(root().join("fixtures/predecessor/predecessor.sql")).unwrap();
    let mut sqlite = std::process::Command::new("sqlite3");
    assert_eq!(with_stdin(sqlite.arg(place.database()), sql.as_bytes()).code, Some(0));
    assert_eq!(place.run(["purge", "1000"]).code, Some(0));
    let ended = place.sql(
        "SELECT group_concat(seq) FROM workflow_executions WHERE status NOT IN ('pending', 'running')",
    );
    let mut partial = 0;
    for seq in ended.split(',') {
        let original = place.show(&format!("@{seq}"));
        let retried = Ran::of(&mut place.wfx(["retry", &format!("@{seq}"), "--format", "json"]));
        if retried.code == Some(2) {
            let is_success = |step: &Value| step["status"] == "success";
            assert!(original["steps"].as_array().unwrap().iter().all(is_success), "{original}");
            retried.refused(2, &["nothing is left to run"]);
            continue;
        }
        let retried = retried.json();
        assert_eq!(retried["execution"]["replay_of"], id(&original).as_str());
        let (before, now) = (steps(&original), steps(&retried));
        for name in reused(&retried) {
            assert_eq!(end(&now[name]), end(&before[name]), "{name}");
            partial += 1;
        }
    }
    assert!(partial > 0, "{ended}");
    assert_eq!(place.sql("PRAGMA integrity_check"), "ok");
}
