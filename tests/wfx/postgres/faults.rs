//! Connections and servers that fail at every moment: what is acknowledged is there, nothing is there
//! twice, and everything that was started is stored in the end. `WFX_POSTGRES_ROUNDS` sets other
//! numbers of rounds.

use std::collections::{BTreeMap, BTreeSet};
use std::process::{Child, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use rustix::process::Signal;

use super::proxy::Proxy;
use super::server::{Server, is_root};
use super::{place, rounds};
use crate::daemon::Daemon;
use crate::support::{Place, Running, until};

const QUICK: &str = "/api/v1/workflows/quick/execute";
const MARKS: &str = "/api/v1/workflows/marks/execute";

/// Adds a workflow whose step writes a line for each of its starts.
fn add_marks(place: &Place) {
    place.write("ledger", "");
    let document = "steps: [{name: a, run: 'echo $WFX_EXECUTION_ID >> ledger'}]\n";
    place.write("workflows/marks.yaml", document);
}

/// How often the step of each execution was begun.
fn begun(place: &Place) -> BTreeMap<String, usize> {
    let mut begun = BTreeMap::new();
    for line in place.read("ledger").lines() {
        *begun.entry(line.to_owned()).or_default() += 1;
    }
    begun
}

/// Starts an execution, and gives its id and whether it was acknowledged as stored.
#[track_caller]
fn start(daemon: &Daemon, path: &str) -> (String, bool) {
    let started = daemon.post(path, "").expect(200);
    (started["execution_id"].as_str().unwrap().to_owned(), started["persisted"] == true)
}

/// The ids that are stored.
fn stored(server: &Server, status: &str) -> Vec<String> {
    let sql =
        format!("SELECT execution_id FROM wfx.workflow_executions WHERE status LIKE '{status}'");
    server.sql(&sql).lines().map(str::to_owned).collect()
}

/// Waits until all of these are stored as successes, once each and with what belongs to them.
#[track_caller]
fn assert_stored_once(server: &Server, ids: &BTreeSet<String>) {
    until("everything is stored", || {
        let found = server
            .psql("runs", "SELECT count(*) FROM wfx.workflow_executions WHERE status = 'success'");
        found.is_some_and(|count| count == ids.len().to_string())
    });
    let found = stored(server, "%");
    assert_eq!(found.len(), ids.len());
    assert_eq!(&found.into_iter().collect::<BTreeSet<_>>(), ids);
    assert_eq!(
        server.sql("SELECT count(*) FROM wfx.workflow_execution_steps WHERE status = 'success'"),
        ids.len().to_string()
    );
    assert_eq!(
        server.sql(
            "SELECT sum(executions) FROM wfx.workflow_execution_counts WHERE status = 'success'"
        ),
        ids.len().to_string()
    );
}

#[test]
fn a_connection_cut_at_any_byte_of_a_commit_stores_it_once() {
    let server = Server::start();
    let place = place();
    let proxy = Proxy::start(server.port);
    let daemon = Server::serve_at(&Server::url_at(proxy.port, "runs"), &place);
    let mut ids = BTreeSet::new();
    let mut run = |cut: Option<u64>| {
        // The connection that broke before is whole again.
        until("it is ready", || daemon.get("/readyz").status == 200);
        let before = proxy.passed();
        if let Some(bytes) = cut {
            proxy.cut_after(bytes);
        }
        let (id, is_stored) = start(&daemon, QUICK);
        if is_stored {
            // What is acknowledged is there.
            assert!(stored(&server, "%").contains(&id), "{id} at {cut:?}");
        }
        ids.insert(id.clone());
        until("it is stored", || stored(&server, "success").contains(&id));
        proxy.heal();
        proxy.passed() - before
    };
    // Statements are compiled once.
    run(None);
    let bytes = run(None);
    let rounds = rounds(40) as u64;
    for round in 0..rounds.min(bytes) {
        run(Some(1 + round * bytes / rounds));
    }
    assert_stored_once(&server, &ids);
    daemon.stop();
}

#[test]
fn sessions_that_are_terminated_in_a_storm_lose_nothing_and_begin_nothing_twice() {
    let server = Server::start();
    let place = place();
    add_marks(&place);
    let daemon = server.serve(&place);
    let is_over = AtomicBool::new(false);
    let ids = thread::scope(|scope| {
        let storm = scope.spawn(|| {
            let mut ended = 0;
            while !is_over.load(Ordering::Relaxed) {
                let sql = "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity \
                           WHERE application_name = 'wfx' AND datname = 'runs'";
                ended += server.sql(sql).parse::<usize>().unwrap();
            }
            ended
        });
        let starting: Vec<_> = (0..4)
            .map(|_| {
                let daemon = &daemon;
                scope.spawn(move || {
                    (0..rounds(25)).map(|_| start(daemon, MARKS).0).collect::<Vec<_>>()
                })
            })
            .collect();
        // The storm ends also where they fail.
        let started: Vec<_> = starting.into_iter().map(thread::ScopedJoinHandle::join).collect();
        is_over.store(true, Ordering::Relaxed);
        assert!(storm.join().unwrap() > 0);
        started.into_iter().flat_map(Result::unwrap).collect::<BTreeSet<String>>()
    });
    assert_eq!(ids.len(), 4 * rounds(25));
    assert_stored_once(&server, &ids);
    let begun = begun(&place);
    assert_eq!(begun.keys().cloned().collect::<BTreeSet<_>>(), ids);
    assert!(begun.values().all(|count| *count == 1), "{begun:?}");
    daemon.stop();
}

/// A session that does one thing until it is ended.
struct Session(Child);

impl Session {
    fn begin(server: &Server, sql: &str) -> Self {
        let mut psql = server.psql_command("runs", sql);
        Self(psql.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap())
    }

    fn end(mut self, server: &Server) {
        self.0.kill().unwrap();
        self.0.wait().unwrap();
        server.psql(
            "runs",
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity
             WHERE application_name = 'psql' AND pid <> pg_backend_pid()",
        );
    }
}

#[test]
fn connections_that_are_not_to_be_had_are_waited_for() {
    let server = Server::start();
    let place = place();
    server.sql("CREATE ROLE few LOGIN; ALTER DATABASE runs OWNER TO few");
    let url = server.url("runs").replace("wfx@", "few@");
    let daemon = Server::serve_at(&url, &place);
    let mut ids = BTreeSet::from([start(&daemon, QUICK).0]);
    until("it is ready", || daemon.get("/readyz").status == 200);
    server.sql("ALTER ROLE few CONNECTION LIMIT 0");
    server.sql("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = 'few'");
    until("it is not ready", || daemon.get("/readyz").status == 503);
    for _ in 0..5 {
        let (id, is_stored) = start(&daemon, QUICK);
        assert!(!is_stored);
        ids.insert(id);
    }
    server.sql("ALTER ROLE few CONNECTION LIMIT -1");
    assert_stored_once(&server, &ids);
    until("it is ready", || daemon.get("/readyz").status == 200);
    daemon.stop();
}

#[test]
fn tables_that_others_lock_are_waited_for() {
    let server = Server::start();
    let place = place();
    add_marks(&place);
    let daemon = server.serve(&place);
    let mut ids = BTreeSet::from([start(&daemon, MARKS).0]);
    let session = Session::begin(
        &server,
        "BEGIN; LOCK TABLE wfx.workflow_executions IN EXCLUSIVE MODE; SELECT pg_sleep(600)",
    );
    until("it is not ready", || {
        let (id, is_stored) = start(&daemon, MARKS);
        ids.insert(id);
        !is_stored && daemon.get("/readyz").status == 503
    });
    session.end(&server);
    assert_stored_once(&server, &ids);
    let begun = begun(&place);
    assert!(begun.values().all(|count| *count == 1), "{begun:?}");
    daemon.stop();
}

/// Sets `synchronous_standby_names`.
fn wait_for_standbys(server: &Server, names: &str) {
    server.configure(&format!("synchronous_standby_names = '{names}'"));
    server.sql("SELECT pg_reload_conf()");
    until("the setting counts", || server.sql("SHOW synchronous_standby_names") == names);
}

/// Gives up what waits for a standby.
fn give_up_waiting(server: &Server) -> bool {
    let cancel = "SELECT count(pg_cancel_backend(pid)) FROM pg_stat_activity \
                  WHERE wait_event = 'SyncRep'";
    server.sql(cancel) != "0"
}

#[test]
fn a_commit_that_gave_up_waiting_for_a_standby_is_not_stored_and_starts_nothing() {
    let server = Server::start();
    let place = place();
    add_marks(&place);
    place.write("w.yaml", format!("id: w\n{}", place.read("workflows/marks.yaml")));
    server.run(&place, &["exec", "w.yaml"], 0);
    assert_eq!(begun(&place).len(), 1);
    wait_for_standbys(&server, "nobody");
    // Nothing is run whose start is not known to be stored.
    let args = ["exec", "w.yaml", "--store-timeout", "3s"];
    let mut running = Running::start(&mut server.wfx(&place, &args));
    let mut given_up = 0;
    while !running.has_ended() {
        given_up += usize::from(give_up_waiting(&server));
    }
    let ran = running.end();
    assert!(given_up > 0);
    assert_eq!(ran.code, Some(3), "{ran:?}");
    assert!(ran.stderr.contains("gave up waiting for a standby"), "{ran:?}");
    assert_eq!(begun(&place).len(), 1);
    // Once there are none to wait for, everything goes on.
    wait_for_standbys(&server, "");
    server.run(&place, &["exec", "w.yaml"], 0);
    assert_eq!(begun(&place).len(), 2);
}

#[test]
fn a_daemon_acknowledges_nothing_that_waits_for_a_standby() {
    let server = Server::start();
    let place = place();
    add_marks(&place);
    let daemon = server.serve(&place);
    let mut ids = BTreeSet::from([start(&daemon, MARKS).0]);
    wait_for_standbys(&server, "nobody");
    for round in 0..5 {
        let (id, is_stored) = start(&daemon, MARKS);
        assert!(!is_stored, "{round}");
        ids.insert(id);
        until("something waits for a standby", || give_up_waiting(&server));
    }
    until("it is not ready", || daemon.get("/readyz").status == 503);
    server.configure("synchronous_standby_names = ''");
    // Nor does this session wait.
    server.psql("postgres", "SELECT pg_reload_conf()");
    assert_stored_once(&server, &ids);
    let begun = begun(&place);
    assert_eq!(begun.len(), ids.len());
    assert!(begun.values().all(|count| *count == 1), "{begun:?}");
    daemon.stop();
}

#[test]
fn crashes_of_wfx_and_of_the_server_in_turns_lose_nothing_that_was_acknowledged() {
    let mut server = Server::start();
    let place = place();
    add_marks(&place);
    let mut daemon = server.serve(&place);
    let mut acknowledged = BTreeSet::new();
    for round in 0..rounds(6) {
        for _ in 0..5 {
            let (id, is_stored) = start(&daemon, MARKS);
            if is_stored {
                acknowledged.insert(id);
            }
        }
        match round % 3 {
            0 => {
                daemon.signal("KILL");
                daemon.end();
                daemon = server.serve(&place);
            }
            1 => {
                server.kill();
                server.begin();
            }
            _ => {
                // Both: what the server has when it comes back decides.
                daemon.signal("KILL");
                daemon.end();
                server.kill();
                server.begin();
                daemon = server.serve(&place);
            }
        }
        until("it is ready", || daemon.get("/readyz").status == 200);
    }
    until("everything has ended", || stored(&server, "running").is_empty());
    let found: BTreeSet<String> = stored(&server, "%").into_iter().collect();
    assert!(found.is_superset(&acknowledged), "{:?}", acknowledged.difference(&found));
    // A step without `retry` is not begun again, whatever died.
    let begun = begun(&place);
    assert!(begun.values().all(|count| *count == 1), "{begun:?}");
    let counted = "SELECT sum(executions) FROM wfx.workflow_execution_counts";
    assert_eq!(server.sql(counted), found.len().to_string());
    daemon.stop();
}

#[test]
fn restarts_of_the_server_are_noticed_by_nobody_who_asks() {
    let mut server = Server::start();
    let place = place();
    let daemon = server.serve(&place);
    let mut ids = BTreeSet::new();
    for round in 0..rounds(4) {
        ids.insert(start(&daemon, QUICK).0);
        until("it is stored", || stored(&server, "success").len() == ids.len());
        server.stop(if round % 2 == 0 { Signal::INT } else { Signal::QUIT });
        let (id, is_stored) = start(&daemon, QUICK);
        assert!(!is_stored);
        ids.insert(id);
        server.begin();
        // Connections that broke since are replaced before anybody reads over them.
        assert_eq!(daemon.get("/api/v1/workflows/executions").status, 200);
        until("it is stored", || stored(&server, "success").len() == ids.len());
    }
    assert_stored_once(&server, &ids);
    daemon.stop();
}

#[test]
fn a_server_whose_disk_is_full_is_waited_for() {
    if !is_root() {
        // A small file system needs a mount.
        return;
    }
    let mut server = Server::empty();
    server.begin_in_small_space("96m");
    server.make_database();
    let place = place();
    let daemon = server.serve(&place);
    let mut ids = BTreeSet::from([start(&daemon, QUICK).0]);
    until("it is stored", || stored(&server, "success").len() == 1);
    server.in_small_space("cat /dev/zero > small/filler");
    until("nothing more can be stored", || {
        let (id, is_stored) = start(&daemon, QUICK);
        ids.insert(id);
        !is_stored && daemon.get("/readyz").status == 503
    });
    server.in_small_space("rm small/filler");
    // Where no room was left for its log, the server has ended.
    server.revive_in_small_space();
    assert_stored_once(&server, &ids);
    daemon.stop();
}
