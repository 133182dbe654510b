//! Requests of a scenario, one after the other.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::f64::consts::TAU;

use fastrand::Rng;

use super::distribution::{LATENCY_MAX_US, exponential};
use super::{Incident, Phase, RATE_MAX, Rate, Scenario};
use crate::slo::engine::Event;

/// The most requests that are in flight at once: some 400 MB of them.
pub(crate) const IN_FLIGHT_MAX: usize = 10_000_000;

/// A synthetic request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Generated<'s> {
    /// Its answer, at microseconds since the start.
    pub event: Event,
    /// What was asked for.
    pub path: &'s str,
}

impl Scenario {
    /// Requests in the order of their answers, the same for a seed. They arrive as a Poisson
    /// process of the current rate; those in flight are held in memory, which grows with rate times
    /// latency.
    #[must_use]
    pub(crate) fn generate(&self, seed: u64) -> Traffic<'_> {
        self.generate_within(IN_FLIGHT_MAX, seed)
    }

    pub(super) fn generate_within(&self, in_flight_max: usize, seed: u64) -> Traffic<'_> {
        let mut traffic = Traffic {
            scenario: self,
            rng: Rng::with_seed(seed),
            now_us: 0.0,
            phase: 0,
            stretch: Stretch::default(),
            in_flight: BinaryHeap::new(),
            in_flight_max,
            next: None,
            number: 0,
        };
        traffic.stretch = traffic.stretch_at(0);
        traffic.next = traffic.arrive();
        traffic
    }

    /// About how many requests it makes.
    #[must_use]
    pub(crate) fn expected_events(&self) -> u64 {
        /// Pieces of all phases, whose rates are added up, and the least of one.
        const PIECES: usize = 4_096;
        const LEAST: usize = 16;
        let pieces = (PIECES / self.phases.len().max(1)).max(LEAST);
        let mut start_us = 0.0;
        let mut expected = 0.0;
        for phase in &self.phases {
            let length = micros(phase);
            let piece = length / pieces as f64;
            for at in 0..pieces {
                let t_us = start_us + (at as f64 + 0.5) * piece;
                let active = self.active(whole(t_us));
                let factors = active.map(|incident| incident.rate_factor);
                let factor = phase.rate.bounded(factors.fold(1.0, times));
                expected += phase.rate.at(t_us, start_us, length) * factor * piece / 1e6;
            }
            start_us += length;
        }
        whole(expected)
    }

    fn active(&self, t_us: u64) -> impl Iterator<Item = &Incident> {
        self.incidents.iter().filter(move |incident| incident.is_active(t_us))
    }
}

fn micros(phase: &Phase) -> f64 {
    phase.duration_us as f64
}

impl Incident {
    fn is_active(&self, t_us: u64) -> bool {
        let Some(since) = t_us.checked_sub(self.at_us) else { return false };
        self.every_us.map_or(since, |every| since % every) < self.duration_us
    }

    /// The next time after `t_us` at which it begins or ends.
    fn next_edge(&self, t_us: u64) -> u64 {
        let Some(since) = t_us.checked_sub(self.at_us) else { return self.at_us };
        let (begun, again) = match self.every_us {
            Some(every) => (t_us - since % every, Some(t_us - since % every + every)),
            None => (self.at_us, None),
        };
        let end = begun + self.duration_us;
        if end > t_us {
            again.map_or(end, |again| end.min(again))
        } else {
            again.unwrap_or(u64::MAX)
        }
    }
}

impl Rate {
    /// Requests in a second at a time; the phase begins at `start_us` and lasts `length_us`.
    fn at(self, t_us: f64, start_us: f64, length_us: f64) -> f64 {
        match self {
            Self::Constant(rate) => rate,
            Self::Ramp { from, to } => from + (to - from) * (t_us - start_us) / length_us,
            Self::Wave { base, amplitude, period_us, shift } => {
                (base + amplitude * (TAU * (t_us / period_us + shift)).sin()).max(0.0)
            }
        }
    }

    fn most(self) -> f64 {
        match self {
            Self::Constant(rate) => rate,
            Self::Ramp { from, to } => from.max(to),
            Self::Wave { base, amplitude, .. } => base + amplitude.abs(),
        }
    }

    /// Limits a factor so that the rate stays within bounds: beyond them the time between two
    /// requests is below the resolution of numbers.
    fn bounded(self, factor: f64) -> f64 {
        match self.most() {
            0.0 => 1.0,
            most => factor.min((RATE_MAX / most).max(1.0)),
        }
    }
}

/// An interval in which nothing begins or ends.
#[derive(Debug, Clone, Default)]
struct Stretch {
    end_us: u64,
    /// When its phase begins.
    phase_us: u64,
    rate_factor: f64,
    latency_factor: f64,
    latency_add_us: f64,
    errors: Vec<(u16, f64)>,
}

/// A request that is in flight: the earliest answer first, of two at once the first that came.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct InFlight {
    t_us: u64,
    number: u64,
    latency_us: u64,
    status: u16,
    path: u32,
}

/// The requests of a scenario.
#[derive(Debug)]
pub(crate) struct Traffic<'s> {
    scenario: &'s Scenario,
    rng: Rng,
    /// When the last request came.
    now_us: f64,
    /// The phase of the stretch; that after the last one when all is over.
    phase: usize,
    stretch: Stretch,
    in_flight: BinaryHeap<Reverse<InFlight>>,
    in_flight_max: usize,
    /// When the next request comes.
    next: Option<f64>,
    number: u64,
}

