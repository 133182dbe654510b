//! Databases that are not as they should be, and connections that break.

use std::thread;

use super::super::address::Address;
use super::server::Server;
use super::{Place, Store};
use crate::repository::address::{PostgresAddress, StoreAddress};
use crate::repository::conformance::{
    at, await_commit, block_on, change, creation, head, options, pending, store, store_change,
    until,
};
use crate::repository::error::{StoreError, StoreErrorKind};
use crate::repository::ownership::OwnerKind;
use crate::repository::ownership::takeover::Which;
use crate::repository::{Reader, Writer};
use crate::workflow::record::{ExecutionState, ExecutionStatus};

fn refusal(place: &Place) -> StoreError {
    Writer::open(place.place(), options()).err().unwrap()
}

#[test]
fn a_schema_that_wfx_did_not_make_is_left_alone() {
    let place = Place::fresh();
    Server::shared().sql(&place.name, "CREATE SCHEMA wfx CREATE TABLE theirs (n int)").unwrap();
    let error = refusal(&place);
    assert_eq!(error.kind(), StoreErrorKind::NotADatabase);
    assert!(error.to_string().contains("schema named wfx"), "{error}");
    let tables = "SELECT string_agg(tablename, ',') FROM pg_tables WHERE schemaname = 'wfx'";
    assert_eq!(Server::shared().sql(&place.name, tables).as_deref(), Some("theirs"));
}

#[test]
fn a_database_of_a_newer_wfx_is_refused() {
    let place = Place::fresh();
    place.open().close().unwrap();
    let newer = "UPDATE wfx.workflow_settings SET value = '99' WHERE name = 'schema_version'";
    Server::shared().sql(&place.name, newer).unwrap();
    assert_eq!(refusal(&place).kind(), StoreErrorKind::Newer);
    let error = Reader::open(place.place()).err().unwrap();
    assert_eq!(error.kind(), StoreErrorKind::Newer);
}

#[test]
fn another_encoding_is_refused() {
    let mut place = Place::fresh();
    place.name += "_latin";
    let create = format!(
        "CREATE DATABASE {} ENCODING 'LATIN1' LC_COLLATE 'C' LC_CTYPE 'C' TEMPLATE template0",
        place.name
    );
    Server::shared().sql("postgres", &create).unwrap();
    let error = refusal(&place);
    assert_eq!(error.kind(), StoreErrorKind::NotADatabase);
    assert!(error.to_string().contains("LATIN1"), "{error}");
}

#[test]
fn a_database_that_is_missing_and_a_role_without_rights_are_named() {
    let mut place = Place::fresh();
    let role = format!("poor_{}", place.name);
    Server::shared().sql("postgres", &format!("CREATE ROLE {role} LOGIN")).unwrap();
    let url = Server::shared().url(&place.name).replace("wfx@", &format!("{role}@"));
    let address = Address::parse(&url, None, place.state.path()).unwrap();
    let error = Writer::open(StoreAddress::Postgres(PostgresAddress(Box::new(address))), options())
        .err()
        .unwrap();
    assert_eq!(error.kind(), StoreErrorKind::ReadOnly, "{error}");
    place.name += "_missing";
    let error = refusal(&place);
    assert_eq!(error.kind(), StoreErrorKind::NotADatabase, "{error}");
}

#[test]
fn connections_that_are_ended_lose_nothing_and_store_nothing_twice() {
    const EXECUTIONS: usize = 200;
    let place = Place::new();
    let writer = place.open();
    let pending = pending(EXECUTIONS);
    let stored = || pending.iter().filter(|one| !one.is_dirty()).count();
    thread::scope(|scope| {
        scope.spawn(|| pending.iter().for_each(|one| await_commit(&writer, one)));
        // Whatever a connection is doing just then: a statement, a commit, nothing.
        for part in 1..=8 {
            until("some are stored", || stored() >= part * EXECUTIONS / 10);
            place
                .raw()
                .batch(
                    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity
                     WHERE datname = current_database() AND pid <> pg_backend_pid()",
                )
                .unwrap();
        }
    });
    for one in &pending {
        assert!(one.stored().borrow().refused.is_none(), "{:?}", one.stored().borrow());
    }
    let ids = place.ids();
    assert_eq!(ids.len(), EXECUTIONS);
    let reader = place.reader();
    for one in &pending {
        let detail = reader.detail(one.execution_id()).unwrap().unwrap();
        assert_eq!((detail.execution.completed_at, detail.steps.len()), (Some(at(1)), 3));
    }
    writer.close().unwrap();
}

#[test]
fn a_dead_process_is_fenced_off_and_what_it_counted_stays() {
    let place = Place::new();
    let (gone, writer) = (place.open(), place.open());
    let dead = place.dead_owner(&gone, OwnerKind::Exec, 7);
    let running = ExecutionState { owner: Some(dead.clone()), ..head(ExecutionStatus::Running, 0) };
    store_change(&gone, "left", creation(1, running));
    let asked = |sql: &str| Server::shared().sql(&place.name, sql).unwrap();
    let fences = format!("SELECT count(*) FROM wfx.fence WHERE owner = '{dead}'");
    assert_eq!(asked(&fences), "1");
    let taken = block_on(writer.take_over(Which::one("left"), "exec-me", 9)).unwrap();
    assert_eq!(taken.len(), 1);
    assert_eq!(asked(&fences), "0");
    let counts = "SELECT slot, executions FROM wfx.workflow_execution_counts";
    assert_eq!(asked(counts), "0|1");
    // If it goes on, it does so as another one, and what was taken over is not its own any more.
    store(&gone, "later", ExecutionStatus::Success, 1);
    let late = ExecutionState { owner: Some(dead), ..head(ExecutionStatus::Success, 1) };
    let refused = store_change(&gone, "left", change(late)).stored().borrow().refused.clone();
    assert!(refused.unwrap().to_string().contains("taken over by exec-me"));
    assert_eq!(place.ids(), ["left", "later"]);
}
