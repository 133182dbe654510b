//! Why logs cannot be read.

use std::io;

use super::foreign::Foreign;
use super::{Tally, Unparsed};
use crate::base::units::count;

/// Why logs cannot be read.
#[derive(Debug, thiserror::Error)]
#[error("{message}")]
pub struct TraceError {
    message: String,
    hint: String,
    is_environment: bool,
}

const FORMATS: &str = "NDJSON and CSV with a header of `t` and `status` are known by themselves; \
     of an access log say the format, such as --log-format 'combined $request_time'";

impl TraceError {
    fn input(message: String, hint: impl Into<String>) -> Self {
        Self { message, hint: hint.into(), is_environment: false }
    }

    /// What can be done.
    #[must_use]
    pub fn hint(&self) -> &str {
        &self.hint
    }

    /// Whether the machine is at fault, not the log.
    #[must_use]
    pub fn is_environment(&self) -> bool {
        self.is_environment
    }

    /// A source cannot be read any further.
    pub(super) fn unreadable(
        source: &str,
        error: &io::Error,
        lines: u64,
        is_compressed: bool,
    ) -> Self {
        let message =
            format!("cannot read {source}: {error}; {} of it read before", count(lines, "line"));
        Self::input(
            message,
            if is_compressed {
                "the file is damaged or was not written to its end: `gzip -t` tells"
            } else {
                "is it a file, and may it be read?"
            },
        )
    }

    /// A source is something else than a log of requests that wfx reads.
    pub(super) fn foreign(source: &str, foreign: &Foreign) -> Self {
        Self::input(format!("{source} is {}", foreign.what), &*foreign.remedy)
    }

    /// The first lines of a source are of no format.
    pub(super) fn unknown_format(source: &str) -> Self {
        Self::input(format!("{source} is in no format that wfx knows by its first lines"), FORMATS)
    }

    /// A line that does not parse, when all have to.
    pub(super) fn strict(unparsed: &Unparsed) -> Self {
        Self::input(
            unparsed.to_string(),
            "mend the line; without --strict it is skipped and counted",
        )
    }

    /// No source contains an event; `last` is the name of the last one.
    pub(super) fn none_parses(last: &str, tally: &Tally) -> Self {
        let Some(first) = tally.examples.first() else {
            return Self::input(format!("there is no event in {last}"), FORMATS);
        };
        let lines = count(tally.lines, "line");
        let message = format!("no event in {lines}; the first: {first}");
        match &tally.foreign {
            Some((what, remedy)) => Self::input(message, format!("it is {what}; {remedy}")),
            None => Self::input(message, FORMATS),
        }
    }

    /// A temporary file cannot be written or read.
    pub(super) fn temporary(error: &io::Error) -> Self {
        Self {
            message: format!(
                "the log does not fit into memory, and a temporary file failed: {error}"
            ),
            hint: "set TMPDIR to a folder on a disk that has room for as much as the log"
                .to_owned(),
            is_environment: true,
        }
    }

    /// The thread that reads.
    pub(super) fn thread(error: &io::Error) -> Self {
        Self {
            message: format!("the thread that reads the log failed: {error}"),
            hint: "the machine may be short of memory or processes: `ulimit -u` tells".to_owned(),
            is_environment: true,
        }
    }
}
