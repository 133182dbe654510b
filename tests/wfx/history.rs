//! The history: replay, lineage, list, show, references, retention, purge.

use serde_json::json;

use crate::support::{Place, Ran, states, steps};

fn id(execution: &serde_json::Value) -> String {
    execution["execution"]["execution_id"].as_str().unwrap().to_owned()
}

#[test]
fn a_replay_runs_the_snapshot_and_not_the_file() {
    let place = Place::new();
    let first = place.exec_with(
        "id: again\nparams: {who: nobody}\nsteps: [{name: a, run: 'echo \"$WFX_PARAM_WHO\" >> log'}]",
        &["-p", "who=first"],
        0,
    );
    place.write("workflow.yaml", "steps: [{name: other, run: exit 9}]");
    let ran = place.run(["replay", &id(&first), "--format", "json"]);
    assert_eq!(ran.code, Some(0), "{ran:?}");
    let second = ran.json();
    assert_eq!(place.read("log"), "first\nfirst\n");
    assert_eq!(second["execution"]["replay_of"], json!(id(&first)));
    assert_eq!(second["execution"]["input_snapshot"], first["execution"]["input_snapshot"]);
    assert_ne!(id(&second), id(&first));
    // It runs where the first one ran.
    let mut command = place.wfx(["replay", "@2", "--format", "json"]);
    command.current_dir(place.path("home"));
    let third = Ran::of(&mut command).json();
    assert_eq!(place.read("log"), "first\nfirst\nfirst\n");
    // The lineage is a tree that show draws.
    let shown = place.run(["show", "@1"]).stdout;
    for execution in [&first, &second, &third] {
        assert!(shown.contains(&id(execution)[..13]), "{shown}");
    }
    // It outlives its target.
    place.sql("DELETE FROM workflow_executions WHERE seq = 1");
    let shown = place.run(["show", "@2"]).stdout;
    assert!(shown.contains("pruned"), "{shown}");
    assert_eq!(place.show("@2")["execution"]["replay_of"], json!(id(&first)));
    assert_eq!(place.run(["replay", "@2"]).code, Some(0));
}

#[test]
fn a_failed_execution_fails_again() {
    let place = Place::new();
    place.exec("steps: [{name: a, fail: true}, {name: b}]", 1);
    let ran = place.run(["replay", "@latest", "--format", "json"]);
    assert_eq!(ran.code, Some(1), "{ran:?}");
    assert_eq!(states(&ran.json()), ["a failed", "b skipped"]);
}

#[test]
fn an_execution_is_found_by_id_prefix_seq_and_latest() {
    let place = Place::new();
    let first = place.exec("id: w\nsteps: [{name: a}]", 0);
    let second = place.exec("id: w\nsteps: [{name: a}]", 0);
    assert_eq!(place.show(&id(&first)), first);
    assert_eq!(place.show("@1"), first);
    assert_eq!(place.show("@latest"), second);
    assert_eq!(place.show(&id(&second)[..35]), second);
    assert_eq!(place.show(&id(&second).to_uppercase()), second);
    // That of a workflow means its latest execution, and is none of the others' business.
    let other = place.exec("id: other\nsteps: [{name: a}]", 0);
    assert_eq!(place.show("w"), second);
    assert_eq!(place.show("other"), other);
    // The id of a workflow that begins ids of executions as well.
    place.exec("id: '0'\nsteps: [{name: a}]", 0);
    place.run(["show", "0"]).refused(2, &["is a workflow", "@4", &id(&first), "@N"]);
    place.sql("DELETE FROM workflow_executions WHERE seq = 4");
    place.run(["show", "0"]).refused(2, &["several", &id(&first), "@N"]);
    for unknown in ["@9", "@0", "@x", "ffff", "@", "%", "_", "' OR 1 --", "@99999999999999999999"] {
        place.run(["show", unknown]).refused(2, &["no execution", "wfx list"]);
        place.run(["replay", unknown]).refused(2, &["no execution"]);
    }
}

