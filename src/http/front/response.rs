//! Replies as hyper sends them.

use std::sync::Arc;

use hyper::header::{CONNECTION, CONTENT_TYPE, HeaderValue, X_CONTENT_TYPE_OPTIONS};
use hyper::{Response, Version};

use crate::http::exchange::byte_budget::ByteBudget;
use crate::http::exchange::reply::{Reply, ReplyParts};
use crate::http::front::connection_state::ConnectionState;
use crate::http::front::request_id::X_REQUEST_ID;
use crate::http::front::response_body::{ChunkedBody, ResponseBody};

/// The response to a request of that version, with the headers that every response has.
pub(super) fn of_reply(
    reply: Reply,
    request_id: &HeaderValue,
    (version, closes): (Version, bool),
    budget: &Arc<ByteBudget>,
    state: &Arc<ConnectionState>,
) -> Response<ResponseBody> {
    let ReplyParts { status, mut headers, content_type, body, rest } =
        reply.into_parts(request_id.to_str().ok());
    let has_body = !body.is_empty() || rest.is_some();
    let mut response = Response::new(match rest {
        None => ResponseBody::whole(body),
        Some(rest) => {
            let (budget, state) = (Arc::clone(budget), Arc::clone(state));
            ResponseBody::Chunked(ChunkedBody::new(body, rest, budget, state))
        }
    });
    *response.status_mut() = status;
    headers.reserve(4);
    if has_body {
        headers.insert(CONTENT_TYPE, HeaderValue::from_static(content_type));
    }
    headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    headers.insert(X_REQUEST_ID, request_id.clone());
    if closes {
        headers.insert(CONNECTION, HeaderValue::from_static("close"));
        // hyper keeps a connection alive for an old client that asks for it unless the response
        // has the version of that client.
        *response.version_mut() = version;
    }
    *response.headers_mut() = headers;
    response
}
