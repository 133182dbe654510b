//! The worker over a backend that fails on request.

use std::collections::HashSet;
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard};

use tokio::sync::mpsc::unbounded_channel;

use crate::base::timestamp::Timestamp;
use crate::repository::alerts::SentAlerts;
use crate::repository::conformance::{
    await_commit, change, creation, head, options, store, store_change, until,
};
use crate::repository::journal::backend::{
    Backend, Catalogued, Deleted, Entry, IsOurs, NotWritten, Opened, Policies, Retained,
    SlotChange, Waiter, Written,
};
use crate::repository::journal::cancel::Watch;
use crate::repository::journal::output::{OutputBatch, TRANSACTION_BYTES_MAX};
use crate::repository::journal::schedules::{ScheduleChange, ScheduleOutcome};
use crate::repository::notifications::{
    Claim, ClaimRequest, KeptUp, NewNotification, OpenAlert, Settlement,
};
use crate::repository::ownership::Registry;
use crate::repository::ownership::takeover::{
    Abandonment, CancelNotice, CancelRequest, TakenOver, Which,
};
use crate::repository::sessions::SessionChange;
use crate::repository::{Health, Opening, PendingWrite, StoreError, StoreErrorKind, Writer};
use crate::workflow::pin::Pin;
use crate::workflow::record::{ExecutionDetail, ExecutionRecord, ExecutionStatus};
use crate::workflow::retention::Chosen;
use crate::workflow::trigger::Requester;

/// What is stored, and what fails.
#[derive(Debug, Default)]
pub(super) struct State {
    /// Ids in the order of their writes, as they are committed.
    pub(super) stored: Vec<String>,
    /// The same, of the transaction under way.
    uncommitted: Option<Vec<String>>,
    /// So many transactions that do not begin, since others write.
    locked: usize,
    /// So many commits that fail.
    failing_commits: usize,
    /// So often it does not take the channels of a daemon.
    refused_couriers: usize,
    /// Ids that are refused.
    refused: HashSet<String>,
    requests: HashSet<String>,
    changes: Option<i64>,
    /// How often requests were looked for.
    looks: usize,
    /// Of each transaction, whether it held changes, and how many bytes of output it held.
    transactions: Vec<(bool, usize)>,
    /// The same of the transaction under way.
    under_way: (bool, usize),
    /// Output is not taken.
    refuses_output: bool,
    /// Nothing can be pruned.
    pub(super) refuses_pruning: bool,
}

#[derive(Debug, Clone, Default)]
pub(super) struct Fake(pub(super) Arc<Mutex<State>>);

#[derive(Debug, Clone, Copy)]
pub(super) enum Failure {
    Locked,
    Broken,
}

impl Fake {
    pub(super) fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap()
    }

    pub(super) fn opened(&self) -> Opened<Self> {
        let registry = Registry::new(Path::new("/nonexistent/wfx.db"), None);
        Opened { backend: self.clone(), keep: None, has_policies: false, registry }
    }

    pub(super) fn open(&self) -> Writer {
        let opened = self.opened();
        Writer::finish(Opening::begin(options(), |_, _| Ok(opened)).unwrap(), &mut |_| {}).unwrap()
    }

    fn write(&self, entry: &Entry) -> Result<Written, NotWritten<Failure>> {
        let mut state = self.state();
        let execution_id = entry.execution_id().to_owned();
        if state.refused.contains(&execution_id) {
            return Err(NotWritten::Refused(StoreError::new(StoreErrorKind::Refused, "no")));
        }
        state.uncommitted.as_mut().expect("inside a transaction").push(execution_id);
        state.under_way.0 = true;
        state.under_way.1 += entry.output.iter().map(|batch| batch.bytes).sum::<usize>();
        if state.refuses_output && !entry.output.is_empty() {
            return Err(NotWritten::Failed(Failure::Broken));
        }
        let finished = entry.change.head.status.is_terminal();
        Ok(Written { seq: 7, finished, group: None, slot: SlotChange::None, cancels: false })
    }
}

impl Backend for Fake {
    type Error = Failure;

    fn explain(&self, doing: &str, error: &Failure) -> StoreError {
        let kind = match error {
            Failure::Locked => StoreErrorKind::Locked,
            Failure::Broken => StoreErrorKind::Io,
        };
        StoreError::new(kind, format!("cannot {doing} it"))
    }

    fn check(&mut self) -> Result<(), StoreError> {
        Ok(())
    }

