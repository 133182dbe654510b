//! What `wfx perf-check` found.

mod curves;
pub(crate) mod json;
pub(crate) mod junit;
pub(crate) mod markdown;
mod spark;
mod words;

pub(crate) use self::words::reasons;

use super::layout::Layout;
use super::style::{self, of_outcome};
use super::table::{self, Column};
use crate::base::visible::visible;
use crate::perf::baseline::Changes;
use crate::perf::judgement::{Judged, Metric};
use crate::perf::report::Report;

/// The width to which the endpoint's name may be cut before columns are left out.
const ENDPOINT_LEAST: usize = 20;

impl Layout {
    /// A judgement: a table, curves, reasons, the verdict or what was recorded.
    pub(crate) fn perf_check(&self, report: &Report<'_>) -> String {
        let judgement = report.judgement;
        let has_shapes = judgement.endpoints.iter().any(|j| !j.observed.shape.is_empty());
        let compares = judgement.endpoints.iter().any(|judged| !judged.is_unknown());
        let is_paired =
            judgement.endpoints.iter().flat_map(|j| &j.comparisons).any(|c| c.paired.is_some());
        let other = if is_paired { "reference" } else { "baseline" };
        let mut columns = vec![Column::new("endpoint").cut(ENDPOINT_LEAST)];
        for metric in ["median", "p95"] {
            columns.push(Column::new(metric));
            if compares {
                columns.push(Column::new(other).rank(2));
                columns.push(Column::new("delta").rank(3));
            }
        }
        columns.push(Column::new("verdict"));
        if has_shapes {
            columns.push(Column::new("fast to slow").rank(4));
        }
        let mut table = table::Builder::new(*self, columns);
        for judged in &judgement.endpoints {
            let mut row = vec![table::cell(&visible(&judged.observed.endpoint))];
            for metric in [Metric::Median, Metric::P95] {
                let comparison = judged.comparisons.iter().find(|c| c.metric == metric);
                let figures = words::cells(comparison);
                let shown = if compares { &figures[..] } else { &figures[..1] };
                row.extend(shown.iter().map(|figure| table::number(figure)));
            }
            let look = of_outcome(judged.outcome);
            row.push(table::state(report.verdict_of(judged), look));
            if has_shapes {
                row.push(table::cell(&spark::line(&judged.observed.shape, self.unicode)));
            }
            table.row(row);
        }
        let mut text = table.finish();
        for judged in &judgement.endpoints {
            if let Some(curves) = &judged.curves {
                text += &self.curves(&visible(&judged.observed.endpoint), curves);
            }
        }
        for reason in words::reasons(judgement) {
            text += &self.fold(&reason);
        }
        if let Some(sensitivity) = words::sensitivity(judgement) {
            text += &self.fold(&sensitivity);
        }
        text += &match report.update {
            Some(changes) => recorded(changes, &report.baseline),
            None => {
                let look = style::of_verdict(judgement.verdict);
                let (sign, headline) = (look.sign(self.unicode), words::headline(judgement));
                look.paint(&format!("{sign} {headline}")) + "\n"
            }
        };
        text
    }
}

/// What an update of the baseline changed.
fn recorded(changes: &Changes, baseline: &str) -> String {
    let mut text = String::new();
    for change in &changes.endpoints {
        let endpoint = visible(&change.endpoint);
        let (before, now) = change.median;
        let p95 = match change.p95 {
            (Some(before), Some(now)) => format!(", p95 {before} to {now}"),
            (None, Some(now)) => format!(", p95 {now}"),
            (Some(before), None) => format!(", p95 {before} goes"),
            (None, None) => String::new(),
        };
        match before {
            Some(before) => text += &format!("{endpoint}: median {before} to {now}{p95}\n"),
            None => text += &format!("{endpoint}: new, median {now}{p95}\n"),
        }
    }
    let recorded = changes.endpoints.len();
    text + &format!("recorded {recorded}, kept {}: {}\n", changes.kept, visible(baseline))
}

/// Endpoint, median, its baseline, p95, its baseline (milliseconds), verdict.
pub(crate) fn plain_rows(report: &Report<'_>) -> Vec<Vec<String>> {
    let row = |judged: &Judged| {
        let mut row = vec![judged.observed.endpoint.clone()];
        for metric in [Metric::Median, Metric::P95] {
            let found = judged.comparisons.iter().find(|c| c.metric == metric);
            for latency in [found.and_then(|c| c.observed), found.and_then(|c| c.baseline)] {
                row.push(latency.map(|latency| latency.as_ms().to_string()).unwrap_or_default());
            }
        }
        row.push(report.verdict_of(judged).to_owned());
        row
    };
    report.judgement.endpoints.iter().map(row).collect()
}

/// A problem as a workflow command of GitHub Actions.
pub(crate) fn annotation(title: &str, message: &str) -> String {
    let title = escaped(title).replace(':', "%3A").replace(',', "%2C");
    format!("::error title={title}::{}", escaped(message))
}

/// Escapes text for workflow commands.
fn escaped(text: &str) -> String {
    let lines: Vec<String> = text.split('\n').map(visible).collect();
    lines.join("\n").replace('%', "%25").replace('\n', "%0A")
}