#[test]
fn list_filters_pages_and_tells_the_true_total() {
    let place = Place::new();
    for n in 0..3 {
        place.exec("id: good\nsteps: [{name: a}]", 0);
        if n > 0 {
            place.exec("id: bad\nsteps: [{name: a, fail: true}]", 1);
        }
    }
    let seqs = |args: &[&str]| {
        let mut all = vec!["list", "--format", "json"];
        all.extend(args);
        let ran = place.run(all);
        assert_eq!(ran.code, Some(0), "{ran:?}");
        let value = ran.json();
        let items = value["items"].as_array().unwrap();
        let seqs: Vec<u64> = items.iter().map(|item| item["seq"].as_u64().unwrap()).collect();
        (seqs, value["total"].as_u64().unwrap())
    };
    assert_eq!(seqs(&[]), (vec![5, 4, 3, 2, 1], 5));
    assert_eq!(seqs(&["--limit", "2", "--offset", "1"]), (vec![4, 3], 5));
    assert_eq!(seqs(&["--workflow", "bad"]), (vec![5, 3], 2));
    assert_eq!(seqs(&["--status", "failed", "--workflow", "good"]), (vec![], 0));
    assert_eq!(seqs(&["--status", "success", "--limit", "1"]), (vec![4], 3));
    assert_eq!(seqs(&["--since", "1h"]).1, 5);
    assert_eq!(seqs(&["--since", "2999-01-01T00:00:00Z"]).1, 0);
    assert_eq!(seqs(&["--offset", "99"]), (vec![], 5));
    let ran = place.run(["list", "--format", "jsonl"]);
    assert_eq!(ran.stdout.lines().count(), 5);
    for line in ran.stdout.lines() {
        let item: serde_json::Value = serde_json::from_str(line).unwrap();
        assert!(item["execution_id"].is_string());
    }
    let ran = place.run(["list", "--format", "plain"]);
    assert_eq!(ran.stdout.lines().count(), 5);
    assert!(ran.stdout.lines().all(|line| line.split('\t').count() >= 5), "{}", ran.stdout);
    for (args, told) in [
        (&["--status", "gone"][..], "gone"),
        (&["--limit", "0"], "--limit"),
        (&["--since", "yesterday-ish"], "--since"),
        (&["--limit=-1"], "--limit"),
    ] {
        let mut all = vec!["list"];
        all.extend(args);
        place.run(all).refused(2, &[told]);
    }
}

#[test]
fn tables_fit_the_width() {
    let place = Place::new();
    let name = "n".repeat(120);
    place.exec(
        &format!(
            "id: {name}\nsteps: [{{name: {name}, run: echo hi}}, {{name: b, run: sleep 0.1}}]"
        ),
        0,
    );
    for width in ["40", "80", "200"] {
        for args in [&["list"][..], &["show", "@1"]] {
            let mut command = place.wfx(args.iter().copied());
            let ran = Ran::of(command.env("COLUMNS", width));
            assert_eq!(ran.code, Some(0), "{ran:?}");
            let wanted: usize = width.parse().unwrap();
            let table = ran
                .stdout
                .lines()
                .filter(|l| l.contains('│') || l.contains('|') || l.contains('─'));
            for line in table {
                assert!(
                    line.chars().count() <= wanted,
                    "{} > {width}: {line}",
                    line.chars().count()
                );
            }
        }
    }
}

#[test]
fn retention_keeps_those_that_completed_last() {
    let place = Place::new();
    place.write("w.yaml", "id: w\nsteps: [{name: a, run: echo x}]");
    for _ in 0..5 {
        let mut command = place.wfx(["exec", "w.yaml"]);
        let ran = Ran::of(command.env("WORKFLOW_EXECUTION_RETENTION", "3"));
        assert_eq!(ran.code, Some(0), "{ran:?}");
    }
    assert_eq!(
        place.sql(
            "SELECT group_concat(seq) FROM (SELECT seq FROM workflow_executions ORDER BY seq)"
        ),
        "3,4,5"
    );
    assert_eq!(
        place.sql("SELECT group_concat(DISTINCT seq) FROM workflow_execution_steps"),
        "3,4,5"
    );
    assert_eq!(
        place.sql("SELECT group_concat(DISTINCT seq) FROM workflow_execution_attempts"),
        "3,4,5"
    );
    assert_eq!(place.list()["total"], 3);
    // The flag beats the variable, 0 and less turn it off.
    for off in ["0", "-1"] {
        place.run(["exec", "w.yaml", "--retention", off]);
    }
    assert_eq!(place.list()["total"], 5);
    // What is not finished is never touched and does not count.
    place.sql(
        "UPDATE workflow_executions SET status = 'running', completed_at = NULL WHERE seq = 3",
    );
    place.run(["exec", "w.yaml", "--retention", "1"]);
    assert_eq!(
        place.sql(
            "SELECT group_concat(seq) FROM (SELECT seq FROM workflow_executions ORDER BY seq)"
        ),
        "3,8"
    );
    for bad in ["many", "1.5", ""] {
        let mut command = place.wfx(["exec", "w.yaml"]);
        let ran = Ran::of(command.env("WORKFLOW_EXECUTION_RETENTION", bad));
        if bad.is_empty() {
            assert_eq!(ran.code, Some(0), "an empty variable is an unset one: {ran:?}");
        } else {
            ran.refused(2, &["WORKFLOW_EXECUTION_RETENTION", bad]);
        }
    }
}

