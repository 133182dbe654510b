//! The front of `wfx serve`: everything that stands before the resources.
//!
//! A request passes, in this order: the limits of its connection ([`front::connection`]), the
//! rules for hosts, tokens and origins ([`front::access`]), the table of routes ([`api::route`]), the
//! rules for bodies, and then the resources, which are an [`Api`]. What they answer is a
//! [`Reply`]; what they refuse is a [`Problem`]. Whatever happens to a request, the
//! [`Api`] is told once that it is done.
//!
//! - [`front`]: the connection, its limits and the rules for access
//! - [`exchange`]: what the front and the resources exchange
//! - [`api`]: the resources, and how requests name them
//! - [`observe`]: what is recorded of each request
//!
//! Nothing here knows the command line or a terminal.

use std::future::Future;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use hyper::body::Bytes;

pub mod api;
pub mod exchange;
pub mod front;
pub mod observe;
#[cfg(test)]
mod tests;

pub use api::route::Route;
pub use exchange::problem::Problem;
pub use exchange::reply::Reply;
pub use front::connection_state::Patience;
pub use front::response_body::Pieces;
pub use front::server::{FrontOptions, serve};

/// What answers the requests that came through the front.
pub trait Api: Send + Sync + 'static {
    /// Answers one request. When the client goes away the call is dropped where it waits:
    /// what has to be brought to its end runs on its own.
    fn call(&self, call: Call) -> impl Future<Output = Reply> + Send;

    /// Hears of each request once, when its answer is known: of those that were refused
    /// before [`Api::call`] too. It is called on the way of the answer and must not wait.
    fn done(&self, seen: &Seen<'_>);
}

/// A request that is for the resources to answer.
#[derive(Debug, Clone)]
pub struct Call {
    /// What is asked for. Each route has one method, so it says what is to be done as well.
    pub route: Route,
    /// The query string as sent, without `?`: [`api::query::pairs`] reads it.
    pub query: String,
    /// The whole body of a POST that has one.
    pub body: Option<Bytes>,
    /// The id under which this request is logged.
    pub request_id: String,
    /// How long it may wait for what it starts.
    pub patience: Patience,
}

/// A request that is answered.
#[derive(Debug, Clone, Copy)]
pub struct Seen<'a> {
    /// [`Route::label`], or [`api::route::OTHER`] where there is no such route.
    pub route_label: &'static str,
    /// As sent; `-` where the head could not be read.
    pub method: &'a str,
    /// As sent, without the query; `-` where the head could not be read.
    pub path: &'a str,
    /// Of the answer.
    pub status: u16,
    /// From the head to the answer, or to what [`Reply::counted_until`] says.
    pub latency: Duration,
    /// As in the answer's `X-Request-Id`.
    pub request_id: &'a str,
    /// Who asked.
    pub remote: Option<SocketAddr>,
    /// When the head was complete, on the monotonic clock.
    pub started: Instant,
}
