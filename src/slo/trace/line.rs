//! The content of a line, independent of its format.

use std::borrow::Cow;
use std::fmt;

use super::time::{self, Fault, Point};

/// The largest valid status: three digits.
const STATUS_MAX: u16 = 999;

/// An event as its line has it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Parsed<'a> {
    pub(super) at: Point,
    pub(super) status: u16,
    /// Microseconds.
    pub(super) latency_us: Option<u64>,
    /// Without query.
    pub(super) path: Option<Cow<'a, str>>,
    pub(super) marks: Marks,
}

/// Peculiarities of an event.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Marks {
    /// Its time has no zone, and was read as UTC.
    pub(super) has_no_zone: bool,
    /// Its duration is a whole number, while nginx writes decimals.
    pub(super) is_whole: bool,
    /// Its line ends before the duration.
    pub(super) is_cut_off: bool,
}

/// A line that was understood.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Line<'a> {
    Event(Parsed<'a>),
    /// An event that is marked as not to be judged.
    LeftOut,
    /// Names of columns.
    Header,
}

/// Why a line was not.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Why {
    /// Something that an event must have.
    Missing(&'static str),
    /// A field is invalid: field, problem.
    Bad(&'static str, &'static str),
    /// The line as such.
    Shape(&'static str),
    /// The part that is missing in a line of an access log.
    NoLiteral(String),
    /// It is no JSON object; the error of the parser.
    Json(String),
}

impl fmt::Display for Why {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Missing(field) => write!(f, "it has no `{field}`"),
            Self::Bad(field, problem) => write!(f, "`{field}` {problem}"),
            Self::Shape(problem) => f.write_str(problem),
            Self::NoLiteral(text) => {
                write!(f, "it is not of the log format: `{text}` does not follow where it should")
            }
            Self::Json(problem) => write!(f, "it is no JSON: {problem}"),
        }
    }
}

/// A value before it is interpreted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Raw<'a> {
    Text(Cow<'a, str>),
    Number(&'a str),
    Bool(bool),
    Null,
    /// A list or an object.
    Nested,
}

impl Raw<'_> {
    /// The text of a number or text; nothing for null and for the empty text.
    pub(super) fn text(&self) -> Result<Option<&str>, ()> {
        match self {
            Self::Text(text) => Ok(Some(text.as_ref()).filter(|text| !text.is_empty())),
            Self::Number(text) => Ok(Some(text)),
            Self::Null => Ok(None),
            Self::Bool(_) | Self::Nested => Err(()),
        }
    }
}

/// The fields of an event that has names for them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Fields<'a> {
    pub(super) t: Raw<'a>,
    pub(super) status: Raw<'a>,
    pub(super) latency: Raw<'a>,
    pub(super) latency_ms: Raw<'a>,
    pub(super) path: Raw<'a>,
    pub(super) slo: Raw<'a>,
    /// In the access log of `wfx serve`: by how many seconds the wall clock was set since the
    /// start.
    pub(super) clock_step: Raw<'a>,
    /// In the access log of `wfx serve`: the status that the service levels counted, where that is
    /// not the one of the answer.
    pub(super) slo_status: Raw<'a>,
}

impl<'a> Fields<'a> {
    pub(super) const EMPTY: Self = Self {
        t: Raw::Null,
        status: Raw::Null,
        latency: Raw::Null,
        latency_ms: Raw::Null,
        path: Raw::Null,
        slo: Raw::Null,
        clock_step: Raw::Null,
        slo_status: Raw::Null,
    };

    /// The field of this name, if one has it.
    pub(super) fn named(&mut self, name: &str) -> Option<&mut Raw<'a>> {
        match name {
            "t" => Some(&mut self.t),
            "status" => Some(&mut self.status),
            "latency" => Some(&mut self.latency),
            "latency_ms" => Some(&mut self.latency_ms),
            "path" => Some(&mut self.path),
            "slo" => Some(&mut self.slo),
            _ => None,
        }
    }

    /// The event that they make. Of two latencies the one in seconds counts.
    pub(super) fn line(&mut self) -> Result<Line<'a>, Why> {
        if self.slo == Raw::Bool(false) {
            return Ok(Line::LeftOut);
        }
        let unusable = "is neither a number nor a text";
        let t = self.t.text().map_err(|()| Why::Bad("t", unusable))?.ok_or(Why::Missing("t"))?;
        let mut at = time::point(t).map_err(|fault| Why::Bad("t", of_time(fault)))?;
        if self.clock_step != Raw::Null {
            at.us = unstepped(at.us, &self.clock_step)?;
        }
        let code = self.status.text().map_err(|()| Why::Bad("status", unusable))?;
        let mut counted = status(code.ok_or(Why::Missing("status"))?)?;
        if self.slo_status != Raw::Null {
            let bad = |()| Why::Bad("slo_status", unusable);
            let code = self.slo_status.text().map_err(bad)?.unwrap_or_default();
            counted = status(code).map_err(|_| Why::Bad("slo_status", STATUS))?;
        }
        let latency_us = match latency("latency", &self.latency, 6)? {
            None => latency("latency_ms", &self.latency_ms, 3)?,
            known => known,
        };
        let path = match std::mem::replace(&mut self.path, Raw::Null) {
            Raw::Text(text) => Some(without_query(text)).filter(|path| !path.is_empty()),
            Raw::Null => None,
            _ => return Err(Why::Bad("path", "is no text")),
        };
        Ok(Line::Event(Parsed { at, status: counted, latency_us, path, marks: Marks::default() }))
    }
}

