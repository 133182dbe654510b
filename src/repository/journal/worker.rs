//! The thread of the [writer](super::writer): takes what waits, stores it in one
//! transaction, answers after the commit, prunes.

use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::sync::watch;

use super::backend::{Backend, Catalogued, Entry, Policies, SlotChange, Written};
use super::cancel;
use super::delivery::{Delivery, Outcome};
use super::health::Health;
use super::pending_write::PendingWrite;
use super::purge::Purge;
use super::queue::{Next, Queue};
use super::stall::AtWork;
use super::task::Task;
use super::waiters::Waiters;
use crate::base::clock;
use crate::repository::alerts::SentAlerts;
use crate::repository::error::{StoreError, StoreErrorKind};
use crate::repository::options::WriterOptions;
use crate::repository::ownership::Owner;
use crate::repository::ownership::takeover::CancelRequest;
use crate::workflow::record::ExecutionDetail;

mod commit;
mod groups;
mod notifications;
mod output;
mod policies;
mod purge;
mod tidy;
mod transactions;

use self::groups::{Granted, HolderWatch};
use self::notifications::Outbox;
use self::output::OutputState;

/// The first wait after a failure of the database; doubled up to [`BACKOFF_MAX`].
const BACKOFF: Duration = Duration::from_millis(20);
/// The longest wait: a database that works again is noticed within it.
const BACKOFF_MAX: Duration = Duration::from_millis(250);
/// How long a commit waits for other processes before that is reported as a failure: to wait for
/// one's turn among many on a slow disk is none, and 2 s are promised.
const LOCK_PATIENCE: Duration = Duration::from_secs(1);
/// How long what somebody waits for does: the answer is promised within a second.
const ASK_PATIENCE: Duration = Duration::from_millis(500);
/// So often the writer looks at the files and for requests, if nothing else wakes it.
const LOOK: Duration = Duration::from_millis(500);
/// So often it is looked whether executions are too old for the retention of their workflow.
const LOOK_AT_AGES: Duration = Duration::from_secs(5);
/// So many that completed are worth a deletion while others complete. Less than what one
/// transaction may delete: what came with them goes with them.
const WORTH_DELETING: usize = 512;
/// So many completions are pruned with the commit that stores them.
const FEW: usize = 4;
/// When nothing came for so long, what retention has put off is done.
const IDLE: Duration = Duration::from_millis(10);

/// Why a batch is not committed.
enum NotCommitted {
    /// Deleting what retention asks for failed: without it the batch may still be stored.
    Pruning,
    /// Some of it was withdrawn while others kept the transaction from beginning.
    Withdrawn,
    Failed(StoreError),
}

/// What a commit holds: each entry of its batch or why that was refused, and who got a slot.
type Committed = (Vec<Result<Written, StoreError>>, Vec<Granted>);

/// What retention keeps.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Keeps {
    /// How many finished executions; `None` and 0: all.
    pub(crate) keep: Option<u64>,
    /// Whether any workflow has its own retention.
    pub(crate) has_policies: bool,
}

/// What lives on the thread.
pub(crate) struct Worker<B> {
    backend: B,
    /// How many finished executions are kept, if not all.
    retention: Option<u64>,
    /// Whether workflows have their own retention, as far as this process knows.
    has_policies: bool,
    /// The retention of workflows that is not stored yet.
    new_policies: Policies,
    /// When it was looked last whether the retention of workflows has something to delete.
    ages_looked_at: Instant,
    /// An execution has completed, so that retention deletes once more at the end.
    has_completed: bool,
    options: WriterOptions,
    queue: Arc<Queue<Task>>,
    health: watch::Sender<Health>,
    at_work: Arc<AtWork>,
    delivery: Arc<Delivery>,
    /// How many completed since retention last deleted.
    unpruned: usize,
    /// Retention has more to delete than one transaction may, or time to do it.
    prune_more: bool,
    /// Why retention could not delete the last time.
    prune_error: Option<StoreError>,
    /// Retention deletes beside what is written.
    is_retaining: bool,
    /// When that failed last.
    beside_failed_at: Option<Instant>,
    /// Free space is to go back to the file system.
    give_back: bool,
    cancels: Option<cancel::Watch>,
    /// The executions of this process that wait for a slot.
    waiters: Waiters,
    /// Where slots are reported whose holder is dead.
    holders: Option<HolderWatch>,
    /// The limits of the catalogue's groups that are not stored yet.
    new_catalogued: Option<Catalogued>,
    /// Alerts that were sent, of which that is not stored yet.
    sent_alerts: SentAlerts,
    /// What is known of notifications.
    outbox: Outbox,
    /// This process, whose lock file is watched as the database is.
    owner: Option<Arc<Owner>>,
    /// Why others cannot see that this process is alive: then nothing is begun.
    unseen: Option<StoreError>,
    looked_at: Instant,
    /// When a transaction could begin last.
    begun_at: Instant,
    /// How the output of steps is stored.
    output: OutputState,
    /// The backend may have something to prepare.
    may_compile: bool,
}

