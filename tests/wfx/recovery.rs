//! What becomes of executions whose process died or is not to go on: `wfx recover` and
//! `wfx cancel` through the real binary.

use std::fs;
use std::process::Command;

use crate::support::{Place, Ran, Running, processes_with, states, steps, until};

/// A step that runs until there is a file `go`, and says that it began.
const WAITS: &str =
    "run: 'echo begun; echo $WFX_ATTEMPT >> ran; until test -e go; do sleep 0.02; done'";

fn start(place: &Place, document: &str) -> Running {
    let file = place.write("w.yaml", document);
    let mut running = Running::start(place.wfx(["exec", "-v"]).arg(file));
    running.wait_for("begun");
    running
}

/// Starts a workflow and kills wfx in the middle.
fn crash(place: &Place, document: &str) {
    let running = start(place, document);
    running.signal("KILL");
    running.end();
}

fn id(place: &Place) -> String {
    place.sql("SELECT execution_id FROM workflow_executions ORDER BY seq DESC LIMIT 1")
}

fn nobody_is_left(place: &Place) {
    assert_eq!(processes_with(&format!("WFX_EXECUTION_ID={}", id(place))), [] as [u32; 0]);
}

fn recover<const N: usize>(place: &Place, args: [&str; N]) -> Ran {
    Ran::of(place.wfx(["recover"]).args(args))
}

/// More than are run side by side.
#[test]
fn what_waits_to_be_recovered_can_be_cancelled() {
    let place = Place::new();
    let document = format!("steps: [{{name: a, {WAITS}, retry: {{max_attempts: 2}}}}]");
    let file = place.write("w.yaml", document);
    let running: Vec<Running> =
        (0..40).map(|_| Running::start(place.wfx(["exec"]).arg(&file))).collect();
    let begun = || std::fs::read_to_string(place.path("ran")).unwrap_or_default();
    until("all have begun", || begun().lines().count() == 40);
    for process in running {
        process.signal("KILL");
        process.end();
    }
    let recovery = Running::start(&mut place.wfx(["recover"]));
    until("some go on", || begun().lines().filter(|attempt| *attempt == "2").count() == 32);
    let in_attempt = |attempt: u32| {
        place.sql(&format!(
            "SELECT execution_id FROM workflow_executions
             JOIN workflow_execution_steps USING (seq) WHERE attempt = {attempt}"
        ))
    };
    let (waiting, running) = (in_attempt(1), in_attempt(2));
    assert_eq!((waiting.lines().count(), running.lines().count()), (8, 32));
    let last = waiting.lines().last().unwrap();
    assert_eq!(place.run(["cancel", "--no-wait", last]).code, Some(0));
    // Requests are found in their order, so that this one being acted on tells of the other.
    let acted_on = place.run(["cancel", running.lines().next().unwrap()]);
    assert_eq!(acted_on.code, Some(0), "{acted_on:?}");
    place.write("go", "");
    assert_eq!(recovery.end().code, Some(1));
    assert_eq!(place.show(last)["execution"]["status"], "cancelled");
    assert_eq!(place.list()["items"].as_array().unwrap().len(), 40);
    let ended = place.sql("SELECT status, count(*) FROM workflow_executions GROUP BY status");
    assert_eq!(ended, "cancelled|2\nsuccess|38");
}

#[test]
fn a_step_without_attempts_left_is_interrupted_and_others_go_on() {
    let place = Place::new();
    crash(
        &place,
        &format!(
            "max_parallel: 1\nsteps:\n\
             - {{name: lost, {WAITS}}}\n- {{name: after, run: touch after}}\n\
             - {{name: apart, depends_on: [], sleep: 1ms}}\n- {{name: last, run: touch last}}"
        ),
    );
    let listed = place.list();
    assert_eq!(listed["items"][0]["status"], "running");
    assert_eq!(listed["items"][0]["owner_state"], "dead");
    let ran = recover(&place, []);
    ran.refused(1, &["that steps had left", "interrupted"]);
    assert!(ran.stdout.contains("recovered 1 execution: 1 interrupted"), "{ran:?}");
    let execution = place.show("@1");
    assert_eq!(
        states(&execution),
        ["lost interrupted", "after skipped", "apart success", "last success"]
    );
    assert_eq!(execution["execution"]["status"], "interrupted");
    assert!(!place.path("after").exists());
    assert_eq!(place.read("ran"), "1\n");
    nobody_is_left(&place);
    let again = recover(&place, []);
    assert_eq!((again.code, again.stdout.as_str()), (Some(0), "nothing to recover\n"));
}

