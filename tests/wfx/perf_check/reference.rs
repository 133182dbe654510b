//! Two builds side by side, in pairs of requests.

use std::time::Duration;

use serde_json::{Value, json};

use super::server::{Answer, OK, Server};
use super::{gate, judged};
use crate::support::{Place, Ran};

fn after(millis: u64) -> Answer {
    Answer { after: Duration::from_millis(millis), ..OK }
}

/// The arguments that compare one with the other.
fn sides<'a>(target: &'a str, reference: &'a str) -> Vec<&'a str> {
    vec![
        "--target",
        target,
        "--reference",
        reference,
        "--endpoint",
        "GET /x",
        "--rate",
        "200",
        "--warmup",
        "100ms",
        "--seed",
        "7",
    ]
}

fn compared(target: &Server, reference: &Server, more: &[&str], code: i32) -> Value {
    let place = Place::new();
    let (target, reference) = (target.url(), reference.url());
    judged(&place, &[&sides(&target, &reference), more].concat(), code)
}

fn refused(target: &Server, reference: &Server, code: i32) -> Ran {
    let (target, reference) = (target.url(), reference.url());
    let ran = gate(&Place::new(), &sides(&target, &reference));
    assert_eq!(ran.code, Some(code), "{ran:?}");
    ran
}

#[test]
fn what_is_slower_is_measured_twice_and_found() {
    let (target, reference) = (Server::start(|_| after(9)), Server::start(|_| after(5)));
    let place = Place::new();
    let (to, from) = (target.url(), reference.url());
    let reports = ["--junit", "j.xml", "--markdown", "m.md", "--summary", "s.json"];
    let ran = gate(&place, &[&sides(&to, &from), &reports[..]].concat());
    assert_eq!(ran.code, Some(1), "{ran:?}");
    for told in ["regression", "reference", "median is slower", "answered within", "pairs"] {
        assert!(ran.stdout.contains(told), "{told}: {}", ran.stdout);
    }
    let told: Value = serde_json::from_str(&place.read("s.json")).unwrap();
    let median = &told["endpoints"]["GET /x"]["paired"]["median_ms"];
    assert_eq!(median["change"], "slower");
    let (ratio, low) = (median["ratio"].as_f64().unwrap(), median["interval"][0].as_f64().unwrap());
    assert!(ratio > 1.3 && low > 1.05 && low < ratio, "{median}");
    assert!(median["pairs"].as_u64().unwrap() >= 500);
    assert_eq!(told["baseline"], from);
    assert_eq!(told["measured"]["seed"], 7);
    let junit = place.read("j.xml");
    assert!(junit.contains("failures=\"2\"") || junit.contains("failures=\"1\""), "{junit}");
    let markdown = place.read("m.md");
    assert!(markdown.contains("```mermaid\nxychart-beta") && markdown.contains("| reference |"));
    // As many pairs at both; twice as many as are told, since it was measured again.
    assert!(target.count("GET /x").abs_diff(reference.count("GET /x")) <= 1);
    assert!(target.count("GET /x") >= 1_000);
}

#[test]
fn the_same_build_passes() {
    let (target, reference) = (Server::start(|_| after(5)), Server::start(|_| after(5)));
    let told = compared(&target, &reference, &[], 0);
    assert_eq!(told["verdict"], "pass");
    assert_eq!(told["endpoints"]["GET /x"]["paired"]["median_ms"]["change"], "same");
    assert_eq!(told["endpoints"]["GET /x"]["tolerance"], json!({}));
}

#[test]
fn a_reference_that_dies_is_never_a_pass() {
    let target = Server::start(|_| OK);
    let reference = Server::start(|_| Answer { dies_at: 120, ..OK });
    let told = compared(&target, &reference, &[], 4);
    assert_eq!(told["verdict"], "inconclusive");
    assert!(told["doubts"][0].as_str().unwrap().contains("the reference failed"), "{told}");
}

#[test]
fn other_answers_are_never_a_pass() {
    for (status, bytes, why) in [
        (204, 0, "the reference answers 204 where the target"),
        (200, 4_000, "the reference answers 4000 bytes where the target"),
        (500, 2, "the reference failed"),
    ] {
        let target = Server::start(|_| OK);
        let reference = Server::start(move |_| Answer { status, bytes, ..OK });
        let told = compared(&target, &reference, &[], 4);
        assert!(told["doubts"].to_string().contains(why), "{why}: {told}");
    }
    // Nor does it say that they are slower, which was not measured again.
    let target = Server::start(|_| after(9));
    let reference = Server::start(|_| Answer { bytes: 4_000, ..after(5) });
    let place = Place::new();
    let (to, from) = (target.url(), reference.url());
    let told = judged(&place, &[&sides(&to, &from)[..], &["--junit", "j.xml"]].concat(), 4);
    let x = &told["endpoints"]["GET /x"];
    assert_eq!((&x["verdict"], &x["reasons"]), (&json!("inconclusive"), &json!([])), "{told}");
    let junit = place.read("j.xml");
    assert!(junit.contains("failures=\"0\"") && junit.contains("4000 bytes"), "{junit}");
}

#[test]
fn a_target_that_fails_is_a_failure() {
    let (target, reference) =
        (Server::start(|_| Answer { status: 500, ..OK }), Server::start(|_| OK));
    let place = Place::new();
    let (to, from) = (target.url(), reference.url());
    let told = judged(&place, &[&sides(&to, &from)[..], &["--junit", "j.xml"]].concat(), 1);
    assert_eq!(told["endpoints"]["GET /x"]["verdict"], "errors");
    let dying = Server::start(|_| Answer { dies_at: 120, ..OK });
    let to = dying.url();
    judged(&place, &[&sides(&to, &from)[..], &["--junit", "j.xml"]].concat(), 1);
    let junit = place.read("j.xml");
    assert!(junit.contains("refused") && !junit.contains("baseline"), "{junit}");
}

#[test]
fn what_cannot_be_compared_is_refused() {
    let server = Server::start(|_| OK);
    let ran = refused(&server, &server, 2);
    assert!(ran.stderr.contains("the address of --target"), "{ran:?}");
    let by_another_name = format!("http://[::1]:{}", server.address.port());
    let ran = gate(&Place::new(), &sides(&server.url(), &by_another_name));
    ran.refused(2, &["the address of --target"]);
    let place = Place::new();
    let url = server.url();
    let with = |more: &[&str]| {
        let reference = "http://127.0.0.1:1";
        gate(&place, &[&sides(&url, reference), more].concat())
    };
    with(&[]).refused(3, &["http://127.0.0.1:1"]);
    for more in [
        &["--closed", "2"][..],
        &["--connections", "9"],
        &["--duration", "3s"],
        &["--update-baseline"],
    ] {
        assert_eq!(with(more).code, Some(2), "{more:?}");
    }
    assert_eq!(gate(&place, &["--reference", &url]).code, Some(2));
    assert_eq!(server.count("GET /x"), 0);
}
