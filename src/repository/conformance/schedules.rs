//! Schedules: each scheduled time has one decision and one execution at most, whoever decides.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use proptest::prelude::*;
use proptest::test_runner::TestRunner;

use super::{Store, at, change, created, creation, head, store_change};
use crate::base::timestamp::Timestamp;
use crate::repository::journal::schedules::{
    DECISIONS_MAX, RegisteredWorkflow, ScheduleChange, Trimmed,
};
use crate::repository::{DecisionPosition, Notified, PendingWrite, StoreErrorKind, Writer};
use crate::schedule::decision::Action;
use crate::schedule::planner::Known;
use crate::workflow::record::{Change, Created, ExecutionStatus};
use crate::workflow::schedule_record::{
    Beside, DecisionRecord, OverdueKind, OverdueRecord, PauseRecord, ScheduledStart, Split,
};
use crate::workflow::trigger::Requester;

const WORKFLOW: &str = "w";
const SCHEDULE: &str = "s";
const PATIENCE: Duration = Duration::from_secs(10);

fn register(writer: &Writer, schedules: &[(&str, &str)], now: Timestamp) {
    let schedules = schedules.iter().map(|(name, timing)| ((*name).into(), (*timing).into()));
    let workflows = vec![RegisteredWorkflow {
        workflow_id: WORKFLOW.to_owned(),
        schedules: schedules.collect(),
    }];
    writer.change_schedules(&ScheduleChange::Register { now, workflows }, PATIENCE).unwrap();
}

fn row(from: i64, until: i64, action: Action, reason: &str) -> DecisionRecord {
    DecisionRecord {
        workflow_id: WORKFLOW.to_owned(),
        schedule: SCHEDULE.to_owned(),
        scheduled_at: at(from),
        scheduled_until: at(until),
        count: u64::try_from(until - from).unwrap() + 1,
        decided_at: at(until),
        action,
        reason: reason.to_owned(),
        execution_id: None,
        catch_up: false,
    }
}

/// Whether it was taken as it is.
fn decide(writer: &Writer, decision: DecisionRecord) -> bool {
    let change = ScheduleChange::Decide {
        now: decision.decided_at,
        decisions: vec![decision],
        notify: Notified::new(),
    };
    writer.change_schedules(&change, PATIENCE).unwrap().conflicts.is_empty()
}

fn start(scheduled_at: i64, beside: Beside) -> ScheduledStart {
    ScheduledStart {
        schedule: SCHEDULE.to_owned(),
        scheduled_at: at(scheduled_at),
        decided_at: at(scheduled_at),
        reason: "on_time",
        catch_up: false,
        beside,
        split: None,
        notify: None,
    }
}

fn store_start(writer: &Writer, id: &str, start: ScheduledStart) -> Arc<PendingWrite> {
    let created = Created { scheduled: Some(Arc::new(start)), ..created(1) };
    let head = head(ExecutionStatus::Running, 1);
    store_change(writer, id, Change { created: Some(Arc::new(created)), ..creation(1, head) })
}

/// Why it was not stored.
fn refusal(pending: &PendingWrite) -> Option<StoreErrorKind> {
    pending.stored().borrow().refused.as_ref().map(|error| error.kind())
}

fn known<S: Store>(place: &S, schedule: &str) -> Option<Known> {
    let stored = place.reader().schedules(None).unwrap();
    stored.into_iter().find(|it| it.schedule == schedule).map(|it| it.known)
}

fn decisions<S: Store>(place: &S) -> Vec<DecisionRecord> {
    let mut found: Vec<DecisionRecord> = Vec::new();
    loop {
        let position = found.last().map(DecisionPosition::after);
        let page = place.reader().decisions(Some(WORKFLOW), position.as_ref(), 7).unwrap();
        if page.is_empty() {
            break;
        }
        found.extend(page);
    }
    found.reverse();
    found
}

