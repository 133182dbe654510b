//! The document of a scenario.

use std::time::Duration;

use serde_json::{Map, Value};

use super::{Incident, Latency, Phase, RATE_MAX, Rate, Scenario, ScenarioError};
use crate::base::fields::Fields;

const KEYS: [&str; 6] = ["name", "description", "seed", "paths", "phases", "incidents"];
const PHASE_KEYS: [&str; 5] = ["name", "duration", "rate", "status", "latency"];
const INCIDENT_KEYS: [&str; 8] =
    ["name", "at", "duration", "every", "rate_factor", "latency_factor", "latency_add", "errors"];
const LATENCY_KINDS: [&str; 5] = ["constant", "lognormal", "exponential", "pareto", "bimodal"];

const PHASES_MAX: usize = 1_000;
const PATHS_MAX: usize = 10_000;
/// The most beginnings of incidents, all together: each is searched.
const BEGINNINGS_MAX: u64 = 10_000_000;
/// A scenario lasts so long at most.
const LENGTH_MAX: Duration = Duration::from_secs(400 * 24 * 3_600);
const LATENCY_MAX: Duration = Duration::from_secs(3_600);
const FACTOR_MAX: f64 = 1e6;
/// A greater weight is a mistake.
const WEIGHT_MAX: f64 = 1e12;

/// The defaults of fields that neither a phase nor an earlier one sets.
fn first() -> Phase {
    Phase {
        duration_us: 0,
        rate: Rate::Constant(0.0),
        statuses: vec![(200, 1.0)],
        latency: Latency::lognormal(20_000.0, 80_000.0),
    }
}

impl Scenario {
    /// Reads the tree of a document; `name` is what it is called if it does not say so.
    ///
    /// # Errors
    /// Everything that is wrong with it.
    pub(crate) fn read(document: &Value, name: &str) -> Result<Self, ScenarioError> {
        let mut fields = Reader(Fields::of("the scenario"));
        let scenario = fields.scenario(document, name);
        fields.0.finish(scenario)
    }
}

struct Reader(Fields);

impl Reader {
    fn scenario(&mut self, document: &Value, name: &str) -> Scenario {
        let empty = Map::new();
        let map = self.0.map("", document, &KEYS).unwrap_or(&empty);
        let phases = self.phases(map.get("phases"));
        let length_us: u64 = phases.iter().map(|phase| phase.duration_us).sum();
        if u128::from(length_us) > LENGTH_MAX.as_micros() {
            self.0.add("/phases", "together they last longer than 400 days");
        }
        Scenario {
            name: self.0.text("/name", map.get("name")).unwrap_or_else(|| name.to_owned()),
            description: self.0.text("/description", map.get("description")).unwrap_or_default(),
            seed: self.seed(map.get("seed")),
            paths: self.paths(map.get("paths")),
            phases,
            incidents: self.incidents(map.get("incidents"), length_us),
        }
    }

    fn seed(&mut self, value: Option<&Value>) -> Option<u64> {
        let value = value?;
        if value.as_u64().is_none() {
            self.0.add("/seed", format!("{value} is no whole number of 0 or more"));
        }
        value.as_u64()
    }

    fn paths(&mut self, value: Option<&Value>) -> Vec<(String, f64)> {
        let mut paths = match value {
            None => return vec![("/".to_owned(), 1.0)],
            Some(Value::Array(items)) => {
                let text = |item: &Value| item.as_str().map(|path| (path.to_owned(), 1.0));
                items.iter().filter_map(text).collect()
            }
            Some(Value::Object(_)) => self.weights("/paths", value),
            Some(_) => Vec::new(),
        };
        paths.retain(|(path, _)| path.starts_with('/'));
        let given = value.map(|value| {
            value.as_array().map_or_else(|| value.as_object().map_or(0, Map::len), Vec::len)
        });
        if given != Some(paths.len()) || !(1..=PATHS_MAX).contains(&paths.len()) {
            let takes = format!("1 to {PATHS_MAX} paths such as `/orders`");
            self.0
                .add("/paths", format!("it takes a list of {takes}, or a map of them to weights"));
        }
        paths
    }

    /// A map of names to weights that are not all 0.
    fn weights(&mut self, at: &str, value: Option<&Value>) -> Vec<(String, f64)> {
        let Some(Value::Object(map)) = value else {
            self.0.add(at, "it has to be a map to weights");
            return Vec::new();
        };
        let mut weights = Vec::new();
        for (name, weight) in map {
            let weight = self.0.number(&format!("{at}/{name}"), Some(weight), (0.0, WEIGHT_MAX));
            weights.push((name.clone(), weight.unwrap_or(0.0)));
        }
        if weights.iter().all(|(_, weight)| *weight == 0.0) {
            self.0.add(at, "one of its weights has to be above 0");
        }
        weights
    }

    /// The same of statuses.
    fn statuses(&mut self, at: &str, value: Option<&Value>) -> Vec<(u16, f64)> {
        let mut statuses = Vec::new();
        for (name, weight) in self.weights(at, value) {
            match name.parse() {
                Ok(status @ 100..=599) => statuses.push((status, weight)),
                _ => self.0.add(&format!("{at}/{name}"), "it is no status from 100 to 599"),
            }
        }
        statuses
    }

