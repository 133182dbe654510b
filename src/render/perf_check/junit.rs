//! A judgement as JUnit XML, valid against the schema by which Jenkins checks it
//! (`junit-10.xsd` of its xUnit plugin).

use std::time::Duration;

use quick_junit::{NonSuccessKind, SerializeError, TestCase, TestCaseStatus, TestSuite};

use crate::base::visible::visible;
use crate::perf::judgement::{Comparison, Judged, Judgement, Outcome};

const NAME: &str = "wfx.perf";
const NEW: &str = "the baseline does not have it";

/// A case for each endpoint and metric; what could not be judged is skipped.
///
/// # Errors
/// When it cannot be written as XML.
pub(crate) fn render(judgement: &Judgement, strict: bool) -> Result<String, SerializeError> {
    let mut cases = Vec::new();
    for judged in &judgement.endpoints {
        let endpoint = &judged.observed.endpoint;
        for comparison in &judged.comparisons {
            let status = status(judged, comparison, judgement, strict);
            let mut case = case(&format!("{endpoint} {}", comparison.metric), status);
            if let Some(observed) = comparison.observed {
                case.set_time(Duration::from_nanos(observed.as_nanos()));
            }
            cases.push(case);
        }
        if judged.outcome == Outcome::Errors {
            let why = judged.reasons.first().map_or("", String::as_str);
            let status = failed(NonSuccessKind::Failure, "errors", why);
            cases.push(case(&format!("{endpoint} errors"), status));
        }
    }
    document(cases)
}

/// One case that says why there is no judgement, so that no report of an earlier run is
/// taken for this one's.
///
/// # Errors
/// When it cannot be written as XML.
pub(crate) fn trouble(why: &str) -> Result<String, SerializeError> {
    let status = failed(NonSuccessKind::Error, "error", why);
    document(vec![case("perf-check", status)])
}

fn status(
    judged: &Judged,
    comparison: &Comparison,
    judgement: &Judgement,
    strict: bool,
) -> TestCaseStatus {
    if comparison.is_regression() {
        let metric = comparison.metric.to_string();
        let reason = judged.reasons.iter().find(|reason| reason.starts_with(&metric));
        let reason = reason.map_or("", String::as_str);
        return failed(NonSuccessKind::Failure, "regression", reason);
    }
    if strict && judged.is_unknown() {
        return failed(NonSuccessKind::Failure, "new", NEW);
    }
    if comparison.observed.is_none() {
        return skipped("inconclusive", "no request ended as it should");
    }
    if judged.outcome == Outcome::Inconclusive || !judgement.doubts.is_empty() {
        let reasons = judgement.doubts.iter().chain(&judged.reasons).map(String::as_str);
        return skipped("inconclusive", &reasons.collect::<Vec<_>>().join("; "));
    }
    if comparison.baseline.is_none() && judged.outcome == Outcome::Errors {
        return skipped("errors", judged.reasons.first().map_or("", String::as_str));
    }
    if comparison.baseline.is_none() {
        return skipped("new", NEW);
    }
    TestCaseStatus::success()
}

fn failed(kind: NonSuccessKind, ty: &str, message: &str) -> TestCaseStatus {
    let mut status = TestCaseStatus::non_success(kind);
    let message = of_xml(message);
    // Some readers show the attribute, others the body.
    status.set_type(ty).set_description(message.clone()).set_message(message);
    status
}

fn skipped(ty: &str, message: &str) -> TestCaseStatus {
    let mut status = TestCaseStatus::skipped();
    let message = of_xml(message);
    status.set_type(ty).set_description(message.clone()).set_message(message);
    status
}

fn case(name: &str, status: TestCaseStatus) -> TestCase {
    let mut case = TestCase::new(of_xml(name), status);
    case.set_classname(NAME);
    case
}

/// Text with what cannot be seen escaped, and without the two characters that XML has not.
fn of_xml(text: &str) -> String {
    let lines: Vec<String> = text.split('\n').map(visible).collect();
    lines.join("\n").replace(['\u{fffe}', '\u{ffff}'], "\u{fffd}")
}

fn document(cases: Vec<TestCase>) -> Result<String, SerializeError> {
    let mut suite = TestSuite::new(NAME);
    suite.add_test_cases(cases);
    let skipped = format!(" skipped=\"{}\"", suite.skipped);
    let mut report = quick_junit::Report::new("wfx perf-check");
    report.add_test_suite(suite);
    // Jenkins's schema has the attribute on suites and not on their root, which is first.
    Ok(report.to_string()?.replacen(&skipped, "", 1))
}
