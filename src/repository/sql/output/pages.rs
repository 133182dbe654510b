//! Pages of the output of an execution: rows -> chunks -> what was printed, and what is missing.

use crate::repository::sql;
use crate::repository::sql::{Bytes, Connection, OptionalExtension, Row, params};
use std::collections::HashMap;

use super::{counts, ends};
use crate::base::timestamp::Timestamp;
use crate::repository::sql::rows::{Text, count, integer};
use crate::workflow::output::chunk::{ChunkStart, Pieces};
use crate::workflow::output::page::{
    OutputPage, PageRequest, Selection, Stored, Totals, assemble, last_from,
};
use crate::workflow::output::tail::Tail;
use crate::workflow::output::{Counts, Piece, Source};
use crate::workflow::record::{Captured, ExecutionStatus, OUTPUT_KEPT_BYTES, StepStatus};
use crate::workflow::report::Stream;

/// Whose output is read: an execution, and where a reused step really ran.
struct Target {
    seq: i64,
    status: ExecutionStatus,
    selection: Selection,
    /// Of the selected step.
    step: Option<(StepStatus, u32)>,
}

/// A page of the output of an execution, of one state of the database; `None` where there is no such
/// execution or step.
pub(crate) fn page(
    connection: Connection<'_>,
    execution_id: &str,
    request: &PageRequest,
) -> sql::Result<Option<OutputPage>> {
    let Some(target) = target(connection, execution_id, request.selection)? else {
        return Ok(None);
    };
    let mut request = PageRequest { selection: target.selection, ..*request };
    let attempts = attempts(connection, &target)?;
    let mut totals = Totals::new();
    let mut all = Counts::default();
    for made in &attempts {
        all = all.plus(made.total);
        if target.selection.position.is_some() {
            totals.insert(made.source.attempt, made.total);
        }
    }
    if target.selection.position.is_some() {
        add_stored_ends(connection, &target, &mut totals)?;
    } else {
        all = all.max(ends(connection, target.seq)?);
    }
    let end = end(&target, &totals, all);
    let written = written(target.selection, &totals, all);
    if request.is_last {
        request.from = last_from(written, request.limit);
    }
    let (chunks, horizon) = chunks(connection, &target, &request, &totals, &attempts)?;
    let page = assemble(&request, &Stored { chunks, horizon, totals, end });
    Ok(Some(OutputPage { written, ..page }))
}

/// How many bytes the selection is known to have.
fn written(selection: Selection, totals: &Totals, all: Counts) -> u64 {
    let Selection { position, attempt, stream, .. } = selection;
    match (position, attempt) {
        (None, _) => all.of(stream),
        (Some(_), None) => totals.values().map(|counts| counts.of(stream)).sum(),
        (Some(_), Some(attempt)) => totals.get(&attempt).copied().unwrap_or_default().of(stream),
    }
}

fn target(
    connection: Connection<'_>,
    execution_id: &str,
    mut selection: Selection,
) -> sql::Result<Option<Target>> {
    let found = connection
        .prepare_cached("SELECT seq, status FROM workflow_executions WHERE execution_id = ?1")?
        .query_row([execution_id], |row| Ok((row.get(0)?, row.get::<_, Text<_>>(1)?.0)))
        .optional()?;
    let Some((mut seq, status)): Option<(i64, ExecutionStatus)> = found else { return Ok(None) };
    let Some(position) = selection.position else {
        return Ok(Some(Target { seq, status, selection, step: None }));
    };
    let step = connection
        .prepare_cached(
            "SELECT status, attempt, reused_position,
               (SELECT seq FROM workflow_executions WHERE execution_id = reused_from), reused_from
             FROM workflow_execution_steps WHERE seq = ?1 AND position = ?2
             UNION ALL
             SELECT status, attempt, NULL, NULL, NULL
             FROM workflow_execution_handlers WHERE seq = ?1 AND position = ?2",
        )?
        .query_row((seq, position), |row| {
            let step: (StepStatus, u32) = (row.get::<_, Text<_>>(0)?.0, row.get(1)?);
            let reused: Option<Option<i64>> =
                row.get::<_, Option<String>>(4)?.map(|_| row.get(3)).transpose()?;
            Ok((step, row.get::<_, Option<u32>>(2)?, reused))
        })
        .optional()?;
    let Some((step, reused_position, reused)) = step else {
        return Ok(Some(Target { seq, status, selection, step: None }));
    };
    if let Some(original) = reused {
        // What was deleted has no output, nor has what wrote nothing.
        seq = original.unwrap_or(0);
        selection.position = Some(reused_position.unwrap_or(u32::MAX));
    }
    Ok(Some(Target { seq, status, selection, step: Some(step) }))
}

