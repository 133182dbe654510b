//! Request logs as events in order of time.
//!
//! A source is NDJSON, CSV with a header, or the access log of a server, plain or compressed by
//! gzip; its first bytes and lines show which one. Memory is bounded for a log of any length: what
//! does not fit goes to a temporary file.
//!
//! - [`LogFormat`]: formats of access logs, in the configuration syntax of nginx and Apache
//! - [`read`]: sources in, a [`Trace`] out
//! - [`Trace::replay`]: its events, in order
//!
//! Times are exact to the microsecond; further digits are cut.

mod access;
mod csv;
mod error;
mod foreign;
pub(crate) mod format;
mod gzip;
mod input;
mod intake;
mod json_value;
mod line;
mod ndjson;
mod paths;
mod recognise;
mod servers;
mod sort;
mod spill;
mod time;
mod w3c;

use std::fmt;
use std::io::Read;

pub(crate) use error::TraceError;
pub(crate) use format::{LogFormat, LogFormatError};
pub(crate) use paths::PathRef;

use super::engine::Event;
use input::Input;
use intake::Intake;
use paths::Paths;
use sort::Sorter;

/// A log, or a part of one.
pub struct Source {
    /// What messages call it.
    pub name: String,
    /// What is in it.
    pub reader: Box<dyn Read + Send>,
}

impl fmt::Debug for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Source").field("name", &self.name).finish_non_exhaustive()
    }
}

/// How logs are read.
#[derive(Debug, Clone, Default)]
pub struct Options {
    /// The format of access logs. Without one no access log is read.
    pub log_format: Option<LogFormat>,
    /// Keeps the events in the order of the lines.
    pub as_given: bool,
    /// Stops at the first line that does not parse.
    pub strict: bool,
}

/// What was found in the logs.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Tally {
    /// Lines that are not empty, headers with them.
    pub lines: u64,
    /// Events to be judged.
    pub events: u64,
    /// Events with `"slo": false`.
    pub left_out: u64,
    /// Lines that did not parse.
    pub unparsed: u64,
    /// The first five of these.
    pub examples: Vec<Unparsed>,
    /// A description of the first of these, and the remedy.
    pub foreign: Option<(String, String)>,
    /// Events that are earlier than one before them in their source.
    pub out_of_order: u64,
    /// Events without a known latency.
    pub without_latency: u64,
    /// Of these, those whose lines end before the duration.
    pub cut_off: u64,
    /// Events without a status (`000`, `-1`, `-`): no answer was sent.
    pub without_status: u64,
    /// Events whose time has no zone; it is read as UTC.
    pub without_zone: u64,
    /// Events whose `$request_time` is a whole number, which nginx never writes.
    pub whole_durations: u64,
    /// The compressed sources that end early, each with how many lines of it were read.
    pub ended_early: Vec<(String, u64)>,
    /// With [`Options::as_given`]: events far ahead of later lines.
    pub ahead: Option<Ahead>,
    /// Whether `t` counts from the Unix epoch: all times are dates, or numbers that are
    /// none from before September 2001.
    pub is_epoch: bool,
}

/// A line whose time is far ahead of that of lines after it, which are judged at it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ahead {
    /// The name of its source.
    pub source: String,
    /// Its number in it, from 1.
    pub line: u64,
    /// How far it is ahead of the earliest one after it, microseconds.
    pub by_us: u64,
    /// How many events after it are more than [`AHEAD_US`] earlier.
    pub events: u64,
}

/// How far ahead a line may be when lines are taken as given, microseconds.
pub(crate) const AHEAD_US: u64 = 300_000_000;

/// A line that did not parse.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unparsed {
    /// The name of its source.
    pub source: String,
    /// Its number in it, from 1.
    pub line: u64,
    /// What is wrong with it.
    pub why: String,
}

impl fmt::Display for Unparsed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}: {}", self.source, self.line, self.why)
    }
}

/// The events of logs.
#[derive(Debug)]
pub struct Trace {
    /// What was found.
    pub tally: Tally,
    span_us: Option<(u64, u64)>,
    events: Sorter,
    paths: Paths,
}

/// What is held in memory.
#[derive(Debug, Clone, Copy)]
struct Limits {
    events: usize,
    path_bytes: usize,
}

/// 48 MiB of events, and half of that while they are sorted; 32 MiB of paths, and as
/// much again for their index.
const LIMITS: Limits = Limits { events: 1 << 21, path_bytes: 32 * 1024 * 1024 };

/// Reads logs. `progress` is called repeatedly with the number of bytes read, before decompression.
///
/// # Errors
/// When a source cannot be read, is in no known format, no line parses, a line does not and
/// `strict` is set, or no temporary file can be written.
pub fn read(
    sources: Vec<Source>,
    options: &Options,
    progress: &mut dyn FnMut(u64),
) -> Result<Trace, TraceError> {
    read_within(LIMITS, sources, options, progress)
}

fn read_within(
    limits: Limits,
    sources: Vec<Source>,
    options: &Options,
    progress: &mut dyn FnMut(u64),
) -> Result<Trace, TraceError> {
    let input = Input::start(sources).map_err(|error| TraceError::thread(&error))?;
    let mut intake = Intake::new(options, limits);
    while let Some(item) = input.next() {
        let Some(block) = intake.take(item)? else { return intake.finish() };
        input.give_back(block);
        progress(input.bytes());
    }
    Err(TraceError::thread(&std::io::Error::other("it ended early")))
}

impl Trace {
    /// How many events there are.
    #[must_use]
    pub fn len(&self) -> u64 {
        self.tally.events
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.tally.events == 0
    }

    /// The times of the earliest and of the latest event, microseconds.
    #[must_use]
    pub fn span_us(&self) -> Option<(u64, u64)> {
        self.span_us
    }

    /// Calls `each` with each event and the reference to its path: by time, events at one instant
    /// in the order of their lines; or in the given order, if that was requested. May be called
    /// repeatedly.
    ///
    /// # Errors
    /// When the temporary file cannot be read.
    pub fn replay(&mut self, each: &mut dyn FnMut(Event, PathRef)) -> Result<(), TraceError> {
        self.events.replay(each).map_err(|error| TraceError::temporary(&error))
    }

    /// The path of an event, without its query; nothing when its line has none.
    ///
    /// # Errors
    /// When the temporary file cannot be read.
    pub fn path(&mut self, path_ref: PathRef) -> Result<Option<String>, TraceError> {
        self.paths.get(path_ref).map_err(|error| TraceError::temporary(&error))
    }
}

#[cfg(test)]
mod tests;
