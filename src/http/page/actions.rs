//! What forms of the page do: the resources of the API do it, and say who did, from where.

use hyper::header::HeaderValue;
use serde_json::{Map, Value, json};

use crate::base::zone;
use crate::http::exchange::handler::{Remote, RoutedRequest};
use crate::http::exchange::problem::Problem;
use crate::http::exchange::reply::Reply;
use crate::http::page::execution::{self, Wanted};
use crate::http::page::forms::{Form, Refused};
use crate::http::page::login::{see_other, set_cookie};
use crate::http::page::route::PageRoute;
use crate::http::page::view::{View, ZONE_COOKIE, segment};
use crate::http::page::workflow;
use crate::http::page::{notifications, schedules};

/// Values of forms are text, read by the type of the parameter.
const AS_TEXT: &str = "params=text";
const YEAR: u32 = 365 * 86_400;

/// Starts a workflow. A form that is refused comes back filled in.
pub(super) async fn start(
    view: &View<'_>,
    workflow_id: &str,
    request: &RoutedRequest<PageRoute>,
) -> Result<Reply, Problem> {
    let form = Form::read(request.body.as_deref())?;
    let resources = &view.pages.resources;
    let compiled = resources.catalogue.get(workflow_id);
    let declared = compiled.as_ref().map(|compiled| &compiled.definition().params);
    let mut params = Map::new();
    for (name, value) in form.parameters() {
        let parameter = declared.and_then(|declared| declared.get(name));
        // Nothing typed is the default, unless text may be empty.
        if value.is_empty() && !parameter.is_some_and(workflow::may_be_empty) {
            continue;
        }
        params.insert(name.to_owned(), Value::from(newlines(value)));
    }
    let body = json!({ "params": params }).to_string();
    let started = resources
        .execute(workflow_id, AS_TEXT, Some(body.into()), &request.caller, &request.bounded_wait)
        .await;
    match started {
        Ok(reply) => {
            log(request, "started", workflow_id);
            Ok(see_other(&to_execution(view, &reply)))
        }
        Err(problem) if problem.errors().is_empty() => Err(problem),
        Err(problem) => {
            workflow::page(view, workflow_id, Some(&Refused { form: &form, problem: &problem }))
        }
    }
}

/// Runs an execution again, or only shows what that would do.
pub(super) async fn replay(
    view: &View<'_>,
    reference: &str,
    request: &RoutedRequest<PageRoute>,
) -> Result<Reply, Problem> {
    let form = Form::read(request.body.as_deref())?;
    let resources = &view.pages.resources;
    let original = resources.record(reference)?;
    let snapshot = original.input_snapshot.value();
    let old = snapshot["params"].as_object();
    let mut params = Map::new();
    for (name, value) in form.parameters() {
        let same = old.and_then(|old| old.get(name)).map(crate::http::page::words::value_text);
        if same.as_deref() != Some(value) {
            params.insert(name.to_owned(), Value::from(newlines(value)));
        }
    }
    let mode = form.get("mode").unwrap_or("failed");
    let from: Vec<&str> = form.get("from").filter(|_| mode == "from").into_iter().collect();
    let definition = form.get("definition").unwrap_or("snapshot");
    let body = json!({
        "from": from, "failed": mode == "failed", "params": params, "definition": definition,
    });
    let body = body.to_string();
    if form.get("dry_run").is_some() {
        let wanted = Wanted { form: &form, body: &body };
        return execution::page(view, reference, "", Some(&wanted));
    }
    let replayed = resources
        .replay(
            &original.execution_id,
            AS_TEXT,
            Some(body.as_bytes()),
            &request.caller,
            &request.bounded_wait,
        )
        .await?;
    log(request, "replayed", &original.execution_id);
    Ok(see_other(&to_execution(view, &replayed)))
}

/// Ends an execution.
pub(super) async fn cancel(
    view: &View<'_>,
    reference: &str,
    request: &RoutedRequest<PageRoute>,
) -> Result<Reply, Problem> {
    let resources = &view.pages.resources;
    resources.cancel(reference, "", None, &request.caller).await?;
    log(request, "cancelled", reference);
    Ok(see_other(&view.execution(reference)))
}

/// Lets the schedules of a workflow, or of all, start nothing. A form that is refused comes back
/// filled in.
pub(super) async fn pause(
    view: &View<'_>,
    request: &RoutedRequest<PageRoute>,
) -> Result<Reply, Problem> {
    let form = Form::read(request.body.as_deref())?;
    let typed = |name: &str| form.get(name).map(str::trim).filter(|text| !text.is_empty());
    let workflow_id = typed("workflow");
    let body = json!({ "until": typed("until"), "reason": typed("reason") }).to_string();
    let resources = &view.pages.resources;
    match resources.pause(workflow_id, "", Some(body.as_bytes()), &request.caller).await {
        Ok(_) => {
            log(request, "paused", workflow_id.unwrap_or("all workflows"));
            Ok(see_other(&schedules::back(view, &form)))
        }
        Err(problem) if problem.errors().is_empty() => Err(problem),
        Err(problem) => {
            schedules::page(view, "", Some(&Refused { form: &form, problem: &problem }))
        }
    }
}

