//! The performance gate: files of load tools against a baseline.

mod hostile;
mod measuring;
mod reference;
mod reports;
mod server;
mod steps;
mod update;

use serde_json::{Value, json};

use crate::support::{Place, Ran, root};

const BASELINE: &str = "perf/performance_baseline.json";
const STATS: &str = "perf/locust_stats.csv";

/// A place with Locust's file and a baseline where they are looked for.
fn place(stats: &str, baseline: &str) -> Place {
    let place = Place::new();
    std::fs::create_dir(place.path("perf")).unwrap();
    place.write(STATS, stats);
    place.write(BASELINE, baseline);
    place
}

fn stats(rows: &[(&str, f64, f64)]) -> String {
    let mut text =
        "Type,Name,Request Count,Failure Count,Median Response Time,50%,95%\n".to_owned();
    for (endpoint, median, p95) in rows {
        let (method, path) = endpoint.split_once(' ').unwrap();
        text += &format!("{method},{path},1000,0,{median},{median},{p95}\n");
    }
    text + ",Aggregated,1000,0,1,1,1\n"
}

fn baseline(rows: &[(&str, f64, f64)]) -> String {
    let entry = |(_, median, p95): &(&str, f64, f64)| json!({"median_ms": median, "p95_ms": p95});
    let endpoints: serde_json::Map<String, Value> =
        rows.iter().map(|row| (row.0.to_owned(), entry(row))).collect();
    json!({"version": 2, "endpoints": endpoints}).to_string()
}

fn fixture(name: &str) -> String {
    std::fs::read_to_string(root().join("fixtures/perf-check").join(name)).unwrap()
}

/// Runs the gate in another environment.
fn with(place: &Place, args: &[&str], variables: &[(&str, &str)]) -> Ran {
    let mut command = place.wfx(["perf-check"]);
    Ran::of(command.args(args).envs(variables.iter().copied()))
}

fn gate(place: &Place, args: &[&str]) -> Ran {
    with(place, args, &[])
}

fn judged(place: &Place, args: &[&str], code: i32) -> Value {
    let args: Vec<&str> = args.iter().copied().chain(["--format", "json"]).collect();
    let ran = gate(place, &args);
    assert_eq!(ran.code, Some(code), "{ran:?}");
    ran.json()
}

#[test]
fn a_gate_that_judges_nothing_is_refused() {
    let rows = [("GET /a", 12.0, 40.0)];
    for (known, more, told) in [
        (&[][..], &[][..], "GET /a"),
        (&[("GET /z", 12.0, 40.0)], &["--endpoint", "GET /a"], "GET /z: were endpoints renamed?"),
        (&[("GET /z", 12.0, 40.0)], &["--track-endpoints", "/a"], "GET /z"),
    ] {
        let place = place(&stats(&rows), &baseline(known));
        gate(&place, more).refused(2, &["nothing was judged", told]);
        // A report says so too, and an update is the way out.
        let reported = gate(&place, &[more, &["--summary", "s.json"]].concat());
        assert_eq!(reported.code, Some(2));
        assert!(place.read("s.json").contains("\"error\""));
        assert_eq!(gate(&place, &[more, &["--update-baseline"]].concat()).code, Some(0));
    }
    // Where something is judged, what is new is no trouble.
    let place = place(&stats(&[rows[0], ("GET /b", 1.0, 2.0)]), &baseline(&rows));
    assert_eq!(gate(&place, &[]).code, Some(0));
}

