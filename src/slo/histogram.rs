//! The 95th percentile of a sliding window, to be shown: within 1 % of the true one, at an
//! old edge that may be a 300th of the window late.
//!
//! Latencies are counted in buckets that grow with them, [`PER_OCTAVE`] for each doubling, as
//! in HdrHistogram (<https://hdrhistogram.github.io/HdrHistogram/>). The window is cut into
//! parts with counts of their own; a part that is over is subtracted from the sum.

use std::collections::VecDeque;
use std::time::Duration;

use super::window::slots_of;

/// Buckets for each doubling: half of one is 0.8 % of what is in it.
const PER_OCTAVE: u64 = 64;
const PER_OCTAVE_BITS: u32 = PER_OCTAVE.trailing_zeros();
/// The parts that a window is cut into.
const PARTS: u64 = 300;

/// Latencies of a sliding window.
#[derive(Debug, Clone)]
pub(crate) struct Histogram {
    slots: u64,
    slots_per_part: u64,
    parts: VecDeque<Part>,
    sum: Vec<u64>,
    count: u64,
    /// The last bucket of the percentile, and the number of values before it: the next one is near.
    cursor: usize,
    below: u64,
}

#[derive(Debug, Clone)]
struct Part {
    number: u64,
    counts: Vec<u32>,
}

impl Histogram {
    /// An empty histogram over a window of this length.
    #[must_use]
    pub(crate) fn new(window: Duration) -> Self {
        let slots = slots_of(window);
        Self {
            slots,
            slots_per_part: (slots / PARTS).max(1),
            parts: VecDeque::new(),
            sum: Vec::new(),
            count: 0,
            cursor: 0,
            below: 0,
        }
    }

    /// Drops the parts that are outside the window at `now`, a slot.
    pub(crate) fn advance(&mut self, now: u64) {
        while let Some(part) = self.parts.front()
            && (part.number + 1) * self.slots_per_part - 1 + self.slots <= now
        {
            for (bucket, (sum, gone)) in self.sum.iter_mut().zip(&part.counts).enumerate() {
                let gone = u64::from(*gone);
                *sum -= gone;
                self.count -= gone;
                self.below -= if bucket < self.cursor { gone } else { 0 };
            }
            self.parts.pop_front();
        }
    }

    /// Adds a latency at `now`, which never decreases.
    pub(crate) fn add(&mut self, now: u64, latency_us: u64) {
        let (number, bucket) = (now / self.slots_per_part, bucket(latency_us));
        let is_full = |part: &Part| part.counts.get(bucket) == Some(&u32::MAX);
        if !self.parts.back().is_some_and(|part| part.number == number && !is_full(part)) {
            self.parts.push_back(Part { number, counts: Vec::new() });
        }
        if let Some(part) = self.parts.back_mut() {
            *at(&mut part.counts, bucket) += 1;
        }
        *at(&mut self.sum, bucket) += 1;
        self.count += 1;
        self.below += u64::from(bucket < self.cursor);
    }

    /// The 95th percentile, microseconds: of `n` values, sorted, the one at
    /// `floor(95 * (n - 1) / 100)`. Nothing for none.
    #[must_use]
    pub(crate) fn p95_us(&mut self) -> Option<u64> {
        let rank = rank_of_p95(self.count)?;
        while self.below > rank {
            self.cursor -= 1;
            self.below -= self.sum.get(self.cursor)?;
        }
        while self.below + self.sum.get(self.cursor)? <= rank {
            self.below += self.sum.get(self.cursor)?;
            self.cursor += 1;
        }
        Some(middle(self.cursor))
    }
}

/// The index of the 95th percentile among `count` sorted values, from 0.
pub(super) fn rank_of_p95(count: u64) -> Option<u64> {
    let last = u128::from(count.checked_sub(1)?);
    u64::try_from(95 * last / 100).ok()
}

fn at<T: Default + Clone>(counts: &mut Vec<T>, bucket: usize) -> &mut T {
    if counts.len() <= bucket {
        counts.resize(bucket + 1, T::default());
    }
    &mut counts[bucket]
}

/// Values below [`PER_OCTAVE`] each have a bucket; those of each octave above share as many.
fn bucket(value: u64) -> usize {
    let octave = value.max(1).ilog2().saturating_sub(PER_OCTAVE_BITS);
    // 64 octaves of 64 buckets.
    usize::try_from(u64::from(octave) * PER_OCTAVE + (value >> octave)).unwrap_or(usize::MAX)
}

/// The value in the middle of a bucket.
fn middle(bucket: usize) -> u64 {
    let bucket = bucket as u64;
    if bucket < 2 * PER_OCTAVE {
        return bucket;
    }
    let octave = bucket / PER_OCTAVE - 1;
    let low = (bucket - octave * PER_OCTAVE) << octave;
    low + ((1 << octave) - 1) / 2
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_middle_of_a_bucket_is_near_everything_in_it() {
        for value in
            (0..2000).chain((11..60).flat_map(|bits| [(1 << bits) - 1, 1 << bits, 3 << bits]))
        {
            let bucket = bucket(value);
            let error = middle(bucket).abs_diff(value);
            assert!(error * 100 <= value, "{value} is shown as {}", middle(bucket));
        }
    }

    #[test]
    fn a_part_goes_when_nothing_of_it_is_inside() {
        // Parts of 2 slots.
        let mut histogram = Histogram::new(Duration::from_secs(6));
        histogram.add(1, 500);
        histogram.add(2, 7);
        histogram.advance(600);
        assert_eq!(histogram.p95_us(), Some(7));
        histogram.advance(601);
        assert_eq!((histogram.p95_us(), histogram.count), (Some(7), 1));
        histogram.advance(603);
        assert_eq!(histogram.p95_us(), None);
    }

    #[test]
    fn the_percentile_is_found_from_wherever_it_was() {
        let mut histogram = Histogram::new(Duration::from_secs(1));
        let mut values = std::collections::VecDeque::new();
        for slot in 0..2_000_u64 {
            // From 1 to some millions, up and down.
            let value = 1_u64 << (slot * slot % 23);
            histogram.add(slot, value);
            values.push_back((slot, value));
            histogram.advance(slot);
            values.retain(|(t, _)| t + 100 > slot);
            let mut sorted: Vec<u64> = values.iter().map(|(_, value)| *value).collect();
            sorted.sort_unstable();
            let rank = usize::try_from(rank_of_p95(sorted.len() as u64).unwrap()).unwrap();
            assert_eq!(histogram.p95_us(), Some(middle(bucket(sorted[rank]))), "{slot}");
        }
    }

    #[test]
    fn the_rank_is_that_of_the_contract() {
        for (count, rank) in [(1, 0), (2, 0), (3, 1), (20, 18), (21, 19), (100, 94), (101, 95)] {
            assert_eq!(rank_of_p95(count), Some(rank), "{count}");
        }
        assert_eq!(rank_of_p95(0), None);
    }
}
