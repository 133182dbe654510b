//! Formats of access logs, in the configuration syntax of nginx and Apache.
//!
//! nginx: `log_format` of ngx_http_log_module, with the variables of ngx_http_core_module
//! and ngx_http_upstream_module. Apache: `LogFormat` of mod_log_config.

use std::str::FromStr;

use jiff::Timestamp;
use jiff::fmt::strtime::BrokenDownTime;

/// The parts of a line of an access log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LogFormat {
    pub(super) pieces: Vec<Piece>,
    /// The formats of all [`Time::Part`]s, joined by [`PART_END`].
    pub(super) strftime: Option<String>,
    /// Whether the time is that of the arrival: Apache's `%t`.
    pub(super) is_arrival: bool,
    /// Whether a line may have more fields at its end: of a format that was only named.
    pub(super) is_open: bool,
}

/// The separator of a time from several fields; it occurs in no log.
pub(super) const PART_END: char = '\u{1}';

/// A part of a line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Piece {
    /// Text that is always the same.
    Literal(String),
    /// Text that is of no interest.
    Skipped,
    /// A list with an item for each upstream server, ignored: `a, b : c`.
    SkippedList,
    Time(Time),
    Status,
    Latency(Latency),
    Path(Target),
}

/// How a time is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Time {
    /// `10/Oct/2000:13:55:36 -0700`
    Local,
    /// RFC 3339.
    Iso,
    /// A decimal number of units since the epoch; `10^digits` units make a second.
    Epoch(u32),
    /// A fraction to add, in units; `10^digits` units make a second.
    Fraction(u32),
    /// One of several fields that form a time together: [`LogFormat::strftime`].
    Part,
}

/// How a duration is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Latency {
    /// A decimal number of units; `10^digits` units make a second.
    Unit(u32),
    /// Seconds as nginx writes them, with three decimals.
    Decimal,
    /// Units for each upstream server: `0.010, 0.020 : 0.030`.
    Upstreams(u32),
}

/// What names the path.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Target {
    /// `GET /x?y HTTP/1.1`
    Request,
    /// `/x?y`
    Uri,
}

/// Why a format cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct LogFormatError {
    message: String,
    hint: String,
}

impl LogFormatError {
    fn new(message: impl Into<String>, hint: impl Into<String>) -> Self {
        Self { message: message.into(), hint: hint.into() }
    }

    /// What can be done.
    #[must_use]
    pub fn hint(&self) -> &str {
        &self.hint
    }
}

