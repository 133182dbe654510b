//! The last lines of what a step printed, as channels get them: without escape sequences and
//! control characters, with secrets masked, and cut.                                    (pure)

use anstream::adapter::strip_str;

use super::mask::{self, Mask};
use crate::base::visible::visible;
use crate::workflow::output::page::{OutputPage, Part};
use crate::workflow::report::Stream;

/// How much of each line is shown on average, bytes: long lines leave room for fewer.
const LINE_BYTES: usize = 100;
/// The shortest end of a line that is shown of a longer one, bytes.
const LINE_END_MIN: usize = 40;
/// What stands for what is left out.
pub(crate) const CUT: &str = "…";

/// The last lines of a step.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Excerpt {
    /// In the order in which they were completed, without their ends. `…` is for what is missing
    /// before or in the middle of a line.
    pub(crate) lines: Vec<String>,
    /// The step printed more before.
    pub(crate) is_cut: bool,
    /// Why there are no lines, where there may be some.
    pub(crate) withheld: Option<String>,
}

/// A line of one stream, without escape sequences.
struct Line {
    /// When it was completed, counted from the first one.
    order: usize,
    text: String,
}

/// Lines of one stream of which nothing is missing in between.
struct Segment {
    /// Something is missing before.
    begins_cut: bool,
    lines: Vec<Line>,
}

/// Takes the lines of one stream apart.
struct Lines {
    segments: Vec<Segment>,
    open: Vec<u8>,
}

impl Lines {
    fn new(begins_cut: bool) -> Self {
        Self { segments: vec![Segment { begins_cut, lines: Vec::new() }], open: Vec::new() }
    }

    fn end_line(&mut self, order: &mut usize) {
        *order += 1;
        let bytes = std::mem::take(&mut self.open);
        // By lines: a sequence without an end hides no more than its own.
        let text = strip_str(&String::from_utf8_lossy(&bytes)).to_string();
        if let Some(segment) = self.segments.last_mut() {
            segment.lines.push(Line { order: *order, text });
        }
    }

    fn end_segment(&mut self, order: &mut usize) {
        if !self.open.is_empty() {
            self.end_line(order);
        }
    }
}

/// The last lines of a page with the end of the output of a step: at most `lines_max`, and 100 bytes
/// for each on average. Secrets are masked in each stream before anything is cut.
#[must_use]
pub(crate) fn excerpt(page: &OutputPage, mask: &Mask, lines_max: usize) -> Excerpt {
    let mut streams = [Lines::new(page.from > 0), Lines::new(page.from > 0)];
    let mut order = 0;
    for part in &page.parts {
        match part {
            Part::Gap { .. } => {
                for lines in &mut streams {
                    lines.end_segment(&mut order);
                    lines.segments.push(Segment { begins_cut: true, lines: Vec::new() });
                }
            }
            Part::Output { piece, bytes, .. } => {
                let lines = &mut streams[usize::from(piece.stream == Stream::Stderr)];
                for line in bytes.split_inclusive(|byte| *byte == b'\n') {
                    lines.open.extend_from_slice(line);
                    if lines.open.pop_if(|byte| *byte == b'\n').is_some() {
                        lines.end_line(&mut order);
                    }
                }
            }
        }
    }
    let mut all: Vec<(usize, String)> = Vec::new();
    for mut lines in streams {
        lines.end_segment(&mut order);
        for segment in &lines.segments {
            all.extend(masked(segment, mask));
        }
    }
    all.sort_by_key(|(order, _)| *order);
    let lines: Vec<String> = all.into_iter().map(|(_, text)| text).collect();
    let is_cut = page.from > 0 || page.parts.iter().any(|part| matches!(part, Part::Gap { .. }));
    last(&lines, lines_max, is_cut)
}

/// The lines of a segment as they are shown, without secrets, some of which go over several lines.
fn masked<'a>(segment: &'a Segment, mask: &Mask) -> impl Iterator<Item = (usize, String)> + 'a {
    let texts: Vec<&str> = segment.lines.iter().map(|line| line.text.as_str()).collect();
    let ranges = mask.ranges(&texts.join("\n"), segment.begins_cut);
    let mut from = 0;
    segment.lines.iter().enumerate().map(move |(index, line)| {
        let text = mask::replaced(&line.text, from, &ranges);
        from += line.text.len() + 1;
        // What a terminal would have shown last: progress bars write a line again and again.
        let text = text.trim_end();
        let text = visible(text.rsplit('\r').next().unwrap_or_default());
        let is_cut = index == 0 && segment.begins_cut && !text.is_empty();
        (line.order, if is_cut { format!("{CUT}{text}") } else { text })
    })
}

