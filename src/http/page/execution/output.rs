//! What steps wrote: text, whatever it holds.

use maud::{Markup, html};

use super::Selection;
use super::found::Found;
use crate::base::units;
use crate::http::exchange::problem::Problem;
use crate::http::page::view::View;
use crate::http::page::words;
use crate::workflow::record::{Attempt, Captured, StepRecord, StepStatus};

/// The most lines of one stream that a page shows: its last ones.
const LINES_MAX: usize = 2_000;
/// The most steps that the panel offers by name.
const NAMED_MAX: usize = 30;

/// Whose output is shown.
pub(super) struct Chosen<'a> {
    step: Option<&'a StepRecord>,
    attempt: u32,
}

impl<'a> Chosen<'a> {
    /// The step that is asked for, else the one that failed or runs, else the last that wrote
    /// something.
    pub(super) fn of(found: &'a Found, selection: &Selection) -> Self {
        let asked = selection.step.as_deref().and_then(|name| found.step(name));
        let failed = || found.failed.and_then(|index| found.steps.get(index));
        let running = || found.steps.iter().find(|step| step.status == StepStatus::Running);
        let wrote =
            || found.steps.iter().rev().find(|step| step.stdout_bytes + step.stderr_bytes > 0);
        let step = asked.or_else(failed).or_else(running).or_else(wrote);
        let last = step.map_or(0, |step| step.attempt);
        let attempt = selection.attempt.filter(|_| asked.is_some()).unwrap_or(last);
        Self { step, attempt }
    }
}

/// One line of a stream.
struct Line<'a> {
    text: &'a str,
    is_error: bool,
}

/// The lines of an attempt, standard output first, and the bytes that were dropped before each.
struct Streams<'a> {
    stdout: Vec<&'a str>,
    stderr: Vec<&'a str>,
}

impl<'a> Streams<'a> {
    fn of(stdout: &'a str, stderr: &'a str) -> Self {
        let lines = |text: &'a str| text.strip_suffix('\n').unwrap_or(text);
        let split = |text: &'a str| match text.is_empty() {
            true => Vec::new(),
            false => lines(text).split('\n').collect(),
        };
        Self { stdout: split(stdout), stderr: split(stderr) }
    }

    fn all(&self) -> impl DoubleEndedIterator<Item = Line<'a>> {
        let of = |is_error: bool| move |text: &&'a str| Line { text, is_error };
        self.stdout.iter().map(of(false)).chain(self.stderr.iter().map(of(true)))
    }

    fn count(&self) -> usize {
        self.stdout.len() + self.stderr.len()
    }
}

fn line(number: usize, id: &str, line: &Line<'_>) -> Markup {
    html! {
        span class=[line.is_error.then_some("e")] {
            a id={ (id) (number) } href={ "#" (id) (number) } { (number) }
            (words::output_line(line.text))
        }
    }
}

/// The last lines that the last attempt of a step wrote.
pub(super) fn last_lines(
    view: &View<'_>,
    found: &Found,
    step: &StepRecord,
    most: usize,
) -> Result<Markup, Problem> {
    let attempt = found.attempt(view, step, step.attempt)?;
    let (stdout, stderr) = texts(step, attempt.as_ref());
    let streams = Streams::of(stdout, stderr);
    let count = streams.count();
    if count == 0 {
        return Ok(html! { p class="muted small" { (nothing(step)) } });
    }
    let skipped = count.saturating_sub(most);
    Ok(html! {
        div class="logbar" {
            span {
                "Last " (count.min(most)) " of " (words::count(count as u64, "line"))
                @if !streams.stderr.is_empty() { "; " span class="st fail" { "standard error" } " is marked" }
            }
        }
        pre class="log" tabindex="0" role="region" aria-label={ "Last lines of " (words::text(&step.name)) } {
            @for (at, one) in streams.all().enumerate().skip(skipped) { (line(at + 1, "l", &one)) }
        }
    })
}

/// The two streams: of what is not stored yet, the step has them.
fn texts<'a>(step: &'a StepRecord, attempt: Option<&'a Attempt>) -> (&'a str, &'a str) {
    match attempt {
        Some(attempt) => (&attempt.stdout.text, &attempt.stderr.text),
        None => (&step.stdout, &step.stderr),
    }
}

fn nothing(step: &StepRecord) -> String {
    match (&step.output_note, step.status) {
        (Some(note), _) => note.clone(),
        (None, StepStatus::Running) => {
            format!(
                "{} runs; what it writes is shown when the attempt ends.",
                words::text(&step.name)
            )
        }
        (None, StepStatus::Pending) => format!("{} has not begun.", words::text(&step.name)),
        _ => format!("{} wrote nothing.", words::text(&step.name)),
    }
}