impl<'s> Iterator for Traffic<'s> {
    type Item = Generated<'s>;

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            let Some(arrival_us) = self.next else { return self.answer() };
            // Whatever comes later is answered later.
            if let Some(Reverse(first)) = self.in_flight.peek()
                && first.t_us as f64 <= arrival_us
            {
                return self.answer();
            }
            if self.is_overfull() {
                return None;
            }
            self.ask(arrival_us);
            self.next = self.arrive();
        }
    }
}

impl<'s> Traffic<'s> {
    /// Whether it ended early: with more requests in flight than memory is for.
    #[must_use]
    pub(crate) fn is_overfull(&self) -> bool {
        self.in_flight.len() >= self.in_flight_max
    }

    fn answer(&mut self) -> Option<Generated<'s>> {
        let Reverse(InFlight { t_us, latency_us, status, path, .. }) = self.in_flight.pop()?;
        let (path, _) = self.scenario.paths.get(path as usize)?;
        Some(Generated { event: Event { t_us, status, latency_us: Some(latency_us) }, path })
    }

    /// When the next request comes: thinning of a process that is fast enough for the stretch
    /// (P. A. W. Lewis and G. S. Shedler, "Simulation of nonhomogeneous Poisson processes by
    /// thinning", Naval Research Logistics 26, 1979).
    fn arrive(&mut self) -> Option<f64> {
        loop {
            let phase = self.scenario.phases.get(self.phase)?;
            let most = phase.rate.most() * self.stretch.rate_factor / 1e6;
            // With a rate of zero the wait is infinite.
            let t_us = self.now_us + exponential(&mut self.rng) / most;
            let end_us = self.stretch.end_us;
            if t_us.is_nan() || t_us >= end_us as f64 {
                // The process is memoryless: the time waited so far does not change the
                // distribution of the rest.
                self.now_us = end_us as f64;
                self.stretch = self.stretch_at(end_us);
                continue;
            }
            self.now_us = t_us;
            if let Rate::Constant(_) = phase.rate {
                return Some(t_us);
            }
            let rate = phase.rate.at(t_us, self.stretch.phase_us as f64, micros(phase));
            if self.rng.f64() * most < rate * self.stretch.rate_factor / 1e6 {
                return Some(t_us);
            }
        }
    }

    fn ask(&mut self, arrival_us: f64) {
        let Some(phase) = self.scenario.phases.get(self.phase) else { return };
        let mut status = pick(&mut self.rng, &phase.statuses);
        if !self.stretch.errors.is_empty() {
            let mut drawn = self.rng.f64();
            for (error, share) in &self.stretch.errors {
                if drawn < *share {
                    status = *error;
                    break;
                }
                drawn -= share;
            }
        }
        let path = match self.scenario.paths.len() {
            1 => 0,
            _ => {
                let numbered = (0_u32..).zip(&self.scenario.paths);
                let weights = numbered.map(|(at, (_, weight))| (at, *weight));
                pick_of(&mut self.rng, weights)
            }
        };
        let latency = phase.latency.draw(&mut self.rng);
        let latency = latency * self.stretch.latency_factor + self.stretch.latency_add_us;
        let latency_us = whole(latency.min(LATENCY_MAX_US));
        let t_us = whole(arrival_us).saturating_add(latency_us);
        self.number += 1;
        let number = self.number;
        self.in_flight.push(Reverse(InFlight { t_us, number, latency_us, status, path }));
    }

    /// The interval that begins at a time, and its phase.
    fn stretch_at(&mut self, t_us: u64) -> Stretch {
        let (mut phase_us, mut end_us) = (0, 0);
        self.phase = self.scenario.phases.len();
        for (at, phase) in self.scenario.phases.iter().enumerate() {
            phase_us = end_us;
            end_us += phase.duration_us;
            if t_us < end_us {
                self.phase = at;
                break;
            }
        }
        let mut stretch = Stretch {
            end_us,
            phase_us,
            rate_factor: 1.0,
            latency_factor: 1.0,
            latency_add_us: 0.0,
            errors: Vec::new(),
        };
        for incident in &self.scenario.incidents {
            stretch.end_us = stretch.end_us.min(incident.next_edge(t_us));
        }
        for incident in self.scenario.active(t_us) {
            stretch.rate_factor = times(stretch.rate_factor, incident.rate_factor);
            stretch.latency_factor = times(stretch.latency_factor, incident.latency_factor);
            stretch.latency_add_us += incident.latency_add_us;
            stretch.errors.extend_from_slice(&incident.errors);
        }
        if let Some(phase) = self.scenario.phases.get(self.phase) {
            stretch.rate_factor = phase.rate.bounded(stretch.rate_factor);
        }
        stretch
    }
}

/// A weighted choice.
fn pick<T: Copy + Default>(rng: &mut Rng, weighted: &[(T, f64)]) -> T {
    match weighted {
        [(only, _)] => *only,
        _ => pick_of(rng, weighted.iter().copied()),
    }
}

fn pick_of<T: Copy + Default>(
    rng: &mut Rng,
    weighted: impl Iterator<Item = (T, f64)> + Clone,
) -> T {
    let sum: f64 = weighted.clone().map(|(_, weight)| weight).sum();
    let mut drawn = rng.f64() * sum;
    let mut last = T::default();
    for (one, weight) in weighted {
        if weight > 0.0 {
            last = one;
            if drawn < weight {
                break;
            }
            drawn -= weight;
        }
    }
    last
}

/// The product of factors, which stays a number: one of 0 leaves nothing, however many others
/// there are.
fn times(factor: f64, other: f64) -> f64 {
    (factor * other).min(f64::MAX)
}

/// Fractions are cut; no value here is negative.
fn whole(number: f64) -> u64 {
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "it saturates")]
    let whole = number as u64;
    whole
}
