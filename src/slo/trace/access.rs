//! Lines of access logs.

use std::borrow::Cow;
use std::collections::HashSet;

use jiff::fmt::strtime::BrokenDownTime;

use super::format::{Latency, LogFormat, PART_END, Piece, Target, Time};
use super::line::{self, Line, Marks, Parsed, Why};
use super::time::{self, Fault, Point};

/// Reads a line of the format.
///
/// Most lines are read in one pass in which each field ends where what follows it comes first.
/// Where that does not fit, since a field has blanks in it or is padded, all ways to part the
/// line are tried.
pub(super) fn parse<'a>(format: &LogFormat, text: &'a str) -> Result<Line<'a>, Why> {
    first_fit(format, text).or_else(|why| Search::of(format, text).ok_or(why)?.line(format))
}

fn first_fit<'a>(format: &LogFormat, text: &'a str) -> Result<Line<'a>, Why> {
    let mut found = Found::default();
    let mut rest = text;
    let mut before = "";
    for (index, piece) in format.pieces.iter().enumerate() {
        if let Piece::Literal(literal) = piece {
            match rest.strip_prefix(literal.as_str()) {
                Some(after) => rest = after,
                None if is_cut_off(&format.pieces, index, rest, found.status) => {
                    found.is_cut_off = true;
                    return found.line(format);
                }
                None => return Err(no_literal(literal)),
            }
            before = literal;
            continue;
        }
        let after = match format.pieces.get(index + 1) {
            Some(Piece::Literal(literal)) => Some(literal.as_str()),
            _ => None,
        };
        let length = match after {
            None => rest.len(),
            Some(literal) => length(piece, before, rest, literal)
                .or_else(|| ends_before_duration(&format.pieces, index + 1).then_some(rest.len()))
                .ok_or_else(|| no_literal(literal))?,
        };
        let (value, next) = rest.split_at_checked(length).unwrap_or((rest, ""));
        if !is_plain(piece, before, value, after) {
            return Err(no_literal(after.unwrap_or_default()));
        }
        found.take(piece, value)?;
        rest = next;
    }
    if !is_end(format, rest) {
        return Err(Why::Shape("it goes on after what the log format names"));
    }
    found.line(format)
}

fn no_literal(literal: &str) -> Why {
    Why::NoLiteral(literal.to_owned())
}

/// Whether a line may end before `rest`.
fn is_end(format: &LogFormat, rest: &str) -> bool {
    rest.trim_ascii_end().is_empty() || (format.is_open && rest.starts_with([' ', '\t']))
}

/// Whether the line ends where only a blank and a duration are missing. A status that comes
/// last may be cut itself.
fn is_cut_off(pieces: &[Piece], index: usize, rest: &str, status: u16) -> bool {
    ends_before_duration(pieces, index)
        && rest.trim_ascii().is_empty()
        && (100..600).contains(&status)
}

/// Whether a blank and a duration are all that is left of the format.
fn ends_before_duration(pieces: &[Piece], index: usize) -> bool {
    match pieces.get(index..) {
        Some([Piece::Literal(blank), Piece::Latency(_)]) => blank.trim_ascii().is_empty(),
        _ => false,
    }
}

/// The length of a field between two literals.
fn length(piece: &Piece, before: &str, text: &str, after: &str) -> Option<usize> {
    let is_quoted = before.ends_with('"') && after.starts_with('"');
    let mut from = begin(piece, is_quoted, text);
    loop {
        let at = next_end(text, after, from)?;
        let is_inside = is_quoted && is_escaped(text, at) || goes_on(piece, text, at);
        if !is_inside {
            return Some(at);
        }
        from = after_character(text, at);
    }
}

/// The earliest end of a field.
fn begin(piece: &Piece, is_quoted: bool, text: &str) -> usize {
    let padding = || text.len() - text.trim_start_matches(' ').len();
    match piece {
        // The first blank of `10/Oct/2000:13:55:36 -0700` ends no field.
        Piece::Time(Time::Local) if text.as_bytes().get(11) == Some(&b':') => {
            DATE_BYTES.min(text.len())
        }
        Piece::Path(Target::Request) if !is_quoted => request_end(text).unwrap_or(0),
        Piece::Status | Piece::Time(_) | Piece::Latency(Latency::Unit(_)) => padding(),
        // Two blanks around nothing are no padding: nginx pads no number.
        Piece::Latency(_) if text.starts_with(' ') => {
            let word = text.trim_start_matches(' ').split(' ').next().unwrap_or_default();
            if word.contains('.') { padding() } else { 0 }
        }
        _ => 0,
    }
}

/// The length of `10/Oct/2000:13:55:36 `.
const DATE_BYTES: usize = 21;

