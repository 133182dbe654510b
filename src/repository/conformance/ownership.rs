//! Which process may go on with an execution.

use std::collections::{BTreeSet, HashMap, HashSet};
use std::thread;

use super::{Store, await_commit, block_on, change, creation, ended, head, store_change, until};
use crate::repository::ownership::{Liveness, OwnerKind};
use crate::repository::{CancelRequest, Of, PendingWrite, StoreErrorKind, Which, Writer};
use crate::workflow::record::{
    AttemptKey, Change, ExecutionState, ExecutionStatus, StepState, StepStatus,
};
use crate::workflow::trigger::Requester;

/// Stores an execution of one step, which runs, as `owner`.
fn store_of(writer: &Writer, id: &str, status: ExecutionStatus, owner: Option<&str>) {
    let head = ExecutionState { owner: owner.map(str::to_owned), ..head(status, 1) };
    let mut change = creation(2, head);
    if status == ExecutionStatus::Running {
        let runs = StepState { completed_at: None, ..ended(StepStatus::Running) };
        change.steps.insert(0, runs);
    }
    let pending = store_change(writer, id, change);
    assert!(pending.stored().borrow().refused.is_none());
}

fn owner_of<S: Store>(place: &S, id: &str) -> Option<String> {
    place.reader().execution(id).unwrap().unwrap().owner
}

pub(crate) fn a_take_over_moves_what_dead_processes_left_and_nothing_else<S: Store>() {
    let place = S::new();
    let writer = place.open();
    let alive = writer.claim_owner(OwnerKind::Exec, 1).unwrap();
    let dead = place.dead_owner(&writer, OwnerKind::Exec, 2);
    let served = place.dead_owner(&writer, OwnerKind::Serve, 3);
    for (id, status, owner) in [
        ("dead-1", ExecutionStatus::Running, Some(dead.as_str())),
        ("alive", ExecutionStatus::Running, Some(alive.id())),
        ("served", ExecutionStatus::Running, Some(served.as_str())),
        ("nobody", ExecutionStatus::Pending, None),
        ("dead-2", ExecutionStatus::Pending, Some(dead.as_str())),
        ("ended", ExecutionStatus::Failed, Some(dead.as_str())),
        ("left-out", ExecutionStatus::Running, Some(dead.as_str())),
        ("mine", ExecutionStatus::Running, Some("exec-me")),
    ] {
        store_of(&writer, id, status, owner);
    }
    let which =
        Which { except: HashSet::from(["left-out".to_owned()]), ..Which::kind(OwnerKind::Exec) };
    let found = block_on(writer.find_abandoned(&which, "exec-me", 10)).unwrap();
    let ids: Vec<&str> = found.executions.iter().map(|found| found.execution_id.as_str()).collect();
    assert_eq!(ids, ["dead-1", "nobody", "dead-2"]);
    let step = "s0".to_owned();
    let running = AttemptKey { execution_id: "dead-1".to_owned(), step, attempt: 1 };
    assert_eq!(found.executions[0].running, [running]);
    assert_eq!(found.executions[0].owner.as_deref(), Some(dead.as_str()));
    assert!(found.executions[2].running.is_empty() && found.in_doubt.is_empty());
    // To look changes nothing.
    assert_eq!(owner_of(&place, "dead-1").as_deref(), Some(dead.as_str()));

    let taken = block_on(writer.take_over(which, "exec-me", 2)).unwrap();
    let ids: Vec<&str> = taken.iter().map(|taken| taken.execution.execution_id.as_str()).collect();
    assert_eq!(ids, ["dead-1", "nobody"]);
    assert_eq!(taken[0].previous_owner.as_deref(), Some(dead.as_str()));
    assert_eq!(taken[1].previous_owner, None);
    assert_eq!(taken[0].recorded.head.owner.as_deref(), Some("exec-me"));
    let states: Vec<StepStatus> =
        taken[0].recorded.steps.iter().map(|step| step.state.status).collect();
    assert_eq!(states, [StepStatus::Running, StepStatus::Pending]);
    for (id, owner) in [
        ("dead-1", Some("exec-me")),
        ("alive", Some(alive.id())),
        ("served", Some(served.as_str())),
        ("nobody", Some("exec-me")),
        ("dead-2", Some(dead.as_str())),
        ("ended", None),
        ("left-out", Some(dead.as_str())),
        ("mine", Some("exec-me")),
    ] {
        assert_eq!(owner_of(&place, id).as_deref(), owner, "{id}");
    }
    // By its id: whatever kind of process had it, but only if that is dead.
    let one = |id: &str| block_on(writer.take_over(Which::one(id), "exec-me", 9)).unwrap().len();
    assert_eq!(
        [one("served"), one("alive"), one("ended"), one("none"), one("mine")],
        [1, 0, 0, 0, 0]
    );
    writer.close().unwrap();
}