pub(crate) fn a_schedule_begins_when_it_is_seen_and_anew_with_other_times<S: Store>() {
    let place = S::new();
    let writer = place.open();
    register(&writer, &[(SCHEDULE, "daily"), ("other", "hourly")], at(100));
    register(&writer, &[(SCHEDULE, "daily"), ("other", "hourly")], at(200));
    assert_eq!(known(&place, SCHEDULE).unwrap().first_seen, at(100));
    assert!(decide(&writer, row(110, 110, Action::Queued, "overlap")));
    let waiting = known(&place, SCHEDULE).unwrap();
    assert_eq!((waiting.decided_until, waiting.waiting.len()), (Some(at(110)), 1));
    // Other times: what waited belongs to none of them. The other one is gone, and comes back.
    register(&writer, &[(SCHEDULE, "hourly")], at(300));
    let anew = known(&place, SCHEDULE).unwrap();
    assert_eq!((anew.first_seen, anew.decided_until), (at(300), None));
    assert_eq!(anew.waiting, []);
    let removed = &decisions(&place)[0];
    assert_eq!((removed.action, removed.reason.as_str()), (Action::Skipped, "removed"));
    assert_eq!(known(&place, "other"), None);
    register(&writer, &[(SCHEDULE, "hourly"), ("other", "hourly")], at(400));
    assert_eq!(known(&place, "other").unwrap().first_seen, at(400));
}

pub(crate) fn a_scheduled_time_is_started_once<S: Store>() {
    let place = S::new();
    let (writer, other) = (place.open(), place.open());
    register(&writer, &[(SCHEDULE, "t")], at(0));
    let first = store_start(&writer, "first", start(10, Beside::Anything));
    let second = store_start(&other, "second", start(10, Beside::Anything));
    assert_eq!((refusal(&first), refusal(&second)), (None, Some(StoreErrorKind::Decided)));
    assert!(!decide(&other, row(10, 10, Action::Skipped, "overlap")));
    assert!(!decide(&other, row(8, 12, Action::Missed, "no_catch_up")));
    assert!(decide(&other, row(11, 14, Action::Missed, "no_catch_up")));
    for (time, id) in [(11, "a"), (13, "b"), (14, "c")] {
        let late = store_start(&writer, id, start(time, Beside::Anything));
        assert_eq!(refusal(&late), Some(StoreErrorKind::Decided), "{time}");
    }
    // What waits is started by the first one that does.
    assert!(decide(&writer, row(15, 15, Action::Deferred, "blackout")));
    assert_eq!(
        refusal(&store_start(&writer, "late", start(15, Beside::Nothing))),
        Some(StoreErrorKind::Overlaps)
    );
    let ended = change(head(ExecutionStatus::Success, 20));
    first.record(ended);
    super::await_commit(&writer, &first);
    assert_eq!(refusal(&store_start(&writer, "late", start(15, Beside::Nothing))), None);
    let ids = place.ids();
    assert_eq!(ids, ["first", "late"]);
    let rows: Vec<(Action, u64)> =
        decisions(&place).iter().map(|it| (it.action, it.count)).collect();
    assert_eq!(rows, [(Action::Started, 1), (Action::Missed, 4), (Action::Started, 1)]);
    assert_eq!(place.reader().overdue().unwrap().len(), 0, "a start ends what was missed");
}

pub(crate) fn times_without_a_start_collapse_and_the_oldest_rows_go<S: Store>() {
    let place = S::new();
    let writer = place.open();
    register(&writer, &[(SCHEDULE, "t")], at(0));
    for time in 1..=20 {
        assert!(decide(&writer, row(time, time, Action::Missed, "no_catch_up")));
    }
    let rows = decisions(&place);
    assert_eq!((rows.len(), rows[0].count, rows[0].scheduled_until), (1, 20, at(20)));
    let missed = &place.reader().overdue().unwrap()[0];
    assert_eq!((missed.kind, missed.count), (OverdueKind::Missed, 20));
    // Rows of others between them stay between them.
    assert!(decide(&writer, row(21, 21, Action::Queued, "overlap")));
    assert!(decide(&writer, row(22, 22, Action::Missed, "no_catch_up")));
    assert_eq!(decisions(&place).len(), 3);
    let all = i64::try_from(DECISIONS_MAX).unwrap();
    let many = (100..all + 200).map(|time| {
        let reason = if time % 2 == 0 { "overlap" } else { "paused" };
        row(time, time, Action::Skipped, reason)
    });
    let change = ScheduleChange::Decide {
        now: at(1_000_000),
        decisions: many.collect(),
        notify: Notified::new(),
    };
    writer.change_schedules(&change, PATIENCE).unwrap();
    let left = place.reader().decisions(None, None, u32::MAX).unwrap();
    assert_eq!(left.len() as u64, DECISIONS_MAX);
    // What waits is never forgotten.
    assert_eq!(known(&place, SCHEDULE).unwrap().waiting.len(), 1);
    // 400 days later.
    let late = 400 * 86_400 + all + 200;
    assert!(decide(&writer, row(late, late, Action::Skipped, "paused")));
    let left = place.reader().decisions(None, None, u32::MAX).unwrap();
    assert!((left.len() as u64) < DECISIONS_MAX, "{}", left.len());
}

