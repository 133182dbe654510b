//! What several pages show of schedules.

use std::collections::HashMap;

use maud::{Markup, html};

use super::CELLS;
use crate::http::exchange::problem::Problem;
use crate::http::page::forms::Refused;
use crate::http::page::view::{View, query};
use crate::http::page::words;
use crate::operations::rehearsal::{Upcoming, Workflow, next_of_each};
use crate::operations::schedules::{self, ScheduleStatus, StoredSchedules, pause_of};
use crate::render::schedule::why;
use crate::render::svg::{Mark, strip};
use crate::schedule::decision::Action;
use crate::workflow::definition::Definition;
use crate::workflow::schedule_record::{DecisionRecord, OverdueKind, OverdueRecord, PauseRecord};

/// The decisions that the page of a workflow shows.
const OF_WORKFLOW: usize = 10;
/// The starts that the home page shows.
const NEXT: usize = 8;

/// The form that pauses one of these workflows, or all.
pub(super) fn pause_form(
    view: &View<'_>,
    workflows: &[&str],
    refused: Option<&Refused<'_>>,
) -> Markup {
    form(view, refused, false, &|chosen| {
        html! {
            div class="field" {
                label for="pause-of" { "Pause" }
                select id="pause-of" name="workflow" {
                    option value="" { "all workflows" }
                    @for id in workflows {
                        option value=(id) selected[chosen == Some(*id)] { (words::text(id)) }
                    }
                }
            }
        }
    })
}

fn form(
    view: &View<'_>,
    refused: Option<&Refused<'_>>,
    is_one: bool,
    which: &dyn Fn(Option<&str>) -> Markup,
) -> Markup {
    let typed = |name: &str| refused.and_then(|refused| refused.form.get(name));
    let error = |name: &str| {
        let errors = refused.into_iter().flat_map(|refused| refused.problem.errors());
        errors.filter(|error| error.pointer == name).map(|error| error.detail.as_str()).next()
    };
    let (until, reason) = (error("/until"), error("/reason"));
    let back = typed("back");
    html! {
        details class="act" id="pause" open[refused.is_some()] {
            summary class="btn" { "Pause…" }
            div {
                form method="post" action={ (view.base) "schedules/pause" } {
                    p { "Times of a pause are skipped: they are not made up for. What runs goes on." }
                    (which(typed("workflow")))
                    @if let Some(back) = back { input type="hidden" name="back" value=(back); }
                    div class="field" {
                        label for="pause-until" { "Until" }
                        input id="pause-until" name="until" value=[typed("until")] autocomplete="off"
                            aria-describedby="pause-until-help" aria-invalid=[until.map(|_| "true")];
                        @if let Some(until) = until { p id="pause-until-help" class="fail" { (words::text(until)) } }
                        @else { p id="pause-until-help" { "2h, a date, or 2026-01-31T12:00:00Z. Empty: until somebody resumes." } }
                    }
                    div class="field" {
                        label for="pause-reason" { "Reason" }
                        input id="pause-reason" name="reason" value=[typed("reason")] autocomplete="off"
                            aria-describedby=[reason.map(|_| "pause-reason-help")] aria-invalid=[reason.map(|_| "true")];
                        @if let Some(reason) = reason { p id="pause-reason-help" class="fail" { (words::text(reason)) } }
                    }
                    p class="acts" { button class="btn bad" { @if is_one { "Pause this workflow" } @else { "Pause" } } }
                }
            }
        }
    }
}

/// A pause, and how it ends; `back` is the workflow whose page it is on.
pub(super) fn paused(view: &View<'_>, pause: &PauseRecord, back: Option<&str>) -> Markup {
    let id = pause.workflow_id.as_deref();
    let what = id.map_or_else(|| "All workflows".to_owned(), words::text);
    let are = if id.is_some() { "is" } else { "are" };
    html! {
        div class="note wt" role="status" {
            p {
                (words::status_as(words::PAUSED, &format!("{what} {are} paused")))
                @match pause.paused_until {
                    Some(until) => { " until " (view.at(until)) }
                    None => { " until somebody resumes" }
                }
                ", since " (view.at(pause.paused_at))
                (words::requester(pause.paused_by.as_deref(), pause.paused_address.as_deref()))
                @if let Some(reason) = &pause.reason { ": “" (words::short(reason, 200)) "”" }
                "."
            }
            form method="post" action={ (view.base) "schedules/resume" } {
                input type="hidden" name="workflow" value=(id.unwrap_or_default());
                @if let Some(back) = back { input type="hidden" name="back" value=(back); }
                button class="btn" { "Resume " (id.map_or_else(|| "all".to_owned(), words::text)) }
            }
        }
    }
}

