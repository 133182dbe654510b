//! The daemon under faults: what it told is true, what it could not store is stored later,
//! and nobody waits for a disk.

use std::collections::HashMap;
use std::sync::Mutex;
use std::thread;
use std::time::Duration;

use rusqlite::Connection;
use serde_json::{Value, json};

use super::{BROKEN, FULL, HANGING, Rule, assert_sound, fired, library};
use crate::daemon::{Daemon, post};
use crate::support::{Place, processes_with, states, until};

const EXECUTE: &str = "/api/v1/workflows/chain/execute";
const EXECUTIONS: &str = "/api/v1/workflows/executions";
const CLIENTS: usize = 4;
/// No answer may take longer than a second (a machine full of tests gets some more).
const HANG: Duration = Duration::from_secs(5);

fn place() -> Place {
    let place = Place::new();
    std::fs::create_dir(place.path("workflows")).unwrap();
    place.write(
        "workflows/waiting.yaml",
        "id: waiting\nsteps: [{name: a, run: 'while :; do sleep 0.02; done'}]",
    );
    place.write(
        "workflows/chain.yaml",
        "id: chain\nsteps: [{name: a}, {name: b, run: 'echo done'}, {name: c}]",
    );
    place
}

fn serve(place: &Place) -> Daemon {
    Daemon::start(place, &["--workflows", "workflows", "--retention", "0"])
}

/// What each execution that was started was said to be: stored or not.
type Told = HashMap<String, bool>;

/// Starts so many executions from several clients at once.
#[expect(clippy::disallowed_methods, reason = "that nobody waits is what is tested")]
fn start(daemon: &Daemon, count: usize) -> Told {
    let told = Mutex::new(Told::new());
    thread::scope(|scope| {
        for _ in 0..CLIENTS {
            scope.spawn(|| {
                for _ in 0..count / CLIENTS {
                    let begin = std::time::Instant::now();
                    let answer = daemon.post(EXECUTE, "").expect(200);
                    assert!(begin.elapsed() < HANG, "{:?}", begin.elapsed());
                    let id = answer["execution_id"].as_str().unwrap().to_owned();
                    let persisted = answer["persisted"].as_bool().unwrap();
                    assert_eq!(told.lock().unwrap().insert(id, persisted), None);
                }
            });
        }
    });
    told.into_inner().unwrap()
}

fn metric(daemon: &Daemon, name: &str) -> u64 {
    let text = daemon.get("/metrics").body;
    let line = text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
    line.unwrap_or_else(|| panic!("no {name} in {text}")).parse().unwrap()
}

/// All is well: starts are stored at once, but for those that a machine full of tests kept for
/// longer than an answer waits, and then all of them are.
fn start_well(daemon: &Daemon, count: usize) -> Told {
    let mut told = start(daemon, count);
    let persisted = told.values().filter(|persisted| **persisted).count();
    assert!(2 * persisted > told.len(), "{persisted} of {}", told.len());
    until("all starts of a round are stored at once", || {
        let round = start(daemon, 2 * CLIENTS);
        let is_whole = round.values().all(|persisted| *persisted);
        told.extend(round);
        is_whole
    });
    until("all is stored", || metric(daemon, "wfx_executions_unstored") == 0);
    told
}

/// Each is in the database once, ended in success.
fn assert_all_stored(place: &Place, told: &Told) {
    assert_sound(place);
    let rows = place.sql("SELECT execution_id, status FROM workflow_executions");
    let stored: HashMap<&str, &str> =
        rows.lines().map(|row| row.split_once('|').unwrap()).collect();
    assert_eq!(stored.len(), rows.lines().count());
    for id in told.keys() {
        assert_eq!(stored.get(id.as_str()), Some(&"success"), "{id}: {}", told[id]);
    }
}

/// Load before, during and after a fault.
fn survives(place: &Place, daemon: &Daemon, begin: impl FnOnce(), end: impl FnOnce()) {
    let mut told = start_well(daemon, 60);
    until("it is ready", || daemon.get("/readyz").status == 200);
    begin();
    let during = start(daemon, 200);
    // A commit under way when it began may still have been made.
    let unstored = during.values().filter(|persisted| !**persisted).count();
    assert!(unstored > 150, "{unstored}");
    assert_eq!(daemon.get("/readyz").status, 503);
    assert_eq!(metric(daemon, "wfx_store_up"), 0);
    // It is shown all the same, and comes to its end.
    let id = during.iter().find(|(_, persisted)| !**persisted).unwrap().0.clone();
    let show = || daemon.get(&format!("{EXECUTIONS}/{id}")).expect(200);
    until("it has ended", || show()["execution"]["status"] == "success");
    assert_eq!(states(&show()), ["a success", "b success", "c success"]);
    assert_eq!(show()["steps"][1]["stdout"], "done\n");
    assert_eq!(show()["execution"]["persisted"], false);
    let cancel = daemon.post(&format!("{EXECUTIONS}/{id}/cancel"), "");
    assert_eq!(cancel.status, 409, "{cancel:?}");
    end();
    until("all is stored", || metric(daemon, "wfx_executions_unstored") == 0);
    until("it is ready", || daemon.get("/readyz").status == 200);
    told.extend(during);
    told.extend(start_well(daemon, 40));
    until("all have ended", || metric(daemon, "wfx_executions_running") == 0);
    assert_eq!(show()["execution"]["persisted"], true);
    assert_all_stored(place, &told);
}

