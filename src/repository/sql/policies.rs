//! The retention of workflows that have their own: stored, applied to their executions, and what
//! it deletes. Agrees with [`crate::workflow::retention::plan`].

use crate::repository::sql;
use crate::repository::sql::{Connection, OptionalExtension, Row, params};
use std::collections::{HashMap, HashSet};
use std::time::Duration;

use super::failure::Failure;
use super::rows;
use crate::base::period::Period;
use crate::base::timestamp::Timestamp;
use crate::workflow::retention_policy::RetentionPolicy;

/// The most executions that are moved in one transaction.
const MOVED_PER_TRANSACTION: i64 = 1024;
/// The most bytes of snapshots in the rows that are moved in one transaction: a row is written
/// anew with all that it holds.
const MOVED_BYTES: i64 = 4 << 20;

/// The limits of a policy as they are stored; all `None`: there is none.
pub(crate) type Limits = (Option<i64>, Option<i64>, Option<i64>);

pub(crate) fn limits(policy: Option<RetentionPolicy>) -> Limits {
    let micros = |age: Period| i64::try_from(age.duration().as_micros()).unwrap_or(i64::MAX);
    policy.map_or((None, None, None), |RetentionPolicy { keep, success, failed }| {
        (keep.map(rows::integer), success.map(micros), failed.map(micros))
    })
}

/// Reads `keep, success_us, failed_us`.
fn policy(row: &Row<'_>, column: usize) -> sql::Result<Option<RetentionPolicy>> {
    let (keep, success, failed): Limits =
        (row.get(column)?, row.get(column + 1)?, row.get(column + 2)?);
    if (keep, success, failed) == (None, None, None) {
        return Ok(None);
    }
    let age = |micros| Period::new(Duration::from_micros(rows::count(micros)));
    Ok(Some(RetentionPolicy {
        keep: keep.map(rows::count),
        success: success.map(age),
        failed: failed.map(age),
    }))
}

/// The retention of a workflow, if it has its own.
pub(crate) fn stored(
    connection: Connection<'_>,
    workflow_id: &str,
) -> sql::Result<Option<RetentionPolicy>> {
    Ok(row_of(connection, workflow_id)?.flatten())
}

/// The retention of a workflow.
pub(super) const OF_WORKFLOW: &str =
    "SELECT keep, success_us, failed_us FROM workflow_retention WHERE workflow_id = ?1";
/// Whether some executions do not count for the retention of all.
pub(super) const HAS_APART: &str = "SELECT EXISTS (SELECT 1 FROM workflow_retention)
   OR EXISTS (SELECT 1 FROM workflow_executions WHERE pinned_at IS NOT NULL)";
/// Whether any workflow has its own retention.
pub(super) const ANY: &str = "SELECT 1 FROM workflow_retention LIMIT 1";

/// The same; the outer `None`: nothing is known of the workflow.
fn row_of(
    connection: Connection<'_>,
    workflow_id: &str,
) -> sql::Result<Option<Option<RetentionPolicy>>> {
    connection
        .prepare_cached(OF_WORKFLOW)?
        .query_row([workflow_id], |row| policy(row, 0))
        .optional()
}

/// The retention of all workflows that have their own.
pub(crate) fn all(connection: Connection<'_>) -> sql::Result<HashMap<String, RetentionPolicy>> {
    let mut statement = connection.prepare_cached(
        "SELECT workflow_id, keep, success_us, failed_us FROM workflow_retention",
    )?;
    let mut rows = statement.query([])?;
    let mut all = HashMap::new();
    while let Some(row) = rows.next()? {
        if let Some(policy) = policy(&row, 1)? {
            all.insert(row.get(0)?, policy);
        }
    }
    Ok(all)
}

/// Whether any execution does not count for the retention of all.
pub(crate) fn has_apart(connection: Connection<'_>) -> sql::Result<bool> {
    connection.prepare_cached(HAS_APART)?.query_row([], |row| row.get(0))
}

