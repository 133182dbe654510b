//! An execution while it runs: on a terminal a line for each running step and a bar
//! over all of them, elsewhere lines with the time. All of it on standard error.

mod lines;
mod live;
mod words;

use std::sync::Arc;

use super::Ui;
use crate::workflow::report::Observer;

/// Whoever shows an execution on this terminal. With `verbose` what steps write is
/// shown as it comes, without it the last lines of a failing one.
#[must_use]
pub fn observer(ui: &Ui, verbose: bool) -> Arc<dyn Observer> {
    let words = words::Words { unicode: ui.unicode };
    if ui.live {
        Arc::new(live::Live::new(words, verbose, ui.live_colour))
    } else {
        Arc::new(lines::Lines::new(words, verbose))
    }
}
