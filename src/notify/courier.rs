//! Delivers the outbox: one task for each channel, so that a dead one delays no other.
//!
//! A task claims what is due under a lease, makes one attempt at each, and has the result stored. Each
//! notification has waits of its own, so that one that is refused holds no other back. While a channel
//! fails, it is tried with one notification at a time and ever longer pauses, however many wait.

use std::collections::BTreeMap;
use std::fmt;
use std::num::NonZeroU32;
use std::sync::Arc;
use std::time::{Duration, Instant};

use futures_util::stream::{FuturesUnordered, StreamExt as _};
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time;
use tokio_util::sync::CancellationToken;

use super::attempt::Failure;
use super::last_output::LastOutput;
use super::sender::Sender;
use crate::base::backoff::{self, Retry};
use crate::base::clock;
use crate::base::period::Period;
use crate::base::timestamp::Timestamp;
use crate::repository::Writer;
use crate::repository::notifications::{
    Attempted, Claim, ClaimRequest, Claimed, LEASE, NotificationState, Settlement,
};
use crate::repository::ownership::id::OwnerId;
use crate::workflow::notification::Content;

/// For how long a notification is tried again.
pub(crate) const PERSIST: Duration = Duration::from_secs(86_400);
/// How many of one channel are sent at a time.
const SIDE_BY_SIDE: usize = 4;
const BACKOFF: Duration = Duration::from_secs(1);
/// The longest wait between attempts at one notification.
const BACKOFF_MAX: Duration = Duration::from_secs(600);
/// The longest pause of a channel that fails.
const PAUSE_MAX: Duration = Duration::from_secs(60);
/// The longest pause that a receiver can ask for with 429 or 503.
const PAUSE_ASKED_MAX: Duration = Duration::from_secs(3_600);
/// So often it is looked whether a process died that has claims, while something waits.
const LOOK: Duration = Duration::from_secs(1);
/// So often it is looked at least.
const LOOK_MAX: Duration = Duration::from_secs(30);
/// After what time a store that fails is asked again.
const STORE_RETRY: Duration = Duration::from_secs(1);
/// How long attempts under way may take at the end.
const END_TIME: Duration = Duration::from_secs(2);

/// Receives what becomes of notifications. It must not wait.
pub(crate) trait DeliveryObserver: Send + Sync {
    /// One attempt was made.
    fn attempted(&self, channel: &str, is_accepted: bool);
    /// A notification has ended; accepted so long after it was queued.
    fn ended(&self, channel: &str, state: NotificationState, after: Duration);
}

/// Observes nothing.
#[derive(Debug)]
pub(crate) struct Unobserved;

impl DeliveryObserver for Unobserved {
    fn attempted(&self, _channel: &str, _is_accepted: bool) {}
    fn ended(&self, _channel: &str, _state: NotificationState, _after: Duration) {}
}

/// What the tasks of all channels share.
#[derive(Clone)]
pub(crate) struct Delivery {
    /// The outbox.
    pub(crate) writer: Arc<Writer>,
    /// This process, as it claims.
    pub(crate) owner: String,
    /// What it has to report.
    pub(crate) observer: Arc<dyn DeliveryObserver>,
    /// What steps printed.
    pub(crate) last_output: Arc<LastOutput>,
}

impl Delivery {
    /// The database of the outbox, as it is known to receivers that get notifications of several: the
    /// same for each process that uses it.
    pub(crate) fn instance(&self) -> String {
        let database = OwnerId::parse(&self.owner).and_then(|id| id.proof?.database);
        format!("wfx-{:08x}", database.map_or(0, NonZeroU32::get))
    }

    /// Makes one attempt at a notification.
    pub(super) async fn attempt(
        &self,
        sender: &Sender,
        id: &str,
        content: &Content,
    ) -> Result<(), Failure> {
        let lines_max = sender.channel().output_lines;
        let (content, output) = self.last_output.of(content, lines_max).await;
        sender.send(id, &content, &output, &self.instance()).await
    }
}

