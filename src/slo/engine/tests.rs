use std::time::Duration;

use proptest::prelude::*;

use super::*;
use crate::slo::window::SLOT_MICROS;

const SECOND: u64 = 1_000_000;

fn policy() -> Policy {
    Policy {
        error_rate: Some("0.5".parse().unwrap()),
        error_rate_5xx: Some("0.5".parse().unwrap()),
        error_rate_4xx: Some("0.5".parse().unwrap()),
        error_window: Duration::from_secs(10),
        latency_p95: Some(Duration::from_millis(750)),
        latency_window: Duration::from_secs(10),
        min_samples: 1,
        cooldown: Duration::from_secs(60),
    }
}

fn event(t_us: u64, status: u16, latency_us: u64) -> Event {
    Event { t_us, status, latency_us: Some(latency_us) }
}

fn names(indicators: Indicators) -> Vec<&'static str> {
    indicators.iter().map(Indicator::field).collect()
}

/// The same decisions from the definitions, by keeping and sorting everything.
struct Brute {
    thousandths: [u64; 3],
    latency_us: u64,
    windows_us: [u64; 2],
    min_samples: u64,
    cooldown_us: u64,
    now: u64,
    latest: u64,
    events: Vec<Event>,
    last: [Option<u64>; 4],
}

impl Brute {
    fn record(&mut self, event: Event) -> (Vec<Indicator>, Vec<Indicator>, Vec<Indicator>) {
        self.latest = self.latest.max(event.t_us);
        self.now = self.latest / SLOT_MICROS * SLOT_MICROS;
        let now = self.now;
        self.events.push(Event { t_us: now, ..event });
        let inside = |window: u64| {
            let inside =
                move |event: &&Event| i128::from(event.t_us) > i128::from(now) - i128::from(window);
            self.events.iter().filter(inside).copied().collect::<Vec<_>>()
        };
        let (rated, timed) = (inside(self.windows_us[0]), inside(self.windows_us[1]));
        let of = |class: u16| rated.iter().filter(|e| e.status / 100 == class).count() as u64;
        let all = rated.len() as u64;
        let mut sorted: Vec<u64> = timed.iter().filter_map(|event| event.latency_us).collect();
        sorted.sort_unstable();
        let p95 = sorted.len().checked_sub(1).map(|last| sorted[95 * last / 100]);
        let reached = [
            (Indicator::ErrorRate, (of(4) + of(5)) * 1000 >= self.thousandths[0] * all, all),
            (Indicator::ErrorRate5xx, of(5) * 1000 >= self.thousandths[1] * all, all),
            (Indicator::ErrorRate4xx, of(4) * 1000 >= self.thousandths[2] * all, all),
            (
                Indicator::LatencyP95,
                p95.is_some_and(|p95| p95 >= self.latency_us),
                sorted.len() as u64,
            ),
        ];
        let (mut breached, mut due, mut suppressed) = (vec![], vec![], vec![]);
        for (indicator, reached, samples) in reached {
            if reached && samples < self.min_samples {
                suppressed.push(indicator);
            } else if reached {
                breached.push(indicator);
                let last = &mut self.last[indicator as usize];
                if last.is_none_or(|last| now - last >= self.cooldown_us) {
                    *last = Some(now);
                    due.push(indicator);
                }
            }
        }
        (breached, due, suppressed)
    }

    /// Whether the shown p95 is within 1 % of that of a window whose old edge may be late.
    fn allows(&self, shown_us: f64) -> bool {
        let window = self.windows_us[1];
        let late = SLOT_MICROS.max(window / 300);
        let edges = (0..=late).step_by(1_000);
        edges.chain([late]).any(|late| {
            let oldest = i128::from(self.now) - i128::from(window + late);
            let mut sorted: Vec<u64> = (self.events.iter())
                .filter(|event| i128::from(event.t_us) > oldest)
                .filter_map(|event| event.latency_us)
                .collect();
            sorted.sort_unstable();
            let p95 = sorted.len().checked_sub(1).map(|last| sorted[95 * last / 100] as f64);
            p95.is_some_and(|p95| (shown_us - p95).abs() <= p95 * 0.01 + 1e-6)
        })
    }
}

fn latency() -> impl Strategy<Value = u64> {
    prop_oneof![
        Just(0),
        0..2_000_u64,
        740_000..760_000_u64,
        Just(749_999),
        Just(750_000),
        Just(7_200 * SECOND),
    ]
}

