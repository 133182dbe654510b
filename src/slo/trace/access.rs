//! Lines of access logs.

use std::borrow::Cow;

use super::format::{Latency, LogFormat, Piece, Target, Time};
use super::line::{self, Line, Parsed, Why};
use super::time::{self, Fault, Point};

/// Reads a line of the format.
pub(super) fn parse<'a>(format: &LogFormat, text: &'a str) -> Result<Line<'a>, Why> {
    let mut found = Found::default();
    let mut rest = text;
    let mut before = "";
    let mut pieces = format.pieces.iter().peekable();
    while let Some(piece) = pieces.next() {
        if let Piece::Literal(literal) = piece {
            rest = rest.strip_prefix(literal.as_str()).ok_or_else(|| no_literal(literal))?;
            before = literal;
            continue;
        }
        let after = match pieces.peek() {
            Some(Piece::Literal(literal)) => Some(literal.as_str()),
            _ => None,
        };
        let length = match after {
            None => rest.len(),
            Some(literal) => {
                length(piece, before, rest, literal).ok_or_else(|| no_literal(literal))?
            }
        };
        let (value, next) = rest.split_at_checked(length).unwrap_or((rest, ""));
        found.take(piece, value)?;
        rest = next;
    }
    if !rest.trim_ascii_end().is_empty() {
        return Err(Why::Shape("it goes on after what the log format names"));
    }
    found.line()
}

fn no_literal(literal: &str) -> Why {
    Why::NoLiteral(literal.to_owned())
}

/// How long a field is that stands between two literals.
fn length(piece: &Piece, before: &str, text: &str, after: &str) -> Option<usize> {
    let is_quoted = before.ends_with('"') && after.starts_with('"');
    let first = *after.as_bytes().first()?;
    let mut from = 0;
    loop {
        let at = from + text.get(from..)?.bytes().position(|byte| byte == first)?;
        let is_end = text.get(at..).is_some_and(|rest| rest.starts_with(after))
            && !(is_quoted && is_escaped(text, at))
            && !(matches!(piece, Piece::Latency(Latency::Upstreams)) && goes_on(text, at));
        if is_end {
            return Some(at);
        }
        // A byte that begins a character ends none: the next one is found from its end.
        from = at + text.get(at..).and_then(|rest| rest.chars().next()).map_or(1, char::len_utf8);
    }
}

/// Whether the byte has an odd number of backslashes before it.
fn is_escaped(text: &str, at: usize) -> bool {
    let before = text.as_bytes().get(..at).unwrap_or_default();
    before.iter().rev().take_while(|byte| **byte == b'\\').count() % 2 == 1
}

/// Whether the list of servers that were asked goes on after a space: after `,` and around
/// `:`.
fn goes_on(text: &str, at: usize) -> bool {
    let (before, after) = text.split_at_checked(at).unwrap_or((text, ""));
    before.ends_with([',', ':']) || after.starts_with(" : ")
}

/// What was found so far.
#[derive(Default)]
struct Found<'a> {
    at: Option<Point>,
    fraction_us: u64,
    status: u16,
    latency_us: Option<u64>,
    path: Option<Cow<'a, str>>,
}

impl<'a> Found<'a> {
    fn take(&mut self, piece: &Piece, value: &'a str) -> Result<(), Why> {
        match piece {
            Piece::Literal(_) | Piece::Skipped => {}
            Piece::Time(Time::Fraction(digits)) => {
                let fraction = time::decimal(value, 6 - digits.min(&6));
                self.fraction_us = fraction.map_err(|_| Why::Bad("time", "has no fraction"))?;
            }
            Piece::Time(time) => self.at = Some(point(*time, value)?),
            Piece::Status => self.status = line::status(value)?,
            Piece::Latency(latency) => self.latency_us = duration(*latency, value.trim_ascii())?,
            Piece::Path(target) => self.path = path(*target, value),
        }
        Ok(())
    }

