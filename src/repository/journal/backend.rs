//! What the writer's thread needs of a database. Only the [worker](super::worker) is generic over
//! it: all calls are static.

use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::sync::Arc;

use super::output::OutputBatch;
use super::pending_write::PendingWrite;
use super::schedules::{ScheduleChange, ScheduleOutcome};
use crate::base::timestamp::Timestamp;
use crate::repository::alerts::SentAlerts;
use crate::repository::error::StoreError;
use crate::repository::notifications::{
    Claim, ClaimRequest, KeptUp, NewNotification, OpenAlert, Settlement,
};
use crate::repository::ownership::Registry;
use crate::repository::ownership::takeover::{
    Abandonment, CancelNotice, CancelRequest, TakenOver, Which,
};
use crate::repository::sessions::SessionChange;
use crate::workflow::concurrency::WaitingFor;
use crate::workflow::pin::Pin;
use crate::workflow::record::{Change, ExecutionDetail, ExecutionRecord};
use crate::workflow::retention::Chosen;
use crate::workflow::retention_policy::{RetentionPolicy, StartRetention};
use crate::workflow::trigger::Requester;

/// The retention of workflows; `None`: a workflow has none of its own.
pub(crate) type Policies = BTreeMap<String, Option<RetentionPolicy>>;

/// The concurrency groups of a catalogue.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Catalogued {
    /// The limit of each group, without the values of its parameters, and a workflow that sets it.
    pub(crate) limits: BTreeMap<String, (u32, String)>,
    /// Every workflow of the catalogue.
    pub(crate) workflows: BTreeSet<String>,
    /// Groups that it had before.
    pub(crate) removed: BTreeSet<String>,
}

/// One that waits for a slot.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Waiter {
    pub(crate) seq: i64,
    pub(crate) execution_id: String,
}

/// Who waits in this process, so that a grant reaches somebody: by execution id.
pub(crate) type IsOurs<'a> = &'a dyn Fn(&str) -> bool;

