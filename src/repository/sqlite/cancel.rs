//! Requests to cancel executions, left in the database for the process that runs them.

use std::collections::HashSet;

use rusqlite::Connection;
use tokio::sync::mpsc::UnboundedSender;

/// Looks for requests to cancel the executions of one process.
#[derive(Debug)]
pub(crate) struct Watch {
    owner: String,
    sender: UnboundedSender<String>,
    /// Those that were told.
    told: HashSet<String>,
    /// What SQLite counts changes of other connections by.
    data_version: Option<i64>,
}

impl Watch {
    pub(crate) fn new(owner: String, sender: UnboundedSender<String>) -> Self {
        Self { owner, sender, told: HashSet::new(), data_version: None }
    }

    /// Sends on what was asked for over the writer's own connection, which SQLite counts no
    /// change of.
    pub(crate) fn tell(&mut self, owner: &str, execution_id: &str) {
        if owner == self.owner && self.told.insert(execution_id.to_owned()) {
            let _ = self.sender.send(execution_id.to_owned());
        }
    }

    /// Sends on what was asked for since the last look.
    pub(crate) fn look(&mut self, connection: &Connection) -> rusqlite::Result<()> {
        let data_version =
            connection.prepare_cached("PRAGMA data_version")?.query_row([], |row| row.get(0))?;
        if self.data_version == Some(data_version) {
            return Ok(());
        }
        let requested: HashSet<String> = connection
            .prepare_cached(
                "SELECT execution_id FROM workflow_executions
                 WHERE status IN ('pending', 'running') AND status <> 'success'
                   AND owner = ?1 AND cancel_requested_at IS NOT NULL",
            )?
            .query_map([&self.owner], |row| row.get(0))?
            .collect::<Result<_, _>>()?;
        for execution_id in requested.difference(&self.told) {
            // Who no longer listens has ended.
            let _ = self.sender.send(execution_id.clone());
        }
        self.told = requested;
        self.data_version = Some(data_version);
        Ok(())
    }
}