    fn line(self) -> Result<Line<'a>, Why> {
        let mut at = self.at.ok_or(Why::Missing("time"))?;
        at.us += self.fraction_us.min(999_999);
        let (status, latency_us) = (self.status, self.latency_us);
        Ok(Line::Event(Parsed { at, status, latency_us, path: self.path }))
    }
}

fn point(format: Time, value: &str) -> Result<Point, Why> {
    let (point, unknown) = match format {
        Time::Local => {
            (time::common_log(value).map(time::wall), "is not as in 10/Oct/2000:13:55:36 -0700")
        }
        Time::Iso => (time::rfc3339(value).map(time::wall), "is not RFC 3339 with a zone"),
        Time::Epoch(digits) | Time::Fraction(digits) => {
            (time::point_in(value, digits), "is no number")
        }
    };
    point.map_err(|fault| match fault {
        Fault::Unknown => Why::Bad("time", unknown),
        Fault::Negative | Fault::TooLarge => Why::Bad("time", line::of_time(fault)),
    })
}

fn duration(format: Latency, value: &str) -> Result<Option<u64>, Why> {
    let Latency::Unit(digits) = format else { return upstreams(value) };
    line::duration("duration", value, 6 - digits.min(6))
}

/// All servers that were asked for one answer, one after the other.
fn upstreams(value: &str) -> Result<Option<u64>, Why> {
    let mut sum: Option<u64> = None;
    for part in value.split([',', ':']) {
        if let Some(us) = line::duration("duration", part.trim_ascii(), 6)? {
            let total = sum.unwrap_or(0).checked_add(us);
            sum = Some(total.ok_or(Why::Bad("duration", "is too large"))?);
        }
    }
    Ok(sum)
}

/// The path of what was asked for; nothing of what is no request at all.
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

/// The part of a URL, as proxies are asked for it, that is after the server's name.
fn of_server(uri: &str) -> &str {
    let Some((scheme, rest)) = uri.split_once("://") else { return uri };
    if scheme.is_empty() || !scheme.bytes().all(|byte| byte.is_ascii_alphanumeric()) {
        return uri;
    }
    rest.find('/').and_then(|at| rest.get(at..)).unwrap_or("/")
}

/// `\x22`, `\"` and `\\` as what they stand for; as it is, when that is no text.
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
mod tests {
    use super::*;

