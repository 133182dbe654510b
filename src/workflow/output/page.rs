//! A part of the output that is stored: which, from where on, and what is missing in it.

use std::collections::BTreeMap;

use super::chunk::Pieces;
use super::{Counts, Piece};
use crate::base::timestamp::Timestamp;
use crate::workflow::report::Stream;

/// Which output of an execution is meant.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Selection {
    /// The position of a step or handler; `None`: of all of them.
    pub(crate) position: Option<u32>,
    /// One attempt of that step; `None`: all of them, one after the other.
    pub(crate) attempt: Option<u32>,
    /// One of the two streams; `None`: both, in the order of arrival.
    pub(crate) stream: Option<Stream>,
    /// Only what was printed since then.
    pub(crate) since: Option<Timestamp>,
}

/// What the attempts of a selection wrote, by the number of the attempt, for a selection of one step.
pub(crate) type Totals = BTreeMap<u32, Counts>;

impl Selection {
    /// Where a place of the output lies in the selection, in bytes as they were written: `all` and
    /// `own` are the counts there, and `totals` of the attempts before.
    #[must_use]
    pub(crate) fn offset(&self, attempt: u32, own: Counts, all: Counts, totals: &Totals) -> u64 {
        match (self.position, self.attempt) {
            (None, _) => all.of(self.stream),
            (Some(_), Some(_)) => own.of(self.stream),
            (Some(_), None) => {
                let earlier = totals.range(..attempt).map(|(_, counts)| counts.of(self.stream));
                earlier.sum::<u64>() + own.of(self.stream)
            }
        }
    }

    fn has(&self, piece: &Piece) -> bool {
        self.position.is_none_or(|position| position == piece.source.position)
            && self.attempt.is_none_or(|attempt| attempt == piece.source.attempt)
            && self.stream.is_none_or(|stream| stream == piece.stream)
    }
}

/// Something of a page.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Part {
    /// Bytes of one stream that came together.
    Output {
        /// Its place in the selection.
        from: u64,
        /// Whose it is; its counts are those of the whole piece, of which this may be the end.
        piece: Piece,
        bytes: Vec<u8>,
    },
    /// Bytes that were written and are not kept.
    Gap { from: u64, bytes: u64 },
}

/// A part of a selection.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct OutputPage {
    pub(crate) parts: Vec<Part>,
    /// Where it begins.
    pub(crate) from: u64,
    /// How many bytes of the selection are known to have been written, wherever the page ends.
    pub(crate) written: u64,
    /// Where the next page begins, in bytes of the selection as they were written.
    pub(crate) next_from: u64,
    /// Nothing follows, nor ever will.
    pub(crate) is_complete: bool,
    /// Nothing more is stored now.
    pub(crate) is_at_end: bool,
}

impl OutputPage {
    /// How many bytes were written and are missing.
    #[must_use]
    pub(crate) fn dropped(&self) -> u64 {
        let gap = |part: &Part| if let Part::Gap { bytes, .. } = part { *bytes } else { 0 };
        self.parts.iter().map(gap).sum()
    }
}

/// What is asked for.
#[derive(Debug, Clone, Copy)]
pub(crate) struct PageRequest {
    pub(crate) selection: Selection,
    /// Where the page begins.
    pub(crate) from: u64,
    /// The most bytes of output in it.
    pub(crate) limit: usize,
    /// Whether it ends before a gap, unless it begins with that.
    pub(crate) ends_at_gap: bool,
    /// Whether it ends with what is stored last, wherever that begins: see [`last_from`].
    pub(crate) is_last: bool,
}

/// Where the last page of a selection begins, of which so many bytes were written: at a multiple of
/// half its size, so that it stays there for a while as more is written.
#[must_use]
pub(crate) fn last_from(written: u64, limit: usize) -> u64 {
    let limit = limit.max(2) as u64;
    let block = limit / 2;
    written.saturating_sub(limit).div_ceil(block) * block
}

