//! Events in, breaches and alerts out.

use super::histogram::{Histogram, rank_of_p95};
use super::indicator::{Indicator, Indicators};
use super::policy::Policy;
use super::window::{SLOT_MICROS, Window};

/// A request that was answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Event {
    /// The time, microseconds of any clock; an earlier time than the last counts as the last.
    pub t_us: u64,
    /// The status of the answer. Outside of 400..=599 it counts as no error.
    pub status: u16,
    /// How long it took, microseconds; nothing when that is not known. Such a request counts in
    /// the rates and in no percentile.
    pub latency_us: Option<u64>,
}

/// What follows from one event.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Judged {
    /// The indicators above their threshold now.
    pub breached: Indicators,
    /// Those of these for which an alert is to be sent.
    pub due: Indicators,
    /// The indicators that would breach if there were enough events to judge them.
    pub suppressed: Indicators,
    /// The indicators whose breach ended before the event because their window became empty.
    pub lapsed: Indicators,
}

/// An alert that is to be sent.
#[derive(Debug, Clone, PartialEq)]
pub struct Alert {
    /// Of what.
    pub indicator: Indicator,
    /// When it was decided, microseconds of the clock of the events: not floored.
    pub t_us: u64,
    /// A share, or seconds.
    pub value: f64,
    /// In the unit of the value.
    pub threshold: f64,
    /// Of the signal, seconds.
    pub window_seconds: f64,
    /// How many events it was judged by.
    pub samples: u64,
}

/// The state of one indicator, as it is shown.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Standing {
    /// A share, or seconds; nothing while the window is empty.
    pub value: Option<f64>,
    /// Whether it breaches its threshold, and since when, microseconds.
    pub breached_since_us: Option<u64>,
    /// How many breaches began so far.
    pub breaches: u64,
    /// How many evaluations would have breached with enough events.
    pub suppressed: u64,
    /// How many alerts were decided.
    pub alerts: u64,
    /// When the last one was, microseconds.
    pub last_alert_us: Option<u64>,
}

/// The internal state of one indicator.
#[derive(Debug, Clone, Copy, Default)]
struct IndicatorState {
    since_us: Option<u64>,
    breaches: u64,
    suppressed: u64,
    alerts: u64,
    last_alert_us: Option<u64>,
}

/// Watches over the windows. Constant time for each event, and memory for the slots of the
/// windows only.
#[derive(Debug, Clone)]
pub struct Engine {
    policy: Policy,
    latency_threshold_us: u64,
    cooldown_us: u64,
    /// The slot of the last event.
    now: u64,
    /// The latest time of an event, microseconds.
    latest_us: u64,
    /// All, 4xx, 5xx.
    errors: Window<3>,
    /// All, as slow as the threshold or slower.
    latencies: Window<2>,
    shown: Histogram,
    indicators: [IndicatorState; 4],
}

impl Engine {
    /// One that has seen nothing.
    #[must_use]
    pub fn new(policy: Policy) -> Self {
        let micros = |nanos: u128| u64::try_from(nanos.div_ceil(1_000)).unwrap_or(u64::MAX);
        Self {
            // Latencies are whole microseconds: the next one reaches a threshold between two.
            latency_threshold_us: policy.latency_p95.map_or(u64::MAX, |p95| micros(p95.as_nanos())),
            cooldown_us: micros(policy.cooldown.as_nanos()),
            now: 0,
            latest_us: 0,
            errors: Window::new(policy.error_window),
            latencies: Window::new(policy.latency_window),
            shown: Histogram::new(policy.latency_window),
            indicators: [IndicatorState::default(); 4],
            policy,
        }
    }

    /// Continues the cooldown of an indicator from its last alert, which an earlier engine decided;
    /// microseconds of the events' clock.
    pub fn resume_cooldown(&mut self, indicator: Indicator, last_alert_us: u64) {
        let slot_us = last_alert_us / SLOT_MICROS * SLOT_MICROS;
        self.indicators[indicator.index()].last_alert_us = Some(slot_us);
    }

    /// What is promised.
    #[must_use]
    pub fn policy(&self) -> &Policy {
        &self.policy
    }

    /// Records an event and judges every signal.
    pub fn record(&mut self, event: Event) -> Judged {
        let lapsed = self.pass_time(event.t_us);
        let (now, status) = (self.now, event.status);
        self.errors.add(now, [true, (400..500).contains(&status), (500..600).contains(&status)]);
        if let Some(latency_us) = event.latency_us {
            self.latencies.add(now, [true, latency_us >= self.latency_threshold_us]);
            self.shown.add(now, latency_us);
        }

        let mut judged = Judged { lapsed, ..Judged::default() };
        for indicator in Indicator::ALL {
            self.judge(indicator, &mut judged);
        }
        judged
    }

    /// Lets time pass without an event.
    pub fn advance(&mut self, t_us: u64) {
        self.pass_time(t_us);
    }

