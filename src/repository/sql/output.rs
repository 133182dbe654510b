//! What steps print: chunks <-> rows, their budgets, and pages of them.

use crate::repository::sql;
use crate::repository::sql::{Connection, OptionalExtension, Row, ToSql, params};
use std::collections::HashMap;

use super::change::Unfinished;
use super::rows::{count, integer};
use crate::base::timestamp::Timestamp;
use crate::repository::journal::output::{Chunk, OutputBatch};
use crate::workflow::output::{Counts, Source};

pub(crate) mod pages;

/// What a chunk counts for beside its bytes: about what its row takes.
const ROW_BYTES: u64 = 128;
/// The most output that goes with deleted executions in one transaction, so that commits of others
/// wait a few milliseconds at most.
const DELETED_BYTES_MAX: u64 = 8 << 20;
/// What a chunk counts for there at least: a page.
const DELETED_CHUNK_BYTES_MIN: u64 = 4096;

/// The `seq` of an execution, whether it is finished or not; `None` where there is none.
pub(crate) fn seq(
    connection: Connection<'_>,
    unfinished: &Unfinished,
    execution_id: &str,
) -> sql::Result<Option<i64>> {
    match unfinished.0.get(execution_id) {
        Some((seq, _)) => Ok(Some(*seq)),
        None => connection
            .prepare_cached("SELECT seq FROM workflow_executions WHERE execution_id = ?1")?
            .query_row([execution_id], |row| row.get(0))
            .optional(),
    }
}

/// Writes batches of the execution `seq` inside the caller's transaction.
pub(crate) fn write(
    connection: Connection<'_>,
    bases: &mut HashMap<i64, Counts>,
    seq: i64,
    batches: &[OutputBatch],
    is_in_doubt: bool,
) -> sql::Result<()> {
    for batch in batches {
        let base = match bases.get(&seq) {
            _ if !batch.is_resumed => Counts::default(),
            Some(base) => *base,
            None => {
                let base = ends(connection, seq)?;
                bases.insert(seq, base);
                base
            }
        };
        for chunk in &batch.chunks {
            if is_in_doubt && chunk.row.get().is_none() {
                look_up_chunk(connection, seq, chunk)?;
            }
            write_chunk(connection, seq, base, chunk)?;
        }
    }
    Ok(())
}

/// What is stored of the execution goes up to here.
fn ends(connection: Connection<'_>, seq: i64) -> sql::Result<Counts> {
    let ends = connection
        .prepare_cached(
            "SELECT end_stdout, end_stderr FROM workflow_output
             WHERE seq = ?1 ORDER BY ends DESC LIMIT 1",
        )?
        .query_row([seq], |row| counts(row, 0))
        .optional()?;
    Ok(ends.unwrap_or_default())
}

/// Finds out whether a chunk is stored, by a commit of which nobody knows what became of it.
fn look_up_chunk(connection: Connection<'_>, seq: i64, chunk: &Chunk) -> sql::Result<()> {
    let Source { position, attempt } = chunk.source;
    let row: Option<i64> = connection
        .prepare_cached(
            "SELECT chunk FROM workflow_output WHERE seq = ?1 AND position = ?2 AND attempt = ?3
               AND own_stdout = ?4 AND own_stderr = ?5",
        )?
        .query_row(
            params![seq, position, attempt, integer(chunk.own.stdout), integer(chunk.own.stderr)],
            |row| row.get(0),
        )
        .optional()?;
    row.into_iter().for_each(|row| chunk.row.set(row));
    Ok(())
}

/// Makes the row of a chunk.
pub(super) const INSERT_CHUNK: &str =
    "INSERT INTO workflow_output (seq, position, attempt, own_stdout, own_stderr,
       all_stdout, all_stderr, end_stdout, end_stderr, stdout, stderr, first, ends,
       began_us, ended_us, size, data)
     VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16, ?17)";

