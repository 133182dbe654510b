//! Concurrency groups: who holds a slot, who waits, who is next.

use std::collections::VecDeque;
use std::sync::Arc;

use proptest::prelude::*;
use proptest::test_runner::TestRunner;

use super::{Store, await_commit, change, created, creation, head, store_change, until};
use crate::repository::ownership::{Owner, OwnerKind};
use crate::repository::{Catalogued, PendingWrite, SlotStatus, StoreErrorKind, Writer};
use crate::workflow::concurrency::{LimitFrom, OnConflict, SlotRequest};
use crate::workflow::record::{Change, Created, ExecutionState, ExecutionStatus};

const GROUP: &str = "g";

fn request(limit: u32) -> SlotRequest {
    SlotRequest {
        group: GROUP.to_owned(),
        limit,
        limit_from: LimitFrom::Definition,
        on_conflict: OnConflict::Queue,
        max_queued: 1_000,
    }
}

/// A process that runs executions.
struct Process {
    writer: Writer,
    owner: Arc<Owner>,
}

impl Process {
    fn new<S: Store>(place: &S, nonce: u32) -> Self {
        let writer = place.open();
        let owner = writer.claim_owner(OwnerKind::Serve, nonce).unwrap();
        writer.watch_owner(Arc::clone(&owner));
        Self { writer, owner }
    }

    fn head(&self, status: ExecutionStatus) -> ExecutionState {
        ExecutionState { owner: Some(self.owner.id().to_owned()), ..head(status, 1) }
    }

    /// Stores the start of an execution.
    fn start(&self, id: &str, slot: SlotRequest) -> Arc<PendingWrite> {
        let created = Created { slot: Some(Arc::new(slot)), ..created(1) };
        let head = self.head(ExecutionStatus::Running);
        let creation = Change { created: Some(Arc::new(created)), ..creation(1, head) };
        store_change(&self.writer, id, creation)
    }

    fn end(&self, pending: &Arc<PendingWrite>, status: ExecutionStatus) {
        pending.record(change(self.head(status)));
        await_commit(&self.writer, pending);
        assert!(pending.stored().borrow().refused.is_none(), "{:?}", pending.stored().borrow());
    }
}

fn waits(pending: &PendingWrite) -> bool {
    matches!(pending.stored().borrow().slot, SlotStatus::Waiting(_))
}

fn status<S: Store>(place: &S, id: &str) -> ExecutionStatus {
    place.reader().execution(id).unwrap().unwrap().status
}

#[derive(Debug, Clone)]
enum Action {
    Start,
    /// Ends one of those that run.
    End(prop::sample::Index),
    /// Ends one of those that wait.
    Cancel(prop::sample::Index),
    /// Sets the limit of the catalogue; `None`: the group is not there any more.
    Limit(Option<u32>),
}

fn action() -> impl Strategy<Value = Action> {
    prop_oneof![
        4 => Just(Action::Start),
        4 => any::<prop::sample::Index>().prop_map(Action::End),
        2 => any::<prop::sample::Index>().prop_map(Action::Cancel),
        1 => prop::option::weighted(0.8, 1_u32..4).prop_map(Action::Limit),
    ]
}

type Held = (String, Arc<PendingWrite>);

/// What the rows should be: those that hold a slot, and those that wait, in their order.
struct Model {
    limit: Option<u32>,
    running: Vec<Held>,
    waiting: VecDeque<Held>,
}

impl Model {
    fn has_room(&self) -> bool {
        self.limit.is_none_or(|limit| self.running.len() < limit as usize)
    }

    /// Those that are next get what is free.
    fn grant(&mut self) {
        while self.has_room()
            && let Some(next) = self.waiting.pop_front()
        {
            self.running.push(next);
        }
    }