/// A connection that writes. It is used by one thread, and by one transaction at a time.
pub(crate) trait Backend: Send + 'static {
    /// Why something failed, as the database says it.
    type Error;

    /// The same in words for an operator, while `doing` something (a verb) with the database.
    fn explain(&self, doing: &str, error: &Self::Error) -> StoreError;

    /// Refuses a database that is no longer the one that was opened. Cheap: it comes before each
    /// transaction, and twice a second.
    fn check(&mut self) -> Result<(), StoreError>;

    /// Begins a transaction that may write. Waits a quarter of a second at most for others that
    /// write, and then fails with an error that is explained as `Locked`.
    fn begin(&mut self) -> Result<(), Self::Error>;

    /// The same for output alone, which a power loss may take: its commit need not be on the disk
    /// until another one is.
    fn begin_output(&mut self) -> Result<(), Self::Error>;

    /// Writes output of an execution that is stored, inside the transaction under way; `false` where
    /// there is no such execution.
    fn write_output(
        &mut self,
        execution_id: &str,
        batches: &[OutputBatch],
    ) -> Result<bool, Self::Error>;

    /// Writes something that changes nothing, so that the next commit puts the output before it on the
    /// disk as well, or shows whether commits succeed.
    fn touch_output(&mut self) -> Result<(), Self::Error>;

    /// Deletes the oldest output that is beyond its budgets, at most about so many bytes, inside the
    /// transaction under way.
    fn trim_output(&mut self, bytes: u64, now: Timestamp) -> Result<Retained, Self::Error>;

    /// Whether [`Self::trim_output`] has something to delete. Begins no transaction.
    fn is_output_excessive(&mut self, now: Timestamp) -> Result<bool, Self::Error>;

    /// Makes durable what was written since [`Self::begin`].
    fn commit(&mut self) -> Result<(), Self::Error>;

    /// The same for a batch. Where the answer to the commit is lost, it is found out what became of it,
    /// since a batch must not be written twice: `goes_on` is given the reason why that is not possible
    /// yet, and says whether to try on.
    fn commit_batch(
        &mut self,
        _goes_on: &mut dyn FnMut(StoreError) -> bool,
    ) -> Result<(), Self::Error> {
        self.commit()
    }

    /// Whether [`Self::write_at_once`] is worth trying.
    fn writes_at_once(&self) -> bool {
        false
    }

    /// Writes a batch and makes it durable, in one exchange with the database and outside of any
    /// transaction. `None`: nothing was written, and it is to be written as any batch; there it is found
    /// out whether something of it is refused.
    fn write_at_once(
        &mut self,
        _batch: &[Entry],
        _goes_on: &mut dyn FnMut(StoreError) -> bool,
    ) -> Result<Option<Vec<Written>>, Self::Error> {
        Ok(None)
    }

    /// Undoes what was written since [`Self::begin`], if a transaction is under way.
    fn rollback(&mut self);

    /// Writes a batch as if nothing of it could be refused: the first one that is refused fails it.
    /// A change whose owner is not the one that is stored is refused.
    fn write_all(&mut self, batch: &[Entry]) -> Result<Vec<Written>, NotWritten<Self::Error>>;

    /// Writes a batch, each in a savepoint of its own, so that one that is refused leaves no trace.
    fn write_each(
        &mut self,
        batch: &[Entry],
    ) -> Result<Vec<Result<Written, StoreError>>, Self::Error>;

    /// The commit of what was written of an execution has succeeded.
    fn committed(&mut self, execution_id: &str, written: Written);

    /// Deletes what is beyond the retention of workflows that have their own, and of the other
    /// finished executions those that completed first until `keep` are left (`None`: all stay), as
    /// many as one transaction may, inside the transaction under way. With `now`, ages count.
    fn retain(
        &mut self,
        keep: Option<u64>,
        now: Option<Timestamp>,
    ) -> Result<Retained, Self::Error>;

    /// Begins to delete what is beyond `keep`, as [`Self::retain`] where no workflow has its own
    /// retention, beside what is written meanwhile: only where [`Self::writes_at_once`].
    fn begin_retaining(&mut self, _keep: u64) -> Result<(), Self::Error> {
        Ok(())
    }

    /// Waits for what [`Self::begin_retaining`] began; whether there is more to delete.
    fn end_retaining(&mut self) -> Result<bool, Self::Error> {
        Ok(false)
    }

    /// Whether any workflow has its own retention.
    fn has_policies(&mut self) -> Result<bool, Self::Error>;

    /// Whether the retention of a workflow has something to delete. Begins no transaction.
    fn is_retention_due(&mut self, now: Timestamp) -> Result<bool, Self::Error>;

    /// Does a small part, once, of what commits would otherwise wait for later; whether there is more
    /// of that. Called while nothing waits.
    fn compile_ahead(&mut self) -> bool {
        false
    }

    /// Stores the retention of workflows, inside the transaction under way.
    fn set_policies(&mut self, policies: &Policies) -> Result<(), Self::Error>;

    /// Pins an execution, or with `None` unpins it, inside the transaction under way; `false` where
    /// there is no such execution.
    fn pin(&mut self, execution_id: &str, pin: Option<&Pin>) -> Result<bool, Self::Error>;

    /// Begins or ends a session of the web page, inside the transaction under way.
    fn session(&mut self, change: &SessionChange, now: Timestamp) -> Result<(), Self::Error>;

    /// Deletes those that are finished, with all that belongs to them, inside the transaction under
    /// way, as many as one transaction may. One that is pinned goes only with `include_pinned`.
    fn delete(&mut self, chosen: &[Chosen], include_pinned: bool) -> Result<Deleted, Self::Error>;

    /// Gives free space back, as much as one transaction may, inside the transaction under way;
    /// whether there is more.
    fn give_back(&mut self) -> Result<bool, Self::Error>;

    /// The size of what is stored, bytes.
    fn size_bytes(&mut self) -> Result<u64, Self::Error>;

    /// Lets the file system have what was given back, outside of a transaction.
    fn shrink(&mut self) -> Result<(), Self::Error>;

    /// The executions that [`Self::take_over`] would take over, and what their processes left.
    fn find_abandoned(
        &mut self,
        which: &Which,
        owner: &str,
        limit: usize,
    ) -> Result<Abandonment, Self::Error>;

    /// Makes `owner` the owner of at most `limit` executions that may change hands, oldest first,
    /// inside the transaction under way.
    fn take_over(
        &mut self,
        which: &Which,
        owner: &str,
        limit: usize,
    ) -> Result<Vec<TakenOver>, Self::Error>;

    /// Forgets dead processes that nothing names any more.
    fn sweep_owners(&mut self) -> Result<(), Self::Error>;

    /// Leaves a request to cancel an execution, with who asks for it, inside the transaction under
    /// way. The first one stays.
    fn request_cancel(
        &mut self,
        execution_id: &str,
        requester: &Requester,
        now: Timestamp,
    ) -> Result<CancelRequest, Self::Error>;

    /// The unfinished executions of `owner` that somebody asked to cancel.
    fn cancel_requests(&mut self, owner: &str) -> Result<HashSet<CancelNotice>, Self::Error>;

    /// A number that is another one once others have stored something: then requests need not be
    /// looked for as long as it stays. `None` where the database counts no changes.
    fn change_count(&mut self) -> Result<Option<i64>, Self::Error>;

    /// The waiters of `owner` that get a slot of `group` next. Begins no transaction.
    fn next_in_line(
        &mut self,
        group: &str,
        owner: &str,
        is_ours: IsOurs<'_>,
    ) -> Result<Vec<Waiter>, Self::Error>;

    /// Gives slots of `group` to the waiters of `owner` that are next, inside the transaction under
    /// way, and returns them.
    fn grant(
        &mut self,
        group: &str,
        owner: &str,
        is_ours: IsOurs<'_>,
        now: Timestamp,
    ) -> Result<Vec<Waiter>, Self::Error>;

    /// Executions that hold a slot though their process was an `exec` that is dead, in these
    /// groups; with `None` in all, and those of such processes that wait and are to be cancelled.
    fn dead_holders(&mut self, groups: Option<&[String]>) -> Result<Vec<String>, Self::Error>;

    /// Stores the limits of the groups of a catalogue, inside the transaction under way.
    fn set_catalogue(&mut self, catalogued: &Catalogued) -> Result<(), Self::Error>;

    /// Writes a change of what is stored of schedules, inside the transaction under way.
    fn change_schedules(&mut self, change: &ScheduleChange)
    -> Result<ScheduleOutcome, Self::Error>;

    /// Stores when alerts were sent, inside the transaction under way.
    fn store_alerts(&mut self, alerts: &SentAlerts) -> Result<(), Self::Error>;

    /// Whether [`Self::claim_notifications`] would find something. Begins no transaction.
    fn are_notifications_due(&mut self, request: &ClaimRequest) -> Result<bool, Self::Error>;

    /// When the next notification of a channel is due; `None`: none waits.
    fn next_notification_at(&mut self, channel: &str) -> Result<Option<Timestamp>, Self::Error>;

    /// Claims notifications that are due, inside the transaction under way.
    fn claim_notifications(&mut self, request: &ClaimRequest) -> Result<Claim, Self::Error>;

    /// Stores the results of attempts, inside the transaction under way.
    fn settle_notifications(&mut self, settlements: &[Settlement]) -> Result<(), Self::Error>;

    /// Queues a notification once, or stores how it ended, inside the transaction under way; its row
    /// where it was new.
    fn add_notification(
        &mut self,
        notification: &NewNotification,
        now: Timestamp,
    ) -> Result<Option<i64>, Self::Error>;

    /// Whether a reminder is due or the history of notifications too long. Begins no transaction.
    fn need_notifications_upkeep(&mut self, now: Timestamp) -> Result<bool, Self::Error>;

    /// Queues reminders and deletes old history, inside the transaction under way.
    fn keep_up_notifications(&mut self, now: Timestamp) -> Result<KeptUp, Self::Error>;

    /// Stores which channels a daemon delivers, inside the transaction under way.
    fn set_couriers(&mut self, owner: &str, channels: &[String]) -> Result<(), Self::Error>;

    /// Whether dead daemons have left alerts whose breach is not over. Begins no transaction.
    fn has_orphaned_alerts(&mut self, owner: &str) -> Result<bool, Self::Error>;

    /// Makes a daemon the owner of the open alerts that dead ones have left on these channels, inside
    /// the transaction under way.
    fn adopt_alerts(
        &mut self,
        owner: &str,
        channels: &[String],
    ) -> Result<Vec<OpenAlert>, Self::Error>;

    /// Leaves the open alerts of a daemon to the next one, inside the transaction under way.
    fn release_alerts(&mut self, owner: &str) -> Result<(), Self::Error>;

    /// What of the notifications of these executions no daemon will send: rows and channels.
    fn left_to_send(&mut self, executions: &[String]) -> Result<Vec<(i64, String)>, Self::Error>;

    /// An execution without its steps, as it is stored.
    fn execution(&mut self, execution_id: &str) -> Result<Option<ExecutionRecord>, Self::Error>;

    /// An execution with its steps, as it is stored.
    fn detail(&mut self, execution_id: &str) -> Result<Option<ExecutionDetail>, Self::Error>;
}