#[test]
fn a_step_with_attempts_left_is_tried_again() {
    let place = Place::new();
    crash(
        &place,
        &format!("steps: [{{name: a, {WAITS}, retry: {{max_attempts: 2}}}}, {{name: b}}]"),
    );
    place.write("go", "");
    let ran = recover(&place, ["--format", "json"]);
    assert_eq!(ran.code, Some(0), "{ran:?}");
    assert_eq!(ran.json()["executions"][0]["status"], "success");
    assert_eq!(ran.json()["executions"][0]["execution_id"], id(&place));
    assert_eq!(place.read("ran"), "1\n2\n");
    let execution = place.show("@1");
    assert_eq!(states(&execution), ["a success", "b success"]);
    assert_eq!(steps(&execution)["a"]["attempt"], 2);
    assert_eq!(
        place.sql("SELECT attempt, status, error FROM workflow_execution_attempts ORDER BY 1"),
        "1|interrupted|wfx ended while it ran\n2|success|"
    );
    nobody_is_left(&place);
}

#[test]
fn one_execution_is_recovered_by_its_id() {
    let place = Place::new();
    let document = format!("steps: [{{name: a, {WAITS}, retry: {{max_attempts: 9}}}}]");
    crash(&place, &document);
    crash(&place, &document);
    place.write("go", "");
    let ran = recover(&place, ["@2", "--format", "json"]);
    assert_eq!(ran.code, Some(0), "{ran:?}");
    assert_eq!(ran.json()["execution"]["status"], "success");
    assert_eq!(place.show("@1")["execution"]["status"], "running");
    recover(&place, ["@2"]).refused(2, &["has ended as success", "wfx replay"]);
    recover(&place, ["@9"]).refused(2, &["no execution `@9`"]);
}

#[test]
fn a_dead_serve_keeps_its_executions_unless_one_is_named() {
    let place = Place::new();
    crash(&place, &format!("steps: [{{name: a, {WAITS}, retry: {{max_attempts: 9}}}}]"));
    place.write("go", "");
    place.sql("UPDATE workflow_executions SET owner = replace(owner, 'exec-', 'serve-')");
    let ran = recover(&place, []);
    assert_eq!((ran.code, ran.stdout.as_str()), (Some(0), "nothing to recover\n"), "{ran:?}");
    assert!(ran.stderr.contains("1 execution of a dead `wfx serve`"), "{ran:?}");
    assert!(!ran.stderr.contains("no process died"), "{ran:?}");
    let ran = recover(&place, ["@1"]);
    assert_eq!(ran.code, Some(0), "{ran:?}");
    assert!(ran.stderr.contains("over from wfx serve (process "), "{ran:?}");
}

#[test]
fn what_cannot_be_run_again_ends_as_interrupted() {
    let place = Place::new();
    crash(&place, &format!("steps: [{{name: a, {WAITS}}}, {{name: b}}]"));
    place.sql("UPDATE workflow_executions SET input_snapshot = '{\"definition\": 1}'");
    let ran = recover(&place, []);
    assert_eq!(ran.code, Some(1), "{ran:?}");
    let execution = place.show("@1");
    assert_eq!(states(&execution), ["a interrupted", "b skipped"]);
    let error = execution["execution"]["error"].as_str().unwrap();
    assert!(error.contains("it cannot go on"), "{error}");
    nobody_is_left(&place);
}

#[test]
fn who_is_stopped_is_not_taken_for_dead() {
    let place = Place::new();
    let running = start(&place, &format!("steps: [{{name: a, {WAITS}}}]"));
    running.signal("STOP");
    let ran = recover(&place, []);
    assert_eq!((ran.code, ran.stdout.as_str()), (Some(0), "nothing to recover\n"), "{ran:?}");
    recover(&place, ["@1"]).refused(2, &["is being run by wfx exec (process ", "wfx cancel"]);
    assert_eq!(place.list()["items"][0]["owner_state"], "alive");
    place.write("go", "");
    running.signal("CONT");
    let ran = running.end();
    assert_eq!(ran.code, Some(0), "{ran:?}");
    assert_eq!(place.read("ran"), "1\n");
}

#[test]
fn two_that_recover_at_once_run_each_execution_once() {
    let place = Place::new();
    let file = place.write(
        "w.yaml",
        "steps: [{name: a, run: 'echo begun; echo $WFX_EXECUTION_ID $WFX_ATTEMPT >> ran; test $WFX_ATTEMPT = 2 || sleep 1000', retry: {max_attempts: 2}}]",
    );
    let mut running: Vec<Running> =
        (0..12).map(|_| Running::start(place.wfx(["exec", "-v"]).arg(&file))).collect();
    for running in &mut running {
        running.wait_for("begun");
        running.signal("KILL");
    }
    running.into_iter().for_each(|running| drop(running.end()));
    let both: Vec<_> = (0..2).map(|_| Running::start(&mut place.wfx(["recover"]))).collect();
    for one in both {
        let ran = one.end();
        assert_eq!(ran.code, Some(0), "{ran:?}");
    }
    assert_eq!(
        place.sql("SELECT status, count(*) FROM workflow_executions GROUP BY status"),
        "success|12"
    );
    let ran = place.read("ran");
    let mut lines: Vec<&str> = ran.lines().collect();
    lines.sort_unstable();
    lines.dedup();
    assert_eq!((lines.len(), ran.lines().count()), (24, 24), "{ran}");
}

