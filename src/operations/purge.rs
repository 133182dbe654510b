//! Deletes finished executions: which ones, decided before anything is deleted.

use crate::base::timestamp::Timestamp;
use crate::repository::{Reader, StoreError};
use crate::workflow::retention::{self, PrunePlan, PrunePolicy};

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
) -> Result<PrunePlan, StoreError> {
    if let (true, Some(keep)) = (follows_daemon, reader.retention()?) {
        policy.keep = keep.or(Some(0));
    }
    Ok(retention::plan(&policy, &reader.finished()?, now))
}
