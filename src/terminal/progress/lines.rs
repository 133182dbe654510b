//! Lines with the time, for files and pipes.

use std::io::Write;

use super::super::lineage::short;
use super::super::style::DIM;
use super::message::{Message, Screen};
use super::words::Words;
use crate::timestamp::Timestamp;
use crate::units;
use crate::workflow::problem::visible;

pub(super) struct Lines {
    words: Words,
}

impl Lines {
    pub(super) fn new(words: Words) -> Self {
        Self { words }
    }

    fn say(&self, at: Timestamp, text: &str) {
        let line = format!("{DIM}{}{DIM:#} {text}\n", short(at));
        write(&self.words.styled(&line));
    }
}

/// Writes in one piece, which lines of other processes cannot come into.
fn write(text: &str) {
    // Who closed standard error does not want to know.
    let _ = std::io::stderr().lock().write_all(text.as_bytes());
}

impl Screen for Lines {
    fn show(&mut self, message: &Message) {
        match message {
            Message::Started { execution_id, workflow_id, total_steps, at } => {
                let steps = units::count(u64::from(*total_steps), "step");
                self.say(
                    *at,
                    &format!("execution {execution_id} of {workflow_id} started: {steps}"),
                );
            }
            Message::AttemptStarted { step, attempt, at } => {
                let again =
                    if *attempt > 1 { format!(" (attempt {attempt})") } else { String::new() };
                self.say(*at, &format!("{} started{again}", visible(step)));
            }
            Message::Missed { lines, at, .. } => self.say(*at, &self.words.missed(*lines)),
            Message::StepEnded { text, last_lines, at, .. } => {
                self.say(*at, text);
                self.output(last_lines);
            }
            Message::Retry { text, at, .. }
            | Message::Store { text, at }
            | Message::Ended { text, at } => self.say(*at, text),
        }
    }

    fn output(&mut self, lines: &str) {
        write(lines);
    }
}
