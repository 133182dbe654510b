//! Counts events of each kind in a sliding window, exactly, in constant time for each.
//!
//! Times are slots of [`SLOT_MICROS`]. Events of one slot are counted together, so memory is
//! bounded by the slots of the window, whatever the rate.

use std::collections::VecDeque;
use std::time::Duration;

/// The length of a slot: times of events are floored to it.
pub(crate) const SLOT_MICROS: u64 = 10_000;

/// Events in the window, with `K` counts by kind.
#[derive(Debug, Clone)]
pub(crate) struct Window<const K: usize> {
    /// The number of slots of the window, including the current one.
    slots: u64,
    entries: VecDeque<Entry<K>>,
    counts: [u64; K],
}

#[derive(Debug, Clone)]
struct Entry<const K: usize> {
    slot: u64,
    counts: [u32; K],
}

impl<const K: usize> Window<K> {
    /// An empty window of this length: an event at `t` is inside while `t > now - length`.
    #[must_use]
    pub(crate) fn new(length: Duration) -> Self {
        Self { slots: slots_of(length), entries: VecDeque::new(), counts: [0; K] }
    }

    /// Forgets what is no longer inside when it is `now`, a slot.
    pub(crate) fn advance(&mut self, now: u64) {
        while let Some(entry) = self.entries.front()
            && entry.slot + self.slots <= now
        {
            for (all, gone) in self.counts.iter_mut().zip(entry.counts) {
                *all -= u64::from(gone);
            }
            self.entries.pop_front();
        }
    }

    /// Adds an event of the kinds that are `true`, at `now`, which never decreases.
    pub(crate) fn add(&mut self, now: u64, kinds: [bool; K]) {
        let is_full = |entry: &Entry<K>| entry.counts.contains(&u32::MAX);
        match self.entries.back_mut() {
            Some(entry) if entry.slot == now && !is_full(entry) => count(&mut entry.counts, kinds),
            _ => {
                let mut counts = [0; K];
                count(&mut counts, kinds);
                self.entries.push_back(Entry { slot: now, counts });
            }
        }
        for (all, is_one) in self.counts.iter_mut().zip(kinds) {
            *all += u64::from(is_one);
        }
    }

    /// How many events of each kind are inside.
    #[must_use]
    pub(crate) fn counts(&self) -> [u64; K] {
        self.counts
    }
}

fn count<const K: usize>(counts: &mut [u32; K], kinds: [bool; K]) {
    for (count, is_one) in counts.iter_mut().zip(kinds) {
        *count += u32::from(is_one);
    }
}

/// How many slots a window of this length has: those whose time is later than now minus it.
pub(super) fn slots_of(length: Duration) -> u64 {
    let slots = length.as_nanos().div_ceil(u128::from(SLOT_MICROS) * 1_000);
    // What nothing ever leaves.
    u64::try_from(slots).unwrap_or(u64::MAX / 2).clamp(1, u64::MAX / 2)
}

/// When a window of this length is empty, if nothing comes after an event at `t_us`:
/// microseconds.
pub(super) fn empty_from_us(length: Duration, t_us: u64) -> u64 {
    (t_us / SLOT_MICROS).saturating_add(slots_of(length)).saturating_mul(SLOT_MICROS)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_event_exactly_one_window_old_is_outside() {
        let mut window = Window::<2>::new(Duration::from_millis(30));
        window.add(7, [true, false]);
        window.advance(9);
        assert_eq!(window.counts(), [1, 0]);
        window.add(9, [true, true]);
        window.advance(10);
        assert_eq!(window.counts(), [1, 1]);
        window.advance(1_000_000_000);
        assert_eq!((window.counts(), window.entries.len()), ([0, 0], 0));
    }

    #[test]
    fn a_length_between_slots_counts_the_slot_it_ends_in() {
        for (micros, slots) in
            [(1, 1), (10_000, 1), (10_001, 2), (25_000, 3), (300_000_000, 30_000)]
        {
            assert_eq!(slots_of(Duration::from_micros(micros)), slots, "{micros}");
        }
    }

    #[test]
    fn a_slot_that_is_full_gets_another() {
        let mut window = Window::<1>::new(Duration::from_secs(1));
        window.entries.push_back(Entry { slot: 3, counts: [u32::MAX] });
        window.counts = [u64::from(u32::MAX)];
        window.add(3, [true]);
        assert_eq!(window.counts(), [u64::from(u32::MAX) + 1]);
        window.advance(103);
        assert_eq!(window.counts(), [0]);
    }
}
