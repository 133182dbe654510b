//! The one that writes: a thread that stores what the pending writes in its queue hold, many
//! executions in one transaction, and answers each after the commit.

use std::convert::Infallible;
use std::fmt;
use std::io;
use std::sync::mpsc::RecvTimeoutError;
use std::sync::{Arc, mpsc};
use std::thread;
use std::time::{Duration, Instant};

use tokio::sync::{mpsc as asynchronous, oneshot, watch};

use super::backend::{Catalogued, Policies};
use super::delivery::Delivery;
use super::health::Health;
use super::opening::{Opening, Started, Thread};
use super::pending_write::PendingWrite;
use super::purge::{Purge, PurgeProgress, Purged};
use super::queue::Queue;
use super::schedules::{ScheduleChange, ScheduleOutcome};
use super::stall::AtWork;
use super::task::{NotificationTask, Task};
use crate::base::clock;
use crate::base::timestamp::Timestamp;
use crate::repository::error::{StoreError, StoreErrorKind};
use crate::repository::notifications::{
    Claim, ClaimRequest, NewNotification, OpenAlert, Settlement,
};
use crate::repository::ownership::takeover::{
    Abandonment, CancelNotice, CancelRequest, TakenOver, Which,
};
use crate::repository::ownership::{Owner, OwnerKind, Registry};
use crate::repository::sessions::SessionChange;
use crate::workflow::pin::Pin;
use crate::workflow::record::ExecutionDetail;
use crate::workflow::retention::PrunePlan;
use crate::workflow::trigger::Requester;

/// A handle on the writing thread. Dropped, it stores what it can, as [`Self::close`].
pub struct Writer {
    queue: Arc<Queue<Task>>,
    health: watch::Receiver<Health>,
    at_work: Arc<AtWork>,
    delivery: Arc<Delivery>,
    thread: Thread,
    busy_timeout: Duration,
    registry: Registry,
}

/// So long at least a request waits for its turn.
const ANSWER_PATIENCE: Duration = Duration::from_millis(900);
/// Between two tries at a transaction that another process keeps from beginning.
const LOCK_RETRY: Duration = Duration::from_millis(20);

impl fmt::Debug for Writer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Writer").field("waiting", &self.queue.len()).finish_non_exhaustive()
    }
}

impl Writer {
    /// Waits until the database is open; `waits` is called once, with the reason, when that takes
    /// long because of others.
    ///
    /// # Errors
    /// As [`Self::open`].
    pub fn finish(
        opening: Opening,
        waits: &mut dyn FnMut(&StoreError),
    ) -> Result<Self, StoreError> {
        let Started { thread, health, at_work, delivery, busy_timeout, registry } =
            opening.wait(waits)?;
        let queue = Arc::clone(&thread.queue);
        Ok(Self { queue, health, at_work, delivery, thread, busy_timeout, registry })
    }

    /// Asks for what `pending` holds to be stored. `false` when the queue is full: the
    /// pending write stays dirty and is to be enqueued again later. One that waits already
    /// takes no more room.
    #[must_use]
    pub fn enqueue(&self, pending: &Arc<PendingWrite>) -> bool {
        self.queue.push(pending)
    }

    /// Asks for the output to be stored that waits in `pending`, though no change does.
    pub(crate) fn enqueue_output(&self, pending: &Arc<PendingWrite>) {
        self.queue.push_output(pending);
    }

    /// How many executions wait to be stored.
    #[must_use]
    pub fn queue_depth(&self) -> usize {
        self.queue.len()
    }

    /// How often an execution found no room in the queue.
    #[must_use]
    pub fn queue_refusals(&self) -> u64 {
        self.queue.refusals()
    }

    /// How many changes of executions the database refused so far for what it holds, such as those
    /// of one that another process has taken over.
    #[must_use]
    pub fn refused_changes(&self) -> u64 {
        self.delivery.refused()
    }

