//! An execution while it runs: on a terminal a line for each running step and a bar
//! over all of them, elsewhere lines with the time. All of it on standard error, and what
//! may have to wait by a thread of its own: the engine never waits for who reads it, or
//! does not.

mod courier;
mod lines;
mod live;
mod message;
mod words;

use std::sync::Arc;

use self::courier::Courier;
use self::message::Screen;
use super::Ui;
use crate::workflow::report::Observer;

/// Whoever shows an execution on this terminal. With `verbose` what steps write is
/// shown as it comes, without it the last lines of a failing one. Dropping it waits until
/// all is shown, unless nobody reads.
#[must_use]
pub fn observer(ui: &Ui, verbose: bool) -> Arc<dyn Observer> {
    let words = words::Words { unicode: ui.layout.unicode, colour: ui.live_colour };
    let screen: Box<dyn Screen> = if ui.live {
        Box::new(live::Live::new(words, ui.layout.width))
    } else {
        Box::new(lines::Lines::new(words))
    };
    Arc::new(Courier::new(screen, words, verbose, Arc::clone(&ui.stalled)))
}
