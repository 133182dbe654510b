//! What every page has: head, navigation, foot, and the headers that keep it safe.

use std::hash::{DefaultHasher, Hasher};

use flate2::Compression;
use hyper::StatusCode;
use hyper::header::{
    CACHE_CONTROL, CONTENT_ENCODING, CONTENT_SECURITY_POLICY, HeaderName, HeaderValue,
    REFERRER_POLICY, VARY, X_FRAME_OPTIONS,
};
use maud::{DOCTYPE, Markup, PreEscaped, html};

use crate::http::exchange::reply::Reply;
use crate::http::page::headers::{gzip, takes_gzip};
use crate::http::page::view::{Pages, View};
use crate::http::page::{assets, words};
use crate::repository::Health;

/// Nothing comes from elsewhere, no script or style stands in a page, and only one function of
/// ours makes HTML of text.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; \
     connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'; \
     require-trusted-types-for 'script'; trusted-types wfx";
const HTML: &str = "text/html; charset=utf-8";
/// Shorter pages are sent as they are.
const COMPRESSED_FROM: usize = 1_400;

/// The parts of the navigation; further pages are a line each.
const SECTIONS: [(Section, &str, &str); 6] = [
    (Section::Home, "", "Home"),
    (Section::Executions, "executions", "Executions"),
    (Section::Workflows, "workflows", "Workflows"),
    (Section::Schedules, "schedules", "Schedules"),
    (Section::Levels, "levels", "Service levels"),
    (Section::Notifications, "notifications", "Notifications"),
];

/// Which part of the navigation a page belongs to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Section {
    Home,
    Executions,
    Workflows,
    Schedules,
    Levels,
    Notifications,
    None,
}

/// A page.
pub(super) struct Page {
    /// What it answers.
    pub title: String,
    pub section: Section,
    /// Whether something on it runs; `None`: it never changes.
    pub is_running: Option<bool>,
    pub main: Markup,
}

/// The answer with a page.
pub(super) fn reply(view: &View<'_>, page: &Page) -> Reply {
    reply_with(view, StatusCode::OK, page)
}

/// The same with a status of its own.
pub(super) fn reply_with(view: &View<'_>, status: StatusCode, page: &Page) -> Reply {
    let top = top(view, page.section);
    let running = page.is_running.map(|is_running| if is_running { "true" } else { "false" });
    let mut hasher = DefaultHasher::new();
    for part in [&page.title, &top.0, running.unwrap_or_default(), &page.main.0] {
        hasher.write(part.as_bytes());
        hasher.write_u8(0);
    }
    let hash = format!("\"{:016x}\"", hasher.finish());
    let folder = format!("{}{}", view.base, assets::folder());
    let document = html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width, initial-scale=1";
                title { (page.title) " · wfx" }
                link rel="icon" href={ (folder) "icon.svg" };
                link rel="stylesheet" href={ (folder) "style.css" };
                script type="module" src={ (folder) "page.js" } {}
            }
            body data-base=(view.base) data-running=[running] {
                a class="vh skip" href="#main" { "Skip to content" }
                svg class="sprite" aria-hidden="true" { (PreEscaped(assets::SPRITE)) }
                (top)
                main id="main" tabindex="-1" { (page.main) }
                // Nothing of the daemon is shown to those who may have no access.
                @if page.section != Section::None { (foot(view)) }
            }
        }
    };
    let now = html! {
        time data-now datetime=(view.now) { (view.civil.full(view.now)) " " (view.zone()) }
    };
    let body = document.0.replace(words::NOW.0, &now.0).into_bytes();
    let mut reply = Reply::new(status, HTML, Vec::new());
    let compressed = (body.len() >= COMPRESSED_FROM && takes_gzip(view.headers))
        .then(|| gzip(&body, Compression::fast()))
        .flatten();
    match compressed {
        Some(compressed) => {
            reply.body = compressed.into();
            reply = reply.with_header(CONTENT_ENCODING, HeaderValue::from_static("gzip"));
        }
        None => reply.body = body.into(),
    }
    if let Ok(tag) = <[u8; 18]>::try_from(hash.as_bytes()) {
        reply = reply.with_tag(tag);
    }
    secured(reply)
}

