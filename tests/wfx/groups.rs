//! Concurrency groups: who runs, who waits and in which order, whatever dies meanwhile. In each
//! database a trigger refuses every commit after which more would run than the limit allows.

mod daemons;

use serde_json::Value;

use crate::support::{Place, Ran, Running, until};

/// Refuses what would break the limit at the moment that something begins to run.
const AUDIT: &str = "
    CREATE TABLE audit (breaches INTEGER);
    CREATE TRIGGER audit_insert AFTER INSERT ON workflow_executions
    WHEN new.concurrency_group IS NOT NULL AND new.status = 'running' BEGIN
      SELECT RAISE(ABORT, 'more run than may') WHERE
        (SELECT count(*) FROM workflow_executions
         WHERE concurrency_group = new.concurrency_group AND status = 'running')
        > (SELECT slots FROM workflow_group_limits
           WHERE base = substr(new.concurrency_group, 1,
             instr(new.concurrency_group || '[', '[') - 1));
    END;
    CREATE TRIGGER audit_update AFTER UPDATE OF status ON workflow_executions
    WHEN new.concurrency_group IS NOT NULL AND new.status = 'running'
      AND old.status <> 'running' BEGIN
      SELECT RAISE(ABORT, 'more run than may') WHERE
        (SELECT count(*) FROM workflow_executions
         WHERE concurrency_group = new.concurrency_group AND status = 'running')
        > (SELECT slots FROM workflow_group_limits
           WHERE base = substr(new.concurrency_group, 1,
             instr(new.concurrency_group || '[', '[') - 1));
    END;";

/// A place whose database is watched.
fn watched() -> Place {
    let place = Place::new();
    place.exec("id: first\nsteps: [{name: a}]\n", 0);
    place.sql(AUDIT);
    place
}

/// What must hold at the end: the counts are those of the rows.
#[track_caller]
fn check_counts(place: &Place) {
    let kept = place.sql("SELECT name, running, waiting FROM workflow_groups ORDER BY name");
    let counted = place.sql(
        "SELECT concurrency_group, sum(status = 'running'), sum(status = 'pending')
         FROM workflow_executions WHERE concurrency_group IS NOT NULL AND completed_at IS NULL
         GROUP BY 1 ORDER BY 1",
    );
    assert_eq!(kept, counted);
    assert_eq!(place.sql("PRAGMA integrity_check"), "ok");
}

/// A workflow whose step says that it began, and ends once the file `go` is there.
fn waits_for_go(keys: &str) -> String {
    format!(
        "id: held\n{keys}\nsteps:\n- name: hold\n  run: |\n    echo begun\n    echo $WFX_EXECUTION_ID >> ran\n    \
         until test -e go; do sleep 0.02; done\n"
    )
}

/// A workflow whose step ends at once.
fn passes(keys: &str) -> String {
    format!("id: held\n{keys}\nsteps:\n- {{name: pass, run: echo $WFX_EXECUTION_ID >> ran}}\n")
}

/// `wfx exec` of a document, once its step has begun.
fn hold(place: &Place, keys: &str) -> Running {
    let file = place.write("hold.yaml", waits_for_go(keys));
    let mut running = Running::start(place.wfx(["exec", "-v"]).arg(file));
    running.wait_for("begun");
    running
}

/// `wfx exec` of a document, once it waits.
fn queue(place: &Place, name: &str, document: &str) -> Running {
    let file = place.write(name, document);
    let mut running = Running::start(place.wfx(["exec"]).arg(file));
    running.wait_for("waiting for a slot");
    running
}

fn status(place: &Place, number: u32) -> String {
    place.sql(&format!("SELECT status FROM workflow_executions WHERE seq = {number}"))
}

/// The numbers of the executions whose step began, in that order.
fn order(place: &Place) -> Vec<i64> {
    let ran = place.read("ran");
    let number = |id: &str| {
        let seq = format!("SELECT seq FROM workflow_executions WHERE execution_id = '{id}'");
        place.sql(&seq).parse().unwrap()
    };
    ran.lines().map(number).collect()
}

