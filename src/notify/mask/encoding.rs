//! The encodings in which programs write what they print, and how each is undone.       (pure)

use super::view::{Digits, Piece, View, ends_at};

/// An encoding.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Encoding {
    /// `\n`, `\"`, `\u00e9`, `\x41`, `\101`: JSON, C, shells.
    Backslashes,
    /// The same, with `\xe9` for U+00E9: Python and JavaScript.
    LatinBackslashes,
    /// `%2F`.
    Percent,
    /// The same, with `%E9` for U+00E9.
    LatinPercent,
    /// The same, with `+` for blanks.
    Form,
    /// `&lt;`, `&#39;`.
    Entities,
    /// Quotes within quotes of a shell: `'it'\''s'`.
    Quotes,
    /// Quotes of one kind that are written twice, as in SQL, CSV and YAML: `'it''s'`.
    TwoQuotes(&'static [u8]),
    /// Texts that are joined: `"a" + "b"`.
    Joined,
    /// In either alphabet, without so many digits at the beginning: text may stand before it.
    Base64 { skipped: usize },
    /// Likewise.
    Hex { skipped: usize },
}

impl Encoding {
    /// All, those of text first.
    pub(super) const ALL: [Self; 16] = [
        Self::Backslashes,
        Self::LatinBackslashes,
        Self::Percent,
        Self::LatinPercent,
        Self::Form,
        Self::Entities,
        Self::Quotes,
        Self::TwoQuotes(b"'"),
        Self::TwoQuotes(b"\""),
        Self::Joined,
        Self::Base64 { skipped: 0 },
        Self::Base64 { skipped: 1 },
        Self::Base64 { skipped: 2 },
        Self::Base64 { skipped: 3 },
        Self::Hex { skipped: 0 },
        Self::Hex { skipped: 1 },
    ];

    /// Undoes it: in the text as it is, or without blanks and line ends where the encoding has none.
    /// `None` where nothing changes.
    pub(super) fn undone(self, view: &View, packed: &View) -> Option<View> {
        match self {
            Self::Backslashes => view.replaced(b"\\", backslash),
            Self::LatinBackslashes if !has_latin(&view.bytes, b"\\x") => None,
            Self::LatinBackslashes => view.replaced(b"\\", |rest| latin(rest, 2, backslash)),
            Self::Percent => view.replaced(b"%", percent),
            Self::LatinPercent if !has_latin(&view.bytes, b"%") => None,
            Self::LatinPercent => view.replaced(b"%", |rest| latin(rest, 1, percent)),
            Self::Form if !view.bytes.contains(&b'+') => None,
            Self::Form => view.replaced(b"%+", |rest| match rest {
                [b'+', ..] => Piece::byte(1, b' '),
                _ => percent(rest),
            }),
            Self::Entities => view.replaced(b"&", entity),
            Self::Quotes => view.replaced(b"'", quote),
            Self::TwoQuotes(quote) => view.replaced(quote, |rest| match rest {
                [first, second, ..] if first == second => Piece::byte(2, *first),
                _ => Piece::Plain,
            }),
            Self::Joined => view.replaced(b"'\"", join),
            Self::Base64 { skipped } => packed.decoded(6, skipped, &BASE64),
            Self::Hex { skipped } => match packed.replaced(b":,0", between_bytes) {
                Some(joined) => joined.decoded(4, skipped, &HEX),
                None => packed.decoded(4, skipped, &HEX),
            },
        }
    }
}

/// Digits of a character.
enum Number {
    Of(u32),
    /// The text is cut after so many bytes, in them.
    Cut(usize),
    None,
}

/// So many hexadecimal digits from here on.
fn hex(rest: &[u8], from: usize, count: usize) -> Number {
    let mut number = 0;
    for at in from..from + count {
        match rest.get(at).and_then(|digit| char::from(*digit).to_digit(16)) {
            Some(digit) => number = number << 4 | digit,
            None if ends_at(rest, at) => return Number::Cut(at.min(rest.len())),
            None => return Number::None,
        }
    }
    Number::Of(number)
}

fn character(length: usize, number: u32) -> Piece {
    Piece::character(length, char::from_u32(number).unwrap_or(char::REPLACEMENT_CHARACTER))
}

/// Whether there is a character from U+0080 to U+00FF in two digits after this.
fn has_latin(bytes: &[u8], begin: &[u8]) -> bool {
    let is_latin = |rest: &[u8]| {
        rest.starts_with(begin) && matches!(hex(rest, begin.len(), 2), Number::Of(0x80..))
    };
    (0..bytes.len()).any(|at| bytes[at] == begin[0] && is_latin(&bytes[at..]))
}