pub(crate) fn a_clock_that_was_ahead_leaves_starts_alone<S: Store>() {
    let place = S::new();
    let writer = place.open();
    register(&writer, &[(SCHEDULE, "t")], at(0));
    assert!(decide(&writer, row(1, 4, Action::Missed, "no_catch_up")));
    assert_eq!(refusal(&store_start(&writer, "early", start(5, Beside::Anything))), None);
    assert!(decide(&writer, row(6, 90, Action::Missed, "no_catch_up")));
    assert_eq!(refusal(&store_start(&writer, "ahead", start(91, Beside::Anything))), None);
    assert!(decide(&writer, row(92, 92, Action::Skipped, "overlap")));
    let across = place.reader().decided_across(at(10)).unwrap().unwrap();
    assert_eq!(across.len(), 1);
    let trimmed = vec![Trimmed {
        workflow_id: WORKFLOW.to_owned(),
        schedule: SCHEDULE.to_owned(),
        scheduled_at: at(6),
        scheduled_until: at(10),
        count: 5,
    }];
    writer.change_schedules(&ScheduleChange::SetBack { now: at(10), trimmed }, PATIENCE).unwrap();
    assert_eq!(place.reader().decided_across(at(10)).unwrap(), None);
    let after = known(&place, SCHEDULE).unwrap();
    assert_eq!(after.decided_until, Some(at(10)));
    assert_eq!(after.decided_later.into_iter().collect::<Vec<_>>(), [at(91)]);
    let rows: Vec<(Action, u64)> =
        decisions(&place).iter().map(|it| (it.action, it.count)).collect();
    assert_eq!(
        rows,
        [(Action::Missed, 4), (Action::Started, 1), (Action::Missed, 5), (Action::Started, 1)]
    );
    assert!(decide(&writer, row(11, 90, Action::Missed, "no_catch_up")));
    let again = store_start(&writer, "again", start(91, Beside::Anything));
    assert_eq!(refusal(&again), Some(StoreErrorKind::Decided));
}

pub(crate) fn one_time_of_a_row_is_started_by_hand<S: Store>() {
    let place = S::new();
    let writer = place.open();
    register(&writer, &[(SCHEDULE, "t")], at(0));
    assert!(decide(&writer, row(1, 9, Action::Missed, "no_catch_up")));
    let by_hand = |time: i64, row: (i64, i64)| {
        let before = (time > row.0).then(|| (at(time - 1), u64::try_from(time - row.0).unwrap()));
        let after = (time < row.1).then(|| (at(time + 1), u64::try_from(row.1 - time).unwrap()));
        let split = Split { row: at(row.0), row_until: at(row.1), before, after };
        ScheduledStart { split: Some(split), ..start(time, Beside::ByHand) }
    };
    assert_eq!(refusal(&store_start(&writer, "five", by_hand(5, (1, 9)))), None);
    // Somebody else was faster: the row is another one.
    let late = store_start(&writer, "late", by_hand(6, (1, 9)));
    assert_eq!(refusal(&late), Some(StoreErrorKind::Decided));
    assert_eq!(refusal(&store_start(&writer, "one", by_hand(1, (1, 4)))), None);
    assert_eq!(refusal(&store_start(&writer, "nine", by_hand(9, (6, 9)))), None);
    let rows: Vec<(Timestamp, Action, u64)> =
        decisions(&place).iter().map(|it| (it.scheduled_at, it.action, it.count)).collect();
    assert_eq!(
        rows,
        [
            (at(1), Action::Started, 1),
            (at(2), Action::Missed, 3),
            (at(5), Action::Started, 1),
            (at(6), Action::Missed, 3),
            (at(9), Action::Started, 1)
        ]
    );
}

