//! What the writer stores, and when.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use proptest::prelude::*;
use proptest::test_runner::TestRunner;

use super::{
    Store, at, attempt, await_commit, change, created, creation, ended, head, options, pending,
    store, store_change, until,
};
use crate::repository::{Health, PendingWrite, StoreErrorKind, WriterOptions};
use crate::workflow::handler::HandlerKind;
use crate::workflow::record::{
    Attempt, Captured, Change, Created, ExecutionState, ExecutionStatus, HandlerState, Reuse,
    SkipReason, StepState, StepStatus,
};
use crate::workflow::trigger::{Trigger, TriggerKind};

pub(crate) fn many_pending_writes_are_stored_in_the_order_they_came<S: Store>() {
    let place = S::new();
    let writer = place.open();
    let pending = pending(2000);
    for pending in &pending {
        assert!(writer.enqueue(pending));
    }
    writer.close().unwrap();
    assert!(pending.iter().all(|pending| !pending.is_dirty()));
    assert_eq!(
        place.ids(),
        pending.iter().map(|s| s.execution_id().to_owned()).collect::<Vec<_>>()
    );
}

pub(crate) fn what_waits_together_is_committed_together<S: Store>() {
    let place = S::new();
    let writer = place.open();
    let hold = place.hold();
    let pending = pending(400);
    assert!(writer.enqueue(&pending[0]));
    until("the writer waits for the lock", || writer.queue_depth() == 0);
    for pending in &pending[1..] {
        assert!(writer.enqueue(pending));
    }
    drop(hold);
    // Whoever sees one of the rest sees all of them.
    let mut seen = 0;
    until("all are stored", || {
        seen = place.ids().len();
        assert!([0, 1, 400].contains(&seen), "{seen} stored");
        seen == 400
    });
    writer.close().unwrap();
}

pub(crate) fn nothing_is_acknowledged_before_its_commit<S: Store>() {
    let place = S::new();
    let writer = place.open();
    store(&writer, "before", ExecutionStatus::Success, 1);
    let hold = place.hold();
    let pending = PendingWrite::new("e".to_owned());
    pending.record(creation(1, head(ExecutionStatus::Running, 1)));
    assert!(writer.enqueue(&pending));
    until("the writer waits for the lock", || writer.queue_depth() == 0);
    assert!(pending.is_dirty() && pending.stored().borrow().version == 0);
    assert_eq!(place.ids(), ["before"]);
    drop(hold);
    // Whoever is told finds it, over a connection of its own.
    until("it is acknowledged", || !pending.is_dirty());
    assert_eq!(place.ids(), ["before", "e"]);
    let version = pending.record(change(head(ExecutionStatus::Success, 2)));
    assert!(writer.enqueue(&pending));
    until("it is acknowledged", || pending.stored().borrow().version == version);
    let stored = place.reader().execution("e").unwrap().unwrap();
    assert_eq!(stored.status, ExecutionStatus::Success);
    assert_eq!(pending.stored().borrow().seq, stored.seq);
    writer.close().unwrap();
}

