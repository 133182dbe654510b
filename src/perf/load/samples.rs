//! The samples of a measurement: every latency, counts of errors, and how far the whole can be
//! trusted.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::time::Duration;

use super::super::stats::{self, Latency, Summary};
use crate::perf::judgement::{Observed, Reading};

/// Stretches of a distribution's shape.
const SHAPE_BINS: usize = 16;
/// The share of the requested rate that has to be reached.
const RATE_SHARE_MIN: f64 = 0.98;
/// The maximum number of kinds of errors counted separately for an endpoint.
const KINDS_MAX: usize = 32;
/// How many samples are moved at a time.
const CHUNK: usize = 32_768;

/// The samples of one endpoint: 8 bytes for each latency.
#[derive(Debug, Clone, Default)]
pub(super) struct Samples {
    latencies: Vec<u64>,
    errors: BTreeMap<String, u64>,
}

/// The samples of one thread for all endpoints, and how late it sent: 4 bytes for each request.
#[derive(Debug, Clone, Default)]
pub(super) struct ThreadSamples {
    pub(super) endpoints: Vec<Samples>,
    /// In nanoseconds, held at 4 s.
    lateness: Vec<u32>,
    /// Requests that were sent within the time that is measured.
    in_time: u64,
}

impl ThreadSamples {
    pub(super) fn new(endpoints: usize) -> Self {
        Self { endpoints: vec![Samples::default(); endpoints], ..Self::default() }
    }

    /// A request was sent so late; `in_time`: before the end of what is measured.
    pub(super) fn sent(&mut self, late: Duration, in_time: bool) {
        self.lateness.push(u32::try_from(late.as_nanos()).unwrap_or(u32::MAX));
        self.in_time += u64::from(in_time);
    }

    pub(super) fn answered(&mut self, endpoint: usize, latency: Duration) {
        if let Some(samples) = self.endpoints.get_mut(endpoint) {
            samples.latencies.push(u64::try_from(latency.as_nanos()).unwrap_or(u64::MAX));
        }
    }

    pub(super) fn failed(&mut self, endpoint: usize, kind: String) {
        let Some(samples) = self.endpoints.get_mut(endpoint) else { return };
        let known = samples.errors.contains_key(&kind) || samples.errors.len() < KINDS_MAX;
        let kind = if known { kind } else { "other".to_owned() };
        *samples.errors.entry(kind).or_default() += 1;
    }

    /// Adds the samples of another thread.
    pub(super) fn merge(&mut self, other: Self) {
        append(&mut self.lateness, other.lateness);
        self.in_time += other.in_time;
        for (own, other) in self.endpoints.iter_mut().zip(other.endpoints) {
            append(&mut own.latencies, other.latencies);
            for (kind, count) in other.errors {
                *own.errors.entry(kind).or_default() += count;
            }
        }
    }

    /// How late requests were sent, and how many of them in time.
    pub(super) fn sending(&mut self) -> Sending {
        self.lateness.sort_unstable();
        let at = |percent: usize| {
            let last = self.lateness.len().saturating_sub(1);
            let nanos = self.lateness.get(percent * last / 100).copied().unwrap_or_default();
            Latency::from_nanos(nanos.into())
        };
        Sending {
            requests: self.lateness.len() as u64,
            in_time: self.in_time,
            late_median: at(50),
            late_p99: at(99),
        }
    }
}

/// Moves `from` to the end of `to`, in any order, chunk by chunk: `from` releases the memory that
/// `to` needs, so that both together hardly need more than their content.
fn append<T: Copy>(to: &mut Vec<T>, mut from: Vec<T>) {
    if to.is_empty() {
        *to = from;
        return;
    }
    while !from.is_empty() {
        let rest = from.len().saturating_sub(CHUNK);
        to.reserve_exact(from.len() - rest);
        to.extend_from_slice(&from[rest..]);
        from.truncate(rest);
        from.shrink_to_fit();
    }
}

