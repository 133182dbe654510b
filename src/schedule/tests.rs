//! The traps of schedulers, each as a case, and properties of the planner.

mod stepping;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use super::blackout::{Blackout, Spans, Then};
use super::collapse::Collapser;
use super::decision::{Action, Decision, Reason};
use super::expression::{Combination, Expression};
use super::planner::{CATCH_UPS_MAX, Known, Pause, Planner, Unfinished};
use super::rules::{Bound, CatchUp, Overlap, Rules, Schedule};
use super::simulation::{Rehearsal, Rehearsed, Span, rehearse};
use super::timing::Timing;
use crate::base::timestamp::Timestamp;
use crate::base::zone;

pub(super) fn at(text: &str) -> Timestamp {
    Timestamp::parse_lenient(text).unwrap()
}

pub(super) fn cron(text: &str, zone: &str) -> Schedule {
    let expression = Expression::parse(text, Combination::Either).unwrap();
    of(text, Timing::Cron(Arc::new(expression)), zone)
}

fn every(period: u64) -> Schedule {
    let period = Duration::from_secs(period);
    of("every", Timing::Every { period, offset: Duration::ZERO }, "UTC")
}

fn of(name: &str, timing: Timing, zone: &str) -> Schedule {
    Schedule {
        name: name.to_owned(),
        is_named: false,
        timing,
        zone: zone::named(zone).unwrap(),
        has_zone: true,
        start_deadline: None,
        catch_up: CatchUp::None,
        catch_up_window: None,
        jitter: None,
        from: None,
        until: None,
    }
}

pub(super) fn rules(schedules: impl IntoIterator<Item = Schedule>) -> Rules {
    Rules { schedules: schedules.into_iter().collect(), ..Rules::default() }
}

fn span(from: &str, to: &str) -> Span {
    Span { from: at(from), to: at(to) }
}

fn run(rules: &Rules, within: Span, down: &[Span], takes_s: u64) -> Vec<Rehearsed> {
    rehearse(&Rehearsal {
        workflow_id: "w",
        rules,
        database: "d",
        span: within,
        down,
        takes: Duration::from_secs(takes_s),
    })
}

/// The scheduled times of those with an action, as `2026-03-29T01:00`.
fn times(decisions: &[Rehearsed], action: Action) -> Vec<String> {
    let of_action = decisions.iter().filter(|decision| decision.action == action);
    of_action.map(|decision| decision.scheduled_at.to_string()[..16].to_owned()).collect()
}

fn started(schedule: Schedule, from: &str, to: &str) -> Vec<String> {
    times(&run(&rules([schedule]), span(from, to), &[], 0), Action::Started)
}

const BERLIN: &str = "Europe/Berlin";

#[test]
fn trap_1_times_that_the_clocks_skip_become_one_at_the_end_of_the_gap() {
    let spring =
        |text: &str| started(cron(text, BERLIN), "2026-03-29T00:00:00Z", "2026-03-29T22:00:00Z");
    assert_eq!(spring("30 2 * * *"), ["2026-03-29T01:00"]);
    assert_eq!(spring("*/30 2 * * *"), ["2026-03-29T01:00"]);
    assert_eq!(spring("0 2,3 * * *"), ["2026-03-29T01:00"]);
    assert_eq!(
        spring("30 1-4 * * *"),
        ["2026-03-29T00:30", "2026-03-29T01:00", "2026-03-29T01:30", "2026-03-29T02:30"]
    );
    let next_day =
        started(cron("30 2 * * *", BERLIN), "2026-03-30T00:00:00Z", "2026-03-31T00:00:00Z");
    assert_eq!(next_day, ["2026-03-30T00:30"]);
    let elapsed =
        started(cron("*/15 * * * *", BERLIN), "2026-03-29T00:45:00Z", "2026-03-29T01:16:00Z");
    assert_eq!(elapsed, ["2026-03-29T00:45", "2026-03-29T01:00", "2026-03-29T01:15"]);
    // `*/2` names hours.
    assert_eq!(spring("0 */2 * * *")[..2], ["2026-03-29T01:00", "2026-03-29T02:00"]);
    // Half an hour on Lord Howe Island; a whole day on Samoa, which has no 30 December 2011.
    let lord_howe = started(
        cron("15 2 * * *", "Australia/Lord_Howe"),
        "2026-10-03T00:00:00Z",
        "2026-10-04T00:00:00Z",
    );
    assert_eq!(lord_howe, ["2026-10-03T15:30"]);
    let samoa =
        started(cron("0 9 * * *", "Pacific/Apia"), "2011-12-29T00:00:00Z", "2011-12-31T12:00:00Z");
    assert_eq!(samoa, ["2011-12-29T19:00", "2011-12-30T10:00", "2011-12-30T19:00"]);
}

