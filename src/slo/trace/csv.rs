//! CSV (RFC 4180) with a header, a line for each event.
//!
//! A field holds no line break here: a quote that is not closed spoils its own line and
//! none after it.

use std::borrow::Cow;

use super::line::{Fields, Line, Raw, Why};

/// Which column is what.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Columns(Vec<Option<&'static str>>);

const KNOWN: [&str; 6] = ["t", "status", "latency", "latency_ms", "path", "slo"];

impl Columns {
    /// The columns of a header, in any order and among others; nothing if the line is no header,
    /// since `t` or `status` is missing or repeated.
    pub(super) fn of_header(line: &str) -> Option<Self> {
        let mut columns = Vec::new();
        for field in Splitter::new(line) {
            let name = field.ok()?;
            let known = KNOWN.into_iter().find(|known| name.trim().eq_ignore_ascii_case(known));
            if known.is_some() && columns.contains(&known) {
                return None;
            }
            columns.push(known);
        }
        let has = |name| columns.contains(&Some(name));
        (has("t") && has("status")).then_some(Self(columns))
    }

    /// Reads a line. Concatenated files have headers in between.
    pub(super) fn parse<'a>(&mut self, line: &'a str) -> Result<Line<'a>, Why> {
        let parsed = self.fields(line).and_then(|mut fields| fields.line());
        if parsed.is_err()
            && let Some(columns) = Self::of_header(line)
        {
            *self = columns;
            return Ok(Line::Header);
        }
        parsed
    }

    fn fields<'a>(&self, line: &'a str) -> Result<Fields<'a>, Why> {
        let mut fields = Fields::EMPTY;
        let mut columns = self.0.iter();
        for value in Splitter::new(line) {
            let value = value?;
            let column = columns.next().ok_or(Why::Shape("it has more fields than the header"))?;
            if let Some(field) = column.and_then(|name| fields.named(name)) {
                *field = Raw::Text(value);
            }
        }
        // A duration may be missing; a status that comes last may be cut itself.
        let is_duration = |column: &Option<&str>| matches!(column, Some("latency" | "latency_ms"));
        let is_whole = |raw: &Raw<'_>| matches!(raw, Raw::Text(text) if text.len() == 3);
        if !columns.as_slice().iter().all(is_duration)
            || (!columns.as_slice().is_empty() && !is_whole(&fields.status))
        {
            return Err(Why::Shape("it has fewer fields than the header"));
        }
        if matches!(&fields.slo, Raw::Text(text) if text.eq_ignore_ascii_case("false")) {
            fields.slo = Raw::Bool(false);
        }
        Ok(fields)
    }
}

/// The fields of a line, unquoted.
struct Splitter<'a> {
    /// Nothing after the last one.
    rest: Option<&'a str>,
}

impl<'a> Splitter<'a> {
    fn new(line: &'a str) -> Self {
        Self { rest: Some(line) }
    }

    /// A field that begins with a quote; `text` is the rest.
    fn quoted(&mut self, text: &'a str) -> Result<Cow<'a, str>, Why> {
        let mut unquoted = Cow::Borrowed("");
        let mut rest = text;
        loop {
            let (part, after) =
                rest.split_once('"').ok_or(Why::Shape("a quote of a field is not closed"))?;
            if unquoted.is_empty() {
                unquoted = Cow::Borrowed(part);
            } else {
                unquoted.to_mut().push_str(part);
            }
            let Some(after_quote) = after.strip_prefix('"') else {
                self.rest = match after.trim_start().strip_prefix(',') {
                    Some(next) => Some(next),
                    None if after.trim().is_empty() => None,
                    None => return Err(Why::Shape("a field goes on after its quote")),
                };
                return Ok(unquoted);
            };
            unquoted.to_mut().push('"');
            rest = after_quote;
        }
    }
}

impl<'a> Iterator for Splitter<'a> {
    type Item = Result<Cow<'a, str>, Why>;

