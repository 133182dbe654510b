//! Finds the execution that an `ID` on the command line means.

use super::CliError;
use crate::base::exit::Exit;
use crate::operations::query;
use crate::repository::Reader;
use crate::workflow::record::{ExecutionDetail, ExecutionRecord};

/// The execution that `reference` means, with its steps.
///
/// # Errors
/// Exit 2 when there is none or more than one, 3 when the database fails.
pub(super) fn detail(reader: &Reader, reference: &str) -> Result<ExecutionDetail, CliError> {
    query::detail(reader, reference)?.ok_or_else(|| unknown(reference))
}

/// The same without its steps.
///
/// # Errors
/// As [`detail`].
pub(super) fn record(reader: &Reader, reference: &str) -> Result<ExecutionRecord, CliError> {
    query::record(reader, reference)?.ok_or_else(|| unknown(reference))
}

/// There is no execution that `reference` means.
pub(super) fn unknown(reference: &str) -> CliError {
    CliError::new(Exit::Usage, format!("no execution `{reference}`"))
        .with_hint("`wfx list` shows those that are kept")
}
