//! The front of `wfx serve`: everything that stands before the resources.
//!
//! A request passes, in this order: the limits of its connection ([`connection`]), the
//! rules for hosts, tokens and origins ([`access`]), the table of routes ([`route`]), the
//! rules for bodies, and then the resources, which are an [`Api`]. What they answer is a
//! [`Reply`]; what they refuse is a [`Problem`]. Whatever happens to a request, the
//! [`Api`] is told once that it is done.
//!
//! - [`server`]: accepts connections until told to stop, and waits for those in progress
//! - `room`: places for connections, and who gives way where there are none
//! - [`connection`]: one connection: hyper, watched over by one timer
//! - `link`, `wire`: what a connection is doing just now; the bytes below hyper
//! - `tape`: the head of a request as it was sent
//! - `service`: one request from its head to its reply
//! - [`access`], [`route`], [`query`], [`body`]: the rules, without a socket
//! - [`reply`], [`problem`], `answer_body`: what goes back; [`access_log`]: what is kept of it
//!
//! Nothing here knows the command line or a terminal.

use std::future::Future;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use hyper::body::Bytes;

pub mod access;
pub mod access_log;
mod answer_body;
pub mod body;
pub mod connection;
mod link;
pub mod problem;
pub mod query;
pub mod reply;
pub mod resources;
mod room;
pub mod route;
pub mod server;
mod service;
mod tape;
#[cfg(test)]
mod tests;
mod wire;

pub use answer_body::Pieces;
pub use link::Patience;
pub use problem::Problem;
pub use reply::Reply;
pub use route::Route;
pub use server::{FrontOptions, serve};

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
    /// The query string as sent, without `?`: [`query::pairs`] reads it.
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
    /// [`Route::label`], or [`route::OTHER`] where there is no such route.
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
    /// When the answer was known, on the same clock.
    pub ended: Instant,
}
