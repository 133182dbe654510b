//! The workflows: those of the folder, and those that have executions.

use std::collections::HashMap;

use maud::{Markup, html};

use crate::http::exchange::problem::Problem;
use crate::http::exchange::reply::Reply;
use crate::http::page::frame::{self, Page, Section};
use crate::http::page::view::View;
use crate::http::page::words;
use crate::operations::status::{self, Run, ScheduleFacts, WorkflowStatus};
use crate::render::svg::strip;
use crate::repository::ListFilter;
use crate::workflow::record::ExecutionStatus;

/// The executions in the strip of a workflow.
const CELLS: u32 = 20;
/// Beyond so many workflows, none has a strip.
const STRIPS_MAX: usize = 100;

/// The page.
pub(super) fn show(view: &View<'_>) -> Result<Reply, Problem> {
    let entries = view.pages.resources.catalogue.list();
    let (all, strips) = view.read(|reader| {
        let facts = ScheduleFacts::read(reader, view.now)?;
        let all = status::of_workflows(&entries, reader.summaries(None)?, &facts, view.now);
        let mut strips = HashMap::new();
        if all.len() <= STRIPS_MAX {
            for one in &all {
                let filter = ListFilter {
                    workflow_id: Some(one.workflow_id.clone()),
                    ..ListFilter::default()
                };
                let mut states: Vec<ExecutionStatus> =
                    reader.brief(&filter, CELLS)?.iter().map(|one| one.status).collect();
                states.reverse();
                strips.insert(one.workflow_id.clone(), states);
            }
        }
        Ok((all, strips))
    })?;
    let is_bad = |one: &&WorkflowStatus| one.problem.is_some() || has_failed(one.last_run.as_ref());
    let bad = all.iter().filter(is_bad).count();
    let title = match bad {
        0 => words::count(all.len() as u64, "workflow"),
        bad => format!("{}, {bad} with a problem", words::count(all.len() as u64, "workflow")),
    };
    let is_running = all.iter().any(|one| one.unfinished > 0);
    let main = html! {
        div class="head" {
            div {
                h1 { "Workflows" }
                p { (title) ". As of " (words::NOW) "." }
            }
        }
        section class="panel" {
            h2 class="vh" { "List" }
            @if all.is_empty() {
                div class="pad" {
                    p { "There is no workflow yet." }
                    p class="small muted" { "The daemon runs those of the folder that " code { "--workflows" } " names." }
                }
            } @else {
                (table(view, &all, &strips))
            }
        }
        (words::command("wfx status"))
    };
    let page = Page { title, section: Section::Workflows, is_running: Some(is_running), main };
    Ok(frame::reply(view, &page))
}

fn has_failed(run: Option<&Run>) -> bool {
    run.is_some_and(|run| {
        matches!(run.status, ExecutionStatus::Failed | ExecutionStatus::Interrupted)
    })
}

fn table(
    view: &View<'_>,
    all: &[WorkflowStatus],
    strips: &HashMap<String, Vec<ExecutionStatus>>,
) -> Markup {
    html! {
        table class="cards" {
            thead {
                tr {
                    th scope="col" { "last execution" } th scope="col" { "workflow" }
                    th scope="col" { "last " (CELLS) ", newest right" } th scope="col" { "last success, " (view.zone()) }
                    th class="r" scope="col" { "usually" } th class="r" scope="col" { "executions" }
                }
            }
            tbody {
                @for one in all { (row(view, one, strips.get(&one.workflow_id))) }
            }
        }
    }
}

fn row(view: &View<'_>, one: &WorkflowStatus, states: Option<&Vec<ExecutionStatus>>) -> Markup {
    let states = states.map_or(&[][..], Vec::as_slice);
    let is_bad = |status: &ExecutionStatus| {
        matches!(status, ExecutionStatus::Failed | ExecutionStatus::Interrupted)
    };
    let cells: Vec<_> =
        states.iter().map(|status| (words::of_execution(*status), is_bad(status))).collect();
    let failed = states.iter().filter(|status| is_bad(status)).count();
    html! {
        tr {
            td {
                @if one.problem.is_some() { (words::status(words::BROKEN)) }
                @else if let Some(run) = &one.last_run {
                    a href=(view.execution(&run.execution_id)) { (words::status(words::of_execution(run.status))) }
                }
                @else { (words::status_as(words::SKIPPED, "never run")) }
            }
            th scope="row" class="full" {
                a class="k" href=(view.workflow(&one.workflow_id)) { b { (words::text(&one.workflow_id)) } }
                @if let Some(name) = &one.name { span class="why" { (words::short(name, 120)) } }
                @if let Some(problem) = &one.problem { span class="why fail" { (words::short(problem, 200)) } }
                @if one.file.is_none() { span class="why muted" { "not in the folder of workflows" } }
            }
            td {
                @if !cells.is_empty() {
                    (strip::states(&cells, &format!("{failed} of the last {} did not succeed", cells.len())))
                }
            }
            td class="nw" data-l="last success" {
                @if let Some(run) = &one.last_success {
                    a href=(view.execution(&run.execution_id)) { "@" (run.seq) }
                    @if let Some(at) = run.completed_at { " " (view.civil.brief(at, view.now)) }
                } @else { "none" }
            }
            td class="r nw" data-l="usually" {
                @if let Some(usual) = one.usual_duration { (words::millis(usual.median_ms)) }
            }
            td class="r nw" data-l="executions" { (words::thousands(one.executions)) }
        }
    }
}
