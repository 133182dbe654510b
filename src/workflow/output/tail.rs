//! The end of a stream of any length, in bounded memory.

use crate::workflow::record::{Captured, OUTPUT_KEPT_BYTES};

/// All that a stream had, as far as an output can hold it.
#[derive(Debug, Default)]
pub(crate) struct Whole {
    /// `None` if it is longer than is kept.
    pub bytes: Option<Vec<u8>>,
    /// How many bytes it had.
    pub total_bytes: u64,
}

/// Keeps the last [`OUTPUT_KEPT_BYTES`] of what it is given.
#[derive(Debug, Default)]
pub(crate) struct Tail {
    bytes: Vec<u8>,
    total_bytes: u64,
}

impl Tail {
    /// Adds what was read next.
    pub(crate) fn push(&mut self, chunk: &[u8]) {
        self.total_bytes += chunk.len() as u64;
        let chunk = &chunk[chunk.len().saturating_sub(OUTPUT_KEPT_BYTES)..];
        // Twice the size before it is cut: each byte is moved once at the most.
        if self.bytes.len() + chunk.len() > 2 * OUTPUT_KEPT_BYTES {
            let keep = OUTPUT_KEPT_BYTES - chunk.len();
            self.bytes.drain(..self.bytes.len().saturating_sub(keep));
        }
        self.bytes.extend_from_slice(chunk);
    }

    /// Everything so far, if nothing of it was dropped.
    #[must_use]
    pub(crate) fn whole(&self) -> Whole {
        let is_whole = self.bytes.len() as u64 == self.total_bytes;
        Whole { bytes: is_whole.then(|| self.bytes.clone()), total_bytes: self.total_bytes }
    }

    /// As [`Self::finish`], of a stream of which only the end was pushed.
    #[must_use]
    pub(crate) fn finish_of(mut self, total_bytes: u64) -> Captured {
        self.total_bytes = self.total_bytes.max(total_bytes);
        self.finish()
    }

    /// The end of the stream as text. A character cut in half at the front is left out.
    #[must_use]
    pub(crate) fn finish(self) -> Captured {
        let mut start = self.bytes.len().saturating_sub(OUTPUT_KEPT_BYTES);
        if start > 0 || self.total_bytes > self.bytes.len() as u64 {
            let is_continuation = |byte: &u8| byte & 0b1100_0000 == 0b1000_0000;
            start += self.bytes[start..].iter().take(3).take_while(|b| is_continuation(b)).count();
        }
        Captured {
            text: String::from_utf8_lossy(&self.bytes[start..]).into_owned(),
            total_bytes: self.total_bytes,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_end_is_retained_for_any_chunks() {
        let all: Vec<u8> = (0..300_000_u32).map(|n| b'a' + u8::try_from(n % 26).unwrap()).collect();
        for size in [1, 7, 4_096, 65_536, 65_537, 200_000] {
            let mut tail = Tail::default();
            all.chunks(size).for_each(|chunk| tail.push(chunk));
            assert!(tail.bytes.len() <= 2 * OUTPUT_KEPT_BYTES);
            let captured = tail.finish();
            assert_eq!(captured.text.as_bytes(), &all[all.len() - OUTPUT_KEPT_BYTES..]);
            assert_eq!(captured.total_bytes, 300_000);
            assert!(captured.is_truncated());
        }
    }

    #[test]
    fn a_short_text_is_whole_and_bad_bytes_are_replaced() {
        let mut tail = Tail::default();
        tail.push("grüße".as_bytes());
        tail.push(&[0xff]);
        let captured = tail.finish();
        assert_eq!(captured.text, "grüße\u{fffd}");
        assert!(!captured.is_truncated());
    }

    #[test]
    fn a_character_cut_at_the_front_is_left_out() {
        let mut tail = Tail::default();
        tail.push("ü".repeat(40_000).as_bytes());
        tail.push(b"x");
        let captured = tail.finish();
        assert!(captured.text.starts_with('ü') && captured.text.ends_with('x'));
    }
}
