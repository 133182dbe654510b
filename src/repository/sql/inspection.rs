//! What doctor counts of a store.

use super::{output, policies, retention, rows};
use crate::repository::read::inspection::{OutputUsage, RetentionCounts};
use crate::repository::sql::{self, Connection};

/// How many executions there are.
pub(crate) fn executions(connection: Connection<'_>) -> sql::Result<u64> {
    connection
        .prepare_cached(
            "SELECT CAST(coalesce(sum(executions), 0) AS BIGINT) FROM workflow_execution_counts",
        )?
        .query_row([], |row| row.get(0))
        .map(rows::count)
}

/// How much output there is, and how much is kept.
pub(crate) fn output_usage(connection: Connection<'_>) -> sql::Result<OutputUsage> {
    let (total_bytes, age_seconds) = retention::stored_output(connection)?;
    let compressed_bytes = connection
        .prepare_cached(
            "SELECT CAST(coalesce(sum(length(data)), 0) AS BIGINT) FROM workflow_output",
        )?
        .query_row([], |row| row.get(0))
        .map(rows::count)?;
    let bytes = output::usage(connection)?;
    Ok(OutputUsage { bytes, compressed_bytes, total_bytes, age_seconds })
}

/// Which executions retention treats apart.
pub(crate) fn retention_counts(connection: Connection<'_>) -> sql::Result<RetentionCounts> {
    let pinned = connection
        .prepare_cached("SELECT count(*) FROM workflow_executions WHERE pinned_at IS NOT NULL")?
        .query_row([], |row| row.get(0))
        .map(rows::count)?;
    let mut workflows: Vec<String> = policies::all(connection)?.into_keys().collect();
    workflows.sort_unstable();
    Ok(RetentionCounts { workflows, pinned })
}
