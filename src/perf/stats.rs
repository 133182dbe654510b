//! Latencies, and statistics of many of them.
//!
//! A latency is a whole number of nanoseconds, so that "more than the tolerance" is
//! decided exactly: 90.1 − 40.1 ms is 50 ms, which floats deny.

use std::fmt;
use std::time::Duration;

use serde::{Serialize, Serializer};

const NANOS_PER_MS: f64 = 1_000_000.0;
/// The longest valid latency, eleven days: below 2⁵¹ ns, a value read as milliseconds and written
/// again stays the same.
const MS_MAX: f64 = 1e9;

/// How long something took, to the nanosecond. Serialised as milliseconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Latency(u64);

impl Latency {
    /// A latency of `nanos` nanoseconds.
    #[must_use]
    pub const fn from_nanos(nanos: u64) -> Self {
        Self(nanos)
    }

    /// A latency of `ms` milliseconds, rounded to a nanosecond; none for what is no length of time:
    /// negative, infinite, NaN, or longer than 10⁹ ms.
    #[must_use]
    pub fn from_ms(ms: f64) -> Option<Self> {
        if !(0.0..=MS_MAX).contains(&ms) {
            return None;
        }
        let duration = Duration::try_from_secs_f64(ms / 1_000.0).ok()?;
        u64::try_from(duration.as_nanos()).ok().map(Self)
    }

    /// In nanoseconds.
    #[must_use]
    pub const fn as_nanos(self) -> u64 {
        self.0
    }

    /// In milliseconds.
    #[must_use]
    pub fn as_ms(self) -> f64 {
        self.0 as f64 / NANOS_PER_MS
    }

    /// This one minus `other`, in nanoseconds.
    #[must_use]
    pub fn minus(self, other: Self) -> i64 {
        let difference = i128::from(self.0) - i128::from(other.0);
        i64::try_from(difference).unwrap_or(if difference < 0 { i64::MIN } else { i64::MAX })
    }

    /// The sum of both.
    #[must_use]
    pub fn plus(self, other: Self) -> Self {
        Self(self.0.saturating_add(other.0))
    }

    /// How much this one is of `whole`, in percent; none of nothing.
    #[must_use]
    pub fn percent_of(self, whole: Self) -> Option<f64> {
        (whole.0 > 0).then(|| self.0 as f64 * 100.0 / whole.0 as f64)
    }
}

impl fmt::Display for Latency {
    /// `0.088 ms`, `1.52 ms`, `40.0 ms`: as precise as people compare.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let ms = self.as_ms();
        let decimals = match ms {
            ..1.0 => 3,
            ..10.0 => 2,
            _ => 1,
        };
        write!(f, "{ms:.decimals$} ms")
    }
}

impl Serialize for Latency {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_f64(self.as_ms())
    }
}

/// The statistics of one endpoint's latencies.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Summary {
    /// How many there are, at least one.
    pub samples: u64,
    /// The mean of the middle two, rounded down to a nanosecond.
    pub median: Latency,
    /// `sorted[floor(95*(n-1)/100)]`.
    pub p95: Latency,
    /// The same for 99.
    pub p99: Latency,
    /// The least.
    pub min: Latency,
    /// The greatest.
    pub max: Latency,
}

impl Summary {
    /// The median of samples in nanoseconds, which this sorts; none if there are none.
    #[must_use]
    pub(crate) fn of(samples: &mut [u64]) -> Option<Self> {
        samples.sort_unstable();
        Some(Self {
            samples: samples.len() as u64,
            median: median(samples)?,
            p95: percentile(samples, 95)?,
            p99: percentile(samples, 99)?,
            min: Latency(*samples.first()?),
            max: Latency(*samples.last()?),
        })
    }
}

/// The mean of the middle two of sorted samples in nanoseconds; none if there are none.
#[must_use]
pub(crate) fn median(sorted: &[u64]) -> Option<Latency> {
    let upper = *sorted.get(sorted.len() / 2)?;
    let lower = *sorted.get((sorted.len() - 1) / 2)?;
    Some(Latency(u64::midpoint(lower, upper)))
}

/// `sorted[floor(percent*(n-1)/100)]` of samples in nanoseconds; none of none.
#[must_use]
pub(crate) fn percentile(sorted: &[u64], percent: usize) -> Option<Latency> {
    let last = sorted.len().checked_sub(1)?;
    sorted.get(percent.min(100) * last / 100).copied().map(Latency)
}

