//! Alerts on their way to a webhook: one task sends them, one after the other, so that no
//! request ever waits for a receiver.
//!
//! What waits is bounded. An alert is sent again, after waits that double, until the receiver
//! takes it with a 2xx or it is too old to be of use; then it is counted as given up. Headers
//! and signature are those of Standard Webhooks (<https://www.standardwebhooks.com>).

use std::fmt;
use std::sync::atomic::{AtomicU8, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use http::header::{AUTHORIZATION, CONTENT_TYPE, RETRY_AFTER, USER_AGENT};
use http::{HeaderValue, Method, Request, Uri};
use http_body_util::Full;
use hyper::body::Bytes;
use serde::Serialize;
use tokio::runtime::Handle;
use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use tokio::time;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use super::client::{self, Client};
use super::signature::Secret;
use crate::clock;
use crate::timestamp::Timestamp;
use crate::workflow::definition::Retry;
use crate::workflow::period::Period;
use crate::workflow::retry;

/// The most alerts that wait.
const QUEUE_MAX: usize = 256;
/// How long a receiver may take to answer.
const ATTEMPT_TIME: Duration = Duration::from_secs(10);
/// An alert is sent again for so long at least.
const PERSIST_MIN: Duration = Duration::from_secs(30);
const BACKOFF: Duration = Duration::from_secs(1);
const BACKOFF_MAX: Duration = Duration::from_secs(60);

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

/// What became of an alert.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Delivery {
    /// It waits, or is being sent.
    Pending,
    /// The receiver took it.
    Sent,
    /// Nobody took it in time.
    GivenUp,
    /// There is no webhook.
    NotConfigured,
}

/// What becomes of an alert, for whoever shows it.
#[derive(Debug, Clone, Default)]
pub struct Fate(Arc<AtomicU8>);

impl Fate {
    /// As far as it is known now.
    #[must_use]
    pub fn delivery(&self) -> Delivery {
        match self.0.load(Ordering::Relaxed) {
            0 => Delivery::Pending,
            1 => Delivery::Sent,
            2 => Delivery::GivenUp,
            _ => Delivery::NotConfigured,
        }
    }

    /// Of one that is sent nowhere.
    pub(super) fn not_configured() -> Self {
        let fate = Self::default();
        fate.set(Delivery::NotConfigured);
        fate
    }

    fn set(&self, delivery: Delivery) {
        self.0.store(delivery as u8, Ordering::Relaxed);
    }
}

/// How many alerts came how far.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
pub struct Deliveries {
    /// They wait, or are being sent.
    pub pending: u64,
    /// A receiver took them.
    pub sent: u64,
    /// Nobody took them in time.
    pub given_up: u64,
    /// Requests that a receiver did not answer with a 2xx.
    pub failed_attempts: u64,
}

#[derive(Debug, Default)]
struct Counts {
    taken: AtomicU64,
    sent: AtomicU64,
    given_up: AtomicU64,
    failed_attempts: AtomicU64,
}

/// An alert that is to be sent.
#[derive(Debug)]
struct Message {
    id: String,
    kind: &'static str,
    body: Bytes,
    decided: Instant,
    fate: Fate,
}

/// Takes alerts to the task that sends them.
#[derive(Debug)]
pub struct Webhook {
    queue: mpsc::Sender<Message>,
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
    pub fn start(options: WebhookOptions, runtime: &Handle) -> Result<Self, String> {
        let (queue, messages) = mpsc::channel(QUEUE_MAX);
        let (counts, closing) = (Arc::<Counts>::default(), CancellationToken::new());
        let uri: Uri = options.url.parse().map_err(|_| "it is no URL".to_owned())?;
        let courier = Courier {
            client: Client::new(&uri)?,
            authorization: client::basic(&uri),
            uri: client::without_user(&uri)?,
            secret: options.secret,
            persist: options.cooldown.max(PERSIST_MIN),
            counts: Arc::clone(&counts),
            closing: closing.clone(),
        };
        let task = Mutex::new(Some(runtime.spawn(courier.send_all(messages))));
        Ok(Self { queue, counts, shown_url: options.shown_url, closing, task })
    }

    /// Hands an alert over, never waiting: one that finds no room is given up.
    pub fn send(&self, kind: &'static str, body: Vec<u8>) -> Fate {
        let fate = Fate::default();
        let id = format!("msg_{}", Uuid::now_v7().simple());
        let message = Message {
            id,
            kind,
            body: body.into(),
            decided: clock::monotonic(),
            fate: fate.clone(),
        };
        self.counts.taken.fetch_add(1, Ordering::Relaxed);
        if let Err(refused) = self.queue.try_send(message) {
            let message = refused.into_inner();
            give_up(&self.counts, &message, &"too many alerts wait for the webhook");
        }
        fate
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
            failed_attempts: get(&self.counts.failed_attempts),
        }
    }

    /// The URL as it may be shown.
    #[must_use]
    pub fn shown_url(&self) -> &str {
        &self.shown_url
    }

    /// Tries what waits once more, for so long at most. What is not taken is given up.
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
    message.fate.set(Delivery::GivenUp);
    let Message { id, kind, .. } = message;
    tracing::error!(id, alert = kind, %why, "gave an alert up");
}

