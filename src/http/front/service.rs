//! One request from its head to its response.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Instant;

use http_body_util::BodyExt;
use hyper::body::{Body, Bytes, Incoming};
use hyper::header::{ACCEPT, ALLOW, HeaderValue, TRANSFER_ENCODING};
use hyper::http::request::Parts;
use hyper::{HeaderMap, Method, Request, Response, StatusCode, Version};
use tokio::sync::OwnedSemaphorePermit;

use crate::base::clock;
use crate::http::exchange::bounded_wait::BoundedWait;
use crate::http::exchange::byte_budget::{self, ByteBudget};
use crate::http::exchange::handler::{
    AnsweredRequest, Caller, Endpoint, Handler, OTHER, PageHead, RefusedRequest, Remote,
    RoutedRequest,
};
use crate::http::exchange::problem::Problem;
use crate::http::exchange::reply::Reply;
use crate::http::front::access::{Access, AccessRequest};
use crate::http::front::connection_slots::{ConnectionSlots, SMALL_BODY_BYTES};
use crate::http::front::connection_state::{ConnectionState, TimeLimits};
use crate::http::front::raw_head::{Framing, RawHead};
use crate::http::front::request_body::{BODY_BYTES_MAX, check_type};
use crate::http::front::response_body::ResponseBody;
use crate::http::front::socket::Local;
use crate::http::front::{request_id, response};

/// Seconds until there may be capacity.
const RETRY_AFTER: u32 = 1;

/// The methods of the server as a whole: `OPTIONS *`.
const ALLOW_ALL: &str = "GET, HEAD, POST, OPTIONS";

/// What answers the requests of one connection.
#[derive(Debug)]
pub(super) struct ConnectionService<H> {
    pub(super) handler: Arc<H>,
    pub(super) access: Arc<Access>,
    pub(super) budget: Arc<ByteBudget>,
    pub(super) slots: Arc<ConnectionSlots>,
    pub(super) limits: TimeLimits,
    pub(super) state: Arc<ConnectionState>,
    pub(super) local: Local,
    pub(super) remote: Remote,
}

/// What is known of a request while it is answered.
struct Progress {
    label: &'static str,
    /// It is for the web page.
    is_page: bool,
    /// Its body was read to the end, or it has none.
    is_read: bool,
    /// Its connection has had a slot since it began.
    has_slot: bool,
}

impl<H: Handler> ConnectionService<H> {
    /// Answers a request. Whatever becomes of it, the handler records it once.
    pub(super) async fn answer(
        self: Arc<Self>,
        request: Request<Incoming>,
    ) -> Result<Response<ResponseBody>, Infallible> {
        let started = clock::monotonic();
        let (parts, body) = request.into_parts();
        let (head, has_slot) = {
            let mut state = self.state.lock();
            (state.begin_request(framing(&parts, &body)), state.slot.is_some())
        };
        let request_id = request_id::of_request(&parts.headers);
        let mut progress =
            Progress { label: OTHER, is_page: false, is_read: body.is_end_stream(), has_slot };
        let reply = self.reply(&parts, head, body, &request_id, &mut progress).await;
        let reply = reply.unwrap_or_else(|problem| {
            let Parts { method, uri, headers, .. } = &parts;
            self.handler.refuse(problem, &RefusedRequest { method, uri, headers })
        });
        let mut reply = reply.within(&self.budget);
        let mut stream = None;
        if let Some(token) = reply.live_end_token() {
            stream = self.slots.acquire_stream(&self.limits).await.map(|permit| (token, permit));
            if stream.is_none() {
                reply = streams_full().into();
            }
        }

        let ended = clock::monotonic();
        let latency = reply.latency_end().unwrap_or(ended).saturating_duration_since(started);
        self.handler.record(&AnsweredRequest {
            route_label: progress.label,
            method: parts.method.as_str(),
            path: parts.uri.path(),
            status: reply.status.as_u16(),
            served_as: reply.served_as().as_u16(),
            latency,
            request_id: request_id.to_str().unwrap_or_default(),
            remote: Some(self.remote),
            started,
            ended,
            is_page: progress.is_page,
        });
        let is_clear = progress.is_read && head.is_some_and(RawHead::is_clear);
        let closes = {
            let mut state = self.state.lock();
            // A connection without a slot is closed after its response. So is that of an old client
            // whose body has no length: its end is the end of the connection.
            let is_delimited = parts.version != Version::HTTP_10 || !reply.is_streamed();
            let stays = is_clear && is_delimited && state.slot.is_some();
            let closes = state.answer(stays, ended);
            if let Some((token, permit)) = stream {
                state.begin_live_stream(ended, token, permit);
            } else if reply.is_streamed() {
                state.begin_stream();
            }
            closes
        };
        Ok(response::of_reply(
            reply,
            &request_id,
            (parts.version, closes),
            &self.budget,
            &self.state,
        ))
    }

