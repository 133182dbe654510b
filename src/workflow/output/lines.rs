//! Output as JSON, a line for each part: what the API and `wfx logs --format jsonl` give.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde::{Deserialize, Serialize};

use super::page::Part;
use crate::base::timestamp::Timestamp;
use crate::workflow::report::Stream;

/// A part of the output, with the name of the step.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum NamedPart {
    Output {
        /// Its place in the selection, bytes.
        from: u64,
        step: String,
        attempt: u32,
        stream: Stream,
        at: Timestamp,
        bytes: Vec<u8>,
    },
    /// Bytes that were written and are not kept.
    Gap { from: u64, bytes: u64 },
}

/// A part of the selected output that is shown.
#[derive(Debug, Default)]
pub(crate) struct NamedPage {
    pub(crate) parts: Vec<NamedPart>,
    /// Where the next page begins.
    pub(crate) next_from: u64,
    /// Nothing follows.
    pub(crate) is_complete: bool,
}

/// One line.
#[derive(Debug, Default, Serialize, Deserialize)]
struct Line {
    from: u64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    step: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    attempt: Option<u32>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    stream: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    at: Option<Timestamp>,
    /// The bytes, if they are UTF-8.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    text: Option<String>,
    /// The bytes otherwise.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    base64: Option<String>,
    /// How many bytes are missing here.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    dropped: Option<u64>,
}

impl NamedPart {
    /// With the name that `name` gives for the position.
    pub(crate) fn of(part: Part, name: impl Fn(u32) -> String) -> Self {
        match part {
            Part::Gap { from, bytes } => Self::Gap { from, bytes },
            Part::Output { from, piece, bytes } => Self::Output {
                from,
                step: name(piece.source.position),
                attempt: piece.source.attempt,
                stream: piece.stream,
                at: piece.at,
                bytes,
            },
        }
    }

    /// As a line, with its end.
    #[must_use]
    pub(crate) fn to_line(&self) -> String {
        let line = match self {
            Self::Gap { from, bytes } => {
                Line { from: *from, dropped: Some(*bytes), ..Line::default() }
            }
            Self::Output { from, step, attempt, stream, at, bytes } => {
                let text = std::str::from_utf8(bytes).ok().map(str::to_owned);
                let base64 = text.is_none().then(|| STANDARD.encode(bytes));
                Line {
                    from: *from,
                    step: Some(step.clone()),
                    attempt: Some(*attempt),
                    stream: Some(stream.as_str().to_owned()),
                    at: Some(*at),
                    text,
                    base64,
                    dropped: None,
                }
            }
        };
        // Texts and numbers are JSON, whatever they are.
        let mut text = crate::base::json::to_string(&line).unwrap_or_default();
        text.push('\n');
        text
    }

    /// Reads a line; `None` for what is none.
    #[must_use]
    pub(crate) fn parse(line: &[u8]) -> Option<Self> {
        let line: Line = serde_json::from_slice(line).ok()?;
        if let Some(bytes) = line.dropped {
            return Some(Self::Gap { from: line.from, bytes });
        }
        let bytes = match (line.text, line.base64) {
            (Some(text), _) => text.into_bytes(),
            (None, Some(base64)) => STANDARD.decode(base64).ok()?,
            (None, None) => return None,
        };
        Some(Self::Output {
            from: line.from,
            step: line.step?,
            attempt: line.attempt?,
            stream: line.stream?.parse().ok()?,
            at: line.at?,
            bytes,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_is_read_back_whatever_was_printed() {
        let at = Timestamp::from_micros(1_700_000_000_000_000);
        for bytes in [&b"plain\n"[..], b"\0\x1b[31m\r\xc3\xa4", b"\xff\xfe", b""] {
            let (step, stream) = ("a \"b\"".to_owned(), Stream::Stderr);
            let bytes = bytes.to_vec();
            let part = NamedPart::Output { from: 7, step, attempt: 2, stream, at, bytes };
            let line = part.to_line();
            assert_eq!(line.matches('\n').count(), 1, "{line}");
            assert_eq!(NamedPart::parse(line.trim_end().as_bytes()), Some(part));
        }
        let gap = NamedPart::Gap { from: 3, bytes: 9 };
        assert_eq!(gap.to_line(), "{\"from\":3,\"dropped\":9}\n");
        assert_eq!(NamedPart::parse(gap.to_line().as_bytes()), Some(gap));
        assert_eq!(NamedPart::parse(b"{\"from\":1}"), None);
    }
}
