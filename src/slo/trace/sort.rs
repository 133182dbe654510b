//! Events in order of time, however many.
//!
//! Events are sorted in memory if they fit. Otherwise sorted runs are written to a file and merged
//! as they are read: of events at one instant the one of the earlier run comes first, so that the
//! order is that of a stable sort of all.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::collections::binary_heap::PeekMut;
use std::io;

use super::super::engine::Event;
use super::paths::PathRef;
use super::spill::Spill;

/// The order in which events are returned.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Order {
    /// Stable, by time.
    ByTime,
    /// As they came.
    AsGiven,
}

/// An event with the reference to its path, as compact as possible.
#[derive(Debug, Clone, Copy)]
struct Packed {
    t_us: u64,
    /// [`UNKNOWN`] when it is not known.
    latency_us: u64,
    /// The path reference in the bits above the status.
    rest: u64,
}

const UNKNOWN: u64 = u64::MAX;
/// Of one event, in the file.
const BYTES: usize = 24;
/// The memory of a merge, for all runs together.
const MERGE_BYTES: usize = 32 * 1024 * 1024;
const STATUS_BITS: u32 = u16::BITS;
const _: () = assert!(STATUS_BITS + PathRef::BITS <= u64::BITS && size_of::<Packed>() == BYTES);

impl Packed {
    fn new(event: Event, path_ref: PathRef) -> Self {
        let rest = path_ref.bits() << STATUS_BITS | u64::from(event.status);
        // A longer latency is stored as the greatest known one.
        let latency_us = event.latency_us.map_or(UNKNOWN, |known| known.min(UNKNOWN - 1));
        Self { t_us: event.t_us, latency_us, rest }
    }

    fn unpack(self) -> (Event, PathRef) {
        let status = u16::try_from(self.rest & u64::from(u16::MAX)).unwrap_or(u16::MAX);
        let latency_us = Some(self.latency_us).filter(|known| *known != UNKNOWN);
        let event = Event { t_us: self.t_us, status, latency_us };
        (event, PathRef::of_bits(self.rest >> STATUS_BITS))
    }

    fn write(self, bytes: &mut Vec<u8>) {
        for field in [self.t_us, self.latency_us, self.rest] {
            bytes.extend_from_slice(&field.to_le_bytes());
        }
    }

    fn read(bytes: &[u8; BYTES]) -> Self {
        let field = |at: usize| {
            bytes
                .get(at..)
                .and_then(<[u8]>::first_chunk)
                .map_or(0, |field| u64::from_le_bytes(*field))
        };
        Self { t_us: field(0), latency_us: field(8), rest: field(16) }
    }
}

/// Takes events in and gives them back in order.
#[derive(Debug)]
pub(super) struct Sorter {
    order: Order,
    /// The most that is held in memory.
    held_max: usize,
    held: Vec<Packed>,
    runs: Vec<Run>,
    file: Spill,
}

/// Events in a part of the file.
#[derive(Debug, Clone, Copy)]
struct Run {
    from: u64,
    to: u64,
}

impl Sorter {
    pub(super) fn new(order: Order, held_max: usize) -> Self {
        Self {
            order,
            held_max: held_max.max(1),
            held: Vec::new(),
            runs: Vec::new(),
            file: Spill::new(),
        }
    }

    pub(super) fn push(&mut self, event: Event, path_ref: PathRef) -> io::Result<()> {
        if self.held.len() >= self.held_max {
            self.write_run()?;
        }
        self.held.push(Packed::new(event, path_ref));
        Ok(())
    }

    /// All are in.
    pub(super) fn finish(&mut self) -> io::Result<()> {
        if self.runs.is_empty() {
            self.sort();
        } else if !self.held.is_empty() {
            self.write_run()?;
            self.held = Vec::new();
        }
        Ok(())
    }

    /// Calls `each` for all events; may be called repeatedly.
    pub(super) fn replay(&mut self, each: &mut dyn FnMut(Event, PathRef)) -> io::Result<()> {
        if self.runs.is_empty() {
            for packed in &self.held {
                let (event, path_ref) = packed.unpack();
                each(event, path_ref);
            }
            return Ok(());
        }
        match self.order {
            Order::ByTime => self.merge(each),
            Order::AsGiven => self.chain(each),
        }
    }

    fn sort(&mut self) {
        // A sort needs room even for what is in order.
        if self.order == Order::ByTime && !self.held.is_sorted_by_key(|packed| packed.t_us) {
            self.held.sort_by_key(|packed| packed.t_us);
        }
    }

    fn write_run(&mut self) -> io::Result<()> {
        self.sort();
        let from = self.file.len();
        let mut bytes = Vec::with_capacity(64 * 1024 / BYTES * BYTES);
        for packed in &self.held {
            packed.write(&mut bytes);
            if bytes.len() == bytes.capacity() {
                self.file.append(&bytes)?;
                bytes.clear();
            }
        }
        self.file.append(&bytes)?;
        self.runs.push(Run { from, to: self.file.len() });
        self.held.clear();
        Ok(())
    }