#[test]
fn trap_2_of_an_hour_that_comes_twice_the_first_counts() {
    let autumn =
        |text: &str| started(cron(text, BERLIN), "2026-10-24T22:00:00Z", "2026-10-25T04:00:00Z");
    assert_eq!(autumn("30 2 * * *"), ["2026-10-25T00:30"]);
    assert_eq!(autumn("0 1-3 * * *"), ["2026-10-24T23:00", "2026-10-25T00:00", "2026-10-25T02:00"]);
    assert_eq!(
        autumn("0 * * * *"),
        [
            "2026-10-24T22:00",
            "2026-10-24T23:00",
            "2026-10-25T00:00",
            "2026-10-25T01:00",
            "2026-10-25T02:00",
            "2026-10-25T03:00"
        ]
    );
}

#[test]
fn trap_4_without_a_name_a_zone_is_none_and_offsets_are_none() {
    for name in ["+02:00", "UTC+2", "CET-1CEST", "localtime", "posix/Europe/Berlin", "", "Europe"] {
        assert_eq!(zone::named(name), None, "{name}");
    }
    assert_eq!(zone::named("europe/berlin").unwrap().iana_name(), Some(BERLIN));
    assert_eq!(zone::named("utc").unwrap().iana_name(), Some("UTC"));
}

fn daily_with_outage(catch_up: CatchUp, window: Option<&str>) -> Vec<Rehearsed> {
    let schedule = Schedule {
        catch_up,
        catch_up_window: window.map(|window| window.parse().unwrap()),
        ..cron("0 9 * * *", "UTC")
    };
    let down = [span("2026-05-01T08:00:00Z", "2026-05-04T10:00:00Z")];
    run(&rules([schedule]), span("2026-05-01T00:00:00Z", "2026-05-05T00:00:00Z"), &down, 600)
}

#[test]
fn trap_5_catch_up_is_none_or_the_last_or_all_within_a_window() {
    let days = |from: u8, to: u8| -> Vec<String> {
        (from..=to).map(|day| format!("2026-05-{day:02}T09:00")).collect()
    };
    let none = daily_with_outage(CatchUp::None, None);
    assert_eq!(times(&none, Action::Missed), days(1, 4));
    assert_eq!(none.len(), 4);
    let last = daily_with_outage(CatchUp::Last, None);
    assert_eq!(times(&last, Action::Missed), days(1, 3));
    assert_eq!(times(&last, Action::Started), days(4, 4));
    let all = daily_with_outage(CatchUp::All, None);
    assert_eq!(times(&all, Action::Started), days(1, 4));
    let starts: Vec<String> =
        all.iter().map(|it| it.start_at.unwrap().to_string()[11..16].to_owned()).collect();
    assert_eq!(starts, ["10:00", "10:10", "10:20", "10:30"]);
    let within = daily_with_outage(CatchUp::All, Some("24h"));
    assert_eq!(times(&within, Action::Started), days(4, 4));
    assert_eq!(times(&within, Action::Missed), days(1, 3));
    // Strictly newer than the window: 25 h before 10:00 of the 4th is 09:00 of the 3rd.
    let at_the_edge = daily_with_outage(CatchUp::All, Some("25h"));
    assert_eq!(times(&at_the_edge, Action::Started), days(4, 4));
    let last_outside = daily_with_outage(CatchUp::Last, Some("30m"));
    assert_eq!(times(&last_outside, Action::Missed), days(1, 4));
}

