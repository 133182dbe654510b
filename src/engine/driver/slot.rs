//! Executions that need a slot of a concurrency group: the commit of the start decides whether it
//! has one or waits.
//!
//! Nothing of a start is performed before that is known. One that waits forgets what it had begun
//! in memory, and begins anew once it has its slot.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use tokio::sync::watch;
use tokio::time;

use super::{Driver, QUEUE_RETRY, RunError, deadline};
use crate::engine::cancel::Cancel;
use crate::engine::context::Unstored;
use crate::engine::durability::{Activity, Next};
use crate::repository::{Health, SlotStatus, StoreError, StoreErrorKind};
use crate::workflow::concurrency::WaitingFor;
use crate::workflow::event::{Effect, Event};
use crate::workflow::record::ExecutionStatus;
use crate::workflow::report::Report;

/// How long the first commit may take before whoever asks a daemon for the start is refused: one
/// that is only slow is worth waiting for.
const FIRST_COMMIT_PATIENCE: Duration = Duration::from_secs(2);
/// How long a start that cannot be stored waits to learn that it never will be.
const REFUSAL_PATIENCE: Duration = Duration::from_millis(400);

/// What the first commit says of a slot.
enum First {
    Holds,
    Waits(Arc<WaitingFor>),
    /// Somebody was told that it is not started.
    Refused,
}

/// What became of the attempt to withdraw a start.
enum Refusal {
    /// Nothing of it will ever be stored.
    Withdrawn,
    /// A commit came first.
    CameTooLate,
    /// The same, and somebody was told by then that it is not started.
    Told,
}

/// Counts one that waits, for as long as it lives.
struct Waiting(Arc<AtomicUsize>);

impl Waiting {
    fn begin(count: &Arc<AtomicUsize>) -> Self {
        count.fetch_add(1, Ordering::Relaxed);
        Self(Arc::clone(count))
    }
}

impl Drop for Waiting {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

impl Driver {
    /// Whether `begin` needs what only a commit says: that the execution has its slot, or its
    /// scheduled time.
    pub(super) fn needs_slot(&self, begin: &Event) -> bool {
        let spec = self.execution.spec();
        match begin {
            Event::Begin => spec.must_be_stored(),
            Event::Resume { cancelled } => {
                let is_pending = self.execution.head().status == ExecutionStatus::Pending;
                spec.slot.is_some() && cancelled.is_none() && is_pending
            }
            _ => false,
        }
    }

    /// Waits until the execution has its slot, and returns how it begins then; `None` where it began
    /// with one.
    ///
    /// # Errors
    /// [`RunError`] where it is refused or given up.
    pub(super) async fn take_slot(
        &mut self,
        begin: Event,
        cancel: &Cancel,
        health: &mut watch::Receiver<Health>,
    ) -> Result<Option<Event>, RunError> {
        if let Event::Resume { .. } = begin {
            if let Some(slot) = &self.execution.spec().slot {
                self.context.writer.wait_for_slot(&slot.group, &self.pending);
            }
            return self.wait_in_line(begin, cancel).await.map(Some);
        }
        let effects = self.record(begin)?;
        let on = match self.first_commit(cancel, health).await? {
            First::Holds => {
                self.perform(effects);
                return Ok(None);
            }
            First::Waits(on) => on,
            First::Refused => {
                self.drop_start(effects);
                let reason = "its start was refused, since the database did not answer in time";
                return Ok(Some(Event::Resume { cancelled: Some(reason.to_owned()) }));
            }
        };
        self.drop_start(effects);
        if let Some(start_ack) = self.launched.take() {
            start_ack.waits(Arc::clone(&on));
        }
        self.report_waiting(&on);
        self.wait_in_line(Event::Begin, cancel).await.map(Some)
    }

    fn drop_start(&mut self, effects: Vec<Effect>) {
        drop(effects);
        self.admitted.clear();
        self.used = None;
        self.execution.begin_anew();
    }

    fn report_waiting(&self, on: &WaitingFor) {
        let at = self.context.clock.now();
        self.observer.report(&Report::Waiting { on, at });
        self.observer.report(&Report::Resting);
    }

