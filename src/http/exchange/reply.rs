//! What goes back: a status, headers, a body.

use std::fmt;
use std::hash::{DefaultHasher, Hasher};
use std::mem;
use std::time::Instant;

use hyper::body::Bytes;
use hyper::header::{ETAG, HeaderName, HeaderValue, IF_NONE_MATCH};
use hyper::{HeaderMap, StatusCode};
use serde::Serialize;
use tokio_util::sync::CancellationToken;

use crate::base::json;
use crate::http::exchange::byte_budget::ByteBudget;
use crate::http::exchange::chunk_source::ChunkSource;
use crate::http::exchange::live_stream::{LiveReceiver, LiveSender, live_stream};
use crate::http::exchange::problem::{self, Problem};

/// Seconds until a long answer may find room.
const RETRY_AFTER: u32 = 1;

/// The media type of most replies.
const JSON: &str = "application/json";

/// The answer to a request.
#[derive(Debug)]
pub struct Reply {
    /// Its status.
    pub status: StatusCode,
    /// Headers beyond those that every answer gets.
    pub headers: HeaderMap,
    /// The media type of the body; not sent where there is none.
    pub content_type: &'static str,
    /// The whole body, or its begin.
    pub body: Bytes,
    /// The rest of the body.
    rest: Option<Rest>,
    /// The problem in the body, if it is one: it is written again with the id of the request.
    problem: Option<Box<Problem>>,
    /// Its entity tag, if that is known already.
    tag: Option<[u8; 18]>,
    /// Until when the request's latency counts, if not until its answer.
    counted_until: Option<Instant>,
    /// How the request was served, if its status says something else.
    served_as: Option<StatusCode>,
}

impl Reply {
    /// A reply of its own kind.
    #[must_use]
    pub fn new(status: StatusCode, content_type: &'static str, body: impl Into<Bytes>) -> Self {
        Self {
            status,
            headers: HeaderMap::new(),
            content_type,
            body: body.into(),
            rest: None,
            problem: None,
            tag: None,
            counted_until: None,
            served_as: None,
        }
    }

    /// 200 with a value as JSON; 500 for one that has no JSON.
    #[must_use]
    pub fn json(value: &impl Serialize) -> Self {
        match json::to_vec(value) {
            Ok(body) => Self::json_text(body),
            Err(error) => {
                tracing::error!(%error, "cannot write an answer as JSON");
                let detail = "the answer could not be written as JSON; the log tells more";
                Problem::new(StatusCode::INTERNAL_SERVER_ERROR, detail).into()
            }
        }
    }

    /// 200 with what is JSON already.
    #[must_use]
    pub fn json_text(text: impl Into<Bytes>) -> Self {
        Self::new(StatusCode::OK, JSON, text)
    }

    /// 200 with what is JSON once the chunks of `rest` have followed `begin`. It has no entity tag:
    /// that would need all of it at once.
    #[must_use]
    pub fn json_chunks(begin: Vec<u8>, rest: impl ChunkSource) -> Self {
        Self { rest: Some(Rest::Chunks(Box::new(rest))), ..Self::json_text(begin) }
    }

    /// 200 with a body that is sent while it is produced, and its producer's side. For the output
    /// of running steps and for server-sent events; such a reply has no entity tag, and its latency
    /// is counted until its head.
    ///
    /// The stream holds the slot of its connection until it ends, and half of all slots at most are
    /// for streams: beyond, the client gets 503. A client that closes its sending side has left.
    #[must_use]
    pub fn live(content_type: &'static str) -> (Self, LiveSender) {
        let (sender, receiver) = live_stream();
        let reply = Self::new(StatusCode::OK, content_type, Bytes::new());
        (Self { rest: Some(Rest::Live(receiver)), ..reply }, sender)
    }

    /// Whether more follows what is there.
    pub(in crate::http) fn is_streamed(&self) -> bool {
        self.rest.is_some()
    }

    /// What ends the stream that follows, if the reply is [`Self::live`].
    pub(in crate::http) fn live_end_token(&self) -> Option<CancellationToken> {
        match &self.rest {
            Some(Rest::Live(receiver)) => Some(receiver.end_token()),
            None | Some(Rest::Chunks(_)) => None,
        }
    }

    /// The same, its body counted in the budget of all answers; 503 where that has no room.
    pub(in crate::http) fn within(mut self, budget: &ByteBudget) -> Self {
        match budget.admit(mem::take(&mut self.body)) {
            Some(body) => {
                self.body = body;
                self
            }
            None => {
                let detail = "too many long answers are being sent at the moment";
                Problem::unavailable(detail, RETRY_AFTER).into()
            }
        }
    }

    /// 204: done, and nothing to tell.
    #[must_use]
    pub fn empty() -> Self {
        Self::new(StatusCode::NO_CONTENT, JSON, Bytes::new())
    }

    /// The same with a header; one of the same name is replaced.
    #[must_use]
    pub fn with_header(mut self, name: HeaderName, value: HeaderValue) -> Self {
        self.headers.insert(name, value);
        self
    }

    /// The same, its latency counted until `moment` only: what came after it was waited for
    /// because the client asked to.
    #[must_use]
    pub fn counted_until(self, moment: Instant) -> Self {
        Self { counted_until: Some(moment), ..self }
    }

