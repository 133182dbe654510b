//! When each step ran, over one scale of time from which long pauses are cut.

use maud::{Markup, html};

use super::{Mark, percent, ratio};

/// The width of a cut pause, as a share of the whole.
const CUT_SHARE: f64 = 0.05;
/// Shorter pauses are never cut: 10 s.
const CUT_FROM: i64 = 10_000_000;
/// The most pauses that are cut: the longest.
const CUTS_MAX: usize = 8;
/// The least width of what can be hit, as a share: 24 px of a narrow track.
const HIT_SHARE: f64 = 0.034;
/// The width of the longest label, `13:42:10.123`, and the space after it, as a share of the
/// least track of a wide page.
const LABEL_SHARE: f64 = 0.14;
/// The same of the track of a narrow page, 320 px wide.
const NARROW_LABEL_SHARE: f64 = 0.3;

/// A stretch of time, in microseconds since 1970.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Stretch {
    pub from: i64,
    pub to: i64,
}

impl Stretch {
    fn length(self) -> i64 {
        self.to.saturating_sub(self.from)
    }
}

/// One attempt of a step.
#[derive(Debug, Clone)]
pub(crate) struct Bar {
    pub at: Stretch,
    pub mark: Mark,
    /// Shown in the bar where the step has several attempts.
    pub number: Option<u32>,
    /// What it was, in words.
    pub title: String,
    /// Where it leads to.
    pub href: String,
}

/// A wait before another attempt.
#[derive(Debug, Clone)]
pub(crate) struct Wait {
    pub at: Stretch,
    pub title: String,
    /// Its length, in words.
    pub label: String,
}

/// What one row shows.
#[derive(Debug, Clone)]
pub(crate) enum Track {
    /// The attempts of a step and the waits between them.
    Attempts { bars: Vec<Bar>, waits: Vec<Wait> },
    /// Folded steps: how many ran at once.
    Band { bars: Vec<Stretch>, mark: Mark, title: String, href: String },
}

/// One scale of time. A cut never changes it: what is left has the same scale everywhere.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Scale {
    start: i64,
    end: i64,
    /// What is cut out, ascending.
    cuts: Vec<Stretch>,
    /// The time that is shown.
    shown: i64,
}

impl Scale {
    /// The scale of what `ran`. A pause is cut in which nothing ran and nothing waited, longer than
    /// a tenth of all else; so is a wait that is longer than all else. `is_true` cuts nothing.
    #[must_use]
    pub(crate) fn new(whole: Stretch, ran: &[Stretch], waits: &[Stretch], is_true: bool) -> Self {
        let (start, end) = (whole.from, whole.to.max(whole.from + 1_000));
        let mut cuts = Vec::new();
        if !is_true {
            let mut idle = pauses(Stretch { from: start, to: end }, ran);
            idle.sort_unstable_by_key(|pause| std::cmp::Reverse((pause.length(), pause.from)));
            let mut rest = end - start;
            for pause in idle.into_iter().take(CUTS_MAX) {
                let others = rest - pause.length();
                let waited = waits.iter().any(|wait| wait.from < pause.to && wait.to > pause.from);
                let least = if waited { others } else { others / 10 };
                if pause.length() > least.max(CUT_FROM) {
                    rest = others;
                    cuts.push(pause);
                }
            }
            cuts.sort_unstable();
        }
        let cut: i64 = cuts.iter().map(|cut| cut.length()).sum();
        Self { start, end, cuts, shown: (end - start - cut).max(1) }
    }

    /// What is cut.
    #[must_use]
    pub(crate) fn cuts(&self) -> &[Stretch] {
        &self.cuts
    }

    /// Where a time lies, from 0 to 1.
    #[must_use]
    pub(crate) fn at(&self, time: i64) -> f64 {
        let time = time.clamp(self.start, self.end);
        let mut left_out = 0;
        let mut bands = 0.0;
        for cut in &self.cuts {
            if time <= cut.from {
                break;
            }
            left_out += time.min(cut.to) - cut.from;
            bands += CUT_SHARE * ratio(time.min(cut.to) - cut.from, cut.length());
        }
        #[expect(clippy::cast_precision_loss, reason = "there are eight at most")]
        let room = 1.0 - CUT_SHARE * self.cuts.len() as f64;
        ratio(time - self.start - left_out, self.shown) * room + bands
    }

