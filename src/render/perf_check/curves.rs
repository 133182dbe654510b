//! The cumulative distributions of latencies of two builds.

use std::fmt::Write as _;

use super::super::layout::Layout;
use super::super::plot::Plot;
use super::super::style::{BOLD, DIM};
use crate::perf::judgement::Curves;

const HEIGHT: u16 = 9;
/// Wider says no more.
const WIDTH_MAX: u16 = 100;

impl Layout {
    /// The cumulative distributions of an endpoint as text with styles.
    pub(super) fn curves(&self, endpoint: &str, curves: &Curves) -> String {
        let labels = ["  0 %".to_owned(), "100 %".to_owned()];
        let margin = labels[0].len() + 1;
        let width = self.width.min(WIDTH_MAX);
        let columns = usize::from(width).saturating_sub(margin).max(2);
        let points = |values: &[f64]| -> Vec<(f64, f64)> {
            values.iter().copied().zip(curves.percents.iter().copied()).collect()
        };
        let (judged, reference) = (points(&curves.judged), points(&curves.reference));
        let all = curves.judged.iter().chain(&curves.reference).copied();
        let (first, last) = all.fold((f64::INFINITY, 0.0_f64), |(a, b), x| (a.min(x), b.max(x)));
        let plot = Plot {
            lines: &[judged],
            others: &[reference],
            level: None,
            x: (first, last.max(first + f64::MIN_POSITIVE)),
            top: 100.0,
            columns,
            labels,
        };
        let (line, dots) = if self.unicode { ("⣀⠤⠒", "···") } else { ("***", "...") };
        let mut text = format!(
            "{BOLD}{endpoint}{BOLD:#}  {DIM}answered within; {line} target, {dots} reference{DIM:#}\n"
        );
        for line in plot.draw(width, HEIGHT, self.unicode) {
            let _ = writeln!(text, "{line}");
        }
        let (first, last) = (format!("{first:.2} ms"), format!("{last:.2} ms"));
        let gap = columns.saturating_sub(first.len() + last.len()).max(1);
        let axis = format!("{}{first}{}{last}", " ".repeat(margin), " ".repeat(gap));
        let _ = writeln!(text, "{DIM}{axis}{DIM:#}");
        text
    }
}
