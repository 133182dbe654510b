//! Lines in, events counted and stored.

use std::borrow::Cow;
use std::io::BufRead;

use super::error::TraceError;
use super::foreign::{self, Foreign};
use super::input::{Block, Item};
use super::line::{Line, Parsed, Why};
use super::paths::{PathRef, Paths};
use super::recognise::Reader;
use super::sort::{Order, Sorter};
use super::w3c::Directives;
use super::{AHEAD_US, Ahead, Limits, Options, Tally, Trace, Unparsed};
use crate::slo::engine::Event;

/// The number of lines after which detection stops. More than one is read: a log that was cut
/// begins within a line.
const UNDECIDED_MAX: u32 = 10;
const EXAMPLES_MAX: usize = 5;
/// How much of the first unparsed line is reported.
const LOOKED_AT_BYTES: usize = 64 * 1024;
const BYTE_ORDER_MARK: &[u8] = b"\xef\xbb\xbf";

/// Takes in what is read.
pub(super) struct Intake<'o> {
    options: &'o Options,
    tally: Tally,
    span_us: Option<(u64, u64)>,
    is_wall: bool,
    events: Sorter,
    paths: Paths,
    source: Current,
    /// The line of the latest time, of all sources.
    latest: Ahead,
    latest_us: u64,
}

/// The source that is being read.
#[derive(Default)]
struct Current {
    name: String,
    line: u64,
    latest_us: u64,
    reader: Option<Reader>,
    undecided: u32,
    directives: Directives,
}

impl<'o> Intake<'o> {
    pub(super) fn new(options: &'o Options, limits: Limits) -> Self {
        let order = if options.as_given { Order::AsGiven } else { Order::ByTime };
        Self {
            options,
            tally: Tally::default(),
            span_us: None,
            is_wall: true,
            events: Sorter::new(order, limits.events),
            paths: Paths::new(limits.path_bytes),
            source: Current::default(),
            latest: Ahead { source: String::new(), line: 0, by_us: 0, events: 0 },
            latest_us: 0,
        }
    }

    /// Takes one, and gives back its memory; nothing after the last one.
    pub(super) fn take(&mut self, item: Item) -> Result<Option<Block>, TraceError> {
        match item {
            Item::Source(name) => {
                self.end_source()?;
                self.source = Current { name, ..Current::default() };
            }
            Item::Lines(block) => {
                self.lines(block.bytes())?;
                return Ok(Some(block));
            }
            Item::TooLong => {
                self.source.line += 1;
                self.tally.lines += 1;
                self.unparsed(&Why::Shape("it is longer than 1 MiB"))?;
            }
            Item::Foreign(foreign) => {
                return Err(TraceError::foreign(
                    &self.source.name,
                    &foreign.in_source(&self.source.name),
                ));
            }
            Item::EndsEarly => {
                let Current { name, line, .. } = &self.source;
                self.tally.ended_early.push((name.clone(), *line));
            }
            Item::Failed { error, is_compressed } => {
                let Current { name, line, .. } = &self.source;
                return Err(TraceError::unreadable(name, &error, *line, is_compressed));
            }
            Item::End => return Ok(None),
        }
        Ok(Some(Block::default()))
    }

    /// All was taken.
    pub(super) fn finish(mut self) -> Result<Trace, TraceError> {
        self.end_source()?;
        if self.tally.events + self.tally.left_out == 0 {
            return Err(TraceError::none_parses(&self.source.name, &self.tally));
        }
        self.events.finish().map_err(|error| TraceError::temporary(&error))?;
        self.tally.is_epoch = self.is_wall && self.tally.events > 0;
        Ok(Trace {
            tally: self.tally,
            span_us: self.span_us,
            events: self.events,
            paths: self.paths,
        })
    }

    fn end_source(&mut self) -> Result<(), TraceError> {
        let Current { name, reader, undecided, .. } = &self.source;
        // If a format was given, lines of another format are the problem, not the format.
        if reader.is_none() && *undecided > 0 && self.options.log_format.is_none() {
            return Err(self.unknown_format(name));
        }
        Ok(())
    }

    fn unknown_format(&self, name: &str) -> TraceError {
        match &self.tally.foreign {
            Some((what, remedy)) => {
                let foreign = Foreign { what: what.clone(), remedy: remedy.clone() };
                TraceError::foreign(name, &foreign)
            }
            None => TraceError::unknown_format(name),
        }
    }

    fn lines(&mut self, block: &[u8]) -> Result<(), TraceError> {
        let mut rest = block;
        if self.source.line == 0 {
            rest = rest.strip_prefix(BYTE_ORDER_MARK).unwrap_or(rest);
        }
        while !rest.is_empty() {
            let mut after = rest;
            // A slice has no errors.
            let length = after.skip_until(b'\n').unwrap_or(rest.len());
            let line = rest.get(..length).unwrap_or(rest);
            let line = line.strip_suffix(b"\n").unwrap_or(line);
            self.line(line.strip_suffix(b"\r").unwrap_or(line))?;
            rest = after;
        }
        Ok(())
    }