/// The end of a request without quotes, found by its HTTP version.
fn request_end(text: &str) -> Option<usize> {
    let at = text.find(" HTTP/")? + " HTTP/".len();
    let version = text.get(at..)?.bytes().take_while(|byte| b"0123456789.".contains(byte)).count();
    Some(at + version)
}

/// The next index of `after`, from `from` on.
fn next_end(text: &str, after: &str, mut from: usize) -> Option<usize> {
    let first = *after.as_bytes().first()?;
    loop {
        let at = from + text.as_bytes().get(from..)?.iter().position(|byte| *byte == first)?;
        if text.get(at..).is_some_and(|rest| rest.starts_with(after)) {
            return Some(at);
        }
        from = after_character(text, at);
    }
}

/// A byte that begins a character ends none: the next one is found from its end.
fn after_character(text: &str, at: usize) -> usize {
    at + text.get(at..).and_then(|rest| rest.chars().next()).map_or(1, char::len_utf8)
}

/// Whether the byte has an odd number of backslashes before it.
fn is_escaped(text: &str, at: usize) -> bool {
    let before = text.as_bytes().get(..at).unwrap_or_default();
    before.iter().rev().take_while(|byte| **byte == b'\\').count() % 2 == 1
}

fn is_list(piece: &Piece) -> bool {
    matches!(piece, Piece::SkippedList | Piece::Latency(Latency::Upstreams(_)))
}

/// Whether a list continues after a space: after `,` and around `:` between the servers that were
/// asked, after `,` in what a client sent.
fn goes_on(piece: &Piece, text: &str, at: usize) -> bool {
    let (before, after) = text.split_at_checked(at).unwrap_or((text, ""));
    match piece {
        Piece::Skipped => before.ends_with(',') && after.starts_with(' '),
        piece if is_list(piece) => {
            (before.ends_with(',') || before.ends_with(" :") || after.starts_with(" : "))
                && after.starts_with(' ')
        }
        _ => false,
    }
}

/// Whether a field looks as expected between these literals: without blanks, unless it is within
/// delimiters, it is the last, or it is a list.
fn is_plain(piece: &Piece, before: &str, value: &str, after: Option<&str>) -> bool {
    if !matches!(piece, Piece::Skipped) || !value.contains(' ') {
        return true;
    }
    let Some(after) = after else { return true };
    let pairs = [('"', '"'), ('\'', '\''), ('[', ']'), ('(', ')'), ('{', '}'), ('<', '>')];
    let is_enclosed =
        pairs.iter().any(|(open, close)| before.ends_with(*open) && after.starts_with(*close));
    is_enclosed || value.split(' ').rev().skip(1).all(|part| part.ends_with(','))
}

/// How many fields are tried in one line.
const TRIES_MAX: u32 = 20_000;
/// How many ends of one field are tried.
const ENDS_MAX: usize = 512;

/// All ways to split a line into the fields of a format, in order: those in which fields without
/// quotes have no blanks come first.
struct Search<'f, 'a> {
    pieces: &'f [Piece],
    format: &'f LogFormat,
    text: &'a str,
    is_plain: bool,
    tries: u32,
    /// Fields that do not fit from a position on, by piece and position.
    failed: HashSet<(usize, usize)>,
    values: Vec<(usize, &'a str)>,
}

impl<'f, 'a> Search<'f, 'a> {
    /// The values of the first way that fits.
    fn of(format: &'f LogFormat, text: &'a str) -> Option<Found<'a>> {
        [true, false].into_iter().find_map(|is_plain| {
            let mut search = Search {
                pieces: &format.pieces,
                format,
                text,
                is_plain,
                tries: 0,
                failed: HashSet::new(),
                values: Vec::new(),
            };
            if !search.fits(0, 0) {
                return None;
            }
            let mut found = Found::default();
            for (index, value) in search.values {
                found.take(format.pieces.get(index)?, value).ok()?;
            }
            Some(found)
        })
    }

    fn fits(&mut self, index: usize, at: usize) -> bool {
        let rest = self.text.get(at..).unwrap_or_default();
        let piece = match self.pieces.get(index) {
            None => return is_end(self.format, rest),
            Some(Piece::Literal(literal)) => {
                return rest.starts_with(literal.as_str())
                    && self.fits(index + 1, at + literal.len());
            }
            Some(piece) => piece,
        };
        if self.tries > TRIES_MAX || self.failed.contains(&(index, at)) {
            return false;
        }
        for length in self.ends(index, rest) {
            self.tries += 1;
            let value = rest.get(..length).unwrap_or(rest);
            if !self.may_be(index, piece, value) {
                continue;
            }
            self.values.push((index, value));
            if self.fits(index + 1, at + length) {
                return true;
            }
            self.values.pop();
        }
        self.failed.insert((index, at));
        false
    }

