//! Notifications: the channels and how they do, and the history.

use maud::{Markup, html};
use serde_json::Value;

use crate::base::visible::quote;
use crate::http::api::query::pairs;
use crate::http::exchange::problem::Problem;
use crate::http::exchange::reply::Reply;
use crate::http::page::frame::{self, Page, Section};
use crate::http::page::view::{View, query};
use crate::http::page::words;
use crate::notify::channel::{Channel, ChannelKind};
use crate::repository::notifications::{NotificationFilter, NotificationRecord, NotificationState};

/// The notifications on a page.
const ROWS: u32 = 50;
/// Longer errors are cut.
const CELLS: usize = 160;

/// What is asked for, as it stands in the address.
#[derive(Default, PartialEq, Eq)]
struct Asked {
    state: Option<NotificationState>,
    channel: String,
    before: Option<i64>,
}

/// A channel, and how it does.
struct Doing<'a> {
    name: String,
    /// Of this daemon.
    channel: Option<&'a Channel>,
    pending: u64,
    /// The newest that waits, that was accepted, and that was given up.
    last: [Option<NotificationRecord>; 3],
}

/// The page.
pub(super) fn show(view: &View<'_>, query: &str) -> Result<Reply, Problem> {
    page(view, query, None)
}

/// The page, with what a test gave.
pub(super) fn page(view: &View<'_>, query: &str, tested: Option<&Value>) -> Result<Reply, Problem> {
    let asked = read(query)?;
    let (channels, mut rows) = find(view, &asked)?;
    let has_more = rows.len() > ROWS as usize;
    rows.truncate(ROWS as usize);
    let next = rows.last().filter(|_| has_more).map(|last| last.seq);
    let waiting: u64 = channels.iter().map(|one| one.pending).sum();
    // Without notifications there is nothing to filter.
    let is_empty = rows.is_empty() && asked == Asked::default();
    let tests = tested.and_then(|tested| tested["tested"].as_array()).into_iter().flatten();
    let main = html! {
        div class="head" {
            div {
                h1 { "Notifications" }
                p {
                    (words::count(channels.len() as u64, "channel")) ", "
                    (words::count(waiting, "notification")) " waiting. As of " (words::NOW) "."
                }
            }
        }
        @for test in tests { (result(test)) }
        section class="panel" id="channels" {
            header { h2 { "Channels" } p { "of the configuration file" } }
            @if channels.is_empty() {
                div class="pad" {
                    p { "There is no channel." }
                    p class="small muted" { "Add a table such as " code { "[notify.ops]" } " to the configuration file of the daemon." }
                }
            } @else {
                table class="cards" {
                    thead {
                        tr {
                            th scope="col" { "state" } th scope="col" { "channel" } th scope="col" { "to" }
                            th class="r" scope="col" { "waiting" } th scope="col" { "last accepted, " (view.zone()) }
                            th scope="col" { "test" }
                        }
                    }
                    tbody { @for one in &channels { (channel(view, one)) } }
                }
            }
        }
        @if !is_empty {
            div class="chips" role="group" aria-label="State" {
                (chip(&asked, None, "All"))
                @for state in NotificationState::ALL { (chip(&asked, Some(state), words::of_notification(state).word)) }
            }
        }
        section class="panel" id="history" {
            header {
                h2 { "History" }
                p {
                    @if asked.channel.is_empty() { "of every channel, newest first" }
                    @else { "of " (words::text(&asked.channel)) ", " a href=(address(asked.state, "", None)) { "show every channel" } }
                }
            }
            @if rows.is_empty() {
                div class="pad" { p class="muted" { (if is_empty { "Nothing has been sent yet." } else { "None." }) } }
            } @else {
                (history(view, &rows))
            }
        }
        nav class="acts" aria-label="Pages" {
            @if asked.before.is_some() { a class="btn" href=(address(asked.state, &asked.channel, None)) { "Newest" } }
            @if let Some(next) = next { a class="btn" rel="next" href=(address(asked.state, &asked.channel, Some(next))) { "Older" } }
        }
        (words::command("wfx notify history"))
    };
    let page = Page {
        title: "Notifications".to_owned(),
        section: Section::Notifications,
        // The answer to a form cannot be asked for again.
        is_running: tested.is_none().then_some(waiting > 0),
        main,
    };
    Ok(frame::reply(view, &page))
}

