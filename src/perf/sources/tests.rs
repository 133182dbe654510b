use super::*;
use crate::perf::judgement::{Observed, Rounding};

const LOCUST: &str = include_str!("../../../fixtures/perf-check/locust_mixed_stats.csv");
const HISTORY: &str = include_str!("../../../fixtures/perf-check/locust_mixed_stats_history.csv");
const HEY: &str = include_str!("../../../fixtures/perf-check/hey_tail.csv");
const OHA: &str = include_str!("../../../fixtures/perf-check/oha_tail.json");
const OHA_REFUSED: &str = include_str!("../../../fixtures/perf-check/oha_refused.json");
const AUTOCANNON: &str = include_str!("../../../fixtures/perf-check/autocannon_tail.json");

fn ms(ms: f64) -> Reading {
    Reading::Value(Latency::from_ms(ms).unwrap())
}

fn taken(text: &str, endpoint: Option<&str>) -> Run {
    read(text.as_bytes(), endpoint).unwrap()
}

fn refused(text: &str, message: &str) -> SourceError {
    let error = read(text.as_bytes(), None).unwrap_err();
    assert!(error.to_string().contains(message), "{error}");
    error
}

fn figures(run: &Run) -> Vec<(&str, Reading, Reading, u64, u64)> {
    let figures = |o: &Observed| (o.median.clone(), o.p95.clone(), o.requests, o.errors);
    let figures = run.endpoints.iter().map(|o| (o.endpoint.as_str(), figures(o)));
    figures
        .map(|(key, (median, p95, requests, errors))| (key, median, p95, requests, errors))
        .collect()
}

#[test]
fn locust_of_today_is_read() {
    let run = taken(LOCUST, None);
    assert_eq!(
        figures(&run),
        [
            ("GET /api/v1/tail?id=[id]", ms(11.0), ms(17.0), 231, 0),
            ("GET /nope", ms(1.0), ms(4.0), 74, 74),
            ("POST /orders, \"bulk\"", ms(1.0), ms(4.0), 138, 0),
            ("GET /ten", ms(11.0), ms(18.0), 261, 0),
        ]
    );
    assert!(run.source.coordinated_omission);
    assert_eq!(run.source.rounding, Rounding::TwoDigits);
    assert_eq!(run.source.notes.len(), 1, "{:?}", run.source.notes);
}

#[test]
fn locust_of_other_versions_is_read() {
    let before_one = "\"Type\",\"Name\",\"# requests\",\"# failures\",\"Median response time\",\"Average response time\",\"Requests/s\",\"50%\",\"95%\",\"100%\"\n\
        \"GET\",\"/x\",10,1,120.0,130,5.5,120,450,460\n\"None\",\"Aggregated\",10,1,120,130,5.5,120,450,460";
    let first = "\"Method\",\"Name\",\"# requests\",\"# failures\",\"Median response time\"\r\n\"GET\",\"/x\",10,0,12\r\n\"None\",\"Total\",10,0,12\r\n";
    let moved = "95%,Name,Median Response Time,Type\n9.5,Total,3,GET\n";
    let distribution = "Name,# requests,50%,66%,95%\nGET /x,10,3,4,9\nTotal,10,3,4,9\n";
    for (text, expected) in [
        (before_one, ("GET /x", ms(120.0), ms(450.0), 10, 1)),
        (first, ("GET /x", ms(12.0), Reading::Absent, 10, 0)),
        (moved, ("GET Total", ms(3.0), ms(9.5), 0, 0)),
        (distribution, ("GET /x", ms(3.0), ms(9.0), 10, 0)),
        (&format!("\u{feff}{distribution}"), ("GET /x", ms(3.0), ms(9.0), 10, 0)),
    ] {
        assert_eq!(figures(&taken(text, None)), [expected], "{text}");
    }
    let run = taken(moved, None);
    assert!(run.source.notes[1].contains("Aggregated"), "{:?}", run.source.notes);
}

#[test]
fn every_part_of_a_file_is_refused_or_has_what_stands_in_it() {
    let whole = figures(&taken(LOCUST, None)).len();
    for end in 0..LOCUST.len() {
        let Ok(run) = read(&LOCUST.as_bytes()[..end], None) else { continue };
        // Cut between lines; or within the last number of the total, which is not read.
        let in_total = LOCUST[..end].contains("\n,Aggregated");
        assert!(LOCUST[..end].ends_with('\n') || in_total, "{:?}", &LOCUST[..end]);
        assert_eq!(run.endpoints.len() == whole, LOCUST[..end].lines().count() > whole);
        assert!(in_total || run.source.notes.len() == 2);
    }
}