/// How many of the sorted samples are in each of `bins` equally long intervals of a logarithmic
/// axis from the least to the greatest. A logarithmic axis suits distributions whose tail is many
/// times their median.
#[must_use]
pub(crate) fn shape(sorted: &[u64], bins: usize) -> Vec<u64> {
    let (Some(&first), Some(&last)) = (sorted.first(), sorted.last()) else { return Vec::new() };
    let ln = |nanos: u64| (nanos.max(1) as f64).ln();
    let (from, to) = (ln(first), ln(last));
    let mut counts = Vec::with_capacity(bins);
    let mut below = 0;
    for bin in 1..=bins {
        let end = from + (to - from) * bin as f64 / bins as f64;
        let until =
            if bin == bins { sorted.len() } else { sorted.partition_point(|&n| ln(n) < end) };
        counts.push((until - below) as u64);
        below = until;
    }
    counts
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn ms(ms: f64) -> Latency {
        Latency::from_ms(ms).unwrap()
    }

    #[test]
    fn milliseconds_are_exact_to_the_nanosecond() {
        assert_eq!(ms(90.1).minus(ms(40.1)), 50_000_000);
        assert_eq!(ms(0.000_001), Latency(1));
        assert_eq!(serde_json::to_string(&ms(40.0)).unwrap(), "40.0");
        assert_eq!(serde_json::to_string(&ms(85.123_456)).unwrap(), "85.123456");
        for none in [f64::NAN, f64::INFINITY, -0.1, 1.1e9] {
            assert_eq!(Latency::from_ms(none), None, "{none}");
        }
        assert_eq!(ms(1.0).minus(ms(2.5)), -1_500_000);
        assert_eq!(Latency(u64::MAX).minus(Latency(0)), i64::MAX);
        assert_eq!(Latency(0).minus(Latency(u64::MAX)), i64::MIN);
    }

    proptest! {
        #[test]
        fn what_is_read_and_written_again_stays_the_same(nanos in 0..=1_000_000_000_000_000_u64) {
            prop_assert_eq!(ms(Latency(nanos).as_ms()), Latency(nanos));
        }
    }

    #[test]
    fn they_are_written_as_precisely_as_people_compare() {
        for (value, text) in
            [(0.0881, "0.088 ms"), (1.519, "1.52 ms"), (40.04, "40.0 ms"), (755.0, "755.0 ms")]
        {
            assert_eq!(ms(value).to_string(), text);
        }
    }

    #[test]
    fn the_median_is_the_mean_of_the_middle_two() {
        assert_eq!(median(&[]), None);
        assert_eq!(median(&[7]), Some(Latency(7)));
        assert_eq!(median(&[1, 4]), Some(Latency(2)));
        assert_eq!(median(&[1, 2, 9]), Some(Latency(2)));
        assert_eq!(median(&[1, 2, 4, 9]), Some(Latency(3)));
    }

    #[test]
    fn p95_is_the_sample_at_its_index() {
        let sorted: Vec<u64> = (0..200).collect();
        assert_eq!(percentile(&sorted[..1], 95), Some(Latency(0)));
        assert_eq!(percentile(&sorted[..20], 95), Some(Latency(18)));
        assert_eq!(percentile(&sorted[..21], 95), Some(Latency(19)));
        assert_eq!(percentile(&sorted[..100], 95), Some(Latency(94)));
        assert_eq!(percentile(&sorted[..101], 95), Some(Latency(95)));
        assert_eq!(percentile(&sorted, 95), Some(Latency(189)));
        assert_eq!(percentile(&[], 95), None);
    }

    #[test]
    fn a_shape_shows_a_middle_and_a_tail() {
        let mut samples = vec![10_000_000; 94];
        samples.extend([100_000_000; 6]);
        assert_eq!(shape(&samples, 4), [94, 0, 0, 6]);
        assert_eq!(shape(&[5, 5, 5], 3), [0, 0, 3]);
        assert_eq!(shape(&[], 3), [] as [u64; 0]);
    }

    proptest! {
        #[test]
        fn a_summary_is_ordered_and_loses_no_sample(
            mut samples in prop::collection::vec(0..u64::MAX, 1..300),
        ) {
            let summary = Summary::of(&mut samples).unwrap();
            prop_assert!(samples.is_sorted());
            prop_assert!(summary.min <= summary.median && summary.median <= summary.max);
            prop_assert!(summary.p95 <= summary.p99 && summary.p99 <= summary.max);
            let beyond = samples.iter().filter(|&&s| s > summary.p95.as_nanos()).count();
            prop_assert!(beyond * 20 <= samples.len() + 19);
            prop_assert_eq!(shape(&samples, 7).iter().sum::<u64>(), samples.len() as u64);
        }
    }
}
