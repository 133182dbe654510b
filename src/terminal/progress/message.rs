//! Messages for a screen: reports in words, without borrowed data.

use std::collections::HashSet;

use super::words::Words;
use crate::base::timestamp::Timestamp;
use crate::base::visible::visible;
use crate::render::titles::Titles;
use crate::workflow::record::StepStatus;
use crate::workflow::report::{Report, Stream};

/// One thing to show.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Message {
    Started {
        execution_id: String,
        workflow_id: String,
        total_steps: u32,
        reused_steps: u32,
        at: Timestamp,
    },
    /// An attempt of a step begins.
    AttemptStarted {
        step: String,
        /// Displayed instead of the name.
        title: Option<String>,
        attempt: u32,
        at: Timestamp,
    },
    /// Marks where this many lines of output are missing, from these steps' streams.
    Missed {
        lines: u64,
        of: HashSet<(String, Stream)>,
        at: Timestamp,
    },
    /// An attempt failed and another will follow.
    Retry {
        step: String,
        text: String,
        at: Timestamp,
    },
    /// A step ended; `last_lines` are of what it wrote, if it failed unseen.
    StepEnded {
        step: String,
        text: String,
        last_lines: String,
        steps_completed: u32,
        at: Timestamp,
    },
    /// Something about the store, or about what steps need of the system.
    Notice {
        text: String,
        at: Timestamp,
    },
    Ended {
        text: String,
        at: Timestamp,
    },
}

impl Message {
    /// Turns a report into a message; output has its own type. Of an attempt it holds only the
    /// lines that are shown: messages may wait in the queue, and the full output would take much
    /// memory.
    pub(super) fn new(
        report: &Report<'_>,
        words: Words,
        titles: &Titles,
        verbose: bool,
    ) -> Option<Self> {
        Some(match *report {
            Report::ExecutionStarted {
                execution_id,
                workflow_id,
                total_steps,
                reused_steps,
                at,
            } => Self::Started {
                reused_steps,
                execution_id: execution_id.to_owned(),
                workflow_id: visible(workflow_id),
                total_steps,
                at,
            },
            Report::AttemptStarted { step, attempt, at } => {
                let title = titles.title(step).map(str::to_owned);
                Self::AttemptStarted { step: step.to_owned(), title, attempt, at }
            }
            Report::AttemptPostponed { step, error, at } => {
                Self::Notice { text: words.attempt_postponed(titles.label(step), error), at }
            }
            Report::Waiting { on, at } => Self::Notice { text: words.waiting(on), at },
            Report::Output { .. } | Report::Resting | Report::SlotTaken { .. } => return None,
            Report::RetryScheduled { step, failed, max_attempts, wait, at } => Self::Retry {
                step: step.to_owned(),
                text: words.retry(titles.label(step), failed, max_attempts, wait),
                at,
            },
            Report::StepEnded { step, status, error, attempt, duration, steps_completed, at } => {
                let unseen = attempt.filter(|_| status == StepStatus::Failed && !verbose);
                Self::StepEnded {
                    step: step.to_owned(),
                    text: words.step_ended(titles.label(step), status, error, duration),
                    last_lines: unseen
                        .map(|a| words.last_lines(titles.label(step), a))
                        .unwrap_or_default(),
                    steps_completed,
                    at,
                }
            }
            Report::HandlerEnded {
                handler,
                on,
                status,
                error,
                attempt,
                duration,
                steps_completed,
                at,
            } => {
                let unseen = attempt.filter(|_| status == StepStatus::Failed && !verbose);
                let label = titles.label(handler);
                let text = words.step_ended(label, status, error, duration);
                Self::StepEnded {
                    step: handler.to_owned(),
                    text: words.of_handler(on, &text),
                    last_lines: unseen.map(|a| words.last_lines(label, a)).unwrap_or_default(),
                    steps_completed,
                    at,
                }
            }
            Report::StoreFailing { error, hint, at } => {
                Self::Notice { text: words.store_failing(error, hint), at }
            }
            Report::StoreWorking { at } => {
                Self::Notice { text: "the database works again".to_owned(), at }
            }
            Report::ExecutionEnded { status, error, duration, at } => {
                Self::Ended { text: words.execution_ended(status, error, duration), at }
            }
        })
    }
}

/// Shows messages; may block as long as its reader does not read.
pub(super) trait Screen: Send {
    fn show(&mut self, message: &Message);

    /// Shows one message if that does not block, and returns whether it did.
    fn show_at_once(&mut self, _message: &Message) -> bool {
        false
    }

    /// Shows lines that steps wrote, each with its end.
    fn output(&mut self, lines: &str);
}
