//! The service levels of a server that runs: its requests, in the order in which they were
//! answered, and what follows from them.

use std::collections::VecDeque;
use std::fmt;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use serde::Serialize;
use serde_json::{Map, Value};

use super::engine::{Engine, Event, Judged, Standing};
use super::indicator::Indicator;
use super::open::{Open, OpenBreaches};
use super::payload::{number, payload};
use super::policy::Policy;
use super::wall::{Reading, Stamp, Wall};
use super::webhook::{Deliveries, Delivery, DeliveryStatus, Webhook};
use crate::base::clock;
use crate::base::timestamp::Timestamp;

/// The most alerts that are shown.
const RECENT_MAX: usize = 20;

/// How often the clocks are read at most, if the thread is interrupted between the readings.
const READINGS_MAX: u32 = 3;

/// Judges the requests of a server.
#[derive(Debug)]
pub struct Monitor {
    /// The wall clock at the start. The engine's times are that and what the monotonic clock
    /// counted since, so that they never go back.
    started_us: u64,
    epoch: Instant,
    state: Mutex<State>,
    webhook: Option<Webhook>,
    listener: Option<Listener>,
}

/// Is called with each alert, and when the breach that it was about is over. It must not wait.
pub struct Listener(pub Box<dyn Fn(Notice) + Send + Sync>);

impl fmt::Debug for Listener {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Listener")
    }
}

/// An alert, or the end of its breach.
#[derive(Debug, Clone)]
pub struct Notice {
    /// The type of the alert.
    pub kind: &'static str,
    /// When it was decided.
    pub at: Timestamp,
    /// When the breach began.
    pub since: Timestamp,
    /// The breach is over.
    pub is_resolved: bool,
    /// What a webhook receives of the alert.
    pub payload: Map<String, Value>,
}

#[derive(Debug)]
struct State {
    engine: Engine,
    wall: Wall,
    requests: u64,
    recent: VecDeque<Recent>,
    /// The breaches that are not over, for a listener.
    open: OpenBreaches,
}

#[derive(Debug)]
struct Recent {
    payload: Map<String, Value>,
    fate: DeliveryStatus,
}

/// A request that counts.
#[derive(Debug, Clone, Copy)]
pub struct Answered<'a> {
    /// Of its answer.
    pub status: u16,
    /// How long it took.
    pub latency: Duration,
    /// Without the query.
    pub path: &'a str,
}

impl Monitor {
    /// A monitor without events; alerts go to the webhook, if there is one. `last_alerts` were sent
    /// before: their cooldowns continue.
    #[must_use]
    pub fn start(
        policy: Policy,
        webhook: Option<Webhook>,
        listener: Option<Listener>,
        last_alerts: &[(Indicator, Timestamp)],
    ) -> Self {
        let (started, epoch) = (clock::now(), clock::monotonic());
        let cooldown = policy.cooldown;
        let mut engine = Engine::new(policy);
        let wall = Wall::default();
        let started_us = wall.moment(started);
        for (indicator, at) in last_alerts {
            // The clock was set back since, so the age of the alert is unknown. One alert too many
            // is better than one too few.
            if at.since(started) > cooldown {
                continue;
            }
            engine.resume_cooldown(*indicator, wall.moment(*at).min(started_us));
            let left = cooldown.saturating_sub(started.since(*at));
            if !left.is_zero() {
                tracing::info!(
                    alert = indicator.alert_type(),
                    sent_at = %at,
                    seconds_left = left.as_secs(),
                    "its cooldown goes on from before the start"
                );
            }
        }
        let open = OpenBreaches::default();
        let state = State { engine, wall, requests: 0, recent: VecDeque::new(), open };
        Self { started_us, epoch, state: Mutex::new(state), webhook, listener }
    }

    /// Records a request at the moment of its answer; none for one that does not count. Its answer
    /// was `known_at` a moment before. `in_order` receives the time, in the order of the decisions:
    /// a log written there can be judged again, with the same alerts.
    pub fn pass(
        &self,
        answered: Option<Answered<'_>>,
        known_at: Instant,
        in_order: impl FnOnce(Stamp),
    ) {
        let mut state = self.state();
        let t_us = self.now_us(&mut state.wall, known_at);
        in_order(state.wall.stamp(t_us));
        let Some(answered) = answered else { return };
        state.requests += 1;
        let latency_us = u64::try_from(answered.latency.as_micros()).unwrap_or(u64::MAX);
        let judged = state.engine.record(Event {
            t_us,
            status: answered.status,
            latency_us: Some(latency_us),
        });
        if !judged.due.is_empty() {
            self.alert(&mut state, judged, answered.path);
        }
    }

