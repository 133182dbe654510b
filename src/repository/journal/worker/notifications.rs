//! The outbox, beside what executions store: claims, results of attempts, reminders.

use std::time::{Duration, Instant};

use tokio::sync::watch;

use super::super::backend::{Backend, Entry};
use super::super::task::NotificationTask;
use super::{ASK_PATIENCE, Worker};
use crate::base::clock;
use crate::repository::error::StoreError;
use crate::repository::notifications::{
    Claim, ClaimRequest, KeptUp, NewNotification, OpenAlert, Settlement,
};

/// So often it is looked whether a reminder is due.
const UPKEEP: Duration = Duration::from_secs(5);

/// What the thread knows of notifications.
#[derive(Debug, Default)]
pub(super) struct Outbox {
    /// Who delivers in this process, if anybody does.
    watcher: Option<watch::Sender<u64>>,
    /// The count of changes of the database at the last look.
    seen: Option<i64>,
    kept_up_at: Option<Instant>,
    /// What is not stored yet: results of attempts, those that ended unstored, channels.
    settlements: Vec<Settlement>,
    archived: Vec<NewNotification>,
    couriers: Option<(String, Vec<String>)>,
    /// The daemon that leaves its open alerts.
    left_by: Option<String>,
    /// The database did not take them.
    is_failing: bool,
}

impl Outbox {
    /// Reports that there may be something to send.
    fn report(&self) {
        if let Some(watcher) = &self.watcher {
            watcher.send_modify(|count| *count = count.wrapping_add(1));
        }
    }

    fn has_unstored(&self) -> bool {
        !self.settlements.is_empty()
            || !self.archived.is_empty()
            || self.couriers.is_some()
            || self.left_by.is_some()
    }
}

impl<B: Backend> Worker<B> {
    pub(super) fn perform_for_notifications(&mut self, task: NotificationTask) {
        match task {
            NotificationTask::Watch(watcher) => {
                self.outbox.watcher = Some(watcher);
                self.outbox.report();
            }
            NotificationTask::Claim { request, answer } => {
                let _ = answer.send(self.claim_notifications(&request));
            }
            NotificationTask::Settle(settlement) => {
                self.outbox.settlements.push(settlement);
                self.store_unstored_notifications();
            }
            NotificationTask::Add { notification, answer } => {
                // Who asked has sent it meanwhile.
                if answer.is_closed() {
                    return;
                }
                let now = clock::now();
                // What ended before comes before: it may be the beginning of what this one ends.
                let archived = std::mem::take(&mut self.outbox.archived);
                let added = self.transaction("write to", |backend| {
                    for before in &archived {
                        backend.add_notification(before, now)?;
                    }
                    backend.add_notification(&notification, now)
                });
                if added.is_err() {
                    self.outbox.archived = archived;
                }
                let is_queued = matches!(added, Ok(Some(_)));
                let _ = answer.send(added);
                if is_queued && notification.claimed_by.is_none() {
                    self.outbox.report();
                }
            }
            NotificationTask::Archive(notification) => {
                self.outbox.archived.push(*notification);
                self.store_unstored_notifications();
            }
            NotificationTask::SetCouriers { owner, channels } => {
                self.outbox.couriers = Some((owner, channels));
                self.store_unstored_notifications();
            }
            NotificationTask::AdoptAlerts { owner, channels, answer } => {
                let _ = answer.send(self.adopt_alerts(&owner, &channels));
            }
            NotificationTask::Leave { owner } => {
                self.outbox.couriers = Some((owner.clone(), Vec::new()));
                self.outbox.left_by = Some(owner);
                self.store_unstored_notifications();
            }
            NotificationTask::LeftToSend { executions, answer } => {
                let left = self.backend.left_to_send(&executions);
                let _ = answer.send(left.map_err(|error| self.backend.explain("read", &error)));
            }
        }
    }

    fn adopt_alerts(
        &mut self,
        owner: &str,
        channels: &[String],
    ) -> Result<Vec<OpenAlert>, StoreError> {
        let has_any = self.backend.has_orphaned_alerts(owner);
        if !has_any.map_err(|error| self.backend.explain("read", &error))? {
            return Ok(Vec::new());
        }
        self.transaction("write to", |backend| backend.adopt_alerts(owner, channels))
    }