    async fn reply(
        &self,
        parts: &Parts,
        head: Option<RawHead>,
        body: Incoming,
        request_id: &HeaderValue,
        progress: &mut Progress,
    ) -> Result<Reply, Problem> {
        let path = parts.uri.path();
        let parsed = H::Route::parse(path);
        let route = parsed.as_ref().ok().and_then(Option::as_ref);
        progress.is_page = route.is_some_and(Endpoint::is_page);
        let granted = self.access.check(&AccessRequest {
            method: &parts.method,
            uri: &parts.uri,
            version: parts.version,
            headers: &parts.headers,
            has_two_lengths: head.is_none_or(|head| head.has_length),
            has_bare_line_feed: head.is_none_or(|head| head.has_bare_line_feed),
            has_fragment: head.is_none_or(|head| head.has_fragment),
            local: self.local,
            is_page: progress.is_page,
            is_open: route.is_some_and(Endpoint::is_open),
            session: &|| self.handler.session(&parts.headers),
        })?;
        if path == "*" && parts.method == Method::OPTIONS {
            return Ok(Reply::empty().with_header(ALLOW, HeaderValue::from_static(ALLOW_ALL)));
        }
        let Some(route) = parsed? else {
            return Err(Problem::not_found(format!("there is nothing at `{path}`")));
        };
        progress.label = route.label();
        if !route.takes(&parts.method) {
            let detail = format!("`{path}` does not take {}", parts.method);
            return Err(Problem::method_not_allowed(detail, route.allow()));
        }
        if parts.method == Method::OPTIONS {
            return Ok(Reply::empty().with_header(ALLOW, HeaderValue::from_static(route.allow())));
        }
        if !progress.has_slot
            && !route.is_probe()
            && !self.slots.acquire_slot(&self.state, &self.limits).await
        {
            return Err(full());
        }
        let body = if parts.method == Method::POST && !progress.is_read {
            let read = self.read(&parts.headers, body, progress).await?;
            (!read.is_empty()).then_some(read)
        } else {
            None
        };
        let is_tagged = route.is_tagged();
        let query = parts.uri.query().unwrap_or_default().to_owned();
        let request_id = request_id.to_str().unwrap_or_default().to_owned();
        let bounded_wait = BoundedWait::new(Arc::clone(&self.state) as _);
        let caller =
            Caller { remote: self.remote, token: granted.token, is_page: progress.is_page };
        let page = progress.is_page.then(|| {
            Box::new(PageHead {
                path: path.to_owned(),
                is_post: parts.method == Method::POST,
                headers: parts.headers.clone(),
                has_session: granted.has_session,
                is_https: self.access.is_https(),
            })
        });
        let accept = parts.headers.get(ACCEPT).and_then(|accept| accept.to_str().ok());
        let accept = accept.unwrap_or_default().to_owned();
        let request =
            RoutedRequest { route, query, body, accept, request_id, bounded_wait, caller, page };
        let mut reply = self.handler.handle(request).await;
        if is_tagged {
            reply.tag(&parts.headers);
        }
        Ok(reply)
    }

