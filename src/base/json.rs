//! JSON as wfx writes it: text in which no character drives a terminal or changes the order in
//! which people read it.
//!
//! JSON itself escapes U+0000 to U+001F only. Here U+007F to U+009F and the controls of
//! bidirectional text (UAX #9, section 2) are written as `\uXXXX` too, which every reader of
//! JSON understands as the same text.

use serde::Serialize;

/// The value on one line.
///
/// # Errors
/// When it has no JSON.
pub(crate) fn to_vec<T: Serialize + ?Sized>(value: &T) -> serde_json::Result<Vec<u8>> {
    serde_json::to_vec(value).map(escaped)
}

/// The value on one line.
///
/// # Errors
/// When it has no JSON.
pub(crate) fn to_string<T: Serialize + ?Sized>(value: &T) -> serde_json::Result<String> {
    serde_json::to_string(value).map(escaped_text)
}

/// The value on many lines, indented.
///
/// # Errors
/// When it has no JSON.
pub(crate) fn to_string_pretty<T: Serialize + ?Sized>(value: &T) -> serde_json::Result<String> {
    serde_json::to_string_pretty(value).map(escaped_text)
}

fn escaped_text(json: String) -> String {
    // Only whole characters are replaced, by ASCII.
    String::from_utf8(escaped(json.into_bytes())).unwrap_or_default()
}

/// Escapes what JSON leaves unescaped. Such characters occur only within strings, so valid JSON
/// stays the same JSON.
#[must_use]
pub(crate) fn escaped(json: Vec<u8>) -> Vec<u8> {
    // Most text is ASCII, and most other text has none of the bytes with which such a character
    // begins.
    if (json.is_ascii() && !json.contains(&0x7f)) || !json.chunks(256).any(may_have_some) {
        return json;
    }
    let mut written = Vec::with_capacity(json.len() + json.len() / 8);
    let mut rest = &json[..];
    while let Some((&first, after)) = rest.split_first() {
        let (code, length) = match (first, after) {
            (0x7f, _) => (0x7f, 1),
            (0xc2, [second @ 0x80..=0x9f, ..]) => (u32::from(*second), 2),
            (0xd8, [0x9c, ..]) => (0x61c, 2),
            (0xe2, [0x80, third @ (0x8e | 0x8f | 0xaa..=0xae), ..]) => {
                (0x2000 + u32::from(*third - 0x80), 3)
            }
            (0xe2, [0x81, third @ 0xa6..=0xa9, ..]) => (0x2040 + u32::from(*third - 0x80), 3),
            _ => {
                written.push(first);
                rest = after;
                continue;
            }
        };
        written.extend_from_slice(format!("\\u{code:04x}").as_bytes());
        rest = &rest[length..];
    }
    written
}

/// Has no early return, so that the compiler can vectorise it.
fn may_have_some(chunk: &[u8]) -> bool {
    chunk.iter().fold(false, |found, &byte| {
        found | (byte == 0x7f) | (byte == 0xc2) | (byte == 0xd8) | (byte == 0xe2)
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn is_control(c: char) -> bool {
        matches!(c, '\u{0}'..='\u{1f}' | '\u{7f}'..='\u{9f}' | '\u{61c}' | '\u{200e}' | '\u{200f}'
            | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
    }

    #[test]
    fn every_control_is_escaped_and_no_other_character() {
        for c in ('\0'..=char::MAX).filter(|c| !matches!(c, '"' | '\\')) {
            let json = to_string(&c).unwrap();
            assert_eq!(json.contains('\\'), is_control(c), "{:x}", u32::from(c));
            assert!(!json.chars().any(is_control), "{:x}", u32::from(c));
            assert_eq!(serde_json::from_str::<char>(&json).unwrap(), c);
        }
        assert_eq!(to_string("a\u{7f}\u{9b}\u{202e}b").unwrap(), r#""a\u007f\u009b\u202eb""#);
    }

    proptest! {
        #[test]
        fn it_is_read_back_as_the_same_text(
            text in "([a-zé\\\\\"\u{7f}-\u{9f}\u{61c}\u{200e}\u{202e}\u{2066}\u{2028}‘]|.){0,600}",
        ) {
            let json = to_vec(&[&text]).unwrap();
            prop_assert_eq!(&serde_json::from_slice::<[String; 1]>(&json).unwrap()[0], &text);
            prop_assert!(!std::str::from_utf8(&json).unwrap().chars().any(is_control));
        }
    }
}
