//! A duration against the usual one, and the durations of many executions side by side.

use maud::{Markup, html};

use super::{Mark, ratio, symbol_at};

/// Where the usual duration stands.
const TICK: f64 = 0.4;
const WIDTH: f64 = 112.0;
/// A history has room for so many executions at least.
const SLOTS: usize = 20;

/// A bar whose tick, the usual duration, always stands at the same place; what takes more than 2.4
/// times as long ends in an arrow. `title` says the same in words.
#[must_use]
pub(crate) fn against_usual(took: u64, usual: u64, mark: Mark, title: &str) -> Markup {
    let whole = |millis: u64| i64::try_from(millis).unwrap_or(i64::MAX);
    let share = ratio(whole(took), whole(usual.max(1))) * TICK;
    let is_over = share > 0.96;
    let width = (share.min(0.96) * WIDTH).max(3.0).round();
    let tick = (TICK * WIDTH).round();
    html! {
        svg width=(WIDTH) height="18" role="img" aria-label=(title) {
            title { (title) }
            rect class=(mark.bar) y="4" width=(width) height="10" {}
            @if is_over {
                path class=(mark.bar) d={ "M" (width) " 4l5 5-5 5z" } {}
            }
            path class="now" d={ "M" (tick) " 0v18" } {}
        }
    }
}

/// One execution in a history.
#[derive(Debug, Clone)]
pub(crate) struct Past {
    /// How long it took, or has run so far.
    pub millis: u64,
    pub mark: Mark,
    /// It needs a symbol, since its colour alone must not say how it ended.
    pub is_marked: bool,
    pub title: String,
    pub href: String,
}

/// Executions from left to right, with the usual duration as a line.
#[must_use]
pub(crate) fn history(past: &[Past], usual: Option<u64>, words: &dyn Fn(u64) -> String) -> Markup {
    const HEIGHT: i64 = 120;
    const TOP: i64 = 10;
    let whole = |millis: u64| i64::try_from(millis).unwrap_or(i64::MAX);
    let longest = past.iter().map(|one| one.millis).chain(usual).max().unwrap_or(0).max(1);
    #[expect(clippy::cast_possible_truncation, reason = "a share of the height")]
    let y = |millis: u64| TOP + HEIGHT - (ratio(whole(millis), whole(longest)) * 120.0) as i64;
    #[expect(clippy::cast_precision_loss, reason = "a few dozens")]
    let (step, at) = (100.0 / past.len().max(SLOTS) as f64, |index: usize| index as f64);
    html! {
        div class="plot" {
            svg width="52" height="150" aria-hidden="true" {
                text x="46" y=(TOP + 4) text-anchor="end" { (words(longest)) }
                @if let Some(usual) = usual.filter(|usual| (y(*usual) - TOP) > 16) {
                    text class="t" x="46" y=(y(usual) + 4) text-anchor="end" { "usual" }
                }
                text x="46" y=(TOP + HEIGHT + 4) text-anchor="end" { "0" }
            }
            svg class="chart" height="150" role="img"
                aria-label={ "Durations of the last " (past.len()) " executions; the table below says the same" } {
                line class="g" x1="0" x2="100%" y1=(TOP) y2=(TOP) {}
                line class="usual" x1="0" x2="100%" y1=(TOP + HEIGHT) y2=(TOP + HEIGHT) {}
                @for (index, one) in past.iter().enumerate() {
                    @let top = y(one.millis).min(TOP + HEIGHT - 3);
                    @let left = at(index) * step;
                    a href=(one.href) aria-label=(one.title) {
                        title { (one.title) }
                        rect class="hit" x={ (round(left)) "%" } y="0" width={ (round(step)) "%" } height="150" {}
                        rect class=(one.mark.bar) x={ (round(left + step * 0.14)) "%" } y=(top)
                            width={ (round(step * 0.72)) "%" } height=(TOP + HEIGHT - top) {}
                        @if one.is_marked {
                            svg x={ (round(left + step / 2.0)) "%" } y=(TOP + HEIGHT + 3) width="16"
                                height="16" overflow="visible" { (symbol_at(one.mark, -8, 0)) }
                        }
                    }
                }
                @if let Some(usual) = usual {
                    line class="med" x1="0" x2="100%" y1=(y(usual)) y2=(y(usual)) {}
                }
            }
        }
    }
}

fn round(value: f64) -> f64 {
    (value * 100.0).round() / 100.0
}
