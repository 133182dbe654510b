//! The indicators over time: one plot below the other, with breaches and alerts marked below each,
//! over one time axis.

use std::fmt::Write as _;
use std::time::Duration;

use unicode_width::UnicodeWidthStr;

use super::super::layout::Layout;
use super::super::plot::Plot;
use super::super::style::{BOLD, DIM, ERROR, WARNING};
use super::{moment, title, unknown, value};
use crate::base::units;
use crate::base::zone::Zone;
use crate::slo::Indicator;
use crate::slo::report::Report;

/// Lines of each plot.
const HEIGHT: u16 = 6;
/// Wider plots are hard to read across.
const WIDTH_MAX: u16 = 160;

impl Layout {
    /// The plots as text with styles.
    pub(super) fn indicators(&self, report: &Report) -> String {
        let mut text = String::new();
        let shown: Vec<Indicator> = Indicator::ALL
            .into_iter()
            .filter(|indicator| report.found.outcomes[*indicator as usize].peak > 0.0)
            .collect();
        let tops: Vec<f64> = shown.iter().map(|indicator| top(*indicator, report)).collect();
        let labels = |at: usize| [value(shown[at], 0.0), value(shown[at], tops[at])];
        let margin = (0..shown.len()).flat_map(labels).map(|label| label.width()).max();
        let margin = margin.unwrap_or(0);
        let width = self.width.min(WIDTH_MAX);
        // After the labels comes the line of the axis.
        let columns = usize::from(width).saturating_sub(margin + 1).max(2);
        for (at, indicator) in shown.iter().enumerate() {
            let labels =
                labels(at).map(|label| format!("{}{label}", " ".repeat(margin - label.width())));
            let _ = writeln!(text, "{}", headline(*indicator, report));
            let plot = Plot {
                lines: &lines(*indicator, report),
                others: &[],
                level: report.found.policy.threshold(*indicator).filter(|t| *t <= tops[at]),
                x: (0.0, length_us(report).max(1) as f64),
                columns,
                top: tops[at],
                labels,
            };
            for line in plot.draw(width, HEIGHT, self.unicode) {
                let _ = writeln!(text, "{line}");
            }
            if let Some(marks) = self.marks(*indicator, report, columns) {
                let _ = writeln!(text, "{}{marks}", " ".repeat(margin + 1));
            }
        }
        if !shown.is_empty() {
            let _ =
                writeln!(text, "{}{}", " ".repeat(margin + 1), axis(report, columns, self.zone));
        }
        for indicator in Indicator::ALL.into_iter().filter(|indicator| !shown.contains(indicator)) {
            let unknown = unknown(indicator, report);
            let is_judged = report.found.outcomes[indicator as usize].judged > 0;
            let state = match unknown.as_ref().map(|_| report.unknown_share() >= 1.0) {
                _ if is_judged => "nothing but zeros",
                Some(true) => "never judged",
                _ => "never judged, for want of requests (SLO_MIN_SAMPLES)",
            };
            let unknown = unknown.map(|unknown| format!(", {unknown}")).unwrap_or_default();
            let _ = writeln!(text, "{BOLD}{}{BOLD:#}: {state}{unknown}", title(indicator));
        }
        text.push('\n');
        text
    }

    /// Marks of breaches and alerts; nothing if there are none.
    fn marks(&self, indicator: Indicator, report: &Report, columns: usize) -> Option<String> {
        let (breach, alert) = if self.unicode { ('━', '▲') } else { ('=', '^') };
        let (start, length) = (report.found.timeline.start_us(), length_us(report).max(1));
        let column = |t_us: u64| {
            let since = u128::from(t_us.saturating_sub(start)) * columns as u128;
            usize::try_from(since / u128::from(length))
                .map_or(columns - 1, |at| at.min(columns - 1))
        };
        let mut marks = vec![' '; columns];
        for found in report.found.breaches.iter().filter(|found| found.indicator == indicator) {
            marks[column(found.from_us)..=column(found.to_us)].fill(breach);
        }
        for sent in report.found.alerts.iter().filter(|sent| sent.indicator == indicator) {
            marks[column(sent.t_us)] = alert;
        }
        let mut text = String::new();
        for mark in marks {
            let style = if mark == alert { WARNING } else { ERROR };
            let _ = match mark {
                ' ' => write!(text, " "),
                mark => write!(text, "{style}{mark}{style:#}"),
            };
        }
        (!text.trim().is_empty()).then(|| text.trim_end().to_owned())
    }
}

