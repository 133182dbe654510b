//! Schedules as `serve` runs them: what starts, what does not and why, through edits, pauses, crashes
//! and clocks that are set.

mod faults;

use std::fs;

use serde_json::{Value, json};

use super::{Daemon, EXECUTIONS, id_of};
use crate::support::{Place, Ran, states, until};

/// A place with a folder of workflows.
fn place(files: &[(&str, &str)]) -> Place {
    let place = Place::new();
    fs::create_dir(place.path("workflows")).unwrap();
    for (name, text) in files {
        write(&place, name, text);
    }
    place
}

/// Writes a workflow as editors do that replace the file.
fn write(place: &Place, name: &str, text: &str) {
    let new = place.write("new.tmp", text);
    fs::rename(new, place.path(&format!("workflows/{name}"))).unwrap();
}

fn serve(place: &Place, more: &[&str]) -> Daemon {
    let mut args = vec!["--workflows", "workflows"];
    args.extend(more);
    Daemon::start(place, &args)
}

/// Decisions of a workflow, the first scheduled time first.
fn decisions(daemon: &Daemon, workflow_id: &str) -> Vec<Value> {
    let path = format!("/api/v1/workflows/{workflow_id}/decisions?limit=500");
    let mut answer = daemon.get(&path).expect(200);
    let mut found: Vec<Value> = answer["decisions"].as_array_mut().unwrap().drain(..).collect();
    found.reverse();
    found
}

fn texts<'d>(decisions: &'d [Value], key: &str) -> Vec<&'d str> {
    decisions.iter().map(|decision| decision[key].as_str().unwrap_or("-")).collect()
}

fn count(decisions: &[Value], action: &str) -> usize {
    decisions.iter().filter(|decision| decision["action"] == action).count()
}

#[test]
fn an_execution_of_a_schedule_knows_its_time_and_so_does_its_replay() {
    let text = "params: {full: false}
schedule: [{every: 1s, name: second, params: {full: true}}]
steps: [{name: say, run: 'echo $WFX_SCHEDULED_AT $WFX_PARAM_FULL'}]\n";
    let place = place(&[("said.yaml", text)]);
    let daemon = serve(&place, &[]);
    until("two have started", || count(&decisions(&daemon, "said"), "started") >= 2);
    write(&place, "said.yaml", "steps: [{name: none}]\n");
    let rows = decisions(&daemon, "said");
    let first = &rows[0];
    assert_eq!((&first["schedule"], &first["reason"]), (&json!("second"), &json!("on_time")));
    let id = first["execution_id"].as_str().unwrap();
    let path = format!("{EXECUTIONS}/{id}");
    until("it has ended", || daemon.get(&path).expect(200)["execution"]["status"] == "success");
    let shown = daemon.get(&path).expect(200);
    let scheduled_at = first["scheduled_at"].as_str().unwrap();
    assert_eq!(
        shown["execution"]["trigger"],
        json!({"kind": "schedule", "by": null, "schedule": "second", "scheduled_at": scheduled_at})
    );
    let said = format!("{scheduled_at} true\n");
    assert_eq!(shown["steps"][0]["stdout"], said);
    let replayed = daemon.post(&format!("{path}/replay?wait=30s"), "").expect(200);
    assert_eq!(replayed["steps"][0]["stdout"], said);
    assert_eq!(replayed["execution"]["trigger"]["kind"], "replay");
    let again = place.run(["replay", id, "--format", "json"]).json();
    assert_eq!(again["steps"][0]["stdout"], said);
    // Who sets a variable of this name for wfx says nothing to its steps.
    let plain = place.write("plain.yaml", "steps: [{name: a, run: 'echo <$WFX_SCHEDULED_AT>'}]\n");
    let plain = plain.to_str().unwrap();
    let ran = Ran::of(place.wfx(["exec", plain, "--format", "json"]).env("WFX_SCHEDULED_AT", "x"));
    assert_eq!(ran.json()["steps"][0]["status"], "failed", "the shell reads a file: {ran:?}");
    daemon.stop();
}

