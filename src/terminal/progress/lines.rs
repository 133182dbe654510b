//! Lines with the time, for files and pipes.

use std::io::Write;
use std::sync::{Mutex, PoisonError};

use super::super::lineage::short;
use super::super::style::DIM;
use super::super::units;
use super::words::{LineCutter, Words};
use crate::timestamp::Timestamp;
use crate::workflow::problem::visible;
use crate::workflow::record::StepStatus;
use crate::workflow::report::{Observer, Report};

pub(super) struct Lines {
    words: Words,
    verbose: bool,
    cutter: Mutex<LineCutter>,
}

impl Lines {
    pub(super) fn new(words: Words, verbose: bool) -> Self {
        Self { words, verbose, cutter: Mutex::default() }
    }

    fn say(&self, at: Timestamp, text: &str) {
        write(&format!("{DIM}{}{DIM:#} {text}\n", short(at)));
    }

    fn flush(&self, step: &str) {
        let mut cutter = self.cutter.lock().unwrap_or_else(PoisonError::into_inner);
        cutter.finish(step, |line| write(&format!("{}\n", self.words.output(step, line))));
    }
}

/// Writes in one piece, which lines of other processes cannot come into.
fn write(text: &str) {
    let stderr = std::io::stderr();
    let plain = anstream::AutoStream::choice(&stderr) == anstream::ColorChoice::Never;
    let stripped = plain.then(|| anstream::adapter::strip_str(text).to_string());
    // Who closed standard error does not want to know.
    let _ = stderr.lock().write_all(stripped.as_deref().unwrap_or(text).as_bytes());
}

impl Observer for Lines {
    fn report(&self, report: &Report<'_>) {
        match *report {
            Report::ExecutionStarted { execution_id, workflow_id, total_steps, at } => {
                let steps = units::count(u64::from(total_steps), "step");
                let workflow_id = visible(workflow_id);
                self.say(
                    at,
                    &format!("execution {execution_id} of {workflow_id} started: {steps}"),
                );
            }
            Report::AttemptStarted { step, attempt, at } => {
                let again =
                    if attempt > 1 { format!(" (attempt {attempt})") } else { String::new() };
                self.say(at, &format!("{} started{again}", visible(step)));
            }
            Report::Output { step, stream, bytes } => {
                let mut cutter = self.cutter.lock().unwrap_or_else(PoisonError::into_inner);
                let mut text = String::new();
                cutter.take(step, stream, bytes, |line| {
                    text += &self.words.output(step, line);
                    text.push('\n');
                });
                write(&text);
            }
            Report::RetryScheduled { step, failed, max_attempts, wait, at } => {
                self.flush(step);
                self.say(at, &self.words.retry(step, failed, max_attempts, wait));
            }
            Report::StepEnded { step, status, error, attempt, duration, at, .. } => {
                self.flush(step);
                self.say(at, &self.words.step_ended(step, status, error, duration));
                if let (StepStatus::Failed, false, Some(attempt)) = (status, self.verbose, attempt)
                {
                    for line in self.words.last_lines(step, attempt) {
                        write(&format!("{line}\n"));
                    }
                }
            }
            Report::StoreFailing { error, hint, at } => {
                self.say(at, &self.words.store_failing(error, hint));
            }
            Report::StoreWorking { at } => self.say(at, "the database works again"),
            Report::ExecutionEnded { status, error, duration, at } => {
                self.say(at, &self.words.execution_ended(status, error, duration));
            }
        }
    }

    fn wants_output(&self) -> bool {
        self.verbose
    }
}
