//! Whether the daemon lives, and whether it can work.

use serde_json::json;

use crate::http::api::resources::context::Resources;
use crate::http::exchange::problem::Problem;
use crate::http::exchange::reply::Reply;
use crate::repository::Health;

/// It is always the same.
const OK: &[u8] = br#"{"status":"ok"}"#;

pub(super) fn ping() -> Reply {
    Reply::json_text(OK)
}

pub(super) fn health() -> Reply {
    Reply::json_text(OK)
}

impl Resources {
    /// 200 while new executions are taken and stored, and their steps can run.
    pub(super) fn ready(&self) -> Reply {
        if self.draining.is_cancelled() {
            return Problem::unavailable("wfx is being stopped", 5).into();
        }
        if !self.is_store_up() {
            // Asked without a token: the log says what it is.
            return Problem::unavailable("the database does not take commits", 2).into();
        }
        if !self.supervisor.can_run_commands() {
            let what = "no temporary files can be made, without which steps fail";
            return Problem::unavailable(what, 2).into();
        }
        let mut ready = json!({"status": "ready", "unstored": self.memory.len()});
        if let Some(server) = &*self.server.borrow() {
            ready["guarantee"] = server.guarantee().as_str().into();
        }
        Reply::json(&ready)
    }

    /// Whether the last commit succeeded, none hangs, and there is somebody to make the next.
    pub(super) fn is_store_up(&self) -> bool {
        let health = self.writer.health();
        let is_working = matches!(*health.borrow(), Health::Working);
        is_working && !self.writer.is_stalled() && health.has_changed().is_ok()
    }
}
