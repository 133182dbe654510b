//! The login: a token for a session.

use std::net::{IpAddr, Ipv4Addr};
use std::time::Duration;

use hyper::StatusCode;
use hyper::header::{HeaderValue, LOCATION, RETRY_AFTER, SET_COOKIE};
use maud::{Markup, html};

use crate::http::api::query::pairs;
use crate::http::exchange::handler::{PageHead, Remote, RoutedRequest};
use crate::http::exchange::problem::Problem;
use crate::http::exchange::reply::Reply;
use crate::http::page::forms::Form;
use crate::http::page::frame::{self, Page, Section};
use crate::http::page::route::PageRoute;
use crate::http::page::view::View;
use crate::http::page::words;

/// The form, and where it leads to.
pub(super) fn show(view: &View<'_>, query: &str) -> Result<Reply, Problem> {
    let next = pairs(query, &["next"])?.pop().map(|(_, value)| value.into_owned());
    Ok(form(view, StatusCode::OK, next.as_deref().unwrap_or_default(), None))
}

/// Begins a session.
pub(super) async fn enter(
    view: &View<'_>,
    request: &RoutedRequest<PageRoute>,
    head: &PageHead,
) -> Result<Reply, Problem> {
    let form_sent = Form::read(request.body.as_deref())?;
    let next = form_sent.get("next").unwrap_or_default();
    let pages = view.pages;
    let address = match request.caller.remote {
        Remote::Address(address) => address.ip(),
        Remote::Unix { .. } => IpAddr::V4(Ipv4Addr::UNSPECIFIED),
    };
    if let Err(wait) = pages.rate().left(address, view.began) {
        let reply = form(view, StatusCode::TOO_MANY_REQUESTS, next, Some(&too_many(wait)));
        return Ok(reply.with_header(RETRY_AFTER, HeaderValue::from(wait.as_secs() + 1)));
    }
    let given = form_sent.get("token").unwrap_or_default().trim();
    let Some(token) = pages.sessions.tokens.find(given.as_bytes()) else {
        if pages.sessions.tokens.is_empty() {
            return Ok(see_other(&format!("{}{}", view.base, safe(next))));
        }
        pages.rate().count(address, view.began);
        tracing::warn!(%address, "a login with a wrong token");
        let left = pages.rate().left(address, view.began).unwrap_or(0);
        let words = format!("{} left this minute.", tries(left));
        return Ok(form(view, StatusCode::UNAUTHORIZED, next, Some(&words)));
    };
    let cookie =
        pages.sessions.begin(token, &head.headers, &pages.resources, head.is_https).await?;
    tracing::info!(%address, by = token.name().map(AsRef::as_ref), "a login");
    set_cookie(see_other(&format!("{}{}", view.base, safe(next))), &cookie)
}

/// Ends the session.
pub(super) async fn leave(view: &View<'_>, head: &PageHead) -> Result<Reply, Problem> {
    let pages = view.pages;
    let cookie = pages.sessions.end(&head.headers, &pages.resources, head.is_https).await?;
    set_cookie(see_other(&format!("{}login", view.base)), &cookie)
}

fn tries(left: u32) -> String {
    match left {
        1 => "1 try is".to_owned(),
        left => format!("{left} tries are"),
    }
}

fn too_many(wait: Duration) -> String {
    let seconds = Duration::from_secs(wait.as_secs() + 1);
    format!("Too many were tried. Try again in {}.", crate::base::units::spoken(seconds))
}

/// A page of this server, below that of the home page; nothing for what may be another one.
fn safe(next: &str) -> &str {
    let is_plain =
        |byte: u8| byte.is_ascii_graphic() && !matches!(byte, b'\\' | b':' | b'"' | b'<');
    let is_safe = !next.starts_with('/')
        && !next.contains("//")
        && !next.contains("..")
        && next.bytes().all(is_plain);
    if is_safe { next } else { "" }
}

/// Another page follows.
pub(super) fn see_other(address: &str) -> Reply {
    let reply = frame::secured(Reply::new(StatusCode::SEE_OTHER, "text/plain", Vec::new()));
    // Addresses are made of what may stand in a header.
    let address = HeaderValue::from_str(address).unwrap_or(HeaderValue::from_static("./"));
    reply.with_header(LOCATION, address)
}

/// The reply with a cookie.
pub(super) fn set_cookie(reply: Reply, cookie: &str) -> Result<Reply, Problem> {
    let value = HeaderValue::from_str(cookie)
        .map_err(|_| Problem::bad_request("this cannot be the value of a cookie"))?;
    Ok(reply.with_header(SET_COOKIE, value))
}

fn form(view: &View<'_>, status: StatusCode, next: &str, refused: Option<&str>) -> Reply {
    let wrong = |words: &str| -> Markup {
        html! {
            div class="note fail" role="alert" {
                p { (words::status_as(words::FAILED, "This token is not the daemon’s.")) " " (words) }
            }
        }
    };
    let main = html! {
        div class="login stack" {
            section class="panel" {
                header { h1 { "Log in to " (words::text(&view.pages.host)) } }
                form method="post" action={ (view.base) "login" } {
                    div class="pad" {
                        @if let Some(words) = refused { (wrong(words)) }
                        input type="hidden" name="next" value=(safe(next));
                        div class="field" {
                            label for="token" { "Token" }
                            input id="token" name="token" type="password" autocomplete="current-password"
                                required autofocus aria-describedby="token-help";
                            p id="token-help" {
                                "The text in the file that " code { "--token-file" } " names, or "
                                code { "WFX_TOKEN" } "."
                            }
                        }
                        div class="acts" { button class="btn go" { "Log in" } }
                        p class="small muted" {
                            "The session ends after 12 h or when you log out. The token is not kept in the browser."
                        }
                    }
                }
            }
        }
    };
    let page = Page { title: "Log in".to_owned(), section: Section::None, is_running: None, main };
    frame::reply_with(view, status, &page)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_login_leads_to_no_other_server() {
        for next in ["", "executions", "executions/x?step=a%20b#o1", "workflows/a.b-c"] {
            assert_eq!(safe(next), next);
        }
        for next in [
            "/",
            "//evil",
            "https://evil",
            "javascript:alert(1)",
            "a\\b",
            "..",
            "a//b",
            "é",
            "a\r\nb",
        ] {
            assert_eq!(safe(next), "", "{next}");
        }
    }
}