    fn check<S: Store>(&self, place: &S) -> Result<(), TestCaseError> {
        let reader = place.reader();
        let status = |id: &str| reader.execution(id).unwrap().unwrap().status;
        for (id, pending) in &self.running {
            prop_assert_eq!(status(id), ExecutionStatus::Running, "{}", id);
            until("it was told", || !waits(pending));
        }
        for (id, pending) in &self.waiting {
            prop_assert_eq!(status(id), ExecutionStatus::Pending, "{}", id);
            prop_assert!(waits(pending));
        }
        let queue = reader.queue().unwrap();
        let group = queue.groups.first();
        let counts = group.map_or((0, 0), |group| (group.running, group.waiting));
        prop_assert_eq!(counts, (self.running.len() as u64, self.waiting.len() as u64));
        let seqs: Vec<String> = group
            .into_iter()
            .flat_map(|group| group.executions.iter().map(|it| it.execution_id.clone()))
            .collect();
        let waiting: Vec<String> = self.waiting.iter().map(|(id, _)| id.clone()).collect();
        prop_assert!(seqs.ends_with(&waiting), "{:?} {:?}", seqs, waiting);
        Ok(())
    }
}

pub(crate) fn slots_are_given_in_the_order_of_arrival_and_never_beyond_the_limit<S: Store>() {
    let config = ProptestConfig { cases: 24, ..ProptestConfig::default() };
    let mut runner = TestRunner::new(config);
    let actions = prop::collection::vec(action(), 1..40);
    let outcome = runner.run(&actions, |actions| {
        let place = S::new();
        let process = Process::new(&place, 1);
        let mut model = Model { limit: None, running: Vec::new(), waiting: VecDeque::new() };
        let mut is_known = false;
        for (number, action) in actions.into_iter().enumerate() {
            match action {
                Action::Start => {
                    let id = format!("e{number}");
                    // Without a stored limit, that of the definition is stored.
                    if !is_known || model.limit.is_none() {
                        model.limit = Some(2);
                        is_known = true;
                    }
                    let pending = process.start(&id, request(2));
                    let has_room = model.has_room() && model.waiting.is_empty();
                    prop_assert_eq!(waits(&pending), !has_room);
                    match has_room {
                        true => model.running.push((id, pending)),
                        false => model.waiting.push_back((id, pending)),
                    }
                }
                Action::End(_) if model.running.is_empty() => {}
                Action::End(which) => {
                    let (_, pending) = model.running.remove(which.index(model.running.len()));
                    process.end(&pending, ExecutionStatus::Success);
                    model.grant();
                }
                Action::Cancel(_) if model.waiting.is_empty() => {}
                Action::Cancel(which) => {
                    let at = which.index(model.waiting.len());
                    let Some((_, pending)) = model.waiting.remove(at) else { continue };
                    process.end(&pending, ExecutionStatus::Cancelled);
                    model.grant();
                }
                Action::Limit(_) if !is_known => {}
                Action::Limit(limit) => {
                    let mut catalogued = Catalogued::default();
                    catalogued.workflows.insert("w".to_owned());
                    if let Some(limit) = limit {
                        catalogued.limits.insert(GROUP.to_owned(), (limit, "w".to_owned()));
                    } else {
                        // It had the group before.
                        let mut before = catalogued.clone();
                        before
                            .limits
                            .insert(GROUP.to_owned(), (model.limit.unwrap_or(1), "w".to_owned()));
                        process.writer.set_catalogued(before);
                    }
                    process.writer.set_catalogued(catalogued);
                    // It is stored before what comes next.
                    let marker = format!("m{number}");
                    store_change(
                        &process.writer,
                        &marker,
                        creation(1, process.head(ExecutionStatus::Success)),
                    );
                    model.limit = limit;
                    model.grant();
                    let told = |model: &Model| model.running.iter().all(|(_, it)| !waits(it));
                    until("those that are next begin", || told(&model));
                }
            }
            model.check(&place)?;
        }
        Ok(())
    });
    outcome.unwrap();
}

