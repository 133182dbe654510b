//! Lines with the time, for files and pipes.

use std::io::{self, Write};

use super::message::{Message, Screen};
use super::words::Words;
use crate::base::timestamp::Timestamp;
use crate::base::units;
use crate::base::visible::visible;
use crate::base::zone::Zone;
use crate::render::style::DIM;

pub(super) struct Lines {
    words: Words,
}

impl Lines {
    pub(super) fn new(words: Words) -> Self {
        Self { words }
    }

    fn line(&self, at: Timestamp, text: &str) -> String {
        let line = format!("{DIM}{}{DIM:#} {text}\n", Zone::Utc.second(at));
        self.words.styled(&line).into_owned()
    }

    fn lines(&self, message: &Message) -> String {
        match message {
            Message::Started { execution_id, workflow_id, total_steps, reused_steps, at } => {
                let mut steps = units::count(u64::from(*total_steps), "step");
                if *reused_steps > 0 {
                    steps += &format!(", {reused_steps} of them reused");
                }
                self.line(
                    *at,
                    &format!("execution {execution_id} of {workflow_id} started: {steps}"),
                )
            }
            Message::AttemptStarted { step, title, attempt, at } => {
                let again =
                    if *attempt > 1 { format!(" (attempt {attempt})") } else { String::new() };
                self.line(
                    *at,
                    &format!("{} started{again}", visible(title.as_ref().unwrap_or(step))),
                )
            }
            Message::Missed { lines, at, .. } => self.line(*at, &self.words.missed(*lines)),
            Message::StepEnded { text, last_lines, at, .. } => self.line(*at, text) + last_lines,
            Message::Retry { text, at, .. }
            | Message::Notice { text, at }
            | Message::Ended { text, at } => self.line(*at, text),
        }
    }
}

/// Writes in one piece, which lines of other processes cannot come into.
fn write(text: &str) {
    // Standard error may be closed; the failure is ignored.
    let _ = io::stderr().lock().write_all(text.as_bytes());
}

/// The same, if it does not block. A pipe accepts a write of this size as a whole or not at all;
/// terminals, and systems where that is unknown, are left to `write`.
#[cfg(target_os = "linux")]
fn write_at_once(text: &str) -> bool {
    use rustix::io::{ReadWriteFlags, pwritev2};

    const HERE: u64 = u64::MAX;
    if text.len() > rustix::pipe::PIPE_BUF {
        return false;
    }
    let text = [io::IoSlice::new(text.as_bytes())];
    pwritev2(io::stderr().lock(), &text, HERE, ReadWriteFlags::NOWAIT).is_ok()
}

#[cfg(not(target_os = "linux"))]
fn write_at_once(_text: &str) -> bool {
    false
}

impl Screen for Lines {
    fn show(&mut self, message: &Message) {
        write(&self.lines(message));
    }

    fn show_at_once(&mut self, message: &Message) -> bool {
        write_at_once(&self.lines(message))
    }

    fn output(&mut self, lines: &str) {
        write(lines);
    }
}