    /// Follows whether the database works.
    #[must_use]
    pub fn health(&self) -> watch::Receiver<Health> {
        self.health.clone()
    }

    /// Notifies those who wait for commits from the runtime that polls this, which takes less
    /// than notifications by the writer's thread. Ends with an error only.
    ///
    /// # Errors
    /// When the pipe fails that wakes it, as when no descriptor is left; then the writer's thread
    /// goes on to notify them.
    ///
    /// # Panics
    /// Polled outside of a runtime of tokio that drives I/O.
    pub fn deliver(&self) -> impl Future<Output = Result<Infallible, StoreError>> + Send + use<> {
        Arc::clone(&self.delivery).serve()
    }

    /// Whether the database takes longer over something than it ever does while it works, as
    /// on a disk that hangs. [`Health`] reports only what has failed.
    #[must_use]
    pub fn is_stalled(&self) -> bool {
        self.at_work.is_stalled()
    }

    /// Watches the lock file of this process, as the files of the database are: while it cannot
    /// be kept, nothing is stored, and so nothing is begun.
    pub fn watch_owner(&self, owner: Arc<Owner>) {
        // A closed writer begins nothing any more.
        let _ = self.queue.push_task(Task::WatchOwner(owner));
    }

    /// Stores that an alert was sent, and when it was decided. Done by and by, as far as the
    /// database takes it: nobody waits.
    pub fn alert_sent(&self, kind: &'static str, decided_at: Timestamp) {
        // A closed writer stores nothing any more.
        let _ = self.queue.push_task(Task::AlertSent { kind, decided_at });
    }

    /// Changes whenever there may be a notification to send, from now on: by changes of this process
    /// at once, by those of others within a second.
    #[must_use]
    pub(crate) fn watch_notifications(&self) -> watch::Receiver<u64> {
        let (sender, receiver) = watch::channel(0);
        // A closed writer drops the sender, which ends the stream.
        let _ = self.notify(NotificationTask::Watch(sender));
        receiver
    }

    /// Claims notifications of a channel that are due.
    ///
    /// # Errors
    /// When the database fails.
    pub(crate) async fn claim_notifications(
        &self,
        request: ClaimRequest,
    ) -> Result<Claim, StoreError> {
        self.ask_of_notifications(|answer| NotificationTask::Claim { request, answer }).await
    }

    /// Stores the result of an attempt, by and by: nobody waits.
    pub(crate) fn settle_notification(&self, settlement: Settlement) {
        // A closed writer stores nothing any more; then the lease ends.
        let _ = self.notify(NotificationTask::Settle(settlement));
    }

    /// Queues a notification once; its row where it was new. Nothing is queued once the future is
    /// dropped, unless the commit is under way.
    ///
    /// # Errors
    /// When the database fails.
    pub(crate) async fn add_notification(
        &self,
        notification: NewNotification,
    ) -> Result<Option<i64>, StoreError> {
        let notification = Box::new(notification);
        self.ask_of_notifications(|answer| NotificationTask::Add { notification, answer }).await
    }

    /// Stores a notification that has ended already, by and by: nobody waits.
    pub(crate) fn archive_notification(&self, notification: NewNotification) {
        let _ = self.notify(NotificationTask::Archive(Box::new(notification)));
    }

    /// Stores which channels this daemon delivers, by and by.
    pub(crate) fn set_couriers(&self, owner: &str, channels: Vec<String>) {
        let _ = self.notify(NotificationTask::SetCouriers { owner: owner.to_owned(), channels });
    }

    /// Makes a daemon the owner of the open alerts that dead ones have left on these channels.
    ///
    /// # Errors
    /// When the database fails.
    pub(crate) async fn adopt_alerts(
        &self,
        owner: &str,
        channels: Vec<String>,
    ) -> Result<Vec<OpenAlert>, StoreError> {
        let owner = owner.to_owned();
        self.ask_of_notifications(|answer| NotificationTask::AdoptAlerts {
            owner,
            channels,
            answer,
        })
        .await
    }

