//! Progress of an execution: on a terminal a line for each running step and a bar over all of them,
//! elsewhere lines with the time. Everything goes to standard error. What may block is written by a
//! separate thread, so that the engine never waits for a reader.

mod courier;
mod lines;
mod live;
mod message;
mod words;

use std::sync::Arc;

use self::courier::Courier;
use self::message::Screen;
use super::Ui;
use crate::render::titles::Titles;
use crate::workflow::report::Observer;

/// The observer that shows an execution on this terminal, its steps by their titles. With `verbose`,
/// the output of steps is shown as it arrives; without it, the last lines of a failing step.
/// Dropping it waits until everything is shown, unless nothing reads it.
#[must_use]
pub(crate) fn observer(ui: &Ui, verbose: bool, titles: Titles) -> Arc<dyn Observer> {
    let words = words::Words { unicode: ui.layout.unicode, colour: ui.live_colour };
    let screen: Box<dyn Screen> = if ui.live {
        Box::new(live::Live::new(words, ui.layout.width))
    } else {
        Box::new(lines::Lines::new(words))
    };
    Arc::new(Courier::new(screen, words, titles, verbose, Arc::clone(&ui.stalled)))
}