    fn event<'a>(format: &str, line: &'a str) -> Parsed<'a> {
        match parse(&format.parse().unwrap(), line) {
            Ok(Line::Event(event)) => event,
            other => panic!("{line}: {other:?}"),
        }
    }

    fn why(format: &str, line: &str) -> String {
        parse(&format.parse().unwrap(), line).unwrap_err().to_string()
    }

    const LINE: &str = r#"::1 - bob smith [10/Oct/2000:13:55:36 -0700] "GET /a%20b?c=d HTTP/1.1" 404 - "-" "a \"b\" c""#;

    #[test]
    fn combined_with_and_without_a_duration() {
        let bare = event("combined", LINE);
        assert_eq!(bare.at, Point { us: 971_211_336_000_000, is_wall: true });
        assert_eq!(
            (bare.status, bare.latency_us, bare.path.as_deref()),
            (404, None, Some("/a%20b"))
        );
        for (format, value, latency_us) in [
            ("combined $request_time", "0.123", Some(123_000)),
            ("combined $request_time", "-", None),
            ("combined %D", "1234", Some(1_234)),
            ("combined %T", "2", Some(2_000_000)),
            ("combined %{ms}T", "2", Some(2_000)),
            ("combined $upstream_response_time", "-", None),
            ("combined $upstream_response_time", "0.010, -, 0.020 : 0.030", Some(60_000)),
        ] {
            assert_eq!(event(format, &format!("{LINE} {value}")).latency_us, latency_us, "{value}");
        }
        // The log has more at its end than the format says.
        assert_eq!(event("common", LINE).status, 404);
    }

    #[test]
    fn the_times_of_several_servers_end_where_the_next_field_begins() {
        let format = "$msec $upstream_response_time $status";
        for (line, latency_us) in [
            ("1.5 0.010, 0.020 : 0.030 200", Some(60_000)),
            ("1.5 - : 0.030 200", Some(30_000)),
            ("1.5 - 200", None),
        ] {
            assert_eq!(event(format, line).latency_us, latency_us, "{line}");
        }
    }

    #[test]
    fn times_are_put_together() {
        let at = |format, line| event(format, line).at.us;
        assert_eq!(at("%{sec}t.%{usec_frac}t %>s", "1700000000.000123 200"), 1_700_000_000_000_123);
        assert_eq!(at("%{msec_frac}t %{sec}t %>s", "007 1700000000 200"), 1_700_000_000_007_000);
        assert_eq!(at("%{usec}t %>s", "1700000000000123 200"), 1_700_000_000_000_123);
        assert_eq!(at("$msec|$status", "1700000000.123|200"), 1_700_000_000_123_000);
        assert_eq!(
            at("$time_iso8601 $status", "2000-10-10T13:55:36-07:00 200"),
            971_211_336_000_000
        );
    }

    #[test]
    fn quotes_inside_of_quotes_end_nothing() {
        let format = r#"$msec "$request" $status"#;
        let path = |request: &str| {
            event(format, &format!("1 \"{request}\" 400")).path.map(Cow::into_owned)
        };
        assert_eq!(path(r"GET /a\x22b\x5Cc HTTP/1.1").as_deref(), Some(r#"/a"b\c"#));
        assert_eq!(path(r#"GET /a\" 7 \\ HTTP/1.1"#).as_deref(), Some(r#"/a" 7 \"#));
        assert_eq!(path(r"GET /\xC3\xA9\n HTTP/1.1").as_deref(), Some(r"/é\n"));
        // Bytes that are no text stay as they were written.
        assert_eq!(path(r"GET /\xFF\xzz HTTP/1.1").as_deref(), Some(r"/\xFF\xzz"));
    }

    #[test]
    fn the_path_is_what_was_asked_for() {
        let format = r#"$msec "$request" $status"#;
        for (request, path) in [
            ("GET / HTTP/1.1", Some("/")),
            ("GET /a b?c HTTP/2.0", Some("/a b")),
            ("GET /a", Some("/a")),
            ("GET http://example.org/a?b HTTP/1.1", Some("/a")),
            ("GET http://example.org HTTP/1.1", Some("/")),
            ("GET /login?next=http://example.org/ HTTP/1.1", Some("/login")),
            ("GET /to/http://example.org/x HTTP/1.1", Some("/to/http://example.org/x")),
            ("GET ?a HTTP/1.1", None),
            ("-", None),
            ("", None),
            (r"\x16\x03\x01", None),
        ] {
            let line = format!("1 \"{request}\" 400");
            assert_eq!(event(format, &line).path.as_deref(), path, "{request}");
        }
        assert_eq!(event("$msec $status $uri", "1 200 -").path, None);
        assert_eq!(event("%{sec}t %s %U", "1 200 /é").path.as_deref(), Some("/é"));
    }

    #[test]
    fn a_line_that_is_not_of_the_format_is_told() {
        let format = "$msec $status \"$uri\" $request_time";
        for (line, expected) in [
            ("1 200", "it is not of the log format: ` \"` does not follow where it should"),
            (
                "1 200 \"/a\\\" 2",
                "it is not of the log format: `\" ` does not follow where it should",
            ),
            ("x 200 \"/\" 1", "`time` is no number"),
            (
                "1e20 200 \"/\" 1",
                "`time` is after the year 9999: seconds are expected, not milliseconds",
            ),
            ("1 abc \"/\" 1", "`status` is no whole number from 0 to 999"),
            ("1 200 \"/\" fast", "`duration` is no number"),
            ("1 200 \"/\" 1 2", "`duration` is no number"),
        ] {
            assert_eq!(why(format, line), expected, "{line}");
        }
        assert_eq!(
            why("$time_local|$status|", "31/Feb/2000:13:55:36 -0700|200|"),
            "`time` is not as in 10/Oct/2000:13:55:36 -0700"
        );
        assert_eq!(
            why("$msec|$status|", "1|200|more"),
            "it goes on after what the log format names"
        );
    }
}