/// Counts an execution that has completed in the transaction under way, where it is pinned or has
/// its own retention.
pub(crate) fn count_completion(connection: Connection<'_>, seq: i64) -> sql::Result<()> {
    connection
        .prepare_cached(
            "UPDATE workflow_retention SET finished = finished + 1
             WHERE workflow_id = (SELECT workflow_id FROM workflow_executions
               WHERE seq = ?1 AND own_retention IS NOT NULL AND pinned_at IS NULL)",
        )?
        .execute([seq])?;
    connection
        .prepare_cached(
            "INSERT INTO workflow_pinned_counts
             SELECT workflow_id, 1 FROM workflow_executions
             WHERE seq = ?1 AND pinned_at IS NOT NULL
             ON CONFLICT (workflow_id) DO UPDATE SET finished = workflow_pinned_counts.finished + 1",
        )?
        .execute([seq])?;
    Ok(())
}

/// Whether anything is known of any workflow.
pub(crate) fn exist(connection: Connection<'_>) -> sql::Result<bool> {
    connection.prepare_cached(ANY)?.exists([])
}

/// Stores the retention of a workflow, inside the caller's transaction. Where it begins or ends to
/// have its own, its executions are marked by and by: see [`move_some`].
pub(crate) fn set(
    connection: Connection<'_>,
    workflow_id: &str,
    policy: Option<RetentionPolicy>,
) -> sql::Result<()> {
    let before = row_of(connection, workflow_id)?;
    let limits_now = limits(policy);
    let is_as_before = match before {
        None => policy.is_none(),
        Some(before) => limits(before) == limits_now,
    };
    if is_as_before {
        return Ok(());
    }
    let begins_or_ends = before.flatten().is_some() != policy.is_some();
    let (keep, success, failed) = limits_now;
    connection
        .prepare_cached(
            "INSERT INTO workflow_retention (workflow_id, keep, success_us, failed_us, moving)
             VALUES (?1, ?2, ?3, ?4, 0)
             ON CONFLICT (workflow_id) DO UPDATE SET keep = ?2, success_us = ?3, failed_us = ?4,
               moving = CASE WHEN ?5 THEN 0 ELSE workflow_retention.moving END",
        )?
        .execute(params![workflow_id, keep, success, failed, begins_or_ends])?;
    Ok(())
}

/// Marks some executions of a workflow that began or ended to have its own retention; `false`
/// where there is none. Until all are marked, nothing may be pruned.
pub(crate) fn move_some(connection: Connection<'_>) -> sql::Result<bool> {
    let moving: Option<(String, i64, Option<RetentionPolicy>)> = connection
        .prepare_cached(
            "SELECT workflow_id, moving, keep, success_us, failed_us FROM workflow_retention
             INDEXED BY workflow_retention_moving WHERE moving IS NOT NULL LIMIT 1",
        )?
        .query_row([], |row| Ok((row.get(0)?, row.get(1)?, policy(row, 2)?)))
        .optional()?;
    let Some((workflow_id, after, policy)) = moving else { return Ok(false) };
    if !may_move(connection, &workflow_id)? {
        return Ok(true);
    }
    let mut statement = connection.prepare_cached(
        "SELECT seq, octet_length(input_snapshot) FROM workflow_executions
         INDEXED BY workflow_executions_by_workflow
         WHERE workflow_id = ?1 AND seq > ?2 ORDER BY seq LIMIT ?3",
    )?;
    let mut rows = statement.query(params![workflow_id, after, MOVED_PER_TRANSACTION])?;
    let (mut last, mut count, mut bytes) = (after, 0, 0);
    while let Some(row) = rows.next()? {
        last = row.get(0)?;
        count += 1;
        bytes += row.get::<_, i64>(1)?;
        if bytes > MOVED_BYTES {
            break;
        }
    }
    let is_last = count < MOVED_PER_TRANSACTION && bytes <= MOVED_BYTES;
    let mark = if policy.is_some() {
        "UPDATE workflow_executions INDEXED BY workflow_executions_by_workflow
         SET own_retention = 1
         WHERE workflow_id = ?1 AND seq > ?2 AND seq <= ?3
           AND own_retention IS NULL AND ad_hoc IS NULL"
    } else {
        "UPDATE workflow_executions INDEXED BY workflow_executions_by_workflow
         SET own_retention = NULL
         WHERE workflow_id = ?1 AND seq > ?2 AND seq <= ?3 AND own_retention IS NOT NULL"
    };
    connection.prepare_cached(mark)?.execute(params![workflow_id, after, last])?;
    if is_last && policy.is_none() {
        connection
            .prepare_cached("DELETE FROM workflow_retention WHERE workflow_id = ?1")?
            .execute([&workflow_id])?;
    } else {
        connection
            .prepare_cached("UPDATE workflow_retention SET moving = ?2 WHERE workflow_id = ?1")?
            .execute(params![workflow_id, Some(last).filter(|_| !is_last)])?;
    }
    Ok(true)
}