pub(crate) fn two_that_take_over_never_get_the_same_execution<S: Store>() {
    let place = S::new();
    let writer = place.open();
    let dead = place.dead_owner(&writer, OwnerKind::Exec, 2);
    let ids: Vec<String> = (0..60).map(|n| format!("e{n:02}")).collect();
    for id in &ids {
        store_of(&writer, id, ExecutionStatus::Running, Some(&dead));
    }
    let taken: Vec<(String, String)> = thread::scope(|scope| {
        let takers = [11, 12, 13].map(|nonce| {
            // Each as a process of its own: with a lock that is held, and a writer.
            let place = &place;
            scope.spawn(move || {
                let writer = place.open();
                let owner = writer.claim_owner(OwnerKind::Exec, nonce).unwrap();
                let mut taken = Vec::new();
                loop {
                    let which = Which::kind(OwnerKind::Exec);
                    let some = block_on(writer.take_over(which, owner.id(), 3)).unwrap();
                    if some.is_empty() {
                        return (owner, taken);
                    }
                    let id = |one: crate::repository::TakenOver| one.execution.execution_id;
                    taken.extend(some.into_iter().map(|one| (id(one), owner.id().to_owned())));
                }
            })
        });
        // Those who took first stay alive until the last one has ended.
        let taken = takers.map(|taker| taker.join().unwrap());
        taken.into_iter().flat_map(|(_, taken)| taken).collect()
    });
    let by_id: HashMap<String, String> = taken.iter().cloned().collect();
    assert_eq!((taken.len(), by_id.len()), (60, 60));
    for id in &ids {
        assert_eq!(owner_of(&place, id).as_ref(), by_id.get(id));
    }
    writer.close().unwrap();
}

pub(crate) fn only_executions_that_were_looked_for_are_taken_over<S: Store>() {
    let place = S::new();
    let writer = place.open();
    let dead = place.dead_owner(&writer, OwnerKind::Exec, 2);
    let other = place.dead_owner(&writer, OwnerKind::Exec, 3);
    for id in ["a", "b", "c"] {
        store_of(&writer, id, ExecutionStatus::Running, Some(&dead));
    }
    let only = [("a", Some(dead)), ("b", Some(other)), ("d", None)];
    let only = only.map(|(id, owner)| (id.to_owned(), owner)).into_iter().collect();
    let which = Which { only: Some(only), ..Which::kind(OwnerKind::Exec) };
    let taken = block_on(writer.take_over(which, "exec-me", 9)).unwrap();
    assert_eq!(taken.len(), 1);
    assert_eq!(owner_of(&place, "a").as_deref(), Some("exec-me"));
    writer.close().unwrap();
}

pub(crate) fn a_write_by_another_owner_is_refused<S: Store>() {
    let place = S::new();
    let (old, new) = (place.open(), place.open());
    let dead = place.dead_owner(&old, OwnerKind::Exec, 2);
    let head =
        |status, second| ExecutionState { owner: Some(dead.clone()), ..head(status, second) };
    let pending = store_change(&old, "e", creation(1, head(ExecutionStatus::Running, 1)));
    let taken = block_on(new.take_over(Which::one("e"), "exec-me", 1)).unwrap();
    assert_eq!(taken.len(), 1);
    let before = place.reader().detail("e").unwrap();
    for status in [ExecutionStatus::Running, ExecutionStatus::Success] {
        let mut late = change(head(status, 5));
        late.steps.insert(0, ended(StepStatus::Success));
        let pending = match status {
            ExecutionStatus::Running => &pending,
            // Also one that the old process tries again from the beginning.
            _ => &PendingWrite::new("e".to_owned()),
        };
        pending.record(late);
        await_commit(&old, pending);
        let refused = pending.stored().borrow().refused.clone().unwrap();
        assert_eq!(refused.kind(), StoreErrorKind::Refused);
        assert!(refused.to_string().contains("taken over by exec-me"), "{refused}");
        assert_eq!(place.reader().detail("e").unwrap(), before);
    }
    // The new owner's is stored.
    let mut end = Change {
        head: taken[0].recorded.head.clone(),
        ..change(head(ExecutionStatus::Running, 1))
    };
    end.head.status = ExecutionStatus::Interrupted;
    end.head.completed_at = Some(super::at(9));
    let pending = store_change(&new, "e", end);
    assert!(pending.stored().borrow().refused.is_none());
    let stored = place.reader().execution("e").unwrap().unwrap();
    assert_eq!((stored.status, stored.owner), (ExecutionStatus::Interrupted, None));
}