/// What is known of the stored output of a selection.
#[derive(Debug)]
pub(crate) struct Stored {
    /// The chunks that may have something of the page.
    pub(crate) chunks: Vec<Pieces>,
    /// Chunks beyond these have something from this count of the execution on.
    pub(crate) horizon: Option<u64>,
    pub(crate) totals: Totals,
    /// How many bytes the selection has in all, if it has ended.
    pub(crate) end: Option<u64>,
}

/// Makes a page of stored chunks.
#[must_use]
pub(crate) fn assemble(request: &PageRequest, stored: &Stored) -> OutputPage {
    let PageRequest { selection, from, limit, ends_at_gap, .. } = *request;
    let mut pieces: Vec<(&Piece, &[u8])> = Vec::new();
    for chunk in &stored.chunks {
        let mut at = 0;
        for piece in &chunk.list {
            let end = at + usize::try_from(piece.bytes).unwrap_or(usize::MAX);
            let bytes = chunk.bytes.get(at..end).unwrap_or_default();
            at = end;
            let is_whole_before = stored.horizon.is_none_or(|horizon| piece.all.total() < horizon);
            if is_whole_before && selection.has(piece) {
                pieces.push((piece, bytes));
            }
        }
    }
    pieces.sort_by_key(|(piece, _)| piece.all.total());
    let mut page = OutputPage { from, next_from: from, ..OutputPage::default() };
    let mut room = limit.max(1);
    let mut is_cut = false;
    let is_skipping = |page: &OutputPage| selection.since.is_some() && page.parts.is_empty();
    for (piece, bytes) in pieces {
        let start = selection.offset(piece.source.attempt, piece.own, piece.all, &stored.totals);
        let end = start + piece.bytes;
        if end <= page.next_from {
            continue;
        }
        if selection.since.is_some_and(|since| piece.at < since) {
            page.next_from = end;
            continue;
        }
        if start > page.next_from {
            if ends_at_gap && !page.parts.is_empty() {
                is_cut = true;
                break;
            }
            if !is_skipping(&page) {
                let bytes = start - page.next_from;
                page.parts.push(Part::Gap { from: page.next_from, bytes });
            }
            page.next_from = start;
        }
        let bytes = bytes.get(usize::try_from(page.next_from - start).unwrap_or(usize::MAX)..);
        let bytes = bytes.unwrap_or_default();
        let taken = bytes.get(..bytes.len().min(room)).unwrap_or_default();
        let from = page.next_from;
        page.parts.push(Part::Output { from, piece: *piece, bytes: taken.to_vec() });
        page.next_from += taken.len() as u64;
        room -= taken.len();
        if room == 0 {
            is_cut = true;
            break;
        }
    }
    if is_cut || stored.horizon.is_some() {
        return page;
    }
    page.is_at_end = true;
    if let Some(end) = stored.end {
        if end > page.next_from {
            if ends_at_gap && !page.parts.is_empty() {
                page.is_at_end = false;
                return page;
            }
            if !is_skipping(&page) {
                let bytes = end - page.next_from;
                page.parts.push(Part::Gap { from: page.next_from, bytes });
            }
            page.next_from = end;
        }
        page.is_complete = true;
    }
    page
}

#[cfg(test)]
mod tests {
    use super::super::Source;
    use super::*;

    /// Two attempts that write by turns, a chunk for each piece; what is missing is left out.
    fn stored(missing: &[u64], end: Option<u64>) -> Stored {
        let (mut all, mut own) = (Counts::default(), [Counts::default(); 2]);
        let mut chunks = Vec::new();
        for n in 0..10_u64 {
            let position = u32::try_from(n % 2).unwrap();
            let source = Source { position, attempt: 1 };
            let stream = if n % 3 == 0 { Stream::Stderr } else { Stream::Stdout };
            let at = Timestamp::from_micros(i64::try_from(n).unwrap());
            let own = &mut own[position as usize];
            let piece = Piece { source, stream, at, own: *own, all, bytes: 4 };
            own.add(stream, 4);
            all.add(stream, 4);
            if !missing.contains(&n) {
                let mut pieces = Pieces::default();
                pieces.push(piece, format!("{n}{n}{n}{n}").as_bytes());
                chunks.push(pieces);
            }
        }
        // The order in which they are read is that of their ends, or any.
        chunks.reverse();
        let totals = Totals::from([(1, Counts { stdout: 12, stderr: 8 })]);
        Stored { chunks, horizon: None, totals, end }
    }