/// An attempt that has ended, as far as it matters here.
struct Made {
    source: Source,
    total: Counts,
    /// It has the ends of its streams.
    has_text: bool,
}

/// The attempts of the selection that have ended, in the order they ended.
fn attempts(connection: Connection<'_>, target: &Target) -> sql::Result<Vec<Made>> {
    let made = |row: &Row<'_>| {
        let source = Source { position: row.get(0)?, attempt: row.get(1)? };
        Ok(Made { source, total: counts(row, 2)?, has_text: row.get(4)? })
    };
    let columns = "position, attempt, stdout_bytes, stderr_bytes,
                   stdout_bytes > 0 OR stderr_bytes > 0";
    match target.selection.position {
        None => connection
            .prepare_long(&format!(
                "SELECT {columns} FROM workflow_execution_attempts WHERE seq = ?1
                 ORDER BY completed_at, position, attempt"
            ))?
            .query_map([target.seq], made)?
            .collect(),
        Some(position) => connection
            .prepare_long(&format!(
                "SELECT {columns} FROM workflow_execution_attempts
                 WHERE seq = ?1 AND position = ?2 ORDER BY attempt"
            ))?
            .query_map((target.seq, position), made)?
            .collect(),
    }
}

/// An attempt that was interrupted has no count but that of its chunks.
fn add_stored_ends(
    connection: Connection<'_>,
    target: &Target,
    totals: &mut Totals,
) -> sql::Result<()> {
    let mut statement = connection.prepare_cached(
        "SELECT attempt, max(own_stdout + stdout), max(own_stderr + stderr) FROM workflow_output
         WHERE seq = ?1 AND position = ?2 GROUP BY attempt",
    )?;
    let mut rows = statement.query((target.seq, target.selection.position))?;
    while let Some(row) = rows.next()? {
        let stored = counts(&row, 1)?;
        let total = totals.entry(row.get(0)?).or_default();
        *total = total.max(stored);
    }
    Ok(())
}

/// How many bytes the selection has in all, if nothing can follow.
fn end(target: &Target, totals: &Totals, all: Counts) -> Option<u64> {
    let Selection { attempt, stream, .. } = target.selection;
    let is_over = target.status.is_terminal();
    match (target.step, attempt) {
        (None, _) => is_over.then(|| match target.selection.position {
            None => all.of(stream),
            Some(_) => 0,
        }),
        (Some((status, _)), None) => (is_over || status.is_terminal())
            .then(|| totals.values().map(|counts| counts.of(stream)).sum()),
        (Some((status, last)), Some(attempt)) => {
            let has_ended = is_over || status.is_terminal() || last > attempt;
            has_ended.then(|| totals.get(&attempt).copied().unwrap_or_default().of(stream))
        }
    }
}

/// A stored chunk without its bytes.
struct Head {
    chunk: i64,
    start: ChunkStart,
    bytes: Counts,
    /// What its execution had written before it and after it.
    first: u64,
    end: Counts,
}

const HEAD_COLUMNS: &str = "chunk, position, attempt, own_stdout, own_stderr, all_stdout, \
     all_stderr, stdout, stderr, began_us, first, end_stdout, end_stderr";

fn head(row: &Row<'_>) -> sql::Result<Head> {
    let source = Source { position: row.get(1)?, attempt: row.get(2)? };
    let (own, all) = (counts(row, 3)?, counts(row, 5)?);
    let at = Timestamp::from_micros(row.get(9)?);
    Ok(Head {
        chunk: row.get(0)?,
        start: ChunkStart { source, own, all, at },
        bytes: counts(row, 7)?,
        first: count(row.get(10)?),
        end: counts(row, 11)?,
    })
}