impl<B: Backend> Worker<B> {
    pub(crate) fn new(
        backend: B,
        keeps: Keeps,
        options: WriterOptions,
        queue: Arc<Queue<Task>>,
        health: watch::Sender<Health>,
    ) -> Self {
        Self {
            backend,
            retention: keeps.keep.filter(|keep| *keep > 0),
            has_policies: keeps.has_policies,
            new_policies: Policies::new(),
            ages_looked_at: clock::monotonic(),
            has_completed: false,
            options,
            queue,
            health,
            at_work: Arc::default(),
            delivery: Arc::default(),
            unpruned: 0,
            prune_more: false,
            prune_error: None,
            is_retaining: false,
            beside_failed_at: None,
            give_back: false,
            cancels: None,
            waiters: Waiters::default(),
            holders: None,
            new_catalogued: None,
            sent_alerts: SentAlerts::new(),
            outbox: Outbox::default(),
            owner: None,
            unseen: None,
            looked_at: clock::monotonic(),
            begun_at: clock::monotonic(),
            output: OutputState::new(),
            may_compile: true,
        }
    }

    pub(crate) fn at_work(&self) -> Arc<AtWork> {
        Arc::clone(&self.at_work)
    }

    pub(crate) fn delivery(&self) -> Arc<Delivery> {
        Arc::clone(&self.delivery)
    }

    pub(crate) fn run(&mut self) -> Result<(), StoreError> {
        let mut backoff = BACKOFF;
        let mut purge: Option<Purge> = None;
        loop {
            let tidying = self.prune_more || self.give_back;
            let deferred = self.unpruned > 0 || self.is_retaining;
            let patience = self.output_patience().min(match (tidying, deferred) {
                _ if purge.is_some() => Duration::ZERO,
                (true, _) if self.prune_error.is_some() => BACKOFF_MAX,
                (true, _) => Duration::ZERO,
                (false, true) => IDLE,
                (false, false) => LOOK,
            });
            self.compile_ahead();
            self.at_work.rest();
            let Next { pending, task, closed } = self.queue.next(patience);
            self.at_work.begin();
            if deferred && pending.is_empty() {
                self.prune_more = true;
            }
            if closed && std::mem::take(&mut self.has_completed) && self.has_policies {
                // What became too old since goes although nothing else completes.
                self.prune_more = true;
            }
            let tidying = self.prune_more || self.give_back;
            let has_output = self.queue.has_output();
            let is_idle = pending.is_empty() && task.is_none() && purge.is_none() && !has_output;
            if closed && is_idle && !tidying {
                self.trim_output_at_end();
                self.sync_output(closed);
                self.store_unstored_notifications();
                return self.prune_error.take().map_or(Ok(()), Err);
            }
            if let Err(error) = self.store(pending) {
                self.fails(error.clone());
                // The last attempt is made after the queue is closed.
                if closed {
                    return Err(error);
                }
                self.queue.pause(backoff);
                backoff = (backoff * 2).min(BACKOFF_MAX);
            } else {
                backoff = BACKOFF;
            }
            self.store_output(closed);
            match task {
                Some(Task::Purge(next)) if purge.is_none() => purge = Some(next),
                // One at a time; it comes again.
                Some(Task::Purge(next)) => drop(self.queue.push_task(Task::Purge(next))),
                Some(task) => self.perform(task),
                None => {}
            }
            if self.looked_at.elapsed() >= LOOK {
                self.look();
            }
            if let Some(current) = purge.take() {
                purge = self.purge(current);
            } else if self.prune_more || self.give_back {
                self.tidy();
                if closed && self.prune_error.is_some() {
                    // What waits is stored all the same.
                    self.give_up_tidying();
                }
            }
        }
    }

    /// Has the backend prepare itself while nothing waits.
    fn compile_ahead(&mut self) {
        while self.may_compile && self.queue.is_idle() {
            self.may_compile = self.backend.compile_ahead();
        }
    }