#[test]
fn who_comes_too_late_is_shown_the_process_that_took_over() {
    let place = Place::new();
    crash(&place, &format!("steps: [{{name: a, {WAITS}, retry: {{max_attempts: 9}}}}]"));
    place.sql("UPDATE workflow_executions SET owner = replace(owner, 'exec-', 'serve-')");
    // Both find that the owner is dead, then wait for the database.
    let other = rusqlite::Connection::open(place.database()).unwrap();
    other.execute_batch("BEGIN IMMEDIATE").unwrap();
    let mut both: Vec<_> =
        (0..2).map(|_| Running::start(&mut place.wfx(["recover", "@1"]))).collect();
    let pids: Vec<u32> = both.iter().map(Running::pid).collect();
    // Each makes its lock file after it has looked at the execution.
    let has_lock_file = |pid: &u32| {
        let mut files = fs::read_dir(place.path("wfx.db-owners")).unwrap();
        files.any(|file| {
            let name = file.unwrap().file_name().into_string().unwrap();
            name.split('-').nth(1) == Some(&pid.to_string())
        })
    };
    until("both have looked", || pids.iter().all(has_lock_file));
    other.execute_batch("ROLLBACK").unwrap();
    until("one of them has ended", || both.iter_mut().any(Running::has_ended));
    place.write("go", "");
    let mut ends: Vec<_> = both.into_iter().map(Running::end).zip(pids).collect();
    ends.sort_by_key(|(ran, _)| ran.code);
    let [(first, pid), (late, _)] = &ends[..] else { unreachable!() };
    assert_eq!((first.code, late.code), (Some(0), Some(2)), "{first:?} {late:?}");
    assert!(first.stderr.contains("over from wfx serve (process "), "{first:?}");
    assert!(late.stderr.contains(&format!("is being run by wfx exec (process {pid})")), "{late:?}");
    assert!(!late.stderr.contains("over from"), "{late:?}");
}

#[test]
fn what_step_children_left_is_ended_even_if_it_will_not() {
    let place = Place::new();
    crash(
        &place,
        "steps: [{name: a, run: \"(trap '' TERM; touch up; exec sleep 1000) & sleep 1000 & until test -e up; do :; done; echo begun; wait\"}]",
    );
    let execution = id(&place);
    until("both are found", || processes_with(&format!("WFX_EXECUTION_ID={execution}")).len() >= 2);
    assert_eq!(recover(&place, []).code, Some(1));
    nobody_is_left(&place);
}

#[test]
fn a_recovery_that_is_killed_is_run_again() {
    let place = Place::new();
    crash(&place, &format!("steps: [{{name: a, {WAITS}, retry: {{max_attempts: 3}}}}]"));
    let second = Running::start(&mut place.wfx(["recover"]));
    until("the second attempt runs", || place.read("ran").lines().count() == 2);
    second.signal("KILL");
    second.end();
    place.write("go", "");
    assert_eq!(recover(&place, []).code, Some(0));
    assert_eq!(place.read("ran"), "1\n2\n3\n");
    nobody_is_left(&place);
}

#[test]
fn an_interrupted_recovery_cancels_what_runs() {
    let place = Place::new();
    crash(&place, &format!("steps: [{{name: a, {WAITS}, retry: {{max_attempts: 3}}}}]"));
    let second = Running::start(&mut place.wfx(["recover"]));
    until("the second attempt runs", || place.read("ran").lines().count() == 2);
    second.signal("INT");
    let ran = second.end();
    assert_eq!(ran.code, Some(130), "{ran:?}");
    assert_eq!(place.show("@1")["execution"]["status"], "cancelled");
    nobody_is_left(&place);
}

#[test]
fn another_process_is_asked_to_cancel() {
    let place = Place::new();
    let running = start(&place, &format!("steps: [{{name: a, {WAITS}}}, {{name: b}}]"));
    let ran = place.run(["cancel", "@1", "--format", "json"]);
    assert_eq!(ran.code, Some(0), "{ran:?}");
    assert_eq!(ran.json()["execution"]["status"], "cancelled");
    assert_eq!(ran.json()["execution"]["error"], "cancelled on request");
    let ran = running.end();
    assert_eq!(ran.code, Some(1), "{ran:?}");
    assert_eq!(states(&place.show("@1")), ["a cancelled", "b cancelled"]);
    nobody_is_left(&place);
    place.run(["cancel", "@1"]).refused(2, &["has ended as cancelled"]);
    place.run(["cancel", "@7"]).refused(2, &["no execution `@7`"]);
}