    fn begin(&mut self) -> Result<(), Failure> {
        let mut state = self.state();
        assert!(state.uncommitted.is_none(), "one transaction at a time");
        if let Some(left) = state.locked.checked_sub(1) {
            state.locked = left;
            return Err(Failure::Locked);
        }
        state.uncommitted = Some(Vec::new());
        Ok(())
    }

    fn commit(&mut self) -> Result<(), Failure> {
        let mut state = self.state();
        if let Some(left) = state.failing_commits.checked_sub(1) {
            state.failing_commits = left;
            return Err(Failure::Broken);
        }
        let written = state.uncommitted.take().expect("a transaction");
        state.stored.extend(written);
        let under_way = std::mem::take(&mut state.under_way);
        state.transactions.push(under_way);
        Ok(())
    }

    fn rollback(&mut self) {
        let mut state = self.state();
        state.uncommitted = None;
        state.under_way = Default::default();
    }

    fn begin_output(&mut self) -> Result<(), Failure> {
        self.begin()
    }

    fn write_output(&mut self, _id: &str, batches: &[OutputBatch]) -> Result<bool, Failure> {
        let mut state = self.state();
        if state.refuses_output {
            return Err(Failure::Broken);
        }
        state.under_way.1 += batches.iter().map(|batch| batch.bytes).sum::<usize>();
        Ok(true)
    }

    fn touch_output(&mut self) -> Result<(), Failure> {
        Ok(())
    }

    fn trim_output(&mut self, _bytes: u64, _now: Timestamp) -> Result<Retained, Failure> {
        Ok(Retained { more: false, is_worth_giving_back: None })
    }

    fn is_output_excessive(&mut self, _now: Timestamp) -> Result<bool, Failure> {
        Ok(false)
    }

    fn change_schedules(&mut self, _: &ScheduleChange) -> Result<ScheduleOutcome, Failure> {
        Ok(ScheduleOutcome::default())
    }

    fn write_all(&mut self, batch: &[Entry]) -> Result<Vec<Written>, NotWritten<Failure>> {
        batch.iter().map(|entry| self.write(entry)).collect()
    }

    fn write_each(&mut self, batch: &[Entry]) -> Result<Vec<Result<Written, StoreError>>, Failure> {
        let write = |entry| match self.write(entry) {
            Ok(written) => Ok(Ok(written)),
            Err(NotWritten::Refused(error)) => Ok(Err(error)),
            Err(NotWritten::Failed(error)) => Err(error),
        };
        batch.iter().map(write).collect()
    }

    fn committed(&mut self, _execution_id: &str, _written: Written) {}

    fn retain(&mut self, _keep: Option<u64>, _now: Option<Timestamp>) -> Result<Retained, Failure> {
        match self.state().refuses_pruning {
            true => Err(Failure::Broken),
            false => Ok(Retained { more: false, is_worth_giving_back: None }),
        }
    }

    fn has_policies(&mut self) -> Result<bool, Failure> {
        Ok(false)
    }

    fn is_retention_due(&mut self, _now: Timestamp) -> Result<bool, Failure> {
        Ok(false)
    }

    fn set_policies(&mut self, _policies: &Policies) -> Result<(), Failure> {
        Ok(())
    }

    fn session(&mut self, _change: &SessionChange, _now: Timestamp) -> Result<(), Failure> {
        unreachable!("nobody logs in here")
    }

    fn pin(&mut self, _execution_id: &str, _pin: Option<&Pin>) -> Result<bool, Failure> {
        Ok(false)
    }

    fn delete(&mut self, _chosen: &[Chosen], _include_pinned: bool) -> Result<Deleted, Failure> {
        Ok(Deleted { executions: 0, has_rest: false })
    }

    fn give_back(&mut self) -> Result<bool, Failure> {
        Ok(false)
    }

    fn size_bytes(&mut self) -> Result<u64, Failure> {
        Ok(0)
    }

    fn shrink(&mut self) -> Result<(), Failure> {
        Ok(())
    }

    fn find_abandoned(
        &mut self,
        _which: &Which,
        _owner: &str,
        _limit: usize,
    ) -> Result<Abandonment, Failure> {
        Ok(Abandonment::default())
    }

    fn take_over(
        &mut self,
        _which: &Which,
        _owner: &str,
        _limit: usize,
    ) -> Result<Vec<TakenOver>, Failure> {
        Ok(Vec::new())
    }