/// Whether everybody who starts executions of a workflow knows of the retention that it has now, and
/// what others have started is seen. Where several processes write, a start that is stored without
/// waiting for decisions reads the retention of its workflow first, and may be committed later. It
/// writes something before it reads, so that its transaction is older than any that began since.
///
/// # Errors
/// `Busy` while an older transaction goes on.
fn may_move(connection: Connection<'_>, workflow_id: &str) -> sql::Result<bool> {
    if !connection.has_writers() {
        return Ok(true);
    }
    let is_set_here: bool = connection
        .prepare_cached(
            "SELECT CAST(xmin AS TEXT) = CAST(CAST(pg_current_xact_id() AS xid) AS TEXT)
             FROM workflow_retention WHERE workflow_id = ?1",
        )?
        .query_row([workflow_id], |row| row.get(0))?;
    if is_set_here {
        return Ok(false);
    }
    // Those who wait for the right to decide read the retention once they have it.
    let has_older = connection
        .prepare_cached(
            "SELECT 1 FROM pg_locks AS held JOIN pg_stat_activity AS holder ON holder.pid = held.pid
             WHERE held.locktype = 'transactionid' AND held.granted AND held.mode = 'ExclusiveLock'
               AND held.pid <> pg_backend_pid() AND holder.datname = current_database()
               AND age(held.transactionid) > age(CAST(pg_current_xact_id() AS xid))
               AND NOT EXISTS (SELECT 1 FROM pg_locks AS awaited
                 WHERE awaited.pid = held.pid AND awaited.locktype = 'advisory'
                   AND NOT awaited.granted)
             LIMIT 1",
        )?
        .exists([])?;
    match has_older {
        true => Err(Failure::Busy("other transactions that began earlier go on").into()),
        false => Ok(true),
    }
}