    fn phases(&mut self, value: Option<&Value>) -> Vec<Phase> {
        let listed = match value {
            Some(Value::Array(items)) if (1..=PHASES_MAX).contains(&items.len()) => {
                items.as_slice()
            }
            _ => {
                self.0.add("", format!("it needs a list of 1 to {PHASES_MAX} `phases`"));
                &[]
            }
        };
        let mut phases: Vec<Phase> = Vec::new();
        for (index, item) in listed.iter().enumerate() {
            let before = phases.last().cloned();
            phases.push(self.phase(&format!("/phases/{index}"), item, before));
        }
        phases
    }

    /// A phase; omitted fields are those of the phase before.
    fn phase(&mut self, at: &str, item: &Value, before: Option<Phase>) -> Phase {
        let is_first = before.is_none();
        let mut phase = before.unwrap_or_else(first);
        let Some(map) = self.0.map(at, item, &PHASE_KEYS) else { return phase };
        self.0.text(&format!("{at}/name"), map.get("name"));
        phase.duration_us = match map.get("duration") {
            None => {
                self.0.add(at, "it needs a `duration` such as 10m");
                0
            }
            duration => self.length(&format!("{at}/duration"), duration).unwrap_or(0),
        };
        match map.get("rate") {
            None if is_first => self.0.add(at, "it needs a `rate`, requests in a second"),
            None => {}
            Some(rate) => {
                let read = self.rate(&format!("{at}/rate"), rate);
                phase.rate = read.unwrap_or(phase.rate);
            }
        }
        if let status @ Some(_) = map.get("status") {
            phase.statuses = self.statuses(&format!("{at}/status"), status);
        }
        if let Some(latency) = map.get("latency") {
            let read = self.latency(&format!("{at}/latency"), latency);
            phase.latency = read.unwrap_or(phase.latency);
        }
        phase
    }

    /// A length of time, microseconds.
    fn length(&mut self, at: &str, value: Option<&Value>) -> Option<u64> {
        let length = self.0.period(at, value)?;
        let micros = u64::try_from(length.as_micros()).ok().filter(|micros| *micros > 0);
        if micros.is_none() || length > LENGTH_MAX {
            self.0.add(at, "it has to be longer than 0 and at most 400 days");
        }
        micros
    }

    fn rate(&mut self, at: &str, value: &Value) -> Option<Rate> {
        let bounds = (0.0, RATE_MAX);
        let Value::Object(given) = value else {
            return self.0.number(at, Some(value), bounds).map(Rate::Constant);
        };
        if given.contains_key("base") {
            let map = self.0.map(at, value, &["base", "amplitude", "period", "shift"])?;
            let base = self.needed(at, map, "base", bounds)?;
            let amplitude = self.needed(at, map, "amplitude", bounds)?;
            let shift = self.0.number(&format!("{at}/shift"), map.get("shift"), (-1.0, 1.0));
            let period_us = match map.get("period") {
                None => 24.0 * 3_600e6,
                period => self.length(&format!("{at}/period"), period)? as f64,
            };
            return Some(Rate::Wave { base, amplitude, period_us, shift: shift.unwrap_or(0.0) });
        }
        let map = self.0.map(at, value, &["from", "to"])?;
        let (from, to) = (self.needed(at, map, "from", bounds), self.needed(at, map, "to", bounds));
        Some(Rate::Ramp { from: from?, to: to? })
    }

    /// A number that has to be there.
    fn needed(
        &mut self,
        at: &str,
        map: &Map<String, Value>,
        key: &str,
        bounds: (f64, f64),
    ) -> Option<f64> {
        if !map.contains_key(key) {
            self.0.add(at, format!("it needs `{key}`"));
        }
        self.0.number(&format!("{at}/{key}"), map.get(key), bounds)
    }

    /// A latency that has to be there, microseconds.
    fn needed_latency(&mut self, at: &str, map: &Map<String, Value>, key: &str) -> Option<f64> {
        if !map.contains_key(key) {
            self.0.add(at, format!("it needs `{key}`"));
        }
        self.latency_of(&format!("{at}/{key}"), map.get(key))
    }

    /// A length above zero and at most an hour, microseconds.
    fn latency_of(&mut self, at: &str, value: Option<&Value>) -> Option<f64> {
        let latency = self.0.period(at, value)?;
        if latency.is_zero() || latency > LATENCY_MAX {
            self.0.add(at, "it has to be longer than 0 and at most 1h");
        }
        Some(latency.as_secs_f64() * 1e6)
    }

    fn latency(&mut self, at: &str, value: &Value) -> Option<Latency> {
        let map = self.0.map(at, value, &LATENCY_KINDS)?;
        let (Some((kind, of)), 1) = (map.iter().next(), map.len()) else {
            self.0.add(at, format!("it takes one of: {}", LATENCY_KINDS.join(", ")));
            return None;
        };
        let at = format!("{at}/{kind}");
        if kind == "constant" {
            return self.latency_of(&at, Some(of)).map(Latency::Constant);
        }
        self.shaped(kind, &at, of)
    }