fn status() -> impl Strategy<Value = u16> {
    prop_oneof![
        6 => Just(200),
        2 => 400..600_u16,
        1 => prop::sample::select(vec![0, 99, 199, 399, 600, 1000, u16::MAX]),
    ]
}

/// How far the clock goes with an event: mostly on, in bursts, far, and back.
fn steps() -> impl Strategy<Value = i64> {
    prop_oneof![
        4 => 0..3_000_i64,
        4 => 0..400_000_i64,
        2 => prop::sample::select(vec![10_000_i64, 1_000_000, 2_000_000, 3_000_000]),
        1 => 0..40_000_000_i64,
        1 => -3_000_000..0_i64,
    ]
}

fn trace() -> impl Strategy<Value = Vec<Event>> {
    prop::collection::vec((steps(), status(), prop::option::weighted(0.8, latency())), 1..200)
        .prop_map(|events| {
            let mut now: i64 = 50_000_000;
            let at = |(step, status, latency_us): (i64, u16, Option<u64>)| {
                now = (now + step).max(0);
                Event { t_us: now.cast_unsigned(), status, latency_us }
            };
            events.into_iter().map(at).collect()
        })
}

fn thousandths() -> impl Strategy<Value = u64> {
    prop_oneof![
        Just(0),
        Just(50),
        Just(100),
        Just(333),
        Just(500),
        Just(1000),
        Just(1001),
        0..1000_u64
    ]
}

fn window_us() -> impl Strategy<Value = u64> {
    prop_oneof![
        Just(1),
        Just(10_000),
        Just(10_001),
        Just(SECOND),
        Just(3 * SECOND),
        1..5 * SECOND,
        Just(30 * SECOND),
    ]
}

proptest! {
    #[test]
    fn decisions_are_those_of_the_definition(
        trace in trace(),
        thousandths in [thousandths(), thousandths(), thousandths()],
        latency_us in prop_oneof![Just(0), Just(750_000), 0..800_000_u64],
        windows_us in [window_us(), window_us()],
        min_samples in prop_oneof![Just(0), Just(1), 0..40_u64],
        cooldown_us in prop_oneof![Just(0), Just(SECOND), 0..5 * SECOND],
    ) {
        let share = |n: u64| format!("{}.{:03}", n / 1000, n % 1000).parse().unwrap();
        let mut engine = Engine::new(Policy {
            error_rate: Some(share(thousandths[0])),
            error_rate_5xx: Some(share(thousandths[1])),
            error_rate_4xx: Some(share(thousandths[2])),
            error_window: Duration::from_micros(windows_us[0]),
            latency_p95: Some(Duration::from_micros(latency_us)),
            latency_window: Duration::from_micros(windows_us[1]),
            min_samples,
            cooldown: Duration::from_micros(cooldown_us),
        });
        let mut brute = Brute {
            thousandths, latency_us, windows_us, min_samples, cooldown_us,
            now: 0, latest: 0, events: Vec::new(), last: [None; 4],
        };
        for event in trace {
            let judged = engine.record(event);
            let (breached, due, suppressed) = brute.record(event);
            let given = [judged.breached, judged.due, judged.suppressed]
                .map(|indicators| indicators.iter().collect::<Vec<_>>());
            prop_assert_eq!(given, [breached, due, suppressed], "after {:?}", event);
            for indicator in judged.due.iter() {
                prop_assert_eq!(engine.alert(indicator).t_us, brute.latest);
            }
            let Some(shown) = engine.value(Indicator::LatencyP95) else {
                prop_assert_eq!(engine.samples(Indicator::LatencyP95), 0);
                continue;
            };
            let breaches = judged.breached.contains(Indicator::LatencyP95)
                || judged.suppressed.contains(Indicator::LatencyP95);
            let shown_us = (shown * 1e6).round();
            let threshold_us = latency_us as f64;
            prop_assert_eq!(shown_us >= threshold_us, breaches);
            // One held on its side of the threshold may be further off.
            let is_held = (0.0..=1.0).contains(&(threshold_us - shown_us));
            prop_assert!(is_held || brute.allows(shown_us), "{shown_us} at {}", brute.now);
        }
    }
}

