//! What cannot be shown: in the frame of the page, with the way on.

use hyper::header::{ACCEPT, HeaderMap};
use hyper::{Method, StatusCode};
use maud::html;

use crate::http::exchange::handler::RefusedRequest;
use crate::http::exchange::problem::Problem;
use crate::http::exchange::reply::Reply;
use crate::http::page::frame::{self, Page, Section};
use crate::http::page::login;
use crate::http::page::view::{Pages, View, query};
use crate::http::page::words;

/// Paths that programs ask for, whatever they say that they take.
const OF_PROGRAMS: [&str; 4] = ["/api/", "/healthz", "/readyz", "/metrics"];

/// Whether somebody looks at the answer with a browser.
pub(super) fn is_for_people(request: &RefusedRequest<'_>) -> bool {
    let path = request.uri.path();
    !OF_PROGRAMS.iter().any(|of| path.starts_with(of)) && takes_html(request.headers)
}

fn takes_html(headers: &HeaderMap) -> bool {
    let values = headers.get_all(ACCEPT).iter().filter_map(|value| value.to_str().ok());
    values.flat_map(|value| value.split(',')).any(|kind| kind.trim().starts_with("text/html"))
}

/// The answer to a request that the front refused. Without a session, the login follows.
pub(super) fn reply(pages: &Pages, problem: &Problem, request: &RefusedRequest<'_>) -> Reply {
    let path = request.uri.path();
    let view = View::of(pages, path, request.headers, false);
    if problem.status() == StatusCode::UNAUTHORIZED {
        let next = match (request.method, request.uri.path_and_query()) {
            (&Method::GET, Some(target)) => target.as_str().trim_start_matches('/'),
            _ => "",
        };
        let query = if next.is_empty() { String::new() } else { query(&[("next", next)]) };
        return login::see_other(&format!("{}login{query}", view.base));
    }
    with_section(&view, problem, Section::None)
}

/// A page that says what is wrong.
pub(super) fn page(view: &View<'_>, problem: &Problem) -> Reply {
    with_section(view, problem, Section::Home)
}

fn with_section(view: &View<'_>, problem: &Problem, section: Section) -> Reply {
    let title = match problem.status() {
        StatusCode::NOT_FOUND => "Page not found".to_owned(),
        StatusCode::FORBIDDEN => "Not allowed".to_owned(),
        StatusCode::SERVICE_UNAVAILABLE => "Not available now".to_owned(),
        other => other.canonical_reason().unwrap_or("Error").to_owned(),
    };
    let main = html! {
        div class="head" { div { h1 { (title) } } }
        section class="panel" {
            div class="pad" {
                p class="why" { (words::text(problem.detail())) }
                @for error in problem.errors() {
                    p class="small" { code { (words::text(&error.pointer)) } " " (words::text(&error.detail)) }
                }
                p {
                    a href=(view.base) { "Home" } ", "
                    a href={ (view.base) "executions" } { "all executions" } " or "
                    a href={ (view.base) "workflows" } { "all workflows" }
                }
            }
        }
    };
    let page = Page { title, section, is_running: None, main };
    let mut reply = frame::reply_with(view, problem.status(), &page);
    for (name, value) in problem.headers() {
        reply = reply.with_header(name.clone(), value.clone());
    }
    reply
}
