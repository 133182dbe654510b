//! Progress of a measurement: a bar on a terminal, elsewhere a line every 10 seconds.

use std::time::Duration;

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use super::super::Ui;
use crate::base::clock;
use crate::base::units;
use crate::perf::load::Snapshot;
use crate::perf::load::pairs::Reached;

/// How often a line is written where there is no terminal.
const LINE_EVERY: Duration = Duration::from_secs(10);
/// Draws per second.
const RATE: u8 = 10;

impl Ui {
    /// Shows progress while `measure` runs and reports it.
    pub(crate) fn measuring<T>(&self, measure: impl FnOnce(&mut dyn FnMut(&Snapshot)) -> T) -> T {
        if !self.live {
            let mut next = LINE_EVERY;
            return measure(&mut |snapshot| {
                if snapshot.elapsed >= next {
                    next = snapshot.elapsed + LINE_EVERY;
                    self.note(&progress_text(snapshot));
                }
            });
        }
        let target = ProgressDrawTarget::stderr_with_hz(RATE);
        let bar = ProgressBar::with_draw_target(Some(0), target).with_style(self.bar_style());
        let measured = measure(&mut |snapshot| {
            bar.set_length(millis(snapshot.total));
            bar.set_position(millis(snapshot.elapsed.min(snapshot.total)));
            bar.set_message(progress_text(snapshot));
        });
        bar.finish_and_clear();
        measured
    }

    /// The same while two targets are measured side by side.
    pub(crate) fn comparing<T>(&self, compare: impl FnOnce(&mut dyn FnMut(&Reached)) -> T) -> T {
        if !self.live {
            let mut progress_text = clock::monotonic();
            return compare(&mut |reached| {
                if progress_text.elapsed() >= LINE_EVERY {
                    progress_text = clock::monotonic();
                    self.note(&pairs_text(reached));
                }
            });
        }
        let target = ProgressDrawTarget::stderr_with_hz(RATE);
        let bar = ProgressBar::with_draw_target(Some(0), target).with_style(self.bar_style());
        let compared = compare(&mut |reached| {
            bar.set_length(reached.wanted);
            bar.set_position(reached.pairs);
            bar.set_message(pairs_text(reached));
        });
        bar.finish_and_clear();
        compared
    }

    fn bar_style(&self) -> ProgressStyle {
        let marks = if self.layout.unicode { "━╸─" } else { "=>-" };
        let style = ProgressStyle::with_template("{bar:12} {wide_msg}");
        style.unwrap_or_else(|_| ProgressStyle::default_bar()).progress_chars(marks)
    }
}

/// The rate, percentiles so far, errors, the time that is left.
fn progress_text(snapshot: &Snapshot) -> String {
    let left = snapshot.total.saturating_sub(snapshot.elapsed);
    let rate = snapshot.sent as f64 / snapshot.elapsed.as_secs_f64().max(0.1);
    let left = if left.is_zero() {
        "waiting for the last answers".to_owned()
    } else {
        format!("{} left", units::duration(left))
    };
    let mut parts = vec![format!("{rate:.0}/s"), left];
    if snapshot.warming_up {
        parts.push("warming up".to_owned());
    } else if snapshot.answered > 0 {
        parts.push(format!("median {}, p95 {}", snapshot.median, snapshot.p95));
    }
    if snapshot.errors > 0 {
        parts.push(units::count(snapshot.errors, "error"));
    }
    parts.push(units::count(snapshot.connections, "connection"));
    parts.join(", ")
}

fn pairs_text(reached: &Reached) -> String {
    let Reached { pairs, wanted, again } = reached;
    let again = if *again { ", what was slower again" } else { "" };
    format!("{pairs} pairs of {wanted} to the next look{again}")
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::perf::stats::Latency;

    #[test]
    fn progress_is_shown() {
        let snapshot = Snapshot {
            elapsed: Duration::from_secs(4),
            total: Duration::from_secs(32),
            warming_up: false,
            sent: 200,
            answered: 90,
            errors: 1,
            median: Latency::from_nanos(10_100_000),
            p95: Latency::from_nanos(12_000_000),
            connections: 5,
        };
        let text = "50/s, 28.0 s left, median 10.1 ms, p95 12.0 ms, 1 error, 5 connections";
        assert_eq!(progress_text(&snapshot), text);
        let early = Snapshot { warming_up: true, elapsed: Duration::ZERO, sent: 0, ..snapshot };
        assert!(progress_text(&early).starts_with("0/s, 32.0 s left, warming up"));
        let late = Snapshot { elapsed: Duration::from_secs(40), ..snapshot };
        assert!(progress_text(&late).contains("waiting for the last answers"));
    }
}
