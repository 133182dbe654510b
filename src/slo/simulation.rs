//! Recorded or synthetic traffic, judged by the engine of `wfx serve`: which alerts it would have
//! sent.

use super::engine::{Engine, Event, Judged};
use super::indicator::Indicator;
use super::policy::Policy;
use super::timeline::Timeline;
use super::window::empty_from_us;

/// The most alerts, and the most breaches of each indicator, that are stored; all are counted.
pub(crate) const KEPT_MAX: usize = 100_000;

/// An alert that would have been sent; `P` finds the path of its request.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Sent<P> {
    /// Of what.
    pub indicator: Indicator,
    /// When, microseconds of the trace.
    pub t_us: u64,
    /// A share, or seconds.
    pub value: f64,
    /// How many requests it was judged by.
    pub samples: u64,
    /// Refers to the request that caused it.
    pub origin: P,
}

/// A stretch of time in which every evaluation breached, and the window was never empty.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Breach {
    /// Of what.
    pub indicator: Indicator,
    /// The first evaluation that breached, microseconds of the trace.
    pub from_us: u64,
    /// The first one that did not any more, or when the window was empty; the last one that
    /// did where the trace ends before.
    pub to_us: u64,
    /// The greatest value, a share or seconds.
    pub peak: f64,
    /// The trace ends in it.
    pub is_open: bool,
}

/// What was seen of one signal.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Outcome {
    /// The greatest value that was judged, a share or seconds.
    pub peak: f64,
    /// How often it was judged.
    pub judged: u64,
    /// How many breaches.
    pub breaches: u64,
    /// How long they were together, microseconds.
    pub breached_us: u64,
    /// How many alerts were sent.
    pub alerts: u64,
    /// Evaluations that breached within the cooldown of an alert before them.
    pub cooled_down: u64,
    /// Evaluations that would have breached with enough requests.
    pub suppressed: u64,
}

/// Runs the engine over a trace.
#[derive(Debug)]
pub struct Simulation<P> {
    engine: Engine,
    alerts: Vec<Sent<P>>,
    breaches: Vec<Breach>,
    open: [Option<Breach>; 4],
    outcomes: [Outcome; 4],
    timeline: Timeline,
    totals: Totals,
}

/// What the requests were.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Totals {
    /// All of them.
    pub requests: u64,
    /// 4xx.
    pub c4xx: u64,
    /// 5xx.
    pub c5xx: u64,
    /// Requests of unknown latency: they count in no percentile.
    pub unknown_latency: u64,
    /// The time of the first, microseconds of the trace.
    pub from_us: u64,
    /// The latest time.
    pub to_us: u64,
}

impl<P: Copy> Simulation<P> {
    /// One that has seen nothing.
    #[must_use]
    pub fn new(policy: Policy) -> Self {
        Self {
            engine: Engine::new(policy),
            alerts: Vec::new(),
            breaches: Vec::new(),
            open: [None; 4],
            outcomes: [Outcome::default(); 4],
            timeline: Timeline::default(),
            totals: Totals::default(),
        }
    }

    /// Judges a request; a time before the latest one counts as the latest.
    pub fn record(&mut self, event: Event, origin: P) {
        self.count(event);
        let judged = self.engine.record(event);
        let least = self.engine.policy().min_samples;
        let values = Indicator::ALL.map(|indicator| {
            let is_judged = self.engine.samples(indicator) >= least;
            self.engine.value(indicator).filter(|_| is_judged).unwrap_or(f64::NAN)
        });
        for (indicator, value) in Indicator::ALL.into_iter().zip(values) {
            self.follow(indicator, value, judged);
        }
        for indicator in judged.due.iter() {
            let alert = self.engine.alert(indicator);
            if self.alerts.len() < KEPT_MAX {
                let (t_us, value, samples) = (alert.t_us, alert.value, alert.samples);
                self.alerts.push(Sent { indicator, t_us, value, samples, origin });
            }
        }
        self.timeline.add(self.totals.to_us, values, judged);
    }

    fn count(&mut self, event: Event) {
        let totals = &mut self.totals;
        if totals.requests == 0 {
            totals.from_us = event.t_us;
        }
        totals.requests += 1;
        totals.c4xx += u64::from((400..500).contains(&event.status));
        totals.c5xx += u64::from((500..600).contains(&event.status));
        totals.unknown_latency += u64::from(event.latency_us.is_none());
        totals.to_us = totals.to_us.max(event.t_us);
    }

    fn follow(&mut self, indicator: Indicator, value: f64, judged: Judged) {
        let now_us = self.totals.to_us;
        if judged.lapsed.contains(indicator)
            && let Some(breach) = self.open[indicator as usize].take()
        {
            // The last request was the last that was judged.
            let to_us = empty_from_us(self.engine.policy().window(indicator), breach.to_us);
            self.end(Breach { to_us, is_open: false, ..breach });
        }
        let (open, outcome) =
            (&mut self.open[indicator as usize], &mut self.outcomes[indicator as usize]);
        outcome.peak = outcome.peak.max(value);
        outcome.judged += u64::from(!value.is_nan());
        outcome.suppressed += u64::from(judged.suppressed.contains(indicator));
        if !judged.breached.contains(indicator) {
            if let Some(breach) = open.take() {
                self.end(Breach { to_us: now_us, is_open: false, ..breach });
            }
            return;
        }
        let is_due = judged.due.contains(indicator);
        outcome.alerts += u64::from(is_due);
        outcome.cooled_down += u64::from(!is_due);
        let breach = open.get_or_insert(Breach {
            indicator,
            from_us: now_us,
            to_us: now_us,
            peak: value,
            is_open: true,
        });
        breach.to_us = now_us;
        breach.peak = breach.peak.max(value);
    }

    fn end(&mut self, breach: Breach) {
        let outcome = &mut self.outcomes[breach.indicator as usize];
        outcome.breaches += 1;
        outcome.breached_us += breach.to_us - breach.from_us;
        // They are counted by then.
        if outcome.breaches <= KEPT_MAX as u64 {
            self.breaches.push(breach);
        }
    }

    /// How many requests were judged.
    #[must_use]
    pub fn requests(&self) -> u64 {
        self.totals.requests
    }

    /// The result.
    #[must_use]
    pub fn finish(mut self) -> Found<P> {
        for breach in self.open.into_iter().flatten() {
            self.end(breach);
        }
        self.breaches.sort_by_key(|breach| (breach.from_us, breach.indicator));
        Found {
            policy: self.engine.policy().clone(),
            alerts: self.alerts,
            breaches: self.breaches,
            outcomes: self.outcomes,
            timeline: self.timeline,
            totals: self.totals,
        }
    }
}

/// The result of a trace.
#[derive(Debug)]
pub struct Found<P> {
    /// What was promised.
    pub policy: Policy,
    /// In the order in which they were sent.
    pub alerts: Vec<Sent<P>>,
    /// By their beginning.
    pub breaches: Vec<Breach>,
    /// For each indicator, in their order.
    pub outcomes: [Outcome; 4],
    /// The signals over time.
    pub timeline: Timeline,
    /// What the requests were.
    pub totals: Totals,
}