fn read(query: &str) -> Result<Asked, Problem> {
    let mut asked = Asked::default();
    for (key, value) in pairs(query, &["state", "channel", "before"])? {
        match key {
            "state" if value.is_empty() => {}
            "state" => {
                let mut known = NotificationState::ALL.into_iter();
                let state = known.find(|state| state.as_str() == value);
                asked.state = Some(state.ok_or_else(|| {
                    Problem::bad_request(format!("{} is no state", quote(&value)))
                        .with_hint("take pending, accepted, given_up or dropped")
                })?);
            }
            "channel" => asked.channel = value.into_owned(),
            _ => {
                let number = value.parse().map_err(|_| {
                    Problem::bad_request("the address continues no list")
                        .with_hint("begin again at the newest notifications")
                })?;
                asked.before = Some(number);
            }
        }
    }
    Ok(asked)
}

fn find<'a>(
    view: &View<'a>,
    asked: &Asked,
) -> Result<(Vec<Doing<'a>>, Vec<NotificationRecord>), Problem> {
    let senders = &view.pages.resources.channels.senders;
    view.read(|reader| {
        let mut pending = reader.pending_notifications()?;
        let mut channels: Vec<Doing<'a>> = senders
            .iter()
            .map(|sender| {
                let channel = sender.channel();
                let (name, pending) = (channel.name.clone(), pending.remove(&channel.name));
                let (channel, last) = (Some(channel), [None, None, None]);
                Doing { name, channel, pending: pending.unwrap_or(0), last }
            })
            .collect();
        // What waits for a channel that this daemon does not have.
        channels.extend(pending.into_iter().map(|(name, pending)| Doing {
            name,
            channel: None,
            pending,
            last: [None, None, None],
        }));
        for one in &mut channels {
            let states = [
                NotificationState::Pending,
                NotificationState::Accepted,
                NotificationState::GivenUp,
            ];
            for (last, state) in one.last.iter_mut().zip(states) {
                let filter = NotificationFilter {
                    channel: Some(one.name.clone()),
                    state: Some(state),
                    limit: 1,
                    ..NotificationFilter::default()
                };
                *last = reader.notifications(&filter)?.pop();
            }
        }
        let filter = NotificationFilter {
            channel: (!asked.channel.is_empty()).then(|| asked.channel.clone()),
            workflow_id: None,
            state: asked.state,
            before: asked.before,
            limit: ROWS + 1,
        };
        Ok((channels, reader.notifications(&filter)?))
    })
}

fn address(state: Option<NotificationState>, channel: &str, before: Option<i64>) -> String {
    let before = before.map(|before| before.to_string());
    let mut all = Vec::new();
    all.extend(state.map(|state| ("state", state.as_str())));
    all.extend((!channel.is_empty()).then_some(("channel", channel)));
    all.extend(before.as_deref().map(|before| ("before", before)));
    format!(
        "{}#history",
        if all.is_empty() {
            "notifications".to_owned()
        } else {
            format!("notifications{}", query(&all))
        }
    )
}

fn chip(asked: &Asked, state: Option<NotificationState>, name: &str) -> Markup {
    let is_current = asked.state == state;
    html! {
        a href=(address(state, &asked.channel, None)) aria-current=[is_current.then_some("true")] {
            @if let Some(state) = state { @let mark = words::of_notification(state);
                span class=(mark.class) { (words::icon(mark)) }
            }
            (name)
        }
    }
}