/// The last of these lines.
fn last(lines: &[String], lines_max: usize, mut is_cut: bool) -> Excerpt {
    let end = lines.iter().rposition(|line| !line.is_empty()).map_or(0, |at| at + 1);
    let mut shown: Vec<String> = Vec::new();
    let mut room = lines_max.saturating_mul(LINE_BYTES);
    for line in lines[..end].iter().rev() {
        if shown.len() == lines_max || (line.len() > room && room < LINE_END_MIN) {
            is_cut = true;
            break;
        }
        if line.len() > room {
            let from = (line.len() - room..line.len()).find(|at| line.is_char_boundary(*at));
            shown.push(format!("{CUT}{}", &line[from.unwrap_or(line.len())..]));
            is_cut = true;
            break;
        }
        room -= line.len();
        shown.push(line.clone());
    }
    shown.reverse();
    let is_cut = is_cut && !shown.is_empty();
    Excerpt { lines: shown, is_cut, withheld: None }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::base::timestamp::Timestamp;
    use crate::workflow::output::{Counts, Piece, Source};

    fn output(stream: Stream, bytes: &[u8]) -> Part {
        let source = Source { position: 0, attempt: 1 };
        let counts = Counts::default();
        let at = Timestamp::from_micros(0);
        let length = bytes.len() as u64;
        let piece = Piece { source, stream, at, own: counts, all: counts, bytes: length };
        Part::Output { from: 0, piece, bytes: bytes.to_vec() }
    }

    fn of(parts: Vec<Part>, from: u64, secrets: &[&str], lines_max: usize) -> Excerpt {
        let mut mask = Mask::default();
        secrets.iter().for_each(|secret| mask.add(secret));
        excerpt(&OutputPage { parts, from, ..OutputPage::default() }, &mask, lines_max)
    }

    fn lines(text: &[u8]) -> Vec<String> {
        of(vec![output(Stream::Stdout, text)], 0, &[], 10).lines
    }

    #[test]
    fn the_last_lines_are_shown_without_control_characters() {
        assert_eq!(lines(b"a\nb\n\n\n"), ["a", "b"]);
        assert_eq!(lines(b"\x1b[31mred\x1b[0m\t\x07x\0y\n"), ["red xy"]);
        assert_eq!(lines(b"\x1b]0;no end\nnext"), ["", "next"]);
        assert_eq!(lines(b"10%\r50%\r100%\r\ndone\r\n"), ["100%", "done"]);
        assert_eq!(lines(b"\xff\xfe\xc3"), ["\u{fffd}\u{fffd}\u{fffd}"]);
        assert_eq!(lines("\u{202e}x".as_bytes()), ["\\u{202e}x"]);
        assert!(lines(b"").is_empty() && lines(b"\n \n").is_empty());
        let many: String = (0..30).map(|n| format!("{n}\n")).collect();
        let shown = of(vec![output(Stream::Stdout, many.as_bytes())], 0, &[], 3);
        assert_eq!(
            (shown.lines, shown.is_cut),
            (["27", "28", "29"].map(str::to_owned).into(), true)
        );
    }

    #[test]
    fn long_lines_are_cut_in_front() {
        let long = format!("{}end", "ü".repeat(100_000));
        let shown = of(vec![output(Stream::Stderr, long.as_bytes())], 9, &[], 10);
        assert!(shown.is_cut && shown.lines.len() == 1, "{shown:?}");
        assert!(shown.lines[0].starts_with('…') && shown.lines[0].ends_with("üend"));
        assert!(shown.lines[0].len() <= 1_003);
        let short =
            of(vec![output(Stream::Stderr, format!("{long}\nlast\n").as_bytes())], 0, &[], 10);
        assert_eq!(short.lines[1], "last");
    }

    #[test]
    fn a_secret_is_masked_across_pieces_streams_and_escapes() {
        let parts = vec![
            output(Stream::Stdout, b"key=hun"),
            output(Stream::Stderr, b"between\n"),
            output(Stream::Stdout, b"t\x1b[1mer22\nrest\n"),
        ];
        assert_eq!(of(parts, 0, &["hunter22"], 10).lines, ["between", "key=***", "rest"]);
        let parts = vec![output(Stream::Stdout, b"ter22 a\nhunt"), Part::Gap { from: 0, bytes: 4 }];
        let shown = of(parts, 5, &["hunter22"], 10);
        assert_eq!(
            (shown.lines, shown.is_cut),
            (["…*** a", "***"].map(str::to_owned).into(), true)
        );
        // Longer than what is shown.
        let secret = "x1y2z3".repeat(1_000);
        let text = format!("{secret} tail\n");
        assert_eq!(
            of(vec![output(Stream::Stdout, text.as_bytes())], 0, &[&secret], 1).lines,
            ["*** tail"]
        );
    }

    proptest! {
        #[test]
        fn the_bounds_hold_and_nothing_is_left_of_a_secret(
            parts in proptest::collection::vec((any::<bool>(), "[a\\n\\r\u{1b}\\[m]{0,9}|hunter22"), 0..80),
            from in 0..2_u64, lines_max in 0..12_usize,
        ) {
            let parts = parts.iter().map(|(is_stderr, text)| {
                let stream = if *is_stderr { Stream::Stderr } else { Stream::Stdout };
                output(stream, text.as_bytes())
            });
            let shown = of(parts.collect(), from, &["hunter22"], lines_max);
            prop_assert!(shown.lines.len() <= lines_max);
            let bytes: usize = shown.lines.iter().map(String::len).sum();
            prop_assert!(bytes <= lines_max * LINE_BYTES + 2 * CUT.len());
            for line in &shown.lines {
                prop_assert!(!line.contains("hunter") && !line.contains(char::is_control), "{line:?}");
            }
        }
    }
}