    /// The same with a status that says how an execution ended. For the service levels the request
    /// was served with the status that the reply had before.
    #[must_use]
    pub fn with_outcome(self, status: StatusCode) -> Self {
        Self { served_as: Some(self.served_as()), status, ..self }
    }

    pub(in crate::http) fn served_as(&self) -> StatusCode {
        self.served_as.unwrap_or(self.status)
    }

    pub(in crate::http) fn latency_end(&self) -> Option<Instant> {
        self.counted_until
    }

    /// The entity tag of its body.
    pub(in crate::http) fn body_tag(&self) -> [u8; 18] {
        hashed(&self.body)
    }

    /// The same, its entity tag known: for an answer that is given more than once.
    #[must_use]
    pub(in crate::http) fn with_tag(self, tag: [u8; 18]) -> Self {
        Self { tag: Some(tag), ..self }
    }

    /// Names the body by its hash; a client that has just this body gets 304 instead.
    pub(in crate::http) fn tag(&mut self, asked: &HeaderMap) {
        if self.status != StatusCode::OK || self.is_streamed() {
            return;
        }
        let tag = self.tag.unwrap_or_else(|| hashed(&self.body));
        let has = asked.contains_key(IF_NONE_MATCH)
            && asked.get_all(IF_NONE_MATCH).iter().any(|value| names(value.as_bytes(), &tag));
        if has {
            self.status = StatusCode::NOT_MODIFIED;
            self.body = Bytes::new();
        }
        if let Ok(tag) = HeaderValue::from_bytes(&tag) {
            self.headers.insert(ETAG, tag);
        }
    }

    /// Its parts, with the id of the request in the body of a problem.
    pub(in crate::http) fn into_parts(self, request_id: Option<&str>) -> ReplyParts {
        let Self { status, headers, content_type, body, rest, problem, .. } = self;
        let body = problem.map_or(body, |problem| problem.to_json(request_id).into());
        ReplyParts { status, headers, content_type, body, rest }
    }
}

/// What a response is made of.
pub(in crate::http) struct ReplyParts {
    pub(in crate::http) status: StatusCode,
    pub(in crate::http) headers: HeaderMap,
    pub(in crate::http) content_type: &'static str,
    pub(in crate::http) body: Bytes,
    pub(in crate::http) rest: Option<Rest>,
}

/// What follows the begin of a body.
pub(in crate::http) enum Rest {
    /// Chunks that are produced when the connection asks for them.
    Chunks(Box<dyn ChunkSource>),
    /// Chunks that come when their producer has them.
    Live(LiveReceiver),
}

impl fmt::Debug for Rest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Rest")
    }
}

impl From<Problem> for Reply {
    fn from(problem: Problem) -> Self {
        let mut reply = Self::new(problem.status(), problem::CONTENT_TYPE, problem.to_json(None));
        for (name, value) in problem.headers() {
            reply.headers.append(name, value.clone());
        }
        reply.problem = Some(Box::new(problem));
        reply
    }
}

impl<E: Into<Problem>> From<Result<Reply, E>> for Reply {
    fn from(result: Result<Reply, E>) -> Self {
        result.unwrap_or_else(|problem| problem.into().into())
    }
}

/// The tag of a body. Without a key, so that it outlives the process: it tells bodies
/// apart, and protects nothing.
fn hashed(body: &[u8]) -> [u8; 18] {
    let mut hasher = DefaultHasher::new();
    hasher.write(body);
    quoted(hasher.finish())
}

/// `"0123456789abcdef"`, quotes included, as an entity tag is written.
fn quoted(hash: u64) -> [u8; 18] {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    let mut tag = [b'"'; 18];
    for (at, byte) in hash.to_be_bytes().into_iter().enumerate() {
        tag[1 + 2 * at] = DIGITS[usize::from(byte >> 4)];
        tag[2 + 2 * at] = DIGITS[usize::from(byte & 15)];
    }
    tag
}

/// Whether `If-None-Match` names the tag: `*`, or a list with it, weak or strong.
fn names(value: &[u8], tag: &[u8]) -> bool {
    value
        .split(|&byte| byte == b',')
        .map(<[u8]>::trim_ascii)
        .any(|entry| entry == b"*" || entry.strip_prefix(b"W/").unwrap_or(entry) == tag)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tag_is_known_again() {
        let tag = quoted(0x0123_4567_89ab_cdef);
        assert_eq!(&tag, b"\"0123456789abcdef\"");
        for (value, known) in [
            (r#""0123456789abcdef""#, true),
            (r#"W/"0123456789abcdef""#, true),
            (r#""x" , "0123456789abcdef""#, true),
            ("*", true),
            ("0123456789abcdef", false),
            (r#""0123456789abcdee""#, false),
            ("", false),
        ] {
            assert_eq!(names(value.as_bytes(), &tag), known, "{value}");
        }
    }

    #[test]
    fn only_what_is_there_gets_a_tag() {
        let asked = HeaderMap::new();
        let mut found = Reply::json(&"x");
        found.tag(&asked);
        assert!(found.headers.contains_key(ETAG));
        let mut missing = Reply::from(Problem::not_found("x"));
        missing.tag(&asked);
        assert!(!missing.headers.contains_key(ETAG));
    }
}
