//! The lines of what a step wrote, both streams in the order of arrival.

use crate::workflow::output::page::{OutputPage, Part};
use crate::workflow::report::Stream;

/// The most bytes of output that a page shows, and the most lines.
pub(super) const BYTES_MAX: usize = 64 << 10;
pub(super) const LINES_MAX: usize = 2_000;

/// A line, or what is missing between two.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Row {
    /// Its place, bytes as they were written.
    pub from: u64,
    pub what: What,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum What {
    Line {
        text: String,
        /// It was written to standard error.
        is_error: bool,
    },
    /// So many bytes were dropped.
    Gap(u64),
}

/// A part of what an attempt wrote.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Log {
    pub rows: Vec<Row>,
    /// Where it begins and ends, bytes as they were written.
    pub from: u64,
    pub next: u64,
    /// How much is written so far.
    pub written: u64,
}

/// A line whose end may follow.
struct Open {
    from: u64,
    bytes: Vec<u8>,
    is_error: bool,
}

impl Log {
    /// Of a page of stored output. Where it has too many lines, its last ones are kept, or its first.
    pub(super) fn of(page: OutputPage, keeps_end: bool) -> Self {
        let OutputPage { parts, from, next_from, written, .. } = page;
        let mut lines: Vec<Result<Open, Row>> = Vec::new();
        // The line of each stream that has no end yet.
        let mut open: [Option<usize>; 2] = [None, None];
        for part in parts {
            match part {
                Part::Gap { from, bytes } => {
                    open = [None, None];
                    lines.push(Err(Row { from, what: What::Gap(bytes) }));
                }
                Part::Output { from, piece, bytes } => {
                    let is_error = piece.stream == Stream::Stderr;
                    let mut at = from;
                    for piece in bytes.split_inclusive(|&byte| byte == b'\n') {
                        let text = piece.strip_suffix(b"\n");
                        let index = *open[usize::from(is_error)].get_or_insert_with(|| {
                            lines.push(Ok(Open { from: at, bytes: Vec::new(), is_error }));
                            lines.len() - 1
                        });
                        if let Some(Ok(line)) = lines.get_mut(index) {
                            line.bytes.extend_from_slice(text.unwrap_or(piece));
                        }
                        if text.is_some() {
                            open[usize::from(is_error)] = None;
                        }
                        at += piece.len() as u64;
                    }
                }
            }
        }
        let row = |line: Result<Open, Row>| match line {
            Ok(Open { from, bytes, is_error }) => {
                let text = String::from_utf8_lossy(&bytes).into_owned();
                Row { from, what: What::Line { text, is_error } }
            }
            Err(gap) => gap,
        };
        let rows = lines.into_iter().map(row).collect();
        Self { rows, from, next: next_from, written }.cut(keeps_end)
    }

    /// Of what is not stored yet: standard output first.
    pub(super) fn of_texts(stdout: &str, stderr: &str) -> Self {
        let mut log = Self::default();
        for (text, is_error) in [(stdout, false), (stderr, true)] {
            for line in text.split_inclusive('\n') {
                let from = log.written;
                log.written += line.len() as u64;
                let text = line.strip_suffix('\n').unwrap_or(line).to_owned();
                log.rows.push(Row { from, what: What::Line { text, is_error } });
            }
        }
        log.next = log.written;
        log.cut(true)
    }

    fn cut(mut self, keeps_end: bool) -> Self {
        let beyond = self.rows.len().saturating_sub(LINES_MAX);
        if beyond > 0 && keeps_end {
            self.rows.drain(..beyond);
            self.from = self.rows.first().map_or(self.from, |row| row.from);
        } else if beyond > 0 {
            self.next = self.rows.get(LINES_MAX).map_or(self.next, |row| row.from);
            self.rows.truncate(LINES_MAX);
        }
        self
    }

    /// Whether anything in it was written to standard error.
    pub(super) fn has_errors(&self) -> bool {
        self.rows.iter().any(|row| matches!(row.what, What::Line { is_error: true, .. }))
    }

    /// How many bytes are missing in it.
    pub(super) fn dropped(&self) -> u64 {
        let gap = |row: &Row| if let What::Gap(bytes) = row.what { bytes } else { 0 };
        self.rows.iter().map(gap).sum()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::timestamp::Timestamp;
    use crate::workflow::output::{Counts, Piece, Source};

    fn page(parts: &[(Stream, &[u8])]) -> OutputPage {
        let mut from = 0;
        let parts = parts.iter().map(|(stream, bytes)| {
            let source = Source { position: 0, attempt: 1 };
            let (own, at) = (Counts::default(), Timestamp::from_micros(0));
            let length = bytes.len() as u64;
            let piece = Piece { source, stream: *stream, at, own, all: own, bytes: length };
            let part = match bytes.is_empty() {
                true => Part::Gap { from, bytes: 100 },
                false => Part::Output { from, piece, bytes: bytes.to_vec() },
            };
            from += if bytes.is_empty() { 100 } else { length };
            part
        });
        let parts = parts.collect();
        OutputPage { parts, next_from: from, written: from, ..OutputPage::default() }
    }

    fn shown(log: &Log) -> Vec<String> {
        let row = |row: &Row| match &row.what {
            What::Line { text, is_error } => {
                format!("{}{}{text}", row.from, if *is_error { "!" } else { ":" })
            }
            What::Gap(bytes) => format!("{}-{bytes}", row.from),
        };
        log.rows.iter().map(row).collect()
    }

    #[test]
    fn a_line_goes_on_where_its_stream_does() {
        use Stream::{Stderr, Stdout};
        let parts: [(Stream, &[u8]); 6] = [
            (Stdout, b"one\ntw"),
            (Stderr, b"bad\n"),
            (Stdout, b"o\n\xff\xc3"),
            (Stdout, b"\xa4\nend"),
            (Stdout, b""),
            (Stdout, b"after\n"),
        ];
        let log = Log::of(page(&parts), true);
        assert_eq!(
            shown(&log),
            ["0:one", "4:two", "6!bad", "12:\u{fffd}ä", "16:end", "19-100", "119:after"]
        );
        assert_eq!((log.from, log.next, log.dropped(), log.has_errors()), (0, 125, 100, true));
    }

    #[test]
    fn of_many_lines_the_last_are_shown_or_the_first() {
        let many = "x\n".repeat(LINES_MAX + 5);
        let parts: [(Stream, &[u8]); 1] = [(Stream::Stdout, many.as_bytes())];
        let last = Log::of(page(&parts), true);
        assert_eq!((last.rows.len(), last.from, last.next), (LINES_MAX, 10, 4_010));
        let first = Log::of(page(&parts), false);
        assert_eq!((first.rows.len(), first.from, first.next), (LINES_MAX, 0, 4_000));
        assert_eq!(Log::of_texts(&many, ""), last);
    }
}