pub(crate) fn a_pause_takes_the_place_of_another_and_ends_once<S: Store>() {
    let place = S::new();
    let writer = place.open();
    let pause = |workflow_id: Option<&str>, from: i64, until: Option<i64>| {
        let pause = PauseRecord {
            workflow_id: workflow_id.map(str::to_owned),
            paused_at: at(from),
            paused_until: until.map(at),
            reason: None,
            paused_by: None,
            paused_address: None,
        };
        writer.change_schedules(&ScheduleChange::Pause(pause), PATIENCE).unwrap();
    };
    let resume = |workflow_id: Option<&str>, now: i64| {
        let workflow_id = workflow_id.map(str::to_owned);
        let change =
            ScheduleChange::Resume { workflow_id, requester: Requester::default(), now: at(now) };
        writer.change_schedules(&change, PATIENCE).unwrap().changed
    };
    pause(Some(WORKFLOW), 1, None);
    pause(None, 2, Some(100));
    pause(Some(WORKFLOW), 3, Some(50));
    let spans: Vec<_> = place
        .reader()
        .pauses(at(0))
        .unwrap()
        .into_iter()
        .map(|it| (it.workflow_id.is_some(), it.paused_at, it.paused_until))
        .collect();
    assert_eq!(
        spans,
        [(true, at(1), Some(at(3))), (false, at(2), Some(at(100))), (true, at(3), Some(at(50)))]
    );
    assert_eq!((resume(None, 4), resume(None, 5), resume(Some("x"), 5)), (1, 0, 0));
    assert_eq!(place.reader().pauses(at(10)).unwrap().len(), 1);
    assert_eq!(resume(Some(WORKFLOW), 60), 0, "it is over");
}

/// What waits lies between rows that are decided for good, and is not taken for one of them.
pub(crate) fn a_time_is_decided_where_a_row_reaches_it_whatever_waits_around_it<S: Store>() {
    let place = S::new();
    let writer = place.open();
    register(&writer, &[(SCHEDULE, "t")], at(0));
    assert!(decide(&writer, row(1, 4, Action::Missed, "no_catch_up")));
    for time in 5..=8 {
        assert!(decide(&writer, row(time, time, Action::Queued, "behind_others")));
    }
    assert!(decide(&writer, row(9, 12, Action::Skipped, "paused")));
    for time in 13..=16 {
        assert!(decide(&writer, row(time, time, Action::Deferred, "blackout")));
    }
    let skipped = |from, until| decide(&writer, row(from, until, Action::Skipped, "overlap"));
    for (from, until) in [(1, 1), (4, 4), (4, 5), (8, 9), (12, 12), (7, 20), (12, 16), (3, 30)] {
        assert!(!skipped(from, until), "{from} to {until}");
    }
    for time in [2, 4, 9, 11, 12] {
        assert!(!decide(&writer, row(time, time, Action::Queued, "overlap")), "{time}");
        let start = store_start(&writer, &format!("e{time}"), start(time, Beside::Anything));
        assert_eq!(refusal(&start), Some(StoreErrorKind::Decided), "{time}");
    }
    // What waits is decided in any order, each once.
    for time in [7, 5, 16, 13, 8] {
        assert!(skipped(time, time), "{time}");
        assert!(!skipped(time, time), "{time}");
    }
    let waiting: Vec<Timestamp> =
        known(&place, SCHEDULE).unwrap().waiting.iter().map(|it| it.scheduled_at).collect();
    assert_eq!(waiting, [at(6), at(14), at(15)]);
}