    /// Leaves the channels and the open alerts of a daemon to the next one, by and by.
    pub(crate) fn leave_notifications(&self, owner: &str) {
        let _ = self.notify(NotificationTask::Leave { owner: owner.to_owned() });
    }

    /// What of the notifications of these executions no daemon will send: rows and channels.
    ///
    /// # Errors
    /// When the database fails.
    pub(crate) async fn left_to_send(
        &self,
        executions: Vec<String>,
    ) -> Result<Vec<(i64, String)>, StoreError> {
        self.ask_of_notifications(|answer| NotificationTask::LeftToSend { executions, answer })
            .await
    }

    /// Whether the writer takes it; a closed one does not.
    fn notify(&self, task: NotificationTask) -> bool {
        self.queue.push_task(Task::Notifications(task)).is_ok()
    }

    async fn ask_of_notifications<T>(
        &self,
        task: impl FnOnce(oneshot::Sender<Result<T, StoreError>>) -> NotificationTask,
    ) -> Result<T, StoreError> {
        let closed =
            || StoreError::new(StoreErrorKind::Io, "cannot notify: the database is closed");
        let (answer, answered) = oneshot::channel();
        if !self.notify(task(answer)) {
            return Err(closed());
        }
        answered.await.map_err(|_| closed())?
    }

    /// This process as an owner of executions, until the answer is dropped. `nonce` tells apart
    /// processes that had the same number.
    ///
    /// # Errors
    /// When others could not see that it is alive: its lock file cannot be made.
    pub fn claim_owner(&self, kind: OwnerKind, nonce: u32) -> io::Result<Arc<Owner>> {
        self.registry.claim(kind, nonce)
    }

