//! The commands and the daemon on a real server of PostgreSQL, which a test starts for itself.

mod access;
mod doctor;
mod failover;
mod faults;
mod long;
mod proxy;
mod server;

use std::fs;

use serde_json::Value;

use self::server::Server;
use crate::support::{Place, until};

/// A place whose daemon has the workflow `quick`, of one step that does nothing.
fn place() -> Place {
    let place = Place::new();
    fs::create_dir(place.path("workflows")).unwrap();
    place.write("workflows/quick.yaml", "steps: [{name: a, run: 'true'}]\n");
    place
}

/// How often a test of faults does the same: `WFX_POSTGRES_ROUNDS`, or so often.
fn rounds(default: usize) -> usize {
    std::env::var("WFX_POSTGRES_ROUNDS").map_or(default, |value| value.parse().unwrap())
}

#[test]
fn commands_work_with_a_database_on_a_server() {
    let server = Server::start();
    let place = Place::new();
    let list = server.run(&place, &["list"], 3);
    assert!(list.stderr.contains("nothing was stored"), "{list:?}");
    let document = "id: w\nsteps:\n- {name: a, run: 'echo printed; echo n=1 >> $WFX_OUTPUT'}\n- {name: b, \
                    depends_on: [a], run: 'test -e there'}\n";
    place.write("w.yaml", document);
    server.run(&place, &["exec", "w.yaml"], 1);
    place.write("there", "");
    server.run(&place, &["retry", "@latest"], 0);
    let shown = server.run(&place, &["show", "@2", "--format", "json"], 0);
    let shown: Value = serde_json::from_str(&shown.stdout).unwrap();
    assert_eq!(shown["execution"]["status"], "success");
    assert_eq!(shown["steps"][0]["reused_from_seq"], 1);
    assert_eq!(server.run(&place, &["logs", "@1", "a"], 0).stdout, "printed\n");
    server.run(&place, &["doctor"], 0);
    assert_eq!(server.run(&place, &["list", "--format", "jsonl"], 0).stdout.lines().count(), 2);
    // For people, under the names of the tables.
    let rows = "SELECT seq, status, error FROM public.workflow_executions ORDER BY seq";
    assert_eq!(server.sql(rows), "1|failed|step `b` failed: exit code 1\n2|success|");
    server.run(&place, &["purge", "--all"], 0);
    assert_eq!(server.sql("SELECT count(*) FROM wfx.workflow_execution_steps"), "0");
    assert_eq!(
        server.sql("SELECT coalesce(sum(executions), 0) FROM wfx.workflow_execution_counts"),
        "0"
    );
}

#[test]
fn a_database_that_cannot_be_used_is_named_without_its_password() {
    let server = Server::start();
    let place = Place::new();
    place.write("w.yaml", "id: w\nsteps: [{name: a}]\n");
    let refused = |url: &str, code: i32, words: &str| {
        let ran = place.run(["exec", "w.yaml", "--store", url]);
        assert_eq!(ran.code, Some(code), "{ran:?}");
        assert!(ran.stderr.contains(words) && !ran.stderr.contains("secret"), "{words}: {ran:?}");
    };
    let port = server.port;
    refused(&format!("postgres://wfx:secret@127.0.0.1:{port}/none?sslmode=disable"), 3, "createdb");
    refused("postgres://wfx:secret@127.0.0.1:1/runs?sslmode=disable", 3, "Connection refused");
    refused("postgres://wfx:secret@/runs", 2, "names no host");
    refused("mysql://wfx:secret@h/runs", 2, "postgres://user@host/database");
    refused("@no-such-file", 3, "no-such-file");
    assert!(
        server
            .psql(
                "postgres",
                "CREATE DATABASE latin ENCODING 'LATIN1' LOCALE 'C' TEMPLATE template0"
            )
            .is_some()
    );
    refused(&server.url("latin"), 3, "LATIN1");
    assert!(server.psql("postgres", "CREATE DATABASE other").is_some());
    assert!(server.psql("other", "CREATE SCHEMA wfx").is_some());
    refused(&server.url("other"), 3, "did not make");
    assert!(server.psql("postgres", "CREATE ROLE guest LOGIN").is_some());
    let guest = format!("postgres://guest@127.0.0.1:{port}/runs?sslmode=disable");
    refused(&guest, 3, "let the role make its schema");
    server.run(&place, &["exec", "w.yaml"], 0);
    server.sql("UPDATE wfx.workflow_settings SET value = '99' WHERE name = 'schema_version'");
    refused(&server.url("runs"), 3, "a newer wfx");
    // Of two flags none is preferred.
    let both = place.run(["list", "--store", &server.url("runs"), "--db", "x.db"]);
    assert_eq!(both.code, Some(2), "{both:?}");
}

#[test]
fn a_daemon_goes_on_after_a_crash_of_itself_or_of_the_server() {
    let mut server = Server::start();
    let place = place();
    place.write(
        "workflows/w.yaml",
        "steps:\n- {name: a, run: 'until test -e go; do sleep 0.02; done', retry: {max_attempts: 3}}\n\
         - {name: b, depends_on: [a]}\n",
    );
    let daemon = server.serve(&place);
    let started = daemon.post("/api/v1/workflows/w/execute", "").expect(200);
    assert_eq!(started["persisted"], true, "{started}");
    daemon.signal("KILL");
    daemon.end();
    // The next one ends what is left of the step, and goes on.
    let daemon = server.serve(&place);
    let running = "SELECT count(*) FROM wfx.workflow_executions WHERE status = 'running'";
    until("it goes on", || {
        server.sql("SELECT max(attempt) FROM wfx.workflow_execution_steps") == "2"
    });
    server.kill();
    // What is started meanwhile runs, and is stored once the server is back.
    let unstored = daemon.post("/api/v1/workflows/quick/execute", "").expect(200);
    assert_eq!(unstored["persisted"], false, "{unstored}");
    place.write("go", "");
    server.begin();
    until("all is stored", || {
        server.sql(running) == "0"
            && server.sql("SELECT count(*) FROM wfx.workflow_executions WHERE status = 'success'")
                == "2"
    });
    let listed = "SELECT coalesce(sum(executions), 0) FROM wfx.workflow_execution_counts";
    assert_eq!(server.sql(listed), "2");
    daemon.stop();
}
