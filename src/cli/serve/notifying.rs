//! The notifications of the daemon beside the outbox: alerts of service levels, and heartbeats.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use tokio::runtime::Runtime;
use tokio::time;
use tokio_util::sync::CancellationToken;

use super::super::CliError;
use super::Options;
use super::scheduling::Pulse;
use crate::base::clock;
use crate::base::exit::Exit;
use crate::base::timestamp::Timestamp;
use crate::http::api::resources::context::Resources;
use crate::notify::alerts::{Alert, AlertNotifier};
use crate::notify::courier::Delivery;
use crate::notify::heartbeat::{self, Unhealthy};
use crate::notify::sender::Sender;
use crate::repository::notifications::OpenAlert;
use crate::repository::{Health, Reader, StoreAddress, Writer};
use crate::slo::Indicator as ServiceLevel;
use crate::slo::monitor::{Listener, Monitor, Notice};
use crate::slo::webhook::{Webhook, WebhookOptions};

/// How often it is looked whether breaches of service levels are over.
const LOOK_FOR_ENDS: Duration = Duration::from_secs(1);
/// Each so many looks it is also looked whether dead daemons have left alerts.
const LOOKS_PER_ADOPTION: u64 = 5;

/// Starts what posts alerts to `SLO_ALERT_WEBHOOK_URL`.
///
/// # Errors
/// Exit 3 when nothing can be sent there.
pub(super) fn start_webhook(
    options: WebhookOptions,
    writer: &Arc<Writer>,
    runtime: &Runtime,
) -> Result<Webhook, CliError> {
    let shown_url = options.shown_url.clone();
    let writer = Arc::clone(writer);
    let on_sent = move |kind, decided_at| writer.alert_sent(kind, decided_at);
    Webhook::start(options, Box::new(on_sent), runtime.handle()).map_err(|why| {
        CliError::new(Exit::Environment, format!("cannot send alerts to {shown_url}: {why}"))
    })
}

/// What takes alerts to channels, if there are any: also where none takes alerts, since an earlier
/// daemon may have left some.
pub(super) fn alert_notifier(
    options: &Options,
    delivery: &Delivery,
    runtime: &Runtime,
) -> Option<Arc<AlertNotifier>> {
    let (senders, named) = (&options.channels.senders, &options.slo_notify);
    let notifier =
        || AlertNotifier::new(delivery.clone(), senders, named, runtime.handle().clone());
    (!senders.is_empty()).then(|| Arc::new(notifier()))
}

/// Takes what the service levels decide to the notifier. The cooldown counts from there: what is in
/// the outbox is sent.
pub(super) fn listener(alerts: Arc<AlertNotifier>, writer: Arc<Writer>) -> Listener {
    Listener(Box::new(move |notice: Notice| {
        let Notice { kind, at, since, is_resolved, payload } = notice;
        if !is_resolved && alerts.takes_alerts() {
            writer.alert_sent(kind, at);
        }
        alerts.notify(&Alert { kind, at, since, is_resolved, payload });
    }))
}

/// Why the daemon does not do its work: what heartbeats depend on.
fn unhealthy(writer: Arc<Writer>, pulse: Arc<Pulse>) -> Unhealthy {
    Arc::new(move || match &*writer.health().borrow() {
        Health::Failing { error } => Some(error.to_string()),
        Health::Working if writer.is_stalled() => Some("the database does not answer".to_owned()),
        Health::Working => pulse.problem(clock::monotonic()),
    })
}

/// Starts the heartbeats, which end with the token.
pub(super) fn start_heartbeats(
    senders: &[Arc<Sender>],
    writer: &Arc<Writer>,
    pulse: &Arc<Pulse>,
) -> CancellationToken {
    let stop = CancellationToken::new();
    let unhealthy = unhealthy(Arc::clone(writer), Arc::clone(pulse));
    for sender in senders {
        tokio::spawn(heartbeat::beat(Arc::clone(sender), Arc::clone(&unhealthy), stop.clone()));
    }
    stop
}

/// Looks again and again whether breaches are over, those of dead daemons as well, until `stop`.
pub(super) fn look_for_ends(
    alerts: &Arc<AlertNotifier>,
    resources: &Arc<Resources>,
    stop: &CancellationToken,
) {
    let (alerts, resources, stop) = (Arc::clone(alerts), Arc::clone(resources), stop.clone());
    tokio::spawn(async move {
        for round in 0_u64.. {
            if round.is_multiple_of(LOOKS_PER_ADOPTION) {
                adopt(&alerts, &resources.observed.monitor).await;
            }
            tokio::select! {
                () = stop.cancelled() => return,
                () = time::sleep(LOOK_FOR_ENDS) => {}
            }
            resources.observed.monitor.look_for_ends();
        }
    });
}

/// Takes over the open alerts of dead daemons.
async fn adopt(alerts: &AlertNotifier, monitor: &Monitor) {
    let adopted = alerts.adopt().await.unwrap_or_else(|error| {
        tracing::debug!(%error, "cannot look for alerts that dead daemons have left");
        Vec::new()
    });
    for OpenAlert { channel, since, content } in adopted {
        let mut known = ServiceLevel::ALL.into_iter();
        let Some(of) = known.find(|it| it.alert_type() == content.event) else { continue };
        alerts.know(&channel, of.alert_type(), since);
        let payload = content.alert.as_ref().and_then(|alert| alert.as_object()).cloned();
        monitor.adopt(of, since, payload.unwrap_or_default());
        tracing::info!(
            channel,
            alert = content.event,
            %since,
            "adopted an alert of a daemon that has ended"
        );
    }
}

/// The alerts of which the cooldown may go on. They matter to nothing else: what cannot be read
/// is logged, and one may then be sent too early.
pub(super) fn last_alerts(database: &StoreAddress) -> Vec<(ServiceLevel, Timestamp)> {
    let sent = Reader::open(database).and_then(|reader| reader.sent_alerts());
    let sent = sent.unwrap_or_else(|error| {
        tracing::warn!(%error, "cannot read when alerts were sent last");
        BTreeMap::new()
    });
    let of = |signal: ServiceLevel| sent.get(signal.alert_type()).map(|at| (signal, *at));
    ServiceLevel::ALL.into_iter().filter_map(of).collect()
}
