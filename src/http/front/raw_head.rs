//! The head of a request as it was sent.
//!
//! hyper drops a `Content-Length` that stands beside a `Transfer-Encoding`, and takes a
//! bare line feed for the end of a line: two ways to make a proxy and a server disagree
//! about where a request ends. It drops a fragment too, so that they disagree about what is
//! asked for. None of that can be told from what hyper hands out, so the bytes that it reads
//! are kept until the request that they belong to is known.

/// How a request's body is delimited, as hyper understood it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Framing {
    /// So many bytes, 0 where there is no body.
    Length(u64),
    /// Chunks.
    Chunked,
}

/// What was seen in a head.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Head {
    /// A line has the name `Content-Length`. Looked for beside chunks only.
    pub(super) has_length: bool,
    /// A line ends without a carriage return.
    pub(super) has_bare_line_feed: bool,
    /// A `#` stands in the target.
    pub(super) has_fragment: bool,
}

impl Head {
    /// Whether nobody can see its end at another place.
    pub(super) fn is_clear(self) -> bool {
        !self.has_length && !self.has_bare_line_feed
    }
}

/// The capacity that is kept from one request to the next.
const KEPT_BYTES_MAX: usize = 8 * 1024;

/// What hyper has read and not yet handed out.
#[derive(Debug)]
pub(super) struct Tape {
    kept: Vec<u8>,
    /// Where in `kept` the next head begins.
    start: usize,
    rest: Rest,
}

/// What is left of the body of the request that was taken last.
#[derive(Debug)]
enum Rest {
    Length(u64),
    Chunks(Chunks),
    /// Its end was not found: nothing is known of what follows.
    Lost,
}

impl Tape {
    pub(super) fn new() -> Self {
        Self { kept: Vec::new(), start: 0, rest: Rest::Length(0) }
    }

    /// Notes what hyper has read.
    pub(super) fn record(&mut self, bytes: &[u8]) {
        let used = if self.has_more() { 0 } else { self.skip(bytes) };
        let bytes = &bytes[used..];
        if bytes.is_empty() {
            return;
        }
        if self.start > 0 {
            self.kept.drain(..self.start);
            self.start = 0;
        }
        self.kept.extend_from_slice(bytes);
    }

    /// Takes off the head of the request that hyper hands out, `framing` being how its body
    /// ends. `None` when it is not there: then nothing is known of this connection.
    pub(super) fn take(&mut self, framing: Framing) -> Option<Head> {
        if matches!(self.rest, Rest::Lost) {
            return None;
        }
        let Some((head, length)) = scan(&self.kept[self.start..], framing) else {
            *self = Self { rest: Rest::Lost, ..Self::new() };
            return None;
        };
        self.start += length;
        self.rest = match framing {
            Framing::Length(length) => Rest::Length(length),
            Framing::Chunked => Rest::Chunks(Chunks::new()),
        };
        let kept = std::mem::take(&mut self.kept);
        self.start += self.skip(&kept[self.start..]);
        self.kept = kept;
        if self.start == self.kept.len() {
            self.kept.clear();
            self.kept.shrink_to(KEPT_BYTES_MAX);
            self.start = 0;
        }
        Some(head)
    }

    /// Whether something was read of the request after the one that was taken.
    pub(super) fn has_more(&self) -> bool {
        self.start < self.kept.len()
    }

    /// Whether the body of the request that was taken has ended here as well.
    pub(super) fn is_at_end(&self) -> bool {
        matches!(self.rest, Rest::Length(0))
    }

    /// How many of the bytes come before the next head: the rest of a body, and blank lines
    /// (RFC 9112, section 2.2).
    fn skip(&mut self, bytes: &[u8]) -> usize {
        let body = self.skip_body(bytes);
        if !self.is_at_end() {
            return body;
        }
        body + bytes[body..].iter().take_while(|byte| matches!(byte, b'\r' | b'\n')).count()
    }

