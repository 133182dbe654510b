//! The durations of steps in the database.

use serde_json::json;

use super::{gate, judged};
use crate::support::Place;

/// A history of `runs` executions of a workflow whose first step takes so long, in ms; the
/// second never succeeds.
fn ran(place: &Place, workflow: &str, runs: u32, millis: u32) {
    let document = format!(
        "id: {workflow}\nsteps:\n- {{name: load, run: 'true'}}\n- {{name: join}}\n\
         - {{name: bad, run: 'false', continue_on_error: true}}\n"
    );
    place.exec(&document, 0);
    // What is judged is what the database says, so a history need not be waited for.
    place.sql(&format!(
        "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < {runs} - 1)
         INSERT INTO workflow_executions
           (execution_id, workflow_id, status, created_at, started_at, completed_at, updated_at,
            steps_completed, total_steps, step_order, input_snapshot)
         SELECT hex(randomblob(16)), workflow_id, status, created_at, started_at,
           completed_at, updated_at, steps_completed, total_steps, step_order, input_snapshot
         FROM workflow_executions, n
         WHERE seq = (SELECT max(seq) FROM workflow_executions);
         INSERT OR IGNORE INTO workflow_execution_steps
           (seq, position, step_name, status, started_at, completed_at, duration_ms, attempt,
            exit_code, depends_on, error, outputs)
         SELECT e.seq, s.position, s.step_name, s.status, s.started_at, s.completed_at,
           s.duration_ms, s.attempt, s.exit_code, s.depends_on, s.error, s.outputs
         FROM workflow_executions e, workflow_execution_steps s
         WHERE s.seq = (SELECT min(seq) FROM workflow_executions WHERE workflow_id = '{workflow}');
         UPDATE workflow_execution_steps SET duration_ms = {millis} + seq % 5
         WHERE step_name = 'load' AND seq IN
           (SELECT seq FROM workflow_executions WHERE workflow_id = '{workflow}')"
    ));
}

const BASELINE: &[&str] = &["--steps", "--baseline", "b.json"];

fn steps<'a>(more: &[&'a str]) -> Vec<&'a str> {
    [BASELINE, more].concat()
}

#[test]
fn steps_that_got_slower_are_found() {
    let place = Place::new();
    ran(&place, "nightly", 30, 1_000);
    place.write(
        "b.json",
        json!({"version": 2, "endpoints": {
        "GET /x": {"median_ms": 1.0, "p95_ms": 2.0}}})
        .to_string(),
    );
    let told = judged(&place, &steps(&["--update-baseline"]), 0);
    let load = &told["endpoints"]["STEP nightly/load"];
    assert_eq!((&load["samples"], &load["median_ms"]), (&json!(30), &json!(1002.0)));
    // Neither a step without work nor one that never succeeded.
    assert_eq!(told["endpoints"].as_object().unwrap().len(), 1, "{told}");
    let kept = place.read("b.json");
    assert!(kept.contains("GET /x") && kept.contains("STEP nightly/load"), "{kept}");

    assert_eq!(judged(&place, &steps(&[]), 0)["verdict"], "pass");
    ran(&place, "nightly", 60, 1_400);
    let told = judged(&place, &steps(&[]), 1);
    assert_eq!(told["endpoints"]["STEP nightly/load"]["verdict"], "regression");
    let slower = gate(&place, &steps(&[]));
    assert!(slower.stdout.contains("STEP nightly/load"), "{slower:?}");
}

#[test]
fn what_is_asked_for_is_judged_and_nothing_else() {
    let place = Place::new();
    ran(&place, "nightly", 30, 100);
    ran(&place, "hourly", 30, 50);
    place.write(
        "b.json",
        json!({"version": 2, "endpoints": {
        "STEP nightly/load": {"median_ms": 100.0, "p95_ms": 110.0},
        "STEP hourly/load": {"median_ms": 50.0, "p95_ms": 60.0},
        "STEP gone/load": {"median_ms": 50.0, "p95_ms": 60.0}}})
        .to_string(),
    );
    let told = judged(&place, &steps(&["--workflow", "hourly"]), 0);
    assert_eq!(told["endpoints"].as_object().unwrap().len(), 1, "{told}");
    gate(&place, &steps(&[])).refused(2, &["STEP gone/load"]);
    // Too few, none, and what does not go together.
    ran(&place, "rare", 5, 10);
    let few = judged(&place, &steps(&["--workflow", "rare"]), 4);
    assert_eq!(few["endpoints"]["STEP rare/load"]["verdict"], "inconclusive");
    gate(&place, &steps(&["--workflow", "unknown"])).refused(2, &[]);
    gate(&place, &steps(&["--since", "2999-01-01T00:00:00Z"])).refused(2, &[]);
    assert_eq!(gate(&place, &["--steps", "--target", "http://127.0.0.1:1"]).code, Some(2));
    assert_eq!(gate(&place, &["--workflow", "hourly"]).code, Some(2));
    let missing = Place::new();
    missing.write("b.json", r#"{"version":2,"endpoints":{}}"#);
    assert_eq!(gate(&missing, &steps(&[])).code, Some(3));
    // Requests know nothing of steps.
    place.write("stats.csv", super::stats(&[("GET /x", 1.0, 2.0)]));
    let requests = ["--stats", "stats.csv", "--baseline", "b.json"];
    gate(&place, &requests).refused(2, &["nothing was judged", "GET /x", "it is empty"]);
}

#[test]
fn two_spans_of_history_are_compared() {
    let place = Place::new();
    ran(&place, "nightly", 40, 100);
    place.sql("UPDATE workflow_executions SET created_at = '2026-01-10T00:00:00.000000Z'");
    let spans = ["--steps", "--since", "2026-01-15T00:00:00Z", "--reference-since", "2026-01-01"];
    // Nothing since.
    gate(&place, &spans).refused(2, &["no step ran in both spans", "wfx list --since"]);
    let before = "UPDATE workflow_execution_steps SET duration_ms = 100 + seq % 5
         WHERE step_name = 'load' AND seq IN (SELECT seq FROM workflow_executions
           WHERE created_at < '2026-01-15')";
    for (millis, code, verdict, told) in [
        (100, 0, "pass", ""),
        (160, 1, "regression", "median is slower"),
        (60, 0, "pass", "faster"),
    ] {
        place.sql("DELETE FROM workflow_executions WHERE created_at > '2026-01-15'");
        ran(&place, "nightly", 30, millis);
        place.sql(before);
        let found = judged(&place, &spans, code);
        let load = &found["endpoints"]["STEP nightly/load"];
        assert_eq!(load["verdict"], verdict, "{found}");
        assert!(load["reasons"].to_string().contains(told), "{found}");
        assert!(found["warnings"].to_string().contains("differ by more than the code"), "{found}");
        assert_eq!(load["samples"], 30, "{found}");
    }
    let turned = ["--steps", "--since", "9d", "--reference-since", "2d"];
    gate(&place, &turned).refused(2, &["--reference-since has to be before --since"]);
    assert_eq!(gate(&place, &["--steps", "--reference-since", "2d"]).code, Some(2));
    let measures = [&spans[..], &["--rate", "10"]].concat();
    gate(&place, &measures).refused(2, &["--rate needs a server to measure"]);
}
