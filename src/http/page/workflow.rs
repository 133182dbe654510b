//! One workflow: how it went lately, how to start it, what it does.

use std::collections::HashMap;

use hyper::StatusCode;
use maud::{Markup, html};

use crate::base::visible::quote;
use crate::http::exchange::problem::Problem;
use crate::http::exchange::reply::Reply;
use crate::http::page::executions::{self, Details};
use crate::http::page::forms::{PARAMETER, Refused};
use crate::http::page::frame::{self, Page, Section};
use crate::http::page::view::View;
use crate::http::page::{schedules, words};
use crate::operations::catalogue::Entry;
use crate::render::svg::bars::{self, Past};
use crate::repository::ListFilter;
use crate::workflow::compiled::CompiledWorkflow;
use crate::workflow::definition::{Definition, Scalar};
use crate::workflow::parameter::{Kind, Parameter};
use crate::workflow::record::{ExecutionRecord, ExecutionStatus};

/// The executions that the page shows.
const PAST: u32 = 40;
const RECENT: usize = 10;

/// The page.
pub(super) fn show(view: &View<'_>, workflow_id: &str) -> Result<Reply, Problem> {
    page(view, workflow_id, None)
}

/// Whether nothing typed is a value of its own, and not the default.
pub(super) fn may_be_empty(parameter: &Parameter) -> bool {
    let is_text = parameter
        .rules
        .as_ref()
        .is_none_or(|rules| rules.kind.is_none_or(|kind| kind == Kind::String));
    is_text && !matches!(parameter.default, Scalar::Null)
}

/// The page, with a form that was refused.
pub(super) fn page(
    view: &View<'_>,
    workflow_id: &str,
    refused: Option<&Refused<'_>>,
) -> Result<Reply, Problem> {
    let entries = view.pages.resources.catalogue.list();
    // Of two files with one id, that which is run.
    let mut named = entries.iter().filter(|entry| entry.workflow_id == workflow_id);
    let entry = named.clone().find(|entry| entry.compiled.is_some()).or_else(|| named.next());
    let (past, usual, total, details) = view.read(|reader| {
        let filter =
            ListFilter { workflow_id: Some(workflow_id.to_owned()), ..ListFilter::default() };
        let past = reader.brief(&filter, PAST)?;
        let usual = view.usual(reader, workflow_id)?;
        let total =
            reader.status_counts(Some(workflow_id))?.iter().map(|(_, count)| count).sum::<u64>();
        let details = Details::of(view, reader, past.iter().take(RECENT))?;
        Ok((past, usual, total, details))
    })?;
    if entry.is_none() && past.is_empty() {
        return Err(Problem::not_found(format!("there is no workflow {}", quote(workflow_id))));
    }
    let definition =
        entry.and_then(|entry| entry.compiled.as_deref()).map(CompiledWorkflow::definition);
    let schedules = schedules::of_workflow(view, workflow_id, definition)?;
    let is_running = past.iter().any(|one| !one.status.is_terminal());
    let recent = &past[..past.len().min(RECENT)];
    let (unfinished, finished): (Vec<_>, Vec<_>) =
        recent.iter().cloned().partition(|one| !one.status.is_terminal());
    let list = format!(
        "{}executions{}",
        view.base,
        crate::http::page::view::query(&[("workflow", workflow_id)])
    );
    let main = html! {
        (head(view, workflow_id, definition, entry, past.first()))
        @if !past.is_empty() { (history(view, &past, usual, &list)) }
        (schedules)
        @if let Some(definition) = definition {
            div class="two" {
                (start(view, definition, refused))
                (about(definition, entry))
            }
        }
        section class="panel" id="recent" {
            header { h2 { "Recent" } p { a href=(list) { "All " (words::thousands(total)) } } }
            @if past.is_empty() {
                div class="pad" { p class="muted" { "It has not run yet." } }
            } @else {
                (executions::table(view, &unfinished, &finished, &details))
            }
        }
    };
    let page = Page {
        title: words::text(workflow_id),
        section: Section::Workflows,
        // The answer to a form cannot be asked for again.
        is_running: refused.is_none().then_some(is_running),
        main,
    };
    let status = refused.map_or(StatusCode::OK, |refused| refused.problem.status());
    Ok(frame::reply_with(view, status, &page))
}