    /// Ends the breaches whose window became empty, and returns which they are.
    fn pass_time(&mut self, t_us: u64) -> Indicators {
        self.latest_us = self.latest_us.max(t_us);
        self.now = self.latest_us / SLOT_MICROS;
        self.errors.advance(self.now);
        self.latencies.advance(self.now);
        self.shown.advance(self.now);
        let mut lapsed = Indicators::NONE;
        for indicator in Indicator::ALL {
            let is_empty = self.samples(indicator) == 0;
            if is_empty && self.indicators[indicator.index()].since_us.take().is_some() {
                lapsed.insert(indicator);
            }
        }
        lapsed
    }

    fn judge(&mut self, indicator: Indicator, judged: &mut Judged) {
        let (reaches, is_judged) = (self.reaches(indicator), self.is_judged(indicator));
        let now_us = self.now_us();
        let state = &mut self.indicators[indicator.index()];
        if !(reaches && is_judged) {
            state.since_us = None;
            if reaches {
                state.suppressed += 1;
                judged.suppressed.insert(indicator);
            }
            return;
        }
        judged.breached.insert(indicator);
        if state.since_us.is_none() {
            state.since_us = Some(now_us);
            state.breaches += 1;
        }
        if state.last_alert_us.is_none_or(|last| now_us.saturating_sub(last) >= self.cooldown_us) {
            state.last_alert_us = Some(now_us);
            state.alerts += 1;
            judged.due.insert(indicator);
        }
    }

    /// Whether there are enough events in the window.
    fn is_judged(&self, indicator: Indicator) -> bool {
        self.samples(indicator) >= self.policy.min_samples
    }

    /// Whether the events in the window reach the threshold, however few they are.
    fn reaches(&self, indicator: Indicator) -> bool {
        let [all, c4xx, c5xx] = self.errors.counts();
        let policy = &self.policy;
        let rate = |part| policy.share(indicator).is_some_and(|share| share.is_reached(part, all));
        match indicator {
            Indicator::ErrorRate => rate(c4xx + c5xx),
            Indicator::ErrorRate5xx => rate(c5xx),
            Indicator::ErrorRate4xx => rate(c4xx),
            Indicator::LatencyP95 if policy.latency_p95.is_none() => false,
            // The value at the rank is as slow as the threshold when no more than the rank's
            // number of values are faster.
            Indicator::LatencyP95 => {
                let [all, slow] = self.latencies.counts();
                rank_of_p95(all).is_some_and(|rank| all - slow <= rank)
            }
        }
    }

    /// How many events the signal is judged by.
    #[must_use]
    pub fn samples(&self, indicator: Indicator) -> u64 {
        match indicator {
            Indicator::LatencyP95 => self.latencies.counts()[0],
            _ => self.errors.counts()[0],
        }
    }

    /// How many events of the rates' window were all, 4xx, 5xx.
    #[must_use]
    pub fn error_counts(&self) -> [u64; 3] {
        self.errors.counts()
    }

    /// The value of a signal: a share, or seconds. Nothing while its window is empty. The
    /// latency is within 1 % of the true one, and on the side of its threshold where that is.
    #[must_use]
    pub fn value(&mut self, indicator: Indicator) -> Option<f64> {
        let [all, c4xx, c5xx] = self.errors.counts();
        let of_all = |part: u64| (all > 0).then(|| part as f64 / all as f64);
        match indicator {
            Indicator::ErrorRate => of_all(c4xx + c5xx),
            Indicator::ErrorRate5xx => of_all(c5xx),
            Indicator::ErrorRate4xx => of_all(c4xx),
            Indicator::LatencyP95 => self.p95_us().map(seconds),
        }
    }

    fn p95_us(&mut self) -> Option<u64> {
        if self.latencies.counts()[0] == 0 {
            return None;
        }
        let shown = self.shown.p95_us()?;
        let threshold = self.latency_threshold_us;
        Some(if self.reaches(Indicator::LatencyP95) {
            shown.max(threshold)
        } else {
            shown.min(threshold.saturating_sub(1))
        })
    }

    /// The alert of a signal that is [due](Judged::due).
    #[must_use]
    pub fn alert(&mut self, indicator: Indicator) -> Alert {
        Alert {
            indicator,
            t_us: self.latest_us,
            value: self.value(indicator).unwrap_or(0.0),
            threshold: self.policy.threshold(indicator).unwrap_or_default(),
            window_seconds: self.policy.window_seconds(indicator),
            samples: self.samples(indicator),
        }
    }

    /// The state of an indicator.
    #[must_use]
    pub fn standing(&mut self, indicator: Indicator) -> Standing {
        let (value, state) = (self.value(indicator), self.indicators[indicator.index()]);
        // Events may have left its window since the last one.
        let is_breached = self.reaches(indicator) && self.is_judged(indicator);
        Standing {
            value,
            breached_since_us: state.since_us.filter(|_| is_breached),
            breaches: state.breaches,
            suppressed: state.suppressed,
            alerts: state.alerts,
            last_alert_us: state.last_alert_us,
        }
    }

    fn now_us(&self) -> u64 {
        self.now * SLOT_MICROS
    }
}

fn seconds(micros: u64) -> f64 {
    micros as f64 / 1e6
}

#[cfg(test)]
mod tests;
