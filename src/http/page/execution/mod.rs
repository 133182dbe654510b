//! One execution. What failed, why, and the way back stand first; pictures and tables follow.

mod again;
mod first;
mod found;
mod log;
mod origin;
mod output;
mod picture;
mod rows;
mod steps;

use hyper::StatusCode;
use maud::{Markup, html};

pub(super) use self::again::Wanted;
use self::found::Found;
use self::picture::Picture;
use self::rows::{Rows, Window};
use crate::http::api::query::pairs;
use crate::http::exchange::problem::Problem;
use crate::http::exchange::reply::Reply;
use crate::http::page::executions::millis;
use crate::http::page::frame::{self, Page, Section};
use crate::http::page::login::see_other;
use crate::http::page::view::{View, query};
use crate::http::page::words;
use crate::repository::is_whole_id;
use crate::workflow::record::{ExecutionStatus, StepStatus};

/// What of an execution is looked at, as it stands in the address.
#[derive(Debug, Default, Clone)]
pub(super) struct Selection {
    /// Whose output is shown.
    pub step: Option<String>,
    /// Of which attempt.
    pub attempt: Option<u32>,
    /// From which byte on; `None`: its end.
    pub from: Option<u64>,
    /// A step of the folded steps that are open; `*`: all are.
    pub open: Option<String>,
    /// Nothing is cut from the timeline.
    pub is_true_scale: bool,
    /// The rows of the timeline and of the steps; `None`: those that matter.
    pub rows: Option<Rows>,
}

impl Selection {
    fn read(query: &str) -> Result<Self, Problem> {
        let mut selection = Self::default();
        for (key, value) in pairs(query, &["step", "attempt", "from", "open", "scale", "rows"])? {
            match key {
                "step" => selection.step = Some(value.into_owned()),
                "attempt" => selection.attempt = value.parse().ok(),
                "from" => selection.from = value.parse().ok(),
                "open" => selection.open = Some(value.into_owned()),
                "rows" => selection.rows = Rows::read(&value),
                _ => selection.is_true_scale = value == "true",
            }
        }
        Ok(selection)
    }

    /// The address of the same page with other values.
    fn with(&self, change: impl FnOnce(&mut Self)) -> String {
        let mut changed = self.clone();
        change(&mut changed);
        let attempt = changed.attempt.map(|attempt| attempt.to_string());
        let from = changed.from.map(|from| from.to_string());
        let rows = changed.rows.map(Rows::text);
        let mut all = Vec::new();
        all.extend(changed.step.as_deref().map(|step| ("step", step)));
        all.extend(attempt.as_deref().map(|attempt| ("attempt", attempt)));
        all.extend(from.as_deref().map(|from| ("from", from)));
        all.extend(changed.open.as_deref().map(|open| ("open", open)));
        all.extend(changed.is_true_scale.then_some(("scale", "true")));
        all.extend(rows.as_deref().map(|rows| ("rows", rows)));
        match all.is_empty() {
            true => "?".to_owned(),
            false => query(&all),
        }
    }

    /// The address of the page with folded steps open, by the name of the first; `*`: all are.
    fn opened(&self, name: Option<&str>) -> String {
        self.with(|one| {
            one.open = name.map(str::to_owned);
            one.choose_rows();
        })
    }

    /// The page chooses the rows again, unless all are asked for.
    fn choose_rows(&mut self) {
        self.rows = self.rows.filter(|rows| *rows == Rows::All);
    }

    /// The address of the output of a step.
    fn to_step(&self, step: &str, attempt: Option<u32>) -> String {
        let query = self.with(|one| {
            one.step = Some(step.to_owned());
            one.attempt = attempt;
            one.from = None;
            one.choose_rows();
        });
        format!("{query}#output")
    }
}

/// The page.
pub(super) fn show(view: &View<'_>, reference: &str, query: &str) -> Result<Reply, Problem> {
    page(view, reference, query, None)
}

/// The page, with the plan of a replay that somebody asked to see.
pub(super) fn page(
    view: &View<'_>,
    reference: &str,
    query: &str,
    wanted: Option<&Wanted<'_>>,
) -> Result<Reply, Problem> {
    let selection = Selection::read(query)?;
    let found = Found::read(view, reference)?;
    // What means another execution tomorrow is not a page that is kept current.
    if !is_whole_id(reference) && !reference.starts_with(['@']) || reference == "@latest" {
        let query = if query.is_empty() { String::new() } else { format!("?{query}") };
        return Ok(see_other(&format!("{}{query}", view.execution(&found.record.execution_id))));
    }
    let record = &found.record;
    let is_running = !record.status.is_terminal();
    let name = match record.number() {
        number if number.is_empty() => words::short(&record.execution_id, 8),
        number => number,
    };
    let title = format!(
        "{} {name} {}",
        words::text(&record.workflow_id),
        words::status_words(record.status)
    );
    let picture = Picture::of(view, &found, &selection);
    let window = Window::of(&picture.folded.groups, &found, &selection);
    let chosen = output::Chosen::of(&found, &selection);
    let main = html! {
        (head(view, &found, &title, &name))
        (notes(view, &found))
        div class="wide" {
            div class="stack" {
                @if found.failed.is_some() { (first::failure(view, &found, &selection)?) }
                @if is_running { (first::under_way(view, &found, &selection)) }
                @if found.failed.is_some() { (first::changed(view, &found)?) }
                @if found.failed.is_none() && !is_running { (origin::draw(view, &found)?) }
            }
            div class="stack" {
                @if !is_running { (again::draw(view, &found, &name, wanted)) }
                @if is_running { (origin::draw(view, &found)?) }
            }
        }
        (picture.graph(&found, &selection))
        (picture.timeline(view, &found, &window, &selection))
        (steps::draw(view, &found, &picture, &window, &selection))
        (output::draw(view, &found, &chosen, &selection)?)
        @if found.failed.is_some() { (origin::draw(view, &found)?) }
    };
    // The answer to a form cannot be asked for again.
    let is_running = wanted.is_none().then_some(is_running);
    let page = Page { title, section: Section::Executions, is_running, main };
    let status = match wanted.and_then(|wanted| wanted.refusal(view, record)) {
        Some(problem) => problem.status(),
        None => StatusCode::OK,
    };
    Ok(frame::reply_with(view, status, &page))
}

