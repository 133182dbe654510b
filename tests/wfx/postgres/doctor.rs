//! What is reported of a server: `wfx doctor`, `/readyz`, metrics.

use std::process::Stdio;
use std::thread;

use rustix::process::Signal;
use serde_json::Value;

use super::place;
use super::server::Server;
use crate::daemon::Daemon;
use crate::support::{Place, Ran, until};

/// The findings of doctor by check, each with its state and its detail.
fn findings(ran: &Ran) -> Vec<(String, String, String)> {
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    let findings = ran.json()["findings"].as_array().unwrap().clone();
    for finding in &findings {
        assert_eq!(finding["remedy"].is_null(), finding["state"] == "ok", "{finding}");
    }
    findings
        .iter()
        .map(|it| (text(&it["check"]), text(&it["state"]), text(&it["detail"])))
        .collect()
}

#[track_caller]
fn assert_found(ran: &Ran, check: &str, state: &str, words: &str) {
    let findings = findings(ran);
    let of_check: Vec<_> = findings.iter().filter(|(name, ..)| name == check).collect();
    assert!(
        of_check.iter().any(|(_, found, detail)| found == state && detail.contains(words)),
        "{check} {state} {words}: {of_check:?}"
    );
}

#[test]
fn doctor_reports_what_the_server_guarantees() {
    let server = Server::start();
    let place = Place::new();
    let doctor = |code| server.run(&place, &["doctor", "--format", "json"], code);
    // Nothing is stored yet.
    assert_found(&doctor(0), "database", "note", "nothing was stored");
    place.write("w.yaml", "id: w\nsteps: [{name: a, run: 'true'}]\n");
    server.run(&place, &["exec", "w.yaml"], 0);
    let ran = doctor(0);
    assert_found(&ran, "database", "ok", "1 execution");
    assert_found(&ran, "server", "ok", "encoding UTF8");
    assert_found(&ran, "schema", "ok", "version ");
    assert_found(&ran, "permissions", "ok", "owns the schema");
    assert_found(&ran, "durability", "ok", "fsync on, synchronous_commit on");
    assert_found(&ran, "standbys", "note", "a single server");
    assert_found(&ran, "connections", "ok", " connections are left");
    assert_found(&ran, "transactions", "ok", "");
    assert_found(&ran, "vacuum", "ok", "dead row");
    assert_found(&ran, "clock", "ok", "the one here");
    // What concerns files does not concern a server.
    for check in ["integrity", "log", "disk", "files"] {
        assert!(findings(&ran).iter().all(|(name, ..)| name != check), "{check}: {ran:?}");
    }
    let text = server.run(&place, &["doctor"], 0).stdout;
    assert!(text.contains("a single server") && text.contains("nothing is wrong"), "{text}");
    // Who keeps old rows is named.
    let holds = "BEGIN ISOLATION LEVEL REPEATABLE READ; SELECT count(*) FROM wfx.fence; \
                 SELECT pg_sleep(600)";
    let mut holder = server
        .psql_command("runs", holds)
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let held = "SELECT count(*) FROM pg_stat_activity WHERE query LIKE '%pg_sleep(600)' \
                AND backend_xmin IS NOT NULL AND pid <> pg_backend_pid()";
    until("a transaction goes on", || server.sql(held) == "1");
    assert_found(&doctor(0), "transactions", "ok", "of wfx (psql)");
    server.sql(
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity
         WHERE query LIKE '%pg_sleep(600)' AND pid <> pg_backend_pid()",
    );
    holder.wait().unwrap();
}

#[test]
fn doctor_finds_what_is_wrong_with_a_server() {
    let server = Server::start();
    let place = Place::new();
    place.write("w.yaml", "id: w\nsteps: [{name: a, run: 'true'}]\n");
    server.run(&place, &["exec", "w.yaml"], 0);
    let doctor = |code| server.run(&place, &["doctor", "--format", "json"], code);
    server.sql("ALTER ROLE wfx SET synchronous_commit = off");
    assert_found(&doctor(1), "durability", "problem", "synchronous_commit is off");
    server.sql("ALTER ROLE wfx RESET synchronous_commit");
    place.write("relaxed.toml", "wfx_durability = \"normal\"\n");
    let relaxed =
        server.run(&place, &["doctor", "--format", "json", "--config", "relaxed.toml"], 1);
    assert_found(&relaxed, "durability", "problem", "does not wait for the disk");
    server.sql("ALTER ROLE wfx SET default_transaction_read_only = on");
    assert_found(&doctor(1), "permissions", "problem", "default_transaction_read_only");
    let mut reset = server.psql_command("runs", "ALTER ROLE wfx RESET ALL");
    reset.env("PGOPTIONS", "-c default_transaction_read_only=off");
    assert!(reset.status().unwrap().success());
    // Commits wait for a standby that is not there.
    server.configure("synchronous_standby_names = 'nobody'\nautovacuum = off");
    let mut waits = server.psql_command("runs", "SELECT pg_reload_conf()");
    assert!(waits.stdout(Stdio::null()).status().unwrap().success());
    let named = "SHOW synchronous_standby_names";
    until("the settings count", || server.sql(named) == "nobody");
    let ran = doctor(1);
    assert_found(&ran, "standbys", "problem", "none is connected");
    assert_found(&ran, "vacuum", "problem", "autovacuum");
    // A role that may only look.
    server.configure("synchronous_standby_names = ''\nautovacuum = on");
    server.sql("SELECT pg_reload_conf()");
    until("the settings count", || server.sql(named).is_empty());
    server.sql(
        "CREATE ROLE guest LOGIN CONNECTION LIMIT 2; GRANT USAGE ON SCHEMA wfx TO guest;
         GRANT SELECT ON ALL TABLES IN SCHEMA wfx TO guest",
    );
    server.sql("GRANT SELECT ON ALL SEQUENCES IN SCHEMA wfx TO guest");
    let url = server.url("runs").replace("wfx@", "guest@");
    let ran = Ran::of(&mut Server::wfx_at(&url, &place, &["doctor", "--format", "json"]));
    assert_eq!(ran.code, Some(1), "{ran:?}");
    assert_found(&ran, "permissions", "problem", "further rights in the schema wfx");
    assert_found(&ran, "connections", "note", "1 of ");
}

