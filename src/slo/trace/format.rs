//! Formats of access logs, as nginx and Apache are told them.
//!
//! nginx: `log_format` of ngx_http_log_module, with the variables of ngx_http_core_module
//! and ngx_http_upstream_module. Apache: `LogFormat` of mod_log_config.

use std::str::FromStr;

/// What a line of an access log is made of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LogFormat {
    pub(super) pieces: Vec<Piece>,
}

/// A part of a line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Piece {
    /// Text that is always the same.
    Literal(String),
    /// Text that is of no interest.
    Skipped,
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
    /// A decimal number of units since the epoch, of which `10^digits` make a second.
    Epoch(u32),
    /// What is to be added, in units of which `10^digits` make a second.
    Fraction(u32),
}

/// How a duration is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Latency {
    /// A decimal number of units, of which `10^digits` make a second.
    Unit(u32),
    /// Seconds of each server that was asked: `0.010, 0.020 : 0.030`.
    Upstreams,
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
const EXAMPLE: &str = "give the format as the server has it, such as 'combined $request_time' \
     (nginx) or 'combined %D' (Apache)";

/// A field as the format names it, and how good its source is: of two that say the same
/// the better one is read.
struct Named {
    name: String,
    piece: Piece,
    rank: u8,
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
        let (base, rest) = match text.split_once(char::is_whitespace) {
            _ if text == "common" => (Some(COMMON), ""),
            _ if text == "combined" => (Some(COMBINED), ""),
            Some(("common", _)) => (Some(COMMON), &text["common".len()..]),
            Some(("combined", _)) => (Some(COMBINED), &text["combined".len()..]),
            _ => (None, text.as_str()),
        };
        let mut tokens = base.map_or_else(|| Ok(Vec::new()), apache)?;
        tokens.extend(if variable(rest).is_some() { nginx(rest)? } else { apache(rest)? });
        compile(tokens)
    }
}

/// The format of a directive as it stands in a configuration: `log_format timed '…' '…';`
/// or `LogFormat "…" timed`, or only its quoted parts.
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

/// What is inside of quotes, what is outside, and how many quoted parts there are; nothing
/// when a quote is not closed. An escaped quote is part of what it stands in.
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

/// `\"`, `\'`, `\\` and `\t` as what they stand for.
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

/// Where the first variable of nginx begins.
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
        tokens.push(Token::Field(of_nginx(name)));
        rest = next;
    }
    literal(&mut tokens, rest);
    Ok(tokens)
}

fn of_nginx(name: &str) -> Named {
    let (piece, rank) = match name {
        "msec" => (Piece::Time(Time::Epoch(0)), 3),
        "time_iso8601" => (Piece::Time(Time::Iso), 2),
        "time_local" => (Piece::Time(Time::Local), 1),
        "status" => (Piece::Status, 2),
        // What the client waited for, before what the servers behind took.
        "request_time" => (Piece::Latency(Latency::Unit(0)), 2),
        "upstream_response_time" => (Piece::Latency(Latency::Upstreams), 1),
        "request_uri" => (Piece::Path(Target::Uri), 3),
        "request" => (Piece::Path(Target::Request), 2),
        "uri" | "document_uri" => (Piece::Path(Target::Uri), 1),
        _ => (Piece::Skipped, 0),
    };
    Named { name: format!("${name}"), piece, rank }
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
        let (length, named) = of_apache(after)?;
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
    /// How its time is written; of what is none, as a number.
    fn time(&self) -> Time {
        match self.piece {
            Piece::Time(time) => time,
            _ => Time::Epoch(0),
        }
    }
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
    let Some(letter) = text.get(at..at + letters).filter(|letter| letter.is_ascii()) else {
        return Err(LogFormatError::new(
            format!("`%{}` is no directive of Apache", &text[..at]),
            "write `%%` for a percent sign",
        ));
    };
    let name = format!("%{}{letter}", &text[..at]);
    let (piece, rank) = match (letter, argument) {
        ("t", argument) => of_apache_time(&name, argument)?,
        // By itself `%s` is the original one: what was sent is better.
        ("s", None) => (Piece::Status, if is_final { 2 } else { 1 }),
        ("D", None) | ("T", Some("us")) => (Piece::Latency(Latency::Unit(6)), 3),
        ("T", Some("ms")) => (Piece::Latency(Latency::Unit(3)), 2),
        ("T", None | Some("s")) => (Piece::Latency(Latency::Unit(0)), 1),
        ("T", Some(_)) => {
            return Err(LogFormatError::new(
                format!("`{name}` is in no unit of Apache"),
                "use %D, %{us}T, %{ms}T or %T",
            ));
        }
        ("r", None) => (Piece::Path(Target::Request), if is_original { 2 } else { 3 }),
        ("U", None) => (Piece::Path(Target::Uri), 1),
        _ => (Piece::Skipped, 0),
    };
    Ok((at + letters, Named { name, piece, rank }))
}

