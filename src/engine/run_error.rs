//! Why an execution could not be brought to its end.

use std::sync::Arc;

use super::durability::Loss;
use crate::repository::StoreError;
use crate::workflow::execution::IllegalTransition;

/// Why an execution could not be brought to its end.
#[derive(Debug, thiserror::Error)]
pub enum RunError {
    /// It could not be stored, so nothing was started.
    #[error("nothing was started, since it could not be stored: {0}")]
    NotStored(Arc<StoreError>),
    /// The store failed during the execution for longer than the timeout.
    #[error("the store failed while the execution ran: {0}")]
    StoreLost(Arc<StoreError>),
    /// The repository refuses the changes of this execution.
    #[error("the repository refused the execution: {0}")]
    Refused(Arc<StoreError>),
    /// The executions of its concurrency group are in the way, or what is decided of its scheduled
    /// time; nothing is stored.
    #[error("nothing was started: {0}")]
    NoSlot(Arc<StoreError>),
    /// The process ends before it; what is stored of it stays as a crash would leave it.
    #[error("the process that ran it was told to end; what is stored of it stays to be recovered")]
    Abandoned {
        /// A commit holds it; otherwise it is lost, unless the last one of the writer does.
        is_stored: bool,
    },
    /// The process ends before the execution is stored. It never will be, and its start was not
    /// acknowledged.
    #[error("the process was told to end before the execution was stored; nothing was started")]
    Withdrawn,
    /// A fault of wfx.
    #[error("a fault of wfx: {0}")]
    Illegal(#[from] IllegalTransition),
}

impl RunError {
    /// The error of the store, if that is the cause.
    #[must_use]
    pub fn store_error(&self) -> Option<&StoreError> {
        match self {
            Self::NotStored(error)
            | Self::StoreLost(error)
            | Self::Refused(error)
            | Self::NoSlot(error) => Some(error),
            Self::Abandoned { .. } | Self::Withdrawn | Self::Illegal(_) => None,
        }
    }
}

impl RunError {
    /// What the repository refuses for this reason.
    pub(crate) fn refused(error: Arc<StoreError>) -> Self {
        let is_in_the_way = error.is_of_group() || error.is_of_schedule();
        if is_in_the_way { Self::NoSlot(error) } else { Self::Refused(error) }
    }
}

impl From<Loss> for RunError {
    fn from(loss: Loss) -> Self {
        match loss {
            Loss::Refused(error) => Self::refused(error),
            Loss::NotStored(error) => Self::NotStored(error),
            Loss::StoreLost(error) => Self::StoreLost(error),
        }
    }
}