impl fmt::Debug for Delivery {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Delivery").field("owner", &self.owner).finish_non_exhaustive()
    }
}

/// Delivers the channels of a daemon until it ends.
#[derive(Debug)]
pub(crate) struct Couriers {
    stop: CancellationToken,
    tasks: JoinSet<()>,
}

impl Couriers {
    /// Starts a task for each channel. Inside a runtime.
    pub(crate) fn start(delivery: &Delivery, senders: &[Arc<Sender>]) -> Self {
        let (stop, mut tasks) = (CancellationToken::new(), JoinSet::new());
        if senders.is_empty() {
            return Self { stop, tasks };
        }
        let names = senders.iter().map(|sender| sender.channel().name.clone()).collect();
        delivery.writer.set_couriers(&delivery.owner, names);
        let changes = delivery.writer.watch_notifications();
        for sender in senders {
            let courier = Courier::new(delivery.clone(), Arc::clone(sender), None);
            tasks.spawn(courier.run(changes.clone(), stop.clone()));
        }
        Self { stop, tasks }
    }

    /// Leaves what waits, and what is queued from now on, to the daemon that takes over; attempts
    /// under way go on.
    pub(crate) fn hand_over(&self, delivery: &Delivery) {
        self.stop.cancel();
        if !self.tasks.is_empty() {
            delivery.writer.set_couriers(&delivery.owner, Vec::new());
        }
    }

    /// Claims nothing more, and waits a moment for attempts that are under way; what they leave is
    /// sent by the next process, under the same id.
    pub(crate) async fn stop(mut self) {
        self.stop.cancel();
        let _ = time::timeout(END_TIME, async { while self.tasks.join_next().await.is_some() {} })
            .await;
    }
}

/// Sends these notifications, by row and channel, until each is accepted or given up, for so long
/// at most; returns how many are left. For processes that end with what they wrote.
pub(crate) async fn deliver(
    delivery: &Delivery,
    senders: &[Arc<Sender>],
    rows: Vec<(i64, String)>,
    patience: Duration,
) -> usize {
    let mut by_channel: BTreeMap<String, Vec<i64>> = BTreeMap::new();
    for (row, channel) in rows {
        by_channel.entry(channel).or_default().push(row);
    }
    let mut left = 0;
    let mut tasks = JoinSet::new();
    for (channel, rows) in by_channel {
        let sender = senders.iter().find(|sender| sender.channel().name == channel);
        match sender {
            Some(sender) => {
                let courier = Courier::new(delivery.clone(), Arc::clone(sender), Some(rows));
                tasks.spawn(courier.run_once(patience));
            }
            None => left += rows.len(),
        }
    }
    while let Some(of_one) = tasks.join_next().await {
        left += of_one.unwrap_or(0);
    }
    left
}

/// Delivers one channel.
struct Courier {
    delivery: Delivery,
    sender: Arc<Sender>,
    /// Only these rows.
    only: Option<Vec<i64>>,
    /// How many attempts failed since one was accepted.
    failing: u32,
    paused_until: Option<Instant>,
}

/// The result of an attempt.
struct Done {
    claimed: Claimed,
    result: Result<(), Failure>,
}

impl Courier {
    fn new(delivery: Delivery, sender: Arc<Sender>, only: Option<Vec<i64>>) -> Self {
        Self { delivery, sender, only, failing: 0, paused_until: None }
    }

    fn channel(&self) -> &str {
        &self.sender.channel().name
    }