#[test]
fn the_newest_due_time_within_the_start_deadline_starts_late() {
    let within = span("2026-05-01T00:00:00Z", "2026-05-01T00:10:00Z");
    let down = [span("2026-05-01T00:02:30Z", "2026-05-01T00:05:40Z")];
    let decisions = run(&rules([cron("* * * * *", "UTC")]), within, &down, 0);
    assert_eq!(times(&decisions, Action::Missed), ["2026-05-01T00:03", "2026-05-01T00:04"]);
    let late = decisions.iter().find(|decision| decision.reason == Reason::Late).unwrap();
    assert_eq!(late.scheduled_at, at("2026-05-01T00:05:00Z"));
    assert_eq!(late.start_at, Some(at("2026-05-01T00:05:40Z")));
    let strict =
        Schedule { start_deadline: Some("10s".parse().unwrap()), ..cron("* * * * *", "UTC") };
    assert_eq!(times(&run(&rules([strict]), within, &down, 0), Action::Missed).len(), 3);
    // One that is exactly as old as the deadline still starts.
    let down = [span("2026-05-01T00:02:30Z", "2026-05-01T00:04:00Z")];
    let hourly = cron("3 * * * *", "UTC");
    assert_eq!(times(&run(&rules([hourly]), within, &down, 0), Action::Started).len(), 1);
}

#[test]
fn trap_6_overlap_skips_queues_allows_or_replaces() {
    let with = |overlap: Overlap, takes: u64| {
        let rules = Rules { overlap, ..rules([every(60)]) };
        run(&rules, span("2026-05-01T00:00:00Z", "2026-05-01T00:06:00Z"), &[], takes)
    };
    let starts = |decisions: &[Rehearsed]| -> Vec<String> {
        let starts = decisions.iter().filter_map(|decision| decision.start_at);
        starts.map(|start| start.to_string()[14..19].to_owned()).collect()
    };
    // One that ends at a time is not in its way.
    assert_eq!(starts(&with(Overlap::Skip, 60)).len(), 6);
    let skip = with(Overlap::Skip, 90);
    assert_eq!(starts(&skip), ["00:00", "02:00", "04:00"]);
    assert_eq!(skip[1].reason, Reason::Overlap(1));
    assert_eq!(skip[3].reason, Reason::Overlap(2));
    let queue = with(Overlap::QueueLatest, 150);
    assert_eq!(starts(&queue), ["00:00", "02:30", "05:00"]);
    // The time after the span takes the place of the last one.
    assert_eq!(
        times(&queue, Action::Skipped),
        ["2026-05-01T00:01", "2026-05-01T00:03", "2026-05-01T00:05"]
    );
    assert_eq!(queue[2].reason, Reason::AfterQueue);
    assert_eq!(queue[1].reason, Reason::Superseded);
    assert_eq!(starts(&with(Overlap::Allow, 300)).len(), 6);
    let replace = with(Overlap::Replace, 300);
    assert_eq!(starts(&replace).len(), 6);
    assert!(replace[1..].iter().all(|decision| decision.reason == Reason::Replaces));
}

#[test]
fn catch_ups_wait_for_each_other_whatever_overlap_says() {
    for overlap in Overlap::ALL {
        let schedule = Schedule { catch_up: CatchUp::All, ..cron("0 * * * *", "UTC") };
        let rules = Rules { overlap, ..rules([schedule]) };
        let down = [span("2026-05-01T00:30:00Z", "2026-05-01T04:30:00Z")];
        let within = span("2026-05-01T00:00:00Z", "2026-05-01T05:00:00Z");
        let decisions = run(&rules, within, &down, 120);
        let starts: Vec<String> = decisions[1..]
            .iter()
            .map(|it| it.start_at.unwrap().to_string()[11..16].to_owned())
            .collect();
        assert_eq!(starts, ["04:30", "04:32", "04:34", "04:36"], "{overlap:?}");
    }
}