impl Samples {
    /// The figures to judge; `duration` is the measured time.
    pub(super) fn observed(mut self, endpoint: String, duration: Duration) -> Observed {
        let summary = Summary::of(&mut self.latencies);
        let mut error_kinds: Vec<_> = self.errors.into_iter().collect();
        error_kinds.sort_by_key(|(_, count)| std::cmp::Reverse(*count));
        let errors = error_kinds.iter().map(|(_, count)| count).sum::<u64>();
        let samples = self.latencies.len() as u64;
        let reading = |latency: Option<Latency>| latency.map_or(Reading::Absent, Reading::Value);
        Observed {
            endpoint,
            median: reading(summary.map(|s| s.median)),
            p95: reading(summary.map(|s| s.p95)),
            p99: summary.map(|s| s.p99),
            max: summary.map(|s| s.max),
            samples: Some(samples),
            requests: samples + errors,
            errors,
            error_kinds,
            rate: Some((samples + errors) as f64 / duration.as_secs_f64()),
            shape: stats::shape(&self.latencies, SHAPE_BINS),
        }
    }
}

/// How requests were sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Sending {
    /// How many there were.
    pub requests: u64,
    /// How many were sent within the time that was measured, or hardly later.
    pub in_time: u64,
    /// How late the one in the middle was sent.
    pub late_median: Latency,
    /// How late the 99th of a hundred was sent.
    pub late_p99: Latency,
}

impl Sending {
    /// Why a run at a rate cannot be relied on.
    pub(super) fn doubts(
        &self,
        rate: f64,
        duration: Duration,
        late_max: Latency,
        waited: u64,
    ) -> Vec<String> {
        let mut doubts = Vec::new();
        let asked = rate * duration.as_secs_f64();
        let reached = self.in_time as f64 / duration.as_secs_f64();
        if (self.in_time as f64) < asked * RATE_SHARE_MIN - 1.0 {
            doubts.push(format!("the rate was not reached: {reached:.1} of {rate} requests/s"));
        }
        if self.late_p99 > late_max {
            doubts.push(format!(
                "requests were sent late: p99 {}, at most {late_max} may be relied on",
                self.late_p99
            ));
        }
        if !doubts.is_empty() && waited > 0 {
            doubts.push(format!(
                "{waited} requests waited for a connection: --connections allows more"
            ));
        }
        doubts
    }
}

/// Buckets of a power of two.
const PARTS: u64 = 16;
const PARTS_LOG: u32 = 4;
const BUCKETS: usize = 61 << PARTS_LOG;

/// Running totals: counts, and latencies to about 6 %.
#[derive(Debug)]
pub(super) struct Tally {
    pub(super) sent: AtomicU64,
    pub(super) errors: AtomicU64,
    pub(super) connections: AtomicU64,
    /// Connections that were open at a time, at most.
    pub(super) connections_max: AtomicU64,
    /// Requests that had to wait for one.
    pub(super) waited: AtomicU64,
    buckets: Vec<AtomicU32>,
}

impl Tally {
    pub(super) fn new() -> Self {
        Self {
            sent: AtomicU64::new(0),
            errors: AtomicU64::new(0),
            connections: AtomicU64::new(0),
            connections_max: AtomicU64::new(0),
            waited: AtomicU64::new(0),
            buckets: (0..BUCKETS).map(|_| AtomicU32::new(0)).collect(),
        }
    }

    pub(super) fn answered(&self, latency: Duration) {
        let nanos = u64::try_from(latency.as_nanos()).unwrap_or(u64::MAX);
        if let Some(bucket) = self.buckets.get(bucket(nanos)) {
            bucket.fetch_add(1, Ordering::Relaxed);
        }
    }

    pub(super) fn connected(&self) {
        let open = self.connections.fetch_add(1, Ordering::Relaxed) + 1;
        self.connections_max.fetch_max(open, Ordering::Relaxed);
    }

    pub(super) fn disconnected(&self) {
        self.connections.fetch_sub(1, Ordering::Relaxed);
    }

    /// How many were answered, the median and p95 so far.
    pub(super) fn answers(&self) -> (u64, Latency, Latency) {
        let counts: Vec<u64> =
            self.buckets.iter().map(|bucket| bucket.load(Ordering::Relaxed).into()).collect();
        let total = counts.iter().sum::<u64>();
        let at = |percent: u64| {
            let rank = percent * total.saturating_sub(1) / 100;
            let mut below = 0;
            let reaches = |count: &u64| {
                below += count;
                below > rank
            };
            counts.iter().position(reaches).map_or(Latency::default(), floor)
        };
        (total, at(50), at(95))
    }
}

