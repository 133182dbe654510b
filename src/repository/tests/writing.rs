//! What the writer stores, and when.

use std::collections::BTreeMap;
use std::fs;
use std::sync::Arc;
use std::time::Duration;

use proptest::prelude::*;

use super::{
    Place, Retention, WriterOptions, at, await_commit, change, creation, ended, head, open,
    options, store, until,
};
use crate::repository::{Found, Health, ListFilter, PendingWrite, Reader, StoreErrorKind, Writer};
use crate::workflow::record::{
    Attempt, Captured, Change, ExecutionState, ExecutionStatus, StepState, StepStatus,
};
use crate::workflow::retention::{Chosen, PrunePolicy, plan};

fn pending(count: usize) -> Vec<Arc<PendingWrite>> {
    let pending: Vec<_> = (0..count).map(|n| PendingWrite::new(format!("e{n:05}"))).collect();
    for pending in &pending {
        pending.record(creation(3, head(ExecutionStatus::Success, 1)));
    }
    pending
}

fn ids(place: &Place) -> Vec<String> {
    let listing = Reader::open(&place.path).unwrap().list(&ListFilter::default(), 10_000, 0);
    listing.unwrap().items.into_iter().rev().map(|execution| execution.execution_id).collect()
}

#[test]
fn many_slots_are_stored_in_the_order_they_came() {
    let place = Place::new();
    let writer = open(&place.path);
    let pending = pending(2000);
    for pending in &pending {
        assert!(writer.enqueue(pending));
    }
    writer.close().unwrap();
    assert!(pending.iter().all(|pending| !pending.is_dirty()));
    assert_eq!(
        ids(&place),
        pending.iter().map(|s| s.execution_id().to_owned()).collect::<Vec<_>>()
    );
}

#[test]
fn what_waits_together_is_committed_together() {
    let place = Place::new();
    let writer = open(&place.path);
    let holder = place.raw();
    holder.execute_batch("BEGIN IMMEDIATE").unwrap();
    let pending = pending(400);
    assert!(writer.enqueue(&pending[0]));
    until("the writer waits for the lock", || writer.queue_depth() == 0);
    for pending in &pending[1..] {
        assert!(writer.enqueue(pending));
    }
    holder.execute_batch("COMMIT").unwrap();
    // Whoever sees one of the rest sees all of them.
    let mut seen = 0;
    until("all are stored", || {
        seen = ids(&place).len();
        assert!([0, 1, 400].contains(&seen), "{seen} stored");
        seen == 400
    });
    writer.close().unwrap();
}

#[test]
fn alerts_that_were_sent_wait_for_others_and_hold_nothing_up() {
    let place = Place::new();
    let writer = open(&place.path);
    let sent = || Reader::open(&place.path).unwrap().sent_alerts().unwrap();
    assert!(sent().is_empty());
    let holder = place.raw();
    holder.execute_batch("BEGIN IMMEDIATE").unwrap();
    writer.alert_sent("fast", at(1));
    writer.alert_sent("slow", at(2));
    writer.alert_sent("fast", at(3));
    // It is done with them, and they are not stored.
    assert_eq!(writer.last_detail("none").unwrap(), None);
    assert!(sent().is_empty());
    holder.execute_batch("COMMIT").unwrap();
    let _ = writer.close();

    let writer = open(&place.path);
    holder.execute_batch("BEGIN IMMEDIATE").unwrap();
    writer.alert_sent("fast", at(1));
    writer.alert_sent("slow", at(2));
    writer.alert_sent("fast", at(3));
    holder.execute_batch("COMMIT").unwrap();
    let expected = [("fast".to_owned(), at(3)), ("slow".to_owned(), at(2))];
    until("they are stored", || sent().into_iter().eq(expected.clone()));
    writer.close().unwrap();
}

#[test]
fn a_full_queue_refuses_and_loses_nothing() {
    let place = Place::new();
    let writer =
        Writer::open(&place.path, WriterOptions { queue_capacity: 8, ..options() }).unwrap();
    let holder = place.raw();
    holder.execute_batch("BEGIN IMMEDIATE").unwrap();
    let pending = pending(100);
    assert!(writer.enqueue(&pending[0]));
    until("the writer waits for the lock", || writer.queue_depth() == 0);
    let taken = pending[1..].iter().filter(|pending| writer.enqueue(pending)).count();
    assert_eq!(taken, 8);
    assert!(writer.enqueue(&pending[1]), "it waits already");
    assert!(pending.iter().all(|pending| pending.is_dirty()));
    holder.execute_batch("COMMIT").unwrap();
    until("all are stored", || {
        pending.iter().all(|pending| !pending.is_dirty() || !writer.enqueue(pending))
    });
    for pending in &pending {
        await_commit(&writer, pending);
    }
    assert_eq!(ids(&place).len(), 100);
    writer.close().unwrap();
}

