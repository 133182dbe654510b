use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;
use crate::workflow::check::{self, Format, Source};

fn tree(text: &str) -> Value {
    check::tree(&Source { name: "test", text, format: Format::Yaml, default_id: None }).unwrap()
}

fn scenario(document: &Value) -> Scenario {
    Scenario::read(document, "test").unwrap()
}

fn problems(document: &Value) -> String {
    Scenario::read(document, "test").unwrap_err().to_string()
}

/// Requests that were answered in a second, by second.
fn by_second(scenario: &Scenario) -> Vec<u32> {
    let mut counts = Vec::new();
    for generated in scenario.generate(3) {
        let second = usize::try_from(generated.event.t_us / 1_000_000).unwrap();
        counts.resize(counts.len().max(second + 1), 0);
        counts[second] += 1;
    }
    counts
}

/// Within five standard deviations of a Poisson count.
#[track_caller]
fn near(found: u32, expected: f64) {
    let off = (f64::from(found) - expected).abs();
    assert!(off <= 5.0 * expected.sqrt() + 1.0, "{found} instead of {expected}");
}

fn quick(rate: &Value, duration: &str) -> Value {
    json!({"phases": [{"duration": duration, "rate": rate, "latency": {"constant": "1ms"}}]})
}

#[test]
fn rates_are_those_that_were_asked_for() {
    let constant = by_second(&scenario(&quick(&json!(2_000), "20s")));
    near(constant.iter().sum(), 40_000.0);
    near(constant[7], 2_000.0);
    let ramp = by_second(&scenario(&quick(&json!({"from": 0, "to": 4_000}), "20s")));
    near(ramp.iter().sum(), 40_000.0);
    near(ramp[1], 300.0);
    near(ramp[19], 3_900.0);
    let wave = json!({"base": 1_000, "amplitude": 900, "period": "20s", "shift": -0.25});
    let wave = by_second(&scenario(&quick(&wave, "20s")));
    near(wave.iter().sum(), 20_000.0);
    near(wave[0] + wave[19], 220.0);
    near(wave[9] + wave[10], 3_784.0);
    // Cut at 0.
    let night = json!({"base": 0, "amplitude": 1_000, "period": "20s"});
    let night = by_second(&scenario(&quick(&night, "20s")));
    assert!(night.iter().skip(11).sum::<u32>() < 20, "{night:?}");
}

#[test]
fn as_many_come_as_were_expected() {
    for named in CATALOGUE {
        let scenario = scenario(&tree(named.text));
        assert_eq!(scenario.name(), named.name);
        assert!(!scenario.description().is_empty());
        let count = u32::try_from(scenario.generate(1).count()).unwrap();
        near(count, scenario.expected_events() as f64);
    }
}

#[test]
fn the_catalogue_fits_the_schema() {
    let schema = jsonschema::validator_for(&serde_json::from_str(SCHEMA).unwrap()).unwrap();
    for named in CATALOGUE {
        let problems: Vec<String> =
            schema.iter_errors(&tree(named.text)).map(|error| error.to_string()).collect();
        assert!(problems.is_empty(), "{}: {problems:?}", named.name);
    }
}

#[test]
fn incidents_come_and_go_and_come_again() {
    let document = json!({
        "phases": [{"duration": "100s", "rate": 1_000, "status": {"200": 1},
                    "latency": {"constant": "10ms"}}],
        "incidents": [
            {"at": "10s", "duration": "5s", "every": "40s", "errors": {"503": 0.25, "504": 0.05}},
            {"at": "20s", "duration": "10s", "rate_factor": 3, "latency_factor": 2,
             "latency_add": "5ms"},
        ],
    });
    let made: Vec<_> = scenario(&document).generate(9).map(|one| one.event).collect();
    let arrival =
        |event: &crate::slo::engine::Event| (event.t_us - event.latency_us.unwrap()) / 1_000_000;
    let of = |status: u16| made.iter().filter(move |event| event.status == status);
    assert!(of(503).chain(of(504)).all(|event| matches!(arrival(event), 10..15 | 50..55 | 90..95)));
    near(u32::try_from(of(503).count()).unwrap(), 3_750.0);
    near(u32::try_from(of(504).count()).unwrap(), 750.0);
    assert!(made.iter().all(|event| {
        event.latency_us == Some(if (20..30).contains(&arrival(event)) { 25_000 } else { 10_000 })
    }));
    let storm = made.iter().filter(|event| (20..30).contains(&arrival(event))).count();
    near(u32::try_from(storm).unwrap(), 30_000.0);
}

