//! Output of steps -> what `wfx logs` writes.

use std::collections::BTreeMap;

use crate::base::visible::write_visible;
use crate::base::zone::Zone;
use crate::workflow::output::lines::NamedPart;
use crate::workflow::report::Stream;

/// A line is not held back for its time beyond so many bytes.
const LINE_BYTES_MAX: usize = 64 * 1024;

/// How it is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Style {
    /// Byte for byte.
    Raw,
    /// With everything escaped that could drive a terminal.
    Escaped,
    /// A line of JSON for each part.
    Json,
}

/// Writes parts one after the other.
#[derive(Debug)]
pub(crate) struct Lines {
    style: Style,
    has_times: bool,
    zone: Zone,
    /// With times: lines that are not whole yet, each with its time.
    open: BTreeMap<Key, Vec<u8>>,
    /// Without: the beginning of a character.
    cut: BTreeMap<Key, Vec<u8>>,
}

/// Whose line it is.
type Key = (String, u32, bool);

impl Lines {
    #[must_use]
    pub(crate) fn new(style: Style, has_times: bool, zone: Zone) -> Self {
        Self { style, has_times, zone, open: BTreeMap::new(), cut: BTreeMap::new() }
    }

    #[must_use]
    pub(crate) fn is_json(&self) -> bool {
        self.style == Style::Json
    }

    /// Adds a part to `text`.
    pub(crate) fn add(&mut self, part: &NamedPart, text: &mut Vec<u8>) {
        if self.is_json() {
            text.extend_from_slice(part.to_line().as_bytes());
            return;
        }
        let NamedPart::Output { step, attempt, stream, at, bytes, .. } = part else { return };
        let key = (step.clone(), *attempt, *stream == Stream::Stderr);
        if !self.has_times {
            self.write(&key, bytes, text);
            return;
        }
        for line in bytes.split_inclusive(|byte| *byte == b'\n') {
            let mut whole = self
                .open
                .remove(&key)
                .unwrap_or_else(|| format!("{} ", self.zone.millisecond(*at)).into_bytes());
            whole.extend_from_slice(line);
            if line.ends_with(b"\n") || whole.len() > LINE_BYTES_MAX {
                self.write(&key, &whole, text);
            } else {
                self.open.insert(key.clone(), whole);
            }
        }
    }

    /// What was held back.
    #[must_use]
    pub(crate) fn finish(&mut self) -> Vec<u8> {
        let mut text = Vec::new();
        for (key, mut line) in std::mem::take(&mut self.open) {
            line.push(b'\n');
            self.write(&key, &line, &mut text);
        }
        for (_, cut) in std::mem::take(&mut self.cut) {
            escape_bytes(&cut, &mut text);
        }
        text
    }

    fn write(&mut self, key: &Key, bytes: &[u8], text: &mut Vec<u8>) {
        if self.style == Style::Raw {
            text.extend_from_slice(bytes);
            return;
        }
        let joined;
        let mut bytes = bytes;
        if let Some(mut cut) = self.cut.remove(key) {
            cut.extend_from_slice(bytes);
            joined = cut;
            bytes = &joined;
        }
        let mut escaped = String::new();
        while !bytes.is_empty() {
            let (valid, rest) = match std::str::from_utf8(bytes) {
                Ok(valid) => (valid, &[][..]),
                Err(error) => {
                    let (valid, rest) = bytes.split_at(error.valid_up_to());
                    let valid = std::str::from_utf8(valid).unwrap_or_default();
                    if error.error_len().is_none() {
                        self.cut.insert(key.clone(), rest.to_vec());
                        (valid, &[][..])
                    } else {
                        (valid, rest)
                    }
                }
            };
            for character in valid.chars() {
                match character {
                    '\n' => escaped.push('\n'),
                    character => _ = write_visible(&mut escaped, character, '\t'),
                }
            }
            text.extend_from_slice(escaped.as_bytes());
            escaped.clear();
            if let Some((bad, rest)) = rest.split_first() {
                escape_bytes(&[*bad], text);
                bytes = rest;
            } else {
                bytes = rest;
            }
        }
    }
}

fn escape_bytes(bytes: &[u8], text: &mut Vec<u8>) {
    text.extend(bytes.iter().flat_map(|byte| format!("\\x{byte:02x}").into_bytes()));
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::timestamp::Timestamp;

    fn written(style: Style, has_times: bool, parts: &[(i64, Stream, &[u8])]) -> String {
        let mut lines = Lines::new(style, has_times, Zone::Utc);
        let mut text = Vec::new();
        for (at, stream, bytes) in parts {
            let part = NamedPart::Output {
                from: 0,
                step: "a".to_owned(),
                attempt: 1,
                stream: *stream,
                at: Timestamp::from_micros(*at * 1_000_000),
                bytes: bytes.to_vec(),
            };
            lines.add(&part, &mut text);
        }
        text.extend(lines.finish());
        String::from_utf8(text).unwrap()
    }

    #[test]
    fn nothing_drives_a_terminal() {
        let parts: [(i64, Stream, &[u8]); 4] = [
            (0, Stream::Stdout, b"a\x1b[31mb\r\x07\tc\n\0"),
            (0, Stream::Stdout, b"\xc3"),
            (0, Stream::Stderr, b"other\n"),
            (0, Stream::Stdout, b"\xa4\xff\n"),
        ];
        let text = written(Style::Escaped, false, &parts);
        assert_eq!(text, "a\\u{1b}[31mb\\r\\u{7}\tc\n\\u{0}other\nä\\xff\n");
        let cut = written(Style::Escaped, false, &[(0, Stream::Stdout, b"x\xc3")]);
        assert_eq!(cut, "x\\xc3");
    }

    #[test]
    fn a_line_has_the_time_at_which_it_began() {
        let parts: [(i64, Stream, &[u8]); 4] = [
            (1, Stream::Stdout, b"one, "),
            (2, Stream::Stderr, b"error\n"),
            (3, Stream::Stdout, b"goes on\ntwo\n"),
            (4, Stream::Stdout, b"rest"),
        ];
        let text = written(Style::Raw, true, &parts);
        let lines: Vec<&str> = text.lines().collect();
        assert_eq!(
            lines,
            [
                "1970-01-01T00:00:02.000Z error",
                "1970-01-01T00:00:01.000Z one, goes on",
                "1970-01-01T00:00:03.000Z two",
                "1970-01-01T00:00:04.000Z rest",
            ]
        );
    }
}