    fn request(selection: Selection, from: u64, limit: usize) -> PageRequest {
        PageRequest { selection, from, limit, ends_at_gap: false, is_last: false }
    }

    fn text(page: &OutputPage) -> String {
        let part = |part: &Part| match part {
            Part::Output { bytes, .. } => String::from_utf8(bytes.clone()).unwrap(),
            Part::Gap { from, bytes } => format!("[{from}+{bytes}]"),
        };
        page.parts.iter().map(part).collect()
    }

    #[test]
    fn pieces_come_in_the_order_of_arrival() {
        let page = assemble(&request(Selection::default(), 0, 1_000), &stored(&[], Some(40)));
        assert_eq!(text(&page), "0000111122223333444455556666777788889999");
        assert!(page.is_complete && page.is_at_end);
        assert_eq!(page.next_from, 40);
        let of_step = Selection { position: Some(1), ..Selection::default() };
        let page = assemble(&request(of_step, 0, 1_000), &stored(&[], Some(20)));
        assert_eq!(text(&page), "11113333555577779999");
        let of_stream = Selection { stream: Some(Stream::Stderr), ..Selection::default() };
        let page = assemble(&request(of_stream, 0, 1_000), &stored(&[], None));
        assert_eq!(text(&page), "0000333366669999");
        assert!(!page.is_complete && page.is_at_end);
    }

    #[test]
    fn pages_of_any_size_are_the_whole() {
        for limit in 1..50 {
            let (mut from, mut whole) = (0, String::new());
            loop {
                let page =
                    assemble(&request(Selection::default(), from, limit), &stored(&[], Some(40)));
                whole += &text(&page);
                from = page.next_from;
                if page.is_complete {
                    break;
                }
            }
            assert_eq!(whole, "0000111122223333444455556666777788889999", "{limit}");
        }
    }

    #[test]
    fn the_last_page_has_the_end_and_stays_where_it_is_for_a_while() {
        let limit = 8;
        let mut begins = Vec::new();
        for written in 0..100 {
            let from = last_from(written, limit);
            assert!(written - from <= 8 && written - from >= written.min(5), "{written}");
            begins.push(from);
        }
        begins.dedup();
        assert_eq!(begins.len(), 100 / 4 - 1);
    }

    #[test]
    fn what_is_missing_is_reported_with_place_and_size() {
        let page = assemble(&request(Selection::default(), 0, 1_000), &stored(&[2, 3], Some(44)));
        assert_eq!(text(&page), "00001111[8+8]444455556666777788889999[40+4]");
        assert_eq!(page.dropped(), 12);
        let of_step = Selection { position: Some(1), ..Selection::default() };
        let page = assemble(&request(of_step, 2, 1_000), &stored(&[2, 3], None));
        assert_eq!(text(&page), "11[4+4]555577779999");
    }

    #[test]
    fn a_page_may_end_before_a_gap_and_begins_with_it_then() {
        let mut request = request(Selection::default(), 0, 1_000);
        request.ends_at_gap = true;
        let first = assemble(&request, &stored(&[2, 3], Some(44)));
        assert_eq!((text(&first).as_str(), first.is_at_end), ("00001111", false));
        request.from = first.next_from;
        let second = assemble(&request, &stored(&[2, 3], Some(44)));
        assert_eq!(text(&second), "[8+8]444455556666777788889999");
        request.from = second.next_from;
        let third = assemble(&request, &stored(&[2, 3], Some(44)));
        assert_eq!((text(&third).as_str(), third.is_complete), ("[40+4]", true));
    }

    #[test]
    fn what_was_printed_before_a_time_is_no_gap() {
        let since = Some(Timestamp::from_micros(7));
        let selection = Selection { since, ..Selection::default() };
        let page = assemble(&request(selection, 0, 1_000), &stored(&[2, 3], Some(40)));
        assert_eq!(text(&page), "777788889999");
    }
}
