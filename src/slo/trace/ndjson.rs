//! One JSON object on each line.
//!
//! Nearly all lines of nearly all logs are flat objects of plain values. Those are read in a single
//! pass; every other line is parsed by `serde_json`, which also produces the error messages. A test
//! checks that both agree.

use std::borrow::Cow;

use serde::Deserialize;
use serde_json::value::RawValue;

use super::json_value::{json, raw};
use super::line::{Fields, Line, Raw, Why};
use super::servers;

pub(super) fn parse(line: &str) -> Result<Line<'_>, Why> {
    let mut fields = Fields::EMPTY;
    if plain(line, &mut fields).is_none() {
        fields = any(line).or_else(|why| with_words(line).ok_or(why))?;
    }
    if fields.t == Raw::Null
        && let Some(line) = servers::parse(line)
    {
        return line;
    }
    fields.line()
}

/// A flat object with `NaN` and `Infinity`, which are no JSON, as Python and others write them.
fn with_words(line: &str) -> Option<Fields<'_>> {
    let mut fields = Fields::EMPTY;
    scan(Scanner { line, bytes: line.as_bytes(), at: 0, has_words: true }, &mut fields)?;
    Some(fields)
}

/// Fills in the fields of a flat object without escapes; nothing when it is something else,
/// or wrong.
fn plain<'a>(line: &'a str, fields: &mut Fields<'a>) -> Option<()> {
    scan(Scanner { line, bytes: line.as_bytes(), at: 0, has_words: false }, fields)
}

fn scan<'a>(mut scanner: Scanner<'a>, fields: &mut Fields<'a>) -> Option<()> {
    let line = scanner.line;
    let mut seen = 0_u8;
    scanner.take(b'{')?;
    loop {
        let name = scanner.string()?;
        scanner.take(b':')?;
        let value = scanner.value()?;
        if let Some((bit, field)) = lookup(fields, name) {
            // A repeated field is an error, which `serde_json` reports.
            if seen & bit != 0 {
                return None;
            }
            seen |= bit;
            *field = value;
        }
        match scanner.next()? {
            b',' => {}
            b'}' => break,
            _ => return None,
        }
    }
    scanner.skip_space();
    (scanner.at == line.len()).then_some(())
}

/// The destination of the value of `name`, and the bit of the field.
fn lookup<'f, 'a>(fields: &'f mut Fields<'a>, name: &str) -> Option<(u8, &'f mut Raw<'a>)> {
    match name {
        "t" => Some((1, &mut fields.t)),
        "status" => Some((2, &mut fields.status)),
        "latency" => Some((4, &mut fields.latency)),
        "latency_ms" => Some((8, &mut fields.latency_ms)),
        "path" => Some((16, &mut fields.path)),
        "slo" => Some((32, &mut fields.slo)),
        "clock_step" => Some((64, &mut fields.clock_step)),
        "slo_status" => Some((128, &mut fields.slo_status)),
        _ => None,
    }
}

/// The bytes that end a string, or that a string without escapes does not have.
const ENDS_PLAIN: [bool; 256] = {
    let mut ends = [false; 256];
    let mut byte = 0;
    while byte < 0x20 {
        ends[byte] = true;
        byte += 1;
    }
    ends[b'"' as usize] = true;
    ends[b'\\' as usize] = true;
    ends
};

struct Scanner<'a> {
    line: &'a str,
    bytes: &'a [u8],
    at: usize,
    /// Whether `NaN` and `Infinity` are read.
    has_words: bool,
}

impl<'a> Scanner<'a> {
    fn skip_space(&mut self) {
        while let Some(b' ' | b'\t' | b'\r' | b'\n') = self.bytes.get(self.at) {
            self.at += 1;
        }
    }

    /// The next byte that is no space.
    fn next(&mut self) -> Option<u8> {
        self.skip_space();
        let byte = *self.bytes.get(self.at)?;
        self.at += 1;
        Some(byte)
    }

    fn take(&mut self, expected: u8) -> Option<()> {
        (self.next()? == expected).then_some(())
    }