#[test]
fn a_blackout_skips_or_defers_the_newest_time_to_its_end() {
    let blackout = |then: Then| Blackout {
        spans: Spans::Once { from: at("2026-05-01T01:00:00Z"), to: at("2026-05-01T04:00:00Z") },
        then,
    };
    let within = span("2026-05-01T00:00:00Z", "2026-05-01T06:00:00Z");
    let with = |blackouts: Vec<Blackout>, schedule: Schedule, down: &[Span]| {
        run(&Rules { blackouts, ..rules([schedule]) }, within, down, 0)
    };
    let hourly = || cron("30 * * * *", "UTC");
    let skipped = with(vec![blackout(Then::Skip)], hourly(), &[]);
    assert_eq!(times(&skipped, Action::Skipped).len(), 3);
    let deferred = with(vec![blackout(Then::Defer)], hourly(), &[]);
    assert_eq!(times(&deferred, Action::Skipped), ["2026-05-01T01:30", "2026-05-01T02:30"]);
    assert_eq!(deferred[3].start_at, Some(at("2026-05-01T04:00:00Z")));
    assert_eq!(deferred[3].reason, Reason::AfterBlackout);
    // Where one blackout skips, no other defers.
    let both = with(vec![blackout(Then::Defer), blackout(Then::Skip)], hourly(), &[]);
    assert_eq!(both, skipped);
    // What ended while nothing ran is late, and its end counts.
    let down = [span("2026-05-01T01:10:00Z", "2026-05-01T04:00:30Z")];
    let late = with(vec![blackout(Then::Defer)], hourly(), &down);
    assert_eq!(late[3].start_at, Some(at("2026-05-01T04:00:30Z")));
    let down = [span("2026-05-01T01:10:00Z", "2026-05-01T04:10:00Z")];
    let missed = with(vec![blackout(Then::Defer)], hourly(), &down);
    assert_eq!(times(&missed, Action::Missed), ["2026-05-01T03:30"]);
    // Its first instant is in it, the one after its last is not.
    let edges = with(vec![blackout(Then::Skip)], cron("0 * * * *", "UTC"), &[]);
    assert_eq!(
        times(&edges, Action::Skipped),
        ["2026-05-01T01:00", "2026-05-01T02:00", "2026-05-01T03:00"]
    );
    // A run that catches up follows the blackout, and a start that is late does not begin in it.
    let caught = Schedule { catch_up: CatchUp::Last, ..cron("30 0 * * *", "UTC") };
    let down = [span("2026-05-01T00:10:00Z", "2026-05-01T01:30:00Z")];
    let caught = with(vec![blackout(Then::Skip)], caught, &down);
    assert_eq!(caught[0].start_at, Some(at("2026-05-01T04:00:00Z")));
    let late =
        Schedule { start_deadline: Some("1h".parse().unwrap()), ..cron("30 0 * * *", "UTC") };
    let late = with(vec![blackout(Then::Skip)], late, &down);
    assert_eq!((late[0].action, late[0].reason), (Action::Skipped, Reason::Blackout));
}

#[test]
fn a_blackout_may_repeat_on_the_clocks_of_a_zone() {
    let weekend = Blackout {
        spans: Spans::Repeated {
            start: cron("0 22 * * FRI", BERLIN).timing,
            length: "58h".parse().unwrap(),
            zone: zone::named(BERLIN).unwrap(),
            has_zone: true,
        },
        then: Then::Defer,
    };
    assert!(!weekend.spans.has_no_end());
    let rules = Rules { blackouts: vec![weekend], ..rules([cron("0 6 * * *", BERLIN)]) };
    // 27 March 2026 is a Friday, and the clocks change on Sunday: 58 h later it is 09:00 there.
    let decisions = run(&rules, span("2026-03-26T00:00:00Z", "2026-03-31T00:00:00Z"), &[], 0);
    let starts: Vec<String> = decisions
        .iter()
        .filter_map(|it| Some(it.start_at?.to_string()[5..16].to_owned()))
        .collect();
    assert_eq!(starts, ["03-26T05:00", "03-27T05:00", "03-30T07:00"]);
}

/// A planner that is asked at these times, with everything that it decides.
pub(super) fn asked(planner: &mut Planner, times: &[Timestamp]) -> Vec<Decision> {
    let mut decisions = Vec::new();
    for now in times {
        planner.decide(*now, &[], &mut |decision| {
            decisions.push(decision);
            None
        });
    }
    decisions
}

fn planner(rules: &Rules, first_seen: &str, decided_until: Option<&str>) -> Planner {
    let known = Known { decided_until: decided_until.map(at), ..Known::since(at(first_seen)) };
    Planner::new(rules, "w", "d", &vec![known; rules.schedules.len()])
}

#[test]
fn trap_7_what_was_decided_is_not_decided_again_and_nothing_is_older_than_its_first_sight() {
    let rules = rules([cron("0 9 * * *", "UTC")]);
    // A file that is seen first at 09:05, and one whose 09:00 was decided before a restart.
    for mut planner in [
        planner(&rules, "2026-05-01T09:05:00Z", None),
        planner(&rules, "2026-04-01T00:00:00Z", Some("2026-05-01T09:00:00Z")),
    ] {
        assert_eq!(asked(&mut planner, &[at("2026-05-01T09:00:30Z")]), []);
        let next = asked(&mut planner, &[at("2026-05-02T09:00:00Z"), at("2026-05-02T09:00:01Z")]);
        assert_eq!(next.len(), 1);
        assert_eq!(next[0].scheduled_at, at("2026-05-02T09:00:00Z"));
    }
    // The first sight itself counts.
    let mut planner = planner(&rules, "2026-05-01T09:00:00Z", None);
    assert_eq!(asked(&mut planner, &[at("2026-05-01T09:00:00Z")]).len(), 1);
}

