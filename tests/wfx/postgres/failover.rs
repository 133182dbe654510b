//! A primary is lost, and its synchronous standby becomes the primary: nothing is lost that was
//! acknowledged.

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use super::proxy::Proxy;
use super::server::Server;
use super::{place, rounds};
use crate::daemon::Daemon;
use crate::support::{Place, Ran, until};

/// A server and a standby that its commits wait for.
fn pair() -> (Server, Server) {
    let primary = Server::start();
    let standby = primary.standby("second");
    primary.configure("synchronous_standby_names = 'second'");
    primary.sql("SELECT pg_reload_conf()");
    let synchronous = "SELECT count(*) FROM pg_stat_replication WHERE sync_state = 'sync'";
    until("the standby is synchronous", || primary.sql(synchronous) == "1");
    (primary, standby)
}

/// Loses the primary while executions are started, promotes the standby, and looks whether it has
/// everything that was acknowledged.
fn fail_over(place: &Place, daemon: &Daemon, lose: impl FnOnce(), standby: &Server) {
    let is_over = AtomicBool::new(false);
    let (acknowledged, all) = thread::scope(|scope| {
        let starting = scope.spawn(|| {
            let (mut acknowledged, mut all) = (BTreeSet::new(), BTreeSet::new());
            // What runs meanwhile is bounded.
            while !is_over.load(Ordering::Relaxed) && all.len() - acknowledged.len() < 200 {
                let started = daemon.post("/api/v1/workflows/quick/execute", "").expect(200);
                let id = started["execution_id"].as_str().unwrap().to_owned();
                if started["persisted"] == true {
                    acknowledged.insert(id.clone());
                }
                all.insert(id);
            }
            (acknowledged, all)
        });
        let stored = "SELECT count(*) FROM wfx.workflow_executions";
        until("some are stored", || standby.sql(stored).parse::<usize>().unwrap() > 20);
        lose();
        until("nothing is stored any more", || daemon.get("/readyz").status == 503);
        standby.promote();
        until("it goes on", || daemon.get("/readyz").status == 200);
        is_over.store(true, Ordering::Relaxed);
        starting.join().unwrap()
    });
    let stored = || -> BTreeSet<String> {
        let sql = "SELECT execution_id FROM wfx.workflow_executions WHERE status = 'success'";
        standby.sql(sql).lines().map(str::to_owned).collect()
    };
    until("everything is stored", || stored().is_superset(&all));
    assert!(acknowledged.len() > 20, "{acknowledged:?}");
    assert_eq!(stored().len(), all.len());
    let counted = "SELECT sum(executions) FROM wfx.workflow_execution_counts";
    assert_eq!(standby.sql(counted), all.len().to_string());
    let list = Ran::of(&mut standby.wfx(place, &["list", "--format", "jsonl", "--limit", "10000"]));
    assert_eq!(list.stdout.lines().count(), all.len(), "{list:?}");
}

#[test]
fn a_failover_behind_one_address_loses_nothing_that_was_acknowledged() {
    for _ in 0..rounds(1) {
        let (mut primary, standby) = pair();
        standby.configure("synchronous_standby_names = ''");
        standby.psql("postgres", "SELECT pg_reload_conf()").unwrap();
        let place = place();
        let proxy = Proxy::start(primary.port);
        let daemon = Server::serve_at(&Server::url_at(proxy.port, "runs"), &place);
        fail_over(
            &place,
            &daemon,
            || {
                primary.kill();
                proxy.point_to(standby.port);
            },
            &standby,
        );
        daemon.stop();
    }
}

#[test]
fn a_failover_between_two_addresses_loses_nothing_that_was_acknowledged() {
    let (mut primary, standby) = pair();
    let place = place();
    let url = format!(
        "postgres://wfx@127.0.0.1:{},127.0.0.1:{}/runs?sslmode=disable&target_session_attrs=read-write",
        standby.port, primary.port
    );
    let daemon = Server::serve_at(&url, &place);
    until("the guarantee is known", || daemon.get("/readyz").expect(200)["guarantee"] == "standby");
    assert!(daemon.get("/metrics").body.contains("\nwfx_store_synchronous_standbys 1\n"));
    fail_over(&place, &daemon, || primary.kill(), &standby);
    daemon.stop();
}

#[test]
fn a_standby_is_read_and_not_written() {
    let (primary, standby) = pair();
    let place = Place::new();
    place.write("w.yaml", "id: w\nsteps: [{name: a, run: 'true'}]\n");
    primary.run(&place, &["exec", "w.yaml"], 0);
    let stored = "SELECT count(*) FROM wfx.workflow_executions WHERE status = 'success'";
    until("the standby has it", || standby.psql("runs", stored).as_deref() == Some("1"));
    let list = standby.run(&place, &["list", "--format", "jsonl"], 0);
    assert_eq!(list.stdout.lines().count(), 1);
    standby
        .run(&place, &["exec", "w.yaml"], 3)
        .refused(3, &["is a standby", "target_session_attrs"]);
    let doctor = standby.run(&place, &["doctor", "--format", "json"], 1);
    assert!(doctor.stdout.contains("a standby, which can only be read"), "{doctor:?}");
    let doctor = primary.run(&place, &["doctor", "--format", "json"], 0);
    assert!(doctor.stdout.contains("1 of them synchronous"), "{doctor:?}");
    assert_eq!(primary.sql(stored), "1");
}