#[test]
fn text_that_is_no_number_is_not_changed() {
    let text =
        "Type,Name,Request Count,Median Response Time,95%\nGET,/a,1,N/A,nan\nGET,/b,1,,inf\n";
    let run = taken(text, None);
    let bad = |text: &str| Reading::Bad(text.to_owned());
    assert_eq!((&run.endpoints[0].median, &run.endpoints[0].p95), (&bad("N/A"), &bad("nan")));
    assert_eq!((&run.endpoints[1].median, &run.endpoints[1].p95), (&bad(""), &bad("inf")));
}

#[test]
fn damaged_and_foreign_files_are_refused_by_name() {
    assert!(refused("", "empty").hint().contains("again"));
    refused(" \n", "empty");
    refused(HISTORY, "history");
    refused(HEY, "hey");
    assert!(refused(AUTOCANNON, "autocannon").hint().contains("--target"));
    refused(OHA, "does not say which endpoint");
    refused("{\"latencyPercentiles\": {", "no JSON");
    refused("{\"latencies\": {}, \"status_codes\": {}}", "vegeta");
    refused("{\"aggregate\": {}}", "artillery");
    refused("[]", "no load tool");
    refused("{\"metrics\": {\"vus\": {}}}", "no HTTP request");
    refused("a,b,c\n1,2,3\n", "a, b, c");
    refused("Name,Average\n/x,2\n", "`Median Response Time`");
    refused("Type,Name,50%\nGET,/x,1\nGET,/x,2\n", "line 3: `GET /x` stands there twice");
    refused("Type,Name,50%,Request Count\nGET,/x,1,many\n", "line 2: `request count` is `many`");
    refused("Type,Name,50%\nGET,/x\n", "line 2: 2 fields where the first line has 3");
    let error = read(b"Type,Name,50%\nGET,/\xff,1\n", None).unwrap_err();
    assert!(error.to_string().contains("UTF-8"), "{error}");
}

#[test]
fn oha_is_read_in_milliseconds() {
    let run = taken(OHA, Some("GET /tail"));
    let expected = ("GET /tail", ms(10.349_979), ms(100.210_727), 160, 0);
    assert_eq!(figures(&run), [expected]);
    assert!(run.source.coordinated_omission);
    let run = taken(OHA_REFUSED, Some("GET /tail"));
    let bad = Reading::Bad("null".to_owned());
    assert_eq!(figures(&run), [("GET /tail", bad.clone(), bad, 5, 5)]);
    let failing = OHA.replace("\"200\": 160", "\"200\": 100, \"503\": 60");
    let run = taken(&failing, Some("GET /tail"));
    assert_eq!(run.endpoints[0].errors, 60);
    assert_eq!(run.endpoints[0].error_kinds, [("status 503".to_owned(), 60)]);
}

#[test]
fn both_shapes_of_a_k6_summary_are_read() {
    let exported = r#"{"metrics": {
        "http_req_duration": {"avg": 5, "med": 4.5, "p(95)": 9.25},
        "http_req_failed": {"value": 0.1, "passes": 1, "fails": 9},
        "http_reqs": {"count": 10, "rate": 2.5}}}"#;
    let handed = r#"{"metrics": {
        "http_req_duration": {"type": "trend", "values": {"med": 4.5, "p(95)": 9.25}},
        "http_req_failed": {"type": "rate", "values": {"rate": 0.1, "passes": 1, "fails": 9}},
        "http_reqs": {"type": "counter", "values": {"count": 10, "rate": 2.5}}}}"#;
    for text in [exported, handed] {
        let run = taken(text, Some("GET /x"));
        assert_eq!(figures(&run), [("GET /x", ms(4.5), ms(9.25), 10, 1)]);
        assert_eq!(run.endpoints[0].rate, Some(2.5));
        assert!(run.doubts.is_empty());
        refused(text, "does not say which endpoint");
    }
}

