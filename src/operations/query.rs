//! Finds an execution, stored or not.

use crate::engine::memory::Memory;
use crate::repository::{Reader, StoreError};
use crate::workflow::record::{ExecutionDetail, ExecutionRecord};

/// The id of the execution that `reference` names: an id, a unique prefix of one, `@latest`, `@N`, or
/// the id of a workflow, whose latest one it is. `unstored` are executions that no database has.
///
/// # Errors
/// When the database fails, or several executions fit.
pub(crate) fn execution_id(
    reader: &Reader,
    unstored: &Memory,
    reference: &str,
) -> Result<Option<String>, StoreError> {
    let unstored = unstored.candidates();
    Ok(reader.resolve(reference, &unstored)?.map(|found| found.execution_id))
}

/// The execution that `reference` names, as [`execution_id`], without its steps.
///
/// # Errors
/// When the database fails, or several executions fit.
pub(crate) fn record(
    reader: &Reader,
    reference: &str,
) -> Result<Option<ExecutionRecord>, StoreError> {
    match reader.resolve(reference, &[])? {
        Some(found) => reader.execution(&found.execution_id),
        None => Ok(None),
    }
}

/// The same with its steps.
///
/// # Errors
/// As [`record`].
pub(crate) fn detail(
    reader: &Reader,
    reference: &str,
) -> Result<Option<ExecutionDetail>, StoreError> {
    match reader.resolve(reference, &[])? {
        Some(found) => reader.detail(&found.execution_id),
        None => Ok(None),
    }
}

/// An execution that no database has, without its steps.
#[must_use]
pub(crate) fn unstored(memory: &Memory, execution_id: &str) -> Option<ExecutionRecord> {
    memory.get_within(execution_id, 0).map(|(detail, _)| detail.execution)
}
