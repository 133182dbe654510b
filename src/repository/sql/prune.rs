//! Deletes finished executions.

use super::{output, policies, rows};
use crate::base::timestamp::Timestamp;
use crate::repository::journal::backend::Deleted;
use crate::repository::sql::{self, Connection};
use crate::workflow::retention::Chosen;

/// The most executions deleted in one transaction, so that commits of others wait a
/// few milliseconds at most.
pub(crate) const DELETED_PER_TRANSACTION: usize = 1024;

/// What one transaction of retention did.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Pruned {
    pub(crate) executions: usize,
    /// There is more than one transaction may delete.
    pub(crate) more: bool,
}

/// Deletes what is beyond the retention of workflows that have their own, and of the others those
/// that completed first until `retention` are left (`None`: all stay), within the bound of one
/// transaction. With `now`, ages count as well.
pub(crate) fn retain(
    connection: Connection<'_>,
    retention: Option<u64>,
    now: Option<Timestamp>,
) -> sql::Result<Pruned> {
    let has_policies = policies::exist(connection)?;
    // First it has to be known of each execution what applies to it.
    if has_policies && policies::move_some(connection)? {
        return Ok(Pruned { executions: 0, more: true });
    }
    let mut chosen = match has_policies {
        true => policies::excess(connection, now, DELETED_PER_TRANSACTION)?,
        false => Vec::new(),
    };
    let mut more = chosen.len() >= DELETED_PER_TRANSACTION;
    let room = DELETED_PER_TRANSACTION - chosen.len().min(DELETED_PER_TRANSACTION);
    let excess = match retention {
        Some(retention) => counted(connection, has_policies)?.saturating_sub(retention),
        None => 0,
    };
    let excess = usize::try_from(excess).unwrap_or(usize::MAX);
    if excess > 0 && room > 0 {
        more |= excess > room;
        let oldest = connection
            .prepare_cached(
                "SELECT seq FROM workflow_executions INDEXED BY workflow_executions_finished
                 WHERE completion_number IS NOT NULL AND own_retention IS NULL
                   AND pinned_at IS NULL AND completed_at IS NOT NULL
                 ORDER BY completion_number LIMIT ?1",
            )?
            .query_map([rows::integer(excess.min(room) as u64)], |row| row.get(0))?
            .collect::<Result<Vec<i64>, _>>()?;
        chosen.extend(oldest);
    }
    if chosen.is_empty() {
        return Ok(Pruned { executions: 0, more: false });
    }
    let Deleted { executions, has_rest } = delete(connection, chosen)?;
    Ok(Pruned { executions, more: has_rest || (more && executions > 0) })
}

/// How many executions are finished.
pub(super) const FINISHED: &str =
    "SELECT CAST(coalesce(sum(executions), 0) AS BIGINT) FROM workflow_execution_counts
     WHERE status NOT IN ('pending', 'running')";
/// How many of them are pinned.
pub(super) const PINNED: &str =
    "SELECT CAST(coalesce(sum(finished), 0) AS BIGINT) FROM workflow_pinned_counts";

/// How many finished executions count for the number of all workflows.
fn counted(connection: Connection<'_>, has_policies: bool) -> sql::Result<u64> {
    let count = |sql| connection.prepare_cached(sql)?.query_row([], |row| row.get::<_, i64>(0));
    let (finished, pinned) = (count(FINISHED)?, count(PINNED)?);
    let own = match has_policies {
        true => count("SELECT CAST(coalesce(sum(finished), 0) AS BIGINT) FROM workflow_retention")?,
        false => 0,
    };
    Ok(rows::count(finished - pinned - own))
}

/// Deletes those of the executions that are finished and still have the id that they were chosen
/// by, with their steps and output, as many as one transaction may. One that was pinned since goes only
/// with `include_pinned`.
pub(crate) fn delete_chosen(
    connection: Connection<'_>,
    chosen: &[Chosen],
    include_pinned: bool,
) -> sql::Result<Deleted> {
    let mut has_id = connection.prepare_cached(
        "SELECT 1 FROM workflow_executions
         WHERE seq = ?1 AND execution_id = ?2 AND (?3 OR pinned_at IS NULL)",
    )?;
    let mut seqs = Vec::with_capacity(chosen.len());
    for Chosen { seq, execution_id } in chosen {
        if has_id.exists((seq, execution_id, include_pinned))? {
            seqs.push(*seq);
        }
    }
    delete(connection, seqs)
}

/// Deletes those of the executions that are finished, with their steps and output, as many as one
/// transaction may by their output. Neighbours go together: one statement for many rows.
fn delete(connection: Connection<'_>, mut seqs: Vec<i64>) -> sql::Result<Deleted> {
    if connection.has_writers() {
        return delete_by_call(connection, &seqs);
    }
    seqs.sort_unstable();
    let (Some(&first), Some(&last)) = (seqs.first(), seqs.last()) else {
        return Ok(Deleted { executions: 0, has_rest: false });
    };
    let unfinished: Vec<i64> = connection
        .prepare_cached(
            "SELECT seq FROM workflow_executions
             WHERE status IN ('pending', 'running') AND status <> 'success'
               AND seq BETWEEN ?1 AND ?2",
        )?
        .query_map([first, last], |row| row.get(0))?
        .collect::<Result<_, _>>()?;
    seqs.retain(|seq| !unfinished.contains(seq));
    let has_rest = output::limit_deleted(connection, &mut seqs)?;
    let mut executions = 0;
    for run in seqs.chunk_by(|a, b| a + 1 == *b) {
        let (Some(first), Some(last)) = (run.first(), run.last()) else { continue };
        let execute = |sql| connection.prepare_cached(sql)?.execute([first, last]);
        execute("DELETE FROM workflow_output WHERE seq BETWEEN ?1 AND ?2")?;
        execute("DELETE FROM workflow_execution_attempts WHERE seq BETWEEN ?1 AND ?2")?;
        execute("DELETE FROM workflow_execution_steps WHERE seq BETWEEN ?1 AND ?2")?;
        executions += execute("DELETE FROM workflow_executions WHERE seq BETWEEN ?1 AND ?2")?;
    }
    Ok(Deleted { executions, has_rest })
}

/// The same where each statement is an exchange with a server: a function of it does all of them.
fn delete_by_call(connection: Connection<'_>, seqs: &[i64]) -> sql::Result<Deleted> {
    if seqs.is_empty() {
        return Ok(Deleted { executions: 0, has_rest: false });
    }
    let seqs: Vec<String> = seqs.iter().map(i64::to_string).collect();
    connection
        .prepare_cached(
            "SELECT executions, has_rest FROM delete_v2(CAST(string_to_array(?1, ',') AS BIGINT[]))",
        )?
        .query_row([seqs.join(",")], |row| {
            let executions = usize::try_from(row.get::<_, i64>(0)?).unwrap_or(0);
            Ok(Deleted { executions, has_rest: row.get(1)? })
        })
}