#[track_caller]
fn succeeded(running: Running) -> Ran {
    let ran = running.end();
    assert_eq!(ran.code, Some(0), "{ran:?}");
    ran
}

#[test]
fn those_that_wait_begin_in_their_order() {
    let place = watched();
    let holder = hold(&place, "concurrency: {limit: 1}");
    let waiters: Vec<Running> =
        (0..3).map(|_| queue(&place, "w.yaml", &passes("concurrency: {}"))).collect();
    // Everybody sees for whom.
    let shown = place.show("@4");
    let waiting_for = &shown["execution"]["waiting_for"];
    assert_eq!(shown["execution"]["status"], "pending");
    assert_eq!(waiting_for["group"], "held");
    assert_eq!(waiting_for["holder_seqs"], serde_json::json!([2]));
    assert_eq!(waiting_for["holders"][0], place.show("@2")["execution"]["execution_id"]);
    assert!(place.show("@2")["execution"].get("waiting_for").is_none());
    let text = place.run(["show", "@4"]).stdout;
    assert!(text.contains("held") && text.contains("@2"), "{text}");
    let listed = place.list();
    assert_eq!(listed["items"][0]["waiting_for"]["group"], "held");

    let queue: Value = place.run(["queue", "--format", "json"]).json();
    let group = &queue["groups"][0];
    assert_eq!((&group["group"], &group["limit"]), (&"held".into(), &1.into()));
    assert_eq!((&group["running"], &group["waiting"]), (&1.into(), &3.into()));
    let seqs: Vec<_> =
        group["executions"].as_array().unwrap().iter().map(|it| it["seq"].clone()).collect();
    assert_eq!(seqs, [2, 3, 4, 5]);
    let table = place.run(["queue"]).stdout;
    assert!(table.contains("held: 1 of 1 running, 3 waiting"), "{table}");

    place.write("go", "");
    succeeded(holder);
    for waiter in waiters {
        succeeded(waiter);
    }
    assert_eq!(order(&place), [2, 3, 4, 5]);
    check_counts(&place);
    assert!(place.run(["queue"]).stdout.contains("nothing runs or waits"));
}

#[test]
fn other_values_are_another_group() {
    let place = watched();
    let keys = "params: {environment: dev, n: 1}\nconcurrency: {group: deploy, by: [environment]}";
    let holder = hold(&place, keys);
    let file = place.write("w.yaml", passes(keys));
    let other = ["exec", "w.yaml", "-p", "environment=prod", "-p", "n=2"];
    assert_eq!(place.run(other).code, Some(0));
    let waiter = queue(&place, "same.yaml", &passes(keys));
    assert_eq!(
        place.sql("SELECT concurrency_group FROM workflow_executions ORDER BY seq").lines().last(),
        Some("deploy[environment=dev]")
    );
    drop(file);
    place.write("go", "");
    succeeded(holder);
    succeeded(waiter);
    check_counts(&place);
}

#[test]
fn a_start_that_may_not_wait_is_refused_and_leaves_nothing() {
    let place = watched();
    let holder = hold(&place, "concurrency: {limit: 1, on_conflict: reject}");
    place.write("w.yaml", passes("concurrency: {on_conflict: reject}"));
    place.run(["exec", "w.yaml"]).refused(1, &["`held`", "@2", "nothing was started"]);
    place.write("w.yaml", passes("concurrency: {max_queued: 1}"));
    let waiter = queue(&place, "one.yaml", &passes("concurrency: {max_queued: 1}"));
    place.run(["exec", "w.yaml"]).refused(1, &["`held`", "`max_queued`"]);
    assert_eq!(place.sql("SELECT count(*) FROM workflow_executions"), "3");
    place.write("go", "");
    succeeded(holder);
    succeeded(waiter);
    assert_eq!(place.run(["exec", "w.yaml"]).code, Some(0));
    check_counts(&place);
}