fn head(view: &View<'_>, found: &Found, title: &str, name: &str) -> Markup {
    let record = &found.record;
    let mark = words::of_execution(record.status);
    let workflow = &record.workflow_id;
    let took = millis(record, view.now).map(words::millis);
    html! {
        div class="head" {
            div {
                p class="crumb" {
                    a href={ (view.base) "executions" } { "Executions" } " / "
                    a href=(view.workflow(workflow)) { (words::text(workflow)) }
                }
                h1 class={ "st " (mark.class) } { (words::icon(mark)) span { (title) } }
                p {
                    @match (record.started_at, record.completed_at) {
                        (Some(start), Some(end)) => {
                            (view.civil.full(start)) " to " (view.civil.clock(end)) " " (view.civil.abbreviation(end))
                            @if let Some(took) = &took { ": " (took) }
                        }
                        (Some(start), None) => {
                            "Started " (view.at(start))
                            @if let Some(took) = &took { ", " (took) " ago" }
                        }
                        _ => {
                            @if let Some(at) = record.created_at { "Created " (view.at(at)) }
                        }
                    }
                    @if let Some(usual) = found.usual { "; usually takes " (words::millis(usual)) }
                    ". " (words::thousands(u64::from(record.steps_succeeded()))) " of " (words::count(u64::from(record.total_steps), "step")) " succeeded."
                    @if !record.status.is_terminal() { " As of " (words::NOW) "." }
                }
                @if found.failed.is_none() {
                    @if let Some(error) = &record.error { p { (words::text(error)) } }
                }
            }
            @if record.status.is_terminal() {
                nav class="acts small" aria-label="On this page" {
                    a href="#retry" { "Run again" }
                    @if found.last_success.is_some() { a href="#changed" { "What changed" } }
                    a href="#graph" { "Graph" } a href="#timeline" { "Timeline" }
                    a href="#steps" { "Steps" } a href="#output" { "Output" }
                }
            } @else {
                div class="acts" {
                    details class="act" {
                        summary class="btn bad" { "Cancel…" }
                        div {
                            form method="post" action={ (view.execution(&record.execution_id)) "/cancel" } {
                                p {
                                    "Ends what runs now, skips what has not begun"
                                    @if found.handlers_to_come > 0 { ", and runs its handlers" }
                                    ". It can be run again later."
                                }
                                p class="acts" { button class="btn bad" { "Cancel " (words::text(workflow)) " " (name) } }
                                (words::command(&format!("wfx cancel {}", found.reference())))
                            }
                        }
                    }
                }
            }
        }
    }
}

/// What has to be known before anything else.
fn notes(view: &View<'_>, found: &Found) -> Markup {
    let record = &found.record;
    html! {
        @if !record.persisted {
            div class="note warn" role="status" {
                p {
                    span class="st warn" { (words::icon(words::BREACHED)) "Started, but not stored yet." }
                    " The database takes no commits now. A crash before it is stored loses it."
                }
            }
        }
        @if let Some(waiting) = &record.waiting_for {
            div class="note wt" role="status" {
                p {
                    (words::status_as(words::PENDING, "It waits")) " for "
                    @for (at, (id, seq)) in waiting.holders.iter().zip(&waiting.holder_seqs).enumerate() {
                        @if at > 0 { ", " }
                        a href=(view.execution(id)) { "@" (seq) }
                    }
                    @if waiting.holders.is_empty() { "a slot" }
                    " in group " code { (words::text(&waiting.group)) } "."
                }
                (words::command("wfx queue"))
            }
        }
        @if record.cancel_requested_by.is_some() || record.cancel_requested_address.is_some() {
            div class="note off" role="status" {
                p {
                    (words::status_as(words::CANCELLED, if record.status.is_terminal() { "Its end was asked for" } else { "It is being cancelled" }))
                    (words::requester(record.cancel_requested_by.as_deref(), record.cancel_requested_address.as_deref())) "."
                }
            }
        }
        @if record.owner_state == Some(crate::workflow::record::OwnerState::Dead) {
            div class="note warn" role="alert" {
                p { b { "The process that ran it is dead." } " It is continued by the daemon, or with " code { "wfx recover" } "." }
            }
        }
    }
}

/// Whether a status is one that ends an execution badly.
fn is_bad(status: StepStatus) -> bool {
    matches!(status, StepStatus::Failed | StepStatus::Interrupted)
}

/// Whether the way back is to run what did not succeed.
fn has_failed(status: ExecutionStatus) -> bool {
    matches!(
        status,
        ExecutionStatus::Failed | ExecutionStatus::Interrupted | ExecutionStatus::Cancelled
    )
}