#[test]
fn an_unknown_latency_counts_in_the_rates_and_in_no_percentile() {
    let mut engine = Engine::new(policy());
    let unknown = |status| Event { t_us: SECOND, status, latency_us: None };
    let judged = engine.record(unknown(503));
    assert_eq!(names(judged.breached), ["error_rate", "error_rate_5xx"]);
    assert_eq!(engine.value(Indicator::LatencyP95), None);
    // One slow request among a hundred of unknown latency is all that is known.
    assert_eq!(names(engine.record(event(SECOND, 200, 800_000)).due), ["latency_p95"]);
    for _ in 0..98 {
        engine.record(unknown(200));
    }
    let shown = engine.value(Indicator::LatencyP95).unwrap();
    assert!((shown - 0.8).abs() < 0.008, "{shown}");
    assert_eq!(
        (engine.samples(Indicator::ErrorRate), engine.samples(Indicator::LatencyP95)),
        (100, 1)
    );
}

#[test]
fn a_rate_exactly_at_its_threshold_breaches() {
    let mut engine = Engine::new(Policy { error_rate: Some("0.05".parse().unwrap()), ..policy() });
    for _ in 0..19 {
        assert!(engine.record(event(SECOND, 200, 0)).breached.is_empty());
    }
    assert_eq!(names(engine.record(event(SECOND, 404, 0)).breached), ["error_rate"]);
    // 1 of 21 is less.
    assert!(engine.record(event(SECOND, 200, 0)).breached.is_empty());
}

#[test]
fn an_event_exactly_one_window_old_is_gone() {
    let mut engine = Engine::new(policy());
    engine.record(event(SECOND, 500, 0));
    // Times are floored to 10 ms before they are compared.
    let late = engine.record(event(11 * SECOND - 1, 200, 0));
    assert_eq!(names(late.breached), ["error_rate", "error_rate_5xx"]);
    assert_eq!(engine.samples(Indicator::ErrorRate), 2);
    assert!(engine.record(event(11 * SECOND, 200, 0)).breached.is_empty());
    assert_eq!(engine.error_counts(), [2, 0, 0]);
}

#[test]
fn a_single_request_is_judged() {
    let mut engine = Engine::new(policy());
    let judged = engine.record(event(0, 503, 750_000));
    assert_eq!(names(judged.due), ["error_rate", "error_rate_5xx", "latency_p95"]);
    let alert = engine.alert(Indicator::LatencyP95);
    assert_eq!((alert.value, alert.threshold, alert.window_seconds), (0.75, 0.75, 10.0));
}

#[test]
fn a_clock_that_goes_back_is_held_and_one_that_jumps_empties_the_window() {
    let mut engine = Engine::new(Policy { cooldown: Duration::ZERO, ..policy() });
    engine.record(event(100 * SECOND, 500, 0));
    engine.record(event(SECOND, 500, 0));
    assert_eq!(engine.error_counts(), [2, 0, 2]);
    assert_eq!(engine.alert(Indicator::ErrorRate).t_us, 100 * SECOND);
    let judged = engine.record(event(u64::MAX, 200, 0));
    assert!(judged.breached.is_empty());
    assert_eq!(engine.error_counts(), [1, 0, 0]);
}

#[test]
fn the_cooldown_is_of_each_type_and_exact() {
    let mut engine = Engine::new(policy());
    assert_eq!(names(engine.record(event(0, 500, 0)).due), ["error_rate", "error_rate_5xx"]);
    assert_eq!(names(engine.record(event(60 * SECOND - 10_000, 500, SECOND)).due), ["latency_p95"]);
    let due = engine.record(event(60 * SECOND, 500, SECOND)).due;
    assert_eq!(names(due), ["error_rate", "error_rate_5xx"]);
    // A good interval in between must not cause an earlier alert.
    assert!(engine.record(event(90 * SECOND, 200, 0)).breached.is_empty());
    assert!(engine.record(event(110 * SECOND, 500, 0)).due.is_empty());
    let mut always = Engine::new(Policy { cooldown: Duration::ZERO, ..policy() });
    for _ in 0..3 {
        assert!(always.record(event(0, 500, 0)).due.contains(Indicator::ErrorRate));
    }
}

#[test]
fn too_few_events_hold_back_what_they_would_breach() {
    let mut engine = Engine::new(Policy { min_samples: 3, ..policy() });
    for _ in 0..2 {
        let judged = engine.record(event(0, 500, 0));
        assert!(judged.breached.is_empty());
        assert_eq!(names(judged.suppressed), ["error_rate", "error_rate_5xx"]);
    }
    assert_eq!(names(engine.record(event(0, 500, 0)).due), ["error_rate", "error_rate_5xx"]);
    assert_eq!(engine.standing(Indicator::ErrorRate).suppressed, 2);
    assert_eq!(engine.standing(Indicator::ErrorRate4xx).suppressed, 0);
}

