//! The outbox: what waits is claimed under a lease, and what was sent is settled.

use super::rows::{Json, Text};
use super::{incidents, open_alerts, takeover};
use crate::base::timestamp::Timestamp;
use crate::repository::notifications::{
    Attempted, Claim, ClaimRequest, Claimed, Ended, KeptUp, LEASE, NewNotification,
    NotificationState, Settlement,
};
use crate::repository::ownership::Judge;
use crate::repository::sql;
use crate::repository::sql::{Connection, params};
use crate::workflow::notification::Content;

/// How long the history is kept, and how much of it.
const KEPT: std::time::Duration = std::time::Duration::from_secs(30 * 86_400);
const KEPT_ROWS: i64 = 10_000;
/// How long notifications wait for a daemon that has their channel.
const UNSERVED: std::time::Duration = std::time::Duration::from_secs(86_400);
/// So many rows are deleted in one transaction.
const DELETED_AT_A_TIME: i64 = 1_000;
/// How many rows a claim looks at beyond those that it may take, since some are dropped.
const DROPPED_AT_A_TIME: usize = 16;

/// Queues a notification that belongs to no change, or stores how it ended. Queued once only.
pub(crate) fn add(
    connection: Connection<'_>,
    new: &NewNotification,
    now: Timestamp,
) -> sql::Result<Option<i64>> {
    let json =
        serde_json::to_string(&new.content).map_err(|error| sql::Error::Value(Box::new(error)))?;
    let (state, error) = match &new.ended {
        Some((state, error)) => (*state, error.as_deref()),
        None => (NotificationState::Pending, None),
    };
    let is_pending = state == NotificationState::Pending;
    let next_at = match &new.claimed_by {
        Some(_) => now.plus(LEASE),
        None => now,
    };
    let inserted = connection
        .prepare_cached(
            "INSERT INTO workflow_notifications (notification_id, origin, channel, event, thread,
               workflow_id, state, created_at, next_at, ended_at, attempts, claimed_by, after_seq,
               error, content)
             VALUES (?1, NULL, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11,
               (SELECT max(seq) FROM workflow_notifications
                WHERE thread = ?4 AND channel = ?2 AND state = 'pending'), ?12, ?13)
             ON CONFLICT (notification_id) DO UPDATE SET state = excluded.state,
               ended_at = excluded.ended_at, attempts = workflow_notifications.attempts + 1,
               next_at = NULL, claimed_by = NULL, error = excluded.error
             WHERE workflow_notifications.state = 'pending' AND excluded.state <> 'pending'",
        )?
        .execute(params![
            new.id,
            new.channel,
            new.content.event,
            new.thread,
            new.content.workflow_id,
            state.as_str(),
            new.content.at.to_string(),
            is_pending.then(|| next_at.to_string()),
            (!is_pending).then(|| now.to_string()),
            i64::from(!is_pending),
            new.claimed_by.as_deref().filter(|_| is_pending),
            error,
            json,
        ])?;
    let row = (inserted > 0).then(|| connection.last_insert_rowid()).transpose()?;
    open_alerts::follow(connection, new)?;
    Ok(row)
}

/// Whether a claim would find something. Begins no transaction.
pub(crate) fn is_due(
    connection: Connection<'_>,
    judge: &mut dyn FnMut() -> sql::Result<Judge>,
    request: &ClaimRequest,
) -> sql::Result<bool> {
    let is_due = connection
        .prepare_cached(
            "SELECT EXISTS (SELECT 1 FROM workflow_notifications
             WHERE state = 'pending' AND channel = ?1 AND next_at <= ?2)",
        )?
        .query_row(params![request.channel, request.now.to_string()], |row| row.get(0))?;
    Ok(is_due || !dead_claims(connection, judge, &request.owner)?.is_empty())
}

/// The processes that are proven dead and have claims.
fn dead_claims(
    connection: Connection<'_>,
    judge: &mut dyn FnMut() -> sql::Result<Judge>,
    own: &str,
) -> sql::Result<Vec<String>> {
    let others = "SELECT DISTINCT claimed_by FROM workflow_notifications
         WHERE claimed_by IS NOT NULL AND claimed_by <> ?1";
    takeover::dead_of(connection, judge, others, own)
}

/// When the next notification of a channel is due; `None`: none waits.
pub(crate) fn next_at(connection: Connection<'_>, channel: &str) -> sql::Result<Option<Timestamp>> {
    let next: Option<Text<Timestamp>> = connection
        .prepare_cached(
            "SELECT min(next_at) FROM workflow_notifications WHERE state = 'pending' AND channel = ?1",
        )?
        .query_row([channel], |row| row.get(0))?;
    Ok(next.map(|text| text.0))
}