    fn sweep_owners(&mut self) -> Result<(), Failure> {
        Ok(())
    }

    fn request_cancel(
        &mut self,
        _id: &str,
        _: &Requester,
        _now: Timestamp,
    ) -> Result<CancelRequest, Failure> {
        Ok(CancelRequest::Unknown)
    }

    fn next_in_line(
        &mut self,
        _group: &str,
        _owner: &str,
        _is_ours: IsOurs<'_>,
    ) -> Result<Vec<Waiter>, Failure> {
        Ok(Vec::new())
    }

    fn grant(
        &mut self,
        _group: &str,
        _owner: &str,
        _is_ours: IsOurs<'_>,
        _now: Timestamp,
    ) -> Result<Vec<Waiter>, Failure> {
        Ok(Vec::new())
    }

    fn dead_holders(&mut self, _groups: Option<&[String]>) -> Result<Vec<String>, Failure> {
        Ok(Vec::new())
    }

    fn set_catalogue(&mut self, _catalogued: &Catalogued) -> Result<(), Failure> {
        Ok(())
    }

    fn cancel_requests(&mut self, _owner: &str) -> Result<HashSet<CancelNotice>, Failure> {
        let mut state = self.state();
        state.looks += 1;
        let notice = |id: &String| CancelNotice { execution_id: id.clone(), replaced_by: None };
        Ok(state.requests.iter().map(notice).collect())
    }

    fn change_count(&mut self) -> Result<Option<i64>, Failure> {
        Ok(self.state().changes)
    }

    fn store_alerts(&mut self, _alerts: &SentAlerts) -> Result<(), Failure> {
        Ok(())
    }

    fn are_notifications_due(&mut self, _request: &ClaimRequest) -> Result<bool, Failure> {
        Ok(false)
    }

    fn next_notification_at(&mut self, _channel: &str) -> Result<Option<Timestamp>, Failure> {
        Ok(None)
    }

    fn claim_notifications(&mut self, _request: &ClaimRequest) -> Result<Claim, Failure> {
        Ok(Claim::default())
    }

    fn settle_notifications(&mut self, _settlements: &[Settlement]) -> Result<(), Failure> {
        Ok(())
    }

    fn add_notification(
        &mut self,
        _notification: &NewNotification,
        _now: Timestamp,
    ) -> Result<Option<i64>, Failure> {
        Ok(None)
    }

    fn need_notifications_upkeep(&mut self, _now: Timestamp) -> Result<bool, Failure> {
        Ok(false)
    }

    fn keep_up_notifications(&mut self, _now: Timestamp) -> Result<KeptUp, Failure> {
        Ok(KeptUp::default())
    }

    fn set_couriers(&mut self, _owner: &str, _channels: &[String]) -> Result<(), Failure> {
        let mut state = self.state();
        match state.refused_couriers.checked_sub(1) {
            Some(left) => {
                state.refused_couriers = left;
                Err(Failure::Broken)
            }
            None => Ok(()),
        }
    }

    fn has_orphaned_alerts(&mut self, _owner: &str) -> Result<bool, Failure> {
        Ok(false)
    }

    fn adopt_alerts(
        &mut self,
        _owner: &str,
        _channels: &[String],
    ) -> Result<Vec<OpenAlert>, Failure> {
        Ok(Vec::new())
    }

    fn release_alerts(&mut self, _owner: &str) -> Result<(), Failure> {
        Ok(())
    }

    fn left_to_send(&mut self, _executions: &[String]) -> Result<Vec<(i64, String)>, Failure> {
        Ok(Vec::new())
    }

    fn execution(&mut self, _execution_id: &str) -> Result<Option<ExecutionRecord>, Failure> {
        Ok(None)
    }

    fn detail(&mut self, _execution_id: &str) -> Result<Option<ExecutionDetail>, Failure> {
        Ok(None)
    }
}