#[test]
fn a_locked_database_is_told_and_waited_for() {
    let place = place();
    let daemon = serve(&place);
    let other = Connection::open(place.database()).unwrap();
    survives(
        &place,
        &daemon,
        || other.execute_batch("BEGIN IMMEDIATE").unwrap(),
        || other.execute_batch("COMMIT").unwrap(),
    );
    daemon.stop();
}

#[test]
fn a_lock_is_told_while_nothing_is_stored() {
    let place = place();
    let mut daemon = serve(&place);
    let other = Connection::open(place.database()).unwrap();
    other.execute_batch("BEGIN IMMEDIATE").unwrap();
    until("it is not ready", || daemon.get("/readyz").status == 503);
    assert_eq!(metric(&daemon, "wfx_store_up"), 0);
    daemon.wait_for_log("is locked");
    other.execute_batch("COMMIT").unwrap();
    until("it is ready", || daemon.get("/readyz").status == 200);
    daemon.wait_for_log("works again");
    start_well(&daemon, 2 * CLIENTS);
    daemon.stop();
}

#[test]
fn what_is_lost_at_the_end_is_told_as_that() {
    let place = place();
    let daemon = Daemon::start(&place, &["--workflows", "workflows", "--drain-timeout", "0s"]);
    let start = || daemon.post("/api/v1/workflows/waiting/execute", "").expect(200);
    let stored = start();
    until("it is stored", || metric(&daemon, "wfx_executions_unstored") == 0);
    let other = Connection::open(place.database()).unwrap();
    other.execute_batch("BEGIN IMMEDIATE").unwrap();
    let unstored = start();
    assert_eq!(unstored["persisted"], false);
    daemon.signal("TERM");
    let ran = daemon.end();
    assert_eq!(ran.code, Some(3), "{ran:?}");
    let told = |answer: &Value| {
        let id = answer["execution_id"].as_str().unwrap();
        ran.stderr.lines().rfind(|line| line.contains(id)).unwrap_or_default().to_owned()
    };
    assert!(told(&stored).contains("left for the next start"), "{ran:?}");
    assert!(told(&unstored).contains("not stored"), "{ran:?}");
    other.execute_batch("COMMIT").unwrap();
    let kept = place.sql("SELECT execution_id FROM workflow_executions");
    assert_eq!(kept.trim(), stored["execution_id"].as_str().unwrap());
}

#[test]
fn a_start_that_is_refused_at_the_end_is_not_stored_after_all() {
    // On a busy machine it may be answered before the end begins.
    let was_refused = (0..20).any(|_| {
        let place = place();
        let daemon = Daemon::start(&place, &["--workflows", "workflows", "--drain-timeout", "0s"]);
        let other = Connection::open(place.database()).unwrap();
        other.execute_batch("BEGIN IMMEDIATE").unwrap();
        let answer = thread::scope(|scope| {
            let asks = || daemon.post("/api/v1/workflows/waiting/execute", "");
            let asking = scope.spawn(asks);
            until("it is taken", || metric(&daemon, "wfx_executions_running") == 1);
            daemon.signal("TERM");
            asking.join().unwrap()
        });
        // It could be stored now.
        other.execute_batch("COMMIT").unwrap();
        let ran = daemon.end();
        if answer.status == 200 {
            assert_eq!(answer.json()["persisted"], false, "{answer:?}");
            return false;
        }
        assert_eq!((answer.status, ran.code), (503, Some(0)), "{answer:?} {ran:?}");
        assert_eq!(place.sql("SELECT count(*) FROM workflow_executions").trim(), "0");
        true
    });
    assert!(was_refused);
}

#[test]
fn a_database_that_is_away_for_a_while_is_told_and_waited_for() {
    let place = place();
    let daemon = serve(&place);
    let rename = |from: &str, to: &str| std::fs::rename(place.path(from), place.path(to)).unwrap();
    survives(&place, &daemon, || rename("wfx.db", "away"), || rename("away", "wfx.db"));
    daemon.stop();
}