    fn alert(&self, state: &mut State, judged: Judged, path: &str) {
        for indicator in judged.due.iter() {
            let alert = state.engine.alert(indicator);
            let decided_at = state.wall.date(alert.t_us);
            let payload = payload(&alert, decided_at, path);
            let kind = indicator.alert_type();
            tracing::warn!(
                alert = kind,
                value = alert.value,
                threshold = alert.threshold,
                path,
                "a service level is not met"
            );
            if let Some(Listener(listen)) = &self.listener {
                let since = state.engine.standing(indicator).breached_since_us;
                let since = since.map_or(decided_at, |t_us| state.wall.date(t_us));
                let payload = payload.clone();
                let since = state.open.alert(indicator, since, payload.clone());
                listen(Notice { kind, at: decided_at, since, is_resolved: false, payload });
            }
            let fate = match &self.webhook {
                Some(webhook) => {
                    let body = Value::Object(payload.clone()).to_string().into_bytes();
                    webhook.send(kind, decided_at, body)
                }
                None => DeliveryStatus::not_configured(),
            };
            state.recent.truncate(RECENT_MAX - 1);
            state.recent.push_front(Recent { payload, fate });
        }
    }

    /// Looks whether breaches are over that a listener knows of: also without requests, since their
    /// window goes on.
    pub(crate) fn look_for_ends(&self) {
        let Some(Listener(listen)) = &self.listener else { return };
        let mut state = self.state();
        if state.open.is_empty() {
            return;
        }
        let now_us = self.now_us(&mut state.wall, clock::monotonic());
        state.engine.advance(now_us);
        let at = state.wall.date(now_us);
        let State { engine, open, .. } = &mut *state;
        let now = Indicator::ALL.map(|indicator| {
            let window = Duration::from_secs_f64(engine.policy().window_seconds(indicator));
            let window_us = u64::try_from(window.as_micros()).unwrap_or(u64::MAX);
            (engine.standing(indicator).breached_since_us.is_some(), window_us)
        });
        for Open { indicator, since, payload, .. } in open.take_ended(now_us, now) {
            let kind = indicator.alert_type();
            tracing::info!(alert = kind, "a service level is met again");
            listen(Notice { kind, at, since, is_resolved: true, payload });
        }
    }

    /// Goes on with a breach that a daemon has left which is dead: the listener is notified of its
    /// end.
    pub(crate) fn adopt(
        &self,
        indicator: Indicator,
        since: Timestamp,
        payload: Map<String, Value>,
    ) {
        let mut state = self.state();
        let now_us = self.now_us(&mut state.wall, clock::monotonic());
        state.open.adopt(indicator, since, payload, now_us);
    }

    /// The state of the service levels.
    #[must_use]
    pub fn status(&self) -> Status {
        let mut state = self.state();
        let now_us = self.now_us(&mut state.wall, clock::monotonic());
        let State { engine, wall, requests, recent, .. } = &mut *state;
        engine.advance(now_us);
        let up = self.epoch.elapsed();
        let indicators =
            Indicator::ALL.map(|indicator| IndicatorStatus::of(engine, *wall, indicator, up));
        let [_, c4xx, c5xx] = engine.error_counts();
        let [error_rate, error_rate_5xx, error_rate_4xx, latency_p95] =
            Indicator::ALL.map(|indicator| engine.value(indicator).map_or(Value::Null, number));
        Status {
            since: wall.date(self.started_us),
            now: wall.date(now_us),
            requests: *requests,
            error_rate,
            error_rate_5xx,
            error_rate_4xx,
            latency_p95,
            count: engine.samples(Indicator::ErrorRate),
            count_4xx: c4xx,
            count_5xx: c5xx,
            min_samples: engine.policy().min_samples,
            cooldown_seconds: number(engine.policy().cooldown.as_secs_f64()),
            indicators,
            webhook: self.webhook.as_ref().map(|webhook| WebhookStatus {
                url: webhook.shown_url().to_owned(),
                deliveries: webhook.deliveries(),
            }),
            last_alerts: recent.iter().map(AlertStatus::of).collect(),
        }
    }

    /// The state of each indicator now, and the number of alerts by delivery status.
    #[must_use]
    pub fn standings(&self) -> Standings {
        let mut state = self.state();
        let now_us = self.now_us(&mut state.wall, clock::monotonic());
        state.engine.advance(now_us);
        let engine = &mut state.engine;
        Standings {
            indicators: Indicator::ALL.map(|indicator| Stand {
                indicator,
                standing: engine.standing(indicator),
                threshold: engine.policy().threshold(indicator),
                samples: engine.samples(indicator),
            }),
            deliveries: self.webhook.as_ref().map(Webhook::deliveries).unwrap_or_default(),
        }
    }