fn write_chunk(
    connection: Connection<'_>,
    seq: i64,
    base: Counts,
    chunk: &Chunk,
) -> sql::Result<()> {
    let Source { position, attempt } = chunk.source;
    for (row, own) in &chunk.drops {
        let Some(row) = row.get() else { continue };
        connection
            .prepare_cached(
                "DELETE FROM workflow_output
                 WHERE chunk = ?1 AND seq = ?2 AND position = ?3 AND attempt = ?4
                   AND own_stdout = ?5 AND own_stderr = ?6",
            )?
            .execute(params![
                row,
                seq,
                position,
                attempt,
                integer(own.stdout),
                integer(own.stderr)
            ])?;
    }
    let end = base.plus(chunk.end);
    let size = chunk.bytes.total() + ROW_BYTES;
    if let Some(row) = chunk.row.get() {
        let changed = connection
            .prepare_cached(
                "UPDATE workflow_output SET end_stdout = ?7, end_stderr = ?8, stdout = ?9,
                   stderr = ?10, ends = ?11, ended_us = ?12, size = ?13, data = ?14
                 WHERE chunk = ?1 AND seq = ?2 AND position = ?3 AND attempt = ?4
                   AND own_stdout = ?5 AND own_stderr = ?6",
            )?
            .execute(params![
                row,
                seq,
                position,
                attempt,
                integer(chunk.own.stdout),
                integer(chunk.own.stderr),
                integer(end.stdout),
                integer(end.stderr),
                integer(chunk.bytes.stdout),
                integer(chunk.bytes.stderr),
                integer(end.total()),
                chunk.ended_at.as_micros(),
                integer(size),
                chunk.data,
            ])?;
        if changed > 0 {
            return Ok(());
        }
    }
    let mut insert = connection.prepare_cached(INSERT_CHUNK)?;
    chunk_values(seq, base, chunk, |values| insert.execute(values))?;
    chunk.row.set(connection.last_insert_rowid()?);
    Ok(())
}

/// What [`write_chunk`] gives of a chunk that was never stored.
pub(crate) fn chunk_values<T>(
    seq: i64,
    base: Counts,
    chunk: &Chunk,
    take: impl FnOnce(&[&dyn ToSql]) -> T,
) -> T {
    let Source { position, attempt } = chunk.source;
    let (all, end) = (base.plus(chunk.all), base.plus(chunk.end));
    let size = chunk.bytes.total() + ROW_BYTES;
    take(params![
        seq,
        position,
        attempt,
        integer(chunk.own.stdout),
        integer(chunk.own.stderr),
        integer(all.stdout),
        integer(all.stderr),
        integer(end.stdout),
        integer(end.stderr),
        integer(chunk.bytes.stdout),
        integer(chunk.bytes.stderr),
        integer(all.total()),
        integer(end.total()),
        chunk.began_at.as_micros(),
        chunk.ended_at.as_micros(),
        integer(size),
        chunk.data,
    ])
}

/// What one transaction deleted for the sake of the budgets.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Trimmed {
    pub(crate) chunks: usize,
    /// There is more than one transaction may delete.
    pub(crate) more: bool,
}

/// Deletes the oldest chunks until all of them are within `total` bytes and none ended before
/// `before`, about `max` bytes of them.
pub(crate) fn trim(
    connection: Connection<'_>,
    total: u64,
    before: Timestamp,
    max: u64,
) -> sql::Result<Trimmed> {
    let mut trimmed = Trimmed { chunks: 0, more: false };
    let mut deleted = 0;
    while let Some((chunk, size)) = excessive(connection, total, before)? {
        if deleted >= max {
            trimmed.more = true;
            break;
        }
        if !delete_unless_locked(connection, chunk)? {
            trimmed.more = true;
            break;
        }
        trimmed.chunks += 1;
        deleted += size;
    }
    Ok(trimmed)
}