#[test]
fn purge_deletes_what_its_dry_run_shows() {
    let place = Place::new();
    for n in 0..6 {
        let (fail, code) = if n % 2 == 0 { ("false", 0) } else { ("true", 1) };
        place.exec(&format!("id: w\nsteps: [{{name: a, fail: {fail}}}]"), code);
    }
    place.sql(
        "UPDATE workflow_executions SET status = 'running', completed_at = NULL WHERE seq = 1",
    );
    let total = || place.list()["total"].as_u64().unwrap();
    for args in [&["purge", "2", "--dry-run"][..], &["purge", "--all", "--dry-run"]] {
        let ran = place.run(args.iter().copied());
        assert_eq!(ran.code, Some(0), "{ran:?}");
        assert_eq!(total(), 6);
    }
    // Zero and less delete nothing and point to --all.
    for none in ["0", "-5"] {
        let ran = place.run(["purge", none]);
        assert!(ran.stderr.contains("--all") || ran.stdout.contains("--all"), "{ran:?}");
        assert_eq!(total(), 6);
    }
    assert_eq!(place.run(["purge", "--older-than", "1h"]).code, Some(0));
    assert_eq!(total(), 6);
    // Without a number of its own, a status is judged by the retention.
    let ran = place.run(["purge", "--status", "failed"]);
    assert!(ran.code == Some(0) && ran.stderr.contains("`--all --status failed`"), "{ran:?}");
    assert_eq!(total(), 6);
    assert_eq!(place.run(["purge", "1", "--status", "failed"]).code, Some(0));
    assert_eq!(
        place.sql(
            "SELECT group_concat(seq) FROM (SELECT seq FROM workflow_executions ORDER BY seq)"
        ),
        "1,3,5,6"
    );
    assert_eq!(place.run(["purge", "2"]).code, Some(0));
    assert_eq!(
        place.sql(
            "SELECT group_concat(seq) FROM (SELECT seq FROM workflow_executions ORDER BY seq)"
        ),
        "1,5,6"
    );
    let ran = place.run(["purge", "--all", "--format", "json"]);
    assert_eq!(ran.code, Some(0), "{ran:?}");
    assert_eq!(
        place.sql(
            "SELECT group_concat(seq) FROM (SELECT seq FROM workflow_executions ORDER BY seq)"
        ),
        "1"
    );
    assert_eq!(place.sql("SELECT count(*) FROM workflow_execution_steps"), "1");
    for bad in [
        &["purge", "many"][..],
        &["purge", "--older-than", "soon"],
        &["purge", "--status", "running"],
    ] {
        place.run(bad.iter().copied()).refused(2, &[]);
    }
}

#[test]
fn purge_gives_space_back() {
    let place = Place::new();
    for _ in 0..40 {
        place.exec("id: w\nsteps: [{name: a, run: 'head -c 60000 /dev/zero | tr \"\\\\0\" x'}]", 0);
    }
    place.sql("PRAGMA wal_checkpoint(TRUNCATE)");
    let before = std::fs::metadata(place.database()).unwrap().len();
    assert_eq!(place.run(["purge", "--all"]).code, Some(0));
    place.sql("PRAGMA wal_checkpoint(TRUNCATE)");
    let after = std::fs::metadata(place.database()).unwrap().len();
    assert!(after * 4 < before, "{before} {after}");
}

#[test]
fn a_broken_pipe_is_silent() {
    let place = Place::new();
    place.exec("id: w\nsteps: [{name: a, run: seq 20000}]", 0);
    for args in ["list", "show @1", "show @1 --format json", "config", "man", "completions bash"] {
        let (reader, writer) = std::io::pipe().unwrap();
        drop(reader);
        let ran = Ran::of(place.wfx(args.split(' ')).stdout(writer));
        assert_eq!(ran.stderr, "", "{args}");
    }
}

