//! Alerts of service levels on their way to channels. They go through the outbox, but never wait for
//! the store: what is not committed within a second is sent from memory, under the same id.

use std::collections::{BTreeSet, HashMap};
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use serde_json::{Map, Value};
use tokio::runtime::Handle;
use tokio::sync::Semaphore;
use tokio::time;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use uuid::Uuid;

use super::courier::{Delivery, again_after, wait_unstored};
use super::sender::Sender;
use crate::base::clock;
use crate::base::timestamp::Timestamp;
use crate::repository::StoreError;
use crate::repository::notifications::{NewNotification, NotificationState, OpenAlert};
use crate::workflow::notification::Content;

/// How long the store may take.
const STORE_TIME: Duration = Duration::from_secs(1);
/// The most alerts of one channel that are sent from memory at a time: what is more is given up, and
/// logged.
const UNSTORED_MAX: usize = 256;

/// An alert, or the end of a breach.
#[derive(Debug, Clone)]
pub(crate) struct Alert {
    /// The type of the alert.
    pub(crate) kind: &'static str,
    /// When it was decided.
    pub(crate) at: Timestamp,
    /// When the breach began.
    pub(crate) since: Timestamp,
    /// The breach is over.
    pub(crate) is_resolved: bool,
    /// What a webhook receives.
    pub(crate) payload: Map<String, Value>,
}

/// What was sent of one type of alert to one channel, in order: the end of a breach comes after its
/// beginning, and not where nobody accepted that.
#[derive(Debug, Default)]
struct Thread {
    /// Held by the alert that is on its way. Fair: in the order of the alerts.
    order: tokio::sync::Mutex<()>,
    /// The breaches that the channel knows of, by when they began.
    known: Mutex<BTreeSet<Timestamp>>,
}

impl Thread {
    fn known(&self) -> MutexGuard<'_, BTreeSet<Timestamp>> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The channel, and the type of the alert.
type Key = (String, &'static str);

/// The way to one channel.
#[derive(Debug)]
struct Route {
    sender: Arc<Sender>,
    /// Its own, so that a dead channel takes none of another.
    slots: Arc<Semaphore>,
    /// Alerts go there. Otherwise only the ends of those that earlier daemons have sent there do.
    takes_alerts: bool,
}

/// Takes alerts to channels.
pub(crate) struct AlertNotifier {
    delivery: Delivery,
    routes: Vec<Route>,
    runtime: Handle,
    tasks: TaskTracker,
    closing: CancellationToken,
    threads: Mutex<HashMap<Key, Arc<Thread>>>,
}

impl fmt::Debug for AlertNotifier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AlertNotifier").field("routes", &self.routes).finish_non_exhaustive()
    }
}

impl AlertNotifier {
    /// For these channels; alerts go to those that are `named`.
    pub(crate) fn new(
        delivery: Delivery,
        senders: &[Arc<Sender>],
        named: &[String],
        runtime: Handle,
    ) -> Self {
        let route = |sender: &Arc<Sender>| Route {
            sender: Arc::clone(sender),
            slots: Arc::new(Semaphore::new(UNSTORED_MAX)),
            takes_alerts: named.contains(&sender.channel().name),
        };
        Self {
            delivery,
            routes: senders.iter().map(route).collect(),
            runtime,
            tasks: TaskTracker::new(),
            closing: CancellationToken::new(),
            threads: Mutex::default(),
        }
    }

    /// Whether alerts go anywhere.
    pub(crate) fn takes_alerts(&self) -> bool {
        self.routes.iter().any(|route| route.takes_alerts)
    }

    /// Takes over what dead daemons have left on these channels; returns it.
    pub(crate) async fn adopt(&self) -> Result<Vec<OpenAlert>, StoreError> {
        let channels =
            self.routes.iter().map(|route| route.sender.channel().name.clone()).collect();
        self.delivery.writer.adopt_alerts(&self.delivery.owner, channels).await
    }

    /// Has the channel of an adopted alert notified of its end.
    pub(crate) fn know(&self, channel: &str, kind: &'static str, since: Timestamp) {
        self.thread(channel, kind).known().insert(since);
    }

    fn thread(&self, channel: &str, kind: &'static str) -> Arc<Thread> {
        let mut threads = self.threads.lock().unwrap_or_else(PoisonError::into_inner);
        Arc::clone(threads.entry((channel.to_owned(), kind)).or_default())
    }

