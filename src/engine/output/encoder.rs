//! What arrived -> chunks, one attempt after the other, and which of its chunks have no room any more.

use std::collections::{HashMap, VecDeque};
use std::fmt;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use super::OutputSink;
use crate::repository::{Chunk, ChunkRow};
use crate::workflow::output::arrivals::Arrivals;
use crate::workflow::output::budget::AttemptBudget;
use crate::workflow::output::chunk::{Compressor, Pieces};
use crate::workflow::output::{Counts, Piece, Source};

/// A chunk that is smaller is written anew with what follows it, as long as that is little in all.
const OPEN_BYTES_MAX: usize = 16 << 10;
/// So much of open chunks is written anew with one batch.
const MERGED_BYTES_MAX: usize = 128 << 10;
/// So much of all open chunks is held in memory.
const OPEN_BYTES_OF_ALL: usize = 16 << 20;

/// A compressor, made when it is needed.
pub(super) struct ShownCompressor(Option<Compressor>);

impl fmt::Debug for ShownCompressor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Compressor")
    }
}

impl ShownCompressor {
    pub(super) const NONE: Self = Self(None);

    pub(super) fn get(&mut self) -> &mut Compressor {
        self.0.get_or_insert_with(Compressor::new)
    }
}

/// The chunks that are stored of each attempt that runs.
#[derive(Debug)]
pub(super) struct Encoder {
    pub(super) sink: Arc<OutputSink>,
    pub(super) attempts: HashMap<Source, AttemptChunks>,
}

impl Drop for Encoder {
    fn drop(&mut self) {
        self.attempts.values_mut().for_each(|attempt| attempt.close(&self.sink));
    }
}

/// The stored chunks of one attempt.
#[derive(Debug)]
pub(super) struct AttemptChunks {
    budget: AttemptBudget,
    /// Those of its most recent part, with what was written before them and how many bytes they have.
    recent: VecDeque<(ChunkRow, Counts, u64)>,
    recent_bytes: u64,
    /// The last one, if it is to be written anew with what follows.
    open: Option<Open>,
}

#[derive(Debug)]
struct Open {
    row: ChunkRow,
    pieces: Pieces,
}

impl Encoder {
    /// Chunks of what arrived, and how many bytes they have, as they were written.
    pub(super) fn encode(
        &mut self,
        arrivals: &Arrivals,
        compressor: &mut Compressor,
    ) -> (Vec<Chunk>, usize) {
        let mut ends: HashMap<Source, u64> = HashMap::new();
        for (piece, _) in arrivals.iter() {
            ends.insert(piece.source, piece.own_end().total());
        }
        let mut gathered: Vec<(Source, Pieces)> = Vec::new();
        let mut places: HashMap<Source, usize> = HashMap::new();
        for (piece, bytes) in arrivals.iter() {
            let Some(attempt) = self.attempts.get(&piece.source) else { continue };
            let mut rest = (*piece, bytes);
            let AttemptBudget { head, recent, .. } = attempt.budget;
            let recent_from = ends.get(&piece.source).map_or(0, |end| end.saturating_sub(recent));
            while rest.0.bytes > 0 {
                let at = rest.0.own.total();
                if at >= head && at < recent_from {
                    // What follows in this batch leaves it no room.
                    rest = split(rest, recent_from - at).1;
                    continue;
                }
                let place = places.get(&piece.source).copied().filter(|place| {
                    let pieces = &gathered[*place].1;
                    let end = pieces.list.last().map(Piece::own_end);
                    end == Some(rest.0.own) && (pieces.bytes.len() as u64) < attempt.budget.chunk
                });
                let place = place.unwrap_or_else(|| {
                    gathered.push((piece.source, Pieces::default()));
                    places.insert(piece.source, gathered.len() - 1);
                    gathered.len() - 1
                });
                let pieces = &mut gathered[place].1;
                let start = pieces.list.first().map_or(rest.0.own, |first| first.own).total();
                // The beginning of the output is in chunks of its own.
                let to_head = if start < head { head - rest.0.own.total() } else { u64::MAX };
                let room = (attempt.budget.chunk - pieces.bytes.len() as u64).min(to_head.max(1));
                let (now, later) = split(rest, room);
                pieces.push(now.0, now.1);
                if to_head == now.0.bytes {
                    places.remove(&piece.source);
                }
                rest = later;
            }
        }
        let mut chunks = Vec::with_capacity(gathered.len());
        let mut bytes = 0;
        let mut merged = 0;
        for (source, pieces) in gathered {
            let Some(attempt) = self.attempts.get_mut(&source) else { continue };
            bytes += pieces.bytes.len();
            chunks.extend(attempt.chunk(source, pieces, compressor, &self.sink, &mut merged));
        }
        (chunks, bytes)
    }
}

