//! The steps as a table: what each ran, and how it went.

use maud::{Markup, html};

use super::Selection;
use super::found::Found;
use super::picture::Picture;
use super::rows::Window;
use crate::http::page::view::View;
use crate::http::page::words;
use crate::workflow::record::{StepRecord, StepStatus};

/// Longer commands and errors are cut.
const CELLS: usize = 160;
/// Beyond so many rows, those that are not seen are not laid out.
const LARGE: usize = 50;

/// The panel.
pub(super) fn draw(
    view: &View<'_>,
    found: &Found,
    picture: &Picture,
    window: &Window,
    selection: &Selection,
) -> Markup {
    let record = &found.record;
    let groups = &picture.folded.groups[window.shown.clone()];
    let is_large = groups.len() > LARGE;
    let counts = [
        (record.steps_succeeded(), "succeeded"),
        (record.steps_failed, "failed"),
        (record.steps_skipped, "skipped"),
    ];
    let mut summary: Vec<String> = counts
        .iter()
        .filter(|(count, _)| *count > 0)
        .map(|(count, what)| format!("{count} {what}"))
        .collect();
    if !found.handlers.is_empty() {
        summary.push(words::count(found.handlers.len() as u64, "handler"));
    }
    html! {
        section class={ "panel" (if is_large { " big-list" } else { "" }) } id="steps" {
            header { h2 { "Steps" } p { (summary.join(", ")) } }
            (window.links(selection, "steps"))
            table class="cards" {
                thead {
                    tr {
                        th scope="col" { "status" } th scope="col" { "step" }
                        th class="r" scope="col" { "attempts" } th class="r" scope="col" { "exit" }
                        th scope="col" { "start, " (view.zone()) } th class="r" scope="col" { "took" }
                        th scope="col" { "what it ran, and its error" }
                    }
                }
                tbody {
                    @for group in groups {
                        @match group[..] {
                            [only] => (row(view, found, &found.steps[only], None, selection)),
                            _ => (folded(view, found, picture, group, selection)),
                        }
                    }
                    @for handler in &found.handlers {
                        (row(view, found, &handler.step, Some(handler.handler.as_str()), selection))
                    }
                }
            }
        }
    }
}

/// The id of the row of a step.
fn row_id(step: &StepRecord) -> String {
    format!("s-{}", step.name)
}

fn row(
    view: &View<'_>,
    found: &Found,
    step: &StepRecord,
    handler: Option<&str>,
    selection: &Selection,
) -> Markup {
    let mark = words::of_step(step.status, step.reused_from.is_some());
    let is_shown = selection.step.as_deref() == Some(&step.name);
    let runs = found.runs(step);
    let defined = found.defined.get(&step.name);
    let attempts = found.attempts_of(step);
    html! {
        tr id=(row_id(step)) class=[is_shown.then_some("on")] tabindex="-1" {
            td { (words::status(mark)) }
            th scope="row" {
                a class="k" href=(selection.to_step(&step.name, None)) data-key=(step.name) {
                    b { (words::text(defined.and_then(|defined| defined.title.as_deref()).unwrap_or(&step.name))) }
                }
            }
            td class="r" data-l="attempts" { (step.attempt) }
            td class="r" data-l="exit" { @if let Some(code) = step.exit_code { (code) } }
            td class="nw" data-l="at" { @if let Some(at) = step.started_at { (view.civil.millis(at)) } @else { "–" } }
            td class="r nw" { (step.duration_ms.map_or_else(|| "–".to_owned(), words::millis)) }
            td class="full" {
                @if !runs.is_empty() { code { (words::short(&runs, CELLS)) } }
                @if let Some(error) = step.error.as_deref().filter(|_| step.status != StepStatus::Success) {
                    span class="why" { (words::short(error, CELLS)) }
                }
                @if attempts.len() > 1 {
                    span class="why" {
                        @for (at, attempt) in attempts.iter().take(6).enumerate() {
                            @if at > 0 { " · " }
                            "attempt " (attempt.attempt) ": "
                            (words::short(attempt.error.as_deref().unwrap_or(attempt.status.as_str()), 60))
                        }
                        @if attempts.len() > 6 { " · and " (attempts.len() - 6) " more" }
                    }
                }
                @if let Some(handler) = handler { span class="why" { "handler " (handler) "; it cannot change the outcome" } }
                @if let (Some(id), number) = (&step.reused_from, step.reused_from_seq) {
                    span class="why" {
                        "reused: it ran in "
                        a href=(view.execution(id)) { (number.map_or_else(|| words::short(id, 8), |seq| format!("@{seq}"))) }
                    }
                }
            }
        }
    }
}

fn folded(
    view: &View<'_>,
    found: &Found,
    picture: &Picture,
    group: &[usize],
    selection: &Selection,
) -> Markup {
    let steps = || group.iter().map(|&step| &found.steps[step]);
    let worst = steps().find(|step| super::is_bad(step.status));
    let first = &found.steps[group[0]];
    let shown = worst.unwrap_or(first);
    let mark = words::of_step(shown.status, shown.reused_from.is_some());
    let slowest = steps().max_by_key(|step| step.duration_ms);
    let start = steps().filter_map(|step| step.started_at).min();
    let end = steps().filter_map(|step| step.completed_at).max();
    let took = start.zip(end).map(|(start, end)| crate::base::units::spoken(end.since(start)));
    let open = selection.opened(Some(&first.name));
    html! {
        tr id=(row_id(first)) tabindex="-1" {
            td { (words::status(mark)) }
            th scope="row" { a class="k" href={ (open) "#steps" } { b { (picture.name(found, group)) } } }
            td class="r" data-l="attempts" { (steps().map(|step| u64::from(step.attempt)).sum::<u64>()) }
            td class="r" data-l="exit" { @if let Some(code) = shown.exit_code { (code) } }
            td class="nw" data-l="at" { @if let Some(at) = start { (view.civil.millis(at)) } @else { "–" } }
            td class="r nw" { (took.unwrap_or_else(|| "–".to_owned())) }
            td class="full" {
                code { (words::short(&found.runs(first), CELLS)) }
                span class="why" {
                    @if let Some(worst) = worst {
                        a href=(selection.to_step(&worst.name, None)) data-key=(worst.name) { (words::text(&worst.name)) }
                        " " (words::short(worst.error.as_deref().unwrap_or("failed"), CELLS)) ". "
                    } @else if let Some((slowest, took)) = slowest.and_then(|one| Some((one, one.duration_ms?))) {
                        "slowest: " (words::text(&slowest.name)) ", " (words::millis(took)) ". "
                    }
                    a href={ (open) "#steps" } { "Show all " (group.len()) }
                }
            }
        }
    }
}
