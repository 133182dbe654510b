//! The daemon and a database that fails: what it answers meanwhile, and what is stored when
//! the database works again.

mod fault;
mod load;
mod under_load;

use std::collections::HashMap;
use std::process::Command;
use std::time::{Duration, Instant};

use rusqlite::{Connection, OpenFlags};
use serde_json::{Value, json};

use self::fault::Fault;
use super::assert_sound;
use crate::daemon::Daemon;
use crate::support::{Place, states, until};

/// No request takes longer than this.
const ANSWER_TIME: Duration = Duration::from_secs(1);
/// Within this a fault is told, and all is stored when it is over.
const FAULT_TIME: Duration = Duration::from_secs(2);

const EXECUTIONS: &str = "/api/v1/workflows/executions";
const GREET: &str = "id: greet
steps:
- {name: hello, run: 'echo hello'}
- {name: end}
";
/// Does no work.
const EMPTY: &str = "id: empty\nsteps: [{name: a}, {name: b}, {name: c}]";
/// Runs until it is cancelled.
const ENDLESS: &str = "id: endless\nsteps: [{name: wait, sleep: 1h}]";

#[expect(clippy::disallowed_methods, reason = "how long an answer takes is what is tested")]
fn now() -> Instant {
    Instant::now()
}

fn execute(workflow_id: &str) -> String {
    format!("/api/v1/workflows/{workflow_id}/execute")
}

fn place() -> Place {
    let place = Place::new();
    std::fs::create_dir(place.path("workflows")).unwrap();
    for (name, text) in [("greet", GREET), ("empty", EMPTY), ("endless", ENDLESS)] {
        place.write(&format!("workflows/{name}.yaml"), text);
    }
    place
}

/// `wfx serve` that keeps every execution.
fn command(place: &Place, more: &[&str]) -> Command {
    let mut command = place.wfx(["serve", "--listen", "127.0.0.1:0", "--workflows", "workflows"]);
    command.args(more).env("WORKFLOW_EXECUTION_RETENTION", "0");
    command
}

/// Waits until `condition` holds, which has to be in time.
#[track_caller]
fn in_time(what: &str, condition: impl FnMut() -> bool) {
    let since = now();
    until(what, condition);
    let took = since.elapsed();
    assert!(took < FAULT_TIME, "{what} took {took:?}");
}

/// The value of a metric without labels.
fn metric(daemon: &Daemon, name: &str) -> f64 {
    let answer = daemon.get("/metrics");
    let line = answer.body.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
    line.unwrap_or_else(|| panic!("no {name}: {answer:?}")).parse().unwrap()
}

fn is_ready(daemon: &Daemon) -> bool {
    match daemon.get("/readyz").status {
        200 => true,
        503 => false,
        other => panic!("/readyz answered {other}"),
    }
}

/// How often each execution is stored, and as what.
fn stored(place: &Place) -> HashMap<String, Vec<String>> {
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY;
    let connection = Connection::open_with_flags(place.database(), flags).unwrap();
    connection.busy_timeout(Duration::from_secs(60)).unwrap();
    let mut query =
        connection.prepare("SELECT execution_id, status FROM workflow_executions").unwrap();
    let rows = query.query_map([], |row| Ok((row.get(0)?, row.get(1)?))).unwrap();
    let mut stored: HashMap<String, Vec<String>> = HashMap::new();
    for row in rows {
        let (id, status): (String, String) = row.unwrap();
        stored.entry(id).or_default().push(status);
    }
    stored
}

#[test]
fn what_starts_while_the_database_fails_runs_from_memory_and_is_stored_later() {
    for fault in Fault::ALL {
        let place = place();
        let daemon = fault.daemon(&place, &[]);
        let before = daemon.post(&execute("greet"), "").expect(200);
        assert_eq!(before["persisted"], true);
        let path = |id: &Value| format!("{EXECUTIONS}/{}", id.as_str().unwrap());
        let shown = |id: &Value| daemon.get(&path(id)).expect(200);
        until("the first has ended", || {
            shown(&before["execution_id"])["execution"]["status"] == "success"
        });

        let trouble = fault.begin(&place);
        let since = now();
        let started = daemon.post(&execute("greet"), "").expect(200);
        assert!(since.elapsed() < ANSWER_TIME, "{fault:?}: {:?}", since.elapsed());
        assert_eq!(
            (&started["status"], &started["persisted"]),
            (&json!("started"), &json!(false)),
            "{fault:?}"
        );
        in_time("it is told", || !is_ready(&daemon));
        let id = &started["execution_id"];
        until("it has ended in memory", || shown(id)["execution"]["status"] == "success");
        let in_memory = shown(id);
        assert_eq!(in_memory["execution"]["persisted"], false);
        assert_eq!(in_memory["execution"]["seq"], Value::Null);
        assert_eq!(states(&in_memory), ["hello success", "end success"]);
        assert_eq!(in_memory["steps"][0]["stdout"], "hello\n");
        assert_eq!(metric(&daemon, "wfx_store_up"), 0.0);
        assert_eq!(metric(&daemon, "wfx_executions_unstored"), 1.0);
        assert_eq!(metric(&daemon, "wfx_executions_running"), 1.0);
        // What has ended in memory is as any that has ended.
        let cancelled = daemon.post(&format!("{}/cancel", path(id)), "");
        assert_eq!(cancelled.status, 409, "{cancelled:?}");
        let listed = daemon.get(EXECUTIONS);
        if fault.can_be_read() {
            let listed = listed.expect(200);
            assert_eq!((&listed["total"], &listed["items"][0]["execution_id"]), (&json!(1), &before["execution_id"]));
        } else {
            assert_eq!((listed.status, listed.header("retry-after").is_some()), (503, true));
        }

        trouble.end();
        in_time("it is stored", || shown(id)["execution"]["persisted"] == true);
        until("it is ready", || is_ready(&daemon));
        let mut on_disk = shown(id);
        assert_eq!(on_disk["execution"]["seq"], 2);
        for key in ["persisted", "seq", "owner"] {
            on_disk["execution"][key] = in_memory["execution"][key].clone();
        }
        assert_eq!(on_disk, in_memory, "{fault:?}");
        assert_eq!(daemon.get(EXECUTIONS).expect(200)["total"], 2);
        assert_eq!(metric(&daemon, "wfx_store_up"), 1.0);
        until("nothing is left", || metric(&daemon, "wfx_executions_running") == 0.0);
        assert_eq!(metric(&daemon, "wfx_executions_unstored"), 0.0);
        daemon.stop();
        assert_sound(&place);
    }
}