    /// Reads a body as a whole. What can be refused by the head is, before anything is read:
    /// a client that waits for `100 Continue` then never sends it.
    async fn read(
        &self,
        headers: &HeaderMap,
        mut body: Incoming,
        progress: &mut Progress,
    ) -> Result<Bytes, Problem> {
        let checked = check_type(headers, progress.is_page);
        if let Some(length) = body.size_hint().exact() {
            if length > BODY_BYTES_MAX as u64 {
                return Err(too_large());
            }
            checked.clone()?;
        }
        self.state.lock().begin_body(clock::monotonic());
        let length = body.size_hint().exact().map(usize::try_from);
        let length = length.and_then(Result::ok).unwrap_or(BODY_BYTES_MAX);
        let read = self.collect(&mut body, length).await;
        self.state.lock().end_body();
        let read = read?;
        if !self.state.lock().raw_heads.is_at_end() {
            return Err(Problem::bad_request("the chunks of the body are malformed"));
        }
        progress.is_read = true;
        // A body in chunks may turn out to be none.
        if !read.is_empty() {
            checked?;
        }
        Ok(read)
    }

    /// Reads a body of at most so many bytes. More than [`SMALL_BODY_BYTES`] are read only once
    /// bytes are reserved for all.
    async fn collect(&self, body: &mut Incoming, length: usize) -> Result<Bytes, Problem> {
        let mut share = None;
        let mut first = Bytes::new();
        let mut all = Vec::new();
        while let Some(frame) = body.frame().await {
            let frame = frame.map_err(|error| self.unreadable(&error))?;
            let Ok(data) = frame.into_data() else { continue };
            if first.len().max(all.len()) + data.len() > BODY_BYTES_MAX {
                return Err(too_large());
            }
            if first.len().max(all.len()) + data.len() > SMALL_BODY_BYTES && share.is_none() {
                share = Some(self.reserve_body_bytes(length).await?);
            }
            // Most bodies come in one piece.
            if first.is_empty() && all.is_empty() {
                first = data;
            } else {
                if all.is_empty() {
                    all.extend_from_slice(&first);
                }
                all.extend_from_slice(&data);
            }
        }
        let read = if all.is_empty() { first } else { all.into() };
        Ok(match share {
            Some(share) => byte_budget::counted(read, share),
            None => read,
        })
    }

    async fn reserve_body_bytes(&self, length: usize) -> Result<OwnedSemaphorePermit, Problem> {
        self.state.lock().end_body();
        let share = self.slots.reserve_body_bytes(&self.state, length, &self.limits).await;
        let mut state = self.state.lock();
        state.begin_body(clock::monotonic());
        state.holds_body_bytes = true;
        share.ok_or_else(|| {
            let detail = "too many long bodies are being read at the moment";
            Problem::unavailable(detail, RETRY_AFTER)
        })
    }

    fn unreadable(&self, error: &hyper::Error) -> Problem {
        if self.state.lock().body_timed_out {
            let detail = "the rest of the body did not come in time";
            return Problem::new(StatusCode::REQUEST_TIMEOUT, detail);
        }
        Problem::bad_request(format!("the body cannot be read: {error}"))
    }
}

fn full() -> Problem {
    let detail = "all connections that the server takes (--max-connections) are in use";
    Problem::unavailable(detail, RETRY_AFTER)
}

fn streams_full() -> Problem {
    let detail = "all streams that the server takes (half of --max-connections) are in use";
    Problem::unavailable(detail, RETRY_AFTER)
}

fn too_large() -> Problem {
    let detail = format!("the body is longer than {BODY_BYTES_MAX} bytes");
    Problem::new(StatusCode::PAYLOAD_TOO_LARGE, detail)
}

/// How hyper has understood the end of the body.
fn framing(parts: &Parts, body: &Incoming) -> Framing {
    if parts.headers.contains_key(TRANSFER_ENCODING) {
        return Framing::Chunked;
    }
    Framing::Length(body.size_hint().exact().unwrap_or(0))
}

/// Records a head of which hyper made no request, and of which only the answer is known.
pub(super) fn record_refusal(
    handler: &impl Handler,
    state: &ConnectionState,
    remote: Remote,
    now: Instant,
) {
    let Some(refused) = state.lock().refused.take() else { return };
    handler.record(&AnsweredRequest {
        route_label: OTHER,
        method: "-",
        path: "-",
        status: refused.status,
        served_as: refused.status,
        latency: std::time::Duration::ZERO,
        request_id: refused.request_id.to_str().unwrap_or_default(),
        remote: Some(remote),
        started: now,
        ended: now,
        is_page: false,
    });
}
