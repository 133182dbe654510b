//! Where an execution came from, and what came of it.

use maud::{Markup, html};

use super::found::Found;
use crate::http::exchange::problem::Problem;
use crate::http::page::view::View;
use crate::http::page::words;
use crate::repository::{LineageRow, LineageRows};
use crate::workflow::trigger::TriggerKind;

/// The most replays that are named.
const NAMED_MAX: usize = 20;

/// The panel.
pub(super) fn draw(view: &View<'_>, found: &Found) -> Result<Markup, Problem> {
    let record = &found.record;
    let lineage = match record.persisted {
        true => view.read(|reader| reader.lineage(&record.execution_id)).map(LineageRows::from)?,
        false => LineageRows { executions: Vec::new(), truncated: false },
    };
    let replays: Vec<&LineageRow> = lineage
        .executions
        .iter()
        .filter(|row| row.replay_of.as_deref() == Some(&record.execution_id))
        .collect();
    let original =
        lineage.executions.iter().find(|row| Some(&row.execution_id) == record.replay_of.as_ref());
    let params: Vec<String> = found
        .params
        .iter()
        .map(|(name, value)| {
            format!("{}={}", words::text(name), words::short(&words::value_text(value), 80))
        })
        .collect();
    Ok(html! {
        section class="panel" id="origin" {
            header { h2 { "Where it came from" } }
            div class="pad" {
                dl class="kv" {
                    dt { "Started by" } dd { (started_by(view, found)) }
                    dt { "Replay of" }
                    dd {
                        @match (&record.replay_of, original) {
                            (None, _) => "none",
                            (Some(id), row) => (link(view, id, row)),
                        }
                    }
                    dt { "Replayed as" }
                    dd {
                        @if replays.is_empty() { "not yet" }
                        @for (at, row) in replays.iter().take(NAMED_MAX).enumerate() {
                            @if at > 0 { ", " }
                            (link(view, &row.execution_id, Some(row)))
                        }
                        @if replays.len() > NAMED_MAX { " and " (replays.len() - NAMED_MAX) " more" }
                    }
                    dt { "Workflow" } dd { a href=(view.workflow(&record.workflow_id)) { (words::text(&record.workflow_id)) } }
                    @if let Some(group) = &record.concurrency_group { dt { "Group" } dd { code { (words::text(group)) } } }
                    dt { "Parameters" } dd { @if params.is_empty() { "none" } @else { (params.join(", ")) } }
                    @if let Some(pin) = &record.pinned {
                        dt { "Pinned" }
                        dd {
                            "by " (words::text(&pin.by)) ", " (view.at(pin.at))
                            @if let Some(reason) = &pin.reason { ": " (words::text(reason)) }
                        }
                    }
                    dt { "Stored" } dd { @if record.persisted { "yes: it goes on after a crash" } @else { "not yet" } }
                    dt { "Id" } dd { code { (record.execution_id) } }
                }
                (words::command(&format!("wfx show {}", found.reference())))
            }
        }
    })
}

fn link(view: &View<'_>, id: &str, row: Option<&LineageRow>) -> Markup {
    let number = row.and_then(|row| row.seq).map(|seq| format!("@{seq}"));
    html! {
        @match number {
            Some(number) => a href=(view.execution(id)) { (number) },
            None => code { (words::short(id, 8)) " (deleted)" },
        }
        @if let Some(status) = row.and_then(|row| row.status) { " " (words::status(words::of_execution(status))) }
    }
}

fn started_by(view: &View<'_>, found: &Found) -> Markup {
    let record = &found.record;
    let Some(trigger) = &record.trigger else { return html! { "not recorded" } };
    html! {
        (trigger.kind.as_str())
        @if let (TriggerKind::Schedule, Some(schedule)) = (trigger.kind, &trigger.schedule) { " " (words::text(schedule)) }
        @if let Some(by) = &trigger.by { ", " (words::text(by)) }
        @if let Some(address) = &trigger.address { ", on this page from " (words::text(address)) }
        @if let Some(at) = trigger.scheduled_at { ", due " (view.at(at)) }
        @if let Some(at) = record.created_at { ", " (view.at(at)) }
    }
}