#[test]
fn one_refused_item_spoils_nothing_else() {
    let place = Place::new();
    let writer = open(&place.path);
    store(&writer, "there", ExecutionStatus::Success, 1);
    let holder = place.raw();
    holder.execute_batch("BEGIN IMMEDIATE").unwrap();
    let mut pending = pending(5);
    pending[2] = PendingWrite::new("there".to_owned());
    pending[2].record(creation(1, head(ExecutionStatus::Failed, 2)));
    pending[3] = PendingWrite::new("unknown".to_owned());
    pending[3].record(change(head(ExecutionStatus::Failed, 2)));
    for pending in &pending {
        assert!(writer.enqueue(pending));
    }
    holder.execute_batch("COMMIT").unwrap();
    for (index, pending) in pending.iter().enumerate() {
        await_commit(&writer, pending);
        let refused = pending.stored().borrow().refused.clone();
        assert_eq!(refused.is_some(), index == 2 || index == 3, "{refused:?}");
    }
    assert!(matches!(*writer.health().borrow(), Health::Working));
    writer.close().unwrap();
    assert_eq!(ids(&place), ["there", "e00000", "e00001", "e00004"]);
}

#[test]
fn what_has_ended_never_changes() {
    let place = Place::new();
    let writer = open(&place.path);
    for (index, end) in ExecutionStatus::ALL.into_iter().filter(|s| s.is_terminal()).enumerate() {
        let id = format!("e{index}");
        store(&writer, &id, end, 5);
        let stored = || Reader::open(&place.path).unwrap().detail(&id).unwrap();
        let first = stored();
        for other in ExecutionStatus::ALL {
            let before = stored();
            let pending = PendingWrite::new(id.clone());
            let mut later = change(head(other, 9));
            later.steps.insert(0, ended(StepStatus::Success));
            pending.record(later);
            await_commit(&writer, &pending);
            let refused = pending.stored().borrow().refused.is_some();
            assert_eq!(refused, other != end, "{end} to {other}");
            if refused {
                assert_eq!(stored(), before);
            }
        }
        let after = stored().unwrap();
        assert_eq!(Some(after.execution), first.map(|first| first.execution));
    }
    // Steps alike.
    let pending = PendingWrite::new("steps".to_owned());
    let mut first = creation(1, head(ExecutionStatus::Running, 1));
    first.steps.insert(0, ended(StepStatus::Failed));
    pending.record(first);
    await_commit(&writer, &pending);
    let mut second = change(head(ExecutionStatus::Running, 2));
    second.steps.insert(0, ended(StepStatus::Success));
    pending.record(second);
    await_commit(&writer, &pending);
    assert_eq!(pending.stored().borrow().refused.as_ref().unwrap().kind(), StoreErrorKind::Refused);
    let stored = Reader::open(&place.path).unwrap().detail("steps").unwrap().unwrap();
    assert_eq!(stored.steps[0].status, StepStatus::Failed);
}

#[test]
fn retention_keeps_those_that_completed_last_and_all_unfinished() {
    let place = Place::new();
    let mut options = WriterOptions { retention: Retention::Given(Some(3)), ..options() };
    let writer = Writer::open(&place.path, options.clone()).unwrap();
    store(&writer, "pending", ExecutionStatus::Pending, 0);
    store(&writer, "running", ExecutionStatus::Running, 0);
    for second in [5, 1, 4, 2, 3, 9, 8] {
        store(&writer, &format!("at-{second}"), ExecutionStatus::Failed, second);
    }
    writer.close().unwrap();
    // Those that completed last stay, even where the clock was behind.
    assert_eq!(ids(&place), ["pending", "running", "at-3", "at-9", "at-8"]);

    // More than one transaction deletes.
    options.retention = Retention::Given(None);
    let writer = Writer::open(&place.path, options.clone()).unwrap();
    let pending = pending(1500);
    for pending in &pending {
        assert!(writer.enqueue(pending));
    }
    writer.close().unwrap();
    options.retention = Retention::Given(Some(2));
    let writer = Writer::open(&place.path, options.clone()).unwrap();
    store(&writer, "last", ExecutionStatus::Success, 20);
    writer.close().unwrap();
    assert_eq!(ids(&place), ["pending", "running", "e01499", "last"]);
    let rest: i64 = place
        .raw()
        .query_row(
            "SELECT count(*) FROM workflow_execution_steps
             WHERE seq NOT IN (SELECT seq FROM workflow_executions)",
            [],
            |row| row.get(0),
        )
        .unwrap();
    assert_eq!(rest, 0);
}