pub(crate) fn nobody_begins_without_a_slot<S: Store>() {
    let place = S::new();
    let process = Process::new(&place, 1);
    let holder = process.start("holder", request(1));
    let waiter = process.start("waiter", request(1));
    assert!(!waits(&holder) && waits(&waiter));
    // Nothing of its start was stored.
    let detail = place.reader().detail("waiter").unwrap().unwrap();
    assert_eq!((detail.execution.started_at, detail.steps[0].attempt), (None, 0));
    let on = detail.execution.waiting_for.unwrap();
    assert_eq!((on.group.as_str(), on.holders), (GROUP, vec!["holder".to_owned()]));
    // A change that would have it run is refused while it waits.
    waiter.record(change(process.head(ExecutionStatus::Running)));
    await_commit(&process.writer, &waiter);
    let refused = waiter.stored().borrow().refused.clone().unwrap();
    assert!(refused.to_string().contains("waits for a slot"), "{refused}");
    assert_eq!(status(&place, "waiter"), ExecutionStatus::Pending);
}

pub(crate) fn a_start_without_a_slot_is_refused_where_it_may_not_wait<S: Store>() {
    let place = S::new();
    let process = Process::new(&place, 1);
    let _holder = process.start("holder", request(1));
    let reject = SlotRequest { on_conflict: OnConflict::Reject, ..request(1) };
    let full = SlotRequest { max_queued: 0, ..request(1) };
    for (id, slot, kind) in [
        ("rejected", reject, StoreErrorKind::GroupBusy),
        ("too-many", full, StoreErrorKind::GroupFull),
    ] {
        let pending = process.start(id, slot);
        let refused = pending.stored().borrow().refused.clone().unwrap();
        assert_eq!(refused.kind(), kind);
        assert!(place.reader().execution(id).unwrap().is_none());
    }
}

pub(crate) fn the_slots_of_two_processes_go_to_those_that_came_first<S: Store>() {
    let place = S::new();
    let (one, other) = (Process::new(&place, 1), Process::new(&place, 2));
    let holder = one.start("holder", request(1));
    let first = other.start("first", request(1));
    let second = one.start("second", request(1));
    // A slot that one process frees is not for its own waiter, which came later.
    one.end(&holder, ExecutionStatus::Success);
    until("the other one finds it", || !waits(&first));
    assert!(waits(&second));
    assert_eq!(status(&place, "second"), ExecutionStatus::Pending);
    other.end(&first, ExecutionStatus::Success);
    until("it comes back", || !waits(&second));
    // Whoever does not listen any more gets no slot, and keeps its place.
    let third = other.start("third", request(1));
    let fourth = other.start("fourth", request(1));
    drop(third);
    one.end(&second, ExecutionStatus::Success);
    let fifth = one.start("fifth", request(1));
    assert!(waits(&fourth) && waits(&fifth));
    assert_eq!(status(&place, "third"), ExecutionStatus::Pending);
}

pub(crate) fn dead_processes_are_skipped_in_the_queue_and_named_as_holders<S: Store>() {
    let place = S::new();
    let process = Process::new(&place, 1);
    let dead = place.dead_owner(&process.writer, OwnerKind::Exec, 2);
    let mut holders = process.writer.dead_holders(true);
    let of_dead = |id: &str| {
        let created = Created { slot: Some(Arc::new(request(1))), ..created(1) };
        let head =
            ExecutionState { owner: Some(dead.clone()), ..head(ExecutionStatus::Running, 1) };
        let creation = Change { created: Some(Arc::new(created)), ..creation(1, head) };
        store_change(&process.writer, id, creation)
    };
    let held = of_dead("held");
    drop(of_dead("skipped"));
    let waiter = process.start("waiter", request(1));
    assert!(!waits(&held) && waits(&waiter));
    let mut reported = None;
    until("the holder is reported", || {
        reported = reported.take().or(holders.try_recv().ok());
        reported.is_some()
    });
    assert_eq!(reported.as_deref(), Some("held"));
    let ended =
        ExecutionState { owner: Some(dead.clone()), ..head(ExecutionStatus::Interrupted, 1) };
    held.record(change(ended));
    await_commit(&process.writer, &held);
    until("the one behind the dead one begins", || !waits(&waiter));
    assert_eq!(status(&place, "skipped"), ExecutionStatus::Pending);
}
