//! The first screen of an execution that failed or runs: where, why, what it wrote, what changed.

use maud::{Markup, html};

use super::found::Found;
use super::{Selection, is_bad, output};
use crate::http::exchange::problem::Problem;
use crate::http::page::view::View;
use crate::http::page::words;
use crate::workflow::comparison::{ComparedWith, Comparison};
use crate::workflow::record::{StepRecord, StepStatus};

/// The last lines that the first screen shows.
const LINES: usize = 8;
/// The lines of a diff that are shown.
const DIFF_LINES: usize = 60;

/// The step that failed.
pub(super) fn failure(
    view: &View<'_>,
    found: &Found,
    selection: &Selection,
) -> Result<Markup, Problem> {
    let Some(step) = found.failed.and_then(|index| found.steps.get(index)) else {
        return Ok(html! {});
    };
    let after = found.steps.iter().filter(|one| one.status == StepStatus::Skipped).count();
    let lines = output::last_lines(view, found, step, LINES)?;
    let runs = found.runs(step);
    let attempts = found.defined.get(&step.name).map_or(1, super::found::DefinedStep::attempts_max);
    let others: Vec<&StepRecord> =
        found.steps.iter().filter(|one| is_bad(one.status) && one.name != step.name).collect();
    let interrupted: Vec<_> = found
        .attempts_of(step)
        .iter()
        .filter(|attempt| attempt.status == StepStatus::Interrupted)
        .collect();
    Ok(html! {
        section class="panel" id="failure" {
            header {
                h2 { "Step " (words::text(&step.name)) " " (step.status.as_str()) }
                @if after > 0 { p { (words::count(after as u64, "step")) " skipped" } }
            }
            div class="pad" {
                p {
                    b { (words::text(step.error.as_deref().unwrap_or("no reason is stored"))) }
                    @if let Some(took) = step.duration_ms { " after " (words::millis(took)) }
                    @if step.attempt > 0 { ", in attempt " (step.attempt) " of " (attempts.max(u64::from(step.attempt))) }
                    "."
                    @if !runs.is_empty() { " It ran " code { (words::short(&runs, 200)) } }
                }
                (lines)
                p class="small" { a href=(selection.to_step(&step.name, None)) data-key=(step.name) { "Whole output of " (words::text(&step.name)) } }
                @for attempt in &interrupted {
                    div class="note warn" {
                        p {
                            (words::status_as(words::INTERRUPTED, &format!("Attempt {} was interrupted", attempt.attempt)))
                            " at " (view.civil.clock(attempt.completed_at)) ". What it had done by then may be done."
                        }
                    }
                }
                @if !others.is_empty() {
                    p class="small" {
                        "Also failed: "
                        @for (at, other) in others.iter().take(10).enumerate() {
                            @if at > 0 { ", " }
                            a href=(selection.to_step(&other.name, None)) data-key=(other.name) { (words::text(&other.name)) }
                        }
                        @if others.len() > 10 { " and " (others.len() - 10) " more" }
                    }
                }
            }
        }
    })
}

/// What runs now.
pub(super) fn under_way(view: &View<'_>, found: &Found, selection: &Selection) -> Markup {
    let running: Vec<&StepRecord> =
        found.steps.iter().filter(|step| step.status == StepStatus::Running).collect();
    let handlers: Vec<_> = found
        .handlers
        .iter()
        .filter(|handler| handler.step.status == StepStatus::Running)
        .collect();
    let row = |step: &StepRecord, what: &str| {
        html! {
            li {
                div { (words::status(words::RUNNING)) }
                div {
                    p {
                        a href=(selection.to_step(&step.name, None)) data-key=(step.name) { b { (words::text(&step.name)) } }
                        (what)
                        @if step.attempt > 1 { ", attempt " (step.attempt) }
                    }
                    @if let Some(at) = step.started_at {
                        p class="small" {
                            "since " (view.civil.clock(at)) ", "
                            (words::millis(u64::try_from(view.now.since(at).as_millis()).unwrap_or(0)))
                        }
                    }
                    p class="small" { code { (words::short(&found.runs(step), 160)) } }
                }
            }
        }
    };
    html! {
        section class="panel" id="running" {
            header { h2 { "Now" } p { (running.len() + handlers.len()) " running" } }
            @if running.is_empty() && handlers.is_empty() {
                div class="pad" { p class="muted" { "No step runs at the moment." } }
            } @else {
                ul class="items slim" {
                    @for step in running.iter().take(12) { (row(step, "")) }
                    @for handler in &handlers { (row(&handler.step, &format!(", handler {}", handler.handler))) }
                    @if running.len() > 12 { li { div {} div { p { (running.len() - 12) " more" } } } }
                }
            }
        }
    }
}

/// What is another since the last success.
pub(super) fn changed(view: &View<'_>, found: &Found) -> Result<Markup, Problem> {
    let Some(before) = &found.last_success else {
        return Ok(html! {
            section class="panel" id="changed" {
                header { h2 { "Changed since the last success" } }
                div class="pad" { p class="muted" { "It has not succeeded before." } }
            }
        });
    };
    let Some(success) = view.read(|reader| reader.execution(before))? else {
        return Ok(html! {});
    };
    let side = |execution| ComparedWith { execution, steps: &[], handlers: &[] };
    // Most are the same, which costs nothing to see.
    let is_same = success.input_snapshot == found.record.input_snapshot;
    let comparison = (!is_same).then(|| Comparison::of(side(&success), side(&found.record)));
    let changed: Vec<String> = comparison
        .iter()
        .flat_map(|comparison| &comparison.params)
        .filter(|param| param.from != param.to)
        .map(|param| {
            let text = |value: &Option<serde_json::Value>| {
                value
                    .as_ref()
                    .map_or("none".to_owned(), |value| words::short(&words::value_text(value), 60))
            };
            format!("{} {} → {}", words::text(&param.name), text(&param.from), text(&param.to))
        })
        .collect();
    let definition = comparison.as_ref().map_or("", |comparison| comparison.definition.as_str());
    let name = success.number();
    Ok(html! {
        section class="panel" id="changed" {
            header {
                h2 { "Changed since the last success" }
                p {
                    "against " a href=(view.execution(before)) { (name) }
                    @if let Some(at) = success.completed_at { ", " (view.at(at)) }
                }
            }
            div class="pad" {
                @if definition.is_empty() && changed.is_empty() {
                    p { "Nothing: the same definition and parameters succeeded then." }
                } @else {
                    @if !definition.is_empty() { (diff(definition)) } @else { p { "The definition is the same." } }
                    dl class="kv" {
                        dt { "Parameters" }
                        dd { @if changed.is_empty() { "the same" } @else { (changed.join("; ")) } }
                    }
                }
                (words::command(&format!("wfx diff {name} {}", found.reference())))
            }
        }
    })
}

/// A unified diff, without its head.
fn diff(text: &str) -> Markup {
    let lines: Vec<&str> =
        text.lines().filter(|line| !line.starts_with("---") && !line.starts_with("+++")).collect();
    html! {
        pre class="diff" tabindex="0" role="region" aria-label="What changed in the definition" {
            @for line in lines.iter().take(DIFF_LINES) {
                @let shown = words::output_line(line);
                @match line.as_bytes().first() {
                    Some(b'-') => del { (shown) },
                    Some(b'+') => ins { (shown) },
                    Some(b'@') => span class="muted" { "…" },
                    _ => span { (shown) },
                }
            }
            @if lines.len() > DIFF_LINES { span class="muted" { (lines.len() - DIFF_LINES) " more lines" } }
        }
    }
}