    fn literal(&self, index: Option<usize>) -> Option<&'f str> {
        match self.pieces.get(index?) {
            Some(Piece::Literal(literal)) => Some(literal),
            _ => None,
        }
    }

    /// How long the field may be, the likeliest first.
    fn ends(&self, index: usize, rest: &str) -> Vec<usize> {
        let piece = &self.pieces[index];
        let Some(after) = self.literal(Some(index + 1)) else { return vec![rest.len()] };
        let before = self.literal(index.checked_sub(1)).unwrap_or_default();
        let is_quoted = before.ends_with('"') && after.starts_with('"');
        let mut ends = Vec::new();
        let mut from = 0;
        while let Some(at) = next_end(rest, after, from)
            && ends.len() < ENDS_MAX
        {
            if !(is_quoted && is_escaped(rest, at)) {
                ends.push(at);
            }
            from = after_character(rest, at);
        }
        // Padding, or the version of a request, comes before the likeliest end.
        let likely = begin(piece, is_quoted, rest);
        let first = ends.partition_point(|end| *end < likely);
        ends.rotate_left(first);
        ends
    }

    fn may_be(&self, index: usize, piece: &Piece, value: &'a str) -> bool {
        let after = self.literal(Some(index + 1));
        let before = self.literal(index.checked_sub(1)).unwrap_or_default();
        if is_list(piece) && !is_whole_list(value) {
            return false;
        }
        (!self.is_plain || is_plain(piece, before, value, after))
            && Found::default().take(piece, value).is_ok()
    }
}

/// Whether `a, b : c` is whole, and nothing else.
fn is_whole_list(value: &str) -> bool {
    let mut parts = value.split(", ").flat_map(|part| part.split(" : "));
    parts.all(|part| !part.trim_ascii().contains([' ', ',']))
}

/// What was found so far.
#[derive(Default)]
struct Found<'a> {
    at: Option<Point>,
    fraction_us: u64,
    status: u16,
    latency_us: Option<u64>,
    path: Option<Cow<'a, str>>,
    /// The parts of a time, each with [`PART_END`] after it.
    parts: String,
    marks: Marks,
    is_cut_off: bool,
}

impl<'a> Found<'a> {
    fn take(&mut self, piece: &Piece, value: &'a str) -> Result<(), Why> {
        match piece {
            Piece::Literal(_) | Piece::Skipped | Piece::SkippedList => {}
            Piece::Time(Time::Part) => {
                self.parts.push_str(value);
                self.parts.push(PART_END);
            }
            Piece::Time(Time::Fraction(digits)) => {
                let fraction = time::decimal(value, 6 - digits.min(&6));
                self.fraction_us = fraction.map_err(|_| Why::Bad("time", "has no fraction"))?;
            }
            Piece::Time(time) => {
                let (point, has_zone) = point(*time, value.trim_ascii())?;
                self.at = Some(point);
                self.marks.has_no_zone |= !has_zone;
            }
            Piece::Status => self.status = line::status(value.trim_ascii())?,
            Piece::Latency(latency) => {
                let value = value.trim_ascii();
                self.latency_us = duration(*latency, value)?;
                self.marks.is_whole = *latency == Latency::Decimal
                    && self.latency_us.is_some_and(|us| us > 0)
                    && !value.contains('.');
            }
            Piece::Path(target) => self.path = path(*target, value),
        }
        Ok(())
    }

    fn line(mut self, format: &LogFormat) -> Result<Line<'a>, Why> {
        if let Some(strftime) = &format.strftime {
            let (us, has_zone) = written_by(strftime, &self.parts)?;
            self.at = Some(time::wall(us));
            self.marks.has_no_zone |= !has_zone;
        }
        let mut at = self.at.ok_or(Why::Missing("time"))?;
        at.us += self.fraction_us.min(999_999);
        if format.is_arrival {
            // The answer is judged.
            at.us = time::later(at.us, self.latency_us.unwrap_or(0));
        }
        let marks = Marks { is_cut_off: self.is_cut_off, ..self.marks };
        let (status, latency_us) = (self.status, self.latency_us);
        Ok(Line::Event(Parsed { at, status, latency_us, path: self.path, marks }))
    }
}