    fn line(&mut self, line: &[u8]) -> Result<(), TraceError> {
        self.source.line += 1;
        let zeros = line.iter().take_while(|byte| **byte == 0).count();
        let line = line.get(zeros..).unwrap_or_default();
        if line.trim_ascii_start().is_empty() {
            return Ok(());
        }
        self.tally.lines += 1;
        // Clients send what they like: a field of other bytes spoils no line.
        let text = match std::str::from_utf8(line) {
            Ok(text) => Cow::Borrowed(text),
            Err(_) => String::from_utf8_lossy(line),
        };
        let text = text.as_ref();
        if text.starts_with('#')
            && let Some(columns) = self.source.directives.take(text)
        {
            return match columns.transpose() {
                Ok(columns) => {
                    self.source.reader = columns.map(Reader::W3c).or(self.source.reader.take());
                    Ok(())
                }
                Err(why) => self.unparsed(&why),
            };
        }
        if let Some(why) = self.decide(text) {
            self.look_at(text);
            return self.unparsed(&why);
        }
        let Some(reader) = &mut self.source.reader else { return Ok(()) };
        match reader.parse(text, self.options.log_format.as_ref()) {
            Ok(Line::Event(parsed)) => self.event(&parsed),
            Ok(Line::LeftOut) => {
                self.tally.left_out += 1;
                Ok(())
            }
            Ok(Line::Header) => Ok(()),
            Err(why) => {
                self.look_at(text);
                self.unparsed(&why)
            }
        }
    }

    /// Remembers what the first line that did not parse is.
    fn look_at(&mut self, text: &str) {
        if self.tally.unparsed == 0 && text.len() <= LOOKED_AT_BYTES {
            let foreign = foreign::of_line(text).map(|found| found.in_source(&self.source.name));
            self.tally.foreign = foreign.map(|found| (found.what, found.remedy));
        }
    }

    /// Detects the format if it is not known yet, and says why the line does not show it.
    fn decide(&mut self, text: &str) -> Option<Why> {
        if self.source.reader.is_some() {
            return None;
        }
        match Reader::of(text, self.options.log_format.as_ref()) {
            Ok(reader) => {
                self.source.reader = Some(reader);
                None
            }
            Err(why) => Some(why),
        }
    }

    fn event(&mut self, parsed: &Parsed<'_>) -> Result<(), TraceError> {
        let t_us = parsed.at.us;
        let tally = &mut self.tally;
        tally.events += 1;
        tally.without_latency += u64::from(parsed.latency_us.is_none());
        tally.cut_off += u64::from(parsed.marks.is_cut_off);
        tally.without_status += u64::from(parsed.status == 0);
        tally.without_zone += u64::from(parsed.marks.has_no_zone);
        tally.whole_durations += u64::from(parsed.marks.is_whole);
        tally.out_of_order += u64::from(t_us < self.source.latest_us);
        self.source.latest_us = self.source.latest_us.max(t_us);
        self.is_wall &= parsed.at.is_wall;
        let (first, last) = self.span_us.unwrap_or((t_us, t_us));
        self.span_us = Some((first.min(t_us), last.max(t_us)));
        let path_ref = match &parsed.path {
            Some(path) => self.paths.insert(path),
            None => Ok(PathRef::NONE),
        };
        if self.options.as_given {
            self.follow(t_us);
        }
        let event = Event { t_us, status: parsed.status, latency_us: parsed.latency_us };
        path_ref
            .and_then(|path_ref| self.events.push(event, path_ref))
            .map_err(|error| TraceError::temporary(&error))
    }

    /// Looks whether the time is far before one that came earlier.
    fn follow(&mut self, t_us: u64) {
        if t_us > self.latest_us || self.latest.line == 0 {
            self.latest_us = t_us;
            let Current { name, line, .. } = &self.source;
            self.latest.source.clone_from(name);
            self.latest.line = *line;
            (self.latest.by_us, self.latest.events) = (0, 0);
            return;
        }
        let by_us = self.latest_us - t_us;
        if by_us > AHEAD_US {
            self.latest.events += 1;
            self.latest.by_us = self.latest.by_us.max(by_us);
            if self.tally.ahead.as_ref().is_none_or(|worst| worst.events < self.latest.events) {
                self.tally.ahead = Some(self.latest.clone());
            }
        }
    }

    fn unparsed(&mut self, why: &Why) -> Result<(), TraceError> {
        self.tally.unparsed += 1;
        if self.tally.examples.len() < EXAMPLES_MAX {
            let Current { name, line, .. } = &self.source;
            let unparsed = Unparsed { source: name.clone(), line: *line, why: why.to_string() };
            if self.options.strict {
                return Err(TraceError::strict(&unparsed));
            }
            self.tally.examples.push(unparsed);
        }
        if self.source.reader.is_none() {
            return self.undecided();
        }
        Ok(())
    }

    /// Counts a line that does not show the format.
    fn undecided(&mut self) -> Result<(), TraceError> {
        self.source.undecided += 1;
        if self.source.undecided < UNDECIDED_MAX {
            return Ok(());
        }
        if self.options.log_format.is_none() {
            return Err(self.unknown_format(&self.source.name));
        }
        self.source.reader = Some(Reader::Access);
        Ok(())
    }
}
