//! Queries for lists of executions.

use super::groups;
use super::rows::{self, EXECUTION_COLUMNS};
use crate::repository::read::listing::{ListFilter, Listing, Position};
use crate::repository::sql;
use crate::repository::sql::{Connection, Value, params_from_iter};
use crate::workflow::record::{ExecutionRecord, ExecutionStatus};

/// At most `limit` executions that fit `filter`, newest first, after the first `offset` of them; a
/// page ends with the one whose snapshot makes them longer than so many `bytes` in all.
pub(crate) fn list(
    connection: Connection<'_>,
    filter: &ListFilter,
    limit: u32,
    offset: u64,
    bytes: usize,
) -> sql::Result<Listing> {
    let index = narrowest_index(connection, filter)?;
    let (condition, mut values) = condition(filter);
    let total = match filter.since {
        None => counted(connection, filter.workflow_id.as_deref(), filter.status)?,
        Some(_) => connection
            .prepare_cached(&format!("SELECT count(*) FROM workflow_executions{index}{condition}"))?
            .query_row(params_from_iter(&values), |row| row.get(0))
            .map(rows::count)?,
    };
    let condition = match filter.after {
        None => condition,
        Some(position) => {
            values.push(Value::from(position.number()));
            let joined = if condition.is_empty() { " WHERE" } else { " AND" };
            format!("{condition}{joined} seq < ?")
        }
    };
    values.push(Value::from(limit));
    values.push(Value::from(rows::integer(offset)));
    // The inner query skips in an index where one fits, not over whole rows.
    let mut statement = connection.prepare_long(&format!(
        "SELECT {EXECUTION_COLUMNS} FROM workflow_executions WHERE seq IN
               (SELECT seq FROM workflow_executions{index}{condition}
                ORDER BY seq DESC LIMIT ? OFFSET ?)
             ORDER BY seq DESC"
    ))?;
    let mut rows = statement.query_map(params_from_iter(&values), rows::execution)?;
    let (mut items, mut length, mut is_cut) = (Vec::new(), 0, false);
    while let Some(row) = rows.next() {
        let mut execution = row?;
        groups::add_waiting_for(connection, &mut execution)?;
        length += execution.input_snapshot.as_str().len();
        items.push(execution);
        if length > bytes {
            is_cut = rows.next().is_some();
            break;
        }
    }
    let end = items.last().and_then(|last| last.seq).map(Position::new);
    Ok(Listing { items, total, is_cut, end })
}

/// At most `limit` executions that fit `filter`, newest first, without their snapshots and the names
/// of their steps.
pub(crate) fn brief(
    connection: Connection<'_>,
    filter: &ListFilter,
    limit: u32,
) -> sql::Result<Vec<ExecutionRecord>> {
    let index = narrowest_index(connection, filter)?;
    let (mut condition, mut values) = condition(filter);
    if let Some(position) = filter.after {
        values.push(Value::from(position.number()));
        condition += if condition.is_empty() { " WHERE" } else { " AND" };
        condition += " seq < ?";
    }
    values.push(Value::from(limit));
    let columns =
        EXECUTION_COLUMNS.replace("input_snapshot", "'null'").replace("step_order", "'[]'");
    let mut statement = connection.prepare_long(&format!(
        "SELECT {columns} FROM workflow_executions{index}{condition} ORDER BY seq DESC LIMIT ?"
    ))?;
    let mut items = Vec::new();
    for row in statement.query_map(params_from_iter(&values), rows::execution)? {
        let mut execution = row?;
        groups::add_waiting_for(connection, &mut execution)?;
        items.push(execution);
    }
    Ok(items)
}

/// The ids of at most `limit` workflows that have executions, sorted.
pub(crate) fn workflow_ids(connection: Connection<'_>, limit: u32) -> sql::Result<Vec<String>> {
    connection
        .prepare_cached(
            "SELECT workflow_id FROM workflow_execution_counts GROUP BY workflow_id
             HAVING sum(executions) > 0 ORDER BY workflow_id LIMIT ?1",
        )?
        .query_map([limit], |row| row.get(0))?
        .collect()
}

/// The WHERE clause of a filter and its values.
fn condition(filter: &ListFilter) -> (String, Vec<Value>) {
    let mut terms = Vec::new();
    let mut values = Vec::new();
    if let Some(workflow_id) = &filter.workflow_id {
        terms.push("workflow_id = ?");
        values.push(Value::from(workflow_id.clone()));
    }
    if let Some(status) = filter.status {
        terms.push("status = ?");
        if status != ExecutionStatus::Success {
            // What lets SQLite use the index, which has no successes.
            terms.push("status <> 'success'");
        }
        values.push(Value::from(status.as_str().to_owned()));
    }
    if let Some(since) = filter.since {
        terms.push("created_at >= ?");
        values.push(Value::from(since.at.to_string()));
    }
    if terms.is_empty() {
        return (String::new(), values);
    }
    (format!(" WHERE {}", terms.join(" AND ")), values)
}

/// The index that leads to the fewest rows, by the counts.
fn narrowest_index(connection: Connection<'_>, filter: &ListFilter) -> sql::Result<&'static str> {
    const BY_WORKFLOW: &str = " INDEXED BY workflow_executions_by_workflow";
    const BY_STATUS: &str = " INDEXED BY workflow_executions_by_status";
    Ok(match (filter.workflow_id.as_deref(), filter.status) {
        (None, None) => "",
        (Some(_), None) => BY_WORKFLOW,
        (None, Some(ExecutionStatus::Success)) => "",
        (None, Some(_)) => BY_STATUS,
        (Some(_), Some(ExecutionStatus::Success)) => BY_WORKFLOW,
        (Some(workflow_id), Some(status)) => {
            let of_workflow = counted(connection, Some(workflow_id), None)?;
            if of_workflow <= counted(connection, None, Some(status))? {
                BY_WORKFLOW
            } else {
                BY_STATUS
            }
        }
    })
}

/// How many executions there are of a workflow and in a state, without counting them.
fn counted(
    connection: Connection<'_>,
    workflow_id: Option<&str>,
    status: Option<ExecutionStatus>,
) -> sql::Result<u64> {
    let filter =
        ListFilter { workflow_id: workflow_id.map(str::to_owned), status, ..Default::default() };
    let (condition, values) = condition(&filter);
    connection
        .prepare_cached(&format!(
            "SELECT CAST(coalesce(sum(executions), 0) AS BIGINT) FROM workflow_execution_counts{condition}"
        ))?
        .query_row(params_from_iter(&values), |row| row.get(0))
        .map(rows::count)
}
