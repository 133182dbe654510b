//! Everything that a request passes before a resource answers it.

pub mod access;
pub mod connection;
pub(super) mod connection_slots;
pub(super) mod connection_state;
pub(super) mod raw_head;
pub(super) mod response_body;
pub mod server;
pub(super) mod service;
pub(super) mod transport;