/// At most `limit` executions that are beyond the retention of their workflow: of its number, and
/// with `now` of its ages as well.
pub(crate) fn excess(
    connection: Connection<'_>,
    now: Option<Timestamp>,
    limit: usize,
) -> sql::Result<Vec<i64>> {
    let mut chosen = HashSet::new();
    for (workflow_id, excess) in exceeded(connection)? {
        let room = limit - chosen.len().min(limit);
        let spared = Spared::of(connection, &workflow_id)?;
        chosen.extend(
            connection
                .prepare_cached(
                    "SELECT seq FROM workflow_executions
                     INDEXED BY workflow_executions_own_by_completion
                     WHERE own_retention IS NOT NULL AND pinned_at IS NULL
                       AND completion_number IS NOT NULL AND workflow_id = ?1
                     ORDER BY completion_number LIMIT ?2",
                )?
                .query_map(
                    params![workflow_id, excess.min(rows::integer(room as u64 + 1))],
                    |row| row.get(0),
                )?
                .collect::<Result<Vec<i64>, _>>()?
                .into_iter()
                .filter(|seq| !spared.has(*seq))
                .take(room),
        );
        if chosen.len() >= limit {
            break;
        }
    }
    let Some(now) = now else { return Ok(chosen.into_iter().collect()) };
    for (workflow_id, policy) in all(connection)? {
        if policy.success.is_none() && policy.failed.is_none() {
            continue;
        }
        let mut spared = None;
        for (status, age) in [
            ("success", policy.success),
            ("failed", policy.failed),
            ("cancelled", policy.failed),
            ("interrupted", policy.failed),
        ] {
            let Some(age) = age else { continue };
            let room = limit - chosen.len().min(limit);
            if room == 0 {
                return Ok(chosen.into_iter().collect());
            }
            // What is spared may come first, and so may what is chosen already.
            let found: Vec<i64> = connection
                .prepare_cached(
                    "SELECT seq FROM workflow_executions
                     INDEXED BY workflow_executions_own_by_age
                     WHERE own_retention IS NOT NULL AND pinned_at IS NULL
                       AND completion_number IS NOT NULL
                       AND workflow_id = ?1 AND status = ?2 AND completed_at < ?3
                     ORDER BY completed_at LIMIT ?4",
                )?
                .query_map(
                    params![
                        workflow_id,
                        status,
                        now.minus(age.duration()).to_string(),
                        rows::integer(limit as u64 + 2)
                    ],
                    |row| row.get(0),
                )?
                .collect::<Result<_, _>>()?;
            if found.is_empty() {
                continue;
            }
            let spared = match &spared {
                Some(spared) => spared,
                None => spared.insert(Spared::of(connection, &workflow_id)?),
            };
            let fresh: Vec<i64> = found
                .into_iter()
                .filter(|seq| !spared.has(*seq) && !chosen.contains(seq))
                .take(room)
                .collect();
            chosen.extend(fresh);
        }
    }
    Ok(chosen.into_iter().collect())
}

/// Workflows that have more than they keep, and how many more.
fn exceeded(connection: Connection<'_>) -> sql::Result<Vec<(String, i64)>> {
    connection
        .prepare_cached(
            "SELECT workflow_id, finished - keep FROM workflow_retention
             INDEXED BY workflow_retention_exceeded WHERE finished > keep",
        )?
        .query_map([], |row| Ok((row.get(0)?, row.get(1)?)))?
        .collect()
}

/// What no retention of a workflow deletes: the execution that finished last, and the last success.
struct Spared([Option<i64>; 2]);

impl Spared {
    fn of(connection: Connection<'_>, workflow_id: &str) -> sql::Result<Self> {
        let first = |sql: &str| {
            connection
                .prepare_cached(sql)?
                .query_row([workflow_id], |row| row.get::<_, i64>(0))
                .optional()
        };
        Ok(Self([
            first(
                "SELECT seq FROM workflow_executions INDEXED BY workflow_executions_own_by_completion
                 WHERE own_retention IS NOT NULL AND pinned_at IS NULL
                   AND completion_number IS NOT NULL AND workflow_id = ?1
                 ORDER BY completion_number DESC, seq DESC LIMIT 1",
            )?,
            first(
                "SELECT seq FROM workflow_executions INDEXED BY workflow_executions_own_successes
                 WHERE own_retention IS NOT NULL AND pinned_at IS NULL
                   AND completion_number IS NOT NULL AND status = 'success' AND workflow_id = ?1
                 ORDER BY completion_number DESC, seq DESC LIMIT 1",
            )?,
        ]))
    }

    fn has(&self, seq: i64) -> bool {
        self.0.contains(&Some(seq))
    }
}

/// Whether the retention of a workflow has something to do.
pub(crate) fn is_due(connection: Connection<'_>, now: Timestamp) -> sql::Result<bool> {
    let is_moving = connection
        .prepare_cached("SELECT 1 FROM workflow_retention WHERE moving IS NOT NULL LIMIT 1")?
        .exists([])?;
    Ok(is_moving || !excess(connection, Some(now), 1)?.is_empty())
}