/// The panel with the output of one step.
pub(super) fn draw(
    view: &View<'_>,
    found: &Found,
    chosen: &Chosen<'_>,
    selection: &Selection,
    name: &str,
) -> Result<Markup, Problem> {
    let Some(step) = chosen.step else {
        return Ok(html! {
            section class="panel" id="output" tabindex="-1" {
                header { h2 { "Output" } }
                div class="pad" { p class="muted" { "No step wrote anything." } }
            }
        });
    };
    let attempt = found.attempt(view, step, chosen.attempt)?;
    let (stdout, stderr) = match chosen.attempt == step.attempt {
        true => texts(step, attempt.as_ref()),
        false => attempt.as_ref().map_or(("", ""), |one| (&one.stdout.text, &one.stderr.text)),
    };
    let streams = Streams::of(stdout, stderr);
    let follows = step.status == StepStatus::Running;
    let wrote: Vec<&StepRecord> = found
        .steps
        .iter()
        .chain(found.handlers.iter().map(|handler| &handler.step))
        .filter(|step| step.stdout_bytes + step.stderr_bytes > 0 || is_shown(step, chosen))
        .collect();
    let bytes = attempt.as_ref().map_or(step.stdout_bytes + step.stderr_bytes, |one| {
        one.stdout.total_bytes + one.stderr.total_bytes
    });
    Ok(html! {
        section class="panel" id="output" tabindex="-1" {
            header {
                h2 { "Output of " (words::text(&step.name)) }
                p {
                    (words::count(streams.count() as u64, "line")) ", " (units::bytes(bytes))
                    @if !streams.stderr.is_empty() { "; standard error is marked and comes last" }
                }
            }
            div class="pad" {
                div class="logbar" {
                    span {
                        @if follows { span class="st run" id="following" { "following the end" } " " }
                        @for number in 1..=step.attempt.min(50) {
                            @if step.attempt > 1 {
                                a href=(selection.to_step(&step.name, Some(number))) data-key=(step.name)
                                    aria-current=[(number == chosen.attempt).then_some("true")] { "attempt " (number) }
                                " "
                            }
                        }
                    }
                }
                @if streams.count() == 0 {
                    p class="muted" { (nothing(step)) }
                } @else {
                    pre class="log" tabindex="0" role="region" data-follow[follows]
                        aria-label={ "Output of " (words::text(&step.name)) ", attempt " (chosen.attempt) } {
                        (stream(&streams.stdout, attempt.as_ref().map(|one| &one.stdout), 0, false))
                        (stream(&streams.stderr, attempt.as_ref().map(|one| &one.stderr), streams.stdout.len(), true))
                    }
                }
                @if !step.outputs.is_empty() {
                    dl class="kv" {
                        @for (key, value) in &step.outputs {
                            dt { "Output " code { (words::text(key)) } } dd { code { (words::short(value, 400)) } }
                        }
                    }
                }
                @if wrote.len() > 1 {
                    p class="small" {
                        "Other steps: "
                        @for (at, other) in wrote.iter().filter(|one| one.name != step.name).take(NAMED_MAX).enumerate() {
                            @if at > 0 { ", " }
                            a href=(selection.to_step(&other.name, None)) data-key=(other.name) { (words::text(&other.name)) }
                        }
                        @if wrote.len() > NAMED_MAX + 1 { " and " (wrote.len() - NAMED_MAX - 1) " more, in the table of steps" }
                    }
                }
                (words::command(&format!("wfx show {} --output all", words::shell_word(if name.starts_with('@') { name } else { &found.record.execution_id }))))
            }
        }
    })
}

fn is_shown(step: &StepRecord, chosen: &Chosen<'_>) -> bool {
    chosen.step.is_some_and(|shown| shown.name == step.name)
}

/// One stream, from the last lines that there is room for.
fn stream(lines: &[&str], captured: Option<&Captured>, before: usize, is_error: bool) -> Markup {
    let dropped = captured
        .filter(|captured| captured.is_truncated())
        .map(|captured| captured.total_bytes.saturating_sub(captured.text.len() as u64));
    let hidden = lines.len().saturating_sub(LINES_MAX);
    html! {
        @if let Some(dropped) = dropped { span class="gap" { (units::bytes(dropped)) " left out here: only the end is kept" } }
        @if hidden > 0 { span class="gap" { (words::count(hidden as u64, "line")) " before these; the command below shows all" } }
        @for (at, text) in lines.iter().enumerate().skip(hidden) {
            (line(before + at + 1, "o", &Line { text, is_error }))
        }
    }
}
