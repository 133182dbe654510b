//! Service levels: the signals as they are judged now, and the last alerts with their delivery.

use maud::{Markup, html};
use serde_json::Value;

use crate::base::timestamp::Timestamp;
use crate::http::exchange::problem::Problem;
use crate::http::exchange::reply::Reply;
use crate::http::page::frame::{self, Page, Section};
use crate::http::page::view::View;
use crate::http::page::words;
use crate::render::svg::curve;

/// The status of the service levels as the API has it.
fn status(view: &View<'_>) -> Value {
    serde_json::to_value(view.pages.resources.observed.monitor.status()).unwrap_or_default()
}

fn signals(status: &Value) -> &[Value] {
    status["signals"].as_array().map_or(&[][..], Vec::as_slice)
}

/// The breached signals, as items of a list of problems.
pub(super) fn breached(view: &View<'_>) -> Vec<Markup> {
    let status = status(view);
    let breached = signals(&status).iter().filter(|signal| signal["is_breached"] == true);
    let item = |signal: &Value| {
        html! {
            li {
                div { (words::status(words::BREACHED)) }
                div {
                    p {
                        a href={ (view.base) "levels" } { b { (name(signal)) } }
                        " of this daemon is " (value(signal, "value")) "; the threshold is "
                        (value(signal, "threshold"))
                    }
                    p class="small" {
                        @if let Some(since) = time(&signal["breached_since"]) { "Since " (view.at(since)) ", over " }
                        (words::count(signal["samples"].as_u64().unwrap_or(0), "request")) "."
                    }
                }
                div class="acts" { a class="btn" href={ (view.base) "levels" } { "Show signals" } }
            }
        }
    };
    breached.map(item).collect()
}

/// The page.
pub(super) fn show(view: &View<'_>) -> Result<Reply, Problem> {
    let status = status(view);
    let breached = signals(&status).iter().filter(|signal| signal["is_breached"] == true).count();
    let title = match breached {
        0 => "Service levels are kept".to_owned(),
        1 => "1 service level is breached".to_owned(),
        many => format!("{many} service levels are breached"),
    };
    let alerts = status["last_alerts"].as_array().map_or(&[][..], Vec::as_slice);
    let since = time(&status["since"]).unwrap_or(view.now);
    let main = html! {
        div class="head" {
            div {
                h1 { (title) }
                p {
                    (words::count(status["requests"].as_u64().unwrap_or(0), "request"))
                    " of the API since " (view.at(since))
                    "; those of this page do not count. As of " (words::NOW) "."
                }
            }
        }
        section class="panel" {
            header { h2 { "Signals" } p { "as they are judged now" } }
            ul class="four" {
                @for (index, signal) in signals(&status).iter().enumerate() {
                    (draw_signal(signal, &view.pages.trend(index)))
                }
            }
        }
        section class="panel" id="alerts" {
            header { h2 { "Alerts" } p { (delivery(&status)) } }
            @if alerts.is_empty() {
                div class="pad" { p class="muted" { "None since the daemon began." } }
            } @else {
                (draw_alerts(view, alerts))
            }
        }
        (words::command("wfx slo-sim requests.log"))
    };
    let page = Page { title, section: Section::Levels, is_running: Some(false), main };
    Ok(frame::reply(view, &page))
}

fn draw_signal(signal: &Value, trend: &[Option<f64>]) -> Markup {
    let is_off = signal["threshold"].is_null();
    let mark = match signal["is_breached"] == true {
        true => words::status(words::BREACHED),
        false if is_off => words::status_as(words::SKIPPED, "not judged"),
        false => words::status(words::KEPT),
    };
    html! {
        li {
            p class="small" { (name(signal)) }
            p { span class="big" { (value(signal, "value")) } span class="nw" { (mark) } }
            @if trend.iter().any(Option::is_some) {
                (curve::spark(trend, number(&signal["threshold"]), &format!("{} over the last hour", name(signal))))
            }
            p class="small muted" {
                @if is_off { "no threshold is set" } @else { "alerts at " (value(signal, "threshold")) }
                ", over " (words::millis(millis(&signal["window_seconds"])))
            }
            p class="small muted" {
                (words::count(signal["samples"].as_u64().unwrap_or(0), "request"))
                ", " (words::count(signal["alerts"].as_u64().unwrap_or(0), "alert"))
            }
        }
    }
}

fn draw_alerts(view: &View<'_>, alerts: &[Value]) -> Markup {
    html! {
        table class="cards" {
            thead {
                tr {
                    th scope="col" { "decided, " (view.zone()) } th scope="col" { "signal" }
                    th scope="col" { "what" } th scope="col" { "delivery" }
                }
            }
            tbody {
                @for alert in alerts {
                    @let at = ["triggered_at", "timestamp", "at"].iter().find_map(|key| time(&alert[key]));
                    tr {
                        td class="nw" { @if let Some(at) = at { (view.civil.brief(at, view.now)) } }
                        th scope="row" { (plain(&alert["type"])) }
                        td class="full" { (plain(&alert["message"])) }
                        td { (plain(&alert["delivery"])) }
                    }
                }
            }
        }
    }
}

fn delivery(status: &Value) -> String {
    match status["webhook"]["url"].as_str() {
        Some(url) => format!("sent to {}", words::short(url, 80)),
        None => "sent nowhere: no webhook is set".to_owned(),
    }
}

fn name(signal: &Value) -> &'static str {
    match signal["field"].as_str().unwrap_or_default() {
        "error_rate" => "All errors",
        "error_rate_5xx" => "Server errors, 5xx",
        "error_rate_4xx" => "Client errors, 4xx",
        _ => "Latency, 95th percentile",
    }
}

/// A share in percent, or a time.
fn value(signal: &Value, key: &str) -> String {
    let Some(number) = number(&signal[key]) else { return "no data".to_owned() };
    match signal["field"].as_str() {
        Some("latency_p95") => words::millis(millis(&signal[key])),
        _ => format!("{}\u{a0}%", (number * 1_000.0).round() / 10.0),
    }
}

fn number(value: &Value) -> Option<f64> {
    value.as_f64().or_else(|| value.to_string().parse().ok())
}

#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "it is bounded")]
fn millis(seconds: &Value) -> u64 {
    (number(seconds).unwrap_or(0.0) * 1_000.0).clamp(0.0, 1e15).round() as u64
}

fn time(value: &Value) -> Option<Timestamp> {
    value.as_str()?.parse().ok()
}

fn plain(value: &Value) -> String {
    match value {
        Value::Null => String::new(),
        Value::String(text) => words::short(text, 200),
        other => words::short(&other.to_string(), 200),
    }
}
