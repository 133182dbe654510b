//! A planner that goes on from what is stored.

use std::time::Duration;

use super::blackout::{Blackout, Spans, Then};
use super::collapse::Collapser;
use super::decision::{Decision, Reason};
use super::planner::{Known, KnownWaiting, Planner};
use super::rules::Rules;
use super::tests::{asked, at, cron, rules};
use crate::base::timestamp::Timestamp;

#[test]
fn what_was_reached_before_the_clock_was_set_back_is_not_decided_again() {
    let rules = rules([cron("* * * * *", "UTC")]);
    let known = Known {
        decided_until: Some(at("2026-05-01T00:00:00Z")),
        decided_later: [at("2026-05-01T00:02:00Z"), at("2026-05-01T00:03:00Z")].into(),
        ..Known::since(at("2026-05-01T00:00:00Z"))
    };
    let mut planner = Planner::new(&rules, "w", "d", &[known]);
    let times: Vec<Timestamp> =
        (0..=4).map(|minute| minutes("2026-05-01T00:00:30Z", minute)).collect();
    let decided = asked(&mut planner, &times);
    let scheduled: Vec<Timestamp> = decided.iter().map(|it| it.scheduled_at).collect();
    assert_eq!(scheduled, [at("2026-05-01T00:01:00Z"), at("2026-05-01T00:04:00Z")]);
}

#[test]
fn what_is_missed_around_a_time_that_was_decided_is_no_row_of_several() {
    let rules = rules([cron("* * * * *", "UTC")]);
    let known = Known {
        decided_until: Some(at("2026-05-01T00:00:00Z")),
        decided_later: [at("2026-05-01T00:03:00Z")].into(),
        ..Known::since(at("2026-05-01T00:00:00Z"))
    };
    let mut planner = Planner::new(&rules, "w", "d", &[known]);
    let mut collapser = Collapser::default();
    planner.decide(at("2026-05-01T00:10:00Z"), &[], &mut |decision| {
        collapser.push(decision);
        None
    });
    let rows: Vec<(String, u64)> = collapser
        .finish()
        .iter()
        .map(|row| (row.first.scheduled_at.to_string()[11..16].to_owned(), row.count))
        .collect();
    let expected = [("00:01", 2), ("00:04", 6), ("00:10", 1)];
    assert_eq!(rows, expected.map(|(time, count)| (time.to_owned(), count)));
}

fn minutes(from: &str, minutes: u64) -> Timestamp {
    at(from).plus(Duration::from_secs(60 * minutes))
}

#[test]
fn a_planner_goes_on_with_what_waited_when_the_one_before_it_ended() {
    let waiting = |scheduled_at: &str, is_deferred, catch_up| KnownWaiting {
        scheduled_at: at(scheduled_at),
        is_deferred,
        catch_up,
    };
    let known = |waiting: &[KnownWaiting]| Known {
        decided_until: Some(at("2026-05-01T12:00:00Z")),
        waiting: waiting.to_vec(),
        ..Known::since(at("2026-05-01T00:00:00Z"))
    };
    let mut rules = rules([cron("0 * * * *", "UTC")]);
    let now = at("2026-05-01T12:00:20Z");
    let decide = |rules: &Rules, known: Known| {
        let mut planner = Planner::new(rules, "w", "d", &[known]);
        let decided = asked(&mut planner, &[now]);
        let of = |it: &Decision| (it.scheduled_at.to_string()[11..16].to_owned(), it.reason);
        decided.iter().map(of).collect::<Vec<_>>()
    };
    // One of the latest is queued; catch-ups go one after the other, oldest first.
    let queued = decide(&rules, known(&[waiting("2026-05-01T11:00:00Z", false, false)]));
    assert_eq!(queued, [("11:00".to_owned(), Reason::AfterQueue)]);
    let late = [
        waiting("2026-05-01T10:00:00Z", false, true),
        waiting("2026-05-01T09:00:00Z", false, true),
    ];
    let caught = decide(&rules, known(&late));
    assert_eq!(caught[0], ("09:00".to_owned(), Reason::CatchUp));
    // The blackout that it waited for is over, or its workflow has none any more.
    let deferred = known(&[waiting("2026-05-01T12:00:00Z", true, false)]);
    assert_eq!(decide(&rules, deferred.clone()), [("12:00".to_owned(), Reason::AfterBlackout)]);
    rules.blackouts = vec![Blackout {
        spans: Spans::Once { from: at("2026-05-01T11:30:00Z"), to: at("2026-05-01T13:00:00Z") },
        then: Then::Defer,
    }];
    assert_eq!(decide(&rules, deferred), []);
}