#[test]
fn one_that_waits_is_cancelled_at_once() {
    let place = watched();
    let holder = hold(&place, "concurrency: 1");
    let document = "id: held\nconcurrency: 1\nsteps: [{name: a, run: echo no > never}]\n\
                    on_cancel: [{name: c, run: echo no > never}]\n";
    // By whoever started it, and by others.
    let left = queue(&place, "w.yaml", document);
    left.signal("INT");
    assert_eq!(left.end().code, Some(130));
    let left = queue(&place, "w.yaml", document);
    assert_eq!(place.run(["cancel", "@4"]).code, Some(0));
    assert_eq!(left.end().code, Some(1));
    assert_eq!((status(&place, 3), status(&place, 4)), ("cancelled".into(), "cancelled".into()));
    assert!(!place.path("never").exists());
    let shown = place.show("@3");
    assert_eq!(shown["execution"]["started_at"], Value::Null);
    check_counts(&place);
    place.write("go", "");
    succeeded(holder);
    check_counts(&place);
}

#[test]
fn a_cancelled_holder_makes_room() {
    let place = watched();
    let holder = hold(&place, "concurrency: 1");
    let waiter = queue(&place, "w.yaml", &passes("concurrency: 1"));
    assert_eq!(place.run(["cancel", "@2"]).code, Some(0));
    succeeded(waiter);
    assert_eq!(holder.end().code, Some(1));
    check_counts(&place);
}

#[test]
fn a_killed_exec_is_settled_by_whoever_waits() {
    let place = watched();
    let keys = "concurrency: 1\non_failure: [{name: tell, run: echo $WFX_STATUS > told}]";
    let mut holder = hold(&place, keys);
    let mut waiter = queue(&place, "w.yaml", &passes("concurrency: 1"));
    holder.child.kill().unwrap();
    holder.child.wait().unwrap();
    waiter.child.wait().unwrap();
    succeeded(waiter);
    let dead = place.show("@2");
    assert_eq!(dead["execution"]["status"], "interrupted", "{dead:#}");
    assert_eq!(place.read("told"), "interrupted\n");
    let id = dead["execution"]["execution_id"].as_str().unwrap();
    assert_eq!(crate::support::processes_with(&format!("WFX_EXECUTION_ID={id}")), [] as [u32; 0]);
    check_counts(&place);
}

/// An `exec` in a group of two slots that dies with one of them; its handler says that it began, and
/// ends once the file `told` is there.
fn die_with_slow_handler(place: &Place, keys: &str) {
    let mut dead = hold(
        place,
        &format!(
            "{keys}\non_failure: [{{name: tell, run: 'touch begun; until test -e told; do sleep 0.02; \
             done'}}]\non_exit: [{{name: last, run: 'touch last'}}]"
        ),
    );
    dead.child.kill().unwrap();
    dead.child.wait().unwrap();
}

#[test]
fn an_exec_that_took_over_runs_the_handlers_to_their_end() {
    let place = watched();
    let keys = "concurrency: {group: held, limit: 2}";
    let holder = hold(&place, keys);
    die_with_slow_handler(&place, keys);
    let mut waiter = queue(&place, "w.yaml", &passes(keys));
    until("it is taken over", || place.path("begun").exists());
    place.run(["cancel", "@2"]);
    assert_eq!(holder.end().code, Some(1));
    // Its own work is done.
    waiter.wait_for("waiting for the handlers");
    assert_eq!(status(&place, 4), "success");
    assert_eq!(status(&place, 3), "running");
    place.write("told", "");
    succeeded(waiter);
    assert_eq!(status(&place, 3), "interrupted");
    let handlers = place.show("@3")["handlers"].clone();
    let handlers = handlers.as_array().unwrap();
    assert!(handlers.iter().all(|it| it["status"] == "success"), "{handlers:#?}");
    assert_eq!(handlers.len(), 2);
    assert!(place.path("last").exists());
    check_counts(&place);
}

