//! The head of a request as it was sent.
//!
//! hyper drops a `Content-Length` that stands beside a `Transfer-Encoding`, and takes a
//! bare line feed for the end of a line: two ways to make a proxy and a server disagree
//! about where a request ends. It drops a fragment too, so that they disagree about what is
//! asked for. None of that can be seen in what hyper hands out, so the bytes that it reads
//! are kept until the request that they belong to is known.

/// How a request's body is delimited, as hyper understood it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Framing {
    /// So many bytes, 0 where there is no body.
    Length(u64),
    Chunked,
}

/// What was seen in a head.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct RawHead {
    /// A line has the name `Content-Length`. Looked for beside chunks only.
    pub(super) has_length: bool,
    /// A line ends without a carriage return.
    pub(super) has_bare_line_feed: bool,
    /// A `#` stands in the target.
    pub(super) has_fragment: bool,
}

impl RawHead {
    /// Whether every reader sees its end at the same place.
    pub(super) fn is_clear(self) -> bool {
        !self.has_length && !self.has_bare_line_feed
    }
}

/// The capacity that is kept from one request to the next.
const KEPT_BYTES_MAX: usize = 8 * 1024;

/// The bytes that hyper has read and not yet handed out as a request.
#[derive(Debug)]
pub(super) struct RawHeadBuffer {
    kept: Vec<u8>,
    /// Where in `kept` the next head begins.
    start: usize,
    rest: BodyRest,
}

/// What is still to come of the body of the request whose head was taken last.
#[derive(Debug)]
enum BodyRest {
    Length(u64),
    Chunks(ChunkScanner),
    /// Its end was not found: nothing is known of what follows.
    Lost,
}