    async fn run(mut self, mut changes: watch::Receiver<u64>, stop: CancellationToken) {
        let (delivery, sender) = (self.delivery.clone(), Arc::clone(&self.sender));
        let mut under_way = FuturesUnordered::new();
        let mut wake = clock::monotonic();
        loop {
            let room = self.side_by_side().saturating_sub(under_way.len());
            let is_due = clock::monotonic() >= wake && !self.is_paused();
            if room > 0 && is_due && !stop.is_cancelled() {
                changes.borrow_and_update();
                let found = self.claim(room).await;
                let claim = match found {
                    Ok(claim) => claim,
                    Err(()) => {
                        wake = clock::monotonic() + STORE_RETRY;
                        continue;
                    }
                };
                let is_full = claim.claimed.len() == room;
                if !is_full {
                    wake = clock::monotonic() + look_after(claim.next_at);
                }
                for claimed in claim.claimed {
                    under_way.push(attempt(&delivery, &sender, claimed));
                }
            }
            let pause = self.paused_until.map(|until| until.max(wake));
            let wake_at = time::Instant::from_std(pause.unwrap_or(wake));
            let may_claim = self.side_by_side() > under_way.len() && !stop.is_cancelled();
            tokio::select! {
                biased;
                Some(done) = under_way.next() => {
                    self.settle(done);
                    wake = clock::monotonic();
                }
                () = stop.cancelled(), if under_way.is_empty() => return,
                () = time::sleep_until(wake_at), if may_claim => {}
                changed = changes.changed(), if may_claim => match changed {
                    Ok(()) => wake = clock::monotonic(),
                    // The writer is closed.
                    Err(_) => return,
                },
            }
        }
    }

    /// Delivers only its rows; returns how many are left.
    async fn run_once(mut self, patience: Duration) -> usize {
        let end = clock::monotonic() + patience;
        let mut left = self.only.as_ref().map_or(0, Vec::len);
        while left > 0 {
            let remaining = end.saturating_duration_since(clock::monotonic());
            if remaining.is_zero() {
                break;
            }
            let claim = self.claim(SIDE_BY_SIDE).await.unwrap_or_default();
            left = left.saturating_sub(claim.expired.len());
            if claim.claimed.is_empty() {
                // Those before them in their thread, or a process that has them, come first.
                time::sleep(remaining.min(STORE_RETRY / 4)).await;
                continue;
            }
            let (delivery, sender) = (self.delivery.clone(), Arc::clone(&self.sender));
            let mut under_way: FuturesUnordered<_> = claim
                .claimed
                .into_iter()
                .map(|claimed| attempt(&delivery, &sender, claimed))
                .collect();
            let all = async {
                while let Some(done) = under_way.next().await {
                    if self.settle(done) {
                        left = left.saturating_sub(1);
                    }
                }
            };
            // What is cut off was perhaps accepted; another process sends it under the same id.
            if time::timeout(remaining, all).await.is_err() {
                break;
            }
        }
        left
    }

    fn side_by_side(&self) -> usize {
        if self.failing > 0 { 1 } else { SIDE_BY_SIDE }
    }

    fn is_paused(&self) -> bool {
        self.paused_until.is_some_and(|until| clock::monotonic() < until)
    }

    async fn claim(&self, limit: usize) -> Result<Claim, ()> {
        let now = clock::now();
        let request = ClaimRequest {
            channel: self.channel().to_owned(),
            owner: self.delivery.owner.clone(),
            limit,
            now,
            until: now.plus(LEASE),
            // What waited for a daemon that was away is tried once more at least.
            expired_before: if self.failing > 0 {
                now.minus(PERSIST)
            } else {
                Timestamp::from_micros(0)
            },
            only: self.only.clone(),
        };
        let claim = self.delivery.writer.claim_notifications(request).await;
        let claim = claim.map_err(|error| {
            tracing::debug!(channel = self.channel(), %error, "cannot read the outbox");
        })?;
        for expired in &claim.expired {
            let why = expired.error.as_deref().unwrap_or_default();
            let (id, channel) = (&expired.id, self.channel());
            tracing::error!(id, channel, why, "gave a notification up after a day");
            self.delivery.observer.ended(channel, NotificationState::GivenUp, PERSIST);
        }
        Ok(claim)
    }