#[test]
fn overlap_decides_while_an_execution_has_not_ended() {
    let text = |overlap: &str| {
        format!(
            "schedule: [{{every: 1s, name: s}}]\noverlap: {overlap}\nsteps:\n- name: wait\n  \
             run: until test -e go-{overlap}; do sleep 0.02; done\n"
        )
    };
    let all = ["skip", "queue_latest", "allow", "replace"];
    let files: Vec<(String, String)> =
        all.iter().map(|overlap| (format!("{overlap}.yaml"), text(overlap))).collect();
    let files: Vec<(&str, &str)> = files.iter().map(|(a, b)| (a.as_str(), b.as_str())).collect();
    let place = place(&files);
    let daemon = serve(&place, &[]);
    let rows = |id: &str| decisions(&daemon, id);
    until("one is skipped", || {
        let rows = rows("skip");
        count(&rows, "skipped") == 1 && rows[1]["count"].as_u64() > Some(1)
    });
    let skipped = rows("skip");
    assert_eq!(texts(&skipped, "action"), ["started", "skipped"]);
    assert_eq!(skipped[1]["reason"], "overlap");
    assert_eq!(skipped[1]["execution_id"], skipped[0]["execution_id"], "the one in the way");
    until("a newer one waits", || {
        let rows = rows("queue_latest");
        rows.len() > 2 && rows.last().unwrap()["action"] == "queued"
    });
    let queued = rows("queue_latest");
    assert_eq!(
        (&queued[0]["action"], &queued[1]["action"]),
        (&json!("started"), &json!("skipped"))
    );
    assert_eq!(queued[1]["reason"], "superseded");
    until("several run at a time", || count(&rows("allow"), "started") > 2);
    until("one was replaced", || count(&rows("replace"), "started") > 2);
    let replaced = rows("replace");
    assert_eq!(texts(&replaced[..2], "reason"), ["on_time", "replaces"]);
    let first = replaced[0]["execution_id"].as_str().unwrap();
    let status = || daemon.get(&format!("{EXECUTIONS}/{first}")).expect(200);
    until("the first one is cancelled", || status()["execution"]["status"] == "cancelled");
    assert_eq!(status()["execution"]["cancel_requested_by"], "schedule s");
    let running = |id: &str| {
        let path = format!("/api/v1/workflows/{id}/executions?status=running");
        daemon.get(&path).expect(200)["total"].as_u64().unwrap()
    };
    assert_eq!((running("skip"), running("queue_latest")), (1, 1));
    for overlap in all {
        place.write(&format!("go-{overlap}"), "");
    }
    until("the one that waited begins", || {
        texts(&rows("queue_latest"), "reason").contains(&"after_queue")
    });
    daemon.stop();
}

