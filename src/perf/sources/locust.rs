//! Locust's `…_stats.csv`, of every version since 0.8: columns are found by their header, in any
//! order.
//!
//! | column | 0.x | since 1.0 |
//! |---|---|---|
//! | method | `Method`, `Type` | `Type` |
//! | requests | `# requests` | `Request Count` |
//! | failures | `# failures` | `Failure Count` |
//! | median | `Median response time` | `Median Response Time` |
//! | percentiles | in `…_distribution.csv`, then `95%` | `95%` |
//!
//! Locust records latencies to the millisecond, from 100 ms on to two digits
//! (`StatsEntry._log_response_time`), and its users wait for an answer before they send the next
//! request.

use std::collections::BTreeSet;

use csv::StringRecord;

use super::{READ, SourceError, reading};
use crate::perf::judgement::{Observed, Reading, Rounding, Run, Source};

/// The index of each column.
#[derive(Debug)]
struct Columns {
    names: Vec<String>,
    method: Option<usize>,
    name: usize,
    requests: Option<usize>,
    failures: Option<usize>,
    median: usize,
    p95: Option<usize>,
    rate: Option<usize>,
}

pub(super) fn read(bytes: &[u8]) -> Result<Run, SourceError> {
    let mut reader = csv::ReaderBuilder::new().from_reader(bytes);
    let header = reader.headers().map_err(|error| damaged(&error))?.clone();
    let columns = Columns::find(&header)?;
    let mut endpoints: Vec<Observed> = Vec::new();
    let mut seen = BTreeSet::new();
    let mut is_whole = false;
    for record in reader.records() {
        let record = record.map_err(|error| damaged(&error))?;
        if columns.is_total(&record) {
            is_whole = true;
            continue;
        }
        let observed = columns.observed(&record)?;
        if !seen.insert(observed.endpoint.clone()) {
            return Err(SourceError::new(
                format!("line {}: `{}` stands there twice", line(&record), observed.endpoint),
                "give the file of one run",
            ));
        }
        endpoints.push(observed);
    }
    // The total is written last: without it the last line may have been cut in a number.
    if !is_whole && !bytes.ends_with(b"\n") {
        return Err(SourceError::damaged("its last line has no end"));
    }
    let mut notes = vec![
        "Locust rounds to a millisecond, from 100 ms on to two digits: 755 ms is told as 760"
            .to_owned(),
    ];
    if !is_whole {
        notes.push("the file has no row `Aggregated`: was it written to its end?".to_owned());
    }
    Ok(Run {
        source: Source {
            name: "locust".to_owned(),
            own: false,
            coordinated_omission: true,
            rounding: Rounding::TwoDigits,
            notes,
        },
        endpoints,
        doubts: Vec::new(),
        is_late: false,
    })
}

impl Columns {
    fn find(header: &StringRecord) -> Result<Self, SourceError> {
        let names: Vec<String> =
            header.iter().map(|name| name.trim().to_ascii_lowercase()).collect();
        let find = |wanted: &[&str]| {
            wanted.iter().find_map(|wanted| names.iter().position(|name| name == wanted))
        };
        if find(&["timestamp"]).is_some() && find(&["user count"]).is_some() {
            return Err(SourceError::new(
                "it is Locust's history, of which each row is a moment of the run",
                "give the `…_stats.csv` that lies beside it",
            ));
        }
        if find(&["response-time"]).is_some() && find(&["dns+dialup"]).is_some() {
            return Err(SourceError::new("it is of hey, which wfx does not read", READ));
        }
        let lacks = |what: &str| {
            let found = header.iter().take(12).collect::<Vec<_>>().join(", ");
            SourceError::new(format!("its first line names no {what}: {found}"), READ)
        };
        Ok(Self {
            method: find(&["type", "method"]),
            name: find(&["name"]).ok_or_else(|| lacks("column `Name`"))?,
            requests: find(&["request count", "# requests", "# reqs"]),
            failures: find(&["failure count", "# failures", "# fails"]),
            median: find(&["median response time", "50%", "median"])
                .ok_or_else(|| lacks("column `Median Response Time` or `50%`"))?,
            p95: find(&["95%"]),
            rate: find(&["requests/s", "req/s"]),
            names,
        })
    }

    /// Whether the row is the sum of the others.
    fn is_total(&self, record: &StringRecord) -> bool {
        let method = self.method.and_then(|at| record.get(at)).unwrap_or_default().trim();
        let name = record.get(self.name).unwrap_or_default().trim();
        matches!(method, "" | "None") && matches!(name, "Aggregated" | "Total")
    }

    fn observed(&self, record: &StringRecord) -> Result<Observed, SourceError> {
        let text = |at: usize| record.get(at).unwrap_or_default();
        let method = self.method.map(text).unwrap_or_default().trim();
        let name = text(self.name);
        let endpoint = if method.is_empty() { name.to_owned() } else { format!("{method} {name}") };
        let requests = self.requests.map(|at| self.count(record, at)).transpose()?;
        let errors = self.failures.map(|at| self.count(record, at)).transpose()?;
        Ok(Observed {
            endpoint,
            median: reading(text(self.median)),
            p95: self.p95.map_or(Reading::Absent, |at| reading(text(at))),
            samples: requests,
            requests: requests.unwrap_or_default(),
            errors: errors.unwrap_or_default(),
            error_kinds: Vec::new(),
            rate: self
                .rate
                .and_then(|at| text(at).trim().parse().ok())
                .filter(|rate: &f64| rate.is_finite()),
            p99: None,
            max: None,
            shape: Vec::new(),
        })
    }

    fn count(&self, record: &StringRecord, at: usize) -> Result<u64, SourceError> {
        let text = record.get(at).unwrap_or_default();
        text.trim().parse().map_err(|_| {
            let column = self.names.get(at).map_or("", String::as_str);
            SourceError::damaged(format!(
                "line {}: `{column}` is `{text}` and no whole number",
                line(record)
            ))
        })
    }
}

fn line(record: &StringRecord) -> u64 {
    record.position().map_or(0, csv::Position::line)
}

fn damaged(error: &csv::Error) -> SourceError {
    let line = error.position().map(|at| format!("line {}: ", at.line())).unwrap_or_default();
    let what = match error.kind() {
        csv::ErrorKind::UnequalLengths { expected_len, len, .. } => {
            format!("{len} fields where the first line has {expected_len}")
        }
        csv::ErrorKind::Utf8 { .. } => "it is not UTF-8".to_owned(),
        _ => error.to_string(),
    };
    SourceError::damaged(format!("{line}{what}"))
}