#[test]
fn a_disk_that_is_full_or_broken_or_hangs_is_told_and_waited_for() {
    for rule in [Rule::all("write", FULL), Rule::all("fsync", BROKEN), Rule::all("fsync", HANGING)]
    {
        let place = place();
        let mut command = place.wfx(["serve", "--listen", "127.0.0.1:0", "--retention", "0"]);
        command.args(["--workflows", "workflows"]);
        let daemon = Daemon::of(rule.while_switched_on(&mut command, &place));
        survives(
            &place,
            &daemon,
            || drop(place.write("fault", "")),
            || std::fs::remove_file(place.path("fault")).unwrap(),
        );
        assert!(fired(&place) > 0 && library().exists());
        daemon.stop();
    }
}

#[test]
fn a_locked_database_keeps_no_other_request_waiting() {
    let place = place();
    let daemon = serve(&place);
    let id = start(&daemon, CLIENTS).into_keys().next().unwrap();
    let waiting = daemon.post("/api/v1/workflows/waiting/execute", "").expect(200);
    assert_eq!(waiting["persisted"], true);
    let other = Connection::open(place.database()).unwrap();
    other.execute_batch("BEGIN IMMEDIATE").unwrap();
    assert_eq!(start(&daemon, CLIENTS).values().filter(|persisted| **persisted).count(), 0);
    assert_eq!(daemon.get("/api/v1/ping").status, 200);
    let shown: Value = daemon.get(&format!("{EXECUTIONS}/{id}")).expect(200);
    assert_eq!(shown["execution"]["persisted"], true);
    assert_eq!(daemon.get(EXECUTIONS).expect(200)["total"], json!(CLIENTS + 1));
    // What runs here can be ended all the same.
    let waiting = waiting["execution_id"].as_str().unwrap();
    daemon.post(&format!("{EXECUTIONS}/{waiting}/cancel"), "").expect(200);
    until("it has ended", || processes_with(&format!("WFX_EXECUTION_ID={waiting}")).is_empty());
    // What cannot be stored cannot be asked of another process.
    let unknown = format!("{EXECUTIONS}/01890000-0000-7000-8000-000000000000/cancel");
    let refused = daemon.post(&unknown, "");
    assert_eq!(refused.status, 503, "{refused:?}");
    assert!(refused.header("retry-after").is_some());
    other.execute_batch("COMMIT").unwrap();
    until("all is stored", || metric(&daemon, "wfx_executions_running") == 0);
    let ended = daemon.get(&format!("{EXECUTIONS}/{waiting}")).expect(200);
    assert_eq!(ended["execution"]["status"], "cancelled");
    daemon.stop();
}

/// `WFX_KILL_ROUNDS` sets another number of rounds.
#[test]
fn what_was_told_to_be_stored_survives_being_killed() {
    let rounds = std::env::var("WFX_KILL_ROUNDS").map_or(8, |rounds| rounds.parse().unwrap());
    let place = place();
    let mut acknowledged = Vec::new();
    for _ in 0..rounds {
        let daemon = serve(&place);
        let before = acknowledged.len();
        let told = Mutex::new(&mut acknowledged);
        thread::scope(|scope| {
            for _ in 0..CLIENTS {
                scope.spawn(|| {
                    // Until it is gone.
                    while let Ok(answer) = daemon.try_send(&post(EXECUTE, "")) {
                        let answer = answer.expect(200);
                        if answer["persisted"] == true {
                            let id = answer["execution_id"].as_str().unwrap().to_owned();
                            told.lock().unwrap().push(id);
                        }
                    }
                });
            }
            until("some are started", || told.lock().unwrap().len() > before + 40);
            daemon.signal("KILL");
        });
    }
    let daemon = serve(&place);
    until("all have ended", || {
        let running = daemon.get(&format!("{EXECUTIONS}?status=running")).expect(200);
        running["total"] == 0 && metric(&daemon, "wfx_executions_running") == 0
    });
    daemon.stop();
    assert_sound(&place);
    assert!(acknowledged.len() >= 40 * rounds);
    let rows = place.sql("SELECT execution_id, status FROM workflow_executions");
    let stored: HashMap<&str, &str> =
        rows.lines().map(|row| row.split_once('|').unwrap()).collect();
    for id in &acknowledged {
        // The step that ran when it was killed had one attempt.
        let status = stored.get(id.as_str()).copied();
        assert!(matches!(status, Some("success" | "interrupted")), "{id}: {status:?}");
    }
    let most = place.sql("SELECT max(attempt) FROM workflow_execution_steps");
    assert_eq!(most, "1");
}