#[test]
fn purging_gives_space_back_and_leaves_what_is_not_finished() {
    let place = Place::new();
    let writer = open(&place.path);
    store(&writer, "running", ExecutionStatus::Running, 0);
    let pending: Vec<_> = (0..1200).map(|n| PendingWrite::new(format!("e{n}"))).collect();
    for pending in &pending {
        let mut big = creation(1, head(ExecutionStatus::Success, 1));
        big.steps.insert(0, ended(StepStatus::Success));
        big.attempts.push(attempt(0, 1, &"x".repeat(4000)));
        pending.record(big);
        assert!(writer.enqueue(pending));
    }
    for pending in &pending {
        await_commit(&writer, pending);
    }
    let finished = Reader::open(&place.path).unwrap().finished().unwrap();
    let mut all = plan(&PrunePolicy { all: true, ..PrunePolicy::default() }, &finished, at(99));
    let running = Reader::open(&place.path).unwrap().resolve("running").unwrap().unwrap();
    let Found { seq, execution_id } = running;
    all.chosen.push(Chosen { seq, execution_id: execution_id.into() });
    let mut told = Vec::new();
    let purged = writer.purge(&all, &mut |deleted| told.push(deleted)).unwrap();
    assert_eq!(purged.executions, 1200);
    assert!(purged.freed_bytes > 4_000_000, "{purged:?}");
    assert_eq!(told, [512, 1024, 1200]);
    assert!(fs::metadata(&place.path).unwrap().len() < 200_000);
    assert_eq!(ids(&place), ["running"]);
    writer.close().unwrap();
}

#[test]
fn a_number_given_out_again_leads_to_no_other_execution() {
    let place = Place::new();
    let writer = open(&place.path);
    store(&writer, "kept", ExecutionStatus::Success, 1);
    let pending = store(&writer, "lost", ExecutionStatus::Running, 0);
    let finished = Reader::open(&place.path).unwrap().finished().unwrap();
    let mut planned = plan(&PrunePolicy { all: true, ..PrunePolicy::default() }, &finished, at(99));
    // What restoring an older copy does: the row is gone, and so is the memory of its number.
    place
        .raw()
        .execute_batch(
            "DELETE FROM workflow_executions WHERE execution_id = 'lost';
             UPDATE sqlite_sequence SET seq = 1 WHERE name = 'workflow_executions'",
        )
        .unwrap();
    store(&writer, "other", ExecutionStatus::Running, 0);
    let mut end = change(head(ExecutionStatus::Failed, 5));
    end.steps.insert(0, ended(StepStatus::Failed));
    end.attempts.push(attempt(0, 1, "of the lost one"));
    pending.record(end);
    assert!(writer.enqueue(&pending));
    until("it is refused", || pending.stored().borrow().refused.is_some());
    let reader = Reader::open(&place.path).unwrap();
    let other = reader.detail("other").unwrap().unwrap();
    assert_eq!((other.execution.seq, other.execution.status), (Some(2), ExecutionStatus::Running));
    assert_eq!(other.steps[0].status, StepStatus::Pending);
    assert_eq!(reader.attempts("other").unwrap().len(), 0);
    // Nor does a purge that was planned before.
    planned.chosen[0] = Chosen { seq: 1, execution_id: "lost".into() };
    assert_eq!(writer.purge(&planned, &mut |_| {}).unwrap().executions, 0);
    assert_eq!(ids(&place), ["kept", "other"]);
    writer.close().unwrap();
}

/// An execution `after` that the writer cannot store, since it fails in this way.
fn left_dirty(writer: &Writer, kind: StoreErrorKind) -> Arc<PendingWrite> {
    let pending = PendingWrite::new("after".to_owned());
    pending.record(creation(1, head(ExecutionStatus::Success, 2)));
    assert!(writer.enqueue(&pending));
    let health = writer.health();
    let fails = || matches!(&*health.borrow(), Health::Failing { error } if error.kind() == kind);
    until("the writer fails", fails);
    assert!(pending.is_dirty());
    pending
}