/// The chunks that may have something of the page, and from which count of the execution on others
/// have something as well.
fn chunks(
    connection: Connection<'_>,
    target: &Target,
    request: &PageRequest,
    totals: &Totals,
    attempts: &[Made],
) -> sql::Result<(Vec<Pieces>, Option<u64>)> {
    let Selection { position, attempt, stream, since } = target.selection;
    let mut statement = connection.prepare_long(&format!(
        "SELECT {HEAD_COLUMNS} FROM workflow_output
         WHERE seq = ?1 AND ends > ?2 AND (CAST(?3 AS BIGINT) IS NULL OR position = ?3)
           AND (CAST(?4 AS BIGINT) IS NULL OR attempt = ?4) AND (CAST(?5 AS BIGINT) IS NULL OR ended_us >= ?5)
         ORDER BY ends"
    ))?;
    // No count of a selection is larger than that of the execution.
    let from = integer(request.from);
    let mut rows = statement.query(params![
        target.seq,
        from,
        position,
        attempt,
        since.map(Timestamp::as_micros)
    ])?;
    let mut found = Vec::new();
    let mut bytes = 0;
    let mut horizon = None;
    let mut has_chunks = false;
    while let Some(row) = rows.next()? {
        let head = head(&row)?;
        has_chunks = true;
        if let Some(horizon) = horizon {
            // Of another attempt, whose bytes come in between.
            if head.first < horizon {
                found.push(head);
            }
            continue;
        }
        let own_end = head.start.own.plus(head.bytes);
        let attempt = head.start.source.attempt;
        let end = target.selection.offset(attempt, own_end, head.end, totals);
        let selected = head.bytes.of(stream);
        if end <= request.from || selected == 0 {
            continue;
        }
        bytes += selected;
        let ends = head.end.total();
        found.push(head);
        // One more than the page has, since the first may begin before the page. A last page begins
        // where the rest fits, and needs all of it.
        if !request.is_last && bytes > request.limit as u64 && found.len() > 1 {
            horizon = Some(ends);
        }
    }
    drop(rows);
    let mut read =
        connection.prepare_cached("SELECT data FROM workflow_output WHERE chunk = ?1")?;
    let mut chunks = Vec::with_capacity(found.len());
    for head in &found {
        // What cannot be read is missing, and reported as that.
        let pieces = read.query_row([head.chunk], |row| {
            let data: Option<Bytes> = row.get(0).ok();
            Ok(data.and_then(|data| Pieces::decode(&head.start, &data.0)))
        })?;
        chunks.extend(pieces);
    }
    if !has_chunks || position.is_some() {
        chunks.extend(ends_as_chunks(connection, target, attempts)?);
    }
    Ok((chunks, horizon))
}

/// The ends of the streams of attempts of which no chunk is kept: first standard output, then
/// standard error, since nothing says in which order they came.
fn ends_as_chunks(
    connection: Connection<'_>,
    target: &Target,
    attempts: &[Made],
) -> sql::Result<Vec<Pieces>> {
    let is_kept = "SELECT 1 FROM workflow_output WHERE seq = ?1 AND ends > 0
                   AND (CAST(?2 AS BIGINT) IS NULL OR (position = ?2 AND attempt = ?3)) LIMIT 1";
    let mut is_kept = connection.prepare_cached(is_kept)?;
    let mut read = connection.prepare_cached(
        "SELECT stdout, stderr, completed_at FROM workflow_execution_attempts
         WHERE seq = ?1 AND position = ?2 AND attempt = ?3",
    )?;
    let mut chunks = Vec::new();
    let mut before = Counts::default();
    for made in attempts.iter().filter(|made| made.has_text) {
        let all = before;
        before = before.plus(made.total);
        let Source { position, attempt } = made.source;
        let other = target.selection.attempt.is_some_and(|wanted| wanted != attempt);
        let of_step = target.selection.position;
        if other || is_kept.exists((target.seq, of_step, attempt))? {
            continue;
        }
        let (stdout, stderr, at): (Option<String>, Option<String>, Timestamp) = read
            .query_row((target.seq, position, attempt), |row| {
                Ok((row.get(0)?, row.get(1)?, row.get::<_, Text<_>>(2)?.0))
            })?;
        let (mut own, mut all) = (Counts::default(), all);
        let mut pieces = Pieces::default();
        for (stream, text) in [(Stream::Stdout, stdout), (Stream::Stderr, stderr)] {
            let total = made.total.of(Some(stream));
            // What is no UTF-8 may be longer now.
            let text = text.unwrap_or_default();
            let kept = text.len().min(usize::try_from(total).unwrap_or(usize::MAX));
            let missing = total - kept as u64;
            own.add(stream, missing);
            all.add(stream, missing);
            if kept > 0 {
                let piece = Piece { source: made.source, stream, at, own, all, bytes: kept as u64 };
                pieces.push(piece, &text.as_bytes()[..kept]);
                (own, all) = (piece.own_end(), piece.all_end());
            }
        }
        chunks.push(pieces);
    }
    Ok(chunks)
}

