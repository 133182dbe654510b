//! The first page: is anything wrong, what runs, what ran.

use maud::{Markup, html};

use crate::http::exchange::problem::Problem;
use crate::http::exchange::reply::Reply;
use crate::http::page::executions::{self, Details};
use crate::http::page::frame::{self, Page, Section};
use crate::http::page::view::View;
use crate::http::page::{levels, schedules, words};
use crate::repository::{FailingWorkflow, ListFilter};
use crate::workflow::record::{ExecutionRecord, ExecutionStatus};

const RUNNING_MAX: u32 = 20;
const LATEST: u32 = 20;
const FAILURES: u32 = 10;
const PROBLEMS_SHOWN: usize = 20;

struct Found {
    unfinished: Vec<ExecutionRecord>,
    running: u64,
    waiting: u64,
    latest: Vec<ExecutionRecord>,
    failures: Vec<(ExecutionRecord, u64)>,
    details: Details,
}

/// The page.
pub(super) fn show(view: &View<'_>) -> Result<Reply, Problem> {
    let failing = view.failing()?;
    let found = find(view)?;
    let broken: Vec<_> = view
        .pages
        .resources
        .catalogue
        .list()
        .into_iter()
        .filter_map(|entry| Some((entry.workflow_id, entry.problem?)))
        .collect();
    let breached = levels::breached(view);
    let overdue = view.overdue()?;
    let problems = failing.len() + broken.len() + breached.len() + overdue.len();
    let running = match found.running {
        0 => "nothing running".to_owned(),
        many => format!("{} running", words::count(many, "execution")),
    };
    let title = match problems {
        0 => format!("No problem, {running}"),
        1 => format!("1 problem, {running}"),
        many => format!("{many} problems, {running}"),
    };
    let main = html! {
        div class="head" {
            div {
                h1 { (title) }
                p {
                    "As of " (words::NOW) "."
                    @if found.waiting > 0 { " " (words::count(found.waiting, "execution")) " waiting." }
                    " " a href=(view.base) { "Reload" }
                }
            }
        }
        section class="panel" id="problems" {
            header { h2 { "Problems" } p { "A problem leaves this list when it is over." } }
            @if problems == 0 {
                div class="pad" { p { (words::status_as(words::SUCCESS, "No problem.")) } }
            } @else {
                ul class="items" {
                    @for one in failing.iter().take(PROBLEMS_SHOWN) { (failing_row(view, one)) }
                    @if failing.len() > PROBLEMS_SHOWN {
                        li { div {} div { p { a href="workflows" { (failing.len() - PROBLEMS_SHOWN) " more workflows" } " whose last execution failed" } } }
                    }
                    @for one in overdue.iter().take(PROBLEMS_SHOWN) { (schedules::overdue(view, one)) }
                    @if overdue.len() > PROBLEMS_SHOWN {
                        li { div {} div { p { a href="schedules" { (overdue.len() - PROBLEMS_SHOWN) " more" } " that are not as expected" } } }
                    }
                    @for words in &breached { (words) }
                    @for (id, problem) in &broken {
                        li {
                            div { (words::status(words::BROKEN)) }
                            div {
                                p { a href=(view.workflow(id)) { b { (words::text(id)) } } " cannot be read" }
                                p class="small" { (words::short(problem, 200)) }
                            }
                        }
                    }
                }
            }
        }
        section class="panel" id="now" {
            header {
                h2 { "Now" }
                p { a href="executions?status=unfinished" { "All that are not finished" } }
            }
            @if found.unfinished.is_empty() {
                div class="pad" { p class="muted" { "Nothing runs or waits." } }
            } @else {
                (executions::table(view, &found.unfinished, &[], &found.details))
            }
        }
        (schedules::next(view)?)
        section class="panel" id="latest" {
            header { h2 { "Latest executions" } p { a href="executions" { "All executions" } } }
            @if found.latest.is_empty() {
                div class="pad" {
                    p { "Nothing has run yet." }
                    p { a href="workflows" { "Start a workflow" } ", or on the command line:" }
                    (words::command("wfx start WORKFLOW"))
                }
            } @else {
                (executions::table(view, &[], &found.latest, &found.details))
            }
        }
        @if !found.failures.is_empty() { (failures(view, &found)) }
    };
    let page = Page {
        title,
        section: Section::Home,
        is_running: Some(!found.unfinished.is_empty()),
        main,
    };
    Ok(frame::reply(view, &page))
}

