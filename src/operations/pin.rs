//! Pins an execution, so that no retention deletes it, or unpins it.

use std::time::Duration;

use crate::engine::memory::Memory;
use crate::repository::{StoreError, Writer};
use crate::workflow::pin::Pin;

/// The longest reason.
pub(crate) const REASON_BYTES_MAX: usize = 1_000;

/// Why an execution is neither pinned nor unpinned.
#[derive(Debug)]
pub(crate) enum NotPinned {
    /// There is no such execution.
    Unknown,
    /// It runs, and no database has it yet.
    Unstored,
    /// The reason is longer than [`REASON_BYTES_MAX`]: so many bytes.
    LongReason(usize),
    /// The store fails.
    Store(StoreError),
}

/// Pins an execution, anew if it is pinned; with `None` unpins it. Blocks while that is stored;
/// others may have the database locked for `patience`. `unstored` are executions that no database
/// has.
///
/// # Errors
/// Every [`NotPinned`].
pub(crate) fn set(
    writer: &Writer,
    unstored: Option<&Memory>,
    execution_id: &str,
    pin: Option<&Pin>,
    patience: Duration,
) -> Result<(), NotPinned> {
    let reason = pin.and_then(|pin| pin.reason.as_deref()).unwrap_or_default();
    if reason.len() > REASON_BYTES_MAX {
        return Err(NotPinned::LongReason(reason.len()));
    }
    match writer.pin(execution_id, pin, patience) {
        Ok(true) => Ok(()),
        Ok(false) if unstored.is_some_and(|unstored| unstored.status(execution_id).is_some()) => {
            Err(NotPinned::Unstored)
        }
        Ok(false) => Err(NotPinned::Unknown),
        Err(error) => Err(NotPinned::Store(error)),
    }
}
