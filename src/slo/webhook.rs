//! Delivery of alerts to a webhook: one task sends them, so that no request ever waits for a
//! receiver. Each alert has its own attempts and waits, so that none delays another.
//!
//! The number of pending alerts is bounded. An alert is sent again, with doubling waits, until the
//! receiver accepts it with a 2xx or it is too old to be useful; a permanent refusal by the
//! receiver ends that at once. It then counts as given up. Headers and signature are those of
//! Standard Webhooks (<https://www.standardwebhooks.com>).

use std::fmt;
use std::sync::atomic::{AtomicU8, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use futures_util::stream::{FuturesUnordered, StreamExt as _};
use http::header::{AUTHORIZATION, CONTENT_TYPE, RETRY_AFTER, USER_AGENT};
use http::{HeaderValue, Method, Request, Uri};
use http_body_util::Full;
use hyper::body::Bytes;
use serde::Serialize;
use tokio::runtime::Handle;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc};
use tokio::task::JoinHandle;
use tokio::time;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use crate::base::backoff;
use crate::base::backoff::Retry;
use crate::base::clock;
use crate::base::period::Period;
use crate::base::signature::Secret;
use crate::base::timestamp::Timestamp;
use crate::system::http_client::{self, Client};

/// The most pending alerts.
const PENDING_MAX: usize = 256;
/// How long a receiver may take to answer.
const ATTEMPT_TIME: Duration = Duration::from_secs(10);
/// The least time for which an alert is sent again.
const PERSIST_MIN: Duration = Duration::from_secs(30);
const BACKOFF: Duration = Duration::from_secs(1);
const BACKOFF_MAX: Duration = Duration::from_secs(60);

/// Is called with the type of each alert that a receiver took, and when it was decided. It must
/// not wait.
pub(crate) type OnSent = Box<dyn Fn(&'static str, Timestamp) + Send + Sync>;

/// Where alerts are sent, and how.
#[derive(Debug)]
pub struct WebhookOptions {
    /// `http://…` or `https://…`.
    pub url: String,
    /// The URL as it may be shown.
    pub shown_url: String,
    /// What signs them.
    pub secret: Option<Secret>,
    /// How far apart alerts of one type are: an older one is of no use.
    pub cooldown: Duration,
}

/// The delivery status of an alert.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Delivery {
    /// It waits, or is being sent.
    Pending,
    /// The receiver took it.
    Sent,
    /// No receiver accepted it in time, or the receiver refused it permanently.
    GivenUp,
    /// There is no webhook.
    NotConfigured,
}

/// The delivery status of an alert, shared with those that show it.
#[derive(Debug, Clone, Default)]
pub struct DeliveryStatus(Arc<AtomicU8>);

impl DeliveryStatus {
    /// The current status.
    #[must_use]
    pub fn delivery(&self) -> Delivery {
        match self.0.load(Ordering::Relaxed) {
            0 => Delivery::Pending,
            1 => Delivery::Sent,
            2 => Delivery::GivenUp,
            _ => Delivery::NotConfigured,
        }
    }

    /// The status of an alert without a webhook.
    pub(super) fn not_configured() -> Self {
        let status = Self::default();
        status.set(Delivery::NotConfigured);
        status
    }

    fn set(&self, delivery: Delivery) {
        self.0.store(delivery as u8, Ordering::Relaxed);
    }
}

/// The number of alerts by delivery status.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
pub struct Deliveries {
    /// They wait, or are being sent.
    pub pending: u64,
    /// A receiver took them.
    pub sent: u64,
    /// No receiver accepted them in time, or the receiver refused them permanently.
    pub given_up: u64,
    /// How many of those given up the receiver refused permanently.
    pub refused: u64,
    /// Requests that a receiver did not answer with a 2xx.
    pub failed_attempts: u64,
}

#[derive(Debug, Default)]
struct Counts {
    taken: AtomicU64,
    sent: AtomicU64,
    given_up: AtomicU64,
    refused: AtomicU64,
    failed_attempts: AtomicU64,
}

/// An alert that is to be sent.
#[derive(Debug)]
struct Message {
    id: String,
    kind: &'static str,
    body: Bytes,
    decided_at: Timestamp,
    decided: Instant,
    status: DeliveryStatus,
    /// Its permit among the pending alerts.
    _room: Option<OwnedSemaphorePermit>,
}