/// A database that was opened for writing.
pub(crate) struct Opened<B> {
    pub(crate) backend: B,
    /// How many finished executions are kept; `None` and 0: all.
    pub(crate) keep: Option<u64>,
    /// Whether any workflow has its own retention.
    pub(crate) has_policies: bool,
    /// Which processes have executions in it.
    pub(crate) registry: Registry,
}

/// One execution's part of a batch.
pub(crate) struct Entry {
    pub(crate) pending: Arc<PendingWrite>,
    pub(crate) change: Change,
    /// Up to which version of the execution the change goes.
    pub(crate) version: u64,
    /// What its steps printed, stored with it.
    pub(crate) output: Vec<OutputBatch>,
}

impl Entry {
    pub(crate) fn execution_id(&self) -> &str {
        self.pending.execution_id()
    }

    /// Whether it begins an execution of a workflow with its own retention.
    pub(crate) fn sets_policy(&self) -> bool {
        let created = self.change.created.as_deref();
        matches!(created.map(|created| created.retention), Some(StartRetention::Defines(Some(_))))
    }
}

/// Why a change was not written.
#[derive(Debug)]
pub(crate) enum NotWritten<E> {
    /// It contradicts what is stored; trying again is useless.
    Refused(StoreError),
    /// The database does not work now.
    Failed(E),
}