#[test]
fn trap_8_a_clock_that_jumps_decides_nothing_twice() {
    let rules = rules([cron("* * * * *", "UTC")]);
    let mut planner = planner(&rules, "2026-05-01T00:00:00Z", None);
    let forward = asked(&mut planner, &[at("2026-05-01T00:00:00Z"), at("2026-05-01T01:00:00Z")]);
    assert_eq!(forward.iter().filter(|it| it.action == Action::Started).count(), 2);
    assert_eq!(forward.iter().filter(|it| it.action == Action::Missed).count(), 59);
    assert_eq!(asked(&mut planner, &[at("2026-05-01T00:30:00Z"), at("2026-05-01T01:00:30Z")]), []);
    assert_eq!(asked(&mut planner, &[at("2026-05-01T01:01:00Z")]).len(), 1);
}

#[test]
fn trap_10_jitter_is_the_same_for_ever_and_at_most_half_the_interval() {
    let schedule = Schedule { jitter: Some("10m".parse().unwrap()), ..cron("0 2 * * *", "UTC") };
    // The first 8 bytes of SHA-256("d\0w\00 2 * * *") modulo 600,000 ms.
    assert_eq!(schedule.offset("d", "w"), Duration::from_millis(JITTER_OF_D_W));
    assert_ne!(schedule.offset("d", "w"), schedule.offset("e", "w"));
    assert_ne!(schedule.offset("d", "w"), schedule.offset("d", "x"));
    let often = Schedule { jitter: Some("10m".parse().unwrap()), ..cron("*/4 * * * *", "UTC") };
    for workflow in 0..100 {
        assert!(often.offset("d", &workflow.to_string()) < Duration::from_secs(120));
    }
    // The key stays the nominal time.
    let within = span("2026-05-01T00:00:00Z", "2026-05-02T00:00:00Z");
    let decisions = run(&rules([schedule.clone()]), within, &[], 0);
    assert_eq!(decisions[0].scheduled_at, at("2026-05-01T02:00:00Z"));
    let offset = schedule.offset("d", "w");
    assert_eq!(decisions[0].start_at, Some(at("2026-05-01T02:00:00Z").plus(offset)));
    // Down at the scheduled time, and up before the offset has passed: on time.
    let up = at("2026-05-01T02:00:00Z").plus(offset / 2);
    let down = [Span { from: at("2026-05-01T01:00:00Z"), to: up }];
    assert_eq!(run(&rules([schedule.clone()]), within, &down, 0), decisions);
    // One that catches up is later by the offset modulo a minute.
    let caught = Schedule { catch_up: CatchUp::Last, ..schedule };
    let down = [span("2026-05-01T01:00:00Z", "2026-05-01T08:00:00Z")];
    let later = Duration::from_micros(u64::try_from(offset.as_micros()).unwrap() % 60_000_000);
    let caught = run(&rules([caught]), within, &down, 0);
    assert_eq!(caught[0].start_at, Some(at("2026-05-01T08:00:00Z").plus(later)));
}

/// Computed without wfx.
const JITTER_OF_D_W: u64 = 333088;

#[test]
fn a_paused_workflow_skips() {
    let mut planner = planner(&rules([every(60)]), "2026-05-01T00:00:00Z", None);
    let until = Some(at("2026-05-01T00:03:00Z"));
    planner.set_pauses(vec![Pause { from: at("2026-05-01T00:01:00Z"), until }]);
    let minutes: Vec<Timestamp> = (0..5)
        .map(|minute| at("2026-05-01T00:00:00Z").plus(Duration::from_secs(60 * minute)))
        .collect();
    let actions: Vec<Action> = asked(&mut planner, &minutes).iter().map(|it| it.action).collect();
    let (started, skipped) = (Action::Started, Action::Skipped);
    assert_eq!(actions, [started, skipped, skipped, started, started]);
}