#[test]
fn an_exec_that_leaves_the_queue_leaves_no_handler_behind() {
    let place = watched();
    let keys = "concurrency: {group: held, limit: 2}";
    let holder = hold(&place, keys);
    die_with_slow_handler(&place, keys);
    let waiter = queue(&place, "w.yaml", &passes(keys));
    until("it is taken over", || place.path("begun").exists());
    waiter.signal("INT");
    assert_eq!(waiter.end().code, Some(130));
    let id = place.sql("SELECT execution_id FROM workflow_executions WHERE seq = 3");
    assert_eq!(crate::support::processes_with(&format!("WFX_EXECUTION_ID={id}")), [] as [u32; 0]);
    // Whoever comes next goes on with what is left.
    place.write("told", "");
    let next = queue(&place, "w.yaml", &passes(keys));
    succeeded(next);
    assert_eq!(status(&place, 3), "interrupted");
    place.write("go", "");
    succeeded(holder);
    check_counts(&place);
}

#[test]
fn a_killed_waiter_is_skipped() {
    let place = watched();
    let holder = hold(&place, "concurrency: 1");
    let mut dead = queue(&place, "w.yaml", &passes("concurrency: 1"));
    let waiter = queue(&place, "w.yaml", &passes("concurrency: 1"));
    dead.child.kill().unwrap();
    dead.child.wait().unwrap();
    place.write("go", "");
    succeeded(holder);
    succeeded(waiter);
    assert_eq!(status(&place, 3), "pending");
    // Nor is it in the way of those that come later; it can be gone on with.
    place.write("w.yaml", passes("concurrency: {on_conflict: reject}"));
    assert_eq!(place.run(["exec", "w.yaml"]).code, Some(0));
    assert_eq!(place.run(["recover", "@3"]).code, Some(0));
    assert_eq!(status(&place, 3), "success");
    check_counts(&place);
}

#[test]
fn a_killed_waiter_takes_no_place_from_others() {
    let place = watched();
    let holder = hold(&place, "concurrency: {max_queued: 1}");
    let mut dead = queue(&place, "w.yaml", &passes("concurrency: {max_queued: 1}"));
    dead.child.kill().unwrap();
    dead.child.wait().unwrap();
    let waiter = queue(&place, "w.yaml", &passes("concurrency: {max_queued: 1}"));
    // One that lives does.
    place.run(["exec", "w.yaml"]).refused(1, &["`held`", "`max_queued` is 1"]);
    place.write("go", "");
    succeeded(holder);
    succeeded(waiter);
    assert_eq!(order(&place), [2, 4]);
    check_counts(&place);
}

#[test]
fn a_stopped_holder_keeps_its_slot() {
    let place = watched();
    let holder = hold(&place, "concurrency: 1");
    holder.signal("STOP");
    // As if it had been for hours: no time is measured.
    place.sql(
        "UPDATE workflow_executions SET updated_at = '2020-01-01T00:00:00.000000Z' WHERE seq = 2",
    );
    let mut waiter = queue(&place, "w.yaml", &passes("concurrency: 1"));
    place.write("w2.yaml", passes("concurrency: {on_conflict: reject}"));
    place.run(["exec", "w2.yaml"]).refused(1, &["@2"]);
    assert!(!waiter.has_ended());
    assert_eq!((status(&place, 2), status(&place, 3)), ("running".into(), "pending".into()));
    place.write("go", "");
    holder.signal("CONT");
    succeeded(holder);
    succeeded(waiter);
    check_counts(&place);
}

#[test]
fn one_that_replaces_begins_when_the_others_are_gone() {
    let place = watched();
    let document = "id: held\nconcurrency: {limit: 2, on_conflict: replace}\nsteps:\n- name: hold\n  \
                    run: |\n    echo begun\n    trap 'echo step >> gone; exit 1' TERM\n    \
                    while :; do sleep 0.02; done\n\
                    on_cancel: [{name: undo, run: sleep 0.3; echo handler >> gone}]\n";
    let holders: Vec<Running> =
        (0..2).map(|_| crate::support::start_exec(&place, document)).collect();
    let next = "id: held\nconcurrency: {limit: 2, on_conflict: replace}\n\
                steps: [{name: look, run: cp gone seen}]\n";
    let waiter = queue(&place, "next.yaml", next);
    succeeded(waiter);
    for holder in holders {
        assert_eq!(holder.end().code, Some(1));
    }
    let seen = place.read("seen");
    assert_eq!(seen.matches("step").count(), 2, "{seen}");
    assert_eq!(seen.matches("handler").count(), 2, "{seen}");
    for number in ["@2", "@3"] {
        let shown = place.show(number);
        assert_eq!(shown["execution"]["status"], "cancelled");
        assert_eq!(shown["execution"]["error"], "replaced by @4");
    }
    check_counts(&place);
}