    /// What the first commit says of the slot.
    async fn first_commit(
        &mut self,
        cancel: &Cancel,
        health: &mut watch::Receiver<Health>,
    ) -> Result<First, RunError> {
        // A daemon answers at once that it cannot store anything.
        let is_served = matches!(self.context.unstored, Unstored::Run(_));
        let abandon = self.context.abandon.clone();
        let began = self.context.clock.elapsed();
        let mut is_cancelled = false;
        self.note_health(health.borrow_and_update().clone());
        loop {
            self.acknowledge();
            let commit = self.durability.commit();
            if let Some(error) = &commit.refused {
                return Err(RunError::refused(Arc::clone(error)));
            }
            if commit.version > 0 {
                return Ok(match &commit.slot {
                    SlotStatus::Held => First::Holds,
                    SlotStatus::Waiting(on) => First::Waits(Arc::clone(on)),
                    SlotStatus::Granted => First::Waits(Arc::new(self.own_group())),
                });
            }
            let now = self.context.clock.elapsed();
            let is_late = now.saturating_sub(began) >= FIRST_COMMIT_PATIENCE;
            let error = self.store_error(&health.borrow(), is_late);
            if let Some(error) = error.filter(|_| is_served) {
                match self.refuse(&error).await {
                    Refusal::Withdrawn => return Err(RunError::NotStored(error)),
                    Refusal::CameTooLate => continue,
                    Refusal::Told => return Ok(First::Refused),
                }
            }
            let activity = Activity { attempts_running: false, is_ended: is_cancelled };
            let until = match self.durability.next(now, activity) {
                Next::Proceed { until } => until,
                // It may not.
                Next::RunUnstored => None,
                Next::GiveUp(loss) => {
                    if self.give_up(&loss).await? {
                        return Err(loss.into());
                    }
                    continue;
                }
            };
            let late = is_served.then(|| began.saturating_add(FIRST_COMMIT_PATIENCE));
            let next = until.into_iter().chain(late).min();
            tokio::select! {
                biased;
                () = abandon.cancelled() => match self.abandon().await {
                    Some(error) => return Err(error),
                    None => continue,
                },
                _ = self.stored.changed() => {}
                // It is heeded once it is known whether there is anything to end.
                () = cancel.gently.cancelled(), if !is_cancelled => is_cancelled = true,
                Ok(()) = health.changed() => {
                    let health = health.borrow_and_update().clone();
                    self.note_health(health);
                }
                () = time::sleep(QUEUE_RETRY), if self.queue_full => self.enqueue(),
                () = time::sleep_until(deadline(next.map_or(Duration::MAX, |at| {
                    at.saturating_sub(now)
                }))), if next.is_some() => {}
            }
        }
    }

    /// Withdraws a start that cannot be stored now. Whoever asked for it is answered although the
    /// database does not say whether it was faster.
    async fn refuse(&mut self, error: &Arc<StoreError>) -> Refusal {
        if let Ok(withdrawn) = time::timeout(REFUSAL_PATIENCE, self.withdraw()).await {
            return if withdrawn { Refusal::Withdrawn } else { Refusal::CameTooLate };
        }
        if let Some(start_ack) = self.launched.take() {
            start_ack.refused(Arc::clone(error));
        }
        if self.withdraw().await { Refusal::Withdrawn } else { Refusal::Told }
    }

    /// Why nothing is stored now.
    fn store_error(&self, health: &Health, is_late: bool) -> Option<Arc<StoreError>> {
        match health {
            Health::Failing { error } => Some(Arc::clone(error)),
            Health::Working if is_late => {
                let message = "the database does not answer";
                Some(Arc::new(StoreError::new(StoreErrorKind::Io, message)))
            }
            Health::Working => None,
        }
    }

    fn own_group(&self) -> WaitingFor {
        let slot = self.execution.spec().slot.as_ref();
        let group = slot.map(|slot| slot.group.clone()).unwrap_or_default();
        WaitingFor { group, holders: Vec::new(), holder_seqs: Vec::new() }
    }

    /// Waits for a slot, and returns how the execution goes on: it begins, or is cancelled.
    async fn wait_in_line(&mut self, begin: Event, cancel: &Cancel) -> Result<Event, RunError> {
        if matches!(begin, Event::Resume { .. }) {
            self.observer.report(&Report::Resting);
        }
        let since = self.context.clock.now();
        let _waiting = Waiting::begin(&self.context.waiting);
        let (abandon, leave) = (self.context.abandon.clone(), self.context.leave_queues.clone());
        loop {
            self.acknowledge();
            if matches!(self.durability.commit().slot, SlotStatus::Granted) {
                let group = self.own_group().group;
                let at = self.context.clock.now();
                self.observer.report(&Report::SlotTaken {
                    group: &group,
                    waited: at.since(self.execution.spec().created_at.min(since)),
                    at,
                });
                return Ok(begin);
            }
            tokio::select! {
                biased;
                () = abandon.cancelled() => return Err(RunError::Abandoned { is_stored: true }),
                () = cancel.gently.cancelled() => {
                    return Ok(Event::Resume { cancelled: Some(cancel.reason()) });
                }
                _ = self.stored.changed() => {}
                () = leave.cancelled() => return Err(RunError::Abandoned { is_stored: true }),
            }
        }
    }
}