fn find(view: &View<'_>) -> Result<Found, Problem> {
    view.read(|reader| {
        let of = |status| ListFilter { status: Some(status), ..ListFilter::default() };
        let mut unfinished = reader.brief(&of(ExecutionStatus::Running), RUNNING_MAX)?;
        unfinished.extend(reader.brief(&of(ExecutionStatus::Pending), RUNNING_MAX)?);
        let mut latest = reader.brief(&ListFilter::default(), LATEST)?;
        latest.retain(|one| one.status.is_terminal());
        let mut failed = reader.brief(&of(ExecutionStatus::Failed), FAILURES)?;
        failed.extend(reader.brief(&of(ExecutionStatus::Interrupted), FAILURES)?);
        failed.sort_by_key(|one| std::cmp::Reverse(one.seq));
        let week = view.now.minus(std::time::Duration::from_secs(7 * 86_400));
        failed.retain(|one| one.completed_at.is_some_and(|at| at > week));
        failed.truncate(FAILURES as usize);
        let details = Details::of(view, reader, unfinished.iter().chain(&latest).chain(&failed))?;
        let mut failures = Vec::new();
        for one in failed {
            let since = match one.seq {
                Some(seq) => reader.successes_after(&one.workflow_id, seq)?,
                None => 0,
            };
            failures.push((one, since));
        }
        let counts = reader.status_counts(None)?;
        let count = |of| counts.iter().find(|(status, _)| *status == of).map_or(0, |found| found.1);
        Ok(Found {
            running: count(ExecutionStatus::Running),
            waiting: count(ExecutionStatus::Pending),
            unfinished,
            latest,
            failures,
            details,
        })
    })
}

fn failing_row(view: &View<'_>, one: &FailingWorkflow) -> Markup {
    let href = view.execution(&one.execution_id);
    let since = one.completed_at.map(|at| {
        let ago = std::time::Duration::from_secs(view.now.since(at).as_secs() / 60 * 60);
        let ago = if ago.is_zero() {
            "less than a minute".to_owned()
        } else {
            crate::base::units::spoken(ago)
        };
        format!("Since {}, {ago} ago.", view.at(at))
    });
    html! {
        li {
            div { (words::status(words::of_execution(one.status))) }
            div {
                p {
                    a href=(href) { b { (words::text(&one.workflow_id)) } " @" (one.seq) }
                    @if let Some(error) = &one.error { ": " (words::short(error, 200)) }
                }
                @if let Some(since) = since { p class="small" { (since) } }
            }
            div class="acts" { a class="btn" href={ (href) "#retry" } { "Run again…" } }
        }
    }
}

fn failures(view: &View<'_>, found: &Found) -> Markup {
    html! {
        section class="panel" id="failures" {
            header {
                h2 { "Failures of the last 7 days" }
                p { a href="executions?status=failed" { "All failures" } }
            }
            table class="cards" {
                thead {
                    tr {
                        th scope="col" { "status" } th scope="col" { "execution" }
                        th scope="col" { "ended, " (view.zone()) } th scope="col" { "reason" }
                        th scope="col" { "since then" }
                    }
                }
                tbody {
                    @for (one, successes) in &found.failures {
                        tr {
                            td { (words::status(words::of_execution(one.status))) }
                            th scope="row" class="nw" {
                                a class="k" href=(view.execution(&one.execution_id)) {
                                    b { (words::text(&one.workflow_id)) } " " (one.number())
                                }
                            }
                            td class="nw" data-l="ended" {
                                @if let Some(at) = one.completed_at { (view.civil.brief(at, view.now)) }
                            }
                            td class="full" {
                                @if let Some(error) = &one.error { (words::short(error, 160)) }
                            }
                            td class="nw" {
                                @if *successes == 0 {
                                    (words::status_as(words::FAILED, "no success since"))
                                } @else {
                                    (words::status_as(words::SUCCESS, &format!("{successes} good since")))
                                }
                            }
                        }
                    }
                }
            }
        }
    }
}
