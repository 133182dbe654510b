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
/// The most bytes that are not shown after a gap: half of what is read, so that as much is searched.
const LEAD_MAX: usize = 32 * 1024;
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
    /// How many bytes of it are not shown, since they may belong to a secret that began before.
    hidden: usize,
    lines: Vec<Line>,
}

impl Segment {
    fn new(begins_cut: bool) -> Self {
        Self { begins_cut, hidden: 0, lines: Vec::new() }
    }
}

/// Takes the lines of one stream apart.
struct Lines {
    segments: Vec<Segment>,
    open: Vec<u8>,
}

impl Lines {
    fn new(begins_cut: bool) -> Self {
        Self { segments: vec![Segment::new(begins_cut)], open: Vec::new() }
    }

    /// Output of this stream comes. With `begins_cut`, soon after something that is missing: what
    /// comes of it first is not shown.
    fn begin(&mut self, is_soon: bool, lead: usize) {
        if let Some(segment) = self.segments.last_mut()
            && segment.begins_cut
            && segment.lines.is_empty()
            && self.open.is_empty()
            && is_soon
        {
            segment.hidden = lead;
        }
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
    if page.from > 0 && mask.lead() > LEAD_MAX {
        return Excerpt {
            withheld: Some("the values of its secrets are too long".to_owned()),
            ..Excerpt::default()
        };
    }
    let mut streams = [Lines::new(page.from > 0), Lines::new(page.from > 0)];
    let mut order = 0;
    // How much came since the last gap.
    let mut came = 0;
    for part in &page.parts {
        match part {
            Part::Gap { .. } => {
                for lines in &mut streams {
                    lines.end_segment(&mut order);
                    lines.segments.push(Segment::new(true));
                }
                came = 0;
            }
            Part::Output { piece, bytes, .. } => {
                let lines = &mut streams[usize::from(piece.stream == Stream::Stderr)];
                lines.begin(came < mask.lead(), mask.lead());
                came += bytes.len();
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
    let mut has_hidden = false;
    for mut lines in streams {
        lines.end_segment(&mut order);
        for segment in &lines.segments {
            has_hidden |= segment.hidden > 0;
            all.extend(masked(segment, mask));
        }
    }
    all.sort_by_key(|(order, _)| *order);
    let lines: Vec<String> = all.into_iter().map(|(_, text)| text).collect();
    let is_cut = page.from > 0 || page.parts.iter().any(|part| matches!(part, Part::Gap { .. }));
    let excerpt = last(&lines, lines_max, is_cut);
    if excerpt.lines.is_empty() && lines_max > 0 && has_hidden {
        let why = "what is left of it may begin in the middle of a secret";
        return Excerpt { withheld: Some(why.to_owned()), ..excerpt };
    }
    excerpt
}

/// The lines of a segment as they are shown, without secrets, some of which go over several lines.
fn masked<'a>(segment: &'a Segment, mask: &Mask) -> impl Iterator<Item = (usize, String)> + 'a {
    let texts: Vec<&str> = segment.lines.iter().map(|line| line.text.as_str()).collect();
    let text = texts.join("\n");
    // What is not shown is looked through all the same: a secret may begin in it.
    let ranges = mask.ranges(&text, segment.begins_cut && segment.hidden == 0);
    let begin = segment.hidden.min(text.len());
    let begin = match ranges.iter().find(|range| range.start < begin && begin < range.end) {
        Some(range) => range.end,
        None => (begin..).find(|at| text.is_char_boundary(*at)).unwrap_or(text.len()),
    };
    let mut from = 0;
    segment.lines.iter().enumerate().filter_map(move |(index, line)| {
        let start = from;
        from += line.text.len() + 1;
        if begin > 0 && from <= begin + 1 {
            return None;
        }
        let hidden = begin.saturating_sub(start);
        let text = mask::replaced(&line.text[hidden..], start + hidden, &ranges);
        // What a terminal would have shown last: progress bars write a line again and again.
        let text = text.trim_end();
        let text = visible(text.rsplit('\r').next().unwrap_or_default());
        let begins_cut = hidden > 0 || (index == 0 && segment.begins_cut);
        let is_cut = begins_cut && !text.is_empty();
        Some((line.order, if is_cut { format!("{CUT}{text}") } else { text }))
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
        let parts = vec![output(Stream::Stdout, b"a\nhunt"), Part::Gap { from: 0, bytes: 4 }];
        let shown = of(parts, 0, &["hunter22"], 10);
        assert_eq!((shown.lines, shown.is_cut), (["a", "***"].map(str::to_owned).into(), true));
        // Longer than what is shown.
        let secret = "x1y2z3".repeat(1_000);
        let text = format!("{secret} tail\n");
        assert_eq!(
            of(vec![output(Stream::Stdout, text.as_bytes())], 0, &[&secret], 1).lines,
            ["*** tail"]
        );
    }

    /// What follows something that is missing may be the rest of a secret, in whichever encoding.
    #[test]
    fn what_comes_first_after_a_gap_is_not_shown() {
        let long = format!("ter22 {}hunter22\n{}", "a".repeat(503), "b\n".repeat(9));
        let shown = of(vec![output(Stream::Stdout, long.as_bytes())], 5, &["hunter22"], 20);
        assert_eq!((shown.lines, shown.is_cut), (vec!["b".to_owned(); 9], true));
        // The last line of the other stream began much later.
        let late = vec![
            output(Stream::Stdout, long.as_bytes()),
            output(Stream::Stderr, b"ter22: no rows\n"),
        ];
        assert_eq!(of(late, 5, &["hunter22"], 1).lines, ["…***: no rows"]);
        let parts = vec![
            output(Stream::Stdout, b"before\n"),
            Part::Gap { from: 7, bytes: 4 },
            output(Stream::Stdout, long.as_bytes()),
        ];
        let shown = of(parts, 0, &["hunter22"], 20);
        assert_eq!((shown.lines.len(), shown.lines[0].as_str()), (10, "before"));
        // All of it, or half of what is read.
        let shown = of(vec![output(Stream::Stdout, b"ter22 a\n")], 5, &["hunter22"], 20);
        assert!(shown.lines.is_empty() && shown.withheld.unwrap().contains("in the middle"));
        let secret = "x1y2z3".repeat(1_000);
        let shown = of(vec![output(Stream::Stdout, &[b'a'; 65_536])], 5, &[&secret], 20);
        assert!(shown.lines.is_empty() && shown.withheld.unwrap().contains("too long"));
        let shown = of(vec![output(Stream::Stdout, &[b'a'; 65_536])], 0, &[&secret], 20);
        assert_eq!(shown.lines.len(), 1);
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
