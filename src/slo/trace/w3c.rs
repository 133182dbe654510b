//! Extended log files of the W3C (<https://www.w3.org/TR/WD-logfile.html>), as IIS and CloudFront
//! write them: lines that begin with `#` describe the columns of the others.

use std::borrow::Cow;

use super::line::{self, Line, Marks, Parsed, Why};
use super::time;

/// The directives of a source read so far.
#[derive(Debug, Clone, Default)]
pub(super) struct Directives {
    /// IIS writes milliseconds, all others seconds.
    is_microsoft: bool,
}

/// Which field is what.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Columns {
    names: Vec<Option<Field>>,
    /// The decimals of seconds in the unit of `time-taken`.
    digits: u32,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Field {
    Date,
    Time,
    Status,
    Duration,
    Path,
}

const DIRECTIVES: [&str; 7] =
    ["version", "software", "date", "start-date", "end-date", "remark", "fields"];

impl Directives {
    /// Reads a directive: returns columns if it names them; nothing if the line is no directive.
    pub(super) fn take(&mut self, line: &str) -> Option<Option<Result<Columns, Why>>> {
        let (name, value) = line.strip_prefix('#')?.split_once(':')?;
        let name = name.trim_ascii().to_ascii_lowercase();
        if !DIRECTIVES.contains(&name.as_str()) {
            return None;
        }
        if name == "software" {
            self.is_microsoft = value.to_ascii_lowercase().contains("microsoft");
        }
        Some((name == "fields").then(|| self.columns(value)))
    }

    fn columns(&self, names: &str) -> Result<Columns, Why> {
        let names: Vec<_> = names.split_ascii_whitespace().map(field).collect();
        for (needed, name) in
            [(Field::Date, "date"), (Field::Time, "time"), (Field::Status, "sc-status")]
        {
            if !names.contains(&Some(needed)) {
                return Err(Why::Missing(name));
            }
        }
        Ok(Columns { names, digits: if self.is_microsoft { 3 } else { 0 } })
    }
}

fn field(name: &str) -> Option<Field> {
    match name.to_ascii_lowercase().as_str() {
        "date" => Some(Field::Date),
        "time" => Some(Field::Time),
        "sc-status" => Some(Field::Status),
        "time-taken" => Some(Field::Duration),
        "cs-uri-stem" => Some(Field::Path),
        _ => None,
    }
}

impl Columns {
    /// Reads a line. The times are of UTC, and those at which the answer was sent.
    pub(super) fn parse<'a>(&self, line: &'a str) -> Result<Line<'a>, Why> {
        let separator = if line.contains('\t') { '\t' } else { ' ' };
        let (mut date, mut clock, mut status) = (None, None, None);
        let (mut duration, mut path) = (None, None);
        let mut values = line.trim_ascii_end().split(separator);
        for name in &self.names {
            let value =
                values.next().ok_or(Why::Shape("it has fewer fields than `#Fields:` names"))?;
            match name {
                Some(Field::Date) => date = Some(value),
                Some(Field::Time) => clock = Some(value),
                Some(Field::Status) => status = Some(line::status(value)?),
                Some(Field::Duration) => {
                    duration = line::duration("time-taken", value, 6 - self.digits)?;
                }
                Some(Field::Path) => path = Some(value),
                None => {}
            }
        }
        if values.next().is_some() {
            return Err(Why::Shape("it has more fields than `#Fields:` names"));
        }
        let (date, clock) = date.zip(clock).ok_or(Why::Missing("time"))?;
        let us = time::rfc3339(&format!("{date}T{clock}Z"))
            .map_err(|_| Why::Bad("time", "is not as in 2026-01-31 08:15:00"))?;
        let path = path.filter(|path| *path != "-" && !path.is_empty());
        Ok(Line::Event(Parsed {
            at: time::wall(us),
            status: status.ok_or(Why::Missing("sc-status"))?,
            latency_us: duration,
            path: path.map(|path| line::without_query(Cow::Borrowed(path))),
            marks: Marks::default(),
        }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn columns(lines: &[&str]) -> Columns {
        let mut directives = Directives::default();
        let taken = lines.iter().filter_map(|line| directives.take(line).unwrap());
        taken.last().unwrap().unwrap()
    }

    fn event<'a>(columns: &Columns, line: &'a str) -> Parsed<'a> {
        match columns.parse(line) {
            Ok(Line::Event(event)) => event,
            other => panic!("{line}: {other:?}"),
        }
    }

    #[test]
    fn iis_counts_milliseconds_and_cloudfront_seconds() {
        let iis = columns(&[
            "#Software: Microsoft Internet Information Services 10.0",
            "#Version: 1.0",
            "#Date: 2026-01-31 08:15:00",
            "#Fields: date time cs-method cs-uri-stem sc-status time-taken",
        ]);
        let slow = event(&iis, "2026-01-31 08:15:00 GET /a 503 1500");
        assert_eq!((slow.at.us, slow.status), (1_769_847_300_000_000, 503));
        assert_eq!((slow.latency_us, slow.path.as_deref()), (Some(1_500_000), Some("/a")));
        let cloudfront =
            columns(&["#Version: 1.0", "#Fields: date time sc-status cs(Referer) time-taken"]);
        assert_eq!(
            event(&cloudfront, "2026-01-31\t08:15:00\t502\ta b\t0.25").latency_us,
            Some(250_000)
        );
        assert_eq!(event(&cloudfront, "2026-01-31\t08:15:00\t000\t-\t-").latency_us, None);
        assert!(cloudfront.parse("2026-01-31\t08:15:00\t502").is_err());
        assert!(cloudfront.parse("2026-01-31\t08:15:00\t502\t-\t1\t2").is_err());
    }

    #[test]
    fn what_names_no_status_is_refused() {
        let mut directives = Directives::default();
        assert!(matches!(directives.take("#Fields: date time"), Some(Some(Err(_)))));
        assert!(directives.take("# a comment: of a person").is_none());
        assert!(directives.take("#Version: 1.0").is_some_and(|columns| columns.is_none()));
    }
}
