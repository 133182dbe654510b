//! A text as it reads once an encoding of it is undone, each byte with its place in the text. (pure)

use std::ops::Range;

use crate::base::visible::is_hidden;

/// Ends what was decoded before it: a byte of no secret, since it is in no UTF-8.
const BREAK: u8 = 0xff;
/// What programs write where they cut a text.
const CUTS: [&[u8]; 2] = ["…".as_bytes(), b"..."];
/// The shortest text that is taken for one among bytes that were decoded, bytes: almost any text
/// can be read as base64, and is none then. Where what was decoded ends, it may be cut.
const TEXT_MIN: usize = 6;
const TEXT_END_MIN: usize = 4;

/// Bytes, and where each is from.
#[derive(Debug, Default)]
pub(super) struct View {
    pub(super) bytes: Vec<u8>,
    /// Offsets in the text, from and to.
    places: Vec<(u32, u32)>,
}

/// How long what stands for a cut is, where one begins these bytes.
pub(super) fn cut_at(bytes: &[u8]) -> Option<usize> {
    // Nearly no byte begins one.
    matches!(bytes.first(), Some(0xe2 | b'.'))
        .then(|| CUTS.iter().find(|cut| bytes.starts_with(cut)).map(|cut| cut.len()))
        .flatten()
}

/// Whether bytes end at this index: there are no more, or they are cut.
pub(super) fn ends_at(bytes: &[u8], at: usize) -> bool {
    bytes.get(at..).is_none_or(|rest| rest.is_empty() || cut_at(rest).is_some())
}

/// Whether bytes that are compared leave this character out. Lines are wrapped, blanks lost, and
/// control characters filtered on the way.
pub(super) fn is_blank(c: char) -> bool {
    match c {
        '\0'..=' ' | '\u{7f}' | char::REPLACEMENT_CHARACTER => true,
        '!'..='~' => false,
        _ => c.is_whitespace() || c.is_control() || is_hidden(c),
    }
}

/// What begins the rest of a text.
pub(super) enum Piece {
    /// Nothing but its first byte.
    Plain,
    /// So many bytes that stand for these.
    Escape { length: usize, bytes: [u8; 4], count: usize },
    /// So many bytes of an escape that is cut.
    Cut(usize),
}

impl Piece {
    /// A character.
    pub(super) fn character(length: usize, c: char) -> Self {
        let mut bytes = [0; 4];
        let count = c.encode_utf8(&mut bytes).len();
        Self::Escape { length, bytes, count }
    }

    pub(super) fn byte(length: usize, byte: u8) -> Self {
        Self::Escape { length, bytes: [byte, 0, 0, 0], count: 1 }
    }

    pub(super) fn nothing(length: usize) -> Self {
        Self::Escape { length, bytes: [0; 4], count: 0 }
    }
}

impl View {
    /// The text as it is.
    pub(super) fn of(text: &str) -> Self {
        let places = (0..).zip(1..).take(text.len()).collect();
        Self { bytes: text.as_bytes().to_vec(), places }
    }

    /// Where in the text these bytes are.
    pub(super) fn place(&self, range: &Range<usize>) -> Range<usize> {
        let end = |index: usize| self.places.get(index).copied().unwrap_or_default();
        end(range.start).0 as usize..end(range.end.saturating_sub(1)).1 as usize
    }

    fn push(&mut self, byte: u8, place: (u32, u32)) {
        self.bytes.push(byte);
        self.places.push(place);
    }

    fn extend(&mut self, from: &Self, range: Range<usize>) {
        self.bytes.extend_from_slice(&from.bytes[range.clone()]);
        self.places.extend_from_slice(&from.places[range]);
    }

    /// Without what may come and go on the way of a text.
    pub(super) fn packed(&self) -> Self {
        let mut packed = Self::with_capacity(self.bytes.len());
        let mut at = 0;
        while let Some(byte) = self.bytes.get(at) {
            let rest = &self.bytes[at..];
            let (length, is_left_out) = match byte {
                b'!'..=b'~' => {
                    (rest.iter().take_while(|byte| byte.is_ascii_graphic()).count(), false)
                }
                0..=0x7f => (1, true),
                _ => match character(rest) {
                    Ok(c) => (c.len_utf8(), is_blank(c)),
                    // One that is cut.
                    Err(length) => (length, *byte != BREAK && ends_at(rest, length)),
                },
            };
            if !is_left_out {
                packed.extend(self, at..at + length);
            }
            at += length;
        }
        packed
    }

    fn with_capacity(bytes: usize) -> Self {
        Self { bytes: Vec::with_capacity(bytes), places: Vec::with_capacity(bytes) }
    }