#[test]
fn a_commit_that_fails_is_reported_and_all_of_it_tried_again() {
    let fake = Fake::default();
    let writer = fake.open();
    store(&writer, "before", ExecutionStatus::Success, 1);
    fake.state().failing_commits = usize::MAX;
    let pending = PendingWrite::new("e".to_owned());
    pending.record(creation(1, head(ExecutionStatus::Running, 1)));
    assert!(writer.enqueue(&pending));
    let mut health = writer.health();
    until("the writer fails", || health.has_changed().unwrap());
    let failing = health.borrow_and_update().clone();
    let Health::Failing { error } = failing else { panic!("{failing:?}") };
    assert_eq!(
        (error.kind(), error.to_string().as_str()),
        (StoreErrorKind::Io, "cannot write to it")
    );
    assert!(pending.is_dirty());
    assert_eq!(fake.state().stored, ["before"]);
    fake.state().failing_commits = 0;
    await_commit(&writer, &pending);
    until("the writer works", || matches!(*health.borrow(), Health::Working));
    assert_eq!(fake.state().stored, ["before", "e"]);
    assert_eq!(pending.stored().borrow().seq, Some(7));
    // Closing stores what is left, or says why not.
    fake.state().failing_commits = 1;
    pending.record(change(head(ExecutionStatus::Success, 2)));
    assert!(writer.enqueue(&pending));
    match writer.close() {
        Ok(()) => assert!(!pending.is_dirty()),
        Err(error) => assert!(error.kind() == StoreErrorKind::Io && pending.is_dirty()),
    }
}

/// As on a disk with room for less than what waits.
#[test]
fn a_database_that_does_not_take_what_is_stored_by_and_by_fails() {
    let fake = Fake::default();
    let writer = fake.open();
    let health = writer.health();
    fake.state().refused_couriers = 3;
    writer.set_couriers("serve-1-1", Vec::new());
    until("the writer fails", || matches!(*health.borrow(), Health::Failing { .. }));
    until("the writer works", || matches!(*health.borrow(), Health::Working));
    assert_eq!(fake.state().refused_couriers, 0);
    writer.close().unwrap();
}

/// As on a disk that is full: a transaction begins, and cannot be committed.
#[test]
fn a_database_works_again_once_a_commit_succeeds() {
    let fake = Fake::default();
    let writer = fake.open();
    let health = writer.health();
    fake.state().failing_commits = 3;
    assert!(writer.pin("e", None, std::time::Duration::from_secs(60)).is_err());
    // Nothing waits to be stored.
    until("the writer works", || matches!(*health.borrow(), Health::Working));
    assert_eq!(fake.state().failing_commits, 0);
    writer.close().unwrap();
}

#[test]
fn a_lock_of_others_is_waited_for_without_a_failure() {
    let fake = Fake::default();
    let writer = fake.open();
    fake.state().locked = 5;
    let health = writer.health();
    store(&writer, "e", ExecutionStatus::Success, 1);
    assert_eq!(fake.state().locked, 0);
    assert!(!health.has_changed().unwrap());
    writer.close().unwrap();
}

#[test]
fn a_refusal_writes_the_batch_again_item_by_item() {
    let fake = Fake::default();
    fake.state().refused.insert("bad".to_owned());
    let writer = fake.open();
    let pending = store_change(&writer, "bad", creation(1, head(ExecutionStatus::Running, 1)));
    assert!(pending.stored().borrow().refused.is_some());
    store(&writer, "good", ExecutionStatus::Success, 1);
    assert_eq!(fake.state().stored, ["good"]);
    assert!(matches!(*writer.health().borrow(), Health::Working));
    writer.close().unwrap();
}

#[test]
fn without_a_count_of_changes_requests_are_looked_for_each_time() {
    let mut fake = Fake::default();
    let (sender, mut requests) = unbounded_channel();
    let mut watch = Watch::new("exec-me".to_owned(), sender);
    let mut look = |changes: Option<i64>, requested: &[&str]| {
        {
            let mut state = fake.state();
            state.changes = changes;
            state.requests = requested.iter().map(|id| (*id).to_owned()).collect();
        }
        watch.look(&mut fake).unwrap();
        let notices = std::iter::from_fn(|| requests.try_recv().ok());
        let mut reported: Vec<String> = notices.map(|notice| notice.execution_id).collect();
        reported.sort();
        (fake.state().looks, reported.join(" "))
    };
    assert_eq!(look(None, &[]), (1, String::new()));
    assert_eq!(look(None, &["a"]), (2, "a".to_owned()));
    assert_eq!(look(None, &["a", "b"]), (3, "b".to_owned()));
    // With one, only when it has moved.
    assert_eq!(look(Some(1), &["a", "b"]), (4, String::new()));
    assert_eq!(look(Some(1), &["a", "b", "c"]), (4, String::new()));
    assert_eq!(look(Some(2), &["a", "b", "c"]), (5, "c".to_owned()));
}

fn output(bytes: usize) -> OutputBatch {
    OutputBatch { chunks: Vec::new(), bytes, is_resumed: false }
}

