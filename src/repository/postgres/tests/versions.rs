//! Databases of older versions.

use super::server::Server;
use super::{Place, Store};
use crate::repository::Reader;
use crate::repository::conformance::store;
use crate::repository::error::StoreErrorKind;
use crate::workflow::record::ExecutionStatus;

/// A database as version 1 made it, and what it stored.
const VERSION_1: &str = concat!(
    "BEGIN;",
    include_str!("../schema/001_initial.sql"),
    include_str!("../schema/write_v1.sql"),
    "INSERT INTO wfx.workflow_settings VALUES ('schema_version', '1'), ('identity', '00000abc');
     INSERT INTO wfx.fence (token) VALUES (77);
     COMMIT;"
);

/// How a process of version 1 stores an execution that has ended.
fn by_version_1(number: u32, id: &str) -> String {
    format!(
        "SELECT cardinality(seqs) FROM wfx.write_v1(77, {number}, {number} - 1, ARRAY[ROW('{id}', 'w',
           'success', now(), now(), now(), now(), 0, 0, NULL, NULL, NULL, '[]',
           '{{\"definition\":{{}},\"params\":{{}},\"workdir\":\"/\"}}', NULL, NULL, NULL, NULL, NULL,
           NULL, NULL, NULL, 0, 0, NULL, NULL, NULL, NULL, NULL)::wfx.created_v1],
           '{{}}', '{{}}', '{{}}', '{{}}', '{{}}', '{{}}')"
    )
}

#[test]
fn a_database_of_version_1_is_brought_up_while_a_process_of_that_version_writes() {
    let place = Place::fresh();
    let sql = |sql: &str| Server::shared().sql(&place.name, sql).unwrap();
    place.raw().batch(VERSION_1).unwrap();
    assert_eq!(sql(&by_version_1(1, "before")), "1");
    let error = Reader::open(place.place()).err().unwrap();
    assert_eq!(error.kind(), StoreErrorKind::NeedsMigration, "{error}");
    let writer = place.open();
    let version = "SELECT value FROM wfx.workflow_settings WHERE name = 'schema_version'";
    assert_eq!(sql(version), "2");
    store(&writer, "new", ExecutionStatus::Success, 1);
    store(&writer, "newer", ExecutionStatus::Success, 1);
    assert_eq!(sql(&by_version_1(2, "older")), "1");
    assert_eq!(place.ids(), ["before", "new", "newer", "older"]);
    assert_eq!(place.reader().list(&Default::default(), 9, 0).unwrap().total, 4);
    writer.close().unwrap();
}
