//! What CI reads: JUnit, Markdown, JSON, annotations.

use std::process::Command;

use serde_json::Value;

use super::{baseline, gate, place, stats, with};
use crate::support::{Place, Ran, root};

const JUNIT: &str = "perf/performance_junit.xml";

/// What a parser that others wrote makes of a report: `[class, name, state, type,
/// message, body]` of each case, and the suite's counts.
const READER: &str = r#"
import json, sys
from junitparser import JUnitXml
suites = list(JUnitXml.fromfile(sys.argv[1]))
cases = []
for suite in suites:
    for case in suite:
        result = (case.result or [None])[0]
        state = type(result).__name__ if result is not None else "Passed"
        cases.append([case.classname, case.name, state, getattr(result, "type", None),
                      getattr(result, "message", None), getattr(result, "text", None)])
counts = [[s.name, s.tests, s.failures, s.errors, s.skipped] for s in suites]
print(json.dumps({"cases": cases, "counts": counts}))
"#;

fn read_back(place: &Place, report: &str) -> Value {
    let mut command = Command::new("python3");
    let ran = Ran::of(command.args(["-c", READER]).arg(place.path(report)));
    assert_eq!(ran.code, Some(0), "tests/run installs junitparser: {ran:?}");
    ran.json()
}

/// A regression, a pass, something new and something erring.
fn mixed() -> Place {
    let mut text = stats(&[
        ("GET /slow?a=1&b=<2>", 95.0, 120.0),
        ("GET /same", 1.0, 2.0),
        ("GET /new|x", 5.0, 6.0),
        ("GET /erring", 1.0, 2.0),
    ]);
    text = text.replace("/erring,1000,0", "/erring,1000,20");
    let known =
        [("GET /slow?a=1&b=<2>", 40.0, 100.0), ("GET /same", 1.0, 2.0), ("GET /erring", 1.0, 2.0)];
    place(&text, &baseline(&known))
}

#[test]
fn a_junit_report_is_read_back_by_a_parser() {
    let place = mixed();
    let ran = with(&place, &[], &[("PERF_JUNIT", "true")]);
    assert_eq!(ran.code, Some(1), "{ran:?}");
    let report = read_back(&place, JUNIT);
    assert_eq!(report["counts"], serde_json::json!([["wfx.perf", 9, 2, 0, 2]]));
    let cases = report["cases"].as_array().unwrap();
    let states: Vec<String> = cases
        .iter()
        .map(|case| format!("{} {}", case[1].as_str().unwrap(), case[2].as_str().unwrap()))
        .collect();
    assert_eq!(
        states,
        [
            "GET /slow?a=1&b=<2> median Failure",
            "GET /slow?a=1&b=<2> p95 Passed",
            "GET /same median Passed",
            "GET /same p95 Passed",
            "GET /new|x median Skipped",
            "GET /new|x p95 Skipped",
            "GET /erring median Passed",
            "GET /erring p95 Passed",
            "GET /erring errors Failure",
        ]
    );
    for case in cases {
        assert_eq!(case[0], "wfx.perf");
        assert!(case[2] == "Passed" || case[4] == case[5] && case[4].is_string(), "{case}");
    }
    assert!(cases[0][4].as_str().unwrap().contains("55.0 ms slower"), "{}", cases[0]);
    // As Jenkins's schema has it: counts of skipped cases on suites only.
    let text = place.read(JUNIT);
    let root = text.lines().find(|line| line.contains("<testsuites")).unwrap();
    assert!(root.contains("failures=\"2\"") && !root.contains("skipped"), "{root}");
    assert!(text.contains("time=\"0.095\""), "{text}");
}

/// Asserts that Jenkins would take the report.
fn valid(place: &Place, report: &str) {
    let schema = root().join("fixtures/perf-check/junit-10.xsd");
    let mut command = Command::new("xmllint");
    command.args(["--noout", "--nonet", "--schema"]).arg(schema).arg(place.path(report));
    let ran = Ran::of(&mut command);
    assert_eq!(ran.code, Some(0), "tests/run installs xmllint: {ran:?}");
}