#[test]
fn little_output_needs_no_transaction_of_its_own() {
    let fake = Fake::default();
    let writer = fake.open();
    store(&writer, "before", ExecutionStatus::Success, 1);
    let pending = PendingWrite::new("e".to_owned());
    pending.output().push(output(1_000));
    pending.record(creation(1, head(ExecutionStatus::Success, 1)));
    assert!(writer.enqueue(&pending));
    await_commit(&writer, &pending);
    writer.close().unwrap();
    assert_eq!(fake.state().transactions, [(true, 0), (true, 1_000)]);
    assert_eq!(pending.output().size(), 0);
}

#[test]
fn no_transaction_holds_more_output_than_it_may_and_all_of_it_comes_before_the_end() {
    let fake = Fake::default();
    let writer = fake.open();
    let pending = PendingWrite::new("e".to_owned());
    pending.record(creation(1, head(ExecutionStatus::Running, 1)));
    assert!(writer.enqueue(&pending));
    await_commit(&writer, &pending);
    for _ in 0..7 {
        pending.output().push(output(TRANSACTION_BYTES_MAX / 2));
    }
    // Many others end meanwhile, each with some output.
    let others: Vec<_> = (0..100).map(|n| PendingWrite::new(format!("o{n}"))).collect();
    for other in &others {
        other.output().push(output(50_000));
        other.record(creation(1, head(ExecutionStatus::Success, 1)));
        assert!(writer.enqueue(other));
    }
    pending.record(change(head(ExecutionStatus::Success, 2)));
    assert!(writer.enqueue(&pending));
    await_commit(&writer, &pending);
    assert_eq!(pending.output().size(), 0);
    others.iter().for_each(|other| await_commit(&writer, other));
    assert!(others.iter().all(|other| other.output().size() == 0));
    writer.close().unwrap();
    let state = fake.state();
    assert!(state.transactions.iter().all(|(_, bytes)| *bytes <= TRANSACTION_BYTES_MAX));
    let total: usize = state.transactions.iter().map(|(_, bytes)| bytes).sum();
    assert_eq!(total, 7 * TRANSACTION_BYTES_MAX / 2 + 100 * 50_000);
}

#[test]
fn nobody_waits_for_the_output_of_an_execution_that_ends() {
    let fake = Fake::default();
    let writer = fake.open();
    let prints = PendingWrite::new("prints".to_owned());
    prints.record(creation(1, head(ExecutionStatus::Running, 1)));
    assert!(writer.enqueue(&prints));
    await_commit(&writer, &prints);
    // The writer begins no transaction meanwhile.
    let state = fake.state();
    for _ in 0..4 {
        prints.output().push(output(TRANSACTION_BYTES_MAX));
    }
    prints.record(change(head(ExecutionStatus::Success, 2)));
    assert!(writer.enqueue(&prints));
    let starts = PendingWrite::new("starts".to_owned());
    starts.record(creation(1, head(ExecutionStatus::Running, 1)));
    assert!(writer.enqueue(&starts));
    // Also where the first was taken alone, one transaction of output is all that comes before.
    drop(state);
    await_commit(&writer, &starts);
    await_commit(&writer, &prints);
    writer.close().unwrap();
    let state = fake.state();
    assert_eq!(state.stored, ["prints", "starts", "prints"]);
    let of_start = state.transactions.iter().skip(1).position(|(is_change, _)| *is_change);
    assert!(of_start.unwrap() <= 1, "{:?}", state.transactions);
}

#[test]
fn output_that_cannot_be_stored_harms_no_change_and_is_stored_later() {
    let fake = Fake::default();
    let writer = fake.open();
    fake.state().refuses_output = true;
    let pending = PendingWrite::new("e".to_owned());
    pending.output().push(output(1_000));
    pending.record(creation(1, head(ExecutionStatus::Running, 1)));
    assert!(writer.enqueue(&pending));
    await_commit(&writer, &pending);
    let health = writer.health();
    assert!(matches!(*health.borrow(), Health::Working) && !health.has_changed().unwrap());
    assert_eq!(pending.output().size(), 1_000);
    fake.state().refuses_output = false;
    until("it is stored", || pending.output().size() == 0);
    assert_eq!(fake.state().stored, ["e"]);
    // What can never be stored keeps nobody from closing.
    fake.state().refuses_output = true;
    pending.output().push(output(1_000));
    writer.enqueue_output(&pending);
    writer.close().unwrap();
}