#[test]
fn a_database_deleted_under_the_writer_is_told() {
    let place = Place::new();
    let writer = open(&place.path);
    store(&writer, "before", ExecutionStatus::Success, 1);
    let aside = place.beside(".aside");
    fs::rename(&place.path, &aside).unwrap();
    let pending = left_dirty(&writer, StoreErrorKind::Gone);
    fs::rename(&aside, &place.path).unwrap();
    await_commit(&writer, &pending);
    assert!(matches!(*writer.health().borrow(), Health::Working));
    assert_eq!(ids(&place), ["before", "after"]);
    // Closing tells what could not be stored.
    fs::remove_file(&place.path).unwrap();
    let lost = PendingWrite::new("lost".to_owned());
    lost.record(creation(1, head(ExecutionStatus::Success, 3)));
    assert!(writer.enqueue(&lost));
    assert_eq!(writer.close().unwrap_err().kind(), StoreErrorKind::Gone);
    assert!(lost.is_dirty());
}

#[test]
fn another_database_in_its_place_is_left_alone() {
    let place = Place::new();
    let writer = open(&place.path);
    store(&writer, "before", ExecutionStatus::Success, 1);
    let other = Place::new();
    open(&other.path).close().unwrap();
    fs::rename(&other.path, &place.path).unwrap();
    let content = fs::read(&place.path).unwrap();
    left_dirty(&writer, StoreErrorKind::Gone);
    assert_eq!(fs::read(&place.path).unwrap(), content);
    assert!(writer.close().is_err());
}

#[test]
fn a_locked_database_is_told_and_tried_again() {
    let place = Place::new();
    let hurried = WriterOptions { busy_timeout: Duration::from_millis(30), ..options() };
    let writer = Writer::open(&place.path, hurried).unwrap();
    let holder = place.raw();
    holder.execute_batch("BEGIN IMMEDIATE").unwrap();
    let pending = PendingWrite::new("e".to_owned());
    pending.record(creation(1, head(ExecutionStatus::Running, 1)));
    assert!(writer.enqueue(&pending));
    let health = writer.health();
    until(
        "the writer fails",
        || matches!(&*health.borrow(), Health::Failing { error } if error.kind() == StoreErrorKind::Locked),
    );
    // What is recorded meanwhile goes along.
    pending.record(change(head(ExecutionStatus::Success, 2)));
    assert!(writer.enqueue(&pending));
    holder.execute_batch("COMMIT").unwrap();
    await_commit(&writer, &pending);
    let detail = Reader::open(&place.path).unwrap().detail("e").unwrap().unwrap();
    assert_eq!(detail.execution.status, ExecutionStatus::Success);
    writer.close().unwrap();
}

#[test]
fn readers_read_while_the_writer_writes() {
    let place = Place::new();
    let writer = open(&place.path);
    store(&writer, "first", ExecutionStatus::Success, 1);
    let pending = pending(3000);
    std::thread::scope(|scope| {
        let reading = scope.spawn(|| {
            let reader = Reader::open(&place.path).unwrap();
            let mut seen = 0;
            while seen < 3001 {
                let listing = reader.list(&ListFilter::default(), 10_000, 0).unwrap();
                assert_eq!(listing.total, listing.items.len() as u64);
                assert!(listing.total >= seen);
                seen = listing.total;
            }
        });
        for pending in &pending {
            assert!(writer.enqueue(pending));
        }
        reading.join().unwrap();
    });
    writer.close().unwrap();
}

fn attempt(position: u32, number: u32, output: &str) -> Attempt {
    Attempt {
        position,
        attempt: number,
        status: StepStatus::Failed,
        started_at: at(1),
        completed_at: at(2),
        duration_ms: 1000,
        exit_code: Some(1),
        error: Some("exit status 1".to_owned()),
        stdout: Captured { text: output.to_owned(), total_bytes: output.len() as u64 },
        stderr: Captured::default(),
    }
}

/// What happens next to an execution.
#[derive(Debug, Clone)]
enum Event {
    /// A step starts or, if it runs, ends so.
    Step(u32, StepStatus),
    /// An attempt of a running step ends and another one starts.
    Retry(u32),
    /// The head changes without a step.
    ExecutionState,
    Enqueue,
    /// The writer gets to store what there is.
    AwaitCommit,
}

const STEPS: u32 = 4;

fn event() -> impl Strategy<Value = Event> {
    let end = prop::sample::select(vec![
        StepStatus::Success,
        StepStatus::Failed,
        StepStatus::Skipped,
        StepStatus::Cancelled,
        StepStatus::Interrupted,
    ]);
    prop_oneof![
        6 => (0..STEPS, end).prop_map(|(step, end)| Event::Step(step, end)),
        3 => (0..STEPS).prop_map(Event::Retry),
        1 => Just(Event::ExecutionState),
        3 => Just(Event::Enqueue),
        1 => Just(Event::AwaitCommit),
    ]
}