/// Takes alerts to the task that sends them.
#[derive(Debug)]
pub struct Webhook {
    queue: mpsc::UnboundedSender<Message>,
    /// Bounds what is in the queue and under way.
    room: Arc<Semaphore>,
    counts: Arc<Counts>,
    shown_url: String,
    closing: CancellationToken,
    task: Mutex<Option<JoinHandle<()>>>,
}

impl Webhook {
    /// Starts the task on a runtime.
    ///
    /// # Errors
    /// Why nothing can be sent there.
    pub fn start(
        options: WebhookOptions,
        on_sent: OnSent,
        runtime: &Handle,
    ) -> Result<Self, String> {
        let (queue, messages) = mpsc::unbounded_channel();
        let (counts, closing) = (Arc::<Counts>::default(), CancellationToken::new());
        let uri: Uri = options.url.parse().map_err(|_| "it is no URL".to_owned())?;
        let courier = Courier {
            client: Client::new(&uri)?,
            authorization: http_client::basic(&uri),
            uri: http_client::without_user(&uri)?,
            secret: options.secret,
            persist: options.cooldown.max(PERSIST_MIN),
            on_sent,
            counts: Arc::clone(&counts),
            closing: closing.clone(),
        };
        let task = Mutex::new(Some(runtime.spawn(courier.send_all(messages))));
        let room = Arc::new(Semaphore::new(PENDING_MAX));
        Ok(Self { queue, room, counts, shown_url: options.shown_url, closing, task })
    }

    /// Queues an alert without waiting; it is given up if the queue is full.
    pub fn send(&self, kind: &'static str, decided_at: Timestamp, body: Vec<u8>) -> DeliveryStatus {
        let status = DeliveryStatus::default();
        let room = Arc::clone(&self.room).try_acquire_owned().ok();
        let has_room = room.is_some();
        let message = Message {
            id: format!("msg_{}", Uuid::now_v7().simple()),
            kind,
            body: body.into(),
            decided_at,
            decided: clock::monotonic(),
            status: status.clone(),
            _room: room,
        };
        self.counts.taken.fetch_add(1, Ordering::Relaxed);
        if !has_room {
            give_up(&self.counts, &message, &"too many alerts wait for the webhook");
        } else if let Err(mpsc::error::SendError(message)) = self.queue.send(message) {
            give_up(&self.counts, &message, &"wfx stops");
        }
        status
    }

    /// How many came how far.
    #[must_use]
    pub fn deliveries(&self) -> Deliveries {
        let get = |count: &AtomicU64| count.load(Ordering::Relaxed);
        let (sent, given_up) = (get(&self.counts.sent), get(&self.counts.given_up));
        Deliveries {
            pending: get(&self.counts.taken).saturating_sub(sent + given_up),
            sent,
            given_up,
            refused: get(&self.counts.refused),
            failed_attempts: get(&self.counts.failed_attempts),
        }
    }

    /// The URL as it may be shown.
    #[must_use]
    pub fn shown_url(&self) -> &str {
        &self.shown_url
    }

    /// Tries waiting alerts once more, for at most the given time. Those not accepted are given up.
    pub async fn close(&self, patience: Duration) {
        self.closing.cancel();
        let task = self.task.lock().unwrap_or_else(PoisonError::into_inner).take();
        let Some(mut task) = task else { return };
        if time::timeout(patience, &mut task).await.is_err() {
            task.abort();
            let given_up = self.deliveries().pending;
            tracing::error!(given_up, "wfx stops, and the webhook did not take all alerts");
        }
    }
}

fn give_up(counts: &Counts, message: &Message, why: &dyn fmt::Display) {
    counts.given_up.fetch_add(1, Ordering::Relaxed);
    message.status.set(Delivery::GivenUp);
    let Message { id, kind, .. } = message;
    tracing::error!(id, alert = kind, %why, "gave an alert up");
}

/// Why an attempt failed.
struct Failure {
    why: String,
    /// How long the receiver wants to be left alone.
    wait: Option<Duration>,
    /// The receiver would give the same answer again.
    is_final: bool,
}

/// Why an alert is given up.
struct GivenUp {
    why: String,
    is_refused: bool,
}

struct Courier {
    client: Client,
    uri: Uri,
    authorization: Option<HeaderValue>,
    secret: Option<Secret>,
    persist: Duration,
    on_sent: OnSent,
    counts: Arc<Counts>,
    closing: CancellationToken,
}

