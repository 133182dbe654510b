//! `wfx serve` over HTTP, in rooms of which each names only what stands below it here:
//!
//! - [`page`]: the web page, and the handler of all that is served
//! - [`api`]: the resources, and how requests name them
//! - [`front`]: the connection, its limits and the rules for access
//! - [`observe`]: what is recorded of each request
//! - [`exchange`]: what the front and the handlers behind it exchange
//!
//! The front never names the API: it hands requests to a [`Handler`](exchange::handler::Handler), whose [`Endpoint`](exchange::handler::Endpoint)s say what
//! the front has to know of them. A request passes the limits of its connection, the rules for
//! hosts, tokens and origins ([`front::access`]), the table of routes ([`api::route`]), the rules
//! for bodies ([`front::request_body`]), and then the resources. They answer with a [`Reply`](exchange::reply::Reply), and
//! refuse with a [`Problem`](exchange::problem::Problem). Each request is recorded once, whatever becomes of it.
//!
//! Nothing here knows the command line or a terminal.

pub(crate) mod api;
pub(crate) mod exchange;
pub(crate) mod front;
pub(crate) mod observe;
pub(crate) mod page;
#[cfg(test)]
mod tests;