/// An execution in memory.
struct Model {
    head: ExecutionState,
    steps: Vec<StepState>,
    attempts: Vec<Attempt>,
}

impl Model {
    /// Applies an event; what is to be recorded of it.
    fn apply(&mut self, event: &Event, second: i64) -> Option<Change> {
        let mut attempts = Vec::new();
        let step = match *event {
            Event::Step(position, end) => {
                let step = &mut self.steps[position as usize];
                match step.status {
                    StepStatus::Pending => {
                        *step = StepState {
                            status: StepStatus::Running,
                            started_at: Some(at(second)),
                            attempt: 1,
                            ..StepState::default()
                        };
                    }
                    StepStatus::Running => {
                        step.status = end;
                        step.completed_at = Some(at(second));
                        step.duration_ms = Some(7);
                        step.exit_code = Some(i32::try_from(second % 256).unwrap());
                        step.outputs.insert("key".to_owned(), format!("it's \"{second}\"\n"));
                        self.head.steps_completed += 1;
                    }
                    _ => return None,
                }
                Some(position)
            }
            Event::Retry(position) => {
                let step = &mut self.steps[position as usize];
                if step.status != StepStatus::Running {
                    return None;
                }
                attempts.push(attempt(position, step.attempt, "out"));
                step.attempt += 1;
                Some(position)
            }
            Event::ExecutionState => None,
            Event::Enqueue | Event::AwaitCommit => return None,
        };
        self.head.updated_at = at(second);
        self.attempts.extend(attempts.iter().cloned());
        let steps = step.map(|at| (at, self.steps[at as usize].clone()));
        Some(Change {
            head: self.head.clone(),
            created: None,
            steps: BTreeMap::from_iter(steps),
            attempts,
        })
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, ..ProptestConfig::default() })]

    #[test]
    fn coalesced_writes_end_equal_to_the_state_in_memory(
        executions in prop::collection::vec(prop::collection::vec(event(), 0..40), 1..6),
    ) {
        let place = Place::new();
        let writer =
            Writer::open(&place.path, WriterOptions { queue_capacity: 2, ..options() }).unwrap();
        let mut models = Vec::new();
        for (index, events) in executions.iter().enumerate() {
            let mut model = Model {
                head: head(ExecutionStatus::Running, 0),
                steps: vec![StepState::default(); STEPS as usize],
                attempts: Vec::new(),
            };
            let pending = PendingWrite::new(format!("e{index}"));
            pending.record(creation(STEPS as usize, model.head.clone()));
            for (second, event) in (1..).zip(events) {
                if let Some(change) = model.apply(event, second) {
                    pending.record(change);
                }
                match event {
                    // Full or not, nothing may be lost.
                    Event::Enqueue => { let _ = writer.enqueue(&pending); }
                    Event::AwaitCommit => await_commit(&writer, &pending),
                    _ => {}
                }
            }
            model.head = ExecutionState { steps_completed: model.head.steps_completed, ..head(ExecutionStatus::Failed, 50) };
            pending.record(change(model.head.clone()));
            models.push((pending, model));
        }
        for (pending, _) in &models {
            await_commit(&writer, pending);
        }
        let reader = Reader::open(&place.path).unwrap();
        for (pending, model) in &models {
            prop_assert!(pending.stored().borrow().refused.is_none());
            let stored = reader.detail(pending.execution_id()).unwrap().unwrap();
            let mut wanted = ExecutionState { owner: None, ..model.head.clone() };
            wanted.error = stored.execution.error.clone();
            let execution = stored.execution;
            prop_assert_eq!(ExecutionState {
                status: execution.status,
                started_at: execution.started_at,
                completed_at: execution.completed_at,
                updated_at: execution.updated_at.unwrap(),
                steps_completed: execution.steps_completed,
                error: execution.error,
                owner: execution.owner,
            }, wanted);
            let steps: Vec<StepState> = stored.steps.into_iter().map(StepState::from).collect();
            prop_assert_eq!(&steps, &model.steps);
            let mut attempts = model.attempts.clone();
            attempts.sort_by_key(|attempt| (attempt.position, attempt.attempt));
            prop_assert_eq!(reader.attempts(pending.execution_id()).unwrap(), attempts);
        }
        writer.close().unwrap();
    }
}