pub(crate) fn every_value_is_read_back_as_it_was_stored<S: Store>() {
    let place = S::new();
    let writer = place.open();
    let text = "\u{0}\u{1b}[31m \"quoted\" 'it' \\ \u{1f600}\r\n\t";
    for (index, status) in ExecutionStatus::ALL.into_iter().enumerate() {
        let id = format!("e{index}");
        let created = Created {
            workflow_id: format!("w {text}"),
            replay_of: (index % 2 == 1).then(|| format!("e{}", index - 1)),
            trigger: TriggerKind::ALL.get(index).map(|&kind| Trigger {
                kind,
                by: (index % 2 == 1).then(|| text.to_owned()),
                address: (index % 2 == 1).then(|| text.to_owned()),
                schedule: (kind == TriggerKind::Schedule).then(|| text.to_owned()),
                scheduled_at: (kind == TriggerKind::Schedule).then(|| at(9)),
            }),
            input_snapshot: r#"{"n": 1.10, "t": "\u0000"}"#.to_owned(),
            ..created(StepStatus::ALL.len())
        };
        let created = Arc::new(created);
        let ExecutionState { completed_at, .. } = head(status, 7);
        let head = ExecutionState {
            completed_at,
            steps_completed: 5,
            error: Some(text.to_owned()),
            owner: Some(format!("exec-1-{index}")),
            ..head(status, 7)
        };
        // What a reused step wrote is stored with another execution.
        let is_reused = |status| status == StepStatus::Skipped && index % 2 == 1;
        let steps: BTreeMap<u32, StepState> = (0..)
            .zip(StepStatus::ALL)
            .map(|(position, status)| {
                let state = StepState {
                    reused: is_reused(status).then(|| {
                        Arc::new(Reuse {
                            execution_id: text.to_owned(),
                            seq: Some(i64::MAX),
                            position: Some(7),
                        })
                    }),
                    status,
                    started_at: (status != StepStatus::Pending).then(|| at(1)),
                    completed_at: status.is_terminal().then(|| at(2)),
                    duration_ms: status.is_terminal().then_some(u64::from(u32::MAX) + 1),
                    attempt: u32::from(status != StepStatus::Pending),
                    exit_code: (status == StepStatus::Failed).then_some(-9),
                    error: (status == StepStatus::Failed).then(|| text.to_owned()),
                    skip_reason: (status == StepStatus::Skipped)
                        .then(|| SkipReason::ALL[index % SkipReason::ALL.len()]),
                    outputs: [("z".to_owned(), text.to_owned()), ("a".to_owned(), String::new())]
                        .into_iter()
                        .collect(),
                };
                (position, state)
            })
            .collect();
        let attempts: Vec<Attempt> = (0..)
            .zip(StepStatus::ALL)
            .filter(|(_, status)| status.is_terminal() && !is_reused(*status))
            .map(|(position, status)| Attempt {
                status,
                stderr: Captured { text: text.to_owned(), total_bytes: 1 << 40 },
                ..attempt(position, 1, "")
            })
            .collect();
        let change = Change {
            head: head.clone(),
            created: Some(Arc::clone(&created)),
            steps: steps.clone(),
            handlers: BTreeMap::new(),
            attempts: attempts.clone(),
            events: None,
        };
        let pending = store_change(&writer, &id, change);
        assert!(pending.stored().borrow().refused.is_none(), "{:?}", pending.stored().borrow());

        let reader = place.reader();
        let detail = reader.detail(&id).unwrap().unwrap();
        let execution = detail.execution;
        assert_eq!(Some(execution.clone()), reader.execution(&id).unwrap());
        assert_eq!(execution.execution_id, id);
        assert_eq!(execution.workflow_id, created.workflow_id);
        assert_eq!(execution.created_at, Some(created.created_at));
        assert_eq!(execution.replay_of, created.replay_of);
        assert_eq!(execution.step_order, *created.step_order);
        assert_eq!(execution.input_snapshot.as_str(), created.input_snapshot);
        assert_eq!(execution.total_steps as usize, StepStatus::ALL.len());
        assert!(execution.persisted);
        // Whoever ran one that has ended is forgotten.
        let owner = head.owner.clone().filter(|_| !status.is_terminal());
        let stored = ExecutionState {
            status: execution.status,
            started_at: execution.started_at,
            completed_at: execution.completed_at,
            updated_at: execution.updated_at.unwrap(),
            steps_completed: execution.steps_completed,
            steps_failed: execution.steps_failed,
            steps_skipped: execution.steps_skipped,
            error: execution.error,
            outcome: head.outcome,
            owner: execution.owner,
        };
        assert_eq!(stored, ExecutionState { owner, ..head });
        for step in &detail.steps {
            let position = step.position as usize;
            assert_eq!(step.name, created.step_order[position]);
            assert_eq!(step.depends_on, created.depends_on[position]);
            let last = attempts.iter().find(|attempt| attempt.position == step.position);
            let stderr = last.map_or((String::new(), 0), |attempt| {
                (attempt.stderr.text.clone(), attempt.stderr.total_bytes)
            });
            assert_eq!((step.stderr.clone(), step.stderr_bytes), stderr);
        }
        let stored: Vec<StepState> = detail.steps.into_iter().map(StepState::from).collect();
        assert_eq!(stored, steps.into_values().collect::<Vec<_>>());
        assert_eq!(reader.attempts(&id).unwrap(), attempts);
    }
    writer.close().unwrap();
}