    /// Sends an alert to every channel that takes alerts, or the end of a breach to every one that
    /// knows of the breach, without waiting.
    pub(crate) fn notify(&self, alert: &Alert) {
        for Route { sender, slots, takes_alerts } in &self.routes {
            let channel = sender.channel().name.clone();
            let thread = self.thread(&channel, alert.kind);
            // Whether the beginning is accepted may not be known yet where alerts go.
            let ends_known = alert.is_resolved && thread.known().contains(&alert.since);
            if !(*takes_alerts || ends_known) {
                continue;
            }
            let Ok(slot) = Arc::clone(slots).try_acquire_owned() else {
                tracing::error!(channel, alert = alert.kind, "gave an alert up: too many wait");
                self.delivery.observer.ended(&channel, NotificationState::GivenUp, Duration::ZERO);
                continue;
            };
            let (delivery, sender) = (self.delivery.clone(), Arc::clone(sender));
            let (alert, closing) = (alert.clone(), self.closing.clone());
            self.tasks.spawn_on(
                async move {
                    let _slot = slot;
                    let _order = thread.order.lock().await;
                    send(&delivery, &sender, &alert, &closing, &thread).await;
                },
                &self.runtime,
            );
        }
    }

    /// Waits so long at most for alerts that are not stored.
    pub(crate) async fn close(&self, patience: Duration) {
        self.tasks.close();
        self.closing.cancel();
        let _ = time::timeout(patience, self.tasks.wait()).await;
    }
}

async fn send(
    delivery: &Delivery,
    sender: &Sender,
    alert: &Alert,
    closing: &CancellationToken,
    thread: &Thread,
) {
    if alert.is_resolved && !thread.known().remove(&alert.since) {
        return;
    }
    let know = || {
        if !alert.is_resolved {
            thread.known().insert(alert.since);
        }
    };
    let notification = NewNotification {
        id: format!("msg_{}", Uuid::now_v7().simple()),
        channel: sender.channel().name.clone(),
        thread: format!("slo/{}", alert.kind),
        content: content(alert),
        ended: None,
        claimed_by: None,
        raised_by: Some(delivery.owner.clone()),
    };
    let added = delivery.writer.add_notification(notification.clone());
    let why = match time::timeout(STORE_TIME, added).await {
        Ok(Ok(_)) => {
            know();
            return;
        }
        Ok(Err(error)) => error.to_string(),
        Err(_) => format!("it took longer than {} s", STORE_TIME.as_secs()),
    };
    let (channel, id) = (&notification.channel, &notification.id);
    tracing::warn!(id, channel, why, "an alert could not be stored: sending it from memory");
    let begun = clock::monotonic();
    let mut failed = 0_u32;
    let ended = loop {
        let sent = delivery.attempt(sender, id, &notification.content).await;
        delivery.observer.attempted(channel, sent.is_ok());
        let Err(failure) = sent else {
            tracing::info!(id, channel, event = notification.content.event, "sent a notification");
            break (NotificationState::Accepted, None);
        };
        failed = failed.saturating_add(1);
        let wait = again_after(wait_unstored(failed), failure.wait, begun.elapsed());
        let Some(wait) = wait.filter(|_| !failure.is_final) else {
            tracing::error!(id, channel, why = failure.why, "gave a notification up");
            break (NotificationState::GivenUp, Some(failure.why));
        };
        if closing.is_cancelled() {
            tracing::warn!(
                id,
                channel,
                why = failure.why,
                "could not send an alert before the end: it is queued for the next daemon"
            );
            know();
            delivery.writer.archive_notification(notification);
            return;
        }
        tracing::warn!(id, channel, why = failure.why, "could not send a notification");
        tokio::select! {
            () = time::sleep(wait) => {}
            () = closing.cancelled() => {}
        }
    };
    delivery.observer.ended(channel, ended.0, begun.elapsed());
    if ended.0 == NotificationState::Accepted {
        know();
    }
    delivery.writer.archive_notification(NewNotification { ended: Some(ended), ..notification });
}

fn content(alert: &Alert) -> Content {
    Content {
        event: if alert.is_resolved { "resolved".to_owned() } else { alert.kind.to_owned() },
        at: alert.at,
        incident: format!("slo/{}", alert.kind),
        since: alert.since,
        resolves: alert.is_resolved.then(|| alert.kind.to_owned()),
        is_reminder: false,
        is_test: false,
        count: None,
        workflow_id: None,
        execution_id: None,
        number: None,
        status: None,
        step: None,
        error: None,
        trigger: None,
        alert: Some(Value::Object(alert.payload.clone())),
    }
}