/// Lets them start again.
pub(super) async fn resume(
    view: &View<'_>,
    request: &RoutedRequest<PageRoute>,
) -> Result<Reply, Problem> {
    let form = Form::read(request.body.as_deref())?;
    let workflow_id = form.get("workflow").filter(|id| !id.is_empty());
    view.pages.resources.resume(workflow_id, "", None, &request.caller).await?;
    log(request, "resumed", workflow_id.unwrap_or("all workflows"));
    Ok(see_other(&schedules::back(view, &form)))
}

/// Starts one scheduled time by hand.
pub(super) async fn run_scheduled(
    view: &View<'_>,
    request: &RoutedRequest<PageRoute>,
) -> Result<Reply, Problem> {
    let form = Form::read(request.body.as_deref())?;
    let workflow_id = form.get("workflow").unwrap_or_default();
    let body = json!({ "schedule": form.get("schedule"), "at": form.get("at") }).to_string();
    let resources = &view.pages.resources;
    let started = resources
        .run_scheduled(
            workflow_id,
            "",
            Some(body.as_bytes()),
            &request.caller,
            &request.bounded_wait,
        )
        .await?;
    log(request, "started a scheduled time of", workflow_id);
    Ok(see_other(&to_execution(view, &started)))
}

/// Sends a test to a channel, and shows what its receiver answered.
pub(super) async fn test_channels(
    view: &View<'_>,
    request: &RoutedRequest<PageRoute>,
) -> Result<Reply, Problem> {
    let form = Form::read(request.body.as_deref())?;
    let channel = form.get("channel").unwrap_or_default();
    let body = json!({ "channel": channel }).to_string();
    let reply = view.pages.resources.test_channels("", Some(body.as_bytes())).await?;
    log(request, "tested", channel);
    let answer: Value = serde_json::from_slice(&reply.body).unwrap_or_default();
    notifications::page(view, "", Some(&answer))
}

/// Keeps the zone that somebody chose.
pub(super) fn set_zone(
    view: &View<'_>,
    request: &RoutedRequest<PageRoute>,
) -> Result<Reply, Problem> {
    let form = Form::read(request.body.as_deref())?;
    let named = form.get("named").map(str::trim).filter(|name| !name.is_empty());
    let name = named.or(form.get("zone")).unwrap_or_default();
    let seconds = if name.is_empty() { 0 } else { YEAR };
    if !name.is_empty() && zone::named(name).is_none() {
        return Err(Problem::bad_request(format!(
            "there is no zone {}",
            crate::base::visible::quote(name)
        ))
        .with_hint("give the name of one, such as Europe/Berlin"));
    }
    let value =
        format!("{ZONE_COOKIE}={}; HttpOnly; SameSite=Strict; Max-Age={seconds}", segment(name));
    // Back to the page that the form was on, of which only the path below this server is known.
    let referer = view.headers.get(hyper::header::REFERER).and_then(|value| value.to_str().ok());
    let back = referer.filter(|url| HeaderValue::from_str(url).is_ok() && is_own(view, url));
    set_cookie(see_other(back.unwrap_or(&view.base)), &value)
}

/// Whether a page of this server sent the form: its origin is that of the request, which the front
/// has checked.
fn is_own(view: &View<'_>, url: &str) -> bool {
    let origin = view.headers.get(hyper::header::ORIGIN).and_then(|value| value.to_str().ok());
    origin.is_some_and(|origin| url.strip_prefix(origin).is_some_and(|rest| rest.starts_with('/')))
}

/// Browsers send the ends of lines as CR LF.
fn newlines(value: &str) -> String {
    value.replace("\r\n", "\n")
}

/// The address of the execution that an answer of the API names.
fn to_execution(view: &View<'_>, reply: &Reply) -> String {
    let answer: Value = serde_json::from_slice(&reply.body).unwrap_or_default();
    view.execution(answer["execution_id"].as_str().unwrap_or("@latest"))
}

fn log(request: &RoutedRequest<PageRoute>, what: &str, of: &str) {
    let address = match request.caller.remote {
        Remote::Address(address) => address.ip().to_string(),
        other => other.to_string(),
    };
    let by = request.caller.token.as_deref();
    tracing::info!(address, by, of, "{what} on the web page");
}