/// Where rows are too many, or too old, that goes which was decided earlier.
pub(crate) fn a_row_is_kept_at_least_until_the_next_one<S: Store>() {
    let place = S::new();
    let writer = place.open();
    register(&writer, &[(SCHEDULE, "t")], at(0));
    let rows = || decisions(&place).iter().map(|it| it.scheduled_at).collect::<Vec<_>>();
    let late = 401 * 86_400;
    let of_old = |time: i64, action: Action, reason: &str| DecisionRecord {
        decided_at: at(late),
        ..row(time, time, action, reason)
    };
    assert!(decide(&writer, of_old(1, Action::Missed, "no_catch_up")));
    assert_eq!(rows(), [at(1)], "it was decided just now");
    // What only waits makes no room.
    assert!(decide(&writer, of_old(2, Action::Queued, "behind_others")));
    assert_eq!(rows(), [at(1), at(2)]);
    assert!(decide(&writer, of_old(3, Action::Skipped, "paused")));
    assert_eq!(rows(), [at(2), at(3)]);
    let of_waiting = ScheduledStart { decided_at: at(late), ..start(2, Beside::Anything) };
    assert_eq!(refusal(&store_start(&writer, "old", of_waiting)), None);
    assert_eq!(rows()[0], at(2), "it was started just now");
}

fn overdue(kind: OverdueKind, scheduled_at: i64) -> OverdueRecord {
    OverdueRecord {
        workflow_id: WORKFLOW.to_owned(),
        kind,
        count: 1,
        raised_at: at(scheduled_at),
        schedule: Some(SCHEDULE.to_owned()),
        scheduled_at: Some(at(scheduled_at)),
        execution_id: None,
    }
}

fn raise(writer: &Writer, raised: OverdueRecord) {
    let (now, notify) = (raised.raised_at, Notified::new());
    let change = ScheduleChange::Overdue { now, raised: vec![raised], cleared: Vec::new(), notify };
    writer.change_schedules(&change, PATIENCE).unwrap();
}

/// How often each was noted, with what it is about.
fn open_of<S: Store>(place: &S) -> Vec<(OverdueKind, u64, Option<Timestamp>, Option<String>)> {
    let open = place.reader().overdue().unwrap().into_iter();
    open.map(|it| (it.kind, it.count, it.scheduled_at, it.execution_id)).collect()
}

pub(crate) fn an_expectation_that_several_daemons_note_is_noted_once<S: Store>() {
    let place = S::new();
    let (writer, other) = (place.open(), place.open());
    register(&writer, &[(SCHEDULE, "t")], at(0));
    raise(&writer, overdue(OverdueKind::Late, 10));
    raise(&other, overdue(OverdueKind::Late, 10));
    // It waited, and is an execution by now.
    let begun =
        OverdueRecord { execution_id: Some("e".to_owned()), ..overdue(OverdueKind::Late, 10) };
    raise(&other, begun);
    assert_eq!(open_of(&place), [(OverdueKind::Late, 1, Some(at(10)), None)]);
    raise(&other, overdue(OverdueKind::Late, 20));
    assert_eq!(open_of(&place), [(OverdueKind::Late, 2, Some(at(20)), None)]);
    // What no schedule started is known by its execution.
    let slow = |id: &str| OverdueRecord {
        schedule: None,
        scheduled_at: None,
        execution_id: Some(id.to_owned()),
        ..overdue(OverdueKind::Slow, 30)
    };
    for id in ["a", "a", "b", "b"] {
        raise(&writer, slow(id));
        raise(&other, slow(id));
    }
    let found = open_of(&place);
    let found: Vec<_> = found.iter().filter(|it| it.0 == OverdueKind::Slow).collect();
    assert_eq!(found, [&(OverdueKind::Slow, 2, None, Some("b".to_owned()))]);
}