impl RawHeadBuffer {
    pub(super) fn new() -> Self {
        Self { kept: Vec::new(), start: 0, rest: BodyRest::Length(0) }
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
    pub(super) fn take_head(&mut self, framing: Framing) -> Option<RawHead> {
        if matches!(self.rest, BodyRest::Lost) {
            return None;
        }
        let Some((head, length)) = scan(&self.kept[self.start..], framing) else {
            *self = Self { rest: BodyRest::Lost, ..Self::new() };
            return None;
        };
        self.start += length;
        self.rest = match framing {
            Framing::Length(length) => BodyRest::Length(length),
            Framing::Chunked => BodyRest::Chunks(ChunkScanner::new()),
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
        matches!(self.rest, BodyRest::Length(0))
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
            BodyRest::Length(0) => 0,
            BodyRest::Length(left) => {
                let used = usize::try_from(*left).map_or(bytes.len(), |left| left.min(bytes.len()));
                *left -= used as u64;
                used
            }
            BodyRest::Chunks(chunks) => match chunks.skip(bytes) {
                SkipOutcome::All => bytes.len(),
                SkipOutcome::Ended { used } => {
                    self.rest = BodyRest::Length(0);
                    used
                }
                SkipOutcome::Broken => {
                    self.rest = BodyRest::Lost;
                    bytes.len()
                }
            },
            BodyRest::Lost => bytes.len(),
        }
    }
}

/// The head that `bytes` begin with, and its length; `None` where none ends in it.
/// hyper has parsed it already, so its lines are well-formed.
fn scan(bytes: &[u8], framing: Framing) -> Option<(RawHead, usize)> {
    let mut head = RawHead::default();
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
struct ChunkScanner {
    state: ChunkState,
    size: u64,
}

#[derive(Debug)]
enum ChunkState {
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

enum SkipOutcome {
    All,
    Ended { used: usize },
    Broken,
}

impl ChunkScanner {
    fn new() -> Self {
        Self { state: ChunkState::Size, size: 0 }
    }

    fn skip(&mut self, bytes: &[u8]) -> SkipOutcome {
        let mut next = 0;
        while let Some(&byte) = bytes.get(next) {
            next += 1;
            self.state = match (&self.state, byte) {
                (ChunkState::Size, b'0'..=b'9' | b'a'..=b'f' | b'A'..=b'F') => {
                    let digit = char::from(byte).to_digit(16).map_or(0, u64::from);
                    let Some(size) = self.size.checked_mul(16) else { return SkipOutcome::Broken };
                    self.size = size + digit;
                    ChunkState::Size
                }
                (ChunkState::Size, b';' | b' ' | b'\t') => ChunkState::Extension,
                (ChunkState::Size | ChunkState::Extension, b'\r') => ChunkState::SizeLineFeed,
                (ChunkState::Extension, other) if other != b'\n' => ChunkState::Extension,
                (ChunkState::SizeLineFeed, b'\n') if self.size == 0 => ChunkState::TrailerStart,
                (ChunkState::SizeLineFeed, b'\n') => ChunkState::Data,
                (ChunkState::Data, _) => {
                    let here = bytes.len() - (next - 1);
                    let used = usize::try_from(self.size).map_or(here, |size| size.min(here));
                    next += used - 1;
                    self.size -= used as u64;
                    if self.size == 0 { ChunkState::DataReturn } else { ChunkState::Data }
                }
                (ChunkState::DataReturn, b'\r') => ChunkState::DataLineFeed,
                (ChunkState::DataLineFeed, b'\n') => ChunkState::Size,
                (ChunkState::TrailerStart, b'\r') => ChunkState::LastLineFeed,
                (ChunkState::Trailer, b'\n') => ChunkState::TrailerStart,
                (ChunkState::TrailerStart | ChunkState::Trailer, other) if other != b'\n' => {
                    ChunkState::Trailer
                }
                (ChunkState::LastLineFeed, b'\n') => return SkipOutcome::Ended { used: next },
                _ => return SkipOutcome::Broken,
            };
        }
        SkipOutcome::All
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PLAIN: RawHead =
        RawHead { has_length: false, has_bare_line_feed: false, has_fragment: false };

    fn buffer_with(pieces: &[&str]) -> RawHeadBuffer {
        let mut buffer = RawHeadBuffer::new();
        for piece in pieces {
            buffer.record(piece.as_bytes());
        }
        buffer
    }

    #[test]
    fn heads_come_off_one_after_the_other() {
        let mut buffer =
            buffer_with(&["GET / HT", "TP/1.1\r\n\r\nGET /b HTTP/1.1\r\nHost: x\r\n\r\nGE"]);
        assert_eq!(buffer.take_head(Framing::Length(0)), Some(PLAIN));
        assert_eq!(buffer.take_head(Framing::Length(0)), Some(PLAIN));
        assert!(buffer.has_more());
        buffer.record(b"T / HTTP/1.1\r\n\r\n");
        assert_eq!(buffer.take_head(Framing::Length(0)), Some(PLAIN));
        assert!(!buffer.has_more());
    }

    #[test]
    fn bodies_are_no_heads() {
        let mut buffer = buffer_with(&["POST / HTTP/1.1\r\n\r\nGE", "T\n\n", "\r\n\r\n"]);
        assert_eq!(buffer.take_head(Framing::Length(11)), Some(PLAIN));
        assert!(!buffer.is_at_end());
        buffer.record(b"ab\r\n\nX / HTTP/1.1\n\n");
        assert!(buffer.is_at_end() && buffer.has_more());
        let bare = RawHead { has_bare_line_feed: true, ..PLAIN };
        assert_eq!(buffer.take_head(Framing::Length(0)), Some(bare));
        assert!(!buffer.has_more());
    }

    #[test]
    fn a_length_beside_chunks_is_seen_in_any_spelling() {
        for line in ["Content-Length: 5", "content-LENGTH:5", "Content-Length:"] {
            for head in [
                format!("POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n{line}\r\n\r\n"),
                format!("\r\nPOST / HTTP/1.1\r\n{line}\r\nTransfer-Encoding: chunked\r\n\r\n"),
            ] {
                let seen = buffer_with(&[&head]).take_head(Framing::Chunked).unwrap();
                assert!(seen.has_length, "{head}");
            }
        }
        let other = "POST / HTTP/1.1\r\nX: Content-Length: 5\r\nX-Content-Length: 5\r\n\r\n";
        assert_eq!(buffer_with(&[other]).take_head(Framing::Chunked), Some(PLAIN));
    }

    #[test]
    fn a_fragment_is_seen_in_the_target_only() {
        let seen = |head| buffer_with(&[head]).take_head(Framing::Length(0)).unwrap().has_fragment;
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
            let mut buffer = buffer_with(&[first]);
            let head = "POST / HTTP/1.1\r\n\r\n".len();
            if at < head {
                buffer.record(second.as_bytes());
            }
            assert_eq!(buffer.take_head(Framing::Chunked), Some(PLAIN));
            if at >= head {
                buffer.record(second.as_bytes());
            }
            assert!(buffer.is_at_end(), "{at}");
            assert_eq!(buffer.take_head(Framing::Length(0)), Some(PLAIN), "{at}");
            assert!(!buffer.has_more());
        }
    }

    #[test]
    fn what_is_not_understood_is_lost() {
        for body in ["x\r\n", "1\nx", "1\r\nxx", "0\r\n\n", "fffffffffffffffff\r\n", "1;\n"] {
            let mut buffer = buffer_with(&["POST / HTTP/1.1\r\n\r\n", body]);
            buffer.take_head(Framing::Chunked).unwrap();
            assert!(!buffer.is_at_end(), "{body:?}");
            assert_eq!(buffer.take_head(Framing::Length(0)), None);
        }
        assert_eq!(buffer_with(&["GET / HTTP/1.1\r\n"]).take_head(Framing::Length(0)), None);
    }
}