fn headline(indicator: Indicator, report: &Report) -> String {
    let outcome = report.found.outcomes[indicator as usize];
    let mut parts = vec![
        format!("peak {}", value(indicator, outcome.peak)),
        format!("threshold {}", threshold(indicator, report)),
    ];
    if outcome.breaches > 0 {
        let breaches = if outcome.breaches == 1 {
            "1 breach".to_owned()
        } else {
            format!("{} breaches", outcome.breaches)
        };
        parts.push(breaches);
    }
    if outcome.alerts > 0 {
        parts.push(units::count(outcome.alerts, "alert"));
    }
    parts.extend(unknown(indicator, report));
    format!("{BOLD}{}{BOLD:#}  {DIM}{}{DIM:#}", title(indicator), parts.join(", "))
}

/// The threshold as text.
pub(super) fn threshold(indicator: Indicator, report: &Report) -> String {
    let threshold = report.found.policy.threshold(indicator);
    threshold.map_or_else(|| "off".to_owned(), |threshold| value(indicator, threshold))
}

/// The top of the plot: the peak, or the threshold unless that is far above.
fn top(indicator: Indicator, report: &Report) -> f64 {
    const FAR: f64 = 5.0;
    let peak = report.found.outcomes[indicator as usize].peak;
    let threshold = report.found.policy.threshold(indicator);
    threshold.filter(|threshold| *threshold <= peak * FAR).map_or(peak, |t| peak.max(t))
}

/// The whole length of the timeline.
fn length_us(report: &Report) -> u64 {
    let timeline = &report.found.timeline;
    timeline.width_us().saturating_mul(timeline.cells().len() as u64)
}

/// The values of a signal, a line for each stretch in which its window was never empty.
fn lines(indicator: Indicator, report: &Report) -> Vec<Vec<(f64, f64)>> {
    let timeline = &report.found.timeline;
    let width = timeline.width_us() as f64;
    let window_us = report.found.policy.window_seconds(indicator) * 1e6;
    let mut lines: Vec<Vec<(f64, f64)>> = Vec::new();
    let mut last = f64::NEG_INFINITY;
    for (at, cell) in timeline.cells().iter().enumerate() {
        let peak = cell.peaks[indicator as usize];
        if peak.is_nan() {
            continue;
        }
        let middle = (at as f64 + 0.5) * width;
        if middle - last > window_us + width {
            lines.push(Vec::new());
        }
        if let Some(line) = lines.last_mut() {
            line.push((middle, peak));
        }
        last = middle;
    }
    lines
}

/// The times at the beginning, in the middle and at the end.
fn axis(report: &Report, columns: usize, zone: Zone) -> String {
    let (start, length) = (report.found.timeline.start_us(), length_us(report));
    let (first, last) =
        (moment(start, report, zone), moment(start.saturating_add(length), report, zone));
    let middle = format!("+{}", units::duration(Duration::from_micros(length / 2)));
    let gap = columns.saturating_sub(first.width() + last.width());
    let text = if gap > middle.width() + 4 {
        let before = (columns / 2).saturating_sub(first.width() + middle.width() / 2).max(1);
        let after = gap.saturating_sub(before + middle.width());
        format!("{first}{}{middle}{}{last}", " ".repeat(before), " ".repeat(after))
    } else {
        // If two times do not fit, the duration is shown instead.
        let lasts = format!("+{}", units::duration(Duration::from_micros(length)));
        let room = columns.saturating_sub(first.width() + 1);
        let end = [last, lasts].into_iter().find(|end| end.width() <= room).unwrap_or_default();
        let gap = columns.saturating_sub(first.width() + end.width());
        format!("{first}{}{end}", " ".repeat(gap)).trim_end().to_owned()
    };
    format!("{DIM}{text}{DIM:#}")
}
