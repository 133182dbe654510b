//! The planner called at any times, against a rehearsal and against a plain list of times.

use proptest::prelude::*;

use super::*;

fn schedules() -> impl Strategy<Value = Schedule> {
    let timing = prop_oneof![
        proptest::sample::select(vec![
            "* * * * *",
            "*/7 * * * *",
            "0 * * * *",
            "30 2 * * *",
            "15 1-3 * * *"
        ])
        .prop_map(|text| cron(text, BERLIN)),
        (1_u64..40).prop_map(|minutes| every(60 * minutes)),
    ];
    let catch_up = proptest::sample::select(CatchUp::ALL.to_vec());
    let window = proptest::option::of(1_u64..100);
    (timing, catch_up, window, proptest::option::of(1_u64..30)).prop_map(
        |(schedule, catch_up, window, jitter)| Schedule {
            catch_up,
            catch_up_window: window.map(|it| format!("{it}m").parse().unwrap()),
            jitter: jitter.map(|it| format!("{it}m").parse().unwrap()),
            ..schedule
        },
    )
}

prop_compose! {
    fn any_rules()(
        schedules in proptest::collection::vec(schedules(), 1..4),
        overlap in proptest::sample::select(Overlap::ALL.to_vec()),
        blackouts in proptest::collection::vec(
            (0_u64..300, 1_u64..90, proptest::sample::select(Then::ALL.to_vec())), 0..3),
    ) -> Rules {
        let start = at(START);
        let minutes = |minutes: u64| Duration::from_secs(60 * minutes);
        let blackouts = blackouts.into_iter().map(|(from, length, then)| Blackout {
            spans: Spans::Once { from: start.plus(minutes(from)), to: start.plus(minutes(from + length)) },
            then,
        });
        Rules { schedules, overlap, blackouts: blackouts.collect() }
    }
}

/// Before the clocks of Berlin change.
const START: &str = "2026-03-28T22:00:00Z";
const MINUTES: u64 = 360;

/// The planner called at these times too, or only at these, with executions of a fixed length.
fn stepped(
    rules: &Rules,
    ticks: &BTreeSet<Timestamp>,
    takes: Duration,
    only: bool,
) -> Vec<Rehearsed> {
    let start = at(START);
    let to = start.plus(Duration::from_secs(60 * MINUTES));
    let mut planner = planner(rules, START, None);
    let mut running: Vec<(Timestamp, Unfinished)> = Vec::new();
    let mut decided: BTreeMap<(Timestamp, usize), Rehearsed> = BTreeMap::new();
    let (mut now, mut count) = (start, 0);
    loop {
        running.retain(|(ends, _)| *ends > now);
        let unfinished: Vec<Unfinished> = running.iter().map(|(_, it)| *it).collect();
        planner.decide(now, &unfinished, &mut |decision| {
            let key = (decision.scheduled_at, decision.schedule);
            let start_at = (decision.action == Action::Started).then_some(now);
            let Decision { scheduled_at, action, reason, catch_up, .. } = decision;
            let schedule = u32::try_from(decision.schedule).unwrap();
            let before =
                decided.insert(key, Rehearsed { schedule, scheduled_at, action, reason, start_at });
            // Only what waits is decided again.
            assert!(
                before.is_none_or(|before| !before.action.is_final()),
                "{before:?} {decision:?}"
            );
            start_at?;
            if reason == Reason::Replaces {
                running.clear();
            }
            count += 1;
            let ends = now.plus(takes);
            (ends > now).then(|| {
                running.push((ends, Unfinished { number: count, catch_up }));
                count
            })
        });
        let tick = ticks.range(now.plus(Duration::from_micros(1))..).next().copied();
        let freed = running.iter().map(|(ends, _)| *ends).min();
        let wake = planner.next_wake(now).into_iter().chain(freed).min().filter(|_| !only);
        match tick.into_iter().chain(wake).min() {
            Some(next) if next < to.plus(Duration::from_secs(86_400)) => now = next,
            _ => break,
        }
    }
    decided.into_values().filter(|it| it.scheduled_at < to).collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(128))]

    /// Looking more often changes nothing.
    #[test]
    fn a_rehearsal_is_what_the_planner_decides_step_by_step(
        rules in any_rules(),
        ticks in proptest::collection::btree_set(0..MINUTES * 60_000, 0..200),
        takes in prop_oneof![Just(0), 1_u64..5_000],
    ) {
        let start = at(START);
        let ticks = ticks.into_iter().map(|tick| start.plus(Duration::from_millis(tick))).collect();
        let takes = Duration::from_secs(takes);
        let expected = rehearse(&Rehearsal {
            workflow_id: "w", rules: &rules, database: "d", takes, down: &[],
            span: Span { from: start, to: start.plus(Duration::from_secs(60 * MINUTES)) },
        });
        let mut found = stepped(&rules, &ticks, takes, false);
        let is_waiting = |it: &Rehearsed| !it.action.is_final();
        // The rehearsal follows for longer what waits at the end.
        found.iter_mut().zip(&expected).filter(|(it, _)| is_waiting(it)).for_each(|(it, other)| *it = *other);
        prop_assert_eq!(found, expected);
    }

    /// However seldom it looks, each scheduled time has exactly one decision.
    #[test]
    fn each_scheduled_time_is_decided_once_whenever_the_planner_looks(
        rules in any_rules(),
        ticks in proptest::collection::btree_set(0..MINUTES * 60_000, 0..40),
        takes in prop_oneof![Just(0), 1_u64..5_000],
    ) {
        let start = at(START);
        let end = start.plus(Duration::from_secs(60 * MINUTES));
        let mut ticks: BTreeSet<Timestamp> =
            ticks.into_iter().map(|tick| start.plus(Duration::from_millis(tick))).collect();
        ticks.insert(end.plus(Duration::from_secs(3_600)));
        let found = stepped(&rules, &ticks, Duration::from_secs(takes), true);
        let found: Vec<(Timestamp, usize)> = found.iter().map(|it| (it.scheduled_at, it.index())).collect();
        let mut expected: Vec<(Timestamp, usize)> = Vec::new();
        for (index, schedule) in rules.schedules.iter().enumerate() {
            let due = schedule.after(start.minus(Duration::from_micros(1))).take_while(|at| *at < end);
            expected.extend(due.map(|at| (at, index)));
        }
        expected.sort_unstable();
        prop_assert_eq!(found, expected);
    }
}
