//! The keys of a workflow about its scheduled starts: `schedule`, `overlap`, `blackout`, `expect`.

use indexmap::IndexMap;
use jiff::tz::TimeZone;
use serde::ser::SerializeMap;
use serde::{Serialize, Serializer};

use super::scalar::Scalar;
use crate::base::period::Period;
use crate::schedule::blackout::{Blackout, Spans, Then};
use crate::schedule::expression::Combination;
use crate::schedule::rules::{Bound, CatchUp, Overlap, Rules, Schedule};
use crate::schedule::timing::Timing;

/// What a workflow says about scheduled starts.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Scheduling {
    /// When it starts.
    pub(crate) rules: Rules,
    /// For each schedule the parameters that it sets.
    pub(crate) params: Vec<IndexMap<String, Scalar>>,
    /// What is expected of its executions.
    pub(crate) expect: Expectations,
}

/// What is expected of the executions of a workflow.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Expectations {
    /// From the scheduled time, with its jitter, to the start.
    pub start_within: Option<Period>,
    /// From the start to the end.
    pub finish_within: Option<Period>,
    /// From one success to the next.
    pub success_within: Option<Period>,
}

impl Expectations {
    /// Whether nothing is expected.
    #[must_use]
    pub(crate) fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}

impl Scheduling {
    /// Sets the zone where none is written; gives pointers to what was set.
    pub(super) fn set_zone(&mut self, zone: &TimeZone) -> Vec<String> {
        let mut set = Vec::new();
        for (index, schedule) in self.rules.schedules.iter_mut().enumerate() {
            if !schedule.has_zone && !matches!(schedule.timing, Timing::At(_)) {
                schedule.zone = zone.clone();
                schedule.has_zone = true;
                set.push(format!("/schedule/{index}/timezone"));
            }
        }
        for (index, blackout) in self.rules.blackouts.iter_mut().enumerate() {
            if blackout.set_zone(zone) {
                set.push(format!("/blackout/{index}/timezone"));
            }
        }
        set
    }

    /// Writes the keys that it has.
    pub(super) fn serialize_into<M: SerializeMap>(&self, map: &mut M) -> Result<(), M::Error> {
        let Rules { schedules, overlap, blackouts } = &self.rules;
        if !schedules.is_empty() {
            let params = self.params.iter();
            let items: Vec<Item<'_>> = schedules
                .iter()
                .zip(params)
                .map(|(schedule, params)| Item { schedule, params })
                .collect();
            map.serialize_entry("schedule", &items)?;
        }
        if *overlap != Overlap::default() {
            map.serialize_entry("overlap", overlap.as_str())?;
        }
        if !blackouts.is_empty() {
            let items: Vec<BlackoutItem<'_>> = blackouts.iter().map(BlackoutItem).collect();
            map.serialize_entry("blackout", &items)?;
        }
        if !self.expect.is_empty() {
            map.serialize_entry("expect", &self.expect)?;
        }
        Ok(())
    }
}

impl Serialize for Expectations {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        let Self { start_within, finish_within, success_within } = self;
        for (key, period) in [
            ("start_within", start_within),
            ("finish_within", finish_within),
            ("success_within", success_within),
        ] {
            entry(&mut map, key, period.as_ref())?;
        }
        map.end()
    }
}

fn entry<M: SerializeMap, T: Serialize>(
    map: &mut M,
    key: &str,
    value: Option<&T>,
) -> Result<(), M::Error> {
    value.map_or(Ok(()), |value| map.serialize_entry(key, value))
}

/// One schedule as it is written.
struct Item<'s> {
    schedule: &'s Schedule,
    params: &'s IndexMap<String, Scalar>,
}

impl Serialize for Item<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let Self { schedule, params } = *self;
        let mut map = serializer.serialize_map(None)?;
        match &schedule.timing {
            Timing::Cron(expression) => {
                map.serialize_entry("cron", expression.as_str())?;
                match expression.combination() {
                    Combination::Either => {}
                    Combination::Any => map.serialize_entry("days", "any")?,
                    Combination::All => map.serialize_entry("days", "all")?,
                }
            }
            Timing::Every { period, offset } => {
                map.serialize_entry("every", &Period::new(*period))?;
                if !offset.is_zero() {
                    map.serialize_entry("offset", &Period::new(*offset))?;
                }
            }
            Timing::At(at) => map.serialize_entry("at", at)?,
        }
        if schedule.has_zone {
            map.serialize_entry("timezone", schedule.zone_name())?;
        }
        if schedule.is_named {
            map.serialize_entry("name", &schedule.name)?;
        }
        if !params.is_empty() {
            map.serialize_entry("params", params)?;
        }
        entry(&mut map, "start_deadline", schedule.start_deadline.as_ref())?;
        if schedule.catch_up != CatchUp::None {
            map.serialize_entry("catch_up", schedule.catch_up.as_str())?;
        }
        entry(&mut map, "catch_up_window", schedule.catch_up_window.as_ref())?;
        entry(&mut map, "jitter", schedule.jitter.as_ref())?;
        for (key, bound) in [("from", schedule.from), ("until", schedule.until)] {
            match bound {
                None => {}
                Some(Bound::Date(date)) => map.serialize_entry(key, &date.to_string())?,
                Some(Bound::Time(at)) => map.serialize_entry(key, &at)?,
            }
        }
        map.end()
    }
}

struct BlackoutItem<'b>(&'b Blackout);

impl Serialize for BlackoutItem<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        match &self.0.spans {
            Spans::Repeated { start, length, zone, has_zone } => {
                if let Timing::Cron(expression) = start {
                    map.serialize_entry("cron", expression.as_str())?;
                }
                map.serialize_entry("for", length)?;
                if *has_zone {
                    map.serialize_entry("timezone", zone.iana_name().unwrap_or("UTC"))?;
                }
            }
            Spans::Once { from, to } => {
                map.serialize_entry("from", from)?;
                map.serialize_entry("to", to)?;
            }
        }
        if self.0.then != Then::default() {
            map.serialize_entry("then", self.0.then.as_str())?;
        }
        map.end()
    }
}