    fn next(&mut self) -> Option<Self::Item> {
        let rest = self.rest.take()?;
        if let Some(text) = rest.trim_start().strip_prefix('"') {
            return Some(self.quoted(text));
        }
        let field = match rest.bytes().position(|byte| byte == b',') {
            Some(at) => {
                self.rest = rest.get(at + 1..);
                rest.get(..at).unwrap_or(rest)
            }
            None => rest,
        };
        Some(Ok(Cow::Borrowed(field.trim())))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::{prop, prop_assert_eq, proptest};

    use super::*;

    fn split(line: &str) -> Result<Vec<String>, Why> {
        Splitter::new(line).map(|field| field.map(Cow::into_owned)).collect()
    }

    #[test]
    fn columns_are_found_by_name() {
        let mut columns = Columns::of_header("\"path\", Status,host,t ,latency_ms,slo").unwrap();
        let Ok(Line::Event(event)) = columns.parse(r#""/a,""b""?c=d",404,web,1.5,7.5,true"#) else {
            panic!("no event")
        };
        assert_eq!((event.at.us, event.status, event.latency_us), (1_500_000, 404, Some(7_500)));
        assert_eq!(event.path.as_deref(), Some("/a,\"b\""));
        assert_eq!(columns.parse(",404,web,1.5,,False"), Ok(Line::LeftOut));
        let Ok(Line::Event(bare)) = columns.parse(",404,web,2026-01-31T08:15:00Z,,") else {
            panic!("no event")
        };
        assert_eq!((bare.latency_us, bare.path), (None, None));
    }

    #[test]
    fn a_duration_may_be_missing_at_the_end() {
        let mut columns = Columns::of_header("t,status,latency_ms").unwrap();
        for line in ["1,503", "1,503,", "1,503,-1", "1,503,NaN", "1,503,-"] {
            let Ok(Line::Event(event)) = columns.parse(line) else { panic!("{line}") };
            assert_eq!((event.status, event.latency_us), (503, None), "{line}");
        }
        assert!(columns.parse("1,50").is_err());
    }

    #[test]
    fn a_header_has_a_time_and_a_status_once() {
        for line in ["t,latency", "status", "t,status,t", "1,200", "", "\"t,status"] {
            assert_eq!(Columns::of_header(line), None, "{line}");
        }
    }

    #[test]
    fn a_header_in_between_counts_from_there_on() {
        let mut columns = Columns::of_header("t,status").unwrap();
        assert_eq!(columns.parse("status,t,path"), Ok(Line::Header));
        let Ok(Line::Event(event)) = columns.parse("200,7,/a") else { panic!("no event") };
        assert_eq!((event.status, event.at.us), (200, 7_000_000));
    }

    #[test]
    fn a_line_that_does_not_fit_is_reported() {
        let mut columns = Columns::of_header("t,status,path").unwrap();
        for (line, expected) in [
            ("1,200", "it has fewer fields than the header"),
            ("1", "it has fewer fields than the header"),
            ("1,200,/a,b", "it has more fields than the header"),
            ("1,200,\"/a", "a quote of a field is not closed"),
            ("1,200,\"/a\"b", "a field goes on after its quote"),
            ("x,200,/a", "`t` is neither a number of seconds nor RFC 3339 with a zone"),
            (",200,/a", "it has no `t`"),
            ("1,,/a", "it has no `status`"),
        ] {
            assert_eq!(
                columns.parse(line).map_err(|why| why.to_string()),
                Err(expected.to_owned())
            );
        }
    }

    proptest! {
        #[test]
        fn fields_are_those_of_the_csv_crate(fields in prop::collection::vec("[a\",é ]{0,4}", 1..5)) {
            let mut writer = csv::WriterBuilder::new().quote_style(csv::QuoteStyle::Always).from_writer(Vec::new());
            writer.write_record(&fields).unwrap();
            let line = String::from_utf8(writer.into_inner().unwrap()).unwrap();
            prop_assert_eq!(split(line.trim_end_matches('\n')), Ok(fields));
        }
    }
}