/// The ends of both streams of an attempt, from its chunks: while it runs, or where it was
/// interrupted. `None` if it has none.
pub(crate) fn tails(
    connection: Connection<'_>,
    execution_id: &str,
    source: Source,
) -> sql::Result<Option<(Captured, Captured)>> {
    /// The more, the surer a stream is found that prints little beside the other.
    const CHUNKS_MAX: usize = 8;
    let mut statement = connection.prepare_long(&format!(
        "SELECT {HEAD_COLUMNS}, data FROM workflow_output
         WHERE seq = (SELECT seq FROM workflow_executions WHERE execution_id = ?1)
           AND position = ?2 AND attempt = ?3 ORDER BY ends DESC"
    ))?;
    let mut rows = statement.query((execution_id, source.position, source.attempt))?;
    let mut chunks = Vec::new();
    let mut total = None;
    let mut bytes = Counts::default();
    let enough = OUTPUT_KEPT_BYTES as u64;
    while let Some(row) = rows.next()? {
        let head = head(&row)?;
        total.get_or_insert(head.start.own.plus(head.bytes));
        let data: Option<Bytes> = row.get(13).ok();
        let pieces = data.and_then(|data| Pieces::decode(&head.start, &data.0));
        bytes = bytes.plus(head.bytes);
        chunks.extend(pieces);
        let is_enough = bytes.stdout.min(bytes.stderr) >= enough;
        if is_enough || chunks.len() >= CHUNKS_MAX {
            break;
        }
    }
    let Some(total) = total else { return Ok(None) };
    let (mut stdout, mut stderr) = (Tail::default(), Tail::default());
    for chunk in chunks.iter().rev() {
        let mut at = 0;
        for piece in &chunk.list {
            let end = at + usize::try_from(piece.bytes).unwrap_or(usize::MAX);
            let bytes = chunk.bytes.get(at..end).unwrap_or_default();
            at = end;
            match piece.stream {
                Stream::Stdout => stdout.push(bytes),
                Stream::Stderr => stderr.push(bytes),
            }
        }
    }
    Ok(Some((stdout.finish_of(total.stdout), stderr.finish_of(total.stderr))))
}

/// The position of a step or handler by its name; the names of a workflow are unique.
pub(crate) fn position(
    connection: Connection<'_>,
    execution_id: &str,
    name: &str,
) -> sql::Result<Option<u32>> {
    connection
        .prepare_cached(
            "SELECT position FROM workflow_execution_steps
             WHERE seq = (SELECT seq FROM workflow_executions WHERE execution_id = ?1)
               AND step_name = ?2
             UNION ALL
             SELECT position FROM workflow_execution_handlers
             WHERE seq = (SELECT seq FROM workflow_executions WHERE execution_id = ?1)
               AND handler_name = ?2",
        )?
        .query_row((execution_id, name), |row| row.get(0))
        .optional()
}

/// The names of the steps and handlers of an execution by position.
pub(crate) fn names(
    connection: Connection<'_>,
    execution_id: &str,
) -> sql::Result<HashMap<u32, String>> {
    connection
        .prepare_cached(
            "SELECT position, step_name FROM workflow_execution_steps
             WHERE seq = (SELECT seq FROM workflow_executions WHERE execution_id = ?1)
             UNION ALL
             SELECT position, handler_name FROM workflow_execution_handlers
             WHERE seq = (SELECT seq FROM workflow_executions WHERE execution_id = ?1)",
        )?
        .query_map([execution_id], |row| Ok((row.get(0)?, row.get(1)?)))?
        .collect()
}
