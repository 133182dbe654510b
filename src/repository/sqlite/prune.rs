//! Deletes finished executions, and gives their pages back to the file system.

use rusqlite::Connection;

use super::{output, policies, rows};
use crate::base::timestamp::Timestamp;
use crate::repository::journal::backend::Deleted;
use crate::workflow::retention::Chosen;

/// The most executions deleted in one transaction, so that commits of others wait a
/// few milliseconds at most.
pub(crate) const DELETED_PER_TRANSACTION: usize = 1024;
/// Free pages (1 MiB) that are worth moving others for.
const FREE_PAGES_WORTH: i64 = 256;
/// Pages given back in one transaction.
const PAGES_PER_TRANSACTION: u32 = 1024;

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
    connection: &Connection,
    retention: Option<u64>,
    now: Option<Timestamp>,
) -> rusqlite::Result<Pruned> {
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

/// How many finished executions count for the number of all workflows.
fn counted(connection: &Connection, has_policies: bool) -> rusqlite::Result<u64> {
    let count = |sql| connection.prepare_cached(sql)?.query_row([], |row| row.get::<_, i64>(0));
    let finished = count(
        "SELECT coalesce(sum(executions), 0) FROM workflow_execution_counts
         WHERE status NOT IN ('pending', 'running')",
    )?;
    let pinned = count("SELECT coalesce(sum(finished), 0) FROM workflow_pinned_counts")?;
    let own = match has_policies {
        true => count("SELECT coalesce(sum(finished), 0) FROM workflow_retention")?,
        false => 0,
    };
    Ok(rows::count(finished - pinned - own))
}

/// Numbers the finished executions by the times at which they completed, where a database had
/// no numbers.
pub(crate) fn number_completions(connection: &Connection) -> rusqlite::Result<()> {
    connection.execute_batch(
        "UPDATE workflow_executions SET completion_number = numbered.number
         FROM (SELECT seq, row_number() OVER (ORDER BY completed_at, seq) AS number
               FROM workflow_executions WHERE completed_at IS NOT NULL) AS numbered
         WHERE numbered.seq = workflow_executions.seq",
    )
}

/// Deletes those of the executions that are finished and still have the id that they were chosen
/// by, with their steps and output, as many as one transaction may. One that was pinned since goes only
/// with `include_pinned`.
pub(crate) fn delete_chosen(
    connection: &Connection,
    chosen: &[Chosen],
    include_pinned: bool,
) -> rusqlite::Result<Deleted> {
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
fn delete(connection: &Connection, mut seqs: Vec<i64>) -> rusqlite::Result<Deleted> {
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

/// Whether so many pages are free that they should be given back: many, and not just
/// those that the next executions will fill.
pub(crate) fn is_worth_giving_back(connection: &Connection) -> rusqlite::Result<bool> {
    let free = pages(connection, "freelist_count")?;
    Ok(free >= FREE_PAGES_WORTH && free >= pages(connection, "page_count")? / 8)
}

/// Gives some free pages back; `false` when none are left.
pub(crate) fn give_back(connection: &Connection) -> rusqlite::Result<bool> {
    if pages(connection, "freelist_count")? == 0 {
        return Ok(false);
    }
    // A row for each page; who takes only the first gives one page back.
    let pragma = format!("PRAGMA incremental_vacuum({PAGES_PER_TRANSACTION})");
    let mut statement = connection.prepare_cached(&pragma)?;
    let mut rows = statement.query([])?;
    while rows.next()?.is_some() {}
    Ok(pages(connection, "freelist_count")? > 0)
}

/// The size of the database in bytes, once its log is copied into it.
pub(crate) fn size_bytes(connection: &Connection) -> rusqlite::Result<u64> {
    let bytes = pages(connection, "page_count")? * pages(connection, "page_size")?;
    Ok(u64::try_from(bytes).unwrap_or(0))
}

/// How many pages are free.
pub(crate) fn free_pages(connection: &Connection) -> rusqlite::Result<u64> {
    Ok(u64::try_from(pages(connection, "freelist_count")?).unwrap_or(0))
}

/// The size of a page, bytes.
pub(crate) fn page_bytes(connection: &Connection) -> rusqlite::Result<u64> {
    Ok(u64::try_from(pages(connection, "page_size")?).unwrap_or(0))
}

fn pages(connection: &Connection, pragma: &str) -> rusqlite::Result<i64> {
    connection.pragma_query_value(None, pragma, |row| row.get(0))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pages_are_given_back_many_at_a_time() {
        let folder = tempfile::tempdir().unwrap();
        let connection = Connection::open(folder.path().join("pages.db")).unwrap();
        connection
            .execute_batch(
                "PRAGMA auto_vacuum = INCREMENTAL;
                 CREATE TABLE t (x);
                 WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 1500)
                 INSERT INTO t SELECT zeroblob(4000) FROM n;
                 DELETE FROM t;",
            )
            .unwrap();
        let before = free_pages(&connection).unwrap();
        assert!(give_back(&connection).unwrap());
        let given = before - free_pages(&connection).unwrap();
        assert_eq!(given, u64::from(PAGES_PER_TRANSACTION));
        assert!(!give_back(&connection).unwrap());
    }
}