#[test]
fn a_request_waits_for_who_is_stopped() {
    let place = Place::new();
    let running = start(&place, &format!("steps: [{{name: a, {WAITS}}}]"));
    running.signal("STOP");
    let ran = place.run(["cancel", "@1", "--no-wait"]);
    assert_eq!(ran.code, Some(0), "{ran:?}");
    assert!(ran.stderr.contains("asked wfx exec (process "), "{ran:?}");
    running.signal("CONT");
    let ran = running.end();
    assert_eq!(ran.code, Some(1), "{ran:?}");
    assert_eq!(place.show("@1")["execution"]["status"], "cancelled");
}

#[test]
fn what_a_dead_process_left_is_cancelled_by_who_asks() {
    let place = Place::new();
    crash(
        &place,
        &format!("steps: [{{name: a, {WAITS}, retry: {{max_attempts: 3}}}}, {{name: b}}]"),
    );
    let ran = place.run(["cancel", "@1"]);
    assert_eq!(ran.code, Some(0), "{ran:?}");
    assert_eq!(states(&place.show("@1")), ["a cancelled", "b cancelled"]);
    assert_eq!(place.read("ran"), "1\n");
    nobody_is_left(&place);
}

#[test]
fn a_request_that_the_owner_did_not_live_to_see_is_kept() {
    let place = Place::new();
    let running =
        start(&place, &format!("steps: [{{name: a, {WAITS}, retry: {{max_attempts: 3}}}}]"));
    running.signal("STOP");
    assert_eq!(place.run(["cancel", "@1", "--no-wait"]).code, Some(0));
    running.signal("KILL");
    running.end();
    assert_eq!(recover(&place, []).code, Some(1));
    assert_eq!(place.show("@1")["execution"]["status"], "cancelled");
    assert_eq!(place.read("ran"), "1\n");
    nobody_is_left(&place);
}

#[test]
fn a_sleep_keeps_its_due_time() {
    let place = Place::new();
    crash(
        &place,
        &format!("steps: [{{name: nap, sleep: 300ms}}, {{name: a, depends_on: [], {WAITS}}}]"),
    );
    place.write("go", "");
    until("the nap is over", || {
        place.sql(
            "SELECT julianday('now') > julianday(created_at) + 0.3 / 86400 FROM workflow_executions",
        ) == "1"
    });
    assert_eq!(recover(&place, []).code, Some(1));
    let execution = place.show("@1");
    assert_eq!(states(&execution), ["nap success", "a interrupted"]);
    assert_eq!(steps(&execution)["nap"]["attempt"], 1);
}

#[test]
fn links_to_the_database_lead_to_one_set_of_owners() {
    let place = Place::new();
    let running = start(&place, &format!("steps: [{{name: a, {WAITS}}}]"));
    std::os::unix::fs::symlink(place.database(), place.path("link.db")).unwrap();
    let mut command = place.wfx(["recover"]);
    let ran = Ran::of(command.env("WFX_DB", place.path("link.db")));
    assert_eq!((ran.code, ran.stdout.as_str()), (Some(0), "nothing to recover\n"), "{ran:?}");
    place.write("go", "");
    assert_eq!(running.end().code, Some(0));
}

#[test]
fn an_owner_that_was_taken_over_writes_nothing_more() {
    let place = Place::new();
    let running =
        start(&place, &format!("steps: [{{name: a, {WAITS}}}, {{name: b, run: touch b}}]"));
    // As if its lock had been taken for a dead one's.
    place.sql("UPDATE workflow_executions SET owner = 'exec-1-00000000'");
    place.write("go", "");
    running.end().refused(3, &["taken over by exec-1-00000000"]);
    assert!(!place.path("b").exists());
    assert_eq!(states(&place.show("@1")), ["a running", "b pending"]);
}

#[test]
fn a_leftover_of_a_step_that_had_ended_is_let_live() {
    let place = Place::new();
    crash(
        &place,
        &format!(
            "steps: [{{name: daemon, run: 'setsid sh -c \"touch up; exec sleep 1000\" & until test -e up; do :; done'}}, {{name: a, {WAITS}}}]"
        ),
    );
    assert_eq!(recover(&place, []).code, Some(1));
    let own = format!("WFX_EXECUTION_ID={}", id(&place));
    until("it is found", || processes_with(&own).len() == 1);
    let left = processes_with(&own);
    let status = Command::new("kill").arg(left[0].to_string()).status().unwrap();
    assert!(status.success());
}
