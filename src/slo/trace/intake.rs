//! Lines in, events counted and kept.

use std::io::BufRead;

use super::error::TraceError;
use super::input::{Block, Item};
use super::line::{Line, Parsed, Why};
use super::paths::{Paths, Place};
use super::recognise::Reader;
use super::sort::{Order, Sorter};
use super::{Limits, Options, Tally, Trace, Unparsed};
use crate::slo::engine::Event;

/// After so many lines that do not tell the format, no more are looked at. One may: a log
/// that was cut begins within a line.
const UNDECIDED_MAX: u32 = 10;
const EXAMPLES_MAX: usize = 5;
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
}

/// The source that is being read.
#[derive(Default)]
struct Current {
    name: String,
    line: u64,
    latest_us: u64,
    reader: Option<Reader>,
    undecided: u32,
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
            let Tally { lines, examples, .. } = &self.tally;
            return Err(TraceError::none_parses(&self.source.name, *lines, examples.first()));
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
        // With a format given, lines that are not of it are what is wrong, not the format.
        if reader.is_none() && *undecided > 0 && self.options.log_format.is_none() {
            return Err(TraceError::unknown_format(name));
        }
        Ok(())
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
        if line.trim_ascii_start().is_empty() {
            return Ok(());
        }
        self.tally.lines += 1;
        let Ok(text) = std::str::from_utf8(line) else {
            return self.unparsed(&Why::Shape("it is not UTF-8"));
        };
        if let Some(why) = self.decide(text) {
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
            Err(why) => self.unparsed(&why),
        }
    }

    /// Looks for the format if it is not known yet, and says why the line does not tell.
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
        tally.out_of_order += u64::from(t_us < self.source.latest_us);
        self.source.latest_us = self.source.latest_us.max(t_us);
        self.is_wall &= parsed.at.is_wall;
        let (first, last) = self.span_us.unwrap_or((t_us, t_us));
        self.span_us = Some((first.min(t_us), last.max(t_us)));
        let place = match &parsed.path {
            Some(path) => self.paths.put(path),
            None => Ok(Place::NONE),
        };
        let latency_us = parsed.latency_us.unwrap_or(0);
        let event = Event { t_us, status: parsed.status, latency_us };
        place
            .and_then(|place| self.events.push(event, place))
            .map_err(|error| TraceError::temporary(&error))
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

    /// One more line that does not tell the format.
    fn undecided(&mut self) -> Result<(), TraceError> {
        self.source.undecided += 1;
        if self.source.undecided < UNDECIDED_MAX {
            return Ok(());
        }
        if self.options.log_format.is_none() {
            return Err(TraceError::unknown_format(&self.source.name));
        }
        self.source.reader = Some(Reader::Access);
        Ok(())
    }
}