/// A start that is stored in time may wait for its concurrency group, so it says nothing of that.
pub(crate) fn a_start_that_is_stored_ends_what_was_missed_and_not_what_is_late<S: Store>() {
    let place = S::new();
    let writer = place.open();
    register(&writer, &[(SCHEDULE, "t")], at(0));
    assert!(decide(&writer, row(1, 4, Action::Missed, "no_catch_up")));
    raise(&writer, overdue(OverdueKind::Late, 5));
    assert_eq!(open_of(&place).len(), 2);
    assert_eq!(refusal(&store_start(&writer, "e", start(6, Beside::Anything))), None);
    assert_eq!(open_of(&place), [(OverdueKind::Late, 1, Some(at(5)), None)]);
}

#[derive(Debug, Clone)]
enum Step {
    Row(i64, i64, bool),
    Wait(i64),
    Start(i64),
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        3 => (0..40_i64, 0..6_i64, any::<bool>())
            .prop_map(|(at, more, missed)| Step::Row(at, more, missed)),
        2 => (0..40_i64).prop_map(Step::Wait),
        4 => (0..40_i64).prop_map(Step::Start),
    ]
}

/// Whoever decides what in which order, the rows say of each time what was decided first, or what
/// came of it after it waited.
pub(crate) fn rows_are_those_of_a_model<S: Store>() {
    let steps = proptest::collection::vec((step(), any::<bool>()), 1..40);
    let mut runner = TestRunner::new(proptest::test_runner::Config {
        cases: 40,
        failure_persistence: None,
        ..Default::default()
    });
    let outcome = runner.run(&steps, |steps| {
        let place = S::new();
        let (one, other) = (place.open(), place.open());
        register(&one, &[(SCHEDULE, "t")], at(-1));
        let mut model: BTreeMap<i64, Action> = BTreeMap::new();
        let is_final = |model: &BTreeMap<i64, Action>, time: i64| {
            model.get(&time).is_some_and(|action| action.is_final())
        };
        for (number, (step, is_other)) in steps.iter().enumerate() {
            let writer = if *is_other { &other } else { &one };
            // A scheduler leaves no time out.
            let next = model.keys().max().map_or(0, |last| last + 1);
            match *step {
                Step::Row(from, more, is_missed) => {
                    let from = from.min(next);
                    let until = from + more;
                    let (action, reason) = match is_missed {
                        true => (Action::Missed, "no_catch_up"),
                        false => (Action::Skipped, "paused"),
                    };
                    let is_free = (from..=until).all(|time| !is_final(&model, time));
                    // A row over times that wait begins with one of them.
                    let has_waiting = (from + 1..=until).any(|time| model.contains_key(&time));
                    if is_free && has_waiting && !model.contains_key(&from) {
                        continue;
                    }
                    prop_assert_eq!(decide(writer, row(from, until, action, reason)), is_free);
                    if is_free {
                        model.extend((from..=until).map(|time| (time, action)));
                    }
                }
                Step::Wait(time) => {
                    let time = time.min(next);
                    let is_free = !is_final(&model, time);
                    let waits = row(time, time, Action::Queued, "overlap");
                    prop_assert_eq!(decide(writer, waits), is_free);
                    if is_free {
                        model.insert(time, Action::Queued);
                    }
                }
                Step::Start(time) => {
                    let time = time.min(next);
                    let is_free = !is_final(&model, time);
                    let id = format!("e{number}");
                    let pending = store_start(writer, &id, start(time, Beside::Anything));
                    prop_assert_eq!(refusal(&pending).is_none(), is_free);
                    if is_free {
                        model.insert(time, Action::Started);
                    }
                }
            }
        }
        let rows = decisions(&place);
        let mut stored: BTreeMap<i64, Action> = BTreeMap::new();
        for row in &rows {
            let second = |time: Timestamp| (time.as_micros() - at(0).as_micros()) / 1_000_000;
            let times = second(row.scheduled_at)..=second(row.scheduled_until);
            prop_assert_eq!(times.clone().count() as u64, row.count);
            for time in times {
                prop_assert_eq!(stored.insert(time, row.action), None, "{}", time);
            }
        }
        prop_assert_eq!(stored, model.clone());
        let known = known(&place, SCHEDULE).unwrap();
        prop_assert_eq!(known.decided_until, model.keys().max().map(|time| at(*time)));
        Ok(())
    });
    outcome.unwrap();
}