    fn cursors(&self) -> Vec<Cursor> {
        let share = MERGE_BYTES / self.runs.len().max(1) / BYTES;
        let room = share.clamp(1, 64 * 1024) * BYTES;
        self.runs.iter().map(|run| Cursor { run: *run, room, bytes: Vec::new(), at: 0 }).collect()
    }

    fn chain(&mut self, each: &mut dyn FnMut(Event, PathRef)) -> io::Result<()> {
        for mut cursor in self.cursors() {
            while let Some(packed) = cursor.next(&mut self.file)? {
                let (event, path_ref) = packed.unpack();
                each(event, path_ref);
            }
        }
        Ok(())
    }

    fn merge(&mut self, each: &mut dyn FnMut(Event, PathRef)) -> io::Result<()> {
        let mut cursors = self.cursors();
        let mut next = Vec::with_capacity(cursors.len());
        let mut heap = BinaryHeap::with_capacity(cursors.len());
        for (run, cursor) in cursors.iter_mut().enumerate() {
            let Some(packed) = cursor.next(&mut self.file)? else { continue };
            heap.push(Reverse((packed.t_us, run)));
            next.push(packed);
        }
        while let Some(mut first) = heap.peek_mut() {
            let run = first.0.1;
            let (event, path_ref) = next[run].unpack();
            each(event, path_ref);
            match cursors[run].next(&mut self.file)? {
                Some(packed) => {
                    next[run] = packed;
                    // The run stays first while no other has an earlier event: that costs
                    // one comparison.
                    first.0.0 = packed.t_us;
                }
                None => _ = PeekMut::pop(first),
            }
        }
        Ok(())
    }
}

/// Where the merge is in a run.
struct Cursor {
    run: Run,
    /// How much is read at once.
    room: usize,
    bytes: Vec<u8>,
    at: usize,
}

impl Cursor {
    fn next(&mut self, file: &mut Spill) -> io::Result<Option<Packed>> {
        if self.at == self.bytes.len() {
            let left = usize::try_from(self.run.to - self.run.from).unwrap_or(usize::MAX);
            self.bytes.resize(left.min(self.room), 0);
            file.read(self.run.from, &mut self.bytes)?;
            self.run.from += u64::try_from(self.bytes.len()).unwrap_or(0);
            self.at = 0;
        }
        let packed = self.bytes.get(self.at..).and_then(<[u8]>::first_chunk).map(Packed::read);
        self.at += if packed.is_some() { BYTES } else { 0 };
        Ok(packed)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::{prop, prop_assert_eq, proptest};

    use super::*;

    fn event(t_us: u64, status: u16) -> Event {
        Event {
            t_us,
            status,
            latency_us: (!t_us.is_multiple_of(3)).then_some(t_us.wrapping_mul(31)),
        }
    }

    fn sorted(order: Order, held_max: usize, events: &[Event]) -> Vec<(Event, PathRef)> {
        let mut sorter = Sorter::new(order, held_max);
        for (number, event) in (0..).zip(events) {
            sorter.push(*event, PathRef::of_bits(number)).unwrap();
        }
        sorter.finish().unwrap();
        assert_eq!(sorter.runs.is_empty(), events.len() <= held_max);
        let mut replayed = [Vec::new(), Vec::new()];
        for times in &mut replayed {
            sorter.replay(&mut |event, path_ref| times.push((event, path_ref))).unwrap();
        }
        let [first, second] = replayed;
        assert_eq!(first, second);
        first
    }

    #[test]
    fn an_event_is_packed_without_loss() {
        let none = PathRef::NONE.bits();
        for (status, path_ref, latency_us) in
            [(0, 0, Some(0)), (u16::MAX, none, Some(u64::MAX - 1)), (599, 1 << 47, None)]
        {
            let event = Event { t_us: u64::MAX, status, latency_us };
            let packed = Packed::new(event, PathRef::of_bits(path_ref));
            let mut bytes = Vec::new();
            packed.write(&mut bytes);
            let unpacked = Packed::read(bytes.as_slice().try_into().unwrap()).unpack();
            assert_eq!(unpacked, (event, PathRef::of_bits(path_ref)));
        }
    }

    #[test]
    fn runs_longer_than_what_is_read_at_once_are_merged() {
        let events: Vec<Event> =
            (0..200_000).map(|number: u64| event(number * 7_919 % 65_536, 200)).collect();
        let mut expected = events.clone();
        expected.sort_by_key(|event| event.t_us);
        let merged = sorted(Order::ByTime, 90_000, &events);
        assert!(merged.into_iter().map(|(event, _)| event).eq(expected));
    }

    proptest! {
        #[test]
        fn a_merge_is_a_stable_sort(
            times in prop::collection::vec(0_u64..20, 0..200),
            held_max in 1_usize..40,
        ) {
            let events: Vec<Event> =
                (0..).zip(&times).map(|(status, t_us)| event(*t_us, status)).collect();
            let given: Vec<(Event, PathRef)> =
                (0..).zip(&events).map(|(number, event)| (*event, PathRef::of_bits(number))).collect();
            let mut expected = given.clone();
            expected.sort_by_key(|(event, _)| event.t_us);
            prop_assert_eq!(sorted(Order::ByTime, held_max, &events), expected);
            prop_assert_eq!(sorted(Order::AsGiven, held_max, &events), given);
        }
    }
}
