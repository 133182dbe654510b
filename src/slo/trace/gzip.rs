//! Reads gzip files, member by member (RFC 1952), and data that was appended after the last member.

use std::io::{self, BufRead, ErrorKind, Read};

use flate2::bufread::GzDecoder;

/// The text of all members. Zeros after a member are padding; other bytes that begin no member are
/// text that was appended uncompressed.
#[derive(Debug)]
pub(super) struct Members<R> {
    now: Option<Now<R>>,
}

#[derive(Debug)]
enum Now<R> {
    Member(GzDecoder<R>),
    Plain(R),
}

/// What a member begins with.
const MAGIC: u8 = 0x1f;

impl<R: BufRead> Members<R> {
    pub(super) fn new(reader: R) -> Self {
        Self { now: Some(Now::Member(GzDecoder::new(reader))) }
    }
}

impl<R: BufRead> Read for Members<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if buffer.is_empty() {
            return Ok(0);
        }
        loop {
            let count = match &mut self.now {
                Some(Now::Member(member)) => member.read(buffer)?,
                Some(Now::Plain(rest)) => return rest.read(buffer),
                None => return Ok(0),
            };
            if count > 0 {
                return Ok(count);
            }
            let Some(Now::Member(member)) = self.now.take() else { return Ok(0) };
            let mut rest = member.into_inner();
            self.now = match skip_zeros(&mut rest)? {
                None => None,
                Some(MAGIC) => Some(Now::Member(GzDecoder::new(rest))),
                Some(_) => Some(Now::Plain(rest)),
            };
        }
    }
}

/// The first byte that is not zero, which stays.
fn skip_zeros(reader: &mut impl BufRead) -> io::Result<Option<u8>> {
    loop {
        let bytes = match reader.fill_buf() {
            Ok(bytes) => bytes,
            Err(error) if error.kind() == ErrorKind::Interrupted => continue,
            Err(error) => return Err(error),
        };
        if bytes.is_empty() {
            return Ok(None);
        }
        let zeros = bytes.iter().take_while(|byte| **byte == 0).count();
        let next = bytes.get(zeros).copied();
        reader.consume(zeros);
        if next.is_some() {
            return Ok(next);
        }
    }
}
