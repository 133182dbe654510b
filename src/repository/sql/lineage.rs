//! What was replayed from what.

use super::rows::{self, Text, optional};
use crate::repository::read::lineage::{self, Lineage, LineageNode};
use crate::repository::sql;
use crate::repository::sql::{Connection, OptionalExtension, Row};

/// The columns that [`from_row`] reads, in its order. Only a replay has reused steps.
const NODE_COLUMNS: &str = "execution_id, seq, status, created_at,
     CASE WHEN replay_of IS NULL THEN 0 ELSE
       (SELECT count(*) FROM workflow_execution_steps AS steps
        WHERE steps.seq = workflow_executions.seq AND steps.reused_from IS NOT NULL) END";

/// Reads the lineage of an execution, which itself may be pruned.
pub(crate) fn read(connection: Connection<'_>, execution_id: &str) -> sql::Result<Lineage> {
    lineage::trace(execution_id, |id| node(connection, id), |id| replays(connection, id))
}

/// One execution and what it replays.
fn node(
    connection: Connection<'_>,
    execution_id: &str,
) -> sql::Result<(LineageNode, Option<String>)> {
    let found = connection
        .prepare_cached(&format!(
            "SELECT {NODE_COLUMNS}, replay_of FROM workflow_executions WHERE execution_id = ?1"
        ))?
        .query_row([execution_id], |row| Ok((from_row(row)?, row.get(5)?)))
        .optional()?;
    Ok(found.unwrap_or_else(|| (LineageNode::pruned(execution_id), None)))
}

fn replays(connection: Connection<'_>, execution_id: &str) -> sql::Result<Vec<LineageNode>> {
    connection
        .prepare_long(&format!(
            "SELECT {NODE_COLUMNS} FROM workflow_executions WHERE replay_of = ?1 ORDER BY seq"
        ))?
        .query_map([execution_id], from_row)?
        .collect()
}

fn from_row(row: &Row<'_>) -> sql::Result<LineageNode> {
    Ok(LineageNode {
        execution_id: row.get(0)?,
        seq: row.get(1)?,
        status: Some(row.get::<_, Text<_>>(2)?.0),
        created_at: optional(row, 3)?,
        reused_steps: rows::count(row.get(4)?),
        children: Vec::new(),
    })
}
