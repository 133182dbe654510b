//! What the front and the handlers behind it exchange: the one thing that both of them name.
//!
//! - [`handler`]: the hand-over: a request in, a reply out, and the record of both
//! - [`reply`], [`problem`]: replies; a request that was not done, as RFC 9457 writes it
//! - [`chunk_source`]: the rest of a long reply, produced chunk by chunk
//! - [`live_stream`]: a reply of unbounded length, sent while it is produced
//! - [`bounded_wait`]: how long a request may wait for what it started
//! - `byte_budget`: the bytes that all long bodies of a server may hold

pub(crate) mod bounded_wait;
pub(super) mod byte_budget;
pub(crate) mod chunk_source;
pub(crate) mod handler;
pub(crate) mod live_stream;
pub(crate) mod problem;
pub(crate) mod reply;
pub(crate) mod tokens;
