//! The stored form of pieces of one attempt: a list of them, then their bytes, compressed together.
//!
//! ```text
//! codec      1 byte: 0 as it is, 1 zstd
//! length     varint: of what follows once it is decompressed
//! count      varint: pieces
//! per piece  varint: bytes << 2 | others << 1 | (1: stderr)
//!            varint: microseconds since the piece before
//!            with others, two varints: what other attempts wrote to each stream since then
//! bytes      of all pieces
//! ```

use super::{Counts, Piece, Source};
use crate::base::timestamp::Timestamp;
use crate::workflow::report::Stream;

/// So little is stored as it is.
const COMPRESSED_FROM: usize = 96;
/// No chunk is longer, whatever it says.
const DECODED_MAX: usize = 8 << 20;
/// Time against size, as the command `zstd` has it by default.
const LEVEL: i32 = 3;

/// Compresses, and keeps the memory that it needs for that.
pub(crate) struct Compressor(Option<zstd::bulk::Compressor<'static>>);

impl Compressor {
    #[must_use]
    pub(crate) fn new() -> Self {
        // One that finds no memory stores as it is.
        Self(zstd::bulk::Compressor::new(LEVEL).ok())
    }
}

/// Where a chunk begins, as its row says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct ChunkStart {
    pub(crate) source: Source,
    pub(crate) own: Counts,
    pub(crate) all: Counts,
    pub(crate) at: Timestamp,
}

/// Pieces of one attempt that become one chunk.
#[derive(Debug, Clone, Default)]
pub(crate) struct Pieces {
    pub(crate) list: Vec<Piece>,
    pub(crate) bytes: Vec<u8>,
}

impl Pieces {
    pub(crate) fn push(&mut self, piece: Piece, bytes: &[u8]) {
        self.list.push(piece);
        self.bytes.extend_from_slice(bytes);
    }

    /// What is written of them in all, about.
    #[must_use]
    pub(crate) fn encoded_bytes(&self) -> usize {
        self.bytes.len() + self.list.len() * 5
    }

    /// The stored form.
    #[must_use]
    pub(crate) fn encode(&self, compressor: &mut Compressor) -> Vec<u8> {
        let mut plain = Vec::with_capacity(self.bytes.len() + self.list.len() * 6 + 4);
        varint(&mut plain, self.list.len() as u64);
        let mut before: Option<&Piece> = None;
        for piece in &self.list {
            let (at, all) = before.map_or((piece.at, piece.all), |b| (b.at, b.all_end()));
            let others = piece.all.since(all);
            let has_others = others.total() > 0;
            let is_stderr = piece.stream == Stream::Stderr;
            varint(
                &mut plain,
                piece.bytes << 2 | u64::from(has_others) << 1 | u64::from(is_stderr),
            );
            let waited = u64::try_from(piece.at.since(at).as_micros()).unwrap_or(u64::MAX);
            varint(&mut plain, waited);
            if has_others {
                varint(&mut plain, others.stdout);
                varint(&mut plain, others.stderr);
            }
            before = Some(piece);
        }
        plain.extend_from_slice(&self.bytes);
        let mut stored = Vec::with_capacity(16);
        let compressed = match &mut compressor.0 {
            Some(compressor) if plain.len() >= COMPRESSED_FROM => {
                compressor.compress(&plain).ok().filter(|short| short.len() < plain.len())
            }
            _ => None,
        };
        stored.push(u8::from(compressed.is_some()));
        varint(&mut stored, plain.len() as u64);
        stored.extend_from_slice(compressed.as_deref().unwrap_or(&plain));
        stored
    }