#[test]
fn jenkins_takes_every_junit_report() {
    let names =
        ["GET /]]>&<x>", "GET /\"'\u{1}\u{1b}[31m", "GET /a\nb\u{fffe}\u{202e}", "GET /%0A::x|`"];
    let slow: Vec<_> = names.iter().map(|name| (*name, 900.0, 1e9)).collect();
    let mut text = stats(&[]);
    for (name, median, p95) in &slow {
        let path = name["GET ".len()..].replace('"', "\"\"");
        let row = format!("GET,\"{path}\",1000,0,{median},{median},{p95}\n");
        text = text.replace(",Aggregated", &format!("{row},Aggregated"));
    }
    let known: Vec<_> = names.iter().map(|name| (*name, 1.0, 2.0)).collect();
    let hostile = place(&text, &baseline(&known));
    for (place, args, code, cases) in [
        (&mixed(), vec![], 1, 9),
        (&mixed(), vec!["--strict"], 1, 9),
        (&mixed(), vec!["--track-endpoints", "same"], 0, 2),
        (&hostile, vec![], 1, 8),
        (&hostile, vec!["--update-baseline"], 0, 8),
        (&hostile, vec!["--track-endpoints", "]]>,none"], 0, 2),
        (&hostile, vec!["--track-endpoints", "\u{1}]]>\n"], 2, 1),
    ] {
        let ran = gate(place, &[&args[..], &["--junit"]].concat());
        assert_eq!(ran.code, Some(code), "{ran:?}");
        valid(place, JUNIT);
        assert_eq!(read_back(place, JUNIT)["counts"][0][1], cases, "{args:?}");
    }
}

#[test]
fn a_junit_report_goes_where_it_is_told_to() {
    let place = mixed();
    assert_eq!(gate(&place, &["--junit", "deep/er/r.xml", "--max-error-rate", "1"]).code, Some(1));
    assert_eq!(read_back(&place, "deep/er/r.xml")["counts"][0][2], 1);
    assert_eq!(gate(&place, &["--strict", "--junit"]).code, Some(1));
    assert_eq!(read_back(&place, JUNIT)["counts"][0][2], 4);
    let inconclusive = r#"{"metrics": {"http_req_duration{name:GET /same}": {"med": 1, "p(95)": 2},
        "dropped_iterations": {"count": 3}}}"#;
    place.write("k6.json", inconclusive);
    let args = ["--stats", "k6.json", "--endpoint", "GET /same", "--junit"];
    assert_eq!(gate(&place, &args).code, Some(4));
    let report = read_back(&place, JUNIT);
    assert_eq!(report["counts"][0], serde_json::json!(["wfx.perf", 2, 0, 0, 2]));
    assert_eq!(report["cases"][0][3], "inconclusive");
    // Nothing of an earlier run is left to be taken for this one.
    place.write("perf/locust_stats.csv", "");
    gate(&place, &["--junit"]).refused(2, &["empty"]);
    let report = read_back(&place, JUNIT);
    assert_eq!(report["counts"][0], serde_json::json!(["wfx.perf", 1, 0, 1, 0]));
    assert!(report["cases"][0][4].as_str().unwrap().contains("empty"), "{report}");
}