    /// The executions that [`Self::take_over`] would take over, and what their processes left.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn find_abandoned(
        &self,
        which: &Which,
        owner: &str,
        limit: usize,
    ) -> Result<Abandonment, StoreError> {
        let closed =
            || StoreError::new(StoreErrorKind::Io, "cannot take over: the database is closed");
        let (answer, answered) = oneshot::channel();
        let (which, owner) = (which.clone(), owner.to_owned());
        let task = Task::FindAbandoned { which, owner, limit, answer };
        self.queue.push_task(task).map_err(|_| closed())?;
        answered.await.map_err(|_| closed())?
    }

    /// Forgets the attempts that a dead process has listed: nothing is left of them.
    pub fn forget_attempts(&self, owner: &str) {
        self.registry.forget_attempts(owner);
    }

    /// Removes the lock files of dead processes that nobody needs any more. Done by and by.
    pub fn sweep_owners(&self) {
        // A closed writer leaves them for the next time.
        let _ = self.queue.push_task(Task::SweepOwners);
    }

    /// Makes `owner` the owner of at most `limit` executions whose process died, oldest
    /// first, for it to go on with.
    ///
    /// # Errors
    /// When the database fails; then nothing changed hands.
    pub async fn take_over(
        &self,
        which: Which,
        owner: &str,
        limit: usize,
    ) -> Result<Vec<TakenOver>, StoreError> {
        let closed =
            || StoreError::new(StoreErrorKind::Io, "cannot take over: the database is closed");
        let since = clock::monotonic();
        loop {
            let (answer, answered) = oneshot::channel();
            let which = which.clone();
            let task = Task::TakeOver { which, owner: owner.to_owned(), limit, answer };
            self.queue.push_task(task).map_err(|_| closed())?;
            match answered.await.map_err(|_| closed())? {
                Err(error) if self.may_retry(&error, since) => {
                    tokio::time::sleep(LOCK_RETRY).await;
                }
                outcome => return outcome,
            }
        }
    }

    /// The writer itself waits only a moment for others: it has commits to make.
    fn may_retry(&self, error: &StoreError, since: Instant) -> bool {
        error.kind() == StoreErrorKind::Locked && since.elapsed() < self.busy_timeout
    }

    /// Leaves a request to cancel an execution for the process that runs it, `by` whoever asks. Others
    /// may have the database locked for `patience`.
    ///
    /// # Errors
    /// When the database fails.
    pub fn request_cancel(
        &self,
        execution_id: &str,
        requester: &Requester,
        patience: Duration,
    ) -> Result<CancelRequest, StoreError> {
        self.ask("cancel", patience, |answer| Task::RequestCancel {
            execution_id: execution_id.to_owned(),
            requester: requester.clone(),
            answer,
        })
    }

    /// Has a task done that answers, again for `patience` while others have the database locked;
    /// `doing` says what it is, should it fail.
    fn ask<T>(
        &self,
        doing: &str,
        patience: Duration,
        task: impl Fn(mpsc::Sender<Result<T, StoreError>>) -> Task,
    ) -> Result<T, StoreError> {
        let failed = |kind, why| StoreError::new(kind, format!("cannot {doing}: {why}"));
        let closed = || failed(StoreErrorKind::Io, "the database is closed");
        let since = clock::monotonic();
        loop {
            let (answer, answered) = mpsc::channel();
            self.queue.push_task(task(answer)).map_err(|_| closed())?;
            let answer = match answered.recv_timeout(patience.max(ANSWER_PATIENCE)) {
                Err(RecvTimeoutError::Timeout) => {
                    Err(failed(StoreErrorKind::Locked, "the writer is busy"))
                }
                answer => answer.map_err(|_| closed())?,
            };
            match answer {
                Err(error)
                    if error.kind() == StoreErrorKind::Locked && since.elapsed() < patience =>
                {
                    thread::sleep(LOCK_RETRY);
                }
                outcome => return outcome,
            }
        }
    }

    /// Pins an execution, or with `None` unpins it; `false` where there is no such execution. Others
    /// may have the database locked for `patience`.
    ///
    /// # Errors
    /// When the database fails.
    pub(crate) fn pin(
        &self,
        execution_id: &str,
        pin: Option<&Pin>,
        patience: Duration,
    ) -> Result<bool, StoreError> {
        self.ask(if pin.is_some() { "pin" } else { "unpin" }, patience, |answer| Task::Pin {
            execution_id: execution_id.to_owned(),
            pin: pin.cloned(),
            answer,
        })
    }

    /// Writes what is stored of schedules. Blocks while others have the database locked, for
    /// `patience` at most.
    ///
    /// # Errors
    /// When the database fails; then nothing of it is written.
    pub(crate) fn change_schedules(
        &self,
        change: &ScheduleChange,
        patience: Duration,
    ) -> Result<ScheduleOutcome, StoreError> {
        self.ask("write what is decided of schedules", patience, |answer| Task::ChangeSchedules {
            change: Box::new(change.clone()),
            answer,
        })
    }

    /// Begins or ends a session of the web page. Others may have the database locked for `patience`.
    ///
    /// # Errors
    /// When the database fails.
    pub(crate) fn change_session(
        &self,
        change: &SessionChange,
        patience: Duration,
    ) -> Result<(), StoreError> {
        let change = change.clone();
        self.ask("store a session", patience, |answer| Task::Session {
            change: change.clone(),
            answer,
        })
    }

    /// Stores the retention of workflows, by and by: nobody waits. It is tried again until the
    /// database takes it.
    pub(crate) fn set_policies(&self, policies: Policies) {
        if !policies.is_empty() {
            // A closed writer stores nothing any more.
            let _ = self.queue.push_task(Task::SetPolicies(policies));
        }
    }

    /// The ids of those executions of `owner` that somebody asked to cancel, each once,
    /// within a second.
    #[must_use]
    pub fn cancel_requests(&self, owner: &str) -> asynchronous::UnboundedReceiver<CancelNotice> {
        let (sender, receiver) = asynchronous::unbounded_channel();
        let task = Task::WatchCancels { owner: owner.to_owned(), sender };
        // A closed writer drops the sender, which ends the stream.
        let _ = self.queue.push_task(task);
        receiver
    }

    /// An execution of this process, stored before, waits for a slot of its concurrency group.
    pub(crate) fn wait_for_slot(&self, group: &str, pending: &Arc<PendingWrite>) {
        let (group, pending) = (Arc::from(group), Arc::clone(pending));
        // A closed writer gives nobody a slot any more.
        let _ = self.queue.push_task(Task::Wait { group, pending });
    }

    /// Stores the limits of the catalogue's concurrency groups, as [`Self::set_policies`].
    pub(crate) fn set_catalogued(&self, catalogued: Catalogued) {
        // A closed writer stores nothing any more.
        let _ = self.queue.push_task(Task::SetCatalogued(catalogued));
    }

    /// The ids of executions that hold a slot of a concurrency group though their process was an
    /// `exec` that is dead: of the groups that somebody waits for in this process, or of `all`.
    #[must_use]
    pub fn dead_holders(&self, all: bool) -> asynchronous::UnboundedReceiver<String> {
        let (sender, receiver) = asynchronous::unbounded_channel();
        // A closed writer drops the sender, which ends the stream.
        let _ = self.queue.push_task(Task::WatchHolders { sender, all });
        receiver
    }

    /// Deletes the executions of `plan`, a bounded number per transaction, and gives
    /// their space back. `progress` hears how many are deleted so far. One that is
    /// not finished is never deleted.
    ///
    /// # Errors
    /// When the database fails; what was reported as progress is deleted.
    pub fn purge(
        &self,
        plan: &PrunePlan,
        progress: &mut dyn FnMut(u64),
    ) -> Result<Purged, StoreError> {
        self.purge_reporting(plan, progress, &mut |_| {})
    }

    /// The same; `waits` is called, with the reason, each time it has to wait long for others.
    ///
    /// # Errors
    /// As [`Self::purge`].
    pub fn purge_reporting(
        &self,
        plan: &PrunePlan,
        progress: &mut dyn FnMut(u64),
        waits: &mut dyn FnMut(&StoreError),
    ) -> Result<Purged, StoreError> {
        let closed = || StoreError::new(StoreErrorKind::Io, "cannot purge: the database is closed");
        let (sender, messages) = mpsc::channel();
        self.queue.push_task(Task::Purge(Purge::new(plan, sender))).map_err(|_| closed())?;
        for message in messages {
            match message {
                PurgeProgress::Deleted(deleted) => progress(deleted),
                PurgeProgress::Waits(error) => waits(&error),
                PurgeProgress::Ended(outcome) => return outcome,
            }
        }
        Err(closed())
    }

    /// What is stored of an execution, with its steps or without, as the last that this writer is asked for: it
    /// begins to close. Read over the connection that wrote it, since a process that ran
    /// one execution needs no second one.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub fn last_detail(
        &self,
        execution_id: &str,
        has_steps: bool,
    ) -> Result<Option<ExecutionDetail>, StoreError> {
        let closed = || StoreError::new(StoreErrorKind::Io, "cannot read: the database is closed");
        let (answer, answered) = mpsc::channel();
        let task = Task::Detail { execution_id: execution_id.to_owned(), has_steps, answer };
        self.queue.push_task(task).map_err(|_| closed())?;
        self.queue.close();
        answered.recv().map_err(|_| closed())?
    }

    /// Stores what can be stored, deletes what retention asks for, ends the thread.
    ///
    /// # Errors
    /// When something enqueued could not be stored (it stays dirty), or retention
    /// could not delete.
    pub fn close(&self) -> Result<(), StoreError> {
        self.thread.end()
    }
}
