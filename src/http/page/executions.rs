//! The list of executions: those that are not finished first, then the others, newest first.

use std::collections::HashMap;

use maud::{Markup, html};

use crate::base::since::Since;
use crate::base::timestamp::Timestamp;
use crate::http::api::query::pairs;
use crate::http::exchange::problem::Problem;
use crate::http::exchange::reply::Reply;
use crate::http::page::frame::{self, Page, Section};
use crate::http::page::login::see_other;
use crate::http::page::view::{View, query};
use crate::http::page::words;
use crate::operations::query as operation;
use crate::render::svg::bars;
use crate::repository::cursor;
use crate::repository::{ListFilter, NotableStep, Position, StatusCounts};
use crate::workflow::record::{ExecutionRecord, ExecutionStatus};

/// The rows of a page.
const ROWS: u32 = 50;
/// The most that are not finished and stand above them.
const UNFINISHED_MAX: u32 = 50;
/// The most workflows that the filter names.
const WORKFLOWS_MAX: u32 = 500;
/// The characters of an error in a row.
const ERROR_CELLS: usize = 160;

/// What of a filter says `not finished`.
const UNFINISHED: &str = "unfinished";
const SINCE: [(&str, &str); 4] = [
    ("", "at any time"),
    ("1h", "in the last hour"),
    ("24h", "in the last 24 h"),
    ("7d", "in the last 7 days"),
];

/// What is asked for, as it stands in the address.
#[derive(Debug, Default, Clone)]
struct Asked {
    workflow: String,
    status: String,
    since: String,
    cursor: String,
}

impl Asked {
    /// Whether no filter is asked for.
    fn is_plain(&self) -> bool {
        [&self.workflow, &self.status, &self.since, &self.cursor].into_iter().all(String::is_empty)
    }

    /// The address of the same list with another status, from its beginning.
    fn with_status(&self, status: &str) -> String {
        self.address(status, "")
    }

    fn address(&self, status: &str, cursor: &str) -> String {
        let all = [
            ("workflow", self.workflow.as_str()),
            ("status", status),
            ("since", self.since.as_str()),
            ("cursor", cursor),
        ];
        let given: Vec<_> = all.into_iter().filter(|(_, value)| !value.is_empty()).collect();
        match given.is_empty() {
            true => "executions".to_owned(),
            false => format!("executions{}", query(&given)),
        }
    }
}

/// What is found.
struct Found {
    unfinished: Vec<ExecutionRecord>,
    rows: Vec<ExecutionRecord>,
    next: Option<String>,
    counts: StatusCounts,
    workflows: Vec<String>,
    details: Details,
}

/// What rows say beside the execution itself.
#[derive(Debug, Default)]
pub(super) struct Details {
    usual: HashMap<String, Option<u64>>,
    steps: HashMap<i64, Vec<NotableStep>>,
}

/// The list.
pub(super) async fn show(view: &View<'_>, query: &str) -> Result<Reply, Problem> {
    let mut asked = Asked::default();
    let mut search = String::new();
    for (key, value) in pairs(query, &["workflow", "status", "since", "cursor", "q"])? {
        let value = value.trim().to_owned();
        match key {
            "workflow" => asked.workflow = value,
            "status" => asked.status = value,
            "since" => asked.since = value,
            "cursor" => asked.cursor = value,
            _ => search = value,
        }
    }
    if !search.is_empty()
        && let Some(reply) = named(view, &search)?
    {
        return Ok(reply);
    }
    // In the address: one that names no execution stays in its field.
    let is_slow = !asked.status.is_empty() || !asked.since.is_empty();
    let found = if is_slow {
        let _turn = view.pages.resources.readers.slow_turn().await;
        tokio::task::block_in_place(|| find(view, &asked))
    } else {
        find(view, &asked)
    }?;
    let page = Page {
        title: "Executions".to_owned(),
        section: Section::Executions,
        is_running: Some(!found.unfinished.is_empty()),
        main: draw(view, &asked, &search, &found),
    };
    Ok(frame::reply(view, &page))
}

/// The way to the execution that somebody searched by its id, number or workflow.
fn named(view: &View<'_>, search: &str) -> Result<Option<Reply>, Problem> {
    let memory = &view.pages.resources.memory;
    let found = view.read(|reader| Ok(operation::execution_id(reader, memory, search)))?;
    Ok(match found {
        // A prefix that several have is no error: the list stays.
        Ok(Some(id)) => Some(see_other(&view.execution(&id))),
        _ => None,
    })
}