    /// Answers a task that is done at once. The asker may be gone.
    fn perform(&mut self, task: Task) {
        match task {
            Task::Detail { execution_id, has_steps, answer } => {
                let detail = self.backend.check().and_then(|()| {
                    let detail = if has_steps {
                        self.backend.detail(&execution_id)
                    } else {
                        let without_steps = |execution| ExecutionDetail {
                            execution,
                            handlers: Vec::new(),
                            steps: Vec::new(),
                        };
                        let execution = self.backend.execution(&execution_id);
                        execution.map(|found| found.map(without_steps))
                    };
                    detail.map_err(|error| self.backend.explain("read", &error))
                });
                let _ = answer.send(detail);
            }
            Task::TakeOver { which, owner, limit, answer } => {
                let taken = self.transaction("take over from", |backend| {
                    backend.take_over(&which, &owner, limit)
                });
                let _ = answer.send(taken);
            }
            Task::FindAbandoned { which, owner, limit, answer } => {
                let found = self.backend.find_abandoned(&which, &owner, limit);
                let _ = answer.send(found.map_err(|error| self.backend.explain("read", &error)));
            }
            // What cannot be read now is swept another time.
            Task::SweepOwners => _ = self.backend.sweep_owners(),
            Task::AlertSent { kind, decided_at } => {
                self.sent_alerts.insert(kind.to_owned(), decided_at);
                self.store_sent_alerts();
            }
            Task::WatchOwner(owner) => self.owner = Some(owner),
            Task::RequestCancel { execution_id, requester, answer } => {
                let now = clock::now();
                let request = self.transaction("write to", |backend| {
                    backend.request_cancel(&execution_id, &requester, now)
                });
                if let (Ok(CancelRequest::Stored { owner: Some(owner) }), Some(watch)) =
                    (&request, &mut self.cancels)
                {
                    watch.report(owner, &execution_id);
                }
                let _ = answer.send(request);
            }
            Task::Pin { execution_id, pin, answer } => {
                let done = self
                    .transaction("write to", |backend| backend.pin(&execution_id, pin.as_ref()));
                let _ = answer.send(done);
            }
            Task::ChangeSchedules { change, answer } => {
                let done =
                    self.transaction("write to", |backend| backend.change_schedules(&change));
                if done.is_ok() && change.may_notify() {
                    self.report_queued();
                }
                let _ = answer.send(done);
            }
            Task::Session { change, answer } => {
                let now = clock::now();
                let done = self.transaction("write to", |backend| backend.session(&change, now));
                let _ = answer.send(done);
            }
            Task::SetPolicies(policies) => {
                self.new_policies.extend(policies);
                self.store_policies();
            }
            Task::WatchCancels { owner, sender } => {
                self.cancels = Some(cancel::Watch::new(owner, sender));
            }
            Task::Wait { group, pending } => self.wait(&group, &pending),
            Task::SetCatalogued(catalogued) => self.set_catalogued(catalogued),
            Task::WatchHolders { sender, all } => {
                self.holders = Some(HolderWatch::new(sender, all));
            }
            Task::Notifications(task) => self.perform_for_notifications(task),
            Task::Purge(_) => {}
        }
    }

    /// Does something in one transaction, waiting for others a moment only; `doing` says what it is,
    /// should it fail.
    fn transaction<T>(
        &mut self,
        doing: &str,
        mut work: impl FnMut(&mut B) -> Result<T, B::Error>,
    ) -> Result<T, StoreError> {
        // After a failure, the next one does not wait as long again.
        if let Health::Failing { error } = &*self.health.borrow()
            && self.looked_at.elapsed() < LOOK
        {
            return Err(StoreError::clone(error));
        }
        let since = clock::monotonic();
        loop {
            let outcome = self.begin(ASK_PATIENCE).and_then(|()| {
                let value =
                    work(&mut self.backend).map_err(|error| self.backend.explain(doing, &error))?;
                self.backend.commit().map_err(|error| self.backend.explain("write to", &error))?;
                Ok(value)
            });
            let Err(error) = outcome else { return outcome };
            self.backend.rollback();
            if !self.is_worth_retrying(&error, since, ASK_PATIENCE) {
                self.fails(error.clone());
                return Err(error);
            }
        }
    }

    /// Whether others may have let go by now of what they had locked in the middle of a transaction,
    /// which was begun `since`; where a lock comes with the beginning, it was waited for there.
    fn is_worth_retrying(&self, error: &StoreError, since: Instant, patience: Duration) -> bool {
        self.backend.writes_at_once()
            && error.kind() == StoreErrorKind::Locked
            && since.elapsed() < patience
            && !self.queue.is_closed()
    }

