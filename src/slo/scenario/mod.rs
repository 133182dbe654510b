//! Synthetic traffic: phases with a rate, a mix of statuses and a distribution of latencies, and
//! incidents that are laid over them.
//!
//! - [`Scenario::read`]: a document in, a scenario or everything that is wrong out
//! - [`Scenario::generate`]: a seed in, requests in the order in which they are answered out
//! - [`CATALOGUE`]: scenarios that have a name

mod distribution;
mod generate;
mod read;

use std::time::Duration;

pub(crate) use crate::base::fields::FieldsError as ScenarioError;
pub(crate) use distribution::Latency;
pub(crate) use generate::IN_FLIGHT_MAX;

/// JSON Schema (draft 2020-12) of a scenario.
pub(crate) const SCHEMA: &str = include_str!("scenario.schema.json");

/// The most requests in a second.
const RATE_MAX: f64 = 10_000_000.0;

/// A scenario that has a name.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Named {
    /// What it is asked for by.
    pub name: &'static str,
    /// The document, YAML.
    pub text: &'static str,
}

macro_rules! catalogue {
    ($($name:literal),* $(,)?) => {
        &[$(Named { name: $name, text: include_str!(concat!("catalogue/", $name, ".yaml")) }),*]
    };
}

/// Situations that operators know.
pub(crate) const CATALOGUE: &[Named] = catalogue![
    "steady",
    "deploy-errors",
    "slow-database",
    "brownout",
    "flapping",
    "client-storm",
    "traffic-spike",
    "daily-wave",
    "night-trickle",
];

/// Traffic as it is described.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Scenario {
    name: String,
    description: String,
    seed: Option<u64>,
    /// With weights.
    paths: Vec<(String, f64)>,
    phases: Vec<Phase>,
    incidents: Vec<Incident>,
}

/// A stretch of time with one kind of traffic.
#[derive(Debug, Clone, PartialEq)]
struct Phase {
    duration_us: u64,
    rate: Rate,
    /// With weights.
    statuses: Vec<(u16, f64)>,
    latency: Latency,
}

/// Requests in a second.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Rate {
    Constant(f64),
    /// Over the phase.
    Ramp {
        from: f64,
        to: f64,
    },
    /// `base + amplitude * sin(2π (t / period + shift))`, never below 0; `t` is the time since
    /// the start of the scenario.
    Wave {
        base: f64,
        amplitude: f64,
        period_us: f64,
        shift: f64,
    },
}

/// A temporary change, once or repeatedly.
#[derive(Debug, Clone, PartialEq)]
struct Incident {
    at_us: u64,
    duration_us: u64,
    every_us: Option<u64>,
    rate_factor: f64,
    latency_factor: f64,
    latency_add_us: f64,
    /// Statuses, each with the share of requests that get it instead of their own.
    errors: Vec<(u16, f64)>,
}

impl Scenario {
    /// What it is called.
    #[must_use]
    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    /// What happens in it.
    #[must_use]
    pub(crate) fn description(&self) -> &str {
        &self.description
    }

    /// How long it lasts.
    #[must_use]
    pub(crate) fn duration(&self) -> Duration {
        Duration::from_micros(self.phases.iter().map(|phase| phase.duration_us).sum())
    }

    /// The seed that it asks for.
    #[must_use]
    pub(crate) fn seed(&self) -> Option<u64> {
        self.seed
    }
}

#[cfg(test)]
mod tests;