/// A time in its format, microseconds since the epoch, and whether it has a zone; without one it is
/// read as UTC.
fn written_by(strftime: &str, text: &str) -> Result<(u64, bool), Why> {
    let unreadable = |_| Why::Bad("time", "is not as the log format says");
    let parsed = BrokenDownTime::parse(strftime, text).map_err(unreadable)?;
    let (timestamp, has_zone) = match parsed.to_timestamp() {
        Ok(timestamp) => (timestamp, true),
        Err(_) => {
            let zoned =
                parsed.to_datetime().and_then(|time| time.to_zoned(jiff::tz::TimeZone::UTC));
            (zoned.map_err(unreadable)?.timestamp(), false)
        }
    };
    let us = u64::try_from(timestamp.as_microsecond())
        .map_err(|_| Why::Bad("time", line::of_time(Fault::Negative)))?;
    Ok((us, has_zone))
}

/// A time, and whether it has a zone; without one it is read as UTC.
fn point(format: Time, value: &str) -> Result<(Point, bool), Why> {
    let (point, unknown) = match format {
        Time::Local => (
            time::common_log(value).map(|(us, has_zone)| (time::wall(us), has_zone)),
            "is not as in 10/Oct/2000:13:55:36 -0700",
        ),
        Time::Iso => {
            (time::rfc3339(value).map(|us| (time::wall(us), true)), "is not RFC 3339 with a zone")
        }
        Time::Epoch(digits) | Time::Fraction(digits) => {
            (time::point_in(value, digits).map(|point| (point, true)), "is no number")
        }
        Time::Part => (Err(Fault::Unknown), "is of several fields"),
    };
    point.map_err(|fault| match fault {
        Fault::Unknown => Why::Bad("time", unknown),
        Fault::Negative | Fault::TooLarge => Why::Bad("time", line::of_time(fault)),
    })
}

fn duration(format: Latency, value: &str) -> Result<Option<u64>, Why> {
    match format {
        Latency::Unit(digits) => {
            line::duration("duration", value.strip_prefix('+').unwrap_or(value), 6 - digits.min(6))
        }
        Latency::Decimal => line::duration("duration", value, 6),
        Latency::Upstreams(digits) => upstreams(value, 6 - digits.min(6)),
    }
}

/// All upstream servers asked for one answer, one after the other.
fn upstreams(value: &str, scale: u32) -> Result<Option<u64>, Why> {
    let mut sum: Option<u64> = None;
    for part in value.split([',', ':']) {
        if let Some(us) = line::duration("duration", part.trim_ascii(), scale)? {
            let total = sum.unwrap_or(0).checked_add(us);
            sum = Some(total.ok_or(Why::Bad("duration", "is too large"))?);
        }
    }
    Ok(sum)
}

/// The path of a request line; nothing if it is no request.
fn path(target: Target, value: &str) -> Option<Cow<'_, str>> {
    let uri = match target {
        Target::Uri => value,
        Target::Request => {
            let (_, rest) = value.split_once(' ')?;
            match rest.rsplit_once(' ') {
                Some((uri, version)) if version.starts_with("HTTP/") => uri,
                _ => rest,
            }
        }
    };
    let path = line::without_query(Cow::Borrowed(of_server(uri)));
    if path.is_empty() || path == "-" {
        return None;
    }
    Some(if path.contains('\\') { unescaped(&path) } else { path })
}

/// The part of an absolute URL, as sent to proxies, after the server's name.
fn of_server(uri: &str) -> &str {
    let Some((scheme, rest)) = uri.split_once("://") else { return uri };
    if scheme.is_empty() || !scheme.bytes().all(|byte| byte.is_ascii_alphanumeric()) {
        return uri;
    }
    rest.find('/').and_then(|at| rest.get(at..)).unwrap_or("/")
}

/// Replaces the escapes `\x22`, `\"` and `\\`; returns the text unchanged if the result is not
/// UTF-8.
fn unescaped<'b>(path: &str) -> Cow<'b, str> {
    let mut plain = Vec::with_capacity(path.len());
    let mut rest = path.as_bytes();
    while let [byte, after @ ..] = rest {
        rest = match (byte, after) {
            (b'\\', [b'x' | b'X', high, low, after @ ..]) if hex(*high, *low).is_some() => {
                plain.extend(hex(*high, *low));
                after
            }
            (b'\\', [escaped @ (b'"' | b'\\'), after @ ..]) => {
                plain.push(*escaped);
                after
            }
            _ => {
                plain.push(*byte);
                after
            }
        };
    }
    Cow::Owned(String::from_utf8(plain).unwrap_or_else(|_| path.to_owned()))
}

fn hex(high: u8, low: u8) -> Option<u8> {
    let digit = |byte| char::from(byte).to_digit(16).and_then(|value| u8::try_from(value).ok());
    Some(digit(high)? * 16 + digit(low)?)
}

#[cfg(test)]
mod tests;