/// An expectation that is not met, as an item of a list of problems.
pub(in crate::http::page) fn overdue(view: &View<'_>, one: &OverdueRecord) -> Markup {
    let times = match one.count {
        0 | 1 => "a scheduled time".to_owned(),
        many => format!("{} scheduled times", words::thousands(many)),
    };
    let what = match one.kind {
        OverdueKind::Missed => format!("missed {times}"),
        OverdueKind::Late => "has not started in time".to_owned(),
        OverdueKind::Slow => "runs longer than it should".to_owned(),
        OverdueKind::Stale => "has not succeeded for too long".to_owned(),
    };
    let list = query(&[("workflow", &one.workflow_id)]);
    html! {
        li {
            div { (words::status(words::of_overdue(one.kind))) }
            div {
                p {
                    a href={ (view.workflow(&one.workflow_id)) "#schedules" } { b { (words::text(&one.workflow_id)) } }
                    " " (what)
                    @if let Some(at) = one.scheduled_at {
                        ", the last of " (view.due(at)) " " (view.civil.abbreviation(at))
                        @if let Some(schedule) = &one.schedule { ", schedule " (words::text(schedule)) }
                    }
                }
                p class="small" { "Since " (view.at(one.raised_at)) "." }
            }
            div class="acts" {
                @if let Some(id) = &one.execution_id { a class="btn" href=(view.execution(id)) { "Show the execution" } }
                @else { a class="btn" href={ (view.base) "schedules" (list) "#decisions" } { "Show decisions" } }
            }
        }
    }
}

/// What comes next, for the home page; nothing without schedules.
pub(in crate::http::page) fn next(view: &View<'_>) -> Result<Markup, Problem> {
    let workflows = view.scheduled_workflows();
    if workflows.is_empty() {
        return Ok(html! {});
    }
    let (number, pauses) =
        view.read(|reader| Ok((reader.database_number()?, reader.pauses(view.now)?)))?;
    let identity = number.map(|number| number.to_string()).unwrap_or_default();
    let next = next_of_each(&workflows, &identity, view.now, NEXT);
    Ok(html! {
        section class="panel" id="next" {
            header { h2 { "Next" } p { a href={ (view.base) "schedules" } { "All schedules" } } }
            @if next.is_empty() {
                div class="pad" { p class="muted" { "No schedule has a time to come." } }
            } @else {
                table class="cards" {
                    thead { tr { th scope="col" { "starts, " (view.zone()) } th scope="col" { "workflow" } th scope="col" { "schedule" } th scope="col" { "in its way" } } }
                    tbody {
                        @for one in &next {
                            tr {
                                td class="nw" { (view.due(one.start_at)) }
                                th scope="row" { a class="k" href=(view.workflow(&one.workflow_id)) { b { (words::text(&one.workflow_id)) } } }
                                td { (words::text(&one.schedule)) }
                                td { (in_the_way(one, pause_of(&pauses, &one.workflow_id, view.now).as_ref())) }
                            }
                        }
                    }
                }
            }
        }
    })
}

/// Why a time will start nothing.
fn in_the_way(next: &Upcoming, pause: Option<&PauseRecord>) -> Markup {
    let is_paused =
        pause.is_some_and(|pause| pause.paused_until.is_none_or(|until| next.start_at < until));
    html! {
        @if is_paused { (words::status(words::PAUSED)) }
        @else if next.blackout { (words::status_as(words::SKIPPED, "blackout")) }
    }
}

/// Schedules with their next start and their last decisions.
pub(super) fn table(
    view: &View<'_>,
    schedules: &[ScheduleStatus],
    past: &[DecisionRecord],
    has_workflow: bool,
) -> Markup {
    let mut by_schedule: HashMap<(&str, &str), Vec<&DecisionRecord>> = HashMap::new();
    for one in past {
        let all = by_schedule.entry((&one.workflow_id, &one.schedule)).or_default();
        if all.len() < CELLS {
            all.push(one);
        }
    }
    html! {
        table class="cards" {
            thead {
                tr {
                    th scope="col" { "next start" }
                    th scope="col" { @if has_workflow { "workflow, schedule" } @else { "schedule" } }
                    th scope="col" { "last decisions, newest right" } th scope="col" { "last decision" }
                    th scope="col" { "due" }
                }
            }
            tbody {
                @for one in schedules {
                    @let key = (one.workflow_id.as_str(), one.schedule.as_str());
                    (schedule(view, one, by_schedule.get(&key).map_or(&[][..], Vec::as_slice), has_workflow))
                }
            }
        }
    }
}

fn schedule(
    view: &View<'_>,
    one: &ScheduleStatus,
    past: &[&DecisionRecord],
    has_workflow: bool,
) -> Markup {
    let cells: Vec<(Mark, bool)> = past
        .iter()
        .rev()
        .map(|decision| (words::of_decision(decision.action), decision.action == Action::Missed))
        .collect();
    let missed = cells.iter().filter(|(_, is_bad)| *is_bad).count();
    let title = format!("{missed} of the last {} decisions: missed", cells.len());
    html! {
        tr {
            td class="nw" {
                @match &one.next {
                    Some(next) => {
                        (view.due(next.start_at)) " "
                        (in_the_way(next, one.paused.as_ref()))
                    }
                    None if one.timezone.is_none() => (words::status_as(words::SKIPPED, "removed")),
                    None => (words::status_as(words::SKIPPED, "none to come")),
                }
            }
            th scope="row" {
                @if has_workflow {
                    a class="k" href={ (view.workflow(&one.workflow_id)) "#schedules" } { b { (words::text(&one.workflow_id)) } } " "
                }
                span class=[has_workflow.then_some("muted")] { (words::text(&one.schedule)) }
                @if let Some(zone) = &one.timezone { span class="why" { "in " (zone) } }
            }
            td { @if !cells.is_empty() { (strip::states(&cells, &title)) } }
            td {
                @match &one.last_decision {
                    Some(last) => (words::status(words::of_decision(last.action))),
                    None => span class="muted" { "none yet" },
                }
            }
            td class="nw" data-l="due" { @if let Some(last) = &one.last_decision { (view.due(last.scheduled_until)) } }
        }
    }
}

