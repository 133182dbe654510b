//! What a request passes before a handler answers it: the limits of its connection, the rules for
//! hosts, tokens and origins, and the rules for bodies. The handler is all that the front knows of
//! what is behind it.
//!
//! - [`server`]: accepts connections until it is stopped, and drains those in progress
//! - [`socket`]: what connections come from, TCP or a unix socket
//! - [`connection`]: one connection: hyper, watched by one timer
//! - `connection_slots`: slots for connections, and which one is evicted when none is free
//! - `connection_state`, `transport`: what a connection is doing; the bytes below hyper
//! - `raw_head`: the head of a request as it was sent
//! - `service`: one request from its head to its response
//! - [`access`], [`authority`], [`request_body`], `request_id`: the rules, without a socket
//! - `response`, `response_body`: replies as hyper sends them

pub(crate) mod access;
pub(crate) mod authority;
pub(crate) mod connection;
mod connection_slots;
pub(super) mod connection_state;
mod raw_head;
pub(crate) mod request_body;
mod request_id;
mod response;
mod response_body;
pub(crate) mod server;
mod service;
pub(crate) mod socket;
mod transport;
