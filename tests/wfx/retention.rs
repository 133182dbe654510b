//! Which executions stay: the retention of workflows, pins, and why each goes or stays.

use serde_json::{Value, json};

use crate::support::{Place, Ran, Running, until};

const OLD: &str = "2020-01-01T00:00:00.000000Z";

/// A workflow of one step, with these keys beside it.
fn workflow(id: &str, keys: &str) -> String {
    format!("id: {id}\n{keys}\nsteps: [{{name: a}}]\n")
}

/// Runs it as if only so many finished executions were kept.
fn exec(place: &Place, document: &str, of_all: u32) -> Value {
    place.exec_with(document, &["--retention", &of_all.to_string()], 0)
}

/// The numbers of the executions of a workflow, oldest first.
fn numbers(place: &Place, workflow_id: &str) -> Vec<i64> {
    let list = place.list();
    let items = list["items"].as_array().unwrap().iter().rev();
    let of_it = items.filter(|item| item["workflow_id"] == workflow_id);
    of_it.map(|item| item["seq"].as_i64().unwrap()).collect()
}

fn policy(place: &Place) -> String {
    place.sql("SELECT workflow_id, keep, success_us, failed_us FROM workflow_retention")
}

#[test]
fn a_workflow_keeps_its_own_history_and_nobody_elses() {
    let place = Place::new();
    let nightly = workflow("nightly", "retention: {keep: 3}");
    let minutely = workflow("minutely", "");
    for _ in 0..4 {
        exec(&place, &nightly, 2);
    }
    for _ in 0..4 {
        exec(&place, &minutely, 2);
    }
    assert_eq!(numbers(&place, "nightly"), [2, 3, 4]);
    assert_eq!(numbers(&place, "minutely"), [7, 8]);
    // The last start decides, and a replay, which runs an earlier definition, does not.
    exec(&place, &workflow("nightly", "retention: {keep: 5, success: 30d}"), 2);
    assert_eq!(policy(&place), "nightly|5|2592000000000|");
    assert_eq!(place.run(["replay", "@2", "--retention", "2"]).code, Some(0));
    assert_eq!(policy(&place), "nightly|5|2592000000000|");
    assert_eq!(numbers(&place, "nightly"), [2, 3, 4, 9, 10]);
    // Without the key they count for the number of all.
    exec(&place, &workflow("nightly", ""), 2);
    assert_eq!(policy(&place), "");
    assert_eq!((numbers(&place, "nightly"), numbers(&place, "minutely")), (vec![10, 11], vec![]));
    assert_eq!(place.sql("PRAGMA integrity_check"), "ok");
}

#[test]
fn what_is_too_old_goes_by_how_it_ended_and_the_last_success_stays() {
    let place = Place::new();
    let good = workflow("etl", "retention: {success: 30d, failed: 180d}");
    let bad = good.replace("name: a", "name: a, fail: true");
    for _ in 0..2 {
        place.exec(&good, 0);
        place.exec(&bad, 1);
    }
    place.sql(&format!("UPDATE workflow_executions SET completed_at = '{OLD}'"));
    place.exec(&workflow("other", ""), 0);
    // The last one, and the last success.
    assert_eq!(numbers(&place, "etl"), [3, 4]);
    let before = place.sql("SELECT strftime('%Y-%m-%dT%H:%M:%S.000000Z', 'now', '-90 days')");
    place.sql(&format!("UPDATE workflow_executions SET completed_at = '{before}' WHERE seq < 5"));
    place.exec(&bad, 1);
    place.exec(&good, 0);
    // A success of 90 days is too old, a failure is not.
    assert_eq!(numbers(&place, "etl"), [4, 6, 7]);
}

