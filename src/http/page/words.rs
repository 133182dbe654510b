//! Statuses, times and text as every page writes them.

use std::time::Duration;

use maud::{Markup, PreEscaped, html};
use serde_json::Value;

use crate::base::units;
use crate::base::visible::{visible, write_visible};
use crate::render::svg::Mark;
use crate::repository::notifications::NotificationState;
use crate::schedule::decision::Action;
use crate::workflow::definition::{Step, Work};
use crate::workflow::record::{ExecutionStatus, StepStatus};
use crate::workflow::schedule_record::OverdueKind;

const fn mark(
    class: &'static str,
    bar: &'static str,
    symbol: &'static str,
    word: &'static str,
) -> Mark {
    Mark { class, bar, symbol, word }
}

pub(super) const FAILED: Mark = mark("fail", "b-fail", "i-fail", "failed");
pub(super) const INTERRUPTED: Mark = mark("fail", "b-fail", "i-intr", "interrupted");
pub(super) const RUNNING: Mark = mark("run", "b-run", "i-run", "running");
pub(super) const SUCCESS: Mark = mark("ok", "b-ok", "i-ok", "success");
pub(super) const SKIPPED: Mark = mark("off", "b-off", "i-skip", "skipped");
pub(super) const CANCELLED: Mark = mark("off", "b-off", "i-cancel", "cancelled");
pub(super) const PENDING: Mark = mark("wt", "b-off", "i-wait", "pending");
pub(super) const REUSED: Mark = mark("ok", "b-old", "i-reuse", "reused");
pub(super) const BREACHED: Mark = mark("fail", "b-fail", "i-stale", "breached");
pub(super) const KEPT: Mark = mark("ok", "b-ok", "i-ok", "kept");
pub(super) const BROKEN: Mark = mark("fail", "b-fail", "i-stale", "broken");

pub(super) const PAUSED: Mark = mark("wt", "b-off", "i-pause", "paused");

/// What stands for a decision about a scheduled time.
pub(super) fn of_decision(action: Action) -> Mark {
    match action {
        Action::Started => mark("ok", "b-ok", "i-ok", "started"),
        Action::Skipped => SKIPPED,
        Action::Missed => mark("warn", "b-warn", "i-missed", "missed"),
        Action::Queued => mark("wt", "b-off", "i-wait", "queued"),
        Action::Deferred => mark("wt", "b-off", "i-defer", "deferred"),
    }
}

/// What stands for an expectation that is not met.
pub(super) fn of_overdue(kind: OverdueKind) -> Mark {
    match kind {
        OverdueKind::Missed => of_decision(Action::Missed),
        OverdueKind::Late => mark("warn", "b-warn", "i-late", "late"),
        OverdueKind::Slow => mark("warn", "b-warn", "i-slow", "slow"),
        OverdueKind::Stale => mark("warn", "b-warn", "i-stale", "stale"),
    }
}

/// What stands for the state of a notification.
pub(super) fn of_notification(state: NotificationState) -> Mark {
    match state {
        NotificationState::Pending => PENDING,
        NotificationState::Accepted => mark("ok", "b-ok", "i-ok", "accepted"),
        NotificationState::GivenUp => mark("fail", "b-fail", "i-fail", "given up"),
        NotificationState::Dropped => mark("off", "b-off", "i-skip", "dropped"),
    }
}

/// What stands for the status of an execution.
pub(super) fn of_execution(status: ExecutionStatus) -> Mark {
    match status {
        ExecutionStatus::Pending => PENDING,
        ExecutionStatus::Running => RUNNING,
        ExecutionStatus::Success => SUCCESS,
        ExecutionStatus::Failed => FAILED,
        ExecutionStatus::Cancelled => CANCELLED,
        ExecutionStatus::Interrupted => INTERRUPTED,
    }
}

/// What stands for the status of a step.
pub(super) fn of_step(status: StepStatus, is_reused: bool) -> Mark {
    match status {
        StepStatus::Success if is_reused => REUSED,
        StepStatus::Pending => Mark { class: "off", ..PENDING },
        StepStatus::Running => RUNNING,
        StepStatus::Success => SUCCESS,
        StepStatus::Failed => FAILED,
        StepStatus::Skipped => SKIPPED,
        StepStatus::Cancelled => CANCELLED,
        StepStatus::Interrupted => INTERRUPTED,
    }
}

