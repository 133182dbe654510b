//! Schedules: what comes next, what was decided, what is paused, and how that is changed.

mod parts;

use std::time::Duration;

use hyper::StatusCode;
use maud::{Markup, html};

pub(super) use self::parts::{next, of_workflow, overdue};
use crate::base::timestamp::Timestamp;
use crate::http::api::query::pairs;
use crate::http::exchange::problem::Problem;
use crate::http::exchange::reply::Reply;
use crate::http::page::forms::Form;
use crate::http::page::forms::Refused;
use crate::http::page::frame::{self, Page, Section};
use crate::http::page::view::{View, query};
use crate::http::page::words;
use crate::operations::rehearsal::{Workflow, times_an_hour};
use crate::operations::schedules::{self, ScheduleStatus, StoredSchedules};
use crate::render::svg::strip;
use crate::schedule::decision::Action;
use crate::workflow::schedule_record::{DecisionRecord, PauseRecord};

/// The decisions on a page.
const ROWS: u32 = 50;
/// How many of the last decisions are read for strips, and how many a strip has.
const PAST: u32 = 1_000;
const CELLS: usize = 24;
/// The hours that are counted, and the most times in them.
const HOURS: usize = 24;
const TIMES_MAX: usize = 20_000;
/// The most schedules that the page shows.
const SCHEDULES_MAX: usize = 500;

/// What is asked for, as it stands in the address.
#[derive(Default)]
struct Asked {
    workflow: String,
    cursor: String,
}

struct Found {
    workflows: Vec<Workflow>,
    schedules: Vec<ScheduleStatus>,
    pauses: Vec<PauseRecord>,
    /// The latest decisions of all, for pictures.
    past: Vec<DecisionRecord>,
    decisions: Vec<DecisionRecord>,
    next: Option<String>,
}

/// The page.
pub(super) fn show(view: &View<'_>, query: &str) -> Result<Reply, Problem> {
    page(view, query, None)
}

/// Where a form leads back to.
pub(super) fn back(view: &View<'_>, form: &Form) -> String {
    match form.get("back").filter(|id| !id.is_empty()) {
        Some(id) => format!("{}#schedules", view.workflow(id)),
        None => format!("{}schedules", view.base),
    }
}

/// The page, with a form that was refused.
pub(super) fn page(
    view: &View<'_>,
    query: &str,
    refused: Option<&Refused<'_>>,
) -> Result<Reply, Problem> {
    let mut asked = Asked::default();
    for (key, value) in pairs(query, &["workflow", "cursor"])? {
        match key {
            "workflow" => asked.workflow = value.into_owned(),
            _ => asked.cursor = value.into_owned(),
        }
    }
    let found = find(view, &asked)?;
    let overdue = view.overdue()?;
    let mut workflows: Vec<&str> =
        found.schedules.iter().map(|one| one.workflow_id.as_str()).collect();
    workflows.sort_unstable();
    workflows.dedup();
    let facts = [(found.pauses.len(), "paused"), (overdue.len(), "not as expected")];
    let facts: Vec<String> = facts
        .iter()
        .filter(|(count, _)| *count > 0)
        .map(|(count, what)| format!("{count} {what}"))
        .collect();
    let main = html! {
        div class="head" {
            div {
                h1 { "Schedules" }
                p {
                    (words::count(found.schedules.len() as u64, "schedule")) " in "
                    (words::count(workflows.len() as u64, "workflow"))
                    @if !facts.is_empty() { ": " (facts.join(", ")) }
                    ". As of " (words::NOW) "."
                }
            }
            @if !workflows.is_empty() { (parts::pause_form(view, &workflows, refused)) }
        }
        @for pause in &found.pauses { (parts::paused(view, pause, None)) }
        @if !overdue.is_empty() {
            section class="panel" id="overdue" {
                header { h2 { "Not as expected" } p { "what leaves this list is as expected again" } }
                ul class="items" { @for one in overdue.iter() { (parts::overdue(view, one)) } }
            }
        }
        section class="panel" id="schedules" {
            header { h2 { "Next" } p { "times in " (view.civil.name()) ", " (view.zone()) "; what starts first is at the top" } }
            @if found.schedules.is_empty() {
                div class="pad" {
                    p { "No workflow has a schedule." }
                    p class="small muted" { "Add " code { "schedule:" } " to the file of a workflow." }
                }
            } @else {
                (parts::table(view, &found.schedules[..found.schedules.len().min(SCHEDULES_MAX)], &found.past, true))
                (hours(view, &found))
            }
        }
        (filter(&asked, &workflows))
        section class="panel" id="decisions" {
            header { h2 { "Decisions" } p { "every scheduled time of the last 400 days has one" } }
            @if found.decisions.is_empty() {
                div class="pad" { p class="muted" { "Nothing was decided yet." } }
            } @else {
                (parts::decisions(view, &found.decisions, &found.workflows))
            }
        }
        nav class="acts" aria-label="Pages" {
            @if !asked.cursor.is_empty() { a class="btn" href=(address(&asked.workflow, "")) { "Newest" } }
            @if let (Some(next), Some(last)) = (&found.next, found.decisions.last()) {
                a class="btn" href=(address(&asked.workflow, next)) rel="next" {
                    "Older than " (view.due(last.scheduled_at))
                }
            }
        }
        (words::command("wfx schedule history"))
    };
    let page = Page {
        title: "Schedules".to_owned(),
        section: Section::Schedules,
        // The answer to a form cannot be asked for again.
        is_running: refused.is_none().then_some(false),
        main,
    };
    let status = refused.map_or(StatusCode::OK, |refused| refused.problem.status());
    Ok(frame::reply_with(view, status, &page))
}

