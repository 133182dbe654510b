//! Notifications: what is said to whom, and how it gets there.
//!
//! - [`channel`]: where notifications go                                             (pure)
//! - [`text`]: what they say to people; what is fed by steps cannot mention, link or format (pure)
//! - [`receivers`]: the request or mail of each kind of channel                      (pure)
//! - [`mask`], [`excerpt`]: the last lines of a step, without secrets, and cut     (pure)
//! - [`own_words`]: errors that hold no secret                                       (pure)
//! - [`last_output`]: reads them when a notification is sent
//! - [`sender`], [`smtp`]: one attempt, and how it fails ([`attempt`])
//! - [`courier`]: the outbox of a channel, attempt by attempt
//! - [`alerts`]: alerts of service levels, which never wait for the store
//! - [`testing`]: tests of channels
//! - [`heartbeat`]: tells an outside watcher that the daemon lives

pub(crate) mod alerts;
mod attempt;
pub(crate) mod channel;
pub(crate) mod courier;
mod excerpt;
pub(crate) mod heartbeat;
pub(crate) mod last_output;
pub(crate) mod mask;
mod own_words;
pub(crate) mod receivers;
pub(crate) mod sender;
mod smtp;
pub(crate) mod testing;
pub(crate) mod text;