const COMMON: &str = r#"%h %l %u %t "%r" %>s %b"#;
const COMBINED: &str = r#"%h %l %u %t "%r" %>s %b "%{Referer}i" "%{User-Agent}i""#;
/// The format of `option httplog`, after an optional syslog prefix; its time is that of the
/// arrival.
const HAPROXY: &str = "haproxy";
/// Formats by the names that the configurations of nginx and Apache on Debian and others
/// give them, and those of Squid and HAProxy.
const NAMED: [(&str, &str); 7] = [
    ("common", COMMON),
    ("combined", COMBINED),
    ("main", r#"%h - %u %t "%r" %>s %b "%{Referer}i" "%{User-Agent}i" "%{X-Forwarded-For}i""#),
    ("vhost_combined", r#"%v:%p %h %l %u %t "%r" %>s %O "%{Referer}i" "%{User-Agent}i""#),
    ("combinedio", r#"%h %l %u %t "%r" %>s %b "%{Referer}i" "%{User-Agent}i" %I %O"#),
    (
        HAPROXY,
        "$client [$time_local] $frontend $backend $tq/$tw/$tc/$tr/${request_time:ms} $status $bytes $rest\"$request\"",
    ),
    (
        "squid",
        "$msec ${request_time:ms} $client $result/$status $size $method $request_uri $user $peer $type",
    ),
];
const EXAMPLE: &str = "give the format as the server has it, such as 'combined $request_time' \
     (nginx) or 'combined %D' (Apache)";

/// A field of the format, and the quality of its source: of two fields with the same meaning the
/// better one is read.
struct Named {
    name: String,
    piece: Piece,
    rank: u8,
    /// The source text of a [`Time::Part`].
    strftime: Option<String>,
    /// Whether it is the time of the arrival.
    is_arrival: bool,
}

enum Token {
    Literal(String),
    Field(Named),
}

impl FromStr for LogFormat {
    type Err = LogFormatError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let text = pasted(text.trim());
        if text.is_empty() {
            return Err(LogFormatError::new("it is empty", EXAMPLE));
        }
        let (name, rest) = text.split_at(text.find(char::is_whitespace).unwrap_or(text.len()));
        let base = NAMED.iter().find(|(known, _)| *known == name).map(|(_, base)| *base);
        let (base, rest) = base.map_or(("", text.as_str()), |base| (base, rest));
        let mut tokens = tokens_of(base)?;
        let is_open = !base.is_empty() && rest.is_empty();
        let is_nginx = variable(rest).is_some();
        tokens.extend(tokens_of(rest)?);
        let mut format = compile(tokens)?;
        format.is_open = is_open;
        // nginx logs the time of the answer, also by the formats that both have.
        format.is_arrival &= !is_nginx;
        format.is_arrival |= name == HAPROXY;
        Ok(format)
    }
}

fn tokens_of(text: &str) -> Result<Vec<Token>, LogFormatError> {
    if variable(text).is_some() { nginx(text) } else { apache(text) }
}

/// The format in a directive of a configuration: `log_format timed '…' '…';` or `LogFormat "…"
/// timed`, or only its quoted parts.
fn pasted(text: &str) -> String {
    let directive = ["log_format", "LogFormat"].iter().find_map(|name| text.strip_prefix(name));
    let is_quote = |character: &char| matches!(character, '\'' | '"');
    let quote = match directive {
        Some(rest) => rest.chars().find(is_quote),
        None => text.chars().next().filter(is_quote),
    };
    let Some((inside, outside, parts)) = quote.and_then(|quote| quoted(text, quote)) else {
        return unescaped(text);
    };
    // Otherwise the quotes are those of the log, around its first field and others.
    let is_only_quoted =
        outside.chars().all(|character| character.is_whitespace() || character == ';')
            && (parts == 1 || quote == Some('\''));
    unescaped(if directive.is_some() || is_only_quoted { &inside } else { text })
}

/// The text inside quotes, the text outside, and the number of quoted parts; nothing if a quote is
/// not closed. An escaped quote is part of the text around it.
fn quoted(text: &str, quote: char) -> Option<(String, String, usize)> {
    let (mut inside, mut outside, mut parts) = (String::new(), String::new(), 0);
    let (mut is_inside, mut is_escaped) = (false, false);
    for character in text.chars() {
        if character == quote && !is_escaped {
            is_inside = !is_inside;
            parts += usize::from(is_inside);
        } else if is_inside {
            inside.push(character);
        } else {
            outside.push(character);
        }
        is_escaped = character == '\\' && !is_escaped;
    }
    (!is_inside).then_some((inside, outside, parts))
}

/// Replaces the escapes `\"`, `\'`, `\\` and `\t`.
fn unescaped(text: &str) -> String {
    let mut plain = String::with_capacity(text.len());
    let mut characters = text.chars().peekable();
    while let Some(character) = characters.next() {
        let escaped = characters.next_if(|next| character == '\\' && "\"'\\t".contains(*next));
        plain.push(match escaped {
            Some('t') => '\t',
            Some(other) => other,
            None => character,
        });
    }
    plain
}

/// The index of the first nginx variable.
fn variable(text: &str) -> Option<usize> {
    text.match_indices('$').map(|(at, _)| at).find(|at| {
        let next = text[at + 1..].chars().next();
        next.is_some_and(|next| next == '{' || is_of_name(next))
    })
}

fn is_of_name(character: char) -> bool {
    character.is_ascii_alphanumeric() || character == '_'
}

fn nginx(text: &str) -> Result<Vec<Token>, LogFormatError> {
    let mut tokens = Vec::new();
    let mut rest = text;
    while let Some(at) = variable(rest) {
        literal(&mut tokens, &rest[..at]);
        let after = &rest[at + 1..];
        let (name, next) = match after.strip_prefix('{') {
            Some(inner) => inner.split_once('}').ok_or_else(|| {
                LogFormatError::new(format!("`${after}` has no closing brace"), "write `${name}`")
            })?,
            None => after.split_at(after.find(|c| !is_of_name(c)).unwrap_or(after.len())),
        };
        tokens.push(Token::Field(of_nginx(name)?));
        rest = next;
    }
    literal(&mut tokens, rest);
    Ok(tokens)
}

/// The variables with a value for each upstream server.
const OF_UPSTREAMS: [&str; 10] = [
    "upstream_addr",
    "upstream_status",
    "upstream_connect_time",
    "upstream_header_time",
    "upstream_response_time",
    "upstream_queue_time",
    "upstream_response_length",
    "upstream_bytes_received",
    "upstream_bytes_sent",
    "upstream_first_byte_time",
];

/// A variable; a duration may have a unit after a colon: `${request_time:ms}`.
fn of_nginx(name: &str) -> Result<Named, LogFormatError> {
    let (variable, unit) = match name.split_once(':') {
        Some((variable @ ("request_time" | "upstream_response_time"), unit)) => {
            (variable, Some(digits_of(unit).ok_or_else(|| no_unit(name, unit))?))
        }
        _ => (name, None),
    };
    let (piece, rank) = match variable {
        "msec" => (Piece::Time(Time::Epoch(0)), 3),
        "time_iso8601" => (Piece::Time(Time::Iso), 2),
        "time_local" => (Piece::Time(Time::Local), 1),
        "status" => (Piece::Status, 2),
        // Prefers the time that the client waited to the time that upstream servers took.
        "request_time" => (Piece::Latency(unit.map_or(Latency::Decimal, Latency::Unit)), 2),
        "upstream_response_time" => (Piece::Latency(Latency::Upstreams(unit.unwrap_or(0))), 1),
        "request_uri" => (Piece::Path(Target::Uri), 3),
        "request" => (Piece::Path(Target::Request), 2),
        "uri" | "document_uri" => (Piece::Path(Target::Uri), 1),
        name if OF_UPSTREAMS.contains(&name) => (Piece::SkippedList, 0),
        _ => (Piece::Skipped, 0),
    };
    Ok(Named { name: format!("${name}"), piece, rank, strftime: None, is_arrival: false })
}

/// How many decimals seconds have in a unit.
fn digits_of(unit: &str) -> Option<u32> {
    match unit {
        "s" => Some(0),
        "ms" => Some(3),
        "us" => Some(6),
        _ => None,
    }
}

fn no_unit(name: &str, unit: &str) -> LogFormatError {
    LogFormatError::new(
        format!("`{name}` has the unit `{unit}`, which wfx does not read"),
        "the units are s, ms and us, such as ${request_time:ms} or %{ms}D",
    )
}

fn apache(text: &str) -> Result<Vec<Token>, LogFormatError> {
    let mut tokens = Vec::new();
    let mut rest = text;
    while let Some((before, after)) = rest.split_once('%') {
        literal(&mut tokens, before);
        if let Some(next) = after.strip_prefix('%') {
            literal(&mut tokens, "%");
            rest = next;
            continue;
        }
        let (length, named) = match of_gunicorn(after) {
            Some(found) => found,
            None => of_apache(after)?,
        };
        if let Time::Local = named.time() {
            // Apache writes the brackets with the time.
            literal(&mut tokens, "[");
            tokens.push(Token::Field(named));
            literal(&mut tokens, "]");
        } else {
            tokens.push(Token::Field(named));
        }
        rest = &after[length..];
    }
    literal(&mut tokens, rest);
    Ok(tokens)
}

impl Named {
    /// The form of its time; if it is none, a number.
    fn time(&self) -> Time {
        match self.piece {
            Piece::Time(time) => time,
            _ => Time::Epoch(0),
        }
    }
}

/// A field of gunicorn's `access_log_format` after a `%`, such as `(D)s`, and how long it is.
/// gunicorn logs the time of the answer.
fn of_gunicorn(text: &str) -> Option<(usize, Named)> {
    let (name, rest) = text.strip_prefix('(')?.split_once(')')?;
    let letter = rest.chars().next().filter(char::is_ascii_alphabetic)?;
    let (piece, rank) = match name {
        "t" => (Piece::Time(Time::Local), 1),
        "s" => (Piece::Status, 1),
        "D" => (Piece::Latency(Latency::Unit(6)), 4),
        "M" => (Piece::Latency(Latency::Unit(3)), 3),
        "L" => (Piece::Latency(Latency::Unit(0)), 2),
        "T" => (Piece::Latency(Latency::Unit(0)), 1),
        "r" => (Piece::Path(Target::Request), 2),
        "U" => (Piece::Path(Target::Uri), 1),
        _ => (Piece::Skipped, 0),
    };
    let name = format!("%({name}){letter}");
    let length = name.len() - 1;
    Some((length, Named { name, piece, rank, strftime: None, is_arrival: false }))
}

/// The directive after a `%`, and how long it is: conditions, `<` or `>`, an argument in
/// braces, a letter, or `^` and two.
fn of_apache(text: &str) -> Result<(usize, Named), LogFormatError> {
    let modifiers = text.find(|c: char| !(c.is_ascii_digit() || "!,<>".contains(c)));
    let mut at = modifiers.unwrap_or(text.len());
    let is_original = text[..at].contains('<');
    let is_final = text[..at].contains('>');
    let mut argument = None;
    if let Some(inner) = text[at..].strip_prefix('{') {
        let length = inner.find('}').ok_or_else(|| {
            LogFormatError::new(format!("`%{text}` has no closing brace"), "write `%{name}i`")
        })?;
        argument = Some(&inner[..length]);
        at += length + 2;
    }
    let letters = if text[at..].starts_with('^') { 3 } else { 1 };
    if text[at..].starts_with(['^', '~'])
        && !text[at + 1..].starts_with(|next: char| next.is_ascii_alphabetic())
    {
        return Err(LogFormatError::new(
            format!("`%{}` is of GoAccess, whose formats wfx does not read", &text[..=at]),
            format!("{EXAMPLE}: it is in the configuration of the server"),
        ));
    }
    let Some(letter) = text.get(at..at + letters).filter(|letter| letter.is_ascii()) else {
        return Err(LogFormatError::new(
            format!("`%{}` is no directive of Apache", &text[..at]),
            "write `%%` for a percent sign",
        ));
    };
    let name = format!("%{}{letter}", &text[..at]);
    let mut strftime = None;
    let mut is_arrival = false;
    let (piece, rank) = match (letter, argument) {
        ("t", argument) => {
            is_arrival = !argument.is_some_and(|argument| argument.starts_with("end:"));
            let (piece, rank) = of_apache_time(argument);
            if piece == Piece::Time(Time::Part) {
                strftime = argument.map(|argument| without_moment(argument).to_owned());
            }
            (piece, rank)
        }
        // A plain `%s` is the original status; the status that was sent is preferred.
        ("s", None) => (Piece::Status, if is_final { 2 } else { 1 }),
        ("D", None) => (Piece::Latency(Latency::Unit(6)), 3),
        ("T", None) => (Piece::Latency(Latency::Unit(0)), 1),
        // Apache has units with `%T`; those of `%D` are for what writes others: Tomcat.
        ("T" | "D", Some(unit)) => {
            let digits = digits_of(unit).ok_or_else(|| no_unit(&name, unit))?;
            (Piece::Latency(Latency::Unit(digits)), u8::try_from(digits / 3).unwrap_or(0) + 1)
        }
        ("r", None) => (Piece::Path(Target::Request), if is_original { 2 } else { 3 }),
        ("U", None) => (Piece::Path(Target::Uri), 1),
        _ => (Piece::Skipped, 0),
    };
    Ok((at + letters, Named { name, piece, rank, strftime, is_arrival }))
}

fn of_apache_time(argument: Option<&str>) -> (Piece, u8) {
    match without_moment(argument.unwrap_or_default()) {
        "" => (Piece::Time(Time::Local), 1),
        "sec" => (Piece::Time(Time::Epoch(0)), 2),
        "msec" => (Piece::Time(Time::Epoch(3)), 3),
        "usec" => (Piece::Time(Time::Epoch(6)), 4),
        "msec_frac" => (Piece::Time(Time::Fraction(3)), 1),
        "usec_frac" => (Piece::Time(Time::Fraction(6)), 2),
        _ => (Piece::Time(Time::Part), 1),
    }
}

/// The argument of `%{…}t` without `begin:` or `end:`.
fn without_moment(argument: &str) -> &str {
    let format = argument.strip_prefix("begin:").unwrap_or(argument);
    format.strip_prefix("end:").unwrap_or(format)
}

fn literal(tokens: &mut Vec<Token>, text: &str) {
    if text.is_empty() {
        return;
    }
    match tokens.last_mut() {
        Some(Token::Literal(last)) => last.push_str(text),
        _ => tokens.push(Token::Literal(text.to_owned())),
    }
}

/// What two fields of a format have in common if only one of them is to be read.
fn kind(piece: &Piece) -> Option<usize> {
    match piece {
        Piece::Literal(_) | Piece::Skipped | Piece::SkippedList | Piece::Time(Time::Part) => None,
        Piece::Time(Time::Fraction(_)) => Some(0),
        Piece::Time(_) => Some(1),
        Piece::Status => Some(2),
        Piece::Latency(_) => Some(3),
        Piece::Path(_) => Some(4),
    }
}

fn compile(tokens: Vec<Token>) -> Result<LogFormat, LogFormatError> {
    let mut best = [0_u8; 5];
    for token in &tokens {
        if let Token::Field(named) = token
            && let Some(kind) = kind(&named.piece)
        {
            best[kind] = best[kind].max(named.rank);
        }
    }
    let strftime = if best[1] == 0 { strftime(&tokens)? } else { None };
    let time = best[1] + u8::from(strftime.is_some());
    require(time, "time", "$time_local, $time_iso8601 or $msec (nginx); %t (Apache)")?;
    require(best[2], "status", "$status (nginx); %>s (Apache)")?;
    let mut pieces = Vec::with_capacity(tokens.len());
    let mut last: Option<String> = None;
    let mut is_arrival = false;
    for token in tokens {
        match token {
            Token::Literal(text) => {
                last = None;
                pieces.push(Piece::Literal(text));
            }
            Token::Field(named) => {
                if let Some(last) = last.replace(named.name.clone()) {
                    return Err(LogFormatError::new(
                        format!("`{last}` and `{}` have nothing between them", named.name),
                        "a space or another sign between them tells where the one ends",
                    ));
                }
                let is_part = named.piece == Piece::Time(Time::Part) && strftime.is_some();
                let kind = kind(&named.piece);
                // Of two equally good fields the first is read.
                let is_read = is_part
                    || kind.is_some_and(|kind| {
                        let is_best = best[kind] == named.rank;
                        best[kind] = if is_best { u8::MAX } else { best[kind] };
                        is_best
                    });
                let is_list = matches!(
                    named.piece,
                    Piece::SkippedList | Piece::Latency(Latency::Upstreams(_))
                );
                is_arrival |= is_read && named.is_arrival;
                pieces.push(match named.piece {
                    piece if is_read => piece,
                    _ if is_list => Piece::SkippedList,
                    _ => Piece::Skipped,
                });
            }
        }
    }
    Ok(LogFormat { pieces: whole_times(pieces), strftime, is_arrival, is_open: false })
}

/// The formats of all parts of a time; nothing if there are none.
fn strftime(tokens: &[Token]) -> Result<Option<String>, LogFormatError> {
    let mut whole = String::new();
    for token in tokens {
        if let Token::Field(Named { strftime: Some(part), .. }) = token {
            whole.push_str(part);
            whole.push(PART_END);
        }
    }
    if whole.is_empty() {
        return Ok(None);
    }
    // A format is of use when a time that it writes is read back by it.
    let written = Timestamp::UNIX_EPOCH.to_zoned(jiff::tz::TimeZone::UTC);
    let parsed = BrokenDownTime::from(&written)
        .to_string(&whole)
        .and_then(|text| BrokenDownTime::parse(&whole, &text));
    if parsed.is_ok_and(|time| time.to_timestamp().is_ok() || time.to_datetime().is_ok()) {
        return Ok(Some(whole));
    }
    let shown: Vec<&str> = whole.split_terminator(PART_END).collect();
    Err(LogFormatError::new(
        format!("`%{{{}}}t` makes no whole time", shown.join("}t %{")),
        "log the time as %t, %{sec}t, %{msec}t or %{usec}t, or with date, time and zone, \
         such as %{%Y-%m-%dT%H:%M:%S%z}t",
    ))
}

fn require(rank: u8, what: &str, variables: &str) -> Result<(), LogFormatError> {
    if rank > 0 {
        return Ok(());
    }
    Err(LogFormatError::new(
        format!("the format has no {what}"),
        format!(
            "it needs {variables}; or {EXAMPLE}; logs of IIS and CloudFront, with a line \
             `#Fields:`, need none"
        ),
    ))
}

/// A fraction of a second counts only together with a time in whole seconds.
fn whole_times(mut pieces: Vec<Piece>) -> Vec<Piece> {
    let is_finer = |piece: &Piece| matches!(piece, Piece::Time(Time::Epoch(3 | 6)));
    if pieces.iter().any(is_finer) {
        for piece in &mut pieces {
            if let Piece::Time(Time::Fraction(_)) = piece {
                *piece = Piece::Skipped;
            }
        }
    }
    pieces
}

#[cfg(test)]
mod tests;