#[test]
fn limits_count_from_their_first_instant_to_before_their_last() {
    let date = |text: &str| Some(Bound::Date(text.parse().unwrap()));
    let daily = Schedule {
        from: date("2026-03-28"),
        until: date("2026-03-30"),
        ..cron("0 0 * * *", BERLIN)
    };
    let all = started(daily, "2026-01-01T00:00:00Z", "2027-01-01T00:00:00Z");
    assert_eq!(all, ["2026-03-27T23:00", "2026-03-28T23:00", "2026-03-29T22:00"]);
    let hourly = Schedule {
        from: Some(Bound::Time(at("2026-05-01T02:00:00Z"))),
        until: Some(Bound::Time(at("2026-05-01T04:00:00Z"))),
        ..every(3600)
    };
    let all = started(hourly, "2026-01-01T00:00:00Z", "2027-01-01T00:00:00Z");
    assert_eq!(all, ["2026-05-01T02:00", "2026-05-01T03:00"]);
    let once = of("once", Timing::At(at("2026-05-01T02:00:00Z")), "UTC");
    assert_eq!(started(once, "2026-01-01T00:00:00Z", "2027-01-01T00:00:00Z"), ["2026-05-01T02:00"]);
}

#[test]
fn a_year_without_a_minutely_schedule_is_two_rows() {
    let schedule = Schedule { catch_up: CatchUp::Last, ..cron("* * * * *", "UTC") };
    let mut planner = planner(&rules([schedule]), "2025-01-01T00:00:00Z", None);
    let mut collapser = Collapser::default();
    planner.decide(at("2026-01-01T00:00:30Z"), &[], &mut |decision| {
        collapser.push(decision);
        None
    });
    let rows = collapser.finish();
    let shown: Vec<(Action, u64)> = rows.iter().map(|row| (row.first.action, row.count)).collect();
    let mut shown = shown;
    shown.sort_unstable();
    // The newest is late by 30 s; of the older ones the last is made up for.
    assert_eq!(shown, [(Action::Started, 1), (Action::Started, 1), (Action::Missed, 525_599)]);
    let missed = rows.iter().find(|row| row.count > 1).unwrap();
    assert_eq!(missed.until, at("2025-12-31T23:58:00Z"));
}

#[test]
fn of_catch_up_all_the_newest_wait_and_the_older_ones_are_one_row() {
    let of = |name: &str, period: u64| Schedule {
        name: name.to_owned(),
        catch_up: CatchUp::All,
        start_deadline: Some("1s".parse().unwrap()),
        ..every(period)
    };
    let rules = rules([of("often", 60), of("seldom", 3_600)]);
    let mut planner = planner(&rules, "2026-05-01T00:00:00Z", None);
    let mut rows_at = |now: &str| {
        let mut collapser = Collapser::default();
        // The execution of the first one does not end.
        let running = [Unfinished { number: 0, catch_up: true }];
        planner.decide(at(now), &running, &mut |decision| {
            collapser.push(decision);
            None
        });
        let rows = collapser.finish();
        let of = |schedule: usize| {
            let rows = rows.iter().filter(move |row| row.first.schedule == schedule);
            let mut counts: BTreeMap<(Action, &str), (usize, u64)> = BTreeMap::new();
            for row in rows {
                let key = (row.first.action, row.first.reason.as_str());
                let (rows, times) = counts.entry(key).or_default();
                *rows += 1;
                *times += row.count;
            }
            counts
        };
        (of(0), of(1))
    };
    let max = CATCH_UPS_MAX as u64;
    // The times at both ends of the seven days count.
    let (often, seldom) = rows_at("2026-05-08T00:00:30Z");
    let many = (Action::Missed, Reason::TooMany.as_str());
    let waits = (Action::Queued, Reason::BehindOthers.as_str());
    assert_eq!(
        often,
        BTreeMap::from([(many, (1, 7 * 1_440 + 1 - max)), (waits, (CATCH_UPS_MAX, max))])
    );
    // Each schedule has room of its own.
    assert_eq!(seldom, BTreeMap::from([(waits, (7 * 24 + 1, 7 * 24 + 1))]));
    // Those that wait already count, and keep their place.
    let (often, seldom) = rows_at("2026-05-08T01:00:30Z");
    assert_eq!(often, BTreeMap::from([(many, (1, 60))]));
    assert_eq!(seldom, BTreeMap::from([(waits, (1, 1))]));
}