fn head(
    view: &View<'_>,
    workflow_id: &str,
    definition: Option<&Definition>,
    entry: Option<&Entry>,
    last: Option<&ExecutionRecord>,
) -> Markup {
    let description = definition.and_then(|definition| definition.description.as_deref());
    let name = definition.and_then(|definition| definition.name.as_deref());
    html! {
        div class="head" {
            div {
                p class="crumb" { a href={ (view.base) "workflows" } { "Workflows" } }
                h1 { (words::text(workflow_id)) }
                @if let Some(name) = name { p { (words::text(name)) } }
                @if let Some(description) = description { p { (words::text(description)) } }
                @if let Some(last) = last {
                    @let mark = words::of_execution(last.status);
                    p {
                        (words::status_as(mark, &format!("Last execution {}", words::status_words(last.status)))) " "
                        a href=(view.execution(&last.execution_id)) { (last.number()) }
                        @if let Some(at) = last.completed_at.or(last.started_at).or(last.created_at) { ", " (view.at(at)) }
                        "."
                    }
                }
            }
            nav class="acts small" aria-label="On this page" {
                @if definition.is_some_and(Definition::has_schedules) { a href="#schedules" { "Schedules" } }
                @if definition.is_some() {
                    a href="#start" { "Start" } a href="#definition" { "Definition" }
                }
                a href="#recent" { "Recent" }
            }
        }
        @if let Some(problem) = entry.and_then(|entry| entry.problem.as_deref()) {
            div class="note fail" role="alert" {
                p { (words::status_as(words::BROKEN, "The file as it is now cannot be used.")) " " (words::text(problem)) }
            }
        }
        @if entry.is_none() {
            div class="note off" role="status" {
                p { "It is not in the folder of workflows: it can be looked at and replayed, not started." }
            }
        }
    }
}

fn history(view: &View<'_>, past: &[ExecutionRecord], usual: Option<u64>, list: &str) -> Markup {
    let of = |one: &ExecutionRecord| {
        let mark = words::of_execution(one.status);
        let millis = executions::millis(one, view.now).unwrap_or(0);
        Past {
            millis,
            mark,
            is_marked: one.status != ExecutionStatus::Success,
            title: format!("{} {}, {}", one.number(), mark.word, words::millis(millis)),
            href: view.execution(&one.execution_id),
        }
    };
    let bars: Vec<Past> = past.iter().rev().map(of).collect();
    let mut counts: HashMap<&str, usize> = HashMap::new();
    for one in past {
        *counts.entry(one.status.as_str()).or_default() += 1;
    }
    let summary: Vec<String> = ExecutionStatus::ALL
        .iter()
        .filter_map(|status| Some(format!("{} {}", counts.get(status.as_str())?, status.as_str())))
        .collect();
    html! {
        section class="panel" id="history" {
            header {
                h2 { "Last " (words::count(past.len() as u64, "execution")) }
                p { (summary.join(", ")) ". " a href=(list) { "As a list" } }
            }
            div class="pad" {
                (bars::history(&bars, usual, &words::millis))
                p class="legend" {
                    span { "oldest left" }
                    @if let Some(usual) = usual { span { "dotted: usual time, " (words::millis(usual)) " (median)" } }
                    span { "marked: what did not succeed" }
                }
            }
        }
    }
}

fn start(view: &View<'_>, definition: &Definition, refused: Option<&Refused<'_>>) -> Markup {
    let errors: HashMap<String, &str> = refused
        .iter()
        .flat_map(|refused| refused.problem.errors())
        .map(|error| {
            let name = error.pointer.strip_prefix("/params/").unwrap_or_default();
            (name.replace("~1", "/").replace("~0", "~"), error.detail.as_str())
        })
        .collect();
    let given = |name: &str| {
        refused
            .and_then(|refused| refused.form.get(&format!("{PARAMETER}{name}")))
            .map(str::to_owned)
    };
    let id = words::text(&definition.id);
    html! {
        section class="panel" id="start" {
            header { h2 { "Start" } }
            form method="post" action={ (view.workflow(&definition.id)) "/start" } {
                div class="pad" {
                    @if let Some(refused) = refused { (refusal(definition, refused, &errors)) }
                    @if definition.params.is_empty() {
                        p class="muted" { "It takes no parameters." }
                    } @else {
                        div class="fields" {
                            @for (index, (name, parameter)) in definition.params.iter().enumerate() {
                                (field(index, name, parameter, given(name), errors.get(name).copied()))
                            }
                        }
                    }
                    div class="acts" { button class="btn go" { "Start " (id) } }
                    (words::command(&format!("wfx start {}", words::shell_word(&definition.id))))
                }
            }
        }
    }
}

fn refusal(
    definition: &Definition,
    refused: &Refused<'_>,
    errors: &HashMap<String, &str>,
) -> Markup {
    let wrong: Vec<_> = definition
        .params
        .keys()
        .enumerate()
        .filter(|(_, name)| errors.contains_key(*name))
        .collect();
    html! {
        div class="note fail" role="alert" {
            p {
                b { "Not started: " (words::text(refused.problem.detail())) "." } " "
                @for (at, (index, name)) in wrong.iter().enumerate() {
                    @if at > 0 { ", " }
                    a href={ "#p" (index) } { (words::text(name)) }
                }
                @for error in refused.problem.errors().iter().filter(|error| {
                    !wrong.iter().any(|(_, name)| error.pointer == format!("/params/{name}"))
                }) {
                    " " (words::text(&error.detail))
                }
            }
        }
    }
}