/// Claims what is due, inside the transaction under way. The end of an incident of which no
/// notification was accepted is dropped.
pub(crate) fn claim(
    connection: Connection<'_>,
    judge: &mut dyn FnMut() -> sql::Result<Judge>,
    request: &ClaimRequest,
) -> sql::Result<Claim> {
    let now = request.now.to_string();
    for owner in dead_claims(connection, judge, &request.owner)? {
        connection
            .prepare_cached(
                "UPDATE workflow_notifications SET claimed_by = NULL, next_at = ?2
                 WHERE claimed_by = ?1",
            )?
            .execute(params![owner, now])?;
    }
    let expired = expire(connection, request)?;
    let only = request.only.as_ref().map(|only| format!("{only:?}"));
    let looked_at = request.limit.saturating_add(DROPPED_AT_A_TIME);
    let listed = connection.numbers_of("?4");
    let candidates: Vec<(Claimed, bool)> = connection
        .prepare_cached(&format!(
            "SELECT n.seq, n.notification_id, n.content, n.attempts, n.created_at,
               CASE WHEN n.event = 'recovered' AND n.incident_id IS NOT NULL THEN NOT EXISTS (
                 SELECT 1 FROM workflow_incident_channels c
                 WHERE c.incident_id = n.incident_id AND c.channel = n.channel AND c.accepted = 1)
               WHEN n.event = 'resolved' THEN (
                 SELECT count(*) > 0
                   AND count(*) = count(CASE WHEN b.state = 'given_up' THEN 1 END) FROM workflow_notifications b
                 WHERE b.thread = n.thread AND b.channel = n.channel AND b.seq < n.seq
                   AND b.event <> 'resolved'
                   AND b.content ->> 'since' = n.content ->> 'since')
               ELSE FALSE END
             FROM workflow_notifications n
             WHERE n.state = 'pending' AND n.channel = ?1 AND n.next_at <= ?2
               AND (n.after_seq IS NULL OR NOT EXISTS (SELECT 1 FROM workflow_notifications b
                 WHERE b.seq = n.after_seq AND b.state = 'pending'))
               AND (CAST(?4 AS TEXT) IS NULL OR n.seq IN ({listed}))
             ORDER BY n.next_at LIMIT ?3"
        ))?
        .query_map(
            params![request.channel, now, i64::try_from(looked_at).unwrap_or(i64::MAX), only],
            |row| {
                let claimed = Claimed {
                    seq: row.get(0)?,
                    id: row.get(1)?,
                    content: row.get::<_, Json<Content>>(2)?.0,
                    attempts: row.get(3)?,
                    created_at: row.get::<_, Text<_>>(4)?.0,
                };
                Ok((claimed, row.get(5)?))
            },
        )?
        .collect::<sql::Result<_>>()?;
    let mut claimed = Vec::new();
    for (one, is_for_nobody) in candidates {
        if is_for_nobody {
            let error = "no notification of what is over was accepted";
            end(connection, one.seq, NotificationState::Dropped, Some(error), &now)?;
            continue;
        }
        if claimed.len() < request.limit {
            connection
                .prepare_cached(
                    "UPDATE workflow_notifications SET claimed_by = ?2, next_at = ?3 WHERE seq = ?1",
                )?
                .execute(params![one.seq, request.owner, request.until.to_string()])?;
            claimed.push(one);
        }
    }
    Ok(Claim { claimed, expired, next_at: next_at(connection, &request.channel)? })
}

fn expire(connection: Connection<'_>, request: &ClaimRequest) -> sql::Result<Vec<Ended>> {
    connection
        .prepare_cached(
            "UPDATE workflow_notifications SET state = 'given_up', ended_at = ?3, next_at = NULL,
               error = coalesce(error, 'no receiver accepted it within a day')
             WHERE state = 'pending' AND channel = ?1 AND next_at < ?2 AND claimed_by IS NULL
             RETURNING notification_id, error",
        )?
        .query_map(
            params![request.channel, request.expired_before.to_string(), request.now.to_string()],
            |row| Ok(Ended { id: row.get(0)?, error: row.get(1)? }),
        )?
        .collect()
}

fn end(
    connection: Connection<'_>,
    seq: i64,
    state: NotificationState,
    error: Option<&str>,
    now: &str,
) -> sql::Result<usize> {
    connection
        .prepare_cached(
            "UPDATE workflow_notifications SET state = ?2, ended_at = ?4, next_at = NULL,
               claimed_by = NULL, error = ?3
             WHERE seq = ?1 AND state = 'pending'",
        )?
        .execute(params![seq, state.as_str(), error, now])
}