    fn claim_notifications(&mut self, request: &ClaimRequest) -> Result<Claim, StoreError> {
        self.store_unstored_notifications();
        let is_due = self.backend.are_notifications_due(request);
        if !is_due.map_err(|error| self.backend.explain("read", &error))? {
            let next_at = self.backend.next_notification_at(&request.channel);
            let next_at = next_at.map_err(|error| self.backend.explain("read", &error))?;
            return Ok(Claim { next_at, ..Claim::default() });
        }
        self.transaction("write to", |backend| backend.claim_notifications(request))
    }

    /// Stores what nobody waits for, if others let it. Otherwise it is tried again at the next look.
    pub(super) fn store_unstored_notifications(&mut self) {
        if !self.outbox.has_unstored() || self.begin(ASK_PATIENCE).is_err() {
            return;
        }
        let stored = self.backend.settle_notifications(&self.outbox.settlements).and_then(|()| {
            let now = clock::now();
            for notification in &self.outbox.archived {
                self.backend.add_notification(notification, now)?;
            }
            if let Some((owner, channels)) = &self.outbox.couriers {
                self.backend.set_couriers(owner, channels)?;
            }
            if let Some(owner) = &self.outbox.left_by {
                self.backend.release_alerts(owner)?;
            }
            self.backend.commit()
        });
        match stored {
            Ok(()) => {
                let ended = !self.outbox.settlements.is_empty();
                self.outbox.settlements.clear();
                self.outbox.archived.clear();
                self.outbox.couriers = None;
                self.outbox.left_by = None;
                self.outbox.is_failing = false;
                // Others of the same thread may be sent now.
                if ended {
                    self.outbox.report();
                }
                self.works();
            }
            Err(error) => {
                self.backend.rollback();
                let error = self.backend.explain("write to", &error);
                self.outbox.is_failing = error.is_of_database();
                if self.outbox.is_failing {
                    self.fails(error);
                }
            }
        }
    }

    /// Whether the database did not take what is stored by and by.
    pub(super) fn are_notifications_failing(&self) -> bool {
        self.outbox.is_failing && self.outbox.has_unstored()
    }

    /// Reports that something may have been queued.
    pub(super) fn report_queued(&self) {
        self.outbox.report();
    }

    /// Reports what a commit may have queued.
    pub(super) fn report_notifications(&self, batch: &[Entry]) {
        let may_notify = |entry: &Entry| {
            let created = entry.change.created.as_deref();
            let scheduled = created.and_then(|created| created.scheduled.as_deref());
            entry.change.events.is_some() || scheduled.is_some_and(|it| it.notify.is_some())
        };
        if self.outbox.watcher.is_some() && batch.iter().any(may_notify) {
            self.outbox.report();
        }
    }

    /// Looks whether other processes have queued something, and whether a reminder is due.
    pub(super) fn look_at_notifications(&mut self) {
        self.store_unstored_notifications();
        if self.outbox.watcher.is_none() {
            return;
        }
        // What cannot be read fails elsewhere as well, and is reported there.
        let count = self.backend.change_count().ok().flatten();
        if count.is_none() || count != self.outbox.seen {
            self.outbox.seen = count;
            self.outbox.report();
        }
        let now = clock::now();
        if self.outbox.kept_up_at.is_none_or(|at| at.elapsed() >= UPKEEP) {
            self.outbox.kept_up_at = Some(clock::monotonic());
            if self.backend.need_notifications_upkeep(now).unwrap_or(false)
                && self.begin(Duration::ZERO).is_ok()
            {
                let kept_up = self.backend.keep_up_notifications(now);
                match kept_up.and_then(|done| self.backend.commit().map(|()| done)) {
                    Ok(KeptUp { is_queued, unserved }) => {
                        for (id, channel) in unserved {
                            tracing::error!(
                                id,
                                channel,
                                "gave a notification up: no daemon had its channel for a day"
                            );
                        }
                        if is_queued {
                            self.outbox.report();
                        }
                    }
                    Err(_) => self.backend.rollback(),
                }
            }
        }
    }
}