fn metrics(daemon: &Daemon) -> String {
    let answer = daemon.get("/metrics");
    assert_eq!(answer.status, 200, "{answer:?}");
    answer.body
}

#[test]
fn probes_and_metrics_have_what_concerns_the_server() {
    const NAMES: [&str; 7] = [
        "wfx_store_standbys 0",
        "wfx_store_synchronous_standbys 0",
        "wfx_store_oldest_xmin_age ",
        "wfx_store_oldest_transaction_seconds ",
        "wfx_store_dead_rows ",
        "wfx_store_connections_left ",
        "wfx_store_clock_skew_seconds ",
    ];
    let server = Server::start();
    let place = place();
    let daemon = server.serve(&place);
    until("the guarantee is known", || daemon.get("/readyz").expect(200)["guarantee"] == "server");
    let ended = daemon.post("/api/v1/workflows/quick/execute?wait=30s", "").expect(200);
    assert_eq!(ended["execution"]["status"], "success", "{ended}");
    let text = metrics(&daemon);
    for name in NAMES {
        assert!(text.contains(&format!("\n{name}")), "{name}: {text}");
    }
    assert!(text.contains("\nwfx_store_refused_changes_total 0"), "{text}");
    assert!(text.contains("wfx_store_commit_duration_seconds_count"), "{text}");
    daemon.stop();
    // A file has none of this.
    let daemon = Daemon::start(&place, &[]);
    assert!(daemon.get("/readyz").expect(200)["guarantee"].is_null());
    let text = metrics(&daemon);
    for name in NAMES {
        assert!(!text.contains(name.split(' ').next().unwrap()), "{name}: {text}");
    }
    daemon.stop();
}

#[test]
fn a_server_that_hangs_is_reported() {
    let server = Server::start();
    let place = place();
    let daemon = server.serve(&place);
    until("it is ready", || daemon.get("/readyz").status == 200);
    server.signal_all(Signal::STOP);
    until("it is not ready", || daemon.get("/readyz").status == 503);
    assert!(metrics(&daemon).contains("\nwfx_store_up 0\n"));
    let unstored = daemon.post("/api/v1/workflows/quick/execute", "").expect(200);
    assert_eq!(unstored["persisted"], false, "{unstored}");
    server.signal_all(Signal::CONT);
    until("it is ready again", || daemon.get("/readyz").status == 200);
    let stored = "SELECT count(*) FROM wfx.workflow_executions WHERE status = 'success'";
    until("what ran meanwhile is stored", || server.sql(stored) == "1");
    daemon.stop();
}

#[test]
fn requests_that_wait_for_the_server_hold_up_no_others() {
    let server = Server::start();
    let place = place();
    let daemon = server.serve(&place);
    until("it is ready", || daemon.get("/readyz").status == 200);
    let lock = "BEGIN; LOCK TABLE wfx.workflow_executions IN ACCESS EXCLUSIVE MODE; \
                SELECT pg_sleep(600)";
    let mut holder = server.psql_command("runs", lock);
    let mut holder = holder.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    let sessions = |condition: &str| -> usize {
        let sql = "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'wfx' AND ";
        server.sql(&format!("{sql}{condition}")).parse().unwrap()
    };
    until("the table is locked", || {
        server.sql("SELECT count(*) FROM pg_locks WHERE granted AND mode = 'AccessExclusiveLock'")
            != "0"
    });
    thread::scope(|scope| {
        // More than there are threads that drive the daemon, and more than may have a connection.
        let waiting: Vec<_> =
            (0..40).map(|_| scope.spawn(|| daemon.get("/api/v1/workflows/executions"))).collect();
        until("they wait", || sessions("wait_event_type = 'Lock'") >= 12);
        assert!(sessions("true") <= 16, "{}", sessions("true"));
        assert_eq!(daemon.get("/healthz").status, 200);
        until("it is not ready", || daemon.get("/readyz").status == 503);
        // That did not wait for any of them.
        assert!(waiting.iter().all(|one| !one.is_finished()));
        server.sql("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE query LIKE '%pg_sleep(600)' AND pid <> pg_backend_pid()");
        for one in waiting {
            assert_eq!(one.join().unwrap().status, 200);
        }
    });
    holder.wait().unwrap();
    daemon.stop();
}
