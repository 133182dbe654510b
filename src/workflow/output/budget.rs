//! How much of the output of an attempt is kept: its beginning and its most recent part.

/// The most that is kept of the beginning.
const HEAD_BYTES_MAX: u64 = 1 << 20;
/// The most bytes in a chunk: enough to be compressed well.
const CHUNK_BYTES_MAX: u64 = 256 << 10;
/// A chunk is at most this part of what is kept of the most recent output, so that little more than
/// a chunk's worth of it is missing.
const CHUNKS_MIN: u64 = 8;

/// What is kept of the output of one attempt, bytes as they were written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct AttemptBudget {
    /// Of its beginning.
    pub(crate) head: u64,
    /// Of its most recent part.
    pub(crate) recent: u64,
    /// The most bytes in one chunk.
    pub(crate) chunk: u64,
}

impl AttemptBudget {
    /// `None` for a limit of 0: no chunk is kept.
    #[must_use]
    pub(crate) fn of(limit: u64) -> Option<Self> {
        if limit == 0 {
            return None;
        }
        let head = HEAD_BYTES_MAX.min(limit / 2);
        let recent = limit - head;
        Some(Self { head, recent, chunk: CHUNK_BYTES_MAX.min(recent.div_ceil(CHUNKS_MIN)) })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_parts_are_the_limit() {
        assert_eq!(AttemptBudget::of(0), None);
        for limit in [1, 2, 3, 100, 65_536, 1 << 20, 64 << 20, 1 << 40] {
            let AttemptBudget { head, recent, chunk } = AttemptBudget::of(limit).unwrap();
            assert_eq!(head + recent, limit);
            assert_eq!(head, (1 << 20).min(limit / 2));
            assert!(chunk >= 1 && chunk <= recent, "{limit}: {chunk}");
        }
    }
}