#[test]
fn a_phase_goes_on_as_the_one_before() {
    let document = json!({
        "paths": {"/a": 3, "/b": 1, "/never": 0},
        "phases": [
            {"duration": "10s", "rate": 500, "status": {"404": 1}, "latency": {"constant": "2ms"}},
            {"duration": "10s", "rate": 0},
            {"duration": "10s", "rate": 500, "latency": {"constant": "3ms"}},
        ],
    });
    let read = scenario(&document);
    let made: Vec<_> = read.generate(1).collect();
    assert!(made.iter().all(|one| one.event.status == 404 && one.path != "/never"));
    let of_a = made.iter().filter(|one| one.path == "/a").count();
    near(u32::try_from(of_a).unwrap(), 7_500.0);
    assert!(made.iter().all(|one| !(10_002_000..20_000_000).contains(&one.event.t_us)));
    assert_eq!(made.iter().filter(|one| one.event.latency_us == Some(2_000)).count(), {
        made.iter().filter(|one| one.event.t_us < 15_000_000).count()
    });
}

#[test]
fn a_seed_gives_the_same_again() {
    let read = scenario(&quick(&json!(300), "10s"));
    let made = |seed| read.generate(seed).map(|one| one.event).collect::<Vec<_>>();
    assert_eq!(made(4), made(4));
    assert_ne!(made(4), made(5));
}

#[test]
fn factors_multiply_up_to_a_bound() {
    let storm = json!({"at": "0s", "duration": "1h", "rate_factor": 1e6, "latency_factor": 1e6});
    let overlapping = |incidents: Vec<Value>| {
        let mut document = quick(&json!(10), "20ms");
        document["incidents"] = incidents.into();
        scenario(&document)
    };
    let most = overlapping(vec![storm.clone(); 60]);
    near(u32::try_from(most.generate(3).count()).unwrap(), 200_000.0);
    assert!(most.expected_events().abs_diff(200_000) <= 1);
    let calm = json!({"at": "0s", "duration": "1h", "rate_factor": 0});
    let none = overlapping([vec![storm; 60], vec![calm]].concat());
    assert_eq!((none.generate(3).count(), none.expected_events()), (0, 0));
}

#[test]
fn more_in_flight_than_memory_is_for_ends_it() {
    let document =
        json!({"phases": [{"duration": "1m", "rate": 100, "latency": {"constant": "2s"}}]});
    let read = scenario(&document);
    let mut traffic = read.generate_within(150, 3);
    assert_eq!(traffic.by_ref().count(), 0);
    assert!(traffic.is_overfull());
    let mut traffic = read.generate_within(300, 3);
    near(u32::try_from(traffic.by_ref().count()).unwrap(), 6_000.0);
    assert!(!traffic.is_overfull());
}

#[test]
fn incidents_begin_so_often_at_most() {
    let again = |every: &str| {
        let mut document = quick(&json!(1), "1h");
        document["incidents"] = json!([{"at": "0s", "duration": "1us", "every": every}]);
        Scenario::read(&document, "test").map(drop).map_err(|error| error.to_string())
    };
    assert_eq!(again("1ms"), Ok(()));
    assert_eq!(again("1us"), Err("/incidents: they begin more than 10000000 times".to_owned()));
    for none in ["0s", "0.0000001"] {
        let why = "/incidents/0/every: it has to be longer than 0 and at most 400 days";
        assert_eq!(again(none), Err(why.to_owned()));
    }
}