/// One parameter as a field of a form; `given` is what was typed before.
pub(super) fn field(
    index: usize,
    name: &str,
    parameter: &Parameter,
    given: Option<String>,
    error: Option<&str>,
) -> Markup {
    let rules = parameter.rules.as_deref();
    let kind = rules.and_then(|rules| rules.kind);
    let has_default = !matches!(parameter.default, Scalar::Null);
    let default = if has_default { parameter.default.to_string() } else { String::new() };
    let value = given.unwrap_or_else(|| default.clone());
    let choices: Vec<String> = match (rules, kind) {
        (Some(rules), _) if !rules.choices.is_empty() => {
            rules.choices.iter().map(ToString::to_string).collect()
        }
        (_, Some(Kind::Bool)) => vec!["true".to_owned(), "false".to_owned()],
        _ => Vec::new(),
    };
    let (id, field) = (format!("p{index}"), format!("{PARAMETER}{name}"));
    let help = format!("{id}-help");
    let invalid = error.map(|_| "true");
    let number = matches!(kind, Some(Kind::Int | Kind::Number));
    html! {
        div class="field" {
            label for=(id) { (words::text(name)) }
            @if choices.is_empty() && !number && value.contains('\n') {
                textarea id=(id) name=(field) rows="4" aria-describedby=(help) aria-invalid=[invalid] { "\n" (value) }
            } @else if choices.is_empty() {
                input id=(id) name=(field) value=(value) required[!has_default] aria-describedby=(help)
                    aria-invalid=[invalid] inputmode=[number.then_some("decimal")] autocomplete="off";
            } @else {
                select id=(id) name=(field) aria-describedby=(help) aria-invalid=[invalid] {
                    @if !has_default && !choices.contains(&value) { option value="" selected { "choose one" } }
                    @for choice in &choices { option value=(choice) selected[*choice == value] { (words::text(choice)) } }
                    @if has_default && !choices.contains(&value) { option value=(value) selected { (words::text(&value)) } }
                }
            }
            @if let Some(error) = error { p id=(help) class="fail" { (words::text(error)) } }
            @else {
                p id=(help) {
                    @if let Some(text) = rules.and_then(|rules| rules.description.as_deref()) { (words::text(text)) ". " }
                    @if let Some(rules) = rules {
                        @let takes = rules.in_words();
                        @if !takes.is_empty() { "Takes " (words::text(&takes)) ". " }
                    }
                    @if has_default { "Default: " (if default.is_empty() { "empty".to_owned() } else { words::short(&default, 64) }) "." }
                    @else { "Required." }
                }
            }
        }
    }
}

fn about(definition: &Definition, entry: Option<&Entry>) -> Markup {
    let handlers = definition.handlers.len() as u64;
    html! {
        section class="panel" id="definition" {
            header { h2 { "Definition" } }
            div class="pad" {
                dl class="kv" {
                    @if let Some(entry) = entry {
                        dt { "File" } dd { code { (words::text(&entry.file.display().to_string())) } }
                    }
                    dt { "Steps" }
                    dd {
                        (words::count(definition.steps.len() as u64, "step"))
                        @if let Some(most) = definition.max_parallel { ", at most " (most) " at a time" }
                        @if handlers > 0 { ", and " (words::count(handlers, "handler")) }
                    }
                    @if let Some(timeout) = &definition.timeout { dt { "Timeout" } dd { (timeout) } }
                    @if let Some(concurrency) = &definition.concurrency {
                        dt { "At a time" }
                        dd {
                            (concurrency.limit) " in group "
                            code { (words::text(concurrency.group.as_deref().unwrap_or(&definition.id))) }
                        }
                    }
                }
                details {
                    summary { "What the steps run" }
                    table {
                        thead { tr { th scope="col" { "step" } th scope="col" { "runs" } th scope="col" { "after" } } }
                        tbody {
                            @for step in &definition.steps {
                                tr {
                                    th scope="row" { (words::text(step.title.as_deref().unwrap_or(&step.name))) }
                                    td { code class="why" { (words::text(&words::runs(step))) } }
                                    td { (words::text(&step.depends_on.join(", "))) }
                                }
                            }
                        }
                    }
                }
                (words::command(&format!("wfx show --source {}", words::shell_word(&definition.id))))
            }
        }
    }
}
