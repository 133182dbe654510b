//! Looks for requests to cancel executions, left in the database for the process that runs them.

use std::collections::HashSet;

use tokio::sync::mpsc::UnboundedSender;

use super::backend::Backend;
use crate::repository::ownership::takeover::CancelNotice;

/// Looks for requests to cancel the executions of one process.
#[derive(Debug)]
pub(crate) struct Watch {
    owner: String,
    sender: UnboundedSender<CancelNotice>,
    /// Those that were reported.
    reported: HashSet<String>,
    /// The number of changes at the last look, where the database counts them.
    change_count: Option<i64>,
}

impl Watch {
    pub(crate) fn new(owner: String, sender: UnboundedSender<CancelNotice>) -> Self {
        Self { owner, sender, reported: HashSet::new(), change_count: None }
    }

    /// Reports what was asked for over the writer's own connection, whose changes the database does
    /// not count.
    pub(crate) fn report(&mut self, owner: &str, execution_id: &str) {
        if owner == self.owner && self.reported.insert(execution_id.to_owned()) {
            let execution_id = execution_id.to_owned();
            let _ = self.sender.send(CancelNotice { execution_id, replaced_by: None });
        }
    }

    /// Looks again, though only this connection has changed something.
    pub(crate) fn look_again<B: Backend>(&mut self, backend: &mut B) -> Result<(), B::Error> {
        self.change_count = None;
        self.look(backend)
    }

    /// Reports what was asked for since the last look.
    pub(crate) fn look<B: Backend>(&mut self, backend: &mut B) -> Result<(), B::Error> {
        let change_count = backend.change_count()?;
        if change_count.is_some() && self.change_count == change_count {
            return Ok(());
        }
        let requested = backend.cancel_requests(&self.owner)?;
        for notice in requested.iter().filter(|it| !self.reported.contains(&it.execution_id)) {
            // Who no longer listens has ended.
            let _ = self.sender.send(notice.clone());
        }
        self.reported = requested.into_iter().map(|notice| notice.execution_id).collect();
        self.change_count = change_count;
        Ok(())
    }
}