    /// Times for an axis: at round distances, at most `most`, none in a cut.
    #[must_use]
    pub(crate) fn ticks(&self, most: i64) -> Vec<i64> {
        const STEPS: [i64; 24] = [
            1_000,
            2_000,
            5_000,
            10_000,
            20_000,
            50_000,
            100_000,
            200_000,
            500_000,
            1_000_000,
            2_000_000,
            5_000_000,
            10_000_000,
            15_000_000,
            30_000_000,
            60_000_000,
            120_000_000,
            300_000_000,
            600_000_000,
            900_000_000,
            1_800_000_000,
            3_600_000_000,
            21_600_000_000,
            86_400_000_000,
        ];
        let fits = |step: &&i64| self.shown / **step <= most;
        let step = STEPS.iter().find(fits).copied();
        let step =
            step.unwrap_or_else(|| 86_400_000_000 * (1 + self.shown / most / 86_400_000_000));
        let mut ticks = Vec::new();
        let mut tick = self.start.div_euclid(step) * step + step;
        while tick < self.end && ticks.len() < 64 {
            match self.cuts.iter().find(|cut| cut.from < tick && tick < cut.to) {
                // On to the first one after the cut.
                Some(cut) => tick = tick.max((cut.to.div_euclid(step)) * step),
                None => ticks.push(tick),
            }
            tick += step;
        }
        ticks
    }
}

/// The stretches of the whole in which nothing ran.
fn pauses(whole: Stretch, ran: &[Stretch]) -> Vec<Stretch> {
    let mut ran = ran.to_vec();
    ran.sort_unstable();
    let mut pauses = Vec::new();
    let mut until = whole.from;
    for stretch in ran.into_iter().chain([Stretch { from: whole.to, to: whole.to }]) {
        if stretch.from > until {
            pauses.push(Stretch { from: until, to: stretch.from });
        }
        until = until.max(stretch.to);
    }
    pauses
}

/// The lines and cuts that lie behind every row; drawn once, and used by its id `grid`.
#[must_use]
pub(crate) fn grid(scale: &Scale, ticks: &[i64]) -> Markup {
    html! {
        g id="grid" {
            @for &tick in ticks {
                @let x = percent(scale.at(tick));
                line class="g" x1=(x) x2=(x) y1="-4" y2="28" {}
            }
            @for cut in scale.cuts() {
                @let x = scale.at(cut.from);
                rect class="cut" x=(percent(x)) y="-4" width=(percent(CUT_SHARE)) height="32" {}
            }
        }
    }
}

/// The labels of an axis: `words` writes a time, `length` the length of a cut.
#[must_use]
pub(crate) fn axis(
    scale: &Scale,
    ticks: &[i64],
    words: &dyn Fn(i64) -> String,
    length: &dyn Fn(i64) -> String,
) -> Markup {
    let mut last = f64::NEG_INFINITY;
    let has_end = scale.cuts().iter().all(|cut| scale.at(cut.from) < 0.82);
    // A label begins at its tick, and must end before the label of the end, or the edge.
    let room = if has_end { 1.0 - 2.0 * LABEL_SHARE } else { 1.0 - LABEL_SHARE };
    html! {
        text x="0%" y="14" { (words(scale.start)) }
        @for (index, &tick) in ticks.iter().enumerate() {
            @let at = scale.at(tick);
            @let is_near_cut = scale.cuts().iter().any(|cut| {
                (scale.at(cut.from) + CUT_SHARE / 2.0 - at).abs() < 0.09
            });
            @if at > LABEL_SHARE && at < room && at - last > LABEL_SHARE && !is_near_cut {
                @let () = last = at;
                text class=[(index % 2 == 1 || !(NARROW_LABEL_SHARE..=1.0 - NARROW_LABEL_SHARE).contains(&at)).then_some("w")] x=(percent(at)) y="14" { (words(tick)) }
            }
        }
        @for cut in scale.cuts() {
            @let at = scale.at(cut.from) + CUT_SHARE / 2.0;
            text class=[(at > 0.8).then_some("w")] x=(percent(at)) y="14" text-anchor="middle" {
                (length(cut.length()))
            }
        }
        @if has_end {
            text class="w" x="100%" y="14" text-anchor="end" { (words(scale.end)) }
        }
    }
}

