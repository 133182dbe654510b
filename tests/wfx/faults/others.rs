//! What others do to the database meanwhile: lock it, take it away, write over it.

use std::fs;
use std::process::Command;
use std::time::Duration;

use rusqlite::Connection;

use super::{assert_sound, is_there};
use crate::support::{Place, Ran, Running, states};

const BEFORE: &str = "id: before\nsteps: [{name: a, run: 'seq 3000'}]";

/// A run that has begun its first step, which ends when the gate is opened; the second
/// fails if it begins while a file `closed` is there.
fn begin(place: &Place, store_timeout: &str) -> Running {
    let file = place.write(
        "w.yaml",
        "id: w
steps:
- {name: a, run: 'echo begun; read x < gate'}
- {name: b, run: 'test ! -e closed && touch b'}
",
    );
    let gate = Ran::of(Command::new("mkfifo").arg(place.path("gate")));
    assert_eq!(gate.code, Some(0), "{gate:?}");
    let mut command = place.wfx(["exec", "-v", "--store-timeout", store_timeout]);
    let mut running = Running::start(command.arg(file));
    running.wait_for("begun");
    place.write("closed", "");
    running
}

fn open_gate(place: &Place) {
    fs::write(place.path("gate"), "go\n").unwrap();
}

#[test]
fn a_lock_of_thirty_seconds_is_waited_for() {
    let place = Place::new();
    let mut running = begin(&place, "90s");
    let other = Connection::open(place.database()).unwrap();
    other.execute_batch("BEGIN IMMEDIATE").unwrap();
    open_gate(&place);
    running.wait_for("no further step starts");
    let half_a_minute = Ran::of(Command::new("sleep").arg("30"));
    assert_eq!(half_a_minute.code, Some(0), "{half_a_minute:?}");
    assert!(!is_there(&place, "b"));
    fs::remove_file(place.path("closed")).unwrap();
    other.execute_batch("COMMIT").unwrap();
    let ran = running.end();
    assert_eq!(ran.code, Some(0), "{ran:?}");
    assert_eq!(states(&place.show("@1")), ["a success", "b success"]);
}

#[test]
#[expect(clippy::disallowed_methods, reason = "that it ends in time is what is tested")]
fn a_lock_in_the_middle_is_given_up_on() {
    let place = Place::new();
    let running = begin(&place, "500ms");
    let other = Connection::open(place.database()).unwrap();
    other.execute_batch("BEGIN IMMEDIATE").unwrap();
    let from = std::time::Instant::now();
    open_gate(&place);
    let ran = running.end();
    let took = from.elapsed();
    ran.refused(3, &["wfx.db", "another process", "no further step starts"]);
    assert!(Duration::from_millis(500) <= took && took < Duration::from_secs(20), "{took:?}");
    assert!(!is_there(&place, "b"));
    // As the lock kept it, and readable under the lock.
    assert_eq!(states(&place.show("@1")), ["a running", "b pending"]);
    other.execute_batch("COMMIT").unwrap();
    assert_eq!(states(&place.show("@1")), ["a running", "b pending"]);
    place.exec(BEFORE, 0);
    assert_sound(&place);
}

#[test]
fn a_lock_while_nothing_waits_to_be_stored_costs_no_patience() {
    let place = Place::new();
    let mut running = begin(&place, "2s");
    let other = Connection::open(place.database()).unwrap();
    other.execute_batch("BEGIN IMMEDIATE").unwrap();
    running.wait_for("no further step starts");
    // For longer than patience lasts.
    let longer = Ran::of(Command::new("sleep").arg("2.5"));
    assert_eq!(longer.code, Some(0), "{longer:?}");
    fs::remove_file(place.path("closed")).unwrap();
    open_gate(&place);
    // The end of the step is known, and waits.
    running.wait_for("a success");
    other.execute_batch("COMMIT").unwrap();
    let ran = running.end();
    assert_eq!(ran.code, Some(0), "{ran:?}");
    assert_eq!(states(&place.show("@1")), ["a success", "b success"]);
}

#[test]
fn a_database_deleted_in_the_middle_is_missed() {
    let place = Place::new();
    place.exec(BEFORE, 0);
    let running = begin(&place, "500ms");
    for name in ["wfx.db", "wfx.db-wal", "wfx.db-shm"] {
        fs::remove_file(place.path(name)).unwrap();
    }
    open_gate(&place);
    running.end().refused(3, &["wfx.db", "deleted", "no further step starts"]);
    assert!(!is_there(&place, "b"));
    place.run(["list"]).refused(3, &["no database", "wfx exec"]);
    assert!(!is_there(&place, "wfx.db"));
}

#[test]
fn a_database_put_back_is_taken_again() {
    let place = Place::new();
    place.exec(BEFORE, 0);
    let mut running = begin(&place, "60s");
    fs::rename(place.database(), place.path("elsewhere")).unwrap();
    open_gate(&place);
    running.wait_for("no further step starts");
    assert!(!is_there(&place, "b"));
    fs::remove_file(place.path("closed")).unwrap();
    fs::rename(place.path("elsewhere"), place.database()).unwrap();
    let ran = running.end();
    assert_eq!(ran.code, Some(0), "{ran:?}");
    assert!(ran.stderr.contains("works again"), "{ran:?}");
    assert_eq!(place.list()["total"], 2);
    assert_eq!(states(&place.show("@2")), ["a success", "b success"]);
    assert_sound(&place);
}

