//! Deletes finished executions: which ones, decided before anything is deleted.

use crate::base::timestamp::Timestamp;
use crate::repository::{Reader, StoreError};
use crate::workflow::retention::{self, History, PrunePlan, PrunePolicy};

/// What a purge would do with each execution.
#[derive(Debug)]
pub(crate) struct Planned {
    /// What it deletes.
    pub plan: PrunePlan,
    /// All executions.
    pub history: History,
}

/// The executions that `policy` deletes. With `follows_daemon`, what the daemon of this database
/// keeps goes before `policy.keep`, which is only a default.
///
/// # Errors
/// When the database cannot be read.
pub(crate) fn plan(
    reader: &Reader,
    mut policy: PrunePolicy,
    follows_daemon: bool,
    now: Timestamp,
) -> Result<Planned, StoreError> {
    if let (true, Some(keep)) = (follows_daemon, reader.retention()?) {
        policy.keep = keep;
    }
    let history = reader.history()?;
    Ok(Planned { plan: retention::plan(&policy, &history, now), history })
}