fn find(view: &View<'_>, asked: &Asked) -> Result<Found, Problem> {
    let status = match asked.status.as_str() {
        "" | UNFINISHED => None,
        status => Some(status.parse::<ExecutionStatus>().map_err(|_| {
            Problem::bad_request("the query key `status` names no status").with_hint(
                "it takes pending, running, success, failed, cancelled, interrupted or unfinished",
            )
        })?),
    };
    let since = match asked.since.as_str() {
        "" => None,
        since => Some(since.parse::<Since>().map_err(|_| {
            Problem::bad_request("the query key `since` names no time")
                .with_hint("it takes a duration such as 2h, or a time such as 2026-01-31T12:00:00Z")
        })?),
    };
    let workflow_id = (!asked.workflow.is_empty()).then(|| asked.workflow.clone());
    let mut filter = ListFilter {
        workflow_id: workflow_id.clone(),
        status,
        since: since.map(|since| since.start(view.now)),
        ..ListFilter::default()
    };
    if !asked.cursor.is_empty() {
        let after = cursor::parse(&filter, &asked.cursor).map_err(|error| {
            Problem::bad_request(format!("the address continues no list: {error}"))
                .with_hint("begin again at the newest executions")
        })?;
        filter.after = Some(after);
    }
    let is_first = filter.after.is_none();
    view.read(|reader| {
        let mut unfinished = Vec::new();
        if is_first && status.is_none() {
            for status in [ExecutionStatus::Running, ExecutionStatus::Pending] {
                let filter = ListFilter { status: Some(status), ..filter.clone() };
                unfinished.extend(reader.brief(&filter, UNFINISHED_MAX)?);
            }
            unfinished.sort_by_key(|one| std::cmp::Reverse(one.seq));
        }
        let mut rows = match asked.status.as_str() {
            UNFINISHED => Vec::new(),
            _ => reader.brief(&filter, ROWS + 1)?,
        };
        let has_more = rows.len() > ROWS as usize;
        rows.truncate(ROWS as usize);
        let end = rows.last().and_then(|last| last.seq).map(Position::new);
        let next = end.filter(|_| has_more).map(|end| cursor::token(&filter, end));
        match status {
            None => rows.retain(|row| row.status.is_terminal()),
            Some(status) if !status.is_terminal() => unfinished = std::mem::take(&mut rows),
            Some(_) => {}
        }
        let details = Details::of(view, reader, unfinished.iter().chain(&rows))?;
        Ok(Found {
            counts: reader.status_counts(workflow_id.as_deref())?,
            workflows: reader.workflow_ids(WORKFLOWS_MAX)?,
            details,
            unfinished,
            rows,
            next,
        })
    })
}

impl Details {
    /// What these rows say beside the executions themselves.
    pub(super) fn of<'r>(
        view: &View<'_>,
        reader: &crate::repository::Reader,
        rows: impl Iterator<Item = &'r ExecutionRecord>,
    ) -> Result<Self, crate::repository::StoreError> {
        let mut details = Self::default();
        for row in rows {
            if !details.usual.contains_key(&row.workflow_id) {
                let usual = view.usual(reader, &row.workflow_id)?;
                details.usual.insert(row.workflow_id.clone(), usual);
            }
            let Some(seq) = row.seq else { continue };
            let is_notable = matches!(
                row.status,
                ExecutionStatus::Running | ExecutionStatus::Failed | ExecutionStatus::Interrupted
            );
            if is_notable {
                let steps = reader.notable_steps(seq, row.status.is_terminal(), 3)?;
                details.steps.insert(seq, steps);
            }
        }
        Ok(details)
    }
}

