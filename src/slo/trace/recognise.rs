//! Which format a source is in, by its first lines, and its lines read by it.

use super::access;
use super::csv::Columns;
use super::format::LogFormat;
use super::line::{Line, Why};
use super::{ndjson, w3c};

/// How the lines of a source are read.
#[derive(Debug)]
pub(super) enum Reader {
    Ndjson,
    Csv(Columns),
    W3c(w3c::Columns),
    Access,
}

impl Reader {
    /// The parser for `line` and the lines after it. A given format is tried first: its lines may
    /// resemble any other.
    pub(super) fn of(line: &str, given: Option<&LogFormat>) -> Result<Self, Why> {
        let foreign = match given.map(|format| access::parse(format, line)) {
            Some(Ok(_)) => return Ok(Self::Access),
            Some(Err(why)) => why,
            None => Why::Shape("it is neither a JSON object nor the header of a CSV file"),
        };
        let is_object = line.trim_ascii_start().starts_with('{');
        if is_object && (given.is_none() || ndjson::parse(line).is_ok()) {
            return Ok(Self::Ndjson);
        }
        Columns::of_header(line).map(Self::Csv).ok_or(foreign)
    }

    /// Reads a line, without its end.
    pub(super) fn parse<'a>(
        &mut self,
        line: &'a str,
        given: Option<&LogFormat>,
    ) -> Result<Line<'a>, Why> {
        // JSON has its own word for it.
        if !matches!(self, Self::Ndjson) && line.contains('\0') {
            return Err(Why::Shape("it has a NUL byte in it"));
        }
        match (self, given) {
            (Self::Ndjson, _) => ndjson::parse(line),
            (Self::Csv(columns), _) => columns.parse(line),
            (Self::W3c(columns), _) => columns.parse(line),
            (Self::Access, Some(format)) => access::parse(format, line),
            (Self::Access, None) => Err(Why::Shape("its format was not given")),
        }
    }
}
