//! A notification that is marked as a test, through the outbox and the sender of a channel.

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::attempt::Failure;
use super::channel::ChannelKind;
use super::courier::Delivery;
use super::sender::Sender;
use crate::base::clock;
use crate::repository::notifications::{Attempted, NewNotification, Settlement};
use crate::workflow::notification::{Content, EventKind};

/// How a test went.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Tested {
    /// The channel.
    pub(crate) channel: String,
    /// What it is.
    #[serde(rename = "type")]
    pub(crate) kind: String,
    /// The id of the notification; a heartbeat has none.
    pub(crate) id: Option<String>,
    /// The receiver accepted it.
    pub(crate) accepted: bool,
    /// Why it did not.
    pub(crate) error: Option<String>,
}

/// Queues a test, makes one attempt, and has its result stored: it is not tried again.
pub(crate) async fn test(delivery: &Delivery, sender: &Sender, event: EventKind) -> Tested {
    let channel = sender.channel();
    let kind = channel.kind.as_str().to_owned();
    let name = channel.name.clone();
    if matches!(channel.kind, ChannelKind::Heartbeat { .. }) {
        let error = sender.beat().await.err().map(|failure| failure.why);
        return Tested { channel: name, kind, id: None, accepted: error.is_none(), error };
    }
    let id = format!("msg_{}", Uuid::now_v7().simple());
    let notification = NewNotification {
        id: id.clone(),
        channel: name.clone(),
        // It waits for no other.
        thread: format!("test/{id}"),
        content: content(event),
        ended: None,
        claimed_by: Some(delivery.owner.clone()),
        raised_by: None,
    };
    let failed = |error: String| Tested {
        channel: name.clone(),
        kind: kind.clone(),
        id: Some(id.clone()),
        accepted: false,
        error: Some(error),
    };
    let seq = match delivery.writer.add_notification(notification.clone()).await {
        Ok(Some(seq)) => seq,
        Ok(None) => return failed("it is queued already".to_owned()),
        Err(error) => return failed(error.to_string()),
    };
    let sent = delivery.attempt(sender, &id, &notification.content).await;
    delivery.observer.attempted(&name, sent.is_ok());
    let error = sent.err().map(|Failure { why, .. }| why);
    let result = match &error {
        None => Attempted::Accepted,
        Some(error) => Attempted::GivenUp { error: error.clone() },
    };
    let (owner, at) = (delivery.owner.clone(), clock::now());
    delivery.writer.settle_notification(Settlement { seq, owner, at, result });
    Tested { channel: name, kind, id: Some(id), accepted: error.is_none(), error }
}

fn content(event: EventKind) -> Content {
    let at = clock::now();
    let is_end = event == EventKind::Recovered;
    let status = match event {
        EventKind::Recovered => Some("success"),
        EventKind::Failed | EventKind::HandlerFailed => Some("failed"),
        EventKind::Cancelled => Some("cancelled"),
        _ => None,
    };
    let has_step = matches!(event, EventKind::Failed | EventKind::HandlerFailed);
    Content {
        event: event.as_str().to_owned(),
        at,
        incident: "test".to_owned(),
        since: at,
        resolves: is_end.then(|| EventKind::Failed.as_str().to_owned()),
        is_reminder: false,
        is_test: true,
        count: None,
        workflow_id: Some("example".to_owned()),
        execution_id: None,
        number: None,
        status: status.map(str::to_owned),
        step: has_step.then(|| "example-step".to_owned()),
        error: has_step.then(|| "this is a test: nothing failed".to_owned()),
        trigger: None,
        alert: None,
    }
}