pub(crate) fn owners_are_counted<S: Store>() {
    let place = S::new();
    let writer = place.open();
    let alive = writer.claim_owner(OwnerKind::Serve, 1).unwrap();
    let dead = place.dead_owner(&writer, OwnerKind::Exec, 2);
    store_of(&writer, "a", ExecutionStatus::Running, Some(&dead));
    store_of(&writer, "b", ExecutionStatus::Pending, Some(&dead));
    store_of(&writer, "c", ExecutionStatus::Running, Some(alive.id()));
    store_of(&writer, "d", ExecutionStatus::Success, Some(alive.id()));
    store_of(&writer, "e", ExecutionStatus::Pending, None);
    let owners = place.reader().owners().unwrap();
    let counted: BTreeSet<_> = owners
        .iter()
        .map(|owner| (owner.owner.clone(), owner.executions, owner.kind().is_some()))
        .collect();
    let expected =
        [(Some(dead.clone()), 2, true), (Some(alive.id().to_owned()), 1, true), (None, 1, false)];
    assert_eq!(counted, BTreeSet::from(expected));
    for owner in owners {
        let is_alive = owner.owner.as_deref() == Some(alive.id());
        assert_eq!(owner.liveness == Liveness::Alive, is_alive, "{owner:?}");
        assert_eq!(owner.liveness.is_dead(), !is_alive, "{owner:?}");
    }
    writer.close().unwrap();
}

pub(crate) fn a_request_to_cancel_is_reported_once<S: Store>() {
    let place = S::new();
    let (runs, asks) = (place.open(), place.open());
    store_of(&runs, "a", ExecutionStatus::Running, Some("exec-me"));
    store_of(&runs, "b", ExecutionStatus::Running, Some("exec-me"));
    store_of(&runs, "others", ExecutionStatus::Running, Some("exec-other"));
    store_of(&runs, "ended", ExecutionStatus::Cancelled, Some("exec-me"));
    let mut requests = runs.cancel_requests("exec-me");
    let ask = |writer: &Writer, id: &str| {
        writer
            .request_cancel(
                id,
                &Requester::user("ann".to_owned()),
                std::time::Duration::from_secs(60),
            )
            .unwrap()
    };
    let stored = |owner: &str| CancelRequest::Stored { owner: Some(owner.to_owned()) };
    // From another process, twice, and over the writer that watches.
    assert_eq!(ask(&asks, "a"), stored("exec-me"));
    assert_eq!(ask(&asks, "a"), stored("exec-me"));
    assert_eq!(ask(&runs, "b"), stored("exec-me"));
    assert_eq!(ask(&asks, "others"), stored("exec-other"));
    assert_eq!(ask(&asks, "ended"), CancelRequest::Ended(ExecutionStatus::Cancelled));
    assert_eq!(ask(&asks, "none"), CancelRequest::Unknown);
    let mut seen = Vec::new();
    until("both are reported", || {
        seen.extend(requests.try_recv().map(|notice| notice.execution_id));
        seen.len() == 2
    });
    // Whatever is looked at later reports neither of them again: a third one comes alone.
    store_of(&runs, "c", ExecutionStatus::Running, Some("exec-me"));
    assert_eq!(ask(&asks, "c"), stored("exec-me"));
    until("the third is reported", || {
        seen.extend(requests.try_recv().map(|notice| notice.execution_id));
        seen.len() == 3
    });
    seen.sort();
    assert_eq!(seen, ["a", "b", "c"]);
    runs.close().unwrap();
    assert!(block_on(requests.recv()).is_none());
    // Whoever takes one over learns of it.
    let which = Which { of: Of::One("a".to_owned()), assume_dead: true, ..Which::one("a") };
    let taken = block_on(asks.take_over(which, "exec-new", 1)).unwrap();
    assert!(taken.len() == 1 && taken[0].cancelled.is_some());
    asks.close().unwrap();
}