#[test]
fn one_that_replaces_cancels_those_that_wait() {
    let place = watched();
    let holder = hold(&place, "concurrency: 1");
    let waiter = queue(&place, "w.yaml", &passes("concurrency: 1"));
    let next = queue(&place, "next.yaml", &passes("concurrency: {on_conflict: replace}"));
    assert_eq!(waiter.end().code, Some(1));
    assert_eq!(holder.end().code, Some(1));
    succeeded(next);
    assert_eq!(place.show("@3")["execution"]["error"], "replaced by @4");
    assert_eq!(order(&place), [2, 4]);
    check_counts(&place);
}

#[test]
fn a_replay_waits_and_follows_the_stored_limit() {
    let place = watched();
    place.exec(&passes("concurrency: {limit: 5}"), 0);
    let holder = hold(&place, "concurrency: {limit: 1}");
    let mut replay = Running::start(&mut place.wfx(["replay", "@2"]));
    replay.wait_for("waiting for a slot");
    assert_eq!(place.sql("SELECT slots FROM workflow_group_limits"), "1");
    place.write("go", "");
    succeeded(holder);
    succeeded(replay);
    check_counts(&place);
}

#[test]
fn a_changed_group_makes_no_step_run_again() {
    let place = watched();
    place.exec(&passes("concurrency: 1"), 0);
    place.write("other.yaml", passes("concurrency: {group: other, limit: 3}"));
    let plan = place.run(["replay", "@2", "--failed", "--with", "other.yaml", "--dry-run"]);
    plan.refused(2, &["every step of @2 can be reused"]);
}

#[test]
fn what_cannot_be_meant_is_refused_with_its_place() {
    let place = Place::new();
    for (keys, told) in [
        ("concurrency: 0", &["from 1 to 100000"][..]),
        ("concurrency: {limit: many}", &["`limit`"]),
        ("concurrency: 'a b'", &["name of a group"]),
        ("concurrency: {by: [enviroment]}", &["no parameter", "did you mean `environment`?"]),
        ("concurrency: {by: [environment, environment]}", &["twice"]),
        ("concurrency: {on_conflict: skip}", &["`queue`", "`reject`", "`replace`"]),
        ("concurrency: {max_queued: -1}", &["`max_queued`"]),
        ("concurrency: {limits: 1}", &["did you mean `limit`?"]),
    ] {
        let keys = format!("params: {{environment: dev}}\n{keys}");
        let file = place.write("w.yaml", passes(&keys));
        place.run(["validate", file.to_str().unwrap()]).refused(2, told);
    }
    // What is stored reads back as the same.
    for keys in ["concurrency: 3", "concurrency: deploy", "concurrency: {by: environment}"] {
        let place = Place::new();
        let keys = format!("params: {{environment: dev}}\n{keys}");
        let stored = place.exec(&passes(&keys), 0);
        let id = stored["execution"]["execution_id"].as_str().unwrap();
        assert_eq!(place.run(["replay", id]).code, Some(0), "{keys}");
    }
}

#[test]
fn the_workflows_of_a_folder_agree_on_the_limit_of_a_group() {
    let place = Place::new();
    std::fs::create_dir(place.path("flows")).unwrap();
    for (id, limit) in [("a", 1), ("b", 2)] {
        let text =
            format!("id: {id}\nconcurrency: {{group: g, limit: {limit}}}\nsteps: [{{name: x}}]\n");
        place.write(&format!("flows/{id}.yaml"), text);
    }
    place.run(["validate", "flows"]).refused(2, &["flows/b.yaml", "`g`", "limit of 2", "of 1"]);
    place.write("flows/b.yaml", "id: b\nconcurrency: g\nsteps: [{name: x}]\n");
    assert_eq!(place.run(["validate", "flows"]).code, Some(0));
}