pub(crate) fn a_full_queue_refuses_and_loses_nothing<S: Store>() {
    let place = S::new();
    let writer = place.open_with(WriterOptions { queue_capacity: 8, ..options() }).unwrap();
    let hold = place.hold();
    let pending = pending(100);
    assert!(writer.enqueue(&pending[0]));
    until("the writer waits for the lock", || writer.queue_depth() == 0);
    let taken = pending[1..].iter().filter(|pending| writer.enqueue(pending)).count();
    assert_eq!(taken, 8);
    assert!(writer.enqueue(&pending[1]), "it waits already");
    assert!(pending.iter().all(|pending| pending.is_dirty()));
    drop(hold);
    until("all are stored", || {
        pending.iter().all(|pending| !pending.is_dirty() || !writer.enqueue(pending))
    });
    for pending in &pending {
        await_commit(&writer, pending);
    }
    assert_eq!(place.ids().len(), 100);
    writer.close().unwrap();
}

pub(crate) fn one_refused_item_spoils_nothing_else<S: Store>() {
    let place = S::new();
    let writer = place.open();
    store(&writer, "there", ExecutionStatus::Success, 1);
    let hold = place.hold();
    let mut pending = pending(5);
    pending[2] = PendingWrite::new("there".to_owned());
    pending[2].record(creation(1, head(ExecutionStatus::Failed, 2)));
    pending[3] = PendingWrite::new("unknown".to_owned());
    pending[3].record(change(head(ExecutionStatus::Failed, 2)));
    for pending in &pending {
        assert!(writer.enqueue(pending));
    }
    drop(hold);
    for (index, pending) in pending.iter().enumerate() {
        await_commit(&writer, pending);
        let refused = pending.stored().borrow().refused.clone();
        assert_eq!(refused.is_some(), index == 2 || index == 3, "{refused:?}");
    }
    assert!(matches!(*writer.health().borrow(), Health::Working));
    writer.close().unwrap();
    assert_eq!(place.ids(), ["there", "e00000", "e00001", "e00004"]);
}

pub(crate) fn what_has_ended_never_changes<S: Store>() {
    let place = S::new();
    let writer = place.open();
    for (index, end) in ExecutionStatus::ALL.into_iter().filter(|s| s.is_terminal()).enumerate() {
        let id = format!("e{index}");
        store(&writer, &id, end, 5);
        let stored = || place.reader().detail(&id).unwrap();
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
    let stored = place.reader().detail("steps").unwrap().unwrap();
    assert_eq!(stored.steps[0].status, StepStatus::Failed);
}

pub(crate) fn a_store_that_others_hold_is_reported_and_tried_again<S: Store>() {
    let place = S::new();
    let hurried = WriterOptions { busy_timeout: Duration::from_millis(30), ..options() };
    let writer = place.open_with(hurried).unwrap();
    let hold = place.hold();
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
    drop(hold);
    await_commit(&writer, &pending);
    let detail = place.reader().detail("e").unwrap().unwrap();
    assert_eq!(detail.execution.status, ExecutionStatus::Success);
    writer.close().unwrap();
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
            handlers: BTreeMap::new(),
            attempts,
            events: None,
        })
    }
}

/// Runs executions through events, coalesced at random, and compares what is stored.
fn check_coalesced<S: Store>(executions: &[Vec<Event>]) {
    let place = S::new();
    let writer = place.open_with(WriterOptions { queue_capacity: 2, ..options() }).unwrap();
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
                Event::Enqueue => {
                    let _ = writer.enqueue(&pending);
                }
                Event::AwaitCommit => await_commit(&writer, &pending),
                _ => {}
            }
        }
        model.head = ExecutionState {
            steps_completed: model.head.steps_completed,
            ..head(ExecutionStatus::Failed, 50)
        };
        pending.record(change(model.head.clone()));
        models.push((pending, model));
    }
    for (pending, _) in &models {
        await_commit(&writer, pending);
    }
    let reader = place.reader();
    for (pending, model) in &models {
        assert!(pending.stored().borrow().refused.is_none());
        let stored = reader.detail(pending.execution_id()).unwrap().unwrap();
        let mut wanted = ExecutionState { owner: None, ..model.head.clone() };
        wanted.error = stored.execution.error.clone();
        let execution = stored.execution;
        assert_eq!(
            ExecutionState {
                status: execution.status,
                started_at: execution.started_at,
                completed_at: execution.completed_at,
                updated_at: execution.updated_at.unwrap(),
                steps_completed: execution.steps_completed,
                steps_failed: execution.steps_failed,
                steps_skipped: execution.steps_skipped,
                error: execution.error,
                outcome: None,
                owner: execution.owner,
            },
            wanted
        );
        let steps: Vec<StepState> = stored.steps.into_iter().map(StepState::from).collect();
        assert_eq!(&steps, &model.steps);
        let mut attempts = model.attempts.clone();
        attempts.sort_by_key(|attempt| (attempt.position, attempt.attempt));
        assert_eq!(reader.attempts(pending.execution_id()).unwrap(), attempts);
    }
    writer.close().unwrap();
}