fn channel(view: &View<'_>, one: &Doing<'_>) -> Markup {
    let [pending, accepted, given_up] = &one.last;
    let is_beat = one.channel.is_some_and(|it| matches!(it.kind, ChannelKind::Heartbeat { .. }));
    let failing = pending.as_ref().filter(|it| it.error.is_some());
    let lost = given_up
        .as_ref()
        .filter(|lost| accepted.as_ref().is_none_or(|accepted| accepted.ended_at < lost.ended_at));
    let state = match (one.channel, failing, lost) {
        (None, ..) => words::status_as(words::PENDING, "not of this daemon"),
        (_, Some(_), _) => words::status_as(words::FAILED, "fails"),
        (_, None, Some(_)) => words::status(words::of_notification(NotificationState::GivenUp)),
        _ if is_beat => words::status_as(words::SKIPPED, "heartbeat"),
        _ if accepted.is_some() => words::status_as(words::SUCCESS, "works"),
        _ => words::status_as(words::SKIPPED, "not used yet"),
    };
    let why = failing.or(lost);
    html! {
        tr {
            td { (state) }
            th scope="row" {
                a class="k" href=(address(None, &one.name, None)) { b { (words::text(&one.name)) } }
                @if let Some(channel) = one.channel { " " span class="muted" { (channel.kind.as_str()) } }
            }
            td class="full" {
                @if let Some(channel) = one.channel { (words::text(&channel.kind.shown())) }
                @else { span class="muted" { "No channel of this name is in the configuration file." } }
                @if let Some(error) = why.and_then(|why| why.error.as_deref()) { span class="why fail" { (words::short(error, CELLS)) } }
                @if let Some(at) = failing.and_then(|it| it.next_at) { span class="why" { "next attempt " (view.due(at)) } }
            }
            td class="r" data-l="waiting" { (words::thousands(one.pending)) }
            td class="nw" data-l="last accepted" {
                @if let Some(at) = accepted.as_ref().and_then(|it| it.ended_at) { (view.due(at)) } @else { "–" }
            }
            td class="full" {
                @if one.channel.is_some() {
                    form method="post" action={ (view.base) "notifications/test" } {
                        input type="hidden" name="channel" value=(one.name);
                        button class="btn" { "Test " (words::text(&one.name)) }
                    }
                }
            }
        }
    }
}

/// How a test went.
fn result(test: &Value) -> Markup {
    let name = test["channel"].as_str().unwrap_or_default();
    let is_accepted = test["accepted"] == true;
    let mark = if is_accepted { words::SUCCESS } else { words::FAILED };
    let outcome = if is_accepted { "accepted the test" } else { "did not accept the test" };
    html! {
        div class=(if is_accepted { "note off" } else { "note fail" }) role=(if is_accepted { "status" } else { "alert" }) {
            p {
                (words::status_as(mark, &format!("{} {outcome}", words::text(name))))
                @if let Some(error) = test["error"].as_str() { ": " (words::short(error, CELLS)) }
                "."
            }
        }
    }
}

fn history(view: &View<'_>, rows: &[NotificationRecord]) -> Markup {
    html! {
        table class="cards" {
            thead {
                tr {
                    th scope="col" { "state" } th scope="col" { "queued, " (view.zone()) } th scope="col" { "about" }
                    th scope="col" { "channel" } th class="r" scope="col" { "attempts" } th scope="col" { "ended, or error" }
                }
            }
            tbody {
                @for one in rows {
                    tr {
                        td { (words::status(words::of_notification(one.state))) }
                        td class="nw" data-l="queued" { (view.due(one.created_at)) }
                        th scope="row" {
                            (words::text(&one.event))
                            @if let Some(workflow) = &one.workflow_id {
                                " "
                                a class="k" href=(one.execution_id.as_deref().map_or_else(|| view.workflow(workflow), |id| view.execution(id))) {
                                    b { (words::text(workflow)) }
                                }
                            }
                        }
                        td { (words::text(&one.channel)) }
                        td class="r" data-l="attempts" { (one.attempts) }
                        td class="full" {
                            @if let Some(at) = one.ended_at { (view.due(at)) }
                            @if let Some(error) = &one.error { span class="why" { (words::short(error, CELLS)) } }
                            @if let (NotificationState::Pending, Some(at)) = (one.state, one.next_at) { span class="why" { "next attempt " (view.due(at)) } }
                        }
                    }
                }
            }
        }
    }
}
