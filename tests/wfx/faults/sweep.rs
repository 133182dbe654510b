//! Each call on the database's files fails once, and each from some call on: what wfx
//! says is what is stored, and what ran was stored before.

use std::sync::atomic::{AtomicU32, Ordering};
use std::thread;

use super::{BROKEN, FULL, Rule, assert_sound, fired, is_there};
use crate::support::{Place, Ran, steps};

const TWO: &str = "id: two\nsteps: [{name: a, run: touch a}, {name: b, run: touch b}]";

/// Runs with this fault in a new database; whether it fired.
fn survives(rule: Rule) -> bool {
    let place = Place::new();
    let file = place.write("w.yaml", TWO);
    let mut command = place.wfx(["exec", "--store-timeout", "100ms"]);
    let ran = Ran::of(rule.on(command.arg(&file), &place));
    let context = format!("{rule:?}: {ran:?}");
    assert!(!ran.stderr.contains("panicked"), "{context}");
    let listed = place.run(["list", "--format", "json"]);
    let is_stored = listed.code == Some(0) && listed.json()["total"] == 1;
    let latest = is_stored.then(|| place.show("@latest"));
    match ran.code {
        Some(0) => {
            let latest = latest.as_ref().unwrap_or_else(|| panic!("not stored: {context}"));
            assert_eq!(latest["execution"]["status"], "success", "{context}");
            assert!(is_there(&place, "b"), "{context}");
        }
        Some(3) => {
            assert!(ran.stderr.contains("wfx.db"), "{context}");
            assert!(fired(&place) > 0, "{context}");
            let starts = ran.stderr.contains("a started");
            assert_eq!(is_there(&place, "a"), starts, "{context}");
        }
        _ => panic!("{context}"),
    }
    for (name, before) in [("a", None), ("b", Some("a"))] {
        let status = latest.as_ref().map(|latest| steps(latest)[name]["status"].clone());
        let status = status.as_ref().and_then(|status| status.as_str()).unwrap_or("pending");
        let ran = is_there(&place, name);
        let allowed: &[&str] = if ran { &["running", "success"] } else { &["pending", "running"] };
        assert!(allowed.contains(&status), "{name} {status}, ran: {ran}; {context}");
        assert!(!ran || before.is_none_or(|before| is_there(&place, before)), "{context}");
    }
    if listed.code != Some(0) {
        listed.refused(3, &["wfx exec"]);
    }
    let again = Ran::of(place.wfx(["exec"]).arg(&file));
    assert_eq!(again.code, Some(0), "{again:?} after {context}");
    assert_sound(&place);
    fired(&place) > 0
}

/// All calls of an operation until none is left to fail; how many there are.
fn sweep(operations: &'static str, code: i32, count: u32, stride: u32) -> u32 {
    let next = AtomicU32::new(1);
    let last = AtomicU32::new(u32::MAX);
    let work = || {
        while next.load(Ordering::Relaxed) < last.load(Ordering::Relaxed) {
            let first = next.fetch_add(stride, Ordering::Relaxed);
            if !survives(Rule { operations, code, first, count }) {
                last.fetch_min(first, Ordering::Relaxed);
            }
        }
    };
    thread::scope(|scope| {
        scope.spawn(work);
        scope.spawn(work);
    });
    last.into_inner() - 1
}

#[test]
fn every_sync_may_fail() {
    assert!(sweep("fsync", BROKEN, 1, 1) > 8);
    assert!(sweep("fsync", BROKEN, 0, 1) > 8);
}

#[test]
fn every_write_may_find_the_disk_full() {
    assert!(sweep("write", FULL, 1, 1) > 60);
    assert!(sweep("write", FULL, 0, 3) > 60);
}

#[test]
fn every_cut_may_fail() {
    assert!(sweep("ftruncate", BROKEN, 1, 1) > 0);
    assert!(sweep("ftruncate", BROKEN, 0, 1) > 0);
}