    fn skip_body(&mut self, bytes: &[u8]) -> usize {
        match &mut self.rest {
            Rest::Length(0) => 0,
            Rest::Length(left) => {
                let used = usize::try_from(*left).map_or(bytes.len(), |left| left.min(bytes.len()));
                *left -= used as u64;
                used
            }
            Rest::Chunks(chunks) => match chunks.skip(bytes) {
                Skipped::All => bytes.len(),
                Skipped::Ended { used } => {
                    self.rest = Rest::Length(0);
                    used
                }
                Skipped::Broken => {
                    self.rest = Rest::Lost;
                    bytes.len()
                }
            },
            Rest::Lost => bytes.len(),
        }
    }
}

/// The head that `bytes` begin with, and its length; `None` where none ends in it.
/// hyper has parsed it already, so its lines are well-formed.
fn scan(bytes: &[u8], framing: Framing) -> Option<(Head, usize)> {
    let mut head = Head::default();
    let mut start = 0;
    loop {
        let end = start + bytes[start..].iter().position(|&byte| byte == b'\n')?;
        let line = &bytes[start..end];
        if start == 0 {
            let target = line.split(|&byte| byte == b' ').nth(1);
            head.has_fragment = target.is_some_and(|target| target.contains(&b'#'));
        }
        start = end + 1;
        let line = line.strip_suffix(b"\r").unwrap_or_else(|| {
            head.has_bare_line_feed = true;
            line
        });
        if line.is_empty() {
            return Some((head, start));
        }
        head.has_length |= framing == Framing::Chunked && is_length(line);
    }
}

fn is_length(line: &[u8]) -> bool {
    let name = line.split(|&byte| byte == b':').next().unwrap_or_default();
    name.trim_ascii().eq_ignore_ascii_case(b"content-length")
}

/// Finds the end of a body in chunks: RFC 9112, section 7.1.
#[derive(Debug)]
struct Chunks {
    at: At,
    size: u64,
}

#[derive(Debug)]
enum At {
    Size,
    Extension,
    SizeLineFeed,
    Data,
    DataReturn,
    DataLineFeed,
    TrailerStart,
    Trailer,
    LastLineFeed,
}

enum Skipped {
    All,
    Ended { used: usize },
    Broken,
}

impl Chunks {
    fn new() -> Self {
        Self { at: At::Size, size: 0 }
    }