impl Courier {
    async fn send_all(self, mut messages: mpsc::UnboundedReceiver<Message>) {
        // All on this one task, which polls new deliveries in their order: first attempts stay in
        // order.
        let mut under_way = FuturesUnordered::new();
        loop {
            tokio::select! {
                biased;
                message = messages.recv() => match message {
                    Some(message) => under_way.push(self.deliver(message)),
                    None => break,
                },
                Some(()) = under_way.next() => {}
                // All senders are gone.
                () = self.closing.cancelled() => break,
            }
        }
        while let Some(()) = under_way.next().await {}
    }

    async fn deliver(&self, message: Message) {
        match self.attempts(&message).await {
            Ok(()) => {
                self.counts.sent.fetch_add(1, Ordering::Relaxed);
                message.status.set(Delivery::Sent);
                (self.on_sent)(message.kind, message.decided_at);
                tracing::info!(id = message.id, alert = message.kind, "sent an alert");
            }
            Err(GivenUp { why, is_refused }) => {
                self.counts.refused.fetch_add(u64::from(is_refused), Ordering::Relaxed);
                give_up(&self.counts, &message, &why);
            }
        }
    }

    async fn attempts(&self, message: &Message) -> Result<(), GivenUp> {
        let mut failed = 0_u32;
        loop {
            let is_last = self.closing.is_cancelled();
            let attempt = time::timeout(ATTEMPT_TIME, self.attempt(message)).await;
            let Failure { why, wait, is_final } = match attempt {
                Ok(Ok(())) => return Ok(()),
                Ok(Err(failure)) => failure,
                Err(_) => {
                    Failure::passing(format!("no answer within {} s", ATTEMPT_TIME.as_secs()))
                }
            };
            failed = failed.saturating_add(1);
            self.counts.failed_attempts.fetch_add(1, Ordering::Relaxed);
            let wait = backoff(failed).max(wait.unwrap_or_default());
            // A receiver may ask for more than there is.
            let is_late = message.decided.elapsed().saturating_add(wait) > self.persist;
            if is_final || is_last || is_late {
                return Err(GivenUp { why, is_refused: is_final });
            }
            let Message { id, kind, .. } = message;
            let again_in_seconds = (wait.as_secs_f64() * 1e3).round() / 1e3;
            tracing::warn!(id, alert = kind, why, again_in_seconds, "could not send an alert");
            tokio::select! {
                () = time::sleep(wait) => {}
                () = self.closing.cancelled() => {}
            }
        }
    }

    async fn attempt(&self, message: &Message) -> Result<(), Failure> {
        let request = self.request(message).map_err(|error| Failure::passing(error.to_string()))?;
        let response = self.client.send(request).await.map_err(Failure::passing)?;
        let status = response.status();
        if status.is_success() {
            return Ok(());
        }
        let is_final = http_client::is_final(status);
        let why = if status.is_redirection() {
            format!("the receiver answered {status}; redirects are not followed")
        } else if is_final {
            format!("the receiver refused it for good: {status}")
        } else {
            format!("the receiver answered {status}")
        };
        let wait = response.headers().get(RETRY_AFTER).and_then(|value| value.to_str().ok());
        let wait = wait.and_then(|text| http_client::retry_after(text, clock::now()));
        Err(Failure { why, wait, is_final })
    }

    fn request(&self, message: &Message) -> http::Result<Request<Full<Bytes>>> {
        let timestamp = clock::now().as_micros().div_euclid(1_000_000);
        let mut request = Request::builder()
            .method(Method::POST)
            .uri(self.uri.clone())
            .header(CONTENT_TYPE, "application/json")
            .header(USER_AGENT, concat!("wfx/", env!("CARGO_PKG_VERSION")))
            .header("webhook-id", &message.id)
            .header("webhook-timestamp", timestamp);
        if let Some(secret) = &self.secret {
            let signature = secret.sign(&message.id, timestamp, &message.body);
            request = request.header("webhook-signature", signature);
        }
        if let Some(authorization) = &self.authorization {
            request = request.header(AUTHORIZATION, authorization);
        }
        request.body(Full::new(message.body.clone()))
    }
}

impl Failure {
    /// A temporary failure.
    fn passing(why: String) -> Self {
        Self { why, wait: None, is_final: false }
    }
}

fn backoff(failed: u32) -> Duration {
    let policy = Retry {
        max_attempts: u32::MAX,
        backoff: Period::new(BACKOFF),
        max_backoff: Period::new(BACKOFF_MAX),
    };
    backoff::wait(&policy, failed, fastrand::f64())
}