    /// With each piece replaced by what it stands for; `None` where nothing changes. Only these bytes
    /// begin one.
    pub(super) fn replaced(&self, first: &[u8], piece: impl Fn(&[u8]) -> Piece) -> Option<Self> {
        let next = |from: usize| {
            let found = self.bytes[from..].iter().position(|byte| first.contains(byte));
            found.map(|at| from + at)
        };
        let mut ahead = next(0)?;
        let mut view = Self::with_capacity(self.bytes.len());
        let (mut done, mut is_changed) = (0, false);
        loop {
            let rest = &self.bytes[ahead..];
            let length = match piece(rest) {
                Piece::Plain => None,
                Piece::Escape { length, bytes, count } => {
                    view.extend(self, done..ahead);
                    let place = (self.places[ahead].0, self.places[ahead + length - 1].1);
                    bytes[..count].iter().for_each(|byte| view.push(*byte, place));
                    Some(length)
                }
                Piece::Cut(length) => {
                    view.extend(self, done..ahead);
                    Some(length)
                }
            };
            is_changed |= length.is_some();
            let after = ahead + length.unwrap_or(1);
            if length.is_some() {
                done = after;
            }
            match next(after) {
                Some(at) => ahead = at,
                None => break,
            }
        }
        view.extend(self, done..self.bytes.len());
        is_changed.then_some(view)
    }

    /// Texts in what digits of so many bits stand for, without the first `skipped` digits of each run
    /// of them; `None` where there is none. `digits`: the value of each byte that is one.
    pub(super) fn decoded(&self, bits: usize, skipped: usize, digits: &Digits) -> Option<Self> {
        let mut texts = Self::default();
        let mut decoded = Vec::new();
        let mut at = 0;
        while at < self.bytes.len() {
            let is_digit = |byte: &&u8| digits[usize::from(**byte)].is_some();
            let end = at + self.bytes[at..].iter().take_while(is_digit).count();
            let begin = end.min(at + skipped);
            decoded.clear();
            let (mut value, mut held) = (0_u16, 0);
            for byte in &self.bytes[begin..end] {
                value = value << bits | u16::from(digits[usize::from(*byte)].unwrap_or(0));
                held += bits;
                if held >= 8 {
                    held -= 8;
                    decoded.push((value >> held).to_le_bytes()[0]);
                }
            }
            // The digits that a byte is in.
            let first = |index: usize| begin + index * 8 / bits;
            let last = |index: usize| begin + (index * 8 + 7) / bits;
            for text in texts_in(&decoded) {
                texts.push(BREAK, self.places[first(text.start)]);
                for index in text {
                    let place = (self.places[first(index)].0, self.places[last(index)].1);
                    texts.push(decoded[index], place);
                }
            }
            let cut = self.bytes.get(end..).and_then(cut_at);
            at = end + cut.unwrap_or(1);
            if cut.is_some() {
                texts.extend(self, end..at);
            } else if end < self.bytes.len() && texts.bytes.last() != Some(&BREAK) {
                texts.push(BREAK, self.places[end]);
            }
        }
        (texts.bytes.len() > TEXT_END_MIN).then_some(texts)
    }
}

/// Where among bytes that were decoded there may be text.
fn texts_in(bytes: &[u8]) -> impl Iterator<Item = Range<usize>> {
    let mut at = 0;
    let is_text = |c: char| !c.is_control() || matches!(c, '\0' | '\t' | '\n' | '\r');
    std::iter::from_fn(move || {
        while at < bytes.len() {
            let from = at;
            while let Some(c) = bytes.get(at..).and_then(|rest| character(rest).ok())
                && is_text(c)
            {
                at += c.len_utf8();
            }
            let text = from..at;
            at += bytes
                .get(at..)
                .map_or(0, |rest| character(rest).map_or_else(|it| it, char::len_utf8));
            if text.len() >= TEXT_MIN || (text.len() >= TEXT_END_MIN && at == bytes.len()) {
                return Some(text);
            }
        }
        None
    })
}

/// The character that these bytes begin with, or how many bytes of them are none.
fn character(bytes: &[u8]) -> Result<char, usize> {
    if let Some(byte) = bytes.first().filter(|byte| byte.is_ascii()) {
        return Ok(char::from(*byte));
    }
    let chunk = bytes.get(..bytes.len().min(4)).and_then(|bytes| bytes.utf8_chunks().next());
    let c = chunk.as_ref().and_then(|chunk| chunk.valid().chars().next());
    c.ok_or_else(|| chunk.map_or(1, |chunk| chunk.invalid().len().max(1)))
}

/// The value of each byte as a digit.
pub(super) type Digits = [Option<u8>; 256];