    /// Has the result of an attempt stored; whether the notification has ended.
    fn settle(&mut self, Done { claimed, result }: Done) -> bool {
        let at = clock::now();
        let channel = self.channel().to_owned();
        let age = at.since(claimed.created_at);
        self.delivery.observer.attempted(&channel, result.is_ok());
        let id = &claimed.id;
        let result = match result {
            Ok(()) => {
                (self.failing, self.paused_until) = (0, None);
                tracing::info!(id, channel, event = claimed.content.event, "sent a notification");
                self.delivery.observer.ended(&channel, NotificationState::Accepted, age);
                Attempted::Accepted
            }
            Err(Failure { why, wait, is_final }) => {
                let own = wait_after(claimed.attempts.saturating_add(1), BACKOFF_MAX);
                let again_after = again_after(own, wait, age).filter(|_| !is_final);
                let Some(again_after) = again_after else {
                    tracing::error!(id, channel, why, "gave a notification up");
                    self.delivery.observer.ended(&channel, NotificationState::GivenUp, age);
                    if !is_final {
                        self.pause(wait);
                    }
                    return self.store(&claimed, at, Attempted::GivenUp { error: why });
                };
                self.pause(wait);
                let again_in_seconds = (again_after.as_secs_f64() * 1e3).round() / 1e3;
                tracing::warn!(id, channel, why, again_in_seconds, "could not send a notification");
                Attempted::Failed { error: why, again_at: at.plus(again_after) }
            }
        };
        self.store(&claimed, at, result)
    }

    fn store(&self, claimed: &Claimed, at: Timestamp, result: Attempted) -> bool {
        let has_ended = !matches!(result, Attempted::Failed { .. });
        let owner = self.delivery.owner.clone();
        self.delivery.writer.settle_notification(Settlement {
            seq: claimed.seq,
            owner,
            at,
            result,
        });
        has_ended
    }

    /// The channel fails: it is left alone for a while, as long as it asks for.
    fn pause(&mut self, asked: Option<Duration>) {
        self.failing = self.failing.saturating_add(1);
        let pause = wait_after(self.failing, PAUSE_MAX);
        let asked = asked.unwrap_or_default().min(PAUSE_ASKED_MAX);
        self.paused_until = Some(clock::monotonic() + pause.max(asked));
    }
}

async fn attempt(delivery: &Delivery, sender: &Sender, claimed: Claimed) -> Done {
    let result = delivery.attempt(sender, &claimed.id, &claimed.content).await;
    Done { claimed, result }
}

/// The wait before the next attempt, by the backoff and by what the receiver asks for; `None` when a
/// notification of this age is given up. A receiver that asks for more time than is left is asked
/// once more at the end.
pub(super) fn again_after(
    own: Duration,
    asked: Option<Duration>,
    age: Duration,
) -> Option<Duration> {
    let left = PERSIST.checked_sub(age).filter(|left| own <= *left)?;
    Some(own.max(asked.unwrap_or_default()).min(left))
}

fn wait_after(failed: u32, longest: Duration) -> Duration {
    let policy = Retry {
        max_attempts: u32::MAX,
        backoff: Period::new(BACKOFF),
        max_backoff: Period::new(longest),
    };
    backoff::wait(&policy, failed, fastrand::f64())
}

/// When the outbox is looked at again: once the next one is due, or somebody may have died.
fn look_after(next_at: Option<Timestamp>) -> Duration {
    match next_at {
        Some(next_at) => next_at.since(clock::now()).clamp(Duration::from_millis(10), LOOK),
        None => LOOK_MAX,
    }
}

/// The wait before the next attempt at something that no store holds.
pub(super) fn wait_unstored(failed: u32) -> Duration {
    wait_after(failed, PAUSE_MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_receiver_that_asks_for_too_much_time_is_asked_once_more() {
        let seconds = Duration::from_secs;
        for (asked, age, expected) in [
            (None, 0, Some(seconds(1))),
            (Some(90), 0, Some(seconds(90))),
            (Some(u64::MAX), 400, Some(PERSIST - seconds(400))),
            (Some(90), 86_399, Some(seconds(1))),
            (Some(0), 86_400, None),
            (None, 90_000, None),
        ] {
            let again = again_after(seconds(1), asked.map(seconds), seconds(age));
            assert_eq!(again, expected, "{asked:?} {age}");
        }
    }
}