/// Reads such a character as that, and everything else as it is read otherwise. Its digits are after
/// so many bytes.
fn latin(rest: &[u8], digits: usize, otherwise: fn(&[u8]) -> Piece) -> Piece {
    let is_one = digits == 1 || rest.get(1) == Some(&b'x');
    match hex(rest, digits, 2) {
        Number::Of(number @ 0x80..) if is_one => character(digits + 2, number),
        _ => otherwise(rest),
    }
}

/// As JSON, C, Rust, Python and shells escape.
fn backslash(rest: &[u8]) -> Piece {
    if ends_at(rest, 1) {
        return Piece::Cut(1);
    }
    match rest[1] {
        b'n' => Piece::byte(2, b'\n'),
        b'r' => Piece::byte(2, b'\r'),
        b't' => Piece::byte(2, b'\t'),
        b'e' | b'E' => Piece::byte(2, 0x1b),
        b'a' | b'b' | b'f' | b'v' => Piece::byte(2, b' '),
        b'x' | b'u' if rest.get(2) == Some(&b'{') => braced(rest),
        b'x' => match hex(rest, 2, 2) {
            Number::Of(byte) => Piece::byte(4, byte.to_le_bytes()[0]),
            Number::Cut(length) => Piece::Cut(length),
            Number::None => Piece::Plain,
        },
        b'u' => match hex(rest, 2, 4) {
            Number::Of(high @ 0xd800..0xdc00) => surrogates(rest, high),
            Number::Of(number) => character(6, number),
            Number::Cut(length) => Piece::Cut(length),
            Number::None => Piece::Plain,
        },
        b'U' => match hex(rest, 2, 8) {
            Number::Of(number) => character(10, number),
            Number::Cut(length) => Piece::Cut(length),
            Number::None => Piece::Plain,
        },
        b'0'..=b'7' => octal(rest),
        // A line that goes on.
        b'\n' => Piece::nothing(2),
        b'\r' if rest.get(2) == Some(&b'\n') => Piece::nothing(3),
        byte if byte.is_ascii() && !byte.is_ascii_alphanumeric() => Piece::byte(2, byte),
        _ => Piece::Plain,
    }
}

/// `\u{1f600}`, `\x{41}`.
fn braced(rest: &[u8]) -> Piece {
    let digits = rest[3..].iter().take(8).take_while(|byte| byte.is_ascii_hexdigit()).count();
    let end = 3 + digits;
    match hex(rest, 3, digits) {
        Number::Of(number) if digits > 0 && rest.get(end) == Some(&b'}') => {
            character(end + 1, number)
        }
        _ if ends_at(rest, end) => Piece::Cut(end),
        _ => Piece::Plain,
    }
}

/// A character beyond U+FFFF, of which the first half was read.
fn surrogates(rest: &[u8], high: u32) -> Piece {
    let begin = rest[6..].iter().zip(&rest[..2]).take_while(|(a, b)| a == b).count();
    if begin < 2 {
        let is_cut = ends_at(rest, 6 + begin);
        return if is_cut { Piece::Cut(6 + begin) } else { character(6, high) };
    }
    match hex(rest, 8, 4) {
        Number::Of(low @ 0xdc00..0xe000) => {
            character(12, 0x10000 + ((high - 0xd800) << 10) + (low - 0xdc00))
        }
        Number::Cut(length) => Piece::Cut(length),
        _ => character(6, high),
    }
}

/// One to three digits.
fn octal(rest: &[u8]) -> Piece {
    let is_octal = |byte: &&u8| matches!(byte, b'0'..=b'7');
    let count = rest[1..].iter().take(3).take_while(is_octal).count();
    if count < 3 && ends_at(rest, 1 + count) {
        return Piece::Cut(1 + count);
    }
    let number =
        rest[1..=count].iter().fold(0_u32, |number, digit| number << 3 | u32::from(digit & 7));
    Piece::byte(1 + count, number.to_le_bytes()[0])
}

fn percent(rest: &[u8]) -> Piece {
    let (from, count) = if rest.get(1) == Some(&b'u') { (2, 4) } else { (1, 2) };
    match hex(rest, from, count) {
        Number::Of(high @ 0xd800..0xdc00) if count == 4 => surrogates(rest, high),
        Number::Of(number) if count == 4 => character(6, number),
        Number::Of(number) => Piece::byte(3, number.to_le_bytes()[0]),
        Number::Cut(length) => Piece::Cut(length),
        Number::None => Piece::Plain,
    }
}