fn of_apache_time(name: &str, argument: Option<&str>) -> Result<(Piece, u8), LogFormatError> {
    let argument = argument.unwrap_or_default();
    let format = argument.strip_prefix("begin:").unwrap_or(argument);
    let format = format.strip_prefix("end:").unwrap_or(format);
    Ok(match format {
        "" => (Piece::Time(Time::Local), 1),
        "sec" => (Piece::Time(Time::Epoch(0)), 2),
        "msec" => (Piece::Time(Time::Epoch(3)), 3),
        "usec" => (Piece::Time(Time::Epoch(6)), 4),
        "msec_frac" => (Piece::Time(Time::Fraction(3)), 1),
        "usec_frac" => (Piece::Time(Time::Fraction(6)), 2),
        _ => {
            return Err(LogFormatError::new(
                format!("`{name}` is a time that wfx does not read"),
                "log the time as %t, %{sec}t, %{msec}t or %{usec}t",
            ));
        }
    })
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

/// What two fields of a format have in common when only one of them is to be read.
fn kind(piece: &Piece) -> Option<usize> {
    match piece {
        Piece::Literal(_) | Piece::Skipped => None,
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
    require(best[1], "time", "$time_local, $time_iso8601 or $msec (nginx); %t (Apache)")?;
    require(best[2], "status", "$status (nginx); %>s (Apache)")?;
    let mut pieces = Vec::with_capacity(tokens.len());
    let mut last: Option<String> = None;
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
                let kind = kind(&named.piece);
                // Of two that are as good the first is read.
                let is_read = kind.is_some_and(|kind| {
                    let is_best = best[kind] == named.rank;
                    best[kind] = if is_best { u8::MAX } else { best[kind] };
                    is_best
                });
                pieces.push(if is_read { named.piece } else { Piece::Skipped });
            }
        }
    }
    Ok(LogFormat { pieces: whole_times(pieces) })
}

fn require(rank: u8, what: &str, variables: &str) -> Result<(), LogFormatError> {
    if rank > 0 {
        return Ok(());
    }
    Err(LogFormatError::new(
        format!("the format has no {what}"),
        format!("it needs {variables}; or {EXAMPLE}"),
    ))
}

/// The fraction of a second counts only beside a time in whole seconds.
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
mod tests {
    use super::*;

    fn pieces(text: &str) -> Vec<Piece> {
        text.parse::<LogFormat>().unwrap_or_else(|error| panic!("{text}: {error}")).pieces
    }

    fn kept(text: &str) -> Vec<Piece> {
        let is_kept = |piece: &Piece| !matches!(piece, Piece::Literal(_) | Piece::Skipped);
        pieces(text).into_iter().filter(is_kept).collect()
    }

    const LOCAL: Piece = Piece::Time(Time::Local);
    const REQUEST: Piece = Piece::Path(Target::Request);