/// A time with the steps of the wall clock removed, as it was when the request was judged.
fn unstepped(t_us: u64, clock_step: &Raw<'_>) -> Result<u64, Why> {
    let bad = |problem| Why::Bad("clock_step", problem);
    let text = clock_step.text().map_err(|()| bad("is neither a number nor a text"))?;
    let text = text.unwrap_or("0");
    let (is_back, digits) = match text.strip_prefix('-') {
        Some(digits) => (true, digits),
        None => (false, text),
    };
    let step_us = time::decimal(digits, 6).map_err(|fault| bad(of_number(fault)))?;
    let t_us = if is_back { t_us.checked_add(step_us) } else { Some(t_us.saturating_sub(step_us)) };
    t_us.ok_or_else(|| bad("is too large"))
}

fn latency(name: &'static str, raw: &Raw<'_>, scale: u32) -> Result<Option<u64>, Why> {
    match raw.text().map_err(|()| Why::Bad(name, "is neither a number nor a text"))? {
        None => Ok(None),
        Some(text) => duration(name, text, scale),
    }
}

/// A duration in units of `10^scale` microseconds; nothing when it is unknown: empty, a word for
/// none, or below zero, as HAProxy and AWS write it.
pub(super) fn duration(name: &'static str, text: &str, scale: u32) -> Result<Option<u64>, Why> {
    match time::decimal(text, scale) {
        Ok(us) => Ok(Some(us)),
        Err(Fault::Negative) => Ok(None),
        Err(Fault::Unknown) if is_unknown(text) => Ok(None),
        Err(fault) => Err(Why::Bad(name, of_number(fault))),
    }
}

/// Words for a number that there is not.
const UNKNOWN: [&str; 10] =
    ["", "-", "nan", "inf", "infinity", "null", "none", "undefined", "n/a", "<nil>"];

fn is_unknown(text: &str) -> bool {
    let word = text.strip_prefix(['-', '+']).filter(|rest| !rest.is_empty()).unwrap_or(text);
    UNKNOWN.iter().any(|unknown| word.eq_ignore_ascii_case(unknown))
}

/// What is wrong with a status.
const STATUS: &str = "is no whole number from 0 to 999";

/// An HTTP status; 0 if there is none, since no answer was sent. Some tools write it as `200.0`.
pub(super) fn status(text: &str) -> Result<u16, Why> {
    if matches!(text, "-" | "-1") {
        return Ok(0);
    }
    let whole = text.strip_suffix(".0").unwrap_or(text);
    let is_number = !whole.is_empty() && whole.bytes().all(|byte| byte.is_ascii_digit());
    let status = whole.parse().ok().filter(|status| is_number && *status <= STATUS_MAX);
    status.ok_or(Why::Bad("status", STATUS))
}

/// What is wrong with a time.
pub(super) fn of_time(fault: Fault) -> &'static str {
    match fault {
        Fault::Unknown => "is neither a number of seconds nor RFC 3339 with a zone",
        Fault::Negative => "is below zero, or before 1970",
        Fault::TooLarge => "is after the year 9999: seconds are expected, not milliseconds",
    }
}

fn of_number(fault: Fault) -> &'static str {
    match fault {
        Fault::Unknown => "is no number",
        Fault::Negative => "is below zero",
        Fault::TooLarge => "is too large",
    }
}

/// The path of a target of a request.
pub(super) fn without_query(target: Cow<'_, str>) -> Cow<'_, str> {
    match target.bytes().position(|byte| byte == b'?') {
        None => target,
        Some(at) => match target {
            Cow::Borrowed(text) => Cow::Borrowed(text.get(..at).unwrap_or(text)),
            Cow::Owned(mut text) => {
                text.truncate(at);
                Cow::Owned(text)
            }
        },
    }
}
