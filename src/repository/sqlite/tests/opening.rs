//! What lies at the database's place.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::thread;
use std::time::Duration;

use super::{Place, open};
use crate::repository::conformance::options;
use crate::repository::{ListFilter, Reader, StoreError, StoreErrorKind, Writer};

fn kind_of_writing(place: &Place) -> StoreErrorKind {
    Writer::open(&place.path, options()).unwrap_err().kind()
}

fn kind_of_reading(place: &Place) -> StoreErrorKind {
    Reader::open(&place.path).unwrap_err().kind()
}

#[test]
fn nothing_is_made_into_a_private_database() {
    let mut place = Place::new();
    place.path = place.folder.path().join("state/wfx.db");
    assert_eq!(kind_of_reading(&place), StoreErrorKind::Missing);
    assert!(place.names().is_empty(), "reading made {:?}", place.names());
    open(&place.path).close().unwrap();
    let mode = |path: &std::path::Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(&place.path), 0o600);
    assert_eq!(mode(place.path.parent().unwrap()), 0o700);
    Reader::open(&place.path).unwrap();
    let auto_vacuum: i64 =
        place.raw().pragma_query_value(None, "auto_vacuum", |row| row.get(0)).unwrap();
    assert_eq!(auto_vacuum, 2);
}

#[test]
fn an_empty_file_is_nothing_yet() {
    let place = Place::new();
    fs::write(&place.path, "").unwrap();
    assert_eq!(kind_of_reading(&place), StoreErrorKind::Missing);
    open(&place.path).close().unwrap();
    Reader::open(&place.path).unwrap();
}

#[test]
fn a_file_that_is_no_database_is_left_as_it_is() {
    for content in [&b"remember the milk\n"[..], &[0; 8192], b"SQLite format 4\0 and more"] {
        let place = Place::new();
        fs::write(&place.path, content).unwrap();
        assert_eq!(kind_of_writing(&place), StoreErrorKind::NotADatabase);
        assert_eq!(kind_of_reading(&place), StoreErrorKind::NotADatabase);
        assert_eq!(fs::read(&place.path).unwrap(), content);
        assert_eq!(place.names(), ["wfx.db"]);
    }
}

#[test]
fn a_database_of_another_program_is_left_as_it_is() {
    for sql in [
        "CREATE TABLE notes (text)",
        "CREATE TABLE workflow_executions (execution_id)",
        "CREATE TABLE workflow_executions (a); CREATE TABLE workflow_execution_steps (b)",
        "CREATE TABLE workflow_executions (execution_id);
         CREATE TABLE workflow_execution_steps (execution_id, step_name);
         PRAGMA application_id = 7",
    ] {
        let place = Place::new();
        place.raw().execute_batch(sql).unwrap();
        let before = fs::read(&place.path).unwrap();
        assert_eq!(kind_of_writing(&place), StoreErrorKind::NotADatabase, "{sql}");
        assert_eq!(fs::read(&place.path).unwrap(), before);
        assert_eq!(place.names(), ["wfx.db"]);
    }
}

#[test]
fn a_newer_database_is_left_as_it_is() {
    let place = Place::new();
    open(&place.path).close().unwrap();
    place.raw().execute_batch("PRAGMA journal_mode = DELETE; PRAGMA user_version = 99").unwrap();
    let before = fs::read(&place.path).unwrap();
    let error = Writer::open(&place.path, options()).unwrap_err();
    assert_eq!(error.kind(), StoreErrorKind::Newer);
    assert!(error.to_string().contains("99"), "{error}");
    assert!(error.hint().is_some());
    assert_eq!(kind_of_reading(&place), StoreErrorKind::Newer);
    assert_eq!(fs::read(&place.path).unwrap(), before);
}

#[test]
fn a_damaged_database_is_told_and_left_as_it_is() {
    let place = Place::new();
    open(&place.path).close().unwrap();
    let mut bytes = fs::read(&place.path).unwrap();
    bytes[100..4096].fill(0xa5);
    fs::write(&place.path, &bytes).unwrap();
    assert_eq!(kind_of_writing(&place), StoreErrorKind::Damaged);
    let read = Reader::open(&place.path)
        .and_then(|reader| reader.list(&ListFilter::default(), 1, 0).map(drop));
    assert_eq!(read.unwrap_err().kind(), StoreErrorKind::Damaged);
    assert_eq!(fs::read(&place.path).unwrap(), bytes);
}

#[test]
fn a_folder_in_the_file_s_place_is_told() {
    let place = Place::new();
    fs::create_dir(&place.path).unwrap();
    assert_eq!(kind_of_writing(&place), StoreErrorKind::NotADatabase);
    assert_eq!(kind_of_reading(&place), StoreErrorKind::NotADatabase);
}

#[test]
fn many_open_a_new_database_at_once() {
    let place = Place::new();
    thread::scope(|scope| {
        for _ in 0..8 {
            scope.spawn(|| open(&place.path).close().unwrap());
        }
    });
    Reader::open(&place.path).unwrap();
}

#[test]
fn a_database_that_is_held_is_told_to_be_locked() {
    let place = Place::new();
    open(&place.path).close().unwrap();
    let holder = place.raw();
    holder.execute_batch("PRAGMA locking_mode = EXCLUSIVE; BEGIN EXCLUSIVE").unwrap();
    let hurried = super::WriterOptions { busy_timeout: Duration::from_millis(50), ..options() };
    let error = Writer::open(&place.path, hurried).unwrap_err();
    assert_eq!(error.kind(), StoreErrorKind::Locked);
    drop(holder);
    open(&place.path).close().unwrap();
}

#[test]
fn who_waits_long_for_others_is_told_once() {
    let place = Place::new();
    open(&place.path).close().unwrap();
    let mut holder = Some(place.raw());
    if let Some(holder) = &holder {
        holder.execute_batch("PRAGMA locking_mode = EXCLUSIVE; BEGIN EXCLUSIVE").unwrap();
    }
    let mut told = Vec::new();
    let patient = super::WriterOptions { busy_timeout: Duration::from_secs(60), ..options() };
    let mut waits = |error: &StoreError| {
        told.push((error.kind(), error.hint().is_some()));
        holder = None;
    };
    Writer::open_reporting(&place.path, patient, &mut waits).unwrap().close().unwrap();
    assert_eq!(told, [(StoreErrorKind::Locked, true)]);
}