#[test]
fn edits_keep_what_is_known_and_other_times_begin_anew() {
    let text = |keys: &str, step: &str| format!("schedule: [{keys}]\nsteps: [{{name: {step}}}]\n");
    // Not due while the test runs.
    let far = "{cron: '0 0 1 1 *', name: s}";
    let place = place(&[("w.yaml", &text(far, "a"))]);
    let daemon = serve(&place, &[]);
    let first_seen = || {
        let listed = daemon.get("/api/v1/schedules").expect(200);
        listed["schedules"][0]["first_seen"].as_str().map(str::to_owned)
    };
    until("it is registered", || first_seen().is_some());
    let before = first_seen();
    let loaded = || daemon.get("/api/v1/workflows/w").expect(200)["definition"].to_string();
    write(&place, "w.yaml", &text("{cron: '0 0 1 1 *', name: s, catch_up: all}", "b"));
    until("it is loaded", || loaded().contains("catch_up"));
    write(&place, "w.yaml", "steps: [");
    write(&place, "w.yaml", &text(far, "c"));
    until("it is loaded", || loaded().contains(r#""c""#));
    assert_eq!(first_seen(), before);
    write(&place, "w.yaml", &text("{cron: '0 1 1 1 *', name: s}", "c"));
    until("it begins anew", || first_seen() > before);
    let anew = first_seen();
    fs::remove_file(place.path("workflows/w.yaml")).unwrap();
    until("it is gone", || daemon.get("/api/v1/schedules").expect(200)["schedules"] == json!([]));
    write(&place, "w.yaml", &text("{cron: '0 1 1 1 *', name: s}", "c"));
    until("it begins anew", || first_seen() > anew);
    daemon.stop();
}

#[test]
fn schedules_are_paused_and_resumed_with_the_reason_and_by_whom() {
    let text = "schedule: {every: 1s, name: s}\nsteps: [{name: a}]\n";
    let place = place(&[("one.yaml", text), ("other.yaml", text)]);
    let daemon = serve(&place, &[]);
    until("it starts", || count(&decisions(&daemon, "one"), "started") > 0);
    let refused = [
        ("/api/v1/workflows/none/pause", "", 404, "none"),
        ("/api/v1/workflows/one/pause", r#"{"until":"yesterday"}"#, 400, "/until"),
        ("/api/v1/workflows/one/pause", r#"{"until":"2020-01-01"}"#, 400, "ended at"),
        ("/api/v1/workflows/one/pause", r#"{"why":"x"}"#, 400, "why"),
        ("/api/v1/workflows/one/resume", r#"{"x":1}"#, 400, "body"),
    ];
    for (path, body, status, told) in refused {
        let answer = daemon.post(path, body);
        assert_eq!(answer.status, status, "{path} {body} {answer:?}");
        assert!(answer.body.contains(told), "{answer:?}");
    }
    let long = format!(r#"{{"reason":"{}"}}"#, "x".repeat(1_001));
    assert_eq!(daemon.post("/api/v1/workflows/one/pause", &long).status, 400);
    let paused = daemon.post("/api/v1/workflows/one/pause", r#"{"reason":"new disk"}"#).expect(200);
    assert_eq!((&paused["reason"], &paused["paused_until"]), (&json!("new disk"), &json!(null)));
    until("a time is skipped", || {
        let rows = decisions(&daemon, "one");
        rows.last().unwrap()["reason"] == "paused"
    });
    let listed = daemon.get("/api/v1/schedules").expect(200);
    let of = |listed: &Value, id: &str| {
        let mut all = listed["schedules"].as_array().unwrap().iter();
        all.find(|it| it["workflow_id"] == id).unwrap().clone()
    };
    assert_eq!(of(&listed, "one")["paused"]["reason"], "new disk");
    assert_eq!(of(&listed, "other")["paused"], json!(null));
    // The command line, over the daemon and without it.
    let url = format!("http://{}", daemon.address);
    let ran = place.run(["schedule", "resume", "one", "--server", &url]);
    assert_eq!((ran.code, ran.stdout.contains("start again")), (Some(0), true), "{ran:?}");
    let ran = place.run(["schedule", "pause", "--until", "1h", "--reason", "all of it"]);
    assert_eq!((ran.code, ran.stdout.contains("all workflows")), (Some(0), true), "{ran:?}");
    until("the other is paused as well", || {
        decisions(&daemon, "other").last().unwrap()["reason"] == "paused"
    });
    place.run(["schedule", "pause", "none"]).refused(2, &["none", "schedule list"]);
    place.run(["schedule", "pause", "one", "--until", "2020-01-01"]).refused(2, &["ended at"]);
    let ran = place.run(["schedule", "resume", "one"]);
    assert!(ran.stderr.contains("were not paused"), "{ran:?}");
    assert_eq!(place.run(["schedule", "resume"]).code, Some(0));
    let started = count(&decisions(&daemon, "other"), "started");
    until("it starts again", || count(&decisions(&daemon, "other"), "started") > started);
    // Where it stands, as a table and as a status.
    let table = place.run(["schedule", "list", "--workflows", "workflows"]);
    assert!(table.stdout.contains("other") && table.stdout.contains("started"), "{table:?}");
    let status = place.run(["status", "--workflows", "workflows"]);
    assert!(status.stdout.contains("next run"), "{status:?}");
    daemon.stop();
    let doctor = place.run(["doctor"]);
    assert!(doctor.stdout.contains("2 schedules; rules of zones: "), "{doctor:?}");
    assert!(!doctor.stdout.contains("yet to come"), "{doctor:?}");
    place.sql("UPDATE workflow_schedules SET decided_until = '2098-01-01T00:00:00.000000Z'");
    assert!(place.run(["doctor"]).stdout.contains("the clock was ahead"));
}

#[test]
fn a_missed_time_is_started_by_hand_once() {
    let text = "schedule: {cron: '0 * * * *', name: hourly}
steps: [{name: say, run: 'echo $WFX_SCHEDULED_AT'}]\n";
    let place = place(&[("w.yaml", text), ("plain.yaml", "steps: [{name: a}]\n")]);
    let daemon = serve(&place, &[]);
    let listed =
        || daemon.get("/api/v1/schedules").expect(200)["schedules"][0]["first_seen"].clone();
    until("it is registered", || listed().is_string());
    daemon.stop();
    // Nothing ran for a day and a half.
    place.sql("UPDATE workflow_schedules SET first_seen = strftime('%Y-%m-%dT%H:%M:%S.000000Z', 'now', '-36 hours')");
    let daemon = serve(&place, &[]);
    until("they are missed", || count(&decisions(&daemon, "w"), "missed") == 1);
    let missed = decisions(&daemon, "w");
    let (first, last) = (missed[0]["scheduled_at"].clone(), missed[0]["scheduled_until"].clone());
    let total = missed[0]["count"].as_u64().unwrap();
    assert!((35..=37).contains(&total), "{missed:?}");
    let status = || daemon.get("/api/v1/status").expect(200)["workflows"].clone();
    let overdue = |status: &Value| {
        let all = status.as_array().unwrap();
        let of = all.iter().find(|it| it["workflow_id"] == "w");
        of.map(|it| it["overdue"].clone()).unwrap_or_default()
    };
    assert_eq!(overdue(&status())[0]["kind"], "missed");
    let run = "/api/v1/workflows/w/run-scheduled?wait=30s";
    let done = daemon.post(run, "").expect(200);
    assert_eq!(states(&done), ["say success"]);
    assert_eq!(done["execution"]["trigger"]["scheduled_at"], last);
    let body = json!({"at": first}).to_string();
    let done = daemon.post(run, &body).expect(200);
    assert_eq!(done["steps"][0]["stdout"], format!("{}\n", first.as_str().unwrap()));
    assert_eq!(daemon.post(run, &body).status, 409);
    let rows = decisions(&daemon, "w");
    assert_eq!(texts(&rows, "action"), ["started", "missed", "started"]);
    assert_eq!(rows[0]["execution_id"], json!(id_of(&done)));
    assert_eq!(rows[1]["count"].as_u64(), Some(total - 2));
    for (body, told) in [
        (r#"{"at":"2026-01-01T00:00:01Z"}"#, "2026-01-01T00:00:00"),
        (r#"{"at":"2100-01-01T00:00:00Z"}"#, "yet to come"),
        (r#"{"schedule":"daily"}"#, "daily"),
    ] {
        let answer = daemon.post(run, body);
        assert_eq!(answer.status, 400, "{answer:?}");
        assert!(answer.body.contains(told), "{answer:?}");
    }
    let plain = daemon.post("/api/v1/workflows/plain/run-scheduled", "");
    assert!(plain.status == 400 && plain.body.contains("no `schedule`"), "{plain:?}");
    daemon.stop();
    // Without a daemon, in the foreground.
    let ran = place.run(["schedule", "run", "w", "--workflows", "workflows", "--format", "json"]);
    assert_eq!(ran.code, Some(0), "{ran:?}");
    assert_eq!(ran.json()["execution"]["trigger"]["kind"], "schedule");
    let history = place.run(["schedule", "history", "w", "--format", "json"]).json();
    assert_eq!(history["decisions"].as_array().unwrap().len(), 4, "{history}");
    place.run(["schedule", "run", "plain", "--workflows", "workflows"]).refused(2, &["schedule"]);
}

#[test]
fn what_is_expected_and_not_met_is_shown_until_it_is_met() {
    let text = "schedule: {every: 1s, name: s}
expect: {finish_within: 200ms, success_within: 1h}
steps: [{name: wait, run: 'until test -e go; do sleep 0.02; done'}]\n";
    // Longer than it takes to see that it succeeded.
    let stale = "expect: {success_within: 6s}\nsteps: [{name: a}]\n";
    let place = place(&[("slow.yaml", text), ("stale.yaml", stale)]);
    let daemon = serve(&place, &[]);
    let overdue = |id: &str| {
        let status = daemon.get("/api/v1/status").expect(200);
        let all = status["workflows"].as_array().unwrap().clone();
        let of = all.into_iter().find(|it| it["workflow_id"] == id).unwrap();
        let kinds = of["overdue"].as_array().unwrap().clone();
        kinds.iter().map(|it| it["kind"].as_str().unwrap().to_owned()).collect::<Vec<_>>()
    };
    until("both are overdue", || overdue("slow") == ["slow"] && overdue("stale") == ["stale"]);
    for line in [
        r#"wfx_workflow_overdue{kind="slow",workflow_id="slow"} 1"#,
        r#"wfx_workflow_overdue{kind="stale",workflow_id="stale"} 1"#,
        "wfx_schedule_lateness_seconds_count",
        r#"wfx_schedule_decisions_total{action="started"} 1"#,
    ] {
        // They are set once it is stored.
        until(line, || daemon.get("/metrics").body.contains(line));
    }
    place.write("go", "");
    until("it is fast again", || overdue("slow").is_empty());
    daemon.post("/api/v1/workflows/stale/execute?wait=30s", "").expect(200);
    until("it has succeeded", || overdue("stale").is_empty());
    let metrics = daemon.get("/metrics").body;
    assert!(
        metrics.contains(r#"wfx_workflow_last_success_timestamp_seconds{workflow_id="stale"}"#)
    );
    // Nobody expects anything of it while it is paused.
    daemon.post("/api/v1/workflows/stale/pause", "").expect(200);
    until("nothing is expected", || overdue("stale").is_empty());
    until("there was time for it", || {
        let facts = place
            .sql("SELECT count(*) FROM workflow_schedule_decisions WHERE workflow_id = 'slow'");
        facts.parse::<u64>().unwrap() > 4
    });
    assert!(overdue("stale").is_empty());
    daemon.stop();
}

#[test]
fn a_daemon_without_schedules_starts_nothing() {
    let text = "schedule: {every: 1s, name: s}\nsteps: [{name: a}]\n";
    let place = place(&[("w.yaml", text)]);
    let daemon = serve(&place, &["--no-schedules"]);
    let other = serve(&place, &[]);
    until("the other one starts", || count(&decisions(&daemon, "w"), "started") > 1);
    other.stop();
    let rows = decisions(&daemon, "w").len();
    daemon.post("/api/v1/workflows/w/execute?wait=30s", "").expect(200);
    assert_eq!(decisions(&daemon, "w").len(), rows);
    daemon.stop();
}