fn draw(view: &View<'_>, asked: &Asked, search: &str, found: &Found) -> Markup {
    let count = |of: &[ExecutionStatus]| -> u64 {
        found.counts.iter().filter(|(status, _)| of.contains(status)).map(|(_, count)| count).sum()
    };
    let all = count(&ExecutionStatus::ALL);
    let of_workflow = match asked.workflow.is_empty() {
        true => String::new(),
        false => format!(" of {}", words::text(&asked.workflow)),
    };
    let chip = |status: &str, mark, name: &str, count: u64| {
        let is_current = asked.status == status;
        html! {
            a href=(asked.with_status(status)) aria-current=[is_current.then_some("true")] {
                @if let Some(mark) = mark { @let mark: crate::render::svg::Mark = mark;
                    span class=(mark.class) { (words::icon(mark)) }
                }
                (name) " " span class="muted num" { (words::thousands(count)) }
            }
        }
    };
    // Without executions there is nothing to filter.
    let is_empty = all == 0 && asked.is_plain();
    use ExecutionStatus::{Cancelled, Failed, Interrupted, Pending, Running, Success};
    html! {
        div class="head" {
            div {
                h1 { "Executions" }
                @if !is_empty { p { (words::thousands(all)) " kept" (of_workflow) ", newest first. As of " (words::NOW) "." } }
            }
            div class="acts" { a class="btn go" href="workflows" { "Start a workflow…" } }
        }
        @if !is_empty {
            div class="stack" {
                div class="chips" role="group" aria-label="Status" {
                    (chip("", None, "All", all))
                    (chip(UNFINISHED, Some(words::RUNNING), "not finished", count(&[Pending, Running])))
                    (chip("failed", Some(words::FAILED), "failed", count(&[Failed])))
                    (chip("interrupted", Some(words::INTERRUPTED), "interrupted", count(&[Interrupted])))
                    (chip("cancelled", Some(words::CANCELLED), "cancelled", count(&[Cancelled])))
                    (chip("success", Some(words::SUCCESS), "success", count(&[Success])))
                }
                (filters(asked, search, &found.workflows))
            }
        }
        @if !search.is_empty() {
            div class="note warn" role="status" {
                p { "No single execution is meant by " code { (words::short(search, 64)) } "." }
            }
        }
        section class="panel" {
            h2 class="vh" { "List" }
            @if found.unfinished.is_empty() && found.rows.is_empty() {
                (nothing(is_empty))
            } @else {
                (table(view, &found.unfinished, &found.rows, &found.details))
            }
        }
        @if !is_empty {
            nav class="acts" aria-label="Pages" {
                @if !asked.cursor.is_empty() { a class="btn" href=(asked.address(&asked.status, "")) { "Newest" } }
                @if let Some(next) = &found.next {
                    a class="btn" href=(asked.address(&asked.status, next)) rel="next" {
                        "Older"
                        @if let Some(last) = found.rows.last().or(found.unfinished.last()) { " than " (last.number()) }
                    }
                }
                span class="muted small" { (words::count((found.unfinished.len() + found.rows.len()) as u64, "execution")) " on this page" }
            }
        }
    }
}

fn filters(asked: &Asked, search: &str, workflows: &[String]) -> Markup {
    html! {
        form class="filters" method="get" action="executions" {
            @if !asked.status.is_empty() { input type="hidden" name="status" value=(asked.status); }
            div class="field" {
                label for="f-w" { "Workflow" }
                select id="f-w" name="workflow" {
                    option value="" { "any workflow" }
                    @for id in workflows {
                        option value=(id) selected[*id == asked.workflow] { (words::text(id)) }
                    }
                    @if !asked.workflow.is_empty() && !workflows.contains(&asked.workflow) {
                        option value=(asked.workflow) selected { (words::text(&asked.workflow)) }
                    }
                }
            }
            div class="field" {
                label for="f-s" { "Created" }
                select id="f-s" name="since" {
                    @for (value, name) in SINCE { option value=(value) selected[value == asked.since] { (name) } }
                    @if !SINCE.iter().any(|(value, _)| *value == asked.since) {
                        option value=(asked.since) selected { "since " (words::text(&asked.since)) }
                    }
                }
            }
            div class="field" {
                label for="f-q" { "Id or @number" }
                input id="f-q" name="q" type="search" size="26" placeholder="01a22064, @4812" value=(search);
            }
            button class="btn" { "Filter" }
        }
    }
}

fn nothing(is_empty: bool) -> Markup {
    html! {
        div class="pad" {
            @if is_empty {
                p { "Nothing has run yet." }
                p { a href="workflows" { "Start a workflow" } ", or on the command line:" }
                (words::command("wfx start WORKFLOW"))
            } @else {
                p { "No execution fits this filter." }
                p { a href="executions" { "All executions" } }
            }
        }
    }
}

/// Rows of executions: those that are not finished, then the others by the day they were created.
pub(super) fn table(
    view: &View<'_>,
    unfinished: &[ExecutionRecord],
    rows: &[ExecutionRecord],
    details: &Details,
) -> Markup {
    let mut day = String::new();
    let today = view.civil.day(view.now);
    let zone = view.zone();
    html! {
        table class="cards" {
            thead {
                tr {
                    th scope="col" { "status" } th scope="col" { "execution" }
                    th scope="col" { "started, " (zone) } th scope="col" { "against usual (tick)" }
                    th class="r" scope="col" { "took" } th scope="col" { "steps done" }
                    th scope="col" { "trigger" } th scope="col" { "who" }
                }
            }
            tbody {
                @if !unfinished.is_empty() {
                    tr class="day" { td colspan="8" class="full" { "Not finished, " (unfinished.len()) } }
                    @for row in unfinished { (draw_row(view, row, &today, details)) }
                }
                @for row in rows {
                    // Rows stand in the order in which they were created.
                    @let this = view.civil.day(row.created_at.or(row.started_at).unwrap_or(view.now));
                    @if this != day {
                        tr class="day" { td colspan="8" class="full" { "Created on " (this) } }
                        @let () = day = this;
                    }
                    (draw_row(view, row, &day, details))
                }
            }
        }
    }
}