/// Stores the result of an attempt, inside the transaction under way. That it was accepted holds
/// whoever has the lease now.
pub(crate) fn settle(connection: Connection<'_>, settlement: &Settlement) -> sql::Result<()> {
    let Settlement { seq, owner, at, result } = settlement;
    let now = at.to_string();
    if *result != Attempted::Returned {
        connection
            .prepare_cached(
                "UPDATE workflow_notifications SET attempts = attempts + 1
                 WHERE seq = ?1 AND state = 'pending'",
            )?
            .execute([seq])?;
    }
    match result {
        Attempted::Accepted => {
            if end(connection, *seq, NotificationState::Accepted, None, &now)? > 0 {
                connection
                    .prepare_cached(
                        "UPDATE workflow_incident_channels SET accepted = 1
                         WHERE (incident_id, channel) IN (SELECT incident_id, channel
                           FROM workflow_notifications WHERE seq = ?1)",
                    )?
                    .execute([seq])?;
            }
        }
        Attempted::GivenUp { error } => {
            if is_claimed(connection, *seq, owner)? {
                end(connection, *seq, NotificationState::GivenUp, Some(error), &now)?;
            }
        }
        Attempted::Failed { error, again_at } => {
            connection
                .prepare_cached(
                    "UPDATE workflow_notifications SET claimed_by = NULL, next_at = ?3, error = ?4
                     WHERE seq = ?1 AND claimed_by = ?2 AND state = 'pending'",
                )?
                .execute(params![seq, owner, again_at.to_string(), error])?;
        }
        Attempted::Returned => {
            connection
                .prepare_cached(
                    "UPDATE workflow_notifications SET claimed_by = NULL, next_at = ?3
                     WHERE seq = ?1 AND claimed_by = ?2 AND state = 'pending'",
                )?
                .execute(params![seq, owner, now])?;
        }
    }
    Ok(())
}

fn is_claimed(connection: Connection<'_>, seq: i64, owner: &str) -> sql::Result<bool> {
    connection
        .prepare_cached(
            "SELECT EXISTS (SELECT 1 FROM workflow_notifications WHERE seq = ?1 AND claimed_by = ?2)",
        )?
        .query_row(params![seq, owner], |row| row.get(0))
}

/// Whether an incident is to be notified again, or the history is too long. Begins no transaction.
pub(crate) fn needs_upkeep(connection: Connection<'_>, now: Timestamp) -> sql::Result<bool> {
    connection
        .prepare_cached(
            "SELECT EXISTS (SELECT 1 FROM workflow_incident_channels WHERE remind_at <= ?1)
               OR EXISTS (SELECT 1 FROM workflow_notifications WHERE ended_at < ?2)
               OR EXISTS (SELECT 1 FROM workflow_incidents WHERE closed_at < ?2)
               OR (SELECT coalesce(max(seq) - min(seq), 0) >= ?3 FROM workflow_notifications)
               OR EXISTS (SELECT 1 FROM workflow_notifications WHERE state = 'pending'
                 AND next_at < ?4)",
        )?
        .query_row(
            params![
                now.to_string(),
                now.minus(KEPT).to_string(),
                KEPT_ROWS,
                now.minus(UNSERVED).to_string()
            ],
            |row| row.get(0),
        )
}