#[test]
fn statuses_outside_of_the_errors_count_among_all_only() {
    let mut engine = Engine::new(policy());
    for status in [0, 100, 399, 600, 999] {
        engine.record(event(0, status, 0));
    }
    assert_eq!(engine.error_counts(), [5, 0, 0]);
}

#[test]
fn the_p95_is_decided_at_its_index() {
    for count in 1..=200_u64 {
        let rank = 95 * (count - 1) / 100;
        // Enough slow requests that the last fast one is right before the rank, or on it.
        for (slow, breaches) in [(count - rank, true), (count - rank - 1, false)] {
            let mut engine = Engine::new(policy());
            let mut judged = Judged::default();
            for number in 0..count {
                let latency_us = if number < slow { 750_000 } else { 749_999 };
                judged = engine.record(event(0, 200, latency_us));
            }
            assert_eq!(
                judged.breached.contains(Indicator::LatencyP95),
                breaches,
                "{slow} of {count}"
            );
        }
    }
}

#[test]
fn a_threshold_of_zero_is_always_reached_and_one_above_one_never() {
    let none = Policy {
        error_rate: Some("0".parse().unwrap()),
        error_rate_5xx: Some("1.5".parse().unwrap()),
        latency_p95: Some(Duration::ZERO),
        ..policy()
    };
    let mut engine = Engine::new(none);
    assert_eq!(names(engine.record(event(0, 200, 0)).breached), ["error_rate", "latency_p95"]);
    assert!(!engine.record(event(0, 500, 0)).breached.contains(Indicator::ErrorRate5xx));
}

#[test]
fn a_threshold_that_is_off_is_never_reached() {
    let (error_rate, latency_p95) = (None, None);
    let mut engine = Engine::new(Policy { error_rate, latency_p95, ..policy() });
    let judged = engine.record(event(0, 500, u64::MAX));
    assert_eq!(names(judged.breached), ["error_rate_5xx"]);
    assert_eq!(engine.policy().threshold(Indicator::LatencyP95), None);
    assert!(engine.value(Indicator::LatencyP95).is_some_and(|seconds| seconds > 0.0));
}

#[test]
fn time_alone_ends_what_is_shown_and_decides_nothing() {
    let mut engine = Engine::new(policy());
    assert_eq!(engine.standing(Indicator::ErrorRate).value, None);
    engine.record(event(0, 500, 0));
    let standing = engine.standing(Indicator::ErrorRate);
    assert_eq!((standing.value, standing.breached_since_us), (Some(1.0), Some(0)));
    engine.advance(20 * SECOND);
    let standing = engine.standing(Indicator::ErrorRate);
    assert_eq!((standing.value, standing.breached_since_us, standing.breaches), (None, None, 1));
    assert_eq!(engine.value(Indicator::LatencyP95), None);
}

#[test]
fn a_breach_does_not_outlast_its_window() {
    let mut engine = Engine::new(policy());
    engine.record(event(0, 500, 0));
    assert!(engine.record(event(9 * SECOND, 500, 0)).lapsed.is_empty());
    // The cooldown continues; the breach is a new one.
    let judged = engine.record(event(19 * SECOND, 500, 0));
    assert_eq!(names(judged.lapsed), ["error_rate", "error_rate_5xx"]);
    assert_eq!((names(judged.breached), names(judged.due)), (names(judged.lapsed), vec![]));
    let standing = engine.standing(Indicator::ErrorRate);
    assert_eq!((standing.breached_since_us, standing.breaches), (Some(19 * SECOND), 2));
    // A query in between gives the same.
    engine.advance(40 * SECOND);
    assert!(engine.record(event(41 * SECOND, 500, 0)).breached.contains(Indicator::ErrorRate));
    let standing = engine.standing(Indicator::ErrorRate);
    assert_eq!((standing.breached_since_us, standing.breaches), (Some(41 * SECOND), 3));
}

#[test]
fn what_is_left_of_a_breach_is_shown_as_one_while_it_is_enough_to_judge() {
    let mut engine = Engine::new(Policy { min_samples: 3, ..policy() });
    for second in 0..4 {
        engine.record(event(second * SECOND, 500, 0));
    }
    engine.advance(10 * SECOND);
    assert_eq!(engine.standing(Indicator::ErrorRate).breached_since_us, Some(2 * SECOND));
    engine.advance(11 * SECOND);
    assert_eq!(engine.samples(Indicator::ErrorRate), 2);
    assert_eq!(engine.standing(Indicator::ErrorRate).breached_since_us, None);
}
