//! What the thread of the [writer](super::writer) is asked for beside storing.

use std::sync::{Arc, mpsc};

use tokio::sync::{mpsc as asynchronous, oneshot, watch};

use super::backend::{Catalogued, Policies};
use super::pending_write::PendingWrite;
use super::purge::Purge;
use super::schedules::{ScheduleChange, ScheduleOutcome};
use crate::base::timestamp::Timestamp;
use crate::repository::error::StoreError;
use crate::repository::notifications::{
    Claim, ClaimRequest, NewNotification, OpenAlert, Settlement,
};
use crate::repository::ownership::Owner;
use crate::repository::ownership::takeover::{
    Abandonment, CancelNotice, CancelRequest, TakenOver, Which,
};
use crate::repository::sessions::SessionChange;
use crate::workflow::pin::Pin;
use crate::workflow::record::ExecutionDetail;
use crate::workflow::trigger::Requester;

/// What the thread is asked for beside storing.
#[derive(Debug)]
pub(crate) enum Task {
    /// Delete executions.
    Purge(Purge),
    /// Read what is stored of an execution.
    Detail {
        execution_id: String,
        has_steps: bool,
        answer: mpsc::Sender<Result<Option<ExecutionDetail>, StoreError>>,
    },
    /// Make `owner` the owner of executions whose process died.
    TakeOver {
        which: Which,
        owner: String,
        /// The most of them.
        limit: usize,
        answer: oneshot::Sender<Result<Vec<TakenOver>, StoreError>>,
    },
    /// Read which executions have no process any more.
    FindAbandoned {
        which: Which,
        owner: String,
        /// The most of them.
        limit: usize,
        answer: oneshot::Sender<Result<Abandonment, StoreError>>,
    },
    /// Remove lock files of dead processes that nobody needs any more.
    SweepOwners,
    /// Store that an alert was sent.
    AlertSent {
        kind: &'static str,
        /// When it was decided.
        decided_at: Timestamp,
    },
    /// Watch over the lock file of this process.
    WatchOwner(Arc<Owner>),
    /// Leave a request to cancel an execution.
    RequestCancel {
        execution_id: String,
        requester: Requester,
        answer: mpsc::Sender<Result<CancelRequest, StoreError>>,
    },
    /// Pin an execution, or with `None` unpin it; the answer is whether there is such an execution.
    Pin { execution_id: String, pin: Option<Pin>, answer: mpsc::Sender<Result<bool, StoreError>> },
    /// Begin or end a session of the web page.
    Session { change: SessionChange, answer: mpsc::Sender<Result<(), StoreError>> },
    /// Store the retention of workflows.
    SetPolicies(Policies),
    /// Write what is stored of schedules.
    ChangeSchedules {
        change: Box<ScheduleChange>,
        answer: mpsc::Sender<Result<ScheduleOutcome, StoreError>>,
    },
    /// Watch for requests to cancel executions of `owner`.
    WatchCancels {
        /// The process that runs them.
        owner: String,
        /// Where their ids go.
        sender: asynchronous::UnboundedSender<CancelNotice>,
    },
    /// An execution that was taken over waits for a slot of its concurrency group.
    Wait { group: Arc<str>, pending: Arc<PendingWrite> },
    /// Store the limits of the catalogue's concurrency groups.
    SetCatalogued(Catalogued),
    /// Something with notifications.
    Notifications(NotificationTask),
    /// Watch for executions that hold a slot though their process is dead.
    WatchHolders {
        /// Where their ids go.
        sender: asynchronous::UnboundedSender<String>,
        /// Of all groups, not only of those that somebody waits for here.
        all: bool,
    },
}

/// What the thread is asked for about notifications.
#[derive(Debug)]
pub(crate) enum NotificationTask {
    /// Report with each change of this that there may be something to send.
    Watch(watch::Sender<u64>),
    /// Claim what is due.
    Claim { request: ClaimRequest, answer: oneshot::Sender<Result<Claim, StoreError>> },
    /// Store the result of an attempt; tried again until the database takes it.
    Settle(Settlement),
    /// Queue one once; the answer is its row where it was new. Where `answer` is closed by the time,
    /// nothing is queued.
    Add {
        notification: Box<NewNotification>,
        answer: oneshot::Sender<Result<Option<i64>, StoreError>>,
    },
    /// Store one by and by that has ended already; tried again until the database takes it.
    Archive(Box<NewNotification>),
    /// Store which channels a daemon delivers; tried again until the database takes it.
    SetCouriers { owner: String, channels: Vec<String> },
    /// Adopt the open alerts of dead daemons.
    AdoptAlerts {
        owner: String,
        channels: Vec<String>,
        answer: oneshot::Sender<Result<Vec<OpenAlert>, StoreError>>,
    },
    /// Leave everything that a daemon has to the next one; tried again until the database takes it.
    Leave { owner: String },
    /// Read what of these executions no daemon will send.
    LeftToSend {
        executions: Vec<String>,
        answer: oneshot::Sender<Result<Vec<(i64, String)>, StoreError>>,
    },
}