    fn skip(&mut self, bytes: &[u8]) -> Skipped {
        let mut next = 0;
        while let Some(&byte) = bytes.get(next) {
            next += 1;
            self.at = match (&self.at, byte) {
                (At::Size, b'0'..=b'9' | b'a'..=b'f' | b'A'..=b'F') => {
                    let digit = char::from(byte).to_digit(16).map_or(0, u64::from);
                    let Some(size) = self.size.checked_mul(16) else { return Skipped::Broken };
                    self.size = size + digit;
                    At::Size
                }
                (At::Size, b';' | b' ' | b'\t') => At::Extension,
                (At::Size | At::Extension, b'\r') => At::SizeLineFeed,
                (At::Extension, other) if other != b'\n' => At::Extension,
                (At::SizeLineFeed, b'\n') if self.size == 0 => At::TrailerStart,
                (At::SizeLineFeed, b'\n') => At::Data,
                (At::Data, _) => {
                    let here = bytes.len() - (next - 1);
                    let used = usize::try_from(self.size).map_or(here, |size| size.min(here));
                    next += used - 1;
                    self.size -= used as u64;
                    if self.size == 0 { At::DataReturn } else { At::Data }
                }
                (At::DataReturn, b'\r') => At::DataLineFeed,
                (At::DataLineFeed, b'\n') => At::Size,
                (At::TrailerStart, b'\r') => At::LastLineFeed,
                (At::Trailer, b'\n') => At::TrailerStart,
                (At::TrailerStart | At::Trailer, other) if other != b'\n' => At::Trailer,
                (At::LastLineFeed, b'\n') => return Skipped::Ended { used: next },
                _ => return Skipped::Broken,
            };
        }
        Skipped::All
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PLAIN: Head = Head { has_length: false, has_bare_line_feed: false, has_fragment: false };

    fn tape(pieces: &[&str]) -> Tape {
        let mut tape = Tape::new();
        for piece in pieces {
            tape.record(piece.as_bytes());
        }
        tape
    }

    #[test]
    fn heads_come_off_one_after_the_other() {
        let mut tape = tape(&["GET / HT", "TP/1.1\r\n\r\nGET /b HTTP/1.1\r\nHost: x\r\n\r\nGE"]);
        assert_eq!(tape.take(Framing::Length(0)), Some(PLAIN));
        assert_eq!(tape.take(Framing::Length(0)), Some(PLAIN));
        assert!(tape.has_more());
        tape.record(b"T / HTTP/1.1\r\n\r\n");
        assert_eq!(tape.take(Framing::Length(0)), Some(PLAIN));
        assert!(!tape.has_more());
    }

    #[test]
    fn bodies_are_no_heads() {
        let mut tape = tape(&["POST / HTTP/1.1\r\n\r\nGE", "T\n\n", "\r\n\r\n"]);
        assert_eq!(tape.take(Framing::Length(11)), Some(PLAIN));
        assert!(!tape.is_at_end());
        tape.record(b"ab\r\n\nX / HTTP/1.1\n\n");
        assert!(tape.is_at_end() && tape.has_more());
        let bare = Head { has_bare_line_feed: true, ..PLAIN };
        assert_eq!(tape.take(Framing::Length(0)), Some(bare));
        assert!(!tape.has_more());
    }

    #[test]
    fn a_length_beside_chunks_is_seen_in_any_spelling() {
        for line in ["Content-Length: 5", "content-LENGTH:5", "Content-Length:"] {
            for head in [
                format!("POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n{line}\r\n\r\n"),
                format!("\r\nPOST / HTTP/1.1\r\n{line}\r\nTransfer-Encoding: chunked\r\n\r\n"),
            ] {
                let seen = tape(&[&head]).take(Framing::Chunked).unwrap();
                assert!(seen.has_length, "{head}");
            }
        }
        let other = "POST / HTTP/1.1\r\nX: Content-Length: 5\r\nX-Content-Length: 5\r\n\r\n";
        assert_eq!(tape(&[other]).take(Framing::Chunked), Some(PLAIN));
    }

    #[test]
    fn a_fragment_is_seen_in_the_target_only() {
        let seen = |head| tape(&[head]).take(Framing::Length(0)).unwrap().has_fragment;
        assert!(seen("GET /# HTTP/1.1\r\nHost: x\r\n\r\n"));
        assert!(seen("\r\nGET /?a#b HTTP/1.1\r\n\r\n"));
        assert!(!seen("GET /%23 HTTP/1.1\r\nX: #\r\n\r\n"));
    }

    #[test]
    fn the_end_of_chunks_is_found_wherever_reads_end() {
        let body = "4;a=b\r\n\r\n0\r\r\nA \r\n0123456789\r\n000\r\nX: y\r\n\r\n";
        let all = format!("POST / HTTP/1.1\r\n\r\n{body}GET / HTTP/1.1\r\n\r\n");
        for at in 0..all.len() {
            let (first, second) = all.split_at(at);
            let mut tape = tape(&[first]);
            let head = "POST / HTTP/1.1\r\n\r\n".len();
            if at < head {
                tape.record(second.as_bytes());
            }
            assert_eq!(tape.take(Framing::Chunked), Some(PLAIN));
            if at >= head {
                tape.record(second.as_bytes());
            }
            assert!(tape.is_at_end(), "{at}");
            assert_eq!(tape.take(Framing::Length(0)), Some(PLAIN), "{at}");
            assert!(!tape.has_more());
        }
    }

    #[test]
    fn what_is_not_understood_is_lost() {
        for body in ["x\r\n", "1\nx", "1\r\nxx", "0\r\n\n", "fffffffffffffffff\r\n", "1;\n"] {
            let mut tape = tape(&["POST / HTTP/1.1\r\n\r\n", body]);
            tape.take(Framing::Chunked).unwrap();
            assert!(!tape.is_at_end(), "{body:?}");
            assert_eq!(tape.take(Framing::Length(0)), None);
        }
        assert_eq!(tape(&["GET / HTTP/1.1\r\n"]).take(Framing::Length(0)), None);
    }
}