#[test]
fn all_problems_are_reported_with_their_pointers() {
    let text = problems(&json!({
        "phasess": 1, "seed": -1, "paths": ["orders"],
        "phases": [
            {"rate": {"from": 1}},
            {"duration": "0s", "status": {"99": 1, "200": 0}, "latency": {"lognormal": {"median": "9ms", "p95": "1ms"}}},
            {"duration": "5m", "rate": -1, "latency": {"normal": {}}},
            {"duration": "5m", "latency": {"bimodal": {"fast": {"bimodal": {}}, "slow": {"constant": "2h"}, "slow_share": 2}}},
            7,
        ],
        "incidents": [{"at": "1s", "duration": "2s", "every": "1s", "errors": {"500": 0.7, "503": 0.7}}, {}],
    }));
    for pointer in [
        "the scenario: `phasess` is no key here; did you mean one of: phases?",
        "/seed: -1",
        "/paths: ",
        "/phases/0: it needs a `duration`",
        "/phases/0/rate: it needs `to`",
        "/phases/1/duration: ",
        "/phases/1/status/99: ",
        "/phases/1/latency/lognormal: `p95` is less",
        "/phases/2/rate: -1",
        "/phases/2/latency: `normal` is no key here; did you mean one of: lognormal?",
        "/phases/3/latency/bimodal/fast: it cannot be bimodal",
        "/phases/3/latency/bimodal/slow/constant: ",
        "/phases/3/latency/bimodal/slow_share: 2",
        "/phases/4: it has to be a map",
        "/incidents/0/every: ",
        "/incidents/0/errors: ",
        "/incidents/1: it needs `at`",
        "/incidents/1: it needs `duration`",
    ] {
        assert!(text.lines().any(|line| line.starts_with(pointer)), "{pointer}\n{text}");
    }
    assert!(problems(&json!([])).starts_with("the scenario: it has to be a map"));
    assert!(problems(&json!({"phases": []})).contains("`phases`"));
}

fn latency() -> impl Strategy<Value = Value> {
    prop_oneof![
        (1..5_000_u32).prop_map(|ms| json!({"constant": format!("{ms}ms")})),
        (1..500_u32, 1..9_u32).prop_map(|(ms, times)| {
            json!({"lognormal": {"median": format!("{ms}ms"), "p95": format!("{}ms", ms * times)}})
        }),
        (1..50_u32, 0.5..3.0).prop_map(|(ms, alpha)| {
            json!({"pareto": {"min": format!("{ms}ms"), "alpha": alpha}})
        }),
    ]
}

proptest! {
    #[test]
    fn requests_come_in_the_order_of_their_answers(
        phases in prop::collection::vec((1..60_u32, 0.0..50.0, latency()), 1..4),
        incidents in prop::collection::vec((0..90_u32, 1..30_u32, 0..60_u32, 0.0..3.0), 0..4),
        seed in any::<u64>(),
    ) {
        let phases: Vec<Value> = phases
            .into_iter()
            .map(|(s, rate, latency)| json!({"duration": s, "rate": rate, "latency": latency}))
            .collect();
        let incidents: Vec<Value> = incidents
            .into_iter()
            .map(|(at, s, more, factor)| {
                json!({"at": at, "duration": s, "every": s + more, "rate_factor": factor})
            })
            .collect();
        let read = scenario(&json!({"phases": phases, "incidents": incidents}));
        let times: Vec<u64> = read.generate(seed).map(|one| one.event.t_us).collect();
        prop_assert!(times.is_sorted());
        // The estimate looks at the middle of pieces, 44 ms at most here: it may be 2 % off where an
        // incident of a second comes again and again. The rest is chance: five standard deviations, and
        // what few events need beyond that.
        let expected = read.expected_events() as f64;
        let off = (times.len() as f64 - expected).abs();
        prop_assert!(
            off <= 0.03 * expected + 5.0 * expected.sqrt() + 12.0,
            "{} instead of {expected}",
            times.len()
        );
    }
}
