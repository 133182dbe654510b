//! Whether the daemon lives, and whether it can work.

use serde_json::json;

use super::Resources;
use crate::http::{Problem, Reply};
use crate::repository::Health;

pub(super) fn ping() -> Reply {
    Reply::json(&json!({"status": "ok"}))
}

pub(super) fn health() -> Reply {
    Reply::json(&json!({"status": "ok"}))
}

impl Resources {
    /// 200 while new executions are taken and stored.
    pub(super) fn ready(&self) -> Reply {
        if self.draining.is_cancelled() {
            return Problem::unavailable("wfx is being stopped", 5).into();
        }
        if let Health::Failing { error } = &*self.writer.health().borrow() {
            return super::unavailable(error).into();
        }
        Reply::json(&json!({"status": "ready", "unstored": self.memory.len()}))
    }
}
