//! What steps wrote: text, whatever it holds.

use maud::{Markup, html};

use super::Selection;
use super::found::Found;
use super::log::{BYTES_MAX, Log, Row, What};
use crate::base::units;
use crate::http::exchange::problem::Problem;
use crate::http::page::view::{View, query, segment};
use crate::http::page::words;
use crate::workflow::output::{self, page::PageRequest};
use crate::workflow::record::{StepRecord, StepStatus};

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

/// What an attempt wrote: from a place on, or the end of it.
fn read(
    view: &View<'_>,
    found: &Found,
    step: &StepRecord,
    attempt: u32,
    from: Option<u64>,
) -> Result<Log, Problem> {
    let selection = output::page::Selection {
        position: Some(step.position),
        attempt: Some(attempt),
        ..output::page::Selection::default()
    };
    let request = PageRequest {
        selection,
        from: from.unwrap_or(0),
        limit: BYTES_MAX,
        ends_at_gap: false,
        is_last: from.is_none(),
    };
    let page = match found.record.persisted {
        true => view.read(|reader| reader.output(&found.record.execution_id, &request))?,
        false => None,
    };
    Ok(match page {
        Some(page) => Log::of(page, from.is_none()),
        // Of what is not stored yet, the step has it.
        None if attempt == step.attempt => Log::of_texts(&step.stdout, &step.stderr),
        None => Log::default(),
    })
}

/// One line; `base` is the address of the page that has it, and empty for this page.
fn row(number: usize, id: &str, base: &str, row: &Row) -> Markup {
    match &row.what {
        What::Line { text, is_error } => html! {
            span class=[is_error.then_some("e")] {
                a id={ (id) (number) } href={ (base) "#" (id) (number) } { (number) }
                (words::output_line(text))
            }
        },
        What::Gap(bytes) => html! {
            span class="gap" { (units::bytes(*bytes)) " dropped here, after byte " (words::thousands(row.from)) }
        },
    }
}

/// The last lines that the last attempt of a step wrote.
pub(super) fn last_lines(
    view: &View<'_>,
    found: &Found,
    step: &StepRecord,
    most: usize,
) -> Result<Markup, Problem> {
    let log = read(view, found, step, step.attempt, None)?;
    let count = log.rows.len();
    if count == 0 {
        return Ok(html! { p class="muted small" { (nothing(step)) } });
    }
    Ok(html! {
        div class="logbar" {
            span {
                "Last "
                @if log.from == 0 && log.dropped() == 0 { (count.min(most)) " of " (words::count(count as u64, "line")) }
                @else { (words::count(count.min(most) as u64, "line")) " of " (units::bytes(log.written)) }
                @if log.has_errors() { "; " span class="st fail" { "standard error" } " is marked" }
            }
        }
        pre class="log" tabindex="0" role="region" aria-label={ "Last lines of " (words::text(&step.name)) } {
            @for (at, one) in log.rows.iter().enumerate().skip(count.saturating_sub(most)) { (row(at + 1, "l", "", one)) }
        }
    })
}

fn nothing(step: &StepRecord) -> String {
    let name = words::text(&step.name);
    match (&step.output_note, step.status) {
        (Some(note), _) => note.clone(),
        (None, StepStatus::Running) => format!("{name} runs, and has written nothing yet."),
        (None, StepStatus::Pending) => format!("{name} has not begun."),
        _ => format!("{name} wrote nothing."),
    }
}

/// The panel with the output of one step.
pub(super) fn draw(
    view: &View<'_>,
    found: &Found,
    chosen: &Chosen<'_>,
    selection: &Selection,
) -> Result<Markup, Problem> {
    let Some(step) = chosen.step else {
        return Ok(html! {
            section class="panel" id="output" tabindex="-1" {
                header { h2 { "Output" } }
                div class="pad" { p class="muted" { "No step wrote anything." } }
            }
        });
    };
    let from = selection.from;
    let log = read(view, found, step, chosen.attempt, from)?;
    let has_ended = step.status != StepStatus::Running || chosen.attempt != step.attempt;
    let follows = !has_ended && from.is_none();
    let wrote: Vec<&StepRecord> = found
        .steps
        .iter()
        .chain(found.handlers.iter().map(|handler| &handler.step))
        .filter(|step| {
            let has_some = step.stdout_bytes + step.stderr_bytes > 0;
            has_some || step.status == StepStatus::Running || is_shown(step, chosen)
        })
        .collect();
    // Lines are counted from the beginning of what is shown, which the address of a line names.
    let at = |from: Option<u64>| {
        selection.with(|one| {
            one.step = Some(step.name.clone());
            one.attempt = Some(chosen.attempt);
            one.from = from;
        })
    };
    let base =
        if log.from > 0 && from != Some(log.from) { at(Some(log.from)) } else { String::new() };
    let reference = words::shell_word(&found.reference());
    Ok(html! {
        section class="panel" id="output" tabindex="-1" {
            header {
                h2 { "Output of " (words::text(&step.name)) }
                p {
                    @if log.from > 0 || log.next < log.written {
                        "bytes " (words::thousands(log.from)) " to " (words::thousands(log.next)) " of " (words::thousands(log.written))
                    } @else {
                        (words::count(log.rows.len() as u64, "line")) ", " (units::bytes(log.written))
                    }
                    @if log.has_errors() { "; standard error is marked" }
                    @if log.dropped() > 0 { "; " (units::bytes(log.dropped())) " dropped" }
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
                    span {
                        @if log.from > 0 {
                            a href={ (at(Some(log.from.saturating_sub(BYTES_MAX as u64)))) "#output" } data-key=(step.name) { "Earlier" } " "
                        }
                        @if log.next < log.written && from.is_some() {
                            a href={ (at(Some(log.next))) "#output" } data-key=(step.name) { "Later" } " "
                        }
                        @if from.is_some() { a href={ (at(None)) "#output" } data-key=(step.name) { "The end" } " " }
                        @if found.record.persisted && log.written > 0 {
                            a href=(as_text(view, found, step, chosen.attempt)) { "As text" }
                        }
                    }
                }
                @if log.rows.is_empty() {
                    p class="muted" { (nothing(step)) }
                } @else {
                    pre class="log" tabindex="0" role="region" data-follow[follows]
                        data-from=(log.from) data-written=(log.written)
                        aria-label={ "Output of " (words::text(&step.name)) ", attempt " (chosen.attempt) } {
                        @for (index, one) in log.rows.iter().enumerate() { (row(index + 1, "o", &base, one)) }
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
                (words::command(&format!(
                    "wfx logs {reference} {}{}",
                    words::shell_word(&step.name),
                    if has_ended { "" } else { " -f" }
                )))
            }
        }
    })
}

/// The address of the output alone, from its beginning.
fn as_text(view: &View<'_>, found: &Found, step: &StepRecord, attempt: u32) -> String {
    let attempt = attempt.to_string();
    let pairs = [("step", step.name.as_str()), ("attempt", &attempt), ("limit", "1048576")];
    format!(
        "{}api/v1/workflows/executions/{}/output{}",
        view.base,
        segment(&found.record.execution_id),
        query(&pairs)
    )
}

fn is_shown(step: &StepRecord, chosen: &Chosen<'_>) -> bool {
    chosen.step.is_some_and(|shown| shown.name == step.name)
}
