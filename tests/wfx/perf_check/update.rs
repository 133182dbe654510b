//! The baseline is replaced as a whole or not at all.

use serde_json::{Value, json};

use super::{BASELINE, baseline, gate, judged, place, stats, with};
use crate::support::{Place, Ran, until};

fn endpoints(place: &Place) -> serde_json::Map<String, Value> {
    let file: Value = serde_json::from_str(&place.read(BASELINE)).unwrap();
    assert_eq!(file["version"], 2);
    file["endpoints"].as_object().unwrap().clone()
}

#[test]
fn an_update_records_replaces_keeps_and_says_so() {
    let place = place(
        &stats(&[("GET /b", 30.0, 60.0), ("GET /a", 1.0, 2.0)]),
        r#"{"owner": "us", "version": 2, "endpoints": {
            "GET /z": {"median_ms": 9.5, "p95_ms": 10, "why": "kept"},
            "GET /b": {"median_ms": 20, "p95_ms": 40, "why": "kept"}}}"#,
    );
    let ran = with(&place, &[], &[("UPDATE_BASELINE", "1"), ("GITHUB_SHA", "abc123")]);
    assert_eq!(ran.code, Some(0), "{ran:?}");
    for told in [
        "GET /a: new, median 1.00 ms, p95 2.00 ms",
        "GET /b: median 20.0 ms to 30.0 ms, p95 40.0 ms to 60.0 ms",
        "recorded 2, kept 1",
    ] {
        assert!(ran.stdout.contains(told), "no {told} in {}", ran.stdout);
    }
    let written = endpoints(&place);
    assert_eq!(written.keys().collect::<Vec<_>>(), ["GET /a", "GET /b", "GET /z"]);
    let b = &written["GET /b"];
    assert_eq!(
        (&b["median_ms"], &b["p95_ms"], &b["why"]),
        (&json!(30.0), &json!(60.0), &json!("kept"))
    );
    assert_eq!((&b["samples"], &b["commit"]), (&json!(1000), &json!("abc123")));
    assert!(b["machine"].as_str().unwrap().contains("CPU") && b["date"].is_string(), "{b}");
    assert_eq!(written["GET /z"], json!({"median_ms": 9.5, "p95_ms": 10.0, "why": "kept"}));
    assert!(place.read(BASELINE).contains("\"owner\": \"us\""));
    // It passes its own gate; of what was not measured only what is tracked counts.
    assert_eq!(gate(&place, &["--track-endpoints", "/a,/b"]).code, Some(0));
    gate(&place, &[]).refused(2, &["GET /z"]);
    // Nothing but the baseline and the stats is left there.
    assert_eq!(std::fs::read_dir(place.path("perf")).unwrap().count(), 2);
}

#[test]
fn a_missing_and_an_old_baseline_are_made_anew() {
    let place = place(&stats(&[("GET /a", 1.0, 2.0)]), r#"{"version": 1, "endpoints": {}}"#);
    let update = ["--update-baseline"];
    let ran = gate(&place, &update);
    assert!(ran.code == Some(0) && ran.stderr.contains("older version"), "{ran:?}");
    assert_eq!(endpoints(&place).len(), 1);
    let changes = judged(&place, &["--update-baseline", "--baseline", "new/deep/b.json"], 0);
    assert_eq!(changes["update"]["endpoints"][0]["median_ms"], json!([null, 1.0]));
    assert_eq!(changes["endpoints"]["GET /a"]["verdict"], "recorded");
    assert!(place.path("new/deep/b.json").exists());
    // What is no baseline is not overwritten.
    place.write(BASELINE, "{\"version\": 2, \"endpo");
    gate(&place, &update).refused(2, &["no baseline"]);
    assert_eq!(place.read(BASELINE), "{\"version\": 2, \"endpo");
    let ran = gate(&place, &["--update-baseline", "--baseline", "/proc/none/b.json"]);
    ran.refused(3, &["/proc/none/b.json"]);
    assert!(ran.stdout.contains("GET /a"), "{ran:?}");
}

#[test]
fn a_link_stays_one_and_a_mode_stays() {
    use std::os::unix::fs::PermissionsExt;
    let place = place(&stats(&[("GET /a", 1.0, 2.0)]), &baseline(&[]));
    let real = place.write("real.json", baseline(&[("GET /x", 1.0, 2.0)]));
    std::fs::set_permissions(&real, std::fs::Permissions::from_mode(0o640)).unwrap();
    std::fs::remove_file(place.path(BASELINE)).unwrap();
    std::os::unix::fs::symlink(&real, place.path(BASELINE)).unwrap();
    assert_eq!(gate(&place, &["--update-baseline"]).code, Some(0));
    assert!(place.path(BASELINE).is_symlink());
    assert_eq!(endpoints(&place).len(), 2);
    let mode = std::fs::metadata(&real).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o640);
}