#[test]
fn the_median_of_nothing_is_none() {
    let locust = "Type,Name,Request Count,Median Response Time,95%\nGET,/a,0,0,0\n";
    let k6 = r#"{"metrics": {"http_req_duration{name:GET /a}":
        {"avg": 0, "min": 0, "med": 0, "max": 0, "p(90)": 0, "p(95)": 0}}}"#;
    let oha = r#"{"summary": {}, "latencyPercentiles": {"p50": 0, "p95": 0}}"#;
    for text in [locust, k6, oha] {
        let run = taken(text, Some("GET /a"));
        let nothing = Reading::Bad("0.000 ms, of no request".to_owned());
        let observed = &run.endpoints[0];
        assert_eq!((&observed.median, &observed.p95), (&nothing, &nothing), "{text}");
    }
    // So fast that it is 0 is no such case.
    let fast = "Type,Name,Request Count,Median Response Time,95%\nGET,/a,1,0,0\n";
    assert_eq!(taken(fast, None).endpoints[0].median, ms(0.0));
}

#[test]
fn ambiguous_or_uncountable_results_are_refused() {
    let twice = r#"{"metrics": {
        "http_req_duration{name:GET /x}": {"med": 1, "p(95)": 2},
        "http_req_duration{name:/x,method:GET}": {"med": 3, "p(95)": 4}}}"#;
    assert!(refused(twice, "`GET /x` stands there twice").hint().contains("once"));
    let k6 = |what: &str| {
        format!(r#"{{"metrics": {{"http_req_duration{{name:/x}}": {{"med": 1}}, {what}}}}}"#)
    };
    refused(&k6(r#""http_req_failed": {"passes": "3"}"#), "`passes` is \"3\"");
    refused(&k6(r#""http_reqs{name:/x}": {"count": -1}"#), "`count` is -1");
    let oha = OHA.replace("\"200\": 160", "\"200\": 100, \"503\": 0.5");
    let error = read(oha.as_bytes(), Some("GET /x")).unwrap_err();
    assert!(error.to_string().contains("`503` is 0.5"), "{error}");
    assert!(read(b"\xff\xfeT\0", None).unwrap_err().hint().contains("UTF-8"));
}

#[test]
fn k6_tells_endpoints_apart_by_tags_verbs_and_hosts() {
    let names = |tags: &[&str]| {
        let metrics: Vec<String> = (1..)
            .zip(tags)
            .map(|(ms, tags)| {
                format!("\"http_req_duration{{{tags}}}\": {{\"med\": {ms}, \"p(95)\": 9}}")
            })
            .collect();
        let run = taken(&format!("{{\"metrics\": {{{}}}}}", metrics.join(",")), None);
        let medians: Vec<_> = run.endpoints.iter().map(|o| o.median.clone()).collect();
        assert!((1..).zip(medians).all(|(number, median)| median == ms(f64::from(number))));
        run.endpoints.into_iter().map(|o| o.endpoint).collect::<Vec<_>>()
    };
    for (tags, expected) in [
        (&["name:login", "name:login,status:200"][..], &["login", "login {status:200}"][..]),
        (
            &["name:login,scenario:b,group:::x", "name:login,scenario:a"],
            &["login {group:::x,scenario:b}", "login {scenario:a}"],
        ),
        (&["name:login,scenario:a"], &["login"]),
        (
            &["name:GET https://api.example/items", "name:POST https://api.example/items"],
            &["GET /items", "POST /items"],
        ),
        (
            &["url:https://a.example/x", "url:https://b.example/x", "url:https://b.example/y"],
            &["https://a.example/x", "https://b.example/x", "/y"],
        ),
        (
            &[
                "method:GET,name:https://a.example/x,status:200",
                "method:PUT,name:https://a.example/x",
            ],
            &["GET /x", "PUT /x"],
        ),
    ] {
        assert_eq!(names(tags), expected, "{tags:?}");
    }
}

#[test]
fn the_machine_readable_summary_of_k6_is_read() {
    let text = r#"{"version": "1.0.0", "config": {}, "results": {"checks": [], "metrics": [
        {"name": "http_req_duration", "type": "trend", "values": {"med": 10, "p(95)": 20}},
        {"name": "http_req_failed", "type": "rate", "values": {"passes": 1, "fails": 9}},
        {"name": "http_reqs", "type": "counter", "values": {"count": 10, "rate": 2.5}}]}}"#;
    let run = taken(text, Some("GET /x"));
    assert_eq!(figures(&run), [("GET /x", ms(10.0), ms(20.0), 10, 1)]);
    assert_eq!(run.endpoints[0].samples, Some(10));
    refused(text, "does not say which endpoint");
    let tagged = text.replace("http_req_duration", "http_req_duration{name:GET /x}");
    assert_eq!(taken(&tagged, None).endpoints[0].endpoint, "GET /x");
}

#[test]
fn samples_of_k6_are_read_one_by_one() {
    let point = |metric: &str, value: f64, tags: &str| {
        format!(
            "{{\"metric\":\"{metric}\",\"type\":\"Point\",\"data\":{{\"time\":\"2025-11-28T10:00:00Z\",\
             \"value\":{value},\"tags\":{{{tags}}}}}}}\n"
        )
    };
    let get = r#""name":"http://127.0.0.1/a?b","method":"GET","url":"http://127.0.0.1/a?b""#;
    let post = r#""name":"login","method":"POST","status":"503","error_code":"1503""#;
    let mut text = String::from(
        "{\"type\":\"Metric\",\"data\":{\"name\":\"http_req_duration\",\"type\":\"trend\"},\
         \"metric\":\"http_req_duration\"}\n",
    );
    for value in [30.0, 10.0, 20.0] {
        text += &point("http_req_duration", value, get);
        text += &point("http_req_failed", 0.0, get);
    }
    text += &point("http_req_duration", 5.0, post);
    text += &point("http_req_failed", 1.0, post);
    text += &point("vus", 7.0, "");
    let run = taken(&text, None);
    assert_eq!(
        figures(&run),
        [("GET /a?b", ms(20.0), ms(20.0), 3, 0), ("POST login", ms(5.0), ms(5.0), 1, 1)]
    );
    assert_eq!(run.endpoints[0].samples, Some(3));
    let dropped = taken(&(text.clone() + &point("dropped_iterations", 2.0, "")), None);
    assert!(dropped.doubts[0].contains("2 iterations"), "{:?}", dropped.doubts);
    refused(&text[..text.len() - 9], "line 10: it is no point of k6");
    refused(&point("vus", 7.0, ""), "no HTTP request");
    refused(&point("http_req_duration", -1.0, get), "no latency");
}

#[test]
fn what_failed_fast_makes_no_latency_of_oha_look_good() {
    let failing = OHA.replace("\"200\": 160", "\"200\": 100, \"429\": 60");
    let run = taken(&failing, Some("GET /tail"));
    assert!(run.source.notes[1].contains("--stats-success-breakdown"), "{:?}", run.source.notes);
    let broken_down = failing.replacen(
        '{',
        "{\"latencyPercentilesSuccessful\": {\"p50\": 0.7, \"p95\": 2.5},",
        1,
    );
    let run = taken(&broken_down, Some("GET /tail"));
    assert_eq!(figures(&run), [("GET /tail", ms(700.0), ms(2_500.0), 160, 60)]);
    assert_eq!((run.endpoints[0].samples, run.source.notes.len()), (Some(100), 1));
}

#[test]
fn k6_names_endpoints_by_tags() {
    let text = r#"{"metrics": {
        "http_req_duration": {"med": 1, "p(95)": 2},
        "http_req_duration{expected_response:true}": {"med": 1, "p(95)": 2},
        "http_req_duration{name:GET /x}": {"med": 3, "p(95)": 4},
        "http_req_duration{method:POST,name:/a,b}": {"med": 5},
        "http_req_duration{url:http://127.0.0.1:80/y?z, method:GET}": {"med": 6, "p(95)": null},
        "http_req_failed": {"passes": 2, "fails": 8},
        "http_req_failed{name:GET /x}": {"passes": 0, "fails": 5},
        "dropped_iterations": {"count": 7}}}"#;
    let run = taken(text, None);
    let bad = Reading::Bad("null".to_owned());
    assert_eq!(
        figures(&run),
        [
            ("GET /x", ms(3.0), ms(4.0), 5, 0),
            ("POST /a,b", ms(5.0), Reading::Absent, 10, 2),
            ("GET /y?z", ms(6.0), bad, 10, 2),
        ]
    );
    assert!(run.doubts[0].contains("7 iterations"), "{:?}", run.doubts);
}