    /// Tries alerts that wait once more, for so long at most.
    pub async fn close(&self, patience: Duration) {
        if let Some(webhook) = &self.webhook {
            webhook.close(patience).await;
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // A thread that panicked left an engine that may have missed one request.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The engine's time. Looks whether the wall clock was set; `before` is a moment ago.
    fn now_us(&self, wall: &mut Wall, before: Instant) -> u64 {
        let mut reading = self.reading(before);
        for _ in 1..READINGS_MAX {
            if reading.is_exact() {
                break;
            }
            reading = self.reading(clock::monotonic());
        }
        if let Some(change_us) = wall.observe(reading) {
            let by_seconds = change_us as f64 / 1e6;
            tracing::warn!(by_seconds, now = %reading.wall, "the wall clock was set");
        }
        reading.after_us
    }

    fn reading(&self, before: Instant) -> Reading {
        let wall = clock::now();
        let after_us = self.engine_us(clock::monotonic());
        Reading { before_us: self.engine_us(before), wall, after_us }
    }

    fn engine_us(&self, at: Instant) -> u64 {
        let since = at.saturating_duration_since(self.epoch);
        let since_us = u64::try_from(since.as_micros()).unwrap_or(u64::MAX);
        self.started_us.saturating_add(since_us)
    }
}

/// The state of each indicator.
#[derive(Debug, Clone)]
pub struct Standings {
    /// In their order.
    pub indicators: [Stand; 4],
    /// Of alerts.
    pub deliveries: Deliveries,
}

/// The state of one indicator.
#[derive(Debug, Clone, Copy)]
pub struct Stand {
    /// Which one.
    pub indicator: Indicator,
    /// Its value and its counts.
    pub standing: Standing,
    /// A share, or seconds; `None` when it is off.
    pub threshold: Option<f64>,
    /// How many events it is judged by.
    pub samples: u64,
}

/// The answer of `/api/v1/slo`. Rates are shares from 0 to 1, latencies seconds; a value is null
/// while its window is empty.
#[derive(Debug, Serialize)]
pub struct Status {
    /// The start of the daemon: before it nothing is known.
    pub since: Timestamp,
    /// The moment of the answer.
    pub now: Timestamp,
    /// How many requests were recorded since the start.
    pub requests: u64,
    /// 4xx and 5xx of all in the window.
    pub error_rate: Value,
    /// 5xx of all in the window.
    pub error_rate_5xx: Value,
    /// 4xx of all in the window.
    pub error_rate_4xx: Value,
    /// The 95th percentile of the window.
    pub latency_p95: Value,
    /// Requests in the window of the rates.
    pub count: u64,
    /// Of these, 4xx.
    pub count_4xx: u64,
    /// Of these, 5xx.
    pub count_5xx: u64,
    /// With fewer requests an indicator is not judged.
    pub min_samples: u64,
    /// The least time between two alerts of one type.
    pub cooldown_seconds: Value,
    /// In the order in which they are judged.
    #[serde(rename = "signals")]
    pub indicators: [IndicatorStatus; 4],
    /// Where alerts are sent; null: nowhere.
    pub webhook: Option<WebhookStatus>,
    /// The last alerts, the newest first.
    pub last_alerts: Vec<AlertStatus>,
}

/// The state of an indicator, as the API returns it.
#[derive(Debug, Serialize)]
pub struct IndicatorStatus {
    #[serde(rename = "type")]
    kind: &'static str,
    field: &'static str,
    value: Value,
    threshold: Value,
    window_seconds: Value,
    /// The part of the window after the start of the daemon.
    covered_seconds: Value,
    samples: u64,
    is_breached: bool,
    breached_since: Option<Timestamp>,
    breaches: u64,
    #[serde(rename = "held_back")]
    suppressed: u64,
    alerts: u64,
    last_alert_at: Option<Timestamp>,
}

impl IndicatorStatus {
    fn of(engine: &mut Engine, wall: Wall, indicator: Indicator, up: Duration) -> Self {
        let standing = engine.standing(indicator);
        let window = engine.policy().window_seconds(indicator);
        Self {
            kind: indicator.alert_type(),
            field: indicator.field(),
            value: standing.value.map_or(Value::Null, number),
            threshold: engine.policy().threshold(indicator).map_or(Value::Null, number),
            window_seconds: number(window),
            covered_seconds: number(up.as_secs_f64().min(window)),
            samples: engine.samples(indicator),
            is_breached: standing.breached_since_us.is_some(),
            breached_since: standing.breached_since_us.map(|t_us| wall.date(t_us)),
            breaches: standing.breaches,
            suppressed: standing.suppressed,
            alerts: standing.alerts,
            last_alert_at: standing.last_alert_us.map(|t_us| wall.date(t_us)),
        }
    }
}

/// The webhook, as the API returns it.
#[derive(Debug, Serialize)]
pub struct WebhookStatus {
    url: String,
    #[serde(flatten)]
    deliveries: Deliveries,
}

/// An alert, as the API returns it: the body of the webhook, and its delivery status.
#[derive(Debug, Serialize)]
pub struct AlertStatus {
    #[serde(flatten)]
    payload: Map<String, Value>,
    delivery: Delivery,
}

impl AlertStatus {
    fn of(recent: &Recent) -> Self {
        Self { payload: recent.payload.clone(), delivery: recent.fate.delivery() }
    }
}