#[test]
fn another_machine_is_told() {
    let place = place(
        &stats(&[("GET /a", 1.0, 2.0)]),
        r#"{"version": 2, "endpoints": {"GET /a": {"median_ms": 1, "machine": "abacus, 1 CPU"}}}"#,
    );
    let ran = gate(&place, &[]);
    assert!(
        ran.code == Some(0) && ran.stderr.contains("another machine (abacus, 1 CPU)"),
        "{ran:?}"
    );
    assert_eq!(gate(&place, &["--update-baseline"]).code, Some(0));
    assert!(!gate(&place, &[]).stderr.contains("another machine"));
}

/// A baseline that takes a while to write.
fn large(median: f64) -> String {
    let names: Vec<String> = (0..20_000).map(|n| format!("GET /n/{n:05}")).collect();
    let rows: Vec<(&str, f64, f64)> = names.iter().map(|n| (n.as_str(), median, median)).collect();
    baseline(&rows)
}

#[test]
fn kill_9_leaves_the_old_or_the_new_file() {
    let place = place("", &large(7.0));
    let temporary = place.path("perf/.performance_baseline.json.tmp");
    let (mut torn, mut replaced) = (0, 0);
    for round in 0..24_u32 {
        let median = f64::from(round + 100);
        place.write("perf/locust_stats.csv", stats(&[("GET /n/00000", median, median)]));
        let before = place.read(BASELINE);
        let mut child = place
            .wfx(["perf-check", "--update-baseline"])
            .stdout(std::process::Stdio::null())
            .stderr(std::process::Stdio::null())
            .spawn()
            .unwrap();
        until("it writes", || temporary.exists() || child.try_wait().unwrap().is_some());
        for _ in 0..round * 200 {
            std::thread::yield_now();
        }
        child.kill().unwrap();
        child.wait().unwrap();
        torn += u32::from(temporary.exists());
        let after = place.read(BASELINE);
        if after != before {
            assert_eq!(endpoints(&place)["GET /n/00000"]["median_ms"], json!(median));
            replaced += 1;
        }
        assert_eq!(endpoints(&place).len(), 20_000);
    }
    assert!(torn > 0, "no update was killed in the middle; {replaced} were done");
    // What was left is in nobody's way.
    assert_eq!(gate(&place, &["--update-baseline"]).code, Some(0));
    assert!(!temporary.exists());
}

#[test]
fn updates_at_once_lose_nothing() {
    const UPDATES: usize = 8;
    let place = place("", &large(7.0));
    let children: Vec<_> = (0..UPDATES)
        .map(|n| {
            let (endpoint, file) = (format!("GET /own/{n}"), format!("{n}.csv"));
            place.write(&file, stats(&[(&endpoint, 3.0, 4.0)]));
            place
                .wfx(["perf-check", "--update-baseline", "--stats", &file])
                .stdout(std::process::Stdio::piped())
                .stderr(std::process::Stdio::piped())
                .spawn()
                .unwrap()
        })
        .collect();
    for child in children {
        let ran = Ran::from(child.wait_with_output().unwrap());
        assert_eq!(ran.code, Some(0), "{ran:?}");
    }
    let written = endpoints(&place);
    assert_eq!(written.len(), 20_000 + UPDATES);
    assert!((0..UPDATES).all(|n| written.contains_key(&format!("GET /own/{n}"))));
}