#[test]
fn a_log_deleted_in_the_middle_is_told_and_costs_nothing_stored() {
    let place = Place::new();
    place.exec(BEFORE, 0);
    let running = begin(&place, "500ms");
    fs::remove_file(place.path("wfx.db-wal")).unwrap();
    open_gate(&place);
    running.end().refused(3, &["wfx.db", "write-ahead log", "deleted", "wfx recover"]);
    assert!(!is_there(&place, "b"));
    assert_sound(&place);
    assert_eq!(states(&place.show("@1")), ["a success"]);
    // What the log held was copied when wfx ended.
    assert_eq!(states(&place.show("@2")), ["a running", "b pending"]);
    let recovered = Ran::of(&mut place.wfx(["recover"]));
    recovered.refused(1, &["interrupted"]);
    assert_eq!(states(&place.show("@2")), ["a interrupted", "b skipped"]);
    assert_sound(&place);
}

/// The index of the log is mapped into memory: SQLite would be ended by what is cut off.
#[test]
fn an_index_cut_in_the_middle_is_told_and_ends_no_process() {
    let place = Place::new();
    place.exec(BEFORE, 0);
    let running = begin(&place, "500ms");
    fs::write(place.path("wfx.db-shm"), "").unwrap();
    open_gate(&place);
    running.end().refused(3, &["wfx.db", "-shm", "cut to 0 of", "wfx recover"]);
    assert!(!is_there(&place, "b"));
    assert_sound(&place);
    assert_eq!(states(&place.show("@1")), ["a success"]);
    let recovered = Ran::of(&mut place.wfx(["recover"]));
    recovered.refused(1, &["interrupted"]);
    assert_sound(&place);
}

#[test]
fn a_purge_reports_what_it_waits_for() {
    let place = Place::new();
    place.exec(BEFORE, 0);
    let mut other = Connection::open(place.database()).unwrap();
    let lock = other.transaction_with_behavior(rusqlite::TransactionBehavior::Immediate).unwrap();
    let mut purge = Running::start(&mut place.wfx(["purge", "--all"]));
    purge.wait_for("waiting up to 1m");
    drop(lock);
    let ran = purge.end();
    assert_eq!(ran.code, Some(0), "{ran:?}");
    assert!(ran.stderr.contains("locked") && ran.stderr.contains("fuser"), "{ran:?}");
    // Not for longer than it was told to.
    let lock = other.transaction_with_behavior(rusqlite::TransactionBehavior::Immediate).unwrap();
    let ran = Ran::of(place.wfx(["purge", "--all"]).env("WFX_STORE_TIMEOUT", "50ms"));
    ran.refused(3, &["locked", "fuser"]);
    drop(lock);
}

/// Each page of a database in turn is garbage: whatever hits it says so, nothing panics,
/// and what is told as done can be shown.
#[test]
fn a_damaged_page_is_told_by_whatever_hits_it() {
    const PAGE: usize = 4096;
    let place = Place::new();
    place.exec(BEFORE, 0);
    place.exec("id: fails\nsteps: [{name: a, run: 'echo no; exit 1'}]", 1);
    place.sql("PRAGMA wal_checkpoint(TRUNCATE)");
    let sound = fs::read(place.database()).unwrap();
    let mut random = fastrand::Rng::with_seed(7);
    let (mut told, mut unhurt) = (0, 0);
    for page in 1..sound.len() / PAGE {
        let mut damaged = sound.clone();
        random.fill(&mut damaged[page * PAGE..(page + 1) * PAGE]);
        let file = place.write("w.yaml", "id: more\nsteps: [{name: a, run: touch a}]");
        let file = file.to_str().unwrap();
        for args in [
            &["list", "--format", "json"][..],
            &["show", "@1", "--format", "json"],
            &["exec", file, "--store-timeout", "50ms", "--format", "json"],
            &["replay", "@1", "--store-timeout", "50ms", "--format", "json"],
            &["purge", "--all"],
        ] {
            for end in ["-wal", "-shm"] {
                let _ = fs::remove_file(format!("{}{end}", place.database().display()));
            }
            let _ = fs::remove_file(place.path("a"));
            fs::write(place.database(), &damaged).unwrap();
            let ran = place.run(args.iter().copied());
            let context = format!("page {page}, {args:?}: {ran:?}");
            match ran.code {
                Some(3) => {
                    assert!(ran.stderr.contains("wfx.db"), "{context}");
                    let starts = ran.stderr.contains("a started");
                    assert_eq!(is_there(&place, "a"), starts && args[0] == "exec", "{context}");
                    told += 1;
                }
                Some(0) => unhurt += 1,
                _ => panic!("{context}"),
            }
            assert!(!ran.stderr.contains("panicked"), "{context}");
            if ran.code == Some(0) && ["exec", "replay"].contains(&args[0]) {
                // Without the indexes, which may be what is damaged.
                let stored = place.sql(
                    "SELECT seq, status FROM workflow_executions NOT INDEXED ORDER BY seq DESC LIMIT 1",
                );
                assert_eq!(stored, "3|success", "{context}");
            }
        }
    }
    assert!(told > 20 && unhurt > 5, "{told} told, {unhurt} unhurt");
}
