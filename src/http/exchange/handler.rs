//! The hand-over from the front to what answers requests.

use std::fmt;
use std::fmt::Debug;
use std::future::Future;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use hyper::body::Bytes;
use hyper::{HeaderMap, Method, Uri};

use crate::http::exchange::bounded_wait::BoundedWait;
use crate::http::exchange::problem::Problem;
use crate::http::exchange::reply::Reply;
use crate::http::exchange::tokens::Session;

/// The label of a path that is no endpoint.
pub(crate) const OTHER: &str = "other";

/// Answers the requests that passed the front, and records every request.
pub trait Handler: Send + Sync + 'static {
    /// What requests can ask for.
    type Route: Endpoint;

    /// Answers one request. The call is dropped where it waits when the client leaves, so work
    /// that has to be completed runs in a task of its own.
    fn handle(&self, request: RoutedRequest<Self::Route>) -> impl Future<Output = Reply> + Send;

    /// The session that the cookies of a request belong to, if it has not ended.
    ///
    /// # Errors
    /// When that cannot be found out now.
    fn session(&self, _headers: &HeaderMap) -> Result<Option<Session>, Problem> {
        Ok(None)
    }

    /// How a request is refused: as a problem in JSON, or as a page for those who asked for one.
    fn refuse(&self, problem: Problem, _request: &RefusedRequest<'_>) -> Reply {
        problem.into()
    }

    /// Is called once for each request when its answer is known, also for those that the front
    /// refused. The answer is sent after this call, so it must not wait.
    fn record(&self, request: &AnsweredRequest<'_>);
}

/// One thing that can be asked for.
pub trait Endpoint: Send + Sized {
    /// Reads the path of a request, as sent; `None` where nothing is.
    ///
    /// # Errors
    /// 400 for a path that cannot be meant.
    fn parse(path: &str) -> Result<Option<Self>, Problem>;

    /// How metrics name it: the path with the names of its variables.
    fn label(&self) -> &'static str;

    /// Whether it is asked for with POST: it changes something, and may have a body.
    fn is_post(&self) -> bool;

    /// Whether it says that the daemon lives. Such a request needs no connection slot.
    fn is_probe(&self) -> bool;

    /// Whether its answer gets an entity tag.
    fn is_tagged(&self) -> bool;

    /// Whether it is part of the web page: sessions open it, and it takes forms.
    fn is_page(&self) -> bool {
        false
    }

    /// Whether it needs no token.
    fn is_open(&self) -> bool {
        false
    }

    /// The methods it takes, as in the header `Allow`.
    fn allow(&self) -> &'static str {
        if self.is_post() { "POST, OPTIONS" } else { "GET, HEAD, OPTIONS" }
    }

    /// Whether it takes `method`.
    fn takes(&self, method: &Method) -> bool {
        match *method {
            Method::GET | Method::HEAD => !self.is_post(),
            Method::POST => self.is_post(),
            Method::OPTIONS => true,
            _ => false,
        }
    }
}

/// A request that passed the front.
#[derive(Debug, Clone)]
pub struct RoutedRequest<R> {
    /// What is asked for. Each route has one method, so it also says what is to be done.
    pub route: R,
    /// The query string as sent, without `?`.
    pub query: String,
    /// The whole body of a POST that has one.
    pub body: Option<Bytes>,
    /// The header `Accept`, as sent; empty where there is none.
    pub accept: String,
    /// The id under which this request is logged.
    pub request_id: String,
    /// How long it may wait for what it starts.
    pub bounded_wait: BoundedWait,
    /// Who made it.
    pub caller: Caller,
    /// What only the web page needs to know of it.
    pub page: Option<Box<PageHead>>,
}

/// What the web page needs to know of a request.
#[derive(Debug, Clone)]
pub struct PageHead {
    /// Its target as sent, without the query.
    pub path: String,
    /// It has a form.
    pub is_post: bool,
    /// As sent.
    pub headers: HeaderMap,
    /// It has access by a session.
    pub has_session: bool,
    /// The URL under which the server is reached is `https`.
    pub is_https: bool,
}

/// A request that is refused.
#[derive(Debug, Clone, Copy)]
pub struct RefusedRequest<'a> {
    /// As sent.
    pub method: &'a Method,
    /// As sent.
    pub uri: &'a Uri,
    /// As sent.
    pub headers: &'a HeaderMap,
}

/// Who made a request that passed the front.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Caller {
    /// Where it came from.
    pub remote: Remote,
    /// The name of the token that it had.
    pub token: Option<Arc<str>>,
    /// It came from the web page.
    pub is_page: bool,
}

/// Who made a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Remote {
    /// The address of the client.
    Address(SocketAddr),
    /// A process of this machine, through a unix socket.
    Unix {
        /// The number of its user, if the system gives it.
        user: Option<u32>,
    },
}

impl fmt::Display for Remote {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Address(address) => write!(f, "{address}"),
            Self::Unix { user: Some(user) } => write!(f, "unix:uid={user}"),
            Self::Unix { user: None } => f.write_str("unix"),
        }
    }
}

/// A request whose answer is known.
#[derive(Debug, Clone, Copy)]
pub struct AnsweredRequest<'a> {
    /// [`Endpoint::label`], or [`OTHER`] where there is no such endpoint.
    pub route_label: &'static str,
    /// As sent; `-` where the head could not be read.
    pub method: &'a str,
    /// As sent, without the query; `-` where the head could not be read.
    pub path: &'a str,
    /// Of the answer.
    pub status: u16,
    /// The status that says how wfx served the request: another one where the answer has that of an
    /// execution which the client waited for.
    pub served_as: u16,
    /// From the head to the answer, or to the moment given to [`Reply::counted_until`].
    pub latency: Duration,
    /// As in the answer's `X-Request-Id`.
    pub request_id: &'a str,
    /// The client.
    pub remote: Option<Remote>,
    /// When the head was complete, on the monotonic clock.
    pub started: Instant,
    /// When the answer was known, on the same clock.
    pub ended: Instant,
    /// It was for the web page.
    pub is_page: bool,
}