    fn string(&mut self) -> Option<&'a str> {
        self.take(b'"')?;
        self.string_end()
    }

    /// The rest of a string, up to its quote.
    fn string_end(&mut self) -> Option<&'a str> {
        let rest = self.bytes.get(self.at..)?;
        let length = rest.iter().position(|byte| ENDS_PLAIN[usize::from(*byte)])?;
        if rest[length] != b'"' {
            return None;
        }
        let text = self.line.get(self.at..self.at + length)?;
        self.at += length + 1;
        Some(text)
    }

    fn value(&mut self) -> Option<Raw<'a>> {
        match self.next()? {
            b'"' => self.string_end().map(|text| Raw::Text(Cow::Borrowed(text))),
            b'N' if self.has_words => self.word("aN", Raw::Text(Cow::Borrowed("NaN"))),
            b'I' if self.has_words => self.word("nfinity", Raw::Text(Cow::Borrowed("NaN"))),
            b'-' if self.has_words && self.bytes.get(self.at) == Some(&b'I') => {
                self.word("Infinity", Raw::Text(Cow::Borrowed("NaN")))
            }
            b'-' | b'0'..=b'9' => self.number().map(Raw::Number),
            b't' => self.word("rue", Raw::Bool(true)),
            b'f' => self.word("alse", Raw::Bool(false)),
            b'n' => self.word("ull", Raw::Null),
            _ => None,
        }
    }

    fn word(&mut self, rest: &str, value: Raw<'a>) -> Option<Raw<'a>> {
        let found = self.bytes.get(self.at..self.at + rest.len())?;
        self.at += rest.len();
        (found == rest.as_bytes()).then_some(value)
    }

    /// The rest of a JSON number after its first byte: RFC 8259, section 6.
    fn number(&mut self) -> Option<&'a str> {
        let start = self.at - 1;
        if self.bytes[start] == b'-' {
            self.at += 1;
        }
        if *self.bytes.get(self.at - 1)? == b'0' {
            if self.digits() > 0 {
                return None;
            }
        } else {
            self.at -= 1;
            self.some_digits()?;
        }
        if self.bytes.get(self.at) == Some(&b'.') {
            self.at += 1;
            self.some_digits()?;
        }
        if let Some(b'e' | b'E') = self.bytes.get(self.at) {
            self.at += 1;
            if let Some(b'+' | b'-') = self.bytes.get(self.at) {
                self.at += 1;
            }
            self.some_digits()?;
        }
        self.line.get(start..self.at)
    }

    fn digits(&mut self) -> usize {
        let rest = self.bytes.get(self.at..).unwrap_or_default();
        let count = rest.iter().take_while(|byte| byte.is_ascii_digit()).count();
        self.at += count;
        count
    }

    fn some_digits(&mut self) -> Option<()> {
        (self.digits() > 0).then_some(())
    }
}

/// The fields as parsed by `serde_json`.
#[derive(Deserialize)]
struct Document<'a> {
    #[serde(borrow)]
    t: Option<&'a RawValue>,
    #[serde(borrow)]
    status: Option<&'a RawValue>,
    #[serde(borrow)]
    latency: Option<&'a RawValue>,
    #[serde(borrow)]
    latency_ms: Option<&'a RawValue>,
    #[serde(borrow)]
    path: Option<&'a RawValue>,
    #[serde(borrow)]
    slo: Option<&'a RawValue>,
    #[serde(borrow)]
    clock_step: Option<&'a RawValue>,
    #[serde(borrow)]
    slo_status: Option<&'a RawValue>,
}