/// Why an attempt failed.
struct Failure {
    why: String,
    /// How long the receiver wants to be left alone.
    wait: Option<Duration>,
}

/// Sends alerts.
struct Courier {
    client: Client,
    uri: Uri,
    authorization: Option<HeaderValue>,
    secret: Option<Secret>,
    persist: Duration,
    counts: Arc<Counts>,
    closing: CancellationToken,
}

impl Courier {
    async fn send_all(self, mut messages: mpsc::Receiver<Message>) {
        loop {
            let message = tokio::select! {
                biased;
                message = messages.recv() => message,
                // Nobody hands anything in any more.
                () = self.closing.cancelled() => None,
            };
            let Some(message) = message else { return };
            match self.deliver(&message).await {
                Ok(()) => {
                    self.counts.sent.fetch_add(1, Ordering::Relaxed);
                    message.fate.set(Delivery::Sent);
                    tracing::info!(id = message.id, alert = message.kind, "sent an alert");
                }
                Err(why) => give_up(&self.counts, &message, &why),
            }
        }
    }

    async fn deliver(&self, message: &Message) -> Result<(), String> {
        if message.decided.elapsed() > self.persist {
            return Err("those before it took too long".to_owned());
        }
        for failed in 1_u32.. {
            let is_last = self.closing.is_cancelled();
            let attempt = time::timeout(ATTEMPT_TIME, self.attempt(message)).await;
            let Failure { why, wait } = match attempt {
                Ok(Ok(())) => return Ok(()),
                Ok(Err(failure)) => failure,
                Err(_) => Failure {
                    why: format!("no answer within {} s", ATTEMPT_TIME.as_secs()),
                    wait: None,
                },
            };
            self.counts.failed_attempts.fetch_add(1, Ordering::Relaxed);
            let wait = backoff(failed).max(wait.unwrap_or_default());
            // A receiver may ask for more than there is.
            if is_last || message.decided.elapsed().saturating_add(wait) > self.persist {
                return Err(why);
            }
            let Message { id, kind, .. } = message;
            let again_in_seconds = (wait.as_secs_f64() * 1e3).round() / 1e3;
            tracing::warn!(id, alert = kind, why, again_in_seconds, "could not send an alert");
            tokio::select! {
                () = time::sleep(wait) => {}
                () = self.closing.cancelled() => {}
            }
        }
        Err("it was tried too often".to_owned())
    }

    async fn attempt(&self, message: &Message) -> Result<(), Failure> {
        let failure = |why: String| Failure { why, wait: None };
        let request = self.request(message).map_err(|error| failure(error.to_string()))?;
        let response = self.client.send(request).await.map_err(failure)?;
        let status = response.status();
        if status.is_success() {
            return Ok(());
        }
        let why = if status.is_redirection() {
            format!("the receiver answered {status}; redirects are not followed")
        } else {
            format!("the receiver answered {status}")
        };
        let wait = response.headers().get(RETRY_AFTER).and_then(|value| value.to_str().ok());
        Err(Failure { why, wait: wait.and_then(|text| retry_after(text, clock::now())) })
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

fn backoff(failed: u32) -> Duration {
    let policy = Retry {
        max_attempts: u32::MAX,
        backoff: Period::new(BACKOFF),
        max_backoff: Period::new(BACKOFF_MAX),
    };
    retry::wait(&policy, failed, fastrand::f64())
}

/// How long `Retry-After` asks to wait: seconds, or a date (RFC 9110, section 10.2.3).
fn retry_after(text: &str, now: Timestamp) -> Option<Duration> {
    let text = text.trim();
    if !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit()) {
        return Some(text.parse().map_or(Duration::MAX, Duration::from_secs));
    }
    Timestamp::parse_http_date(text).map(|date| date.since(now))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_receiver_says_when_to_come_again() {
        let now = Timestamp::parse_http_date("Sun, 06 Nov 1994 08:49:37 GMT").unwrap();
        for (text, seconds) in [
            ("7", Some(7)),
            (" 0 ", Some(0)),
            ("Sun, 06 Nov 1994 08:50:07 GMT", Some(30)),
            ("Sun, 06 Nov 1994 08:00:00 GMT", Some(0)),
            ("soon", None),
            ("-1", None),
        ] {
            assert_eq!(retry_after(text, now), seconds.map(Duration::from_secs), "{text}");
        }
        assert_eq!(retry_after("18446744073709551616", now), Some(Duration::MAX));
    }
}