/// The longest entity, bytes.
const ENTITY_MAX: usize = 12;
/// Names of what some encoders of HTML escape.
const ENTITIES: [(&str, char); 37] = [
    ("lt", '<'),
    ("gt", '>'),
    ("amp", '&'),
    ("quot", '"'),
    ("apos", '\''),
    ("nbsp", ' '),
    ("excl", '!'),
    ("num", '#'),
    ("dollar", '$'),
    ("percnt", '%'),
    ("lpar", '('),
    ("rpar", ')'),
    ("ast", '*'),
    ("plus", '+'),
    ("comma", ','),
    ("period", '.'),
    ("sol", '/'),
    ("colon", ':'),
    ("semi", ';'),
    ("equals", '='),
    ("quest", '?'),
    ("commat", '@'),
    ("lsqb", '['),
    ("lbrack", '['),
    ("bsol", '\\'),
    ("rsqb", ']'),
    ("rbrack", ']'),
    ("Hat", '^'),
    ("lowbar", '_'),
    ("grave", '`'),
    ("lcub", '{'),
    ("lbrace", '{'),
    ("verbar", '|'),
    ("vert", '|'),
    ("rcub", '}'),
    ("rbrace", '}'),
    ("hellip", '…'),
];

fn entity(rest: &[u8]) -> Piece {
    let is_part = |byte: &&u8| byte.is_ascii_alphanumeric() || **byte == b'#';
    let end = 1 + rest[1..].iter().take(ENTITY_MAX).take_while(is_part).count();
    if ends_at(rest, end) {
        return Piece::Cut(end);
    }
    let Ok(name) = std::str::from_utf8(&rest[1..end]) else { return Piece::Plain };
    if rest[end] != b';' {
        return Piece::Plain;
    }
    let number = match name.strip_prefix('#') {
        Some(number) => match number.strip_prefix(['x', 'X']) {
            Some(digits) => u32::from_str_radix(digits, 16).ok(),
            None => number.parse().ok(),
        },
        None => {
            let known = ENTITIES.iter().find(|(known, _)| *known == name);
            known.map(|(_, character)| u32::from(*character))
        }
    };
    number.map_or(Piece::Plain, |number| character(end + 1, number))
}

/// The ways to write a `'` within quotes of that kind.
const SPLICES: [&[u8]; 2] = [b"'\\''", b"'\"'\"'"];

fn quote(rest: &[u8]) -> Piece {
    for splice in SPLICES {
        let same = rest.iter().zip(splice).take_while(|(a, b)| a == b).count();
        if same == splice.len() {
            return Piece::byte(same, b'\'');
        }
        if same > 1 && ends_at(rest, same) {
            return Piece::Cut(same);
        }
    }
    Piece::Plain
}

/// The end of a text in quotes, and the beginning of the next one.
fn join(rest: &[u8]) -> Piece {
    let blanks =
        |from: usize| from + rest[from..].iter().take_while(|b| b.is_ascii_whitespace()).count();
    let mut at = blanks(1);
    if rest.get(at).is_some_and(|byte| b"+.&,\\".contains(byte)) {
        at = blanks(at + 1);
    }
    if at > 1 && rest.get(at) == Some(&rest[0]) { Piece::nothing(at + 1) } else { Piece::Plain }
}

/// The digits of an alphabet; some have two.
const fn digits(alphabet: &[u8], others: &[(u8, u8)]) -> Digits {
    let mut digits = [None; 256];
    let mut value = 0;
    while value < alphabet.len() {
        digits[alphabet[value] as usize] = Some(value.to_le_bytes()[0]);
        value += 1;
    }
    let mut index = 0;
    while index < others.len() {
        digits[others[index].0 as usize] = Some(others[index].1);
        index += 1;
    }
    digits
}

static BASE64: Digits = digits(
    b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/",
    &[(b'-', 62), (b'_', 63)],
);
static HEX: Digits = digits(
    b"0123456789abcdef",
    &[(b'A', 10), (b'B', 11), (b'C', 12), (b'D', 13), (b'E', 14), (b'F', 15)],
);

/// `68:75` and `0x68, 0x75`.
fn between_bytes(rest: &[u8]) -> Piece {
    match rest {
        [b':' | b',', ..] => Piece::nothing(1),
        [b'0', b'x' | b'X', ..] => Piece::nothing(2),
        _ => Piece::Plain,
    }
}
