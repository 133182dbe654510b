//! Ends an execution, whichever process runs it.

use std::sync::Arc;
use std::time::Duration;

use super::recover;
use crate::engine::cancel::Cancel;
use crate::engine::memory::Memory;
use crate::engine::recovery::One;
use crate::engine::supervisor::Supervisor;
use crate::repository::{CancelRequest, StoreError, TakenOver, Writer};
use crate::workflow::record::ExecutionStatus;
use crate::workflow::report::Observer;
use crate::workflow::trigger::Requester;

/// Who ends it now.
#[derive(Debug)]
pub(crate) enum Requested {
    /// This process.
    Here,
    /// The process that runs it, which finds the request stored; nobody, if that is dead.
    Stored {
        /// The owner of the execution.
        owner: Option<String>,
    },
}

/// Why there is nothing to end.
#[derive(Debug)]
pub(crate) enum NotCancelled {
    /// There is no such execution.
    Unknown,
    Ended(ExecutionStatus),
    /// The store fails, and it does not run here.
    Store(StoreError),
}

/// Asks for the end of an execution. Blocks while the request is stored; others may have the
/// database locked for `patience`. What runs here needs no database to be ended. `unstored` are
/// executions that no database has.
///
/// # Errors
/// Every [`NotCancelled`].
pub(crate) fn request(
    supervisor: &Supervisor,
    writer: &Writer,
    unstored: Option<&Memory>,
    execution_id: &str,
    requester: &Requester,
    patience: Duration,
) -> Result<Requested, NotCancelled> {
    if let Some(status) = unstored.and_then(|unstored| unstored.status(execution_id)) {
        if status.is_terminal() {
            return Err(NotCancelled::Ended(status));
        }
        supervisor.cancel(execution_id);
        return Ok(Requested::Here);
    }
    match writer.request_cancel(execution_id, requester, patience) {
        Err(_) if supervisor.cancel(execution_id) => Ok(Requested::Here),
        Err(error) => Err(NotCancelled::Store(error)),
        Ok(CancelRequest::Unknown) => Err(NotCancelled::Unknown),
        Ok(CancelRequest::Ended(status)) => Err(NotCancelled::Ended(status)),
        Ok(CancelRequest::Stored { .. }) if supervisor.cancel(execution_id) => Ok(Requested::Here),
        Ok(CancelRequest::Stored { owner }) => Ok(Requested::Stored { owner }),
    }
}

/// Ends an execution that was requested to, if its process is dead; one that has an owner is left
/// to it.
///
/// # Errors
/// When the database fails before it is taken over.
pub(crate) async fn finish_abandoned(
    supervisor: &Supervisor,
    execution_id: &str,
    observer: impl FnOnce(&TakenOver) -> Arc<dyn Observer>,
    cancel: &Cancel,
) -> Result<One, StoreError> {
    recover::one(supervisor, execution_id, false, observer, cancel).await
}
