//! Reports of the engine to the observer of an execution.

use std::str::FromStr;
use std::time::Duration;

use super::concurrency::WaitingFor;
use super::handler::HandlerKind;
use super::record::{Attempt, ExecutionStatus, StepStatus};
use crate::base::timestamp::Timestamp;

/// Which of a process's two streams.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Stream {
    /// Standard output.
    Stdout,
    /// Standard error.
    Stderr,
}

impl Stream {
    /// `stdout` or `stderr`.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Stdout => "stdout",
            Self::Stderr => "stderr",
        }
    }
}

/// The text is no stream.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("stdout or stderr is expected")]
pub struct ParseStreamError;

impl FromStr for Stream {
    type Err = ParseStreamError;

    fn from_str(text: &str) -> Result<Self, ParseStreamError> {
        match text {
            "stdout" => Ok(Self::Stdout),
            "stderr" => Ok(Self::Stderr),
            _ => Err(ParseStreamError),
        }
    }
}

/// Something that happened to an execution.
#[derive(Debug, Clone)]
pub enum Report<'a> {
    /// It is accepted and its first steps are about to start.
    ExecutionStarted {
        /// Its id.
        execution_id: &'a str,
        /// What it runs.
        workflow_id: &'a str,
        /// How many steps it has.
        total_steps: u32,
        /// How many of them are reused from an earlier execution and do not run.
        reused_steps: u32,
        /// When.
        at: Timestamp,
    },
    /// An attempt of a step begins its work.
    AttemptStarted {
        /// Which step.
        step: &'a str,
        /// From 1.
        attempt: u32,
        /// When.
        at: Timestamp,
    },
    /// An attempt could not begin, since files, processes or memory are exhausted; it is tried
    /// later.
    AttemptPostponed {
        /// Which step.
        step: &'a str,
        /// What the system says.
        error: &'a str,
        /// When.
        at: Timestamp,
    },
    /// It waits for a slot of its concurrency group.
    Waiting {
        /// The group, and who holds its slots.
        on: &'a WaitingFor,
        /// When.
        at: Timestamp,
    },
    /// It has the slot that it waited for.
    SlotTaken {
        /// The group.
        group: &'a str,
        /// How long it waited.
        waited: Duration,
        /// When.
        at: Timestamp,
    },
    /// The execution rests: all running steps sleep, or it waits for a retry.
    Resting,
    /// A running step wrote something; only reported if the observer asks for it.
    Output {
        /// Which step.
        step: &'a str,
        /// Where to.
        stream: Stream,
        /// The bytes as read, cut anywhere.
        bytes: &'a [u8],
    },
    /// An attempt failed and another will follow.
    RetryScheduled {
        /// Which step.
        step: &'a str,
        /// The attempt that failed.
        failed: &'a Attempt,
        /// How many attempts there may be.
        max_attempts: u32,
        /// How long until the next.
        wait: Duration,
        /// When.
        at: Timestamp,
    },
    /// A step reached its end.
    StepEnded {
        /// Which step.
        step: &'a str,
        /// How.
        status: StepStatus,
        /// Why it did not succeed.
        error: Option<&'a str>,
        /// Its last attempt, when there was one.
        attempt: Option<&'a Attempt>,
        /// From the first attempt's start.
        duration: Option<Duration>,
        /// Steps in a terminal state now.
        steps_completed: u32,
        /// When.
        at: Timestamp,
    },
    /// A handler reached its end.
    HandlerEnded {
        /// Which handler.
        handler: &'a str,
        /// After which outcome it runs.
        on: HandlerKind,
        /// How.
        status: StepStatus,
        /// Why it did not succeed.
        error: Option<&'a str>,
        /// Its last attempt, when there was one.
        attempt: Option<&'a Attempt>,
        /// From the first attempt's start.
        duration: Option<Duration>,
        /// Steps in a terminal state.
        steps_completed: u32,
        /// When.
        at: Timestamp,
    },
    /// The store refuses changes: no further step starts until it works.
    StoreFailing {
        /// What the store says.
        error: &'a str,
        /// What can be done.
        hint: Option<&'a str>,
        /// When.
        at: Timestamp,
    },
    /// The store works again.
    StoreWorking {
        /// When.
        at: Timestamp,
    },
    /// The execution reached its end.
    ExecutionEnded {
        /// How.
        status: ExecutionStatus,
        /// Why it did not succeed.
        error: Option<&'a str>,
        /// From its start.
        duration: Duration,
        /// When.
        at: Timestamp,
    },
}

/// An observer of executions. Called from the engine's tasks: it must not block for long.
pub trait Observer: Send + Sync {
    /// Takes one report.
    fn report(&self, report: &Report<'_>);

    /// Whether [`Report::Output`] is wanted.
    fn wants_output(&self) -> bool {
        false
    }
}
/// Takes no notice of anything.
#[derive(Debug)]
pub(crate) struct Unobserved;

impl Observer for Unobserved {
    fn report(&self, _report: &Report<'_>) {}
}