#[test]
fn a_tolerance_may_be_a_share_of_the_baseline() {
    let known = [("GET /a", 10.0, 20.0)];
    for (median, p95, more, code) in [
        (12.0, 24.0, &[][..], 0),
        (12.0, 20.0, &["--tolerance-median", "10%"], 1),
        (11.0, 22.0, &["--tolerance-median", "10%", "--tolerance-p95", "10%"], 0),
        (10.0, 24.0, &["--tolerance-p95", "10 %"], 1),
        (12.0, 20.0, &["--tolerance-median", "1.5ms"], 1),
    ] {
        let place = place(&stats(&[("GET /a", median, p95)]), &baseline(&known));
        let ran = gate(&place, more);
        assert_eq!(ran.code, Some(code), "{more:?}: {ran:?}");
        // An absolute tolerance that is larger than what it guards is named.
        let told = format!("{}{}", ran.stdout, ran.stderr);
        assert_eq!(
            told.contains("--tolerance-median 10% guards it"),
            more.is_empty() || more[0] == "--tolerance-p95",
            "{told}"
        );
    }
    let place = place(&stats(&known), &baseline(&known));
    gate(&place, &["--tolerance-median", "10"]).refused(2, &["such as 10%"]);
    gate(&place, &["--tolerance-median", "10%", "--tolerance-median-ms", "5"])
        .refused(2, &["--tolerance-median"]);
}

#[test]
fn the_tolerance_decides() {
    let rows = [("GET /a", 40.1, 85.2), ("GET /b", 1.0, 2.0)];
    for (median, p95, code) in
        [(90.1, 165.2, 0), (90.11, 85.2, 1), (40.1, 165.21, 1), (0.0, 0.0, 0), (91.0, 166.0, 1)]
    {
        let place = place(&stats(&[("GET /a", median, p95), rows[1]]), &baseline(&rows));
        let verdict = judged(&place, &[], code);
        let outcome = if code == 0 { "pass" } else { "regression" };
        assert_eq!(verdict["verdict"], if code == 0 { "pass" } else { "fail" });
        let a = &verdict["endpoints"]["GET /a"];
        assert_eq!(a["verdict"], outcome, "{a}");
        assert_eq!((&a["median_ms"], &a["samples"]), (&json!(median), &json!(1000)));
        assert_eq!(a["baseline"], json!({"median_ms": 40.1, "p95_ms": 85.2}));
        assert_eq!(verdict["endpoints"]["GET /b"]["verdict"], "pass");
        // Wider tolerances, as flag and as variable, let it pass.
        assert_eq!(
            gate(&place, &["--tolerance-median-ms", "60", "--tolerance-p95-ms", "90"]).code,
            Some(0)
        );
        let wide = [("REG_TOL_MEDIAN_MS", "60"), ("REG_TOL_P95_MS", "90.5")];
        assert_eq!(with(&place, &[], &wide).code, Some(0));
    }
}

#[test]
fn the_table_says_what_got_slower_and_what_the_gate_sees() {
    let place = place(
        &stats(&[("GET /a", 95.0, 120.0), ("GET /new", 5.0, 6.0)]),
        &baseline(&[("GET /a", 40.0, 100.0)]),
    );
    let ran = gate(&place, &[]);
    assert_eq!(ran.code, Some(1), "{ran:?}");
    for told in [
        "regression",
        "+55.0 ms",
        "median 95.0 ms is 55.0 ms slower than the baseline's 40.0 ms; the tolerance is 50.0 ms",
        // Locust's rounding takes away half a step at what the tolerance lets pass.
        "median +50.5 ms (+126 % of GET /a), p95 +85.0 ms (+85 % of GET /a)",
        "fail (2 endpoints, 1 slower, 1 new)",
    ] {
        let words = |text: &str| text.split_whitespace().collect::<Vec<_>>().join(" ");
        assert!(words(&ran.stdout).contains(told), "no {told} in {}", ran.stdout);
    }
    for told in ["coordinated omission", "two digits"] {
        assert!(ran.stderr.contains(told), "{}", ran.stderr);
    }
    let plain = gate(&place, &["--format", "plain"]).stdout;
    assert_eq!(plain, "GET /a\t95\t40\t120\t100\tregression\nGET /new\t5\t\t6\t\tnew\n");
    let lines = gate(&place, &["--format", "jsonl"]).stdout;
    let lines: Vec<Value> = lines.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!((&lines[0]["endpoint"], &lines[1]["verdict"]), (&json!("GET /a"), &json!("new")));
}