/// How long an execution took, or has run so far.
pub(super) fn millis(execution: &ExecutionRecord, now: Timestamp) -> Option<u64> {
    let start = match execution.status {
        ExecutionStatus::Pending => execution.created_at?,
        _ => execution.started_at.or(execution.created_at)?,
    };
    let end = execution.completed_at.unwrap_or(now.max(start));
    u64::try_from(end.since(start).as_millis()).ok()
}

/// A row below the heading of a day.
fn draw_row(view: &View<'_>, row: &ExecutionRecord, day: &str, details: &Details) -> Markup {
    let mark = words::of_execution(row.status);
    let took = millis(row, view.now);
    let usual = details.usual.get(&row.workflow_id).copied().flatten();
    let name = match row.number() {
        number if number.is_empty() => words::short(&row.execution_id, 8),
        number => number,
    };
    let bar =
        took.zip(usual).filter(|_| row.status != ExecutionStatus::Pending).map(|(took, usual)| {
            let title = format!("{}; usually {}", words::millis(took), words::millis(usual));
            bars::against_usual(took, usual, mark, &title)
        });
    let trigger = row.trigger.as_ref();
    html! {
        tr {
            td { (words::status(mark)) }
            th scope="row" class="full" {
                a class="k" href=(view.execution(&row.execution_id)) {
                    b { (words::text(&row.workflow_id)) } " " (name)
                }
                (why(view, row, details))
            }
            td class="nw" data-l="at" {
                @if let Some(at) = row.started_at.or(row.created_at) {
                    @if view.civil.day(at) == day { (view.civil.clock(at)) }
                    @else { (view.civil.brief(at, view.now)) }
                }
            }
            td { @if let Some(bar) = bar { (bar) } }
            td class="r nw" { @if let Some(took) = took { (words::millis(took)) } }
            td class="nw" data-l="steps" { (row.steps_succeeded()) "/" (row.total_steps) }
            td class="nw" {
                @if let Some(original) = &row.replay_of {
                    a href=(view.execution(original)) { "replay" }
                } @else if let Some(trigger) = trigger {
                    (trigger.kind.as_str())
                    @if let Some(schedule) = &trigger.schedule { " " (words::short(schedule, 32)) }
                }
            }
            td class="nw" data-l="by" {
                @if let Some(by) = trigger.and_then(|trigger| trigger.by.as_deref()) { (words::short(by, 32)) }
            }
        }
    }
}

/// Where it is, what it waits for, or why it failed.
fn why(view: &View<'_>, row: &ExecutionRecord, details: &Details) -> Markup {
    let steps = row.seq.and_then(|seq| details.steps.get(&seq)).map_or(&[][..], Vec::as_slice);
    let error = row.error.as_deref();
    html! {
        @if let Some(waiting) = &row.waiting_for {
            span class="why" {
                "waits for "
                @for (at, (id, seq)) in waiting.holders.iter().zip(&waiting.holder_seqs).enumerate() {
                    @if at > 0 { ", " }
                    a href=(view.execution(id)) { "@" (seq) }
                }
                @if waiting.holders.is_empty() { "a slot" }
                ", group " code { (words::text(&waiting.group)) }
            }
        } @else if let (false, Some(first)) = (row.status.is_terminal(), steps.first()) {
            span class="why" {
                "in " code { (words::text(&first.name)) }
                @if first.attempt > 1 { ", attempt " (first.attempt) }
                @if steps.len() > 1 { " and others" }
            }
        } @else if let Some(first) = steps.first() {
            span class="why" {
                code { (words::text(&first.name)) }
                @if let Some(why) = &first.error { ": " (words::short(why, ERROR_CELLS)) }
                @if steps.len() > 1 { ", and others" }
            }
        } @else if let Some(error) = error {
            span class="why" { (words::short(error, ERROR_CELLS)) }
        } @else if let (ExecutionStatus::Cancelled, Some(by)) = (row.status, &row.cancel_requested_by) {
            span class="why" { "cancelled by " (words::short(by, 32)) }
        }
    }
}
