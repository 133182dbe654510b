//! Colours and what they mean.

use anstyle::{AnsiColor, Style};
use comfy_table::Color;

use crate::operations::diagnosis::State;
use crate::perf::judgement::{Outcome, Verdict};
use crate::schedule::decision::Action;
use crate::workflow::record::{ExecutionStatus, StepStatus};

pub(crate) const ERROR: Style = AnsiColor::Red.on_default().bold();
pub(crate) const WARNING: Style = AnsiColor::Yellow.on_default().bold();
pub(crate) const BOLD: Style = Style::new().bold();
pub(crate) const DIM: Style = Style::new().dimmed();

/// What a state looks like.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Look {
    pub(crate) style: Style,
    pub(crate) color: Option<Color>,
    pub(crate) sign: char,
    /// The sign, and what bars are drawn with, where there is only ASCII.
    pub(crate) ascii: char,
}

const fn look(color: AnsiColor, table: Color, sign: char, ascii: char) -> Look {
    Look { style: color.on_default(), color: Some(table), sign, ascii }
}

pub(crate) const GOOD: Look = look(AnsiColor::Green, Color::Green, '✓', '+');
pub(crate) const BAD: Look = look(AnsiColor::Red, Color::Red, '✗', 'x');
const STOPPED: Look = look(AnsiColor::Yellow, Color::Yellow, '■', '!');
const LOST: Look = look(AnsiColor::Magenta, Color::Magenta, '⚡', '?');
const ACTIVE: Look = look(AnsiColor::Cyan, Color::Cyan, '▶', '>');
const QUIET: Look = Look { style: DIM, color: None, sign: '–', ascii: '-' };

pub(crate) fn of_execution(status: ExecutionStatus) -> Look {
    match status {
        ExecutionStatus::Success => GOOD,
        ExecutionStatus::Failed => BAD,
        ExecutionStatus::Cancelled => STOPPED,
        ExecutionStatus::Interrupted => LOST,
        ExecutionStatus::Running => ACTIVE,
        ExecutionStatus::Pending => QUIET,
    }
}

/// What an expectation looks like that is not met.
pub(crate) const OVERDUE: Look = STOPPED;

/// What a decision looks like.
pub(crate) fn of_decision(action: Action) -> Look {
    match action {
        Action::Started => GOOD,
        Action::Missed => BAD,
        Action::Skipped => QUIET,
        Action::Queued | Action::Deferred => ACTIVE,
    }
}

/// What a finding looks like, and its word.
pub(crate) fn of_finding(state: State) -> (Look, &'static str) {
    match state {
        State::Ok => (GOOD, "ok"),
        State::Note => (STOPPED, "note"),
        State::Problem => (BAD, "problem"),
    }
}

/// What the outcome of an endpoint looks like.
pub(crate) fn of_outcome(outcome: Outcome) -> Look {
    match outcome {
        Outcome::Pass => GOOD,
        Outcome::Errors | Outcome::Regression => BAD,
        Outcome::Inconclusive => LOST,
        Outcome::New => ACTIVE,
    }
}

/// What a verdict looks like.
pub(crate) fn of_verdict(verdict: Verdict) -> Look {
    match verdict {
        Verdict::Pass => GOOD,
        Verdict::Fail => BAD,
        Verdict::Inconclusive => LOST,
    }
}

pub(crate) fn of_step(status: StepStatus) -> Look {
    match status {
        StepStatus::Success => GOOD,
        StepStatus::Failed => BAD,
        StepStatus::Cancelled => STOPPED,
        StepStatus::Interrupted => LOST,
        StepStatus::Running => ACTIVE,
        StepStatus::Pending | StepStatus::Skipped => QUIET,
    }
}

impl Look {
    pub(crate) fn sign(self, unicode: bool) -> char {
        if unicode { self.sign } else { self.ascii }
    }

    /// The text in the style of the state.
    pub(crate) fn paint(self, text: &str) -> String {
        let style = self.style;
        format!("{style}{text}{style:#}")
    }
}