/// Queues reminders that are due, gives up what no daemon delivers, and deletes old history, inside
/// the transaction under way.
pub(crate) fn upkeep(
    connection: Connection<'_>,
    judge: &mut dyn FnMut() -> sql::Result<Judge>,
    now: Timestamp,
) -> sql::Result<KeptUp> {
    let is_queued = incidents::remind(connection, now)?;
    forget_couriers(connection, judge, None)?;
    let unserved = connection
        .prepare_cached(
            "UPDATE workflow_notifications SET state = 'given_up', ended_at = ?2, next_at = NULL,
               claimed_by = NULL, error = coalesce(error, 'no daemon has this channel')
             WHERE state = 'pending' AND next_at < ?1
               AND channel NOT IN (SELECT channel FROM workflow_notification_couriers)
             RETURNING notification_id, channel",
        )?
        .query_map(params![now.minus(UNSERVED).to_string(), now.to_string()], |row| {
            Ok((row.get(0)?, row.get(1)?))
        })?
        .collect::<sql::Result<_>>()?;
    let before = now.minus(KEPT).to_string();
    connection
        .prepare_cached(
            "DELETE FROM workflow_notifications WHERE seq IN (
               SELECT seq FROM workflow_notifications WHERE ended_at < ?1 LIMIT ?2)",
        )?
        .execute(params![before, DELETED_AT_A_TIME])?;
    connection
        .prepare_cached(
            "DELETE FROM workflow_notifications WHERE seq IN (
               SELECT seq FROM workflow_notifications
               WHERE ended_at IS NOT NULL
                 AND seq <= (SELECT seq FROM workflow_notifications
                   ORDER BY seq DESC LIMIT 1 OFFSET ?1)
               LIMIT ?2)",
        )?
        .execute(params![KEPT_ROWS, DELETED_AT_A_TIME])?;
    // Nobody has their channels any more.
    connection
        .prepare_cached(
            "DELETE FROM workflow_open_alerts WHERE since < ?1
               AND channel NOT IN (SELECT channel FROM workflow_notification_couriers)",
        )?
        .execute([&before])?;
    // Of an incident whose end is still to be notified, the channels are needed.
    connection
        .prepare_cached(
            "DELETE FROM workflow_incident_channels WHERE incident_id IN (
               SELECT incident_id FROM workflow_incidents WHERE closed_at < ?1
               ORDER BY closed_at LIMIT ?2)",
        )?
        .execute(params![before, DELETED_AT_A_TIME])?;
    connection
        .prepare_cached(
            "DELETE FROM workflow_incidents WHERE incident_id IN (
               SELECT incident_id FROM workflow_incidents WHERE closed_at < ?1
               ORDER BY closed_at LIMIT ?2)",
        )?
        .execute(params![before, DELETED_AT_A_TIME])?;
    Ok(KeptUp { is_queued, unserved })
}

/// Stores which channels a daemon delivers, and forgets daemons that are dead, inside the
/// transaction under way.
pub(crate) fn set_couriers(
    connection: Connection<'_>,
    judge: &mut dyn FnMut() -> sql::Result<Judge>,
    owner: &str,
    channels: &[String],
) -> sql::Result<()> {
    forget_couriers(connection, judge, Some(owner))?;
    for channel in channels {
        connection
            .prepare_cached(
                "INSERT INTO workflow_notification_couriers VALUES (?1, ?2) ON CONFLICT DO NOTHING",
            )?
            .execute(params![owner, channel])?;
    }
    Ok(())
}

/// Forgets which channels daemons deliver that are dead, and this one.
fn forget_couriers(
    connection: Connection<'_>,
    judge: &mut dyn FnMut() -> sql::Result<Judge>,
    own: Option<&str>,
) -> sql::Result<()> {
    let owners: Vec<String> = connection
        .prepare_cached("SELECT DISTINCT owner FROM workflow_notification_couriers")?
        .query_map([], |row| row.get(0))?
        .collect::<sql::Result<_>>()?;
    if owners.is_empty() {
        return Ok(());
    }
    let mut judge = judge()?;
    for owner in owners {
        if own == Some(&*owner) || judge.liveness(&owner).is_dead() {
            connection
                .prepare_cached("DELETE FROM workflow_notification_couriers WHERE owner = ?1")?
                .execute([owner])?;
        }
    }
    Ok(())
}

/// What of an execution's notifications waits to be sent: rows and channels. Channels that a daemon
/// delivers, whose death is not proven, are left out.
pub(crate) fn left_to_send(
    connection: Connection<'_>,
    judge: &mut dyn FnMut() -> sql::Result<Judge>,
    executions: &[String],
) -> sql::Result<Vec<(i64, String)>> {
    let mut left: Vec<(i64, String)> = Vec::new();
    let mut statement = connection.prepare_cached(
        "SELECT seq, channel FROM workflow_notifications
         WHERE state = 'pending' AND execution_id = ?1",
    )?;
    for execution in executions {
        let rows = statement.query_map([execution], |row| Ok((row.get(0)?, row.get(1)?)))?;
        for row in rows {
            left.push(row?);
        }
    }
    if left.is_empty() {
        return Ok(left);
    }
    let couriers: Vec<(String, String)> = connection
        .prepare_cached("SELECT owner, channel FROM workflow_notification_couriers")?
        .query_map([], |row| Ok((row.get(0)?, row.get(1)?)))?
        .collect::<sql::Result<_>>()?;
    let mut judge = judge()?;
    left.retain(|(_, channel)| {
        !couriers
            .iter()
            .any(|(owner, served)| served == channel && !judge.liveness(owner).is_dead())
    });
    Ok(left)
}