fn find(view: &View<'_>, asked: &Asked) -> Result<Found, Problem> {
    let position = match asked.cursor.as_str() {
        "" => None,
        cursor => Some(schedules::position(cursor).map_err(|error| {
            Problem::bad_request(format!("the address continues no list: {error}"))
                .with_hint("begin again at the newest decisions")
        })?),
    };
    let workflow_id = (!asked.workflow.is_empty()).then_some(asked.workflow.as_str());
    let workflows = view.scheduled_workflows();
    let (stored, pauses, past, mut decisions) = view.read(|reader| {
        let stored = StoredSchedules::read(reader, view.now)?;
        let past = reader.decisions(None, None, PAST)?;
        let decisions = reader.decisions(workflow_id, position.as_ref(), ROWS + 1)?;
        Ok((stored, reader.pauses(view.now)?, past, decisions))
    })?;
    let has_more = decisions.len() > ROWS as usize;
    decisions.truncate(ROWS as usize);
    let next = decisions.last().filter(|_| has_more).map(schedules::cursor);
    let schedules = schedules::list(&workflows, stored, view.now);
    Ok(Found { workflows, schedules, pauses, past, decisions, next })
}

fn address(workflow: &str, cursor: &str) -> String {
    let mut all = Vec::new();
    all.extend((!workflow.is_empty()).then_some(("workflow", workflow)));
    all.extend((!cursor.is_empty()).then_some(("cursor", cursor)));
    format!("schedules{}#decisions", query(&all))
}

fn filter(asked: &Asked, workflows: &[&str]) -> Markup {
    html! {
        form class="filters" method="get" action="schedules#decisions" {
            div class="field" {
                label for="d-w" { "Decisions of" }
                select id="d-w" name="workflow" {
                    option value="" { "every workflow" }
                    @for id in workflows {
                        option value=(id) selected[*id == asked.workflow] { (words::text(id)) }
                    }
                    @if !asked.workflow.is_empty() && !workflows.contains(&asked.workflow.as_str()) {
                        option value=(asked.workflow) selected { (words::text(&asked.workflow)) }
                    }
                }
            }
            button class="btn" { "Filter" }
        }
    }
}

/// Starts in the hours before now, and scheduled times in those after it.
fn hours(view: &View<'_>, found: &Found) -> Markup {
    let day = Duration::from_secs(HOURS as u64 * 3_600);
    let since = view.now.minus(day);
    let is_whole = found.past.len() < PAST as usize
        || found.past.last().is_some_and(|last| last.scheduled_at < since);
    let started = is_whole.then(|| started_an_hour(&found.past, since));
    let due = times_an_hour(&found.workflows, view.now, HOURS, TIMES_MAX);
    let strip = |what: &str, amounts: &[u64]| {
        let sum: u64 = amounts.iter().sum();
        let most = amounts.iter().copied().max().unwrap_or(0);
        let (sum, most) = (words::thousands(sum), words::thousands(most));
        let title = format!("{what}: {sum}, at most {most} an hour");
        html! { div { p class="small muted" { (title) } (strip::heat(amounts, &title)) } }
    };
    let has_none = |amounts: &Option<Vec<u64>>| {
        amounts.as_ref().is_some_and(|amounts| amounts.iter().all(|amount| *amount == 0))
    };
    if has_none(&started) && has_none(&due) {
        return html! {};
    }
    html! {
        div class="pad" {
            div class="quad" {
                @if let Some(started) = &started { (strip("Started in the last 24 hours", started)) }
                @if let Some(due) = &due { (strip("To come in the next 24 hours", due)) }
                @else { p class="small muted" { "More than " (words::thousands(TIMES_MAX as u64)) " to come in the next 24 hours." } }
            }
        }
    }
}

fn started_an_hour(decisions: &[DecisionRecord], since: Timestamp) -> Vec<u64> {
    let mut counts = vec![0; HOURS];
    let started = decisions.iter().filter(|one| one.action == Action::Started);
    for one in started.filter(|one| one.scheduled_at >= since) {
        let hour = one.scheduled_at.since(since).as_secs() / 3_600;
        let hour = usize::try_from(hour).unwrap_or(HOURS).min(HOURS - 1);
        if let Some(count) = counts.get_mut(hour) {
            *count += one.count;
        }
    }
    counts
}