#[test]
fn an_attempt_is_kept_when_it_wrote_or_was_repeated() {
    let place = Place::new();
    let execution = place.exec(
        "steps: [{name: quiet, run: 'true'}, {name: loud, run: echo x}, {name: again, run: 'test $WFX_ATTEMPT = 2', retry: {max_attempts: 2, backoff: 1ms}}]",
        0,
    );
    assert_eq!(steps(&execution).len(), 3);
    assert_eq!(
        place.sql(
            "SELECT group_concat(position || ':' || attempt) FROM workflow_execution_attempts"
        ),
        "1:1,2:1,2:2"
    );
}

#[test]
fn two_executions_are_compared() {
    let place = Place::new();
    let failing = "id: etl\nparams: {day: a, n: 3}\nsteps:\n  - {name: extract, run: 'true'}\n  - name: load\n    run: |\n      set -e\n      exit 1\n  - {name: last}\n";
    place.exec(failing, 1);
    let fixed = failing.replace("exit 1", "exit 0").replace("name: last", "name: newer");
    place.exec_with(&fixed, &["-p", "day=b\u{7f}"], 0);
    let ran = place.run(["diff", "@1", "etl", "--format", "json"]);
    assert_eq!((ran.code, ran.stderr.as_str()), (Some(0), ""));
    let comparison = ran.json();
    assert_eq!(comparison["executions"]["from"]["status"], "failed");
    assert_eq!(comparison["executions"]["to"]["seq"], 2);
    let params = serde_json::json!([
        {"name": "day", "change": "changed", "from": "a", "to": "b\u{7f}"},
        {"name": "n", "change": "same", "from": 3, "to": 3},
    ]);
    assert_eq!(comparison["params"], params);
    let steps: Vec<String> = comparison["steps"]
        .as_array()
        .unwrap()
        .iter()
        .map(|step| {
            let status = |side: &str| step[side]["status"].as_str().unwrap_or("-").to_owned();
            let name = step["name"].as_str().unwrap();
            format!(
                "{name} {} {} {}",
                step["change"].as_str().unwrap(),
                status("from"),
                status("to")
            )
        })
        .collect();
    let expected = [
        "extract same success success",
        "load changed failed success",
        "newer added - success",
        "last removed skipped -",
    ];
    assert_eq!(steps, expected);
    let definition = comparison["definition"].as_str().unwrap();
    for line in ["-      exit 1", "+      exit 0", "-  - name: last"] {
        assert!(definition.lines().any(|found| found == line), "{line}\n{definition}");
    }
    let shown = place.run(["diff", "@1", "@2"]).stdout;
    for text in ["changed, see below", r"day = a → b\u{7f}", "-      exit 1"] {
        assert!(shown.contains(text), "{text}\n{shown}");
    }
    let plain = place.run(["diff", "@1", "@2", "--format", "plain"]).stdout;
    assert!(plain.contains("step\tchanged\tload\tfailed\tsuccess\t"), "{plain}");
    let same = place.run(["diff", "@2", "@2"]).stdout;
    assert!(same.contains("definition same") && same.contains("parameters same (2)"), "{same}");
    for (from, to) in [("@9", "@1"), ("@1", "@9"), ("0", "@1")] {
        assert_eq!(place.run(["diff", from, to]).code, Some(2));
    }
}