    fn shaped(&mut self, kind: &str, at: &str, of: &Value) -> Option<Latency> {
        match kind {
            "lognormal" => {
                let map = self.0.map(at, of, &["median", "p95"])?;
                let median = self.needed_latency(at, map, "median");
                let p95 = self.needed_latency(at, map, "p95");
                let (median, p95) = (median?, p95?);
                if p95 < median {
                    self.0.add(at, "`p95` is less than `median`");
                }
                Some(Latency::lognormal(median, p95))
            }
            "exponential" => {
                let map = self.0.map(at, of, &["mean"])?;
                Some(Latency::Exponential { mean: self.needed_latency(at, map, "mean")? })
            }
            "pareto" => {
                let map = self.0.map(at, of, &["min", "alpha", "max"])?;
                let min = self.needed_latency(at, map, "min");
                let alpha = self.needed(at, map, "alpha", (0.1, 1_000.0));
                let max = self.latency_of(&format!("{at}/max"), map.get("max"));
                Some(Latency::Pareto {
                    min: min?,
                    alpha: alpha?,
                    max: max.unwrap_or(f64::INFINITY),
                })
            }
            "bimodal" => {
                let map = self.0.map(at, of, &["fast", "slow", "slow_share"])?;
                let slow_share = self.needed(at, map, "slow_share", (0.0, 1.0));
                let mut one = |key: &str| match map.get(key) {
                    None => {
                        self.0.add(at, format!("it needs `{key}`"));
                        None
                    }
                    // Mixtures within mixtures could be nested without bound.
                    Some(of) if of.get("bimodal").is_some() => {
                        self.0.add(&format!("{at}/{key}"), "it cannot be bimodal itself");
                        None
                    }
                    Some(of) => self.latency(&format!("{at}/{key}"), of).map(Box::new),
                };
                let (fast, slow) = (one("fast"), one("slow"));
                Some(Latency::Bimodal { fast: fast?, slow: slow?, slow_share: slow_share? })
            }
            // It was reported already.
            _ => None,
        }
    }

    /// Incidents of a scenario that lasts so long.
    fn incidents(&mut self, value: Option<&Value>, length_us: u64) -> Vec<Incident> {
        let listed = match value {
            None => &[],
            Some(Value::Array(items)) if items.len() <= PHASES_MAX => items.as_slice(),
            Some(_) => {
                self.0.add("/incidents", format!("it takes a list of at most {PHASES_MAX}"));
                &[]
            }
        };
        let numbered = listed.iter().enumerate();
        let incidents: Vec<Incident> = numbered
            .filter_map(|(index, item)| self.incident(&format!("/incidents/{index}"), item))
            .collect();
        let again = |incident: &Incident| {
            incident.every_us.map_or(0, |every| length_us.saturating_sub(incident.at_us) / every)
        };
        // Each beginning is looked for among all of them.
        let most = BEGINNINGS_MAX.min(10 * BEGINNINGS_MAX / incidents.len().max(1) as u64);
        if incidents.iter().map(again).fold(0, u64::saturating_add) > most {
            self.0.add("/incidents", format!("they begin more than {most} times"));
        }
        incidents
    }

    fn incident(&mut self, at: &str, item: &Value) -> Option<Incident> {
        let map = self.0.map(at, item, &INCIDENT_KEYS)?;
        let pointer = |key: &str| format!("{at}/{key}");
        for key in ["at", "duration"] {
            if !map.contains_key(key) {
                self.0.add(at, format!("it needs `{key}`, such as 10m"));
            }
        }
        self.0.text(&pointer("name"), map.get("name"));
        let begin = self.0.period(&pointer("at"), map.get("at"));
        let duration_us = self.length(&pointer("duration"), map.get("duration"));
        let every_us = self.length(&pointer("every"), map.get("every"));
        if every_us.zip(duration_us).is_some_and(|(every, duration)| every < duration) {
            self.0.add(&pointer("every"), "it begins again before it has ended");
        }
        let mut factor = |key: &str| {
            let factor = self.0.number(&pointer(key), map.get(key), (0.0, FACTOR_MAX));
            factor.unwrap_or(1.0)
        };
        let (rate_factor, latency_factor) = (factor("rate_factor"), factor("latency_factor"));
        let latency_add = self.latency_of(&pointer("latency_add"), map.get("latency_add"));
        let errors = match map.get("errors") {
            None => Vec::new(),
            errors => self.statuses(&pointer("errors"), errors),
        };
        if errors.iter().map(|(_, share)| share).sum::<f64>() > 1.0 {
            self.0.add(&pointer("errors"), "the shares are more than 1 together");
        }
        Some(Incident {
            at_us: u64::try_from(begin?.as_micros()).ok()?,
            duration_us: duration_us?,
            every_us,
            rate_factor,
            latency_factor,
            latency_add_us: latency_add.unwrap_or(0.0),
            errors,
        })
    }
}
