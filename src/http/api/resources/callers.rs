//! The names of those who make requests, as executions keep them.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use crate::http::exchange::handler::{Caller, Remote};
use crate::system::users;
use crate::workflow::trigger::Requester;

/// The most users whose names are kept.
const USERS_MAX: usize = 1024;

/// The names of users who came through a unix socket. Each is looked up once: the system reads files
/// for that, or asks other machines.
#[derive(Debug, Default)]
pub(crate) struct Callers(Mutex<HashMap<u32, Arc<str>>>);

impl Callers {
    /// Who made a request: the name of the token, else the user at the other end of a unix socket.
    pub(super) fn name(&self, caller: &Caller) -> Option<String> {
        if let Some(token) = &caller.token {
            return Some(token.to_string());
        }
        match caller.remote {
            Remote::Unix { user: Some(user) } => Some(self.user(user).to_string()),
            Remote::Unix { user: None } | Remote::Address(_) => None,
        }
    }

    /// Who made a request, with the address of whoever used the web page.
    pub(super) fn requester(&self, caller: &Caller) -> Requester {
        Requester { by: self.name(caller), address: Self::address(caller) }
    }

    /// The address of whoever used the web page; nothing is kept of those of other requests.
    fn address(caller: &Caller) -> Option<String> {
        match caller.remote {
            Remote::Address(address) if caller.is_page => Some(address.ip().to_string()),
            _ => None,
        }
    }

    fn user(&self, user: u32) -> Arc<str> {
        // Each change is one insertion.
        let mut names = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if names.len() >= USERS_MAX && !names.contains_key(&user) {
            names.clear();
        }
        Arc::clone(names.entry(user).or_insert_with(|| users::name(user).into()))
    }
}