#[test]
fn a_purge_says_why_each_goes_or_stays_and_then_does_it() {
    let place = Place::new();
    for _ in 0..4 {
        place.exec(&workflow("etl", ""), 0);
    }
    for _ in 0..3 {
        place.exec(&workflow("minutely", ""), 0);
    }
    assert_eq!(place.run(["pin", "@1", "--reason", "audit 2026"]).code, Some(0));
    // Stored by hand, so that nothing is deleted before.
    place.sql("INSERT INTO workflow_retention (workflow_id, keep, moving) VALUES ('etl', 2, 0)");
    let plan = |more: &[&str]| {
        let args = ["purge", "2", "--dry-run"].iter().chain(more);
        let ran = place.run(args);
        assert_eq!(ran.code, Some(0), "{ran:?}");
        ran
    };
    let by = place.show("@1")["execution"]["pinned"]["by"].as_str().unwrap().to_owned();
    let document = plan(&["--verbose", "--format", "json"]).json();
    let item = |item: &Value| {
        (
            item["seq"].as_i64().unwrap(),
            item["goes"] == true,
            item["reason"].as_str().unwrap().to_owned(),
        )
    };
    let items: Vec<_> = document["items"].as_array().unwrap().iter().map(item).collect();
    let pinned = format!("pinned by {by}: audit 2026");
    assert_eq!(
        items,
        [
            (7, false, "within retention 2"),
            (6, false, "within retention 2"),
            (5, true, "beyond retention 2"),
            (4, false, "finished last of etl"),
            (3, false, "within keep 2 of etl"),
            (2, true, "beyond keep 2 of etl"),
            (1, false, &*pinned),
        ]
        .map(|(seq, goes, reason)| (seq, goes, reason.to_owned()))
    );
    assert_eq!(
        document["reasons"][0],
        json!({"workflow_id": "etl", "goes": true, "reason": "beyond keep 2 of etl", "executions": 1})
    );
    assert_eq!((&document["executions"], &document["pinned"]), (&json!(2), &json!(1)));
    assert_eq!(plan(&["--format", "json"]).json()["items"], Value::Null);
    let text = plan(&[]).stdout;
    for line in ["would delete 2 executions", "goes: beyond keep 2 of etl", "stays: pinned"] {
        assert!(text.contains(line), "{text}");
    }
    let text = plan(&["-v", "--format", "plain"]).stdout;
    assert!(text.contains(&format!("\tetl\tsuccess\tstays\t{pinned}")), "{text}");
    place.run(["purge", "2", "--verbose"]).refused(2, &["--dry-run"]);

    // As before: nothing is deleted, whatever workflows keep.
    let nothing = place.run(["purge", "0", "--dry-run", "--format", "json"]).json();
    assert_eq!(nothing["executions"], 0);
    // Where no number limits the others, workflows still have their own.
    let mut own = place.wfx(["purge", "--dry-run", "--format", "json"]);
    let own = Ran::of(own.env("WORKFLOW_EXECUTION_RETENTION", "0")).json();
    assert_eq!(own["executions"], 1);

    let purged = place.run(["purge", "2"]);
    assert!(purged.stdout.contains("5 finished stay, 1 of them pinned"), "{purged:?}");
    assert_eq!((numbers(&place, "etl"), numbers(&place, "minutely")), (vec![1, 3, 4], vec![6, 7]));
    // What is asked for explicitly goes whatever its workflow keeps, but for pinned ones.
    assert_eq!(place.run(["purge", "--older-than", "0s"]).code, Some(0));
    assert_eq!((numbers(&place, "etl"), numbers(&place, "minutely")), (vec![1], vec![]));
    assert_eq!(place.run(["purge", "--all", "--include-pinned"]).code, Some(0));
    assert_eq!(place.list()["total"], 0);
}

#[test]
fn a_pinned_execution_is_shown_and_stays_until_it_is_unpinned() {
    let place = Place::new();
    let first = exec(&place, &workflow("w", ""), 1);
    assert_eq!(first["execution"]["pinned"], Value::Null);
    let pinned = place.run(["pin", "w", "--reason", "before the\nmove", "--format", "json"]).json();
    assert_eq!(
        (&pinned["seq"], &pinned["pinned"]["reason"]),
        (&json!(1), &json!("before the\nmove"))
    );
    for _ in 0..3 {
        exec(&place, &workflow("w", ""), 1);
    }
    assert_eq!(numbers(&place, "w"), [1, 4]);
    assert_eq!(place.show("@1")["execution"]["pinned"], pinned["pinned"]);
    let shown = place.run(["show", "@1"]).stdout;
    assert!(shown.contains("pinned     by ") && !shown.contains("the\nmove"), "{shown}");
    let list = place.run(["list"]).stdout;
    assert_eq!(list.matches(" pinned").count(), 2, "{list}");
    let doctor = place.run(["doctor"]);
    assert!(doctor.stdout.contains("1 execution pinned"), "{doctor:?}");
    // Again: the reason is the new one.
    assert_eq!(place.run(["pin", "@1"]).code, Some(0));
    assert_eq!(place.show("@1")["execution"]["pinned"]["reason"], Value::Null);
    assert!(place.run(["replay", "@1"]).code == Some(0));
    assert_eq!(place.list()["items"][0]["pinned"], Value::Null);

    let unpinned = place.run(["unpin", "@1"]);
    assert!(unpinned.stdout.contains("not pinned"), "{unpinned:?}");
    let again = place.run(["unpin", "@1"]);
    assert_eq!(again.code, Some(0), "{again:?}");
    assert!(again.stderr.contains("is not pinned"), "{again:?}");
    exec(&place, &workflow("w", ""), 1);
    assert_eq!(numbers(&place, "w"), [6]);
    for command in ["pin", "unpin"] {
        place.run([command, "@99"]).refused(2, &["no execution `@99`"]);
        place.run([command]).refused(2, &["<ID>"]);
    }
    place.run(["pin", "@6", "--reason", &"x".repeat(1001)]).refused(2, &["1001 bytes", "1000"]);
    assert!(Place::new().run(["pin", "@1"]).code == Some(3));
}