/// Decisions with their reasons; what was missed or skipped can be started by hand.
pub(super) fn decisions(
    view: &View<'_>,
    decisions: &[DecisionRecord],
    workflows: &[Workflow],
) -> Markup {
    let is_known = |one: &DecisionRecord| {
        let mut schedules = workflows
            .iter()
            .filter(|workflow| workflow.id == one.workflow_id)
            .flat_map(|workflow| &workflow.rules.schedules);
        schedules.any(|schedule| schedule.name == one.schedule)
    };
    html! {
        table class="cards" {
            thead {
                tr {
                    th scope="col" { "decision" } th scope="col" { "due, " (view.zone()) }
                    th scope="col" { "workflow, schedule" } th scope="col" { "reason" } th scope="col" { "execution" }
                }
            }
            tbody {
                @for one in decisions {
                    tr {
                        td { (words::status(words::of_decision(one.action))) }
                        td class="nw" data-l="due" {
                            (view.due(one.scheduled_at))
                            @if one.count > 1 {
                                " to " (view.due(one.scheduled_until)) ", " (words::count(one.count, "time"))
                            }
                        }
                        th scope="row" {
                            a class="k" href=(view.workflow(&one.workflow_id)) { b { (words::text(&one.workflow_id)) } }
                            " " span class="muted" { (words::text(&one.schedule)) }
                        }
                        td class="full" { (why(&one.reason)) @if one.catch_up { ", made up for" } }
                        td class="nw" {
                            @if let Some(id) = &one.execution_id {
                                a href=(view.execution(id)) { @if one.action == Action::Started { "its execution" } @else { "the other execution" } }
                            } @else if matches!(one.action, Action::Missed | Action::Skipped) && is_known(one) {
                                form method="post" action={ (view.base) "schedules/run" } {
                                    input type="hidden" name="workflow" value=(one.workflow_id);
                                    input type="hidden" name="schedule" value=(one.schedule);
                                    input type="hidden" name="at" value=(one.scheduled_until);
                                    button class="btn" { "Run that of " (view.due(one.scheduled_until)) }
                                }
                            }
                        }
                    }
                }
            }
        }
    }
}

/// The schedules of a workflow for its page; nothing if it has none.
pub(in crate::http::page) fn of_workflow(
    view: &View<'_>,
    workflow_id: &str,
    definition: Option<&Definition>,
) -> Result<Markup, Problem> {
    let workflows: Vec<Workflow> =
        definition.filter(|one| one.has_schedules()).map(Workflow::of).into_iter().collect();
    let (stored, pauses, past) = view.read(|reader| {
        let past = reader.decisions(Some(workflow_id), None, super::PAST)?;
        if workflows.is_empty() && past.is_empty() {
            return Ok((StoredSchedules::default(), Vec::new(), past));
        }
        Ok((StoredSchedules::read(reader, view.now)?, reader.pauses(view.now)?, past))
    })?;
    if workflows.is_empty() && past.is_empty() {
        return Ok(html! {});
    }
    let mut schedules = schedules::list(&workflows, stored, view.now);
    schedules.retain(|one| one.workflow_id == workflow_id);
    let overdue = view.overdue()?;
    let overdue: Vec<_> = overdue.iter().filter(|one| one.workflow_id == workflow_id).collect();
    let list = query(&[("workflow", workflow_id)]);
    let shown = &past[..past.len().min(OF_WORKFLOW)];
    Ok(html! {
        @if let Some(pause) = pause_of(&pauses, workflow_id, view.now) { (paused(view, &pause, Some(workflow_id))) }
        section class="panel" id="schedules" {
            header { h2 { "Schedules" } p { "times in " (view.civil.name()) ", " (view.zone()) } }
            @if !overdue.is_empty() { ul class="items" { @for one in &overdue { (self::overdue(view, one)) } } }
            (table(view, &schedules, &past, false))
            div class="pad" {
                (one_form(view, workflow_id))
                (words::command(&format!("wfx schedule next {}", words::shell_word(workflow_id))))
            }
            @if !shown.is_empty() {
                header { h3 { "Last decisions" } p { a href={ (view.base) "schedules" (list) "#decisions" } { "All decisions" } } }
                (decisions(view, shown, &workflows))
            }
        }
    })
}

fn one_form(view: &View<'_>, workflow_id: &str) -> Markup {
    form(view, None, true, &|_| {
        html! {
            input type="hidden" name="workflow" value=(workflow_id);
            input type="hidden" name="back" value=(workflow_id);
        }
    })
}