#[test]
fn new_endpoints_and_missing_percentiles_are_not_judged() {
    let rows = [("GET /a", 1.0, 2.0)];
    let place = place(&stats(&[rows[0], ("GET /new", 900.0, 990.0)]), &baseline(&rows));
    assert_eq!(judged(&place, &[], 0)["endpoints"]["GET /new"]["verdict"], "new");
    let strict = judged(&place, &["--strict"], 1);
    assert_eq!(strict["verdict"], "fail");
    place.write(BASELINE, r#"{"version": 2, "endpoints": {"GET /a": {"median_ms": 1}, "GET /new": {"median_ms": 870}}}"#);
    assert_eq!(judged(&place, &["--strict"], 0)["verdict"], "pass");
}

#[test]
fn only_tracked_endpoints_are_judged() {
    let place = place(
        &stats(&[("GET /a", 1.0, 2.0), ("POST /b", 900.0, 990.0)]),
        &baseline(&[("GET /a", 1.0, 2.0), ("POST /b", 1.0, 2.0), ("GET /gone", 1.0, 2.0)]),
    );
    gate(&place, &[]).refused(2, &["baseline has what was not observed: GET /gone", "help:"]);
    let a = judged(&place, &["--track-endpoints", "/a"], 0);
    assert_eq!((&a["untracked"], a["endpoints"].as_object().unwrap().len()), (&json!(1), 1));
    let ran = with(&place, &["--track-endpoints", "GET /a"], &[("TRACK_ENDPOINTS", "POST")]);
    assert_eq!(ran.code, Some(0), "{ran:?}");
    assert_eq!(with(&place, &[], &[("TRACK_ENDPOINTS", "GET /a, POST")]).code, Some(1));
    // What is mistyped is told; a filter that lets nothing through is refused.
    let ran = gate(&place, &["--track-endpoints", "/a,/ordres"]);
    assert!(ran.code == Some(0) && ran.stderr.contains("`/ordres`"), "{ran:?}");
    gate(&place, &["--track-endpoints", "/A"]).refused(2, &["`/A` matches none", "POST /b"]);
    gate(&place, &["--track-endpoints", "/gone"]).refused(2, &["matches none"]);
    with(&place, &[], &[("TRACK_ENDPOINTS", ",")]).refused(2, &["TRACK_ENDPOINTS", "substrings"]);
    // Those that are asked for by name are what the baseline has to be met for.
    assert_eq!(gate(&place, &["--endpoint", "GET /a"]).code, Some(0));
    gate(&place, &["--endpoint", "GET /x"]).refused(2, &["no endpoint `GET /x`"]);
    gate(&place, &["--endpoint", "/a"]).refused(2, &["GET /x"]);
}

#[test]
fn errors_fail_the_gate() {
    let text = fixture("locust_mixed_stats.csv");
    let rows = [
        ("GET /api/v1/tail?id=[id]", 11.0, 17.0),
        ("GET /nope", 1.0, 4.0),
        ("POST /orders, \"bulk\"", 1.0, 4.0),
        ("GET /ten", 11.0, 18.0),
    ];
    let place = place(&text, &baseline(&rows));
    let failed = judged(&place, &[], 1);
    assert_eq!(failed["endpoints"]["GET /nope"]["verdict"], "errors");
    assert_eq!(failed["endpoints"]["POST /orders, \"bulk\""]["verdict"], "pass");
    assert_eq!(judged(&place, &["--max-error-rate", "1"], 0)["verdict"], "pass");
    gate(&place, &["--max-error-rate", "2"]).refused(2, &["from 0 to 1"]);
    // An erring run is no baseline.
    let before = place.read(BASELINE);
    let ran = gate(&place, &["--update-baseline"]);
    assert!(ran.code == Some(1) && ran.stderr.contains("stays as it is"), "{ran:?}");
    assert_eq!(place.read(BASELINE), before);
}

#[test]
fn what_cannot_be_used_is_refused_with_a_remedy() {
    let rows = [("GET /a", 1.0, 2.0)];
    let good = baseline(&rows);
    for (text, told) in [
        ("", "it is empty"),
        ("{\"version\": 2, \"endp", "no baseline"),
        ("{\"version\": 1, \"endpoints\": {}}", "UPDATE_BASELINE=true"),
        ("{\"GET /a\": 40}", "UPDATE_BASELINE=true"),
        ("{\"version\": 3, \"endpoints\": {}}", "version 3"),
        (
            "{\"version\": 2, \"endpoints\": {\"GET /a\": {\"median_ms\": null}}}",
            "`median_ms` of `GET /a`",
        ),
        ("{\"version\": 2, \"endpoints\": {\"GET /a\": {\"median_ms\": NaN}}}", "no baseline"),
        (
            "{\"version\": 2, \"endpoints\": {\"GET /a\": {\"median_ms\": 1, \"p95_ms\": \"2\"}}}",
            "`p95_ms`",
        ),
    ] {
        let place = place(&stats(&rows), text);
        gate(&place, &[]).refused(2, &[BASELINE, told, "help:"]);
    }
    let place = place(&stats(&rows), &good);
    gate(&place, &["--baseline", "nowhere.json"])
        .refused(2, &["no baseline nowhere.json", "UPDATE_BASELINE"]);
    gate(&place, &["--baseline", "home"]).refused(2, &["home", "directory"]);
    gate(&place, &["--baseline", "home", "--update-baseline"]).refused(2, &["home", "directory"]);
    gate(&place, &["--stats", "nowhere.csv"]).refused(2, &["nowhere.csv", "--stats"]);
    gate(&place, &["--stats", "home"]).refused(2, &["home"]);
    for (text, told) in [
        (String::new(), "it is empty"),
        (stats(&[]), "no endpoints"),
        ("Type,Name,50%,95%\n".to_owned(), "no endpoints"),
        (stats(&rows).replace(",1000,0,1,1,2\n", ",1000,0,1"), "line 2: 11 fields"),
        ("Type,Name,50%,95%\nGET,/a,1,20".to_owned(), "no end"),
        ("Type,Name,50%,95%\nGET,/a,N/A,2\n".to_owned(), "`N/A` and no latency"),
        ("Type,Name,50%,95%\nGET,/a,1,nan\n".to_owned(), "`nan` and no latency"),
        ("Type,Name,50%\nGET,/a,1\n".to_owned(), "states no p95 of GET /a"),
        ("Type,Name,95%\nGET,/a,1\n".to_owned(), "Median Response Time"),
        (fixture("locust_mixed_stats_history.csv"), "_stats.csv"),
        (fixture("autocannon_tail.json"), "autocannon"),
        (fixture("hey_tail.csv"), "hey"),
        (fixture("oha_tail.json"), "--endpoint 'GET /path'"),
    ] {
        place.write(STATS, text);
        gate(&place, &[]).refused(2, &[told, "help:"]);
    }
    for (name, value) in [
        ("REG_TOL_MEDIAN_MS", "fast"),
        ("REG_TOL_P95_MS", "-1"),
        ("UPDATE_BASELINE", "maybe"),
        ("PERF_JUNIT", "x"),
    ] {
        with(&place, &[], &[(name, value)]).refused(2, &[name, value, "it takes"]);
    }
    assert_eq!(place.read(BASELINE), good);
}

#[test]
fn files_of_other_tools_are_judged() {
    let place = place(&fixture("oha_tail.json"), &baseline(&[("GET /tail", 10.0, 20.0)]));
    let named = ["--endpoint", "GET /tail"];
    let verdict = judged(&place, &named, 1);
    let tail = &verdict["endpoints"]["GET /tail"];
    assert_eq!((&tail["median_ms"], &tail["p95_ms"]), (&json!(10.349_979), &json!(100.210_727)));
    assert_eq!(verdict["source"]["name"], "oha");
    place.write(STATS, fixture("oha_refused.json"));
    gate(&place, &named).refused(2, &["null"]);
    place.write(
        STATS,
        r#"{"metrics": {"http_req_duration{name:/tail,method:GET}": {"med": 9, "p(95)": 99},
            "dropped_iterations": {"count": 3}}}"#,
    );
    assert_eq!(judged(&place, &[], 4)["verdict"], "inconclusive");
    // A regression is one, whatever else is to be said of the run.
    assert_eq!(judged(&place, &["--tolerance-p95-ms", "5"], 1)["verdict"], "fail");
}