/// What a written change did.
#[derive(Debug, Clone)]
pub(crate) struct Written {
    /// The number that the execution is shown by.
    pub(crate) seq: i64,
    /// The execution has ended.
    pub(crate) finished: bool,
    /// Its concurrency group.
    pub(crate) group: Option<Arc<str>>,
    /// What it does in that group.
    pub(crate) slot: SlotChange,
    /// Others were asked to end, so that a scheduled start takes their place.
    pub(crate) cancels: bool,
}

/// What a change does in the concurrency group of its execution.
#[derive(Debug, Clone, Default)]
pub(crate) enum SlotChange {
    /// It holds its slot or waits as before.
    #[default]
    None,
    /// It has ended, and others may have its slot.
    Left,
    /// It is stored as waiting, and not as running.
    Waits {
        /// What it waits for.
        on: Arc<WaitingFor>,
        /// Those before it were asked to make room.
        replaces: bool,
    },
}

/// What one transaction of retention did.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Retained {
    /// There is more than one transaction may delete.
    pub(crate) more: bool,
    /// Whether enough space is free to be given back; `None` where nothing was deleted.
    pub(crate) is_worth_giving_back: Option<bool>,
}

/// What one transaction deleted of chosen executions.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Deleted {
    pub(crate) executions: usize,
    /// There is more than one transaction may delete: of these executions, or of the output of one.
    pub(crate) has_rest: bool,
}