/// A symbol, which is never all that tells something.
pub(super) fn icon(mark: Mark) -> Markup {
    html! {
        svg class="i" viewBox="0 0 16 16" aria-hidden="true" { use href={ "#" (mark.symbol) } {} }
    }
}

/// Symbol and word.
pub(super) fn status(mark: Mark) -> Markup {
    html! { span class={ "st " (mark.class) } { (icon(mark)) (mark.word) } }
}

/// Symbol and words of our own.
pub(super) fn status_as(mark: Mark, words: &str) -> Markup {
    html! { span class={ "st " (mark.class) } { (icon(mark)) (words) } }
}

/// A length of time.
pub(super) fn millis(millis: u64) -> String {
    units::spoken(Duration::from_millis(millis))
}

/// Text from outside, on one line, with what cannot be seen escaped.
pub(super) fn text(text: &str) -> String {
    visible(text)
}

/// Who asked for something, and from where, at the end of a sentence; empty where nothing is known.
pub(super) fn requester(by: Option<&str>, address: Option<&str>) -> String {
    let by = by.map_or_else(String::new, |by| format!(" by {}", text(by)));
    let from = address.map_or_else(String::new, |from| format!(" from {}", text(from)));
    by + &from
}

/// [`text`], cut after so many characters.
pub(super) fn short(long: &str, most: usize) -> String {
    let shown = visible(long.lines().next().unwrap_or_default());
    match shown.char_indices().nth(most) {
        Some((at, _)) => format!("{}…", &shown[..at]),
        None => shown,
    }
}

/// A line that a step wrote: tabs stay, and nothing in it has another effect.
pub(super) fn output_line(line: &str) -> String {
    let mut shown = String::with_capacity(line.len());
    for c in line.strip_suffix('\r').unwrap_or(line).chars() {
        write_visible(&mut shown, c, '\t');
    }
    shown
}

/// A command that does the same, ready to copy.
pub(super) fn command(line: &str) -> Markup {
    html! {
        p class="cli small" { span class="muted" { "Command line" } code { (text(line)) } }
    }
}

/// A word of a command line, quoted where a shell needs that.
pub(super) fn shell_word(word: &str) -> String {
    shlex::try_quote(word).map_or_else(|_| word.to_owned(), std::borrow::Cow::into_owned)
}

/// What a step of a definition runs.
pub(super) fn runs(step: &Step) -> String {
    match &step.work {
        Work::Nothing => String::new(),
        Work::Shell(line) => line.trim_end().to_owned(),
        Work::Argv(argv) => argv.iter().map(|word| shell_word(word)).collect::<Vec<_>>().join(" "),
        Work::Sleep(period) => format!("sleep {period}"),
    }
}

/// A value of JSON as the text that a form or a command has.
pub(super) fn value_text(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}

/// A status as the end of a sentence.
pub(super) fn status_words(status: ExecutionStatus) -> &'static str {
    match status {
        ExecutionStatus::Pending => "waits",
        ExecutionStatus::Running => "is running",
        ExecutionStatus::Success => "succeeded",
        ExecutionStatus::Failed => "failed",
        ExecutionStatus::Cancelled => "was cancelled",
        ExecutionStatus::Interrupted => "was interrupted",
    }
}

/// `1 step`, `2 steps`, with thousands set apart.
pub(super) fn count(number: u64, noun: &str) -> String {
    let plural = if number == 1 { "" } else { "s" };
    format!("{}\u{a0}{noun}{plural}", thousands(number))
}

/// `1,234,567`
pub(super) fn thousands(number: u64) -> String {
    let digits = number.to_string();
    let mut written = String::with_capacity(digits.len() + digits.len() / 3);
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            written.push(',');
        }
        written.push(digit);
    }
    written
}

/// Stands for the time at which a page was made until its tag is known: a page that differs in
/// nothing else is the same.
pub(super) const NOW: PreEscaped<&str> = PreEscaped("\u{1}now\u{1}");

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_set_apart() {
        assert_eq!([0, 999, 1_000, 1_234_567].map(thousands), ["0", "999", "1,000", "1,234,567"]);
    }

    #[test]
    fn text_from_outside_has_no_effect() {
        assert_eq!(output_line("a\tb\u{1b}[31m\u{0}\u{202e}\r"), "a\tb\\u{1b}[31m\\u{0}\\u{202e}");
        assert_eq!(html! { (output_line("<script>&\"")) }.0, "&lt;script&gt;&amp;&quot;");
        assert_eq!(short("abc\ndef", 2), "ab…");
        assert_eq!(shell_word("it's"), "\"it's\"");
    }
}