/// A piece with its bytes.
type Bytes<'b> = (Piece, &'b [u8]);

/// Cuts a piece after so many bytes.
fn split((piece, bytes): Bytes<'_>, at: u64) -> (Bytes<'_>, Bytes<'_>) {
    let count = piece.bytes.min(at);
    let (now, later) =
        bytes.split_at(usize::try_from(count).unwrap_or(usize::MAX).min(bytes.len()));
    let first = Piece { bytes: count, ..piece };
    let (own, all) = (first.own_end(), first.all_end());
    ((first, now), (Piece { own, all, bytes: piece.bytes - count, ..piece }, later))
}

impl AttemptChunks {
    pub(super) fn new(budget: AttemptBudget) -> Self {
        Self { budget, recent: VecDeque::new(), recent_bytes: 0, open: None }
    }

    /// Nothing follows that its last chunk could be written anew with.
    pub(super) fn close(&mut self, sink: &OutputSink) {
        if let Some(open) = self.open.take() {
            sink.open.fetch_sub(open.pieces.encoded_bytes(), Ordering::Relaxed);
        }
    }

    /// The chunk of these pieces, or one that replaces the last one with these added.
    fn chunk(
        &mut self,
        source: Source,
        pieces: Pieces,
        compressor: &mut Compressor,
        sink: &OutputSink,
        merged_bytes: &mut usize,
    ) -> Option<Chunk> {
        let own = pieces.list.first()?.own;
        let count = pieces.bytes.len() as u64;
        let is_recent = own.total() >= self.budget.head;
        let mut row = ChunkRow::default();
        let mut merged = pieces;
        if let Some(open) = self.open.take() {
            sink.open.fetch_sub(open.pieces.encoded_bytes(), Ordering::Relaxed);
            let first = open.pieces.list.first().map(|first| first.own.total());
            let fits = open.pieces.list.last().map(Piece::own_end) == Some(own)
                && first.is_some_and(|first| is_recent == (first >= self.budget.head))
                && (open.pieces.bytes.len() + merged.bytes.len()) as u64 <= self.budget.chunk
                && open.pieces.encoded_bytes() + merged.encoded_bytes() <= 2 * OPEN_BYTES_MAX
                && open.row.get().is_some()
                && *merged_bytes + open.pieces.bytes.len() <= MERGED_BYTES_MAX;
            if fits {
                *merged_bytes += open.pieces.bytes.len();
                row = open.row;
                let mut all = open.pieces;
                all.list.extend(merged.list);
                all.bytes.extend_from_slice(&merged.bytes);
                merged = all;
            }
        }
        let (first, last) = (*merged.list.first()?, *merged.list.last()?);
        let bytes = last.own_end().since(first.own);
        let drops = self.count(is_recent, &row, first.own, count);
        let data = merged.encode(compressor);
        let size = merged.encoded_bytes();
        if size <= OPEN_BYTES_MAX
            && (bytes.total()) < self.budget.chunk
            && sink.open.load(Ordering::Relaxed) < OPEN_BYTES_OF_ALL
        {
            sink.open.fetch_add(size, Ordering::Relaxed);
            self.open = Some(Open { row: row.clone(), pieces: merged });
        }
        Some(Chunk {
            row,
            source,
            own: first.own,
            all: first.all,
            end: last.all_end(),
            bytes,
            began_at: first.at,
            ended_at: last.at.max(first.at),
            data,
            drops,
        })
    }

    /// Counts so many bytes more of the most recent part, and takes out what has no room beside.
    fn count(
        &mut self,
        is_recent: bool,
        row: &ChunkRow,
        own: Counts,
        count: u64,
    ) -> Vec<(ChunkRow, Counts)> {
        if !is_recent {
            return Vec::new();
        }
        self.recent_bytes += count;
        match self.recent.back_mut() {
            Some((_, begin, bytes)) if *begin == own => *bytes += count,
            _ => self.recent.push_back((row.clone(), own, count)),
        }
        let mut drops = Vec::new();
        while self.recent_bytes > self.budget.recent && self.recent.len() > 1 {
            let Some((row, own, bytes)) = self.recent.pop_front() else { break };
            self.recent_bytes -= bytes;
            drops.push((row, own));
        }
        drops
    }
}
