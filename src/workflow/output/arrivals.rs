//! What arrived and is not stored yet: the pieces of all attempts of one execution.

use std::collections::VecDeque;
use std::time::Duration;

use super::{Counts, Piece, Source};
use crate::base::timestamp::Timestamp;
use crate::workflow::report::Stream;

/// Bytes that come from the same stream so soon after each other are one piece.
const TOGETHER: Duration = Duration::from_millis(10);
/// What a piece takes beside its bytes.
const PIECE_BYTES: usize = size_of::<Piece>();

/// Pieces in the order of arrival, with their bytes.
#[derive(Debug, Default)]
pub(crate) struct Arrivals {
    pieces: VecDeque<Piece>,
    /// The bytes of all pieces, from `start` on.
    bytes: Vec<u8>,
    start: usize,
}

impl Arrivals {
    /// Adds what arrived next.
    pub(crate) fn push(
        &mut self,
        source: Source,
        stream: Stream,
        at: Timestamp,
        own: Counts,
        all: Counts,
        bytes: &[u8],
    ) {
        let length = bytes.len() as u64;
        self.bytes.extend_from_slice(bytes);
        if let Some(last) = self.pieces.back_mut()
            && (last.source, last.stream) == (source, stream)
            && last.all_end() == all
            && at >= last.at
            && at.since(last.at) <= TOGETHER
        {
            last.bytes += length;
            return;
        }
        self.pieces.push_back(Piece { source, stream, at, own, all, bytes: length });
    }

    /// How much memory it takes.
    #[must_use]
    pub(crate) fn size(&self) -> usize {
        self.bytes.len() - self.start + self.pieces.len() * PIECE_BYTES
    }

    #[must_use]
    pub(crate) fn is_empty(&self) -> bool {
        self.pieces.is_empty()
    }

    /// Drops the oldest bytes until it takes no more than `size`; how many that were.
    pub(crate) fn drop_oldest(&mut self, size: usize) -> u64 {
        let mut dropped = 0;
        while self.size() > size {
            let excess = (self.size() - size) as u64;
            let Some(first) = self.pieces.front_mut() else { break };
            let count = first.bytes.min(excess);
            if count == first.bytes {
                self.pieces.pop_front();
            } else {
                first.own.add(first.stream, count);
                first.all.add(first.stream, count);
                first.bytes -= count;
            }
            self.start += usize::try_from(count).unwrap_or(usize::MAX);
            dropped += count;
        }
        self.compact();
        dropped
    }

    fn compact(&mut self) {
        if self.start > self.bytes.len() / 2 {
            self.bytes.drain(..self.start);
            self.start = 0;
        }
    }

    /// Takes the oldest, until they take about `size` of memory.
    pub(crate) fn take_oldest(&mut self, size: usize) -> Self {
        if self.size() <= size {
            return std::mem::take(self);
        }
        let mut taken = Self::default();
        while let Some(first) = self.pieces.front_mut() {
            let room = size.saturating_sub(taken.size() + PIECE_BYTES) as u64;
            if room == 0 && !taken.is_empty() {
                break;
            }
            let count = first.bytes.min(room.max(1));
            let piece = Piece { bytes: count, ..*first };
            if count == first.bytes {
                self.pieces.pop_front();
            } else {
                (first.own, first.all) = (piece.own_end(), piece.all_end());
                first.bytes -= count;
            }
            let end = self.start + usize::try_from(count).unwrap_or(usize::MAX);
            let bytes = self.bytes.get(self.start..end).unwrap_or_default();
            taken.bytes.extend_from_slice(bytes);
            taken.pieces.push_back(piece);
            self.start = end;
        }
        self.compact();
        taken
    }

    /// Each piece with its bytes.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (&Piece, &[u8])> {
        let mut at = self.start;
        self.pieces.iter().map(move |piece| {
            let begin = at;
            at += usize::try_from(piece.bytes).unwrap_or(usize::MAX);
            (piece, self.bytes.get(begin..at).unwrap_or_default())
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const A: Source = Source { position: 0, attempt: 1 };

    fn push(arrivals: &mut Arrivals, all: &mut Counts, at: i64, stream: Stream, bytes: &[u8]) {
        arrivals.push(A, stream, Timestamp::from_micros(at), *all, *all, bytes);
        all.add(stream, bytes.len() as u64);
    }

    #[test]
    fn what_comes_together_is_one_piece() {
        let (mut arrivals, mut all) = (Arrivals::default(), Counts::default());
        push(&mut arrivals, &mut all, 0, Stream::Stdout, b"a");
        push(&mut arrivals, &mut all, 5_000, Stream::Stdout, b"b");
        push(&mut arrivals, &mut all, 5_000, Stream::Stderr, b"c");
        push(&mut arrivals, &mut all, 5_000, Stream::Stdout, b"d");
        push(&mut arrivals, &mut all, 50_000, Stream::Stdout, b"e");
        let texts: Vec<&[u8]> = arrivals.iter().map(|(_, bytes)| bytes).collect();
        assert_eq!(texts, [&b"ab"[..], b"c", b"d", b"e"]);
    }

    #[test]
    fn the_oldest_bytes_are_dropped_and_the_rest_keeps_its_place() {
        let (mut arrivals, mut all) = (Arrivals::default(), Counts::default());
        for n in 0..100_u8 {
            push(&mut arrivals, &mut all, i64::from(n) * 20_000, Stream::Stdout, &[n; 100]);
        }
        let before = arrivals.size();
        let dropped = arrivals.drop_oldest(before / 2);
        assert!(arrivals.size() <= before / 2);
        let (first, bytes) = arrivals.iter().next().unwrap();
        assert_eq!(first.own.stdout, dropped);
        assert_eq!(u64::from(bytes[0]), dropped / 100);
        let left: usize = arrivals.iter().map(|(_, bytes)| bytes.len()).sum();
        assert_eq!(left as u64 + dropped, 10_000);
    }

    #[test]
    fn slices_are_everything_in_its_order() {
        let (mut arrivals, mut all) = (Arrivals::default(), Counts::default());
        let mut expected = Vec::new();
        for n in 0..200_u8 {
            let stream = if n % 3 == 0 { Stream::Stderr } else { Stream::Stdout };
            let bytes = vec![n; 40 * usize::from(n) + 1];
            push(&mut arrivals, &mut all, i64::from(n) * 20_000, stream, &bytes);
            expected.extend(bytes);
        }
        let (mut found, mut counted, mut slices) = (Vec::new(), Counts::default(), 0);
        while !arrivals.is_empty() {
            let before = arrivals.size();
            let slice = arrivals.take_oldest(10_000);
            assert!(!slice.is_empty() && slice.size() <= 10_000 && arrivals.size() < before);
            for (piece, bytes) in slice.iter() {
                assert_eq!((piece.all, piece.bytes), (counted, bytes.len() as u64));
                counted = piece.all_end();
                found.extend_from_slice(bytes);
            }
            slices += 1;
        }
        assert!(slices > 50, "{slices}");
        assert_eq!((found, counted), (expected, all));
    }
}
