//! A connection that deletes what is beyond the number of executions that is kept, while the other one
//! writes.

use std::time::Duration;

use super::address::Address;
use crate::repository::sql::client::{Client, Sent};
use crate::repository::sql::{self, Row};

/// How long the connection may take, and each answer: nothing is stored while it is waited for.
const CONNECTING: Duration = Duration::from_secs(1);
const PATIENCE: Duration = Duration::from_secs(2);
/// The call: the token of the process, the number of the call, and how many are kept.
const CALL: &str = "SELECT more FROM prune_v2(?1, ?2, ?3)";

/// The connection, and the call that it is at.
#[derive(Default)]
pub(super) struct Pruner {
    client: Option<Client>,
    sent: Option<Sent>,
    /// How many calls there were.
    number: i64,
}

impl Pruner {
    /// Begins to delete all but `keep` executions, for the process with this token.
    pub(super) fn begin(
        &mut self,
        address: &Address,
        setup: &str,
        token: i64,
        keep: u64,
    ) -> sql::Result<()> {
        let client = match self.client.take().filter(|client| !client.is_closed()) {
            Some(client) => client,
            None => address.connect(setup, CONNECTING, Some(PATIENCE))?,
        };
        let client = self.client.insert(client);
        let call = client.prepare(CALL)?;
        self.number += 1;
        let keep = i64::try_from(keep).unwrap_or(i64::MAX);
        self.sent = Some(client.send(&call, vec![token, self.number, keep])?);
        Ok(())
    }

    /// Waits for what was begun; whether there is more to delete.
    pub(super) fn end(&mut self) -> sql::Result<bool> {
        let (Some(sent), Some(client)) = (self.sent.take(), &self.client) else { return Ok(false) };
        let rows = client.answer(sent)?;
        rows.first().map_or(Ok(false), |row| Row::Postgres(row).get(0))
    }
}