/// A reply with the headers of every page.
pub(super) fn secured(mut reply: Reply) -> Reply {
    let headers: [(HeaderName, &'static str); 5] = [
        (CONTENT_SECURITY_POLICY, POLICY),
        (X_FRAME_OPTIONS, "DENY"),
        (REFERRER_POLICY, "same-origin"),
        (CACHE_CONTROL, "no-store"),
        (VARY, "accept-encoding, cookie"),
    ];
    for (name, value) in headers {
        reply = reply.with_header(name, HeaderValue::from_static(value));
    }
    reply
}

fn top(view: &View<'_>, section: Section) -> Markup {
    // Without them, nobody knows; the page says so where it matters.
    let problems = match section {
        Section::None => 0,
        _ => {
            view.failing().map_or(0, |failing| failing.len())
                + view.overdue().map_or(0, |overdue| overdue.len())
        }
    };
    html! {
        header class="top" id="top" {
            div {
                a class="brand" href=(view.base) { "wfx" }
                @if section != Section::None {
                    nav aria-label="Main" {
                        ul {
                            @for (of, path, name) in SECTIONS {
                                li {
                                    a href={ (view.base) (path) } aria-current=[(of == section).then_some("page")] {
                                        (name)
                                        @if of == Section::Home && problems > 0 {
                                            span class="n" {
                                                span class="vh" { ", problems: " }
                                                (problems)
                                            }
                                        }
                                    }
                                }
                            }
                        }
                    }
                    div class="me" {
                        (zone(view))
                        @if view.has_session {
                            form method="post" action={ (view.base) "logout" } {
                                button class="btn text" { "Log out" }
                            }
                        }
                    }
                }
            }
        }
    }
}

/// The zone, and how to choose another one.
fn zone(view: &View<'_>) -> Markup {
    let name = view.civil.name();
    let server = crate::base::civil::Civil::of(view.pages.zone.clone()).name();
    html! {
        details id="zone" {
            summary { (name) " (" (view.zone()) ")" }
            form method="post" action={ (view.base) "zone" } {
                label class="small" for="zone-of" { "Times are those of" }
                select id="zone-of" name="zone" {
                    option value="" selected[view.is_server_zone] { "the server: " (server) }
                    option value="UTC" selected[!view.is_server_zone && name == "UTC"] { "UTC" }
                    @if !view.is_server_zone && name != "UTC" {
                        option value=(name) selected { (name) }
                    }
                    option value="" data-browser hidden disabled { "this browser" }
                }
                label class="small" for="zone-named" { "or of a zone by name" }
                input id="zone-named" name="named" placeholder="Europe/Berlin" autocomplete="off";
                button class="btn" { "Set the zone" }
            }
        }
    }
}

fn foot(view: &View<'_>) -> Markup {
    let pages: &Pages = view.pages;
    let is_writable = matches!(*pages.resources.writer.health().borrow(), Health::Working)
        && !pages.resources.writer.is_stalled();
    let took = view.began.elapsed();
    html! {
        footer class="foot" id="foot" {
            span { "wfx on " (words::text(&pages.host)) }
            span { "Daemon up since " (view.at(pages.since)) }
            @if is_writable {
                span { "Store: writable" }
            } @else {
                span class="st fail" { "Store: not writable now" }
            }
            span class="num" { "Page made in " (format!("{}.{}", took.as_millis(), took.subsec_micros() / 100 % 10)) " ms" }
            details id="keys" {
                summary { "Keys: " kbd { "?" } }
                ul {
                    @for (key, what) in KEYS {
                        li { kbd { (key) } " " (what) }
                    }
                }
                label class="pick" hidden { input id="keys-on" type="checkbox"; "use keys on this browser" }
            }
        }
    }
}

const KEYS: [(&str, &str); 14] = [
    ("/", "search"),
    ("j", "next row"),
    ("k", "previous row"),
    ("Enter", "open"),
    ("g h", "home"),
    ("g e", "executions"),
    ("g w", "workflows"),
    ("g s", "schedules"),
    ("g l", "service levels"),
    ("g n", "notifications"),
    ("r", "run again"),
    ("t", "timeline"),
    ("f", "follow the output"),
    ("z", "zone"),
];
