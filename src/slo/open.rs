//! Breaches that receivers were notified of, and when they are over.                  (pure)
//!
//! One that an earlier daemon left is adopted: what that one had measured is not known, so it is over
//! once this one has measured a whole window without a breach, or has seen a breach that ended.

use serde_json::{Map, Value};

use super::indicator::Indicator;
use crate::base::timestamp::Timestamp;

/// A breach that was notified.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Open {
    pub(super) indicator: Indicator,
    /// When it began: receivers know it by that.
    pub(super) since: Timestamp,
    /// The last alert of it.
    pub(super) payload: Map<String, Value>,
    /// Adopted then, and not seen here since; microseconds.
    unseen_since_us: Option<u64>,
}

/// The breaches that were notified and are not over.
#[derive(Debug, Default)]
pub(super) struct OpenBreaches(Vec<Open>);

impl OpenBreaches {
    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Records an alert; returns when its breach began: what is open goes on.
    pub(super) fn alert(
        &mut self,
        indicator: Indicator,
        since: Timestamp,
        payload: Map<String, Value>,
    ) -> Timestamp {
        let open = self.0.iter_mut().find(|open| open.indicator == indicator);
        if let Some(open) = open {
            (open.payload, open.unseen_since_us) = (payload, None);
            return open.since;
        }
        self.0.push(Open { indicator, since, payload, unseen_since_us: None });
        since
    }

    /// Adds what an earlier daemon has left, unless it is there: it had several channels.
    pub(super) fn adopt(
        &mut self,
        indicator: Indicator,
        since: Timestamp,
        payload: Map<String, Value>,
        now_us: u64,
    ) {
        if !self.0.iter().any(|open| open.indicator == indicator && open.since == since) {
            self.0.push(Open { indicator, since, payload, unseen_since_us: Some(now_us) });
        }
    }

    /// Takes out those that are over. `now` has, by indicator, whether it is breached and the length of
    /// its window in microseconds.
    pub(super) fn take_ended(&mut self, now_us: u64, now: [(bool, u64); 4]) -> Vec<Open> {
        let is_over = |open: &mut Open| {
            let (is_breached, window_us) = now[open.indicator.index()];
            if is_breached {
                open.unseen_since_us = None;
            }
            let measured = |since_us| now_us.saturating_sub(since_us) >= window_us;
            !is_breached && open.unseen_since_us.is_none_or(measured)
        };
        self.0.extract_if(.., is_over).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const QUIET: [(bool, u64); 4] = [(false, 100); 4];

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_micros(seconds * 1_000_000)
    }

    fn breached(indicator: Indicator) -> [(bool, u64); 4] {
        let mut now = QUIET;
        now[indicator.index()].0 = true;
        now
    }

    fn sinces(ended: Vec<Open>) -> Vec<Timestamp> {
        ended.into_iter().map(|open| open.since).collect()
    }

    #[test]
    fn what_is_adopted_is_over_after_a_whole_window() {
        let mut open = OpenBreaches::default();
        open.adopt(Indicator::ErrorRate, at(1), Map::new(), 50);
        // Of another channel, and of another dead daemon.
        open.adopt(Indicator::ErrorRate, at(1), Map::new(), 60);
        open.adopt(Indicator::ErrorRate, at(2), Map::new(), 60);
        assert!(open.take_ended(149, QUIET).is_empty());
        assert_eq!(sinces(open.take_ended(150, QUIET)), [at(1)]);
        assert_eq!(sinces(open.take_ended(160, QUIET)), [at(2)]);
        assert!(open.is_empty());
    }

    #[test]
    fn what_is_adopted_is_over_once_its_breach_was_seen_to_end() {
        let mut open = OpenBreaches::default();
        open.adopt(Indicator::LatencyP95, at(1), Map::new(), 0);
        assert!(open.take_ended(10, breached(Indicator::LatencyP95)).is_empty());
        assert!(open.take_ended(500, breached(Indicator::LatencyP95)).is_empty());
        assert_eq!(sinces(open.take_ended(501, QUIET)), [at(1)]);
    }

    #[test]
    fn alerts_of_a_breach_that_goes_on_are_one_incident() {
        let mut open = OpenBreaches::default();
        assert_eq!(open.alert(Indicator::ErrorRate4xx, at(5), Map::new()), at(5));
        assert_eq!(open.alert(Indicator::ErrorRate4xx, at(7), Map::new()), at(5));
        open.adopt(Indicator::ErrorRate5xx, at(1), Map::new(), 0);
        let payload = Map::from_iter([("samples".to_owned(), Value::from(3))]);
        assert_eq!(open.alert(Indicator::ErrorRate5xx, at(8), payload.clone()), at(1));
        assert!(open.take_ended(9, breached(Indicator::ErrorRate5xx)).len() == 1);
        let ended = open.take_ended(10, QUIET);
        assert_eq!((ended.len(), &ended[0].payload), (1, &payload));
    }
}