#[test]
fn handlers_are_compared_and_reused_steps_marked() {
    let place = Place::new();
    place.exec(
        "id: w\nsteps: [{name: a, run: 'true'}, {name: b, run: test -e go}]\n\
         on_failure: [{name: warn, run: 'true'}]\non_success: [{name: praise, run: 'true'}]\n\
         on_exit: [{name: tidy, run: test -e go}]",
        1,
    );
    place.write("go", "");
    assert_eq!(place.run(["retry", "@1"]).code, Some(0));
    assert_eq!(place.run(["replay", "@2", "--from", "b"]).code, Some(0));
    let comparison = place.run(["diff", "@1", "@2", "--format", "json"]).json();
    let handlers: Vec<String> = comparison["handlers"]
        .as_array()
        .unwrap()
        .iter()
        .map(|handler| {
            let side =
                |side: &str, key: &str| handler[side][key].as_str().unwrap_or("-").to_owned();
            let pair = |key: &str| format!("{}/{}", side("from", key), side("to", key));
            let (name, change) = (handler["name"].as_str(), handler["change"].as_str());
            let text = format!("{} {}", name.unwrap(), change.unwrap());
            format!("{text} {} {}", pair("handler"), pair("status"))
        })
        .collect();
    let expected = [
        "praise added -/on_success -/success",
        "tidy changed on_exit/on_exit failed/success",
        "warn removed on_failure/- success/-",
    ];
    assert_eq!(handlers, expected);
    let step = &comparison["steps"][0];
    assert!(step["from"]["reused_from"].is_null(), "{step}");
    assert_eq!(step["to"]["reused_from"], comparison["executions"]["from"]["execution_id"]);
    assert_eq!(step["to"]["reused_from_seq"], 1);
    let plain = place.run(["diff", "@1", "@2", "--format", "plain"]).stdout;
    let reused = |line: &str| line.starts_with("step\tsame\ta\t") && line.ends_with("\t\t@1");
    assert!(plain.lines().any(reused), "{plain}");
    assert!(plain.contains("\non_exit\tchanged\ttidy\tfailed\tsuccess\t"), "{plain}");
    for (from, to, told) in
        [("@1", "@2", "after: @1"), ("@2", "@1", "before: @1"), ("@2", "@3", "both: @1")]
    {
        let shown = place.run(["diff", from, to]).stdout;
        for text in [told, "on_exit: tidy", "reused from"] {
            assert!(shown.contains(text), "{text}\n{shown}");
        }
    }
}

#[test]
fn what_each_step_ran_is_shown_and_the_output_of_every_attempt() {
    let place = Place::new();
    let script = "echo attempt $WFX_ATTEMPT\n    echo to-stderr >&2\n    test $WFX_ATTEMPT -ge 3\n";
    let many: String = (0..12).map(|line| format!("    echo line-{line}\n")).collect();
    place.exec(
        &format!(
            "id: r\nsteps:\n- name: flaky\n  run: |\n    {script}  retry: {{max_attempts: 3, backoff: 1ms}}\n\
             - name: say\n  run: [echo, 'a b']\n- name: long\n  run: |\n{many}- {{name: rest, sleep: 1ms}}\n\
             on_success:\n- {{name: bye, run: echo bye}}\n"
        ),
        0,
    );
    let tail = place.run(["show", "@1"]).stdout;
    for line in [
        "$ echo attempt $WFX_ATTEMPT",
        "> test $WFX_ATTEMPT -ge 3",
        "$ echo 'a b'",
        "(sleeps 1ms)",
        "$ echo bye",
    ] {
        assert!(tail.lines().any(|shown| shown.trim() == line), "no {line:?} in {tail}");
    }
    assert!(tail.contains("attempt 3") && !tail.contains("| attempt 1"), "{tail}");
    assert!(tail.contains("(2 more lines, `--output all` shows them)"), "{tail}");
    let all = place.run(["show", "@1", "--output", "all"]).stdout;
    for attempt in 1..=3 {
        assert!(all.contains(&format!("attempt {attempt}\n")), "{all}");
    }
    assert_eq!(all.matches("to-stderr\n").count(), 3, "{all}");
    assert!(all.contains("> echo line-11"), "{all}");
}

#[test]
fn successes_are_counted_and_the_rest_apart() {
    let place = Place::new();
    let text = "id: mixed\nsteps:\n- {name: a, run: 'true'}\n- {name: b, run: exit 3, depends_on: [a]}\n\
                - {name: c, run: 'true', depends_on: [b]}\n- {name: d, run: 'true', depends_on: [c]}\n";
    let execution = place.exec(text, 1);
    let head = &execution["execution"];
    let counts = ["steps_completed", "steps_failed", "steps_skipped"].map(|key| head[key].clone());
    assert_eq!(counts, [json!(4), json!(1), json!(2)]);
    place.write("w.yaml", text);
    let summary = place.run(["exec", "w.yaml"]).stdout;
    assert!(summary.contains("1/4 steps, 1 failed, 2 skipped"), "{summary}");
    let list = place.run(["list"]).stdout;
    assert!(
        list.contains("steps") && list.contains("failed") && list.contains("skipped"),
        "{list}"
    );
    assert!(list.contains("1/4"), "{list}");
    let plain = place.run(["list", "--format", "plain", "--limit", "1"]).stdout;
    assert!(plain.ends_with("\t1/4\t1\t2\n"), "{plain}");
}