/// Deletes a chunk; `false` where another process is about to delete it or has done so. To wait for
/// that could be a deadlock: whoever deletes executions does it in another order.
fn delete_unless_locked(connection: Connection<'_>, chunk: i64) -> sql::Result<bool> {
    let lock = if connection.has_writers() { " FOR UPDATE SKIP LOCKED" } else { "" };
    let deleted = connection
        .prepare_cached(&format!(
            "DELETE FROM workflow_output WHERE chunk IN
               (SELECT chunk FROM workflow_output WHERE chunk = ?1{lock})"
        ))?
        .execute([chunk])?;
    Ok(deleted > 0)
}

/// Whether [`trim`] has something to delete.
pub(crate) fn is_excessive(
    connection: Connection<'_>,
    total: u64,
    before: Timestamp,
) -> sql::Result<bool> {
    Ok(excessive(connection, total, before)?.is_some())
}

/// The oldest chunk, if it is beyond the budgets, and its size.
fn excessive(
    connection: Connection<'_>,
    total: u64,
    before: Timestamp,
) -> sql::Result<Option<(i64, u64)>> {
    let usage = usage(connection)?;
    if usage == 0 {
        return Ok(None);
    }
    let oldest = connection
        .prepare_cached("SELECT chunk, size, ended_us FROM workflow_output ORDER BY chunk LIMIT 1")?
        .query_row([], |row| Ok((row.get(0)?, count(row.get(1)?), row.get::<_, i64>(2)?)))
        .optional()?;
    let is_excessive = |ended_us: i64| usage > total || ended_us < before.as_micros();
    Ok(oldest
        .filter(|(.., ended_us)| is_excessive(*ended_us))
        .map(|(chunk, size, _)| (chunk, size)))
}

/// The size of all output.
pub(crate) fn usage(connection: Connection<'_>) -> sql::Result<u64> {
    connection
        .prepare_cached(
            "SELECT CAST(coalesce(sum(bytes), 0) AS BIGINT) FROM workflow_output_usage",
        )?
        .query_row([], |row| row.get(0))
        .map(count)
}

/// Writes something, so that a commit has what to put on the disk.
pub(crate) fn touch(connection: Connection<'_>) -> sql::Result<()> {
    connection
        .prepare_cached("UPDATE workflow_output_usage SET bytes = bytes WHERE id = 1")?
        .execute([])
        .map(|_| ())
}

/// Leaves of finished executions to be deleted as many as one transaction may, by their output. Where
/// already the first one has more, some of its output is deleted and none is left. Returns whether it
/// left some out.
pub(crate) fn limit_deleted(
    connection: Connection<'_>,
    chosen: &mut Vec<i64>,
) -> sql::Result<bool> {
    if usage(connection)? == 0 {
        return Ok(false);
    }
    let mut statement = connection
        .prepare_cached("SELECT size FROM workflow_output WHERE seq = ?1 ORDER BY ends")?;
    let mut bytes = 0;
    for (index, seq) in chosen.iter().enumerate() {
        let mut rows = statement.query([seq])?;
        let mut chunks: u64 = 0;
        while let Some(row) = rows.next()? {
            if bytes >= DELETED_BYTES_MAX {
                if index == 0 {
                    delete_oldest(connection, *seq, chunks)?;
                }
                chosen.truncate(index);
                return Ok(true);
            }
            chunks += 1;
            bytes += count(row.get(0)?).max(DELETED_CHUNK_BYTES_MIN);
        }
    }
    Ok(false)
}

/// Deletes so many chunks of an execution.
fn delete_oldest(connection: Connection<'_>, seq: i64, chunks: u64) -> sql::Result<()> {
    connection
        .prepare_cached(
            "DELETE FROM workflow_output WHERE chunk IN
               (SELECT chunk FROM workflow_output WHERE seq = ?1 ORDER BY ends LIMIT ?2)",
        )?
        .execute((seq, integer(chunks)))
        .map(|_| ())
}

fn counts(row: &Row<'_>, index: usize) -> sql::Result<Counts> {
    Ok(Counts { stdout: count(row.get(index)?), stderr: count(row.get(index + 1)?) })
}
