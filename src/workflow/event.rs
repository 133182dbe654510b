//! Input and output of the state machine of an execution.

use std::time::Duration;

use super::record::{Captured, Outputs};
use super::retry_on::EndCause;
use crate::base::timestamp::Timestamp;

/// When an event happens, and the randomness that it may use.
#[derive(Debug, Clone, Copy)]
pub struct Moment {
    /// By the wall clock.
    pub now: Timestamp,
    /// By a monotonic clock with any origin that stays the same for one process.
    pub monotonic: Duration,
    /// Evenly drawn from 0 to 1.
    pub jitter: f64,
}

/// Something that happened.
#[derive(Debug, Clone)]
pub enum Event {
    /// The process that will run it starts it.
    Begin,
    /// A process takes over the execution of a dead one.
    Resume {
        /// An end was requested meanwhile, and why.
        cancelled: Option<String>,
    },
    /// The process that had it is dead, and nobody goes on with it: it ends as interrupted, for this
    /// reason. Its handlers run.
    Settle(String),
    /// An attempt that [`Effect::Start`] asked for is over.
    AttemptEnded(usize, AttemptEnd),
    /// The permit that [`Effect::Admit`] requested is available.
    Admitted(usize),
    /// The attempt that [`Effect::Start`] requested could not begin for want of files, processes or
    /// memory. It does not count: [`Effect::Admit`] requests it again.
    Postponed(usize),
    /// The wait that [`Effect::Retry`] asked for is over.
    RetryDue(usize),
    /// An end is requested, and why.
    Cancel(String),
    /// A second request to end it: handlers are ended, and no further one starts.
    Kill,
    /// The `timeout` of the workflow is over.
    TimeUp,
    /// The attempt that [`Effect::Start`] requested is withdrawn before its work began. Only for a
    /// driver that starts nothing more: an execution resumed later finds the step as it was before.
    Withdrawn(usize),
}

/// How one attempt went.
#[derive(Debug, Clone)]
pub struct AttemptEnd {
    /// How it ended.
    pub outcome: Outcome,
    /// Its outputs, whether it succeeded or not.
    pub outputs: Outputs,
    /// When its work began.
    pub started_at: Timestamp,
    /// How long its work took, by the monotonic clock.
    pub duration: Duration,
    /// The exit code of its process.
    pub exit_code: Option<i32>,
    /// How its process ended, if it failed.
    pub cause: EndCause,
    /// The end of its standard output.
    pub stdout: Captured,
    /// The end of its standard error.
    pub stderr: Captured,
}

/// How one attempt ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    Success,
    /// Not done, and why.
    Failed(String),
    /// There was nothing to do: the exit code, which is one of the step's `skip_exit_codes`.
    Skipped(String),
    /// Not done, and why: processes of it could not be ended. No further attempt may run
    /// beside them.
    Unended(String),
    /// Ended because [`Effect::Stop`] said so.
    Stopped,
    /// The process that ran it died.
    Lost,
}

/// Something to be done by the driver, in the order given.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Effect {
    /// Send [`Event::Admitted`] once a further process of a step may run: their number is bounded
    /// over all executions. Until then the step is pending.
    Admit { step: usize },
    /// Begin the work of an attempt, once everything up to now is durable.
    Start {
        step: usize,
        /// From 1.
        attempt: u32,
        /// How much of a sleep went by before another process died.
        elapsed: Duration,
    },
    /// End the running attempt of a step; [`Event::AttemptEnded`] follows.
    Stop { step: usize },
    /// Send [`Event::RetryDue`] after `wait`.
    Retry {
        step: usize,
        /// How long from now.
        wait: Duration,
    },
    /// A step reached its end.
    StepEnded { step: usize },
    /// The execution reached its end.
    Ended,
}

impl AttemptEnd {
    /// An attempt that took no time and no process.
    #[must_use]
    pub fn instant(outcome: Outcome, at: Timestamp) -> Self {
        Self {
            outcome,
            outputs: Outputs::new(),
            started_at: at,
            duration: Duration::ZERO,
            exit_code: None,
            cause: EndCause::Other,
            stdout: Captured::default(),
            stderr: Captured::default(),
        }
    }
}