#[test]
fn what_runs_can_be_pinned() {
    let place = Place::new();
    let file = place.write(
        "w.yaml",
        "steps: [{name: a, run: 'echo begun; until test -e go; do sleep 0.02; done'}]",
    );
    let mut running = Running::start(place.wfx(["exec", "-v"]).arg(file));
    running.wait_for("begun");
    assert_eq!(place.run(["pin", "@1"]).code, Some(0));
    let dry = place.run(["purge", "--all", "--dry-run", "-v"]).stdout;
    assert!(dry.contains("stays: running"), "{dry}");
    place.write("go", "");
    assert_eq!(running.end().code, Some(0));
    exec(&place, &workflow("x", ""), 1);
    exec(&place, &workflow("x", ""), 1);
    assert_eq!((numbers(&place, "w"), numbers(&place, "x")), (vec![1], vec![3]));
}

#[test]
fn a_retention_that_cannot_be_meant_is_refused_with_its_place() {
    let place = Place::new();
    for (retention, told) in [
        ("{keep: 0}", &["retention: {keep: 0}", "from 1", "keep: 1"][..]),
        ("{keep: many}", &["a whole number from 1"]),
        ("{}", &["sets no limit", "{keep: 50, failed: 180d}"]),
        ("{success: 0s}", &["longer than nothing"]),
        ("{failed: soon}", &["`soon` is not a duration"]),
        ("{keeps: 5}", &["`keeps` is not known", "did you mean `keep`?"]),
        ("30d", &["`retention` is a map"]),
    ] {
        let file = place.write("w.yaml", workflow("w", &format!("retention: {retention}")));
        let ran = Ran::of(place.wfx(["validate"]).arg(&file));
        ran.refused(2, told);
        assert!(ran.stderr.contains("w.yaml:2:"), "{ran:?}");
    }
    let file = place.write("w.yaml", workflow("w", "retention: {failed: 180d, success: 90}"));
    assert_eq!(Ran::of(place.wfx(["validate"]).arg(&file)).code, Some(0));
    let stored = place.exec(&workflow("w", "retention: {failed: 180d, success: 90}"), 0);
    assert_eq!(
        stored["execution"]["input_snapshot"]["definition"]["retention"],
        json!({"success": "1m30s", "failed": "180d"})
    );
}

#[test]
fn a_folder_gives_its_retention_to_workflows_without_one() {
    let place = Place::new();
    place.write("_defaults.yaml", "retention: {keep: 2}\n");
    for (id, keys) in [("with", "retention: {keep: 1}"), ("without", "")] {
        for _ in 0..3 {
            exec(&place, &workflow(id, keys), 1);
        }
    }
    assert_eq!((numbers(&place, "with"), numbers(&place, "without")), (vec![3], vec![5, 6]));
    let source = place.run(["show", "@6", "--source"]).stdout;
    assert!(
        source.lines().any(|line| line.contains("retention") && line.contains("_defaults.yaml")),
        "{source}"
    );
}

/// Whatever is deleted when wfx is killed, what is left is consistent and gets done.
#[test]
fn a_kill_while_retention_deletes_leaves_the_rest_to_the_next() {
    let place = Place::new();
    exec(&place, &workflow("w", ""), 0);
    place.sql(
        "WITH RECURSIVE n(i) AS (SELECT 2 UNION ALL SELECT i + 1 FROM n WHERE i < 30000)
         INSERT INTO workflow_executions (execution_id, workflow_id, status, created_at,
           completed_at, completion_number, updated_at, steps_completed, total_steps, step_order,
           input_snapshot)
         SELECT 'e' || i, 'w', status, created_at, completed_at, i, updated_at, 0, 0, '[]',
           '{\"definition\":{},\"params\":{},\"workdir\":\"/\"}'
         FROM n, workflow_executions WHERE seq = 1",
    );
    assert_eq!(place.run(["pin", "@7"]).code, Some(0));
    let file = place.write("w.yaml", workflow("w", "retention: {keep: 10}"));
    let count =
        || -> u32 { place.sql("SELECT count(*) FROM workflow_executions").parse().unwrap() };
    let running = Running::start(place.wfx(["exec"]).arg(&file));
    until("it deletes", || count() < 30_000);
    running.signal("KILL");
    running.end();
    assert_eq!(place.sql("PRAGMA integrity_check"), "ok");
    assert_eq!(Ran::of(place.wfx(["exec"]).arg(&file)).code, Some(0));
    let numbers = numbers(&place, "w");
    assert_eq!((numbers.len(), numbers[0]), (11, 7), "{numbers:?}");
    assert_eq!(place.sql("SELECT finished, moving FROM workflow_retention"), "10|");
}