    /// Looks whether the files are still there, whether somebody wants something cancelled,
    /// and whether others let a transaction begin.
    fn look(&mut self) {
        self.looked_at = clock::monotonic();
        self.unseen = self.owner.as_ref().and_then(|owner| owner.check_seen().err());
        if let Err(error) = self.backend.check() {
            self.fails(error);
            return;
        }
        // A database that cannot be read fails to be written as well, which is reported below; but
        // tables that others have locked may let a transaction begin.
        let looked = self.cancels.as_mut().map_or(Ok(()), |watch| watch.look(&mut self.backend));
        let locked = looked.map_err(|error| self.backend.explain("read", &error)).err();
        let locked = locked.filter(|error| error.kind() == StoreErrorKind::Locked);
        self.store_sent_alerts();
        self.store_policies();
        self.look_at_groups();
        self.look_at_notifications();
        self.look_at_output();
        if self.ages_looked_at.elapsed() >= LOOK_AT_AGES {
            self.look_at_policies();
        }
        let is_failing = matches!(*self.health.borrow(), Health::Failing { .. });
        // What waits is tried again by itself, and reports then.
        let is_waiting = self.queue.len() > 0 || self.are_notifications_failing();
        if !is_waiting && (is_failing || self.begun_at.elapsed() >= LOOK) {
            let patience = if is_failing { Duration::ZERO } else { LOCK_PATIENCE };
            // A database that failed may let a transaction begin and still take no commit, as one
            // whose disk is full.
            let looked = self.begin(patience).and_then(|()| match is_failing {
                true => self.commit_nothing(),
                false => Ok(()),
            });
            self.backend.rollback();
            match looked {
                Ok(()) => match locked {
                    None => self.works(),
                    Some(error) => self.fails(error),
                },
                // When wfx ends, nobody has waited for others.
                Err(error) if !is_failing && !self.queue.is_closed() => self.fails(error),
                Err(_) => {}
            }
        }
    }

    /// Commits the transaction under way with a write that changes nothing.
    fn commit_nothing(&mut self) -> Result<(), StoreError> {
        let committed = self.backend.touch_output().and_then(|()| self.backend.commit());
        committed.map_err(|error| self.backend.explain("write to", &error))
    }

    fn fails(&self, error: StoreError) {
        // What was stored before is not to look as if it could not be.
        self.delivery.notify();
        self.health.send_replace(Health::Failing { error: Arc::new(error) });
    }

    /// Stores what the pending writes hold. On a failure everything is back in the queue.
    fn store(&mut self, pending: Vec<Arc<PendingWrite>>) -> Result<(), StoreError> {
        let mut batch = self.entries(pending);
        if batch.is_empty() {
            return Ok(());
        }
        let began = clock::monotonic();
        match self.commit_with_output(&mut batch) {
            Ok((outcomes, granted)) => {
                if let Some(observer) = &self.options.commits {
                    observer.committed(batch.len(), began.elapsed());
                }
                self.report_notifications(&batch);
                let mut replaces = false;
                let mut reported = Vec::with_capacity(batch.len());
                self.output_stored(&batch);
                for (Entry { pending, version, .. }, written) in batch.into_iter().zip(outcomes) {
                    reported.push(match written {
                        Ok(written) => {
                            replaces |= written.cancels;
                            let seq = written.seq;
                            let waits = match (&written.slot, &written.group) {
                                (SlotChange::Waits { on, replaces: asks }, Some(group)) => {
                                    replaces |= asks;
                                    self.waiters.add(group, &pending);
                                    Some(Arc::clone(on))
                                }
                                _ => None,
                            };
                            self.backend.committed(pending.execution_id(), written);
                            match waits {
                                Some(on) => Outcome::waits(pending, version, seq, on),
                                None => Outcome::committed(pending, version, seq),
                            }
                        }
                        Err(error) => Outcome::refused(pending, error),
                    });
                }
                if !granted.is_empty() {
                    reported.append(&mut self.granted(granted));
                }
                self.delivery.hand_over(reported);
                if let (true, Some(watch)) = (replaces, &mut self.cancels) {
                    // What cannot be read now is found at the next look.
                    let _ = watch.look_again(&mut self.backend);
                }
                self.works();
                Ok(())
            }
            Err(why) => {
                let pending = batch.into_iter().map(|entry| {
                    entry.pending.output().put_back(entry.output);
                    entry.pending.put_back(entry.change);
                    entry.pending
                });
                self.queue.put_back(pending.collect::<Vec<_>>().into_iter());
                match why {
                    NotCommitted::Failed(error) => Err(error),
                    // The rest is taken again at once.
                    NotCommitted::Withdrawn | NotCommitted::Pruning => Ok(()),
                }
            }
        }
    }

    fn works(&self) {
        self.health.send_if_modified(|health| {
            let was_failing = matches!(health, Health::Failing { .. });
            *health = Health::Working;
            was_failing
        });
    }
}