pub(crate) fn coalesced_writes_end_equal_to_the_state_in_memory<S: Store>() {
    let executions = prop::collection::vec(prop::collection::vec(event(), 0..40), 1..6);
    let mut runner = TestRunner::new(ProptestConfig { cases: 48, ..ProptestConfig::default() });
    runner
        .run(&executions, |executions| {
            check_coalesced::<S>(&executions);
            Ok(())
        })
        .unwrap();
}

pub(crate) fn handlers_are_stored_beside_steps_and_no_outcome_changes<S: Store>() {
    let place = S::new();
    let writer = place.open();
    let outcome = Some(ExecutionStatus::Failed);
    let running = ExecutionState { outcome, ..head(ExecutionStatus::Running, 1) };
    let handler = |status, attempt, text: &str| HandlerState {
        on: HandlerKind::Failure,
        name: "tidy".to_owned(),
        state: StepState {
            status,
            attempt,
            started_at: Some(at(1)),
            error: Some(text.to_owned()),
            outputs: [("k".to_owned(), text.to_owned())].into_iter().collect(),
            ..StepState::default()
        },
    };
    let mut first = creation(2, running.clone());
    first.handlers.insert(2, handler(StepStatus::Running, 1, "\u{1b} first"));
    let pending = store_change(&writer, "e", first.clone());
    assert!(pending.stored().borrow().refused.is_none(), "{:?}", pending.stored().borrow());
    let stored = || place.reader().detail("e").unwrap().unwrap();
    assert_eq!(stored().execution.outcome, outcome);
    assert_eq!((stored().steps.len(), stored().execution.total_steps), (2, 2));
    let of = |change: &Change| {
        let handlers = change.handlers.values().map(|handler| handler.state.clone());
        handlers.collect::<Vec<_>>()
    };
    let states = || {
        let handlers = stored().handlers.into_iter().map(|handler| StepState::from(handler.step));
        handlers.collect::<Vec<_>>()
    };
    assert_eq!(states(), of(&first));
    assert_eq!(stored().handlers[0].handler, HandlerKind::Failure);
    // Another one begins as the first ends; one that was withdrawn is not shown.
    let mut next = Change { head: running.clone(), created: None, ..first.clone() };
    next.handlers.insert(2, handler(StepStatus::Failed, 2, "second"));
    next.handlers.insert(3, handler(StepStatus::Skipped, 1, "third"));
    if let Some(third) = next.handlers.get_mut(&3) {
        third.state.skip_reason = Some(SkipReason::ExitCode);
    }
    next.attempts = vec![attempt(2, 1, "out 1"), attempt(2, 2, "out 2")];
    pending.record(next.clone());
    let mut withdrawn = change(running.clone());
    withdrawn.handlers.insert(4, handler(StepStatus::Pending, 0, ""));
    pending.record(withdrawn);
    await_commit(&writer, &pending);
    assert_eq!(states(), of(&next));
    assert_eq!(stored().handlers[0].step.stdout, "out 2");
    // One that has ended does not change, and neither does the outcome.
    let mut late = change(running);
    late.handlers.insert(2, handler(StepStatus::Success, 3, "late"));
    pending.record(late);
    await_commit(&writer, &pending);
    assert!(pending.stored().borrow().refused.is_some());
    let success = Some(ExecutionStatus::Success);
    let end = ExecutionState { outcome: success, ..head(ExecutionStatus::Failed, 9) };
    store_change(&writer, "e", change(end));
    assert_eq!(stored().execution.outcome, outcome);
    assert_eq!(states(), of(&next));
    writer.close().unwrap();
}