/// Any JSON object.
fn any(line: &str) -> Result<Fields<'_>, Why> {
    if !line.trim_start().starts_with('{') {
        return Err(Why::Shape("it is no JSON object"));
    }
    let document: Document<'_> = serde_json::from_str(line).map_err(|error| json(&error))?;
    Ok(Fields {
        t: raw(document.t)?,
        status: raw(document.status)?,
        latency: raw(document.latency)?,
        latency_ms: raw(document.latency_ms)?,
        path: raw(document.path)?,
        slo: raw(document.slo)?,
        clock_step: raw(document.clock_step)?,
        slo_status: raw(document.slo_status)?,
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::{
        Strategy, any as any_value, prop, prop_assert_eq, prop_oneof, proptest,
    };

    use super::super::line::Parsed;
    use super::super::time::Point;
    use super::*;

    fn event(line: &str) -> Parsed<'_> {
        match parse(line) {
            Ok(Line::Event(event)) => event,
            other => panic!("{line}: {other:?}"),
        }
    }

    fn why(line: &str) -> String {
        match parse(line) {
            Err(why) => why.to_string(),
            other => panic!("{line}: {other:?}"),
        }
    }

    #[test]
    fn an_event_is_what_its_fields_say() {
        let parsed =
            event(r#"{"t":1.5,"status":200,"latency":0.0000019,"method":"GET","path":"/a?b=1"}"#);
        assert_eq!(parsed.at, Point { us: 1_500_000, is_wall: false });
        assert_eq!((parsed.status, parsed.latency_us), (200, Some(1)));
        assert_eq!(parsed.path.as_deref(), Some("/a"));
        let dated =
            event(r#" { "status" : "503" , "latency_ms" : 12.3456, "t":"2026-01-31T08:15:00Z" } "#);
        assert_eq!(dated.at, Point { us: 1_769_847_300_000_000, is_wall: true });
        assert_eq!((dated.status, dated.latency_us, dated.path), (503, Some(12_345), None));
    }

    #[test]
    fn of_two_latencies_seconds_count_and_none_is_needed() {
        let latency = |rest| event(&format!(r#"{{"t":1,"status":200{rest}}}"#)).latency_us;
        assert_eq!(latency(r#","latency":1,"latency_ms":7"#), Some(1_000_000));
        assert_eq!(latency(r#","latency":null,"latency_ms":7"#), Some(7_000));
        for unknown in
            ["\"-\"", "\"\"", "-1", "-0.001", "\"NaN\"", "NaN", "-Infinity", "Infinity", "null"]
        {
            let line = format!(r#"{{"t":1,"status":503,"latency":{unknown}}}"#);
            assert_eq!((event(&line).status, event(&line).latency_us), (503, None), "{unknown}");
        }
        assert_eq!(latency(""), None);
    }

    #[test]
    fn a_clock_that_was_set_is_taken_back() {
        let us = |step| event(&format!(r#"{{"t":7200.5,"status":200,"clock_step":{step}}}"#)).at.us;
        assert_eq!(us("3600.250000"), 3_600_250_000);
        assert_eq!(us("-3600.25"), 10_800_750_000);
        assert_eq!(us("\"-1\""), 7_201_500_000);
        assert_eq!([us("null"), us("0"), us("9000")], [7_200_500_000, 7_200_500_000, 0]);
        for bad in ["\"soon\"", "[]", "\"--1\"", "-1e30"] {
            let line = format!(r#"{{"t":1,"status":200,"clock_step":{bad}}}"#);
            assert!(why(&line).starts_with("`clock_step` is "), "{bad}");
        }
    }

    #[test]
    fn another_status_than_that_of_the_answer_may_count() {
        let status = |line: &str| event(line).status;
        assert_eq!(status(r#"{"t":1,"status":424,"slo_status":200}"#), 200);
        assert_eq!(status(r#"{"t":1,"slo_status":"500","status":424}"#), 500);
        assert_eq!(status(r#"{"t":1,"status":424,"slo_status":null}"#), 424);
        for bad in ["\"ok\"", "[]", "-3", "true", "1000"] {
            let line = format!(r#"{{"t":1,"status":424,"slo_status":{bad}}}"#);
            assert!(why(&line).starts_with("`slo_status` is "), "{bad}");
        }
    }

    #[test]
    fn an_event_may_leave_itself_out() {
        for line in [r#"{"slo":false}"#, r#"{"t":"x","slo":false,"a":{"slo":true}}"#] {
            assert_eq!(parse(line), Ok(Line::LeftOut));
        }
        assert_eq!(event(r#"{"t":1,"status":200,"slo":true}"#).status, 200);
        assert_eq!(event(r#"{"t":1,"status":200,"a":{"slo":false}}"#).status, 200);
    }

    #[test]
    fn escapes_and_nested_values_are_read() {
        let parsed =
            event(r#"{"a":[{"t":9}],"\u0074":1,"status":200,"path":"\/caf\u00e9\u003fq"}"#);
        assert_eq!((parsed.at.us, parsed.path.as_deref()), (1_000_000, Some("/café")));
    }

    #[test]
    fn what_is_wrong_is_named() {
        for (line, expected) in [
            ("{}", "it has no `t`"),
            (r#"{"t":1}"#, "it has no `status`"),
            (r#"{"t":null,"status":200}"#, "it has no `t`"),
            (r#"{"t":[],"status":200}"#, "`t` is neither a number nor a text"),
            (r#"{"t":-1,"status":200}"#, "`t` is below zero, or before 1970"),
            (r#"{"t":1,"status":1000}"#, "`status` is no whole number from 0 to 999"),
            (r#"{"t":1,"status":-200}"#, "`status` is no whole number from 0 to 999"),
            (r#"{"t":1,"status":"+20"}"#, "`status` is no whole number from 0 to 999"),
            (r#"{"t":1,"status":200,"latency":true}"#, "`latency` is neither a number nor a text"),
            (r#"{"t":1,"status":200,"latency_ms":"fast"}"#, "`latency_ms` is no number"),
            (r#"{"t":1,"status":200,"path":7}"#, "`path` is no text"),
            ("7", "it is no JSON object"),
        ] {
            assert_eq!(why(line), expected, "{line}");
        }
        let late = why(r#"{"t":1700000000123,"status":200}"#);
        assert!(late.contains("seconds are expected, not milliseconds"), "{late}");
        for line in [
            r#"{"t":1"#,
            r#"{"t":01,"status":200}"#,
            r#"{"t":1,"t":2,"status":200}"#,
            "{\"a\":\"\0\"}",
        ] {
            assert!(why(line).starts_with("it is no JSON: "), "{line}");
        }
        assert!(why(&format!("{{\"a\":{}", "[".repeat(100_000))).starts_with("it is no JSON"));
    }

    fn token() -> impl Strategy<Value = String> {
        prop_oneof![
            prop::sample::select(vec![
                "{",
                "}",
                "[",
                "]",
                ":",
                ",",
                "\"",
                "\\",
                " ",
                "\t",
                "\0",
                "-",
                "0",
                "1",
                ".",
                "e",
                "E",
                "+",
                "true",
                "false",
                "null",
                "nul",
                "\"t\"",
                "\"t\":1",
                "\"status\":200",
                "\"slo\":",
                "\"é\"",
                "ü",
            ])
            .prop_map(str::to_owned),
            any_value::<f64>().prop_map(|value| value.to_string()),
        ]
    }

    proptest! {
        #[test]
        fn the_short_way_says_what_the_long_way_says(tokens in prop::collection::vec(token(), 0..12)) {
            for line in [tokens.concat(), format!("{{{}}}", tokens.concat()), format!("{{{}}}", tokens.join(","))] {
                let mut fields = Fields::EMPTY;
                if plain(&line, &mut fields).is_some() {
                    prop_assert_eq!(Ok(fields), any(&line), "{}", line);
                }
            }
        }

        #[test]
        fn numbers_are_those_of_json(text in "-?[0-9]{0,3}(\\.[0-9]{0,2})?([eE][+-]?[0-9]{0,2})?") {
            let line = format!("{{\"t\":{text}}}");
            let mut fields = Fields::EMPTY;
            prop_assert_eq!(plain(&line, &mut fields).is_some(), any(&line).is_ok(), "{}", line);
        }
    }
}