/// One row over the grid.
#[must_use]
pub(crate) fn row(scale: &Scale, track: &Track) -> Markup {
    html! {
        svg class="track" { use href="#grid" {}
            @match track {
                Track::Attempts { bars, waits } => (attempts(scale, bars, waits)),
                Track::Band { bars, mark, title, href } => {
                    a href=(href) aria-label=(title) { title { (title) } (band(scale, bars, *mark)) }
                }
            }
        }
    }
}

fn attempts(scale: &Scale, bars: &[Bar], waits: &[Wait]) -> Markup {
    let first = bars.first().map_or(0.0, |bar| scale.at(bar.at.from));
    html! {
        @if bars.len() > 1 && first > 0.12 {
            text class="w" x=(percent(first)) dx="-6" y="16" text-anchor="end" { (bars.len()) " attempts" }
        }
        @for wait in waits {
            @let (from, to) = (scale.at(wait.at.from), scale.at(wait.at.to));
            line class="b-pause" x1=(percent(from)) x2=(percent(to)) y1="12" y2="12" {
                title { (wait.title) }
            }
            @if to - from > 0.08 {
                text x=(percent(f64::midpoint(from, to))) y="9" text-anchor="middle" { (wait.label) }
            }
        }
        @for bar in bars {
            @let (from, to) = (scale.at(bar.at.from), scale.at(bar.at.to));
            @let width = to - from;
            @let hit = width.max(HIT_SHARE);
            @let middle = f64::midpoint(from, to);
            a href=(bar.href) aria-label=(bar.title) {
                title { (bar.title) }
                rect class="hit" x=(percent((middle - hit / 2.0).clamp(0.0, 1.0 - hit)))
                    width=(percent(hit)) height="24" {}
                // A narrow bar is drawn from its end where it would leave the track.
                @if width < 0.004 {
                    rect class=(bar.mark.bar) x=(percent(from.min(0.996))) y="6" width="3" height="12" {}
                } @else {
                    rect class=(bar.mark.bar) x=(percent(from)) y="6" width=(percent(width)) height="12" {}
                }
            }
            @if let Some(number) = bar.number.filter(|_| width > 0.02) {
                text class="in" x=(percent(middle)) y="16" text-anchor="middle" { (number) }
            }
        }
    }
}

/// One band whose height is how many ran at once.
fn band(scale: &Scale, bars: &[Stretch], mark: Mark) -> Markup {
    const HEIGHT: f64 = 20.0;
    let mut changes: Vec<(i64, i64)> =
        bars.iter().flat_map(|bar| [(bar.from, 1), (bar.to.max(bar.from + 1), -1)]).collect();
    changes.sort_unstable();
    let mut steps: Vec<(i64, i64)> = Vec::new();
    let (mut running, mut most) = (0, 1);
    for (at, change) in changes {
        running += change;
        most = most.max(running);
        match steps.last_mut() {
            Some(last) if last.0 == at => last.1 = running,
            _ => steps.push((at, running)),
        }
    }
    html! {
        @for pair in steps.windows(2) {
            @if let [(from, running), (to, _)] = *pair {
                @if running > 0 {
                    @let (x, end) = (scale.at(from), scale.at(to));
                    @let height = (HEIGHT * ratio(running, most)).max(3.0).round();
                    rect class=(mark.bar) x=(percent(x)) width=(percent((end - x).max(0.002)))
                        y=(22.0 - height) height=(height) {}
                }
            }
        }
    }
}
