//! Heartbeats: requests that an outside watcher misses when the daemon no longer works.

use std::sync::Arc;

use tokio::time::{self, MissedTickBehavior};
use tokio_util::sync::CancellationToken;

use super::channel::ChannelKind;
use super::sender::Sender;

/// Why the daemon does not do its work, if it does not.
pub(crate) type Unhealthy = Arc<dyn Fn() -> Option<String> + Send + Sync>;

/// Sends the heartbeats of a channel until the daemon stops, only while it is healthy.
pub(crate) async fn beat(sender: Arc<Sender>, unhealthy: Unhealthy, stop: CancellationToken) {
    let ChannelKind::Heartbeat { every, .. } = &sender.channel().kind else { return };
    let mut ticks = time::interval(*every);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let channel = sender.channel().name.clone();
    // Reported when it changes, not each time.
    let mut reported: Option<String> = None;
    loop {
        tokio::select! {
            biased;
            () = stop.cancelled() => return,
            _ = ticks.tick() => {}
        }
        let problem = match unhealthy() {
            Some(why) => Some(format!("not sent: {why}")),
            None => tokio::select! {
                biased;
                () = stop.cancelled() => return,
                sent = sender.beat() => sent.err().map(|failure| failure.why),
            },
        };
        match (&reported, &problem) {
            (_, Some(why)) if reported.as_ref() != Some(why) => {
                tracing::warn!(channel, why, "no heartbeat");
            }
            (Some(_), None) => tracing::info!(channel, "heartbeats are sent again"),
            _ => {}
        }
        reported = problem;
    }
}