#[test]
fn markdown_summary_and_annotations_are_for_ci() {
    let place = mixed();
    let steps = place.write("steps.md", "# before\n");
    let variables = [("GITHUB_ACTIONS", "true"), ("GITHUB_STEP_SUMMARY", steps.to_str().unwrap())];
    let args = ["--markdown", "out/r.md", "--summary", "out/r.json", "--format", "json"];
    let ran = with(&place, &args, &variables);
    assert_eq!(ran.code, Some(1), "{ran:?}");
    let markdown = place.read("out/r.md");
    assert_eq!(place.read("steps.md"), format!("# before\n{markdown}"));
    for line in [
        "### wfx perf-check: fail (4 endpoints, 1 slower, 1 failing, 1 new)",
        "| `GET /slow?a=1&b=<2>` | 95.0 ms | 40.0 ms | +55.0 ms | 120.0 ms | 100.0 ms | +20.0 ms | **regression** |",
        "| `GET /new\\|x` | 5.00 ms |  |  | 6.00 ms |  |  | new |",
    ] {
        assert!(markdown.lines().any(|l| l == line), "no {line} in {markdown}");
    }
    assert_eq!(serde_json::from_str::<Value>(&place.read("out/r.json")).unwrap(), ran.json());
    let annotations: Vec<_> = ran
        .stderr
        .lines()
        .filter(|line| line.starts_with("::error title=wfx perf-check::"))
        .collect();
    assert_eq!(annotations.len(), 2, "{annotations:?}");
    assert!(annotations[0].contains("50.0 ms") && !annotations[0].contains('\n'));
    // A trap is told too, each line of it on one line.
    place.write("perf/locust_stats.csv", "");
    let ran = with(&place, &[], &variables);
    assert!(ran.stderr.contains("::error title=wfx perf-check::cannot use"), "{ran:?}");
    assert!(place.read("steps.md").ends_with("is empty\n"), "{}", place.read("steps.md"));
    // Nothing of an earlier run is left to be taken for this one.
    let ran = gate(&place, &args);
    assert_eq!((ran.code, ran.stdout.as_str()), (Some(2), ""), "{ran:?}");
    let markdown = place.read("out/r.md");
    assert!(markdown.starts_with("### wfx perf-check: error\n\n- cannot use"), "{markdown}");
    let told: Value = serde_json::from_str(&place.read("out/r.json")).unwrap();
    assert_eq!((&told["verdict"], &told["endpoints"]), (&"error".into(), &serde_json::json!({})));
    assert!(told["error"].as_str().unwrap().contains("is empty"), "{told}");
    // Elsewhere there is nothing of it.
    let place = mixed();
    assert!(!gate(&place, &[]).stderr.contains("::error"));
}

#[test]
fn a_report_may_have_the_longest_name() {
    let rows = [("GET /a", 1.0, 2.0)];
    let place = place(&stats(&rows), &baseline(&rows));
    let name = "r".repeat(255);
    for _ in 0..2 {
        assert_eq!(gate(&place, &["--markdown", &name]).code, Some(0));
        assert!(place.read(&name).contains("pass"));
    }
}

#[test]
fn a_report_that_cannot_be_written_fails_and_the_result_is_told() {
    let rows = [("GET /a", 1.0, 2.0)];
    let place = place(&stats(&rows), &baseline(&rows));
    for flag in ["--junit", "--markdown", "--summary"] {
        for target in ["home", "config.toml/r", "/proc/none/r"] {
            let ran = gate(&place, &[flag, target, "--format", "json"]);
            ran.refused(3, &["cannot write the report", target]);
            assert_eq!(ran.json()["verdict"], "pass");
        }
    }
    let ran = with(&place, &[], &[("GITHUB_STEP_SUMMARY", "/proc/none/s")]);
    ran.refused(3, &["/proc/none/s"]);
    // What got slower is the greater news.
    let place = mixed();
    gate(&place, &["--markdown", "home"]).refused(1, &["cannot write the report home"]);
    // What can be written has the result.
    let place = mixed();
    let args = ["--markdown", "home", "--summary", "s.json", "--max-error-rate", "1"];
    gate(&place, &[&args[..], &["--track-endpoints", "same"]].concat()).refused(3, &["home"]);
    assert!(place.read("s.json").contains("\"verdict\": \"pass\""), "{}", place.read("s.json"));
}