fn bucket(nanos: u64) -> usize {
    let power = nanos.checked_ilog2().unwrap_or(0);
    if power < PARTS_LOG {
        return usize::try_from(nanos).unwrap_or(0);
    }
    let part = (nanos >> (power - PARTS_LOG)) & (PARTS - 1);
    let index = u64::from(power - PARTS_LOG + 1) * PARTS + part;
    usize::try_from(index).unwrap_or(usize::MAX)
}

/// The least latency of a bucket.
fn floor(bucket: usize) -> Latency {
    let bucket = bucket as u64;
    if bucket < PARTS {
        return Latency::from_nanos(bucket);
    }
    let shift = bucket / PARTS - 1;
    Latency::from_nanos((PARTS + bucket % PARTS) << shift)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    #[test]
    fn samples_are_summarised() {
        let mut samples = ThreadSamples::new(2);
        for millis in 1..=100 {
            samples.answered(0, Duration::from_millis(millis));
        }
        samples.failed(0, "status 500".to_owned());
        let mut other = ThreadSamples::new(2);
        other.answered(0, Duration::from_millis(200));
        other.failed(0, "status 500".to_owned());
        other.failed(0, "timed out".to_owned());
        other.failed(9, "nobody's".to_owned());
        samples.merge(other);
        let mut endpoints = samples.endpoints.into_iter();
        let observed = endpoints.next().unwrap().observed("GET /a".to_owned(), 2 * SECOND);
        assert_eq!((observed.samples, observed.requests, observed.errors), (Some(101), 104, 3));
        assert_eq!(observed.median.value(), Latency::from_ms(51.0));
        assert_eq!(observed.p95.value(), Latency::from_ms(96.0));
        assert_eq!(observed.error_kinds[0], ("status 500".to_owned(), 2));
        assert_eq!(observed.rate, Some(52.0));
        let none = endpoints.next().unwrap().observed("GET /b".to_owned(), SECOND);
        assert_eq!((none.median, none.samples), (Reading::Absent, Some(0)));
    }

    #[test]
    fn samples_of_threads_are_merged_without_loss_or_slack() {
        const OWN: usize = 1_000;
        let all: Vec<u64> = (0..2 * CHUNK as u64 + 3).collect();
        let mut own = all[..OWN].to_vec();
        append(&mut own, all[OWN..].to_vec());
        assert_eq!(own.capacity(), all.len());
        own.sort_unstable();
        assert_eq!(own, all);
        append(&mut own, Vec::new());
        assert_eq!(own, all);
    }

    #[test]
    fn a_rate_that_was_not_reached_and_late_sends_are_doubts() {
        let late_max = Latency::from_ms(5.0).unwrap();
        let sending = |late_ms: u64, in_time: u64| {
            let mut samples = ThreadSamples::new(1);
            for n in 0..200 {
                samples.sent(Duration::from_millis(if n < 196 { 0 } else { late_ms }), n < in_time);
            }
            samples.sending()
        };
        let doubts = |sending: Sending| sending.doubts(200.0, SECOND, late_max, 3);
        assert!(doubts(sending(5, 200)).is_empty());
        assert!(doubts(sending(5, 195)).is_empty());
        assert!(doubts(sending(5, 194))[0].contains("194.0 of 200"));
        let late = doubts(sending(6, 200));
        assert!(late[0].contains("p99 6.00 ms") && late[1].contains("3 requests waited"));
        assert_eq!(sending(4_000_000, 200).late_p99.as_nanos(), u64::from(u32::MAX));
    }

    proptest! {
        #[test]
        fn a_tally_is_within_a_sixteenth(nanos in any::<u64>()) {
            let tally = Tally::new();
            tally.answered(Duration::from_nanos(nanos));
            let (count, median, p95) = tally.answers();
            prop_assert_eq!((count, median), (1, p95));
            let nanos_shown = median.as_nanos();
            prop_assert!(nanos_shown <= nanos && nanos - nanos_shown <= nanos / PARTS, "{} {}", nanos_shown, nanos);
        }
    }
}
