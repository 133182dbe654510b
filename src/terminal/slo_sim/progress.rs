//! Progress of a simulation: a bar on a terminal, elsewhere a line every 10 seconds.

use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use super::super::Ui;
use crate::base::clock;
use crate::base::units;

/// How often a line is written where there is no terminal.
const LINE_EVERY: Duration = Duration::from_secs(10);
/// Draws per second.
const RATE: u8 = 10;

#[derive(Debug, Clone, Copy)]
pub(crate) enum Stage {
    /// Bytes of a log are read.
    Reading,
    /// Requests are judged.
    Judging,
}

/// Shows progress until it is dropped.
#[derive(Debug)]
pub(crate) struct Progress<'u> {
    ui: &'u Ui,
    stage: Stage,
    total: Option<u64>,
    bar: Option<ProgressBar>,
    reported: Instant,
}

impl Ui {
    /// Starts to show progress, out of `total` if that is known.
    #[must_use]
    pub(crate) fn rehearsing(&self, stage: Stage, total: Option<u64>) -> Progress<'_> {
        let bar = self.live.then(|| {
            let target = ProgressDrawTarget::stderr_with_hz(RATE);
            let bar = ProgressBar::with_draw_target(total, target);
            bar.with_style(self.style_of(stage, total.is_some()))
        });
        Progress { ui: self, stage, total, bar, reported: clock::monotonic() }
    }

    fn style_of(&self, stage: Stage, has_total: bool) -> ProgressStyle {
        let marks = if self.layout.unicode { "━╸─" } else { "=>-" };
        let template = match (stage, has_total) {
            (Stage::Reading, true) => "reading {bar:20} {bytes} of {total_bytes}, {eta} left",
            (Stage::Reading, false) => "reading {bytes}, {bytes_per_sec}",
            (Stage::Judging, true) => "judging {bar:20} {human_pos} requests, {eta} left",
            (Stage::Judging, false) => "judging {human_pos} requests",
        };
        let style = ProgressStyle::with_template(template);
        style.unwrap_or_else(|_| ProgressStyle::default_bar()).progress_chars(marks)
    }
}

impl Progress<'_> {
    /// Sets what is done.
    pub(crate) fn reach(&mut self, done: u64) {
        if let Some(bar) = &self.bar {
            bar.set_position(done);
            return;
        }
        if self.reported.elapsed() < LINE_EVERY {
            return;
        }
        self.reported = clock::monotonic();
        self.ui.note(&match (self.stage, self.total) {
            (Stage::Reading, Some(total)) => {
                format!("read {} of {}", units::bytes(done), units::bytes(total))
            }
            (Stage::Reading, None) => format!("read {}", units::bytes(done)),
            (Stage::Judging, Some(total)) => {
                format!("judged {done} of about {}", units::count(total, "request"))
            }
            (Stage::Judging, None) => format!("judged {}", units::count(done, "request")),
        });
    }
}

impl Drop for Progress<'_> {
    fn drop(&mut self) {
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
    }
}
