//! What steps print, as pieces in the order of arrival.
//!
//! Two counts give a piece its place, each of bytes as they were written, whatever was dropped: that
//! of its attempt and that of its execution. [`arrivals`] holds what is not stored yet, in bounded
//! memory; [`chunk`] is the form in which pieces of one attempt are stored; [`page`] puts stored
//! chunks together again, and finds what is missing between them; [`lines`] is their JSON; [`tail`]
//! the end of one stream.

pub(crate) mod arrivals;
pub(crate) mod budget;
pub(crate) mod chunk;
pub(crate) mod lines;
pub(crate) mod page;
pub(crate) mod tail;

use crate::base::timestamp::Timestamp;
use crate::workflow::report::Stream;

/// How many bytes were written to each of the two streams.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Counts {
    /// To standard output.
    pub stdout: u64,
    /// To standard error.
    pub stderr: u64,
}

impl Counts {
    /// Both streams together.
    #[must_use]
    pub(crate) fn total(self) -> u64 {
        self.stdout + self.stderr
    }

    /// Of one stream, or with `None` of both.
    #[must_use]
    pub(crate) fn of(self, stream: Option<Stream>) -> u64 {
        match stream {
            None => self.total(),
            Some(Stream::Stdout) => self.stdout,
            Some(Stream::Stderr) => self.stderr,
        }
    }

    /// Counts so many bytes more.
    pub(crate) fn add(&mut self, stream: Stream, bytes: u64) {
        match stream {
            Stream::Stdout => self.stdout += bytes,
            Stream::Stderr => self.stderr += bytes,
        }
    }

    /// The sum of both.
    #[must_use]
    pub(crate) fn plus(self, other: Self) -> Self {
        Self { stdout: self.stdout + other.stdout, stderr: self.stderr + other.stderr }
    }

    /// How much more this is than `earlier`.
    #[must_use]
    pub(crate) fn since(self, earlier: Self) -> Self {
        Self {
            stdout: self.stdout.saturating_sub(earlier.stdout),
            stderr: self.stderr.saturating_sub(earlier.stderr),
        }
    }

    /// The larger of both, for each stream.
    #[must_use]
    pub(crate) fn max(self, other: Self) -> Self {
        Self { stdout: self.stdout.max(other.stdout), stderr: self.stderr.max(other.stderr) }
    }
}

/// Which attempt printed something.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Source {
    /// The position of its step or handler.
    pub position: u32,
    /// From 1.
    pub attempt: u32,
}

/// Bytes of one stream that came together.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Piece {
    pub(crate) source: Source,
    pub(crate) stream: Stream,
    /// When its first bytes came.
    pub(crate) at: Timestamp,
    /// What its attempt had written before it.
    pub(crate) own: Counts,
    /// What its execution had written before it.
    pub(crate) all: Counts,
    /// How many bytes it has.
    pub(crate) bytes: u64,
}

impl Piece {
    /// What its attempt had written after it.
    #[must_use]
    pub(crate) fn own_end(&self) -> Counts {
        let mut end = self.own;
        end.add(self.stream, self.bytes);
        end
    }

    /// What its execution had written after it.
    #[must_use]
    pub(crate) fn all_end(&self) -> Counts {
        let mut end = self.all;
        end.add(self.stream, self.bytes);
        end
    }
}