    /// Reads the stored form; `None` for what is none.
    #[must_use]
    pub(crate) fn decode(start: &ChunkStart, stored: &[u8]) -> Option<Self> {
        let (&codec, mut rest) = stored.split_first()?;
        let length = usize::try_from(read_varint(&mut rest)?).ok()?;
        if length > DECODED_MAX {
            return None;
        }
        let decompressed;
        let mut plain = match codec {
            0 => rest,
            1 => {
                decompressed = zstd::bulk::decompress(rest, length).ok()?;
                &decompressed
            }
            _ => return None,
        };
        if plain.len() != length {
            return None;
        }
        let count = usize::try_from(read_varint(&mut plain)?).ok()?;
        // Each takes two bytes at least.
        let mut list = Vec::with_capacity(count.min(length / 2));
        let (mut own, mut all, mut at) = (start.own, start.all, start.at);
        let mut total: u64 = 0;
        for _ in 0..count {
            let head = read_varint(&mut plain)?;
            let waited = read_varint(&mut plain)?;
            if head & 2 != 0 {
                let stdout = all.stdout.checked_add(read_varint(&mut plain)?)?;
                let stderr = all.stderr.checked_add(read_varint(&mut plain)?)?;
                all = Counts { stdout, stderr };
            }
            let stream = if head & 1 == 0 { Stream::Stdout } else { Stream::Stderr };
            let bytes = head >> 2;
            total = total.checked_add(bytes)?;
            if total > length as u64 {
                return None;
            }
            at = Timestamp::from_micros(at.as_micros().saturating_add_unsigned(waited));
            let piece = Piece { source: start.source, stream, at, own, all, bytes };
            (own, all) = (piece.own_end(), piece.all_end());
            list.push(piece);
        }
        (total == plain.len() as u64).then(|| Self { list, bytes: plain.to_vec() })
    }
}

fn varint(out: &mut Vec<u8>, mut value: u64) {
    while value >= 0x80 {
        out.push(u8::try_from(value & 0x7f).unwrap_or_default() | 0x80);
        value >>= 7;
    }
    out.push(u8::try_from(value).unwrap_or_default());
}

fn read_varint(from: &mut &[u8]) -> Option<u64> {
    let mut value = 0_u64;
    for shift in (0..64).step_by(7) {
        let (&byte, rest) = from.split_first()?;
        *from = rest;
        value |= u64::from(byte & 0x7f).checked_shl(shift)?;
        if byte < 0x80 {
            return Some(value);
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn start_of(pieces: &Pieces) -> ChunkStart {
        let first = pieces.list[0];
        ChunkStart { source: first.source, own: first.own, all: first.all, at: first.at }
    }

    proptest! {
        #[test]
        fn what_was_stored_is_read(
            parts in proptest::collection::vec(
                (any::<bool>(), 0..3_000_000_u64, 0..3_u64, proptest::collection::vec(any::<u8>(), 1..300)),
                1..40,
            ),
            from in 0..1_u64 << 40,
        ) {
            let source = Source { position: 3, attempt: 2 };
            let mut at = Timestamp::from_micros(1_700_000_000_000_000);
            let (mut own, mut all) = (Counts { stdout: from, stderr: 7 }, Counts { stdout: from + 5, stderr: 9 });
            let mut pieces = Pieces::default();
            for (is_stderr, waited, others, bytes) in parts {
                let stream = if is_stderr { Stream::Stderr } else { Stream::Stdout };
                at = Timestamp::from_micros(at.as_micros() + i64::try_from(waited).unwrap());
                if !pieces.list.is_empty() {
                    all.stdout += others * 1000;
                }
                let piece = Piece { source, stream, at, own, all, bytes: bytes.len() as u64 };
                (own, all) = (piece.own_end(), piece.all_end());
                pieces.push(piece, &bytes);
            }
            let stored = pieces.encode(&mut Compressor::new());
            let read = Pieces::decode(&start_of(&pieces), &stored).unwrap();
            prop_assert_eq!(read.list, pieces.list);
            prop_assert_eq!(read.bytes, pieces.bytes);
        }

        #[test]
        fn whatever_is_stored_ends_nothing(stored in proptest::collection::vec(any::<u8>(), 0..200)) {
            let source = Source { position: 0, attempt: 1 };
            let (own, at) = (Counts::default(), Timestamp::from_micros(0));
            let _ = Pieces::decode(&ChunkStart { source, own, all: own, at }, &stored);
        }
    }

    #[test]
    fn what_repeats_becomes_short() {
        let source = Source { position: 0, attempt: 1 };
        let (own, at) = (Counts::default(), Timestamp::from_micros(0));
        let bytes = b"the same line again and again\n".repeat(1_000);
        let mut pieces = Pieces::default();
        let piece =
            Piece { source, stream: Stream::Stdout, at, own, all: own, bytes: bytes.len() as u64 };
        pieces.push(piece, &bytes);
        assert!(pieces.encode(&mut Compressor::new()).len() < 300);
    }
}