    #[test]
    fn names_stand_for_formats_and_take_a_duration() {
        assert_eq!(kept("common"), [LOCAL, REQUEST, Piece::Status]);
        assert_eq!(kept(" combined "), kept("common"));
        for (text, latency) in [
            ("combined $request_time", Latency::Unit(0)),
            ("combined rt=$upstream_response_time", Latency::Upstreams),
            ("common %D", Latency::Unit(6)),
            ("combined \"%{ms}T\"", Latency::Unit(3)),
            ("combined %T", Latency::Unit(0)),
        ] {
            assert_eq!(
                kept(text),
                [LOCAL, REQUEST, Piece::Status, Piece::Latency(latency)],
                "{text}"
            );
        }
    }

    #[test]
    fn a_format_is_read_as_it_stands_in_a_configuration() {
        let plain = pieces("$msec \"$request\" $status ${request_time}s");
        for text in [
            "log_format timed '$msec \"$request\" ' '$status ${request_time}s';",
            "log_format timed\n  '$msec \"$request\" '\n  '$status ${request_time}s';",
            "'$msec \"$request\" '\n'$status ${request_time}s'",
            r#"$msec \"$request\" $status ${request_time}s"#,
        ] {
            assert_eq!(pieces(text), plain, "{text}");
        }
        let apache = pieces("%t \"%r\" %>s %D");
        assert_eq!(pieces(r#"LogFormat "%t \"%r\" %>s %D" timed"#), apache);
        assert_eq!(pieces(r#""%t \"%r\" %>s %D""#), apache);
        // The quotes of the log itself.
        for text in [r#""%U" %s "%t""#, r#""%U" "%s" "%t""#] {
            assert_eq!(pieces(text)[0], Piece::Literal("\"".to_owned()), "{text}");
        }
    }

    #[test]
    fn of_two_that_say_the_same_the_better_one_is_read() {
        assert_eq!(
            kept(
                "$time_local $msec $status $upstream_response_time $request_time $request $request_uri"
            ),
            [
                Piece::Time(Time::Epoch(0)),
                Piece::Status,
                Piece::Latency(Latency::Unit(0)),
                Piece::Path(Target::Uri)
            ]
        );
        assert_eq!(
            kept("%t %{usec}t %{usec_frac}t %s %>s %T %D"),
            [Piece::Time(Time::Epoch(6)), Piece::Status, Piece::Latency(Latency::Unit(6))]
        );
        assert_eq!(
            kept("%{begin:sec}t.%{usec_frac}t %>s %400,501{User-agent}i %!200s %^FB"),
            [Piece::Time(Time::Epoch(0)), Piece::Time(Time::Fraction(6)), Piece::Status]
        );
        assert_eq!(kept("$status $status $msec"), [Piece::Status, Piece::Time(Time::Epoch(0))]);
    }

    #[test]
    fn what_cannot_be_read_is_named_with_a_way_out() {
        for (text, message, hint) in [
            ("", "it is empty", "combined $request_time"),
            ("$status $request_time", "the format has no time", "$time_local"),
            ("%t %D", "the format has no status", "%>s"),
            ("combine", "the format has no time", "combined $request_time"),
            ("$msec$status", "`$msec` and `$status` have nothing between them", "a space"),
            ("$msec ${status", "`${status` has no closing brace", "${name}"),
            ("%t %>s %{Referer", "`%{Referer` has no closing brace", "%{name}i"),
            ("%t %>s %{min}T", "`%{min}T` is in no unit of Apache", "%D"),
            ("%{%H:%M}t %>s", "`%{%H:%M}t` is a time that wfx does not read", "%{msec}t"),
            ("%t %>s %", "`%` is no directive of Apache", "%%"),
            ("%t %>s %ä", "`%` is no directive of Apache", "%%"),
        ] {
            let error = text.parse::<LogFormat>().unwrap_err();
            assert_eq!(error.to_string(), message, "{text}");
            assert!(error.hint().contains(hint), "{text}: {}", error.hint());
        }
    }
}
